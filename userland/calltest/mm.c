//go:build ignore

/* mm: memory: mmap and its relatives, protection, copy-on-write, mappings of
 * files, the break, the stack, addresses that nobody gets. */
#include "calltest.h"
#include <setjmp.h>
#include <sys/resource.h>

static sigjmp_buf back;
static volatile int code;

static void jump(int sig, siginfo_t *si, void *ctx)
{
	(void)ctx;
	code = sig * 100 + si->si_code;
	siglongjmp(back, 1);
}

/* Outcomes of touching memory. */
enum { FINE = 0, MAPERR = SIGSEGV * 100 + SEGV_MAPERR, ACCERR = SIGSEGV * 100 + SEGV_ACCERR,
	BUSERR = SIGBUS * 100 + BUS_ADRERR };

static int touch(volatile void *p, int write)
{
	struct sigaction sa = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO};

	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	code = FINE;
	if (sigsetjmp(back, 1) == 0) {
		if (write)
			*(volatile char *)p = 5;
		else
			(void)*(volatile char *)p;
	}
	return code;
}

static char *anon(size_t n)
{
	char *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	return p;
}

static int file_of(size_t n)
{
	int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0644);

	CHECK(fd >= 0);
	for (size_t i = 0; i < n; i += PAGE) {
		char page[PAGE];
		memset(page, 'a' + i / PAGE % 26, PAGE);
		size_t k = n - i < PAGE ? n - i : PAGE;
		CHECKEQ(write(fd, page, k), k);
	}
	return fd;
}

TEST(anonymous)
{
	char *p = anon(16 * PAGE);

	CHECKEQ((uintptr_t)p % PAGE, 0);
	for (int i = 0; i < 16 * PAGE; i++)
		CHECKEQ(p[i], 0);
	memset(p, 1, 16 * PAGE);
	CHECK(munmap(p, 16 * PAGE) == 0);
	CHECKEQ(touch(p, 0), MAPERR);
	CHECK(munmap(p, 16 * PAGE) == 0); /* nothing there: fine */
	char *q = anon(1); /* a length is rounded up */
	q[PAGE - 1] = 1;
}

TEST(map_errors)
{
	int fd = file_of(PAGE);
	int rp = MAP_PRIVATE | MAP_ANONYMOUS;

#define M(addr, len, prot, flags, fd, off) syscall(SYS_mmap, addr, len, prot, flags, fd, off)
	CHECKERR(M(0, 0, PROT_READ, rp, -1, 0), EINVAL);
	CHECKERR(M(0, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL); /* neither private nor shared */
	CHECKERR(M(0, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
	CHECKERR(M(0, PAGE, PROT_READ, MAP_PRIVATE, 999, 0), EBADF);
	CHECKERR(M(0, PAGE, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL); /* offset */
	CHECKERR(M(1, PAGE, PROT_READ, rp | MAP_FIXED, -1, 0), EINVAL);
	CHECKERR(M(0, (size_t)-1, PROT_READ, rp, -1, 0), ENOMEM);
	CHECKERR(M(0, (size_t)1 << 62, PROT_READ, rp, -1, 0), ENOMEM);
	CHECKERR(M(0, (size_t)1 << 47, PROT_READ, rp, -1, 0), ENOMEM);
	CHECKERR(M(0x7ffffffff000, PAGE, PROT_READ, rp | MAP_FIXED, -1, 0), ENOMEM);
	CHECKERR(M(0x800000000000, PAGE, PROT_READ, rp | MAP_FIXED, -1, 0), ENOMEM);
	CHECKERR(M(0xffff888000000000, PAGE, PROT_READ, rp | MAP_FIXED, -1, 0), ENOMEM);
	CHECKERR(M(-(long)PAGE, PAGE, PROT_READ, rp | MAP_FIXED, -1, 0), ENOMEM);
	CHECKERR(M(0, PAGE, PROT_READ, MAP_PRIVATE, fd, LONG_MIN), EOVERFLOW);
	int r = open("f", O_RDONLY), w = open("f", O_WRONLY), d = open(".", O_RDONLY), p[2];
	CHECKERR(M(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, r, 0), EACCES);
	CHECK(M(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, r, 0) > 0);
	CHECKERR(M(0, PAGE, PROT_READ, MAP_PRIVATE, w, 0), EACCES);
	CHECKERR(M(0, PAGE, PROT_READ, MAP_PRIVATE, d, 0), ENODEV);
	CHECK(pipe(p) == 0);
	CHECKERR(M(0, PAGE, PROT_READ, MAP_PRIVATE, p[0], 0), ENODEV);
	CHECK(M(0x800000000000, PAGE, PROT_READ, rp, -1, 0) > 0); /* only a hint */
}

TEST(lowest_addresses)
{
	/* Nothing gets there, except by root's wish; a hint is moved. Where the
	 * border is can be set on Linux; it is 64 KiB if nothing else is said. */
	long lowest = 65536;
	if (access("/proc/sys/vm/mmap_min_addr", R_OK) == 0)
		lowest = atol(slurp("/proc/sys/vm/mmap_min_addr"));
	CHECK(lowest >= PAGE);
	char *p = mmap((void *)(lowest / 2), PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(p != MAP_FAILED);
	CHECK((long)p >= lowest);
	IN_CHILD {
		drop(1234);
		for (long at = 0; at < lowest; at += PAGE)
			CHECKERR(syscall(SYS_mmap, at, PAGE, PROT_READ,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), EPERM);
	}
	CHECKEQ(touch((void *)0, 0), MAPERR);
	CHECKEQ(touch((void *)0, 1), MAPERR);
}

TEST(fixed)
{
	char *p = anon(4 * PAGE);

	memset(p, 7, 4 * PAGE);
	CHECK(mmap(p + PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + PAGE);
	CHECKEQ(p[0], 7);
	CHECKEQ(p[PAGE], 0); /* replaced */
	CHECKEQ(p[2 * PAGE], 7);
	CHECKERR(syscall(SYS_mmap, p + PAGE, PAGE, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK(munmap(p + PAGE, PAGE) == 0);
	CHECKERR(syscall(SYS_mmap, p, 2 * PAGE, PROT_READ,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
	CHECK(mmap(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == p + PAGE);
	CHECKEQ(p[0], 7);
	char *q = anon(2 * PAGE);
	CHECK(munmap(q, 2 * PAGE) == 0);
	CHECK(mmap(q, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == q); /* a free hint is taken */
}

TEST(unmap)
{
	char *p = anon(8 * PAGE);

	memset(p, 3, 8 * PAGE);
	CHECK(munmap(p + 3 * PAGE, 2 * PAGE) == 0); /* out of the middle */
	CHECKEQ(p[3 * PAGE - 1], 3);
	CHECKEQ(touch(p + 3 * PAGE, 0), MAPERR);
	CHECKEQ(touch(p + 5 * PAGE - 1, 1), MAPERR);
	CHECKEQ(p[5 * PAGE], 3);
	CHECKERR(munmap(p + 1, PAGE), EINVAL);
	CHECKERR(munmap(p, 0), EINVAL);
	CHECKERR(munmap(p, (size_t)-1), EINVAL);
	CHECKERR(munmap((void *)0xffff800000000000, PAGE), EINVAL);
	CHECKERR(munmap((void *)0x7fffffff0000, 1 << 20), EINVAL);
	CHECK(munmap(p, 8 * PAGE) == 0); /* with the hole in it */
}

TEST(protect)
{
	char *p = anon(3 * PAGE);

	memset(p, 1, 3 * PAGE);
	CHECK(mprotect(p + PAGE, PAGE, PROT_READ) == 0);
	CHECKEQ(touch(p, 1), FINE);
	CHECKEQ(touch(p + PAGE, 1), ACCERR);
	CHECKEQ(touch(p + PAGE, 0), FINE);
	CHECKEQ(touch(p + 2 * PAGE, 1), FINE);
	CHECK(mprotect(p, 3 * PAGE, PROT_NONE) == 0);
	CHECKEQ(touch(p + PAGE, 0), ACCERR);
	CHECKERR(write(1, p, 1), EFAULT);
	CHECK(mprotect(p, 3 * PAGE, PROT_READ | PROT_WRITE) == 0);
	CHECKEQ(p[PAGE], 1); /* the content is still there */
	CHECKERR(mprotect(p + 1, PAGE, PROT_READ), EINVAL);
	CHECKERR(syscall(SYS_mprotect, p, PAGE, 0x80), EINVAL);
	CHECK(mprotect(p, 0, PROT_READ) == 0);
	CHECK(munmap(p + PAGE, PAGE) == 0);
	CHECKERR(mprotect(p, 3 * PAGE, PROT_READ), ENOMEM); /* a hole */
	CHECKERR(mprotect((void *)0xffff800000000000, PAGE, PROT_READ), ENOMEM);
	CHECKERR(mprotect(p, (size_t)-PAGE, PROT_READ), ENOMEM);
	int fd = file_of(PAGE), r = open("f", O_RDONLY);
	char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, r, 0);
	CHECKERR(mprotect(q, PAGE, PROT_READ | PROT_WRITE), EACCES);
	close(fd);
}

TEST(execute)
{
	static const unsigned char code42[] = {0xb8, 42, 0, 0, 0, 0xc3}; /* mov $42,%eax; ret */
	char *p = anon(PAGE);

	memcpy(p, code42, sizeof code42);
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
	CHECKEQ(((int (*)(void))p)(), 42);
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_WRITE) == 0);
	p[1] = 43;
	CHECK(mprotect(p, PAGE, PROT_READ | PROT_EXEC) == 0);
	CHECKEQ(((int (*)(void))p)(), 43);
	CHECKEQ(touch((void *)touch, 1), ACCERR); /* program text */
}

TEST(cow)
{
	char *p = anon(64 * PAGE);

	for (int i = 0; i < 64; i++)
		p[i * PAGE] = i;
	for (int round = 0; round < 3; round++) {
		IN_CHILD {
			for (int i = 0; i < 64; i++) {
				CHECKEQ(p[i * PAGE], i);
				p[i * PAGE] = 100;
			}
			IN_CHILD {
				CHECKEQ(p[5 * PAGE], 100);
				p[5 * PAGE] = 101;
			}
			CHECKEQ(p[5 * PAGE], 100);
		}
		for (int i = 0; i < 64; i++)
			CHECKEQ(p[i * PAGE], i);
	}
	int q[2]; /* the parent writes first */
	char c;
	CHECK(pipe(q) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		CHECKEQ(read(q[0], &c, 1), 1);
		CHECKEQ(p[PAGE], 1);
		_exit(0);
	}
	p[PAGE] = 99;
	CHECKEQ(write(q[1], "x", 1), 1);
	REAP(pid);
}

TEST(cow_by_kernel)
{
	/* A call that writes into a shared page copies it as well. */
	char *p = anon(PAGE);
	int q[2];

	CHECK(pipe(q) == 0);
	p[0] = 'p';
	IN_CHILD {
		CHECKEQ(write(q[1], "c", 1), 1);
		CHECKEQ(read(q[0], p, 1), 1);
		CHECKEQ(p[0], 'c');
	}
	CHECKEQ(p[0], 'p');
}

TEST(shared_anonymous)
{
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	CHECK(p != MAP_FAILED);
	IN_CHILD {
		p[0] = 1;
		p[3 * PAGE] = 2; /* touched by nobody before */
	}
	CHECKEQ(p[0], 1);
	CHECKEQ(p[3 * PAGE], 2);
	IN_CHILD {
		CHECK(munmap(p, 4 * PAGE) == 0);
	}
	CHECKEQ(p[0], 1);
}

TEST(file_private)
{
	int fd = file_of(2 * PAGE + 100);
	char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), c;

	CHECK(p != MAP_FAILED);
	CHECK(close(fd) == 0); /* the mapping stays */
	CHECKEQ(p[0], 'a');
	CHECKEQ(p[PAGE], 'b');
	CHECKEQ(p[2 * PAGE + 99], 'c');
	for (int i = 100; i < PAGE; i++)
		CHECKEQ(p[2 * PAGE + i], 0); /* the rest of the last page */
	p[0] = 'X';
	fd = open("f", O_RDWR);
	CHECKEQ(pread(fd, &c, 1, 0), 1);
	CHECKEQ(c, 'a');
	char *q = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
	CHECKEQ(q[0], 'b');
	IN_CHILD {
		CHECKEQ(p[0], 'X');
		p[0] = 'Y';
	}
	CHECKEQ(p[0], 'X');
}

TEST(file_shared)
{
	int fd = file_of(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), c;
	char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);

	CHECK(p != MAP_FAILED && q != MAP_FAILED);
	p[10] = 'Z';
	CHECKEQ(pread(fd, &c, 1, 10), 1);
	CHECKEQ(c, 'Z');
	CHECKEQ(pwrite(fd, "W", 1, 20), 1);
	CHECKEQ(p[20], 'W');
	p[PAGE + 1] = 'V';
	CHECKEQ(q[1], 'V'); /* one page, mapped twice */
	IN_CHILD {
		p[30] = 'U';
	}
	CHECKEQ(p[30], 'U');
	CHECK(msync(p, 2 * PAGE, MS_SYNC) == 0);
	CHECK(munmap(p, 2 * PAGE) == 0);
	CHECKEQ(pread(fd, &c, 1, 30), 1);
	CHECKEQ(c, 'U');
}

TEST(file_private_sees_writes)
{
	/* As long as a page wasn't written here, it is the file's. */
	int fd = file_of(PAGE);
	volatile char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	CHECKEQ(p[0], 'a');
	p[1] = 'x';
	CHECKEQ(pwrite(fd, "Q", 1, 0), 1);
	CHECKEQ(p[0], 'a');
}

TEST(file_truncated)
{
	int fd = file_of(3 * PAGE);
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECKEQ(touch(p + 3 * PAGE, 0), BUSERR); /* beyond the end */
	CHECKEQ(touch(p + 2 * PAGE, 1), FINE);
	CHECK(ftruncate(fd, PAGE + 10) == 0);
	CHECKEQ(touch(p + 2 * PAGE, 0), BUSERR);
	CHECKEQ(touch(p + PAGE, 0), FINE);
	CHECKEQ(p[PAGE + 9], 'b');
	CHECKEQ(p[PAGE + 10], 0); /* cut off */
	CHECK(ftruncate(fd, 3 * PAGE) == 0);
	CHECKEQ(touch(p + 2 * PAGE, 0), FINE);
	CHECKEQ(p[2 * PAGE], 0); /* and not back again */
	CHECKEQ(p[PAGE + 10], 0);
	/* A call that reads from there gets EFAULT. */
	int q[2];
	CHECK(pipe(q) == 0);
	CHECKERR(write(q[1], p + 3 * PAGE, 1), EFAULT);
}

TEST(file_to_itself)
{
	/* A read into the mapping of the same file. */
	int fd = file_of(2 * PAGE);
	char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECKEQ(pread(fd, p, PAGE, PAGE), PAGE);
	CHECKEQ(p[0], 'b');
	CHECKEQ(pwrite(fd, p, 10, PAGE), 10);
	CHECKEQ(p[PAGE], 'b');
}

TEST(dontneed)
{
	char *p = anon(4 * PAGE);

	memset(p, 9, 4 * PAGE);
	CHECK(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED) == 0);
	CHECKEQ(p[0], 9);
	CHECKEQ(p[PAGE], 0);
	CHECKEQ(p[3 * PAGE - 1], 0);
	CHECKEQ(p[3 * PAGE], 9);
	CHECKERR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
	CHECKERR(madvise(p, PAGE, 9999), EINVAL);
	CHECK(madvise(p, 0, MADV_DONTNEED) == 0);
	CHECK(madvise(p, PAGE, MADV_WILLNEED) == 0);
	CHECK(madvise(p, PAGE, MADV_NORMAL) == 0);
	CHECK(madvise(p, PAGE, MADV_RANDOM) == 0);
	CHECK(madvise(p, PAGE, MADV_SEQUENTIAL) == 0);
	CHECK(munmap(p + PAGE, PAGE) == 0);
	CHECKERR(madvise(p, 4 * PAGE, MADV_DONTNEED), ENOMEM);
	CHECKEQ(p[0], 0); /* what was there was done */
	int fd = file_of(PAGE);
	char *q = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	q[0] = 'X';
	CHECK(madvise(q, PAGE, MADV_DONTNEED) == 0);
	CHECKEQ(q[0], 'a'); /* the file's again */
}

TEST(mincore)
{
	char *p = anon(4 * PAGE);
	unsigned char v[4];

	p[PAGE] = 1;
	CHECK(mincore(p, 4 * PAGE, v) == 0);
	CHECKEQ(v[0] & 1, 0);
	CHECKEQ(v[1] & 1, 1);
	CHECKEQ(v[2] & 1, 0);
	CHECKERR(mincore(p + 1, PAGE, v), EINVAL);
	CHECKERR(mincore(p, PAGE, bad_address(0)), EFAULT);
	CHECK(mincore(p, PAGE + 1, v) == 0); /* two pages */
	CHECKEQ(v[1] & 1, 1);
	CHECK(munmap(p + 2 * PAGE, PAGE) == 0);
	memset(v, 77, sizeof v);
	CHECKERR(mincore(p, 4 * PAGE, v), ENOMEM);
	CHECKEQ(v[1] & 1, 1); /* what is before the hole is told */
	CHECKEQ(v[2], 77);
	memset(v, 77, sizeof v);
	CHECKERR(mincore(p + 2 * PAGE, 2 * PAGE, v), ENOMEM);
	CHECKEQ(v[0], 77);
	CHECKERR(mincore(p + 2 * PAGE, PAGE, bad_address(0)), ENOMEM);
	CHECK(mincore(p + 3 * PAGE, PAGE, v) == 0);
	CHECK(mincore(p + 2 * PAGE, 0, v) == 0);
	CHECK(munmap(p, PAGE) == 0);
	CHECKERR(mincore(p, 4 * PAGE, v), ENOMEM);
}

TEST(msync)
{
	char *p = anon(2 * PAGE);

	CHECK(msync(p, 2 * PAGE, MS_ASYNC) == 0);
	CHECKERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
	CHECKERR(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
	CHECKERR(msync(p, PAGE, 0x100), EINVAL);
	CHECK(munmap(p + PAGE, PAGE) == 0);
	CHECKERR(msync(p, 2 * PAGE, MS_SYNC), ENOMEM);
}

TEST(remap)
{
	char *p = anon(4 * PAGE), *q;

	for (int i = 0; i < 4; i++)
		p[i * PAGE] = i + 1;
	CHECK(mremap(p, 4 * PAGE, 2 * PAGE, 0) == p); /* smaller, in place */
	CHECKEQ(touch(p + 2 * PAGE, 0), MAPERR);
	q = mremap(p, 2 * PAGE, 100 * PAGE, MREMAP_MAYMOVE);
	CHECK(q != MAP_FAILED);
	CHECKEQ(q[0], 1);
	CHECKEQ(q[PAGE], 2);
	CHECKEQ(q[99 * PAGE], 0);
	p = anon(4 * PAGE);
	p[0] = 8;
	CHECK(mmap(p + 2 * PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p + 2 * PAGE);
	CHECKERR((long)mremap(p, PAGE, 3 * PAGE, 0), ENOMEM); /* no room in place */
	CHECKERR((long)mremap(p + 1, PAGE, PAGE, 0), EINVAL);
	CHECKERR((long)mremap(p, PAGE, 0, 0), EINVAL);
	CHECKERR((long)mremap(p, PAGE, 2 * PAGE, 0x100), EINVAL);
	CHECKERR((long)mremap(p, PAGE, (size_t)1 << 62, MREMAP_MAYMOVE), EINVAL);
	char *to = anon(4 * PAGE);
	to[0] = 1;
	CHECK(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to) == to);
	CHECKEQ(to[0], 8);
	CHECKEQ(touch(p, 0), MAPERR);
	CHECKERR((long)mremap(to, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to + PAGE), EINVAL);
	CHECKERR((long)mremap(to, PAGE, PAGE, MREMAP_FIXED, p), EINVAL);
	CHECK(munmap(p, PAGE) == 0);
	CHECKERR((long)mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
	int fd = file_of(3 * PAGE);
	char *f = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, PAGE);
	f = mremap(f, PAGE, 2 * PAGE, MREMAP_MAYMOVE);
	CHECKEQ(f[0], 'b');
	CHECKEQ(f[PAGE], 'c');
	/* Shared memory once more, at the place where it is: nothing is left there. */
	p = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECKERR((long)mremap(p, 0, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p), EFAULT);
	CHECKEQ(touch(p, 0), MAPERR);
}

TEST(brk)
{
	char *was = sbrk(0), *p;

	CHECK(was != (void *)-1);
	p = sbrk(10 * PAGE + 5);
	CHECK(p == was);
	CHECKEQ(p[10 * PAGE + 4], 0);
	p[10 * PAGE + 4] = 1;
	CHECKEQ(syscall(SYS_brk, 0), (long)(was + 10 * PAGE + 5)); /* tells */
	CHECKEQ(syscall(SYS_brk, 1), (long)(was + 10 * PAGE + 5)); /* refuses */
	CHECKEQ(syscall(SYS_brk, 0xffff800000000000), (long)(was + 10 * PAGE + 5));
	CHECKEQ(syscall(SYS_brk, was), (long)was);
	char *top = (char *)(((uintptr_t)was + PAGE - 1) & -PAGE);
	CHECKEQ(touch(top + PAGE, 0), MAPERR);
	CHECKEQ(syscall(SYS_brk, was + 10 * PAGE + 5), (long)(was + 10 * PAGE + 5));
	CHECKEQ(touch(top + PAGE, 0), FINE);
	CHECKEQ(top[PAGE], 0); /* zero again */
	p[0] = 3;
	IN_CHILD {
		CHECKEQ(p[0], 3);
		CHECK(sbrk(PAGE) != (void *)-1);
	}
	CHECK(sbrk(0) == was + 10 * PAGE + 5);
	struct rlimit rl = {1 << 20, 1 << 20};
	CHECK(setrlimit(RLIMIT_DATA, &rl) == 0);
	CHECKERR((long)sbrk(16 << 20), ENOMEM);
}

TEST(limit_as)
{
	struct rlimit rl = {64 << 20, 64 << 20};

	CHECK(setrlimit(RLIMIT_AS, &rl) == 0);
	CHECKERR(syscall(SYS_mmap, 0, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	int n = 0;
	while (n < 100 && syscall(SYS_mmap, 0, 1 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != -1)
		n++;
	CHECK(n > 40 && n < 64);
	CHECKEQ(errno, ENOMEM);
}

TEST(limit_raised_again)
{
	/* Changing one limit to none, or another one, leaves room for all. */
	static const int which[] = {RLIMIT_AS, RLIMIT_DATA, RLIMIT_STACK};
	struct rlimit rl, inf = {RLIM_INFINITY, RLIM_INFINITY};

	for (int i = 0; i < 3; i++) {
		CHECK(getrlimit(which[i], &rl) == 0);
		CHECK(setrlimit(which[i], &rl) == 0);
		pages(100, PROT_READ | PROT_WRITE);
	}
	if (geteuid() != 0)
		SKIP("needs root");
	for (int i = 0; i < 3; i++) {
		CHECK(setrlimit(which[i], &inf) == 0);
		pages(100, PROT_READ | PROT_WRITE);
		CHECK(sbrk(100 * PAGE) != (void *)-1);
	}
}

TEST(limit_data)
{
	/* Private memory that can be written counts, other memory doesn't. */
	struct rlimit rl = {32 << 20, 32 << 20};
	long mb = 1 << 20;
	int fd = open("f", O_RDWR | O_CREAT, 0644);

	CHECK(ftruncate(fd, 64 * mb) == 0);
	char *ro = mmap(NULL, 64 * mb, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(ro != MAP_FAILED);
	CHECK(setrlimit(RLIMIT_DATA, &rl) == 0);
	CHECKERR(syscall(SYS_mmap, 0, 64 * mb, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
	CHECKERR(syscall(SYS_mmap, 0, 64 * mb, PROT_WRITE, MAP_PRIVATE, fd, 0), ENOMEM);
	CHECKERR(mprotect(ro, 64 * mb, PROT_READ | PROT_WRITE), ENOMEM);
	CHECK(mmap(NULL, 64 * mb, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	CHECK(mmap(NULL, 64 * mb, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	CHECK(mmap(NULL, 64 * mb, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	CHECK(mmap(NULL, 64 * mb, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
	char *rw = mmap(NULL, 16 * mb, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(rw != MAP_FAILED);
	CHECK(mprotect(ro, 8 * mb, PROT_READ | PROT_WRITE) == 0);
	CHECKERR(mprotect(ro + 8 * mb, 16 * mb, PROT_READ | PROT_WRITE), ENOMEM);
	CHECKERR((long)mremap(rw, 16 * mb, 32 * mb, MREMAP_MAYMOVE), ENOMEM);
	CHECKERR((long)sbrk(16 * mb), ENOMEM);
	/* What is given back can be taken again. */
	CHECK(mprotect(rw, 16 * mb, PROT_READ) == 0);
	CHECK(mprotect(ro + 8 * mb, 16 * mb, PROT_READ | PROT_WRITE) == 0);
	CHECK(munmap(ro, 24 * mb) == 0);
	CHECK(mprotect(rw, 16 * mb, PROT_READ | PROT_WRITE) == 0);
	/* A fixed mapping replaces what was there. */
	CHECK(mmap(rw, 16 * mb, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == rw);
	IN_CHILD CHECKERR(syscall(SYS_mmap, 0, 24 * mb, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
}

static int __attribute__((noinline)) deeper(int n)
{
	volatile char block[PAGE];

	block[0] = n;
	block[PAGE - 1] = 1;
	return n == 0 ? 0 : deeper(n - 1) + block[PAGE - 1];
}

TEST(stack_grows)
{
	struct rlimit rl;

	CHECK(getrlimit(RLIMIT_STACK, &rl) == 0);
	int n = rl.rlim_cur > 8 << 20 ? 1500 : rl.rlim_cur / PAGE / 2;
	CHECKEQ(deeper(n), n);
	IN_CHILD {
		CHECKEQ(deeper(n), n);
	}
}

TEST(stack_limit)
{
	struct rlimit rl = {1 << 20, 1 << 20};

	pid_t pid = ct_fork();
	if (pid == 0) {
		CHECK(setrlimit(RLIMIT_STACK, &rl) == 0);
		_exit(deeper(2000) == 2000);
	}
	CHECKEQ(ct_wait(pid) & 0x7f, SIGSEGV);
}

TEST(stack_by_kernel)
{
	/* A call may write below what the program has touched so far. */
	char *here = (char *)__builtin_frame_address(0);
	char *below = (char *)((uintptr_t)(here - 200 * PAGE) & -16);
	int fd = open("/dev/zero", O_RDONLY);

	CHECK(fd >= 0);
	/* The stack pointer has to be there. */
	long ret;
	__asm__ volatile("mov %%rsp, %%rbx; mov %1, %%rsp; syscall; mov %%rbx, %%rsp"
		: "=a"(ret) : "r"(below - 4096), "0"(SYS_read), "D"((long)fd), "S"(below), "d"(64L)
		: "rbx", "rcx", "r11", "memory");
	CHECKEQ(ret, 64);
}

TEST(many_areas)
{
	enum { N = 500 };
	char *p = anon(2 * N * PAGE);

	for (int i = 0; i < N; i++) /* every second page read-only: 1000 areas */
		CHECK(mprotect(p + 2 * i * PAGE, PAGE, PROT_READ) == 0);
	for (int i = 0; i < N; i++) {
		p[(2 * i + 1) * PAGE] = i;
		CHECKEQ(p[2 * i * PAGE], 0);
	}
	IN_CHILD {
		CHECKEQ(p[(2 * 77 + 1) * PAGE], 77);
	}
	CHECK(mprotect(p, 2 * N * PAGE, PROT_READ | PROT_WRITE) == 0);
	memset(p, 1, 2 * N * PAGE);
}

TEST(sparse_areas)
{
	/* A big reservation costs nothing until it is touched. */
	size_t n = (size_t)64 << 30;
	char *p = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(p != MAP_FAILED);
	for (size_t at = 0; at < n; at += n / 16) {
		CHECK(mprotect(p + at, PAGE, PROT_READ | PROT_WRITE) == 0);
		p[at] = 1;
	}
	IN_CHILD {
		CHECKEQ(p[n / 16 * 3], 1);
	}
	CHECK(munmap(p, n) == 0);
}

TEST(memory_comes_back)
{
	/* Much more than there is, in turn. */
	for (int i = 0; i < 200; i++) {
		char *p = anon(4 << 20);
		for (int k = 0; k < 4 << 20; k += PAGE)
			p[k] = i;
		CHECK(munmap(p, 4 << 20) == 0);
	}
}

TEST(populate)
{
	unsigned char v[4];
	char *p = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	CHECK(p != MAP_FAILED);
	CHECK(mincore(p, 4 * PAGE, v) == 0);
	CHECKEQ(v[0] & v[3] & 1, 1);
}

TEST(proc_maps)
{
	char line[512];
	int stack = 0, mine = 0;
	int fd = file_of(PAGE);
	char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	FILE *f = fopen("/proc/self/maps", "r");

	CHECK(f != NULL);
	while (fgets(line, sizeof line, f)) {
		unsigned long a, b;
		char perm[5];
		CHECKEQ(sscanf(line, "%lx-%lx %4s", &a, &b, perm), 3);
		CHECK(a < b);
		stack |= strstr(line, "[stack]") != NULL;
		if (a == (unsigned long)p) {
			mine = 1;
			CHECKEQ(strcmp(perm, "r--p"), 0);
			CHECK(strstr(line, "/f\n") != NULL);
		}
	}
	CHECKEQ(stack, 1);
	CHECKEQ(mine, 1);
}

TEST(dev_zero)
{
	int fd = open("/dev/zero", O_RDWR);
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

	CHECK(p != MAP_FAILED);
	CHECKEQ(p[0], 0);
	p[0] = 1;
}

TEST(memfd)
{
	int fd = memfd_create("m", MFD_CLOEXEC);
	char c;

	CHECK(fd >= 0);
	CHECKEQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECK(ftruncate(fd, PAGE) == 0);
	char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(p != MAP_FAILED);
	p[3] = 'm';
	CHECKEQ(pread(fd, &c, 1, 3), 1);
	CHECKEQ(c, 'm');
	CHECKERR(memfd_create("m", 0x1000), EINVAL);
}
