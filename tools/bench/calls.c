//go:build ignore

// The benchmark of system calls: one static program for Linux and mult. It is
// process 1 of the machine; run by hand on a Linux host it measures that.
//
//	calls [-mean] [figure...]
//
// It prints a line "bench NAME NANOSECONDS" for each figure, the time of one
// operation or of a MiB, or "bench NAME failed: WHY", and "bench end" at last. A
// figure is the median of some batches, each long enough that reading the clock
// doesn't count. With -mean it is that of one batch, so long that the kernel's own
// work in between, such as a collection of its heap, counts with its share.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	BATCHES = 7,
	BATCH_MS = 50,
	MEAN_MS = 2000,
	PAGE = 4096,
	BLOCK = 64 << 10,
	MIB = 1 << 20,
};

static char *self; // the path of this program
static char block[BLOCK];

static void need(int ok, const char *what)
{
	if (!ok) {
		printf("failed: %s: %s\n", what, strerror(errno));
		fflush(stdout);
		_exit(1);
	}
}

// What a figure spends between begin and end is its time.
static double began, spent;

static double now(void)
{
	struct timespec t;
	syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void begin(void) { began = now(); }
static void end(void) { spent += now() - began; }

// The figures: each does an operation n times.

static void cpu(long n)
{
	volatile unsigned long sink;
	unsigned long x = 1;
	begin();
	for (long i = 0; i < n * 1000; i++)
		x = x * 6364136223846793005ul + (x >> 7);
	end();
	sink = x;
	(void)sink;
}

static void null_call(long n)
{
	begin();
	for (long i = 0; i < n; i++)
		syscall(SYS_getppid);
	end();
}

static void vdso_clock(long n)
{
	struct timespec t;
	begin();
	for (long i = 0; i < n; i++)
		clock_gettime(CLOCK_MONOTONIC, &t);
	end();
}

static void read_1(long n)
{
	char c;
	int fd = open("/dev/zero", O_RDONLY);
	need(fd >= 0 && read(fd, &c, 1) == 1, "/dev/zero");
	begin();
	for (long i = 0; i < n; i++)
		read(fd, &c, 1);
	end();
	close(fd);
}

static void write_1(long n)
{
	int fd = open("/dev/null", O_WRONLY);
	need(fd >= 0 && write(fd, "x", 1) == 1, "/dev/null");
	begin();
	for (long i = 0; i < n; i++)
		write(fd, "x", 1);
	end();
	close(fd);
}

static int scratch(size_t size)
{
	int fd = open("/tmp/bench", O_RDWR | O_CREAT | O_TRUNC, 0600);
	need(fd >= 0, "/tmp/bench");
	for (size_t at = 0; at < size; at += BLOCK)
		need(write(fd, block, BLOCK) == BLOCK, "write");
	return fd;
}

static void pread_file_1(long n)
{
	char c;
	int fd = scratch(BLOCK);
	begin();
	for (long i = 0; i < n; i++)
		pread(fd, &c, 1, 0);
	end();
	close(fd);
}

static void pwrite_file_1(long n)
{
	int fd = scratch(BLOCK);
	begin();
	for (long i = 0; i < n; i++)
		pwrite(fd, "x", 1, 0);
	end();
	close(fd);
}

static void open_close(long n)
{
	close(scratch(0));
	begin();
	for (long i = 0; i < n; i++)
		close(open("/tmp/bench", O_RDONLY));
	end();
}

static void stat_file(long n)
{
	struct stat st;
	close(scratch(0));
	need(stat("/tmp/bench", &st) == 0, "stat");
	begin();
	for (long i = 0; i < n; i++)
		stat("/tmp/bench", &st);
	end();
}

static volatile long handled;
static void handle(int sig) { (void)sig, handled++; }

static void signal_self(long n)
{
	struct sigaction a = {.sa_handler = handle};
	sigaction(SIGUSR1, &a, NULL);
	pid_t pid = getpid(), tid = gettid();
	long before = handled;
	begin();
	for (long i = 0; i < n; i++)
		syscall(SYS_tgkill, pid, tid, SIGUSR1);
	end();
	need(handled == before + n, "signals");
}

static void epoll_ready(long n)
{
	int p[2], e = epoll_create1(0);
	need(e >= 0 && pipe(p) == 0, "epoll");
	struct epoll_event ev = {.events = EPOLLIN};
	need(epoll_ctl(e, EPOLL_CTL_ADD, p[0], &ev) == 0 && write(p[1], "x", 1) == 1, "epoll_ctl");
	need(epoll_wait(e, &ev, 1, -1) == 1, "epoll_wait");
	begin();
	for (long i = 0; i < n; i++)
		epoll_wait(e, &ev, 1, -1);
	end();
	close(e), close(p[0]), close(p[1]);
}

static void poll_ready(long n)
{
	int p[2];
	need(pipe(p) == 0 && write(p[1], "x", 1) == 1, "pipe");
	struct pollfd f = {.fd = p[0], .events = POLLIN};
	begin();
	for (long i = 0; i < n; i++)
		poll(&f, 1, -1);
	end();
	close(p[0]), close(p[1]);
}

static void map_unmap(long n)
{
	begin();
	for (long i = 0; i < n; i++)
		munmap(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE);
	end();
}

// One page at a time: Linux may not take huge ones.
static void page_fault(long n)
{
	const long most = 4096;
	while (n > 0) {
		long pages = n < most ? n : most;
		char *a = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		need(a != MAP_FAILED, "mmap");
		madvise(a, pages * PAGE, MADV_NOHUGEPAGE);
		begin();
		for (long i = 0; i < pages; i++)
			a[i * PAGE] = 1;
		end();
		munmap(a, pages * PAGE);
		n -= pages;
	}
}

static void reap(pid_t pid)
{
	int status;
	need(waitpid(pid, &status, 0) == pid && status == 0, "child");
}

static void fork_exit(long n)
{
	begin();
	for (long i = 0; i < n; i++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(0);
		need(pid > 0, "fork");
		reap(pid);
	}
	end();
}

static void fork_exec(long n)
{
	begin();
	for (long i = 0; i < n; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			execl(self, self, "nothing", NULL);
			_exit(1);
		}
		need(pid > 0, "fork");
		reap(pid);
	}
	end();
}

static void *nothing(void *arg) { return arg; }

static void thread_join(long n)
{
	begin();
	for (long i = 0; i < n; i++) {
		pthread_t t;
		need(pthread_create(&t, NULL, nothing, NULL) == 0, "pthread_create");
		pthread_join(t, NULL);
	}
	end();
}

static void pipe_round_trip(long n)
{
	int to[2], from[2];
	char c = 0;
	need(pipe(to) == 0 && pipe(from) == 0, "pipe");
	pid_t pid = fork();
	if (pid == 0) {
		close(to[1]);
		while (read(to[0], &c, 1) == 1)
			write(from[1], &c, 1);
		_exit(0);
	}
	need(pid > 0, "fork");
	begin();
	for (long i = 0; i < n; i++)
		need(write(to[1], &c, 1) == 1 && read(from[0], &c, 1) == 1, "round trip");
	end();
	close(to[0]), close(to[1]), close(from[0]), close(from[1]);
	reap(pid);
}

// A byte through a pipe with nobody else: what a round trip costs twice, besides
// two switches.
static void pipe_own(long n)
{
	int p[2];
	char c = 0;
	need(pipe(p) == 0, "pipe");
	begin();
	for (long i = 0; i < n; i++)
		write(p[1], &c, 1), read(p[0], &c, 1);
	end();
	close(p[0]), close(p[1]);
}

// Two processes on one CPU hand a byte to each other.
static void round_trip_1cpu(long n)
{
	cpu_set_t old, one;
	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_getaffinity(0, sizeof old, &old);
	sched_setaffinity(0, sizeof one, &one);
	pipe_round_trip(n);
	sched_setaffinity(0, sizeof old, &old);
}

static int turn; // 0: the main thread's, 1: the other's, -1: the end

static void await(int mine)
{
	for (int t; (t = __atomic_load_n(&turn, __ATOMIC_ACQUIRE)) != mine && t >= 0;)
		syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, t, NULL, NULL, 0);
}

static void pass(int to)
{
	__atomic_store_n(&turn, to, __ATOMIC_RELEASE);
	syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *partner(void *arg)
{
	for (;;) {
		await(1);
		if (turn < 0)
			return arg;
		pass(0);
	}
}

static void futex_round_trip(long n)
{
	pthread_t t;
	turn = 0;
	need(pthread_create(&t, NULL, partner, NULL) == 0, "pthread_create");
	begin();
	for (long i = 0; i < n; i++) {
		pass(1);
		await(0);
	}
	end();
	pass(-1);
	pthread_join(t, NULL);
}

// n is in MiB from here.

static void pipe_bandwidth(long n)
{
	int p[2];
	need(pipe(p) == 0, "pipe");
	pid_t pid = fork();
	if (pid == 0) {
		for (long left = n * MIB; left > 0; left -= BLOCK)
			write(p[1], block, BLOCK);
		_exit(0);
	}
	need(pid > 0, "fork");
	close(p[1]);
	long sum = 0;
	begin();
	for (ssize_t got; (got = read(p[0], block, BLOCK)) > 0;)
		sum += got;
	end();
	need(sum == n * MIB, "bytes");
	close(p[0]);
	reap(pid);
}

static void file_read_bandwidth(long n)
{
	int fd = scratch(MIB);
	begin();
	for (long i = 0; i < n; i++)
		for (int at = 0; at < MIB; at += BLOCK)
			pread(fd, block, BLOCK, at);
	end();
	close(fd);
}

static void file_write_bandwidth(long n)
{
	int fd = scratch(MIB);
	begin();
	for (long i = 0; i < n; i++)
		for (int at = 0; at < MIB; at += BLOCK)
			pwrite(fd, block, BLOCK, at);
	end();
	close(fd);
}

// The memory is small, and new each time: the emulator's TLB grows only when it is
// flushed, here when the memory goes, and little. With more memory the figure would
// be that of what went before it.
static void memory_bandwidth(long n)
{
	const size_t size = MIB / 4;
	char *a = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(a != MAP_FAILED, "mmap");
	memset(a, 1, 2 * size);
	begin();
	for (long i = 0; i < n * 4; i++)
		memcpy(a + size, a, size);
	end();
	munmap(a, 2 * size);
}

static const struct figure {
	const char *name;
	void (*run)(long n);
} figures[] = {
	{"cpu", cpu},
	{"null_call", null_call},
	{"read_1", read_1},
	{"write_1", write_1},
	{"pread_file_1", pread_file_1},
	{"pwrite_file_1", pwrite_file_1},
	{"signal", signal_self},
	{"page_fault", page_fault},
	{"map_unmap", map_unmap},
	{"fork_exit", fork_exit},
	{"fork_exec", fork_exec},
	{"thread_join", thread_join},
	{"pipe_own", pipe_own},
	{"pipe_round_trip", pipe_round_trip},
	{"round_trip_1cpu", round_trip_1cpu},
	{"futex_round_trip", futex_round_trip},
	{"vdso_clock", vdso_clock},
	{"open_close", open_close},
	{"stat", stat_file},
	{"epoll_ready", epoll_ready},
	{"poll_ready", poll_ready},
	{"pipe_bandwidth", pipe_bandwidth},
	{"file_read_bandwidth", file_read_bandwidth},
	{"file_write_bandwidth", file_write_bandwidth},
	{"memory_bandwidth", memory_bandwidth},
};
enum { FIGURES = sizeof figures / sizeof figures[0] };

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return d < 0 ? -1 : d > 0;
}

static double measure(const struct figure *f, int mean)
{
	double t[BATCHES], ms = mean ? MEAN_MS : BATCH_MS;
	int batches = mean ? 1 : BATCHES;
	long n = 1;
	for (;; n *= 2) { // warms up, too
		spent = 0;
		f->run(n);
		if (spent >= BATCH_MS * 1e6 / 4)
			break;
	}
	n = n * (ms * 1e6 / spent) + 1;
	for (int i = 0; i < batches; i++) {
		spent = 0;
		f->run(n);
		t[i] = spent / n;
	}
	qsort(t, batches, sizeof t[0], by_value);
	return t[batches / 2];
}

// A figure is measured in a process of its own, that it may fail alone.
static void report(const struct figure *f, int mean)
{
	printf("bench %s ", f->name);
	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		alarm(60);
		printf("%.1f\n", measure(f, mean));
		fflush(stdout);
		_exit(0);
	}
	int status;
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		printf("failed: fork: %s\n", strerror(errno));
	else if (WIFSIGNALED(status))
		printf("failed: signal %d\n", WTERMSIG(status));
	fflush(stdout);
}

// As process 1 on Linux it finds nothing but itself; elsewhere these fail.
static void prepare(void)
{
	mkdir("/dev", 0755), mkdir("/proc", 0755), mkdir("/tmp", 01777);
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("tmp", "/tmp", "tmpfs", 0, NULL);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "nothing") == 0)
		return 0;
	self = argv[0];
	int first = getpid() == 1, mean = argc > 1 && strcmp(argv[1], "-mean") == 0;
	if (first)
		prepare();
	memset(block, 1, sizeof block);
	for (int f = 0; f < FIGURES; f++) {
		int wanted = argc < 2 + mean;
		for (int i = 1 + mean; i < argc; i++)
			wanted |= strcmp(argv[i], figures[f].name) == 0;
		if (wanted)
			report(&figures[f], mean);
	}
	printf("bench end\n");
	fflush(stdout);
	if (first)
		reboot(RB_POWER_OFF);
	return 0;
}
