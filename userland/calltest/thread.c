//go:build ignore

/* thread: threads by way of pthreads, futexes directly, robust lists, thread
 * local storage, signals to threads, the end of a process with threads. */
#include "calltest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <asm/prctl.h>

static long futex(void *a, int op, uint32_t v, const void *ts, void *b, uint32_t v3)
{
	return syscall(SYS_futex, a, op, v, ts, b, v3);
}

static void start(pthread_t *t, void *(*f)(void *), void *arg)
{
	pthread_attr_t at;

	pthread_attr_init(&at);
	pthread_attr_setstacksize(&at, 65536);
	int err = pthread_create(t, &at, f, arg);
	if (err != 0)
		FAIL("pthread_create: %d (%s)", err, strerror(err));
}

static void *ident(void *arg)
{
	CHECK(syscall(SYS_gettid) != getpid());
	return arg;
}

TEST(create_join)
{
	pthread_t t;
	void *r;

	for (long i = 0; i < 200; i++) {
		start(&t, ident, (void *)i);
		CHECKEQ(pthread_join(t, &r), 0);
		CHECKEQ((long)r, i);
	}
}

static pthread_barrier_t bar;
static _Atomic int tids[128];

static void *meet(void *arg)
{
	tids[(long)arg] = syscall(SYS_gettid);
	pthread_barrier_wait(&bar);
	return arg;
}

TEST(hundred)
{
	pthread_t t[100];

	CHECKEQ(pthread_barrier_init(&bar, NULL, 101), 0);
	for (long i = 0; i < 100; i++)
		start(&t[i], meet, (void *)i);
	pthread_barrier_wait(&bar); /* all were alive together */
	for (int i = 0; i < 100; i++) {
		CHECKEQ(pthread_join(t[i], NULL), 0);
		CHECK(tids[i] > 0);
		for (int k = 0; k < i; k++)
			CHECK(tids[k] != tids[i]);
	}
}

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static long counter;

static void *adds(void *arg)
{
	(void)arg;
	for (int i = 0; i < 20000; i++) {
		pthread_mutex_lock(&mu);
		counter++;
		pthread_mutex_unlock(&mu);
	}
	return NULL;
}

TEST(mutex)
{
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		start(&t[i], adds, NULL);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	CHECKEQ(counter, 160000);
}

static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int turn;

static void *ping(void *arg)
{
	int me = (long)arg;

	for (int i = 0; i < 500; i++) {
		pthread_mutex_lock(&mu);
		while (turn != me)
			pthread_cond_wait(&cond, &mu);
		turn = (me + 1) % 3;
		pthread_cond_broadcast(&cond);
		pthread_mutex_unlock(&mu);
	}
	return NULL;
}

TEST(condition)
{
	pthread_t t[3];

	for (long i = 0; i < 3; i++)
		start(&t[i], ping, (void *)i);
	for (int i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	CHECKEQ(turn, 0);
}

TEST(condition_timeout)
{
	struct timespec ts;

	CHECK(clock_gettime(CLOCK_REALTIME, &ts) == 0);
	ts.tv_nsec += 20000000;
	if (ts.tv_nsec >= 1000000000) {
		ts.tv_sec++;
		ts.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&mu);
	CHECKEQ(pthread_cond_timedwait(&cond, &mu, &ts), ETIMEDOUT);
}

static __thread long local = 5;
static __thread char big[3000];

static void *uses_tls(void *arg)
{
	CHECKEQ(local, 5);
	local = (long)arg;
	memset(big, (long)arg, sizeof big);
	for (int i = 0; i < 50; i++) {
		sched_yield();
		CHECKEQ(local, (long)arg);
		CHECKEQ(big[2999], (char)(long)arg);
	}
	errno = (long)arg;
	sched_yield();
	CHECKEQ(errno, (long)arg);
	return NULL;
}

TEST(tls)
{
	pthread_t t[10];

	for (long i = 0; i < 10; i++)
		start(&t[i], uses_tls, (void *)(i + 10));
	for (int i = 0; i < 10; i++)
		pthread_join(t[i], NULL);
	CHECKEQ(local, 5);
}

TEST(arch_prctl)
{
	unsigned long fs = 0, gs = 0, v = 0x1122334455667788;

	CHECK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs) == 0);
	CHECK(fs != 0);
	CHECKEQ(*(unsigned long *)fs, fs); /* glibc's TCB points to itself */
	CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, &v) == 0);
	CHECK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs) == 0);
	CHECKEQ(gs, (unsigned long)&v);
	sched_yield();
	unsigned long got;
	__asm__ volatile("mov %%gs:0, %0" : "=r"(got));
	CHECKEQ(got, v);
	CHECKERR(syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffff888000000000), EPERM);
	CHECKERR(syscall(SYS_arch_prctl, ARCH_SET_GS, 0x800000000000), EPERM);
	CHECKERR(syscall(SYS_arch_prctl, ARCH_GET_FS, bad_address(1)), EFAULT);
	CHECKERR(syscall(SYS_arch_prctl, 0x9999, 0), EINVAL);
	IN_CHILD {
		__asm__ volatile("mov %%gs:0, %0" : "=r"(got));
		CHECKEQ(got, v);
	}
}

static volatile uint32_t word;

static void *wakes(void *arg)
{
	until_asleep((long)arg);
	word = 1;
	while (futex((void *)&word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0) == 0)
		sched_yield();
	return NULL;
}

TEST(futex_wait_wake)
{
	pthread_t t;
	struct timespec ts = {0, 20000000};

	CHECKERR(futex((void *)&word, FUTEX_WAIT, 1, NULL, NULL, 0), EAGAIN);
	int64_t t0 = now_ns(CLOCK_MONOTONIC);
	CHECKERR(futex((void *)&word, FUTEX_WAIT, 0, &ts, NULL, 0), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) - t0 >= 20000000);
	CHECKEQ(futex((void *)&word, FUTEX_WAKE, 1, NULL, NULL, 0), 0);
	start(&t, wakes, (void *)syscall(SYS_gettid));
	CHECKEQ(futex((void *)&word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0), 0);
	CHECKEQ(word, 1);
	pthread_join(t, NULL);
}

TEST(futex_errors)
{
	struct timespec bad = {0, 1000000000}, neg = {-1, 0};
	void *p;

	CHECKERR(futex((char *)&word + 1, FUTEX_WAIT, 0, NULL, NULL, 0), EINVAL);
	CHECKERR(futex((char *)&word + 2, FUTEX_WAKE, 1, NULL, NULL, 0), EINVAL);
	CHECKERR(futex((void *)&word, FUTEX_WAIT, 0, &bad, NULL, 0), EINVAL);
	CHECKERR(futex((void *)&word, FUTEX_WAIT, 0, &neg, NULL, 0), EINVAL);
	CHECKERR(futex((void *)&word, FUTEX_WAIT, 0, bad_address(1), NULL, 0), EFAULT);
	CHECKERR(futex((void *)&word, 99, 0, NULL, NULL, 0), ENOSYS);
	CHECKERR(futex((void *)&word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0), EINVAL);
	CHECKERR(futex((void *)&word, FUTEX_WAKE_BITSET, 0, NULL, NULL, 0), EINVAL);
	EACH_BAD_IN(p) {
		void *q = (void *)((uintptr_t)p & ~3UL);
		CHECKERR(futex(q, FUTEX_WAIT, 1, NULL, NULL, 0), EFAULT);
	}
	CHECKERR(futex((void *)0xffff888000000000, FUTEX_WAKE, 1, NULL, NULL, 0), EFAULT);
}

TEST(futex_bitset_time)
{
	/* The bitset calls take an absolute time. */
	struct timespec ts = {0, 0};

	CHECKERR(futex((void *)&word, FUTEX_WAIT_BITSET, 0, &ts, NULL, -1), ETIMEDOUT);
	int64_t at = now_ns(CLOCK_MONOTONIC) + 20000000;
	ts = (struct timespec){at / 1000000000, at % 1000000000};
	CHECKERR(futex((void *)&word, FUTEX_WAIT_BITSET_PRIVATE, 0, &ts, NULL, -1), ETIMEDOUT);
	CHECK(now_ns(CLOCK_MONOTONIC) >= at);
	at = now_ns(CLOCK_REALTIME) + 20000000;
	ts = (struct timespec){at / 1000000000, at % 1000000000};
	CHECKERR(futex((void *)&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &ts, NULL, -1), ETIMEDOUT);
	CHECK(now_ns(CLOCK_REALTIME) >= at);
}

static _Atomic int woken;
static _Atomic int waiters[8];

static void *waits(void *arg)
{
	long i = (long)arg;

	waiters[i] = syscall(SYS_gettid);
	CHECKEQ(futex((void *)&word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1u << i), 0);
	woken |= 1 << i;
	return NULL;
}

static void all_asleep(int n)
{
	for (int i = 0; i < n; i++) {
		while (waiters[i] == 0)
			sched_yield();
		until_asleep(waiters[i]);
	}
}

TEST(futex_counts)
{
	pthread_t t[8];

	for (long i = 0; i < 8; i++)
		start(&t[i], waits, (void *)i);
	all_asleep(8);
	CHECKEQ(futex((void *)&word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 0x6), 2);
	CHECKEQ(pthread_join(t[1], NULL), 0);
	CHECKEQ(pthread_join(t[2], NULL), 0);
	CHECKEQ(woken, 6);
	CHECKEQ(futex((void *)&word, FUTEX_WAKE_PRIVATE, 3, NULL, NULL, 0), 3);
	CHECKEQ(futex((void *)&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 3);
	for (int i = 0; i < 8; i++)
		if (i != 1 && i != 2)
			CHECKEQ(pthread_join(t[i], NULL), 0);
}

TEST(futex_requeue)
{
	static volatile uint32_t other;
	pthread_t t[6];

	for (long i = 0; i < 6; i++)
		start(&t[i], waits, (void *)i);
	all_asleep(6);
	CHECKERR(futex((void *)&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)10, (void *)&other, 7), EAGAIN);
	CHECKEQ(futex((void *)&word, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void *)3, (void *)&other, 0), 4);
	CHECKEQ(futex((void *)&word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 2);
	CHECKEQ(futex((void *)&other, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0), 3);
	for (int i = 0; i < 6; i++)
		CHECKEQ(pthread_join(t[i], NULL), 0);
}

TEST(futex_shared)
{
	/* Between processes, in shared anonymous memory and in a file. */
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	CHECK(ftruncate(fd, PAGE) == 0);
	for (int k = 0; k < 2; k++) {
		uint32_t *w = mmap(NULL, PAGE, PROT_READ | PROT_WRITE,
			k ? MAP_SHARED : MAP_SHARED | MAP_ANONYMOUS, k ? fd : -1, 0);
		CHECK(w != MAP_FAILED);
		pid_t pid = ct_fork();
		if (pid == 0) {
			uint32_t *v = w;
			if (k) /* at another address */
				v = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
			CHECKEQ(futex(v, FUTEX_WAIT, 0, NULL, NULL, 0), 0);
			_exit(0);
		}
		until_asleep(pid);
		while (futex(w, FUTEX_WAKE, 1, NULL, NULL, 0) == 0)
			sched_yield();
		REAP(pid);
	}
}

static void on_signal(int sig) { (void)sig; }

static void *signals(void *arg)
{
	until_asleep((long)arg);
	syscall(SYS_tgkill, getpid(), (long)arg, SIGUSR1);
	return NULL;
}

TEST(futex_interrupted)
{
	struct sigaction sa = {.sa_handler = on_signal};
	pthread_t t;

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	start(&t, signals, (void *)syscall(SYS_gettid));
	CHECKERR(futex((void *)&word, FUTEX_WAIT, 0, NULL, NULL, 0), EINTR);
	pthread_join(t, NULL);
}

static pthread_mutex_t robust;

static void *dies_with_lock(void *arg)
{
	(void)arg;
	CHECKEQ(pthread_mutex_lock(&robust), 0);
	return NULL;
}

TEST(robust_thread)
{
	pthread_mutexattr_t at;
	pthread_t t;

	pthread_mutexattr_init(&at);
	pthread_mutexattr_setrobust(&at, PTHREAD_MUTEX_ROBUST);
	CHECKEQ(pthread_mutex_init(&robust, &at), 0);
	start(&t, dies_with_lock, NULL);
	pthread_join(t, NULL);
	CHECKEQ(pthread_mutex_lock(&robust), EOWNERDEAD);
	CHECKEQ(pthread_mutex_consistent(&robust), 0);
	CHECKEQ(pthread_mutex_unlock(&robust), 0);
}

TEST(robust_process)
{
	/* The owner is killed while another process waits. */
	pthread_mutexattr_t at;
	pthread_mutex_t *m = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int p[2];
	char c;

	CHECK(pipe(p) == 0);
	pthread_mutexattr_init(&at);
	pthread_mutexattr_setrobust(&at, PTHREAD_MUTEX_ROBUST);
	pthread_mutexattr_setpshared(&at, PTHREAD_PROCESS_SHARED);
	CHECKEQ(pthread_mutex_init(m, &at), 0);
	pid_t owner = ct_fork();
	if (owner == 0) {
		CHECKEQ(pthread_mutex_lock(m), 0);
		CHECKEQ(write(p[1], "l", 1), 1);
		for (;;)
			pause();
	}
	CHECKEQ(read(p[0], &c, 1), 1);
	pid_t pid = ct_fork();
	if (pid == 0) {
		CHECKEQ(pthread_mutex_lock(m), EOWNERDEAD);
		_exit(0);
	}
	until_asleep(pid);
	CHECK(kill(owner, SIGKILL) == 0);
	ct_wait(owner);
	REAP(pid);
	size_t len;
	void *head;
	CHECK(syscall(SYS_get_robust_list, 0, &head, &len) == 0);
	CHECKEQ(len, sizeof(struct robust_list_head));
	CHECKERR(syscall(SYS_set_robust_list, head, 1), EINVAL);
	CHECKERR(syscall(SYS_get_robust_list, 4000000, &head, &len), ESRCH);
}

TEST(robust_garbage)
{
	/* Lists that lead nowhere, or in a circle, don't hold up the end. */
	for (int k = 0; k < 3; k++) {
		IN_CHILD {
			static struct robust_list_head h;
			static struct robust_list l;
			h.list.next = k == 0 ? bad_address(1) : k == 1 ? (void *)0xffff888000000000 : &l;
			l.next = &l;
			CHECK(syscall(SYS_set_robust_list, &h, sizeof h) == 0);
		}
	}
	IN_CHILD {
		CHECK(syscall(SYS_set_robust_list, bad_address(1), sizeof(struct robust_list_head)) == 0);
	}
}

static void *exits(void *arg)
{
	(void)arg;
	_exit(33);
}

static void *blocks(void *arg)
{
	int *p = arg;
	char c;

	if (read(p[0], &c, 1) < 0)
		return NULL;
	return NULL;
}

static void *spins(void *arg)
{
	for (;;)
		__asm__ volatile("pause");
	return arg;
}

TEST(exit_group)
{
	/* From a thread, with others that sleep and others that run. */
	for (int round = 0; round < 5; round++) {
		pid_t pid = ct_fork();
		if (pid == 0) {
			int p[2];
			pthread_t t;
			CHECK(pipe(p) == 0);
			for (int i = 0; i < 10; i++)
				start(&t, blocks, p);
			for (int i = 0; i < 2; i++)
				start(&t, spins, NULL);
			start(&t, exits, NULL);
			for (;;)
				pause();
		}
		CHECKEQ(ct_wait(pid), 33 << 8);
	}
}

static void *crashes(void *arg)
{
	*(volatile int *)8 = 1;
	return arg;
}

TEST(crash_in_thread)
{
	pid_t pid = ct_fork();
	if (pid == 0) {
		pthread_t t;
		start(&t, spins, NULL);
		start(&t, crashes, NULL);
		for (;;)
			pause();
	}
	CHECKEQ(ct_wait(pid) & 0x7f, SIGSEGV);
}

TEST(kill_with_threads)
{
	int p[2];
	char c;

	CHECK(pipe(p) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		pthread_t t;
		int q[2];
		CHECK(pipe(q) == 0);
		for (int i = 0; i < 20; i++)
			start(&t, blocks, q);
		start(&t, spins, NULL);
		CHECKEQ(write(p[1], "r", 1), 1);
		for (;;)
			pause();
	}
	CHECKEQ(read(p[0], &c, 1), 1);
	CHECK(kill(pid, SIGKILL) == 0);
	CHECKEQ(ct_wait(pid), SIGKILL);
}

static void *last(void *arg)
{
	/* The main thread has ended, the process hasn't. */
	char state;
	do
		state = proc_state(getpid());
	while (state != 'Z' && state != 0);
	_exit((long)arg);
}

TEST(main_thread_ends_first)
{
	pid_t pid = ct_fork();
	if (pid == 0) {
		pthread_t t;
		start(&t, last, (void *)21);
		syscall(SYS_exit, 0);
	}
	CHECKEQ(ct_wait(pid), 21 << 8);
}

static volatile pid_t handled_by;

static void who(int sig)
{
	(void)sig;
	handled_by = syscall(SYS_gettid);
}

static void *pauses(void *arg)
{
	tids[(long)arg] = syscall(SYS_gettid);
	for (;;)
		pause();
	return NULL;
}

TEST(signal_to_thread)
{
	pthread_t t[3];

	signal(SIGUSR1, who);
	for (long i = 0; i < 3; i++)
		start(&t[i], pauses, (void *)i);
	for (int i = 2; i >= 0; i--) {
		while (tids[i] == 0)
			sched_yield();
		handled_by = 0;
		CHECK(syscall(SYS_tgkill, getpid(), tids[i], SIGUSR1) == 0);
		while (handled_by == 0)
			sched_yield();
		CHECKEQ(handled_by, tids[i]);
	}
	/* To the process: a thread that doesn't block it takes it. */
	sigset_t s;
	sigemptyset(&s);
	sigaddset(&s, SIGUSR1);
	CHECKEQ(pthread_sigmask(SIG_BLOCK, &s, NULL), 0);
	handled_by = 0;
	CHECK(kill(getpid(), SIGUSR1) == 0);
	while (handled_by == 0)
		sched_yield();
	CHECK(handled_by != getpid());
}

TEST(stop_stops_all)
{
	/* While the process is stopped, no thread of it moves. */
	volatile long *n = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;

	pid_t pid = ct_fork();
	if (pid == 0) {
		pthread_t t;
		start(&t, pauses, (void *)1);
		for (;;)
			++*n;
	}
	while (*n == 0)
		sched_yield();
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECKEQ(waitpid(pid, &status, WUNTRACED), pid);
	long was = *n;
	nap(30);
	CHECKEQ(*n, was);
	CHECK(kill(pid, SIGCONT) == 0);
	while (*n == was)
		sched_yield();
	CHECK(kill(pid, SIGKILL) == 0);
	ct_wait(pid);
}

static void *forks(void *arg)
{
	pid_t pid = ct_fork();

	if (pid == 0) {
		CHECKEQ(syscall(SYS_gettid), getpid()); /* alone in its process */
		_exit(0);
	}
	REAP(pid);
	return arg;
}

TEST(fork_in_thread)
{
	pthread_t t[5];

	for (int i = 0; i < 5; i++)
		start(&t[i], forks, NULL);
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
}

static void *faults(void *arg)
{
	char *p = arg;

	for (int i = 0; i < 256; i++)
		p[i * PAGE] += 1;
	return NULL;
}

TEST(memory_together)
{
	/* Threads fault the same pages in, while others unmap and protect. */
	for (int round = 0; round < 10; round++) {
		char *p = mmap(NULL, 256 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pthread_t t[4];
		for (int i = 0; i < 4; i++)
			start(&t[i], faults, p);
		for (int i = 0; i < 50; i++) {
			char *q = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			q[0] = 1;
			CHECK(mprotect(q, PAGE, PROT_READ) == 0);
			CHECK(munmap(q, 8 * PAGE) == 0);
		}
		for (int i = 0; i < 4; i++)
			pthread_join(t[i], NULL);
		CHECK(p[0] >= 1 && p[255 * PAGE] >= 1);
		CHECK(munmap(p, 256 * PAGE) == 0);
	}
}

static void *closes(void *arg)
{
	nap(1);
	close(*(int *)arg);
	return NULL;
}

TEST(descriptors_together)
{
	/* One closes what another reads: no crash, and the number is free. */
	for (int i = 0; i < 20; i++) {
		int p[2];
		pthread_t t;
		char c;
		CHECK(pipe(p) == 0);
		start(&t, closes, &p[1]);
		CHECKEQ(read(p[0], &c, 1), 0);
		pthread_join(t, NULL);
		close(p[0]);
	}
}

TEST(set_tid_address)
{
	int x;

	CHECKEQ(syscall(SYS_set_tid_address, &x), syscall(SYS_gettid));
}

TEST(semaphore)
{
	sem_t s;
	struct timespec ts = {1, 0};

	CHECK(sem_init(&s, 0, 1) == 0);
	CHECK(sem_wait(&s) == 0);
	CHECKERR(sem_trywait(&s), EAGAIN);
	CHECKERR(sem_timedwait(&s, &ts), ETIMEDOUT);
	CHECK(sem_post(&s) == 0);
	CHECK(sem_wait(&s) == 0);
}
