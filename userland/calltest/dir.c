//go:build ignore

/* dir: names: directories, links, renames, symbolic links, the *at calls,
 * permissions of ordinary users. */
#include "calltest.h"

enum { NOBODY = 4321, OTHER = 4322 };

static int mode_of(const char *path)
{
	struct stat st;

	CHECK(lstat(path, &st) == 0);
	return st.st_mode;
}

static ino_t ino_of(const char *path)
{
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0;
	return st.st_ino;
}

static int links_of(const char *path)
{
	struct stat st;

	CHECK(lstat(path, &st) == 0);
	return st.st_nlink;
}

TEST(mkdir)
{
	void *p;
	char name[300];

	CHECK(mkdir("d", 0777) == 0);
	CHECKEQ(mode_of("d"), S_IFDIR | 0755);
	CHECKERR(mkdir("d", 0777), EEXIST);
	CHECKERR(mkdir(".", 0777), EEXIST);
	CHECKERR(mkdir("/", 0777), EEXIST);
	CHECKERR(mkdir("", 0777), ENOENT);
	CHECKERR(mkdir("no/d", 0777), ENOENT);
	CHECK(mkdir("e/", 0700) == 0);
	CHECK(mkdir("e/f//", 01777) == 0);
	CHECKEQ(mode_of("e/f"), S_IFDIR | 01755);
	spew("file", "");
	CHECKERR(mkdir("file", 0777), EEXIST);
	CHECKERR(mkdir("file/d", 0777), ENOTDIR);
	CHECK(symlink("nowhere", "l") == 0);
	CHECKERR(mkdir("l", 0777), EEXIST);
	memset(name, 'x', 256);
	name[256] = 0;
	CHECKERR(mkdir(name, 0777), ENAMETOOLONG);
	name[255] = 0;
	CHECK(mkdir(name, 0777) == 0);
	EACH_BAD_IN(p)
		CHECKERR(mkdir(p, 0777), EFAULT);
}

TEST(rmdir)
{
	CHECK(mkdir("d", 0755) == 0);
	CHECK(mkdir("d/e", 0755) == 0);
	spew("f", "");
	CHECKERR(rmdir("d"), ENOTEMPTY);
	CHECKERR(rmdir("f"), ENOTDIR);
	CHECKERR(rmdir("no"), ENOENT);
	CHECKERR(rmdir("d/."), EINVAL);
	CHECKERR(rmdir("d/e/.."), ENOTEMPTY);
	CHECKERR(rmdir("."), EINVAL);
	CHECKERR(rmdir("/"), EBUSY);
	CHECK(symlink("d", "l") == 0);
	CHECKERR(rmdir("l"), ENOTDIR);
	CHECK(rmdir("d/e/") == 0);
	CHECK(rmdir("d") == 0);
	CHECKERR(rmdir("d"), ENOENT);
	CHECKERR(rmdir(bad_address(1)), EFAULT);
}

TEST(unlink)
{
	spew("f", "");
	CHECK(mkdir("d", 0755) == 0);
	CHECKERR(unlink("d"), EISDIR);
	CHECKERR(unlink("no"), ENOENT);
	CHECKERR(unlink("f/"), ENOTDIR);
	CHECKERR(unlink("f/x"), ENOTDIR);
	CHECKERR(unlink(""), ENOENT);
	CHECK(symlink("f", "l") == 0);
	CHECK(unlink("l") == 0); /* the link, not the file */
	CHECK(access("f", F_OK) == 0);
	CHECK(unlink("f") == 0);
	CHECKERR(unlink("f"), ENOENT);
	CHECKERR(unlink(bad_address(1)), EFAULT);
}

TEST(removed_working_directory)
{
	char buf[100];

	CHECK(mkdir("d", 0755) == 0);
	CHECK(chdir("d") == 0);
	CHECK(rmdir("../d") == 0);
	CHECKERR(open("x", O_RDWR | O_CREAT, 0666), ENOENT);
	CHECKERR(mkdir("x", 0777), ENOENT);
	CHECKERR(open("y", O_RDONLY), ENOENT);
	CHECK(syscall(SYS_getcwd, buf, sizeof buf) == -1 && errno == ENOENT);
	struct stat st;
	CHECK(stat(".", &st) == 0);
	CHECK(chdir("..") == 0);
}

TEST(link_counts)
{
	CHECKEQ(mkdir("d", 0755), 0);
	spew("f", "");
	CHECK(link("f", "g") == 0);
	CHECKEQ(links_of("f"), 2);
	CHECKEQ(ino_of("f"), ino_of("g"));
	CHECK(link("f", "d/h") == 0);
	CHECKEQ(links_of("g"), 3);
	CHECK(unlink("f") == 0);
	CHECKEQ(links_of("g"), 2);
}

TEST(link_errors)
{
	spew("f", "");
	spew("g", "");
	CHECK(mkdir("d", 0755) == 0);
	CHECKERR(link("f", "g"), EEXIST);
	CHECKERR(link("f", "f"), EEXIST);
	CHECKERR(link("no", "h"), ENOENT);
	CHECKERR(link("f", "no/h"), ENOENT);
	CHECKERR(link("f", "g/h"), ENOTDIR);
	CHECKERR(link("d", "h"), EPERM);
	CHECKERR(link("f", ""), ENOENT);
	CHECKERR(link("", "h"), ENOENT);
	CHECKERR(link("f/", "h"), ENOTDIR);
	CHECKERR(link("f", "h/"), ENOENT);
	CHECKERR(link(bad_address(1), "h"), EFAULT);
	CHECKERR(link("f", bad_address(1)), EFAULT);
	CHECK(symlink("nowhere", "l") == 0);
	CHECKERR(link("f", "l"), EEXIST);
	CHECK(link("l", "l2") == 0); /* Linux links the link itself */
	CHECK(S_ISLNK(mode_of("l2")));
	CHECKERR(linkat(AT_FDCWD, "l", AT_FDCWD, "l3", AT_SYMLINK_FOLLOW), ENOENT);
	CHECKERR(linkat(AT_FDCWD, "f", AT_FDCWD, "l3", 0x8000), EINVAL);
	CHECK(symlink("f", "m") == 0);
	CHECK(linkat(AT_FDCWD, "m", AT_FDCWD, "m2", AT_SYMLINK_FOLLOW) == 0);
	CHECKEQ(ino_of("m2"), ino_of("f"));
}

TEST(symlink)
{
	char buf[100];
	void *p;

	CHECK(symlink("some/where", "l") == 0);
	CHECKEQ(readlink("l", buf, sizeof buf), 10);
	CHECKEQ(memcmp(buf, "some/where", 10), 0);
	CHECKEQ(readlink("l", buf, 4), 4); /* cut, without a word */
	CHECKERR(readlink("l", buf, 0), EINVAL);
	CHECKERR(readlink("l", buf, -1), EINVAL);
	spew("f", "");
	CHECKERR(readlink("f", buf, 10), EINVAL);
	CHECKERR(readlink(".", buf, 10), EINVAL);
	CHECKERR(readlink("no", buf, 10), ENOENT);
	CHECKERR(symlink("x", "l"), EEXIST);
	CHECKERR(symlink("", "m"), ENOENT);
	CHECKERR(symlink("x", ""), ENOENT);
	CHECKERR(symlink("x", "no/m"), ENOENT);
	CHECKERR(symlink("x", "new/"), ENOENT);
	EACH_BAD_OUT(p)
		CHECKERR(readlink("l", p, 10), EFAULT);
	EACH_BAD_IN(p) {
		CHECKERR(readlink(p, buf, 10), EFAULT);
		CHECKERR(symlink(p, "m"), EFAULT);
		CHECKERR(symlink("m", p), EFAULT);
	}
	char longtext[PATH_MAX + 1];
	memset(longtext, 'y', sizeof longtext);
	longtext[PATH_MAX] = 0;
	CHECKERR(symlink(longtext, "m"), ENAMETOOLONG);
}

TEST(symlinks_followed)
{
	struct stat st;

	CHECK(mkdir("d", 0755) == 0);
	spew("d/f", "text");
	CHECK(symlink("d", "l") == 0);
	CHECK(symlink("l/f", "m") == 0);
	CHECK(symlink("../d/f", "d/up") == 0);
	CHECKEQ(strcmp(slurp("l/f"), "text"), 0);
	CHECKEQ(strcmp(slurp("m"), "text"), 0);
	CHECKEQ(strcmp(slurp("l/up"), "text"), 0);
	CHECKEQ(strcmp(slurp("l/../m"), "text"), 0); /* .. of the target */
	CHECK(lstat("l/", &st) == 0);
	CHECK(S_ISDIR(st.st_mode));
	CHECK(chdir("l") == 0);
	CHECK(access("up", F_OK) == 0);
}

TEST(symlink_loop)
{
	char from[8], to[8];

	CHECK(symlink("b", "a") == 0);
	CHECK(symlink("a", "b") == 0);
	CHECK(symlink("self", "self") == 0);
	CHECKERR(open("a", O_RDONLY), ELOOP);
	CHECKERR(open("self", O_RDONLY), ELOOP);
	CHECKERR(open("self/x", O_RDONLY), ELOOP);
	CHECKERR(mkdir("a/x", 0777), ELOOP);
	CHECKERR(chdir("a"), ELOOP);
	CHECKERR(open("a", O_RDWR | O_CREAT, 0666), ELOOP);
	/* A chain of 40 is followed, one of 41 is not. */
	spew("s0", "end");
	for (int i = 1; i <= 41; i++) {
		sprintf(from, "s%d", i);
		sprintf(to, "s%d", i - 1);
		CHECK(symlink(to, from) == 0);
	}
	CHECK(open("s40", O_RDONLY) >= 0);
	CHECKERR(open("s41", O_RDONLY), ELOOP);
}

TEST(rename)
{
	spew("f", "f");
	spew("g", "g");
	ino_t f = ino_of("f");
	CHECK(rename("f", "h") == 0);
	CHECKERR(access("f", F_OK), ENOENT);
	CHECKEQ(ino_of("h"), f);
	CHECK(rename("h", "g") == 0); /* replaces */
	CHECKEQ(ino_of("g"), f);
	CHECKEQ(strcmp(slurp("g"), "f"), 0);
	CHECK(rename("g", "g") == 0);
	CHECK(link("g", "i") == 0);
	CHECK(rename("g", "i") == 0); /* two names of one file: nothing happens */
	CHECKEQ(links_of("g"), 2);
	CHECK(symlink("g", "l") == 0);
	CHECK(rename("l", "m") == 0); /* the link, not the file */
	CHECK(S_ISLNK(mode_of("m")));
}

TEST(rename_open_file)
{
	spew("f", "f");
	spew("g", "g");
	int fd = open("g", O_RDONLY);
	char c;
	CHECK(rename("f", "g") == 0);
	CHECKEQ(read(fd, &c, 1), 1);
	CHECKEQ(c, 'g');
}

TEST(rename_directories)
{
	struct stat st;

	CHECK(mkdir("a", 0755) == 0);
	CHECK(mkdir("a/b", 0755) == 0);
	CHECK(mkdir("a/b/c", 0755) == 0);
	CHECK(mkdir("e", 0755) == 0);
	spew("f", "");
	CHECKERR(rename("a", "a/b"), EINVAL);
	CHECKERR(rename("a", "a/b/c/d"), EINVAL);
	CHECKERR(rename("a/b", "a"), ENOTEMPTY);
	CHECKERR(rename("a", "f"), ENOTDIR);
	CHECKERR(rename("f", "e"), EISDIR);
	CHECKERR(rename("e", "a"), ENOTEMPTY);
	CHECK(rename("a", "e") == 0); /* over an empty one */
	CHECK(access("e/b/c", F_OK) == 0);
	CHECK(rename("e/b", "b") == 0);
	CHECK(stat("b/..", &st) == 0);
	CHECKEQ(st.st_ino, ino_of("."));
	CHECK(rename("b/", "z/") == 0);
	CHECKERR(rename("z", "f/x"), ENOTDIR);
}

TEST(rename_errors)
{
	spew("f", "");
	CHECKERR(rename("no", "x"), ENOENT);
	CHECKERR(rename("f", "no/x"), ENOENT);
	CHECKERR(rename("", "x"), ENOENT);
	CHECKERR(rename("f", ""), ENOENT);
	CHECKERR(rename("f/", "x"), ENOTDIR);
	CHECKERR(rename("f", "x/"), ENOTDIR);
	CHECKERR(rename(".", "x"), EBUSY);
	CHECKERR(rename("..", "x"), EBUSY);
	CHECKERR(rename("f", "."), EBUSY);
	/* EXDEV where this directory is of another file system. */
	CHECK(rename("/", "x") == -1 && (errno == EBUSY || errno == EXDEV));
	CHECKERR(rename(bad_address(1), "x"), EFAULT);
	CHECKERR(rename("f", bad_address(1)), EFAULT);
	char name[300];
	memset(name, 'n', 256);
	name[256] = 0;
	CHECKERR(rename("f", name), ENAMETOOLONG);
}

TEST(renameat2)
{
	spew("f", "f");
	spew("g", "g");
	CHECK(mkdir("d", 0755) == 0);
	CHECK(mkdir("d/e", 0755) == 0);
	CHECKERR(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_NOREPLACE), EEXIST);
	CHECK(renameat2(AT_FDCWD, "f", AT_FDCWD, "h", RENAME_NOREPLACE) == 0);
	CHECK(renameat2(AT_FDCWD, "h", AT_FDCWD, "g", RENAME_EXCHANGE) == 0);
	CHECKEQ(strcmp(slurp("g"), "f"), 0);
	CHECKEQ(strcmp(slurp("h"), "g"), 0);
	CHECK(renameat2(AT_FDCWD, "g", AT_FDCWD, "d", RENAME_EXCHANGE) == 0);
	CHECK(access("g/e", F_OK) == 0);
	CHECKERR(renameat2(AT_FDCWD, "g", AT_FDCWD, "g/e", RENAME_EXCHANGE), EINVAL);
	CHECKERR(renameat2(AT_FDCWD, "h", AT_FDCWD, "no", RENAME_EXCHANGE), ENOENT);
	CHECKERR(renameat2(AT_FDCWD, "h", AT_FDCWD, "g", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
	CHECKERR(renameat2(AT_FDCWD, "h", AT_FDCWD, "g", 0x100), EINVAL);
}

TEST(at_calls)
{
	struct stat st;
	char buf[16];

	CHECK(mkdir("d", 0755) == 0);
	spew("f", "");
	int d = open("d", O_RDONLY | O_DIRECTORY), f = open("f", O_RDONLY);
	int fd = openat(d, "x", O_RDWR | O_CREAT, 0600);
	CHECK(fd >= 0);
	CHECK(access("d/x", F_OK) == 0);
	CHECK(mkdirat(d, "sub", 0700) == 0);
	CHECK(symlinkat("x", d, "l") == 0);
	CHECKEQ(readlinkat(d, "l", buf, 16), 1);
	CHECK(linkat(d, "x", AT_FDCWD, "y", 0) == 0);
	CHECK(renameat(AT_FDCWD, "y", d, "z") == 0);
	CHECK(fstatat(d, "z", &st, 0) == 0);
	CHECKEQ(st.st_nlink, 2);
	CHECK(fchmodat(d, "z", 0604, 0) == 0);
	CHECKEQ(mode_of("d/x"), S_IFREG | 0604);
	CHECK(faccessat(d, "z", R_OK, 0) == 0);
	CHECK(mknodat(d, "p", S_IFIFO | 0666, 0) == 0);
	CHECKEQ(mode_of("d/p"), S_IFIFO | 0644);
	CHECKERR(unlinkat(d, "sub", 0), EISDIR);
	CHECKERR(unlinkat(d, "x", AT_REMOVEDIR), ENOTDIR);
	CHECKERR(unlinkat(d, "x", 0x4000), EINVAL);
	CHECK(unlinkat(d, "sub", AT_REMOVEDIR) == 0);
	CHECK(unlinkat(d, "x", 0) == 0);
	/* Descriptors that are no directory, or none at all. */
	CHECKERR(openat(f, "x", O_RDONLY), ENOTDIR);
	CHECKERR(mkdirat(f, "x", 0777), ENOTDIR);
	CHECKERR(openat(999, "x", O_RDONLY), EBADF);
	CHECKERR(unlinkat(999, "x", 0), EBADF);
	CHECKERR(renameat(999, "x", d, "y"), EBADF);
	/* An absolute path doesn't look at the descriptor. */
	CHECK(openat(999, "/", O_RDONLY) >= 0);
	/* The directory may have a new name, or none. */
	CHECK(rename("d", "e") == 0);
	CHECK(openat(d, "z", O_RDONLY) >= 0);
	CHECK(fchdir(d) == 0);
	CHECK(access("z", F_OK) == 0);
	CHECKERR(fchdir(f), ENOTDIR);
	CHECKERR(fchdir(999), EBADF);
}

TEST(chdir)
{
	spew("f", "");
	CHECKERR(chdir("no"), ENOENT);
	CHECKERR(chdir("f"), ENOTDIR);
	CHECKERR(chdir(""), ENOENT);
	CHECKERR(chdir(bad_address(1)), EFAULT);
	CHECK(mkdir("d", 0755) == 0);
	ino_t here = ino_of(".");
	CHECK(chdir("d/../d/./") == 0);
	CHECKEQ(ino_of(".."), here);
	CHECK(chdir("/") == 0);
	CHECKEQ(ino_of(".."), ino_of("/"));
	IN_CHILD {
		CHECK(chdir("/dev") == 0);
	}
	CHECKEQ(ino_of("."), ino_of("/"));
}

struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t reclen;
	uint8_t type;
	char name[];
};

TEST(getdents)
{
	char name[32], buf[512];
	static char seen[200];
	int dots = 0, total = 0;
	long n;

	for (int i = 0; i < 200; i++) {
		sprintf(name, "file-%d", i);
		spew(name, "");
	}
	int fd = open(".", O_RDONLY | O_DIRECTORY);
	for (int round = 0; round < 2; round++) {
		memset(seen, 0, sizeof seen);
		dots = total = 0;
		while ((n = syscall(SYS_getdents64, fd, buf, sizeof buf)) > 0) {
			for (long at = 0; at < n;) {
				struct entry *e = (void *)(buf + at);
				int i;
				CHECK(e->reclen >= 20 && e->reclen % 8 == 0);
				CHECK(at + e->reclen <= n);
				CHECK(e->ino != 0);
				if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0) {
					dots++;
					CHECK(e->type == DT_DIR || e->type == DT_UNKNOWN);
				} else {
					CHECKEQ(sscanf(e->name, "file-%d", &i), 1);
					CHECKEQ(seen[i], 0);
					seen[i] = 1;
					total++;
					CHECK(e->type == DT_REG || e->type == DT_UNKNOWN);
					CHECKEQ(e->ino, ino_of(e->name));
				}
				at += e->reclen;
			}
		}
		CHECKEQ(n, 0);
		CHECKEQ(dots, 2);
		CHECKEQ(total, 200);
		CHECKEQ(lseek(fd, 0, SEEK_SET), 0);
	}
	CHECKERR(syscall(SYS_getdents64, fd, buf, 1), EINVAL);
	CHECKERR(syscall(SYS_getdents64, 999, buf, 512), EBADF);
	CHECKERR(syscall(SYS_getdents64, open("file-1", O_RDONLY), buf, 512), ENOTDIR);
	CHECKERR(syscall(SYS_getdents64, fd, bad_address(1), 512), EFAULT);
	CHECKERR(syscall(SYS_getdents64, fd, bad_address(0), 512), EFAULT);
}

TEST(readdir_while_removing)
{
	char name[32];
	struct dirent *e;
	int n = 0;

	CHECK(mkdir("d", 0755) == 0);
	for (int i = 0; i < 300; i++) {
		sprintf(name, "d/%d", i);
		spew(name, "");
	}
	DIR *d = opendir("d");
	CHECK(d != NULL);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, sizeof name, "d/%.20s", e->d_name);
		CHECK(unlink(name) == 0);
		n++;
	}
	closedir(d);
	CHECKEQ(n, 300);
	CHECK(rmdir("d") == 0);
}

TEST(telldir)
{
	char first[300], again[300];

	for (char c = 'a'; c <= 'j'; c++)
		spew((char[]){c, 0}, "");
	DIR *d = opendir(".");
	for (int i = 0; i < 5; i++)
		CHECK(readdir(d) != NULL);
	long at = telldir(d);
	strcpy(first, readdir(d)->d_name);
	while (readdir(d) != NULL)
		;
	seekdir(d, at);
	strcpy(again, readdir(d)->d_name);
	CHECKEQ(strcmp(first, again), 0);
	closedir(d);
}

TEST(deep_tree)
{
	/* 60 levels of long names: longer than any path may be. */
	char name[101];

	memset(name, 'd', 100);
	name[100] = 0;
	for (int i = 0; i < 60; i++) {
		CHECK(mkdir(name, 0755) == 0);
		CHECK(chdir(name) == 0);
	}
	spew("f", "bottom");
	char *buf = malloc(8192);
	long n = syscall(SYS_getcwd, buf, 8192);
	CHECK(n > 6000 || (n == -1 && errno == ENAMETOOLONG));
	for (int i = 0; i < 60; i++)
		CHECK(chdir("..") == 0);
	CHECKERR(access("f", F_OK), ENOENT);
}

TEST(mknod)
{
	struct stat st;

	CHECK(mkfifo("p", 0600) == 0);
	CHECKEQ(mode_of("p"), S_IFIFO | 0600);
	CHECKERR(mkfifo("p", 0600), EEXIST);
	CHECK(mknod("r", S_IFREG | 0600, 0) == 0);
	CHECKEQ(mode_of("r"), S_IFREG | 0600);
	CHECK(mknod("r2", 0600, 0) == 0);
	CHECKEQ(mode_of("r2"), S_IFREG | 0600);
	CHECKERR(mknod("d", S_IFDIR | 0700, 0), EPERM);
	CHECKERR(mknod("x", 0170000, 0), EINVAL);
	CHECK(mknod("s", S_IFSOCK | 0600, 0) == 0);
	CHECKERR(open("s", O_RDONLY), ENXIO);
	if (geteuid() == 0 && mknod("null", S_IFCHR | 0666, 0x103) == 0) {
		CHECK(stat("null", &st) == 0);
		CHECKEQ(st.st_rdev, 0x103);
	}
	CHECK(chmod(".", 0777) == 0);
	IN_CHILD {
		drop(NOBODY);
		CHECKERR(mknod("c", S_IFCHR | 0666, 0x103), EPERM);
		CHECK(mkfifo("q", 0600) == 0);
	}
}

TEST(chmod)
{
	spew("f", "");
	CHECK(mkdir("d", 0755) == 0);
	CHECK(chmod("f", 07777) == 0);
	CHECKEQ(mode_of("f"), S_IFREG | 07777);
	CHECK(chmod("f", 0170000 | 0123) == 0); /* only the low 12 bits count */
	CHECKEQ(mode_of("f"), S_IFREG | 0123);
	CHECK(fchmod(open("d", O_RDONLY), 01700) == 0);
	CHECKEQ(mode_of("d"), S_IFDIR | 01700);
	CHECKERR(chmod("no", 0), ENOENT);
	CHECKERR(fchmod(999, 0), EBADF);
	CHECKERR(chmod(bad_address(1), 0), EFAULT);
	CHECK(symlink("f", "l") == 0);
	CHECK(chmod("l", 0600) == 0); /* of the file */
	CHECKEQ(mode_of("f"), S_IFREG | 0600);
	IN_CHILD {
		drop(NOBODY);
		CHECKERR(chmod("f", 0777), EPERM);
	}
}

TEST(chown)
{
	struct stat st;

	if (geteuid() != 0)
		SKIP("needs root");
	spew("f", "");
	CHECK(chmod("f", 06755) == 0);
	CHECK(chown("f", NOBODY, OTHER) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_uid, NOBODY);
	CHECKEQ(st.st_gid, OTHER);
	CHECKEQ(st.st_mode, S_IFREG | 0755); /* set-id bits are gone */
	CHECK(chown("f", -1, NOBODY) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_uid, NOBODY);
	CHECKEQ(st.st_gid, NOBODY);
	CHECK(symlink("f", "l") == 0);
	CHECK(lchown("l", 1, 1) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_uid, NOBODY);
	CHECK(lstat("l", &st) == 0);
	CHECKEQ(st.st_uid, 1);
	CHECK(fchown(open("f", O_RDONLY), NOBODY, OTHER) == 0);
	CHECKERR(chown("no", 1, 1), ENOENT);
	CHECKERR(fchownat(AT_FDCWD, "f", 1, 1, 0x8000), EINVAL);
	IN_CHILD {
		gid_t more[1] = {77};
		CHECK(setgroups(1, more) == 0);
		CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
		CHECKERR(chown("f", OTHER, -1), EPERM); /* can't be given away */
		CHECK(chown("f", NOBODY, NOBODY) == 0);
		CHECK(chown("f", -1, 77) == 0);
		CHECKERR(chown("f", -1, 78), EPERM);
	}
}

TEST(fchmodat2)
{
	const int nr = 452; /* since Linux 6.6 */

	spew("f", "");
	CHECK(symlink("f", "l") == 0);
	int d = open(".", O_RDONLY | O_DIRECTORY), f = open("f", O_PATH);
	if (syscall(nr, d, "f", 0640, 0) < 0 && errno == ENOSYS)
		SKIP("no fchmodat2");
	CHECKEQ(mode_of("f"), S_IFREG | 0640);
	CHECK(syscall(nr, d, "l", 0604, 0) == 0);
	CHECKEQ(mode_of("f"), S_IFREG | 0604);
	CHECK(syscall(nr, d, "f", 0600, AT_SYMLINK_NOFOLLOW) == 0);
	CHECKEQ(mode_of("f"), S_IFREG | 0600);
	CHECKERR(syscall(nr, d, "l", 0644, AT_SYMLINK_NOFOLLOW), EOPNOTSUPP);
	CHECK(syscall(nr, f, "", 0444, AT_EMPTY_PATH) == 0);
	CHECKEQ(mode_of("f"), S_IFREG | 0444);
	CHECKERR(syscall(nr, f, "", 0444, 0), ENOENT);
	CHECKERR(syscall(nr, 999, "", 0444, 0), ENOENT);
	CHECKERR(syscall(nr, 999, "", 0444, AT_EMPTY_PATH), EBADF);
	CHECKERR(syscall(nr, 999, "", 0444, 0x8000), EINVAL);
}

TEST(permissions_file)
{
	if (geteuid() != 0)
		SKIP("needs root");
	spew("f", "x");
	CHECK(chown("f", NOBODY, NOBODY) == 0);
	CHECK(chmod("f", 0) == 0);
	CHECK(open("f", O_RDWR) >= 0); /* root may */
	CHECKERR(access("f", X_OK), EACCES);
	CHECK(access("f", R_OK | W_OK) == 0);
	CHECK(chmod("f", 0407) == 0);
	IN_CHILD { /* the owner's bits count for the owner, the last for others */
		drop(NOBODY);
		CHECK(open("f", O_RDONLY) >= 0);
		CHECKERR(open("f", O_WRONLY), EACCES);
		CHECKERR(open("f", O_RDONLY | O_TRUNC), EACCES);
		CHECKERR(truncate("f", 0), EACCES);
		CHECKERR(access("f", X_OK), EACCES);
		CHECK(access("f", R_OK) == 0);
	}
	IN_CHILD {
		drop(OTHER);
		CHECK(open("f", O_RDWR) >= 0);
		CHECK(access("f", R_OK | W_OK | X_OK) == 0);
		CHECKERR(access("f", 8), EINVAL);
		CHECKERR(access("f", -1), EINVAL);
	}
	IN_CHILD { /* a supplementary group is a group */
		gid_t more[1] = {NOBODY};
		CHECK(setgroups(1, more) == 0);
		CHECK(setgid(OTHER) == 0 && setuid(OTHER) == 0);
		CHECKERR(open("f", O_RDONLY), EACCES);
	}
	CHECK(utimensat(AT_FDCWD, "f", NULL, 0) == 0);
	IN_CHILD {
		drop(OTHER + 1);
		struct timespec ts[2] = {{1, 0}, {1, 0}};
		CHECKERR(utimensat(AT_FDCWD, "f", ts, 0), EPERM);
		CHECK(utimensat(AT_FDCWD, "f", NULL, 0) == 0); /* may write it */
	}
}

TEST(permissions_directory)
{
	if (geteuid() != 0)
		SKIP("needs root");
	CHECK(mkdir("d", 0755) == 0);
	spew("d/f", "x");
	IN_CHILD {
		drop(NOBODY);
		CHECKERR(open("d/new", O_RDWR | O_CREAT, 0666), EACCES);
		CHECKERR(mkdir("d/new", 0777), EACCES);
		CHECKERR(unlink("d/f"), EACCES);
		CHECKERR(rename("d/f", "d/g"), EACCES);
		/* EPERM where files of others can't be linked at all. */
		CHECK(link("d/f", "d/g") == -1 && (errno == EACCES || errno == EPERM));
		CHECKERR(symlink("f", "d/g"), EACCES);
		CHECKERR(unlink("d/no"), ENOENT);
	}
	CHECK(chmod("d", 0744) == 0); /* may be listed, not entered */
	IN_CHILD {
		drop(NOBODY);
		CHECK(opendir("d") != NULL);
		CHECKERR(open("d/f", O_RDONLY), EACCES);
		CHECKERR(open("d/no", O_RDONLY), EACCES);
		CHECKERR(chdir("d"), EACCES);
	}
	CHECK(chmod("d", 0711) == 0); /* may be entered, not listed */
	IN_CHILD {
		drop(NOBODY);
		CHECKERR(open("d", O_RDONLY), EACCES);
		CHECK(open("d/f", O_RDONLY) >= 0);
		CHECK(chdir("d") == 0);
	}
}

TEST(sticky_directory)
{
	if (geteuid() != 0)
		SKIP("needs root");
	CHECK(mkdir("d", 0755) == 0);
	CHECK(chmod("d", 01777) == 0);
	spew("d/root", "");
	IN_CHILD {
		drop(NOBODY);
		spew("d/mine", "");
		CHECKERR(unlink("d/root"), EPERM);
		CHECKERR(rename("d/root", "d/x"), EPERM);
		CHECKERR(rename("d/mine", "d/root"), EPERM);
		CHECK(rename("d/mine", "d/still") == 0);
	}
	IN_CHILD {
		drop(OTHER);
		CHECKERR(unlink("d/still"), EPERM);
	}
	IN_CHILD {
		drop(NOBODY);
		CHECK(unlink("d/still") == 0);
	}
}

TEST(setgid_directory)
{
	struct stat st;

	if (geteuid() != 0)
		SKIP("needs root");
	CHECK(mkdir("d", 0755) == 0);
	CHECK(chown("d", 0, OTHER) == 0);
	CHECK(chmod("d", 02755) == 0);
	spew("d/f", "");
	CHECK(mkdir("d/e", 0700) == 0);
	CHECK(stat("d/f", &st) == 0);
	CHECKEQ(st.st_gid, OTHER);
	CHECK(stat("d/e", &st) == 0);
	CHECKEQ(st.st_gid, OTHER);
	CHECKEQ(st.st_mode, S_IFDIR | 02700); /* handed down */
}

TEST(write_clears_setid)
{
	if (geteuid() != 0)
		SKIP("needs root");
	spew("f", "");
	CHECK(chmod("f", 06777) == 0);
	IN_CHILD {
		drop(NOBODY);
		int fd = open("f", O_WRONLY);
		CHECKEQ(write(fd, "x", 1), 1);
	}
	CHECKEQ(mode_of("f"), S_IFREG | 0777);
}

TEST(access_uses_real_id)
{
	if (geteuid() != 0)
		SKIP("needs root");
	spew("f", "");
	CHECK(chmod("f", 0600) == 0);
	IN_CHILD {
		CHECK(setresuid(NOBODY, 0, 0) == 0);
		CHECK(open("f", O_RDONLY) >= 0);
		CHECKERR(access("f", R_OK), EACCES);
		CHECK(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, AT_EACCESS) == 0);
	}
}

TEST(dir_times)
{
	struct stat before, after;

	CHECK(mkdir("d", 0755) == 0);
	struct timespec ts[2] = {{1000, 0}, {1000, 0}};
	CHECK(utimensat(AT_FDCWD, "d", ts, 0) == 0);
	CHECK(stat("d", &before) == 0);
	CHECKEQ(before.st_mtim.tv_sec, 1000);
	spew("d/f", "");
	CHECK(stat("d", &after) == 0);
	CHECK(after.st_mtim.tv_sec > 1000);
}

TEST(slashes)
{
	spew("f", "x");
	CHECK(mkdir("d", 0755) == 0);
	CHECK(access(".//././f", F_OK) == 0);
	CHECK(access("d/../f", F_OK) == 0);
	CHECKERR(access("f/.", F_OK), ENOTDIR);
	CHECKERR(access("f/..", F_OK), ENOTDIR);
	CHECKERR(access("no/../f", F_OK), ENOENT);
	CHECK(access("d/.//", F_OK) == 0);
	CHECK(access("/../../..", F_OK) == 0);
}

TEST(many_names)
{
	char name[32];

	for (int i = 0; i < 2000; i++) {
		sprintf(name, "%d", i);
		CHECK(mknod(name, S_IFREG | 0644, 0) == 0);
	}
	for (int i = 0; i < 2000; i += 2) {
		sprintf(name, "%d", i);
		CHECK(unlink(name) == 0);
	}
	for (int i = 0; i < 2000; i++) {
		sprintf(name, "%d", i);
		CHECKEQ(access(name, F_OK), i % 2 ? 0 : -1);
	}
}

TEST(racing_names)
{
	/* Four processes make, rename and remove the same names. */
	pid_t pid[4];

	for (int k = 0; k < 4; k++) {
		if ((pid[k] = ct_fork()) == 0) {
			for (int i = 0; i < 300; i++) {
				int fd = open("a", O_RDWR | O_CREAT, 0644);
				CHECK(fd >= 0 || errno == EISDIR);
				close(fd);
				CHECK(rename("a", "b") == 0 || errno == ENOENT || errno == ENOTDIR);
				CHECK(link("b", "c") == 0 || errno == EEXIST || errno == ENOENT);
				CHECK(unlink("b") == 0 || errno == ENOENT);
				CHECK(unlink("c") == 0 || errno == ENOENT);
			}
			_exit(0);
		}
	}
	for (int k = 0; k < 4; k++)
		REAP(pid[k]);
	unlink("a");
	unlink("b");
	unlink("c");
	DIR *d = opendir(".");
	int n = 0;
	while (readdir(d) != NULL)
		n++;
	CHECKEQ(n, 2);
}

/* old_entry is what getdents gives, the call before getdents64. */
struct old_entry {
	uint64_t ino, off;
	uint16_t reclen;
	char name[];
};

TEST(old_calls)
{
	/* Calls that the C library doesn't make any more, but others do. */
	struct stat st;
	char buf[256];
	int p[2];

	CHECKEQ(syscall(SYS_creat, "f", 0644), 3);
	CHECKEQ(syscall(SYS_open, "f", O_RDWR, 0), 4);
	CHECK(syscall(SYS_stat, "f", &st) == 0);
	CHECK(S_ISREG(st.st_mode));
	CHECK(syscall(SYS_fstat, 3, &st) == 0);
	CHECK(syscall(SYS_symlink, "f", "l") == 0);
	CHECK(syscall(SYS_lstat, "l", &st) == 0);
	CHECK(S_ISLNK(st.st_mode));
	CHECKEQ(syscall(SYS_readlink, "l", buf, sizeof buf), 1);
	CHECK(syscall(SYS_access, "f", R_OK) == 0);
	CHECK(syscall(SYS_link, "f", "g") == 0);
	CHECK(syscall(SYS_rename, "g", "h") == 0);
	CHECK(syscall(SYS_unlink, "h") == 0);
	CHECK(syscall(SYS_chmod, "f", 0600) == 0);
	CHECK(syscall(SYS_chown, "f", -1, -1) == 0);
	CHECK(syscall(SYS_lchown, "l", -1, -1) == 0);
	CHECK(syscall(SYS_mkdir, "d", 0755) == 0);
	CHECK(syscall(SYS_rmdir, "d") == 0);
	CHECK(syscall(SYS_mknod, "n", S_IFREG | 0644, 0) == 0);
	CHECK(syscall(SYS_pipe, p) == 0);
	CHECKEQ(p[0], 5);
	CHECKEQ(syscall(SYS_dup2, 3, 20), 20);
	int d = open(".", O_RDONLY), n = 0;
	long len = syscall(SYS_getdents, d, buf, sizeof buf);
	CHECK(len > 0);
	for (long at = 0; at < len; n++) {
		struct old_entry *e = (void *)(buf + at);
		int type = buf[at + e->reclen - 1]; /* it is in the last byte */
		if (strcmp(e->name, "f") == 0)
			CHECK(type == DT_REG || type == DT_UNKNOWN);
		at += e->reclen;
	}
	CHECKEQ(n, 5);
	CHECKEQ(lseek(d, 0, SEEK_SET), 0);
	CHECKERR(syscall(SYS_getdents, d, bad_address(1), 100), EFAULT);
}

TEST(old_time_calls)
{
	struct { long access, modify; } u = {1000, 2000};
	struct timeval { long sec, usec; } tv[2] = {{3000, 1}, {4000, 2}};
	struct stat st;

	spew("f", "");
	CHECK(syscall(SYS_utime, "f", &u) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_atim.tv_sec, 1000);
	CHECKEQ(st.st_mtim.tv_sec, 2000);
	CHECK(syscall(SYS_utimes, "f", tv) == 0);
	CHECK(stat("f", &st) == 0);
	CHECKEQ(st.st_mtim.tv_sec, 4000);
	CHECKEQ(st.st_mtim.tv_nsec, 2000);
	CHECK(syscall(SYS_futimesat, AT_FDCWD, "f", NULL) == 0);
	CHECK(stat("f", &st) == 0);
	CHECK(st.st_mtim.tv_sec > 4000);
	tv[0].usec = 1000000;
	CHECKERR(syscall(SYS_utimes, "f", tv), EINVAL);
	CHECKERR(syscall(SYS_utime, "no", NULL), ENOENT);
	CHECKERR(syscall(SYS_utimes, "f", bad_address(1)), EFAULT);
	CHECKERR(syscall(SYS_utime, "f", bad_address(1)), EFAULT);
}
