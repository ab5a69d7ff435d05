/* report.h: what instinit says on the console, one short line each. */

/* error_text is what strerror(3) says, for errors that can come here. */
static const char *error_text(long e)
{
	switch (e) {
	case EPERM: return "Operation not permitted";
	case ENOENT: return "No such file or directory";
	case EIO: return "Input/output error";
	case E2BIG: return "Argument list too long";
	case ENOEXEC: return "Exec format error";
	case EAGAIN: return "Resource temporarily unavailable";
	case ENOMEM: return "Cannot allocate memory";
	case EACCES: return "Permission denied";
	case EBUSY: return "Device or resource busy";
	case EEXIST: return "File exists";
	case ENODEV: return "No such device";
	case ENOTDIR: return "Not a directory";
	case EISDIR: return "Is a directory";
	case EINVAL: return "Invalid argument";
	case ENFILE: return "Too many open files in system";
	case EMFILE: return "Too many open files";
	case ETXTBSY: return "Text file busy";
	case ENOSPC: return "No space left on device";
	case EROFS: return "Read-only file system";
	case EMLINK: return "Too many links";
	case ENAMETOOLONG: return "File name too long";
	case ENOSYS: return "Function not implemented";
	case ELOOP: return "Too many levels of symbolic links";
	case EDQUOT: return "Disk quota exceeded";
	default: return 0;
	}
}

struct line {
	char text[200];
	unsigned n;
};

/* put adds a string, as far as there is room. The last byte is for the end of the line. */
static void put(struct line *l, const char *s)
{
	while (*s && l->n < sizeof l->text - 1)
		l->text[l->n++] = *s++;
}

/* report writes "instinit: WHAT: WHY" and, unless it is below 0, a number. A console that nobody
 * reads may be full: then the line is lost, because process 1 must not wait for it. One that can be
 * written to has room for a line. */
static void report(const char *what, const char *why, int number)
{
	struct line l = {.n = 0};
	struct pollfd console = {.fd = 2, .events = POLLOUT};
	char digits[] = " 0000000000", *d = digits + sizeof digits - 1;

	put(&l, "instinit: ");
	put(&l, what);
	put(&l, ": ");
	put(&l, why);
	if (number >= 0) {
		do
			*--d = '0' + number % 10;
		while (number /= 10);
		*--d = ' ';
		put(&l, d);
	}
	l.text[l.n++] = '\n';
	if (poll(&console, 1, 0) == 1)
		write(2, l.text, l.n);
}

/* report_error writes a line about a system call that returned error, a number below 0. */
static void report_error(const char *what, long error)
{
	const char *text = error_text(-error);

	if (text)
		report(what, text, -1);
	else
		report(what, "error", -error);
}
