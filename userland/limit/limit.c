//go:build ignore

/* Every kind of object is made until the kernel refuses, by a process that no
 * limit of its own stops: then the errno is one that Linux documents, the
 * machine lives, one object given back makes room for another, and when all
 * are gone, what the instance pays for is as it was.
 *
 * On another kernel than mult each case stops at a small number: the host's
 * memory is not ours to use up. */

#include "calltest.h"

#include <poll.h>
#include <pthread.h>
#include <linux/futex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>

/* --- what is charged --- */

/* A level is what the instance pays for, in KiB. */
struct level { long heap, frames; };

static int level(struct level *l)
{
	char text[4096], *p;
	int fd = open("/proc/meminfo", O_RDONLY);

	l->heap = l->frames = -1;
	if (fd < 0)
		return 0;
	ssize_t n = read(fd, text, sizeof text - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = 0;
	if ((p = strstr(text, "\nSlab:")) != NULL)
		l->heap = atol(p + 6);
	if ((p = strstr(text, "\nActive:")) != NULL)
		l->frames = atol(p + 8);
	return l->heap >= 0 && l->frames >= 0;
}

/* Frees may come a moment after the end of a process. A page that the test itself
 * touches for the first time may stay, as do names of the root image, which are
 * forgotten when there is no room. */
enum { WAIT_MS = 20000, MARGIN_HEAP = 128, MARGIN_FRAMES = 128 };

static struct level ct_before;
static int guest; /* this is mult: use up everything */
static int mixed; /* other cases run beside this one */

static void begin(void)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY}, files = {1 << 20, 1 << 20};

	struct utsname u;

	CHECK(uname(&u) == 0);
	guest = strncmp(u.version, "mult ", 5) == 0;
	if (!guest)
		return;
	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_SIGPENDING, &all);
	setrlimit(RLIMIT_NPROC, &all);
	setrlimit(RLIMIT_AS, &all);
	nap(10);
	CHECK(level(&ct_before));
}

/* all_back waits until what was charged has been given back. */
static void all_back(void)
{
	struct level l;

	if (!guest || mixed)
		return;
	for (int ms = 0;; ms += 10) {
		while (waitpid(-1, NULL, WNOHANG) > 0)
			; /* orphans, if this is process 1 */
		CHECK(level(&l));
		if (l.heap <= ct_before.heap + MARGIN_HEAP && l.frames <= ct_before.frames + MARGIN_FRAMES)
			return;
		if (ms >= WAIT_MS)
			FAIL("heap %ld KiB, frames %ld KiB; before: %ld, %ld",
				l.heap, l.frames, ct_before.heap, ct_before.frames);
		nap(10);
	}
}

/* KIND(name) is a case whose body runs in a child; with the end of that child
 * everything must be gone. */
#define KIND(id) \
	static void kind_##id(void); \
	TEST(id) \
	{ \
		begin(); \
		IN_CHILD { kind_##id(); } \
		IN_CHILD { } /* there is room for a process */ \
		all_back(); \
	} \
	static void kind_##id(void)

/* upto is how many objects of a kind are made: as many as there can be, and
 * on another kernel host. */
static long upto(long host) { return guest ? LONG_MAX : host; }

/* refused checks the errno of a call that failed after n objects were made. */
#define REFUSED(n, ...) do { \
	int ct_e = errno, ct_ok = 0; \
	const int ct_may[] = {__VA_ARGS__}; \
	for (size_t ct_i = 0; ct_i < sizeof ct_may / sizeof *ct_may; ct_i++) \
		ct_ok |= ct_e == ct_may[ct_i]; \
	if (!guest || !ct_ok || (n) == 0) \
		FAIL("refused after %ld with errno %d (%s)", (long)(n), ct_e, strerror(ct_e)); \
	alive(); \
} while (0)

static int alive_pipe[2];

/* alive makes calls that take nothing. */
static void alive(void)
{
	char c = 'x';

	if (alive_pipe[1] == 0)
		return;
	CHECK(write(alive_pipe[1], &c, 1) == 1 && read(alive_pipe[0], &c, 1) == 1 && c == 'x');
	CHECK(getppid() > 0);
	CHECK(sched_yield() == 0);
	nap(1);
}

static void prepare_alive(void)
{
	char c = 'x'; /* the pipe has its buffer afterwards */

	CHECK(pipe(alive_pipe) == 0);
	CHECK(write(alive_pipe[1], &c, 1) == 1 && read(alive_pipe[0], &c, 1) == 1);
}

/* forks checks that there is room for a process again. Ends of processes may be
 * under way still. */
static void forks(void)
{
	pid_t pid;

	for (int tries = 0; (pid = fork()) < 0; tries++) {
		if ((errno != EAGAIN && errno != ENOMEM) || tries > 500)
			FAIL("no fork after something was given back: errno %d", errno);
		nap(10);
	}
	if (pid == 0)
		_exit(0);
	CHECKEQ(ct_wait(pid), 0);
}

/* --- a herd of processes, each of which has made something --- */

static int gate[2], tell[2];
static sigset_t unblocked;

static void on_child(int sig) { (void)sig; }

static void herd(void)
{
	sigset_t chld;
	struct sigaction sa = {.sa_handler = on_child};

	prepare_alive();
	CHECK(pipe(gate) == 0 && pipe(tell) == 0);
	int e = 0;
	CHECK(write(tell[1], &e, sizeof e) == sizeof e && read(tell[0], &e, sizeof e) == sizeof e);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	CHECK(sigaction(SIGCHLD, &sa, NULL) == 0);
	CHECK(sigprocmask(SIG_BLOCK, &chld, &unblocked) == 0);
}

/* KILLED is in place of an errno: the process was ended by a signal, SIGKILL or
 * SIGBUS, which is how the lack of a page frame may show. */
enum { KILLED = 1000, FORK_FAILED = 2000 };

/* buried waits for those that have ended; it returns whether the lack of memory
 * ended one, and whether pid is among them. */
static int buried(pid_t pid, int *mine)
{
	int status, killed = 0;
	pid_t who;

	while ((who = waitpid(-1, &status, WNOHANG)) > 0) {
		*mine |= who == pid;
		if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGKILL || WTERMSIG(status) == SIGBUS))
			killed = 1;
		else if (status != 0 && (who != pid || status != 0x100))
			FAIL("a process ended with status %#x", status);
	}
	return killed;
}

/* member makes a process that calls f, which returns an errno or 0, and waits
 * until the herd ends. It returns what f does, FORK_FAILED + errno, or KILLED if
 * this one or another one is no more. */
static int member(int (*f)(void))
{
	int e, killed = 0, mine = 0;
	pid_t pid = fork();

	if (pid < 0)
		return FORK_FAILED + errno;
	if (pid == 0) {
		char c;

		close(gate[1]);
		signal(SIGCHLD, SIG_DFL);
		sigprocmask(SIG_SETMASK, &unblocked, NULL);
		e = f();
		if (write(tell[1], &e, sizeof e) != sizeof e || e != 0)
			_exit(1);
		_exit(read(gate[0], &c, 1) != 0);
	}
	for (;;) {
		struct pollfd p = {.fd = tell[0], .events = POLLIN};

		int n = ppoll(&p, 1, NULL, &unblocked);
		killed |= buried(pid, &mine);
		if (n == 1) {
			CHECK(read(tell[0], &e, sizeof e) == sizeof e);
			return killed ? KILLED : e;
		}
		CHECK(n < 0 && (errno == EINTR || errno == ENOMEM || errno == ECHILD));
		if (mine)
			return KILLED;
	}
}

/* disperse ends the herd. */
static void disperse(void)
{
	int status;
	pid_t pid;

	close(gate[1]);
	while ((pid = waitpid(-1, &status, 0)) > 0)
		;
	CHECKEQ(errno, ECHILD);
	sigprocmask(SIG_SETMASK, &unblocked, NULL);
	forks();
}

/* HERD makes processes that call f until one says that it was refused. */
#define HERD(f, host, ...) do { \
	long ct_n; \
	herd(); \
	for (ct_n = 0; ct_n < upto(host); ct_n++) { \
		int ct_r = member(f); \
		if (ct_r != 0) { \
			errno = ct_r; \
			REFUSED(ct_n + 1, FORK_FAILED + EAGAIN, FORK_FAILED + ENOMEM, __VA_ARGS__); \
			break; \
		} \
	} \
	disperse(); \
} while (0)

/* --- processes and threads --- */

static int nothing(void) { return 0; }

KIND(processes) { HERD(nothing, 100, 0); }

static int group_of_its_own(void) { return setsid() < 0 ? errno : 0; }

/* Names below /proc of a process that is no more take nothing. */
static int looked_at(void)
{
	static const char *const names[] = {
		"stat", "status", "maps", "cmdline", "exe", "cwd", "fd/0", "fdinfo/0", "task", "limits",
	};
	char path[64];
	struct stat st;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		snprintf(path, sizeof path, "/proc/%d/%s", getpid(), names[i]);
		if (stat(path, &st) < 0)
			return errno;
	}
	return 0;
}

KIND(proc_names) { HERD(looked_at, 50, ENOMEM); }

KIND(sessions) { HERD(group_of_its_own, 100, ENOMEM, EAGAIN); }

KIND(zombies)
{
	long n, status;
	pid_t pid = 0;

	prepare_alive();
	for (n = 0; n < upto(100); n++) {
		if ((pid = fork()) == 0)
			_exit(0);
		if (pid < 0)
			break;
	}
	if (pid < 0) {
		REFUSED(n, EAGAIN, ENOMEM);
		CHECK(waitpid(-1, (int *)&status, 0) > 0);
		forks();
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	CHECKEQ(errno, ECHILD);
}

static int stop_threads;

static void *futex_waiter(void *arg)
{
	while (!__atomic_load_n(&stop_threads, __ATOMIC_SEQ_CST))
		syscall(SYS_futex, &stop_threads, FUTEX_WAIT, 0, NULL, NULL, 0);
	return arg;
}

/* threads are waiters for a futex as well. */
KIND(threads)
{
	enum { MANY = 40000 };
	static pthread_t t[MANY];
	pthread_attr_t a;
	long n;
	int e = 0;

	prepare_alive();
	CHECK(pthread_attr_init(&a) == 0);
	CHECK(pthread_attr_setstacksize(&a, PTHREAD_STACK_MIN) == 0);
	for (n = 0; n < (guest ? MANY : 100); n++)
		if ((e = pthread_create(&t[n], &a, futex_waiter, NULL)) != 0)
			break;
	if (e != 0) {
		errno = e;
		REFUSED(n, EAGAIN);
	}
	__atomic_store_n(&stop_threads, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &stop_threads, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	while (n > 0)
		CHECK(pthread_join(t[--n], NULL) == 0);
	forks();
}

static int many_groups(void)
{
	static gid_t g[65536];

	for (int i = 0; i < 65536; i++)
		g[i] = i + getpid();
	return setgroups(guest ? 65536 : 100, g) < 0 ? errno : 0;
}

KIND(groups)
{
	if (geteuid() != 0)
		SKIP("needs root");
	HERD(many_groups, 5, ENOMEM, KILLED);
}

/* --- open files --- */

/* FILL calls an expression that makes one descriptor until it fails. Then all
 * are closed but the first three and the pipe of alive. */
#define FILL(host, expr, ...) do { \
	long ct_n; \
	int ct_fd = 0, ct_last = 0; \
	prepare_alive(); \
	for (ct_n = 0; ct_n < upto(host); ct_n++, ct_last = ct_fd) \
		if ((ct_fd = (expr)) < 0) \
			break; \
	if (ct_fd < 0) { \
		REFUSED(ct_n, __VA_ARGS__); \
		CHECK(close(ct_last) == 0); \
		CHECK((ct_fd = (expr)) >= 0); /* one goes, another comes */ \
	} \
	CHECK(syscall(SYS_close_range, alive_pipe[1] + 1, ~0U, 0) == 0); \
	forks(); \
} while (0)

KIND(files) { FILL(200, open("/dev/null", O_RDONLY), ENFILE, ENOMEM); }

KIND(proc_files) { FILL(200, open("/proc/self/status", O_RDONLY), ENFILE, ENOMEM); }

static int read_maps(void)
{
	char c;
	int fd = open("/proc/self/maps", O_RDONLY);

	if (fd >= 0 && read(fd, &c, 1) != 1) {
		close(fd);
		return -1;
	}
	return fd;
}

KIND(proc_content) { FILL(200, read_maps(), ENFILE, ENOMEM); }

KIND(eventfds) { FILL(200, eventfd(0, 0), ENFILE, ENOMEM); }

static int timer(void)
{
	struct itimerspec v = {{3600, 0}, {3600, 0}};
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	if (fd >= 0 && timerfd_settime(fd, 0, &v, NULL) < 0)
		return -1;
	return fd;
}

KIND(timerfds) { FILL(200, timer(), ENFILE, ENOMEM); }

KIND(epolls) { FILL(200, epoll_create1(0), ENFILE, ENOMEM); }

KIND(ptys) { FILL(50, open("/dev/ptmx", O_RDWR | O_NOCTTY), ENOSPC, ENFILE, ENOMEM); }

KIND(memfds) { FILL(200, syscall(SYS_memfd_create, "name", 0), ENFILE, ENOMEM, ENOSPC); }

KIND(watches)
{
	struct epoll_event ev = {.events = EPOLLIN};
	long n;
	int ep, e, fd = 0;

	prepare_alive();
	CHECK((ep = epoll_create1(0)) >= 0);
	CHECK((e = eventfd(1, 0)) >= 0);
	for (n = 0; n < upto(200); n++)
		if ((fd = dup(e)) < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
			break;
	if (n < upto(200)) {
		REFUSED(n, ENOMEM, ENOSPC);
		CHECK(epoll_ctl(ep, EPOLL_CTL_DEL, e + 1, NULL) == 0);
		CHECK(epoll_ctl(ep, EPOLL_CTL_ADD, e, &ev) == 0);
	}
	CHECK(epoll_wait(ep, &ev, 1, 0) == 1);
	CHECK(syscall(SYS_close_range, ep, ~0U, 0) == 0);
	forks();
}

static int big_table(void) { return dup2(0, guest ? (1 << 20) - 1 : 200) < 0 ? errno : 0; }

KIND(descriptor_tables) { HERD(big_table, 10, ENOMEM); }

static long pipe_size;

static int full_pipe(void)
{
	static char b[65536];
	int p[2];

	if (pipe2(p, O_NONBLOCK) < 0)
		return -1;
	if ((pipe_size != 0 && fcntl(p[1], F_SETPIPE_SZ, pipe_size) < 0) || write(p[1], b, 1) < 0)
		return -1;
	while (write(p[1], b, sizeof b) > 0)
		;
	return errno == EAGAIN ? p[1] : -1;
}

/* A pipe whose buffer can't be had is left empty and open. */
KIND(pipes)
{
	long n;

	prepare_alive();
	for (n = 0; n < upto(20) && full_pipe() >= 0; n++)
		;
	if (n < upto(20))
		REFUSED(n, ENFILE, ENOMEM);
	CHECK(syscall(SYS_close_range, alive_pipe[1] + 1, ~0U, 0) == 0);
	forks();
	CHECK(full_pipe() >= 0);
}

KIND(large_pipes)
{
	long n;

	pipe_size = 1 << 20;
	prepare_alive();
	for (n = 0; n < upto(4) && full_pipe() >= 0; n++)
		;
	if (n < upto(4))
		REFUSED(n, ENFILE, ENOMEM);
	CHECK(syscall(SYS_close_range, alive_pipe[1] + 1, ~0U, 0) == 0);
	forks();
	CHECK(full_pipe() >= 0);
}

static int polls(void)
{
	static struct pollfd p[4096];
	int n = guest ? 4096 : 100;
	pid_t pid, me = getpid();

	/* The poll doesn't return: a second process tells when it sleeps. */
	for (int i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = gate[0], .events = POLLIN};
	if ((pid = fork()) < 0)
		return FORK_FAILED + errno;
	if (pid == 0) {
		int e = 0;

		while (proc_state(me) == 'R')
			nap(1);
		if (proc_state(me) == 'S' && write(tell[1], &e, sizeof e) != sizeof e)
			_exit(1);
		_exit(0);
	}
	if (poll(p, n, -1) < 0)
		return errno;
	_exit(0);
}

KIND(pollers) { HERD(polls, 5, ENOMEM); }

/* --- locks --- */

static int one_file;

static int shared_lock(void)
{
	int fd = open("lock", O_RDWR | O_CREAT, 0644);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0 ? -1 : fd;
}

KIND(flocks) { FILL(200, shared_lock(), ENOLCK, ENFILE, ENOMEM); }

static int lock_byte(int cmd, short type, long at)
{
	struct flock l = {.l_type = type, .l_whence = SEEK_SET, .l_start = at, .l_len = 1};

	return fcntl(one_file, cmd, &l);
}

KIND(record_locks)
{
	long n;

	prepare_alive();
	CHECK((one_file = open("lock", O_RDWR | O_CREAT, 0644)) >= 0);
	for (n = 0; n < upto(500); n++)
		if (lock_byte(F_SETLK, F_WRLCK, 2 * n) < 0)
			break;
	if (n < upto(500)) {
		REFUSED(n, ENOLCK);
		for (int i = 0; i < 8; i++)
			CHECK(lock_byte(F_SETLK, F_UNLCK, 2 * i) == 0);
		CHECK(lock_byte(F_SETLK, F_WRLCK, 2 * n) == 0);
	}
	CHECK(close(one_file) == 0);
	forks();
}

/* --- signals --- */

KIND(queued_signals)
{
	union sigval v = {0};
	sigset_t set;
	long n;

	prepare_alive();
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	for (n = 0; n < upto(500); n++)
		if (sigqueue(getpid(), SIGRTMIN, v) < 0)
			break;
	if (n < upto(500)) {
		REFUSED(n, EAGAIN);
		CHECK(sigwaitinfo(&set, NULL) == SIGRTMIN);
		CHECK(sigqueue(getpid(), SIGRTMIN, v) == 0);
		/* A signal of a process itself arrives without room, too. */
		CHECK(raise(SIGRTMIN) == 0 || errno == EAGAIN);
	}
	signal(SIGRTMIN, SIG_IGN); /* drops them all */
	forks();
}

static int timed(void)
{
	struct itimerval v = {{3600, 0}, {3600, 0}};

	for (int i = ITIMER_REAL; i <= ITIMER_PROF; i++)
		if (setitimer(i, &v, NULL) < 0)
			return errno;
	return 0;
}

KIND(itimers) { HERD(timed, 50, ENOMEM, EAGAIN); }

/* --- memory --- */

static int many_areas(void)
{
	for (long n = 0; n < (guest ? 15000 : 500); n++)
		if (mmap(NULL, PAGE, n & 1 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
			return errno;
	return 0;
}

KIND(areas) { HERD(many_areas, 2, ENOMEM); }

/* Each has a page frame. Some are given back, so that nobody meets a page fault
 * that can't be served. */
static int shared_areas(void)
{
	enum { GONE = 64 };
	char *last[GONE], *p;

	for (long n = 0; n < upto(500); n++) {
		if ((p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) == MAP_FAILED) {
			int e = errno;

			for (int i = 0; i < GONE; i++)
				munmap(last[i], PAGE);
			return e;
		}
		last[n % GONE] = p;
	}
	return 0;
}

KIND(shared_areas) { HERD(shared_areas, 2, ENOMEM); }

/* Who touches memory that isn't there is ended: there is no errno for that. */
static int touches(long step, long host)
{
	long n, size = guest ? 1L << 40 : host * step;
	volatile char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return errno;
	for (n = 0; n < size; n += step)
		p[n] = 1;
	return guest ? EDOM : 0;
}

static int touch_all(void) { return touches(PAGE, 500); }
static int touch_2m(void) { return touches(2 << 20, 50); }
static int touch_1g(void) { return touches(1 << 30, 10); }

static int read_2m(void)
{
	long n, size = guest ? 1L << 46 : 1L << 30;
	volatile char *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return errno;
	for (n = 0; n < size; n += 2 << 20)
		(void)p[n];
	return guest ? EDOM : 0;
}

static void hog(int (*f)(void))
{
	herd();
	for (int i = 0; i < 2; i++) {
		int r = member(f);
		if (r != (guest ? KILLED : 0))
			FAIL("a process that takes all memory told %d", r);
		alive();
	}
	disperse();
}

KIND(memory) { hog(touch_all); }
KIND(page_tables) { hog(touch_2m); }
KIND(empty_page_tables) { hog(read_2m); }

static int sparse(void) { return touch_1g() == (guest ? EDOM : 0) ? 0 : ENOMEM; }

KIND(upper_page_tables) { HERD(sparse, 5, ENOMEM, KILLED); }

static int shared_memory(void)
{
	long size = guest ? 1L << 40 : 1 << 20;
	volatile char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return errno;
	for (long n = 0; n < size; n += PAGE)
		p[n] = 1;
	return guest ? EDOM : 0;
}

KIND(shared_memory) { hog(shared_memory); }

/* Memory that the kernel touches for the program: an errno. */
KIND(read_into_memory)
{
	long n, size = guest ? 1L << 40 : 1 << 20;
	int fd;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	prepare_alive();
	CHECK(p != MAP_FAILED);
	CHECK((fd = open("/dev/zero", O_RDONLY)) >= 0);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		for (n = 0; n < size; n += PAGE)
			if (read(fd, p + n, 1) != 1)
				_exit(errno == EFAULT || errno == ENOMEM ? 0 : errno);
		_exit(guest ? EDOM : 0);
	}
	int status = ct_wait(pid);
	if (status != 0 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
		FAIL("status %#x", status);
	alive();
	forks();
}

/* --- names and content --- */

static char name[256];

static const char *next_name(long n)
{
	memset(name, 'n', 255);
	name[snprintf(name, 255, "%ld", n)] = '_';
	return name;
}

/* NAMES makes names by an expression of n until it fails, and removes them by
 * another one. When some are gone, one can be made again. */
#define NAMES(host, make, unmake, ...) do { \
	enum { GONE = 4 }; \
	long n, ct_made; \
	prepare_alive(); \
	for (n = 0; n < upto(host); n++) \
		if ((make) < 0) \
			break; \
	ct_made = n; \
	if (n < upto(host)) { \
		REFUSED(n, __VA_ARGS__); \
		CHECK(ct_made > GONE); \
		for (n = 0; n < GONE; n++) \
			CHECK((unmake) == 0); \
		n = 0; \
		CHECK((make) >= 0); \
		CHECK((unmake) == 0); \
	} \
	for (n = ct_made < upto(host) ? GONE : 0; n < ct_made; n++) \
		CHECK((unmake) == 0); \
	forks(); \
} while (0)

static int create(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);

	return fd < 0 ? -1 : close(fd);
}

KIND(empty_files) { NAMES(500, create(next_name(n)), unlink(next_name(n)), ENOSPC, ENOMEM, ENFILE); }
KIND(directories) { NAMES(500, mkdir(next_name(n), 0755), rmdir(next_name(n)), ENOSPC, ENOMEM); }
KIND(fifo_names) { NAMES(500, mkfifo(next_name(n), 0644), unlink(next_name(n)), ENOSPC, ENOMEM); }

KIND(symlinks)
{
	static char target[4000];

	memset(target, 't', sizeof target - 1);
	NAMES(500, symlink(target, next_name(n)), unlink(next_name(n)), ENOSPC, ENOMEM);
}

KIND(links)
{
	CHECK(create("a") == 0);
	NAMES(500, link("a", next_name(n)), unlink(next_name(n)), ENOSPC, ENOMEM, EMLINK);
	CHECK(unlink("a") == 0);
}

static int fifo(void)
{
	static long n;
	int fd;

	if (mkfifo(next_name(n), 0644) < 0)
		return -1;
	fd = open(name, O_RDWR | O_NONBLOCK);
	unlink(name);
	n++;
	return fd >= 0 && write(fd, "x", 1) != 1 ? -1 : fd;
}

/* Like pipes: a FIFO without a buffer may stay open. */
KIND(fifos)
{
	long n;

	prepare_alive();
	for (n = 0; n < upto(50) && fifo() >= 0; n++)
		;
	if (n < upto(50))
		REFUSED(n, ENFILE, ENOMEM, ENOSPC);
	CHECK(syscall(SYS_close_range, alive_pipe[1] + 1, ~0U, 0) == 0);
	forks();
	CHECK(fifo() >= 0);
}

KIND(content)
{
	static char b[65536];
	long n = 0;
	ssize_t r = 0;
	int fd;

	prepare_alive();
	CHECK((fd = open("big", O_RDWR | O_CREAT, 0644)) >= 0);
	while (n < upto(1 << 20) && (r = write(fd, b, sizeof b)) > 0)
		n += r;
	if (r < 0)
		REFUSED(n, ENOSPC);
	/* Processes go on while files take all they may. */
	IN_CHILD {
		volatile char *p = pages(256, PROT_READ | PROT_WRITE);

		for (int i = 0; i < 256; i++)
			p[i * PAGE] = 1;
	}
	CHECK(ftruncate(fd, 0) == 0);
	forks();
	CHECK(write(fd, b, sizeof b) == sizeof b);
	CHECK(close(fd) == 0 && unlink("big") == 0);
}

/* One byte each 256 KiB: frames, and what finds them. */
KIND(sparse_content)
{
	long n;
	int fd;

	prepare_alive();
	CHECK((fd = open("big", O_RDWR | O_CREAT, 0644)) >= 0);
	for (n = 0; n < upto(100); n++)
		if (pwrite(fd, "x", 1, n << 18) != 1)
			break;
	if (n < upto(100))
		REFUSED(n, ENOSPC, ENOMEM);
	CHECK(ftruncate(fd, 1) == 0);
	forks();
	CHECK(pwrite(fd, "x", 1, 1L << 30) == 1);
	CHECK(close(fd) == 0 && unlink("big") == 0);
}

/* Names that don't exist leave nothing behind. */
KIND(missing_names)
{
	struct level before, after;
	struct stat st;

	level(&before);
	for (long n = 0; n < (guest ? 20000 : 500); n++)
		CHECKERR(stat(next_name(n), &st), ENOENT);
	level(&after);
	if (guest && after.heap > before.heap + MARGIN_HEAP)
		FAIL("heap %ld KiB, before: %ld", after.heap, before.heap);
}

KIND(deep_directories)
{
	long n, most = guest ? LONG_MAX : 50;
	char path[PATH_MAX + 1];

	prepare_alive();
	int top = open(".", O_RDONLY | O_DIRECTORY);
	CHECK(top >= 0);
	for (n = 0; n < most; n++)
		if (mkdir("dir", 0755) < 0 || chdir("dir") < 0)
			break;
	if (n < most) {
		REFUSED(n, ENOSPC, ENOMEM);
		CHECKERR(syscall(SYS_getcwd, path, sizeof path), ENAMETOOLONG);
	}
	rmdir("dir");
	for (; n > 0; n--) {
		CHECK(chdir("..") == 0);
		CHECK(rmdir("dir") == 0);
	}
	forks();
}

static int mount_one(const char *at)
{
	if (mkdir(at, 0755) < 0)
		return -1;
	if (mount("none", at, "tmpfs", 0, "") < 0) {
		int e = errno;

		rmdir(at);
		errno = e;
		return -1;
	}
	return 0;
}

KIND(mounts)
{
	if (!guest)
		SKIP("mounts would be the host's");
	NAMES(0, mount_one(next_name(n)), umount(next_name(n)) < 0 ? -1 : rmdir(name), ENOSPC, ENOMEM);
}

/* Objects of one size after the other are made until the kernel refuses, and all
 * but a few, which lie all over the memory that they had, removed: its holes
 * can't hold objects of other sizes. */
KIND(fragments)
{
	static const int size[] = {
		4000, 100, 2000, 200, 1000, 300, 1500, 400, 500, 3000, 600, 700, 800, 1200, 900, 2600,
	};
	enum { SIZES = sizeof size / sizeof *size };
	static char target[4096], b[65536];
	static long kept[SIZES][2];
	int refused = 0, fd;

	prepare_alive();
	/* A file takes all page frames that it may. */
	CHECK((fd = open("big", O_RDWR | O_CREAT, 0644)) >= 0);
	for (long n = 0; n < upto(10) && write(fd, b, sizeof b) > 0; n++)
		;
	for (int i = 0; i < SIZES; i++) {
		long n, step = i & 1 ? 8192 / size[i] : 2;

		memset(target, 0, sizeof target);
		memset(target, 't', size[i]);
		for (n = 0; n < upto(100); n++) {
			snprintf(name, sizeof name, "%d.%ld", i, n);
			if (symlink(target, name) < 0) {
				int e = errno;

				if (!guest || (e != ENOMEM && e != ENOSPC))
					FAIL("errno %d", e);
				alive();
				refused = 1;
				break;
			}
		}
		kept[i][0] = n;
		kept[i][1] = step;
		for (long j = 0; j < n; j++)
			if (j % step != 0) {
				snprintf(name, sizeof name, "%d.%ld", i, j);
				CHECK(unlink(name) == 0);
			}
	}
	CHECKEQ(refused, guest);
	for (int i = 0; i < SIZES; i++)
		for (long j = 0; j < kept[i][0]; j += kept[i][1]) {
			snprintf(name, sizeof name, "%d.%ld", i, j);
			CHECK(unlink(name) == 0);
		}
	CHECK(close(fd) == 0 && unlink("big") == 0);
	forks();
	CHECK(create("again") == 0 && unlink("again") == 0);
}

/* --- exec --- */

enum { ARGS = 12, ARG_LEN = 100000 };

static int long_args(void)
{
	static char text[ARG_LEN], *argv[ARGS + 3];
	char fd[40];

	snprintf(fd, sizeof fd, "@%d %d", gate[0], tell[1]);
	memset(text, 'a', sizeof text - 1);
	argv[0] = ct_self;
	argv[1] = fd;
	for (int i = 0; i < ARGS; i++)
		argv[i + 2] = text;
	execv(ct_self, argv);
	return errno;
}

/* The program that long_args executes. */
static int executed(int argc, char **argv)
{
	int in, out, e = argc == ARGS + 2 ? 0 : EINVAL;
	char c;

	if (sscanf(argv[1], "@%d %d", &in, &out) != 2 || write(out, &e, sizeof e) != sizeof e)
		return 1;
	return read(in, &c, 1) != 0;
}

KIND(arguments) { HERD(long_args, 5, ENOMEM, KILLED); }

static int too_long_args(void)
{
	static char text[ARG_LEN], *argv[1002];

	memset(text, 'a', sizeof text - 1);
	argv[0] = ct_self;
	for (int i = 1; i <= 1000; i++)
		argv[i] = text;
	execv(ct_self, argv);
	return errno == E2BIG ? 0 : errno ? errno : EDOM;
}

KIND(too_long_arguments)
{
	herd();
	int r = member(too_long_args);
	if (r != 0 && !(guest && (r == ENOMEM || r == KILLED)))
		FAIL("%d", r);
	disperse();
}

/* --- several kinds at once --- */

/* beside runs a case beside others, which take from it what it wants and make it
 * fail: what it says is of no use. */
static void beside(const struct ct_case *c)
{
	char dir[64];
	int null = open("/dev/null", O_WRONLY);

	setpgid(0, 0);
	snprintf(dir, sizeof dir, "%s-%d", c->name, getpid());
	if (null < 0 || dup2(null, 1) < 0 || mkdir(dir, 0755) < 0 || chdir(dir) < 0)
		_exit(1);
	ct_prepare(c);
	mixed = 1;
	c->run();
	_exit(0);
}

/* remove_tree removes a tree, however deep it is: what is in a directory of the
 * second level moves up to the first one. */
static int remove_tree(const char *top)
{
	long moved = 0;

	for (int pass = 0; pass < 200000; pass++) {
		DIR *d = opendir(top);
		struct dirent *e, *f;
		int left = 0;

		if (d == NULL)
			return -1;
		while ((e = readdir(d)) != NULL) {
			if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
				continue;
			left = 1;
			if (unlinkat(dirfd(d), e->d_name, 0) == 0)
				continue;
			if (unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR) == 0)
				continue;
			int fd = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY);
			DIR *sub = fd < 0 ? NULL : fdopendir(fd);
			if (sub == NULL) {
				close(fd);
				continue;
			}
			while ((f = readdir(sub)) != NULL) {
				char to[32], path[600];

				if (strcmp(f->d_name, ".") == 0 || strcmp(f->d_name, "..") == 0)
					continue;
				if (unlinkat(fd, f->d_name, 0) == 0)
					continue;
				snprintf(path, sizeof path, "%.40s/%.255s/%.255s", top, e->d_name, f->d_name);
				if (guest)
					umount(path);
				if (unlinkat(fd, f->d_name, AT_REMOVEDIR) == 0)
					continue;
				snprintf(to, sizeof to, "moved-%ld", moved++);
				renameat(fd, f->d_name, dirfd(d), to);
			}
			closedir(sub);
		}
		closedir(d);
		if (!left)
			return rmdir(top);
	}
	return -1;
}

/* together runs SIDE cases at once, again and again: afterwards everything must
 * be back. Its arguments are @together, seconds, and a number that says which. */
static int together(int argc, char **argv)
{
	enum { SIDE = 4 };
	int count = __stop_ct_cases - __start_ct_cases;
	char dir[] = "/tmp/together-XXXXXX";
	long rounds = 0;

	if (argc != 4 || mkdtemp(dir) == NULL || chdir(dir) < 0)
		return 1;
	ssize_t len = readlink("/proc/self/exe", ct_self, sizeof ct_self - 1);
	CHECK(len > 0);
	srandom(atoi(argv[3]));
	ct_name = "together";
	begin();
	time_t end = time(NULL) + atoi(argv[2]);
	for (; time(NULL) < end; rounds++) {
		const struct ct_case *c[SIDE];
		pid_t pid[SIDE];
		char what[300] = "";

		for (int i = 0; i < SIDE; i++) {
			c[i] = __start_ct_cases[random() % count];
			sprintf(what + strlen(what), " %.40s", c[i]->name);
		}
		ct_say("round %ld:%s", rounds, what);
		for (int i = 0; i < SIDE; i++) {
			while ((pid[i] = fork()) < 0)
				nap(10);
			if (pid[i] == 0)
				beside(c[i]);
		}
		for (int i = 0; i < SIDE; i++) {
			while (waitpid(pid[i], NULL, 0) < 0 && errno == EINTR)
				;
			kill(-pid[i], SIGKILL); /* what it has left behind */
		}
		forks();
		/* Directories can be deeper than ct_remove goes. */
		if (chdir("/") < 0 || remove_tree(dir) < 0 || mkdir(dir, 0755) < 0 || chdir(dir) < 0)
			FAIL("can't remove %s: errno %d", dir, errno);
		all_back();
	}
	if (chdir("/") < 0 || rmdir(dir) < 0)
		FAIL("can't remove %s: errno %d", dir, errno);
	ct_say("ok together after %ld rounds", rounds);
	return 0;
}

static int hook(int argc, char **argv)
{
	return strcmp(argv[1], "@together") == 0 ? together(argc, argv) : executed(argc, argv);
}
HOOK(hook)
