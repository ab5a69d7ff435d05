package tmpfs

import (
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/mem"
)

// A Lower is a tree that never changes, with which a file system begins.
type Lower interface {
	Root() uint64
	// MaxID is at least as big as all ids of nodes. Ids become the numbers
	// of inodes.
	MaxID() uint64
	Node(id uint64) (LowNode, error)
}

// A LowNode is a file of a Lower.
type LowNode interface {
	Attr() LowAttr
	// Lookup and ReadDir are for directories. ReadDir calls f for the names
	// from index on, each with its own index, until f returns false.
	Lookup(name string) (LowEntry, error)
	ReadDir(index int64, f func(index int64, e LowEntry) bool) error
	// Readlink is for symbolic links.
	Readlink() (string, error)
	// Span returns content from off on, up to n bytes and more than none
	// below the size. It must not be changed.
	Span(off, n uint64) []byte
	// Page returns the frame of a page, zero behind the end, with a
	// reference. It must not be changed.
	Page(n uint64) (mem.PA, error)
}

// LowAttr is what a Lower tells about a file.
type LowAttr struct {
	Mode, UID, GID uint32
	Nlink          uint32
	Rdev           uint64
	Size           int64
	Mtime          abi.Timespec
}

// LowEntry is a name in a Lower.
type LowEntry struct {
	Name string
	ID   uint64
	Type uint8 // DT_*
}

// lowNode makes the node for a file of Lower, with the reference of its names.
func (fs *FS) lowNode(id uint64) (inode, error) {
	low, err := fs.lower.Node(id)
	if err != nil {
		return nil, err
	}
	a := low.Attr()
	var target string
	if a.Mode&abi.S_IFMT == abi.S_IFLNK {
		if target, err = low.Readlink(); err != nil {
			return nil, err
		}
	}
	if err := fs.chargeHeap(int64(len(target))); err != nil {
		return nil, err
	}
	if err := fs.chargeOrEvict(); err != nil {
		fs.in.Uncharge(inst.Heap, int64(len(target)))
		return nil, err
	}
	i := newNode(a.Mode)
	n := i.meta()
	n.fs, n.ino, n.rdev = fs, id, a.Rdev
	n.mode.Store(a.Mode)
	n.uid.Store(a.UID)
	n.gid.Store(a.GID)
	n.nlink.Store(int64(max(1, a.Nlink)))
	n.atime, n.mtime, n.ctime = a.Mtime, a.Mtime, a.Mtime
	n.size = a.Size
	n.blocks = (a.Size + mem.PageSize - 1) / mem.PageSize
	n.used.Store(true)
	n.names = 1
	n.refs.Store(1)
	switch x := i.(type) {
	case *dir:
		x.low = low
		n.nlink.Store(max(2, n.nlink.Load()))
	case *link:
		x.target = target
	case *regular:
		x.low = low
		x.lowEnd = uint64(a.Size)
	}
	return i, nil
}

// summon makes the node of an entry that has none. The Tree lock is held
// exclusively.
func (fs *FS) summon(d *dir, e *entry) (vfs.Node, error) {
	if n := fs.linked[e.id]; n != nil {
		// There may be more names than Lower says.
		m := n.meta()
		m.names++
		m.nlink.Store(max(m.nlink.Load(), m.names))
		e.node = n
		d.live++
		return n, nil
	}
	d.live++ // keeps d and all above it from being forgotten
	n, err := fs.lowNode(e.id)
	if err != nil {
		d.live--
		return nil, err
	}
	e.node = n
	m := n.meta()
	d.place(e, n)
	if !isDir(n) && m.nlink.Load() > 1 {
		fs.keepLinked(n)
		return n, nil
	}
	m.entry = e
	fs.clean = append(fs.clean, n)
	for tries := 0; len(fs.clean) > fs.maxClean && tries < 64; tries++ {
		fs.evictNext(n)
	}
	return n, nil
}

// keepLinked keeps a node with several names, of which Lower knows some that nobody has
// looked at.
func (fs *FS) keepLinked(n inode) {
	if fs.linked == nil {
		fs.linked = make(map[uint64]inode)
	}
	fs.linked[n.meta().ino] = n
}

// chargeOrEvict is charge that forgets what it can before it gives up. The Tree
// lock is held exclusively, and what the caller works on is retained or has
// live entries.
func (fs *FS) chargeOrEvict() error {
	err := fs.charge()
	if err != nil && fs.evictAll() {
		err = fs.charge()
	}
	return err
}

// chargeHeap takes n bytes, as chargeOrEvict.
func (fs *FS) chargeHeap(n int64) error {
	if fs.in.Charge(inst.Heap, n) || fs.evictAll() && fs.in.Charge(inst.Heap, n) {
		return nil
	}
	return errno.ENOMEM
}

// evictAll forgets what it can, and reports whether that was anything. It goes
// round twice: first the marks of use go, and directories can follow what is
// in them.
func (fs *FS) evictAll() bool {
	before := len(fs.clean)
	for n := 2 * before; n > 0 && len(fs.clean) > 0; n-- {
		fs.evictNext(nil)
	}
	return len(fs.clean) < before
}

// evictNext looks at one node of clean and forgets it if it is not in use and
// not keep.
func (fs *FS) evictNext(keep inode) {
	if fs.hand >= len(fs.clean) {
		fs.hand = 0
	}
	i := fs.clean[fs.hand]
	n := i.meta()
	if n.dirty.Load() {
		fs.unlist()
		return
	}
	d, _ := i.(*dir)
	if i == keep || n.refs.Load() > 1 || n.used.Swap(false) || d != nil && (d.live > 0 || d.loaded) {
		fs.hand++
		return
	}
	fs.unlist()
	e := n.entry
	above := e.in
	e.node = nil
	above.live--
	if !above.loaded {
		above.forget(e.name)
		fs.in.Uncharge(inst.Heap, entryCharge+int64(len(e.name)))
	}
	fs.discard(i)
}

// unlist takes the node at hand out of clean.
func (fs *FS) unlist() {
	last := len(fs.clean) - 1
	fs.clean[fs.hand] = fs.clean[last]
	fs.clean[last] = nil
	fs.clean = fs.clean[:last]
}

// load fills in the names up to a position, of a directory whose names are about to differ
// from Lower's.
func (d *dir) load(most int64) error {
	err := d.tryLoad(most)
	if err == errno.ENOMEM && d.fs.evictAll() {
		err = d.tryLoad(most)
	}
	return err
}

// tryLoad is load that forgets nothing: it goes by what entries there are.
func (d *dir) tryLoad(most int64) error {
	fs := d.fs
	var charged int64
	fresh, seen := make(map[string]*entry), make(map[string]bool)
	var order []*entry
	var last int64
	failed := false
	err := d.low.ReadDir(0, func(index int64, le LowEntry) bool {
		if index+firstPos+1 > most {
			return false
		}
		last = index + firstPos + 1
		e := d.entries[le.Name]
		if seen[le.Name] {
			return true // Lower is damaged
		}
		seen[le.Name] = true
		if e == nil {
			n := entryCharge + int64(len(le.Name))
			if failed = !fs.in.Charge(inst.Heap, n); failed {
				return false
			}
			charged += n
			e = &entry{in: d, name: le.Name, typ: le.Type, id: le.ID}
			fresh[e.name] = e
		}
		e.pos = last
		order = append(order, e)
		return true
	})
	if failed {
		err = errno.ENOMEM
	}
	if err != nil {
		fs.in.Uncharge(inst.Heap, charged)
		return err
	}
	for _, e := range fresh {
		d.enter(e)
	}
	d.order, d.pos, d.loaded = order, max(last, firstPos), true
	d.dirty.Store(true)
	return nil
}
