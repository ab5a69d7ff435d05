//go:build ignore

/* proc: processes: fork, vfork, wait, exit, orphans, groups and sessions,
 * user ids, limits, prctl, priorities. */
#include "calltest.h"
#include <linux/prctl.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* hold makes a child that waits for a byte or the end of a pipe. */
static int hold_fd;

static pid_t hold(void)
{
	int p[2];

	CHECK(pipe(p) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		char c;
		close(p[1]);
		if (read(p[0], &c, 1) < 0)
			_exit(1);
		_exit(0);
	}
	close(p[0]);
	hold_fd = p[1];
	return pid;
}

static void release(pid_t pid)
{
	close(hold_fd);
	REAP(pid);
}

TEST(fork_copies)
{
	static int x = 1;
	int y = 2;
	int *h = malloc(sizeof *h);

	*h = 3;
	IN_CHILD {
		CHECKEQ(x + y + *h, 6);
		x = y = *h = 9;
	}
	CHECKEQ(x + y + *h, 6);
}

TEST(fork_tree)
{
	/* Three generations, two children each. */
	IN_CHILD {
		IN_CHILD { IN_CHILD { } IN_CHILD { } }
		IN_CHILD { IN_CHILD { } IN_CHILD { } }
	}
}

TEST(fork_many_at_once)
{
	pid_t pid[60];

	for (int i = 0; i < 60; i++)
		if ((pid[i] = ct_fork()) == 0)
			_exit(i);
	for (int i = 0; i < 60; i++)
		for (int k = 0; k < i; k++)
			CHECK(pid[k] != pid[i]);
	for (int i = 59; i >= 0; i--)
		CHECKEQ(ct_wait(pid[i]), i << 8);
}

TEST(vfork)
{
	/* The parent waits, and sees what the child wrote: one memory. */
	volatile int x = 1;
	pid_t pid = vfork();

	if (pid == 0) {
		x = 2;
		_exit(7);
	}
	CHECK(pid > 0);
	CHECKEQ(x, 2);
	CHECKEQ(ct_wait(pid), 7 << 8);
}

TEST(wait_errors)
{
	int status;

	CHECKERR(waitpid(-1, &status, 0), ECHILD);
	CHECKERR(waitpid(1, &status, 0), ECHILD);
	CHECKERR(waitpid(getpid(), &status, 0), ECHILD);
	CHECKERR(waitpid(-1, &status, 0x100), EINVAL);
	pid_t pid = hold();
	CHECKEQ(waitpid(-1, &status, WNOHANG), 0);
	CHECKEQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECKERR(waitpid(pid + 100000, &status, WNOHANG), ECHILD);
	CHECKERR(waitpid(-pid, &status, WNOHANG), ECHILD); /* no such group */
	CHECKERR(waitpid(INT_MIN, &status, WNOHANG), ESRCH);
	release(pid);
	CHECKERR(waitpid(pid, &status, 0), ECHILD);
}

TEST(wait_bad_pointer)
{
	pid_t pid = ct_fork();

	if (pid == 0)
		_exit(0);
	CHECKERR(syscall(SYS_wait4, pid, bad_address(1), 0, NULL), EFAULT);
	CHECKERR(syscall(SYS_wait4, pid, NULL, 0, NULL), ECHILD); /* reaped although */
}

TEST(wait_selects)
{
	pid_t a = ct_fork(), b;
	int status;

	if (a == 0)
		_exit(1);
	b = ct_fork();
	if (b == 0) {
		setpgid(0, 0);
		_exit(2);
	}
	setpgid(b, b);
	CHECKEQ(waitpid(-b, &status, 0), b);
	CHECKEQ(status, 2 << 8);
	CHECKEQ(waitpid(0, &status, 0), a); /* of this group */
	CHECKEQ(status, 1 << 8);
}

TEST(wait_signal_status)
{
	pid_t pid = hold();
	int status;

	CHECK(kill(pid, SIGTERM) == 0);
	status = ct_wait(pid);
	CHECK(WIFSIGNALED(status));
	CHECKEQ(WTERMSIG(status), SIGTERM);
	CHECK(!WCOREDUMP(status));
	pid = hold();
	CHECK(kill(pid, SIGKILL) == 0);
	CHECKEQ(ct_wait(pid), SIGKILL);
	pid = hold();
	CHECK(kill(pid, SIGRTMIN + 3) == 0);
	CHECKEQ(ct_wait(pid), SIGRTMIN + 3);
}

TEST(wait_stop_continue)
{
	int status;
	pid_t pid = hold();

	CHECK(kill(pid, SIGSTOP) == 0);
	CHECKEQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECKEQ(WSTOPSIG(status), SIGSTOP);
	CHECKEQ(waitpid(pid, &status, WUNTRACED | WNOHANG), 0); /* told once */
	CHECK(kill(pid, SIGCONT) == 0);
	CHECKEQ(waitpid(pid, &status, WCONTINUED), pid);
	CHECK(WIFCONTINUED(status));
	CHECKEQ(status, 0xffff);
	CHECK(kill(pid, SIGTSTP) == 0);
	CHECKEQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECKEQ(WSTOPSIG(status), SIGTSTP);
	CHECK(kill(pid, SIGKILL) == 0); /* a stopped one can be killed */
	CHECKEQ(ct_wait(pid), SIGKILL);
}

TEST(waitid)
{
	siginfo_t si;
	pid_t pid = hold();

	memset(&si, 0xff, sizeof si);
	CHECK(waitid(P_PID, pid, &si, WEXITED | WNOHANG) == 0);
	CHECKEQ(si.si_pid, 0);
	CHECKEQ(si.si_signo, 0);
	CHECKERR(waitid(P_PID, pid, &si, 0), EINVAL);
	CHECKERR(waitid(P_PID, pid, &si, WEXITED | 0x100), EINVAL);
	CHECKERR(waitid(77, pid, &si, WEXITED), EINVAL);
	CHECKERR(waitid(P_PID, 0, &si, WEXITED), EINVAL);
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECK(waitid(P_PID, pid, &si, WSTOPPED) == 0);
	CHECKEQ(si.si_code, CLD_STOPPED);
	CHECKEQ(si.si_status, SIGSTOP);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECK(waitid(P_PID, pid, &si, WCONTINUED) == 0);
	CHECKEQ(si.si_code, CLD_CONTINUED);
	CHECKEQ(si.si_status, SIGCONT);
	CHECK(kill(pid, SIGTERM) == 0);
	CHECK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT) == 0);
	CHECKEQ(si.si_signo, SIGCHLD);
	CHECKEQ(si.si_code, CLD_KILLED);
	CHECKEQ(si.si_status, SIGTERM);
	CHECKEQ(si.si_pid, pid);
	CHECKEQ(si.si_uid, getuid());
	CHECK(waitid(P_ALL, 0, &si, WEXITED) == 0); /* it was left there */
	CHECKERR(waitid(P_ALL, 0, &si, WEXITED), ECHILD);
	pid = ct_fork();
	if (pid == 0)
		_exit(300);
	CHECK(waitid(P_PGID, getpgrp(), &si, WEXITED) == 0);
	CHECKEQ(si.si_code, CLD_EXITED);
	CHECKEQ(si.si_status, 300 & 0xff);
	pid = ct_fork();
	if (pid == 0)
		_exit(0);
	CHECKERR(syscall(SYS_waitid, P_PID, pid, bad_address(1), WEXITED, NULL), EFAULT);
}

TEST(wait_rusage)
{
	struct rusage ru;
	int status;

	memset(&ru, 0xff, sizeof ru);
	pid_t pid = ct_fork();
	if (pid == 0) {
		while (clock() < CLOCKS_PER_SEC / 20)
			;
		_exit(0);
	}
	CHECKEQ(wait4(pid, &status, 0, &ru), pid);
	CHECK(ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec +
		ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec >= 40000);
	struct rusage all;
	CHECK(getrusage(RUSAGE_CHILDREN, &all) == 0);
	CHECK(all.ru_utime.tv_sec * 1000000 + all.ru_utime.tv_usec +
		all.ru_stime.tv_sec * 1000000 + all.ru_stime.tv_usec >= 40000);
}

TEST(zombie)
{
	pid_t pid = ct_fork();
	siginfo_t si;

	if (pid == 0)
		_exit(0);
	CHECK(waitid(P_PID, pid, &si, WEXITED | WNOWAIT) == 0);
	CHECK(kill(pid, 0) == 0); /* a zombie can be signalled, without effect */
	CHECK(kill(pid, SIGKILL) == 0);
	CHECKEQ(ct_wait(pid), 0);
	CHECKERR(kill(pid, 0), ESRCH);
}

TEST(ignored_children)
{
	int status;

	signal(SIGCHLD, SIG_IGN);
	pid_t pid = ct_fork();
	if (pid == 0)
		_exit(3);
	CHECKERR(waitpid(pid, &status, 0), ECHILD); /* waits until it is gone */
	CHECKERR(kill(pid, 0), ESRCH);
	struct sigaction sa = {.sa_handler = SIG_DFL, .sa_flags = SA_NOCLDWAIT};
	CHECK(sigaction(SIGCHLD, &sa, NULL) == 0);
	pid = ct_fork();
	if (pid == 0)
		_exit(3);
	CHECKERR(waitpid(pid, &status, 0), ECHILD);
}

TEST(orphan_gets_init)
{
	int p[2];
	pid_t was, now = 0;

	CHECK(pipe(p) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		pid_t me = getpid();
		if (fork() == 0) {
			while (getppid() == me)
				sched_yield();
			now = getppid();
			CHECKEQ(write(p[1], &now, sizeof now), sizeof now);
			_exit(0);
		}
		_exit(0);
	}
	was = pid;
	REAP(pid);
	CHECKEQ(read(p[0], &now, sizeof now), sizeof now);
	CHECK(now != was && now != getpid() && now > 0);
}

TEST(subreaper)
{
	int p[2];
	pid_t now = 0, grandchild = 0;

	CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
	int on = 0;
	CHECK(prctl(PR_GET_CHILD_SUBREAPER, &on) == 0);
	CHECKEQ(on, 1);
	CHECK(pipe(p) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		pid_t me = getpid();
		if (fork() == 0) {
			while (getppid() == me)
				sched_yield();
			pid_t say[2] = {getpid(), getppid()};
			CHECKEQ(write(p[1], say, sizeof say), sizeof say);
			_exit(5);
		}
		_exit(0);
	}
	REAP(pid);
	CHECKEQ(read(p[0], &grandchild, sizeof grandchild), sizeof now);
	CHECKEQ(read(p[0], &now, sizeof now), sizeof now);
	CHECKEQ(now, getpid());
	CHECKEQ(ct_wait(grandchild), 5 << 8);
}

TEST(parent_death_signal)
{
	int p[2], sig = 0;
	char c;

	CHECK(pipe(p) == 0);
	IN_CHILD {
		int q[2];
		CHECK(pipe(q) == 0);
		if (fork() == 0) {
			CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
			CHECK(prctl(PR_GET_PDEATHSIG, &sig) == 0);
			CHECKEQ(sig, SIGKILL);
			CHECKEQ(write(q[1], "r", 1), 1);
			for (;;)
				pause();
		}
		CHECKEQ(read(q[0], &c, 1), 1);
	}
	close(p[1]);
	CHECKEQ(read(p[0], &c, 1), 0); /* the end only comes when all are dead */
	CHECKERR(prctl(PR_SET_PDEATHSIG, 100), EINVAL);
}

TEST(exit_closes)
{
	int p[2];
	char c;

	CHECK(pipe(p) == 0);
	pid_t pid = ct_fork();
	if (pid == 0)
		_exit(0);
	close(p[1]);
	CHECKEQ(read(p[0], &c, 1), 0);
	REAP(pid);
}

TEST(groups)
{
	CHECKEQ(getpgrp(), getpid()); /* the harness made it so */
	CHECKEQ(getpgid(0), getpid());
	pid_t pid = hold();
	CHECKEQ(getpgid(pid), getpgrp());
	CHECK(setpgid(pid, 0) == 0);
	CHECKEQ(getpgid(pid), pid);
	CHECK(setpgid(pid, getpgrp()) == 0);
	CHECKEQ(getpgid(pid), getpgrp());
	CHECKERR(setpgid(pid, 99999), EPERM); /* no such group */
	CHECKERR(setpgid(pid, -1), EINVAL);
	CHECKERR(setpgid(-1, 0), EINVAL);
	CHECKERR(setpgid(-1, 1), ESRCH);
	CHECKERR(setpgid(getppid(), 0), ESRCH); /* not a child */
	CHECKERR(getpgid(-1), ESRCH);
	CHECKERR(getpgid(4000000), ESRCH);
	release(pid);
}

TEST(sessions)
{
	CHECKERR(setsid(), EPERM); /* leads a group */
	CHECKERR(getsid(4000000), ESRCH);
	pid_t sid = getsid(0);
	IN_CHILD {
		pid_t me = getpid();
		CHECKEQ(getsid(0), sid);
		CHECKEQ(setsid(), me);
		CHECKEQ(getsid(0), me);
		CHECKEQ(getpgrp(), me);
		CHECKERR(setsid(), EPERM);
		CHECKERR(setpgid(0, 0), EPERM); /* a session's leader stays */
		pid_t pid = hold();
		CHECKEQ(getsid(pid), me);
		CHECKERR(open("/dev/tty", O_RDWR), ENXIO); /* no terminal */
		release(pid);
		pid = hold();
		CHECK(setpgid(pid, pid) == 0);
		release(pid);
		CHECKERR(setpgid(0, getppid()), EPERM); /* of another session */
	}
	pid_t pid = hold();
	int q[2];
	CHECK(pipe(q) == 0);
	pid_t other = ct_fork();
	if (other == 0) {
		char c;
		setsid();
		CHECKEQ(write(q[1], "x", 1), 1);
		CHECKEQ(read(q[0], &c, 0), 0);
		pause();
	}
	char c;
	CHECKEQ(read(q[0], &c, 1), 1);
	CHECKERR(setpgid(pid, other), EPERM); /* group of another session */
	CHECKERR(setpgid(other, 0), EPERM);
	CHECK(kill(other, SIGKILL) == 0);
	CHECKEQ(ct_wait(other), SIGKILL);
	release(pid);
}

TEST(kill_group)
{
	pid_t a = hold(), b;

	CHECK(setpgid(a, a) == 0);
	b = hold();
	CHECK(setpgid(b, a) == 0);
	CHECK(kill(-a, SIGUSR1) == 0);
	CHECKEQ(ct_wait(a), SIGUSR1);
	CHECKEQ(ct_wait(b), SIGUSR1);
	CHECKERR(kill(-a, SIGUSR1), ESRCH);
}

TEST(setpgid_after_exec)
{
	int p[2];
	char c;

	CHECK(pipe2(p, O_CLOEXEC) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		execl(ct_self, ct_self, "@wait", NULL);
		_exit(1);
	}
	close(p[1]);
	CHECKEQ(read(p[0], &c, 1), 0); /* it has done its exec */
	CHECKERR(setpgid(pid, 0), EACCES);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECKEQ(ct_wait(pid), SIGKILL);
}

static int hook(int argc, char **argv)
{
	(void)argc;
	if (strcmp(argv[1], "@wait") == 0)
		for (;;)
			pause();
	return 1;
}
HOOK(hook)

static void ids(uid_t *r, uid_t *e, uid_t *s)
{
	CHECK(getresuid(r, e, s) == 0);
}

#define IDS(a, b, c) do { \
	uid_t r, e, s; \
	ids(&r, &e, &s); \
	CHECKEQ(r, a); CHECKEQ(e, b); CHECKEQ(s, c); \
} while (0)

TEST(setuid)
{
	if (geteuid() != 0)
		SKIP("needs root");
	IN_CHILD {
		CHECK(setuid(100) == 0); /* root: all three, for good */
		IDS(100, 100, 100);
		CHECKERR(setuid(0), EPERM);
		CHECKERR(seteuid(0), EPERM);
		CHECK(setuid(100) == 0);
	}
	IN_CHILD {
		CHECK(seteuid(100) == 0);
		IDS(0, 100, 0);
		CHECKERR(setuid(200), EPERM);
		CHECK(setuid(0) == 0); /* not root: only the effective one */
		IDS(0, 0, 0);
	}
	IN_CHILD {
		CHECK(setresuid(1, 2, 3) == 0);
		IDS(1, 2, 3);
		CHECK(setresuid(-1, -1, -1) == 0);
		IDS(1, 2, 3);
		CHECKERR(setresuid(4, -1, -1), EPERM);
		CHECK(setresuid(3, 1, 2) == 0);
		IDS(3, 1, 2);
		CHECKERR(setuid(9), EPERM);
	}
	IN_CHILD {
		CHECK(setreuid(5, 6) == 0);
		IDS(5, 6, 6);
		CHECK(setreuid(6, 5) == 0);
		IDS(6, 5, 5);
		CHECKERR(setreuid(0, -1), EPERM);
		CHECKERR(setreuid(-1, 0), EPERM);
	}
	CHECKERR(setuid(-1), EINVAL);
	CHECKERR(syscall(SYS_getresuid, bad_address(1), bad_address(1), bad_address(1)), EFAULT);
}

TEST(setgid)
{
	gid_t r, e, s, list[4];

	if (geteuid() != 0)
		SKIP("needs root");
	IN_CHILD {
		CHECK(setresgid(1, 2, 3) == 0);
		CHECK(getresgid(&r, &e, &s) == 0);
		CHECKEQ(r * 100 + e * 10 + s, 123);
		CHECK(setuid(100) == 0);
		CHECKERR(setgid(4), EPERM);
		CHECK(setgid(3) == 0);
		CHECK(getresgid(&r, &e, &s) == 0);
		CHECKEQ(r * 100 + e * 10 + s, 133);
		CHECKERR(setregid(2, 2), EPERM);
		CHECKERR(setgroups(0, NULL), EPERM);
	}
	IN_CHILD {
		gid_t three[3] = {30, 10, 20};
		CHECK(setgroups(3, three) == 0);
		CHECKEQ(getgroups(0, NULL), 3);
		CHECKEQ(getgroups(4, list), 3);
		CHECKERR(getgroups(2, list), EINVAL);
		CHECKERR(getgroups(-1, list), EINVAL);
		CHECKERR(syscall(SYS_getgroups, 4, bad_address(1)), EFAULT);
		CHECKERR(syscall(SYS_setgroups, 65537, three), EINVAL);
		CHECKERR(syscall(SYS_setgroups, -1, three), EINVAL);
		CHECKERR(syscall(SYS_setgroups, 3, bad_address(1)), EFAULT);
		CHECKEQ(getgroups(4, list), 3);
	}
}

TEST(setfsuid)
{
	if (geteuid() != 0)
		SKIP("needs root");
	IN_CHILD {
		spew("f", "");
		CHECK(chmod("f", 0600) == 0);
		CHECKEQ(syscall(SYS_setfsuid, 100), 0);
		CHECKEQ(syscall(SYS_setfsuid, -1), 100);
		CHECKERR(open("f", O_RDONLY), EACCES);
		CHECKEQ(syscall(SYS_setfsuid, 0), 100);
		CHECK(open("f", O_RDONLY) >= 0);
	}
}

TEST(kill_permissions)
{
	if (geteuid() != 0)
		SKIP("needs root");
	pid_t pid = hold();
	IN_CHILD {
		drop(1234);
		CHECKERR(kill(pid, 0), EPERM);
		CHECKERR(kill(pid, SIGTERM), EPERM);
		CHECK(kill(getpid(), 0) == 0);
		CHECKERR(kill(1, 0), EPERM);
	}
	IN_CHILD { /* the real id is enough */
		CHECK(setresuid(-1, 1234, 1234) == 0);
		CHECK(kill(pid, 0) == 0);
	}
	release(pid);
	CHECKERR(kill(pid, 0), ESRCH);
	CHECKERR(kill(getpid(), 65), EINVAL);
	CHECKERR(kill(getpid(), -1), EINVAL);
}

TEST(limits)
{
	struct rlimit a, b;

	CHECK(getrlimit(RLIMIT_STACK, &a) == 0);
	CHECK(a.rlim_cur <= a.rlim_max);
	CHECKERR(getrlimit(99, &a), EINVAL);
	CHECKERR(syscall(SYS_getrlimit, RLIMIT_STACK, bad_address(0)), EFAULT);
	a = (struct rlimit){20, 10};
	CHECKERR(setrlimit(RLIMIT_NPROC, &a), EINVAL);
	a = (struct rlimit){100, 200};
	CHECK(setrlimit(RLIMIT_CORE, &a) == 0);
	CHECK(getrlimit(RLIMIT_CORE, &b) == 0);
	CHECKEQ(b.rlim_cur, 100);
	CHECKEQ(b.rlim_max, 200);
	IN_CHILD { /* inherited; an ordinary user can't go up again */
		drop(1234);
		CHECK(getrlimit(RLIMIT_CORE, &b) == 0);
		CHECKEQ(b.rlim_max, 200);
		a = (struct rlimit){150, 201};
		CHECKERR(setrlimit(RLIMIT_CORE, &a), EPERM);
		a = (struct rlimit){200, 200};
		CHECK(setrlimit(RLIMIT_CORE, &a) == 0);
		CHECKERR(prlimit(getppid(), RLIMIT_CORE, NULL, &b), EPERM);
	}
	pid_t pid = hold();
	a = (struct rlimit){5, 6};
	CHECK(prlimit(pid, RLIMIT_CORE, &a, &b) == 0);
	CHECKEQ(b.rlim_cur, 100);
	CHECK(prlimit(pid, RLIMIT_CORE, NULL, &b) == 0);
	CHECKEQ(b.rlim_cur, 5);
	release(pid);
	CHECKERR(prlimit(4000000, RLIMIT_CORE, NULL, &b), ESRCH);
}

TEST(limit_nproc)
{
	if (geteuid() != 0)
		SKIP("needs root");
	IN_CHILD {
		struct rlimit rl = {3, 3};
		CHECK(setrlimit(RLIMIT_NPROC, &rl) == 0);
		drop(own_user());
		int n = 0;
		pid_t pid[8];
		int p[2];
		char c;
		CHECK(pipe(p) == 0);
		while (n < 8 && (pid[n] = fork()) >= 0) {
			if (pid[n] == 0) {
				close(p[1]);
				_exit(read(p[0], &c, 1));
			}
			n++;
		}
		CHECK(n < 8 && errno == EAGAIN);
		CHECKEQ(n, 2);
		close(p[1]);
		while (n > 0)
			REAP(pid[--n]);
		IN_CHILD { } /* there is room again */
	}
}

TEST(limit_cpu)
{
	pid_t pid = ct_fork();

	if (pid == 0) {
		struct rlimit rl = {1, 2};
		CHECK(setrlimit(RLIMIT_CPU, &rl) == 0);
		for (;;)
			;
	}
	CHECKEQ(ct_wait(pid) & 0x7f, SIGXCPU);
}

TEST(priorities)
{
	errno = 0;
	CHECKEQ(getpriority(PRIO_PROCESS, 0), 0);
	IN_CHILD {
		CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0);
		CHECKEQ(getpriority(PRIO_PROCESS, 0), 5);
		CHECKEQ(nice(3), 8);
		CHECKEQ(nice(100), 19);
		IN_CHILD {
			CHECKEQ(getpriority(PRIO_PROCESS, 0), 19);
		}
		drop(1234);
		CHECKERR(setpriority(PRIO_PROCESS, 0, 3), EACCES);
		CHECKERR(setpriority(PRIO_PROCESS, 1, 3), EPERM);
	}
	CHECKERR(getpriority(PRIO_PROCESS, 4000000), ESRCH);
	CHECKERR(getpriority(77, 0), EINVAL);
	CHECK(setpriority(PRIO_PGRP, 0, 2) == 0);
	CHECKEQ(getpriority(PRIO_PROCESS, 0), 2);
}

TEST(names)
{
	char name[17] = "";

	CHECK(prctl(PR_SET_NAME, "a-name-that-is-too-long") == 0);
	CHECK(prctl(PR_GET_NAME, name) == 0);
	CHECKEQ(strcmp(name, "a-name-that-is-"), 0);
	IN_CHILD {
		CHECK(prctl(PR_GET_NAME, name) == 0);
		CHECKEQ(strcmp(name, "a-name-that-is-"), 0);
	}
	CHECKERR(prctl(PR_SET_NAME, bad_address(1)), EFAULT);
	CHECKERR(prctl(PR_GET_NAME, bad_address(0)), EFAULT);
	CHECKERR(prctl(9999, 0, 0, 0, 0), EINVAL);
}

TEST(dumpable_and_no_new_privs)
{
	CHECKEQ(prctl(PR_GET_DUMPABLE), 1);
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
	CHECKEQ(prctl(PR_GET_DUMPABLE), 0);
	CHECKERR(prctl(PR_SET_DUMPABLE, 5), EINVAL);
	CHECKEQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECKEQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
	CHECKERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
}

TEST(dumpable_and_ids)
{
	/* A process whose ids have changed isn't dumpable, until it says so. */
	if (geteuid() != 0)
		SKIP("needs root");
	CHECKEQ(prctl(PR_GET_DUMPABLE), 1);
	IN_CHILD {
		CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
		IN_CHILD CHECKEQ(prctl(PR_GET_DUMPABLE), 0); /* inherited */
	}
	IN_CHILD {
		CHECK(setresuid(1000, -1, -1) == 0); /* the real id alone is nothing */
		CHECKEQ(prctl(PR_GET_DUMPABLE), 1);
		CHECK(setresuid(-1, -1, 0) == 0);
		CHECKEQ(prctl(PR_GET_DUMPABLE), 1);
		CHECK(setfsuid(0) == 0);
		CHECKEQ(prctl(PR_GET_DUMPABLE), 1);
		CHECK(setfsuid(7) == 0);
		CHECK(prctl(PR_GET_DUMPABLE) != 1);
		CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
		CHECKEQ(prctl(PR_GET_DUMPABLE), 1);
	}
	IN_CHILD {
		CHECK(prctl(PR_SET_PDEATHSIG, SIGUSR1) == 0);
		CHECK(setegid(1000) == 0);
		CHECK(prctl(PR_GET_DUMPABLE) != 1);
		int sig = 77;
		CHECK(prctl(PR_GET_PDEATHSIG, &sig) == 0);
		CHECKEQ(sig, 0);
	}
	IN_CHILD {
		drop(1000);
		CHECK(prctl(PR_GET_DUMPABLE) != 1);
		CHECK(prctl(PR_SET_DUMPABLE, 1) == 0);
		CHECK(setuid(1000) == 0); /* no change */
		CHECKEQ(prctl(PR_GET_DUMPABLE), 1);
	}
	CHECKERR(prctl(PR_SET_DUMPABLE, 2), EINVAL);
	CHECKERR(prctl(PR_SET_DUMPABLE, -1), EINVAL);
}

TEST(clone_flags)
{
	/* Combinations that can't be. */
	CHECKERR(syscall(SYS_clone, CLONE_THREAD | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECKERR(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
	CHECKERR(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
	/* A child that shares descriptors and working directory. */
	CHECK(mkdir("d", 0755) == 0);
	long pid = syscall(SYS_clone, CLONE_FILES | CLONE_FS | SIGCHLD, 0, 0, 0, 0);
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECKEQ(dup2(1, 50), 50);
		CHECK(chdir("d") == 0);
		umask(077);
		_exit(0);
	}
	REAP(pid);
	CHECKEQ(fcntl(50, F_GETFD), 0);
	CHECKERR(access("d", F_OK), ENOENT);
	CHECKEQ(umask(022), 077);
	CHECK(chdir("..") == 0);
}

TEST(clone_tids)
{
	pid_t parent = 0, child = 0;

	long pid = syscall(SYS_clone, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD,
		0, &parent, &child, 0);
	CHECK(pid >= 0);
	if (pid == 0) {
		CHECKEQ(child, getpid());
		_exit(0);
	}
	CHECKEQ(parent, pid);
	CHECKEQ(child, 0);
	REAP(pid);
	/* A child without a signal needs __WCLONE or __WALL. */
	pid = syscall(SYS_clone, 0, 0, 0, 0, 0);
	if (pid == 0)
		_exit(4);
	CHECKERR(waitpid(pid, NULL, 0), ECHILD);
	int status;
	CHECKEQ(waitpid(pid, &status, __WALL), pid);
	CHECKEQ(status, 4 << 8);
}

TEST(orphaned_group_stop)
{
	/* A stopped group that becomes orphaned gets SIGHUP and SIGCONT. */
	int p[2];
	char c = 0;

	CHECK(pipe(p) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		setsid();
		pid_t leader = ct_fork();
		if (leader == 0) {
			setpgid(0, 0);
			pid_t g = ct_fork();
			if (g == 0) {
				close(p[0]);
				kill(getpid(), SIGSTOP);
				_exit(0); /* not reached: SIGHUP kills */
			}
			int status;
			CHECKEQ(waitpid(g, &status, WUNTRACED), g);
			CHECK(WIFSTOPPED(status));
			_exit(0);
		}
		close(p[1]);
		REAP(leader);
		/* The group has no member with a parent in another group now,
		 * unless its new parent is in this session. */
		_exit(0);
	}
	close(p[1]);
	REAP(pid);
	CHECKEQ(read(p[0], &c, 1), 0); /* the stopped one has gone */
}

TEST(raw_fork)
{
	long pid = syscall(SYS_fork);

	CHECK(pid >= 0);
	if (pid == 0)
		syscall(SYS_exit_group, 11);
	CHECKEQ(ct_wait(pid), 11 << 8);
}

/* The arguments of clone3, first version. */
struct clone3 {
	uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

TEST(clone3)
{
	struct clone3 a = {.exit_signal = SIGCHLD};

	long pid = syscall(SYS_clone3, &a, sizeof a);
	if (pid < 0 && errno == ENOSYS)
		SKIP("there is no clone3");
	if (pid == 0)
		_exit(12);
	CHECK(pid > 0);
	CHECKEQ(ct_wait(pid), 12 << 8);
	CHECKERR(syscall(SYS_clone3, &a, 8), EINVAL);
	CHECKERR(syscall(SYS_clone3, bad_address(1), sizeof a), EFAULT);
	CHECKERR(syscall(SYS_clone3, &a, 100000), E2BIG);
	a.exit_signal = 1000;
	CHECKERR(syscall(SYS_clone3, &a, sizeof a), EINVAL);
	a = (struct clone3){.exit_signal = SIGCHLD, .stack = 4096};
	CHECKERR(syscall(SYS_clone3, &a, sizeof a), EINVAL); /* a stack without size */
	a = (struct clone3){.flags = SIGCHLD};
	CHECKERR(syscall(SYS_clone3, &a, sizeof a), EINVAL);
}

TEST(setfsgid)
{
	if (geteuid() != 0)
		SKIP("needs root");
	IN_CHILD {
		CHECKEQ(syscall(SYS_setfsgid, 100), 0);
		CHECKEQ(syscall(SYS_setfsgid, -1), 100);
		spew("f", "");
		struct stat st;
		CHECK(stat("f", &st) == 0);
		CHECKEQ(st.st_gid, 100);
		CHECK(setgid(7) == 0); /* takes it along */
		CHECKEQ(syscall(SYS_setfsgid, -1), 7);
	}
}

TEST(exit_signal)
{
	/* A child may announce its end with another signal. */
	sigset_t s;
	siginfo_t si;

	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	long pid = syscall(SYS_clone, SIGUSR1, 0, 0, 0, 0);
	CHECK(pid >= 0);
	if (pid == 0)
		_exit(6);
	CHECKEQ(sigwaitinfo(&s, &si), SIGUSR1);
	CHECKEQ(si.si_pid, pid);
	CHECKEQ(si.si_status, 6);
	int status;
	CHECKERR(waitpid(pid, &status, 0), ECHILD);
	CHECKEQ(waitpid(pid, &status, __WCLONE), pid);
	CHECKEQ(status, 6 << 8);
}

static void do_nothing(int sig) { (void)sig; }

TEST(wait_interrupted)
{
	pid_t parent = getpid(), pid = hold(), other;
	struct sigaction sa = {.sa_handler = do_nothing};

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	other = ct_fork();
	if (other == 0) {
		close(hold_fd);
		until_asleep(parent);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	CHECKERR(waitpid(pid, NULL, 0), EINTR);
	REAP(other);
	release(pid);
}
