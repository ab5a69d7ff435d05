package vfs

import (
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// normal reports whether a walk with wantParent ended at a name that can be
// made or removed.
func (e end) normal() bool { return e.last != "" && e.last != "." && e.last != ".." }

// lookup finds a name with the Tree lock held exclusively; nil if there is
// none, ENOENT if dir has been removed.
func lookup(dir Dir, name string) (Node, error) {
	if dir.Attr().Nlink == 0 {
		return nil, errno.ENOENT
	}
	if len(name) > abi.NAME_MAX {
		return nil, errno.ENAMETOOLONG
	}
	n, err := dir.Lookup(name, true)
	if err == errno.ENOENT {
		return nil, nil
	}
	return n, err
}

// create walks to where path is to be made and calls do with the Tree lock
// held, when the caller may make it.
func (c *Caller) create(at *file.File, path string, wantDir bool, do func(l Loc, dir Dir, name string) error) error {
	l, e, err := c.parent(at, path)
	if err != nil {
		return err
	}
	defer l.Release()
	if !e.normal() {
		return errno.EEXIST
	}
	dir, ok := l.Node.(Dir)
	if !ok {
		return errno.ENOTDIR
	}
	tree := &dir.Super().Tree
	tree.Lock()
	defer tree.Unlock()
	switch n, err := lookup(dir, e.last); {
	case err != nil:
		return err
	case n != nil:
		return errno.EEXIST
	case e.slash && !wantDir:
		return errno.ENOENT
	}
	if l.Mount.readOnly() {
		return errno.EROFS
	}
	return do(l, dir, e.last)
}

// make makes a file that isn't there.
func (c *Caller) make(at *file.File, path string, mode uint32, rdev uint64, target string) error {
	return c.create(at, path, mode&abi.S_IFMT == abi.S_IFDIR, func(l Loc, dir Dir, name string) error {
		if err := c.may(dir, mayWrite|mayExec); err != nil {
			return err
		}
		if t := mode & abi.S_IFMT; (t == abi.S_IFCHR || t == abi.S_IFBLK) && !c.Cred.Has(proc.CAP_MKNOD) {
			return errno.EPERM
		}
		m := c.newAttr(dir, mode)
		m.Rdev, m.Target = rdev, target
		n, err := dir.Make(name, m)
		if err == nil {
			n.Release()
		}
		return err
	})
}

// Mkdir is mkdirat(2).
func (c *Caller) Mkdir(dir *file.File, path string, mode uint32) error {
	return c.make(dir, path, mode&(0o777|abi.S_ISVTX)|abi.S_IFDIR, 0, "")
}

// Mknod is mknodat(2).
func (c *Caller) Mknod(dir *file.File, path string, mode uint32, rdev uint64) error {
	switch mode & abi.S_IFMT {
	case 0:
		mode |= abi.S_IFREG
	case abi.S_IFREG, abi.S_IFCHR, abi.S_IFBLK, abi.S_IFIFO, abi.S_IFSOCK:
	case abi.S_IFDIR:
		return errno.EPERM
	default:
		return errno.EINVAL
	}
	if t := mode & abi.S_IFMT; t != abi.S_IFCHR && t != abi.S_IFBLK {
		rdev = 0
	}
	return c.make(dir, path, mode&(abi.S_IFMT|0o7777), rdev, "")
}

// MakeSocket makes the vnode of a socket and returns it, retained, for bind(2).
func (c *Caller) MakeSocket(path string, mode uint32) (l Loc, err error) {
	err = c.create(nil, path, false, func(at Loc, dir Dir, name string) error {
		if err := c.may(dir, mayWrite|mayExec); err != nil {
			return err
		}
		n, err := dir.Make(name, c.newAttr(dir, mode&0o7777|abi.S_IFSOCK))
		if err == nil {
			at.Mount.refs.Add(1)
			l = Loc{at.Mount, n}
		}
		return err
	})
	return l, err
}

// Symlink is symlinkat(2).
func (c *Caller) Symlink(target string, dir *file.File, path string) error {
	if target == "" {
		return errno.ENOENT
	}
	if len(target) >= maxPath {
		return errno.ENAMETOOLONG
	}
	return c.make(dir, path, abi.S_IFLNK|0o777, 0, target)
}

// Link is linkat(2).
func (c *Caller) Link(oldDir *file.File, old string, dir *file.File, path string, flags int) error {
	if flags&^LinkFlags != 0 {
		return errno.EINVAL
	}
	if flags&abi.AT_EMPTY_PATH != 0 && !c.Cred.Has(proc.CAP_DAC_READ_SEARCH) {
		return errno.ENOENT
	}
	at := flags & abi.AT_EMPTY_PATH
	if flags&abi.AT_SYMLINK_FOLLOW == 0 {
		at |= abi.AT_SYMLINK_NOFOLLOW
	}
	src, err := c.Resolve(oldDir, old, at)
	if err != nil {
		return err
	}
	defer src.Release()
	return c.create(dir, path, false, func(l Loc, dir Dir, name string) error {
		if l.Mount != src.Mount {
			return errno.EXDEV
		}
		if !c.mayLink(src.Node) {
			return errno.EPERM
		}
		if err := c.may(dir, mayWrite|mayExec); err != nil {
			return err
		}
		if isDir(src.Node) {
			return errno.EPERM
		}
		return dir.Link(name, src.Node)
	})
}

// mayLink reports whether the caller may give a file another name. Who isn't
// the owner must be able to read and write it, and it must not be one that runs
// with other rights: what Linux does with fs.protected_hardlinks.
func (c *Caller) mayLink(n Node) bool {
	if c.owns(n) {
		return true
	}
	mode, _, _ := n.Access()
	return mode&abi.S_IFMT == abi.S_IFREG && mode&abi.S_ISUID == 0 &&
		mode&(abi.S_ISGID|0o010) != abi.S_ISGID|0o010 && c.may(n, mayRead|mayWrite) == nil
}

// Unlink is unlinkat(2).
func (c *Caller) Unlink(at *file.File, path string, flags int) error {
	if flags&^UnlinkFlags != 0 {
		return errno.EINVAL
	}
	rmdir := flags&abi.AT_REMOVEDIR != 0
	l, e, err := c.parent(at, path)
	if err != nil {
		return err
	}
	defer l.Release()
	if !e.normal() {
		return unremovable(e.last, rmdir)
	}
	dir, ok := l.Node.(Dir)
	if !ok {
		return errno.ENOTDIR
	}
	if l.Mount.readOnly() {
		return errno.EROFS
	}
	n, err := c.remove(dir, e, rmdir)
	if n != nil {
		n.Release() // frees it, without the lock
	}
	return err
}

func unremovable(last string, rmdir bool) error {
	switch {
	case !rmdir:
		return errno.EISDIR
	case last == ".":
		return errno.EINVAL
	case last == "..":
		return errno.ENOTEMPTY
	}
	return errno.EBUSY
}

// remove removes a name and returns its file, retained.
func (c *Caller) remove(dir Dir, e end, rmdir bool) (Node, error) {
	tree := &dir.Super().Tree
	tree.Lock()
	defer tree.Unlock()
	n, err := lookup(dir, e.last)
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, errno.ENOENT
	}
	if e.slash && !rmdir {
		if isDir(n) {
			return nil, errno.EISDIR
		}
		return nil, errno.ENOTDIR
	}
	if err := c.mayDelete(dir, n, rmdir); err != nil {
		return nil, err
	}
	n.Retain()
	return n, dir.Remove(e.last, n)
}
