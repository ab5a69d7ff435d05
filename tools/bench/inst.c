//go:build ignore

// The benchmark of instances: one static program for Linux and mult. It is process 1
// of the machine; on Linux, where there are no instances, it makes containers.
//
//	inst what...
//
// It prints lines "bench NAME VALUE", with times in ns and memory in bytes, "bench NAME
// failed: WHY", and "bench end" at last. What it can do is in the table at the end.
//
// As /sbin/instinit it is the least that process 1 of an instance can be: it writes a
// byte to standard output and waits for ever. Started with "-instinit" it expects that to
// be a real one, which says nothing when it is ready; then it looks for it to be asleep.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	MOST = 1000, // alive at a time
	WARM = 20,   // started and stopped before anything is measured
	LAST = 100,  // how many of the last starts count when there are many
	STARTERS = 4,
};

static void fail(const char *what)
{
	printf("bench failed: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(1);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void pause_us(long us)
{
	struct timespec t = {us / 1000000, us % 1000000 * 1000};
	nanosleep(&t, NULL);
}

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	close(fd);
	return ok;
}

// Instances of mult: instctl(2). The least init has pipes as its descriptors 0 to 2, one of
// which takes its byte; a real one has the null device.

struct instctl {
	uint32_t version, op;
	uint64_t id, name, name_len, flags, data, data_len, value, text, text_len;
};

enum {
	SYS_instctl = 5001,
	INST_CREATE = 1,
	INST_KILL = 4,
	INST_WATCH = 7,
	INST_PROCS = 12,
	INST_DEBUG = 15,
	INST_BYID = 1,
	INST_STARTED = 2,
	INST_CLOEXEC = 4,
	INST_GC = 16,
	INST_STREAMS = 32,
	INST_DEAD = 4,
};

// inst_exec takes the other ends of the pipes.
struct inst_exec {
	uint64_t path, argv, envp;
	int in, out, err, watch;
};

static char sentence[512]; // what the kernel has said of the last error

static long instctl(struct instctl *c)
{
	c->version = 1;
	c->text = (uintptr_t)sentence;
	c->text_len = sizeof sentence;
	return syscall(SYS_instctl, c, sizeof *c);
}

// one is an instance or a container.
struct one {
	uint64_t id; // or pid
	int out;     // where the least init's byte comes from
	int rest[3]; // what else its maker is given
};

static int on_mult, real_init;
static int ready[2]; // the pipe by which a new one says that it is there

static void mult_start(struct one *o, int number)
{
	char name[32];
	struct inst_exec x = {.path = 0};
	struct instctl c = {.op = INST_CREATE, .flags = INST_STARTED, .name = (uintptr_t)name};
	c.name_len = sprintf(name, "i%d", number);
	if (!real_init) {
		c.flags |= INST_STREAMS;
		c.data = (uintptr_t)&x;
		c.data_len = sizeof x;
	}
	if (instctl(&c) < 0)
		fail(sentence);
	o->id = c.value;
	if (!real_init)
		*o = (struct one){c.value, x.out, {x.in, x.err, x.watch}};
}

static void mult_stop(struct one *o)
{
	struct instctl w = {.op = INST_WATCH, .flags = INST_BYID | INST_CLOEXEC, .id = o->id};
	struct instctl k = {.op = INST_KILL, .flags = INST_BYID, .id = o->id};
	struct {
		uint64_t id;
		uint32_t state, exit;
	} s;
	int fd = instctl(&w);
	if (fd < 0 || instctl(&k) < 0)
		fail(sentence);
	do
		if (read(fd, &s, sizeof s) != sizeof s)
			fail("watch");
	while (s.state != INST_DEAD);
	close(fd);
}

// mult_state is the letter that ps shows for process 1: number, parent, user, state...
static char mult_state(struct one *o)
{
	char line[4096] = "", state = '?';
	struct instctl c = {.op = INST_PROCS, .flags = INST_BYID, .id = o->id, .data = (uintptr_t)line, .data_len = sizeof line - 1};
	if (instctl(&c) >= 0)
		sscanf(line, "%*s %*s %*s %c", &state);
	return state;
}

// Containers of Linux: namespaces for processes, mounts, host name and System V IPC, none
// for the network. Its root is one directory for all, which can't be written to, with a
// /proc and a /tmp of its own: what every container has.

#define ROOT "/root"

static void container_failed(char step)
{
	if (write(ready[1], &step, 1) == 1)
		pause();
	_exit(1);
}

static void container(void)
{
	static char *const argv[] = {"/sbin/instinit", NULL}, *const env[] = {NULL};
	if (sethostname("instance", 8) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		container_failed('1');
	if (mount(ROOT, ROOT, NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, ROOT, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) < 0)
		container_failed('2');
	if (mount("proc", ROOT "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 ||
	    mount("tmpfs", ROOT "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m") < 0)
		container_failed('3');
	if (chdir(ROOT) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		container_failed('4');
	dup2(ready[1], 1);
	close_range(3, ~0u, 0);
	execve(argv[0], argv, env);
	_exit(1);
}

static void linux_start(struct one *o)
{
	struct clone_args c = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = syscall(SYS_clone3, &c, sizeof c);
	if (pid == 0)
		container();
	if (pid < 0)
		fail("clone3");
	o->id = pid;
	o->out = ready[0];
}

static void linux_stop(struct one *o)
{
	kill(o->id, SIGKILL);
	if (waitpid(o->id, NULL, 0) < 0)
		fail("waitpid");
}

static char linux_state(struct one *o)
{
	char path[64], text[512] = "", *p;
	sprintf(path, "/proc/%d/stat", (int)o->id);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	// The name is that of this program until it has executed the other.
	if (n <= 0 || !(p = strrchr(text, ')')) || !strstr(text, "(instinit)"))
		return '?';
	return p[2];
}

// Both.

// start starts one and returns how long that took.
static double start(struct one *o, int number)
{
	char c = 0;
	double began = now(), took;
	if (on_mult)
		mult_start(o, number);
	else
		linux_start(o);
	if (real_init) {
		while ((on_mult ? mult_state(o) : linux_state(o)) != 'S')
			pause_us(50);
	} else if (read(o->out, &c, 1) != 1 || c != 'u') {
		printf("bench failed: number %d at step %c\n", number, c);
		_exit(1);
	}
	took = now() - began;
	if (on_mult && !real_init) {
		close(o->out);
		for (int i = 0; i < 3; i++)
			close(o->rest[i]);
	}
	return took;
}

// stop ends one, and returns how long it took until nothing was left.
static double stop(struct one *o)
{
	double began = now();
	if (on_mult)
		mult_stop(o);
	else
		linux_stop(o);
	return now() - began;
}

static void say(const char *name, double value)
{
	printf("bench %s %.1f\n", name, value);
	fflush(stdout);
}

static int by_value(const void *a, const void *b)
{
	double d = *(const double *)a - *(const double *)b;
	return d < 0 ? -1 : d > 0;
}

// say_times tells the median of some times, and what 99 % are below.
static void say_times(const char *name, double *t, int n)
{
	char line[64];
	qsort(t, n, sizeof *t, by_value);
	sprintf(line, "%s_p50", name);
	say(line, t[n / 2]);
	sprintf(line, "%s_p99", name);
	say(line, t[(n - 1) * 99 / 100]);
}

// find finds a number behind a name at the start of a line.
static double find(const char *text, const char *name)
{
	size_t n = strlen(name);
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (strncmp(p, name, n) == 0 && strchr(" :", p[n]))
			return atof(p + n + 1);
	return 0;
}

static void meminfo(char *text, size_t size)
{
	int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, size - 1);
	if (n <= 0)
		fail("/proc/meminfo");
	text[n] = 0;
	close(fd);
}

// available is the memory that the machine has left, in bytes: on Linux what is free and
// what caches would give back.
static double available(void)
{
	char text[8192];
	meminfo(text, sizeof text);
	return find(text, "MemAvailable") * 1024;
}

// settle waits until what ended is really gone and memory has come to rest.
static void settle(void)
{
	double end = now() + 20e9, quiet = now() + 1e9, most = available();
	while (now() < quiet && now() < end) {
		pause_us(20000);
		double m = available();
		if (m > most + (256 << 10)) {
			most = m;
			quiet = now() + 1e9;
		}
	}
}

// kind is what memory is used for.
struct kind {
	const char *name, *key;
	double unit;
};

static const struct kind mult_kinds[] = {
	{"frames", "frames.used", 4096},
	{"heap", "frames.heap", 4096},
	{"objects", "heap.used", 1},
	{"stacks", "heap.stacks", 1},
	{0},
}, linux_kinds[] = {
	{"pages", "AnonPages", 1024},
	{"tables", "PageTables", 1024},
	{"slab", "Slab", 1024},
	{"stacks", "KernelStack", 1024},
	{0},
};

enum { KINDS = 4 };

// collect gives back to the machine what nobody uses: caches on Linux, the garbage of the
// kernel's heap on mult. It returns the kinds of memory that are in use.
static const struct kind *collect(double used[KINDS])
{
	char text[8192];
	struct instctl c = {.op = INST_DEBUG, .flags = INST_GC, .data = (uintptr_t)text, .data_len = sizeof text - 1};
	const struct kind *kinds = on_mult ? mult_kinds : linux_kinds;
	settle();
	if (on_mult) {
		long n = instctl(&c);
		if (n < 0)
			fail(sentence);
		text[n] = 0;
	} else {
		put("/proc/sys/vm/drop_caches", "3");
		settle();
		meminfo(text, sizeof text);
	}
	for (int i = 0; i < KINDS; i++)
		used[i] = find(text, kinds[i].key) * kinds[i].unit;
	return kinds;
}

static struct one all[MOST];
static double took[MOST];

static void warm(void)
{
	for (int i = 0; i < WARM; i++)
		start(&all[i], i);
	for (int i = 0; i < WARM; i++)
		stop(&all[i]);
}

// What can be measured.

// grow starts many, measures how much memory each takes, and stops them.
static void grow(void)
{
	double before[KINDS], after[KINDS];
	char name[64];

	collect(before);
	double had = available();
	for (int n = 0; n < MOST; n++)
		took[n] = start(&all[n], n);
	pause_us(200000);
	say("memory_taken_1000", (had - available()) / MOST);
	say_times("start_1000", took + MOST - LAST, LAST);
	const struct kind *kinds = collect(after);
	say("memory_1000", (had - available()) / MOST);
	for (int i = 0; i < KINDS; i++) {
		sprintf(name, "memory_%s", kinds[i].name);
		say(name, (after[i] - before[i]) / MOST);
	}
	for (int n = 0; n < MOST; n++)
		took[n] = stop(&all[n]);
	say_times("stop_1000", took, LAST);
	collect(after);
	say("memory_left", had - available());
}

static void single(void)
{
	enum { N = 300 };
	for (int i = 0; i < N; i++)
		took[i] = start(&all[i], i);
	say_times("start", took, N);
	for (int i = 0; i < N; i++)
		took[i] = stop(&all[i]);
	say_times("stop", took, N);
	settle();
}

// churn is one after the other, each started and stopped.
static void churn(void)
{
	enum { N = 200 };
	for (int i = 0; i < N; i++) {
		took[i] = start(all, 0);
		took[i] += stop(all);
	}
	say_times("churn", took, N);
	settle();
}

// together is several who start at the same time.
static void together(void)
{
	enum { N = 300 / STARTERS };
	double *times = mmap(NULL, STARTERS * N * sizeof *times, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	double began = now();
	int started[2], go[2], status;
	char c;
	if (times == MAP_FAILED || pipe(started) < 0 || pipe(go) < 0)
		fail("together");
	for (int s = 0; s < STARTERS; s++) {
		pid_t pid = fork();
		if (pid < 0)
			fail("fork");
		if (pid > 0)
			continue;
		close(go[1]);
		if (pipe2(ready, O_CLOEXEC) < 0)
			fail("pipe");
		for (int i = 0; i < N; i++)
			times[s * N + i] = start(&all[i], s * N + i);
		if (write(started[1], "s", 1) != 1 || read(go[0], &c, 1) < 0)
			fail("starter");
		for (int i = 0; i < N; i++)
			stop(&all[i]);
		_exit(0);
	}
	close(started[1]);
	for (int s = 0; s < STARTERS; s++)
		if (read(started[0], &c, 1) != 1)
			fail("a starter ended");
	say("together_each", (now() - began) / (STARTERS * N));
	say_times("together", times, STARTERS * N);
	close(started[0]), close(go[0]), close(go[1]);
	for (int s = 0; s < STARTERS; s++)
		if (wait(&status) < 0 || status != 0)
			fail("a starter failed");
	settle();
}

// beside becomes another program when there are many that have been idle for a while.
static void beside(char **argv)
{
	for (int i = 0; i < MOST; i++)
		start(&all[i], i);
	double used[KINDS];
	collect(used);
	pause_us(10000000);
	execv(argv[0], argv);
	fail(argv[0]);
}

static const struct {
	const char *name;
	void (*run)(void);
} parts[] = {{"grow", grow}, {"single", single}, {"churn", churn}, {"together", together}};

static void copy(const char *from, const char *to)
{
	static char b[65536];
	ssize_t n;
	int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
	if (in < 0 || out < 0)
		fail(in < 0 ? from : to);
	while ((n = read(in, b, sizeof b)) > 0)
		if (write(out, b, n) != n)
			fail(to);
	close(in), close(out);
}

// prepare makes the machine's root, since Linux has the archive only, which can't be
// exchanged for another root, and in it that of the containers.
static void prepare(void)
{
	static const char *const dirs[] = {"/new/proc", "/new/tmp", "/new/root", "/new/root/sbin", "/new/root/proc", "/new/root/tmp", "/new/root/dev", "/new/root/run", "/new/root/etc"};
	mkdir("/new", 0755);
	if (mount("new", "/new", "tmpfs", 0, NULL) < 0)
		fail("/new");
	for (unsigned i = 0; i < sizeof dirs / sizeof dirs[0]; i++)
		mkdir(dirs[i], 0755);
	copy(real_init ? "/instinit" : "/init", "/new/root/sbin/instinit");
	if (chdir("/new") < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		fail("the new root");
	if (mount("proc", "/proc", "proc", 0, NULL) < 0)
		fail("/proc");
}

int main(int argc, char **argv)
{
	const char *self = strrchr(argv[0], '/');
	if (self && strcmp(self, "/instinit") == 0) {
		if (write(1, "u", 1) != 1)
			return 1;
		close(1);
		for (;;)
			pause();
	}
	struct instctl none = {.op = 0};
	on_mult = instctl(&none) < 0 && errno != ENOSYS;
	for (int i = 1; i < argc; i++)
		real_init |= strcmp(argv[i], "-instinit") == 0;
	if (!on_mult)
		prepare();
	prctl(PR_SET_TIMERSLACK, 1);
	if (pipe2(ready, O_CLOEXEC) < 0)
		fail("pipe");
	warm();
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-idle") == 0)
			beside(argv + i + 1);
		for (unsigned p = 0; p < sizeof parts / sizeof parts[0]; p++)
			if (strcmp(argv[i], parts[p].name) == 0)
				parts[p].run();
	}
	printf("bench end\n");
	fflush(stdout);
	reboot(RB_POWER_OFF);
	return 0;
}
