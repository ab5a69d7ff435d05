//go:build ignore

/* event: waiting for many things: poll, ppoll, select, epoll, eventfd,
 * timerfd. */
#include "calltest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/timerfd.h>

static int p[2];

static void mk(void)
{
	CHECK(pipe2(p, O_NONBLOCK) == 0);
}

static void put(int fd)
{
	CHECKEQ(write(fd, "x", 1), 1);
}

static void take(int fd)
{
	char c;
	CHECKEQ(read(fd, &c, 1), 1);
}

static volatile int got;
static void handler(int sig) { got = sig; }

static void catch(int sig)
{
	struct sigaction sa = {.sa_handler = handler};
	CHECK(sigaction(sig, &sa, NULL) == 0);
}

/* later makes a child that, once this process sleeps, signals it or writes. */
static pid_t later(int sig, int fd)
{
	pid_t parent = getpid(), pid = ct_fork();

	if (pid == 0) {
		until_asleep(parent);
		if (sig)
			kill(parent, sig);
		else
			put(fd);
		_exit(0);
	}
	return pid;
}

TEST(poll)
{
	struct pollfd f[3];

	mk();
	f[0] = (struct pollfd){p[0], POLLIN, 99};
	f[1] = (struct pollfd){-1, POLLIN, 99}; /* is passed over */
	f[2] = (struct pollfd){999, POLLIN, 99};
	CHECKEQ(poll(f, 3, 0), 1);
	CHECKEQ(f[0].revents, 0);
	CHECKEQ(f[1].revents, 0);
	CHECKEQ(f[2].revents, POLLNVAL);
	int64_t t = now_ns(CLOCK_MONOTONIC);
	CHECKEQ(poll(f, 1, 20), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - t >= 20000000);
	pid_t pid = later(0, p[1]);
	CHECKEQ(poll(f, 1, -1), 1);
	CHECKEQ(f[0].revents, POLLIN);
	REAP(pid);
	CHECKEQ(poll(NULL, 0, 1), 0);
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	f[0] = (struct pollfd){fd, POLLIN | POLLOUT, 0}; /* files are always ready */
	CHECKEQ(poll(f, 1, -1), 1);
	CHECKEQ(f[0].revents, POLLIN | POLLOUT);
	CHECKERR(syscall(SYS_poll, bad_address(1), 1, 0), EFAULT);
	struct rlimit rl = {100, 100};
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHECKERR(syscall(SYS_poll, f, 101, 0), EINVAL);
	CHECKERR(syscall(SYS_poll, f, -1, 0), EINVAL);
}

TEST(poll_writes_revents)
{
	/* Only revents is written: the rest may be read-only. */
	char *m = pages(2, PROT_READ | PROT_WRITE);
	struct pollfd *f = (struct pollfd *)(m + PAGE - offsetof(struct pollfd, revents));

	mk();
	put(p[1]);
	f->fd = p[0];
	f->events = POLLIN;
	CHECK(mprotect(m, PAGE, PROT_READ) == 0);
	CHECKEQ(poll(f, 1, -1), 1);
	CHECKEQ(f->revents, POLLIN);
	CHECK(mprotect(m, PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECK(mprotect(m + PAGE, PAGE, PROT_READ) == 0);
	CHECKERR(poll(f, 1, -1), EFAULT);
}

TEST(poll_interrupted)
{
	struct pollfd f;

	mk();
	catch(SIGUSR1);
	f = (struct pollfd){p[0], POLLIN, 0};
	pid_t pid = later(SIGUSR1, 0);
	CHECKERR(poll(&f, 1, -1), EINTR);
	CHECKEQ(got, SIGUSR1);
	REAP(pid);
}

TEST(ppoll)
{
	struct pollfd f;
	struct timespec ts = {0, 10000000}, bad = {0, -1};
	sigset_t none, usr1;

	mk();
	catch(SIGUSR1);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	f = (struct pollfd){p[0], POLLIN, 0};
	CHECK(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECKEQ(ppoll(&f, 1, &ts, NULL), 0);
	CHECKEQ(got, 0);
	CHECKERR(ppoll(&f, 1, NULL, &none), EINTR); /* the mask holds during the call */
	CHECKEQ(got, SIGUSR1);
	got = 0;
	CHECK(raise(SIGUSR1) == 0);
	CHECKEQ(got, 0); /* and not after it */
	CHECKERR(ppoll(&f, 1, &bad, NULL), EINVAL);
	CHECKERR(syscall(SYS_ppoll, &f, 1, bad_address(1), NULL, 8), EFAULT);
	CHECKERR(syscall(SYS_ppoll, &f, 1, &ts, bad_address(1), 8), EFAULT);
	CHECKERR(syscall(SYS_ppoll, &f, 1, &ts, &none, 4), EINVAL);
}

TEST(select)
{
	fd_set r, w, e;
	struct timeval tv = {0, 20000};

	mk();
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_ZERO(&e);
	FD_SET(p[0], &r);
	int64_t t = now_ns(CLOCK_MONOTONIC);
	CHECKEQ(select(p[1] + 1, &r, &w, &e, &tv), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - t >= 20000000);
	CHECK(!FD_ISSET(p[0], &r));
	CHECKEQ(tv.tv_sec + tv.tv_usec, 0); /* Linux tells what is left */
	FD_SET(p[0], &r);
	FD_SET(p[1], &w);
	put(p[1]);
	CHECKEQ(select(p[1] + 1, &r, &w, NULL, NULL), 2);
	CHECK(FD_ISSET(p[0], &r) && FD_ISSET(p[1], &w));
	CHECKEQ(select(p[0] + 1, &r, &w, NULL, NULL), 1); /* p[1] isn't looked at */
	tv = (struct timeval){0, 0};
	take(p[0]);
	CHECKEQ(select(p[0] + 1, &r, NULL, NULL, &tv), 0);
	FD_ZERO(&r);
	FD_SET(63, &r); /* Linux looks only as far as its table is large */
	CHECKERR(select(64, &r, NULL, NULL, &tv), EBADF);
	CHECKERR(select(-1, NULL, NULL, NULL, &tv), EINVAL);
	tv.tv_usec = -1;
	CHECKERR(select(0, NULL, NULL, NULL, &tv), EINVAL);
	CHECKERR(syscall(SYS_select, 10, bad_address(1), NULL, NULL, NULL), EFAULT);
	CHECKERR(syscall(SYS_select, 0, NULL, NULL, NULL, bad_address(1)), EFAULT);
	tv = (struct timeval){0, 1000};
	CHECKEQ(select(0, NULL, NULL, NULL, &tv), 0);
}

TEST(pselect)
{
	fd_set r;
	sigset_t none, usr1;
	struct timespec ts = {0, 1000000};

	mk();
	catch(SIGUSR1);
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	CHECK(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECKEQ(pselect(p[0] + 1, &r, NULL, NULL, &ts, NULL), 0);
	CHECKERR(pselect(p[0] + 1, &r, NULL, NULL, NULL, &none), EINTR);
	CHECKEQ(got, SIGUSR1);
}

static int ep;

static int add(int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = {.events = events, .data.u64 = data};
	return epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
}

static int mod(int fd, uint32_t events, uint64_t data)
{
	struct epoll_event e = {.events = events, .data.u64 = data};
	return epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
}

static struct epoll_event ev[8];

TEST(epoll_level)
{
	mk();
	CHECK((ep = epoll_create1(EPOLL_CLOEXEC)) >= 0);
	CHECKEQ(fcntl(ep, F_GETFD), FD_CLOEXEC);
	CHECK(add(p[0], EPOLLIN, 0x1234567890abcdef) == 0);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 0);
	put(p[1]);
	for (int i = 0; i < 3; i++) {
		CHECKEQ(epoll_wait(ep, ev, 8, -1), 1);
		CHECKEQ(ev[0].events, EPOLLIN);
		CHECKEQ(ev[0].data.u64, 0x1234567890abcdef);
	}
	take(p[0]);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 0);
	CHECK(add(p[1], EPOLLOUT, 2) == 0);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 1);
	CHECKEQ(ev[0].data.u64, 2);
	close(p[1]);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 1); /* the end of the pipe; p[1] left by itself */
	CHECKEQ(ev[0].events, EPOLLHUP);
	close(p[0]);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 0);
	int64_t t = now_ns(CLOCK_MONOTONIC);
	CHECKEQ(epoll_wait(ep, ev, 8, 20), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - t >= 20000000);
}

TEST(epoll_edge)
{
	mk();
	CHECK((ep = epoll_create1(0)) >= 0);
	CHECK(add(p[0], EPOLLIN | EPOLLET, 1) == 0);
	put(p[1]);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 1);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 0); /* told once */
	put(p[1]);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 1); /* again for new data */
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 0);
	take(p[0]);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 0);
	CHECK(mod(p[0], EPOLLIN | EPOLLET, 2) == 0); /* looks anew */
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 1);
	CHECKEQ(ev[0].data.u64, 2);
}

TEST(epoll_oneshot)
{
	mk();
	CHECK((ep = epoll_create1(0)) >= 0);
	CHECK(add(p[0], EPOLLIN | EPOLLONESHOT, 1) == 0);
	put(p[1]);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 1);
	put(p[1]);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 0);
	CHECK(mod(p[0], EPOLLIN | EPOLLONESHOT, 3) == 0);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 1);
	CHECKEQ(ev[0].data.u64, 3);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 0);
}

TEST(epoll_fault)
{
	/* Events that could not be stored are not lost. */
	static const int kinds[] = {EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT, EPOLLIN | EPOLLET | EPOLLONESHOT};
	int q[3][2];

	for (unsigned k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
		CHECK((ep = epoll_create1(0)) >= 0);
		for (int i = 0; i < 3; i++) {
			CHECK(pipe(q[i]) == 0);
			put(q[i][1]);
			CHECK(add(q[i][0], kinds[k], i) == 0);
		}
		void *bad;
		EACH_BAD_OUT(bad)
			CHECKERR(syscall(SYS_epoll_wait, ep, bad, 3, 0), EFAULT);
		/* One finds room before an unmapped page. */
		struct epoll_event *e = edge(sizeof *e + 5);
		CHECKEQ(syscall(SYS_epoll_wait, ep, e, 3, 0), 1);
		CHECKEQ(e->events, EPOLLIN);
		unsigned seen = 1 << e->data.u64;
		int n = epoll_wait(ep, ev, 8, 0);
		for (int i = 0; i < n; i++)
			seen |= 1 << ev[i].data.u64;
		CHECKEQ(seen, 7);
		CHECKEQ(n, kinds[k] == EPOLLIN ? 3 : 2);
		CHECKEQ(epoll_wait(ep, ev, 8, 0), kinds[k] == EPOLLIN ? 3 : 0);
		close(ep);
	}
}

TEST(epoll_wakes)
{
	mk();
	CHECK((ep = epoll_create1(0)) >= 0);
	CHECK(add(p[0], EPOLLIN, 1) == 0);
	pid_t pid = later(0, p[1]);
	CHECKEQ(epoll_wait(ep, ev, 8, -1), 1);
	REAP(pid);
	take(p[0]);
	catch(SIGUSR1);
	pid = later(SIGUSR1, 0);
	CHECKERR(epoll_wait(ep, ev, 8, -1), EINTR);
	REAP(pid);
	sigset_t none, usr1;
	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	CHECK(sigprocmask(SIG_BLOCK, &usr1, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECKEQ(epoll_wait(ep, ev, 8, 1), 0);
	CHECKERR(epoll_pwait(ep, ev, 8, -1, &none), EINTR);
}

TEST(epoll_duplicates)
{
	/* The registration belongs to the open file, under this number. */
	mk();
	CHECK((ep = epoll_create1(0)) >= 0);
	CHECK(add(p[0], EPOLLIN, 1) == 0);
	int d = dup(p[0]);
	CHECK(add(d, EPOLLIN, 2) == 0);
	put(p[1]);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 2);
	CHECKEQ(ev[0].data.u64 + ev[1].data.u64, 3);
	close(p[0]);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 2); /* d still keeps the file open */
	close(d);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 0);
}

TEST(epoll_fair)
{
	/* With room for one only, all get their turn. */
	int q[4][2], seen = 0;

	CHECK((ep = epoll_create1(0)) >= 0);
	for (int i = 0; i < 4; i++) {
		CHECK(pipe(q[i]) == 0);
		CHECK(add(q[i][0], EPOLLIN, i) == 0);
		put(q[i][1]);
	}
	for (int i = 0; i < 4; i++) {
		CHECKEQ(epoll_wait(ep, ev, 1, 0), 1);
		seen |= 1 << ev[0].data.u64;
	}
	CHECKEQ(seen, 15);
}

TEST(epoll_errors)
{
	struct epoll_event e = {.events = EPOLLIN};

	mk();
	CHECKERR(epoll_create(0), EINVAL);
	CHECKERR(epoll_create1(1), EINVAL);
	CHECK((ep = epoll_create(1)) >= 0);
	CHECKERR(epoll_ctl(ep, EPOLL_CTL_ADD, 999, &e), EBADF);
	CHECKERR(epoll_ctl(999, EPOLL_CTL_ADD, p[0], &e), EBADF);
	CHECKERR(epoll_ctl(p[0], EPOLL_CTL_ADD, p[1], &e), EINVAL);
	CHECKERR(epoll_ctl(ep, EPOLL_CTL_ADD, ep, &e), EINVAL);
	CHECKERR(epoll_ctl(ep, EPOLL_CTL_MOD, p[0], &e), ENOENT);
	CHECKERR(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], &e), ENOENT);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	CHECKERR(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e), EEXIST);
	CHECKERR(epoll_ctl(ep, 77, p[0], &e), EINVAL);
	CHECKERR(syscall(SYS_epoll_ctl, ep, EPOLL_CTL_MOD, p[0], bad_address(1)), EFAULT);
	CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL) == 0);
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	CHECKERR(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), EPERM); /* files can't */
	CHECKERR(epoll_wait(ep, ev, 0, 0), EINVAL);
	CHECKERR(epoll_wait(ep, ev, -1, 0), EINVAL);
	CHECKERR(epoll_wait(ep, ev, INT_MAX, 0), EINVAL);
	CHECKERR(epoll_wait(p[0], ev, 1, 0), EINVAL);
	CHECKERR(epoll_wait(999, ev, 1, 0), EBADF);
	CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, p[0], &e) == 0);
	put(p[1]);
	CHECKERR(syscall(SYS_epoll_wait, ep, bad_address(1), 1, 0), EFAULT);
	CHECKERR(syscall(SYS_epoll_wait, ep, bad_address(0), 1, 0), EFAULT);
	CHECKEQ(epoll_wait(ep, ev, 1, 0), 1); /* it isn't lost */
	char c;
	CHECKERR(read(ep, &c, 1), EINVAL);
}

TEST(epoll_nested)
{
	int outer = epoll_create1(0), loop = epoll_create1(0);
	struct epoll_event e = {.events = EPOLLIN, .data.u64 = 7};

	mk();
	CHECK((ep = epoll_create1(0)) >= 0);
	CHECK(add(p[0], EPOLLIN, 1) == 0);
	CHECK(epoll_ctl(outer, EPOLL_CTL_ADD, ep, &e) == 0);
	CHECKEQ(epoll_wait(outer, ev, 8, 0), 0);
	put(p[1]);
	CHECKEQ(epoll_wait(outer, ev, 8, 0), 1);
	CHECKEQ(ev[0].data.u64, 7);
	struct pollfd f = {outer, POLLIN, 0};
	CHECKEQ(poll(&f, 1, 0), 1);
	CHECKERR(epoll_ctl(ep, EPOLL_CTL_ADD, outer, &e), ELOOP);
	CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, outer, &e) == 0);
	CHECKERR(epoll_ctl(ep, EPOLL_CTL_ADD, loop, &e), ELOOP);
	int chain[10];
	chain[0] = epoll_create1(0);
	int i;
	for (i = 1; i < 10; i++) { /* five levels at most */
		chain[i] = epoll_create1(0);
		if (epoll_ctl(chain[i], EPOLL_CTL_ADD, chain[i - 1], &e) < 0)
			break;
	}
	CHECK(i < 10);
	CHECK(errno == ELOOP || errno == EINVAL);
}

TEST(epoll_many)
{
	static int q[100][2];

	CHECK((ep = epoll_create1(0)) >= 0);
	for (int i = 0; i < 100; i++) {
		CHECK(pipe(q[i]) == 0);
		CHECK(add(q[i][0], EPOLLIN, i) == 0);
	}
	for (int round = 0; round < 100; round++) {
		int a = round * 7 % 100, b = round * 13 % 100;
		put(q[a][1]);
		if (b != a)
			put(q[b][1]);
		CHECKEQ(epoll_wait(ep, ev, 8, -1), a == b ? 1 : 2);
		take(q[a][0]);
		if (b != a)
			take(q[b][0]);
	}
}

TEST(eventfd)
{
	uint64_t v;
	int fd = eventfd(3, EFD_NONBLOCK | EFD_CLOEXEC);
	struct pollfd f = {fd, POLLIN | POLLOUT, 0};

	CHECK(fd >= 0);
	CHECKEQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECKEQ(poll(&f, 1, 0), 1);
	CHECKEQ(f.revents, POLLIN | POLLOUT);
	CHECKEQ(read(fd, &v, 8), 8);
	CHECKEQ(v, 3);
	CHECKERR(read(fd, &v, 8), EAGAIN);
	CHECKEQ(poll(&f, 1, 0), 1);
	CHECKEQ(f.revents, POLLOUT);
	v = 10;
	CHECKEQ(write(fd, &v, 8), 8);
	CHECKEQ(write(fd, &v, 8), 8);
	CHECKEQ(read(fd, &v, 8), 8);
	CHECKEQ(v, 20);
	v = -1;
	CHECKERR(write(fd, &v, 8), EINVAL);
	v = -2;
	CHECKEQ(write(fd, &v, 8), 8);
	v = 1;
	CHECKERR(write(fd, &v, 8), EAGAIN);
	CHECKERR(read(fd, &v, 7), EINVAL);
	CHECKERR(write(fd, &v, 4), EINVAL);
	CHECKERR(syscall(SYS_write, fd, bad_address(1), 8), EFAULT);
	CHECKERR(eventfd(0, 0x4000000), EINVAL);
	fd = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
	CHECKEQ(read(fd, &v, 8), 8);
	CHECKEQ(v, 1);
	CHECKEQ(read(fd, &v, 8), 8);
	CHECKERR(read(fd, &v, 8), EAGAIN);
}

TEST(eventfd_blocks)
{
	uint64_t v = 5;
	int fd = eventfd(0, 0);

	pid_t pid = ct_fork();
	if (pid == 0) {
		CHECKEQ(read(fd, &v, 8), 8);
		_exit(v != 5);
	}
	until_asleep(pid);
	CHECKEQ(write(fd, &v, 8), 8);
	REAP(pid);
}

TEST(timerfd)
{
	uint64_t v;
	struct itimerspec it = {{0, 0}, {0, 20000000}}, old;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	struct pollfd f = {fd, POLLIN, 0};

	CHECK(fd >= 0);
	CHECKEQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(timerfd_gettime(fd, &old) == 0);
	CHECKEQ(old.it_value.tv_sec + old.it_value.tv_nsec, 0);
	int64_t t = now_ns(CLOCK_MONOTONIC);
	CHECK(timerfd_settime(fd, 0, &it, NULL) == 0);
	CHECKEQ(poll(&f, 1, -1), 1);
	CHECK(now_ns(CLOCK_MONOTONIC) - t >= 20000000);
	CHECKEQ(read(fd, &v, 8), 8);
	CHECKEQ(v, 1);
	CHECKEQ(poll(&f, 1, 0), 0);
	it = (struct itimerspec){{0, 5000000}, {0, 5000000}};
	CHECK(timerfd_settime(fd, 0, &it, NULL) == 0);
	nap(26);
	CHECKEQ(read(fd, &v, 8), 8);
	CHECK(v >= 5); /* counts what was missed */
	it = (struct itimerspec){{0, 0}, {1000, 0}};
	CHECK(timerfd_settime(fd, 0, &it, &old) == 0);
	CHECKEQ(old.it_interval.tv_nsec, 5000000);
	CHECK(timerfd_gettime(fd, &old) == 0);
	CHECK(old.it_value.tv_sec >= 990 && old.it_value.tv_sec <= 1000);
	it.it_value.tv_sec = 0; /* off */
	CHECK(timerfd_settime(fd, 0, &it, NULL) == 0);
	CHECKEQ(poll(&f, 1, 0), 0);
	CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
	CHECKERR(read(fd, &v, 8), EAGAIN);
	t = now_ns(CLOCK_MONOTONIC) + 10000000; /* absolute */
	it.it_value = (struct timespec){t / 1000000000, t % 1000000000};
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, NULL) == 0);
	CHECKEQ(poll(&f, 1, -1), 1);
	CHECK(now_ns(CLOCK_MONOTONIC) >= t);
	it.it_value = (struct timespec){1, 0}; /* long ago */
	CHECK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &it, NULL) == 0);
	CHECKEQ(poll(&f, 1, -1), 1);
	CHECKERR(read(fd, &v, 4), EINVAL);
	CHECKERR(timerfd_create(99, 0), EINVAL);
	CHECKERR(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);
	CHECKERR(timerfd_settime(fd, 0x100, &it, NULL), EINVAL);
	it.it_value.tv_nsec = 1000000000;
	CHECKERR(timerfd_settime(fd, 0, &it, NULL), EINVAL);
	CHECKERR(syscall(SYS_timerfd_settime, fd, 0, bad_address(1), NULL), EFAULT);
	CHECKERR(timerfd_settime(0, 0, &(struct itimerspec){{0, 0}, {0, 0}}, NULL), EINVAL);
	CHECKERR(timerfd_gettime(999, &old), EBADF);
}

/* lseek of what has no positions succeeds and does nothing. */
TEST(seek)
{
	int fds[] = {
		eventfd(1, EFD_NONBLOCK),
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK),
		epoll_create1(0),
	};
	char b[8];

	for (int i = 0; i < 3; i++) {
		CHECK(fds[i] >= 0);
		CHECKEQ(lseek(fds[i], 0, SEEK_CUR), 0);
		CHECKEQ(lseek(fds[i], 5, SEEK_SET), 0);
		CHECKEQ(lseek(fds[i], 5, SEEK_CUR), 0);
		CHECKEQ(lseek(fds[i], -5, SEEK_END), 0);
		CHECKEQ(lseek(fds[i], 1, SEEK_DATA), 0);
		CHECKERR(lseek(fds[i], 0, 5), EINVAL);
		CHECKERR(pread(fds[i], b, 8, 0), ESPIPE);
		CHECKERR(pwrite(fds[i], b, 8, 0), ESPIPE);
		CHECKERR(fallocate(fds[i], 0, 0, 1), ENODEV);
	}
}

TEST(everything_in_epoll)
{
	uint64_t one = 1;
	int e = eventfd(0, 0), t = timerfd_create(CLOCK_MONOTONIC, 0);
	struct itimerspec it = {{0, 0}, {0, 1}};

	mk();
	CHECK((ep = epoll_create1(0)) >= 0);
	CHECK(add(e, EPOLLIN, 1) == 0);
	CHECK(add(t, EPOLLIN, 2) == 0);
	CHECK(add(p[0], EPOLLIN, 4) == 0);
	CHECKEQ(epoll_wait(ep, ev, 8, 0), 0);
	CHECKEQ(write(e, &one, 8), 8);
	CHECK(timerfd_settime(t, 0, &it, NULL) == 0);
	put(p[1]);
	unsigned seen = 0;
	while (seen != 7) {
		int n = epoll_wait(ep, ev, 8, -1);
		CHECK(n > 0);
		for (int i = 0; i < n; i++)
			seen |= ev[i].data.u64;
	}
}

TEST(raw_select)
{
	/* The C library makes pselect6 of it; others call select itself. */
	fd_set r;
	struct timeval tv = {5, 0};

	mk();
	FD_ZERO(&r);
	FD_SET(p[0], &r);
	put(p[1]);
	CHECKEQ(syscall(SYS_select, p[0] + 1, &r, NULL, NULL, &tv), 1);
	CHECK(FD_ISSET(p[0], &r));
	take(p[0]);
	tv = (struct timeval){0, 10000};
	CHECKEQ(syscall(SYS_select, p[0] + 1, &r, NULL, NULL, &tv), 0);
	CHECK(!FD_ISSET(p[0], &r));
}

TEST(epoll_pwait2)
{
	struct timespec ts = {0, 10000000}, bad = {0, -1};

	mk();
	CHECK((ep = epoll_create1(0)) >= 0);
	CHECK(add(p[0], EPOLLIN, 1) == 0);
	int64_t t = now_ns(CLOCK_MONOTONIC);
	CHECKEQ(syscall(SYS_epoll_pwait2, ep, ev, 8, &ts, NULL, 8), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - t >= 10000000);
	put(p[1]);
	CHECKEQ(syscall(SYS_epoll_pwait2, ep, ev, 8, NULL, NULL, 8), 1);
	CHECKERR(syscall(SYS_epoll_pwait2, ep, ev, 8, &bad, NULL, 8), EINVAL);
	CHECKERR(syscall(SYS_epoll_pwait2, ep, ev, 8, bad_address(1), NULL, 8), EFAULT);
}

TEST(poll_wakes_all)
{
	/* Several processes that wait for one pipe all hear of it. */
	pid_t pid[5];
	struct pollfd f;

	mk();
	f = (struct pollfd){p[0], POLLIN, 0};
	for (int i = 0; i < 5; i++) {
		if ((pid[i] = ct_fork()) == 0) {
			CHECKEQ(poll(&f, 1, -1), 1);
			_exit(0);
		}
	}
	for (int i = 0; i < 5; i++)
		until_asleep(pid[i]);
	put(p[1]);
	for (int i = 0; i < 5; i++)
		REAP(pid[i]);
}
