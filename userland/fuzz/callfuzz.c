//go:build ignore

/* callfuzz makes system calls with random numbers and arguments, from several
 * threads of several processes, and loads random registers by way of signal
 * frames. A file "calls" beside the program tells which calls there are: a line
 *
 *	number name state argument:kind...
 *
 * for each, in the words of docs/syscalls.md and kern/linux/calls. */
#include "fuzz.h"
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <termios.h>
#include <ucontext.h>
#include <utime.h>

#define THREADS 6 /* of a worker; the first looks after the others */

/* The table of calls. */
static struct call {
	long number;
	char name[32];
	struct { char name[16], kind[10]; } args[6];
} calls[600];
static int ncalls, present[600], npresent; /* indices of those that there are */
static int null;
static unsigned char program[8192]; /* the file "static" beside this program */
static ssize_t program_size;

static void prepare(void)
{
	char line[400];
	FILE *f = fdopen(beside("calls"), "r");
	int fd = beside("static");

	program_size = read(fd, program, sizeof program);
	close(fd);
	while (fgets(line, sizeof line, f) != NULL && ncalls < (int)COUNT(calls)) {
		struct call *c = &calls[ncalls];
		char state[20], *word;
		if (sscanf(line, "%ld %31s %19s", &c->number, c->name, state) != 3)
			die(line);
		strtok(line, " \n"), strtok(NULL, " \n"), strtok(NULL, " \n");
		for (int i = 0; i < 6 && (word = strtok(NULL, " \n")) != NULL; i++)
			if (sscanf(word, "%15[^:]:%9s", c->args[i].name, c->args[i].kind) != 2)
				die(word);
		if (strcmp(state, "absent") != 0)
			present[npresent++] = ncalls;
		ncalls++;
	}
	fclose(f);
	if (npresent < 100)
		die("the list of calls is too short");
	if ((null = open("/dev/null", O_RDWR)) < 0)
		die("/dev/null");
}

/* ---- the directory of a round ---- */

static void make(const char *name, size_t size)
{
	static char text[64 << 10];
	int fd = open(name, O_WRONLY | O_CREAT, 0666);

	if (fd < 0 || write(fd, text, size) != (ssize_t)size)
		die(name);
	close(fd);
}

static void furnish(void)
{
	static const struct { const char *name; int major, minor; } nodes[] = {
		{"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7}, {"dev/random", 1, 8}, {"dev/urandom", 1, 9},
		{"dev/tty", 5, 0}, {"dev/ptmx", 5, 2},
	};

	chmod(".", 0777);
	make("file", 10000);
	make("large", 64 << 10);
	make("empty", 0);
	if (mkdir("dir", 0777) < 0 || mkdir("dir/deep", 0777) < 0 || mkdir("dev", 0755) < 0 || mkdir("proc", 0755) < 0 ||
		mkdir("dev/pts", 0755) < 0 || mkfifo("fifo", 0666) < 0 || symlink("file", "link") < 0 ||
		symlink("loop", "loop") < 0 || symlink("dir", "dirlink") < 0 || symlink("nothing", "dangling") < 0)
		die("the files of a round");
	make("dir/file", 5000);
	int fd = open("script", O_WRONLY | O_CREAT, 0777);
	dprintf(fd, "#!/program\n");
	close(fd);
	fd = open("program", O_WRONLY | O_CREAT, 0777);
	if (write(fd, program, program_size) != program_size)
		die("program");
	close(fd);
	for (size_t i = 0; i < COUNT(nodes); i++)
		if (mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) < 0)
			die(nodes[i].name);
	if (mount("devpts", "dev/pts", "devpts", 0, "ptmxmode=666") < 0 || mount("proc", "proc", "proc", 0, NULL) < 0)
		die("mount");
}

/* ---- values ---- */

/* Memory of a worker to play with. arena is what mapping calls are pointed at. */
static unsigned char *scratch, *edge, *readonly, *forbidden, *arena, *filemap;
static pid_t self;

/* Descriptors that a worker begins with, beside 0, 1 and 2. */
enum { PTY = 3, TTY, DIRECTORY, EPOLL, TIMER, EVENT, PIPE_OUT, PIPE_IN, MEMORY, FILE_RW, FIFO, PROC_DIR, PROC_FILE, FIRST_FREE };

#define SCRATCH (64 * PAGE)
#define ARENA (64 * PAGE)

static const uint64_t numbers[] = {
	0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 16, 24, 31, 32, 63, 64, 100, 127, 128, 255, 256, 511, 512, 1000, 1023, 1024,
	4095, 4096, 4097, 8192, 65535, 65536, 1 << 20, 1 << 24, 0x7ffff000, 0x7fffffff, 0x80000000, 0xfffff000, 0xffffffff,
	0x100000000, 0x100001000, 1ul << 40, 1ul << 47, 1ul << 52, 0x7ffffffffffff000, 0x7fffffffffffffff, 1ul << 63,
	-1ul, -2ul, -8ul, -100ul, -4095ul, -4096ul, -65536ul, 999999999, 1000000000, 1000000,
};

static uint64_t number(Random *r)
{
	switch (below(r, 8)) {
	case 0: return rnd(r) >> below(r, 64);
	case 1: case 2: case 3: return below(r, 40);
	case 4: return PICK(r, numbers) + below(r, 17) - 8;
	default: return PICK(r, numbers);
	}
}

static uint64_t descriptor(Random *r)
{
	static const int odd[] = {-1, -2, AT_FDCWD, INT_MAX, INT_MIN, 127, 128, 1000, 1 << 20, 64, 63};

	switch (below(r, 16)) {
	case 0: return PICK(r, odd);
	case 1: return below(r, 40) | rnd(r) << 32;
	case 2: case 3: return below(r, 40);
	default: return below(r, FIRST_FREE);
	}
}

/* A page that can't be used as it should. */
static void *bad(Random *r)
{
	static const uint64_t odd[] = {
		0, 1, 8, 0xfff, 0x1000, 0xffff, 0x10000, 0x7ffffffff000 - 8, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000,
		0x8000000000000000, 0xffff7fffffffffff, 0xffff800000000000, 0xffff888000100000, 0xffffffff80000000,
		0xffffffff81000000, 0xffffffffff600000, -4096ul, -8ul, -1ul,
	};

	switch (below(r, 5)) {
	case 0: return readonly + below(r, PAGE);
	case 1: return forbidden + below(r, PAGE);
	case 2: return edge - below(r, 64);
	default: return (void *)PICK(r, odd);
	}
}

static void *pointer(Random *r)
{
	switch (below(r, 16)) {
	case 0: case 1: return bad(r);
	case 2: return arena + below(r, ARENA);
	case 3: return edge - (1 << below(r, 8));
	case 4: return filemap + below(r, 2 * PAGE);
	case 5: return once_in(r, 20) ? (void *)&errno : once_in(r, 20) ? (void *)pointer : (void *)scratch;
	case 6: return scratch + below(r, SCRATCH);
	default: return scratch + below(r, SCRATCH / 64) * 64;
	}
}

/* Files that are, and names that nobody has. */
static char *path(Random *r)
{
	static const char *const names[] = {
		"program", "file", "large", "empty", "dir", "dir/file", "dir/deep", "fifo", "link", "loop", "dirlink", "dirlink/file",
		"dangling", "script", "nothing", "nothing/more", "file/more", "", "/", ".", "..", "../..", "dir/", "file/", "//dir//.//file",
		"new0", "new1", "new2", "dir/new0", "dir/new1", "dir/deep/new0", "dirlink/new2", "newdir", "newdir/new0", "newdir/..",
		"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx", "/dev/pts", "/dev/pts/0", "/dev/pts/1",
		"/proc", "/proc/self", "/proc/self/fd", "/proc/self/fd/3", "/proc/self/fd/5", "/proc/self/maps", "/proc/self/smaps",
		"/proc/self/status", "/proc/self/stat", "/proc/self/task", "/proc/self/cmdline", "/proc/self/environ", "/proc/self/root",
		"/proc/self/cwd", "/proc/self/exe", "/proc/self/mem", "/proc/self/mounts", "/proc/self/limits", "/proc/meminfo", "/proc/stat",
		"/proc/uptime", "/proc/loadavg", "/proc/mounts", "/proc/cpuinfo", "/proc/sys/kernel/hostname", "/proc/sys/kernel/pid_max",
		"/proc/sys/vm/overcommit_memory", "/proc/thread-self", "/proc/self/comm", "/proc/self/oom_score_adj", "/proc/1/maps",
		"tmpfs", "proc", "devpts",
	};
	size_t n = below(r, 8);
	char *to = (char *)scratch + below(r, SCRATCH / 64 - 128) * 64;

	if (n == 0) { /* a long one */
		static const size_t sizes[] = {254, 255, 256, 1023, 4094, 4095, 4096, 5000};
		size_t length = PICK(r, sizes), every = 2 + below(r, 300);
		for (size_t i = 0; i < length; i++)
			to[i] = i % every == every - 1 ? '/' : 'n';
		to[length] = 0;
		return to;
	}
	const char *name = PICK(r, names);
	char other[64];
	if (n == 2) { /* of some process, which may end at any moment */
		static const char *const about[] = {
			"", "fd", "fd/3", "fdinfo", "fdinfo/5", "maps", "smaps", "status", "stat", "statm", "task", "cmdline", "environ",
			"root/dir", "cwd", "exe", "mem", "mounts", "mountinfo", "limits", "comm", "wchan", "io", "oom_score_adj",
		};
		snprintf(other, sizeof other, "/proc/%d/%s", parent + 1 + (int)below(r, 2 * (self - parent) + 1), PICK(r, about));
		name = other;
	}
	if (n == 1) /* where no more can be read behind it */
		to = (char *)edge - strlen(name) - !once_in(r, 4); /* with its end or without */
	memcpy(to, name, strlen(name) + (to + strlen(name) != (char *)edge));
	return to;
}

static uint64_t flags(Random *r)
{
	switch (below(r, 12)) {
	case 0: case 1: case 2: return 0;
	case 10: return 0x100ul << below(r, 6); /* AT_SYMLINK_NOFOLLOW and its like */
	case 11: return below(r, 4);
	case 3: case 4: return 1ul << below(r, 32);
	case 5: return 1ul << below(r, 24) | 1ul << below(r, 24) | 1ul << below(r, 24);
	case 6: return below(r, 32);
	case 7: return rnd(r) & rnd(r) & rnd(r) & 0xffffffff;
	case 8: return below(r, 8);
	default: return number(r);
	}
}

/* A process, thread or group; guard sees to those that nobody may meddle with. */
static uint64_t process(Random *r)
{
	static const int odd[] = {-1, 1, 2, 99999, INT_MAX, INT_MIN, -2, 32768, 4194304};

	switch (below(r, 8)) {
	case 0: return PICK(r, odd);
	case 1: return -self;
	case 2: return self + below(r, 8);
	case 3: return -(self + (int)below(r, 8));
	case 4: return syscall(SYS_gettid);
	case 5: return 0;
	default: return self;
	}
}

static void on_signal(int n) { (void)n; }

static int is(const char *a, const char *b) { return strcmp(a, b) == 0; }

/* A time of at most some milliseconds, mostly. */
static uint64_t *time_at(Random *r, uint64_t *p, uint64_t unit)
{
	p[0] = once_in(r, 10) ? number(r) : 0;
	p[1] = once_in(r, 10) ? number(r) : below(r, 2 * unit);
	return p;
}

/* structure makes what a call reads, by the name of the argument; some of it
 * is then changed. */
static void *structure(Random *r, const char *call, const char *name)
{
	uint64_t *p = (uint64_t *)(scratch + below(r, SCRATCH / 64 - 16) * 64);
	uint32_t *w = (uint32_t *)p;
	int words = 8;

	if (is(name, "iov")) {
		for (int i = 0; i < 8; i++) {
			p[2 * i] = (uint64_t)pointer(r);
			p[2 * i + 1] = once_in(r, 6) ? number(r) : below(r, 5000);
		}
		words = 16;
	} else if (is(name, "fds")) {
		for (int i = 0; i < 8; i++) {
			w[2 * i] = descriptor(r);
			w[2 * i + 1] = once_in(r, 2) ? 0xffff & rnd(r) : POLLIN | POLLOUT;
		}
	} else if (is(name, "act")) {
		p[0] = once_in(r, 10) ? (uint64_t)pointer(r) : once_in(r, 4) ? below(r, 2) : (uint64_t)on_signal;
		p[1] = (once_in(r, 2) ? 0 : rnd(r) & 0xd8000007) | 0x04000000;
		p[2] = (uint64_t)pointer(r);
		p[3] = rnd(r) & rnd(r) & rnd(r);
		if ((p[0] == (uint64_t)on_signal) && !once_in(r, 20)) {
			struct sigaction old; /* whose restorer is good */
			struct { uint64_t handler, flags, restorer, mask; } raw;
			if (sigaction(SIGALRM, NULL, &old) == 0 && syscall(SYS_rt_sigaction, SIGALRM, NULL, &raw, 8L) == 0)
				p[2] = raw.restorer;
		}
	} else if (is(name, "event")) {
		w[0] = once_in(r, 2) ? rnd(r) : EPOLLIN | EPOLLOUT | (once_in(r, 2) ? EPOLLET : 0);
		w[1] = descriptor(r);
	} else if (strstr(name, "time") != NULL || is(name, "req") || is(name, "times")) {
		time_at(r, p, 1000000);
		time_at(r, p + 2, 1000000);
	} else if (is(name, "new") || is(name, "value")) {
		uint64_t unit = once_in(r, 2) ? 1000 : 1000000;
		time_at(r, p, unit);
		time_at(r, p + 2, unit);
	} else if (is(call, "clone3")) {
		p[0] = flags(r);
		p[1] = p[2] = p[3] = (uint64_t)pointer(r);
		p[4] = once_in(r, 2) ? SIGCHLD : number(r);
		p[5] = once_in(r, 2) ? 0 : (uint64_t)arena;
		p[6] = once_in(r, 2) ? 0 : PAGE;
		p[7] = p[8] = p[9] = p[10] = 0;
		words = 11;
	} else if (is(call, "sigaltstack")) {
		p[0] = (uint64_t)arena;
		w[2] = below(r, 4);
		p[2] = once_in(r, 4) ? number(r) : 16384;
		words = 3;
	} else {
		words = 16;
		for (int i = 0; i < words; i++)
			p[i] = once_in(r, 4) ? (uint64_t)pointer(r) : once_in(r, 2) ? number(r) : number(r) << 32 | (number(r) & 0xffffffff);
	}
	while (once_in(r, 3))
		p[below(r, words)] = once_in(r, 2) ? number(r) : (uint64_t)pointer(r);
	if (once_in(r, 16)) { /* at the end of what can be read */
		size_t size = 8 * words - below(r, 2) * below(r, 8);
		return memcpy(edge - size, p, size);
	}
	return p;
}

static void *strings(Random *r)
{
	char **p = (char **)(scratch + below(r, SCRATCH / 64 - 16) * 64);
	int n = below(r, 6);

	for (int i = 0; i < n; i++)
		p[i] = once_in(r, 8) ? pointer(r) : path(r);
	p[n] = NULL;
	return p;
}

static uint64_t argument(Random *r, struct call *c, int i)
{
	const char *kind = c->args[i].kind, *name = c->args[i].name;

	if (once_in(r, 20))
		return once_in(r, 2) ? number(r) : (uint64_t)pointer(r);
	if (is(kind, "fd") || is(kind, "dirfd"))
		return is(kind, "dirfd") && once_in(r, 2) ? AT_FDCWD : descriptor(r);
	if (is(kind, "path") || is(kind, "string"))
		return (uint64_t)(once_in(r, 16) ? pointer(r) : path(r));
	if (is(kind, "strings"))
		return (uint64_t)(once_in(r, 16) ? pointer(r) : strings(r));
	if (is(kind, "in") || is(kind, "inout"))
		return (uint64_t)(once_in(r, 6) ? pointer(r) : once_in(r, 8) ? NULL : structure(r, c->name, name));
	if (is(kind, "out"))
		return (uint64_t)(once_in(r, 8) ? NULL : pointer(r));
	if (is(kind, "addr"))
		return (uint64_t)(once_in(r, 4) ? pointer(r) : once_in(r, 3) ? NULL : arena + below(r, 64) * PAGE);
	if (is(kind, "size"))
		return once_in(r, 3) ? number(r) : strstr(name, "set") != NULL ? 8 : once_in(r, 2) ? below(r, 16) * PAGE : below(r, 3 * PAGE);
	if (is(kind, "flags"))
		return flags(r);
	if (is(kind, "mode"))
		return once_in(r, 2) ? 0777 : rnd(r) & 0177777;
	if (is(kind, "pid"))
		return process(r);
	if (is(kind, "id"))
		return once_in(r, 3) ? 1000 + below(r, 4) : number(r);
	if (is(kind, "signal"))
		return once_in(r, 8) ? number(r) : once_in(r, 4) ? below(r, 66) : SIGALRM;
	if (is(kind, "ulong"))
		return once_in(r, 2) ? number(r) : (uint64_t)structure(r, c->name, name);
	if (is(kind, "int") && once_in(r, 2))
		return below(r, 4);
	if (is(name, "timeout")) /* of poll and epoll, in milliseconds */
		return below(r, 5);
	return number(r);
}

/* special sets arguments that chance alone would hardly find. */
static void special(Random *r, struct call *c, uint64_t *a)
{
	switch (c->number) {
	case SYS_mmap:
		a[2] = below(r, 8);
		a[3] = (once_in(r, 2) ? MAP_PRIVATE : MAP_SHARED) | (once_in(r, 2) ? MAP_ANONYMOUS : 0) | (once_in(r, 4) ? flags(r) : 0);
		if (a[0] >= (uint64_t)arena && a[0] < (uint64_t)arena + ARENA && once_in(r, 2))
			a[3] |= MAP_FIXED;
		a[5] = once_in(r, 4) ? number(r) : below(r, 4) * PAGE;
		break;
	case SYS_ioctl: {
		static const uint64_t more[] = {0x80045430, 0x40045431, 0x80045432, 0x40045436, 0x5450, 0x5451, 0x5452, 0x541b, 0x5421};
		a[1] = once_in(r, 8) ? number(r) : once_in(r, 4) ? PICK(r, more) : 0x5400 + below(r, 0x60);
		if (!once_in(r, 4))
			a[0] = PTY + below(r, 2);
		break;
	}
	case SYS_fcntl:
		a[1] = once_in(r, 3) ? 1024 + below(r, 16) : below(r, 40);
		break;
	case SYS_futex:
		a[0] = (uint64_t)scratch + below(r, 4) * 4 + once_in(r, 20);
		a[1] = below(r, 14) | (once_in(r, 2) ? 128 : 0) | (once_in(r, 8) ? 256 : 0);
		a[2] = *(uint32_t *)scratch;
		a[3] = (uint64_t)(once_in(r, 4) ? (void *)number(r) : structure(r, c->name, "timeout"));
		a[4] = (uint64_t)scratch + below(r, 4) * 4;
		break;
	case SYS_prctl:
		a[0] = once_in(r, 6) ? number(r) : 1 + below(r, 70);
		break;
	case SYS_arch_prctl:
		a[0] = 0x1001 + below(r, 0x12);
		break;
	case SYS_madvise:
		a[2] = once_in(r, 4) ? number(r) : below(r, 26);
		break;
	case SYS_clone:
		a[0] = once_in(r, 3) ? number(r) : SIGCHLD | (once_in(r, 2) ? 0 : flags(r) & ~0xfful);
		if (once_in(r, 3))
			a[0] |= CLONE_VM;
		if (once_in(r, 4))
			a[0] |= CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FS | CLONE_FILES;
		a[1] = once_in(r, 2) ? 0 : (uint64_t)arena + PAGE;
		break;
	case SYS_close: case SYS_dup2: case SYS_dup3: /* most of the first ones stay */
		if (!once_in(r, 16) && a[c->number != SYS_close] < FIRST_FREE)
			a[c->number != SYS_close] += FIRST_FREE;
		break;
	case SYS_getdents: case SYS_getdents64: case SYS_fchdir:
		a[0] = once_in(r, 2) ? DIRECTORY : PROC_DIR;
		break;
	case SYS_epoll_ctl:
		a[0] = EPOLL;
		a[1] = 1 + below(r, 3);
		break;
	case SYS_epoll_wait: case SYS_epoll_pwait: case SYS_epoll_pwait2:
		a[0] = EPOLL;
		a[2] = 1 + below(r, 10);
		break;
	case SYS_timerfd_settime: case SYS_timerfd_gettime:
		a[0] = TIMER;
		a[1] = c->number == SYS_timerfd_settime ? below(r, 4) : a[1];
		break;
	case SYS_rt_sigaction:
		a[0] = below(r, 66);
		break;
	case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo: {
		int *info = memset(scratch + below(r, SCRATCH / 128 - 1) * 128, 0, 128);
		info[2] = -1 - (int)below(r, 4); /* SI_QUEUE */
		info[4] = rnd(r);
		a[c->number == SYS_rt_sigqueueinfo ? 2 : 3] = (uint64_t)info;
		break;
	}
	case SYS_clone3:
		a[1] = 64 + 8 * below(r, 4);
		break;
	case SYS_set_robust_list: {
		uint64_t *head = (uint64_t *)a[0];
		a[1] = 24;
		if ((unsigned char *)head >= scratch && (unsigned char *)head < scratch + SCRATCH - 64) {
			head[0] = (uint64_t)(once_in(r, 2) ? pointer(r) : (void *)head);
			head[1] = once_in(r, 2) ? 0 : number(r);
			head[2] = once_in(r, 2) ? 0 : (uint64_t)pointer(r);
		}
		break;
	}
	case SYS_fallocate:
		a[0] = once_in(r, 2) ? MEMORY : FILE_RW;
		a[1] = below(r, 4);
		break;
	case SYS_mount:
		a[2] = (uint64_t)path(r);
		strcpy((char *)a[2], once_in(r, 2) ? "tmpfs" : "proc");
		break;
	}
}

/* guard keeps calls from ending the run, which some do on purpose. */
static void guard(struct call *c, uint64_t *a)
{
	int p = a[0], *g = (int *)&a[0];

	switch (c->number) {
	case SYS_reboot:
		a[0] = 0;
		return;
	case SYS_chroot: /* whose current directory is not below leaves the world of the round */
		a[0] = (uint64_t)"/";
		return;
	case SYS_setpriority: /* not of all processes of a user */
		if ((int)a[0] != PRIO_PROCESS && (int)a[0] != PRIO_PGRP)
			a[0] = PRIO_PROCESS;
		p = a[1];
		g = (int *)&a[1];
		break;
	case SYS_kill: case SYS_tkill: case SYS_tgkill: case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo:
	case SYS_prlimit64: case SYS_sched_setparam: case SYS_sched_setscheduler: case SYS_sched_setaffinity: case SYS_setpgid:
		break;
	default:
		return;
	}
	if (p == -1 || (p != 0 && p <= parent && -p <= parent))
		*g = self;
	if (c->number == SYS_tgkill || c->number == SYS_rt_tgsigqueueinfo)
		if ((int)a[1] <= parent)
			a[1] = self;
}

/* ---- calls ---- */

/* raw makes a call whose child, if it makes one, ends at once without a look at
 * its stack. */
static long raw(long n, uint64_t *a)
{
	register uint64_t r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = a[5];
	long ret;

	if (n == SYS_clone || n == SYS_clone3 || n == SYS_vfork || n == SYS_fork) {
		__asm__ volatile(
			"syscall\n"
			"test %%rax, %%rax\n"
			"jnz 1f\n"
			"mov $60, %%eax\n"
			"xor %%edi, %%edi\n"
			"syscall\n"
			"ud2\n"
			"1:\n"
			: "=a"(ret) : "a"(n), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
		return ret;
	}
	__asm__ volatile("syscall"
		: "=a"(ret) : "a"(n), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return ret;
}

/* adrift makes a call with any stack pointer. A signal that comes meanwhile
 * finds no stack. */
static long adrift(long n, uint64_t *a, uint64_t stack)
{
	register uint64_t r10 __asm__("r10") = a[3], r8 __asm__("r8") = a[4], r9 __asm__("r9") = stack;
	long ret;

	__asm__ volatile(
		"mov %%rsp, %%rbx\n"
		"mov %%r9, %%rsp\n"
		"syscall\n"
		"mov %%rbx, %%rsp\n"
		: "=a"(ret) : "a"(n), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9) : "rbx", "rcx", "r11", "memory");
	return ret;
}

/* open_one opens something, that there are descriptors to work with. */
static void open_one(Random *r)
{
	static const int kinds[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_NONBLOCK, O_RDWR | O_APPEND, O_RDONLY | O_DIRECTORY, O_PATH};
	int fds[2], fd;
	unsigned unlock = 0;

	switch (below(r, 12)) {
	case 0:
		if (pipe2(fds, once_in(r, 2) ? O_NONBLOCK : 0) < 0)
			return;
		break;
	case 1: eventfd(below(r, 3), once_in(r, 2) ? EFD_NONBLOCK : 0); break;
	case 2: epoll_create1(0); break;
	case 3: timerfd_create(CLOCK_MONOTONIC, once_in(r, 2) ? TFD_NONBLOCK : 0); break;
	case 4: memfd_create("memory", 0); break;
	case 5:
		fd = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
		if (fd >= 0 && syscall(SYS_ioctl, fd, 0x40045431L, &unlock) == 0) /* TIOCSPTLCK */
			syscall(SYS_ioctl, fd, 0x5441L, O_RDWR | O_NONBLOCK | (once_in(r, 2) ? O_NOCTTY : 0)); /* TIOCGPTPEER */
		break;
	case 6: open("fifo", O_RDWR | O_NONBLOCK); break;
	default: open(path(r), PICK(r, kinds) | (once_in(r, 3) ? O_CREAT : 0) | O_NONBLOCK, 0666);
	}
}

/* move makes a descriptor the one with a number. */
static void move(int fd, int to)
{
	if (fd >= 0 && fd != to) {
		dup2(fd, to);
		close(fd);
	}
}

/* first_files opens the descriptors that a worker begins with. */
static void first_files(void)
{
	int fds[2], unlock = 0;

	for (int fd = 3; fd < FIRST_FREE; fd++) /* so that move needs not care */
		dup2(0, fd);
	move(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK), PTY);
	ioctl(PTY, TIOCSPTLCK, &unlock);
	move(ioctl(PTY, TIOCGPTPEER, O_RDWR | O_NONBLOCK), TTY); /* the controlling one */
	move(open("/dir", O_RDONLY), DIRECTORY);
	move(epoll_create1(0), EPOLL);
	move(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK), TIMER);
	move(eventfd(1, EFD_NONBLOCK), EVENT);
	if (pipe2(fds, O_NONBLOCK) == 0) {
		move(fds[0], PIPE_OUT);
		move(fds[1], PIPE_IN);
	}
	move(memfd_create("memory", 0), MEMORY);
	move(open("/file", O_RDWR | O_NONBLOCK), FILE_RW);
	move(open("/fifo", O_RDWR | O_NONBLOCK), FIFO);
	move(open("/proc", O_RDONLY), PROC_DIR);
	move(open("/proc/self/maps", O_RDONLY), PROC_FILE);
}

static void one_call(Random *r, int worker, int thread)
{
	static const long beyond[] = {-1, -2, INT_MIN, INT_MAX, 463, 500, 999, 5000, 5001, 5002, 0x40000000, 0x40000001, 100000};
	struct call *c, unknown = {.name = "unknown"};
	uint64_t a[6];
	volatile uint64_t *now = shared->now[worker][thread];
	long ret;

	if (once_in(r, 40)) {
		unknown.number = PICK(r, beyond);
		if (unknown.number == 5000)
			unknown.number = 5001; /* 5000 may panic on purpose */
		c = &unknown;
	} else if (once_in(r, 40))
		c = &calls[below(r, ncalls)];
	else
		c = &calls[present[below(r, npresent)]];

	/* What ends a thread is not tried as often as the rest. */
	switch (c->number) {
	case SYS_exit: case SYS_exit_group: case SYS_execve: case SYS_execveat: case SYS_pause: case SYS_rt_sigsuspend:
	case SYS_rt_sigreturn: case SYS_vfork: case SYS_fork: case SYS_chroot: case SYS_setsid: case SYS_close_range:
		if (!once_in(r, 16))
			return;
	}
	for (int i = 0; i < 6; i++)
		a[i] = c->args[i].kind[0] != 0 ? argument(r, c, i) : once_in(r, 4) ? number(r) : 0;
	if (!once_in(r, 8))
		special(r, c, a);
	if ((c->number == SYS_kill || c->number == SYS_tgkill || c->number == SYS_tkill) && !once_in(r, 20))
		a[c->number == SYS_tgkill ? 2 : 1] = SIGALRM;
	guard(c, a);
	now[0] = c->number;
	for (int i = 0; i < 6; i++)
		now[i + 1] = a[i];
	if (once_in(r, 60) && c->number != SYS_clone && c->number != SYS_clone3 && c->number != SYS_vfork && c->number != SYS_fork)
		ret = adrift(c->number, a, once_in(r, 2) ? rnd(r) : (uint64_t)pointer(r));
	else
		ret = raw(once_in(r, 8) ? c->number | rnd(r) << 32 : (uint64_t)c->number, a);
	now[0] = -1;
	__atomic_fetch_add(&shared->done, 1, __ATOMIC_RELAXED);
	if (ret >= 0 || ret < -4095)
		__atomic_fetch_add(&shared->good, 1, __ATOMIC_RELAXED);
}

/* ---- registers ---- */

static Random *frames; /* of the process that loads random registers */
static int left;

static uint64_t reg(Random *r)
{
	switch (below(r, 4)) {
	case 0: return rnd(r);
	case 1: return number(r);
	default: return (uint64_t)pointer(r);
	}
}

/* spoil is the handler of all faults: it changes the registers that its return
 * loads. They hardly ever suit the program, so that there is a fault soon. */
static void spoil(int n, siginfo_t *info, void *context)
{
	Random *r = frames;
	ucontext_t *u = context;
	greg_t *g = u->uc_mcontext.gregs;
	unsigned char *fpu = (unsigned char *)u->uc_mcontext.fpregs;

	(void)n;
	(void)info;
	if (left-- <= 0)
		_exit(0);
	for (int i = 0; i < REG_RIP; i++)
		if (once_in(r, 2))
			g[i] = reg(r);
	if (once_in(r, 2))
		g[REG_RIP] = once_in(r, 2) ? (uint64_t)on_signal + below(r, 4096) : reg(r);
	if (once_in(r, 3))
		g[REG_EFL] = once_in(r, 2) ? rnd(r) : g[REG_EFL] ^ 1ul << below(r, 22);
	if (once_in(r, 6))
		g[REG_CSGSFS] = once_in(r, 2) ? rnd(r) : g[REG_CSGSFS] ^ 1ul << below(r, 64);
	if (fpu != NULL)
		for (int i = below(r, 6); i > 0; i--) {
			size_t at = once_in(r, 2) ? below(r, 32) : below(r, 2) ? 464 + below(r, 48) : below(r, 800);
			fpu[at] = rnd(r);
		}
	if (once_in(r, 16))
		u->uc_mcontext.fpregs = (void *)reg(r);
	if (once_in(r, 8))
		u->uc_flags = rnd(r);
	if (once_in(r, 8))
		memset(&u->uc_sigmask, 0, sizeof u->uc_sigmask);
	if (once_in(r, 8)) {
		u->uc_stack.ss_sp = (void *)reg(r);
		u->uc_stack.ss_size = number(r);
		u->uc_stack.ss_flags = flags(r);
	}
}

/* random_registers forks a process that enters user mode with them. */
static void random_registers(Random *r)
{
	Random own = {rnd(r)};

	if (syscall(SYS_fork) != 0)
		return;
	if (getuid() == 0 && syscall(SYS_setuid, 2000) != 0) /* it may find a SYSCALL and kill everybody */
		_exit(0);
	static unsigned char stack[64 << 10];
	stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction act = {.sa_sigaction = spoil, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGUSR1};
	struct itimerval soon = {{0, 0}, {0, 300000}};

	frames = &own;
	left = 50;
	signal(SIGALRM, SIG_DFL);
	sigprocmask(SIG_SETMASK, &(sigset_t){0}, NULL);
	setitimer(ITIMER_REAL, &soon, NULL); /* it may as well go on for ever */
	sigaltstack(&alt, NULL);
	for (size_t i = 0; i < COUNT(faults); i++)
		sigaction(faults[i], &act, NULL);
	kill(getpid(), SIGUSR1);
	for (;;)
		*(volatile int *)0 = 0;
}

/* ---- workers ---- */

static int worker_number;

static void *fuzz_thread(void *arg)
{
	int thread = (intptr_t)arg >> 56;
	Random r = {(uint64_t)arg * 0x9e3779b97f4a7c15};

	for (unsigned i = 0;; i++) {
		if (i % 32 == 0)
			open_one(&r);
		if (once_in(&r, 500))
			random_registers(&r);
		one_call(&r, worker_number, thread);
	}
	return NULL;
}

/* map maps memory, or a file if it can, with pages before and behind it that
 * aren't to be used. */
static void *map(size_t size, int prot, int fd)
{
	const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
	void *p = mmap(NULL, size + 2 * PAGE, PROT_NONE, anonymous, -1, 0);

	if (p == MAP_FAILED)
		_exit(0); /* the others have the memory */
	p += PAGE;
	if (fd >= 0 && mmap(p, size, prot, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED)
		return p;
	if (mmap(p, size, prot, anonymous | MAP_FIXED, -1, 0) == MAP_FAILED)
		_exit(0);
	return p;
}

static void work(int worker, uint64_t seed)
{
	Random r = {seed};
	struct sigaction act = {.sa_handler = on_signal};
	uint64_t before[THREADS] = {0};
	pthread_t threads[THREADS];
	const int rw = PROT_READ | PROT_WRITE;

	worker_number = worker;
	self = getpid();
	scratch = map(SCRATCH, rw, -1);
	arena = map(ARENA, rw, -1);
	readonly = map(PAGE, PROT_READ, -1);
	forbidden = map(PAGE, PROT_NONE, -1);
	edge = map(2 * PAGE, rw, -1);
	munmap(edge += PAGE, PAGE);
	filemap = map(2 * PAGE, rw, open("/file", O_RDWR | O_NONBLOCK));
	for (int i = 0; i < 3; i++) /* what is written must not look like a report */
		dup2(null, i);
	close(null);
	for (int i = 1; i < 32; i++)
		sigaction(i, &act, NULL);
	first_files();
	for (int i = 1; i < THREADS; i++) {
		uintptr_t arg = (uintptr_t)i << 56 | rnd(&r) >> 8;
		if (pthread_create(&threads[i], NULL, fuzz_thread, (void *)arg) != 0)
			return;
	}
	/* A thread that waits in a call is interrupted, if it lets itself. */
	for (;;) {
		sleep_ms(4);
		for (int i = 1; i < THREADS; i++) {
			volatile uint64_t *now = shared->now[worker][i];
			uint64_t sum = now[0];
			for (int j = 1; j < 7; j++)
				sum = sum * 31 + now[j];
			if (sum == before[i])
				pthread_kill(threads[i], SIGUSR2);
			before[i] = sum;
		}
	}
}
