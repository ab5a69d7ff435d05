//go:build ignore

// lives: instances that don't behave, and those who manage them.
//
//	lives OPERATIONS SEED   makes so many operations from four threads, ends all instances
//	                        that are left, and says whether anything else is left
//
// In an instance it is /sbin/instinit, and does what its host name says.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void say(const char *s)
{
	if (write(1, s, strlen(s)) < 0)
		_exit(2);
}

static void nap(long us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};

	nanosleep(&t, NULL);
}

/* --- inside --- */

static void none(int sig) { (void)sig; }

/* garbage executes what is no program, then one that begins nowhere. */
static void garbage(void)
{
	static char b[1 << 16];
	char *args[] = {"garbage", NULL};
	int in = open("/proc/self/exe", O_RDONLY), out;
	ssize_t n;

	out = open("/tmp/text", O_WRONLY | O_CREAT, 0755);
	write(out, "\177ELFgarbage", 11);
	close(out);
	execv("/tmp/text", args);
	out = open("/tmp/prog", O_WRONLY | O_CREAT, 0755);
	for (int first = 1; (n = read(in, b, sizeof b)) > 0; first = 0) {
		if (first)
			*(uint64_t *)(b + 24) = 0x1234; /* e_entry */
		if (write(out, b, n) < 0)
			break;
	}
	close(out);
	execv("/tmp/prog", args);
	_exit(3);
}

/* inside is process 1 of an instance, or another process that was executed there. */
static int inside(const char *what)
{
	sigset_t all;
	char text[64];

	sigfillset(&all);
	if (strcmp(what, "exits") == 0)
		return 7;
	if (strcmp(what, "killed") == 0) {
		*(volatile char *)8 = 1;
		return 1;
	}
	if (strcmp(what, "garbage") == 0)
		garbage();
	if (strcmp(what, "ignores") == 0) {
		sigprocmask(SIG_SETMASK, &all, NULL);
		if (fork() == 0) /* stops, and ignores */
			raise(SIGSTOP);
		for (;;)
			pause();
	}
	if (strcmp(what, "forks") == 0) {
		signal(SIGCHLD, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		for (;;)
			fork();
	}
	if (strcmp(what, "says") == 0) {
		say("last words\n");
		return 0;
	}
	if (strcmp(what, "reads") == 0) {
		while (read(0, text, sizeof text) > 0)
			;
		return 0;
	}
	if (strcmp(what, "floods") == 0)
		for (;;)
			say("more and more and more\n");
	/* As it should be. */
	signal(SIGTERM, none);
	sigemptyset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	pause();
	return 0;
}

/* --- from above --- */

enum { CREATE = 1, START, STOP, KILL, SUSPEND, RESUME, WATCH, GET, SET, LIST, RENAME, PROCS, EXEC, ATTACH, DEBUG };
enum { STARTED = 2, CLOEXEC = 4, TTY = 8, GC = 16, STREAMS = 32 };

struct instctl {
	uint32_t version, op;
	uint64_t id, name, name_len, flags, data, data_len, value, text, text_len;
};

struct execute {
	uint64_t path, argv, envp;
	int in, out, err, watch;
};

static long ctl(int op, const char *name, int flags, void *data, long n, uint64_t value)
{
	struct instctl a = {1, op, 0, (uintptr_t)name, strlen(name), flags, (uintptr_t)data, n, value, 0, 0};

	return syscall(5001, &a, sizeof a);
}

struct worker {
	pthread_t thread;
	uint64_t random;
	long left, good;
};

static unsigned below(struct worker *w, unsigned n)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return (w->random >> 20) % n;
}

static const char *const names[] = {"a", "b", "c", "d", "a/x", "b/y"};
enum { NAMES = sizeof names / sizeof *names };

static const char *const kinds[] = {"good", "good", "exits", "killed", "garbage", "ignores", "forks", "floods", "says"};
enum { KINDS = sizeof kinds / sizeof *kinds };

static const char *const programs[] = {"good", "exits", "ignores", "forks", "says", "reads", "floods"};
enum { PROGRAMS = sizeof programs / sizeof *programs };

/* talk does something with the streams of a process and closes them. */
static void talk(struct worker *w, struct execute *x)
{
	char b[4096];

	if (x->in >= 0) {
		fcntl(x->in, F_SETFL, O_NONBLOCK);
		if (below(w, 2))
			write(x->in, "hello\n", 6);
	}
	int out = x->out >= 0 ? x->out : x->in;
	if (below(w, 2)) {
		struct pollfd p[2] = {{out, POLLIN, 0}, {x->watch, POLLIN, 0}};
		poll(p, 2, below(w, 5));
		fcntl(out, F_SETFL, O_NONBLOCK);
		for (int i = 0; i < 4 && read(out, b, sizeof b) > 0; i++)
			;
	}
	close(x->in);
	if (x->out >= 0)
		close(x->out);
	if (x->err >= 0)
		close(x->err);
	close(x->watch);
}

/* create makes an instance, and starts it in some way or doesn't. */
static long create(struct worker *w, const char *name)
{
	struct { struct execute x; char text[256]; } a;
	int how = below(w, 5), flags = 0;
	long n;

	memset(&a, 0, sizeof a);
	int len = snprintf(a.text, sizeof a.text, "host %s\nlimit.processes %d\nlimit.frames %d\nlimit.instances 2\n",
		kinds[below(w, KINDS)], 2 + below(w, 20), 300 + below(w, 700));
	if (how == 0)
		return ctl(CREATE, name, 0, a.text, len, 0);
	if (how == 1)
		flags = TTY;
	if (how == 2)
		flags = STREAMS;
	if (flags == 0)
		return ctl(CREATE, name, STARTED, a.text, len, 0);
	n = ctl(CREATE, name, STARTED | flags, &a, sizeof a.x + len, 0);
	if (n >= 0)
		talk(w, &a.x);
	return n;
}

static long start(struct worker *w, const char *name)
{
	struct execute x = {0};
	static const int ways[] = {0, TTY, STREAMS};
	int flags = ways[below(w, 3)];
	long n = ctl(START, name, flags, &x, sizeof x, 0);

	if (n >= 0 && flags)
		talk(w, &x);
	return n;
}

static long execute(struct worker *w, const char *name)
{
	char *argv[] = {"lives", "inside", (char *)programs[below(w, PROGRAMS)], NULL};
	struct execute x = {(uintptr_t)"/sbin/instinit", (uintptr_t)argv, (uintptr_t)(argv + 3), 0, 0, 0, 0};
	long n = ctl(below(w, 2) ? EXEC : ATTACH, name, 0, &x, sizeof x, 0);

	if (n >= 0)
		talk(w, &x);
	return n;
}

static long watch(struct worker *w, const char *name)
{
	char b[16];
	long fd = ctl(WATCH, name, CLOEXEC, NULL, 0, 0);

	if (fd < 0)
		return fd;
	struct pollfd p = {fd, POLLIN, 0};
	read(fd, b, sizeof b);
	if (poll(&p, 1, below(w, 4)) > 0)
		read(fd, b, sizeof b);
	close(fd);
	return 0;
}

static long operate(struct worker *w);

/* die has a process that is killed while it does something. */
static long die(struct worker *w)
{
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (pid == 0) {
		w->random ^= 0x9e3779b97f4a7c15; /* its own way */
		for (;;)
			operate(w);
	}
	nap(below(w, 8) * below(w, 2000));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 0;
}

static long operate(struct worker *w)
{
	static const char *const settings[] = {"limit.processes 5\n", "cpu.weight 1000\n", "cpu.cap 10\n", "cpu.cap none\n", "limit.frames none\n", "limit.files 20\n"};
	static __thread char out[65536];
	const char *name = names[below(w, NAMES)], *s;

	switch (below(w, 20)) {
	case 0: case 1: case 2: case 3:
		return create(w, name);
	case 4:
		return start(w, name);
	case 5:
		return ctl(STOP, name, 0, NULL, 0, below(w, 4) ? below(w, 20) * 1000000LL : 3600 * 1000000000LL);
	case 6: case 7:
		return ctl(KILL, name, 0, NULL, 0, 0);
	case 8: case 9:
		return ctl(SUSPEND, name, 0, NULL, 0, 0);
	case 10:
		return ctl(RESUME, name, 0, NULL, 0, 0);
	case 11: case 12: case 13:
		return execute(w, name);
	case 14:
		s = names[below(w, 4)];
		return ctl(RENAME, name, 0, (void *)s, strlen(s), 0);
	case 15:
		s = settings[below(w, sizeof settings / sizeof *settings)];
		return ctl(SET, name, 0, (void *)s, strlen(s), 0);
	case 16:
		return watch(w, name);
	case 17:
		return ctl(GET, name, 0, out, sizeof out, 0);
	case 18:
		return ctl(below(w, 2) ? LIST : PROCS, below(w, 2) ? name : "", 0, out, sizeof out, below(w, 2) ? -1 : 0);
	}
	return -2;
}

static void *work(void *p)
{
	struct worker *w = p;

	for (; w->left > 0; w->left--) {
		long n = operate(w);
		if (n == -2)
			n = die(w);
		w->good += n >= 0;
	}
	return NULL;
}

/* end kills all instances, and waits until they are gone. */
static void end(void)
{
	static char list[65536];
	long n;

	while ((n = ctl(LIST, "", 0, list, sizeof list - 1, -1)) > 0) {
		list[n] = 0;
		for (char *p = list; (p = strstr(p, "\nname ")); ) {
			char name[65];
			sscanf(p += 6, "%64s", name);
			ctl(KILL, name, 0, NULL, 0, 0);
		}
		nap(10000);
	}
}

static int manage(long operations, uint64_t seed)
{
	enum { WORKERS = 4 };
	static struct worker workers[WORKERS];
	long good = 0;
	char text[100];

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (int i = 0; i < WORKERS; i++) {
		struct worker *w = &workers[i];
		w->random = (seed + i + 1) * 0x9e3779b97f4a7c15;
		w->left = operations / WORKERS;
		if (pthread_create(&w->thread, NULL, work, w) != 0)
			return 1;
	}
	for (int i = 0; i < WORKERS; i++) {
		pthread_join(workers[i].thread, NULL);
		good += workers[i].good;
	}
	end();
	snprintf(text, sizeof text, "%ld operations, %ld of them good\n", operations, good);
	say(text);
	return good < operations / 4;
}

/* --- what is left --- */

static char was[4096], now[4096];
static long frames; /* that are used, also for what the kernel has read of the root image */

enum { MORE_FRAMES = 16 };

/* measure tells what inst0 uses of each resource, and the machine. */
static void measure(void)
{
	static char text[65536], state[4096];
	static const char *const of[] = {"frames.charged ", "goroutines ", "instances ", "instances.unfreed "};
	long n = ctl(GET, "", 0, text, sizeof text - 1, 0), m = ctl(DEBUG, "", GC, state, sizeof state - 1, 0);

	now[0] = 0;
	if (n < 0 || m < 0)
		return;
	text[n] = state[m] = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strncmp(line, "used.", 5) == 0)
			strcat(strcat(now, line), "\n");
	for (char *line = strtok(state, "\n"); line; line = strtok(NULL, "\n")) {
		for (unsigned i = 0; i < sizeof of / sizeof *of; i++)
			if (strncmp(line, of[i], strlen(of[i])) == 0)
				strcat(strcat(now, line), "\n");
		if (strncmp(line, "frames.used ", 12) == 0)
			frames = atol(line + 12);
	}
}

/* managed makes operations in a process of its own. */
static int managed(long operations, uint64_t seed)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(manage(operations, seed));
	return waitpid(pid, &status, 0) == pid && status == 0;
}

/* compare says what is left of many operations, when there have been some before: they made
 * what is made once. */
static int compare(long operations, uint64_t seed)
{
	char text[100];

	if (!managed(200, 7))
		return 1;
	for (int i = 0; i < 5; i++) { /* what measuring takes is there, then, too */
		measure();
		nap(100000);
		memcpy(was, now, sizeof was);
	}
	long before = frames;
	if (!managed(operations, seed))
		say("FAIL operations\n");
	for (int i = 0; i < 50; i++) { /* what has ended goes after its end */
		measure();
		if (strcmp(was, now) == 0 && frames <= before + MORE_FRAMES) {
			say("ok same\n");
			return 0;
		}
		nap(100000);
	}
	snprintf(text, sizeof text, "FAIL same: %ld frames, before it was %ld\n", frames, before);
	say(text);
	say(was);
	say("and now it is\n");
	say(now);
	return 1;
}

int main(int argc, char **argv)
{
	char host[65] = "";

	if (getpid() == 1) {
		gethostname(host, sizeof host - 1);
		return inside(host);
	}
	if (argc < 3)
		return 1;
	if (strcmp(argv[1], "inside") == 0)
		return inside(argv[2]);
	return compare(atol(argv[1]), atol(argv[2]));
}
