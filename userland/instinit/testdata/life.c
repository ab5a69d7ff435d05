/* life.c: what the tests of instinit let happen to a process 1, and inside.
 *
 *	life blocked SIGNAL program...	all signals blocked, and one pending
 *	life ignored program...		SIGCHLD and SIGTERM ignored
 *	life closed program...		without descriptors 0 to 2
 *	life limited program...		no room for one more process
 *	life orphans N			N orphans that end at once; then their number that are left as zombies
 *	life stubborn			ignores what can be ignored, says "stubborn", and stays
 *	life asked			says "waiting", and when it gets SIGTERM "asked"
 *	life stopped			leaves a process that is stopped
 *	life hop			processes that ignore SIGTERM, have a child and end, for ever
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void pause_ms(int ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&t, NULL);
}

/* processes counts those whose state in /proc is one of states. */
static int processes(const char *states)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	int n = 0;

	if (d == NULL)
		err(1, "/proc");
	while ((e = readdir(d)) != NULL) {
		char path[300], text[300] = "", *p;
		int fd;

		snprintf(path, sizeof path, "/proc/%s/stat", e->d_name);
		if (atoi(e->d_name) == 0 || (fd = open(path, O_RDONLY)) < 0)
			continue;
		if (read(fd, text, sizeof text - 1) > 0 && (p = strrchr(text, ')')) != NULL && strchr(states, p[2]))
			n++;
		close(fd);
	}
	closedir(d);
	return n;
}

static void orphans(int n)
{
	for (int i = 0; i < n; i++) {
		pid_t pid = fork();
		if (pid < 0)
			err(1, "fork");
		if (pid == 0) {
			if (fork() < 0)
				err(1, "fork");
			_exit(0); /* both: one is waited for here, the other one is an orphan */
		}
		if (waitpid(pid, NULL, 0) != pid)
			err(1, "waitpid");
	}
	/* Process 1 has until the test's own limit to be done with them. */
	while (processes("Z") > 0)
		pause_ms(1);
	printf("%d orphans, 0 zombies\n", n);
}

static void stubborn(void)
{
	for (int sig = 1; sig < 65; sig++)
		signal(sig, SIG_IGN);
	puts("stubborn");
	fflush(stdout);
	for (;;)
		pause();
}

static void say_asked(int sig)
{
	(void)sig;
	if (write(1, "asked\n", 6) != 6)
		_exit(1);
	_exit(3);
}

static void asked(void)
{
	signal(SIGTERM, say_asked);
	puts("waiting");
	fflush(stdout);
	for (;;)
		pause();
}

static void stopped(void)
{
	pid_t pid = fork();
	if (pid == 0) {
		raise(SIGSTOP);
		for (;;)
			pause();
	}
	if (waitpid(pid, NULL, WUNTRACED) != pid)
		err(1, "waitpid");
	puts("stopped");
}

/* hop leaves processes that are never the same for long: each has a child, and ends. */
static void hop(void)
{
	signal(SIGTERM, SIG_IGN);
	for (int i = 0; i < 4; i++)
		if (fork() == 0) {
			while (fork() == 0)
				;
			_exit(0);
		}
	puts("hopping");
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "blocked") == 0 && argc > 3) {
		sigset_t all;
		sigfillset(&all);
		sigprocmask(SIG_SETMASK, &all, NULL);
		kill(getpid(), atoi(argv[2]));
		puts("blocked");
		fflush(stdout);
		execv(argv[3], argv + 3);
	} else if (strcmp(what, "ignored") == 0 && argc > 2) {
		signal(SIGCHLD, SIG_IGN);
		signal(SIGTERM, SIG_IGN);
		execv(argv[2], argv + 2);
	} else if (strcmp(what, "closed") == 0 && argc > 2) {
		for (int fd = 0; fd < 3; fd++)
			close(fd);
		execv(argv[2], argv + 2);
	} else if (strcmp(what, "limited") == 0 && argc > 2) {
		setrlimit(RLIMIT_NPROC, &(struct rlimit){0, 0});
		execv(argv[2], argv + 2);
	} else if (strcmp(what, "orphans") == 0 && argc > 2) {
		orphans(atoi(argv[2]));
		return 0;
	} else if (strcmp(what, "stubborn") == 0) {
		stubborn();
	} else if (strcmp(what, "asked") == 0) {
		asked();
	} else if (strcmp(what, "stopped") == 0) {
		stopped();
		return 0;
	} else if (strcmp(what, "hop") == 0) {
		hop();
		return 0;
	}
	err(1, "life %s", what);
}
