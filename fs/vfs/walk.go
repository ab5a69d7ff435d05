package vfs

import (
	"errors"

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
	excl  bool // the Tree lock is held exclusively
	path  string
	pos   int      // where in path what is left begins
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

func (w *walker) unlock() {
	if tree := &w.mount.Super.Tree; w.excl {
		tree.Unlock()
	} else {
		tree.RUnlock()
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
	w.unlock()
	if w.held {
		w.node.Release()
	}
	w.mount.refs.Add(-1)
	w.mount, w.node, w.held, w.excl = l.Mount, l.Node, true, false
	w.mount.Super.Tree.RLock()
}

// exclusive makes the lock an exclusive one. Others may have changed
// everything meanwhile, but node is retained.
func (w *walker) exclusive() {
	w.hold()
	w.unlock()
	w.excl = true
	w.mount.Super.Tree.Lock()
}

// next takes the next name off the path, "" if there is none; last reports whether
// it is the last. It looks at each byte once: most names are short.
func (w *walker) next() (name string, last bool) {
	start := slashes(w.path, w.pos)
	for start == len(w.path) {
		if len(w.stack) == 0 {
			return "", true
		}
		w.path = w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		start = slashes(w.path, 0)
	}
	name = w.path[start:]
	for i := range len(name) {
		if name[i] == '/' {
			name = name[:i]
			break
		}
	}
	after := start + len(name)
	w.pos = slashes(w.path, after)
	if w.end() {
		last = true
		w.slash = w.slash || w.pos > after
	}
	return name, last
}

// end reports whether nothing is left.
func (w *walker) end() bool { return w.pos == len(w.path) && len(w.stack) == 0 }

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
	if w.pos < len(w.path) {
		w.stack = append(w.stack, w.path[w.pos:])
	}
	w.path, w.pos = target, 0
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
	var w walker // filled in here: a literal would be made elsewhere and copied
	w.c, w.root, w.mount, w.node, w.held = c, start, start.Mount, start.Node, true
	w.path, w.flags, w.links = path, flags, links
	if path == "" || path[0] != '/' { // else it starts at the root
		w.root = c.FS.borrowRoot()
	}
	w.mount.Super.Tree.RLock()
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
			break
		}
		dir, ok := w.node.(Dir)
		if !ok {
			return errno.ENOTDIR
		}
		if err := w.c.may(w.node, mayExec); err != nil {
			return err
		}
		if last && w.flags&wantParent != 0 {
			w.last = name
			return nil
		}
		if err := w.one(dir, name, last); err != nil {
			return err
		}
		if w.end() {
			break
		}
	}
	if w.slash && !isDir(w.node) {
		return errno.ENOTDIR
	}
	return nil
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
		return tooLong(dir)
	}
	n, err := dir.Lookup(name, w.excl)
	if err != nil && errors.Is(err, ErrExclusive) {
		w.exclusive()
		n, err = dir.Lookup(name, true)
	}
	if err != nil {
		return err
	}
	if b := n.Base(); b.mounts.Load() > 0 {
		w.step(n)
		w.cover(b)
		return nil
	}
	if typeOf(n) == abi.S_IFLNK && (!last || w.flags&follow != 0 || w.slash) {
		return w.link(n)
	}
	w.step(n)
	return nil
}

// tooLong returns the error for a name in dir that is too long.
func tooLong(dir Dir) error {
	if dir.Attr().Nlink == 0 {
		return errno.ENOENT
	}
	return errno.ENAMETOOLONG
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
		w.excl = false
		w.mount.Super.Tree.RLock()
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

// cover goes to the root of what is mounted on node, whose Base is b.
func (w *walker) cover(b *Base) {
	tb := w.mount.Super.table()
	for b.mounts.Load() > 0 {
		l, ok := tb.over(Loc{w.mount, w.node}, b)
		if !ok {
			return
		}
		w.jump(l)
		b = l.Node.Base()
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
	w.cover(parent.Base())
}

func (s *Super) table() *Table { return slot.Of(s.Inst) }
