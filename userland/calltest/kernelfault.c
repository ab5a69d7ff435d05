//go:build ignore

/* Faults of the kernel itself, which end the process that meets them and
 * nothing else. Linux doesn't have the call, nor has mult without the boot
 * option debugcalls: then it is ENOSYS. */

#include "calltest.h"

#define SYS_debug_panic 5000

TEST(caller_dies_alone)
{
	for (int round = 0; round < 3; round++) {
		for (int what = 0; what < 3; what++) {
			pid_t pid = ct_fork();
			if (pid == 0) {
				long r = syscall(SYS_debug_panic, what, 5);
				_exit(r == -1 && errno == ENOSYS ? 7 : 1);
			}
			int status = ct_wait(pid);
			if (WIFEXITED(status))
				CHECKEQ(WEXITSTATUS(status), 7);
			else
				CHECKEQ(WTERMSIG(status), SIGSEGV);
		}
	}
}
