/*
 * calltest.h: what the system call tests share. Each program is one .c file
 * that includes this header first and defines test cases:
 *
 *	TEST(name)
 *	{
 *		CHECK(getpid() > 0);
 *		CHECKERR(close(-1), EBADF);
 *	}
 *
 * Each case runs in a child process of its own, in an empty directory of its
 * own, with default signal actions and an alarm. A failed check ends the case.
 * One line comes out for each: "ok NAME", "FAIL NAME: file:line: text" or
 * "skip NAME: why".
 *
 *	program [-l] [-n] [name...]
 *
 * runs the named cases or all; -l lists them, -n runs them in this process,
 * without fork, until the first failure.
 */
#ifndef CALLTEST_H
#define CALLTEST_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAYBE __attribute__((unused)) static

enum {
	CT_SECONDS = 60, /* for one case; also on a slow emulator */
	CT_FAILED = 99,  /* exit status: failed, a line was written */
	CT_SKIPPED = 98,
	PAGE = 4096,
};

struct ct_case {
	const char *name;
	int line;
	void (*run)(void);
};

#define TEST(id) \
	static void test_##id(void); \
	static const struct ct_case ct_case_##id = {#id, __LINE__, test_##id}; \
	static const struct ct_case *const ct_ref_##id \
		__attribute__((section("ct_cases"), used)) = &ct_case_##id; \
	static void test_##id(void)

extern const struct ct_case *const __start_ct_cases[];
extern const struct ct_case *const __stop_ct_cases[];

static const char *ct_name = "main"; /* of the running case */
MAYBE char ct_self[PATH_MAX];        /* this program */

/* ct_say writes one line with one call. */
MAYBE void __attribute__((format(printf, 1, 2))) ct_say(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof line - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if (n > (int)sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	if (write(1, line, n) < 0)
		_exit(CT_FAILED);
}

#define FAIL(...) ct_fail(__FILE__, __LINE__, __VA_ARGS__)

MAYBE void __attribute__((noreturn, format(printf, 3, 4)))
ct_fail(const char *file, int line, const char *fmt, ...)
{
	char text[800];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	const char *base = strrchr(file, '/');
	ct_say("FAIL %s: %s:%d: %s", ct_name, base ? base + 1 : file, line, text);
	_exit(CT_FAILED);
}

/* SKIP ends a case for lack of something that Linux may lack, too. */
#define SKIP(why) (ct_say("skip %s: %s", ct_name, why), _exit(CT_SKIPPED))

/* CHECK fails the case unless the condition holds. */
#define CHECK(cond) do { \
	if (!(cond)) \
		FAIL("%s (errno %d, %s)", #cond, errno, strerror(errno)); \
} while (0)

/* CHECKERR: the call returns -1 and sets this errno. */
#define CHECKERR(call, err) do { \
	errno = 0; \
	long ct_r = (long)(call); \
	int ct_e = errno, ct_want = (err); \
	if (ct_r != -1 || ct_e != ct_want) \
		FAIL("%s returned %ld, errno %d (%s), want errno %d (%s)", #call, \
			ct_r, ct_r == -1 ? ct_e : 0, ct_r == -1 ? strerror(ct_e) : "none", \
			ct_want, strerror(ct_want)); \
} while (0)

/* CHECKEQ compares two integers and shows both. */
#define CHECKEQ(got, want) do { \
	long ct_g = (long)(got), ct_w = (long)(want); \
	if (ct_g != ct_w) \
		FAIL("%s is %ld (%#lx), want %ld (%#lx) (errno %d, %s)", #got, \
			ct_g, ct_g, ct_w, ct_w, errno, strerror(errno)); \
} while (0)

/* --- processes --- */

/* ct_wait waits for a child and returns its status. */
MAYBE int ct_wait(pid_t pid)
{
	int status = 0;
	pid_t got;

	do
		got = waitpid(pid, &status, 0);
	while (got < 0 && errno == EINTR);
	if (got != pid)
		FAIL("waitpid(%d) returned %d, errno %d", pid, got, errno);
	return status;
}

/* ct_reap waits for a child that must exit with status 0, or skip the case. */
MAYBE void ct_reap(pid_t pid, int line)
{
	int status = ct_wait(pid);

	if (WIFEXITED(status) && (WEXITSTATUS(status) == CT_FAILED || WEXITSTATUS(status) == CT_SKIPPED))
		_exit(WEXITSTATUS(status));
	if (status != 0)
		ct_fail(__BASE_FILE__, line, "child ended with status %#x", status);
}
#define REAP(pid) ct_reap(pid, __LINE__)

/* ct_fork forks; the child has an alarm, too. */
MAYBE pid_t ct_fork(void)
{
	pid_t pid = fork();

	if (pid < 0)
		FAIL("fork: errno %d", errno);
	if (pid == 0)
		alarm(CT_SECONDS);
	return pid;
}

MAYBE void ct_end(pid_t pid, int line)
{
	if (pid == 0)
		_exit(0);
	ct_reap(pid, line);
}

/* IN_CHILD { ... } runs the block in a child, which must come to its end. */
#define IN_CHILD \
	for (int ct_once = 1, ct_pid = ct_fork(); ct_once; ct_once = 0, ct_end(ct_pid, __LINE__)) \
		if (ct_pid == 0)

/* drop becomes an ordinary user for good. */
MAYBE void drop(uid_t id)
{
	if (geteuid() != 0)
		SKIP("needs root");
	CHECK(setgroups(0, NULL) == 0);
	CHECK(setresgid(id, id, id) == 0);
	CHECK(setresuid(id, id, id) == 0);
}

/* own_user is an id that no other process on the machine has: for tests of
 * what is counted for each user. */
MAYBE uid_t own_user(void)
{
	return 200000 + getpid();
}

/* status_of runs f in a child and returns its status. */
MAYBE int status_of(void (*f)(void))
{
	pid_t pid = ct_fork();

	if (pid == 0) {
		f();
		_exit(0);
	}
	return ct_wait(pid);
}

/* proc_state returns the letter of a process's state, by /proc. */
MAYBE int proc_state(pid_t pid)
{
	char path[64], text[512], *p;
	int fd;
	ssize_t n;

	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if ((fd = open(path, O_RDONLY)) < 0)
		return 0;
	n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	p = strrchr(text, ')');
	return p && p[1] ? p[2] : 0;
}

/* until_asleep waits until a process (or thread) blocks, so that a test which
 * wants to interrupt or wake it doesn't depend on time. */
MAYBE void until_asleep(pid_t pid)
{
	int s;
	struct timespec ts = {0, 1000000};

	if (proc_state(getpid()) == 0) { /* no /proc: guess */
		ts.tv_nsec *= 200;
		nanosleep(&ts, NULL);
		return;
	}
	while ((s = proc_state(pid)) != 'S') {
		if (s == 0 || s == 'Z' || s == 'X')
			FAIL("process %d is gone", pid);
		nanosleep(&ts, NULL);
	}
}

/* nap sleeps for some milliseconds. */
MAYBE void nap(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

MAYBE int64_t now_ns(clockid_t c)
{
	struct timespec ts;

	if (clock_gettime(c, &ts) < 0)
		FAIL("clock_gettime(%d): errno %d", c, errno);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* --- memory --- */

/* pages maps n fresh pages; an unmapped one lies behind them. */
MAYBE char *pages(int n, int prot)
{
	char *p = mmap(NULL, (n + 1) * PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		FAIL("mmap of %d pages: errno %d", n + 1, errno);
	if (munmap(p + n * PAGE, PAGE) < 0)
		FAIL("munmap: errno %d", errno);
	return p;
}

/* edge returns the last n bytes before an unmapped page. */
MAYBE void *edge(size_t n)
{
	return pages(1, PROT_READ | PROT_WRITE) + PAGE - n;
}

/* bad returns the i-th address that no program may read, NULL after the last.
 * The first ones may be read but not written. */
enum { READABLE_BAD = 1 };

MAYBE void *bad_address(int i)
{
	static char *ro, *none, *gone;

	if (ro == NULL) {
		ro = pages(1, PROT_READ);
		none = pages(1, PROT_NONE);
		gone = pages(1, PROT_READ) + PAGE;
	}
	switch (i) {
	case 0: return ro;                          /* read-only */
	case 1: return gone;                        /* unmapped */
	case 2: return none;                        /* no access */
	case 3: return (void *)1;                   /* first page */
	case 4: return (void *)0x7ffffffff000;      /* the last page below the hole */
	case 5: return (void *)0x800000000000;      /* not canonical */
	case 6: return (void *)0x1000000000000000;  /* not canonical */
	case 7: return (void *)0xffff800000000000;  /* the kernel's half */
	case 8: return (void *)0xffff888000001000;
	case 9: return (void *)0xffffc00000000000;
	case 10: return (void *)0xffffffff80100000;
	case 11: return (void *)-16;
	}
	return NULL;
}

/* EACH_BAD_IN(p) goes through addresses that can't be read, EACH_BAD_OUT(p)
 * through those that can't be written. */
#define EACH_BAD_IN(p) for (int ct_b = READABLE_BAD; ((p) = bad_address(ct_b)) != NULL; ct_b++)
#define EACH_BAD_OUT(p) for (int ct_b = 0; ((p) = bad_address(ct_b)) != NULL; ct_b++)

/* --- files --- */

/* spew makes a file with this text. */
MAYBE void spew(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		FAIL("open %s: errno %d", path, errno);
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		FAIL("write %s: errno %d", path, errno);
	close(fd);
}

/* slurp reads a file, up to 4095 bytes, into memory that the next call reuses. */
MAYBE char *slurp(const char *path)
{
	static char text[4096];
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		FAIL("open %s: errno %d", path, errno);
	ssize_t n = read(fd, text, sizeof text - 1);
	if (n < 0)
		FAIL("read %s: errno %d", path, errno);
	text[n] = 0;
	close(fd);
	return text;
}

/* ct_remove removes a tree. */
static void ct_remove(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return;
	if (!S_ISDIR(st.st_mode)) {
		unlink(path);
		return;
	}
	/* Names can be longer than a path may be: go down step by step. */
	int back = open(".", O_RDONLY | O_DIRECTORY);
	if (back < 0 || chdir(path) < 0) {
		close(back);
		return;
	}
	DIR *d = opendir(".");
	struct dirent *e;
	while (d && (e = readdir(d)))
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			ct_remove(e->d_name);
	if (d)
		closedir(d);
	if (fchdir(back) < 0)
		_exit(1);
	close(back);
	rmdir(path);
}

/* --- the run --- */

/* A program that executes itself sets this; main calls it when its first
 * argument begins with '@'. */
static int (*ct_hook)(int argc, char **argv);
#define HOOK(f) \
	__attribute__((constructor)) static void ct_sethook(void) { ct_hook = f; }

static pid_t ct_current;

static void ct_kill(int sig)
{
	(void)sig;
	kill(-ct_current, SIGKILL);
	kill(ct_current, SIGKILL);
}

static void ct_prepare(const struct ct_case *c)
{
	sigset_t none;

	ct_name = c->name;
	sigemptyset(&none);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int fd = 3; fd < 256; fd++)
		close(fd);
	umask(022);
	alarm(CT_SECONDS);
	errno = 0;
}

/* ct_run runs a case and returns whether it didn't fail. */
static int ct_run(const struct ct_case *c, int nofork)
{
	int status = 0, dir;

	dir = mkdir(c->name, 0755) == 0;
	if (nofork) {
		if (dir && chdir(c->name) < 0)
			return 0;
		ct_prepare(c);
		c->run();
		if (dir && chdir("..") < 0)
			return 0;
	} else {
		pid_t pid = fork();
		if (pid < 0) {
			ct_say("FAIL %s: fork: errno %d", c->name, errno);
			return 0;
		}
		if (pid == 0) {
			setpgid(0, 0);
			if (dir && chdir(c->name) < 0)
				_exit(97);
			ct_prepare(c);
			c->run();
			_exit(0);
		}
		setpgid(pid, pid);
		ct_current = pid;
		signal(SIGALRM, ct_kill);
		alarm(CT_SECONDS + 10);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		alarm(0);
		kill(-pid, SIGKILL); /* what the case left behind */
	}
	if (dir)
		ct_remove(c->name);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CT_SKIPPED)
		return 1;
	if (WIFEXITED(status) && WEXITSTATUS(status) == CT_FAILED)
		return 0;
	if (WIFSIGNALED(status)) {
		int sig = WTERMSIG(status);
		ct_say("FAIL %s: killed by signal %d%s", c->name, sig,
			sig == SIGALRM || sig == SIGKILL ? ", time is over" : "");
		return 0;
	}
	if (status != 0) {
		ct_say("FAIL %s: ended with status %#x", c->name, status);
		return 0;
	}
	ct_say("ok %s", c->name);
	return 1;
}

static int ct_byline(const void *a, const void *b)
{
	return (*(const struct ct_case **)a)->line - (*(const struct ct_case **)b)->line;
}

int main(int argc, char **argv)
{
	const struct ct_case *cases[256];
	int n = 0, nofork = 0, list = 0, first = 1, good = 1, found = 0;
	char dir[PATH_MAX];
	const char *tmp = getenv("TMPDIR");

	if (argc > 1 && argv[1][0] == '@' && ct_hook)
		return ct_hook(argc, argv);
	for (const struct ct_case *const *c = __start_ct_cases; c < __stop_ct_cases && n < 256; c++)
		cases[n++] = *c;
	qsort(cases, n, sizeof cases[0], ct_byline);
	for (; first < argc && argv[first][0] == '-'; first++) {
		nofork |= strcmp(argv[first], "-n") == 0;
		list |= strcmp(argv[first], "-l") == 0;
	}
	if (strchr(argv[0], '/') == NULL) { /* found by the shell's PATH */
		if (readlink("/proc/self/exe", ct_self, sizeof ct_self - 1) < 0)
			strcpy(ct_self, "/proc/self/exe");
	} else if (argv[0][0] == '/' || getcwd(dir, sizeof dir) == NULL)
		snprintf(ct_self, sizeof ct_self, "%s", argv[0]);
	else if (strlen(dir) + strlen(argv[0]) + 2 <= sizeof ct_self)
		strcat(strcat(strcpy(ct_self, dir), "/"), argv[0]);

	/* A directory for all cases, if there is a place for one. */
	snprintf(dir, sizeof dir, "%.3000s/calltest-XXXXXX", tmp ? tmp : "/tmp");
	int made = !list && mkdtemp(dir) != NULL;
	if (made && (chmod(dir, 0755) < 0 || chdir(dir) < 0))
		return 1;
	for (int i = 0; i < n; i++) {
		int wanted = first == argc;
		for (int j = first; j < argc; j++)
			wanted |= strcmp(argv[j], cases[i]->name) == 0;
		if (!wanted)
			continue;
		found++;
		if (list)
			ct_say("%s", cases[i]->name);
		else
			good &= ct_run(cases[i], nofork);
	}
	if (made) {
		if (chdir("/") < 0)
			good = 0;
		ct_remove(dir);
	}
	if (found == 0)
		ct_say("FAIL main: no such case");
	return !good || found == 0;
}

#endif
