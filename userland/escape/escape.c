//go:build ignore

/* escape: ways out of an instance, which lead nowhere. See escape.go. */
#include "calltest.h"

#include <pty.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <termios.h>

#define OUTSIDE "outside" /* name of a file and of a process that are not here */

enum { MOST_PID = 4096, MOST_FD = 1024 };

static unsigned char inherited[MOST_FD]; /* descriptors at the start */
static struct stat root;

__attribute__((constructor)) static void begin(void)
{
	for (int fd = 0; fd < MOST_FD; fd++)
		inherited[fd] = fcntl(fd, F_GETFD) >= 0;
	if (stat("/", &root) < 0)
		_exit(1);
}

/* stay is what is outside. */
static int stay(int argc, char **argv)
{
	(void)argc, (void)argv;
	close(open("/" OUTSIDE, O_WRONLY | O_CREAT, 0666));
	prctl(PR_SET_NAME, OUTSIDE);
	puts("staying");
	fflush(stdout);
	while (pause() < 0)
		;
	return 0;
}
HOOK(stay)

static int same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* inside fails the case unless the directory dir is below this instance's root. */
static void inside(int dir, const char *what)
{
	struct stat st;
	int up = dup(dir);

	for (int i = 0; i < 200; i++) {
		if (faccessat(up, OUTSIDE, F_OK, 0) == 0)
			FAIL("%s: leads outside", what);
		int next = openat(up, "..", O_PATH | O_DIRECTORY);
		CHECK(next >= 0);
		close(up);
		up = next;
	}
	CHECK(fstat(up, &st) == 0);
	close(up);
	if (!same(&st, &root))
		FAIL("%s: ends at %#lx:%lu, the root is %#lx:%lu", what, st.st_dev, st.st_ino, root.st_dev, root.st_ino);
}

/* here is inside of the working directory and of the root. */
static void here(const char *what)
{
	int fd = open(".", O_PATH | O_DIRECTORY);

	CHECK(fd >= 0);
	inside(fd, what);
	close(fd);
	CHECKERR(access("/" OUTSIDE, F_OK), ENOENT);
}

/* each_proc calls f for the processes that proc, a mounted procfs, shows. */
static int each_proc(const char *proc, void (*f)(const char *dir, int pid))
{
	DIR *d = opendir(proc);
	struct dirent *e;
	char path[300];
	int n = 0;

	CHECK(d != NULL);
	while ((e = readdir(d)))
		if (atoi(e->d_name) > 0) {
			snprintf(path, sizeof path, "%s/%s", proc, e->d_name);
			f(path, atoi(e->d_name));
			n++;
		}
	closedir(d);
	return n;
}

static unsigned char visible[MOST_PID];

static void note(const char *dir, int pid)
{
	(void)dir;
	if (pid < MOST_PID)
		visible[pid] = 1;
}

/* not_mine calls f for numbers of processes that aren't this instance's. */
static void not_mine(void (*f)(int pid))
{
	each_proc("/proc", note);
	for (int pid = 1; pid < MOST_PID; pid++)
		if (!visible[pid])
			f(pid);
}

TEST(nothing_outside_by_name)
{
	CHECKERR(access("/" OUTSIDE, F_OK), ENOENT);
	CHECKERR(access("/../../" OUTSIDE, F_OK), ENOENT);
	CHECKERR(access("/proc/self/root/../" OUTSIDE, F_OK), ENOENT);
	CHECKERR(access("/proc/1/root/../../" OUTSIDE, F_OK), ENOENT);
	CHECKERR(access("/proc/self/cwd/../../../../../" OUTSIDE, F_OK), ENOENT);
	CHECKERR(access("/proc/1/cwd/../../" OUTSIDE, F_OK), ENOENT);
}

TEST(dotdot)
{
	CHECK(chdir("/") == 0);
	for (int i = 0; i < 100; i++)
		CHECK(chdir("..") == 0);
	here("..");
}

TEST(symbolic_links)
{
	static const char *to[] = {"/..", "../../../../../../..", "/proc/1/root/..", "/proc/self/root/../..", "/proc/1/cwd/.."};

	for (unsigned i = 0; i < sizeof to / sizeof *to; i++) {
		CHECK(symlink(to[i], "link") == 0);
		int fd = open("link", O_PATH | O_DIRECTORY);
		CHECK(fd >= 0);
		inside(fd, to[i]);
		close(fd);
		CHECK(unlink("link") == 0);
	}
}

TEST(inherited_descriptors)
{
	for (int fd = 0; fd < MOST_FD; fd++)
		if (inherited[fd] != (fd < 3))
			FAIL("at the start descriptor %d is %s", fd, inherited[fd] ? "open" : "closed");
	for (int fd = 0; fd < 3; fd++) {
		struct stat st;
		CHECK(fstat(fd, &st) == 0);
		CHECK(S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode));
		CHECKERR(fchdir(fd), ENOTDIR);
		CHECKERR(openat(fd, "..", O_PATH), ENOTDIR);
		CHECKERR(openat(fd, OUTSIDE, O_RDONLY), ENOTDIR);
		CHECK(openat(fd, "", O_PATH | O_DIRECTORY) < 0);
	}
	for (int fd = 3; fd < MOST_FD; fd++)
		CHECKERR(openat(fd, ".", O_PATH), EBADF);
}

TEST(reopened_descriptors)
{
	char path[64];
	struct stat a, b;

	for (int fd = 0; fd < 3; fd++) {
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		int again = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY);
		if (again < 0)
			continue;
		CHECK(fstat(fd, &a) == 0 && fstat(again, &b) == 0);
		CHECKEQ(b.st_mode & S_IFMT, a.st_mode & S_IFMT);
		CHECKERR(fchdir(again), ENOTDIR);
		close(again);
	}
}

static void look(const char *dir, int pid)
{
	static const char *links[] = {"root", "cwd"};
	char path[700], target[PATH_MAX];
	struct stat exe, named;

	(void)pid;
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, links[i]);
		int fd = open(path, O_PATH | O_DIRECTORY);
		if (fd >= 0)
			inside(fd, path);
		else
			CHECK(errno == ENOENT || errno == ESRCH); /* it has ended */
		close(fd);
	}
	snprintf(path, sizeof path, "%s/exe", dir);
	ssize_t n = readlink(path, target, sizeof target - 1);
	if (n > 0 && stat(path, &exe) == 0) {
		target[n] = 0;
		CHECK(stat(target, &named) == 0 && same(&exe, &named));
	}
	snprintf(path, sizeof path, "%s/comm", dir);
	int fd = open(path, O_RDONLY);
	n = fd < 0 ? 0 : read(fd, target, sizeof target - 1);
	close(fd);
	target[n > 0 ? n : 0] = 0;
	if (strncmp(target, OUTSIDE, strlen(OUTSIDE)) == 0)
		FAIL("%s is a process from outside", dir);
	snprintf(path, sizeof path, "%s/fd", dir);
	DIR *d = opendir(path);
	struct dirent *e;
	while (d && (e = readdir(d))) {
		struct stat st;
		if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, 0) < 0 || !S_ISDIR(st.st_mode))
			continue;
		fd = openat(dirfd(d), e->d_name, O_PATH | O_DIRECTORY);
		if (fd >= 0)
			inside(fd, path);
		close(fd);
	}
	if (d)
		closedir(d);
}

TEST(links_of_processes)
{
	CHECK(each_proc("/proc", look) >= 2);
	look("/proc/self", 0);
	look("/proc/thread-self", 0);
	look("/proc/1/task/1", 0);
}

TEST(another_proc)
{
	CHECK(mkdir("p", 0755) == 0);
	CHECK(mount("proc", "p", "proc", 0, "") == 0);
	int n = each_proc("p", look);
	CHECK(n >= 2 && n < 50);
	CHECK(umount("p") == 0);
}

TEST(memory_of_processes)
{
	static const char *names[] = {"/proc/kcore", "/proc/kmem", "/dev/mem", "/dev/kmem", "/dev/port", "/proc/1/map_files"};

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		CHECK(open(names[i], O_RDONLY) < 0);
}

TEST(chroot_and_fchdir)
{
	CHECK(mkdir("d", 0755) == 0);
	int fd = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(fd >= 0);
	CHECK(chroot("d") == 0);
	CHECK(fchdir(fd) == 0);
	for (int i = 0; i < 100; i++)
		CHECK(chdir("..") == 0);
	CHECK(chroot(".") == 0);
	here("chroot and fchdir");
}

TEST(renamed_from_under)
{
	int go[2], done[2];
	char c = 0;

	CHECK(pipe(go) == 0 && pipe(done) == 0);
	CHECK(mkdir("jail", 0755) == 0 && mkdir("jail/in", 0755) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		CHECK(chroot("jail") == 0 && chdir("/in") == 0);
		CHECK(write(done[1], &c, 1) == 1 && read(go[0], &c, 1) == 1);
		for (int i = 0; i < 100; i++)
			CHECK(chdir("..") == 0);
		int fd = open(".", O_PATH | O_DIRECTORY);
		CHECK(fd >= 0);
		inside(fd, "renamed");
		_exit(0);
	}
	CHECK(read(done[0], &c, 1) == 1);
	CHECK(rename("jail/in", "out") == 0);
	CHECK(write(go[1], &c, 1) == 1);
	REAP(pid);
}

static dev_t own[64];
static int owned;

/* devices notes the devices that this instance has: those in its /dev. */
static void devices(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;

	while (d && (e = readdir(d)) && owned < 64)
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISCHR(st.st_mode))
			own[owned++] = st.st_rdev;
	if (d)
		closedir(d);
}

static void try_node(mode_t type, int major, int minor)
{
	dev_t dev = makedev(major, minor);

	CHECK(mknod("node", type | 0600, dev) == 0);
	int fd = open("node", O_RDWR | O_NONBLOCK | O_NOCTTY);
	if (fd >= 0) {
		int mine = 0;
		for (int i = 0; i < owned; i++)
			mine |= own[i] == dev;
		if (type == S_IFBLK || !mine)
			FAIL("%s %d:%d can be opened", type == S_IFBLK ? "block" : "character", major, minor);
		close(fd);
	}
	CHECK(unlink("node") == 0);
}

TEST(device_nodes)
{
	devices("/dev");
	devices("/dev/pts");
	CHECK(owned > 3);
	for (int major = 0; major < 260; major++)
		for (int minor = 0; minor < 3; minor++) {
			try_node(S_IFCHR, major, minor);
			try_node(S_IFBLK, major, minor);
		}
	try_node(S_IFCHR, 4, 64); /* ttyS0 */
	try_node(S_IFCHR, 1, 4);  /* port */
	try_node(S_IFCHR, 1, 11); /* kmsg */
	try_node(S_IFCHR, 10, 144);
}

TEST(more_devices)
{
	CHECK(mkdir("dev", 0755) == 0);
	CHECK(mount("dev", "dev", "devtmpfs", 0, "") == 0);
	CHECKERR(open("dev/ttyS0", O_RDWR | O_NOCTTY), ENOENT);
	CHECKERR(open("dev/console", O_RDWR | O_NOCTTY), ENOENT);
	CHECK(umount("dev") == 0);
}

TEST(mounts)
{
	CHECK(mkdir("m", 0755) == 0);
	CHECK(mount("/", "m", NULL, MS_BIND, NULL) < 0);
	CHECK(mount("/proc/1/root", "m", NULL, MS_BIND | MS_REC, NULL) < 0);
	CHECK(mount("/proc", "m", NULL, MS_MOVE, NULL) < 0);
	CHECK(mount("/dev/vda", "m", "ext4", 0, NULL) < 0);
	CHECK(syscall(SYS_pivot_root, "m", "m") < 0);
	CHECK(umount2("/", MNT_DETACH) < 0);
	CHECK(mount("tmpfs", "m", "tmpfs", 0, NULL) == 0);
	CHECK(chdir("m/..") == 0);
	here("..");
	CHECK(umount("m") == 0);
}

static void trace(int pid)
{
	char c;
	struct iovec local = {&c, 1}, remote = {(void *)0x400000, 1};

	CHECK(ptrace(PTRACE_ATTACH, pid, 0, 0) < 0);
	CHECK(ptrace(PTRACE_SEIZE, pid, 0, 0) < 0);
	CHECK(syscall(SYS_process_vm_readv, pid, &local, 1L, &remote, 1L, 0L) < 0);
	CHECK(syscall(SYS_process_vm_writev, pid, &local, 1L, &remote, 1L, 0L) < 0);
	CHECK(syscall(SYS_pidfd_open, pid, 0) < 0);
	CHECK(syscall(SYS_kcmp, getpid(), pid, 0, 0, 0) < 0);
}

TEST(trace_others) { not_mine(trace); }

static void signal_others(int pid)
{
	union sigval v = {0};

	CHECKERR(kill(pid, SIGKILL), ESRCH);
	CHECKERR(kill(-pid, SIGKILL), ESRCH);
	CHECKERR(syscall(SYS_tkill, pid, SIGKILL), ESRCH);
	CHECKERR(syscall(SYS_tgkill, pid, pid, SIGKILL), ESRCH);
	CHECKERR(sigqueue(pid, SIGKILL, v), ESRCH);
}

TEST(signal_others) { not_mine(signal_others); }

static void change_others(int pid)
{
	struct rlimit64 l;
	struct sched_param p = {0};

	CHECKERR(syscall(SYS_prlimit64, pid, RLIMIT_NOFILE, NULL, &l), ESRCH);
	CHECKERR(getpgid(pid), ESRCH);
	CHECKERR(getsid(pid), ESRCH);
	CHECKERR(setpgid(pid, 0), ESRCH);
	CHECKERR(setpriority(PRIO_PROCESS, pid, 5), ESRCH);
	CHECKERR(sched_getparam(pid, &p), ESRCH);
	CHECKERR(sched_setscheduler(pid, SCHED_OTHER, &p), ESRCH);
}

TEST(change_others) { not_mine(change_others); }

TEST(terminals)
{
	struct stat st;
	int fd, master, slave;

	CHECKERR(open("/dev/ttyS0", O_RDWR), ENOENT);
	/* A session of its own takes what it can get: nothing but terminals of the instance. */
	IN_CHILD {
		signal(SIGHUP, SIG_IGN);
		CHECK(setsid() > 0);
		CHECKERR(open("/dev/tty", O_RDWR), ENXIO);
		for (fd = 0; fd < 3; fd++)
			ioctl(fd, TIOCSCTTY, 1);
		if ((fd = open("/dev/tty", O_RDWR)) >= 0) {
			CHECK(fstat(0, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == 136);
			CHECK(ioctl(fd, TIOCNOTTY) == 0);
			close(fd);
		}
		CHECK(openpty(&master, &slave, NULL, NULL, NULL) == 0);
		CHECK(ioctl(slave, TIOCSCTTY, 1) == 0);
		CHECK((fd = open("/dev/tty", O_RDWR)) >= 0);
		CHECK(fstat(slave, &st) == 0 && major(st.st_rdev) == 136);
	}
}

TEST(namespaces)
{
	static const char *names[] = {"mnt", "pid", "net", "user", "uts", "ipc", "cgroup", "time"};
	char path[64];

	CHECK(setns(0, 0) < 0);
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "/proc/1/ns/%s", names[i]);
		int fd = open(path, O_RDONLY);
		CHECK(fd < 0 || setns(fd, 0) < 0);
		close(fd);
	}
	for (int bit = 7; bit < 32; bit++)
		if ((1u << bit) & (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)) {
			CHECK(unshare(1u << bit) < 0);
			CHECK(syscall(SYS_clone, (1u << bit) | SIGCHLD, 0L, 0L, 0L, 0L) < 0);
		}
}

TEST(handles)
{
	struct { struct file_handle h; unsigned char room[128]; } h = {.h = {.handle_bytes = 128}};
	int mnt;

	CHECK(name_to_handle_at(AT_FDCWD, "/", &h.h, &mnt, 0) < 0);
	int dir = open("/", O_RDONLY | O_DIRECTORY);
	CHECK(dir >= 0);
	for (int type = 0; type < 4; type++)
		for (int ino = 0; ino < 64; ino++) {
			h.h.handle_bytes = 8;
			h.h.handle_type = type;
			memset(h.room, 0, 8);
			h.room[0] = ino;
			CHECK(open_by_handle_at(dir, &h.h, O_RDONLY) < 0);
		}
}

struct instctl {
	uint32_t version, op;
	uint64_t id, name, name_len, flags, data, data_len, value, text, text_len;
};

static long instctl(int op, uint64_t id, const char *name, char *out, int n)
{
	struct instctl a = {1, op, id, (uintptr_t)name, name ? strlen(name) : 0, name ? 0 : 1, (uintptr_t)out, n, 0, 0, 0};

	if (name && *name == 0)
		a.flags = 0;
	return syscall(5001, &a, sizeof a);
}

TEST(instances_above)
{
	enum { KILL = 4, SUSPEND = 5, GET = 8 };
	static const char *names[] = {"..", "/", "../web", "inst0", "web", "db", "./..", "a/.."};
	static char out[16384];

	CHECK(instctl(GET, 0, "", out, sizeof out) > 0);
	unsigned long mine = strtoul(strstr(out, "id ") + 3, NULL, 10);
	CHECK(mine > 0);
	CHECK(strstr(out, "parent") == NULL);
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		CHECK(instctl(GET, 0, names[i], out, sizeof out) < 0);
		CHECK(instctl(KILL, 0, names[i], NULL, 0) < 0);
	}
	for (unsigned long id = 0; id < 200; id++) {
		if (id == mine)
			continue;
		CHECKERR(instctl(GET, id, NULL, out, sizeof out), ESRCH);
		CHECKERR(instctl(SUSPEND, id, NULL, NULL, 0), ESRCH);
		CHECKERR(instctl(KILL, id, NULL, NULL, 0), ESRCH);
	}
	CHECKERR(instctl(KILL, mine, NULL, NULL, 0), EPERM);
}
