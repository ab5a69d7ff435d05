//go:build ignore

/* misc: names of the system, random numbers, working directory and root,
 * scheduling, capabilities of the caller, calls that don't exist. */
#include "calltest.h"
#include <sys/mount.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

TEST(uname)
{
	struct utsname u;
	void *p;

	CHECK(uname(&u) == 0);
	CHECKEQ(strcmp(u.machine, "x86_64"), 0);
	CHECKEQ(strcmp(u.sysname, "Linux"), 0);
	CHECK(u.release[0] >= '3' && u.release[0] <= '9');
	CHECK(u.nodename[0] != 0);
	char name[65];
	CHECK(gethostname(name, sizeof name) == 0);
	CHECKEQ(strcmp(name, u.nodename), 0);
	EACH_BAD_OUT(p)
		CHECKERR(syscall(SYS_uname, p), EFAULT);
	IN_CHILD {
		drop(1234);
		CHECKERR(sethostname("x", 1), EPERM);
		CHECKERR(setdomainname("x", 1), EPERM);
	}
	CHECKERR(sethostname("x", -1), EINVAL);
	CHECKERR(syscall(SYS_sethostname, "x", 65), EINVAL);
	CHECKERR(syscall(SYS_sethostname, bad_address(1), 3), EFAULT);
}

TEST(sysinfo)
{
	struct sysinfo s;

	CHECK(sysinfo(&s) == 0);
	CHECK(s.uptime >= 0);
	CHECK(s.mem_unit > 0);
	CHECK(s.totalram > 0 && s.freeram <= s.totalram);
	CHECK(s.procs > 0);
	CHECKERR(syscall(SYS_sysinfo, bad_address(0)), EFAULT);
}

TEST(getrandom)
{
	unsigned char a[256], b[256];
	void *p;

	CHECKEQ(getrandom(a, 256, 0), 256);
	CHECKEQ(getrandom(b, 256, GRND_NONBLOCK), 256);
	CHECK(memcmp(a, b, 256) != 0);
	CHECKEQ(getrandom(a, 0, 0), 0);
	CHECKEQ(getrandom(a, 100, GRND_RANDOM), 100);
	CHECKERR(getrandom(a, 1, 0x100), EINVAL);
	EACH_BAD_OUT(p)
		CHECKERR(syscall(SYS_getrandom, p, 16, 0), EFAULT);
	/* Bits are balanced: 4096 of them, six deviations and more allowed. */
	int ones = 0;
	for (int i = 0; i < 256; i++)
		ones += __builtin_popcount(a[i]) + __builtin_popcount(b[i]);
	CHECK(ones > 2048 - 300 && ones < 2048 + 300);
}

TEST(umask)
{
	struct stat st;

	CHECKEQ(umask(077), 022);
	CHECKEQ(umask(07777), 077);
	CHECKEQ(umask(0), 0777); /* only these bits */
	umask(027);
	int fd = open("f", O_CREAT | O_RDWR, 0777);
	CHECK(fstat(fd, &st) == 0);
	CHECKEQ(st.st_mode & 0777, 0750);
	IN_CHILD {
		CHECKEQ(umask(0), 027);
	}
	CHECKEQ(umask(0), 027);
}

TEST(getcwd)
{
	char buf[PATH_MAX], was[PATH_MAX];

	long n = syscall(SYS_getcwd, was, sizeof was);
	CHECKEQ(n, strlen(was) + 1);
	CHECKEQ(was[0], '/');
	CHECK(mkdir("a", 0755) == 0);
	CHECK(mkdir("a/b", 0755) == 0);
	CHECK(chdir("a/b") == 0);
	n = syscall(SYS_getcwd, buf, sizeof buf);
	CHECKEQ(n, strlen(was) + 5);
	CHECKEQ(strcmp(buf + n - 5, "/a/b"), 0);
	CHECKERR(syscall(SYS_getcwd, buf, n - 1), ERANGE);
	CHECKEQ(syscall(SYS_getcwd, buf, n), n);
	CHECKERR(syscall(SYS_getcwd, buf, 0), ERANGE);
	CHECKERR(syscall(SYS_getcwd, bad_address(1), PATH_MAX), EFAULT);
	CHECK(rename("../../a", "../../c") == 0); /* the name follows */
	CHECK(getcwd(buf, sizeof buf) != NULL);
	CHECKEQ(strcmp(buf + strlen(buf) - 4, "/c/b"), 0);
	CHECK(chdir("/") == 0);
	CHECKEQ(syscall(SYS_getcwd, buf, sizeof buf), 2);
}

TEST(chroot)
{
	char buf[100];
	struct stat a, b;

	if (geteuid() != 0)
		SKIP("needs root");
	CHECK(mkdir("r", 0755) == 0);
	CHECK(mkdir("r/d", 0755) == 0);
	spew("r/f", "inside");
	spew("outside", "");
	CHECK(symlink("/f", "r/l") == 0);
	int out = open(".", O_RDONLY);
	IN_CHILD {
		CHECKERR(chroot("no"), ENOENT);
		CHECKERR(chroot("outside"), ENOTDIR);
		CHECKERR(chroot(bad_address(1)), EFAULT);
		CHECK(chroot("r") == 0);
		CHECK(access("/f", F_OK) == 0);
		CHECK(access("/l", F_OK) == 0); /* links start at the root */
		CHECK(access("outside", F_OK) == 0); /* the working directory stays */
		CHECK(chdir("/d") == 0);
		CHECK(getcwd(buf, sizeof buf) != NULL);
		CHECKEQ(strcmp(buf, "/d"), 0);
		CHECK(stat("/..", &a) == 0 && stat("/", &b) == 0);
		CHECKEQ(a.st_ino, b.st_ino);
		CHECK(access("../../../../f", F_OK) == 0);
		CHECKERR(access("../../outside", F_OK), ENOENT);
		CHECK(fchdir(out) == 0);
		CHECK(access("outside", F_OK) == 0);
	}
	IN_CHILD {
		drop(1234);
		CHECKERR(chroot("r"), EPERM);
	}
	CHECK(access("outside", F_OK) == 0);
}

TEST(sched)
{
	struct sched_param sp;
	cpu_set_t set;
	unsigned cpu, node;

	CHECK(sched_yield() == 0);
	CHECKEQ(sched_getscheduler(0), SCHED_OTHER);
	CHECK(sched_getparam(0, &sp) == 0);
	CHECKEQ(sp.sched_priority, 0);
	CHECKERR(sched_getscheduler(-1), EINVAL);
	CHECKERR(sched_getscheduler(4000000), ESRCH);
	CHECKEQ(sched_get_priority_max(SCHED_OTHER), 0);
	CHECKERR(sched_get_priority_max(99), EINVAL);
	CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
	CHECK(CPU_COUNT(&set) >= 1);
	CHECKERR(syscall(SYS_sched_getaffinity, 0, 1, &set), EINVAL);
	CHECKERR(syscall(SYS_sched_getaffinity, 0, sizeof set, bad_address(1)), EFAULT);
	CHECKERR(sched_getaffinity(4000000, sizeof set, &set), ESRCH);
	CHECK(syscall(SYS_getcpu, &cpu, &node, NULL) == 0);
	CHECK(CPU_ISSET(cpu, &set));
	CHECK(syscall(SYS_getcpu, NULL, NULL, NULL) == 0);
	CHECKERR(syscall(SYS_getcpu, bad_address(1), NULL, NULL), EFAULT);
	CPU_ZERO(&set);
	CHECKERR(sched_setaffinity(0, sizeof set, &set), EINVAL);
}

static int set_policy(int policy)
{
	struct sched_param sp = {0};

	return syscall(SYS_sched_setscheduler, 0, policy, &sp);
}

TEST(sched_policies)
{
	struct sched_param sp = {1};
	const int policies[] = {SCHED_BATCH, SCHED_IDLE, SCHED_OTHER};
	char name[64], text[64];

	for (int i = 0; i < 3; i++) {
		CHECK(set_policy(policies[i]) == 0);
		CHECKEQ(sched_getscheduler(0), policies[i]);
		CHECKEQ(sched_getscheduler(getpid()), policies[i]);
		CHECKERR(sched_setscheduler(0, policies[(i + 1) % 3], &sp), EINVAL);
		CHECKEQ(sched_getscheduler(0), policies[i]);
		struct sched_param now = {77};
		CHECK(sched_getparam(0, &now) == 0);
		CHECKEQ(now.sched_priority, 0);
		CHECK(set_policy(policies[i] | SCHED_RESET_ON_FORK) == 0);
		CHECKEQ(sched_getscheduler(0), policies[i] | SCHED_RESET_ON_FORK);
		IN_CHILD
			CHECKEQ(sched_getscheduler(0), policies[i]);
		CHECK(set_policy(policies[i]) == 0);
	}
	CHECKERR(set_policy(4), EINVAL);
	CHECKERR(set_policy(SCHED_IDLE | 0x100), EINVAL);

	/* /proc/PID/stat tells it. */
	CHECK(set_policy(SCHED_BATCH) == 0);
	snprintf(name, sizeof name, "/proc/%d/stat", getpid());
	FILE *f = fopen(name, "r");
	CHECK(f != NULL);
	for (int i = 0; i < 41; i++)
		CHECKEQ(fscanf(f, "%63s", text), 1);
	fclose(f);
	CHECKEQ(atoi(text), SCHED_BATCH);

	IN_CHILD {
		CHECK(set_policy(SCHED_OTHER | SCHED_RESET_ON_FORK) == 0);
		CHECK(setpriority(PRIO_PROCESS, 0, -5) == 0);
		IN_CHILD
			CHECKEQ(getpriority(PRIO_PROCESS, 0), 0);
		CHECK(setpriority(PRIO_PROCESS, 0, 5) == 0);
		IN_CHILD
			CHECKEQ(getpriority(PRIO_PROCESS, 0), 5);
	}
	IN_CHILD {
		pid_t parent = getppid();
		struct rlimit none = {0, 0};
		CHECK(setrlimit(RLIMIT_NICE, &none) == 0);
		drop(1234);
		sp.sched_priority = 0;
		CHECKERR(sched_setscheduler(parent, SCHED_IDLE, &sp), EPERM);
		CHECK(set_policy(SCHED_OTHER) == 0);
		CHECK(set_policy(SCHED_IDLE | SCHED_RESET_ON_FORK) == 0);
		CHECKERR(set_policy(SCHED_IDLE), EPERM);
		CHECKERR(set_policy(SCHED_BATCH | SCHED_RESET_ON_FORK), EPERM);
		CHECKEQ(sched_getscheduler(parent), SCHED_BATCH);
	}
}

TEST(sched_arguments)
{
	struct sched_param sp = {0};
	cpu_set_t set;
	void *bad;

	CHECK(sched_getaffinity(0, sizeof set, &set) == 0);
	/* No process has a negative number; some calls refuse it. */
	CHECKERR(syscall(SYS_sched_getaffinity, -1, sizeof set, &set), ESRCH);
	CHECKERR(syscall(SYS_sched_setaffinity, -1, sizeof set, &set), ESRCH);
	CHECKERR(syscall(SYS_sched_getscheduler, -1), EINVAL);
	CHECKERR(syscall(SYS_sched_setscheduler, -1, SCHED_OTHER, &sp), EINVAL);
	CHECKERR(syscall(SYS_sched_getparam, -1, &sp), EINVAL);
	CHECKERR(syscall(SYS_sched_setparam, -1, &sp), EINVAL);
	CHECKERR(syscall(SYS_sched_getparam, 0, NULL), EINVAL);
	CHECKERR(syscall(SYS_sched_setparam, 0, NULL), EINVAL);
	CHECKERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, NULL), EINVAL);
	CHECKERR(syscall(SYS_sched_setscheduler, 0, -1, &sp), EINVAL);
	CHECKERR(syscall(SYS_sched_setscheduler, 0, 99, &sp), EINVAL);
	/* The length is an unsigned int, and comes first. */
	CHECK(syscall(SYS_sched_getaffinity, 0, (1UL << 32) + sizeof set, &set) > 0);
	CHECKERR(syscall(SYS_sched_getaffinity, 0, 1UL << 32, &set), EINVAL);
	CHECKERR(syscall(SYS_sched_getaffinity, 4000000, 0, &set), EINVAL);
	CHECKERR(syscall(SYS_sched_getaffinity, 0, sizeof set + 1, &set), EINVAL);
	CHECKERR(syscall(SYS_sched_getaffinity, 0, 0x20000000, &set), EINVAL);
	CHECK(syscall(SYS_sched_setaffinity, 0, (1UL << 32) + sizeof set, &set) == 0);
	CHECKERR(syscall(SYS_sched_setaffinity, 0, 1UL << 32, &set), EINVAL);
	CHECKERR(syscall(SYS_sched_setaffinity, 4000000, sizeof set, &set), ESRCH);
	EACH_BAD_IN(bad) {
		CHECKERR(syscall(SYS_sched_setaffinity, 4000000, sizeof set, bad), EFAULT);
		CHECKERR(syscall(SYS_sched_setparam, 0, bad), EFAULT);
		CHECKERR(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, bad), EFAULT);
	}
	EACH_BAD_OUT(bad) {
		CHECKERR(syscall(SYS_sched_getaffinity, 0, sizeof set, bad), EFAULT);
		CHECKERR(syscall(SYS_sched_getparam, 0, bad), EFAULT);
	}
}

TEST(affinity)
{
	cpu_set_t all, one, got;
	unsigned cpu;

	CHECK(sched_getaffinity(0, sizeof all, &all) == 0);
	for (int c = 0; c < CPU_SETSIZE; c++) {
		if (!CPU_ISSET(c, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(c, &one);
		CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
		CHECK(sched_getaffinity(0, sizeof got, &got) == 0);
		CHECK(CPU_EQUAL(&one, &got));
		CHECK(syscall(SYS_getcpu, &cpu, NULL, NULL) == 0);
		CHECKEQ(cpu, c);
		IN_CHILD {
			CHECK(sched_getaffinity(0, sizeof got, &got) == 0);
			CHECK(CPU_EQUAL(&one, &got));
		}
	}
}

TEST(unknown_calls)
{
	/* Numbers that Linux never gave to anyone, or only to other systems. */
	static const long never[] = {900, 999, 1000, 4095, 4096, 65535, 0x7fffffff, -1, -100};

	for (unsigned i = 0; i < sizeof never / sizeof never[0]; i++)
		CHECKERR(syscall(never[i], 1, 2, 3, 4, 5, 6), ENOSYS);
	/* Relics that are not implemented by Linux either. */
	static const long relics[] = {174, 177, 178, 180, 181, 182, 183, 184, 185, 236};
	for (unsigned i = 0; i < sizeof relics / sizeof relics[0]; i++)
		CHECKERR(syscall(relics[i], 0, 0, 0, 0, 0, 0), ENOSYS);
}

/* own_mounts gives this process mounts of its own, if the kernel can. */
static void own_mounts(void)
{
	if (geteuid() != 0)
		SKIP("needs root");
	if (unshare(CLONE_NEWNS) < 0 && errno != ENOSYS)
		SKIP("no mounts of its own");
	CHECK(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(mkdir("m", 0755) == 0);
	if (mount("none", "m", "tmpfs", 0, NULL) < 0 && errno == EPERM)
		SKIP("may not mount");
}

TEST(umount)
{
	void *p;

	own_mounts();
	CHECK(symlink("m", "l") == 0);
	spew("m/f", "x");
	int fd = open("m/f", O_RDONLY);
	EACH_BAD_IN(p)
		CHECKERR(syscall(SYS_umount2, p, 0), EFAULT);
	CHECKERR(umount2("nosuch", 0), ENOENT);
	CHECKERR(umount2("nosuch", 0x100), EINVAL); /* flags that aren't there come first */
	CHECKERR(umount2("m/f", 0), EINVAL);
	CHECKERR(umount2("m", MNT_EXPIRE | MNT_DETACH), EINVAL);
	CHECKERR(umount2("m", MNT_EXPIRE | MNT_FORCE), EINVAL);
	CHECKERR(umount2("m", 0), EBUSY);
	CHECKERR(umount2("l", UMOUNT_NOFOLLOW), EINVAL);
	IN_CHILD {
		drop(1234);
		CHECKERR(umount2("m", 0), EPERM);
		CHECKERR(umount2("nosuch", 0), ENOENT);
		CHECKERR(umount2("m", 0x100), EINVAL);
	}
	close(fd);
	CHECK(umount2("l", 0) == 0);
	CHECKERR(umount2("m", 0), EINVAL);
	CHECKERR(open("m/f", O_RDONLY), ENOENT);
	CHECK(rmdir("m") == 0);
}

TEST(umount_expire)
{
	/* The second call in a row takes effect, if nobody came between. */
	own_mounts();
	spew("m/f", "x");
	IN_CHILD {
		drop(1234);
		CHECKERR(umount2("m", MNT_EXPIRE), EPERM);
		CHECKERR(umount2("m", MNT_EXPIRE | MNT_FORCE), EPERM);
	}
	CHECKERR(umount2("m/f", MNT_EXPIRE), EINVAL);
	CHECKERR(umount2("m/f", MNT_EXPIRE | MNT_FORCE), EINVAL);
	int fd = open("m/f", O_RDONLY);
	CHECKERR(umount2("m", MNT_EXPIRE), EBUSY);
	close(fd);
	CHECKERR(umount2("m", MNT_EXPIRE), EAGAIN);
	CHECK(access("m/f", F_OK) == 0);
	CHECKERR(umount2("m", MNT_EXPIRE), EAGAIN);
	close(open("m/f", O_RDONLY));
	CHECKERR(umount2("m", MNT_EXPIRE), EAGAIN);
	CHECK(umount2("m", MNT_EXPIRE) == 0);
	CHECKERR(umount2("m", MNT_EXPIRE), EINVAL);
	CHECKERR(access("m/f", F_OK), ENOENT);
}

TEST(umount_detach)
{
	/* The names go at once; what is open stays. */
	char buf[PATH_MAX];

	own_mounts();
	spew("m/f", "x");
	CHECK(mkdir("m/d", 0755) == 0);
	CHECK(mkdir("m/in", 0755) == 0);
	CHECK(mount("none", "m/in", "tmpfs", 0, NULL) == 0);
	spew("m/in/g", "y");
	int f = open("m/f", O_RDWR), g = open("m/in/g", O_RDWR), m = open("m", O_RDONLY);
	IN_CHILD {
		CHECK(chdir("m/d") == 0);
		CHECK(umount2("../../m", MNT_DETACH) == 0);
		CHECKERR(open("../../m/f", O_RDONLY), ENOENT);
		CHECK(access("../f", F_OK) == 0);
		CHECK(access("../../f", F_OK) == 0); /* ".." doesn't lead out of it */
		CHECK(syscall(SYS_getcwd, buf, sizeof buf) > 0);
		CHECKEQ(strcmp(buf, "(unreachable)/d"), 0);
	}
	CHECKEQ(pread(f, buf, 1, 0), 1);
	CHECKEQ(pwrite(g, "z", 1, 0), 1);
	CHECKERR(openat(m, "in/g", O_RDONLY), ENOENT); /* no mount in it any more */
	CHECK(openat(m, "f", O_RDONLY) >= 0);
	CHECKERR(umount2("m", 0), EINVAL);
	char path[40];
	snprintf(path, sizeof path, "/proc/self/fd/%d", m);
	CHECKERR(umount2(path, 0), EINVAL);
	CHECK(mount("none", "m", "tmpfs", 0, NULL) == 0); /* the place is free */
	CHECK(umount2("m", MNT_DETACH) == 0);
	CHECK(rmdir("m") == 0);
}

TEST(privileged)
{
	IN_CHILD {
		drop(1234);
		CHECKERR(syscall(SYS_mount, "none", ".", "tmpfs", 0, NULL), EPERM);
		CHECKERR(syscall(SYS_umount2, "/", 0), EPERM);
		CHECKERR(syscall(SYS_reboot, 0xfee1dead, 672274793, 0x89abcdef, NULL), EPERM);
		/* Swap and ports: nobody here may, and some kernels can't. */
		CHECK(syscall(SYS_swapon, "/nosuch", 0) == -1 && (errno == EPERM || errno == ENOSYS));
		CHECK(syscall(SYS_iopl, 3) == -1 && (errno == EPERM || errno == ENOSYS));
		CHECK(syscall(SYS_ioperm, 0x80, 1, 1) == -1 && (errno == EPERM || errno == ENOSYS || errno == EIO));
	}
	CHECKERR(syscall(SYS_reboot, 1, 2, 3, NULL), EINVAL); /* wrong magic numbers */
}

TEST(personality)
{
	CHECKEQ(syscall(SYS_personality, 0xffffffff), 0);
}

TEST(membarrier_and_rseq)
{
	/* Programs ask for these and do without them. */
	long r = syscall(SYS_membarrier, 0, 0, 0);
	CHECK(r >= 0 || errno == ENOSYS);
	CHECK(syscall(SYS_rseq, 1, 0, 0, 0) == -1);
}

TEST(proc_self)
{
	char text[64], path[PATH_MAX];

	sprintf(text, "%d", getpid());
	long n = readlink("/proc/self", path, sizeof path);
	CHECKEQ(n, strlen(text));
	CHECKEQ(memcmp(path, text, n), 0);
	n = readlink("/proc/self/exe", path, sizeof path - 1);
	CHECK(n > 0);
	path[n] = 0;
	CHECKEQ(strcmp(strrchr(path, '/'), strrchr(ct_self, '/')), 0);
	CHECK(open("/proc/self/exe", O_RDONLY) >= 0);
	spew("f", "abc");
	int fd = open("f", O_RDONLY);
	sprintf(text, "/proc/self/fd/%d", fd);
	n = readlink(text, path, sizeof path - 1);
	CHECK(n > 2);
	path[n] = 0;
	CHECKEQ(strcmp(path + n - 2, "/f"), 0);
	CHECKEQ(strcmp(slurp(text), "abc"), 0);
	char *comm = slurp("/proc/self/comm"), *name = strrchr(ct_self, '/') + 1;
	CHECKEQ(comm[strlen(comm) - 1], '\n');
	CHECKEQ(strlen(comm) - 1, strlen(name) < 15 ? strlen(name) : 15);
	CHECKEQ(strncmp(comm, name, strlen(comm) - 1), 0);
	CHECK(strstr(slurp("/proc/self/status"), "\nPid:\t") != NULL);
	CHECK(strstr(slurp("/proc/meminfo"), "MemTotal:") != NULL);
	CHECK(strstr(slurp("/proc/stat"), "cpu ") != NULL);
	CHECK(strchr(slurp("/proc/uptime"), '.') != NULL);
}
