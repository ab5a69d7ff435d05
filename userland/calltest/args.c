//go:build ignore

/* args: bad pointers, sizes and flags, for as many calls as a table can have;
 * what needs more than a row is with its subject. */
#include "calltest.h"
#include <linux/futex.h>
#include <linux/sched.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#define BAD 0x5bad /* stands for a pointer that is bad */

enum { IN, OUT, STRING };

struct row {
	const char *name;
	int kind;
	size_t size; /* of what the pointer leads to; 0: don't let it straddle a page */
	long nr, a[6];
};

static int fd, dir, p[2], ep, tfd;
static char room[PAGE];
static struct timespec soon = {0, 1000};
static struct itimerspec its;
static long zero;

/* call makes the call of a row with a pointer in the place of BAD. */
static long call(const struct row *r, void *with)
{
	long a[6];

	for (int i = 0; i < 6; i++)
		a[i] = r->a[i] == BAD ? (long)with : r->a[i];
	errno = 0;
	return syscall(r->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void want_fault(const struct row *r, void *with, const char *what)
{
	long n = call(r, with);

	if (n != -1 || errno != EFAULT)
		FAIL("%s of %p, %s: returned %ld, errno %d", r->name, with, what, n, n == -1 ? errno : 0);
}

static void check_rows(const struct row *rows, int n)
{
	void *bad;

	for (const struct row *r = rows; r < rows + n; r++) {
		if (r->kind == OUT) {
			EACH_BAD_OUT(bad)
				want_fault(r, bad, "can't be written");
		} else {
			EACH_BAD_IN(bad)
				want_fault(r, bad, "can't be read");
		}
		if (r->size > 1)
			want_fault(r, memset(edge(r->size - 1), 0, r->size - 1), "one byte too few");
		if (r->kind == STRING)
			want_fault(r, memset(edge(3), 'x', 3), "no end");
	}
}
#define ROWS(rows) check_rows(rows, sizeof rows / sizeof rows[0])

static void setup(void)
{
	spew("f", "0123456789");
	CHECK(symlink("f", "l") == 0);
	CHECK((fd = open("f", O_RDWR)) >= 0);
	CHECK((dir = open(".", O_RDONLY)) >= 0);
	CHECK(pipe(p) == 0);
	CHECK((ep = epoll_create1(0)) >= 0);
	CHECK((tfd = timerfd_create(CLOCK_MONOTONIC, 0)) >= 0);
}

#define AT AT_FDCWD
#define P(x) ((long)(x))

TEST(paths)
{
	setup();
	const struct row rows[] = {
		{"open", STRING, 0, SYS_open, {BAD, O_RDONLY}},
		{"openat", STRING, 0, SYS_openat, {AT, BAD, O_RDONLY}},
		{"openat of a bad descriptor", STRING, 0, SYS_openat, {999, BAD, O_RDONLY}},
		{"creat", STRING, 0, SYS_creat, {BAD, 0644}},
		{"stat", STRING, 0, SYS_stat, {BAD, P(room)}},
		{"lstat", STRING, 0, SYS_lstat, {BAD, P(room)}},
		{"newfstatat", STRING, 0, SYS_newfstatat, {AT, BAD, P(room), 0}},
		{"statx", STRING, 0, SYS_statx, {AT, BAD, 0, 0x7ff, P(room)}},
		{"access", STRING, 0, SYS_access, {BAD, 0}},
		{"faccessat", STRING, 0, SYS_faccessat, {AT, BAD, 0}},
		{"faccessat2", STRING, 0, SYS_faccessat2, {AT, BAD, 0, AT_EACCESS}},
		{"readlink", STRING, 0, SYS_readlink, {BAD, P(room), 10}},
		{"readlinkat", STRING, 0, SYS_readlinkat, {AT, BAD, P(room), 10}},
		{"mkdir", STRING, 0, SYS_mkdir, {BAD, 0755}},
		{"mkdirat", STRING, 0, SYS_mkdirat, {AT, BAD, 0755}},
		{"mknod", STRING, 0, SYS_mknod, {BAD, S_IFIFO | 0600, 0}},
		{"mknodat", STRING, 0, SYS_mknodat, {AT, BAD, S_IFIFO | 0600, 0}},
		{"rmdir", STRING, 0, SYS_rmdir, {BAD}},
		{"unlink", STRING, 0, SYS_unlink, {BAD}},
		{"unlinkat", STRING, 0, SYS_unlinkat, {AT, BAD, 0}},
		{"rename from", STRING, 0, SYS_rename, {BAD, P("x")}},
		{"rename to", STRING, 0, SYS_rename, {P("f"), BAD}},
		{"renameat to", STRING, 0, SYS_renameat, {AT, P("f"), AT, BAD}},
		{"renameat2 from", STRING, 0, SYS_renameat2, {AT, BAD, AT, P("x"), 0}},
		{"renameat2 to", STRING, 0, SYS_renameat2, {AT, P("f"), AT, BAD, 0}},
		{"link from", STRING, 0, SYS_link, {BAD, P("x")}},
		{"link to", STRING, 0, SYS_link, {P("f"), BAD}},
		{"linkat from", STRING, 0, SYS_linkat, {AT, BAD, AT, P("x"), 0}},
		{"linkat to", STRING, 0, SYS_linkat, {AT, P("f"), AT, BAD, 0}},
		{"symlink target", STRING, 0, SYS_symlink, {BAD, P("x")}},
		{"symlink", STRING, 0, SYS_symlink, {P("f"), BAD}},
		{"symlinkat target", STRING, 0, SYS_symlinkat, {BAD, AT, P("x")}},
		{"symlinkat", STRING, 0, SYS_symlinkat, {P("f"), AT, BAD}},
		{"chmod", STRING, 0, SYS_chmod, {BAD, 0644}},
		{"fchmodat", STRING, 0, SYS_fchmodat, {AT, BAD, 0644}},
		{"chown", STRING, 0, SYS_chown, {BAD, -1, -1}},
		{"lchown", STRING, 0, SYS_lchown, {BAD, -1, -1}},
		{"fchownat", STRING, 0, SYS_fchownat, {AT, BAD, -1, -1, 0}},
		{"truncate", STRING, 0, SYS_truncate, {BAD, 5}},
		{"chdir", STRING, 0, SYS_chdir, {BAD}},
		{"chroot", STRING, 0, SYS_chroot, {BAD}},
		{"statfs", STRING, 0, SYS_statfs, {BAD, P(room)}},
		{"utime", STRING, 0, SYS_utime, {BAD, 0}},
		{"utimes", STRING, 0, SYS_utimes, {BAD, 0}},
		{"futimesat", STRING, 0, SYS_futimesat, {AT, BAD, 0}},
		{"utimensat", STRING, 0, SYS_utimensat, {AT, BAD, 0, 0}},
		{"execve", STRING, 0, SYS_execve, {BAD, 0, 0}},
		{"execveat", STRING, 0, SYS_execveat, {AT, BAD, 0, 0, 0}},
		{"execve arguments", IN, 0, SYS_execve, {P(ct_self), BAD, 0}},
		{"execve environment", IN, 0, SYS_execve, {P(ct_self), 0, BAD}},
		{"memfd_create", STRING, 0, SYS_memfd_create, {BAD, 0}},
	};
	ROWS(rows);
	CHECKEQ(strcmp(slurp("f"), "0123456789"), 0);
	CHECKERR(access("x", F_OK), ENOENT);
}

TEST(file_structures)
{
	setup();
	const struct row rows[] = {
		{"stat", OUT, sizeof(struct stat), SYS_stat, {P("f"), BAD}},
		{"lstat", OUT, sizeof(struct stat), SYS_lstat, {P("f"), BAD}},
		{"fstat", OUT, sizeof(struct stat), SYS_fstat, {fd, BAD}},
		{"newfstatat", OUT, sizeof(struct stat), SYS_newfstatat, {AT, P("f"), BAD, 0}},
		{"statx", OUT, 256, SYS_statx, {AT, P("f"), 0, 0x7ff, BAD}},
		{"statfs", OUT, sizeof(struct statfs), SYS_statfs, {P("f"), BAD}},
		{"fstatfs", OUT, sizeof(struct statfs), SYS_fstatfs, {fd, BAD}},
		{"readlink", OUT, 0, SYS_readlink, {P("l"), BAD, 10}},
		{"readlinkat", OUT, 0, SYS_readlinkat, {AT, P("l"), BAD, 10}},
		{"getcwd", OUT, 0, SYS_getcwd, {BAD, PATH_MAX}},
		{"getdents", OUT, 0, SYS_getdents, {dir, BAD, 1000}},
		{"getdents64", OUT, 0, SYS_getdents64, {dir, BAD, 1000}},
		{"pipe", OUT, 8, SYS_pipe, {BAD}},
		{"pipe2", OUT, 8, SYS_pipe2, {BAD, O_CLOEXEC}},
		{"utime", IN, 16, SYS_utime, {P("f"), BAD}},
		{"utimes", IN, 32, SYS_utimes, {P("f"), BAD}},
		{"futimesat", IN, 32, SYS_futimesat, {AT, P("f"), BAD}},
		{"utimensat", IN, 32, SYS_utimensat, {AT, P("f"), BAD, 0}},
		{"readv", IN, sizeof(struct iovec), SYS_readv, {fd, BAD, 1}},
		{"writev", IN, sizeof(struct iovec), SYS_writev, {fd, BAD, 1}},
		{"preadv", IN, 2 * sizeof(struct iovec), SYS_preadv, {fd, BAD, 2, 0, 0}},
		{"pwritev", IN, 2 * sizeof(struct iovec), SYS_pwritev, {fd, BAD, 2, 0, 0}},
		{"sendfile offset", OUT, 8, SYS_sendfile, {p[1], fd, BAD, 1}},
		{"lock", IN, sizeof(struct flock), SYS_fcntl, {fd, F_SETLK, BAD}},
		{"getlk", IN, sizeof(struct flock), SYS_fcntl, {fd, F_GETLK, BAD}},
		{"epoll_ctl", IN, 12, SYS_epoll_ctl, {ep, EPOLL_CTL_ADD, p[0], BAD}},
		{"poll", OUT, sizeof(struct pollfd), SYS_poll, {BAD, 1, 0}},
		{"poll of many", IN, 100 * sizeof(struct pollfd), SYS_poll, {BAD, 100, 0}},
		{"ppoll", OUT, sizeof(struct pollfd), SYS_ppoll, {BAD, 1, P(&soon), 0, 0}},
		{"ppoll timeout", IN, 16, SYS_ppoll, {P(room), 0, BAD, 0, 0}},
		{"ppoll mask", IN, 8, SYS_ppoll, {P(room), 0, P(&soon), BAD, 8}},
		{"select in", IN, 8, SYS_select, {1, BAD, 0, 0, P(room)}},
		{"select out", IN, 8, SYS_select, {1, 0, BAD, 0, P(room)}},
		{"select except", IN, 8, SYS_select, {1, 0, 0, BAD, P(room)}},
		{"select timeout", IN, 16, SYS_select, {0, 0, 0, 0, BAD}},
		{"pselect6 in", IN, 8, SYS_pselect6, {1, BAD, 0, 0, P(&soon), 0}},
		{"pselect6 timeout", IN, 16, SYS_pselect6, {0, 0, 0, 0, BAD, 0}},
		{"pselect6 mask", IN, 16, SYS_pselect6, {0, 0, 0, 0, P(&soon), BAD}},
		{"timerfd_settime", IN, 32, SYS_timerfd_settime, {tfd, 0, BAD, 0}},
		{"timerfd_settime old", OUT, 32, SYS_timerfd_settime, {tfd, 0, P(&its), BAD}},
		{"timerfd_gettime", OUT, 32, SYS_timerfd_gettime, {tfd, BAD}},
	};
	CHECKEQ(read(fd, room, 1), 1);
	room[0] = 0;
	CHECKEQ(lseek(fd, 0, SEEK_SET), 0);
	ROWS(rows);
	CHECKEQ(dup(0), tfd + 1); /* the pipe calls left nothing open */
}

TEST(process_structures)
{
	setup();
	const struct row rows[] = {
		{"uname", OUT, sizeof(struct utsname), SYS_uname, {BAD}},
		{"sysinfo", OUT, sizeof(struct sysinfo), SYS_sysinfo, {BAD}},
		{"times", OUT, sizeof(struct tms), SYS_times, {BAD}},
		{"getrusage", OUT, sizeof(struct rusage), SYS_getrusage, {RUSAGE_SELF, BAD}},
		{"getrlimit", OUT, sizeof(struct rlimit), SYS_getrlimit, {RLIMIT_NOFILE, BAD}},
		{"setrlimit", IN, sizeof(struct rlimit), SYS_setrlimit, {RLIMIT_NOFILE, BAD}},
		{"prlimit64", IN, sizeof(struct rlimit), SYS_prlimit64, {0, RLIMIT_NOFILE, BAD, 0}},
		{"prlimit64 old", OUT, sizeof(struct rlimit), SYS_prlimit64, {0, RLIMIT_NOFILE, 0, BAD}},
		{"getresuid real", OUT, 4, SYS_getresuid, {BAD, P(room), P(room)}},
		{"getresuid effective", OUT, 4, SYS_getresuid, {P(room), BAD, P(room)}},
		{"getresuid saved", OUT, 4, SYS_getresuid, {P(room), P(room), BAD}},
		{"getresgid real", OUT, 4, SYS_getresgid, {BAD, P(room), P(room)}},
		{"getresgid effective", OUT, 4, SYS_getresgid, {P(room), BAD, P(room)}},
		{"getresgid saved", OUT, 4, SYS_getresgid, {P(room), P(room), BAD}},
		{"setgroups", IN, 8, SYS_setgroups, {2, BAD}},
		{"sched_getaffinity", OUT, 0, SYS_sched_getaffinity, {0, 1024, BAD}},
		{"sched_getparam", OUT, 4, SYS_sched_getparam, {0, BAD}},
		{"sched_setparam", IN, 4, SYS_sched_setparam, {0, BAD}},
		{"getcpu", OUT, 4, SYS_getcpu, {BAD, 0, 0}},
		{"getcpu node", OUT, 4, SYS_getcpu, {0, BAD, 0}},
		{"get_robust_list", OUT, 8, SYS_get_robust_list, {0, BAD, P(room)}},
		{"get_robust_list length", OUT, 8, SYS_get_robust_list, {0, P(room), BAD}},
		{"prctl name", STRING, 0, SYS_prctl, {PR_SET_NAME, BAD}},
		{"prctl get name", OUT, 16, SYS_prctl, {PR_GET_NAME, BAD}},
		{"prctl death signal", OUT, 4, SYS_prctl, {PR_GET_PDEATHSIG, BAD}},
		{"prctl subreaper", OUT, 4, SYS_prctl, {PR_GET_CHILD_SUBREAPER, BAD}},
		{"arch_prctl", OUT, 8, SYS_arch_prctl, {0x1003, BAD}},
		{"getrandom", OUT, 0, SYS_getrandom, {BAD, 10, 0}},
		{"clone3", IN, 64, SYS_clone3, {BAD, 64}},
		{"futex", IN, 0, SYS_futex, {BAD & ~3, FUTEX_WAIT, 0, P(&soon)}},
		{"futex timeout", IN, 16, SYS_futex, {P(&zero), FUTEX_WAIT, 0, BAD}},
		{"mincore", OUT, 2, SYS_mincore, {P(pages(2, PROT_READ)), 2 * PAGE, BAD}},
	};
	ROWS(rows);
	int groups[2] = {1, 2};
	if (setgroups(2, (gid_t *)groups) == 0) {
		const struct row more[] = {{"getgroups", OUT, 8, SYS_getgroups, {2, BAD}}};
		ROWS(more);
	}
}

TEST(signal_structures)
{
	const struct row rows[] = {
		{"rt_sigaction", IN, 32, SYS_rt_sigaction, {SIGUSR1, BAD, 0, 8}},
		{"rt_sigaction old", OUT, 32, SYS_rt_sigaction, {SIGUSR1, 0, BAD, 8}},
		{"rt_sigprocmask", IN, 8, SYS_rt_sigprocmask, {SIG_BLOCK, BAD, 0, 8}},
		{"rt_sigprocmask old", OUT, 8, SYS_rt_sigprocmask, {SIG_BLOCK, 0, BAD, 8}},
		{"rt_sigpending", OUT, 8, SYS_rt_sigpending, {BAD, 8}},
		{"rt_sigsuspend", IN, 8, SYS_rt_sigsuspend, {BAD, 8}},
		{"rt_sigtimedwait", IN, 8, SYS_rt_sigtimedwait, {BAD, 0, P(&soon), 8}},
		{"rt_sigtimedwait timeout", IN, 16, SYS_rt_sigtimedwait, {P(&zero), 0, BAD, 8}},
		{"rt_sigqueueinfo", IN, 48, SYS_rt_sigqueueinfo, {getpid(), SIGUSR1, BAD}},
		{"rt_tgsigqueueinfo", IN, 48, SYS_rt_tgsigqueueinfo, {getpid(), getpid(), SIGUSR1, BAD}},
		{"sigaltstack", IN, 24, SYS_sigaltstack, {BAD, 0}},
		{"sigaltstack old", OUT, 24, SYS_sigaltstack, {0, BAD}},
	};
	ROWS(rows);
}

TEST(time_structures)
{
	const struct row rows[] = {
		{"nanosleep", IN, 16, SYS_nanosleep, {BAD, 0}},
		{"clock_nanosleep", IN, 16, SYS_clock_nanosleep, {CLOCK_MONOTONIC, 0, BAD, 0}},
		{"clock_gettime", OUT, 16, SYS_clock_gettime, {CLOCK_MONOTONIC, BAD}},
		{"clock_gettime of a process", OUT, 16, SYS_clock_gettime, {CLOCK_PROCESS_CPUTIME_ID, BAD}},
		{"clock_getres", OUT, 16, SYS_clock_getres, {CLOCK_REALTIME, BAD}},
		{"clock_settime", IN, 16, SYS_clock_settime, {CLOCK_REALTIME, BAD}},
		{"gettimeofday", OUT, 16, SYS_gettimeofday, {BAD, 0}},
		{"gettimeofday zone", OUT, 8, SYS_gettimeofday, {0, BAD}},
		{"settimeofday", IN, 16, SYS_settimeofday, {BAD, 0}},
		{"time", OUT, 8, SYS_time, {BAD}},
		{"getitimer", OUT, 32, SYS_getitimer, {ITIMER_REAL, BAD}},
		{"setitimer", IN, 32, SYS_setitimer, {ITIMER_REAL, BAD, 0}},
		{"setitimer old", OUT, 32, SYS_setitimer, {ITIMER_REAL, P(&its), BAD}},
	};
	ROWS(rows);
}

struct erow {
	const char *name;
	int want; /* errno; 0: success */
	long nr, a[6];
};

static void check_errors(const struct erow *rows, int n)
{
	for (const struct erow *r = rows; r < rows + n; r++) {
		errno = 0;
		long got = syscall(r->nr, r->a[0], r->a[1], r->a[2], r->a[3], r->a[4], r->a[5]);
		int e = got == -1 ? errno : 0;
		if (e != r->want)
			FAIL("%s: returned %ld, errno %d (%s), want %d (%s)", r->name, got, e, strerror(e), r->want, strerror(r->want));
	}
}
#define ERRORS(rows) check_errors(rows, sizeof rows / sizeof rows[0])

TEST(flags_before_paths)
{
	/* Flags that there aren't are refused whatever else is wrong. */
	long bad = P(bad_address(7));

	setup();
	const struct erow rows[] = {
		{"newfstatat", EINVAL, SYS_newfstatat, {999, P("f"), P(room), 0x20}},
		{"newfstatat, how to ask a server", 0, SYS_newfstatat, {AT, P("f"), P(room), 0x4000}},
		{"statx", EINVAL, SYS_statx, {999, P("f"), 0x20, 0x7ff, P(room)}},
		{"statx", EINVAL, SYS_statx, {AT, P("f"), 0x6000, 0x7ff, P(room)}},
		{"access", EINVAL, SYS_access, {bad, 8}},
		{"faccessat", EINVAL, SYS_faccessat, {999, P("f"), -1}},
		{"faccessat2", EINVAL, SYS_faccessat2, {999, bad, 0, 1}},
		{"fchownat", EINVAL, SYS_fchownat, {999, P("f"), -1, -1, 0x200}},
		{"fchownat", EBADF, SYS_fchownat, {999, P("f"), -1, -1, 0}},
		{"unlinkat", EINVAL, SYS_unlinkat, {999, bad, 2}},
		{"linkat", EINVAL, SYS_linkat, {999, P("f"), 999, bad, 0x100}},
		{"renameat2", EINVAL, SYS_renameat2, {999, bad, 999, bad, 8}},
		{"renameat2", EINVAL, SYS_renameat2, {999, P("f"), AT, P("x"), 3}},
		{"utimensat", EINVAL, SYS_utimensat, {999, P("f"), 0, 1}},
		{"mknod of a directory", EPERM, SYS_mknod, {bad, S_IFDIR | 0755, 0}},
		{"mknod of a link", EINVAL, SYS_mknod, {bad, S_IFLNK | 0755, 0}},
		{"mknodat of nothing", EINVAL, SYS_mknodat, {999, P("x"), 0170000, 0}},
		{"umount2", EINVAL, SYS_umount2, {bad, 0x1000}},
		{"pipe2", EINVAL, SYS_pipe2, {bad, 1}},
		{"dup3", EINVAL, SYS_dup3, {999, 5, 1}},
		{"epoll_create1", EINVAL, SYS_epoll_create1, {1}},
		{"eventfd2", EINVAL, SYS_eventfd2, {0, 2}},
		{"timerfd_create", EINVAL, SYS_timerfd_create, {CLOCK_MONOTONIC, 2}},
		{"getrandom", EINVAL, SYS_getrandom, {bad, 10, 8}},
		{"memfd_create", EINVAL, SYS_memfd_create, {bad, 0x8000}},
		{"close_range", EINVAL, SYS_close_range, {900, 901, 1}},
		{"waitid", EINVAL, SYS_waitid, {P_ALL, 0, 0, 0}},
		{"waitid writes in any case", EFAULT, SYS_waitid, {P_ALL, 0, bad, 0}},
		{"waitid of no type", EFAULT, SYS_waitid, {77, 0, bad, WEXITED}},
		{"wait4", EINVAL, SYS_wait4, {-1, bad, 0x100}},
	};
	ERRORS(rows);
}

TEST(order_of_checks)
{
	/* Which of several errors is told. */
	long bad = P(bad_address(7)), ro = P(bad_address(0)), page = P(pages(1, PROT_READ));
	struct timespec wrong = {0, -1};

	setup();
	const struct erow rows[] = {
		{"mprotect of nothing", 0, SYS_mprotect, {page, 0, 0x4000}},
		{"mprotect, unknown", EINVAL, SYS_mprotect, {page, PAGE, 0x4000}},
		{"mprotect beyond all", ENOMEM, SYS_mprotect, {page, -1, 0x4000}},
		{"mprotect unaligned", EINVAL, SYS_mprotect, {page + 1, 0, 0}},
		{"mprotect PROT_SEM", 0, SYS_mprotect, {page, PAGE, PROT_READ | 8}},
		{"mmap unaligned", EINVAL, SYS_mmap, {0, PAGE, PROT_READ, MAP_PRIVATE, 999, 1}},
		{"mmap of a bad descriptor", EBADF, SYS_mmap, {0, 0, PROT_READ, 0, 999, 0}},
		{"mmap of nothing", EINVAL, SYS_mmap, {0, 0, PROT_READ, MAP_PRIVATE, fd, 0}},
		{"mmap of too much", ENOMEM, SYS_mmap, {0, -1, PROT_READ, MAP_PRIVATE, fd, 0}},
		{"mmap of too much memory", ENOMEM, SYS_mmap, {0, 1L << 63, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
		{"mmap too far", EOVERFLOW, SYS_mmap, {0, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, LONG_MAX & -PAGE}},
		{"mmap of no kind", EINVAL, SYS_mmap, {0, PAGE, PROT_READ, 0, fd, 0}},
		{"mincore of the kernel", ENOMEM, SYS_mincore, {bad & -PAGE, 0, ro}},
		{"mincore of nothing, unaligned", EINVAL, SYS_mincore, {page + 1, 0, bad}},
		{"mincore of nothing, to the kernel", EFAULT, SYS_mincore, {page, 0, bad}},
		{"mincore of nothing", 0, SYS_mincore, {page, 0, 1}},
		{"poll of nothing", 0, SYS_poll, {1, 0, 0}},
		{"poll of nothing, a number cut to 32 bits", 0, SYS_poll, {1, 1L << 32, 0}},
		{"poll of nothing in the kernel", EFAULT, SYS_poll, {bad, 0, 0}},
		{"poll of too much", EINVAL, SYS_poll, {bad, 1L << 31, 0}},
		{"ppoll of nothing in the kernel", EFAULT, SYS_ppoll, {bad, 0, P(&soon), 0, 8}},
		{"ppoll of nothing", 0, SYS_ppoll, {1, 0, P(&soon), 0, 9}},
		{"ppoll, a mask of another size", EINVAL, SYS_ppoll, {bad, 0, P(&soon), bad, 9}},
		{"select of nothing", 0, SYS_select, {0, bad, 1, bad, P(room)}},
		{"select of less than nothing", EINVAL, SYS_select, {-1, bad, 1, bad, P(room)}},
		{"pselect6 of nothing", 0, SYS_pselect6, {0, bad, 1, bad, P(&soon), 0}},
		{"truncate", EINVAL, SYS_truncate, {bad, -1}},
		{"ftruncate", EINVAL, SYS_ftruncate, {999, -1}},
		{"fallocate, unknown", EOPNOTSUPP, SYS_fallocate, {p[0], 0x1000, 0, 1}},
		{"fallocate, no length first", EINVAL, SYS_fallocate, {p[0], 0x1000, 0, 0}},
		{"flock of a share mode", 0, SYS_flock, {fd, 0x20}},
		{"F_DUPFD, a number cut to 32 bits", 0, SYS_fcntl, {fd, F_DUPFD, 1L << 32}},
		{"F_DUPFD, negative", EINVAL, SYS_fcntl, {fd, F_DUPFD, 1L << 31}},
		{"readv, a number cut to 32 bits", 0, SYS_readv, {fd, bad, 1L << 32}},
		{"sched_setscheduler", EINVAL, SYS_sched_setscheduler, {-1, 0, bad}},
		{"sched_setparam", EINVAL, SYS_sched_setparam, {-1, bad}},
		{"get_robust_list", ESRCH, SYS_get_robust_list, {-1, bad, bad}},
		{"get_robust_list", ESRCH, SYS_get_robust_list, {4000000, bad, bad}},
		{"sendfile offset", EFAULT, SYS_sendfile, {999, 999, bad, 1}},
		{"sendfile from a pipe", ESPIPE, SYS_sendfile, {999, p[0], P(&zero), 1}},
		{"sendfile from what can't be read", EBADF, SYS_sendfile, {fd, p[1], 0, 1}},
		{"sendfile to nowhere", EBADF, SYS_sendfile, {999, fd, 0, 1}},
		{"pselect6 mask first", EFAULT, SYS_pselect6, {0, 0, 0, 0, P(&wrong), bad}},
		{"pselect6", EINVAL, SYS_pselect6, {0, 0, 0, 0, P(&wrong), 0}},
		{"fstatfs of a pipe", 0, SYS_fstatfs, {p[0], P(room)}},
		{"fstatfs of a timer", 0, SYS_fstatfs, {tfd, P(room)}},
		{"fstatfs of a pipe, bad pointer", EFAULT, SYS_fstatfs, {p[0], bad}},
	};
	ERRORS(rows);
	struct iovec empty[2] = {{room, 0}, {room, 0}};
	CHECKEQ(readv(dir, empty, 2), 0);
	CHECKERR(read(dir, room, 0), EISDIR);
	CHECKEQ(fcntl(fd, F_GETFL) & 0100000, 0100000); /* O_LARGEFILE, whoever opens */
}

TEST(futex_addresses)
{
	/* Both addresses are checked, the first one first, and that something
	 * is mapped there only for a futex that processes share. */
	static uint32_t words[2];
	long w = P(&words[0]), w2 = P(&words[1]), kernel = P(bad_address(7));
	long hole = P(bad_address(1)), ro = P(bad_address(0)), none = P(bad_address(2));
	const int shared[] = {FUTEX_REQUEUE, FUTEX_CMP_REQUEUE};

	for (int i = 0; i < 2; i++) {
		int op = shared[i], private = op | FUTEX_PRIVATE_FLAG;
		const struct erow rows[] = {
			{"requeue", 0, SYS_futex, {w, op, 1, 1, w2, 0}},
			{"requeue to itself", 0, SYS_futex, {w, op, 1, 1, w, 0}},
			{"requeue to a part", EINVAL, SYS_futex, {w, op, 1, 1, w2 + 1, 0}},
			{"requeue to a hole", EFAULT, SYS_futex, {w, op, 1, 1, hole, 0}},
			{"requeue to the kernel", EFAULT, SYS_futex, {w, op, 1, 1, kernel, 0}},
			{"requeue to nobody", EFAULT, SYS_futex, {w, op, 1, 1, none, 0}},
			{"requeue to what can't change", EFAULT, SYS_futex, {w, op, 1, 1, ro, 0}},
			{"requeue of what can't change", EFAULT, SYS_futex, {ro, op, 1, 1, w2, 0}},
			{"requeue of a part", EINVAL, SYS_futex, {w + 1, op, 1, 1, hole, 0}},
			{"requeue of the kernel", EFAULT, SYS_futex, {kernel, op, 1, 1, w2 + 1, 0}},
			{"requeue of less than none", EINVAL, SYS_futex, {w, op, -1, 1, hole, 0}},
			{"requeue of less than none", EINVAL, SYS_futex, {w, op, 1, -1, hole, 0}},
			{"requeue, other value", op == FUTEX_REQUEUE ? 0 : EAGAIN, SYS_futex, {w, op, 1, 1, w2, 7}},
			{"requeue, other value and a hole", EFAULT, SYS_futex, {w, op, 1, 1, hole, 7}},
			{"private requeue to a part", EINVAL, SYS_futex, {w, private, 1, 1, w2 + 1, 0}},
			{"private requeue to a hole", 0, SYS_futex, {w, private, 1, 1, hole, 0}},
			{"private requeue to nobody", 0, SYS_futex, {w, private, 1, 1, none, 0}},
			{"private requeue to the kernel", EFAULT, SYS_futex, {w, private, 1, 1, kernel, 0}},
			{"private requeue of a hole", op == FUTEX_REQUEUE ? 0 : EFAULT, SYS_futex, {hole, private, 1, 1, w, 0}},
		};
		ERRORS(rows);
	}
}

TEST(empty_paths)
{
	/* An empty path is told before a bad descriptor, unless it is allowed. */
	long e = P("");

	setup();
	const struct erow rows[] = {
		{"openat", ENOENT, SYS_openat, {999, e, 0}},
		{"openat of a pipe", ENOENT, SYS_openat, {p[0], e, 0}},
		{"openat below a pipe", ENOTDIR, SYS_openat, {p[0], P("x"), 0}},
		{"newfstatat", ENOENT, SYS_newfstatat, {999, e, P(room), 0}},
		{"newfstatat, allowed", EBADF, SYS_newfstatat, {999, e, P(room), AT_EMPTY_PATH}},
		{"newfstatat of a pipe", 0, SYS_newfstatat, {p[0], e, P(room), AT_EMPTY_PATH}},
		{"newfstatat, not empty", EBADF, SYS_newfstatat, {999, P("f"), P(room), AT_EMPTY_PATH}},
		{"statx", ENOENT, SYS_statx, {999, e, 0, 0x7ff, P(room)}},
		{"statx, allowed", EBADF, SYS_statx, {999, e, AT_EMPTY_PATH, 0x7ff, P(room)}},
		{"mkdirat", ENOENT, SYS_mkdirat, {999, e, 0755}},
		{"mknodat", ENOENT, SYS_mknodat, {999, e, S_IFREG | 0644, 0}},
		{"unlinkat", ENOENT, SYS_unlinkat, {999, e, 0}},
		{"unlinkat of a directory", ENOENT, SYS_unlinkat, {999, e, AT_REMOVEDIR}},
		{"renameat from", ENOENT, SYS_renameat, {999, e, AT, P("x")}},
		{"renameat to", ENOENT, SYS_renameat, {AT, P("f"), 999, e}},
		{"renameat to, bad from", EBADF, SYS_renameat, {999, P("f"), AT, e}},
		{"renameat to, empty from", ENOENT, SYS_renameat, {AT, e, 999, P("x")}},
		{"linkat from", ENOENT, SYS_linkat, {999, e, AT, P("x"), 0}},
		{"linkat from, allowed", EBADF, SYS_linkat, {999, e, AT, P("x"), AT_EMPTY_PATH}},
		{"linkat of a pipe", EXDEV, SYS_linkat, {p[0], e, AT, P("x"), AT_EMPTY_PATH}},
		{"linkat to", ENOENT, SYS_linkat, {AT, P("f"), 999, e, 0}},
		{"symlinkat", ENOENT, SYS_symlinkat, {P("f"), 999, e}},
		{"symlinkat to nothing", ENOENT, SYS_symlinkat, {e, 999, P("x")}},
		{"readlinkat", EBADF, SYS_readlinkat, {999, e, P(room), 8}},
		{"readlinkat of a file", ENOENT, SYS_readlinkat, {fd, e, P(room), 8}},
		{"readlinkat of a pipe", ENOENT, SYS_readlinkat, {p[0], e, P(room), 8}},
		{"fchmodat", ENOENT, SYS_fchmodat, {999, e, 0644}},
		{"fchownat", ENOENT, SYS_fchownat, {999, e, -1, -1, 0}},
		{"fchownat, allowed", EBADF, SYS_fchownat, {999, e, -1, -1, AT_EMPTY_PATH}},
		{"faccessat", ENOENT, SYS_faccessat, {999, e, R_OK}},
		{"faccessat2, allowed", EBADF, SYS_faccessat2, {999, e, R_OK, AT_EMPTY_PATH}},
		{"faccessat2 of a pipe", 0, SYS_faccessat2, {p[0], e, R_OK, AT_EMPTY_PATH}},
		{"faccessat2 of a timer", 0, SYS_faccessat2, {tfd, e, R_OK, AT_EMPTY_PATH}},
		{"utimensat", ENOENT, SYS_utimensat, {999, e, 0, 0}},
		{"utimensat, allowed", EBADF, SYS_utimensat, {999, e, 0, AT_EMPTY_PATH}},
		{"utimensat of a pipe", 0, SYS_utimensat, {p[0], 0, 0, 0}},
		{"futimesat", ENOENT, SYS_futimesat, {999, e, 0}},
		{"execveat", ENOENT, SYS_execveat, {999, e, 0, 0, 0}},
		{"execveat, allowed", EBADF, SYS_execveat, {999, e, 0, 0, AT_EMPTY_PATH}},
		{"execveat of a pipe", EACCES, SYS_execveat, {p[0], e, 0, 0, AT_EMPTY_PATH}},
		{"execveat of the directory", EACCES, SYS_execveat, {AT, e, 0, 0, AT_EMPTY_PATH}},
	};
	ERRORS(rows);
}

TEST(siginfo_size)
{
	/* The kernel reads what it keeps; the rest only if it must. */
	siginfo_t *si = memset(edge(48), 0, 48), all;

	signal(SIGUSR1, SIG_IGN);
	si->si_code = SI_QUEUE;
	CHECK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, si) == 0);
	si->si_code = -50; /* nobody knows what this has */
	CHECKERR(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, si), EFAULT);
	memset(&all, 0, sizeof all);
	all.si_code = -50;
	CHECK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &all) == 0);
	((char *)&all)[100] = 1;
	CHECKERR(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &all), E2BIG);
	all.si_code = SI_QUEUE;
	CHECK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &all) == 0);
}
