package linux

import (
	"path"

	"mult/fs/vfs"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// pathMax is PATH_MAX: with the zero byte.
const pathMax = 4096

// getPath returns a path that may be kept.
func getPath(t *proc.Thread, from vm.Addr) (string, error) {
	return t.Space().CopyInString(from, pathMax)
}

// borrowPath returns a path for this call: what is kept of it is copied.
func borrowPath(t *proc.Thread, from vm.Addr) (string, error) {
	return t.Space().CopyInShort(from, pathMax, &t.Paths)
}

// known returns EINVAL for flags other than those in all.
func known(flags, all int) error {
	if flags&^all != 0 {
		return errno.EINVAL
	}
	return nil
}

// at calls f with a directory and a path that isn't empty: those of the *at
// calls, or, with fd AT_FDCWD, of the older ones.
func at(t *proc.Thread, fd int, path vm.Addr, f func(c *vfs.Caller, dir *file.File, path string) error) error {
	return atFlags(t, fd, path, 0, f)
}

// atFlags is at for a path that may be empty, with AT_EMPTY_PATH in flags. Else
// that is ENOENT, whatever the descriptor is.
func atFlags(t *proc.Thread, fd int, path vm.Addr, flags int, f func(c *vfs.Caller, dir *file.File, path string) error) error {
	p, err := borrowPath(t, path)
	if err != nil {
		return err
	}
	if p == "" && flags&abi.AT_EMPTY_PATH == 0 {
		return errno.ENOENT
	}
	return atPath(t, fd, p, f)
}

// atPath is at for a path that is known.
func atPath(t *proc.Thread, fd int, p string, f func(c *vfs.Caller, dir *file.File, path string) error) error {
	if fd == abi.AT_FDCWD || p != "" && p[0] == '/' { // the descriptor isn't looked at
		return f(vfs.Borrow(t), nil, p)
	}
	dir, err := file.Of(t.Proc).GetPath(fd)
	if err != nil {
		return err
	}
	defer dir.Release()
	return f(vfs.Borrow(t), dir, p)
}

// onFile calls f with an open file in the place of a directory.
func onFile(t *proc.Thread, fd int, f func(c *vfs.Caller, fl *file.File) error) error {
	fl, err := file.Of(t.Proc).Get(fd)
	if err != nil {
		return err
	}
	defer fl.Release()
	return f(vfs.Borrow(t), fl)
}

// open has its descriptor before it looks for the file, as on Linux: with none
// left, nothing is made or truncated.
func open(t *proc.Thread, fd int, path vm.Addr, flags, mode uint32) (uintptr, error) {
	p, err := borrowPath(t, path)
	if err != nil {
		return 0, err
	}
	if p == "" {
		return 0, errno.ENOENT
	}
	return newFile(t, flags&abi.O_CLOEXEC != 0, func() (f *file.File, err error) {
		err = atPath(t, fd, p, func(c *vfs.Caller, dir *file.File, path string) error {
			f, err = c.Open(dir, path, int(flags)|abi.O_LARGEFILE, mode)
			return err
		})
		return f, err
	})
}

// newFile returns a new descriptor of the file that open returns.
func newFile(t *proc.Thread, cloexec bool, open func() (*file.File, error)) (uintptr, error) {
	tb := file.Of(t.Proc)
	fd, err := tb.Reserve(t, 0, cloexec)
	if err != nil {
		return 0, err
	}
	f, err := open()
	if err != nil {
		tb.Cancel(fd)
		return 0, err
	}
	tb.Install(fd, f)
	return uintptr(fd), nil
}

func sysOpen(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return open(t, abi.AT_FDCWD, a.Addr(0), a.Uint(1), a.Uint(2))
}

func sysCreat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return open(t, abi.AT_FDCWD, a.Addr(0), abi.O_CREAT|abi.O_WRONLY|abi.O_TRUNC, a.Uint(1))
}

func sysOpenat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return open(t, a.Int(0), a.Addr(1), a.Uint(2), a.Uint(3))
}

// syncType are flags that say how old what stat tells may be, which makes no
// difference here.
const syncType = 0x6000

func stat(t *proc.Thread, fd int, path, to vm.Addr, flags int) (uintptr, error) {
	flags &^= syncType
	if err := known(flags, vfs.StatFlags); err != nil {
		return 0, err
	}
	return 0, atFlags(t, fd, path, flags, func(c *vfs.Caller, dir *file.File, path string) error {
		if path == "" {
			st, err := c.Stat(dir, path, flags) // perhaps of a file without a vnode
			if err != nil {
				return err
			}
			return putStat(t, to, &st)
		}
		l, err := c.Resolve(dir, path, flags)
		if err != nil {
			return err
		}
		st := l.Stat()
		l.Release()
		return putStat(t, to, &st)
	})
}

func sysStat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return stat(t, abi.AT_FDCWD, a.Addr(0), a.Addr(1), 0)
}

func sysLstat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return stat(t, abi.AT_FDCWD, a.Addr(0), a.Addr(1), abi.AT_SYMLINK_NOFOLLOW)
}

func sysNewfstatat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return stat(t, a.Int(0), a.Addr(1), a.Addr(2), a.Int(3))
}

func access(t *proc.Thread, fd int, path vm.Addr, mode uint32, flags int) (uintptr, error) {
	if mode&^vfs.AccessModes != 0 || flags&^vfs.AccessFlags != 0 {
		return 0, errno.EINVAL
	}
	return 0, atFlags(t, fd, path, flags, func(c *vfs.Caller, dir *file.File, path string) error {
		return c.Access(dir, path, mode, flags)
	})
}

func sysAccess(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return access(t, abi.AT_FDCWD, a.Addr(0), a.Uint(1), 0)
}

func sysFaccessat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return access(t, a.Int(0), a.Addr(1), a.Uint(2), 0)
}

func sysFaccessat2(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return access(t, a.Int(0), a.Addr(1), a.Uint(2), a.Int(3))
}

func readlink(t *proc.Thread, fd int, path, to vm.Addr, size int) (n uintptr, err error) {
	if size <= 0 {
		return 0, errno.EINVAL
	}
	err = atFlags(t, fd, path, abi.AT_EMPTY_PATH, func(c *vfs.Caller, dir *file.File, path string) error {
		target, err := c.Readlink(dir, path)
		if err != nil {
			return err
		}
		b := []byte(target[:min(len(target), size)])
		n = uintptr(len(b))
		return t.Space().CopyOut(to, b)
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}

func sysReadlink(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return readlink(t, abi.AT_FDCWD, a.Addr(0), a.Addr(1), a.Int(2))
}

func sysReadlinkat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return readlink(t, a.Int(0), a.Addr(1), a.Addr(2), a.Int(3))
}

func mkdir(t *proc.Thread, fd int, path vm.Addr, mode uint32) (uintptr, error) {
	return 0, at(t, fd, path, func(c *vfs.Caller, dir *file.File, path string) error {
		return c.Mkdir(dir, path, mode)
	})
}

func sysMkdir(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return mkdir(t, abi.AT_FDCWD, a.Addr(0), a.Uint(1))
}

func sysMkdirat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return mkdir(t, a.Int(0), a.Addr(1), a.Uint(2))
}

func mknod(t *proc.Thread, fd int, path vm.Addr, mode, dev uint32) (uintptr, error) {
	switch mode & abi.S_IFMT {
	case 0, abi.S_IFREG, abi.S_IFCHR, abi.S_IFBLK, abi.S_IFIFO, abi.S_IFSOCK:
	case abi.S_IFDIR:
		return 0, errno.EPERM
	default:
		return 0, errno.EINVAL
	}
	return 0, at(t, fd, path, func(c *vfs.Caller, dir *file.File, path string) error {
		return c.Mknod(dir, path, mode, uint64(dev))
	})
}

func sysMknod(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return mknod(t, abi.AT_FDCWD, a.Addr(0), a.Uint(1), a.Uint(2))
}

func sysMknodat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return mknod(t, a.Int(0), a.Addr(1), a.Uint(2), a.Uint(3))
}

func unlink(t *proc.Thread, fd int, path vm.Addr, flags int) (uintptr, error) {
	if err := known(flags, vfs.UnlinkFlags); err != nil {
		return 0, err
	}
	return 0, at(t, fd, path, func(c *vfs.Caller, dir *file.File, path string) error {
		return c.Unlink(dir, path, flags)
	})
}

func sysUnlink(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return unlink(t, abi.AT_FDCWD, a.Addr(0), 0)
}

func sysRmdir(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return unlink(t, abi.AT_FDCWD, a.Addr(0), abi.AT_REMOVEDIR)
}

func sysUnlinkat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return unlink(t, a.Int(0), a.Addr(1), a.Int(2))
}

func symlink(t *proc.Thread, target vm.Addr, fd int, path vm.Addr) (uintptr, error) {
	to, err := getPath(t, target)
	if err != nil {
		return 0, err
	}
	if to == "" {
		return 0, errno.ENOENT
	}
	return 0, at(t, fd, path, func(c *vfs.Caller, dir *file.File, path string) error {
		return c.Symlink(to, dir, path)
	})
}

func sysSymlink(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return symlink(t, a.Addr(0), abi.AT_FDCWD, a.Addr(1))
}

func sysSymlinkat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return symlink(t, a.Addr(0), a.Int(1), a.Addr(2))
}

// two calls f with two directories and paths. flags are about the first.
func two(t *proc.Thread, fd1 int, path1 vm.Addr, fd2 int, path2 vm.Addr, flags int,
	f func(c *vfs.Caller, dir1 *file.File, path1 string, dir2 *file.File, path2 string) error) (uintptr, error) {
	return 0, atFlags(t, fd1, path1, flags, func(_ *vfs.Caller, dir1 *file.File, path1 string) error {
		return at(t, fd2, path2, func(c *vfs.Caller, dir2 *file.File, path2 string) error {
			return f(c, dir1, path1, dir2, path2)
		})
	})
}

func link(t *proc.Thread, fd1 int, path1 vm.Addr, fd2 int, path2 vm.Addr, flags int) (uintptr, error) {
	if err := known(flags, vfs.LinkFlags); err != nil {
		return 0, err
	}
	return two(t, fd1, path1, fd2, path2, flags,
		func(c *vfs.Caller, dir1 *file.File, path1 string, dir2 *file.File, path2 string) error {
			return c.Link(dir1, path1, dir2, path2, flags)
		})
}

func sysLink(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return link(t, abi.AT_FDCWD, a.Addr(0), abi.AT_FDCWD, a.Addr(1), 0)
}

func sysLinkat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return link(t, a.Int(0), a.Addr(1), a.Int(2), a.Addr(3), a.Int(4))
}

func rename(t *proc.Thread, fd1 int, path1 vm.Addr, fd2 int, path2 vm.Addr, flags int) (uintptr, error) {
	if flags&^vfs.RenameFlags != 0 || flags == vfs.RenameFlags {
		return 0, errno.EINVAL
	}
	return two(t, fd1, path1, fd2, path2, 0,
		func(c *vfs.Caller, dir1 *file.File, path1 string, dir2 *file.File, path2 string) error {
			return c.Rename(dir1, path1, dir2, path2, flags)
		})
}

func sysRename(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return rename(t, abi.AT_FDCWD, a.Addr(0), abi.AT_FDCWD, a.Addr(1), 0)
}

func sysRenameat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return rename(t, a.Int(0), a.Addr(1), a.Int(2), a.Addr(3), 0)
}

func sysRenameat2(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return rename(t, a.Int(0), a.Addr(1), a.Int(2), a.Addr(3), a.Int(4))
}

func chmod(t *proc.Thread, fd int, path vm.Addr, mode uint32, flags int) (uintptr, error) {
	if err := known(flags, vfs.AttrFlags); err != nil {
		return 0, err
	}
	return 0, atFlags(t, fd, path, flags, func(c *vfs.Caller, dir *file.File, path string) error {
		return c.Chmod(dir, path, mode, flags)
	})
}

func sysChmod(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return chmod(t, abi.AT_FDCWD, a.Addr(0), a.Uint(1), 0)
}

func sysFchmodat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return chmod(t, a.Int(0), a.Addr(1), a.Uint(2), 0)
}

func sysFchmodat2(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return chmod(t, a.Int(0), a.Addr(1), a.Uint(2), a.Int(3))
}

func sysFchmod(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, onFile(t, a.Int(0), func(c *vfs.Caller, f *file.File) error {
		return c.Chmod(f, "", a.Uint(1), abi.AT_EMPTY_PATH)
	})
}

func chown(t *proc.Thread, fd int, path vm.Addr, uid, gid uint32, flags int) (uintptr, error) {
	if err := known(flags, vfs.AttrFlags); err != nil {
		return 0, err
	}
	return 0, atFlags(t, fd, path, flags, func(c *vfs.Caller, dir *file.File, path string) error {
		return c.Chown(dir, path, uid, gid, flags)
	})
}

func sysChown(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return chown(t, abi.AT_FDCWD, a.Addr(0), a.Uint(1), a.Uint(2), 0)
}

func sysLchown(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return chown(t, abi.AT_FDCWD, a.Addr(0), a.Uint(1), a.Uint(2), abi.AT_SYMLINK_NOFOLLOW)
}

func sysFchownat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return chown(t, a.Int(0), a.Addr(1), a.Uint(2), a.Uint(3), a.Int(4))
}

func sysFchown(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, onFile(t, a.Int(0), func(c *vfs.Caller, f *file.File) error {
		return c.Chown(f, "", a.Uint(1), a.Uint(2), abi.AT_EMPTY_PATH)
	})
}

// sysUtimensat implements utimensat(2): (dir int, path, times *[2]timespec, flags int).
func sysUtimensat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	var times *[2]abi.Timespec
	if a[2] != 0 {
		var b [2 * abi.TimespecSize]byte
		if err := t.Space().CopyIn(b[:], a.Addr(2)); err != nil {
			return 0, err
		}
		times = new([2]abi.Timespec)
		times[0].Decode(b[:])
		times[1].Decode(b[abi.TimespecSize:])
		if times[0].Nsec == vfs.UTIME_OMIT && times[1].Nsec == vfs.UTIME_OMIT {
			return 0, nil // nothing else is looked at
		}
	}
	return 0, setTimes(t, a.Int(0), a.Addr(1), times, a.Int(3))
}

// setTimes sets the times of a file. A path of 0 means that of the descriptor:
// futimens(3).
func setTimes(t *proc.Thread, fd int, path vm.Addr, times *[2]abi.Timespec, flags int) error {
	if path == 0 && fd != abi.AT_FDCWD {
		if flags != 0 {
			return errno.EINVAL
		}
		return onFile(t, fd, func(c *vfs.Caller, f *file.File) error {
			return c.Utimes(f, "", times, abi.AT_EMPTY_PATH)
		})
	}
	if err := known(flags, vfs.AttrFlags); err != nil {
		return err
	}
	return atFlags(t, fd, path, flags, func(c *vfs.Caller, dir *file.File, path string) error {
		return c.Utimes(dir, path, times, flags)
	})
}

// utimes implements utimes(2) and futimesat(2): times *[2]timeval.
func utimes(t *proc.Thread, fd int, path, from vm.Addr) (uintptr, error) {
	var times *[2]abi.Timespec
	if from != 0 {
		times = new([2]abi.Timespec)
		var b [2 * abi.TimespecSize]byte
		if err := t.Space().CopyIn(b[:], from); err != nil {
			return 0, err
		}
		for i := range times {
			times[i].Decode(b[i*abi.TimespecSize:])
			if times[i].Nsec < 0 || times[i].Nsec >= 1e6 {
				return 0, errno.EINVAL
			}
			times[i].Nsec *= 1000
		}
	}
	return 0, setTimes(t, fd, path, times, 0)
}

func sysUtimes(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return utimes(t, abi.AT_FDCWD, a.Addr(0), a.Addr(1))
}

// sysUtime implements utime(2): (path, times *struct{access, change int64}).
func sysUtime(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	var times *[2]abi.Timespec
	if a[1] != 0 {
		times = new([2]abi.Timespec)
		for i := range times {
			s, err := getUint64(t, a.Addr(1)+vm.Addr(8*i))
			if err != nil {
				return 0, err
			}
			times[i].Sec = int64(s)
		}
	}
	return 0, setTimes(t, abi.AT_FDCWD, a.Addr(0), times, 0)
}

func sysFutimesat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return utimes(t, a.Int(0), a.Addr(1), a.Addr(2))
}

func sysTruncate(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Long(1) < 0 { // whatever the path is
		return 0, errno.EINVAL
	}
	p, err := getPath(t, a.Addr(0))
	if err != nil {
		return 0, err
	}
	return 0, vfs.For(t).Truncate(p, a.Long(1))
}

func putStatfs(t *proc.Thread, to vm.Addr, s *abi.Statfs) error {
	var b [abi.StatfsSize]byte
	s.Encode(b[:])
	return t.Space().CopyOut(to, b[:])
}

func sysStatfs(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	p, err := getPath(t, a.Addr(0))
	if err != nil {
		return 0, err
	}
	if p == "" {
		return 0, errno.ENOENT
	}
	s, err := vfs.For(t).Statfs(nil, p)
	if err != nil {
		return 0, err
	}
	return 0, putStatfs(t, a.Addr(1), &s)
}

// anonFSMagic is the type of the file system where what has no name is.
const anonFSMagic = 0x09041934

func sysFstatfs(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	f, err := file.Of(t.Proc).GetPath(a.Int(0))
	if err != nil {
		return 0, err
	}
	defer f.Release()
	s := abi.Statfs{Type: anonFSMagic, Bsize: vm.PageSize, Frsize: vm.PageSize, Namelen: abi.NAME_MAX}
	if _, ok := vfs.LocOf(f); ok {
		if s, err = vfs.For(t).Statfs(f, ""); err != nil {
			return 0, err
		}
	}
	return 0, putStatfs(t, a.Addr(1), &s)
}

func sysChdir(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	p, err := getPath(t, a.Addr(0))
	if err != nil {
		return 0, err
	}
	if p == "" {
		return 0, errno.ENOENT
	}
	return 0, vfs.For(t).Chdir(nil, p)
}

func sysFchdir(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	dir, err := file.Of(t.Proc).GetPath(a.Int(0))
	if err != nil {
		return 0, err
	}
	defer dir.Release()
	return 0, vfs.For(t).Chdir(dir, "")
}

func sysChroot(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	p, err := getPath(t, a.Addr(0))
	if err != nil {
		return 0, err
	}
	return 0, vfs.For(t).Chroot(p)
}

// sysGetcwd implements getcwd(2): (buf, size). It returns the length with the
// zero byte.
func sysGetcwd(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	s, err := vfs.For(t).Getcwd()
	if err != nil {
		return 0, err
	}
	n := len(s) + 1
	if n > pathMax {
		return 0, errno.ENAMETOOLONG
	}
	if uint64(n) > a.Size(1) {
		return 0, errno.ERANGE
	}
	b := make([]byte, n)
	copy(b, s)
	return uintptr(n), t.Space().CopyOut(a.Addr(0), b)
}

func sysUmask(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return uintptr(vfs.StateOf(t.Proc).SetUmask(a.Uint(0))), nil
}

func baseName(p string) string { return path.Base(p) }
