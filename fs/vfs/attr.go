package vfs

import (
	"time"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// Flags that the calls of a Caller know; EINVAL for others. Who calls for a
// program refuses them before it reads the path, as Linux does.
const (
	StatFlags   = abi.AT_SYMLINK_NOFOLLOW | abi.AT_NO_AUTOMOUNT | abi.AT_EMPTY_PATH
	AccessFlags = abi.AT_EACCESS | abi.AT_SYMLINK_NOFOLLOW | abi.AT_EMPTY_PATH
	AccessModes = mayRead | mayWrite | mayExec
	AttrFlags   = abi.AT_SYMLINK_NOFOLLOW | abi.AT_EMPTY_PATH // Chmod, Chown, Utimes
	LinkFlags   = abi.AT_SYMLINK_FOLLOW | abi.AT_EMPTY_PATH
	UnlinkFlags = abi.AT_REMOVEDIR
	RenameFlags = RENAME_NOREPLACE | RENAME_EXCHANGE // not both
)

// walkFlags translates AT_* flags.
func walkFlags(at int) int {
	f := follow
	if at&abi.AT_SYMLINK_NOFOLLOW != 0 {
		f = 0
	}
	if at&abi.AT_EMPTY_PATH != 0 {
		f |= emptyPath
	}
	return f
}

// with calls f with the file that path leads to.
func (c *Caller) with(dir *file.File, path string, at int, f func(l Loc) error) error {
	l, err := c.Resolve(dir, path, at)
	if err != nil {
		return err
	}
	defer l.Release()
	return f(l)
}

// Stat returns what stat(2) tells about l.
func (l Loc) Stat() abi.Stat {
	s := l.Node.Attr()
	s.Dev, s.Mount = l.Mount.Super.Dev, l.Mount.ID
	return s
}

// Stat is fstatat(2).
func (c *Caller) Stat(dir *file.File, path string, flags int) (s abi.Stat, err error) {
	if flags&^StatFlags != 0 {
		return s, errno.EINVAL
	}
	if path == "" && dir != nil && flags&abi.AT_EMPTY_PATH != 0 {
		return dir.Stat(c.Thread) // any open file
	}
	l, err := c.Resolve(dir, path, flags)
	if err != nil {
		return s, err
	}
	s = l.Stat()
	l.Release()
	return s, nil
}

// Readlink is readlinkat(2).
func (c *Caller) Readlink(dir *file.File, path string) (target string, err error) {
	at := abi.AT_SYMLINK_NOFOLLOW
	if path == "" && dir != nil {
		at |= abi.AT_EMPTY_PATH
	}
	err = c.with(dir, path, at, func(l Loc) error {
		k, ok := l.Node.(Link)
		if !ok || typeOf(l.Node) != abi.S_IFLNK {
			if path == "" {
				return errno.ENOENT
			}
			return errno.EINVAL
		}
		target, err = k.Readlink(c)
		return err
	})
	return target, err
}

// Access is faccessat2(2).
func (c *Caller) Access(dir *file.File, path string, mode uint32, flags int) error {
	if mode&^AccessModes != 0 || flags&^AccessFlags != 0 {
		return errno.EINVAL
	}
	asked := *c
	if flags&abi.AT_EACCESS == 0 {
		cred := *c.Cred
		cred.FSUID, cred.FSGID = cred.UID, cred.GID
		cred.Effective = 0
		if cred.UID == 0 {
			cred.Effective = cred.Permitted
		}
		asked.Cred = &cred
	}
	return asked.with(dir, path, flags, func(l Loc) error {
		if mode == 0 {
			return nil
		}
		if mode&mayExec != 0 && typeOf(l.Node) == abi.S_IFREG && l.Mount.Flags()&MS_NOEXEC != 0 {
			return errno.EACCES
		}
		return asked.mayAt(l, mode)
	})
}

// Chmod is fchmodat(2), and fchmod(2) with an empty path and AT_EMPTY_PATH.
func (c *Caller) Chmod(dir *file.File, path string, mode uint32, flags int) error {
	if flags&^AttrFlags != 0 {
		return errno.EINVAL
	}
	return c.with(dir, path, flags, func(l Loc) error {
		if l.Mount.readOnly() {
			return errno.EROFS
		}
		if typeOf(l.Node) == abi.S_IFLNK {
			return errno.EOPNOTSUPP
		}
		if !c.owns(l.Node) {
			return errno.EPERM
		}
		_, _, gid := l.Node.Access()
		mode &= 0o7777
		if !c.Cred.InGroup(gid) && !c.Cred.Has(proc.CAP_FSETID) {
			mode &^= abi.S_ISGID
		}
		return l.Node.SetAttr(&SetAttr{Mask: SetMode, Mode: mode})
	})
}

// KeepID is the owner or group that Chown leaves as it is.
const KeepID = ^uint32(0)

// Chown is fchownat(2), and fchown(2) with an empty path and AT_EMPTY_PATH.
func (c *Caller) Chown(dir *file.File, path string, uid, gid uint32, flags int) error {
	if flags&^AttrFlags != 0 {
		return errno.EINVAL
	}
	return c.with(dir, path, flags, func(l Loc) error {
		if l.Mount.readOnly() {
			return errno.EROFS
		}
		mode, oldUID, oldGID := l.Node.Access()
		owner := c.Cred.FSUID == oldUID
		can := c.Cred.Has(proc.CAP_CHOWN)
		set := &SetAttr{UID: uid, GID: gid}
		if uid != KeepID {
			if !can && !(owner && uid == oldUID) {
				return errno.EPERM
			}
			set.Mask |= SetUID
		}
		if gid != KeepID {
			if !can && !(owner && (gid == oldGID || c.Cred.InGroup(gid))) {
				return errno.EPERM
			}
			set.Mask |= SetGID
		}
		if mode&abi.S_IFMT != abi.S_IFDIR {
			less := withoutPrivileges(mode)
			if less&abi.S_ISGID != 0 && !c.Cred.InGroup(oldGID) && !c.Cred.Has(proc.CAP_FSETID) {
				less &^= abi.S_ISGID
			}
			if less != mode {
				if set.Mask == 0 && !c.owns(l.Node) {
					return errno.EPERM
				}
				set.Mask |= SetMode
				set.Mode = less & 0o7777
			}
		}
		return l.Node.SetAttr(set)
	})
}

// Special nanoseconds of utimensat(2).
const (
	UTIME_NOW  = 1<<30 - 1
	UTIME_OMIT = 1<<30 - 2
)

// Now returns the time that files are stamped with.
func Now() abi.Timespec {
	t := time.Now()
	return abi.Timespec{Sec: t.Unix(), Nsec: int64(t.Nanosecond())}
}

// Utimes is utimensat(2); times is nil for now.
func (c *Caller) Utimes(dir *file.File, path string, times *[2]abi.Timespec, flags int) error {
	if flags&^AttrFlags != 0 {
		return errno.EINVAL
	}
	return c.with(dir, path, flags, func(l Loc) error {
		set, err := timesToSet(times)
		if err != nil {
			return err
		}
		if l.Mount.readOnly() {
			return errno.EROFS
		}
		if !c.owns(l.Node) {
			if times != nil && (times[0].Nsec != UTIME_NOW || times[1].Nsec != UTIME_NOW) {
				return errno.EPERM
			}
			if err := c.mayAt(l, mayWrite); err != nil {
				return err
			}
		}
		return l.Node.SetAttr(set)
	})
}

// timesToSet returns what Utimes changes.
func timesToSet(times *[2]abi.Timespec) (*SetAttr, error) {
	now := Now()
	set := &SetAttr{Mask: SetAtime | SetMtime, Atime: now, Mtime: now}
	if times == nil {
		return set, nil
	}
	for i, t := range times {
		bit, at := SetAtime, &set.Atime
		if i == 1 {
			bit, at = SetMtime, &set.Mtime
		}
		switch {
		case t.Nsec == UTIME_NOW:
		case t.Nsec == UTIME_OMIT:
			set.Mask &^= bit
		case t.Nsec < 0 || t.Nsec >= 1e9:
			return nil, errno.EINVAL
		default:
			*at = t
		}
	}
	return set, nil
}

// Truncate is truncate(2).
func (c *Caller) Truncate(path string, size int64) error {
	if size < 0 {
		return errno.EINVAL
	}
	return c.with(nil, path, 0, func(l Loc) error {
		switch typeOf(l.Node) {
		case abi.S_IFDIR:
			return errno.EISDIR
		case abi.S_IFREG:
		default:
			return errno.EINVAL
		}
		if err := c.mayAt(l, mayWrite); err != nil {
			return err
		}
		if err := l.Node.Base().getWrite(); err != nil {
			return err
		}
		defer l.Node.Base().putWrite()
		return truncate(c.Thread, c.Cred, l.Node, size)
	})
}

// truncate changes the size of a regular file. t is nil for the kernel.
func truncate(t *proc.Thread, cr *proc.Cred, n Node, size int64) error {
	if size > n.Attr().Size {
		if err := checkLimit(t, size); err != nil {
			return err
		}
	}
	if err := strip(cr, n); err != nil {
		return err
	}
	return n.SetAttr(&SetAttr{Mask: SetSize, Size: size})
}

// statfs tells about the file system of l.
func (l Loc) statfs() abi.Statfs {
	s := l.Node.Super().Statfs()
	s.Fsid = l.Node.Super().Dev
	s.Namelen = abi.NAME_MAX
	s.Frsize = s.Bsize
	f := l.Mount.Flags()
	s.Flags = 0x20 | int64(f&(MS_RDONLY|MS_NOSUID|MS_NODEV|MS_NOEXEC|MS_NOATIME)) // ST_VALID
	if f&MS_NOATIME == 0 {
		s.Flags |= 0x1000 // ST_RELATIME
	}
	return s
}

// Statfs is statfs(2), and fstatfs(2) with an empty path.
func (c *Caller) Statfs(dir *file.File, path string) (s abi.Statfs, err error) {
	at := 0
	if path == "" && dir != nil {
		at = abi.AT_EMPTY_PATH
	}
	err = c.with(dir, path, at, func(l Loc) error {
		s = l.statfs()
		return nil
	})
	return s, err
}

// Chdir is chdir(2), and fchdir(2) with an empty path.
func (c *Caller) Chdir(dir *file.File, path string) error {
	l, err := c.directory(dir, path)
	if err == nil {
		c.FS.setCwd(l)
	}
	return err
}

// Chroot is chroot(2).
func (c *Caller) Chroot(path string) error {
	l, err := c.directory(nil, path)
	if err != nil {
		return err
	}
	if !c.Cred.Has(proc.CAP_SYS_CHROOT) {
		l.Release()
		return errno.EPERM
	}
	c.FS.setRoot(l)
	return nil
}

// directory returns a directory that the caller may enter, retained.
func (c *Caller) directory(dir *file.File, path string) (Loc, error) {
	at := 0
	if path == "" && dir != nil {
		at = abi.AT_EMPTY_PATH
	}
	l, err := c.Resolve(dir, path, at)
	if err != nil {
		return Loc{}, err
	}
	if !isDir(l.Node) {
		err = errno.ENOTDIR
	} else {
		err = c.may(l.Node, mayExec)
	}
	if err != nil {
		l.Release()
		return Loc{}, err
	}
	return l, nil
}
