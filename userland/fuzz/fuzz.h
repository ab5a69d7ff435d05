/* fuzz.h: what the fuzzers share: random numbers, and a parent that keeps
 * worker processes busy, bounds them and says how it goes. README.md says how
 * to run one.
 *
 * A program defines prepare and work. Work goes in rounds. For each the parent
 * makes a new directory, a tmpfs, in which workers run as in a root directory
 * of their own; at the end it kills every process but itself and process 1,
 * removes the directory, and prints a line. So a round depends on its seed and
 * on chance, not on the rounds before. */
#ifndef FUZZ_H
#define FUZZ_H

#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define WORLD "/tmp/fuzz" /* the directory of a round */
#define WORKERS 6
#define ROUND 3000 /* milliseconds */
#define STUCK 30000 /* milliseconds in which killed processes must be gone */
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* What a program defines. */
static void prepare(void);		    /* once, before the first round */
static void furnish(void);		    /* the root directory of a round, which is the current one */
static void work(int worker, uint64_t seed); /* in a process of its own; may return */

/* A generator of random numbers: splitmix64. */
typedef struct { uint64_t x; } Random;

static uint64_t rnd(Random *r)
{
	uint64_t z = r->x += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* below returns a number less than n. */
static uint64_t below(Random *r, uint64_t n) { return rnd(r) % n; }

/* once_in is true once in n times. */
static int once_in(Random *r, uint64_t n) { return below(r, n) == 0; }

/* PICK takes an element of an array. */
#define PICK(r, a) ((a)[below(r, COUNT(a))])

/* What workers tell the parent, in memory that they share. It is for reading
 * by people only: a call may have written anything there. */
static struct shared {
	volatile uint64_t done; /* calls or programs */
	volatile uint64_t good; /* of these, those that had no error */
	volatile uint64_t now[WORKERS][8][7]; /* what each thread is at, to be printed if it is stuck */
} *shared;

static pid_t parent;

static void say(const char *format, ...)
{
	char line[1024];
	va_list list;
	size_t n, done = 0;

	va_start(list, format);
	n = vsnprintf(line, sizeof line - 1, format, list);
	va_end(list);
	if (n > sizeof line - 2)
		n = sizeof line - 2;
	line[n++] = '\n';
	while (done < n) {
		ssize_t k = write(1, line + done, n - done);
		if (k <= 0)
			break;
		done += k;
	}
}

/* die ends the program for what is wrong with it, or with the kernel. */
__attribute__((noreturn)) static void die(const char *what)
{
	say("fuzz: FAIL: %s: %s", what, strerror(errno));
	_exit(1);
}

/* beside opens a file in the directory of this program. */
static int beside(const char *name)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 20);
	int fd;

	if (n < 0)
		die("/proc/self/exe");
	path[n] = 0;
	strcpy(strrchr(path, '/') + 1, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
		die(path);
	return fd;
}

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void sleep_ms(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&t, NULL);
}

/* unmount unmounts what is at or below WORLD, as far as a name leads to it: a
 * mount may hide others. It returns how many there were, and how many of them are
 * gone. */
static int unmount(int *gone)
{
	static char line[3 * PATH_MAX], paths[200][PATH_MAX];
	int n = 0;
	FILE *f = fopen("/proc/mounts", "re");

	if (f == NULL)
		die("/proc/mounts");
	while (fgets(line, sizeof line, f) != NULL && n < (int)COUNT(paths)) {
		char *from = strchr(line, ' '), *to = paths[n];
		if (from == NULL || strncmp(from + 1, WORLD, strlen(WORLD)) != 0)
			continue;
		for (from++; *from != ' ' && *from != 0; from++) {
			if (*from == '\\') { /* three octal digits */
				*to++ = (from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0');
				from += 3;
			} else
				*to++ = *from;
		}
		*to = 0;
		n++;
	}
	fclose(f);
	*gone = 0;
	for (int i = n - 1; i >= 0; i--)
		*gone += umount2(paths[i], 0) == 0;
	return n;
}

static void remove_world(void)
{
	int gone;

	if (chdir("/") < 0)
		die("chdir");
	while (unmount(&gone) > 0) {
		if (gone == 0)
			die("what nobody uses any more can't be unmounted");
	}
}

static void make_world(void)
{
	mkdir(WORLD, 0755);
	if (mount("fuzz", WORLD, "tmpfs", 0, "size=32m") < 0 || chdir(WORLD) < 0)
		die("mount " WORLD);
	umask(0);
	furnish();
}

static void limit(int what, rlim_t n)
{
	struct rlimit r = {n, n};

	if (setrlimit(what, &r) < 0)
		die("setrlimit");
}

/* start starts a worker. Three of four are ordinary users. */
static pid_t start(int worker, uint64_t seed)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	setsid();
	if (chdir(WORLD) < 0 || chroot(".") < 0)
		die("chroot");
	limit(RLIMIT_AS, 192 << 20);
	limit(RLIMIT_NOFILE, 128);
	limit(RLIMIT_FSIZE, 16 << 20);
	limit(RLIMIT_NPROC, 100);
	limit(RLIMIT_CORE, 0);
	if (worker % 4 != 3 && (setgid(1000 + worker) < 0 || setuid(1000 + worker) < 0))
		die("setuid");
	work(worker, seed);
	_exit(0);
}

/* sweep ends all processes but this one and process 1. */
static void sweep(void)
{
	int64_t end = now_ms() + STUCK;

	for (;;) {
		pid_t pid;
		kill(-1, SIGKILL);
		while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			return;
		if (now_ms() > end)
			break;
		sleep_ms(2);
	}
	for (int i = 0; i < WORKERS; i++) {
		for (int j = 0; j < 8; j++) {
			volatile uint64_t *n = shared->now[i][j];
			say("fuzz: worker %d thread %d is at %ld(%#lx, %#lx, %#lx, %#lx, %#lx, %#lx)",
				i, j, n[0], n[1], n[2], n[3], n[4], n[5], n[6]);
		}
	}
	errno = ETIMEDOUT;
	die("processes that were killed are not gone");
}

/* fuzz_round is one round. */
static void fuzz_round(uint64_t seed)
{
	Random r = {seed * 0x2545f4914f6cdd1d};
	pid_t pids[WORKERS] = {0};
	int64_t begun = now_ms(), ends[WORKERS];
	int workers = 0, killed = 0;
	uint64_t done = shared->done, good = shared->good;
	struct sysinfo info;

	make_world();
	while (now_ms() < begun + ROUND) {
		for (int i = 0; i < WORKERS; i++) {
			if (pids[i] == 0) {
				pids[i] = start(i, rnd(&r));
				if (pids[i] < 0) /* memory is short: the others are at it */
					pids[i] = 0;
				ends[i] = now_ms() + 300 + below(&r, 1200);
				workers++;
			} else if (now_ms() > ends[i]) {
				kill(pids[i], SIGKILL);
				killed++;
				ends[i] = INT64_MAX;
			}
		}
		pid_t pid;
		while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0) {
			for (int i = 0; i < WORKERS; i++)
				if (pids[i] == pid)
					pids[i] = 0;
		}
		sleep_ms(5);
	}
	sweep();
	remove_world();
	sysinfo(&info);
	say("fuzz: seed %lu: %lu done, %lu without error, %d workers, %d killed, %ld ms; free %lu kB", seed,
		shared->done - done, shared->good - good, workers, killed, (long)(now_ms() - begun),
		info.freeram * info.mem_unit / 1024);
}

int main(int argc, char **argv)
{
	struct utsname u;
	uint64_t seed;
	int64_t end;

	if (argc != 3 || !isdigit((unsigned char)argv[1][0]) || !isdigit((unsigned char)argv[2][0])) {
		say("usage: %s SECONDS SEED", argv[0]);
		return 2;
	}
	uname(&u);
	if (strstr(u.release, "mult") == NULL) {
		say("this is not mult: a fuzzer kills all processes and may do anything else");
		return 2;
	}
	end = now_ms() + atol(argv[1]) * 1000;
	seed = strtoul(argv[2], NULL, 10);
	parent = getpid();
	/* With a distance to what else will be mapped. */
	shared = mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (shared != MAP_FAILED)
		shared = mmap((char *)shared + (32 << 20), sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (shared == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		die("shared memory");
	prepare();
	do
		fuzz_round(seed++);
	while (now_ms() < end);
	say("fuzz: done");
	return 0;
}

#endif
