//go:build ignore

/* fpu: registers of x87, MMX and SSE belong to their thread, whatever the kernel
 * and other threads do between two instructions. */
#include "calltest.h"

#include <pthread.h>

enum { THREADS = 8, ROUNDS = 300 };

struct state {
	uint16_t control;
	uint32_t mxcsr;
	double x87[6];
	uint64_t xmm[16];
};

/* between sets all registers from s, makes the system call nr with the arguments a
 * and b, and stores the registers in t. */
static long between(const struct state *s, struct state *t, long nr, long a, long b)
{
	long r;
	__asm__ volatile(
		"fninit; fldcw (%[s]); ldmxcsr 4(%[s])\n"
		"fldl 8(%[s]); fldl 16(%[s]); fldl 24(%[s]); fldl 32(%[s]); fldl 40(%[s]); fldl 48(%[s])\n"
		"movq 56(%[s]), %%xmm0; movq 64(%[s]), %%xmm1; movq 72(%[s]), %%xmm2; movq 80(%[s]), %%xmm3\n"
		"movq 88(%[s]), %%xmm4; movq 96(%[s]), %%xmm5; movq 104(%[s]), %%xmm6; movq 112(%[s]), %%xmm7\n"
		"movq 120(%[s]), %%xmm8; movq 128(%[s]), %%xmm9; movq 136(%[s]), %%xmm10; movq 144(%[s]), %%xmm11\n"
		"movq 152(%[s]), %%xmm12; movq 160(%[s]), %%xmm13; movq 168(%[s]), %%xmm14; movq 176(%[s]), %%xmm15\n"
		"xorl %%edx, %%edx; xorl %%r10d, %%r10d\n"
		"syscall\n"
		"fstpl 48(%[t]); fstpl 40(%[t]); fstpl 32(%[t]); fstpl 24(%[t]); fstpl 16(%[t]); fstpl 8(%[t])\n"
		"fnstcw (%[t]); stmxcsr 4(%[t])\n"
		"movq %%xmm0, 56(%[t]); movq %%xmm1, 64(%[t]); movq %%xmm2, 72(%[t]); movq %%xmm3, 80(%[t])\n"
		"movq %%xmm4, 88(%[t]); movq %%xmm5, 96(%[t]); movq %%xmm6, 104(%[t]); movq %%xmm7, 112(%[t])\n"
		"movq %%xmm8, 120(%[t]); movq %%xmm9, 128(%[t]); movq %%xmm10, 136(%[t]); movq %%xmm11, 144(%[t])\n"
		"movq %%xmm12, 152(%[t]); movq %%xmm13, 160(%[t]); movq %%xmm14, 168(%[t]); movq %%xmm15, 176(%[t])\n"
		"fninit\n"
		: "=a"(r)
		: "a"(nr), "D"(a), "S"(b), [s] "r"(s), [t] "r"(t)
		: "rcx", "rdx", "r10", "r11", "memory", "cc",
		  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
		  "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	uint32_t normal = 0x1f80;
	__asm__ volatile("ldmxcsr %0" : : "m"(normal));
	return r;
}

static void fill(struct state *s, unsigned who, unsigned round)
{
	memset(s, 0, sizeof *s);
	s->control = 0x37f & ~((who + round) % 4 << 10) & ~((round % 2) << 8); /* rounding, precision */
	s->mxcsr = 0x1f80 | (who + round) % 4 << 13;
	for (int i = 0; i < 6; i++)
		s->x87[i] = who * 1000.0 + round + i / 8.0;
	for (int i = 0; i < 16; i++)
		s->xmm[i] = (uint64_t)who << 48 | (uint64_t)round << 16 | i;
}

static int same(const struct state *a, const struct state *b)
{
	return a->control == b->control && a->mxcsr == b->mxcsr &&
		!memcmp(a->x87, b->x87, sizeof a->x87) && !memcmp(a->xmm, b->xmm, sizeof a->xmm);
}

static int wrong;

/* work makes calls of all kinds and checks its registers after each. */
static void *work(void *arg)
{
	unsigned who = (unsigned)(uintptr_t)arg;
	struct timespec ts = {0, 20000};

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct state s, t;
		fill(&s, who, round);
		memset(&t, 0, sizeof t);
		switch ((who + round) % 4) {
		case 0:
			between(&s, &t, SYS_getpid, 0, 0);
			break;
		case 1:
			between(&s, &t, SYS_sched_yield, 0, 0);
			break;
		case 2:
			between(&s, &t, SYS_nanosleep, (long)&ts, 0);
			break;
		case 3: /* no such call */
			between(&s, &t, 100000, 0, 0);
			break;
		}
		if (!same(&s, &t))
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(threads)
{
	pthread_t t[THREADS];

	wrong = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECKEQ(pthread_create(&t[i], NULL, work, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CHECKEQ(wrong, 0);
}

TEST(processes)
{
	wrong = 0;
	for (uintptr_t i = 0; i < THREADS; i++) {
		pid_t p = fork();
		if (p == 0) {
			work((void *)i);
			_exit(wrong != 0);
		}
		CHECK(p > 0);
	}
	for (int i = 0; i < THREADS; i++) {
		int st;
		CHECK(wait(&st) > 0);
		CHECKEQ(st, 0);
	}
}

/* A loop in user mode loses the processor without a call. */
static volatile int stop;

static void *count(void *arg)
{
	unsigned who = (unsigned)(uintptr_t)arg;

	while (!stop) {
		double sum;
		uint64_t mmx;
		double x = who;
		__asm__ volatile(
			"fninit; fldz; movl $20000, %%ecx\n"
			"1: faddl %[x]; decl %%ecx; jnz 1b\n"
			"fstpl %[sum]\n"
			"movq %[v], %%mm3; movl $20000, %%ecx\n"
			"2: decl %%ecx; jnz 2b\n"
			"movq %%mm3, %[mmx]; emms\n"
			: [sum] "=m"(sum), [mmx] "=m"(mmx)
			: [x] "m"(x), [v] "m"((uint64_t){who * 0x0101010101010101ull})
			: "ecx", "memory", "cc", "mm3");
		if (sum != 20000.0 * who || mmx != who * 0x0101010101010101ull)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(loops)
{
	pthread_t t[4];

	wrong = stop = 0;
	for (uintptr_t i = 0; i < 4; i++)
		CHECKEQ(pthread_create(&t[i], NULL, count, (void *)(i + 1)), 0);
	usleep(300000);
	stop = 1;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	CHECKEQ(wrong, 0);
}

/* A handler has registers of its own, as of a new program, and the program has its
 * own again after it. */
static struct state seen;
static uint16_t control;

static void handler(int sig)
{
	struct state s;
	(void)sig;
	__asm__ volatile("fnstcw %0" : "=m"(control));
	fill(&s, 77, 7);
	between(&s, &seen, SYS_getpid, 0, 0);
	__asm__ volatile("fldpi; fldpi; fldpi");
}

TEST(signal)
{
	struct state s, t;

	signal(SIGUSR1, handler);
	fill(&s, 5, 5);
	memset(&t, 0, sizeof t);
	CHECKEQ(between(&s, &t, SYS_kill, getpid(), SIGUSR1), 0);
	CHECK(seen.control != 0); /* the handler has run */
	CHECKEQ(control, 0x37f);
	CHECK(same(&s, &t));
}

/* A child of fork has its parent's registers. */
TEST(fork)
{
	for (unsigned round = 0; round < 20; round++) {
		struct state s, t;
		int st;
		fill(&s, 3, round);
		memset(&t, 0, sizeof t);
		pid_t me = getpid();
		long p = between(&s, &t, SYS_fork, 0, 0);
		if (getpid() != me)
			_exit(!same(&s, &t));
		CHECK(p > 0);
		CHECK(same(&s, &t));
		CHECKEQ(waitpid(p, &st, 0), p);
		CHECKEQ(st, 0);
	}
}
