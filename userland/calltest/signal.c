//go:build ignore

/* signal: handlers, masks, pending signals and their order, alternate stacks,
 * restarted calls, faults and what siginfo says of them, waiting for signals,
 * stop and continue, the state that handlers must not disturb. */
#include "calltest.h"
#include <setjmp.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t got, count;
static volatile siginfo_t info;
static int order[64];
static sigjmp_buf back;

static void note(int sig)
{
	got = sig;
	if (count < 64)
		order[count] = sig;
	count++;
}

static void note_info(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	got = sig;
	info = *si;
	if (count < 64)
		order[count] = si->si_value.sival_int;
	count++;
}

static void catch(int sig, int flags)
{
	struct sigaction sa = {.sa_flags = flags};

	sigemptyset(&sa.sa_mask);
	if (flags & SA_SIGINFO)
		sa.sa_sigaction = note_info;
	else
		sa.sa_handler = note;
	CHECK(sigaction(sig, &sa, NULL) == 0);
}

static sigset_t set_of(int sig)
{
	sigset_t s;

	sigemptyset(&s);
	if (sig)
		sigaddset(&s, sig);
	return s;
}

static void block(int sig)
{
	sigset_t s = set_of(sig);
	CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
}

static void unblock(int sig)
{
	sigset_t s = set_of(sig);
	CHECK(sigprocmask(SIG_UNBLOCK, &s, NULL) == 0);
}

TEST(handler)
{
	catch(SIGUSR1, 0);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECKEQ(got, SIGUSR1); /* delivered before kill returns */
	CHECKEQ(count, 1);
	CHECK(raise(SIGUSR1) == 0);
	CHECKEQ(count, 2);
}

TEST(all_signals)
{
	for (int s = 1; s <= 64; s++) {
		if (s == SIGKILL || s == SIGSTOP || s == 32 || s == 33)
			continue;
		catch(s, 0);
		CHECK(kill(getpid(), s) == 0);
		CHECKEQ(got, s);
	}
	CHECKEQ(count, 60);
}

TEST(action_errors)
{
	struct sigaction sa = {.sa_handler = note}, old;

	CHECKERR(sigaction(SIGKILL, &sa, NULL), EINVAL);
	CHECKERR(sigaction(SIGSTOP, &sa, NULL), EINVAL);
	CHECK(sigaction(SIGKILL, NULL, &old) == 0);
	CHECKERR(syscall(SYS_rt_sigaction, 0, &sa, NULL, 8), EINVAL);
	CHECKERR(syscall(SYS_rt_sigaction, 65, &sa, NULL, 8), EINVAL);
	CHECKERR(syscall(SYS_rt_sigaction, -1, &sa, NULL, 8), EINVAL);
	CHECKERR(syscall(SYS_rt_sigaction, SIGUSR1, &sa, NULL, 16), EINVAL);
	CHECKERR(syscall(SYS_rt_sigaction, SIGUSR1, bad_address(1), NULL, 8), EFAULT);
	CHECKERR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, bad_address(0), 8), EFAULT);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
	CHECK(old.sa_handler == SIG_DFL);
	catch(SIGUSR1, SA_SIGINFO | SA_RESTART);
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
	CHECK(old.sa_sigaction == note_info);
	CHECKEQ(old.sa_flags & ~0x04000000, SA_SIGINFO | SA_RESTART);
}

TEST(mask_calls)
{
	sigset_t s = set_of(SIGUSR1), old;

	sigaddset(&s, SIGKILL);
	sigaddset(&s, SIGSTOP);
	CHECK(sigprocmask(SIG_SETMASK, &s, NULL) == 0);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &old) == 0);
	CHECKEQ(sigismember(&old, SIGUSR1), 1);
	CHECKEQ(sigismember(&old, SIGKILL), 0); /* can't be blocked */
	CHECKEQ(sigismember(&old, SIGSTOP), 0);
	CHECKERR(sigprocmask(99, &s, NULL), EINVAL);
	CHECK(sigprocmask(99, NULL, NULL) == 0);
	CHECKERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, &s, NULL, 4), EINVAL);
	CHECKERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, bad_address(1), NULL, 8), EFAULT);
	CHECKERR(syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, bad_address(0), 8), EFAULT);
	CHECKERR(syscall(SYS_rt_sigpending, bad_address(1), 8), EFAULT);
	CHECKERR(syscall(SYS_rt_sigpending, &s, 16), EINVAL);
}

TEST(blocked_is_pending)
{
	sigset_t p;

	catch(SIGUSR1, 0);
	block(SIGUSR1);
	for (int i = 0; i < 3; i++)
		CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECKEQ(count, 0);
	CHECK(sigpending(&p) == 0);
	CHECKEQ(sigismember(&p, SIGUSR1), 1);
	IN_CHILD { /* a child starts without pending signals, but with the mask */
		CHECK(sigpending(&p) == 0);
		CHECKEQ(sigismember(&p, SIGUSR1), 0);
		CHECK(sigprocmask(SIG_BLOCK, NULL, &p) == 0);
		CHECKEQ(sigismember(&p, SIGUSR1), 1);
	}
	unblock(SIGUSR1);
	CHECKEQ(count, 1); /* three became one */
	block(SIGUSR1);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	signal(SIGUSR1, SIG_IGN); /* discards it */
	CHECK(sigpending(&p) == 0);
	CHECKEQ(sigismember(&p, SIGUSR1), 0);
}

TEST(handler_masks_itself)
{
	sigset_t m;

	catch(SIGUSR1, 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &m) == 0);
	CHECKEQ(sigismember(&m, SIGUSR1), 0); /* restored */
}

static sigset_t inside;

static void note_mask(int sig)
{
	(void)sig;
	sigprocmask(SIG_BLOCK, NULL, &inside);
}

TEST(mask_in_handler)
{
	struct sigaction sa = {.sa_handler = note_mask};

	sa.sa_mask = set_of(SIGUSR2);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECKEQ(sigismember(&inside, SIGUSR1), 1);
	CHECKEQ(sigismember(&inside, SIGUSR2), 1);
	CHECKEQ(sigismember(&inside, SIGHUP), 0);
	sa.sa_flags = SA_NODEFER;
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECKEQ(sigismember(&inside, SIGUSR1), 0);
	CHECKEQ(sigismember(&inside, SIGUSR2), 1);
}

TEST(resethand)
{
	catch(SIGUSR1, SA_RESETHAND);
	CHECK(raise(SIGUSR1) == 0);
	CHECKEQ(count, 1);
	struct sigaction old;
	CHECK(sigaction(SIGUSR1, NULL, &old) == 0);
	CHECK(old.sa_handler == SIG_DFL);
}

static void nested(int sig)
{
	order[count++] = sig;
	if (sig == SIGUSR1) {
		raise(SIGUSR2); /* comes in between */
		order[count++] = -sig;
	}
}

TEST(nested_handlers)
{
	signal(SIGUSR1, nested);
	signal(SIGUSR2, nested);
	CHECK(raise(SIGUSR1) == 0);
	CHECKEQ(count, 3);
	CHECKEQ(order[0], SIGUSR1);
	CHECKEQ(order[1], SIGUSR2);
	CHECKEQ(order[2], -SIGUSR1);
}

TEST(info_of_kill)
{
	catch(SIGUSR1, SA_SIGINFO);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECKEQ(info.si_signo, SIGUSR1);
	CHECKEQ(info.si_code, SI_USER);
	CHECKEQ(info.si_pid, getpid());
	CHECKEQ(info.si_uid, getuid());
	CHECK(syscall(SYS_tgkill, getpid(), getpid(), SIGUSR1) == 0);
	CHECKEQ(info.si_code, SI_TKILL);
	pid_t pid = ct_fork();
	if (pid == 0) {
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	REAP(pid);
	CHECKEQ(count, 3);
	CHECKEQ(info.si_pid, pid);
}

TEST(info_of_child)
{
	catch(SIGCHLD, SA_SIGINFO);
	pid_t pid = ct_fork();
	if (pid == 0)
		_exit(9);
	CHECKEQ(ct_wait(pid), 9 << 8);
	CHECKEQ(count, 1);
	CHECKEQ(info.si_code, CLD_EXITED);
	CHECKEQ(info.si_pid, pid);
	CHECKEQ(info.si_status, 9);
}

TEST(queue_order)
{
	/* Real-time signals are queued, each instance, lowest number first. */
	int rt = SIGRTMIN + 2;

	catch(rt, SA_SIGINFO);
	catch(rt + 1, SA_SIGINFO);
	block(rt);
	block(rt + 1);
	for (int i = 0; i < 5; i++) {
		CHECK(sigqueue(getpid(), rt + 1, (union sigval){.sival_int = 100 + i}) == 0);
		CHECK(sigqueue(getpid(), rt, (union sigval){.sival_int = i}) == 0);
	}
	sigset_t s = set_of(rt), t;
	sigaddset(&s, rt + 1);
	for (int i = 0; i < 5; i++) {
		siginfo_t si;
		CHECKEQ(sigwaitinfo(&s, &si), rt);
		CHECKEQ(si.si_value.sival_int, i);
		CHECKEQ(si.si_code, SI_QUEUE);
		CHECKEQ(si.si_pid, getpid());
	}
	CHECK(sigpending(&t) == 0);
	CHECKEQ(sigismember(&t, rt), 0);
	unblock(rt + 1); /* the handlers' order */
	CHECKEQ(count, 5);
	for (int i = 0; i < 5; i++)
		CHECKEQ(order[i], 100 + i);
}

TEST(queue_limit)
{
	struct rlimit { unsigned long cur, max; } rl = {4, 4};
	int rt = SIGRTMIN, n = 0;

	if (geteuid() != 0)
		SKIP("needs root");
	block(rt);
	CHECK(syscall(SYS_setrlimit, 11, &rl) == 0); /* RLIMIT_SIGPENDING */
	drop(own_user()); /* a user without other pending signals */
	while (n < 100 && sigqueue(getpid(), rt, (union sigval){.sival_int = n}) == 0)
		n++;
	CHECKEQ(errno, EAGAIN);
	CHECK(n >= 3 && n <= 5);
}

TEST(queue_errors)
{
	siginfo_t si = {.si_signo = SIGUSR1};

	CHECKERR(sigqueue(4000000, SIGUSR1, (union sigval){0}), ESRCH);
	CHECKERR(sigqueue(getpid(), 65, (union sigval){0}), EINVAL);
	CHECK(sigqueue(getpid(), 0, (union sigval){0}) == 0);
	si.si_code = SI_USER; /* nobody may pretend that */
	CHECKERR(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &si), EPERM);
	CHECKERR(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, bad_address(1)), EFAULT);
	CHECKERR(syscall(SYS_rt_sigqueueinfo, -1, SIGUSR1, &si), EPERM);
	CHECKERR(syscall(SYS_rt_sigqueueinfo, 0, SIGUSR1, &si), EPERM);
	si.si_code = SI_TKILL;
	CHECKERR(syscall(SYS_rt_sigqueueinfo, getppid(), SIGUSR1, &si), EPERM);
	CHECKERR(syscall(SYS_rt_sigqueueinfo, 4000000, SIGUSR1, &si), EPERM);
	catch(SIGUSR1, 0);
	CHECK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR1, &si) == 0); /* to itself it may */
	CHECKEQ(count, 1);
	si.si_code = SI_QUEUE;
	CHECKERR(syscall(SYS_rt_sigqueueinfo, 0, SIGUSR1, &si), ESRCH);
	CHECKERR(syscall(SYS_rt_sigqueueinfo, -1, SIGUSR1, &si), ESRCH);
	CHECKERR(syscall(SYS_rt_sigqueueinfo, INT_MIN, SIGUSR1, &si), ESRCH);
	CHECKERR(syscall(SYS_rt_sigqueueinfo, -getpgrp(), SIGUSR1, &si), ESRCH);
	CHECKERR(syscall(SYS_rt_sigqueueinfo, 4000000, 65, &si), ESRCH);
	CHECKERR(syscall(SYS_rt_sigqueueinfo, getpid(), 65, &si), EINVAL);
	CHECKERR(syscall(SYS_rt_sigqueueinfo, getpid(), -1, &si), EINVAL);
	CHECKERR(syscall(SYS_rt_sigqueueinfo, -1, 65, bad_address(1)), EFAULT);
	CHECKERR(syscall(SYS_rt_tgsigqueueinfo, -1, getpid(), SIGUSR1, &si), EINVAL);
	CHECKERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), 0, SIGUSR1, &si), EINVAL);
	CHECKERR(syscall(SYS_rt_tgsigqueueinfo, -1, -1, SIGUSR1, bad_address(1)), EFAULT);
	CHECKERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), 65, &si), EINVAL);
	CHECKERR(syscall(SYS_rt_tgsigqueueinfo, getppid(), getpid(), SIGUSR1, &si), ESRCH);
	si.si_code = SI_USER;
	CHECKERR(syscall(SYS_rt_tgsigqueueinfo, getppid(), getppid(), SIGUSR1, &si), EPERM);
	CHECKERR(syscall(SYS_rt_tgsigqueueinfo, -1, getpid(), SIGUSR1, &si), EINVAL);
	CHECKERR(kill(4000000, 65), ESRCH);
	CHECKERR(kill(getpid(), 65), EINVAL);
	CHECKERR(kill(getpid(), -1), EINVAL);
	CHECKERR(kill(0, 65), EINVAL);
	CHECKERR(kill(-4000000, 65), ESRCH);
	CHECKERR(kill(INT_MIN, 0), ESRCH);
	CHECKERR(syscall(SYS_tgkill, getpid(), 4000000, 65), ESRCH);
	CHECKERR(syscall(SYS_tgkill, getpid(), getpid(), 65), EINVAL);
	CHECKERR(syscall(SYS_tkill, 4000000, 65), ESRCH);
	CHECKERR(syscall(SYS_tgkill, getpid(), 4000000, SIGUSR1), ESRCH);
	CHECKERR(syscall(SYS_tgkill, getppid(), getpid(), SIGUSR1), ESRCH);
	CHECKERR(syscall(SYS_tgkill, -1, getpid(), SIGUSR1), EINVAL);
	CHECKERR(syscall(SYS_tgkill, getpid(), 0, SIGUSR1), EINVAL);
	CHECKERR(syscall(SYS_tkill, -1, SIGUSR1), EINVAL);
	CHECKERR(syscall(SYS_tkill, getpid(), 65), EINVAL);
	CHECK(syscall(SYS_tgkill, getpid(), getpid(), 0) == 0);
}

/* Faults. */

static void jump(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	got = sig;
	info = *si;
	siglongjmp(back, 1);
}

static void catch_fault(int sig)
{
	struct sigaction sa = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO};

	CHECK(sigaction(sig, &sa, NULL) == 0);
}

#define FAULT(sig, code, addr, body) do { \
	catch_fault(sig); \
	got = 0; \
	if (sigsetjmp(back, 1) == 0) { \
		body; \
		FAIL("no fault: %s", #body); \
	} \
	CHECKEQ(got, sig); \
	CHECKEQ(info.si_signo, sig); \
	CHECKEQ(info.si_code, code); \
	CHECKEQ(info.si_addr, addr); \
} while (0)

TEST(segv)
{
	volatile char *p;
	char *ro = pages(2, PROT_READ), *none = pages(1, PROT_NONE);
	char *rw = pages(1, PROT_READ | PROT_WRITE);

	p = rw + PAGE + 5; /* unmapped */
	FAULT(SIGSEGV, SEGV_MAPERR, p, *p = 1);
	FAULT(SIGSEGV, SEGV_MAPERR, p, (void)*p);
	p = (char *)16;
	FAULT(SIGSEGV, SEGV_MAPERR, p, *p = 1);
	p = ro + 7;
	FAULT(SIGSEGV, SEGV_ACCERR, p, *p = 1);
	p = none;
	FAULT(SIGSEGV, SEGV_ACCERR, p, (void)*p);
	p = (char *)0xffff800000000000; /* the kernel's */
	FAULT(SIGSEGV, SEGV_MAPERR, p, (void)*p);
	p = (char *)0xffffffff80100000;
	FAULT(SIGSEGV, SEGV_MAPERR, p, *p = 0);
	p = (char *)0x800000000000; /* not canonical: no address is known */
	FAULT(SIGSEGV, SI_KERNEL, 0, (void)*p);
	FAULT(SIGSEGV, SI_KERNEL, 0, __asm__ volatile("hlt"));
	FAULT(SIGSEGV, SI_KERNEL, 0, __asm__ volatile("cli"));
	FAULT(SIGSEGV, SI_KERNEL, 0, __asm__ volatile("mov %%cr0, %%rax" ::: "rax"));
	FAULT(SIGSEGV, SI_KERNEL, 0, __asm__ volatile("outb %%al, $0x80" ::: "rax"));
	FAULT(SIGSEGV, SI_KERNEL, 0, __asm__ volatile("rdmsr" ::: "rax", "rdx"));
	FAULT(SIGSEGV, SI_KERNEL, 0, __asm__ volatile("int $0x42"));
	/* Not executable, and jumps into nothing. */
	FAULT(SIGSEGV, SEGV_ACCERR, rw, ((void (*)(void))rw)());
	FAULT(SIGSEGV, SEGV_MAPERR, 0, ((void (*)(void))(*(volatile long *)rw))());
}

TEST(ill)
{
	catch_fault(SIGILL);
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile(".globl the_ud2\nthe_ud2: ud2");
	extern char the_ud2[];
	CHECKEQ(got, SIGILL);
	CHECKEQ(info.si_code, ILL_ILLOPN);
	CHECKEQ(info.si_addr, the_ud2);
}

TEST(fpe)
{
	catch_fault(SIGFPE);
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("xor %%ecx,%%ecx\n.globl the_div\nthe_div: div %%ecx" ::: "eax", "ecx", "edx");
	extern char the_div[];
	CHECKEQ(got, SIGFPE);
	CHECKEQ(info.si_code, FPE_INTDIV);
	CHECKEQ(info.si_addr, the_div);
	/* Overflow of a quotient is the same. */
	got = 0;
	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("mov $1,%%edx; xor %%eax,%%eax; mov $1,%%ecx; div %%ecx" ::: "eax", "ecx", "edx");
	CHECKEQ(got, SIGFPE);
}

TEST(fpe_sse)
{
	uint32_t mxcsr = 0x1f80 & ~0x200; /* division by zero is unmasked */

	catch_fault(SIGFPE);
	if (sigsetjmp(back, 1) == 0) {
		__asm__ volatile("ldmxcsr %0" :: "m"(mxcsr));
		volatile double z = 0, r = 1 / z;
		(void)r;
		FAIL("no exception");
	}
	mxcsr = 0x1f80;
	__asm__ volatile("ldmxcsr %0" :: "m"(mxcsr));
	CHECKEQ(got, SIGFPE);
	CHECKEQ(info.si_code, FPE_FLTDIV);
}

TEST(trap)
{
	struct sigaction sa = {.sa_sigaction = note_info, .sa_flags = SA_SIGINFO};

	CHECK(sigaction(SIGTRAP, &sa, NULL) == 0);
	__asm__ volatile("int3");
	CHECKEQ(got, SIGTRAP);
	CHECKEQ(info.si_code, SI_KERNEL);
}

TEST(single_step)
{
	struct sigaction sa = {.sa_sigaction = note_info, .sa_flags = SA_SIGINFO};

	CHECK(sigaction(SIGTRAP, &sa, NULL) == 0);
	__asm__ volatile("sub $128, %%rsp; pushf; orl $0x100, (%%rsp); popf; nop; pushf; andl $~0x100, (%%rsp); popf; add $128, %%rsp" ::: "memory", "cc");
	CHECK(count >= 2 && count <= 4);
	CHECKEQ(info.si_code, TRAP_TRACE);
}

TEST(bus)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	volatile char *p;

	CHECK(ftruncate(fd, PAGE) == 0);
	p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	p[0] = 1;
	FAULT(SIGBUS, BUS_ADRERR, p + PAGE + 3, p[PAGE + 3] = 1);
	CHECK(ftruncate(fd, 0) == 0);
	FAULT(SIGBUS, BUS_ADRERR, p, (void)p[0]);
	CHECKERR(write(1, (void *)p, 1), EFAULT);
}

TEST(blocked_fault_kills)
{
	pid_t pid = ct_fork();
	if (pid == 0) {
		catch(SIGSEGV, 0);
		block(SIGSEGV);
		*(volatile int *)4 = 1;
		_exit(0);
	}
	CHECKEQ(ct_wait(pid) & 0x7f, SIGSEGV);
	pid = ct_fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_IGN);
		*(volatile int *)4 = 1;
		_exit(0);
	}
	CHECKEQ(ct_wait(pid) & 0x7f, SIGSEGV);
}

static void fix(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *u = ctx;

	(void)sig;
	(void)si;
	count++;
	CHECKEQ(u->uc_mcontext.gregs[REG_TRAPNO], 14);
	CHECKEQ(u->uc_mcontext.gregs[REG_CR2], 8);
	CHECKEQ(u->uc_mcontext.gregs[REG_ERR], 6); /* write, from user mode */
	u->uc_mcontext.gregs[REG_RAX] = (long)&order[0];
}

static long trap[3];

static void note_trap(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *u = ctx;

	(void)si;
	trap[0] = u->uc_mcontext.gregs[REG_TRAPNO];
	trap[1] = u->uc_mcontext.gregs[REG_CR2];
	trap[2] = u->uc_mcontext.gregs[REG_ERR];
	if (sig != SIGUSR1)
		siglongjmp(back, 1);
}

static void check_trap(long nr, long addr, long err)
{
	CHECKEQ(trap[0], nr);
	CHECKEQ(trap[1], addr);
	CHECKEQ(trap[2], err);
}

TEST(last_fault)
{
	/* The frame of any signal tells the last exception of the thread. */
	struct sigaction sa = {.sa_sigaction = note_trap, .sa_flags = SA_SIGINFO};
	static volatile int zero;
	int p[2];

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
	CHECK(sigaction(SIGFPE, &sa, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
	check_trap(0, 0, 0);
	if (sigsetjmp(back, 1) == 0)
		*(volatile int *)24 = 1;
	check_trap(14, 24, 6);
	memset(trap, 0, sizeof trap);
	CHECK(raise(SIGUSR1) == 0);
	check_trap(14, 24, 6);
	/* A fault of a call is none. */
	CHECK(pipe(p) == 0);
	CHECKERR(write(p[1], bad_address(1), 1), EFAULT);
	/* Nor is one that only finds the page. */
	*(volatile char *)pages(1, PROT_READ | PROT_WRITE) = 1;
	CHECK(raise(SIGUSR1) == 0);
	check_trap(14, 24, 6);
	IN_CHILD {
		CHECK(raise(SIGUSR1) == 0);
		check_trap(14, 24, 6);
	}
	if (sigsetjmp(back, 1) == 0)
		zero = count / zero;
	check_trap(0, 24, 0); /* a division; the address stays */
	if (sigsetjmp(back, 1) == 0)
		*(volatile int *)0x1000000000000000 = 1;
	check_trap(13, 24, 0); /* no address is told for this */
	CHECK(raise(SIGUSR1) == 0);
	check_trap(13, 24, 0);
}

TEST(context_changes)
{
	struct sigaction sa = {.sa_sigaction = fix, .sa_flags = SA_SIGINFO};

	CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
	__asm__ volatile("mov $8, %%eax; movl $77, (%%rax)" ::: "rax", "memory");
	CHECKEQ(count, 1);
	CHECKEQ(order[0], 77);
}

static void clobber(int sig)
{
	(void)sig;
	count++;
	__asm__ volatile(
		"pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm7, %%xmm7; pxor %%xmm15, %%xmm15\n"
		"fninit; fldz; fldz; std; cld"
		::: "xmm0", "xmm1", "xmm7", "xmm15", "memory");
	uint32_t m = 0x7f80;
	__asm__ volatile("ldmxcsr %0" :: "m"(m));
}

TEST(fpu_survives)
{
	/* Registers as they were before the handler, which spoils them. */
	unsigned char in[64], out[64];
	uint32_t mxcsr;
	long double ld = 1.0L / 7, ld2;
	long ret = SYS_tkill;

	signal(SIGUSR1, clobber);
	for (int i = 0; i < 64; i++)
		in[i] = i + 100;
	__asm__ volatile(
		"fldt %[ld]\n"
		"movups 0(%[in]), %%xmm0; movups 16(%[in]), %%xmm1; movups 32(%[in]), %%xmm7; movups 48(%[in]), %%xmm15\n"
		"syscall\n"
		"movups %%xmm0, 0(%[out]); movups %%xmm1, 16(%[out]); movups %%xmm7, 32(%[out]); movups %%xmm15, 48(%[out])\n"
		"fstpt %[ld2]\n"
		: "+a"(ret), [ld2] "=m"(ld2)
		: [ld] "m"(ld), [in] "r"(in), [out] "r"(out), "D"((long)getpid()), "S"((long)SIGUSR1)
		: "rcx", "r11", "memory", "xmm0", "xmm1", "xmm7", "xmm15");
	CHECKEQ(ret, 0);
	CHECKEQ(count, 1);
	CHECKEQ(memcmp(in, out, 64), 0);
	CHECKEQ(memcmp(&ld, &ld2, 10), 0);
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	CHECKEQ(mxcsr & ~0x3f, 0x1f80);
}

TEST(registers_survive_timer)
{
	/* A computation that a timer interrupts at any point. */
	struct itimerval it = {{0, 1000}, {0, 1000}};

	signal(SIGALRM, clobber);
	CHECK(setitimer(ITIMER_REAL, &it, NULL) == 0);
	double want = 0;
	for (int round = 0; count < 20; round++) {
		double x = 0;
		uint64_t h = 1;
		for (int i = 1; i < 100000; i++) {
			x += 1.0 / i;
			h = h * 6364136223846793005 + i;
		}
		if (round == 0)
			want = x + (h & 0xff);
		CHECK(x + (h & 0xff) == want);
	}
}

TEST(avx_survives)
{
	if (!__builtin_cpu_supports("avx"))
		SKIP("this processor has no AVX");
	unsigned char in[32], out[32];
	long ret = SYS_tkill;

	signal(SIGUSR1, clobber);
	for (int i = 0; i < 32; i++)
		in[i] = i + 3;
	__asm__ volatile("vmovups (%1), %%ymm7; syscall; vmovups %%ymm7, (%2); vzeroupper"
		: "+a"(ret) : "r"(in), "r"(out), "D"((long)getpid()), "S"((long)SIGUSR1)
		: "rcx", "r11", "memory", "xmm7");
	CHECKEQ(memcmp(in, out, 32), 0);
}

/* Alternate stacks. */

static char *volatile where;

static void note_stack(int sig)
{
	stack_t ss;
	char here;

	(void)sig;
	where = &here;
	count++;
	CHECK(sigaltstack(NULL, &ss) == 0);
	order[0] = ss.ss_flags;
	if (ss.ss_flags & SS_ONSTACK)
		CHECKERR(sigaltstack(&ss, NULL), EPERM); /* in use */
}

TEST(altstack)
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack}, old;
	struct sigaction sa = {.sa_handler = note_stack, .sa_flags = SA_ONSTACK};

	CHECK(sigaltstack(NULL, &old) == 0);
	CHECKEQ(old.ss_flags, SS_DISABLE);
	CHECK(sigaltstack(&ss, NULL) == 0);
	CHECK(sigaltstack(NULL, &old) == 0);
	CHECK(old.ss_sp == stack);
	CHECKEQ(old.ss_size, sizeof stack);
	CHECKEQ(old.ss_flags, 0);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECK(where >= stack && where < stack + sizeof stack);
	CHECKEQ(order[0], SS_ONSTACK);
	sa.sa_flags = 0;
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	CHECK(raise(SIGUSR1) == 0);
	CHECK(where < stack || where >= stack + sizeof stack);
	ss.ss_size = 100;
	CHECKERR(sigaltstack(&ss, NULL), ENOMEM);
	ss.ss_flags = 77;
	CHECKERR(sigaltstack(&ss, NULL), EINVAL);
	CHECKERR(syscall(SYS_sigaltstack, bad_address(1), NULL), EFAULT);
	CHECKERR(syscall(SYS_sigaltstack, NULL, bad_address(0)), EFAULT);
	ss.ss_flags = SS_DISABLE;
	CHECK(sigaltstack(&ss, NULL) == 0);
	CHECK(sigaltstack(NULL, &old) == 0);
	CHECKEQ(old.ss_flags, SS_DISABLE);
}

static int overflow(int n)
{
	volatile char block[4096];

	block[0] = n;
	if (got) /* never: it ends by the signal */
		return 0;
	return overflow(n + 1) + block[0];
}

TEST(stack_overflow)
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof stack};
	struct sigaction sa = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO | SA_ONSTACK};

	CHECK(sigaltstack(&ss, NULL) == 0);
	CHECK(sigaction(SIGSEGV, &sa, NULL) == 0);
	if (sigsetjmp(back, 1) == 0)
		overflow(0);
	CHECKEQ(got, SIGSEGV);
}

TEST(no_stack_for_handler)
{
	/* A handler that can't be called: SIGSEGV, and that kills. */
	pid_t pid = ct_fork();
	if (pid == 0) {
		catch(SIGUSR1, 0);
		catch(SIGSEGV, 0);
		__asm__ volatile("mov %0, %%rsp; syscall; ud2"
			:: "r"(bad_address(1)), "a"(SYS_tkill), "D"((long)getpid()), "S"((long)SIGUSR1) : "memory");
	}
	CHECKEQ(ct_wait(pid) & 0x7f, SIGSEGV);
}

TEST(bad_sigreturn)
{
	/* A frame of rubbish kills the process at most. */
	pid_t pid = ct_fork();
	if (pid == 0) {
		char *p = pages(2, PROT_READ | PROT_WRITE);
		memset(p, 0xff, 2 * PAGE);
		__asm__ volatile("mov %0, %%rsp; syscall; ud2" :: "r"(p + 1024), "a"(SYS_rt_sigreturn) : "memory");
	}
	CHECKEQ(ct_wait(pid) & 0x7f, SIGSEGV);
	pid = ct_fork();
	if (pid == 0)
		__asm__ volatile("mov %0, %%rsp; syscall; ud2" :: "r"(0x800000000000), "a"(SYS_rt_sigreturn) : "memory");
	CHECKEQ(ct_wait(pid) & 0x7f, SIGSEGV);
}

static void to_kernel(int sig, siginfo_t *si, void *ctx)
{
	ucontext_t *u = ctx;

	(void)si;
	(void)sig;
	u->uc_mcontext.gregs[REG_RIP] = order[0] ? 0x0000900000000000 : (long)0xffffffff80100000;
	u->uc_mcontext.gregs[REG_EFL] |= 0x3000; /* IOPL 3: must not get through */
}

TEST(return_to_kernel_address)
{
	for (order[0] = 0; order[0] < 2; order[0]++) {
		pid_t pid = ct_fork();
		if (pid == 0) {
			struct sigaction sa = {.sa_sigaction = to_kernel, .sa_flags = SA_SIGINFO};
			CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
			raise(SIGUSR1);
			_exit(0);
		}
		CHECKEQ(ct_wait(pid) & 0x7f, SIGSEGV);
	}
}

/* Interrupted calls. */

/* interrupt makes a child that, once this process sleeps, signals it, and
 * after that writes to the pipe. */
static pid_t interrupt(int sig, int fd)
{
	pid_t parent = getpid();
	pid_t pid = ct_fork();

	if (pid == 0) {
		until_asleep(parent);
		CHECK(kill(parent, sig) == 0);
		if (fd >= 0) {
			nap(20);
			CHECKEQ(write(fd, "x", 1), 1);
		}
		_exit(0);
	}
	return pid;
}

TEST(eintr)
{
	int p[2];
	char c;

	CHECK(pipe(p) == 0);
	catch(SIGUSR1, 0);
	pid_t pid = interrupt(SIGUSR1, -1);
	CHECKERR(read(p[0], &c, 1), EINTR);
	CHECKEQ(count, 1);
	REAP(pid);
}

TEST(restart)
{
	int p[2];
	char c;

	CHECK(pipe(p) == 0);
	catch(SIGUSR1, SA_RESTART);
	pid_t pid = interrupt(SIGUSR1, p[1]);
	CHECKEQ(read(p[0], &c, 1), 1);
	CHECKEQ(count, 1);
	REAP(pid);
}

TEST(restart_wait)
{
	catch(SIGUSR1, SA_RESTART);
	int p[2];
	char c;
	CHECK(pipe(p) == 0);
	pid_t sleeper = ct_fork();
	if (sleeper == 0)
		_exit(read(p[0], &c, 1) != 1);
	pid_t pid = interrupt(SIGUSR1, p[1]);
	CHECKEQ(waitpid(sleeper, NULL, 0), sleeper);
	CHECKEQ(count, 1);
	REAP(pid);
}

TEST(ignored_does_not_interrupt)
{
	int p[2];
	char c;

	CHECK(pipe(p) == 0);
	signal(SIGUSR1, SIG_IGN);
	pid_t pid = interrupt(SIGUSR1, p[1]);
	CHECKEQ(read(p[0], &c, 1), 1);
	REAP(pid);
	pid = interrupt(SIGCHLD, p[1]); /* ignored by default */
	CHECKEQ(read(p[0], &c, 1), 1);
	REAP(pid);
	/* Stop and continue don't interrupt either. */
	pid_t r = ct_fork();
	if (r == 0)
		_exit(read(p[0], &c, 1) != 1);
	until_asleep(r);
	CHECK(kill(r, SIGSTOP) == 0);
	int status;
	CHECKEQ(waitpid(r, &status, WUNTRACED), r);
	CHECK(kill(r, SIGCONT) == 0);
	CHECKEQ(waitpid(r, &status, WCONTINUED), r);
	CHECKEQ(write(p[1], "x", 1), 1);
	REAP(r);
}

TEST(pause)
{
	catch(SIGUSR1, SA_RESTART);
	pid_t pid = interrupt(SIGUSR1, -1);
	CHECKERR(pause(), EINTR);
	REAP(pid);
}

TEST(sigsuspend)
{
	sigset_t none = set_of(0), m;

	catch(SIGUSR1, 0);
	block(SIGUSR1);
	CHECK(raise(SIGUSR1) == 0);
	CHECKEQ(count, 0);
	CHECKERR(sigsuspend(&none), EINTR);
	CHECKEQ(count, 1);
	CHECK(sigprocmask(SIG_BLOCK, NULL, &m) == 0);
	CHECKEQ(sigismember(&m, SIGUSR1), 1); /* the old mask is back */
	pid_t pid = interrupt(SIGUSR1, -1);
	CHECKERR(sigsuspend(&none), EINTR);
	CHECKEQ(count, 2);
	REAP(pid);
	CHECKERR(syscall(SYS_rt_sigsuspend, bad_address(1), 8), EFAULT);
	CHECKERR(syscall(SYS_rt_sigsuspend, &none, 4), EINVAL);
}

TEST(sigtimedwait)
{
	sigset_t s = set_of(SIGUSR1);
	siginfo_t si;
	struct timespec ts = {0, 20000000}, zero = {0, 0}, bad = {0, -1};

	catch(SIGUSR2, 0);
	block(SIGUSR1);
	int64_t t = now_ns(CLOCK_MONOTONIC);
	CHECKERR(sigtimedwait(&s, &si, &ts), EAGAIN);
	CHECK(now_ns(CLOCK_MONOTONIC) - t >= 20000000);
	CHECKERR(sigtimedwait(&s, &si, &zero), EAGAIN);
	CHECKERR(sigtimedwait(&s, &si, &bad), EINVAL);
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECKEQ(sigtimedwait(&s, &si, &zero), SIGUSR1);
	CHECKEQ(si.si_signo, SIGUSR1);
	CHECKEQ(si.si_pid, getpid());
	pid_t pid = interrupt(SIGUSR1, -1);
	CHECKEQ(sigwaitinfo(&s, &si), SIGUSR1);
	CHECKEQ(si.si_pid, pid);
	REAP(pid);
	pid = interrupt(SIGUSR2, -1); /* another one, with a handler */
	CHECKERR(sigwaitinfo(&s, &si), EINTR);
	CHECKEQ(count, 1);
	REAP(pid);
	CHECKERR(syscall(SYS_rt_sigtimedwait, bad_address(1), &si, &zero, 8), EFAULT);
	CHECKERR(syscall(SYS_rt_sigtimedwait, &s, &si, bad_address(1), 8), EFAULT);
	CHECKERR(syscall(SYS_rt_sigtimedwait, &s, &si, &zero, 7), EINVAL);
	/* pending, but nowhere to tell: the signal is gone */
	CHECK(kill(getpid(), SIGUSR1) == 0);
	CHECKERR(syscall(SYS_rt_sigtimedwait, &s, bad_address(0), &zero, 8), EFAULT);
}

TEST(stop_continue_pending)
{
	/* SIGCONT removes pending stops, a stop removes a pending SIGCONT. */
	sigset_t s;

	block(SIGTSTP);
	block(SIGCONT);
	CHECK(kill(getpid(), SIGTSTP) == 0);
	CHECK(sigpending(&s) == 0);
	CHECKEQ(sigismember(&s, SIGTSTP), 1);
	CHECK(kill(getpid(), SIGCONT) == 0);
	CHECK(sigpending(&s) == 0);
	CHECKEQ(sigismember(&s, SIGTSTP), 0);
	CHECKEQ(sigismember(&s, SIGCONT), 1);
	CHECK(kill(getpid(), SIGTSTP) == 0);
	CHECK(sigpending(&s) == 0);
	CHECKEQ(sigismember(&s, SIGCONT), 0);
	CHECKEQ(sigismember(&s, SIGTSTP), 1);
}

TEST(continue_handler)
{
	int status, p[2];
	char c;

	CHECK(pipe(p) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		catch(SIGCONT, 0);
		CHECKEQ(write(p[1], "r", 1), 1);
		while (count == 0)
			pause();
		_exit(count);
	}
	CHECKEQ(read(p[0], &c, 1), 1);
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECKEQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(kill(pid, SIGUSR1) == 0); /* waits while it is stopped */
	CHECKEQ(waitpid(pid, &status, WNOHANG), 0);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECKEQ(ct_wait(pid) & 0x7f, SIGUSR1);
}

TEST(nocldstop)
{
	int status;

	catch(SIGCHLD, SA_NOCLDSTOP);
	pid_t pid = ct_fork();
	if (pid == 0)
		for (;;)
			pause();
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECKEQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECKEQ(count, 0);
	catch(SIGCHLD, SA_SIGINFO);
	CHECK(kill(pid, SIGCONT) == 0);
	CHECKEQ(waitpid(pid, &status, WCONTINUED), pid);
	while (count == 0) /* the child itself sends it, maybe later */
		nap(1);
	CHECKEQ(info.si_code, CLD_CONTINUED);
	CHECK(kill(pid, SIGKILL) == 0);
	ct_wait(pid);
	CHECKEQ(info.si_code, CLD_KILLED);
	CHECKEQ(info.si_status, SIGKILL);
}

TEST(handlers_after_fork)
{
	catch(SIGUSR1, 0);
	IN_CHILD {
		CHECK(raise(SIGUSR1) == 0);
		CHECKEQ(count, 1);
	}
	CHECKEQ(count, 0);
}

TEST(kill_all_of_user)
{
	if (geteuid() != 0)
		SKIP("needs root");
	IN_CHILD { /* -1: all that this user may signal, but not itself */
		drop(own_user());
		pid_t a = ct_fork();
		if (a == 0)
			for (;;)
				pause();
		CHECK(kill(-1, SIGTERM) == 0);
		CHECKEQ(ct_wait(a), SIGTERM);
	}
}

TEST(kill_in_loop)
{
	/* A process in a loop without calls dies of a signal. */
	pid_t pid = ct_fork();
	if (pid == 0)
		for (;;)
			;
	CHECK(kill(pid, SIGTERM) == 0);
	CHECKEQ(ct_wait(pid), SIGTERM);
}

TEST(many_signals)
{
	/* Two processes send each other signals as fast as they can. */
	catch(SIGUSR1, SA_RESTART);
	pid_t parent = getpid(), pid = ct_fork();
	for (int i = 0; i < 2000; i++)
		CHECK(kill(pid ? pid : parent, SIGUSR1) == 0 || errno == ESRCH);
	if (pid == 0)
		_exit(0);
	REAP(pid);
	CHECK(count > 0);
}

TEST(queue_to_thread)
{
	siginfo_t si = {.si_signo = SIGUSR1, .si_code = SI_QUEUE, .si_value.sival_int = 31};

	catch(SIGUSR1, SA_SIGINFO);
	CHECK(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, &si) == 0);
	CHECKEQ(count, 1);
	CHECKEQ(info.si_code, SI_QUEUE);
	CHECKEQ(order[0], 31);
	CHECKERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), 4000000, SIGUSR1, &si), ESRCH);
	CHECKERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), -1, SIGUSR1, &si), EINVAL);
	CHECKERR(syscall(SYS_rt_tgsigqueueinfo, getpid(), getpid(), SIGUSR1, bad_address(1)), EFAULT);
}

TEST(sleep_goes_on_after_stop)
{
	/* A sleep that a stop interrupts goes on, or is over, after it; the
	 * program doesn't see EINTR. */
	int status;

	pid_t pid = ct_fork();
	if (pid == 0) {
		struct timespec ts = {0, 50000000};
		CHECK(nanosleep(&ts, NULL) == 0);
		_exit(0);
	}
	until_asleep(pid);
	CHECK(kill(pid, SIGSTOP) == 0);
	CHECKEQ(waitpid(pid, &status, WUNTRACED), pid);
	nap(60);
	CHECK(kill(pid, SIGCONT) == 0);
	REAP(pid);
}

static int chain_of[3];

static void chain(int sig)
{
	chain_of[count++] = sig;
}

TEST(several_at_once)
{
	/* Signals that become unblocked together are all delivered before the
	 * program goes on. */
	sigset_t s = set_of(SIGUSR1);

	sigaddset(&s, SIGUSR2);
	sigaddset(&s, SIGHUP);
	CHECK(sigprocmask(SIG_BLOCK, &s, NULL) == 0);
	signal(SIGUSR1, chain);
	signal(SIGUSR2, chain);
	signal(SIGHUP, chain);
	raise(SIGUSR2);
	raise(SIGUSR1);
	raise(SIGHUP);
	CHECK(sigprocmask(SIG_UNBLOCK, &s, NULL) == 0);
	CHECKEQ(count, 3);
	/* The frames lie one on the other: the last one put there runs first. */
	CHECKEQ(chain_of[0], SIGUSR2);
	CHECKEQ(chain_of[1], SIGUSR1);
	CHECKEQ(chain_of[2], SIGHUP);
}
