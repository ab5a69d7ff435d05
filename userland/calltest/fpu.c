//go:build ignore

/* fpu: registers of x87, MMX, SSE and AVX belong to their thread, whatever the kernel
 * and other threads do between two instructions, and so does the base of GS. */
#include "calltest.h"

#include <asm/prctl.h>
#include <pthread.h>
#include <sys/auxv.h>

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

/* The base of GS, set by a call or by an instruction. */
static uint64_t get_gs(void)
{
	uint64_t v = ~0ull;
	syscall(SYS_arch_prctl, ARCH_GET_GS, &v);
	return v;
}

static int set_gs(uint64_t v, int by_call)
{
	if (by_call)
		return syscall(SYS_arch_prctl, ARCH_SET_GS, v) == 0;
	__asm__ volatile("wrgsbase %0" : : "r"(v));
	__asm__ volatile("rdgsbase %0" : "=r"(v));
	return 1;
}

static int has_fsgsbase(void)
{
	return getauxval(AT_HWCAP2) >> 1 & 1;
}

static void *work_gs(void *arg)
{
	unsigned who = (unsigned)(uintptr_t)arg;
	struct timespec ts = {0, 20000};

	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t v = (uint64_t)who << 32 | round << 12, word[512 / 8] = {0}, seen;
		if (round % 2) { /* memory that is there */
			v = (uint64_t)word;
			word[3] = round;
		}
		int good = set_gs(v, round % 3 == 0 || !has_fsgsbase());
		if ((who + round) % 2)
			sched_yield();
		else
			nanosleep(&ts, NULL);
		good &= get_gs() == v;
		if (has_fsgsbase()) {
			__asm__ volatile("rdgsbase %0" : "=r"(seen));
			good &= seen == v;
		}
		if (round % 2) {
			__asm__ volatile("movq %%gs:24, %0" : "=r"(seen) : : "memory");
			good &= seen == round;
		}
		if (!good)
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(gs_threads)
{
	pthread_t t[THREADS];

	wrong = 0;
	for (uintptr_t i = 0; i < THREADS; i++)
		CHECKEQ(pthread_create(&t[i], NULL, i % 4 == 3 ? work : work_gs, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CHECKEQ(wrong, 0);
}

static void change_gs(int sig)
{
	(void)sig;
	set_gs(0x6000, 1);
}

/* A child has its parent's; a signal frame has none; a new program has 0. */
TEST(gs_inherited)
{
	int st;

	CHECK(set_gs(0x5000, !has_fsgsbase()));
	pid_t p = fork();
	if (p == 0) {
		if (get_gs() != 0x5000 || !set_gs(0x7000, 1) || get_gs() != 0x7000)
			_exit(1);
		_exit(0);
	}
	CHECK(p > 0);
	CHECKEQ(waitpid(p, &st, 0), p);
	CHECKEQ(st, 0);
	CHECKEQ(get_gs(), 0x5000);
	signal(SIGUSR1, change_gs);
	CHECK(raise(SIGUSR1) == 0);
	CHECKEQ(get_gs(), 0x6000);
	p = fork();
	if (p == 0) {
		dup2(open("/dev/null", O_WRONLY), 1);
		execl("/proc/self/exe", "fpu", "gs_fresh", NULL);
		_exit(1);
	}
	CHECK(p > 0);
	CHECKEQ(waitpid(p, &st, 0), p);
	CHECKEQ(st, 0);
}

TEST(gs_fresh)
{
	CHECKEQ(get_gs(), 0);
}

/* The upper halves of the registers of AVX. */
struct ymm {
	unsigned char b[16][32];
};

static int has_avx(void)
{
	return __builtin_cpu_supports("avx");
}

/* between_avx is between for the registers of AVX. */
__attribute__((target("avx")))
static long between_avx(const struct ymm *s, struct ymm *t, long nr, long a, long b)
{
	long r;
	__asm__ volatile(
		"vmovups (%[s]), %%ymm0; vmovups 32(%[s]), %%ymm1; vmovups 64(%[s]), %%ymm2; vmovups 96(%[s]), %%ymm3\n"
		"vmovups 128(%[s]), %%ymm4; vmovups 160(%[s]), %%ymm5; vmovups 192(%[s]), %%ymm6; vmovups 224(%[s]), %%ymm7\n"
		"vmovups 256(%[s]), %%ymm8; vmovups 288(%[s]), %%ymm9; vmovups 320(%[s]), %%ymm10; vmovups 352(%[s]), %%ymm11\n"
		"vmovups 384(%[s]), %%ymm12; vmovups 416(%[s]), %%ymm13; vmovups 448(%[s]), %%ymm14; vmovups 480(%[s]), %%ymm15\n"
		"xorl %%edx, %%edx; xorl %%r10d, %%r10d\n"
		"syscall\n"
		"vmovups %%ymm0, (%[t]); vmovups %%ymm1, 32(%[t]); vmovups %%ymm2, 64(%[t]); vmovups %%ymm3, 96(%[t])\n"
		"vmovups %%ymm4, 128(%[t]); vmovups %%ymm5, 160(%[t]); vmovups %%ymm6, 192(%[t]); vmovups %%ymm7, 224(%[t])\n"
		"vmovups %%ymm8, 256(%[t]); vmovups %%ymm9, 288(%[t]); vmovups %%ymm10, 320(%[t]); vmovups %%ymm11, 352(%[t])\n"
		"vmovups %%ymm12, 384(%[t]); vmovups %%ymm13, 416(%[t]); vmovups %%ymm14, 448(%[t]); vmovups %%ymm15, 480(%[t])\n"
		"vzeroupper\n"
		: "=a"(r)
		: "a"(nr), "D"(a), "S"(b), [s] "r"(s), [t] "r"(t)
		: "rcx", "rdx", "r10", "r11", "memory", "cc",
		  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
		  "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
	return r;
}

static void fill_avx(struct ymm *s, unsigned who, unsigned round)
{
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 32; j++)
			s->b[i][j] = who * 37 + round * 5 + i * 3 + j;
}

static void *work_avx(void *arg)
{
	unsigned who = (unsigned)(uintptr_t)arg;
	struct timespec ts = {0, 20000};

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct ymm s, t;
		fill_avx(&s, who, round);
		memset(&t, 0, sizeof t);
		switch ((who + round) % 3) {
		case 0:
			between_avx(&s, &t, SYS_getpid, 0, 0);
			break;
		case 1:
			between_avx(&s, &t, SYS_sched_yield, 0, 0);
			break;
		case 2:
			between_avx(&s, &t, SYS_nanosleep, (long)&ts, 0);
			break;
		}
		if (memcmp(&s, &t, sizeof s))
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

TEST(avx_threads)
{
	pthread_t t[THREADS];

	if (!has_avx())
		SKIP("this processor has no AVX");
	wrong = 0;
	for (uintptr_t i = 0; i < THREADS; i++) /* some have no use for it */
		CHECKEQ(pthread_create(&t[i], NULL, i % 4 == 3 ? work : work_avx, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	CHECKEQ(wrong, 0);
}

TEST(avx_fork)
{
	if (!has_avx())
		SKIP("this processor has no AVX");
	for (unsigned round = 0; round < 20; round++) {
		struct ymm s, t;
		int st;
		fill_avx(&s, 3, round);
		pid_t me = getpid();
		long p = between_avx(&s, &t, SYS_fork, 0, 0);
		if (getpid() != me)
			_exit(memcmp(&s, &t, sizeof s) != 0);
		CHECK(p > 0);
		CHECKEQ(memcmp(&s, &t, sizeof s), 0);
		CHECKEQ(waitpid(p, &st, 0), p);
		CHECKEQ(st, 0);
	}
}

/* A frame has the upper halves, and what a handler makes of them is true after it. */
enum { SW = 464, HEADER = 512, YMM = 576, MXCSR = 24 };

static int poke_at, poke_len;
static uint64_t poke_value;
static uint32_t magic1, magic2, total, size;
static uint64_t parts, uc_flags;
static struct ymm upper, fresh;

static uint32_t word(const char *p)
{
	uint32_t w;
	memcpy(&w, p, sizeof w);
	return w;
}

static void avx_handler(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	char *fpu = (char *)uc->uc_mcontext.fpregs;
	struct ymm junk;

	(void)sig;
	(void)info;
	fill_avx(&junk, 9, 9);
	between_avx(&junk, &junk, SYS_getpid, 0, 0);
	uc_flags = uc->uc_flags;
	magic1 = word(fpu + SW);
	total = word(fpu + SW + 4);
	parts = word(fpu + SW + 8);
	size = word(fpu + SW + 16);
	magic2 = word(fpu + size);
	for (int i = 0; i < 16; i++)
		memcpy(upper.b[i], fpu + YMM + 16 * i, 16);
	memcpy(fpu + (poke_at < 0 ? (int)size : poke_at), &poke_value, poke_len);
}

/* after makes a signal come with a handler that changes its frame at an offset into
 * the state of the FPU, the mark at the end if it is -1. */
static void after(struct ymm *s, struct ymm *t, int at, uint64_t value, int len)
{
	struct sigaction sa = {.sa_sigaction = avx_handler, .sa_flags = SA_SIGINFO};

	poke_at = at;
	poke_value = value;
	poke_len = len;
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	fill_avx(s, 5, 5);
	CHECKEQ(between_avx(s, t, SYS_kill, getpid(), SIGUSR1), 0);
}

TEST(avx_signal)
{
	struct ymm s, t;

	if (!has_avx())
		SKIP("this processor has no AVX");
	after(&s, &t, 0, 0, 0);
	CHECKEQ(magic1, 0x46505853);
	CHECKEQ(magic2, 0x46505845);
	CHECK(uc_flags & 1);
	CHECKEQ(total, size + 4);
	CHECK(size >= YMM + 256);
	CHECKEQ(parts & 7, 7);
	for (int i = 0; i < 16; i++)
		CHECKEQ(memcmp(upper.b[i], s.b[i] + 16, 16), 0);
	CHECKEQ(memcmp(&s, &t, sizeof s), 0);

	after(&s, &t, YMM + 16 * 3, 0x1122334455667788, 8);
	memcpy(s.b[3] + 16, &poke_value, 8);
	CHECKEQ(memcmp(&s, &t, sizeof s), 0);

	/* AVX in its first state, all of it or by no mark */
	after(&s, &t, HEADER, 3, 1);
	for (int i = 0; i < 16; i++) {
		CHECKEQ(memcmp(s.b[i], t.b[i], 16), 0);
		CHECKEQ(memcmp(fresh.b[i], t.b[i] + 16, 16), 0);
	}
	after(&s, &t, -1, 0, 4);
	for (int i = 0; i < 16; i++) {
		CHECKEQ(memcmp(s.b[i], t.b[i], 16), 0);
		CHECKEQ(memcmp(fresh.b[i], t.b[i] + 16, 16), 0);
	}
}

/* What the processor would not load ends the program. */
TEST(bad_frames)
{
	static const struct {
		int at;
		uint64_t value;
		int len;
	} bad[] = {
		{MXCSR, 0x11f80, 4},
		{HEADER + 7, 0x40, 1},
		{HEADER + 8, 1, 1},
		{HEADER + 15, 0x80, 1},
		{HEADER + 16, 1, 1},
	};

	if (!has_avx())
		SKIP("this processor has no AVX");
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		int st;
		pid_t p = fork();
		if (p == 0) {
			struct ymm s, t;
			after(&s, &t, bad[i].at, bad[i].value, bad[i].len);
			_exit(0);
		}
		CHECK(p > 0);
		CHECKEQ(waitpid(p, &st, 0), p);
		CHECK(WIFSIGNALED(st));
		CHECKEQ(WTERMSIG(st), SIGSEGV);
	}
}
