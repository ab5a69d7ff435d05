//go:build ignore

/* execfuzz gives execve changed programs: static, position independent and
 * dynamic ones, interpreters, and scripts. A program that is refused leaves the
 * caller as it was; one that starts may end in any way. */
#include "fuzz.h"
#include <elf.h>
#include <pthread.h>
#include <sys/time.h>

/* The files that are changed. Those but the script are programs made of
 * tiny.h; dynamic needs /interp0, which is pie. */
static struct base {
	const char *name;
	unsigned char text[8192];
	size_t size;
} bases[] = {{.name = "static"}, {.name = "pie"}, {.name = "dynamic"}, {.name = "script"}};

enum { STATIC, PIE, DYNAMIC, SCRIPT };

#define SCRIPT_TEXT "#!/static argument of the script\nanything\n"

static void prepare(void)
{
	for (size_t i = 0; i < SCRIPT; i++) {
		int fd = beside(bases[i].name);
		ssize_t n = read(fd, bases[i].text, sizeof bases[i].text);

		if (n <= 0)
			die(bases[i].name);
		bases[i].size = n;
		close(fd);
	}
	strcpy((char *)bases[SCRIPT].text, SCRIPT_TEXT);
	bases[SCRIPT].size = strlen(SCRIPT_TEXT);
}

static int put(const char *path, const void *text, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0777), bad = fd < 0;

	if (!bad) {
		bad = write(fd, text, size) != (ssize_t)size;
		close(fd);
	}
	return bad ? -1 : 0;
}

static void furnish(void)
{
	chmod(".", 01777);
	if (put("static", bases[STATIC].text, bases[STATIC].size) < 0 || put("interp0", bases[PIE].text, bases[PIE].size) < 0)
		die("the programs of a round");
	/* What isn't changed runs. */
	for (size_t i = 0; i < COUNT(bases); i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			if (chroot(".") < 0 || put("/whole", bases[i].text, bases[i].size) < 0)
				die("chroot");
			execl("/whole", "whole", NULL);
			die("execve");
		}
		if (waitpid(pid, &status, 0) != pid || status != 42 << 8)
			die(bases[i].name);
	}
}

/* Numbers that are near a limit somewhere. */
static uint64_t number(Random *r)
{
	static const uint64_t near[] = {
		0, 1, 2, 7, 8, 56, 64, PAGE, 2 * PAGE, 0x10000, 0x400000, 1 << 21, 1 << 30, 1ul << 31, 1ul << 32,
		1ul << 39, 1ul << 46, 1ul << 47, 1ul << 48, 1ul << 62, 1ul << 63, -1ul, 0x7fffffffffff, 0x7ffffffff000,
		0xffff800000000000, 0xffffffff80000000,
	};

	switch (below(r, 8)) {
	case 0: return rnd(r);
	case 1: return below(r, 1 << 16);
	case 2: return PICK(r, near) - below(r, 2 * PAGE);
	case 3: return PICK(r, near) + below(r, 2 * PAGE);
	case 4: return PICK(r, near) - 1;
	case 5: return below(r, 16) * PAGE;
	default: return PICK(r, near);
	}
}

/* field changes some bytes at p to a number, or by a little. */
static void field(Random *r, unsigned char *p, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, p, size);
	switch (below(r, 4)) {
	case 0: v += below(r, 65) - 32; break;
	case 1: v ^= 1ul << below(r, 8 * size); break;
	case 2: v += (below(r, 9) - 4) * PAGE; break;
	default: v = number(r);
	}
	memcpy(p, &v, size);
}

/* change spoils a program: fields of its headers, any bytes, its length. The
 * buffer has room for most bytes. It returns the new length. */
static size_t change(Random *r, unsigned char *text, size_t size, size_t most)
{
	Elf64_Ehdr *e = (Elf64_Ehdr *)text;
	Elf64_Phdr *p = (Elf64_Phdr *)(text + sizeof *e);
	int elf = size > 16 * sizeof *p, changes = 1 + below(r, 4);

	while (changes-- > 0) {
		switch (elf ? below(r, 10) : 6 + below(r, 4)) {
		case 0: /* the file header */
			switch (below(r, 7)) {
			case 0: field(r, (void *)&e->e_type, 2); break;
			case 1: field(r, (void *)&e->e_phnum, 2); break;
			case 2: field(r, (void *)&e->e_phentsize, 2); break;
			case 3: field(r, (void *)&e->e_phoff, 8); break;
			case 4: field(r, (void *)&e->e_entry, 8); break;
			case 5: field(r, (void *)&e->e_machine, 2); break;
			default: field(r, e->e_ident + below(r, 16), 1);
			}
			break;
		case 1: case 2: case 3: case 4: { /* a program header */
			Elf64_Phdr *q = p + below(r, 9);
			switch (below(r, 8)) {
			case 0: q->p_type = once_in(r, 2) ? below(r, 8) : PT_GNU_EH_FRAME + below(r, 4); break;
			case 1: q->p_flags = below(r, 16); break;
			case 2: field(r, (void *)&q->p_offset, 8); break;
			case 3: case 4: field(r, (void *)&q->p_vaddr, 8); break;
			case 5: field(r, (void *)&q->p_filesz, 8); break;
			case 6: field(r, (void *)&q->p_memsz, 8); break;
			default: field(r, (void *)&q->p_align, 8);
			}
			break;
		}
		case 5: { /* a header in place of another */
			Elf64_Phdr q = p[below(r, 9)];
			p[below(r, 9)] = q;
			break;
		}
		case 6: /* the length */
			if (once_in(r, 2))
				size = below(r, size + 1);
			else {
				size_t more = below(r, most - size + 1);
				memset(text + size, once_in(r, 2) ? 0 : rnd(r), more);
				size += more;
			}
			elf = elf && size > 16 * sizeof *p;
			break;
		default: /* a byte, more often at the front */
			if (size > 0)
				text[below(r, once_in(r, 2) && size > 640 ? 640 : size)] = once_in(r, 4) ? rnd(r) : (uint8_t)PICK(r, "\0\n /#!\xff\x7f" "E");
		}
	}
	return size;
}

/* strings makes arguments for execve, most of them good. */
static char **strings(Random *r, char **list, size_t most)
{
	static char longest[160 << 10];
	static const uintptr_t bad[] = {1, PAGE, 0x7ffffffff000, 0x800000000000, 0xffff800000000000, -8ul};
	size_t n = below(r, 4);

	if (once_in(r, 20))
		return (char **)PICK(r, bad);
	if (once_in(r, 20))
		n = below(r, most);
	if (longest[0] == 0)
		memset(longest, 'x', sizeof longest - 1);
	for (size_t i = 0; i < n; i++) {
		list[i] = longest + sizeof longest - 1 - below(r, once_in(r, 30) ? sizeof longest : 20);
		if (once_in(r, 200))
			list[i] = (char *)PICK(r, bad);
	}
	list[n] = NULL;
	return list;
}

/* again is a thread that executes the same file, or looks on while its process
 * becomes another program. */
static void *again(void *path)
{
	if (path != NULL)
		execl(path, "again", NULL);
	while (getpid() > 0)
		sched_yield();
	return NULL;
}

/* run executes a file. It returns how that ended: the errno of a refusal, or 0. verdict
 * is memory shared with children: a program that runs, whatever became of it by the
 * changes, has it no more, so what it says by its status means nothing. */
static int run(const char *path, Random *r, volatile int *verdict)
{
	static char *argv[3000], *envp[3000];
	uint64_t seed = rnd(r);
	pid_t pid;
	int status;

	*verdict = 0;
	pid = fork();
	if (pid == 0) {
		static int canary = 4711;
		Random own = {seed};
		pthread_t thread;

		setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 30000}}, NULL);
		if (once_in(&own, 8))
			pthread_create(&thread, NULL, again, once_in(&own, 2) ? (void *)path : NULL);
		if (once_in(&own, 16)) {
			int fd = open(path, O_RDONLY | (once_in(&own, 2) ? O_CLOEXEC : 0));
			syscall(SYS_execveat, fd, "", strings(&own, argv, COUNT(argv)), strings(&own, envp, COUNT(envp)), AT_EMPTY_PATH);
		} else
			syscall(SYS_execve, path, strings(&own, argv, COUNT(argv)), strings(&own, envp, COUNT(envp)));
		/* Refused: this program runs on, and all of it is there. */
		*verdict = canary == 4711 && errno > 0 && errno < 134 && getpid() > 1 ? errno : -1;
		_exit(0);
	}
	if (pid < 0)
		return EAGAIN;
	while (waitpid(pid, &status, 0) != pid)
		;
	if (*verdict < 0)
		say("fuzz: FAIL: a refused execve changed its caller");
	return *verdict > 0 ? *verdict : 0;
}

static void work(int worker, uint64_t seed)
{
	static unsigned char text[3 * PAGE + 100];
	char path[20], interp[20];
	Random r = {seed};
	volatile int *verdict = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (verdict == MAP_FAILED)
		_exit(0); /* no memory: later, perhaps */
	sprintf(path, "/x%d", worker);
	sprintf(interp, "/interp%d", worker + 1);
	for (;;) {
		size_t which = below(&r, COUNT(bases) + 1), size; /* the last: a changed interpreter */
		struct base *b = &bases[which < COUNT(bases) ? which : PIE];
		const char *to = which < COUNT(bases) ? path : interp;

		memcpy(text, b->text, b->size);
		size = change(&r, text, b->size, sizeof text);
		unlink(to); /* it may still run */
		if (put(to, text, size) < 0 || chmod(to, 0777) < 0)
			say("fuzz: FAIL: %s: %s", to, strerror(errno));
		if (to == interp) {
			char *name;
			memcpy(text, bases[DYNAMIC].text, bases[DYNAMIC].size);
			name = memmem(text, bases[DYNAMIC].size, "/interp0", 8);
			name[7] = interp[7];
			unlink(path);
			put(path, text, bases[DYNAMIC].size);
			chmod(path, 0777);
		}
		for (int i = 0; i < 6; i++)
			shared->now[worker][0][i] = which;
		if (run(path, &r, verdict) == 0)
			__atomic_fetch_add(&shared->good, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&shared->done, 1, __ATOMIC_RELAXED);
	}
}
