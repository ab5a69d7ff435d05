package vfs

import (
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
)

// This file has mount(2) and umount2(2).

// Mount mounts s at a directory. On an error s is still the caller's. s belongs
// to the caller's instance.
func (c *Caller) Mount(s *Super, path string, flags uint32) error {
	if !c.Cred.Has(proc.CAP_SYS_ADMIN) {
		return errno.EPERM
	}
	return c.with(nil, path, 0, func(l Loc) error { return c.MountAt(s, l, flags) })
}

// MountAt is Mount at a place that is known.
func (c *Caller) MountAt(s *Super, l Loc, flags uint32) error {
	if !c.Cred.Has(proc.CAP_SYS_ADMIN) {
		return errno.EPERM
	}
	if !isDir(l.Node) {
		return errno.ENOTDIR
	}
	name, _ := c.FS.dirPath(l)
	return slot.Of(c.Inst).Mount(s, l, name, flags)
}

// atimeFlags are the flags about times of access.
const atimeFlags = MS_NOATIME | MS_RELATIME

// Remount changes the flags of a mount and, with all, the options of its file
// system. EBUSY if it is to be read-only and a file is open for writing.
func (c *Caller) Remount(l Loc, flags uint32, all bool, options string) error {
	if !c.Cred.Has(proc.CAP_SYS_ADMIN) {
		return errno.EPERM
	}
	if err := l.mountRoot(); err != nil {
		return err
	}
	if flags&atimeFlags == 0 {
		flags |= l.Mount.Flags() & atimeFlags
	}
	if all && options != "" {
		r := l.Mount.Super.Remount
		if r == nil {
			return errno.EINVAL
		}
		if err := r(options); err != nil {
			return err
		}
	}
	return l.Mount.setFlags(flags)
}

// mountRoot checks that l is where something is mounted.
func (l Loc) mountRoot() error {
	if l.Node != l.Mount.Super.Root {
		return errno.EINVAL
	}
	return nil
}

// MakePrivate checks that l is where something is mounted. What is mounted below
// one place never appears at another, so there is nothing to change.
func (c *Caller) MakePrivate(l Loc) error {
	if !c.Cred.Has(proc.CAP_SYS_ADMIN) {
		return errno.EPERM
	}
	return l.mountRoot()
}

// Flags of Umount.
const (
	MNT_FORCE       = 1 // there is nothing to interrupt
	MNT_DETACH      = 2 // the names go at once, the rest when nobody uses it any more
	MNT_EXPIRE      = 4 // only if nobody has used it since the last such call
	UMOUNT_NOFOLLOW = 8
)

// Umount is umount2(2). The caller's root is not removed but made read-only, as
// on Linux.
func (c *Caller) Umount(path string, flags uint32) error {
	at := 0
	if flags&UMOUNT_NOFOLLOW != 0 {
		at = abi.AT_SYMLINK_NOFOLLOW
	}
	l, err := c.Resolve(nil, path, at)
	if err != nil {
		return err
	}
	if !c.Cred.Has(proc.CAP_SYS_ADMIN) {
		l.Release()
		return errno.EPERM
	}
	if l.Mount == c.FS.borrowRoot().Mount && l.mountRoot() == nil && flags&MNT_DETACH == 0 {
		defer l.Release()
		if flags&MNT_EXPIRE != 0 {
			return errno.EINVAL
		}
		return l.Mount.setFlags(l.Mount.Flags() | MS_RDONLY)
	}
	if flags&MNT_EXPIRE != 0 && flags&(MNT_FORCE|MNT_DETACH) != 0 {
		l.Release()
		return errno.EINVAL
	}
	if flags&MNT_DETACH != 0 {
		return slot.Of(c.Inst).Detach(l)
	}
	return slot.Of(c.Inst).Unmount(l, flags&MNT_EXPIRE != 0)
}
