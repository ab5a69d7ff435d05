package vfs

import (
	"errors"
	"strings"

	"mult/kern/abi"
	"mult/kern/errno"
)

// Limits of paths.
const (
	maxPath  = 4096 // with the byte that ends it
	maxLinks = 40   // symbolic links on one way
)

// How a walk ends.
const (
	follow     = 1 << iota // a symbolic link at the end is followed
	wantParent             // the last name is not looked up
	emptyPath              // "" is where it starts
)

// walker is a walk along a path: namei. The Tree lock of node's file system is
// held while names are looked up; mount is retained all the time, node only
// if held.
type walker struct {
	c     *Caller
	root  Loc // borrowed, to compare
	mount *Mount
	node  Node
	held  bool
	excl  bool     // the Tree lock is held exclusively
	path  string   // what is left
	stack []string // what is left behind the symbolic links that are open
	links int
	slash bool // there is a slash behind the last name
	flags int

	last string // with wantParent the last name; "", "." or ".." for none
}

// end is what a walk tells about its end: with wantParent the last name, with
// any flags whether there was a slash behind it.
type end struct {
	last  string
	slash bool
	links int
}

func (w *walker) lock() {
	if w.excl {
		w.node.Super().Tree.Lock()
	} else {
		w.node.Super().Tree.RLock()
	}
}

func (w *walker) unlock() {
	if w.excl {
		w.node.Super().Tree.Unlock()
	} else {
		w.node.Super().Tree.RUnlock()
	}
}

// hold makes sure that node is retained.
func (w *walker) hold() {
	if !w.held {
		w.node.Retain()
		w.held = true
	}
}

// step moves to a node of the same file system, which isn't retained.
func (w *walker) step(n Node) {
	old, held := w.node, w.held
	w.node, w.held = n, false
	if held {
		old.Release()
	}
}

// jump moves to a retained place anywhere. The lock is held before and after.
func (w *walker) jump(l Loc) {
	old := Loc{w.mount, w.node}
	w.hold()
	w.unlock()
	w.mount, w.node, w.held, w.excl = l.Mount, l.Node, true, false
	old.Release()
	w.lock()
}

// exclusive makes the lock an exclusive one. Others may have changed
// everything meanwhile, but node is retained.
func (w *walker) exclusive() {
	w.hold()
	w.unlock()
	w.excl = true
	w.lock()
}

// next takes the next name off the path; last reports whether it is the last.
func (w *walker) next() (name string, last bool) {
	path := w.path
	start := slashes(path, 0)
	for start == len(path) {
		if len(w.stack) == 0 {
			w.path = ""
			return "", true
		}
		path = w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		start = slashes(path, 0)
	}
	i := len(path)
	if n := strings.IndexByte(path[start:], '/'); n >= 0 {
		i = start + n
	}
	name = path[start:i]
	rest := slashes(path, i)
	w.path = path[rest:]
	last = rest == len(path) && len(w.stack) == 0
	if last && rest > i {
		w.slash = true
	}
	return name, last
}

// slashes returns where those in path from i on end.
func slashes(path string, i int) int {
	for i < len(path) && path[i] == '/' {
		i++
	}
	return i
}

// push puts the target of a symbolic link before what is left.
func (w *walker) push(target string) error {
	w.links++
	if w.links > maxLinks {
		return errno.ELOOP
	}
	if target == "" {
		return errno.ENOENT
	}
	if w.path != "" {
		w.stack = append(w.stack, w.path)
	}
	w.path = target
	if target[0] == '/' {
		w.jump(w.c.FS.Root())
	}
	return nil
}

// walk goes along path from start, which is retained and taken over. The
// result is retained; with wantParent it is the directory of the last name.
// links is how many symbolic links the way has had before.
func (c *Caller) walk(start Loc, path string, flags, links int) (Loc, end, error) {
	if len(path) >= maxPath || path == "" && flags&emptyPath == 0 {
		start.Release()
		if path == "" {
			return Loc{}, end{}, errno.ENOENT
		}
		return Loc{}, end{}, errno.ENAMETOOLONG
	}
	w := walker{c: c, root: c.FS.borrowRoot(), mount: start.Mount, node: start.Node, held: true, path: path, flags: flags, links: links}
	w.lock()
	err := w.run()
	w.hold()
	w.unlock()
	l := Loc{w.mount, w.node}
	if err != nil {
		l.Release()
		return Loc{}, end{}, err
	}
	return l, end{w.last, w.slash, w.links}, nil
}

func (w *walker) run() error {
	for {
		name, last := w.next()
		if name == "" {
			if w.slash && !isDir(w.node) {
				return errno.ENOTDIR
			}
			return nil
		}
		dir, ok := w.node.(Dir)
		if !ok {
			return errno.ENOTDIR
		}
		if err := w.c.may(dir, mayExec); err != nil {
			return err
		}
		if last && w.flags&wantParent != 0 {
			w.last = name
			return nil
		}
		if err := w.one(dir, name, last); err != nil {
			return err
		}
	}
}

// one goes from dir to name.
func (w *walker) one(dir Dir, name string, last bool) error {
	if name[0] == '.' {
		switch name {
		case ".":
			return nil
		case "..":
			w.up(dir)
			return nil
		}
	}
	if len(name) > abi.NAME_MAX {
		if dir.Attr().Nlink == 0 {
			return errno.ENOENT
		}
		return errno.ENAMETOOLONG
	}
	n, err := dir.Lookup(name, w.excl)
	if err != nil && errors.Is(err, ErrExclusive) {
		w.exclusive()
		n, err = dir.Lookup(name, true)
	}
	if err != nil {
		return err
	}
	if n.Base().mounts.Load() > 0 {
		w.step(n)
		w.cover()
		return nil
	}
	if typeOf(n) == abi.S_IFLNK && (!last || w.flags&follow != 0 || w.slash) {
		return w.link(n)
	}
	w.step(n)
	return nil
}

// link follows a symbolic link in node.
func (w *walker) link(n Node) error {
	if j, ok := n.(Jumper); ok {
		w.links++
		if w.links > maxLinks {
			return errno.ELOOP
		}
		n.Retain()
		w.hold()
		w.unlock()
		l, err := j.Jump(w.c)
		w.lock()
		n.Release()
		if err != nil {
			return err
		}
		w.jump(l)
		return nil
	}
	k, ok := n.(Link)
	if !ok {
		return errno.EINVAL
	}
	target, err := k.Readlink(w.c)
	if err != nil {
		return err
	}
	return w.push(target)
}

// cover goes to the root of what is mounted on node.
func (w *walker) cover() {
	tb := w.node.Super().table()
	for w.node.Base().mounts.Load() > 0 {
		l, ok := tb.over(Loc{w.mount, w.node})
		if !ok {
			return
		}
		w.jump(l)
	}
}

// up goes to the parent directory, but not out of the caller's root.
func (w *walker) up(dir Dir) {
	for {
		if w.mount == w.root.Mount && w.node == w.root.Node {
			return
		}
		if w.node != w.mount.Super.Root {
			break
		}
		m := w.mount
		if m.above() == nil {
			return
		}
		l := Loc{m.Parent, m.point}
		l.Retain()
		w.jump(l)
		dir = m.point
	}
	parent, _ := dir.Where()
	w.step(parent)
	w.cover()
}

func (s *Super) table() *Table { return slot.Of(s.Inst) }
