/*
 * instinit: process 1 of an instance. instinit(8).
 *
 * It runs /etc/rc, waits for whatever has lost its parent, and ends the instance in order
 * when it is asked to by SIGTERM: it runs /etc/rc.shutdown, asks all processes to end,
 * kills what is left, and exits. It is one of a thousand on a machine, so it has no C
 * library, one thread, and nothing that it writes to but its stack.
 */

typedef unsigned long u64;
typedef long i64;

enum { /* system calls */
	SYS_access = 21, SYS_fork = 57, SYS_execve = 59, SYS_exit = 60, SYS_wait4 = 61, SYS_kill = 62,
	SYS_setsid = 112, SYS_sigtimedwait = 128, SYS_sigprocmask = 14,
};

enum { SIGKILL = 9, SIGTERM = 15, SIGCHLD = 17, SIGCONT = 18 };
enum { SIG_SETMASK = 2, WNOHANG = 1, X_OK = 1, SIGSET = 8 };

struct timespec { i64 sec, nsec; };

/* patience is how many seconds processes have between SIGTERM and SIGKILL. */
enum { patience = 5 };

static i64 call(i64 number, i64 a, i64 b, i64 c, i64 d)
{
	i64 result;
	register i64 r10 __asm__("r10") = d;

	__asm__ volatile("syscall"
		: "=a"(result)
		: "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
		: "rcx", "r11", "memory");
	return result;
}

static void block(u64 signals)
{
	call(SYS_sigprocmask, SIG_SETMASK, (i64)&signals, 0, SIGSET);
}

/* start runs a program, if there is one, and returns its process; 0: there is none. */
static i64 start(const char *program)
{
	static const char *const environment[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=linux", "USER=root", 0,
	};
	const char *arguments[] = {program, 0};
	i64 pid;

	if (call(SYS_access, (i64)program, X_OK, 0, 0) < 0)
		return 0;
	pid = call(SYS_fork, 0, 0, 0, 0);
	if (pid == 0) {
		block(0);
		call(SYS_setsid, 0, 0, 0, 0);
		call(SYS_execve, (i64)program, (i64)arguments, (i64)environment, 0);
		call(SYS_exit, 127, 0, 0, 0);
	}
	return pid > 0 ? pid : 0;
}

/* next waits for a signal, at most so many seconds if that isn't 0; 0: there was none. */
static i64 next(i64 seconds)
{
	u64 all = ~0UL;
	struct timespec limit = {seconds, 0};
	i64 sig = call(SYS_sigtimedwait, (i64)&all, 0, seconds ? (i64)&limit : 0, SIGSET);

	return sig > 0 ? sig : 0;
}

/* reap waits for what has ended. It returns whether one was there, and in left whether
 * there are processes that have not. */
static int reap(i64 one, int *left)
{
	int found = 0;
	i64 pid;

	while ((pid = call(SYS_wait4, -1, 0, WNOHANG, 0)) > 0)
		if (pid == one)
			found = 1;
	*left = pid == 0;
	return found;
}

/* stop ends everything. If that takes too long, the kernel does. */
static void stop(void)
{
	i64 shutdown = start("/etc/rc.shutdown");
	int left = 1, i;

	while (shutdown && !reap(shutdown, &left) && left)
		next(1);
	call(SYS_kill, -1, SIGTERM, 0, 0);
	call(SYS_kill, -1, SIGCONT, 0, 0);
	for (i = 0; reap(0, &left), left && i < patience;)
		if (next(1) != SIGCHLD)
			i++;
	call(SYS_exit, 0, 0, 0, 0); /* the kernel kills who is left */
}

void run(void)
{
	int left;

	block(~0UL);
	start("/etc/rc");
	for (;;) {
		switch (next(0)) {
		case SIGCHLD:
			reap(0, &left);
			break;
		case SIGTERM:
			stop();
		}
	}
}

__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tand $-16, %rsp\n\tcall run\n");
