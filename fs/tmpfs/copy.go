package tmpfs

import (
	"errors"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/mem"
)

// This file copies a directory, with all that is below it, to a file system of its own,
// which may be another instance's. What is as in Lower still isn't copied: the new file
// system has the same Lower, and finds it there.
//
// Who uses the old one goes on meanwhile. A look at a directory takes some of its names
// with the Tree lock held shared; what they lead to is copied without it. So a file is
// copied as copyregular.go says, a name is that of a moment, but what moves meanwhile may
// be missing, or have two names that lead to one file. A directory is copied once, where it
// was seen first, so that who moves them about can't keep the copy going.

// copyNames is how many names are looked at with the Tree lock held.
const copyNames = 256

// copyCharge is what a file costs the new instance as long as the copy is on its way,
// to know it again.
const copyCharge = 192

// copier is a copy on its way. Nobody else sees the new file system, so its lock isn't
// held.
type copier struct {
	fs      *FS // new
	stop    func() error
	todo    []*copyDir      // each directory that was seen: a list, as deep as programs like
	done    map[inode]inode // by what was copied; nil: a directory that needn't be so far
	charged int64
	seen    []sighting // of copyNames
}

// copyDir is a directory to copy.
type copyDir struct {
	src  *dir     // retained
	dst  *dir     // retained; nil: as in Lower so far
	up   *copyDir // nil: the root
	name string   // in up
	most int64    // position of the last name, once src isn't as in Lower; 0: it was so far
}

// sighting is a name in a directory that is copied.
type sighting struct {
	name   string
	typ    uint8
	id     uint64 // in Lower, if it isn't dirty
	node   inode  // retained; nil: as in Lower, and not there now
	dirty  bool   // it differs from Lower
	linked bool   // see FS.linked
	live   bool   // nodes are there below it
}

// Copy makes a file system of an instance whose root is a copy of from, a directory in a
// file system of this package, retained. stop is called again and again, and ends the copy
// by an error. EINVAL if from is of another kind of file system, ENOENT if it has been
// removed; ENOSPC and ENOMEM come with a sentence that says what isn't enough.
func Copy(in *inst.Inst, memory *mem.Memory, from vfs.Node, stop func() error) (*vfs.Super, error) {
	src, ok := from.(*dir)
	if !ok {
		return nil, errno.EINVAL
	}
	src.fs.super.Tree.RLock()
	dead := src.dead
	src.fs.super.Tree.RUnlock()
	if dead {
		return nil, errno.ENOENT
	}
	o := Options{}
	if old := src.fs; old.lower != nil {
		o = Options{Type: old.super.Type, Source: old.super.Source, Magic: old.magic, Lower: old.lower, MaxClean: old.maxClean}
	}
	c := copier{stop: stop, done: make(map[inode]inode), seen: make([]sighting, 0, copyNames)}
	super, err := newFS(in, memory, o, func(fs *FS, _ *Options) (*dir, error) {
		c.fs = fs
		n, err := c.node(src)
		if err != nil {
			return nil, err
		}
		return n.(*dir), nil
	})
	if err != nil {
		return nil, err
	}
	err = c.run(src)
	c.end()
	if err != nil {
		err = c.fs.explain(err)
		super.Unmounted()
		return nil, err
	}
	return super, nil
}

// explain adds to an error what is not enough, unless it says so.
func (fs *FS) explain(err error) error {
	r := inst.Frames
	var explained *inst.Error
	switch {
	case errors.As(err, &explained):
		return err
	case errors.Is(err, errno.ENOMEM):
		return inst.Errorf(errno.ENOMEM, "there is no kernel memory for it: limit.heap allows no more, or there is none")
	case !errors.Is(err, errno.ENOSPC):
		return err
	case fs.in.Left(inst.Inodes) == 0:
		r = inst.Inodes
	case fs.in.Left(inst.Content) == 0:
		r = inst.Content
	}
	return inst.Errorf(errno.ENOSPC, "what differs from the image is more than limit.%v allows; raise it, or take files away", r)
}

// run copies src to the root.
func (c *copier) run(src *dir) error {
	root := c.fs.super.Root.(*dir)
	if err := c.add(&copyDir{src: src, dst: root}); err != nil {
		return err
	}
	for i := 0; i < len(c.todo); i++ {
		if err := c.dir(c.todo[i]); err != nil {
			return err
		}
	}
	return nil
}

// end forgets what was seen.
func (c *copier) end() {
	for _, t := range c.todo {
		t.src.Release()
		if t.dst != nil {
			t.dst.Release()
		}
	}
	c.fs.in.Uncharge(inst.Heap, c.charged)
}

// charge pays for one more file that the copy knows.
func (c *copier) charge() error {
	if err := c.fs.chargeHeap(copyCharge); err != nil {
		return err
	}
	c.charged += copyCharge
	return nil
}

// add leaves a directory to be copied.
func (c *copier) add(t *copyDir) error {
	if err := c.charge(); err != nil {
		return err
	}
	t.src.Retain()
	if t.dst != nil {
		t.dst.Retain() // keeps it from being forgotten as long as nothing is in it
	}
	c.done[t.src] = nil
	c.todo = append(c.todo, t)
	return nil
}

// node makes a node for what src is, without names: the one of Lower, or a new one.
func (c *copier) node(src inode) (inode, error) {
	s := src.meta()
	if low := c.fs.lower; low != nil && s.ino <= low.MaxID() {
		return c.fs.lowNode(s.ino)
	}
	m := &vfs.Make{Mode: s.mode.Load(), Rdev: s.rdev}
	if l, ok := src.(*link); ok {
		m.Target = l.target
	}
	return c.fs.make(m)
}

// dir copies what differs in a directory, and leaves those below it to be copied.
func (c *copier) dir(t *copyDir) error {
	for pos := int64(0); ; {
		if err := c.stop(); err != nil {
			return err
		}
		loaded, last, err := c.look(t, pos)
		if err == nil && loaded {
			err = c.ensure(t)
			if err == nil && !t.dst.loaded { // up to here it was as in Lower
				err = t.dst.load(pos)
			}
		}
		for i := range c.seen {
			s := &c.seen[i]
			if err == nil {
				err = c.name(t, s)
			}
			if s.node != nil {
				s.node.Release()
			}
			*s = sighting{}
		}
		if err != nil {
			return err
		}
		if last == pos {
			break
		}
		pos = last
	}
	if !t.src.dirty.Load() {
		return nil
	}
	if err := c.ensure(t); err != nil {
		return err
	}
	d := &t.dst.node
	d.take(&t.src.node)
	t.src.mu.RLock()
	d.size = t.src.size
	t.src.mu.RUnlock()
	d.nlink.Store(max(2, t.src.nlink.Load()))
	return nil
}

// look sees some names of t.src behind pos, and returns the position of the last: pos itself
// if there is none. It leaves out what is as in Lower if all names are, and names that are
// new since the first look: who renames something again and again would keep it going.
func (c *copier) look(t *copyDir, pos int64) (loaded bool, last int64, err error) {
	d := t.src
	c.seen = c.seen[:0]
	tree := &d.fs.super.Tree
	tree.RLock()
	defer tree.RUnlock()
	last = pos
	if d.loaded {
		if t.most == 0 {
			t.most = d.pos
		}
		names := d.behind(pos)
		for _, e := range names[:min(copyNames, len(names))] {
			if e.pos > t.most {
				break
			}
			if last = e.pos; e.name != "" {
				c.see(e)
			}
		}
		return true, last, nil
	}
	if len(d.entries) == 0 {
		return false, pos, nil
	}
	n := 0
	err = d.low.ReadDir(max(0, pos-firstPos), func(index int64, le LowEntry) bool {
		last = index + firstPos + 1
		if e := d.entries[le.Name]; e != nil {
			c.see(e)
		}
		n++
		return n < copyNames
	})
	return false, last, err
}

// see notes a name, if it isn't one to be left out.
func (c *copier) see(e *entry) {
	s := sighting{name: e.name, typ: e.typ, id: e.id, node: e.node}
	if s.node != nil {
		m := s.node.meta()
		s.id, s.dirty, s.linked = m.ino, m.dirty.Load(), e.in.fs.linked[m.ino] == s.node
		if sub, ok := s.node.(*dir); ok {
			s.live = sub.live > 0
		}
	}
	if !e.in.loaded && !s.dirty && !s.live {
		return
	}
	if s.node != nil {
		s.node.Retain()
	}
	c.seen = append(c.seen, s)
}

// name copies what a name leads to. If the names of t.src aren't those of Lower, t.dst is
// there and loaded.
func (c *copier) name(t *copyDir, s *sighting) error {
	if t.dst != nil && t.dst.entries[s.name] != nil {
		return nil // it has come back while we were here
	}
	if sub, ok := s.node.(*dir); ok {
		return c.subdir(t, s, sub)
	}
	if !s.dirty {
		return t.dst.put(s.name, s.typ, s.id, nil)
	}
	if err := c.ensure(t); err != nil {
		return err
	}
	n := c.done[s.node]
	if n == nil {
		var err error
		if n, err = c.file(s); err != nil {
			return err
		}
	}
	err := t.dst.put(s.name, s.typ, n.meta().ino, n)
	m := n.meta()
	switch {
	case err == nil:
		m.names++
		m.nlink.Store(max(m.nlink.Load(), m.names))
	case m.names == 0:
		delete(c.fs.linked, m.ino)
		c.fs.discard(n)
	}
	return err
}

// file copies a file that is no directory. It has no names.
func (c *copier) file(s *sighting) (inode, error) {
	if err := c.stop(); err != nil {
		return nil, err
	}
	if err := c.charge(); err != nil {
		return nil, err
	}
	n, err := c.node(s.node)
	if err != nil {
		return nil, err
	}
	if r, ok := n.(*regular); ok {
		if err := r.fill(s.node.(*regular), c.stop); err != nil {
			err = c.fs.explain(err) // before there is room again
			c.fs.discard(n)
			return nil, err
		}
	} else {
		n.meta().take(s.node.meta())
	}
	m := n.meta()
	m.names = 0
	m.nlink.Store(0)
	if s.linked { // there may be names of which only Lower knows
		m.nlink.Store(max(1, s.node.meta().nlink.Load()))
		c.fs.keepLinked(n)
	}
	c.done[s.node] = n
	return n, nil
}

// subdir leaves a directory to be copied, unless all of it is as in Lower.
func (c *copier) subdir(t *copyDir, s *sighting, sub *dir) error {
	if _, seen := c.done[sub]; seen {
		return nil // it has moved here
	}
	below := &copyDir{src: sub, up: t, name: s.name}
	if s.dirty {
		if err := c.ensure(t); err != nil {
			return err
		}
		n, err := c.node(sub)
		if err != nil {
			return err
		}
		if err := t.dst.put(s.name, s.typ, n.meta().ino, n); err != nil {
			c.fs.discard(n)
			return err
		}
		below.dst = n.(*dir)
		below.dst.dirty.Store(true)
	} else if t.dst != nil && t.dst.loaded {
		if err := t.dst.put(s.name, s.typ, s.id, nil); err != nil {
			return err
		}
	}
	if !s.dirty && !s.live {
		return nil
	}
	return c.add(below)
}

// ensure sees to it that t.dst is there, by looking for it in the copy of what is above.
func (c *copier) ensure(t *copyDir) error {
	var way []*copyDir
	for ; t.dst == nil; t = t.up {
		way = append(way, t)
	}
	for i := len(way) - 1; i >= 0; i-- {
		t := way[i]
		n, err := t.up.dst.Lookup(t.name, true)
		if err != nil {
			return err
		}
		d, ok := n.(*dir)
		if !ok {
			return errno.EUCLEAN
		}
		d.Retain()
		t.dst = d
	}
	return nil
}

// take makes the attributes those of s, but for those that depend on content and names.
func (n *node) take(s *node) {
	n.dirty.Store(true)
	s.mu.RLock()
	defer s.mu.RUnlock()
	n.mode.Store(n.mode.Load()&abi.S_IFMT | s.mode.Load()&^abi.S_IFMT)
	n.uid.Store(s.uid.Load())
	n.gid.Store(s.gid.Load())
	n.atime, n.mtime, n.ctime = s.atime, s.mtime, s.ctime
}
