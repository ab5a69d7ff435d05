package vfs

import (
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
)

// What may be done with a file, as in its mode.
const (
	mayExec  = 1
	mayWrite = 2
	mayRead  = 4
)

// may checks the permissions of a file: path_resolution(7), capabilities(7).
func (c *Caller) may(n Node, want uint32) error { return permitted(c.Cred, n, want) }

func permitted(cr *proc.Cred, n Node, want uint32) error {
	mode, uid, gid := n.Access()
	bits := mode
	switch {
	case cr.FSUID == uid:
		bits >>= 6
	case cr.InGroup(gid):
		bits >>= 3
	}
	if bits&want == want {
		return nil
	}
	if mode&abi.S_IFMT == abi.S_IFDIR {
		if cr.Has(proc.CAP_DAC_OVERRIDE) || want&mayWrite == 0 && cr.Has(proc.CAP_DAC_READ_SEARCH) {
			return nil
		}
		return errno.EACCES
	}
	if want == mayRead && cr.Has(proc.CAP_DAC_READ_SEARCH) {
		return nil
	}
	if (want&mayExec == 0 || mode&0o111 != 0) && cr.Has(proc.CAP_DAC_OVERRIDE) {
		return nil
	}
	return errno.EACCES
}

// mayAt is may for a file that was reached by a mount, which may be read-only.
func (c *Caller) mayAt(l Loc, want uint32) error {
	if want&mayWrite != 0 && l.Mount.readOnly() {
		switch typeOf(l.Node) {
		case abi.S_IFREG, abi.S_IFDIR, abi.S_IFLNK:
			return errno.EROFS
		}
	}
	return c.may(l.Node, want)
}

// owns reports whether the caller may act as the owner of a file.
func (c *Caller) owns(n Node) bool {
	_, uid, _ := n.Access()
	return c.Cred.FSUID == uid || c.Cred.Has(proc.CAP_FOWNER)
}

// mayDelete checks whether the caller may take n out of dir; asDir says that
// it has to be a directory, else that it must not be one.
func (c *Caller) mayDelete(dir Dir, n Node, asDir bool) error {
	if err := c.may(dir, mayWrite|mayExec); err != nil {
		return err
	}
	mode, uid, _ := dir.Access()
	if mode&abi.S_ISVTX != 0 && c.Cred.FSUID != uid && !c.owns(n) {
		return errno.EPERM
	}
	switch {
	case asDir && !isDir(n):
		return errno.ENOTDIR
	case !asDir && isDir(n):
		return errno.EISDIR
	case n.Base().mounts.Load() > 0:
		return errno.EBUSY
	}
	return nil
}

// newAttr returns owner and mode of a file that the caller makes in dir.
func (c *Caller) newAttr(dir Dir, mode uint32) *Make {
	dmode, _, dgid := dir.Access()
	m := &Make{Mode: mode, UID: c.Cred.FSUID, GID: c.Cred.FSGID}
	if mode&abi.S_IFMT != abi.S_IFLNK {
		m.Mode &^= c.FS.Umask()
	}
	if dmode&abi.S_ISGID == 0 {
		return m
	}
	m.GID = dgid
	if mode&abi.S_IFMT == abi.S_IFDIR {
		m.Mode |= abi.S_ISGID
	} else if m.Mode&(abi.S_ISGID|0o010) == abi.S_ISGID|0o010 && !c.Cred.InGroup(dgid) && !c.Cred.Has(proc.CAP_FSETID) {
		m.Mode &^= abi.S_ISGID
	}
	return m
}

// withoutPrivileges returns the mode of a file whose content changes by
// somebody who may not keep its set-user-ID and set-group-ID bits.
func withoutPrivileges(mode uint32) uint32 {
	mode &^= abi.S_ISUID
	if mode&0o010 != 0 {
		mode &^= abi.S_ISGID
	}
	return mode
}

// strip takes the set-ID bits off a file before its content changes.
func strip(cr *proc.Cred, n Node) error {
	mode, _, _ := n.Access()
	if mode&(abi.S_ISUID|abi.S_ISGID) == 0 || mode&abi.S_IFMT != abi.S_IFREG || cr.Has(proc.CAP_FSETID) {
		return nil
	}
	if less := withoutPrivileges(mode); less != mode {
		return n.SetAttr(&SetAttr{Mask: SetMode, Mode: less &^ abi.S_IFMT})
	}
	return nil
}
