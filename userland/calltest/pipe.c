//go:build ignore

/* pipe: pipes and FIFOs: order, blocking, ends, atomic writes, sizes. */
#include "calltest.h"
#include <poll.h>
#include <sys/ioctl.h>

static int p[2];

static void mk(int flags)
{
	CHECK(pipe2(p, flags) == 0);
}

static void fill(void)
{
	static char block[4096];

	CHECK(fcntl(p[1], F_SETFL, O_NONBLOCK) == 0);
	while (write(p[1], block, sizeof block) > 0)
		;
	CHECKEQ(errno, EAGAIN);
	CHECK(fcntl(p[1], F_SETFL, 0) == 0);
}

TEST(basics)
{
	char buf[16];
	struct stat st;

	mk(0);
	CHECKEQ(p[0], 3);
	CHECKEQ(p[1], 4);
	CHECKEQ(write(p[1], "hello", 5), 5);
	CHECKEQ(write(p[1], "world", 5), 5);
	CHECKEQ(read(p[0], buf, 3), 3);
	CHECKEQ(read(p[0], buf + 3, 16), 7);
	CHECKEQ(memcmp(buf, "helloworld", 10), 0);
	CHECKERR(read(p[1], buf, 1), EBADF);
	CHECKERR(write(p[0], buf, 1), EBADF);
	CHECKEQ(read(p[0], buf, 0), 0);
	CHECKEQ(write(p[1], buf, 0), 0);
	CHECK(fstat(p[0], &st) == 0);
	CHECK(S_ISFIFO(st.st_mode));
}

TEST(flags)
{
	char c;

	mk(O_CLOEXEC | O_NONBLOCK);
	CHECKEQ(fcntl(p[0], F_GETFD), FD_CLOEXEC);
	CHECKEQ(fcntl(p[1], F_GETFL) & (O_NONBLOCK | O_ACCMODE), O_NONBLOCK | O_WRONLY);
	CHECKERR(read(p[0], &c, 1), EAGAIN);
	CHECKERR(pipe2(p, 0x1), EINVAL);
	CHECKERR(syscall(SYS_pipe2, bad_address(1), 0), EFAULT);
	CHECKERR(syscall(SYS_pipe2, bad_address(0), 0), EFAULT);
	CHECKEQ(dup(0), 5);
}

TEST(end_of_file)
{
	char c;

	mk(0);
	CHECKEQ(write(p[1], "x", 1), 1);
	close(p[1]);
	CHECKEQ(read(p[0], &c, 1), 1);
	CHECKEQ(read(p[0], &c, 1), 0);
	CHECKEQ(read(p[0], &c, 1), 0);
}

TEST(end_wakes_reader)
{
	char c;

	mk(0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		close(p[1]);
		_exit(read(p[0], &c, 1) != 0);
	}
	until_asleep(pid);
	close(p[1]);
	REAP(pid);
}

TEST(epipe)
{
	mk(0);
	close(p[0]);
	signal(SIGPIPE, SIG_IGN);
	CHECKERR(write(p[1], "x", 1), EPIPE);
	signal(SIGPIPE, SIG_DFL);
	pid_t pid = ct_fork();
	if (pid == 0)
		_exit(write(p[1], "x", 1) == 1);
	CHECKEQ(ct_wait(pid), SIGPIPE);
}

TEST(end_wakes_writer)
{
	mk(0);
	fill();
	pid_t pid = ct_fork();
	if (pid == 0) {
		close(p[0]);
		if (write(p[1], "x", 1) == 1)
			_exit(0);
		_exit(1);
	}
	until_asleep(pid);
	close(p[0]);
	CHECKEQ(ct_wait(pid), SIGPIPE);
}

TEST(reader_waits)
{
	char c;

	mk(0);
	pid_t pid = ct_fork();
	if (pid == 0)
		_exit(read(p[0], &c, 1) != 1 || c != 'w');
	until_asleep(pid);
	CHECKEQ(write(p[1], "w", 1), 1);
	REAP(pid);
}

TEST(writer_waits)
{
	char buf[4096];

	mk(0);
	fill();
	pid_t pid = ct_fork();
	if (pid == 0)
		_exit(write(p[1], "tail", 4) != 4);
	until_asleep(pid);
	CHECKEQ(read(p[0], buf, sizeof buf), 4096);
	REAP(pid);
}

TEST(capacity)
{
	char c = 0;
	int n;

	mk(O_NONBLOCK);
	CHECKEQ(fcntl(p[0], F_GETPIPE_SZ), 65536);
	for (n = 0; write(p[1], &c, 1) == 1; n++)
		;
	CHECKEQ(errno, EAGAIN);
	CHECKEQ(n, 65536);
	CHECK(ioctl(p[0], FIONREAD, &n) == 0);
	CHECKEQ(n, 65536);
	CHECKEQ(read(p[0], &c, 1), 1);
	CHECK(ioctl(p[0], FIONREAD, &n) == 0);
	CHECKEQ(n, 65535);
}

TEST(partial_write)
{
	static char big[200000];
	long n;

	mk(O_NONBLOCK);
	n = write(p[1], big, sizeof big); /* more than fits: what fits */
	CHECKEQ(n, 65536);
	CHECKERR(write(p[1], big, sizeof big), EAGAIN);
	CHECKEQ(read(p[0], big, 4096), 4096);
	CHECKEQ(write(p[1], big, 4096), 4096);
	CHECKEQ(read(p[0], big, 100), 100);
	CHECKERR(write(p[1], big, 4096), EAGAIN); /* up to PIPE_BUF: all or nothing */
}

TEST(big_write)
{
	/* A writer of much more than fits, and a slow reader. */
	enum { N = 1 << 20 };
	static unsigned char big[N], buf[10007];

	mk(0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		for (int i = 0; i < N; i++)
			big[i] = i * 31 >> 4;
		CHECKEQ(write(p[1], big, N), N);
		_exit(0);
	}
	close(p[1]);
	long at = 0, n;
	while ((n = read(p[0], buf, sizeof buf)) > 0)
		for (long i = 0; i < n; i++, at++)
			CHECKEQ(buf[i], (unsigned char)(at * 31 >> 4));
	CHECKEQ(n, 0);
	CHECKEQ(at, N);
	REAP(pid);
}

TEST(atomic_writes)
{
	/* Records of PIPE_BUF bytes from several writers don't mix. */
	static char rec[PIPE_BUF];
	pid_t pid[4];

	mk(0);
	for (int k = 0; k < 4; k++) {
		if ((pid[k] = ct_fork()) == 0) {
			memset(rec, 'a' + k, sizeof rec);
			for (int i = 0; i < 100; i++)
				CHECKEQ(write(p[1], rec, sizeof rec), PIPE_BUF);
			_exit(0);
		}
	}
	close(p[1]);
	int total = 0;
	for (;;) {
		long at = 0, n = 0;
		while (at < PIPE_BUF && (n = read(p[0], rec + at, PIPE_BUF - at)) > 0)
			at += n;
		if (at == 0)
			break;
		CHECKEQ(at, PIPE_BUF);
		for (int i = 1; i < PIPE_BUF; i++)
			CHECKEQ(rec[i], rec[0]);
		total++;
	}
	CHECKEQ(total, 400);
	for (int k = 0; k < 4; k++)
		REAP(pid[k]);
}

TEST(set_size)
{
	static char big[200000];

	mk(O_NONBLOCK);
	CHECKEQ(fcntl(p[0], F_SETPIPE_SZ, 100000), 131072);
	CHECKEQ(fcntl(p[1], F_GETPIPE_SZ), 131072);
	CHECKEQ(write(p[1], big, sizeof big), 131072);
	CHECKERR(fcntl(p[0], F_SETPIPE_SZ, 4096), EBUSY); /* too small for what is in it */
	CHECKEQ(read(p[0], big, sizeof big), 131072);
	CHECKEQ(fcntl(p[0], F_SETPIPE_SZ, 1), 4096);
	CHECKEQ(write(p[1], big, sizeof big), 4096);
	IN_CHILD {
		drop(1234);
		CHECKERR(fcntl(p[0], F_SETPIPE_SZ, 1 << 24), EPERM);
	}
}

TEST(no_positions)
{
	int p[2];
	char c = 'x';

	CHECK(pipe(p) == 0);
	CHECKERR(lseek(p[0], 0, SEEK_CUR), ESPIPE);
	CHECKERR(lseek(p[1], 0, SEEK_SET), ESPIPE);
	CHECKERR(pread(p[0], &c, 1, 0), ESPIPE);
	CHECKERR(pwrite(p[1], &c, 1, 0), ESPIPE);
	CHECKERR(fallocate(p[1], 0, 0, 1), ESPIPE);
	CHECKERR(fallocate(p[0], 0, 0, 1), EBADF);
}

/* Both ends show the owner, mode and times of the one pipe. */
TEST(attributes)
{
	int p[2];
	struct stat st;
	struct timespec times[2] = {{1000, 1}, {2000, 2}};

	CHECK(pipe(p) == 0);
	CHECK(fstat(p[0], &st) == 0);
	CHECKEQ(st.st_mode, S_IFIFO | 0600);
	CHECK(st.st_mtime > 0 && st.st_atime > 0 && st.st_ctime > 0);
	CHECK(fchmod(p[0], 0640) == 0);
	CHECK(fchown(p[1], 12, 34) == 0);
	CHECK(futimens(p[0], times) == 0);
	for (int i = 0; i < 2; i++) {
		CHECK(fstat(p[i], &st) == 0);
		CHECKEQ(st.st_mode, S_IFIFO | 0640);
		CHECKEQ(st.st_uid, 12);
		CHECKEQ(st.st_gid, 34);
		CHECKEQ(st.st_atime, 1000);
		CHECKEQ(st.st_mtime, 2000);
		CHECKEQ(st.st_mtim.tv_nsec, 2);
		CHECK(st.st_ctime > 2000);
	}
	CHECK(fchownat(p[0], "", 55, -1, AT_EMPTY_PATH) == 0);
	CHECK(fstatat(p[1], "", &st, AT_EMPTY_PATH) == 0);
	CHECKEQ(st.st_uid, 55);
	CHECKEQ(st.st_gid, 34);
	CHECK(utimensat(p[0], "", NULL, AT_EMPTY_PATH) == 0);
	CHECKERR(ftruncate(p[1], 0), EINVAL);
	CHECKERR(fchdir(p[0]), ENOTDIR);
	CHECKERR(linkat(p[0], "", AT_FDCWD, "x", AT_EMPTY_PATH), EXDEV);
	IN_CHILD {
		drop(1000);
		CHECKERR(fchmod(p[0], 0600), EPERM);
		CHECKERR(fchown(p[0], 1000, -1), EPERM);
		CHECKERR(futimens(p[0], times), EPERM);
	}
	IN_CHILD {
		drop(55);
		CHECK(fchmod(p[0], 0600) == 0);
		CHECKERR(fchown(p[0], 1000, -1), EPERM);
	}
	CHECK(fstat(p[1], &st) == 0);
	CHECKEQ(st.st_mode, S_IFIFO | 0600);
}

TEST(bad_pointers)
{
	void *q;
	char c;

	mk(O_NONBLOCK);
	CHECKEQ(write(p[1], "abcd", 4), 4);
	EACH_BAD_OUT(q)
		CHECKERR(syscall(SYS_read, p[0], q, 4), EFAULT);
	EACH_BAD_IN(q)
		CHECKERR(syscall(SYS_write, p[1], q, 4), EFAULT);
	CHECKEQ(read(p[0], &c, 1), 1);
	CHECKEQ(c, 'a'); /* nothing was lost */
	char *e = edge(2);
	long n = read(p[0], e, 3);
	CHECK(n == 2 || (n == -1 && errno == EFAULT));
}

TEST(empty_write_no_reader)
{
	mk(0);
	close(p[0]);
	CHECKEQ(write(p[1], "", 0), 0);
}

TEST(poll_states)
{
	struct pollfd f[2];

	mk(0);
	f[0] = (struct pollfd){p[0], POLLIN | POLLOUT, 0};
	f[1] = (struct pollfd){p[1], POLLIN | POLLOUT, 0};
	CHECKEQ(poll(f, 2, 0), 1);
	CHECKEQ(f[0].revents, 0);
	CHECKEQ(f[1].revents, POLLOUT);
	CHECKEQ(write(p[1], "x", 1), 1);
	CHECKEQ(poll(f, 2, 0), 2);
	CHECKEQ(f[0].revents, POLLIN);
	fill();
	CHECKEQ(poll(f, 2, 0), 1);
	CHECKEQ(f[1].revents, 0);
	close(p[1]);
	CHECKEQ(poll(f, 1, 0), 1);
	CHECKEQ(f[0].revents, POLLIN | POLLHUP);
	mk(0);
	close(p[0]);
	f[1].fd = p[1];
	CHECKEQ(poll(f + 1, 1, 0), 1);
	CHECKEQ(f[1].revents, POLLOUT | POLLERR);
}

TEST(ping_pong)
{
	int q[2];
	char c = 0;

	mk(0);
	CHECK(pipe(q) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		close(p[1]);
		while (read(p[0], &c, 1) == 1)
			CHECKEQ(write(q[1], &c, 1), 1);
		_exit(0);
	}
	for (int i = 0; i < 2000; i++) {
		c = i;
		CHECKEQ(write(p[1], &c, 1), 1);
		CHECKEQ(read(q[0], &c, 1), 1);
		CHECKEQ(c, (char)i);
	}
	close(p[1]);
	REAP(pid);
}

TEST(many_pipes)
{
	int fd[200][2];
	char c;

	for (int i = 0; i < 100; i++) {
		CHECK(pipe(fd[i]) == 0);
		CHECKEQ(write(fd[i][1], (char[]){i}, 1), 1);
	}
	for (int i = 99; i >= 0; i--) {
		CHECKEQ(read(fd[i][0], &c, 1), 1);
		CHECKEQ(c, i);
	}
}

TEST(fifo)
{
	char buf[8];

	CHECK(mkfifo("f", 0600) == 0);
	CHECKERR(open("f", O_WRONLY | O_NONBLOCK), ENXIO); /* no reader */
	int r = open("f", O_RDONLY | O_NONBLOCK);
	CHECK(r >= 0);
	CHECKEQ(read(r, buf, 1), 0); /* no writer */
	int w = open("f", O_WRONLY);
	CHECK(w >= 0);
	CHECKERR(read(r, buf, 1), EAGAIN);
	CHECKEQ(write(w, "data", 4), 4);
	CHECKEQ(read(r, buf, 8), 4);
	CHECKEQ(lseek(r, 0, SEEK_CUR) == -1 ? errno : 0, ESPIPE);
	close(w);
	CHECKEQ(read(r, buf, 1), 0);
	w = open("f", O_WRONLY);
	CHECKEQ(write(w, "x", 1), 1);
	close(r);
	signal(SIGPIPE, SIG_IGN);
	CHECKERR(write(w, "y", 1), EPIPE);
	close(w);
	r = open("f", O_RDONLY | O_NONBLOCK);
	CHECKEQ(read(r, buf, 1), 0); /* what was left went with the last end */
	int rw = open("f", O_RDWR);
	CHECK(rw >= 0);
	CHECKEQ(write(rw, "z", 1), 1);
	CHECKEQ(read(rw, buf, 1), 1);
}

TEST(fifo_open_waits)
{
	char c;

	CHECK(mkfifo("f", 0600) == 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		int w = open("f", O_WRONLY);
		CHECK(w >= 0);
		CHECKEQ(write(w, "x", 1), 1);
		_exit(0);
	}
	until_asleep(pid);
	int r = open("f", O_RDONLY);
	CHECK(r >= 0);
	CHECKEQ(read(r, &c, 1), 1);
	CHECKEQ(read(r, &c, 1), 0);
	REAP(pid);
	close(r);
	pid = ct_fork();
	if (pid == 0) {
		r = open("f", O_RDONLY);
		_exit(read(r, &c, 1) != 1);
	}
	until_asleep(pid);
	int w = open("f", O_WRONLY);
	CHECKEQ(write(w, "x", 1), 1);
	REAP(pid);
}

static void handler(int sig) { (void)sig; }

TEST(fifo_open_interrupted)
{
	struct sigaction sa = {.sa_handler = handler};

	CHECK(mkfifo("f", 0600) == 0);
	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	pid_t parent = getpid(), pid = ct_fork();
	if (pid == 0) {
		until_asleep(parent);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	CHECKERR(open("f", O_RDONLY), EINTR);
	REAP(pid);
	CHECKERR(open("f", O_WRONLY | O_NONBLOCK), ENXIO); /* it is no reader */
}

TEST(write_interrupted)
{
	/* A signal amid a long write: the count tells how far it got. */
	static char big[300000];
	struct sigaction sa = {.sa_handler = handler};

	CHECK(sigaction(SIGUSR1, &sa, NULL) == 0);
	mk(0);
	pid_t parent = getpid(), pid = ct_fork();
	if (pid == 0) {
		until_asleep(parent);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	CHECKEQ(write(p[1], big, sizeof big), 65536);
	REAP(pid);
}
