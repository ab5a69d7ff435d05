package linux

import (
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/errno"
	"mult/kern/proc"
	"mult/kern/vm"
)

// A FileSystem is a type of file system that mount(2) knows.
type FileSystem struct {
	Name string
	// Make makes one with the options of mount(2), such as "size=1m".
	Make func(in *inst.Inst, options string) (*vfs.Super, error)
}

// Flags of mount(2) beside those of package vfs.
const (
	msRemount     = 1 << 5
	msSilent      = 1 << 15
	msNodiratime  = 1 << 11
	msBind        = 1 << 12
	msMove        = 1 << 13
	msRec         = 1 << 14
	msUnbindable  = 1 << 17
	msPrivate     = 1 << 18
	msSlave       = 1 << 19
	msShared      = 1 << 20
	msStrictatime = 1 << 24
	msNouser      = 1 << 31

	msMagic     = 0xc0ed0000 // old programs set it
	msMagicMask = 0xffff0000

	msMount = vfs.MS_RDONLY | vfs.MS_NOSUID | vfs.MS_NODEV | vfs.MS_NOEXEC | vfs.MS_NOATIME | vfs.MS_RELATIME
)

// optionsMax is how long options may be, with the zero byte.
const optionsMax = 4096

// getOptional reads a string, "" from address 0.
func getOptional(t *proc.Thread, from vm.Addr, max int) (string, error) {
	if from == 0 {
		return "", nil
	}
	s, err := t.Space().CopyInString(from, max)
	if err == errno.ENAMETOOLONG {
		err = errno.EINVAL
	}
	return s, err
}

// sysMount implements mount(2): (source, target, type, flags, data). Flags of a
// mount are those of its file system too: each is mounted at one place.
func sysMount(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if !t.Cred().Has(proc.CAP_SYS_ADMIN) {
		return 0, errno.EPERM
	}
	kind, err := getOptional(t, a.Addr(2), vm.PageSize)
	if err != nil {
		return 0, err
	}
	source, err := getOptional(t, a.Addr(0), pathMax)
	if err != nil {
		return 0, err
	}
	options, err := getOptional(t, a.Addr(4), optionsMax)
	if err != nil {
		return 0, err
	}
	path, err := getPath(t, a.Addr(1))
	if err != nil {
		return 0, err
	}
	c := vfs.For(t)
	l, err := c.Resolve(nil, path, 0)
	if err != nil {
		return 0, err
	}
	defer l.Release()
	flags := a.Uint(3)
	if flags&msMagicMask == msMagic {
		flags &^= msMagicMask
	}
	if flags&msNouser != 0 {
		return 0, errno.EINVAL
	}
	mine := mountFlags(flags)
	switch {
	case flags&msRemount != 0:
		return 0, c.Remount(l, mine, flags&msBind == 0, options)
	case flags&(msBind|msMove|msShared|msSlave|msUnbindable) != 0:
		return 0, errno.EINVAL
	case flags&msPrivate != 0:
		if flags&^(msPrivate|msRec|msSilent) != 0 {
			return 0, errno.EINVAL
		}
		return 0, c.MakePrivate(l)
	}
	if a[2] == 0 {
		return 0, errno.EINVAL
	}
	return 0, k.mount(c, kind, source, options, l, mine)
}

// mountFlags returns what vfs knows of the flags of mount(2).
func mountFlags(flags uint32) uint32 {
	mine := flags & msMount
	if flags&(vfs.MS_NOATIME|msNodiratime|msStrictatime) == 0 && flags&msRemount == 0 {
		mine |= vfs.MS_RELATIME
	}
	return mine
}

// mount makes a file system and mounts it.
func (k *Kernel) mount(c *vfs.Caller, kind, source, options string, l vfs.Loc, flags uint32) error {
	for i := range k.FileSystems {
		fs := &k.FileSystems[i]
		if fs.Name != kind {
			continue
		}
		s, err := fs.Make(c.Inst, options)
		if err != nil {
			return err
		}
		s.Source = "none"
		if source != "" {
			s.Source = source
		}
		if err := c.MountAt(s, l, flags); err != nil {
			s.Unmounted()
			return err
		}
		return nil
	}
	return errno.ENODEV
}

// sysUmount2 implements umount2(2): (target, flags).
func sysUmount2(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	flags := a.Uint(1)
	if flags&^(vfs.MNT_FORCE|vfs.MNT_DETACH|vfs.MNT_EXPIRE|vfs.UMOUNT_NOFOLLOW) != 0 {
		return 0, errno.EINVAL
	}
	path, err := getPath(t, a.Addr(0))
	if err != nil {
		return 0, err
	}
	return 0, vfs.For(t).Umount(path, flags)
}
