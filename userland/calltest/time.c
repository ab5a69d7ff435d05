//go:build ignore

/* time: clocks, sleeping, interval timers, CPU time. Upper bounds are not
 * tested: a busy machine may be late, but nothing may be early. */
#include "calltest.h"
#include <elf.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>

static volatile int count, got;
static void handler(int sig)
{
	got = sig;
	count++;
}

static void catch(int sig, int flags)
{
	struct sigaction sa = {.sa_handler = handler, .sa_flags = flags};
	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static pid_t later(int sig)
{
	pid_t parent = getpid(), pid = ct_fork();

	if (pid == 0) {
		until_asleep(parent);
		kill(parent, sig);
		_exit(0);
	}
	return pid;
}

/* burn uses up CPU time. */
static void burn(long ms)
{
	int64_t end = now_ns(CLOCK_PROCESS_CPUTIME_ID) + ms * 1000000;

	while (now_ns(CLOCK_PROCESS_CPUTIME_ID) < end)
		for (volatile int i = 0; i < 1000; i++)
			;
}

static const clockid_t clocks[] = {
	CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID,
	CLOCK_MONOTONIC_RAW, CLOCK_REALTIME_COARSE, CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME, CLOCK_TAI,
};
enum { CLOCKS = sizeof clocks / sizeof clocks[0] };

TEST(clocks)
{
	struct timespec a, b, res;

	for (int i = 0; i < CLOCKS; i++) {
		for (int raw = 0; raw < 2; raw++) { /* with and without the vDSO */
			for (int k = 0; k < 1000; k++) {
				CHECK((raw ? syscall(SYS_clock_gettime, clocks[i], &a) : clock_gettime(clocks[i], &a)) == 0);
				CHECK((raw ? clock_gettime(clocks[i], &b) : syscall(SYS_clock_gettime, clocks[i], &b)) == 0);
				CHECK(a.tv_nsec >= 0 && a.tv_nsec < 1000000000);
				if (b.tv_sec < a.tv_sec || (b.tv_sec == a.tv_sec && b.tv_nsec < a.tv_nsec))
					FAIL("clock %d goes backwards", clocks[i]);
			}
		}
		CHECK(clock_getres(clocks[i], &res) == 0);
		CHECK(res.tv_sec == 0 && res.tv_nsec > 0);
	}
	CHECKERR(syscall(SYS_clock_gettime, 99, &a), EINVAL);
	CHECKERR(syscall(SYS_clock_gettime, 16, &a), EINVAL);
	CHECKERR(syscall(SYS_clock_getres, 99, &a), EINVAL);
	CHECKERR(syscall(SYS_clock_gettime, CLOCK_REALTIME, bad_address(1)), EFAULT);
	CHECKERR(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad_address(0)), EFAULT);
	CHECKERR(syscall(SYS_clock_getres, CLOCK_MONOTONIC, bad_address(0)), EFAULT);
	CHECK(syscall(SYS_clock_getres, CLOCK_MONOTONIC, NULL) == 0);
}

/* vdso_symbol finds a function in the code that the kernel maps for programs. */
static void *vdso_symbol(const Elf64_Ehdr *e, const char *name)
{
	const char *base = (const char *)e, *strings = NULL;
	const Elf64_Phdr *ph = (const void *)(base + e->e_phoff);
	const Elf64_Dyn *dyn = NULL;
	const Elf64_Sym *sym = NULL;
	const uint32_t *hash = NULL;
	long bias = 0;

	for (int i = 0; i < e->e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && ph[i].p_offset == 0)
			bias = (long)base - ph[i].p_vaddr;
		if (ph[i].p_type == PT_DYNAMIC)
			dyn = (const void *)(base + ph[i].p_offset);
	}
	CHECK(dyn != NULL);
	for (; dyn->d_tag != DT_NULL; dyn++) {
		void *p = (void *)(bias + (long)dyn->d_un.d_ptr);
		if (dyn->d_tag == DT_STRTAB)
			strings = p;
		if (dyn->d_tag == DT_SYMTAB)
			sym = p;
		if (dyn->d_tag == DT_HASH)
			hash = p;
	}
	CHECK(strings != NULL && sym != NULL);
	if (hash == NULL)
		SKIP("the vDSO has no table of the old kind");
	for (uint32_t i = 0; i < hash[1]; i++)
		if (sym[i].st_shndx != SHN_UNDEF && strcmp(strings + sym[i].st_name, name) == 0)
			return (void *)(bias + (long)sym[i].st_value);
	return NULL;
}

TEST(vdso)
{
	const Elf64_Ehdr *e = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct timespec a, b, c;

	if (e == NULL)
		SKIP("there is no vDSO");
	CHECKEQ(memcmp(e->e_ident, ELFMAG, 4), 0);
	int (*get)(clockid_t, struct timespec *) = vdso_symbol(e, "__vdso_clock_gettime");
	CHECK(get != NULL);
	for (int i = 0; i < CLOCKS; i++) {
		CHECK(syscall(SYS_clock_gettime, clocks[i], &a) == 0);
		CHECKEQ(get(clocks[i], &b), 0);
		CHECK(syscall(SYS_clock_gettime, clocks[i], &c) == 0);
		int64_t x = a.tv_sec * 1000000000LL + a.tv_nsec, y = b.tv_sec * 1000000000LL + b.tv_nsec,
			z = c.tv_sec * 1000000000LL + c.tv_nsec;
		if (x > y || y > z)
			FAIL("clock %d: %ld, by the vDSO %ld, %ld", clocks[i], x, y, z);
	}
	CHECKEQ(get(99, &a), -EINVAL);
	CHECK(vdso_symbol(e, "__vdso_gettimeofday") != NULL);
	CHECK(vdso_symbol(e, "__vdso_time") != NULL);
	CHECK(vdso_symbol(e, "__vdso_getcpu") != NULL);
	IN_CHILD { /* it is still there after a fork */
		CHECKEQ(get(CLOCK_MONOTONIC, &a), 0);
	}
	int status = 0; /* it can't be written */
	pid_t pid = ct_fork();
	if (pid == 0) {
		*(volatile char *)e = 0;
		_exit(0);
	}
	status = ct_wait(pid);
	CHECKEQ(status & 0x7f, SIGSEGV);
}

TEST(clocks_agree)
{
	struct timeval tv;

	int64_t a = now_ns(CLOCK_REALTIME);
	CHECK(gettimeofday(&tv, NULL) == 0);
	int64_t b = now_ns(CLOCK_REALTIME);
	int64_t t = tv.tv_sec * 1000000000LL + tv.tv_usec * 1000LL;
	CHECK(t >= a - 1000 && t <= b);
	CHECK(tv.tv_usec >= 0 && tv.tv_usec < 1000000);
	time_t s = time(NULL);
	CHECK(s >= a / 1000000000 - 1 && s <= b / 1000000000 + 100);
	CHECK(s > 1500000000); /* not 1970 */
	time_t s2;
	CHECKEQ(syscall(SYS_time, &s2), s2);
	CHECKERR(syscall(SYS_gettimeofday, bad_address(1), NULL), EFAULT);
	CHECKERR(syscall(SYS_time, bad_address(1)), EFAULT);
	CHECK(now_ns(CLOCK_BOOTTIME) >= now_ns(CLOCK_MONOTONIC) - 1000000000);
}

TEST(clocks_advance)
{
	for (int i = 0; i < CLOCKS; i++) {
		if (clocks[i] == CLOCK_PROCESS_CPUTIME_ID || clocks[i] == CLOCK_THREAD_CPUTIME_ID)
			continue;
		int64_t a = now_ns(clocks[i]);
		nap(15);
		CHECK(now_ns(clocks[i]) > a);
	}
}

TEST(nanosleep)
{
	struct timespec ts = {0, 20000000}, zero = {0, 0}, bad = {0, 1000000000}, neg = {-1, 0}, neg2 = {0, -1};

	int64_t t = now_ns(CLOCK_MONOTONIC);
	CHECK(nanosleep(&ts, NULL) == 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - t >= 20000000);
	CHECK(nanosleep(&zero, NULL) == 0);
	CHECKERR(nanosleep(&bad, NULL), EINVAL);
	CHECKERR(nanosleep(&neg, NULL), EINVAL);
	CHECKERR(nanosleep(&neg2, NULL), EINVAL);
	CHECKERR(syscall(SYS_nanosleep, bad_address(1), NULL), EFAULT);
}

TEST(nanosleep_interrupted)
{
	struct timespec ts = {1000, 0}, left = {0, 0};

	catch(SIGUSR1, SA_RESTART); /* makes no difference here */
	pid_t pid = later(SIGUSR1);
	CHECKERR(nanosleep(&ts, &left), EINTR);
	CHECK(left.tv_sec < 1000 && left.tv_sec > 1000 - CT_SECONDS);
	REAP(pid);
	pid = later(SIGUSR1);
	CHECKERR(syscall(SYS_nanosleep, &ts, bad_address(1)), EFAULT);
	REAP(pid);
}

TEST(nanosleep_stopped)
{
	/* Stop and continue don't end a sleep. */
	int status;
	struct timespec ts = {0, 100000000};

	pid_t pid = ct_fork();
	if (pid == 0) {
		int64_t t = now_ns(CLOCK_MONOTONIC);
		CHECK(nanosleep(&ts, NULL) == 0);
		CHECK(now_ns(CLOCK_MONOTONIC) - t >= 100000000);
		_exit(0);
	}
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECKEQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(kill(pid, SIGCONT) == 0);
	REAP(pid);
}

TEST(clock_nanosleep)
{
	struct timespec ts, left;

	for (int i = 0; i < 2; i++) {
		clockid_t c = i ? CLOCK_REALTIME : CLOCK_MONOTONIC;
		int64_t at = now_ns(c) + 20000000;
		ts = (struct timespec){at / 1000000000, at % 1000000000};
		CHECKEQ(clock_nanosleep(c, TIMER_ABSTIME, &ts, NULL), 0);
		CHECK(now_ns(c) >= at);
		CHECKEQ(clock_nanosleep(c, TIMER_ABSTIME, &ts, NULL), 0); /* over already */
	}
	ts = (struct timespec){0, 10000000};
	CHECKEQ(clock_nanosleep(CLOCK_BOOTTIME, 0, &ts, NULL), 0);
	CHECKEQ(clock_nanosleep(99, 0, &ts, NULL), EINVAL);
	CHECKEQ(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &ts, NULL), EINVAL);
	ts.tv_nsec = -1;
	CHECKEQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL), EINVAL);
	CHECKERR(syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, bad_address(1), NULL), EFAULT);
	catch(SIGUSR1, 0);
	ts = (struct timespec){1000, 0};
	pid_t pid = later(SIGUSR1);
	CHECKEQ(clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, &left), EINTR);
	CHECK(left.tv_sec < 1000 && left.tv_sec > 1000 - CT_SECONDS);
	REAP(pid);
	int64_t at = now_ns(CLOCK_MONOTONIC);
	ts = (struct timespec){at / 1000000000 + 1000, 0};
	left.tv_sec = 12345;
	pid = later(SIGUSR1);
	CHECKEQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, &left), EINTR);
	CHECKEQ(left.tv_sec, 12345); /* an absolute one tells no remainder */
	REAP(pid);
}

TEST(alarm)
{
	catch(SIGALRM, 0);
	alarm(100);
	CHECK(alarm(200) >= 99);
	CHECK(alarm(0) >= 199);
	CHECKEQ(alarm(0), 0);
	alarm(100);
	IN_CHILD { /* not inherited: ct_fork has set its own */
		CHECK(alarm(0) <= CT_SECONDS);
	}
	alarm(1);
	int64_t t = now_ns(CLOCK_MONOTONIC);
	CHECKERR(pause(), EINTR);
	CHECKEQ(got, SIGALRM);
	CHECK(now_ns(CLOCK_MONOTONIC) - t >= 900000000);
	alarm(CT_SECONDS);
}

TEST(itimer_real)
{
	struct itimerval it = {{0, 5000}, {0, 20000}}, old;

	catch(SIGALRM, 0);
	alarm(0);
	int64_t t = now_ns(CLOCK_MONOTONIC);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	while (count < 5)
		nap(1);
	CHECK(now_ns(CLOCK_MONOTONIC) - t >= 39000000); /* 20 + 4 * 5 ms */
	CHECK(getitimer(ITIMER_REAL, &old) == 0);
	CHECKEQ(old.it_interval.tv_usec, 5000);
	CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_usec <= 5000);
	it = (struct itimerval){{0, 0}, {0, 0}};
	CHECK(setitimer(ITIMER_REAL, &it, &old) == 0);
	CHECKEQ(old.it_interval.tv_usec, 5000);
	int n = count;
	nap(20);
	CHECK(count <= n + 1);
	it.it_value.tv_usec = 1000000;
	CHECKERR(setitimer(ITIMER_REAL, &it, NULL), EINVAL);
	CHECKERR(syscall(SYS_setitimer, 99, &it, NULL), EINVAL);
	CHECKERR(syscall(SYS_getitimer, 99, &it), EINVAL);
	CHECKERR(syscall(SYS_setitimer, ITIMER_REAL, bad_address(1), NULL), EFAULT);
	CHECKERR(syscall(SYS_getitimer, ITIMER_REAL, bad_address(0)), EFAULT);
	alarm(CT_SECONDS);
}

TEST(itimer_cpu)
{
	struct itimerval it = {{0, 0}, {0, 30000}};

	catch(SIGVTALRM, 0);
	catch(SIGPROF, 0);
	CHECK(setitimer(ITIMER_VIRTUAL, &it, NULL) == 0);
	nap(60);
	CHECKEQ(count, 0); /* sleeping doesn't count */
	while (count < 1)
		burn(1);
	CHECKEQ(got, SIGVTALRM);
	CHECK(setitimer(ITIMER_PROF, &it, NULL) == 0);
	while (count < 2)
		burn(1);
	CHECKEQ(got, SIGPROF);
}

TEST(cpu_clocks)
{
	int64_t a = now_ns(CLOCK_PROCESS_CPUTIME_ID), b = now_ns(CLOCK_THREAD_CPUTIME_ID);

	burn(30);
	CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) - a >= 30000000);
	CHECK(now_ns(CLOCK_THREAD_CPUTIME_ID) - b >= 25000000);
	int64_t real = now_ns(CLOCK_MONOTONIC);
	a = now_ns(CLOCK_PROCESS_CPUTIME_ID);
	nap(50);
	int64_t cpu = now_ns(CLOCK_PROCESS_CPUTIME_ID) - a;
	real = now_ns(CLOCK_MONOTONIC) - real;
	CHECK(cpu <= real); /* less than the time that went by */
	IN_CHILD {
		CHECK(now_ns(CLOCK_PROCESS_CPUTIME_ID) < 25000000); /* a child starts at 0 */
	}
	clockid_t c;
	CHECKEQ(clock_getcpuclockid(getppid(), &c), 0);
	CHECK(now_ns(c) >= 0);
}

TEST(times)
{
	struct tms t, u;

	CHECKEQ(sysconf(_SC_CLK_TCK), 100);
	clock_t a = times(&t);
	CHECK(a != (clock_t)-1);
	IN_CHILD {
		burn(60);
	}
	burn(60);
	clock_t b = times(&u);
	CHECK(b > a);
	CHECK(u.tms_utime + u.tms_stime - t.tms_utime - t.tms_stime >= 4);
	CHECK(u.tms_cutime + u.tms_cstime >= 4);
	CHECKERR(syscall(SYS_times, bad_address(1)), EFAULT);
	CHECK(syscall(SYS_times, NULL) > 0);
}

TEST(getrusage)
{
	struct rusage r, c;

	burn(30);
	CHECK(getrusage(RUSAGE_SELF, &r) == 0);
	CHECK(r.ru_utime.tv_sec * 1000000 + r.ru_utime.tv_usec + r.ru_stime.tv_sec * 1000000 + r.ru_stime.tv_usec >= 25000);
	CHECK(r.ru_maxrss > 0);
	CHECK(r.ru_minflt > 0);
	long faults = r.ru_minflt;
	char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(madvise(p, 64 * PAGE, MADV_NOHUGEPAGE) == 0 || errno == EINVAL);
	for (int i = 0; i < 64; i++)
		p[i * PAGE] = 1;
	CHECK(getrusage(RUSAGE_THREAD, &r) == 0);
	CHECK(r.ru_minflt >= faults + 4);
	CHECK(getrusage(RUSAGE_CHILDREN, &c) == 0);
	CHECKEQ(c.ru_utime.tv_sec + c.ru_utime.tv_usec + c.ru_stime.tv_usec, 0);
	CHECKERR(getrusage(77, &r), EINVAL);
	CHECKERR(syscall(SYS_getrusage, RUSAGE_SELF, bad_address(0)), EFAULT);
}

TEST(set_time_needs_root)
{
	IN_CHILD {
		drop(1234);
		struct timespec ts = {1000000000, 0};
		struct timeval tv = {1000000000, 0};
		CHECKERR(clock_settime(CLOCK_REALTIME, &ts), EPERM);
		CHECKERR(settimeofday(&tv, NULL), EPERM);
		CHECKERR(clock_settime(CLOCK_MONOTONIC, &ts), EINVAL);
	}
}

TEST(many_sleepers)
{
	/* They end in the order of their times. */
	int p[2];
	pid_t pid[20];

	CHECK(pipe(p) == 0);
	int64_t base = now_ns(CLOCK_MONOTONIC) + 100000000;
	for (int i = 0; i < 20; i++) {
		if ((pid[i] = ct_fork()) == 0) {
			int64_t at = base + (i * 7 % 20) * 2000000;
			struct timespec ts = {at / 1000000000, at % 1000000000};
			CHECKEQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL), 0);
			CHECK(now_ns(CLOCK_MONOTONIC) >= at);
			CHECKEQ(write(p[1], "x", 1), 1);
			_exit(0);
		}
	}
	for (int i = 0; i < 20; i++)
		REAP(pid[i]);
}

static _Atomic int fired;
static void on_timer(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	if (sig == SIGRTMIN && si->si_code == SI_TIMER && si->si_value.sival_int == 42)
		fired++;
}

TEST(posix_timers)
{
	struct sigevent se = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 42};
	struct sigaction sa = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO};
	struct itimerspec it = {{0, 2000000}, {0, 2000000}}, old;
	timer_t t;

	CHECK(sigaction(SIGRTMIN, &sa, NULL) == 0);
	CHECK(timer_create(CLOCK_MONOTONIC, &se, &t) == 0);
	int64_t a = now_ns(CLOCK_MONOTONIC);
	CHECK(timer_settime(t, 0, &it, NULL) == 0);
	while (fired < 3)
		nap(1);
	CHECK(now_ns(CLOCK_MONOTONIC) - a >= 6000000);
	CHECK(timer_gettime(t, &old) == 0);
	CHECKEQ(old.it_interval.tv_nsec, 2000000);
	CHECK(timer_getoverrun(t) >= 0);
	CHECK(timer_delete(t) == 0);
	CHECKERR(timer_create(99, &se, &t), EINVAL);
	CHECKERR(syscall(SYS_timer_delete, 12345), EINVAL);
}
