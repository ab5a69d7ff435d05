package unionfs

import (
	"os"
	"runtime"
	"sort"
	"syscall"
	"testing"
	"unsafe"

	"mult/kern/abi"
)

// host is the host's file system, seen by a thread that has a directory as its
// root. All of its methods run on the goroutine that made it.
type host struct{}

// onHost runs f on a thread of its own whose root is dir, which ends with it.
func onHost(t *testing.T, dir string, f func(h host)) {
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	done := make(chan string)
	go func() {
		runtime.LockOSThread() // for ever: the thread ends with the goroutine
		msg := ""
		defer func() { done <- msg }()
		if err := syscall.Unshare(syscall.CLONE_FS); err != nil {
			msg = "unshare: " + err.Error()
			return
		}
		if err := syscall.Chroot(dir); err != nil {
			msg = "chroot: " + err.Error()
			return
		}
		syscall.Chdir("/")
		syscall.Umask(0o022)
		syscall.RawSyscall(syscall.SYS_SETGROUPS, 0, 0, 0)
		f(host{})
	}()
	if msg := <-done; msg != "" {
		t.Skip(msg)
	}
}

func (host) as(uid, gid uint32) {
	syscall.RawSyscall(syscall.SYS_SETFSUID, 0, 0, 0)
	syscall.RawSyscall(syscall.SYS_SETFSGID, uintptr(gid), 0, 0)
	syscall.RawSyscall(syscall.SYS_SETFSUID, uintptr(uid), 0, 0)
}

func at(fd int) uintptr { return uintptr(fd) }

func num(e syscall.Errno) int { return int(e) }

func call6(n, a, b, c, d, e, f uintptr) (int, int) {
	r, _, err := syscall.Syscall6(n, a, b, c, d, e, f)
	if err != 0 {
		return -1, num(err)
	}
	return int(r), 0
}

// str calls f with a C string that stays where it is.
func str(s string, f func(p uintptr) (int, int)) (int, int) {
	b := append([]byte(s), 0)
	r, e := f(uintptr(unsafe.Pointer(&b[0])))
	runtime.KeepAlive(b)
	return r, e
}

func (host) open(dir int, path string, flags int, mode uint32) (int, int) {
	return str(path, func(p uintptr) (int, int) {
		return call6(syscall.SYS_OPENAT, at(dir), p, uintptr(flags), uintptr(mode), 0, 0)
	})
}
func (host) close(fd int) { syscall.Close(fd) }

func (host) pwrite(fd int, b []byte, off int64) (int, int) {
	n, err := syscall.Pwrite(fd, b, off)
	return n, errOf(err)
}
func (host) pread(fd int, b []byte, off int64) (int, int) {
	n, err := syscall.Pread(fd, b, off)
	return n, errOf(err)
}

func errOf(err error) int {
	if err == nil {
		return 0
	}
	return num(err.(syscall.Errno))
}

func (host) mkdir(dir int, path string, mode uint32) int {
	_, e := str(path, func(p uintptr) (int, int) {
		return call6(syscall.SYS_MKDIRAT, at(dir), p, uintptr(mode), 0, 0, 0)
	})
	return e
}
func (host) mknod(dir int, path string, mode uint32, dev int) int {
	_, e := str(path, func(p uintptr) (int, int) {
		return call6(syscall.SYS_MKNODAT, at(dir), p, uintptr(mode), uintptr(dev), 0, 0)
	})
	return e
}
func (host) unlink(dir int, path string, flags int) int {
	_, e := str(path, func(p uintptr) (int, int) {
		return call6(syscall.SYS_UNLINKAT, at(dir), p, uintptr(flags), 0, 0, 0)
	})
	return e
}
func (host) rename(d1 int, old string, d2 int, new string, flags int) int {
	_, e := str(old, func(p uintptr) (int, int) {
		return str(new, func(q uintptr) (int, int) {
			return call6(316, at(d1), p, at(d2), q, uintptr(flags), 0)
		})
	})
	return e
}
func (host) link(d1 int, old string, d2 int, new string, flags int) int {
	_, e := str(old, func(p uintptr) (int, int) {
		return str(new, func(q uintptr) (int, int) {
			return call6(syscall.SYS_LINKAT, at(d1), p, at(d2), q, uintptr(flags), 0)
		})
	})
	return e
}
func (host) symlink(target string, dir int, path string) int {
	_, e := str(target, func(p uintptr) (int, int) {
		return str(path, func(q uintptr) (int, int) {
			return call6(syscall.SYS_SYMLINKAT, p, at(dir), q, 0, 0, 0)
		})
	})
	return e
}
func (host) readlink(dir int, path string) (string, int) {
	b := make([]byte, 5000)
	n, e := str(path, func(p uintptr) (int, int) {
		return call6(syscall.SYS_READLINKAT, at(dir), p, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)), 0, 0)
	})
	runtime.KeepAlive(b)
	if e != 0 {
		return "", e
	}
	return string(b[:n]), 0
}
func (host) stat(dir int, path string, flags int) (abi.Stat, int) {
	var s syscall.Stat_t
	_, e := str(path, func(p uintptr) (int, int) {
		return call6(syscall.SYS_NEWFSTATAT, at(dir), p, uintptr(unsafe.Pointer(&s)), uintptr(flags), 0, 0)
	})
	return abi.Stat{Ino: s.Ino, Nlink: s.Nlink, Mode: s.Mode, UID: s.Uid, GID: s.Gid, Rdev: s.Rdev, Size: s.Size}, e
}
func (host) truncate(path string, size int64) int {
	return errOf(syscall.Truncate(path, size))
}
func (host) ftruncate(fd int, size int64) int { return errOf(syscall.Ftruncate(fd, size)) }
func (host) fallocate(fd int, mode uint32, off, n int64) int {
	return errOf(syscall.Fallocate(fd, mode, off, n))
}
func (host) chmod(dir int, path string, mode uint32) int {
	_, e := str(path, func(p uintptr) (int, int) {
		return call6(syscall.SYS_FCHMODAT, at(dir), p, uintptr(mode), 0, 0, 0)
	})
	return e
}
func (host) chown(dir int, path string, uid, gid uint32, flags int) int {
	_, e := str(path, func(p uintptr) (int, int) {
		return call6(syscall.SYS_FCHOWNAT, at(dir), p, uintptr(uid), uintptr(gid), uintptr(flags), 0)
	})
	return e
}
func (host) access(dir int, path string, mode uint32) int {
	_, e := str(path, func(p uintptr) (int, int) {
		return call6(439, at(dir), p, uintptr(mode), abi.AT_EACCESS, 0, 0)
	})
	return e
}
func (host) chdir(path string) int { return errOf(syscall.Chdir(path)) }
func (host) fchdir(fd int) int     { return errOf(syscall.Fchdir(fd)) }
func (host) seek(fd int, off int64, whence int) (int64, int) {
	n, err := syscall.Seek(fd, off, whence)
	return n, errOf(err)
}
func (host) getcwd() (string, int) {
	b := make([]byte, 5000)
	n, err := syscall.Getcwd(b)
	if err != nil {
		return "", errOf(err)
	}
	return string(b[:n-1]), 0
}

// names returns the sorted names of an open directory.
func (host) names(fd int) ([]string, int) {
	syscall.Seek(fd, 0, 0)
	var names []string
	b := make([]byte, 8192)
	for {
		n, err := syscall.ReadDirent(fd, b)
		if err != nil {
			return nil, errOf(err)
		}
		if n == 0 {
			break
		}
		_, _, names = syscall.ParseDirent(b[:n], -1, names)
	}
	sort.Strings(names)
	return names, 0
}
