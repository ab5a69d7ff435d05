//go:build ignore

/* file: open files and descriptors: open flags, read, write and their
 * relatives, seeking, duplicates, fcntl, truncation, locks, bad arguments. */
#include "calltest.h"
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/vfs.h>

static int make(const char *text)
{
	spew("f", text);
	int fd = open("f", O_RDWR);
	CHECK(fd >= 0);
	return fd;
}

static long fsize(int fd)
{
	struct stat st;

	CHECK(fstat(fd, &st) == 0);
	return st.st_size;
}

TEST(open_creates)
{
	struct stat st;

	CHECKERR(open("f", O_RDONLY), ENOENT);
	int fd = open("f", O_WRONLY | O_CREAT, 0666);
	CHECKEQ(fd, 3);
	CHECK(fstat(fd, &st) == 0);
	CHECKEQ(st.st_mode, S_IFREG | 0644); /* umask 022 */
	CHECKEQ(st.st_size, 0);
	CHECKEQ(st.st_nlink, 1);
	CHECKEQ(st.st_uid, geteuid());
	CHECKERR(open("f", O_WRONLY | O_CREAT | O_EXCL, 0666), EEXIST);
	CHECKEQ(open("f", O_WRONLY | O_CREAT, 0600), 4);
	umask(0);
	CHECKEQ(open("g", O_WRONLY | O_CREAT, 07777), 5);
	CHECK(fstat(5, &st) == 0);
	CHECKEQ(st.st_mode, S_IFREG | 07777);
	CHECKEQ(creat("h", 0), 6); /* writable although the mode forbids it */
	CHECKEQ(write(6, "x", 1), 1);
	CHECKERR(read(6, &st, 1), EBADF);
}

TEST(open_trunc)
{
	int fd = make("hello");

	CHECKEQ(fsize(fd), 5);
	CHECK(open("f", O_WRONLY | O_TRUNC) >= 0);
	CHECKEQ(fsize(fd), 0);
}

TEST(open_modes)
{
	char c;

	spew("f", "x");
	int r = open("f", O_RDONLY), w = open("f", O_WRONLY);
	CHECKERR(write(r, "y", 1), EBADF);
	CHECKERR(read(w, &c, 1), EBADF);
	CHECKERR(ftruncate(r, 0), EINVAL);
	CHECKERR(pwrite(r, "y", 1, 0), EBADF);
	CHECKERR(pread(w, &c, 1, 0), EBADF);
	CHECKEQ(read(r, &c, 1), 1);
	CHECKEQ(read(r, &c, 1), 0);
	CHECKEQ(read(r, &c, 0), 0);
}

TEST(open_append)
{
	char buf[16];

	spew("f", "abc");
	int a = open("f", O_RDWR | O_APPEND), b = open("f", O_RDWR);
	CHECKEQ(lseek(a, 0, SEEK_SET), 0);
	CHECKEQ(write(a, "d", 1), 1);
	CHECKEQ(lseek(a, 0, SEEK_CUR), 4);
	CHECKEQ(lseek(b, 0, SEEK_END), 4);
	CHECKEQ(write(b, "e", 1), 1);
	CHECKEQ(write(a, "f", 1), 1);
	CHECKEQ(pread(a, buf, 16, 0), 6);
	CHECKEQ(memcmp(buf, "abcdef", 6), 0);
	CHECKEQ(pwrite(a, "g", 1, 0), 1); /* Linux appends here, too */
	CHECKEQ(fsize(a), 7);
}

TEST(open_errors)
{
	void *p;
	char name[300];

	spew("f", "");
	CHECK(mkdir("d", 0755) == 0);
	CHECK(symlink("nowhere", "dangling") == 0);
	CHECK(symlink("f", "link") == 0);
	CHECKERR(open("", O_RDONLY), ENOENT);
	CHECKERR(open("f/", O_RDONLY), ENOTDIR);
	CHECKERR(open("f/x", O_RDONLY), ENOTDIR);
	CHECKERR(open("no/x", O_RDONLY | O_CREAT, 0666), ENOENT);
	CHECKERR(open("d", O_WRONLY), EISDIR);
	CHECKERR(open("d", O_RDWR), EISDIR);
	CHECKERR(open("d", O_RDONLY | O_CREAT, 0666), EISDIR);
	CHECKERR(open("new/", O_RDWR | O_CREAT, 0666), EISDIR);
	CHECKERR(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
	CHECKERR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
	CHECKERR(open("dangling", O_RDONLY), ENOENT);
	CHECKERR(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0666), EEXIST);
	int fd = open("dangling", O_WRONLY | O_CREAT, 0666); /* makes the target */
	CHECK(fd >= 0);
	CHECK(access("nowhere", F_OK) == 0);
	memset(name, 'a', sizeof name);
	name[256] = 0;
	CHECKERR(open(name, O_RDONLY), ENAMETOOLONG);
	CHECKERR(open(name, O_RDWR | O_CREAT, 0666), ENAMETOOLONG);
	name[255] = 0;
	CHECKERR(open(name, O_RDONLY), ENOENT);
	CHECK(open(name, O_RDWR | O_CREAT, 0666) >= 0);
	EACH_BAD_IN(p)
		CHECKERR(syscall(SYS_open, p, O_RDONLY), EFAULT);
	char *e = edge(3);
	memcpy(e, "xyz", 3); /* no zero before the page ends */
	CHECKERR(open(e, O_RDONLY), EFAULT);
	memcpy(e, "f\0x", 3);
	CHECK(open(e, O_RDONLY) >= 0);
	e = edge(2);
	memcpy(e, "f", 2); /* the zero is the last byte */
	CHECK(open(e, O_RDONLY) >= 0);
}

TEST(open_long_path)
{
	char path[PATH_MAX + 10];

	spew("f", "");
	for (int i = 0; i < PATH_MAX; i += 2)
		memcpy(path + i, "./", 2);
	strcpy(path + PATH_MAX - 2, "f");
	CHECKEQ(strlen(path), PATH_MAX - 1);
	CHECK(open(path, O_RDONLY) >= 0);
	memcpy(path + PATH_MAX - 2, "/f", 3);
	CHECKEQ(strlen(path), PATH_MAX);
	CHECKERR(open(path, O_RDONLY), ENAMETOOLONG);
}

TEST(open_path)
{
	char c;
	struct stat st;

	spew("f", "x");
	CHECK(symlink("f", "l") == 0);
	int fd = open("f", O_PATH);
	CHECK(fd >= 0);
	CHECKERR(read(fd, &c, 1), EBADF);
	CHECKERR(write(fd, &c, 1), EBADF);
	CHECK(fstat(fd, &st) == 0);
	fd = open("l", O_PATH | O_NOFOLLOW);
	CHECK(fd >= 0);
	CHECK(fstat(fd, &st) == 0);
	CHECK(S_ISLNK(st.st_mode));
	CHECKEQ(readlinkat(fd, "", &c, 1), 1);
}

TEST(open_tmpfile)
{
	int fd = open(".", O_RDWR | O_TMPFILE, 0600);

	if (fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR))
		SKIP("this file system has no O_TMPFILE");
	CHECK(fd >= 0);
	struct stat st;
	CHECK(fstat(fd, &st) == 0);
	CHECKEQ(st.st_nlink, 0);
	CHECKEQ(write(fd, "x", 1), 1);
}

TEST(lowest_descriptor)
{
	spew("f", "");
	for (int i = 3; i < 10; i++)
		CHECKEQ(open("f", O_RDONLY), i);
	CHECK(close(5) == 0);
	CHECK(close(7) == 0);
	CHECKEQ(open("f", O_RDONLY), 5);
	CHECKEQ(dup(3), 7);
	CHECKEQ(dup(3), 10);
	CHECK(close(3) == 0);
	CHECKERR(close(3), EBADF);
	CHECKERR(dup(3), EBADF);
}

TEST(descriptor_limit)
{
	struct rlimit rl = {10, 20};

	spew("f", "");
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	for (int i = 3; i < 10; i++)
		CHECKEQ(open("f", O_RDONLY), i);
	CHECKERR(open("f", O_RDONLY), EMFILE);
	CHECKERR(open("nosuch", O_RDONLY), EMFILE);
	CHECKERR(dup(0), EMFILE);
	CHECKERR(fcntl(0, F_DUPFD, 0), EMFILE);
	CHECKERR(fcntl(0, F_DUPFD, 10), EINVAL);
	CHECKERR(dup2(0, 10), EBADF);
	int p[2];
	CHECKERR(pipe(p), EMFILE);
	CHECK(close(9) == 0);
	CHECKERR(pipe(p), EMFILE); /* takes none if it can't have both */
	CHECKEQ(dup(0), 9);
	rl.rlim_cur = 4; /* what is open beyond the limit stays */
	CHECK(setrlimit(RLIMIT_NOFILE, &rl) == 0);
	CHECKEQ(fcntl(9, F_GETFD), 0);
	CHECKERR(dup(0), EMFILE);
}

TEST(many_descriptors)
{
	struct rlimit rl;

	CHECK(getrlimit(RLIMIT_NOFILE, &rl) == 0);
	int n = rl.rlim_cur < 1024 ? (int)rl.rlim_cur : 1024;
	spew("f", "x");
	int fd = open("f", O_RDONLY);
	for (int i = fd + 1; i < n; i++)
		CHECKEQ(dup(fd), i);
	char c;
	CHECKEQ(read(n - 1, &c, 1), 1);
	IN_CHILD {
		CHECKEQ(fcntl(n - 1, F_GETFD), 0);
	}
	CHECKEQ(syscall(SYS_close_range, 10, n - 1, 0), 0);
	CHECKERR(fcntl(n - 1, F_GETFD), EBADF);
	CHECKEQ(dup(9), 10);
}

TEST(close_range)
{
	spew("f", "");
	for (int i = 3; i < 20; i++)
		CHECKEQ(open("f", O_RDONLY), i);
	CHECKERR(syscall(SYS_close_range, 10, 5, 0), EINVAL);
	CHECKERR(syscall(SYS_close_range, 3, 5, 0x100), EINVAL);
	CHECKEQ(syscall(SYS_close_range, 5, 7, 0), 0);
	CHECKEQ(syscall(SYS_close_range, 5, 7, 0), 0);
	CHECKERR(close(6), EBADF);
	CHECK(close(4) == 0);
	CHECKEQ(syscall(SYS_close_range, 8, ~0u, 4), 0); /* CLOSE_RANGE_CLOEXEC */
	CHECKEQ(fcntl(8, F_GETFD), FD_CLOEXEC);
	CHECKEQ(fcntl(19, F_GETFD), FD_CLOEXEC);
	CHECKEQ(fcntl(3, F_GETFD), 0);
}

TEST(read_write)
{
	char buf[20] = "";
	int fd = make("0123456789");

	CHECKEQ(read(fd, buf, 4), 4);
	CHECKEQ(memcmp(buf, "0123", 4), 0);
	CHECKEQ(write(fd, "ab", 2), 2);
	CHECKEQ(read(fd, buf, 20), 4);
	CHECKEQ(memcmp(buf, "6789", 4), 0);
	CHECKEQ(read(fd, buf, 20), 0);
	CHECKEQ(pread(fd, buf, 20, 0), 10);
	CHECKEQ(memcmp(buf, "0123ab6789", 10), 0);
	CHECKEQ(pread(fd, buf, 20, 10), 0);
	CHECKEQ(pread(fd, buf, 20, 1000), 0);
	CHECKEQ(pwrite(fd, "Z", 1, 12), 1);
	CHECKEQ(fsize(fd), 13);
	CHECKEQ(pread(fd, buf, 20, 9), 4);
	CHECKEQ(memcmp(buf, "9\0\0Z", 4), 0);
	CHECKEQ(lseek(fd, 0, SEEK_CUR), 10);
	CHECKERR(pread(fd, buf, 1, -1), EINVAL);
	CHECKERR(pwrite(fd, buf, 1, -1), EINVAL);
	CHECKERR(pread(fd, buf, 1, LONG_MIN), EINVAL);
	CHECKERR(pread(1000, buf, 1, 0), EBADF);
}

TEST(read_bad_pointers)
{
	int fd = make("0123456789abcdef");
	void *p;

	EACH_BAD_OUT(p) {
		CHECKERR(syscall(SYS_read, fd, p, 4), EFAULT);
		CHECKERR(syscall(SYS_pread64, fd, p, 4, 0), EFAULT);
		CHECKERR(syscall(SYS_fstat, fd, p), EFAULT);
		CHECKERR(syscall(SYS_pipe, p), EFAULT);
	}
	EACH_BAD_IN(p) {
		CHECKERR(syscall(SYS_write, fd, p, 4), EFAULT);
		CHECKERR(syscall(SYS_pwrite64, fd, p, 4, 0), EFAULT);
		CHECKERR(syscall(SYS_readv, fd, p, 1), EFAULT);
		CHECKERR(syscall(SYS_writev, fd, p, 1), EFAULT);
	}
	CHECKEQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECKEQ(fsize(fd), 16);
	CHECKEQ(dup(0), fd + 1); /* the pipe calls left nothing open */
}

TEST(read_straddles)
{
	/* What fits before the page ends may be moved; the rest is not, and the
	 * position tells how much it was. */
	int fd = make("0123456789abcdef");
	char *e = edge(4);

	long n = read(fd, e, 8);
	if (n < 0) {
		CHECKEQ(errno, EFAULT);
		n = 0;
	}
	CHECK(n <= 4);
	CHECKEQ(lseek(fd, 0, SEEK_CUR), n);
	CHECKEQ(memcmp(e, "0123", n), 0);
	CHECKEQ(pread(fd, e, 4, 2), 4);
	CHECKEQ(memcmp(e, "2345", 4), 0);
	int g = open("g", O_RDWR | O_CREAT, 0644);
	n = write(g, e, 8);
	if (n < 0) {
		CHECKEQ(errno, EFAULT);
		n = 0;
	}
	CHECK(n <= 4);
	CHECKEQ(fsize(g), n);
	CHECKEQ(write(g, e, 4), 4);
	struct stat *st = edge(sizeof *st);
	CHECK(syscall(SYS_fstat, fd, st) == 0);
	CHECKEQ(st->st_size, 16);
	CHECKERR(syscall(SYS_fstat, fd, (char *)st + 1), EFAULT);
}

TEST(huge_sizes)
{
	char *buf = pages(2, PROT_READ | PROT_WRITE);
	int fd = make("0123456789");

	/* A length that reaches beyond all memory is refused or the pointer is. */
	static const size_t big[] = {(size_t)-1, (size_t)-2, (size_t)1 << 63, ((size_t)1 << 63) + 1};
	for (unsigned i = 0; i < 4; i++) {
		CHECK(syscall(SYS_read, fd, buf, big[i]) == -1 && (errno == EFAULT || errno == EINVAL));
		CHECK(syscall(SYS_write, fd, buf, big[i]) == -1 && (errno == EFAULT || errno == EINVAL));
		CHECK(syscall(SYS_pread64, fd, buf, big[i], 0) == -1 && (errno == EFAULT || errno == EINVAL));
	}
	CHECKEQ(lseek(fd, 0, SEEK_CUR), 0);
	/* A read of much more than there is only touches what there is. */
	CHECKEQ(syscall(SYS_read, fd, buf, 0x7fffffff), 10);
	CHECKEQ(syscall(SYS_pread64, fd, buf, 0x100000000, 0), 10);
}

TEST(huge_counts)
{
	/* The whole range is looked at first, then a transfer is cut to
	 * 0x7ffff000 bytes. The file is what matters before the buffer. */
	static const size_t beyond[] = {-1, (size_t)1 << 63, LONG_MAX, (size_t)1 << 62, (size_t)1 << 47};
	char *buf = mmap((void *)(1L << 36), PAGE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0); /* far below the end of memory */
	int fd = make("0123456789"), zero = open("/dev/zero", O_RDWR), p[2];
	int ro = open("f", O_RDONLY), wo = open("f", O_WRONLY), dir = open(".", O_RDONLY);
	void *bad;

	CHECKEQ(buf, 1L << 36);
	CHECK(pipe(p) == 0);
	for (unsigned i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
		size_t n = beyond[i];
		CHECKERR(syscall(SYS_read, fd, buf, n), EFAULT);
		CHECKERR(syscall(SYS_write, fd, buf, n), EFAULT);
		CHECKERR(syscall(SYS_pread64, fd, buf, n, 0), EFAULT);
		CHECKERR(syscall(SYS_pwrite64, fd, buf, n, 0), EFAULT);
		CHECKERR(syscall(SYS_read, p[0], buf, n), EFAULT);
		CHECKERR(syscall(SYS_write, p[1], buf, n), EFAULT);
		CHECKERR(syscall(SYS_read, wo, buf, n), EBADF);
		CHECKERR(syscall(SYS_write, ro, buf, n), EBADF);
		CHECKERR(syscall(SYS_pread64, p[0], buf, n, 0), ESPIPE);
		struct iovec v[2] = {{buf, 1}, {buf, n}};
		CHECKERR(readv(fd, v, 2), (ssize_t)n < 0 ? EINVAL : EFAULT);
		CHECKERR(writev(fd, v, 2), (ssize_t)n < 0 ? EINVAL : EFAULT);
	}
	CHECKEQ(lseek(fd, 0, SEEK_CUR), 0);
	CHECKEQ(fsize(fd), 10);
	/* What fits is moved. */
	CHECKEQ(syscall(SYS_read, zero, buf, 1L << 40), PAGE);
	CHECKEQ(syscall(SYS_read, fd, buf, 1L << 40), 10);
	CHECKEQ(syscall(SYS_pwrite64, fd, buf, 1L << 40, 0), PAGE);
	CHECKEQ(syscall(SYS_write, zero, buf, 1L << 40), 0x7ffff000);
	struct iovec both[2] = {{buf, 0x7fffe000}, {buf, 0x7fffe000}};
	CHECKEQ(writev(zero, both, 2), 0x7ffff000);
	EACH_BAD_IN(bad) {
		CHECKERR(syscall(SYS_read, wo, bad, 1), EBADF);
		CHECKERR(syscall(SYS_write, ro, bad, 1), EBADF);
		CHECKERR(syscall(SYS_pread64, p[0], bad, 1, 0), ESPIPE);
		CHECKERR(syscall(SYS_pwrite64, p[1], bad, 1, 0), ESPIPE);
		CHECKERR(syscall(SYS_preadv, p[0], bad, 1, 0, 0), ESPIPE);
		CHECKERR(syscall(SYS_pread64, wo, bad, 1, 0), EBADF);
		CHECKERR(syscall(SYS_pread64, wo, bad, 1, -1L), EINVAL);
		CHECKERR(syscall(SYS_pread64, 999, bad, 1, -1L), EINVAL);
	}
	CHECKERR(syscall(SYS_read, dir, bad_address(0), 1), EISDIR);
}

TEST(read_directory)
{
	char c;
	int fd = open(".", O_RDONLY);

	CHECKERR(read(fd, &c, 1), EISDIR);
	CHECKERR(pread(fd, &c, 1, 0), EISDIR);
	CHECKERR(write(fd, &c, 1), EBADF);
	CHECKERR(ftruncate(fd, 0), EINVAL);
}

TEST(seek)
{
	int fd = make("0123456789"), p[2];
	char c;

	CHECKEQ(lseek(fd, 3, SEEK_SET), 3);
	CHECKEQ(lseek(fd, 4, SEEK_CUR), 7);
	CHECKEQ(lseek(fd, -2, SEEK_CUR), 5);
	CHECKEQ(lseek(fd, -1, SEEK_END), 9);
	CHECKEQ(read(fd, &c, 1), 1);
	CHECKEQ(c, '9');
	CHECKEQ(lseek(fd, 100, SEEK_END), 110);
	CHECKEQ(read(fd, &c, 1), 0);
	CHECKEQ(fsize(fd), 10);
	CHECKERR(lseek(fd, -1, SEEK_SET), EINVAL);
	CHECKERR(lseek(fd, -200, SEEK_CUR), EINVAL);
	CHECKERR(lseek(fd, -11, SEEK_END), EINVAL);
	CHECKERR(lseek(fd, 0, 99), EINVAL);
	CHECKERR(lseek(fd, 0, -1), EINVAL);
	CHECKEQ(lseek(fd, 0, SEEK_CUR), 110);
	CHECKERR(lseek(999, 0, SEEK_SET), EBADF);
	CHECK(pipe(p) == 0);
	CHECKERR(lseek(p[0], 0, SEEK_CUR), ESPIPE);
	CHECKERR(pread(p[0], &c, 1, 0), ESPIPE);
	CHECKERR(pwrite(p[1], &c, 1, 0), ESPIPE);
	long r = lseek(fd, LONG_MAX, SEEK_CUR); /* would overflow */
	CHECK(r == -1 && (errno == EOVERFLOW || errno == EINVAL));
}

TEST(seek_data_hole)
{
	int fd = make("0123456789");

	CHECKEQ(lseek(fd, 3, SEEK_DATA), 3);
	CHECKEQ(lseek(fd, 3, SEEK_HOLE), 10); /* the end counts as a hole */
	CHECKERR(lseek(fd, 10, SEEK_DATA), ENXIO);
	CHECKERR(lseek(fd, 11, SEEK_HOLE), ENXIO);
}

TEST(sparse)
{
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	char buf[PAGE];
	struct stat st;

	CHECKEQ(pwrite(fd, "x", 1, 1 << 30), 1);
	CHECK(fstat(fd, &st) == 0);
	CHECKEQ(st.st_size, (1 << 30) + 1);
	CHECK(st.st_blocks * 512 < 1 << 26);
	memset(buf, 1, sizeof buf);
	CHECKEQ(pread(fd, buf, PAGE, 1 << 29), PAGE);
	for (int i = 0; i < PAGE; i++)
		CHECKEQ(buf[i], 0);
	CHECKEQ(pread(fd, buf, PAGE, (1 << 30) - 1), 2);
	CHECKEQ(buf[1], 'x');
}

TEST(big_file)
{
	/* 1 MiB in pieces of odd size, read back in others. */
	int fd = open("f", O_RDWR | O_CREAT, 0644);
	static unsigned char buf[65536];
	long at = 0, n;

	while (at < 1 << 20) {
		n = 1 + at % 8191;
		for (long i = 0; i < n; i++)
			buf[i] = (at + i) * 31 >> 3;
		CHECKEQ(write(fd, buf, n), n);
		at += n;
	}
	long end = at;
	CHECKEQ(fsize(fd), end);
	CHECKEQ(lseek(fd, 0, SEEK_SET), 0);
	for (at = 0; (n = read(fd, buf, 50021)) > 0; at += n)
		for (long i = 0; i < n; i++)
			CHECKEQ(buf[i], (unsigned char)((at + i) * 31 >> 3));
	CHECKEQ(n, 0);
	CHECKEQ(at, end);
}

TEST(truncate)
{
	char buf[10000];
	int fd = make("0123456789");

	CHECK(ftruncate(fd, 5) == 0);
	CHECKEQ(fsize(fd), 5);
	CHECK(ftruncate(fd, 9000) == 0);
	CHECKEQ(pread(fd, buf, sizeof buf, 0), 9000);
	CHECKEQ(memcmp(buf, "01234", 5), 0);
	for (int i = 5; i < 9000; i++)
		CHECKEQ(buf[i], 0);
	CHECK(truncate("f", 3) == 0);
	CHECKEQ(fsize(fd), 3);
	CHECKERR(ftruncate(fd, -1), EINVAL);
	CHECKERR(truncate("f", -1), EINVAL);
	CHECKERR(ftruncate(999, 0), EBADF);
	CHECKERR(truncate("no", 0), ENOENT);
	CHECKERR(truncate(".", 0), EISDIR);
	CHECKERR(truncate("f/x", 0), ENOTDIR);
	CHECKERR(truncate(bad_address(1), 0), EFAULT);
	/* The greatest size that a file may have differs. */
	CHECK(ftruncate(fd, LONG_MAX) == 0 || errno == EFBIG);
	int p[2];
	CHECK(pipe(p) == 0);
	CHECKERR(ftruncate(p[1], 0), EINVAL);
}

TEST(file_size_limit)
{
	struct rlimit rl = {100, RLIM_INFINITY};
	int fd = make("");
	char buf[200] = {0};

	CHECK(getrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0}) == 0);
	CHECK(setrlimit(RLIMIT_FSIZE, &rl) == 0);
	signal(SIGXFSZ, SIG_IGN);
	CHECKEQ(write(fd, buf, 200), 100); /* up to the limit */
	CHECKERR(write(fd, buf, 1), EFBIG);
	CHECKERR(ftruncate(fd, 101), EFBIG);
	CHECK(ftruncate(fd, 100) == 0);
	signal(SIGXFSZ, SIG_DFL);
	pid_t pid = ct_fork();
	if (pid == 0) {
		if (write(fd, buf, 1) != 99)
			_exit(1);
		_exit(0);
	}
	int status = ct_wait(pid);
	CHECK(WIFSIGNALED(status));
	CHECKEQ(WTERMSIG(status), SIGXFSZ);
}

TEST(dup)
{
	int fd = make("0123456789");
	char c;

	CHECKEQ(dup2(fd, 20), 20);
	CHECKEQ(lseek(fd, 4, SEEK_SET), 4);
	CHECKEQ(lseek(20, 0, SEEK_CUR), 4); /* one position for both */
	int other = open("f", O_RDWR);
	CHECKEQ(lseek(other, 0, SEEK_CUR), 0);
	CHECKEQ(dup2(fd, fd), fd);
	CHECKERR(dup3(fd, fd, 0), EINVAL);
	CHECKERR(dup3(fd, 21, 0x1000), EINVAL);
	CHECKERR(dup2(fd, -1), EBADF);
	CHECKERR(dup2(999, 5), EBADF);
	CHECKERR(dup2(999, 999), EBADF);
	CHECKERR(dup2(fd, INT_MAX), EBADF);
	CHECKEQ(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
	CHECKEQ(dup(fd), other + 1);
	CHECKEQ(fcntl(other + 1, F_GETFD), 0); /* duplicates stay over exec */
	CHECKEQ(dup3(fd, 21, O_CLOEXEC), 21);
	CHECKEQ(fcntl(21, F_GETFD), FD_CLOEXEC);
	CHECKEQ(dup2(other, 20), 20); /* closes what was there */
	CHECKEQ(read(20, &c, 1), 1);
	CHECKEQ(c, '0');
	CHECKEQ(fcntl(fd, F_DUPFD, 30), 30);
	CHECKEQ(fcntl(fd, F_DUPFD, 30), 31);
	CHECKEQ(fcntl(fd, F_DUPFD_CLOEXEC, 30), 32);
	CHECKEQ(fcntl(32, F_GETFD), FD_CLOEXEC);
	CHECKERR(fcntl(fd, F_DUPFD, -1), EINVAL);
}

TEST(fork_shares_position)
{
	int fd = make("0123456789");
	char c;

	IN_CHILD {
		CHECKEQ(read(fd, &c, 1), 1);
		CHECKEQ(lseek(fd, 5, SEEK_SET), 5);
		CHECK(close(fd) == 0);
	}
	CHECKEQ(read(fd, &c, 1), 1);
	CHECKEQ(c, '5');
}

TEST(fcntl_flags)
{
	spew("f", "");
	int fd = open("f", O_WRONLY | O_CREAT | O_APPEND | O_TRUNC, 0666);
	int fl = fcntl(fd, F_GETFL);
	CHECKEQ(fl & O_ACCMODE, O_WRONLY);
	CHECKEQ(fl & O_APPEND, O_APPEND);
	CHECKEQ(fl & (O_CREAT | O_TRUNC | O_EXCL | O_NONBLOCK), 0);
	CHECKEQ(fcntl(fd, F_SETFL, O_NONBLOCK | O_RDWR), 0);
	fl = fcntl(fd, F_GETFL);
	CHECKEQ(fl & O_ACCMODE, O_WRONLY); /* can't be changed */
	CHECKEQ(fl & (O_APPEND | O_NONBLOCK), O_NONBLOCK);
	CHECKEQ(fcntl(fd, F_GETFD), 0);
	CHECKEQ(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
	CHECKEQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECKEQ(fcntl(fd, F_SETFD, 0), 0);
	CHECKEQ(fcntl(fd, F_GETFD), 0);
	CHECKERR(fcntl(fd, 9999, 0), EINVAL);
	CHECKERR(fcntl(-1, F_GETFD), EBADF);
	CHECKERR(fcntl(999, F_GETFL), EBADF);
	CHECKERR(fcntl(fd, F_GETPIPE_SZ), EBADF);
	fd = open("f", O_RDONLY | O_CLOEXEC);
	CHECKEQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	int on = 1;
	CHECK(ioctl(fd, FIONBIO, &on) == 0);
	CHECKEQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
	CHECK(ioctl(fd, FIONCLEX) == 0);
	CHECKEQ(fcntl(fd, F_GETFD), 0);
	CHECK(ioctl(fd, FIOCLEX) == 0);
	CHECKEQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
	CHECKERR(ioctl(fd, TIOCGWINSZ, &on), ENOTTY);
	CHECKERR(ioctl(999, FIOCLEX), EBADF);
}

TEST(ioctls)
{
	int fd = make("0123456789"), dir = open(".", O_RDONLY), n = 77, p[2];
	long long size;
	void *bad;

	CHECK(ioctl(fd, FIONREAD, &n) == 0);
	CHECKEQ(n, 10);
	CHECKEQ(lseek(fd, 4, SEEK_SET), 4);
	CHECK(ioctl(fd, FIONREAD, &n) == 0);
	CHECKEQ(n, 6);
	CHECKEQ(lseek(fd, 14, SEEK_SET), 14);
	CHECK(ioctl(fd, FIONREAD, &n) == 0);
	CHECKEQ(n, -4); /* behind the end */
	CHECKERR(ioctl(dir, FIONREAD, &n), ENOTTY);
	CHECKERR(ioctl(open("/dev/null", O_RDWR), FIONREAD, &n), ENOTTY);
	struct stat st;
	CHECK(fsync(fd) == 0); /* now it has all its blocks */
	CHECK(fstat(fd, &st) == 0);
	CHECK(ioctl(fd, FIOQSIZE, &size) == 0);
	CHECKEQ(size, st.st_blocks * 512);
	CHECK(ioctl(dir, FIOQSIZE, &size) == 0);
	CHECK(pipe(p) == 0);
	CHECKERR(ioctl(p[0], FIOQSIZE, &size), ENOTTY);
	int kinds[] = {fd, dir, p[0], open("/dev/null", O_RDWR)};
	for (int i = 0; i < 4; i++) {
		n = 0;
		CHECK(ioctl(kinds[i], FIGETBSZ, &n) == 0);
		CHECK(fstat(kinds[i], &st) == 0);
		CHECKEQ(n, st.st_blksize);
		CHECKERR(ioctl(kinds[i], FIGETBSZ, edge(3)), EFAULT);
	}
	CHECKEQ(write(p[1], "abc", 3), 3);
	CHECK(ioctl(p[0], FIONREAD, &n) == 0);
	CHECKEQ(n, 3);
	/* There is no SIGIO for files: switching it off is no error. */
	n = 0;
	CHECK(ioctl(fd, FIOASYNC, &n) == 0);
	n = 1;
	CHECKERR(ioctl(fd, FIOASYNC, &n), ENOTTY);
	CHECKEQ(fcntl(fd, F_SETFL, O_ASYNC), 0);
	CHECKEQ(fcntl(fd, F_GETFL) & O_ASYNC, 0);
	n = 0;
	CHECK(ioctl(fd, FIONBIO, &n) == 0);
	CHECKEQ(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
	EACH_BAD_IN(bad) {
		CHECKERR(ioctl(fd, FIONBIO, bad), EFAULT);
		CHECKERR(ioctl(fd, FIOASYNC, bad), EFAULT);
	}
	EACH_BAD_OUT(bad) {
		CHECKERR(ioctl(fd, FIONREAD, bad), EFAULT);
		CHECKERR(ioctl(fd, FIOQSIZE, bad), EFAULT);
		CHECKERR(ioctl(p[0], FIONREAD, bad), EFAULT);
	}
	fd = open("f", O_PATH);
	CHECKERR(ioctl(fd, FIONBIO, &n), EBADF);
	CHECKERR(ioctl(fd, FIOCLEX), EBADF);
	CHECKERR(ioctl(fd, FIONREAD, &n), EBADF);
}

TEST(fcntl_owner)
{
	int fd = make("");
	struct f_owner_ex o = {77, 77};
	void *bad;

	CHECKEQ(fcntl(fd, F_GETOWN), 0);
	CHECK(fcntl(fd, F_GETOWN_EX, &o) == 0);
	CHECKEQ(o.type, F_OWNER_TID);
	CHECKEQ(o.pid, 0);
	CHECK(fcntl(fd, F_SETOWN, getpid()) == 0);
	CHECKEQ(fcntl(fd, F_GETOWN), getpid());
	CHECK(fcntl(fd, F_GETOWN_EX, &o) == 0);
	CHECKEQ(o.type, F_OWNER_PID);
	CHECKEQ(o.pid, getpid());
	CHECKERR(fcntl(fd, F_SETOWN, 4000000), ESRCH);
	CHECKERR(fcntl(fd, F_SETOWN, -4000000), ESRCH);
	CHECKERR(fcntl(fd, F_SETOWN, INT_MIN), EINVAL);
	CHECKEQ(fcntl(fd, F_GETOWN), getpid());
	CHECK(fcntl(fd, F_SETOWN, -getpgrp()) == 0);
	CHECK(fcntl(fd, F_GETOWN_EX, &o) == 0);
	CHECKEQ(o.type, F_OWNER_PGRP);
	CHECKEQ(o.pid, getpgrp());
	pid_t pid = ct_fork();
	if (pid == 0) {
		pause();
		_exit(0);
	}
	CHECK(fcntl(fd, F_SETOWN, -pid) == 0); /* a process, though no group */
	CHECKEQ(fcntl(fd, F_GETOWN), 0);
	CHECK(fcntl(fd, F_SETOWN, pid) == 0);
	CHECKEQ(fcntl(fd, F_GETOWN), pid);
	CHECK(kill(pid, SIGKILL) == 0);
	ct_wait(pid);
	CHECKEQ(fcntl(fd, F_GETOWN), 0);
	CHECK(fcntl(fd, F_SETOWN, 0) == 0);
	CHECKEQ(fcntl(fd, F_GETOWN), 0);
	o = (struct f_owner_ex){F_OWNER_TID, gettid()};
	CHECK(fcntl(fd, F_SETOWN_EX, &o) == 0);
	CHECKEQ(fcntl(fd, F_GETOWN), gettid());
	o.pid = 4000000;
	CHECKERR(fcntl(fd, F_SETOWN_EX, &o), ESRCH);
	o.pid = -getpgrp();
	CHECKERR(fcntl(fd, F_SETOWN_EX, &o), ESRCH);
	o = (struct f_owner_ex){3, getpid()};
	CHECKERR(fcntl(fd, F_SETOWN_EX, &o), EINVAL);
	EACH_BAD_IN(bad)
		CHECKERR(syscall(SYS_fcntl, fd, F_SETOWN_EX, bad), EFAULT);
	EACH_BAD_OUT(bad)
		CHECKERR(syscall(SYS_fcntl, fd, F_GETOWN_EX, bad), EFAULT);
	CHECKERR(fcntl(fd, F_SETSIG, 65), EINVAL);
	CHECKERR(fcntl(fd, F_SETSIG, -1), EINVAL);
	CHECK(fcntl(fd, F_SETSIG, SIGRTMIN) == 0);
	CHECKEQ(fcntl(fd, F_GETSIG), SIGRTMIN);
}

/* O_DIRECT is for regular files, if their file system has it. */
TEST(direct)
{
	const char *none[] = {".", "/dev/null", "/proc/self/stat", "/proc", "fifo"};
	int fd;

	CHECK(mkfifo("fifo", 0600) == 0);
	for (int i = 0; i < 5; i++) {
		int mode = i < 4 ? O_RDONLY : O_RDWR;
		CHECKERR(open(none[i], mode | O_DIRECT), EINVAL);
		CHECK((fd = open(none[i], mode)) >= 0);
		if (i < 4)
			CHECKERR(fcntl(fd, F_SETFL, O_DIRECT), EINVAL);
		CHECKEQ(fcntl(fd, F_GETFL) & O_DIRECT, 0);
		CHECK(close(fd) == 0);
		CHECK((fd = open(none[i], O_PATH | O_DIRECT)) >= 0);
		CHECK(close(fd) == 0);
	}
	fd = open("f", O_RDWR | O_CREAT | O_DIRECT, 0644);
	CHECK(access("f", F_OK) == 0); /* it is made in any case */
	if (fd < 0 && errno == EINVAL)
		SKIP("this file system has no O_DIRECT");
	CHECK(fd >= 0);
	CHECKEQ(fcntl(fd, F_GETFL) & O_DIRECT, O_DIRECT);
	CHECK(fcntl(fd, F_SETFL, 0) == 0);
	CHECKEQ(fcntl(fd, F_GETFL) & O_DIRECT, 0);
	CHECK(fcntl(fd, F_SETFL, O_DIRECT) == 0);
	CHECKEQ(fcntl(fd, F_GETFL) & O_DIRECT, O_DIRECT);
}

TEST(fcntl_bad_descriptors)
{
	/* The descriptor is looked at before the argument. */
	static const int cmds[] = {F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK, F_OFD_SETLK, F_OFD_SETLKW, F_SETOWN_EX, F_GETOWN_EX};
	int path;
	void *bad;

	spew("f", "");
	CHECK((path = open("f", O_PATH)) >= 0);
	for (unsigned i = 0; i < sizeof cmds / sizeof cmds[0]; i++) {
		EACH_BAD_OUT(bad) {
			CHECKERR(syscall(SYS_fcntl, 999, cmds[i], bad), EBADF);
			CHECKERR(syscall(SYS_fcntl, -1, cmds[i], bad), EBADF);
			CHECKERR(syscall(SYS_fcntl, path, cmds[i], bad), EBADF);
		}
	}
	int fd = open("f", O_RDWR);
	EACH_BAD_IN(bad)
		for (int i = 0; i < 6; i++)
			CHECKERR(syscall(SYS_fcntl, fd, cmds[i], bad), EFAULT);
}

TEST(vectors)
{
	char a[3], b[4], c[10];
	struct iovec v[3] = {{a, 3}, {b, 4}, {c, 10}};
	int fd = make("0123456789");

	CHECKEQ(readv(fd, v, 3), 10);
	CHECKEQ(memcmp(a, "012", 3), 0);
	CHECKEQ(memcmp(b, "3456", 4), 0);
	CHECKEQ(memcmp(c, "789", 3), 0);
	CHECKEQ(writev(fd, v, 2), 7);
	CHECKEQ(fsize(fd), 17);
	CHECKEQ(preadv(fd, v, 1, 14), 3);
	CHECKEQ(memcmp(a, "456", 3), 0);
	CHECKEQ(pwritev(fd, v, 1, 0), 3);
	CHECKEQ(lseek(fd, 0, SEEK_CUR), 17);
	CHECKEQ(readv(fd, v, 0), 0);
	CHECKEQ(writev(fd, v, 0), 0);
	CHECKERR(readv(fd, v, -1), EINVAL);
	CHECKERR(writev(fd, v, 1025), EINVAL);
	CHECKERR(readv(fd, v, INT_MAX), EINVAL);
	CHECKERR(preadv(fd, v, 1, -1), EINVAL);
	v[1].iov_len = (size_t)-1;
	CHECKERR(writev(fd, v, 2), EINVAL);
	v[1].iov_len = 4;
	CHECKERR(readv(999, v, 1), EBADF);
	struct iovec empty[2] = {{a, 0}, {NULL, 0}};
	CHECKEQ(writev(fd, empty, 2), 0);
}

TEST(vectors_bad_pointers)
{
	char a[4] = "abc", got[20];
	int fd = make("");
	struct iovec v[2] = {{a, 3}, {bad_address(1), 3}};

	long n = writev(fd, v, 2); /* all or nothing of the first part */
	CHECK(n == 3 || (n == -1 && errno == EFAULT));
	CHECKEQ(fsize(fd), n == 3 ? 3 : 0);
	CHECK(ftruncate(fd, 0) == 0);
	CHECKEQ(pwrite(fd, "0123456789", 10, 0), 10);
	v[1].iov_base = bad_address(0);
	CHECKEQ(lseek(fd, 0, SEEK_SET), 0);
	n = readv(fd, v, 2);
	CHECK(n == 3 || (n == -1 && errno == EFAULT));
	v[1].iov_base = (void *)0xffff888000000000;
	CHECKERR(readv(fd, v, 2), EFAULT);
	/* The vector itself at the end of memory. */
	struct iovec *e = edge(sizeof *e);
	e->iov_base = got;
	e->iov_len = 2;
	CHECKEQ(lseek(fd, 0, SEEK_SET), 0);
	CHECKEQ(readv(fd, e, 1), 2);
	CHECKERR(readv(fd, e, 2), EFAULT);
	CHECKEQ(lseek(fd, 0, SEEK_CUR), 2);
}

TEST(vectors_many)
{
	static struct iovec v[1024];
	static char bytes[1024];
	int fd = make("");

	for (int i = 0; i < 1024; i++) {
		bytes[i] = i;
		v[i] = (struct iovec){bytes + i, 1};
	}
	CHECKEQ(writev(fd, v, 1024), 1024);
	memset(bytes, 0, sizeof bytes);
	CHECKEQ(lseek(fd, 0, SEEK_SET), 0);
	CHECKEQ(readv(fd, v, 1024), 1024);
	for (int i = 0; i < 1024; i++)
		CHECKEQ(bytes[i], (char)i);
}

TEST(stat)
{
	struct stat st, lst;
	void *p;

	spew("f", "12345");
	CHECK(chmod("f", 0640) == 0);
	CHECK(link("f", "g") == 0);
	CHECK(symlink("f", "l") == 0);
	CHECK(stat("l", &st) == 0);
	CHECKEQ(st.st_mode, S_IFREG | 0640);
	CHECKEQ(st.st_size, 5);
	CHECKEQ(st.st_nlink, 2);
	CHECK(st.st_ino != 0);
	CHECK(st.st_blksize > 0);
	CHECK(lstat("l", &lst) == 0);
	CHECK(S_ISLNK(lst.st_mode));
	CHECKEQ(lst.st_size, 1);
	CHECK(lst.st_ino != st.st_ino);
	CHECKEQ(lst.st_dev, st.st_dev);
	CHECK(stat("g", &lst) == 0);
	CHECKEQ(lst.st_ino, st.st_ino);
	CHECK(fstatat(AT_FDCWD, "l", &lst, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(S_ISLNK(lst.st_mode));
	int fd = open("f", O_RDONLY);
	CHECK(fstatat(fd, "", &lst, AT_EMPTY_PATH) == 0);
	CHECKEQ(lst.st_ino, st.st_ino);
	CHECKERR(fstatat(fd, "", &lst, 0), ENOENT);
	CHECKERR(fstatat(fd, "x", &lst, 0), ENOTDIR);
	CHECKERR(fstatat(AT_FDCWD, "f", &lst, 0x40000000), EINVAL);
	CHECKERR(fstatat(999, "f", &lst, 0), EBADF);
	CHECKERR(stat("no", &st), ENOENT);
	CHECKERR(stat("", &st), ENOENT);
	CHECKERR(stat("f/", &st), ENOTDIR);
	CHECKERR(fstat(-1, &st), EBADF);
	EACH_BAD_OUT(p) {
		CHECKERR(syscall(SYS_stat, "f", p), EFAULT);
		CHECKERR(syscall(SYS_newfstatat, AT_FDCWD, "f", p, 0), EFAULT);
	}
	EACH_BAD_IN(p)
		CHECKERR(syscall(SYS_stat, p, &st), EFAULT);
}

TEST(statx)
{
	struct statx stx;

	spew("f", "12345");
	CHECK(statx(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &stx) == 0);
	CHECKEQ(stx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	CHECKEQ(stx.stx_size, 5);
	CHECKEQ(stx.stx_nlink, 1);
	CHECKEQ(stx.stx_mode, S_IFREG | 0644);
	CHECKERR(statx(AT_FDCWD, "f", 0, 0x80000000u, &stx), EINVAL);
	CHECKERR(statx(AT_FDCWD, "no", 0, STATX_SIZE, &stx), ENOENT);
	CHECKERR(syscall(SYS_statx, AT_FDCWD, "f", 0, STATX_SIZE, bad_address(1)), EFAULT);
}

TEST(times)
{
	struct stat st;
	struct timespec ts[2] = {{1000, 5}, {2000, 7}};

	spew("f", "");
	CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_atim.tv_sec, 1000);
	CHECKEQ(st.st_mtim.tv_sec, 2000);
	CHECKEQ(st.st_mtim.tv_nsec, 7);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_nsec = UTIME_NOW;
	CHECK(utimensat(AT_FDCWD, "f", ts, 0) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_atim.tv_sec, 1000);
	CHECK(st.st_mtim.tv_sec > 2000);
	ts[1].tv_nsec = 1000000000;
	CHECKERR(utimensat(AT_FDCWD, "f", ts, 0), EINVAL);
	CHECKERR(utimensat(AT_FDCWD, "no", NULL, 0), ENOENT);
	CHECKERR(syscall(SYS_utimensat, AT_FDCWD, "f", bad_address(1), 0), EFAULT);
	int fd = open("f", O_RDWR);
	ts[0] = ts[1] = (struct timespec){3000, 0};
	CHECK(futimens(fd, ts) == 0);
	CHECKEQ(write(fd, "x", 1), 1); /* a write sets mtime */
	CHECK(fstat(fd, &st) == 0);
	CHECKEQ(st.st_atim.tv_sec, 3000);
	CHECK(st.st_mtim.tv_sec > 3000);
	CHECK(st.st_ctim.tv_sec > 3000);
}

TEST(times_corners)
{
	struct stat st, st2;
	struct timespec old[2] = {{1000, 5}, {2000, 7}}, omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}},
		wrong[2] = {{0, 1000000000}, {0, 0}}, negative[2] = {{-5, 0}, {0, -1}};
	struct timespec now[2] = {{-1, UTIME_NOW}, {77, UTIME_NOW}};
	struct timeval { long sec, usec; } tv[2] = {{3000, 1}, {4000, 2}};
	int fd = make("x");

	CHECK(symlink("f", "l") == 0);
	CHECK(symlink("nowhere", "dangling") == 0);
	/* Nothing to set: nothing else is looked at. */
	CHECK(syscall(SYS_utimensat, 999, "no", omit, 0) == 0);
	CHECK(syscall(SYS_utimensat, 999, bad_address(1), omit, 0x7777) == 0);
	CHECKERR(syscall(SYS_utimensat, AT_FDCWD, "f", old, 0x7777), EINVAL);
	CHECKERR(syscall(SYS_utimensat, AT_FDCWD, "no", wrong, 0), ENOENT); /* the path before the times */
	CHECKERR(syscall(SYS_utimensat, AT_FDCWD, "f", wrong, 0), EINVAL);
	CHECKERR(syscall(SYS_utimensat, AT_FDCWD, "f", negative, 0), EINVAL);
	/* No path: the descriptor, and no flags. */
	CHECK(syscall(SYS_utimensat, fd, NULL, old, 0) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_mtim.tv_sec, 2000);
	CHECKERR(syscall(SYS_utimensat, fd, NULL, old, AT_SYMLINK_NOFOLLOW), EINVAL);
	CHECKERR(syscall(SYS_utimensat, fd, NULL, old, AT_EMPTY_PATH), EINVAL);
	CHECKERR(syscall(SYS_utimensat, AT_FDCWD, NULL, old, 0), EFAULT);
	CHECKERR(syscall(SYS_utimensat, 999, NULL, old, 0), EBADF);
	CHECKERR(syscall(SYS_utimensat, 999, NULL, old, AT_EMPTY_PATH), EINVAL);
	CHECK(syscall(SYS_futimesat, fd, NULL, tv) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_mtim.tv_sec, 4000);
	CHECK(syscall(SYS_futimesat, fd, NULL, NULL) == 0);
	CHECK(stat("f", &st) == 0);
	CHECK(st.st_mtim.tv_sec > 4000);
	CHECKERR(syscall(SYS_futimesat, AT_FDCWD, NULL, tv), EFAULT);
	CHECKERR(syscall(SYS_futimesat, 999, NULL, tv), EBADF);
	CHECKERR(syscall(SYS_utimes, NULL, tv), EFAULT);
	CHECKERR(syscall(SYS_utime, NULL, NULL), EFAULT);
	int path = open("f", O_PATH);
	CHECKERR(syscall(SYS_utimensat, path, NULL, old, 0), EBADF);
	/* AT_EMPTY_PATH. */
	CHECKERR(syscall(SYS_utimensat, fd, "", old, 0), ENOENT);
	CHECK(syscall(SYS_utimensat, fd, "", old, AT_EMPTY_PATH) == 0);
	CHECK(syscall(SYS_utimensat, path, "", old, AT_EMPTY_PATH) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_atim.tv_sec, 1000);
	CHECK(syscall(SYS_utimensat, AT_FDCWD, "", old, AT_EMPTY_PATH) == 0);
	CHECK(stat(".", &st) == 0);
	CHECKEQ(st.st_mtim.tv_sec, 2000);
	/* Symbolic links. */
	struct timespec link[2] = {{50, 1}, {60, 2}};
	CHECK(utimensat(AT_FDCWD, "l", link, AT_SYMLINK_NOFOLLOW) == 0);
	CHECK(lstat("l", &st2) == 0);
	CHECKEQ(st2.st_mtim.tv_sec, 60);
	CHECK(stat("l", &st2) == 0);
	CHECKEQ(st2.st_mtim.tv_sec, 2000);
	CHECK(utimensat(AT_FDCWD, "dangling", old, AT_SYMLINK_NOFOLLOW) == 0);
	CHECKERR(utimensat(AT_FDCWD, "dangling", old, 0), ENOENT);
	/* Only one of them, the other stays; the change time is set anyhow. */
	struct timespec one[2] = {{5000, 1}, {6000, UTIME_OMIT}};
	CHECK(utimensat(AT_FDCWD, "f", one, 0) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_atim.tv_sec, 5000);
	CHECKEQ(st.st_mtim.tv_sec, 2000);
	CHECK(st.st_ctim.tv_sec > 6000);
	/* Times before 1970. */
	struct timespec early[2] = {{-5, 0}, {-1, 999999999}};
	CHECK(utimensat(AT_FDCWD, "f", early, 0) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_atim.tv_sec, -5);
	CHECKEQ(st.st_mtim.tv_sec, -1);
	CHECKEQ(st.st_mtim.tv_nsec, 999999999);
	/* Others may set the time to now if they may write. */
	spew("mine", "");
	spew("theirs", "");
	CHECK(chmod("theirs", 0666) == 0);
	CHECK(chmod(".", 0755) == 0);
	IN_CHILD {
		drop(1000);
		CHECK(utimensat(AT_FDCWD, "theirs", NULL, 0) == 0);
		CHECK(utimensat(AT_FDCWD, "theirs", now, 0) == 0);
		CHECKERR(utimensat(AT_FDCWD, "theirs", old, 0), EPERM);
		CHECKERR(utimensat(AT_FDCWD, "theirs", one, 0), EPERM);
		struct timespec half[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
		CHECKERR(utimensat(AT_FDCWD, "theirs", half, 0), EPERM);
		CHECKERR(utimensat(AT_FDCWD, "mine", half, 0), EPERM);
		CHECKERR(utimensat(AT_FDCWD, "mine", NULL, 0), EACCES);
		CHECKERR(utimensat(AT_FDCWD, "mine", now, 0), EACCES);
		CHECKERR(utimensat(AT_FDCWD, "mine", old, 0), EPERM);
		CHECKERR(utimensat(AT_FDCWD, "mine", wrong, 0), EINVAL);
		CHECK(utimensat(AT_FDCWD, "mine", omit, 0) == 0);
	}
}

TEST(unlinked_file_lives)
{
	char c;
	struct stat st;
	int fd = make("x");

	CHECK(unlink("f") == 0);
	CHECKERR(open("f", O_RDONLY), ENOENT);
	CHECKEQ(read(fd, &c, 1), 1);
	CHECKEQ(write(fd, "yz", 2), 2);
	CHECK(fstat(fd, &st) == 0);
	CHECKEQ(st.st_nlink, 0);
	CHECKEQ(st.st_size, 3);
}

TEST(flock)
{
	int a = make("");
	int b = open("f", O_RDWR);

	CHECK(flock(a, LOCK_SH) == 0);
	CHECK(flock(b, LOCK_SH | LOCK_NB) == 0);
	CHECKERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	CHECK(flock(a, LOCK_UN) == 0);
	CHECK(flock(b, LOCK_EX | LOCK_NB) == 0);
	CHECKERR(flock(a, LOCK_SH | LOCK_NB), EWOULDBLOCK);
	IN_CHILD { /* the lock belongs to the open file, which is shared */
		CHECK(flock(b, LOCK_EX | LOCK_NB) == 0);
		CHECKERR(flock(a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
	}
	CHECK(close(b) == 0);
	CHECK(flock(a, LOCK_EX | LOCK_NB) == 0);
	CHECKERR(flock(a, 0), EINVAL);
	CHECKERR(flock(a, LOCK_SH | LOCK_EX), EINVAL);
	CHECKERR(flock(999, LOCK_SH), EBADF);
}

TEST(record_locks)
{
	int fd = make("0123456789");
	struct flock w = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 3};
	pid_t me = getpid();

	CHECK(fcntl(fd, F_SETLK, &w) == 0);
	IN_CHILD {
		struct flock t = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		CHECK(fcntl(fd, F_GETLK, &t) == 0);
		CHECKEQ(t.l_type, F_WRLCK);
		CHECKEQ(t.l_start, 2);
		CHECKEQ(t.l_len, 3);
		CHECKEQ(t.l_pid, me);
		t = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 4, .l_len = 1};
		CHECK(fcntl(fd, F_SETLK, &t) == -1 && (errno == EAGAIN || errno == EACCES));
		t.l_start = 5;
		CHECK(fcntl(fd, F_SETLK, &t) == 0);
		t.l_start = 0;
		t.l_len = 2;
		CHECK(fcntl(fd, F_SETLK, &t) == 0);
	}
	w.l_type = F_UNLCK;
	CHECK(fcntl(fd, F_SETLK, &w) == 0);
	w.l_type = F_WRLCK;
	CHECK(fcntl(fd, F_SETLK, &w) == 0);
	CHECK(close(dup(fd)) == 0); /* any close of the file gives the locks up */
	IN_CHILD {
		CHECK(fcntl(fd, F_SETLK, &w) == 0);
	}
	CHECKERR(fcntl(fd, F_SETLK, bad_address(1)), EFAULT);
	w.l_type = 77;
	CHECKERR(fcntl(fd, F_SETLK, &w), EINVAL);
	w = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = -1};
	CHECKERR(fcntl(fd, F_SETLK, &w), EINVAL);
}

TEST(record_lock_waits)
{
	int fd = make("x");
	struct flock w = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	CHECK(fcntl(fd, F_SETLK, &w) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		CHECK(fcntl(fd, F_SETLKW, &w) == 0);
		CHECKEQ(pwrite(fd, "y", 1, 0), 1);
		_exit(0);
	}
	until_asleep(pid);
	CHECKEQ(slurp("f")[0], 'x'); /* note: its close gives the lock up */
	w.l_type = F_UNLCK;
	CHECK(fcntl(fd, F_SETLK, &w) == 0);
	REAP(pid);
	CHECKEQ(slurp("f")[0], 'y');
}

TEST(sendfile_copies)
{
	int in = make("0123456789");
	int out = open("g", O_RDWR | O_CREAT, 0644);
	off_t off = 3;

	CHECKEQ(sendfile(out, in, &off, 4), 4);
	CHECKEQ(off, 7);
	CHECKEQ(lseek(in, 0, SEEK_CUR), 0);
	CHECKEQ(sendfile(out, in, NULL, 100), 10);
	CHECKEQ(strcmp(slurp("g"), "34560123456789"), 0);
	CHECKERR(sendfile(out, 999, NULL, 1), EBADF);
}

TEST(sync)
{
	int fd = make("x"), p[2];

	CHECK(fsync(fd) == 0);
	CHECK(fdatasync(fd) == 0);
	CHECKERR(fsync(999), EBADF);
	CHECK(pipe(p) == 0);
	CHECKERR(fsync(p[0]), EINVAL);
	sync();
}

TEST(fallocate)
{
	int fd = make("x");

	if (fallocate(fd, 0, 0, 100) < 0 && errno == EOPNOTSUPP)
		SKIP("this file system has no fallocate");
	CHECKEQ(fsize(fd), 100);
	CHECK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1000) == 0);
	CHECKEQ(fsize(fd), 100);
	CHECKERR(fallocate(fd, 0, -1, 10), EINVAL);
	CHECKERR(fallocate(fd, 0, 0, 0), EINVAL);
	CHECKERR(fallocate(999, 0, 0, 1), EBADF);
}

TEST(statfs)
{
	struct statfs s;

	CHECK(statfs(".", &s) == 0);
	CHECK(s.f_bsize > 0);
	CHECK(s.f_namelen >= 255);
	CHECK(fstatfs(make(""), &s) == 0);
	CHECKERR(statfs("no", &s), ENOENT);
	CHECKERR(fstatfs(999, &s), EBADF);
	CHECKERR(syscall(SYS_statfs, ".", bad_address(1)), EFAULT);
}

TEST(dev_nodes)
{
	char buf[64];
	int fd = open("/dev/null", O_RDWR);

	CHECK(fd >= 0);
	CHECKEQ(read(fd, buf, 10), 0);
	CHECKEQ(write(fd, buf, 10), 10);
	fd = open("/dev/zero", O_RDWR);
	CHECK(fd >= 0);
	memset(buf, 1, sizeof buf);
	CHECKEQ(read(fd, buf, 64), 64);
	for (int i = 0; i < 64; i++)
		CHECKEQ(buf[i], 0);
	CHECKERR(syscall(SYS_read, fd, bad_address(1), 10), EFAULT);
	fd = open("/dev/full", O_RDWR);
	CHECK(fd >= 0);
	CHECKERR(write(fd, "x", 1), ENOSPC);
	CHECKEQ(read(fd, buf, 10), 10);
	fd = open("/dev/urandom", O_RDONLY);
	CHECK(fd >= 0);
	char a[32], b[32];
	CHECKEQ(read(fd, a, 32), 32);
	CHECKEQ(read(fd, b, 32), 32);
	CHECK(memcmp(a, b, 32) != 0);
	struct stat st;
	CHECK(stat("/dev/null", &st) == 0);
	CHECK(S_ISCHR(st.st_mode));
	CHECKEQ(st.st_rdev, 0x103);
}
