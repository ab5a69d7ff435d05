package vfs

import (
	"mult/kern/errno"
	"mult/kern/file"
)

// Flags of renameat2(2).
const (
	RENAME_NOREPLACE = 1
	RENAME_EXCHANGE  = 2
)

// Rename is renameat2(2).
func (c *Caller) Rename(oldDir *file.File, old string, newDir *file.File, new string, flags int) error {
	if flags&^RenameFlags != 0 || flags == RenameFlags {
		return errno.EINVAL
	}
	from, fe, err := c.parent(oldDir, old)
	if err != nil {
		return err
	}
	defer from.Release()
	to, te, err := c.parent(newDir, new)
	if err != nil {
		return err
	}
	defer to.Release()
	if from.Mount != to.Mount {
		return errno.EXDEV
	}
	if !fe.normal() {
		return errno.EBUSY
	}
	if !te.normal() {
		if flags&RENAME_NOREPLACE != 0 {
			return errno.EEXIST
		}
		return errno.EBUSY
	}
	fd, ok1 := from.Node.(Dir)
	td, ok2 := to.Node.(Dir)
	if !ok1 || !ok2 {
		return errno.ENOTDIR
	}
	if from.Mount.readOnly() {
		return errno.EROFS
	}
	r := renaming{c: c, from: fd, to: td, fe: fe, te: te, flags: flags}
	err = r.run()
	for _, n := range r.used {
		if n != nil {
			n.Release() // may free it, without the lock
		}
	}
	return err
}

// renaming is a call of Rename on its way.
type renaming struct {
	c        *Caller
	from, to Dir
	fe, te   end
	flags    int
	used     [2]Node // what was looked up, retained
}

func (r *renaming) run() error {
	tree := &r.from.Super().Tree
	tree.Lock()
	defer tree.Unlock()
	n, err := lookup(r.from, r.fe.last)
	if err != nil {
		return err
	}
	if n == nil {
		return errno.ENOENT
	}
	// What isn't retained, a file system may forget in the next call.
	n.Retain()
	r.used[0] = n
	target, err := lookup(r.to, r.te.last)
	if err != nil {
		return err
	}
	if target != nil {
		target.Retain()
		r.used[1] = target
	}
	exchange := r.flags&RENAME_EXCHANGE != 0
	switch {
	case target != nil && r.flags&RENAME_NOREPLACE != 0:
		return errno.EEXIST
	case target == nil && exchange:
		return errno.ENOENT
	case exchange && !isDir(target) && r.te.slash:
		return errno.ENOTDIR
	case !isDir(n) && (r.fe.slash || !exchange && r.te.slash):
		return errno.ENOTDIR
	case above(n, r.to):
		return errno.EINVAL
	case target != nil && above(target, r.from):
		if exchange {
			return errno.EINVAL
		}
		return errno.ENOTEMPTY
	}
	if target == n {
		return nil
	}
	if err := r.permitted(n, target, exchange); err != nil {
		return err
	}
	if exchange {
		return r.from.Exchange(r.fe.last, n, r.to, r.te.last, target)
	}
	return r.from.Rename(r.fe.last, n, r.to, r.te.last, target)
}

// permitted checks permissions and whether the types fit.
func (r *renaming) permitted(n, target Node, exchange bool) error {
	c := r.c
	if err := c.mayDelete(r.from, n, isDir(n)); err != nil {
		return err
	}
	if target == nil {
		if err := c.may(r.to, mayWrite|mayExec); err != nil {
			return err
		}
	} else {
		asDir := isDir(n)
		if exchange {
			asDir = isDir(target)
		}
		if err := c.mayDelete(r.to, target, asDir); err != nil {
			return err
		}
	}
	if r.from == r.to {
		return nil
	}
	// A directory that moves gets another "..", which is a change of it.
	if isDir(n) {
		if err := c.may(n, mayWrite); err != nil {
			return err
		}
	}
	if exchange && isDir(target) {
		return c.may(target, mayWrite)
	}
	return nil
}

// above reports whether n is dir or a directory above it. The Tree lock is held.
func above(n Node, dir Dir) bool {
	if !isDir(n) {
		return false
	}
	for root := dir.Super().Root; ; {
		if n == Node(dir) {
			return true
		}
		if Node(dir) == root {
			return false
		}
		parent, _ := dir.Where()
		if parent == dir {
			return false
		}
		dir = parent
	}
}
