//go:build ignore

/* basic: what every other test program relies on: write, exit, getpid, the
 * registers around a call, fork and wait, memory from malloc. */
#include "calltest.h"
#include <sys/auxv.h>

static char **start_argv;
static int start_argc;
static long initialised = 0x1234567890abcdef;
static long zeroed[4096];
static __thread long tls = 77;

__attribute__((constructor)) static void remember(int argc, char **argv)
{
	start_argc = argc;
	start_argv = argv;
}

TEST(data)
{
	CHECKEQ(initialised, 0x1234567890abcdef);
	for (int i = 0; i < 4096; i++)
		CHECKEQ(zeroed[i], 0);
	zeroed[4095] = 1;
	CHECKEQ(tls, 77);
	tls = 78;
	CHECKEQ(tls, 78);
}

TEST(arguments)
{
	CHECK(start_argc >= 1);
	CHECK(start_argv[0] != NULL);
	CHECK(start_argv[start_argc] == NULL);
	CHECKEQ(getauxval(AT_PAGESZ), PAGE);
}

TEST(write_stdout)
{
	CHECK(write(1, "", 0) == 0);
}

TEST(write_badfd)
{
	CHECKERR(write(-1, "x", 1), EBADF);
	CHECKERR(write(1000, "x", 1), EBADF);
	CHECKERR(write(INT_MAX, "x", 1), EBADF);
	CHECKERR(write(INT_MIN, "x", 1), EBADF);
	CHECKERR(read(-1, zeroed, 1), EBADF);
	CHECKERR(close(-1), EBADF);
	CHECKERR(close(1000), EBADF);
}

TEST(write_badpointer)
{
	void *p;

	int fd = open("f", O_RDWR | O_CREAT, 0644);
	CHECK(fd >= 0);
	EACH_BAD_IN(p)
		CHECKERR(syscall(SYS_write, fd, p, 16), EFAULT);
}

TEST(fd_is_int)
{
	/* Only the low 32 bits of a descriptor count. */
	CHECKEQ(syscall(SYS_write, 0x500000001, "", 0), 0);
	CHECKERR(syscall(SYS_write, 0x5ffffffff, "", 0), EBADF);
}

TEST(ids)
{
	CHECK(getpid() > 1);
	CHECKEQ(syscall(SYS_getpid), getpid());
	CHECKEQ(syscall(SYS_gettid), getpid());
	CHECK(getppid() > 0);
	CHECKEQ(getuid(), geteuid());
	CHECKEQ(getgid(), getegid());
	pid_t me = getpid();
	IN_CHILD {
		CHECK(getpid() != me);
		CHECKEQ(getppid(), me);
		CHECKEQ(syscall(SYS_gettid), getpid());
	}
}

TEST(unknown_call)
{
	CHECKERR(syscall(999), ENOSYS);
	CHECKERR(syscall(100000), ENOSYS);
	CHECKERR(syscall(-1), ENOSYS);
	CHECKERR(syscall(LONG_MAX), ENOSYS);
	/* The number is the low 32 bits. */
	CHECKEQ(syscall(LONG_MIN + SYS_getpid), getpid());
	CHECKEQ(syscall(0x100000000 + SYS_getpid), getpid());
}

static int ended(int how, int status)
{
	pid_t pid = ct_fork();

	if (pid == 0) {
		if (how)
			syscall(SYS_exit, status);
		else
			syscall(SYS_exit_group, status);
	}
	return ct_wait(pid);
}

TEST(exit_status)
{
	static const int codes[] = {0, 1, 2, 42, 127, 128, 255};

	for (int how = 0; how < 2; how++) {
		for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++)
			CHECKEQ(ended(how, codes[i]), codes[i] << 8);
		CHECKEQ(ended(how, 256), 0);
		CHECKEQ(ended(how, 256 + 7), 7 << 8);
		CHECKEQ(ended(how, -1), 255 << 8);
	}
}

static void crash(void) { *(volatile int *)1 = 1; }
static void illegal(void) { __asm__ volatile("ud2"); }
static void privileged(void) { __asm__ volatile("hlt"); }
static void breakpoint(void) { __asm__ volatile("int3"); }
static void divide(void) { __asm__ volatile("xor %%ecx,%%ecx; div %%ecx" ::: "eax", "ecx", "edx"); }
static void leave(void) { abort(); }

TEST(killed_status)
{
	CHECKEQ(status_of(crash) & 0x7f, SIGSEGV);
	CHECKEQ(status_of(illegal) & 0x7f, SIGILL);
	CHECKEQ(status_of(privileged) & 0x7f, SIGSEGV);
	CHECKEQ(status_of(breakpoint) & 0x7f, SIGTRAP);
	CHECKEQ(status_of(divide) & 0x7f, SIGFPE);
	CHECKEQ(status_of(leave) & 0x7f, SIGABRT);
}

/* A call keeps all registers but RAX, RCX and R11, and the flags. */
TEST(registers)
{
	struct {
		uint64_t rbx, rdx, rsi, rdi, r8, r9, r10, r12, r13, r14, r15, rflags, rcx, here;
	} got;
	long ret = SYS_getppid;

	__asm__ volatile(
		"sub $128, %%rsp\n" /* the red zone stays */
		"push %%rbp\n"
		"push %[got]\n"
		"mov $0x1111111111111111, %%rbx\n"
		"mov $0x2222222222222222, %%rdx\n"
		"mov $0x3333333333333333, %%rsi\n"
		"mov $0x4444444444444444, %%rdi\n"
		"mov $0x5555555555555555, %%r8\n"
		"mov $0x6666666666666666, %%r9\n"
		"mov $0x7777777777777777, %%r10\n"
		"mov $0x8888888888888888, %%r12\n"
		"mov $0x9999999999999999, %%r13\n"
		"mov $0xaaaaaaaaaaaaaaaa, %%r14\n"
		"mov $0xbbbbbbbbbbbbbbbb, %%r15\n"
		"mov $0xcccccccccccccccc, %%rbp\n"
		"std\n"
		"stc\n"
		"syscall\n"
		"1: pushf\n"
		"cld\n"
		"xchg %%rbp, 8(%%rsp)\n" /* RBP has the address, the stack its value */
		"mov %%rbx, 0(%%rbp)\n"
		"mov %%rdx, 8(%%rbp)\n"
		"mov %%rsi, 16(%%rbp)\n"
		"mov %%rdi, 24(%%rbp)\n"
		"mov %%r8, 32(%%rbp)\n"
		"mov %%r9, 40(%%rbp)\n"
		"mov %%r10, 48(%%rbp)\n"
		"mov %%r12, 56(%%rbp)\n"
		"mov %%r13, 64(%%rbp)\n"
		"mov %%r14, 72(%%rbp)\n"
		"mov %%r15, 80(%%rbp)\n"
		"pop %%rdx\n"
		"mov %%rdx, 88(%%rbp)\n"
		"mov %%rcx, 96(%%rbp)\n"
		"lea 1b(%%rip), %%rdx\n"
		"mov %%rdx, 104(%%rbp)\n"
		"pop %%rbx\n" /* what RBP was after the call */
		"pop %%rbp\n"
		"add $128, %%rsp\n"
		: "+a"(ret), "=&b"(got.rbx)
		: [got] "c"(&got)
		: "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		  "memory", "cc");
	CHECKEQ(ret, getppid());
	CHECKEQ(got.rbx, 0xcccccccccccccccc); /* RBP, by the way of RBX */
	CHECKEQ(got.rdx, 0x2222222222222222);
	CHECKEQ(got.rsi, 0x3333333333333333);
	CHECKEQ(got.rdi, 0x4444444444444444);
	CHECKEQ(got.r8, 0x5555555555555555);
	CHECKEQ(got.r9, 0x6666666666666666);
	CHECKEQ(got.r10, 0x7777777777777777);
	CHECKEQ(got.r12, 0x8888888888888888);
	CHECKEQ(got.r13, 0x9999999999999999);
	CHECKEQ(got.r14, 0xaaaaaaaaaaaaaaaa);
	CHECKEQ(got.r15, 0xbbbbbbbbbbbbbbbb);
	CHECKEQ(got.rcx, got.here);
	CHECKEQ(got.rflags & 0x401, 0x401); /* direction and carry */
}

TEST(sse_registers)
{
	unsigned char in[16 * 16], out[16 * 16];

	for (int i = 0; i < 256; i++)
		in[i] = i * 7 + 1;
	for (int k = 0; k < 100; k++) {
		long ret = SYS_getppid;
		__asm__ volatile(
			"movups 0(%1), %%xmm0; movups 16(%1), %%xmm1; movups 32(%1), %%xmm2\n"
			"movups 48(%1), %%xmm3; movups 64(%1), %%xmm4; movups 80(%1), %%xmm5\n"
			"movups 96(%1), %%xmm6; movups 112(%1), %%xmm7; movups 128(%1), %%xmm8\n"
			"movups 144(%1), %%xmm9; movups 160(%1), %%xmm10; movups 176(%1), %%xmm11\n"
			"movups 192(%1), %%xmm12; movups 208(%1), %%xmm13; movups 224(%1), %%xmm14\n"
			"movups 240(%1), %%xmm15\n"
			"syscall\n"
			"movups %%xmm0, 0(%2); movups %%xmm1, 16(%2); movups %%xmm2, 32(%2)\n"
			"movups %%xmm3, 48(%2); movups %%xmm4, 64(%2); movups %%xmm5, 80(%2)\n"
			"movups %%xmm6, 96(%2); movups %%xmm7, 112(%2); movups %%xmm8, 128(%2)\n"
			"movups %%xmm9, 144(%2); movups %%xmm10, 160(%2); movups %%xmm11, 176(%2)\n"
			"movups %%xmm12, 192(%2); movups %%xmm13, 208(%2); movups %%xmm14, 224(%2)\n"
			"movups %%xmm15, 240(%2)\n"
			: "+a"(ret)
			: "r"(in), "r"(out)
			: "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",
			  "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
			  "xmm14", "xmm15");
		CHECKEQ(memcmp(in, out, sizeof in), 0);
	}
}

TEST(control_words)
{
	/* A program starts with these; calls keep what it sets. */
	uint32_t mxcsr;
	uint16_t cw;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(cw));
	CHECKEQ(mxcsr & ~0x3fu, 0x1f80);
	CHECKEQ(cw, 0x37f);
	mxcsr = 0x3f80;
	cw = 0x27f;
	__asm__ volatile("ldmxcsr %0" :: "m"(mxcsr));
	__asm__ volatile("fldcw %0" :: "m"(cw));
	getppid();
	sched_yield();
	mxcsr = cw = 0;
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	__asm__ volatile("fnstcw %0" : "=m"(cw));
	CHECKEQ(mxcsr & ~0x3fu, 0x3f80);
	CHECKEQ(cw, 0x27f);
}

TEST(x87)
{
	long double a = 1.0L / 3, b;

	__asm__ volatile("fldt %1\n syscall\n fstpt %0" : "=m"(b) : "m"(a), "a"(SYS_sched_yield) : "rcx", "r11");
	CHECKEQ(memcmp(&a, &b, 10), 0);
}

TEST(stack_alignment_free)
{
	/* A call from a stack pointer of any alignment. */
	long ret = SYS_getppid;

	__asm__ volatile("mov %%rsp, %%rbx; sub $1027, %%rsp; syscall; mov %%rbx, %%rsp"
		: "+a"(ret) :: "rbx", "rcx", "r11", "memory");
	CHECKEQ(ret, getppid());
}

TEST(malloc)
{
	for (int round = 0; round < 4; round++) {
		char *p[64];
		for (int i = 0; i < 64; i++) {
			size_t n = (i + 1) * 2048 * (round + 1);
			CHECK((p[i] = malloc(n)) != NULL);
			memset(p[i], i, n);
		}
		for (int i = 0; i < 64; i++) {
			CHECKEQ(p[i][0], i);
			CHECKEQ(p[i][(i + 1) * 2048 * (round + 1) - 1], i);
			free(p[i]);
		}
	}
}

TEST(deep_stack)
{
	volatile char big[1 << 20];

	for (int i = sizeof big - 1; i >= 0; i -= 512)
		big[i] = i;
	CHECKEQ(big[sizeof big - 1], (char)(sizeof big - 1));
}

TEST(many_calls)
{
	pid_t parent = getppid();

	for (int i = 0; i < 20000; i++)
		CHECKEQ(syscall(SYS_getppid), parent);
}

TEST(many_children)
{
	for (int i = 0; i < 50; i++) {
		pid_t pid = ct_fork();
		if (pid == 0)
			_exit(i);
		CHECKEQ(ct_wait(pid), i << 8);
	}
	CHECKERR(wait(NULL), ECHILD);
}

TEST(compute)
{
	/* Loops without calls, long enough to be preempted, in three processes. */
	pid_t pid[3];

	for (int k = 0; k < 3; k++) {
		if ((pid[k] = ct_fork()) == 0) {
			double x = 0;
			uint32_t h = 1;
			for (int i = 1; i <= 5000000; i++) {
				h = h * 1664525 + 1013904223;
				x += 1.0 / i;
			}
			_exit(x > 16.0 && x < 16.01 && h != 0 ? 5 : 4);
		}
	}
	for (int k = 0; k < 3; k++)
		CHECKEQ(ct_wait(pid[k]), 5 << 8);
}
