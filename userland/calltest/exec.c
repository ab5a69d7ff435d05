//go:build ignore

/* exec: what a new program gets (arguments, environment, auxiliary vector,
 * descriptors, signals, ids) and why a program may be refused. */
#include "calltest.h"
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static char **at_start; /* argv as the kernel left it on the stack */

__attribute__((constructor)) static void remember(int argc, char **argv)
{
	(void)argc;
	at_start = argv;
}

/* What the program does when one of the cases executes it. */
static int hook(int argc, char **argv)
{
	ct_name = argv[1];
	if (strcmp(argv[1], "@exit") == 0)
		return atoi(argv[2]);
	if (strcmp(argv[1], "@arguments") == 0) {
		CHECKEQ(argc, 5);
		CHECKEQ(strcmp(argv[0], "zero"), 0);
		CHECKEQ(strcmp(argv[2], ""), 0);
		CHECKEQ(strcmp(argv[3], "two words"), 0);
		CHECKEQ(strlen(argv[4]), 100000);
		CHECK(argv[5] == NULL);
		CHECKEQ(strcmp(environ[0], "A=1"), 0);
		CHECKEQ(strcmp(environ[1], "novalue"), 0);
		CHECK(environ[2] == NULL);
		return 0;
	}
	if (strcmp(argv[1], "@count") == 0) {
		CHECKEQ(argc, atoi(argv[2]));
		for (int i = 3; i < argc; i++)
			CHECKEQ(atoi(argv[i]), i);
		return 0;
	}
	if (strcmp(argv[1], "@descriptors") == 0) {
		for (int i = 2; i < argc; i++)
			CHECK(fcntl(atoi(argv[i]), F_GETFD) == 0);
		int open = 0;
		for (int i = 3; i < 256; i++)
			open += fcntl(i, F_GETFD) >= 0;
		CHECKEQ(open, argc - 2);
		return 0;
	}
	if (strcmp(argv[1], "@signals") == 0) {
		struct sigaction sa;
		sigset_t set;
		stack_t ss;
		CHECK(sigaction(SIGUSR1, NULL, &sa) == 0);
		CHECK(sa.sa_handler == SIG_DFL);
		CHECK(sigaction(SIGUSR2, NULL, &sa) == 0);
		CHECK(sa.sa_handler == SIG_IGN);
		CHECK(sigprocmask(SIG_BLOCK, NULL, &set) == 0);
		CHECKEQ(sigismember(&set, SIGHUP), 1);
		CHECKEQ(sigismember(&set, SIGUSR1), 0);
		CHECK(sigpending(&set) == 0);
		CHECKEQ(sigismember(&set, SIGHUP), 1);
		CHECK(sigaltstack(NULL, &ss) == 0);
		CHECKEQ(ss.ss_flags, SS_DISABLE);
		return 0;
	}
	if (strcmp(argv[1], "@ids") == 0) {
		uid_t r, e, s;
		CHECK(getresuid(&r, &e, &s) == 0);
		CHECKEQ(r, atoi(argv[2]));
		CHECKEQ(e, atoi(argv[3]));
		CHECKEQ(s, atoi(argv[4]));
		CHECKEQ(getauxval(AT_SECURE), r != e);
		return 0;
	}
	if (strcmp(argv[1], "@dumpable") == 0) {
		CHECKEQ(prctl(PR_GET_DUMPABLE) == 1, atoi(argv[2]));
		return 0;
	}
	if (strcmp(argv[1], "@pid") == 0) {
		CHECKEQ(getpid(), atoi(argv[2]));
		CHECKEQ(syscall(SYS_gettid), getpid());
		CHECKEQ(getppid(), atoi(argv[3]));
		return 0;
	}
	if (strcmp(argv[1], "@sleep") == 0) {
		for (;;)
			pause();
	}
	/* As a script's interpreter: the arguments must be what it says. */
	if (strcmp(argv[1], "@script one") == 0) {
		CHECKEQ(argc, 4);
		CHECKEQ(strcmp(argv[0], ct_self), 0);
		CHECKEQ(strcmp(argv[2], "./s"), 0);
		CHECKEQ(strcmp(argv[3], "more"), 0);
		return 0;
	}
	return 77;
}

static int hook_with_self(int argc, char **argv)
{
	snprintf(ct_self, sizeof ct_self, "%s", argv[0]);
	return hook(argc, argv);
}
HOOK(hook_with_self)

/* run executes this program and returns its exit status. */
static int run(char *const argv[], char *const envp[])
{
	pid_t pid = ct_fork();

	if (pid == 0) {
		execve(ct_self, argv, envp);
		FAIL("execve: errno %d", errno);
	}
	return ct_wait(pid);
}

static char *no_env[] = {NULL};

TEST(exec_runs)
{
	CHECKEQ(run((char *[]){ct_self, "@exit", "0", NULL}, no_env), 0);
	CHECKEQ(run((char *[]){ct_self, "@exit", "42", NULL}, no_env), 42 << 8);
}

TEST(arguments)
{
	char *big = malloc(100001);

	memset(big, 'b', 100000);
	big[100000] = 0;
	CHECKEQ(run((char *[]){"zero", "@arguments", "", "two words", big, NULL},
		(char *[]){"A=1", "novalue", NULL}), 0);
}

TEST(many_arguments)
{
	enum { N = 5000 };
	static char *argv[N + 1], text[N][8];

	argv[0] = ct_self;
	argv[1] = "@count";
	for (int i = 2; i < N; i++) {
		sprintf(text[i], "%d", i == 2 ? N : i);
		argv[i] = text[i];
	}
	CHECKEQ(run(argv, no_env), 0);
}

TEST(no_arguments)
{
	/* Linux gives a program at least an empty name. */
	pid_t pid = ct_fork();
	if (pid == 0) {
		char *e[] = {"TMPDIR=/nonexistent", NULL};
		execve(ct_self, (char *[]){"", "@exit", "9", NULL}, e);
		_exit(1);
	}
	CHECKEQ(ct_wait(pid), 9 << 8);
}

TEST(auxv)
{
	const ElfW(Ehdr) *ehdr;
	unsigned long *a = (unsigned long *)at_start;
	int seen[64] = {0};

	CHECKEQ((uintptr_t)(at_start - 1) % 16, 0); /* RSP at entry */
	while (*a++ != 0) /* argv */
		;
	while (*a++ != 0) /* envp */
		;
	for (; a[0] != AT_NULL; a += 2)
		if (a[0] < 64)
			seen[a[0]]++;
	static const int must[] = {AT_PHDR, AT_PHENT, AT_PHNUM, AT_PAGESZ, AT_BASE, AT_FLAGS, AT_ENTRY,
		AT_UID, AT_EUID, AT_GID, AT_EGID, AT_SECURE, AT_RANDOM, AT_HWCAP, AT_CLKTCK,
		AT_PLATFORM, AT_EXECFN};
	for (unsigned i = 0; i < sizeof must / sizeof must[0]; i++)
		if (seen[must[i]] != 1)
			FAIL("auxiliary vector has %d entries of type %d", seen[must[i]], must[i]);
	CHECKEQ(getauxval(AT_PAGESZ), PAGE);
	CHECKEQ(getauxval(AT_CLKTCK), 100);
	CHECKEQ(getauxval(AT_UID), getuid());
	CHECKEQ(getauxval(AT_EGID), getegid());
	CHECKEQ(getauxval(AT_SECURE), 0);
	CHECKEQ(getauxval(AT_BASE), 0); /* no interpreter */
	CHECKEQ(getauxval(AT_PHENT), sizeof(ElfW(Phdr)));
	CHECKEQ(strcmp((char *)getauxval(AT_PLATFORM), "x86_64"), 0);
	const ElfW(Phdr) *ph = (void *)getauxval(AT_PHDR);
	ehdr = (void *)((uintptr_t)ph - sizeof *ehdr);
	CHECKEQ(memcmp(ehdr->e_ident, ELFMAG, 4), 0);
	CHECKEQ(ehdr->e_phnum, getauxval(AT_PHNUM));
	CHECK(getauxval(AT_ENTRY) != 0);
	char *name = (char *)getauxval(AT_EXECFN);
	CHECK(strrchr(ct_self, '/') && strstr(name, strrchr(ct_self, '/') + 1) != NULL);
	unsigned char *r = (void *)getauxval(AT_RANDOM);
	int sum = 0;
	for (int i = 0; i < 16; i++)
		sum += r[i];
	CHECK(sum != 0);
}

TEST(close_on_exec)
{
	spew("f", "");
	CHECKEQ(open("f", O_RDONLY), 3);
	CHECKEQ(open("f", O_RDONLY | O_CLOEXEC), 4);
	CHECKEQ(dup2(3, 50), 50);
	CHECKEQ(dup3(3, 51, O_CLOEXEC), 51);
	CHECKEQ(dup2(4, 52), 52); /* the copy doesn't have the flag */
	CHECKEQ(run((char *[]){ct_self, "@descriptors", "3", "50", "52", NULL}, no_env), 0);
	CHECKEQ(fcntl(4, F_GETFD), FD_CLOEXEC); /* only the child's were closed */
}

TEST(failed_exec_closes_nothing)
{
	spew("f", "");
	int fd = open("f", O_RDONLY | O_CLOEXEC);
	signal(SIGUSR1, SIG_IGN);
	CHECKERR(execl("nosuch", "x", NULL), ENOENT);
	CHECKERR(execl("f", "x", NULL), EACCES);
	CHECKEQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
}

static void handler(int sig) { (void)sig; }

TEST(signals)
{
	pid_t pid = ct_fork();

	if (pid == 0) {
		static char stack[65536];
		stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
		sigset_t set;
		CHECK(sigaltstack(&ss, NULL) == 0);
		signal(SIGUSR1, handler);
		signal(SIGUSR2, SIG_IGN);
		sigemptyset(&set);
		sigaddset(&set, SIGHUP);
		CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
		CHECK(raise(SIGHUP) == 0); /* stays pending */
		execl(ct_self, ct_self, "@signals", NULL);
		_exit(1);
	}
	REAP(pid);
}

TEST(pid_stays)
{
	char me[16], parent[16];

	sprintf(parent, "%d", getpid());
	pid_t pid = ct_fork();
	if (pid == 0) {
		sprintf(me, "%d", getpid());
		execl(ct_self, ct_self, "@pid", me, parent, NULL);
		_exit(1);
	}
	REAP(pid);
}

static char mypid[16], myparent[16];

static void *exec_in_thread(void *arg)
{
	(void)arg;
	execl(ct_self, ct_self, "@pid", mypid, myparent, NULL);
	_exit(1);
}

static void *spin(void *arg)
{
	(void)arg;
	for (;;)
		__asm__ volatile("pause");
	return NULL;
}

static void *sleeper(void *arg)
{
	(void)arg;
	for (;;)
		pause();
	return NULL;
}

TEST(exec_from_thread)
{
	/* The other threads end, and the one that called gets the pid. */
	sprintf(myparent, "%d", getpid());
	for (int round = 0; round < 5; round++) {
		pid_t pid = ct_fork();
		if (pid == 0) {
			pthread_t t;
			sprintf(mypid, "%d", getpid());
			CHECKEQ(pthread_create(&t, NULL, spin, NULL), 0);
			for (int i = 0; i < 5; i++)
				CHECKEQ(pthread_create(&t, NULL, sleeper, NULL), 0);
			CHECKEQ(pthread_create(&t, NULL, exec_in_thread, NULL), 0);
			for (;;)
				pause();
		}
		REAP(pid);
	}
}

TEST(vfork_exec)
{
	for (int i = 0; i < 20; i++) {
		pid_t pid = vfork();
		if (pid == 0) {
			execl(ct_self, ct_self, "@exit", "5", NULL);
			_exit(1);
		}
		CHECKEQ(ct_wait(pid), 5 << 8);
	}
}

TEST(vfork_exec_releases)
{
	/* The parent goes on at exec, not at exit. */
	pid_t pid = vfork();
	if (pid == 0) {
		execl(ct_self, ct_self, "@sleep", NULL);
		_exit(1);
	}
	CHECKEQ(waitpid(pid, NULL, WNOHANG), 0);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECKEQ(ct_wait(pid), SIGKILL);
}

TEST(errors)
{
	char name[300];
	void *p;

	spew("plain", "text\n");
	CHECK(mkdir("d", 0755) == 0);
	CHECKERR(execl("no", "x", NULL), ENOENT);
	CHECKERR(execl("", "x", NULL), ENOENT);
	CHECKERR(execl("no/x", "x", NULL), ENOENT);
	CHECKERR(execl("plain/x", "x", NULL), ENOTDIR);
	CHECKERR(execl("d", "x", NULL), EACCES);
	CHECKERR(execl("plain", "x", NULL), EACCES);
	CHECK(chmod("plain", 0755) == 0);
	CHECKERR(execl("plain", "x", NULL), ENOEXEC);
	spew("empty", "");
	CHECK(chmod("empty", 0755) == 0);
	CHECKERR(execl("empty", "x", NULL), ENOEXEC);
	memset(name, 'n', 256);
	name[256] = 0;
	CHECKERR(execl(name, "x", NULL), ENAMETOOLONG);
	CHECK(symlink("loop", "loop") == 0);
	CHECKERR(execl("loop", "x", NULL), ELOOP);
	EACH_BAD_IN(p) {
		CHECKERR(syscall(SYS_execve, p, NULL, NULL), EFAULT);
		CHECKERR(syscall(SYS_execve, ct_self, p, NULL), EFAULT);
		CHECKERR(syscall(SYS_execve, ct_self, NULL, p), EFAULT);
		char *argv[] = {"x", p, NULL};
		CHECKERR(syscall(SYS_execve, ct_self, argv, NULL), EFAULT);
	}
	/* A vector that ends with its page, without its NULL. */
	char **v = edge(sizeof *v);
	*v = "x";
	CHECKERR(syscall(SYS_execve, ct_self, v, NULL), EFAULT);
}

TEST(bad_images)
{
	/* Truncated or changed copies of this program: an errno, or the death of
	 * the process, and no more. */
	static const struct { int at, n; const char *bytes; int err; } change[] = {
		{0, 1, "X", ENOEXEC},            /* magic */
		{16, 1, "\4", ENOEXEC},          /* a core file */
		{18, 1, "\377", ENOEXEC},        /* another machine */
		{54, 2, "\1\0", ENOEXEC},        /* size of a program header */
		{56, 2, "\0\0", ENOEXEC},        /* no program header */
		{56, 2, "\377\377", ENOEXEC},    /* too many */
	};
	char buf[65536];
	int in = open(ct_self, O_RDONLY);
	CHECK(in >= 0);
	long n = read(in, buf, sizeof buf);
	CHECK(n > 4096);
	for (unsigned i = 0; i < sizeof change / sizeof change[0]; i++) {
		char text[65536];
		memcpy(text, buf, n);
		memcpy(text + change[i].at, change[i].bytes, change[i].n);
		int fd = open("x", O_WRONLY | O_CREAT | O_TRUNC, 0755);
		CHECKEQ(write(fd, text, n), n);
		close(fd);
		errno = 0;
		execl("./x", "x", NULL);
		if (errno != change[i].err)
			FAIL("change %d at byte %d: errno %d, want %d", i, change[i].at, errno, change[i].err);
	}
	for (long len = 0; len < 4096; len += len < 128 ? 9 : 500) {
		int fd = open("x", O_WRONLY | O_CREAT | O_TRUNC, 0755);
		CHECKEQ(write(fd, buf, len), len);
		close(fd);
		pid_t pid = ct_fork();
		if (pid == 0) {
			execl("./x", "x", NULL);
			_exit(errno);
		}
		CHECK(ct_wait(pid) != 0);
	}
}

TEST(too_big)
{
	char *big = malloc(200001);
	static char *argv[102];

	memset(big, 'b', 200000);
	big[200000] = 0;
	/* One string of more than 128 KiB. */
	CHECKERR(execl(ct_self, "x", "@exit", "0", big, NULL), E2BIG);
	CHECKERR(execle(ct_self, "x", "@exit", "0", NULL, (char *[]){big, NULL}), E2BIG);
	/* All together more than the limit, a fourth of the stack's. */
	struct rlimit rl;
	CHECK(getrlimit(RLIMIT_STACK, &rl) == 0);
	rl.rlim_cur = 1 << 20;
	CHECK(setrlimit(RLIMIT_STACK, &rl) == 0);
	big[100000] = 0;
	for (int i = 0; i < 100; i++)
		argv[i] = big;
	CHECKERR(execv(ct_self, argv), E2BIG);
	argv[0] = ct_self;
	argv[1] = "@exit";
	argv[2] = "6";
	argv[4] = NULL;
	CHECKEQ(run(argv, no_env), 6 << 8);
}

static void script(const char *name, const char *first)
{
	spew(name, first);
	CHECK(chmod(name, 0755) == 0);
}

TEST(scripts)
{
	char line[PATH_MAX + 100];

	snprintf(line, sizeof line, "#!  %s \t @script one \t\nrest", ct_self);
	script("s", line); /* all after the name is one argument, trimmed */
	pid_t pid = ct_fork();
	if (pid == 0) {
		execl("./s", "ignored", "more", NULL);
		_exit(errno);
	}
	REAP(pid);
	script("t", "#!/no/such/interpreter\n");
	CHECKERR(execl("./t", "t", NULL), ENOENT);
	script("u", "#!\n");
	CHECKERR(execl("./u", "u", NULL), ENOEXEC);
	script("w", "#!./w\n");
	CHECKERR(execl("./w", "w", NULL), ELOOP);
	spew("x", line);
	CHECKERR(execl("./x", "x", NULL), EACCES);
	script("y", "#!./x\n"); /* an interpreter without permission */
	CHECKERR(execl("./y", "y", NULL), EACCES);
	/* A script whose interpreter is a script: four levels are allowed. */
	snprintf(line, sizeof line, "#!%s @exit\n", ct_self);
	script("n1", line);
	script("n2", "#!./n1\n");
	pid = ct_fork();
	if (pid == 0) {
		execl("./n2", "n2", NULL);
		_exit(99);
	}
	CHECKEQ(ct_wait(pid), 0);
}

TEST(permissions)
{
	if (geteuid() != 0)
		SKIP("needs root");
	char line[PATH_MAX + 100];
	snprintf(line, sizeof line, "#!%s @exit\n", ct_self);
	script("s", line);
	CHECK(chmod("s", 0700) == 0);
	IN_CHILD {
		drop(1234);
		CHECKERR(execl("./s", "s", NULL), EACCES);
	}
	CHECK(chmod("s", 0644) == 0);
	CHECKERR(execl("./s", "s", NULL), EACCES); /* root, too, needs one x */
}

/* copy makes a copy of this program. */
static void copy(const char *name, mode_t mode)
{
	static char buf[65536];
	int in = open(ct_self, O_RDONLY), out = open(name, O_WRONLY | O_CREAT, 0755);
	long n;

	CHECK(in >= 0 && out >= 0);
	while ((n = read(in, buf, sizeof buf)) > 0)
		CHECKEQ(write(out, buf, n), n);
	CHECK(fchmod(out, mode) == 0);
	close(in);
	close(out);
}

TEST(setuid_program)
{
	if (geteuid() != 0)
		SKIP("needs root");
	copy("p", 0755);
	CHECK(chown("p", 777, 888) == 0);
	CHECK(chmod("p", 06755) == 0);
	IN_CHILD {
		drop(1234);
		IN_CHILD {
			execl("./p", "p", "@ids", "1234", "777", "777", NULL);
			FAIL("execl: errno %d", errno);
		}
	}
}

/* dumpable runs the program as a user and checks what prctl tells it. */
static void dumpable(const char *path, uid_t ruid, uid_t euid, const char *want)
{
	IN_CHILD {
		CHECK(setgroups(0, NULL) == 0);
		CHECK(setresgid(1234, 1234, 1234) == 0);
		CHECK(setresuid(ruid, euid, euid) == 0);
		IN_CHILD {
			execl(path, path, "@dumpable", want, NULL);
			FAIL("execl: errno %d", errno);
		}
	}
}

TEST(dumpable)
{
	if (geteuid() != 0)
		SKIP("needs root");
	CHECK(prctl(PR_SET_DUMPABLE, 0) == 0);
	copy("p", 0755);
	dumpable("./p", 1234, 1234, "1"); /* a new program is */
	dumpable("./p", 1234, 1235, "0"); /* not while the ids differ */
	copy("unreadable", 0711);
	dumpable("./unreadable", 1234, 1234, "0");
	dumpable("./unreadable", 0, 0, "1"); /* root reads all */
	copy("s", 0755);
	CHECK(chown("s", 1235, 1235) == 0);
	CHECK(chmod("s", 04755) == 0);
	dumpable("./s", 1234, 1234, "0");
	dumpable("./s", 1235, 1235, "1"); /* it changes nothing */
	CHECK(chmod("s", 02755) == 0);
	dumpable("./s", 1234, 1234, "0");
}

TEST(busy)
{
	copy("p", 0755);
	int fd = open("p", O_RDWR);
	CHECK(fd >= 0);
	CHECKERR(execl("./p", "p", "@exit", "0", NULL), ETXTBSY);
	close(fd);
	int q[2];
	char c;
	CHECK(pipe2(q, O_CLOEXEC) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		execl("./p", "p", "@sleep", NULL);
		_exit(1);
	}
	close(q[1]);
	CHECKEQ(read(q[0], &c, 1), 0); /* it runs now */
	CHECKERR(open("p", O_WRONLY), ETXTBSY);
	CHECKERR(truncate("p", 0), ETXTBSY);
	CHECK(open("p", O_RDONLY) >= 0);
	CHECK(unlink("p") == 0); /* may go away meanwhile */
	CHECK(kill(pid, SIGKILL) == 0);
	CHECKEQ(ct_wait(pid), SIGKILL);
}

TEST(execveat)
{
	copy("p", 0755);
	CHECK(symlink("p", "l") == 0);
	int dir = open(".", O_RDONLY), fd = open("p", O_RDONLY | O_CLOEXEC), pfd = open("p", O_PATH | O_CLOEXEC);
	char *argv[] = {"p", "@exit", "3", NULL};

	CHECKERR(syscall(SYS_execveat, dir, "no", argv, no_env, 0), ENOENT);
	CHECKERR(syscall(SYS_execveat, dir, "", argv, no_env, 0), ENOENT);
	CHECKERR(syscall(SYS_execveat, dir, "l", argv, no_env, AT_SYMLINK_NOFOLLOW), ELOOP);
	CHECKERR(syscall(SYS_execveat, dir, "p", argv, no_env, 0x8000), EINVAL);
	CHECKERR(syscall(SYS_execveat, 999, "p", argv, no_env, 0), EBADF);
	for (int i = 0; i < 3; i++) {
		pid_t pid = ct_fork();
		if (pid == 0) {
			if (i == 0)
				syscall(SYS_execveat, dir, "p", argv, no_env, 0);
			else
				syscall(SYS_execveat, i == 1 ? fd : pfd, "", argv, no_env, AT_EMPTY_PATH);
			_exit(errno);
		}
		CHECKEQ(ct_wait(pid), 3 << 8);
	}
}

TEST(memory_is_new)
{
	/* Locks, mappings and the working directory: only the last stays. */
	CHECK(mkdir("d", 0755) == 0);
	copy("d/p", 0755);
	pid_t pid = ct_fork();
	if (pid == 0) {
		CHECK(chdir("d") == 0);
		execl("./p", "./p", "@exit", "8", NULL);
		_exit(1);
	}
	CHECKEQ(ct_wait(pid), 8 << 8);
}

TEST(fork_exec_many)
{
	for (int i = 0; i < 60; i++)
		CHECKEQ(run((char *[]){ct_self, "@exit", "1", NULL}, no_env), 1 << 8);
}
