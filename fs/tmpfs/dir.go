package tmpfs

import (
	"math"
	"sort"
	"strings"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
)

// entrySize is what a name adds to the size of a directory, as in Linux's tmpfs.
const entrySize = 20

// firstPos is the last position that isn't a name's.
const firstPos = 2

// dir is a directory. Everything in it is guarded by the Tree lock.
//
// If it comes from Lower and has the same names still, entries holds only those
// whose nodes are there, and order nothing: it isn't loaded. The first change
// loads it.
type dir struct {
	node
	parent  *dir   // itself: root
	name    string // in parent
	low     LowNode
	entries map[string]*entry // nil: there are none
	order   []*entry          // by pos; an entry without a name was removed
	pos     int64             // the last that was given
	most    int               // names there have been: see inst.Shrink
	removed int32             // those in order
	live    int32             // entries with nodes
	loaded  bool
	dead    bool // has been removed
}

// entry is a name.
type entry struct {
	in   *dir // [const]
	name string
	pos  int64
	typ  uint8
	id   uint64 // in Lower, if node is nil
	node inode  // nil: as in Lower, and not there now
}

func (d *dir) Release() {
	if d.drop() {
		d.fs.discard(d)
	}
}

// Where returns parent and name.
func (d *dir) Where() (vfs.Dir, string) { return d.parent, d.name }

// Lookup finds a name.
func (d *dir) Lookup(name string, excl bool) (vfs.Node, error) {
	e := d.find(name)
	if e != nil && e.node != nil {
		if d.low != nil { // else nothing in it is in FS.clean
			if n := e.node.meta(); !n.used.Load() {
				n.used.Store(true)
			}
		}
		return e.node, nil
	}
	if e != nil {
		if !excl {
			return nil, vfs.ErrExclusive
		}
		return d.fs.summon(d, e)
	}
	if d.loaded {
		return nil, errno.ENOENT
	}
	le, err := d.low.Lookup(name)
	if err != nil {
		return nil, err
	}
	if !excl {
		return nil, vfs.ErrExclusive
	}
	d.live++ // keeps d from being forgotten meanwhile
	err = d.fs.chargeHeap(entryCharge + int64(len(name)))
	d.live--
	if err != nil {
		return nil, err
	}
	e = &entry{in: d, name: strings.Clone(le.Name), pos: -1, typ: le.Type, id: le.ID}
	d.enter(e)
	n, err := d.fs.summon(d, e)
	if err != nil {
		d.forget(e.name)
		d.fs.in.Uncharge(inst.Heap, entryCharge+int64(len(name)))
	}
	return n, err
}

// ready makes d one that can be changed.
func (d *dir) ready() error {
	if d.dead {
		return errno.ENOENT
	}
	if d.loaded {
		return nil
	}
	return d.load(math.MaxInt64)
}

// add gives a name to n. d is ready.
func (d *dir) add(name string, n inode) error {
	if err := d.put(name, abi.DirentType(n.meta().mode.Load()), 0, n); err != nil {
		return err
	}
	d.grow(entrySize)
	return nil
}

// put enters a name for n; nil: for what id is in Lower. If d isn't loaded, it is a name
// that Lower has.
func (d *dir) put(name string, typ uint8, id uint64, n inode) error {
	if err := d.fs.chargeHeap(entryCharge + int64(len(name))); err != nil {
		return err
	}
	e := &entry{in: d, name: strings.Clone(name), pos: -1, typ: typ, id: id, node: n}
	if d.loaded {
		d.pos++
		e.pos = d.pos
		d.order = append(d.order, e)
	}
	d.enter(e)
	if n != nil {
		d.live++
		d.place(e, n)
	}
	return nil
}

// place tells n, a directory, where it is now.
func (d *dir) place(e *entry, n inode) {
	if sub, ok := n.(*dir); ok {
		sub.parent, sub.name = d, e.name
	}
}

// enter adds a name to entries.
func (d *dir) enter(e *entry) {
	if d.entries == nil {
		d.entries = make(map[string]*entry)
	}
	d.entries[e.name] = e
}

// forget removes a name from entries.
func (d *dir) forget(name string) {
	if t := d.fs.recent.Load(); t != nil {
		t.place(d, name).CompareAndSwap(d.entries[name], nil)
	}
	delete(d.entries, name)
	d.entries = inst.Shrink(d.entries, &d.most)
}

// delete takes a name away.
func (d *dir) delete(name string) {
	e := d.entries[name]
	d.forget(name)
	d.fs.in.Uncharge(inst.Heap, entryCharge+int64(len(name)))
	e.name, e.node = "", nil
	d.live--
	d.removed++
	if d.removed > 16 && int(d.removed) > len(d.order)/2 {
		d.compact()
	}
	d.grow(-entrySize)
}

func (d *dir) compact() {
	left := make([]*entry, 0, len(d.order)-int(d.removed))
	for _, e := range d.order {
		if e.name != "" {
			left = append(left, e)
		}
	}
	d.order, d.removed = left, 0
}

// grow changes the size and notes the change.
func (d *dir) grow(by int64) {
	now := vfs.Now()
	d.dirty.Store(true)
	d.mu.Lock()
	d.size = max(0, d.size+by)
	d.mtime, d.ctime = now, now
	d.mu.Unlock()
}

// Make makes a file and returns it retained.
func (d *dir) Make(name string, m *vfs.Make) (vfs.Node, error) {
	if err := d.ready(); err != nil {
		return nil, err
	}
	d.used.Store(true)
	n, err := d.fs.make(m)
	if err != nil {
		return nil, err
	}
	if err := d.add(name, n); err != nil {
		d.fs.discard(n)
		return nil, err
	}
	if isDir(n) {
		d.nlink.Add(1)
	}
	n.Retain()
	return n, nil
}

// Tmpfile makes a file without a name.
func (d *dir) Tmpfile(m *vfs.Make) (vfs.Node, error) {
	if d.dead {
		return nil, errno.ENOENT
	}
	n, err := d.fs.make(m)
	if err != nil {
		return nil, err
	}
	n.meta().names = 0
	n.meta().nlink.Store(0) // the reference is the caller's
	n.(*regular).linkable = true
	return n, nil
}

// maxNames bounds the names of a file.
const maxNames = 1 << 16

// Link adds a name for a file.
func (d *dir) Link(name string, v vfs.Node) error {
	n := v.(inode)
	if err := d.ready(); err != nil {
		return err
	}
	m := n.meta()
	if m.nlink.Load() == 0 {
		f, ok := n.(*regular)
		if !ok || !f.linkable {
			return errno.ENOENT
		}
	}
	if m.nlink.Load() >= maxNames {
		return errno.EMLINK
	}
	if err := d.add(name, n); err != nil {
		return err
	}
	if f, ok := n.(*regular); ok {
		f.linkable = false
	}
	m.names++
	if m.nlink.Add(1) == 1 {
		n.Retain()
	}
	m.stamp(false)
	return nil
}

// Remove takes a name away.
func (d *dir) Remove(name string, v vfs.Node) error {
	n := v.(inode)
	if err := d.ready(); err != nil {
		return err
	}
	if sub, ok := n.(*dir); ok {
		if err := sub.bury(); err != nil {
			return err
		}
		d.lessSubs()
	} else {
		d.unlinked(n)
	}
	d.delete(name)
	return nil
}

// unlinked notes that a file, which the caller has retained, has a name less.
func (d *dir) unlinked(n inode) {
	m := n.meta()
	m.stamp(false)
	m.names--
	if m.nlink.Add(-1) == 0 {
		delete(d.fs.linked, m.ino)
		n.Release()
	}
}

// lessSubs notes that a directory has left d, whose count need not be true if
// it comes from Lower.
func (d *dir) lessSubs() {
	if d.nlink.Load() > 2 {
		d.nlink.Add(-1)
	}
}

// bury makes an empty directory, which the caller has retained, one that has
// been removed.
func (d *dir) bury() error {
	if err := d.ready(); err != nil {
		return err
	}
	if len(d.entries) > 0 {
		return errno.ENOTEMPTY
	}
	d.dead = true
	d.nlink.Store(0)
	d.stamp(true)
	d.Release()
	return nil
}

// Rename moves n, in place of target if there is one.
func (d *dir) Rename(old string, v vfs.Node, toDir vfs.Dir, new string, target vfs.Node) error {
	n, to := v.(inode), toDir.(*dir)
	if err := d.ready(); err != nil {
		return err
	}
	if err := to.ready(); err != nil {
		return err
	}
	if target == nil {
		if err := to.add(new, n); err != nil {
			return err
		}
	} else {
		if sub, ok := target.(*dir); ok {
			if err := sub.bury(); err != nil {
				return err
			}
			to.lessSubs()
		} else {
			to.unlinked(target.(inode))
		}
		to.replace(new, n)
	}
	if isDir(n) {
		d.lessSubs()
		to.nlink.Add(1)
	}
	d.delete(old)
	n.meta().stamp(false)
	return nil
}

// replace gives a name of d to n.
func (d *dir) replace(name string, n inode) {
	e := d.entries[name]
	e.node = n
	e.typ = abi.DirentType(n.meta().mode.Load())
	d.place(e, n)
	d.grow(0)
}

// Exchange swaps two files.
func (d *dir) Exchange(old string, v vfs.Node, toDir vfs.Dir, new string, target vfs.Node) error {
	n, m, to := v.(inode), target.(inode), toDir.(*dir)
	if err := d.ready(); err != nil {
		return err
	}
	if err := to.ready(); err != nil {
		return err
	}
	d.replace(old, m)
	to.replace(new, n)
	if isDir(n) && !isDir(m) {
		d.lessSubs()
		to.nlink.Add(1)
	} else if isDir(m) && !isDir(n) {
		to.lessSubs()
		d.nlink.Add(1)
	}
	n.meta().stamp(false)
	m.meta().stamp(false)
	return nil
}

// ReadDir calls f for the names behind pos.
func (d *dir) ReadDir(pos int64, excl bool, f func(e *abi.Dirent) bool) error {
	if !d.loaded {
		return d.low.ReadDir(max(0, pos-firstPos), func(index int64, e LowEntry) bool {
			return f(&abi.Dirent{Ino: e.ID, Off: index + firstPos + 1, Type: e.Type, Name: e.Name})
		})
	}
	for _, e := range d.behind(pos) {
		if e.name == "" {
			continue
		}
		ino := e.id
		if e.node != nil {
			ino = e.node.meta().ino
		}
		if !f(&abi.Dirent{Ino: ino, Off: e.pos, Type: e.typ, Name: e.name}) {
			break
		}
	}
	return nil
}

// behind returns the entries behind pos, those without a name too. d is loaded.
func (d *dir) behind(pos int64) []*entry {
	i := sort.Search(len(d.order), func(i int) bool { return d.order[i].pos > pos })
	return d.order[i:]
}

func isDir(n inode) bool {
	_, ok := n.(*dir)
	return ok
}
