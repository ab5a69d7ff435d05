//go:build ignore

/* restart: calls that wait and are interrupted by a handler: which go on after
 * it, if it was set with SA_RESTART, and which return EINTR in any case. */
#include "calltest.h"
#include <linux/futex.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/timerfd.h>
#include <sys/uio.h>

/* What the two processes of a case share. */
static volatile struct { int handled, word; } *shared;

static int in[2], full[2], efd, tfd, ep, fd;
static pid_t holder; /* a child that sleeps, with the file locked */

static void handler(int sig)
{
	(void)sig;
	__atomic_add_fetch(&shared->handled, 1, __ATOMIC_SEQ_CST);
}

static void fill(void)
{
	char block[PAGE] = {0};

	CHECK(fcntl(full[1], F_SETFL, O_NONBLOCK) == 0);
	for (size_t n = sizeof block; n > 0; n /= PAGE) /* pages, then bytes */
		while (write(full[1], block, n) > 0)
			;
	CHECK(fcntl(full[1], F_SETFL, 0) == 0);
}

static void setup(void)
{
	char c;
	int ready[2];

	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(shared != MAP_FAILED);
	CHECK(pipe(in) == 0);
	CHECK(pipe(full) == 0);
	fill();
	CHECK((efd = eventfd(0, 0)) >= 0);
	CHECK((tfd = timerfd_create(CLOCK_MONOTONIC, 0)) >= 0);
	CHECK((ep = epoll_create1(0)) >= 0);
	spew("f", "0123456789");
	CHECK(mkfifo("fifo", 0600) == 0);
	CHECK((fd = open("f", O_RDWR)) >= 0);
	CHECK(pipe(ready) == 0);
	if ((holder = ct_fork()) == 0) {
		int own = open("f", O_RDWR);
		struct flock l = {.l_type = F_WRLCK};
		CHECK(flock(own, LOCK_EX) == 0);
		CHECK(fcntl(own, F_SETLK, &l) == 0);
		CHECKEQ(write(ready[1], "x", 1), 1);
		for (;;)
			pause();
	}
	CHECKEQ(read(ready[0], &c, 1), 1);
}

/* How the other process lets a call come to its end. */
static void feed(void) { CHECKEQ(write(in[1], "x", 1), 1); }
static void drain(void)
{
	static char all[1 << 20];
	CHECK(read(full[0], all, sizeof all) > 0);
}
static void count(void)
{
	uint64_t one = 1;
	CHECKEQ(write(efd, &one, 8), 8);
}
static void fire(void)
{
	struct itimerspec its = {.it_value.tv_nsec = 1};
	CHECK(timerfd_settime(tfd, 0, &its, NULL) == 0);
}
static void partner(void) { CHECK(open("fifo", O_WRONLY) >= 0); }
static void reader(void) { CHECK(open("fifo", O_RDONLY) >= 0); }
static void release(void) { CHECK(kill(holder, SIGKILL) == 0); }
static void wake(void)
{
	CHECKEQ(syscall(SYS_futex, &shared->word, FUTEX_WAKE, 1), 1);
}

struct wait {
	const char *name;
	void (*end)(void); /* NULL: EINTR in any case */
	long nr, a[6];
};

/* later makes the child that interrupts this process and lets it go on. */
static pid_t later(const struct wait *w)
{
	pid_t parent = getpid(), pid = ct_fork();

	if (pid != 0)
		return pid;
	until_asleep(parent);
	CHECK(kill(parent, SIGUSR1) == 0);
	if (w != NULL) {
		while (__atomic_load_n(&shared->handled, __ATOMIC_SEQ_CST) == 0)
			nap(1);
		until_asleep(parent);
		w->end();
	}
	_exit(0);
}

static void check(const struct wait *w, int flags)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};
	int goes_on = w->end != NULL && flags & SA_RESTART;

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	shared->handled = 0;
	pid_t pid = later(goes_on ? w : NULL);
	errno = 0;
	long n = syscall(w->nr, w->a[0], w->a[1], w->a[2], w->a[3], w->a[4], w->a[5]);
	int e = errno;
	if (goes_on ? n == -1 : n != -1 || e != EINTR)
		FAIL("%s, flags %#x: returned %ld, errno %d", w->name, flags, n, n == -1 ? e : 0);
	CHECKEQ(shared->handled, 1);
	REAP(pid);
}

#define P(x) ((long)(x))

TEST(interrupted)
{
	static char buf[64];
	static struct timespec long_time = {1000, 0}, far;
	static struct iovec v = {buf, 8};
	static struct pollfd pfd;
	static struct epoll_event ev;
	static uint64_t none, usr2 = 1 << (SIGUSR2 - 1);
	static struct { void *p; long n; } mask = {&none, 8};
	static siginfo_t si;
	static off_t at;

	setup();
	CHECK(clock_gettime(CLOCK_MONOTONIC, &far) == 0);
	far.tv_sec += 1000;
	pfd = (struct pollfd){in[0], POLLIN, 0};
	const struct wait waits[] = {
		{"read of a pipe", feed, SYS_read, {in[0], P(buf), 1}},
		{"readv of a pipe", feed, SYS_readv, {in[0], P(&v), 1}},
		{"write to a full pipe", drain, SYS_write, {full[1], P(buf), 1}},
		{"read of an eventfd", count, SYS_read, {efd, P(buf), 8}},
		{"read of a timerfd", fire, SYS_read, {tfd, P(buf), 8}},
		{"open of a FIFO", partner, SYS_open, {P("fifo"), O_RDONLY, 0}},
		{"open of a FIFO to write", reader, SYS_open, {P("fifo"), O_WRONLY, 0}},
		{"futex", wake, SYS_futex, {P(&shared->word), FUTEX_WAIT, 0, 0}},
		{"futex with a timeout", NULL, SYS_futex, {P(&shared->word), FUTEX_WAIT, 0, P(&long_time)}},
		{"futex with a time", NULL, SYS_futex, {P(&shared->word), FUTEX_WAIT_BITSET, 0, P(&far), 0, -1}},
		{"poll", NULL, SYS_poll, {P(&pfd), 1, -1}},
		{"poll with a timeout", NULL, SYS_poll, {P(&pfd), 1, 1000000}},
		{"ppoll", NULL, SYS_ppoll, {P(&pfd), 1, 0, P(&none), 8}},
		{"select", NULL, SYS_select, {0, 0, 0, 0, 0}},
		{"pselect6", NULL, SYS_pselect6, {0, 0, 0, 0, P(&long_time), P(&mask)}},
		{"epoll_wait", NULL, SYS_epoll_wait, {ep, P(&ev), 1, -1}},
		{"epoll_pwait", NULL, SYS_epoll_pwait, {ep, P(&ev), 1, -1, P(&none), 8}},
		{"nanosleep", NULL, SYS_nanosleep, {P(&long_time), 0}},
		{"clock_nanosleep", NULL, SYS_clock_nanosleep, {CLOCK_MONOTONIC, 0, P(&long_time), 0}},
		{"clock_nanosleep to a time", NULL, SYS_clock_nanosleep, {CLOCK_MONOTONIC, TIMER_ABSTIME, P(&far), 0}},
		{"pause", NULL, SYS_pause, {0}},
		{"rt_sigsuspend", NULL, SYS_rt_sigsuspend, {P(&none), 8}},
		{"rt_sigtimedwait", NULL, SYS_rt_sigtimedwait, {P(&usr2), P(&si), P(&long_time), 8}},
		{"rt_sigtimedwait for ever", NULL, SYS_rt_sigtimedwait, {P(&usr2), P(&si), 0, 8}},
		{"sendfile to a full pipe", drain, SYS_sendfile, {full[1], fd, P(&at), 5}},
	};
	for (unsigned i = 0; i < sizeof waits / sizeof waits[0]; i++) {
		IN_CHILD check(&waits[i], 0); /* in children: what they open goes with them */
		IN_CHILD check(&waits[i], SA_RESTART);
		fill();
	}
}

/* one checks a call that can go on when the holder of the locks has ended. */
static void one(const char *name, long nr, long a0, long a1, long a2, long a3)
{
	const struct wait w = {name, release, nr, {a0, a1, a2, a3}};

	check(&w, 0);
	check(&w, SA_RESTART);
}

TEST(wait4_goes_on)
{
	setup();
	one("wait4", SYS_wait4, holder, 0, 0, 0);
}

TEST(waitid_goes_on)
{
	setup();
	one("waitid", SYS_waitid, P_PID, holder, 0, WEXITED);
}

TEST(flock_goes_on)
{
	setup();
	one("flock", SYS_flock, fd, LOCK_EX, 0, 0);
}

TEST(record_lock_goes_on)
{
	struct flock l = {.l_type = F_WRLCK};

	setup();
	one("F_SETLKW", SYS_fcntl, fd, F_SETLKW, P(&l), 0);
}

TEST(partial_transfer)
{
	/* What has moved counts more than the signal. */
	static char big[1 << 20];
	struct sigaction sa = {.sa_handler = handler, .sa_flags = SA_RESTART};

	setup();
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	pid_t pid = later(NULL);
	long n = write(in[1], big, sizeof big);
	CHECK(n > 0 && n < (long)sizeof big);
	CHECKEQ(shared->handled, 1);
	REAP(pid);
}
