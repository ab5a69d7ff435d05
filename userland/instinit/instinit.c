//go:build ignore

/* instinit.c: the first process of an operating instance. It prepares the instance, runs /etc/rc or
 * becomes the supervisor of its services, takes in orphans for as long as the instance lives, and
 * ends it in order. instinit(8) says what it does; here is how.
 *
 * All signals are blocked from the first call on, and taken where they are waited for: none is lost,
 * whenever it comes, and none interrupts anything. Nothing here waits without a limit but turn,
 * when there is nothing to do.
 *
 * There are a thousand of these on a machine, so it has no static variables: all it knows is on the
 * stack, and a page or two of that is all the memory that an idle one has for itself. It has no C
 * library either, and links nothing. */
#include "linux.h"
#include "report.h"

enum {
	GRACE = 5,         /* seconds: -g */
	GRACE_MAX = 86400,
	KILLED = 5000,     /* ms that processes get to be gone after SIGKILL */
	LOOK = 20,         /* ms after which a stop looks again for processes that aren't our children */
	LOOK_MAX = 320,    /* and at most, since the time doubles: a thousand may be stopping at once */
	NOT_FOUND = 127,   /* exit statuses, as a shell's */
	CANNOT_RUN = 126,
};

#define BIT(sig) (1UL << ((sig) - 1))
#define ALL (~0UL)
#define REQUESTS (BIT(SIGINT) | BIT(SIGTERM) | BIT(SIGPWR) | BIT(SIGUSR1) | BIT(SIGUSR2))
#define FOREVER (-1)

struct init {
	const char **env;      /* as it came */
	long grace;            /* ms */
	int request;           /* the first signal that asked for the end; 0: none yet */
	int rc, shutdown;      /* processes that run the scripts; 0: none */
	int status;            /* of /etc/rc, if it ended before the request */
};

static const char rc_path[] = "/etc/rc", shutdown_path[] = "/etc/rc.shutdown", services_path[] = "/etc/inst/services";

/* mounts are the file systems that an instance has, in the order of mounting. */
static const struct {
	const char *path, *type;
	unsigned flags;
	const char *options;
} mounts[] = {
	{"/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, ""},
	{"/dev", "devtmpfs", MS_NOSUID, ""},
	{"/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666"},
	{"/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
	{"/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"},
	{"/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"},
};

/* is_mounted looks whether a directory, which is made if it is missing, is one where a file system is
 * mounted: then the one above it is on another. It returns 0, 1 or an error, and changes the
 * working directory. */
static long is_mounted(const char *path)
{
	struct stat here, above;
	long e = chdir(path);

	if (e == -ENOENT) {
		e = mkdir(path, 0755);
		if (e == 0)
			e = chdir(path);
	}
	if (e == 0)
		e = stat(".", &here);
	if (e == 0)
		e = stat("..", &above);
	return e < 0 ? e : here.st_dev != above.st_dev;
}

/* mount_all mounts what isn't there. */
static void mount_all(void)
{
	for (unsigned i = 0; i < sizeof mounts / sizeof mounts[0]; i++) {
		long e = is_mounted(mounts[i].path);

		if (e == 0)
			e = mount(mounts[i].type, mounts[i].path, mounts[i].type, mounts[i].flags, mounts[i].options);
		if (e < 0)
			report_error(mounts[i].path, e);
	}
	chdir("/");
}

/* open_standard opens the console as those of descriptors 0 to 2 that are closed, or else files
 * would come to be there that programs don't mean to write to. */
static void open_standard(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (get_descriptor_flags(fd) == -EBADF &&
		    open("/dev/console", O_RDWR | O_NOCTTY) < 0 && open("/dev/null", O_RDWR) < 0)
			return;
}

static int exists(const char *path)
{
	struct stat s;

	return lstat(path, &s) == 0;
}

/* sets reports whether a string of the environment sets the same variable as another. */
static int sets(const char *s, const char *variable)
{
	while (*s == *variable && *s != '=' && *s)
		s++, variable++;
	return *s == '=' && *variable == '=';
}

/* run becomes a program, or /bin/sh for a script without a first line that says so or without
 * permission to be executed. It returns if that fails, which it has reported. */
static long run(const struct init *in, const char *path, const char *arg)
{
	static const char *const defaults[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=linux",
	};
	enum { DEFAULTS = sizeof defaults / sizeof defaults[0] };
	const char *const direct[] = {path, arg, 0}, *const by_shell[] = {"/bin/sh", path, arg, 0};
	long n = 0, e;

	while (in->env[n])
		n++;
	const char *env[n + DEFAULTS + 1];

	for (long i = 0; i < n; i++)
		env[i] = in->env[i];
	for (int i = 0; i < DEFAULTS; i++) {
		int given = 0;

		for (const char **s = in->env; *s; s++)
			given |= sets(*s, defaults[i]);
		if (!given)
			env[n++] = defaults[i];
	}
	env[n] = 0;
	e = execve(path, direct, env);
	if (e == -ENOEXEC || e == -EACCES) {
		path = by_shell[0];
		e = execve(path, by_shell, env);
	}
	report_error(path, e);
	return e;
}

/* start runs a script in a process and a session of its own. If that can't be, the answer is 0, or
 * the process ends as in a shell. */
static int start(const struct init *in, const char *path, const char *arg)
{
	long pid = fork();

	if (pid < 0) {
		report_error(path, pid);
		return 0;
	}
	if (pid == 0) {
		setsid();
		set_blocked(0);
		exit(run(in, path, arg) == -ENOENT ? NOT_FOUND : CANNOT_RUN);
	}
	return pid;
}

/* exit_status is the status of a script as a shell shows it. One that isn't 0 is reported. */
static int exit_status(const char *path, int wait_status)
{
	int sig = wait_status & 0x7f, code = wait_status >> 8 & 0xff;

	if (sig)
		report(path, "killed by signal", sig);
	else if (code)
		report(path, "ended with status", code);
	return sig ? 128 + sig : code;
}

/* take takes a signal, and reports whether there was one. Of the requests the first counts, and what
 * is none is dropped. */
static int take(struct init *in, sigset_t set, long ms)
{
	long sig = wait_signal(set, ms);

	if (sig > 0 && BIT(sig) & REQUESTS && !in->request)
		in->request = sig;
	return sig > 0;
}

/* turn is the daily work: it takes a signal and reaps a process, or waits for either if there is
 * none, for a time. It reports whether it has reaped one. SIGCHLD is left for last: a flood of
 * orphans holds up no request. */
static int turn(struct init *in, long ms)
{
	int taken = take(in, ALL & ~BIT(SIGCHLD), 0), status;
	long pid = wait4(-1, &status, WNOHANG);

	if (pid <= 0) {
		if (!taken)
			take(in, ALL, ms);
	} else if (pid == in->rc) {
		in->rc = 0;
		if (!in->request)
			in->status = exit_status(rc_path, status);
	} else if (pid == in->shutdown) {
		in->shutdown = 0;
		exit_status(shutdown_path, status);
	}
	return pid > 0;
}

/* alone reports whether there is no other process, not even a zombie. It doesn't ask for children:
 * processes that were put into the instance from outside are none. The kernel looks at every
 * process for it. */
static int alone(void) { return kill(-1, 0) == -ESRCH; }

/* signal_all sends to all other processes and works until they are gone, for a time at most. It
 * reports whether they are. A stopped process has to go on to end. */
static int signal_all(struct init *in, int sig, long ms)
{
	long end = now() + ms, left = ms, look = LOOK;

	kill(-1, sig);
	kill(-1, SIGCONT);
	for (; left > 0; left = end - now()) {
		if (turn(in, 0)) {
			look = LOOK;
			continue;
		}
		if (alone())
			return 1;
		turn(in, look < left ? look : left);
		if (look < LOOK_MAX)
			look *= 2;
	}
	return alone();
}

/* next_mount finds the first mount but skip ones in text, of which n bytes are those of
 * /proc/self/mounts, and returns where it is mounted, or 0. The root doesn't count. */
static char *next_mount(char *text, long n, int skip)
{
	for (char *p = text, *end = text + n; p < end; p++) {
		char *path, *to;

		while (p < end && *p != ' ')
			p++;
		for (path = to = ++p; p < end && *p != ' '; to++)
			if (*p == '\\' && end - p > 3) { /* a byte in octal */
				*to = (p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0');
				p += 4;
			} else
				*to = *p++;
		if (p >= end)
			return 0;
		*to = 0;
		while (p < end && *p != '\n')
			p++;
		if (path[1] && skip-- == 0)
			return path;
	}
	return 0;
}

/* unmount_all unmounts all but the root, which is the kernel's. What is still in use, as the console
 * is here, goes when its last user does. What is mounted below goes along, so the list is read anew
 * each time; its file stays open, since /proc goes, too. */
static void unmount_all(void)
{
	static const char list[] = "/proc/self/mounts";
	char text[16384], *path; /* several times as long as a line can be */
	long fd = open(list, O_RDONLY | O_CLOEXEC), n, got = fd;

	sync();
	for (int skip = 0; got >= 0;) {
		for (n = 0; (got = pread(fd, text + n, sizeof text - n, n)) > 0; n += got)
			;
		path = got < 0 ? 0 : next_mount(text, n, skip);
		if (!path)
			break;
		long e = umount(path, MNT_DETACH);
		if (e < 0) {
			report_error(path, e);
			skip++;
		}
	}
	if (got < 0)
		report_error(list, got);
}

/* stop ends the instance, in at most two times the grace and KILLED. What it needs of the stack is
 * not to be in begin's part. */
static __attribute__((noreturn, noinline)) void stop(struct init *in)
{
	int restart = in->request == SIGINT;

	if (exists(shutdown_path)) {
		long end = now() + in->grace, left;

		in->shutdown = start(in, shutdown_path, restart ? "restart" : "stop");
		while (in->shutdown && (left = end - now()) > 0)
			turn(in, left);
		if (in->shutdown)
			report(shutdown_path, "not done after seconds:", in->grace / 1000);
	}
	if (!signal_all(in, SIGTERM, in->grace) && !signal_all(in, SIGKILL, KILLED))
		report("processes", "still there after SIGKILL", -1);
	unmount_all();
	if (restart) {
		long e = reboot(LINUX_REBOOT_CMD_RESTART);
		if (e < 0)
			report_error("restart", e);
	}
	exit(in->status);
}

/* become_services turns this process into the supervisor of services, unless that fails. Only here
 * is a signal lost that comes at the very moment: the supervisor gets them as a new program does. */
static void become_services(const struct init *in)
{
	set_blocked(0);
	run(in, services_path, 0);
	set_blocked(ALL);
}

/* seconds reads a number from 1 to GRACE_MAX; 0 is none. */
static long seconds(const char *s)
{
	long n = 0;

	for (; *s >= '0' && *s <= '9' && n <= GRACE_MAX; s++)
		n = n * 10 + *s - '0';
	return *s || n > GRACE_MAX ? 0 : n;
}

static void parse(struct init *in, long argc, const char **argv)
{
	for (long i = 1; i < argc; i++) {
		const char *a = argv[i];
		long n = 0;

		if (a[0] == '-' && a[1] == 'g' && !a[2] && argv[i + 1])
			n = seconds(argv[++i]);
		if (n)
			in->grace = n * 1000;
		else
			report(argv[i], "not understood; usage: instinit [-g seconds]", -1);
	}
}

/* begin is the program. The kernel has put the number of arguments, the arguments, 0, the
 * environment and 0 onto the stack. */
__attribute__((noreturn, used)) static void begin(const char **stack)
{
	long argc = (long)stack[0];
	const char **argv = stack + 1;
	struct init in = {.env = argv + argc + 1, .grace = GRACE * 1000};

	if (getpid() != 1) {
		report("not process 1", "it would end all others", -1);
		exit(1);
	}
	set_blocked(ALL);
	for (int sig = 1; sig <= 64; sig++)
		set_default(sig); /* whoever started this may have ignored some; children would, too */
	setsid();
	umask(022);
	chdir("/");
	open_standard(); /* for what mount_all reports; and once more, because there may be no /dev yet */
	parse(&in, argc, argv);
	mount_all();
	open_standard();
	take(&in, REQUESTS, 0);
	if (!in.request && exists(services_path))
		become_services(&in);
	if (!in.request && exists(rc_path)) {
		in.rc = start(&in, rc_path, 0);
		if (!in.rc)
			in.status = CANNOT_RUN;
	}
	while (!in.request)
		turn(&in, FOREVER);
	stop(&in);
}

__asm__(
	".globl _start\n"
	"_start: xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call begin\n");
