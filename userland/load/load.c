//go:build ignore

// load: loads a machine.
//
//	load spin N SECONDS   N processes compute; when all have begun, their
//	                      progress in SECONDS is measured, and their CPU time:
//	                      where the host takes processors away they differ
//	load forkbomb SECONDS     every process forks until it may not
//	load threadbomb SECONDS   a process that starts threads until it may not
//	load memhog SECONDS       processes that touch all memory they get
//
// The bombs run under rlimits, as a user's programs would. Each ends after the
// time, kills what it has started and prints a line.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void *shared(size_t size)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		die("mmap");
	return p;
}

static void limit(int what, rlim_t n)
{
	struct rlimit r = {n, n};
	if (setrlimit(what, &r))
		die("setrlimit");
}

// until sleeps, whatever signals come.
static void until(double end)
{
	double left;
	while ((left = end - now()) > 0)
		usleep(left > 0.5 ? 500000 : left * 1e6 + 1);
}

struct counter {
	volatile uint64_t n;
	char line[56]; // of its own
};

static double cpu(pid_t pid)
{
	clockid_t c;
	struct timespec t;
	if (clock_getcpuclockid(pid, &c) || clock_gettime(c, &t))
		die("CPU clock");
	return t.tv_sec + t.tv_nsec / 1e9;
}

// spread prints the least and the most of n values as parts of their mean.
static void spread(const char *what, const double *v, int n)
{
	double sum = 0, min = v[0], max = v[0];
	for (int i = 0; i < n; i++) {
		sum += v[i];
		if (v[i] < min)
			min = v[i];
		if (v[i] > max)
			max = v[i];
	}
	printf("load: %s of %d processes: %.3f to %.3f of the mean\n", what, n, min * n / sum, max * n / sum);
}

static int spin(int n, double seconds)
{
	struct counter *c = shared(n * sizeof *c);
	double *work = calloc(n, sizeof *work), *time = calloc(n, sizeof *time);
	pid_t *pid = calloc(n, sizeof *pid);

	setpriority(PRIO_PROCESS, 0, -10); // while it starts and measures
	for (int i = 0; i < n; i++) {
		if ((pid[i] = fork()) < 0)
			die("fork");
		if (pid[i] == 0) {
			setpriority(PRIO_PROCESS, 0, 0);
			for (;;)
				c[i].n++;
		}
	}
	for (int i = 0; i < n; i++)
		while (c[i].n == 0)
			usleep(1000);
	printf("load: %d processes compute\n", n);
	fflush(stdout);
	for (int i = 0; i < n; i++)
		work[i] = c[i].n, time[i] = cpu(pid[i]);
	until(now() + seconds);
	for (int i = 0; i < n; i++)
		work[i] = c[i].n - work[i], time[i] = cpu(pid[i]) - time[i];
	for (int i = 0; i < n; i++)
		kill(pid[i], SIGKILL);
	for (int i = 0; i < n; i++)
		waitpid(pid[i], NULL, 0);
	spread("CPU time", time, n);
	spread("progress", work, n);
	return 0;
}

// reap kills the process group, except this process, and waits for all.
static void reap(void)
{
	signal(SIGTERM, SIG_IGN);
	for (;;) {
		kill(0, SIGTERM);
		pid_t p = waitpid(-1, NULL, WNOHANG);
		if (p < 0)
			return;
		if (p == 0)
			usleep(10000);
	}
}

static int forkbomb(double seconds)
{
	uint64_t *count = shared(2 * sizeof *count);
	double end = now() + seconds;

	setpgid(0, 0);
	limit(RLIMIT_NPROC, 200);
	if (setuid(1000)) // root has no limit of processes
		die("setuid");
	if (fork() == 0) {
		signal(SIGCHLD, SIG_IGN);
		for (;;) {
			pid_t p = fork();
			__atomic_add_fetch(&count[p < 0], 1, __ATOMIC_RELAXED);
			if (p < 0 && rand() % 8 == 0)
				_exit(0);
		}
	}
	until(end);
	reap();
	printf("load: %lu forks, %lu refused\n", (unsigned long)count[0], (unsigned long)count[1]);
	return count[1] == 0;
}

static void *idle(void *arg)
{
	for (;;)
		if (arg)
			(*(volatile uint64_t *)arg)++;
	return NULL;
}

static int threadbomb(double seconds)
{
	uint64_t *count = shared(3 * sizeof *count);
	double end = now() + seconds;

	setpgid(0, 0);
	limit(RLIMIT_NPROC, 300);
	if (setuid(1000))
		die("setuid");
	for (int i = 0; i < 2; i++) {
		if (fork() == 0) {
			pthread_attr_t a;
			pthread_t t;
			pthread_attr_init(&a);
			pthread_attr_setstacksize(&a, 65536);
			for (;;) {
				int refused = pthread_create(&t, &a, idle, &count[2]) != 0;
				__atomic_add_fetch(&count[refused], 1, __ATOMIC_RELAXED);
				if (refused)
					usleep(100);
			}
		}
	}
	until(end);
	reap();
	printf("load: %lu threads, %lu refused\n", (unsigned long)count[0], (unsigned long)count[1]);
	return count[1] == 0;
}

static int memhog(double seconds)
{
	uint64_t *count = shared(2 * sizeof *count);
	double end = now() + seconds;

	setpgid(0, 0);
	for (int i = 0; i < 4; i++) {
		if (fork() == 0) {
			// One more process, since who touches too much may be killed.
			for (;;) {
				if (fork() == 0) {
					limit(RLIMIT_AS, 64 << 20);
					for (;;) {
						char *p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
						__atomic_add_fetch(&count[p == MAP_FAILED], 1, __ATOMIC_RELAXED);
						if (p == MAP_FAILED)
							_exit(0);
						memset(p, 1, 1 << 20);
					}
				}
				wait(NULL);
			}
		}
	}
	until(end);
	reap();
	printf("load: %lu MiB touched, %lu refused\n", (unsigned long)count[0], (unsigned long)count[1]);
	return count[1] == 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "spin"))
		return spin(atoi(argv[2]), atof(argv[3]));
	if (argc == 3 && !strcmp(argv[1], "forkbomb"))
		return forkbomb(atof(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "threadbomb"))
		return threadbomb(atof(argv[2]));
	if (argc == 3 && !strcmp(argv[1], "memhog"))
		return memhog(atof(argv[2]));
	fprintf(stderr, "usage: load spin N SECONDS | load forkbomb|threadbomb|memhog SECONDS\n");
	return 2;
}
