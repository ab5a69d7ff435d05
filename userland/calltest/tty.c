//go:build ignore

/* tty: the line discipline, by way of a pseudo terminal: canonical and raw
 * input, echo, signals, job control, window size. The master end plays the
 * person at the terminal. */
#include "calltest.h"
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>

static int m, s; /* master and slave */

/* term opens a pseudo terminal. */
static void term(void)
{
	char name[64];
	int n, zero = 0;

	m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
	if (m < 0)
		SKIP("there are no pseudo terminals");
	CHECK(ioctl(m, TIOCSPTLCK, &zero) == 0);
	CHECK(ioctl(m, TIOCGPTN, &n) == 0);
	snprintf(name, sizeof name, "/dev/pts/%d", n);
	s = open(name, O_RDWR | O_NOCTTY);
	if (s < 0)
		SKIP("/dev/pts is not there");
}

static void type(const char *text)
{
	CHECKEQ(write(m, text, strlen(text)), strlen(text));
}

static void set(tcflag_t iflag, tcflag_t oflag, tcflag_t lflag, int vmin, int vtime)
{
	struct termios t;

	CHECK(tcgetattr(s, &t) == 0);
	t.c_iflag = iflag;
	t.c_oflag = oflag;
	t.c_lflag = lflag;
	t.c_cc[VMIN] = vmin;
	t.c_cc[VTIME] = vtime;
	CHECK(tcsetattr(s, TCSANOW, &t) == 0);
}

/* sees checks what reading fd gives next. It takes as many reads as it needs. */
static void sees_at(int fd, const char *want, int line)
{
	char buf[1024];
	size_t at = 0, n = strlen(want);

	while (at < n) {
		ssize_t k = read(fd, buf + at, n - at);
		if (k <= 0)
			ct_fail(__BASE_FILE__, line, "read gives %ld, errno %d, after %zu of %zu bytes", (long)k, errno, at, n);
		at += k;
	}
	if (memcmp(buf, want, n) != 0)
		ct_fail(__BASE_FILE__, line, "got other text: %.*s", (int)n, buf);
}
#define SEES(fd, want) sees_at(fd, want, __LINE__)

static int nothing(int fd)
{
	struct pollfd f = {fd, POLLIN, 0};
	return poll(&f, 1, 20) == 0;
}

TEST(isatty)
{
	int p[2];

	term();
	CHECK(isatty(s) == 1);
	CHECK(isatty(m) == 1);
	CHECK(pipe(p) == 0);
	CHECKERR(isatty(p[0]) - 1, ENOTTY);
	CHECKERR(lseek(s, 0, SEEK_CUR), ESPIPE);
	struct stat st;
	CHECK(fstat(s, &st) == 0);
	CHECK(S_ISCHR(st.st_mode));
}

TEST(attributes)
{
	struct timespec times[2] = {{1000, 1}, {2000, 2}};
	struct stat st;

	term();
	CHECK(fchmod(s, 0604) == 0);
	CHECK(fchown(s, 12, 34) == 0);
	CHECK(futimens(s, times) == 0);
	CHECK(fstat(s, &st) == 0);
	CHECKEQ(st.st_mode, S_IFCHR | 0604);
	CHECKEQ(st.st_uid, 12);
	CHECKEQ(st.st_gid, 34);
	CHECKEQ(st.st_atime, 1000);
	CHECKEQ(st.st_mtime, 2000);
	CHECK(st.st_ctime > 2000);
}

TEST(canonical)
{
	char buf[100];

	term();
	set(ICRNL, 0, ICANON, 1, 0);
	type("hel");
	CHECK(nothing(s));
	type("lo\nnext\n");
	CHECKEQ(read(s, buf, 100), 6); /* one line a read */
	CHECKEQ(memcmp(buf, "hello\n", 6), 0);
	CHECKEQ(read(s, buf, 2), 2); /* or a part of it */
	CHECKEQ(read(s, buf, 100), 3);
	CHECKEQ(memcmp(buf, "xt\n", 3), 0);
	type("cr\r");
	SEES(s, "cr\n");
	int n;
	type("abc\n");
	CHECK(!nothing(s));
	CHECK(ioctl(s, FIONREAD, &n) == 0);
	CHECKEQ(n, 4);
}

TEST(editing)
{
	term();
	set(ICRNL, 0, ICANON | ECHOE, 1, 0);
	type("abx\177c\n"); /* erase */
	SEES(s, "abc\n");
	type("\177\177x\n"); /* nothing to erase */
	SEES(s, "x\n");
	type("wrong\025right\n"); /* kill */
	SEES(s, "right\n");
	set(ICRNL, 0, ICANON | IEXTEN, 1, 0);
	type("one two\027three\n"); /* word erase */
	SEES(s, "one three\n");
	type("a\026\003b\n"); /* literal next */
	SEES(s, "a\003b\n");
}

TEST(end_of_file)
{
	char buf[10];

	term();
	set(ICRNL, 0, ICANON, 1, 0);
	type("\004");
	CHECKEQ(read(s, buf, 10), 0);
	type("ab\004"); /* what there is, without a newline */
	CHECKEQ(read(s, buf, 10), 2);
	type("x\n");
	SEES(s, "x\n");
}

TEST(echo)
{
	term();
	set(ICRNL, OPOST | ONLCR, ICANON | ECHO | ECHOE | ECHOCTL, 1, 0);
	type("hi\r");
	SEES(m, "hi\r\n");
	SEES(s, "hi\n");
	type("ab\177");
	SEES(m, "ab\b \b");
	type("\001\n"); /* control characters become visible */
	SEES(m, "^A\r\n");
	set(ICRNL, OPOST | ONLCR, ICANON, 1, 0);
	SEES(s, "a\001\n");
	type("secret\n");
	CHECK(nothing(m));
}

TEST(output)
{
	term();
	set(0, OPOST | ONLCR, 0, 1, 0);
	CHECKEQ(write(s, "a\nb", 3), 3);
	SEES(m, "a\r\nb");
	set(0, 0, 0, 1, 0);
	CHECKEQ(write(s, "a\nb", 3), 3);
	SEES(m, "a\nb");
}

TEST(raw)
{
	char buf[10];

	term();
	set(0, 0, 0, 1, 0);
	type("x");
	CHECKEQ(read(s, buf, 10), 1);
	type("\003\004\r\177");
	SEES(s, "\003\004\r\177");
	set(0, 0, 0, 0, 0); /* never waits */
	CHECKEQ(read(s, buf, 10), 0);
	set(0, 0, 0, 0, 1); /* waits 100 ms */
	int64_t t = now_ns(CLOCK_MONOTONIC);
	CHECKEQ(read(s, buf, 10), 0);
	CHECK(now_ns(CLOCK_MONOTONIC) - t >= 90000000);
	set(0, 0, 0, 3, 0); /* waits for three */
	pid_t pid = ct_fork();
	if (pid == 0) {
		CHECKEQ(read(s, buf, 10), 3);
		_exit(0);
	}
	until_asleep(pid);
	type("a");
	type("b");
	type("c");
	REAP(pid);
	CHECK(fcntl(s, F_SETFL, O_NONBLOCK) == 0);
	CHECKERR(read(s, buf, 1), EAGAIN);
}

TEST(mode_change_keeps_input)
{
	term();
	set(0, 0, 0, 1, 0);
	type("abc");
	CHECK(!nothing(s));
	set(0, 0, 0, 2, 0);
	SEES(s, "abc");
}

TEST(flush)
{
	term();
	set(0, 0, 0, 1, 0);
	type("old");
	CHECK(!nothing(s));
	CHECK(tcflush(s, TCIFLUSH) == 0);
	CHECK(nothing(s));
	CHECKERR(tcflush(s, 99), EINVAL);
}

TEST(window_size)
{
	struct winsize w = {25, 81, 0, 0}, v = {0, 0, 0, 0};

	term();
	CHECK(ioctl(s, TIOCSWINSZ, &w) == 0);
	CHECK(ioctl(m, TIOCGWINSZ, &v) == 0);
	CHECKEQ(v.ws_row, 25);
	CHECKEQ(v.ws_col, 81);
	CHECKERR(ioctl(s, TIOCGWINSZ, bad_address(1)), EFAULT);
	CHECKERR(ioctl(s, TIOCSWINSZ, bad_address(1)), EFAULT);
}

TEST(ioctl_errors)
{
	term();
	CHECKERR(ioctl(s, TCGETS, bad_address(0)), EFAULT);
	CHECKERR(ioctl(s, TCSETS, bad_address(1)), EFAULT);
	CHECKERR(ioctl(s, 0x5abc), ENOTTY);
}

static volatile int got;
static void handler(int sig) { got = sig; }

/* session runs f as the leader of a session whose terminal is s. */
static int session(void (*f)(void))
{
	pid_t pid = ct_fork();

	if (pid == 0) {
		CHECK(setsid() > 0);
		CHECK(ioctl(s, TIOCSCTTY, 0) == 0);
		f();
		_exit(0);
	}
	int status = ct_wait(pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == CT_FAILED)
		_exit(CT_FAILED);
	return status;
}

static void controlling(void)
{
	pid_t g;

	CHECKEQ(tcgetsid(s), getpid());
	CHECKEQ(tcgetpgrp(s), getpid());
	CHECK(open("/dev/tty", O_RDWR) >= 0);
	CHECK(ioctl(s, TIOCSCTTY, 0) == 0); /* again: nothing */
	pid_t pid = ct_fork();
	if (pid == 0) {
		setpgid(0, 0);
		pause();
	}
	setpgid(pid, pid);
	signal(SIGTTOU, SIG_IGN);
	CHECK(tcsetpgrp(s, pid) == 0);
	CHECK(ioctl(s, TIOCGPGRP, &g) == 0);
	CHECKEQ(g, pid);
	CHECK(tcsetpgrp(s, getpid()) == 0);
	CHECK(tcsetpgrp(s, 99999999) == -1 && (errno == ESRCH || errno == EPERM));
	CHECKERR(tcsetpgrp(s, -1), EINVAL);
	kill(pid, SIGKILL);
	ct_wait(pid);
}

TEST(controlling_terminal)
{
	term();
	CHECKERR(tcgetpgrp(s), ENOTTY); /* not this session's */
	CHECKEQ(session(controlling), 0);
}

static void keys(void)
{
	static const struct { const char *key; int sig; } table[] = {
		{"\003", SIGINT}, {"\034", SIGQUIT}, {"\032", SIGTSTP},
	};

	set(ICRNL, 0, ICANON | ISIG, 1, 0);
	for (int i = 0; i < 3; i++) {
		signal(table[i].sig, handler);
		got = 0;
		type("junk"); /* is thrown away with the signal */
		type(table[i].key);
		while (got == 0)
			nap(1);
		CHECKEQ(got, table[i].sig);
		type("ok\n");
		SEES(s, "ok\n");
	}
	set(ICRNL, 0, ICANON | ISIG | NOFLSH, 1, 0);
	got = 0;
	type("keep\003");
	while (got == 0)
		nap(1);
	type("\n");
	SEES(s, "keep\n");
}

TEST(signals)
{
	term();
	CHECKEQ(session(keys), 0);
}

static void background(void)
{
	int status;

	/* A group in the background is stopped when it reads. */
	set(ICRNL, 0, ICANON | ISIG, 1, 0);
	pid_t pid = ct_fork();
	if (pid == 0) {
		char buf[10];
		setpgid(0, 0);
		CHECKEQ(read(s, buf, 10), 3);
		_exit(0);
	}
	setpgid(pid, pid);
	CHECKEQ(waitpid(pid, &status, WUNTRACED), pid);
	CHECK(WIFSTOPPED(status));
	CHECKEQ(WSTOPSIG(status), SIGTTIN);
	signal(SIGTTOU, SIG_IGN);
	CHECK(tcsetpgrp(s, pid) == 0); /* to the foreground */
	CHECK(kill(pid, SIGCONT) == 0);
	type("hi\n");
	REAP(pid);
	CHECK(tcsetpgrp(s, getpid()) == 0);
	/* With SIGTTIN ignored it gets an error. */
	pid = ct_fork();
	if (pid == 0) {
		char c;
		signal(SIGTTIN, SIG_IGN);
		setpgid(0, 0);
		CHECKERR(read(s, &c, 1), EIO);
		_exit(0);
	}
	REAP(pid);
	/* Writing is allowed unless TOSTOP says otherwise; settings never are. */
	set(ICRNL, 0, ICANON | ISIG | TOSTOP, 1, 0);
	for (int k = 0; k < 2; k++) {
		pid = ct_fork();
		if (pid == 0) {
			struct termios t;
			signal(SIGTTOU, SIG_DFL);
			setpgid(0, 0);
			if (k == 0) {
				CHECKEQ(write(s, "x", 1), 1);
			} else {
				CHECK(tcgetattr(s, &t) == 0);
				CHECK(tcsetattr(s, TCSANOW, &t) == 0);
			}
			_exit(0);
		}
		setpgid(pid, pid);
		CHECKEQ(waitpid(pid, &status, WUNTRACED), pid);
		CHECK(WIFSTOPPED(status));
		CHECKEQ(WSTOPSIG(status), SIGTTOU);
		CHECK(tcsetpgrp(s, pid) == 0);
		CHECK(kill(pid, SIGCONT) == 0);
		REAP(pid);
		CHECK(tcsetpgrp(s, getpid()) == 0);
	}
}

TEST(job_control)
{
	term();
	CHECKEQ(session(background), 0);
}

static void resized(void)
{
	struct winsize w = {30, 90, 0, 0};

	signal(SIGWINCH, handler);
	got = 0;
	CHECK(ioctl(m, TIOCSWINSZ, &w) == 0);
	while (got == 0)
		nap(1);
	CHECKEQ(got, SIGWINCH);
}

TEST(winch)
{
	term();
	CHECKEQ(session(resized), 0);
}

static void hung_up(void)
{
	char c;

	signal(SIGHUP, handler);
	got = 0;
	close(m);
	while (got == 0)
		nap(1);
	CHECKEQ(got, SIGHUP);
	CHECKEQ(read(s, &c, 1), 0);
	CHECKERR(write(s, &c, 1), EIO);
}

TEST(hangup)
{
	term();
	pid_t pid = ct_fork();
	if (pid == 0) {
		CHECK(setsid() > 0);
		CHECK(ioctl(s, TIOCSCTTY, 0) == 0);
		hung_up();
		_exit(0);
	}
	close(m); /* the last descriptor of the master is the child's */
	REAP(pid);
}
