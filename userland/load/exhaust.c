//go:build ignore

// exhaust: one instance takes all that it can get of something, another one works.
//
//	exhaust take KIND   takes objects until the kernel refuses, prints how many there
//	                    were and the errno, and goes on trying for ever, as fast as it
//	                    can; a line for each other errno that comes
//	exhaust work MS     does all kinds of work for so many milliseconds, each of them a few
//	                    times at least, and prints a line for each: how often, how often it
//	                    failed, and how long it took (us): the median, and what 99 % stayed below
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	perror(what);
	exit(1);
}

// --- take: each function makes one more object, and returns 0 or an errno ---

static int ok(long r) { return r < 0 ? errno : 0; }

static int processes(long n)
{
	(void)n;
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			pause();
	return ok(pid);
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static int threads(long n)
{
	static pthread_attr_t attr;
	pthread_t t;

	if (n == 0) {
		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, 32 << 10);
	}
	return pthread_create(&t, &attr, sleeper, NULL);
}

static int files(long n)
{
	(void)n;
	return ok(open("/dev/null", O_RDWR));
}

static int ptys(long n)
{
	(void)n;
	return ok(open("/dev/ptmx", O_RDWR | O_NOCTTY));
}

static int mounts(long n)
{
	(void)n;
	return ok(mount("tmpfs", "/mnt", "tmpfs", 0, NULL));
}

static int content(long n)
{
	static char page[4096];
	static int fd = -1;

	if (n == 0 && fd < 0 && (fd = open("/tmp/all", O_RDWR | O_CREAT, 0600)) < 0)
		die("/tmp/all");
	return ok(pwrite(fd, page, sizeof page, n * sizeof page));
}

static int inodes(long n)
{
	char name[64];

	snprintf(name, sizeof name, "/tmp/d%ld", n);
	return ok(mkdir(name, 0700));
}

static int heap(long n)
{
	static char target[4000];
	char name[64];

	memset(target, 'x', sizeof target - 1);
	snprintf(name, sizeof name, "/tmp/l%ld", n);
	return ok(symlink(target, name));
}

// A process that touches memory until there is none is killed: that stands for an errno.
static int frames(long n)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		for (;;) {
			volatile char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			for (size_t i = 0; p != MAP_FAILED && i < 1 << 20; i += 4096)
				p[i] = 1;
		}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return errno;
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		return EIO;
	return n ? ENOMEM : 0;
}

static int instances(long n)
{
	char name[32];
	struct {
		uint32_t version, op;
		uint64_t id, name, name_len, flags, data, data_len, value, text, text_len;
	} a = {.version = 1, .op = 1, .name = (uintptr_t)name};

	a.name_len = snprintf(name, sizeof name, "i%ld", n);
	return ok(syscall(5001, &a, sizeof a));
}

// The processors are taken, but nothing is refused.
static int cpu(long n)
{
	if (n == 4)
		return ENOSYS;
	pid_t pid = fork();
	if (pid == 0)
		for (;;)
			;
	return ok(pid);
}

static const struct kind {
	const char *name;
	int (*take)(long n);
} kinds[] = {
	{"processes", processes}, {"threads", threads}, {"files", files}, {"ptys", ptys}, {"mounts", mounts},
	{"content", content}, {"inodes", inodes}, {"heap", heap}, {"frames", frames}, {"instances", instances}, {"cpu", cpu},
};

enum { SPARE = 16 };

static void take(const char *name)
{
	struct rlimit all = {1 << 20, 1 << 20};

	setrlimit(RLIMIT_NOFILE, &all);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].name, name))
			continue;
		// What it takes to print a line is given back in time.
		for (long j = 0; j < SPARE; j++)
			heap(-1 - j);
		long n = 0;
		int e, last;
		while (!(e = kinds[i].take(n)))
			n++;
		for (long j = 0; j < SPARE; j++) {
			char name[64];
			snprintf(name, sizeof name, "/tmp/l%ld", -1 - j);
			unlink(name);
		}
		dprintf(1, "taken %ld: errno %d\n", n, e);
		for (last = e; n < 1L << 40;) {
			if ((e = kinds[i].take(n)) == 0)
				n++;
			else if (e != last)
				dprintf(1, "then: errno %d\n", last = e);
		}
	}
	fprintf(stderr, "exhaust: there is no kind %s\n", name);
	exit(2);
}

// --- work: each function returns whether all went well ---

static const char *self;

static int run(void)
{
	int status;
	pid_t pid = vfork();

	if (pid == 0) {
		execl(self, self, "nothing", NULL);
		_exit(1);
	}
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int copy(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

static int thread_end;

static void *ends(void *arg) { return arg; }

static int thread(void)
{
	pthread_t t;
	void *r;

	return pthread_create(&t, NULL, ends, &thread_end) == 0 && pthread_join(t, &r) == 0 && r == &thread_end;
}

static int use_file(void)
{
	char b[8192] = "text";
	int fd = open("/tmp/work", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int good = fd >= 0 && write(fd, b, sizeof b) == sizeof b && pread(fd, b, sizeof b, 0) == sizeof b && !strcmp(b, "text");

	return (fd >= 0 && close(fd) == 0) & (unlink("/tmp/work") == 0) & good;
}

static int use_dir(void) { return mkdir("/tmp/dir", 0700) == 0 && rmdir("/tmp/dir") == 0; }

static int use_pipe(void)
{
	int p[2];
	char b[100];

	if (pipe(p))
		return 0;
	int good = write(p[1], b, sizeof b) == sizeof b && read(p[0], b, sizeof b) == sizeof b;
	return (close(p[0]) == 0) & (close(p[1]) == 0) & good;
}

static int memory(void)
{
	enum { size = 1 << 20 };
	volatile char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return 0;
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
	return munmap((void *)p, size) == 0;
}

static int pty(void)
{
	int fd = open("/dev/ptmx", O_RDWR | O_NOCTTY);

	return fd >= 0 && close(fd) == 0;
}

static int mounting(void)
{
	return mount("tmpfs", "/mnt", "tmpfs", 0, NULL) == 0 && umount("/mnt") == 0;
}

static int events(void)
{
	struct epoll_event e = {.events = EPOLLIN};
	int ep = epoll_create1(0), ev = eventfd(1, 0);
	int good = ep >= 0 && ev >= 0 && epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e) == 0 && epoll_wait(ep, &e, 1, 0) == 1;

	return (ep >= 0 && close(ep) == 0) & (ev >= 0 && close(ev) == 0) & good;
}

static struct job {
	const char *name;
	int (*work)(void);
	long n, failed;
	int errnum;
	uint32_t *took;
} jobs[] = {
	{.name = "exec", .work = run}, {.name = "fork", .work = copy}, {.name = "thread", .work = thread},
	{.name = "file", .work = use_file}, {.name = "directory", .work = use_dir}, {.name = "pipe", .work = use_pipe},
	{.name = "memory", .work = memory}, {.name = "pty", .work = pty}, {.name = "mount", .work = mounting},
	{.name = "epoll", .work = events},
};

enum { LEAST = 10, MOST = 100000 };

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int longer(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void work(long ms)
{
	const size_t count = sizeof jobs / sizeof *jobs;

	for (struct job *j = jobs; j < jobs + count; j++)
		if (!(j->took = malloc(MOST * sizeof *j->took)))
			die("malloc");
	int64_t end = now() + ms * 1000000LL;
	for (long i = 0; i < MOST && (i < LEAST || now() < end); i++)
		for (struct job *j = jobs; j < jobs + count; j++) {
			int64_t start = now();
			errno = 0;
			if (!j->work()) {
				j->failed++;
				j->errnum = errno;
			}
			j->took[j->n++] = (now() - start) / 1000;
		}
	for (struct job *j = jobs; j < jobs + count; j++) {
		qsort(j->took, j->n, sizeof *j->took, longer);
		printf("work %s: %ld times, %ld failed (errno %d), median %u, p99 %u\n",
			j->name, j->n, j->failed, j->errnum, j->took[j->n / 2], j->took[j->n * 99 / 100]);
	}
}

int main(int argc, char **argv)
{
	self = argv[0];
	if (argc == 2 && !strcmp(argv[1], "nothing"))
		return 0;
	if (argc == 3 && !strcmp(argv[1], "take"))
		take(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "work")) {
		work(atol(argv[2]));
		return 0;
	}
	fprintf(stderr, "usage: exhaust take KIND | exhaust work MS\n");
	return 2;
}
