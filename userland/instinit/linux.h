/* linux.h: what instinit needs of the kernel, without a C library: system calls, which return a
 * negative error number when they fail. Numbers and structures come from the kernel's own
 * headers. */
#include <asm/signal.h>
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>
#include <linux/poll.h>
#include <linux/reboot.h>
#include <linux/time_types.h>
#include <linux/wait.h>

#define MNT_DETACH 2 /* of umount2(2); no header of the kernel's has it */

static inline long call5(long number, long a, long b, long c, long d, long e)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;

	__asm__ volatile("syscall"
		: "+a"(number)
		: "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
		: "rcx", "r11", "memory");
	return number;
}

#define CALL(number, a, b, c, d, e) \
	call5(__NR_##number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

static inline long pread(int fd, void *to, unsigned long n, long at) { return CALL(pread64, fd, to, n, at, 0); }
static inline long write(int fd, const void *from, unsigned long n) { return CALL(write, fd, from, n, 0, 0); }
static inline long open(const char *path, int flags) { return CALL(open, path, flags, 0, 0, 0); }
static inline long poll(struct pollfd *p, int n, int ms) { return CALL(poll, p, n, ms, 0, 0); }
static inline long get_descriptor_flags(int fd) { return CALL(fcntl, fd, F_GETFD, 0, 0, 0); }

static inline long chdir(const char *path) { return CALL(chdir, path, 0, 0, 0, 0); }
static inline long mkdir(const char *path, int mode) { return CALL(mkdir, path, mode, 0, 0, 0); }
static inline long stat(const char *path, struct stat *s) { return CALL(stat, path, s, 0, 0, 0); }
static inline long lstat(const char *path, struct stat *s) { return CALL(lstat, path, s, 0, 0, 0); }
static inline long umask(int mask) { return CALL(umask, mask, 0, 0, 0, 0); }
static inline long sync(void) { return CALL(sync, 0, 0, 0, 0, 0); }
static inline long umount(const char *path, int flags) { return CALL(umount2, path, flags, 0, 0, 0); }
static inline long mount(const char *source, const char *path, const char *type, long flags, const char *options)
{
	return CALL(mount, source, path, type, flags, options);
}

static inline long getpid(void) { return CALL(getpid, 0, 0, 0, 0, 0); }
static inline long setsid(void) { return CALL(setsid, 0, 0, 0, 0, 0); }
static inline long fork(void) { return CALL(fork, 0, 0, 0, 0, 0); }
static inline long execve(const char *path, const char *const *argv, const char *const *env)
{
	return CALL(execve, path, argv, env, 0, 0);
}
static inline long wait4(int pid, int *status, int options) { return CALL(wait4, pid, status, options, 0, 0); }
static inline long kill(int pid, int sig) { return CALL(kill, pid, sig, 0, 0, 0); }
static inline long reboot(unsigned how)
{
	return CALL(reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, how, 0, 0);
}
static inline __attribute__((noreturn)) void exit(int status)
{
	for (;;)
		CALL(exit_group, status, 0, 0, 0, 0);
}

/* Signals are sets of 64 bits here: bit 0 is signal 1. */
static inline long set_blocked(sigset_t set) { return CALL(rt_sigprocmask, SIG_SETMASK, &set, 0, sizeof set, 0); }
static inline long set_default(int sig)
{
	struct sigaction act = {.sa_handler = SIG_DFL};

	return CALL(rt_sigaction, sig, &act, 0, sizeof act.sa_mask, 0);
}
/* wait_signal takes one signal of a set and returns it; a time of 0 ms is none, below 0 for ever. */
static inline long wait_signal(sigset_t set, long ms)
{
	struct __kernel_timespec t = {ms / 1000, ms % 1000 * 1000000};

	return CALL(rt_sigtimedwait, &set, 0, ms < 0 ? 0 : &t, sizeof set, 0);
}

/* now is a time in ms that never goes back. */
static inline long now(void)
{
	struct __kernel_timespec t;

	CALL(clock_gettime, 1 /* CLOCK_MONOTONIC */, &t, 0, 0, 0);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}
