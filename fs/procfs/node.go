package procfs

import (
	"sync/atomic"

	"mult/fs/vfs"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// An entry describes a file, or the files of that name of all processes.
type entry struct {
	name string
	ino  uint64 // number in its directory; see target.ino
	mode uint32 // with type
	// private: only for those who may look into the process.
	private bool
	admin   bool // only for those with CAP_SYS_ADMIN

	// A regular file has one of the first two.
	text func(b *buffer, x *target) error
	// pieces adds what follows position at, a little at least, and returns
	// the next position; end after the last.
	pieces func(b *buffer, x *target, at uint64) (next uint64, err error)
	// write takes what a program writes at once; nil: nothing can be written.
	write func(t *proc.Thread, x *target, data string) error

	link func(c *vfs.Caller, x *target) (string, error)  // a symbolic link
	jump func(c *vfs.Caller, x *target) (vfs.Loc, error) // one that leads to a place
	// file is one that leads to an open file, for which it returns a reference.
	file func(c *vfs.Caller, x *target) (*file.File, error)

	files   []*entry // of a directory
	numbers *numbers // further ones, whose names are numbers; may be nil
}

// numbers are the files of a directory whose names are numbers.
type numbers struct {
	// get returns the file with a number.
	get func(x *target, n int) (*entry, target, error)
	// next calls f for those that there are from n on, until it returns false.
	next func(x *target, n int, f func(n int, ino uint64) bool)
	typ  uint8 // DT_*
}

// A target is what a file is about: nothing but the instance, a process, a
// thread or a descriptor.
type target struct {
	fs      *fs
	pid     int   // 0: not of a process
	tid     int   // the thread; pid in the directory of a process
	fd      int   // of an instance below: its number
	started int64 // tells a process from another with its number
	thread  bool  // in task
}

// key tells files apart.
type key struct {
	e       *entry
	pid     int
	tid     int
	fd      int
	started int64
}

// ino returns the number of e for x: the thread in the upper half, a class of
// files, number or descriptor below.
func (x *target) ino(e *entry) uint64 {
	const inTask, isFD = 1 << 31, 1 << 30
	n := uint64(x.tid)<<32 | e.ino
	if x.thread {
		n |= inTask
	}
	if e == x.fs.fd || e == x.fs.fdinfo {
		n |= isFD | uint64(x.fd)<<8
	}
	if e == x.fs.below {
		n |= uint64(x.fd) << 32
	}
	return n
}

// An inode is a vnode of this package.
type inode interface {
	vfs.Node
	meta() *node
}

// node is what all inodes have.
type node struct {
	base   vfs.Base
	fs     *fs    // [const]
	e      *entry // [const]
	parent *dir   // [const] retained; nil of the root
	target target // [const]
	refs   atomic.Int64
}

func newInode(e *entry) inode {
	switch e.mode & abi.S_IFMT {
	case abi.S_IFDIR:
		return new(dir)
	case abi.S_IFLNK:
		switch {
		case e.jump != nil:
			return new(jumper)
		case e.file != nil:
			return new(fileLink)
		}
		return new(link)
	}
	return new(regular)
}

func (n *node) key() key {
	x := &n.target
	return key{n.e, x.pid, x.tid, x.fd, x.started}
}

func (n *node) meta() *node       { return n }
func (n *node) Base() *vfs.Base   { return &n.base }
func (n *node) Super() *vfs.Super { return &n.fs.super }

// Retain and Release implement vfs.Node. A node without users stays until find
// sweeps.
func (n *node) Retain() {
	if n.refs.Add(1) == 1 {
		n.fs.idle.Add(-1)
	}
}

func (n *node) Release() {
	if n.refs.Add(-1) == 0 {
		n.fs.idle.Add(1)
	}
}

// Access implements vfs.Node. What is of a process belongs to its user, unless
// its program has rights that the user has not.
func (n *node) Access() (mode, uid, gid uint32) {
	mode = n.e.mode
	if n.target.pid == 0 {
		return mode, 0, 0
	}
	if n.e == n.fs.fd {
		mode = n.target.linkMode()
	}
	uid, gid = n.target.owner(mode)
	return mode, uid, gid
}

// Attr implements vfs.Node.
func (n *node) Attr() abi.Stat {
	mode, uid, gid := n.Access()
	s := abi.Stat{
		Ino: n.target.ino(n.e), Nlink: 1, Mode: mode, UID: uid, GID: gid, Blksize: 1024,
		Atime: n.fs.now, Mtime: n.fs.now, Ctime: n.fs.now,
	}
	if n.e == n.fs.fd {
		s.Size = 64
	}
	if mode&abi.S_IFMT == abi.S_IFDIR {
		s.Nlink = 2
		for _, e := range n.e.files {
			if e.mode&abi.S_IFMT == abi.S_IFDIR {
				s.Nlink++
			}
		}
	}
	if n.target.pid != 0 && n.target.proc() == nil {
		s.Nlink = 0
	}
	return s
}

// SetAttr implements vfs.Node: nothing can be changed but a size, which
// O_TRUNC sets and which means nothing.
func (n *node) SetAttr(s *vfs.SetAttr) error {
	if s.Mask&^vfs.SetSize != 0 {
		return errno.EPERM
	}
	return nil
}

// link is a symbolic link.
type link struct{ node }

// Readlink implements vfs.Link.
func (l *link) Readlink(c *vfs.Caller) (string, error) { return l.e.link(c, &l.target) }

// jumper is a symbolic link that leads to a file.
type jumper struct{ link }

// Jump implements vfs.Jumper.
func (j *jumper) Jump(c *vfs.Caller) (vfs.Loc, error) { return j.e.jump(c, &j.target) }

// fileLink is a symbolic link that leads to an open file.
type fileLink struct{ node }

// Readlink implements vfs.Link.
func (l *fileLink) Readlink(c *vfs.Caller) (string, error) {
	f, err := l.e.file(c, &l.target)
	if err != nil {
		return "", err
	}
	defer f.Release()
	return nameOf(c, f), nil
}

// JumpFile implements vfs.FileJumper.
func (l *fileLink) JumpFile(c *vfs.Caller) (*file.File, error) { return l.e.file(c, &l.target) }

// Jump implements vfs.Jumper.
func (l *fileLink) Jump(c *vfs.Caller) (vfs.Loc, error) {
	f, err := l.e.file(c, &l.target)
	if err != nil {
		return vfs.Loc{}, err
	}
	defer f.Release()
	if l, ok := vfs.LocOf(f); ok {
		l.Retain()
		return l, nil
	}
	return l.fs.anonymous(c, f)
}

// regular is a file with content.
type regular struct{ node }

// OpenNode implements vfs.Opener.
func (r *regular) OpenNode(c *vfs.Caller, flags int) (vfs.Special, error) {
	e := r.e
	if flags&abi.O_ACCMODE != abi.O_RDONLY && e.write == nil {
		return nil, errno.EACCES
	}
	if e.admin && !c.Cred.Has(proc.CAP_SYS_ADMIN) {
		return nil, errno.EPERM
	}
	if r.target.pid != 0 {
		if r.target.proc() == nil {
			return nil, errno.ESRCH
		}
		if e.private {
			if err := r.target.mayLook(c.Cred, c.Thread); err != nil {
				return nil, err
			}
		}
	}
	return &content{e: e, x: &r.target, cred: c.Cred, b: buffer{in: r.fs.in}}, nil
}
