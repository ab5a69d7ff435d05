package vfs

import (
	"slices"
	"sync"
	"sync/atomic"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
)

// A Super is a mounted file system. The file system makes it and fills in the
// fields before it is mounted.
type Super struct {
	Tree sync.RWMutex // guards all directories

	Type   string     // [const] "tmpfs"
	Source string     // [const] the first column of /proc/mounts
	Inst   *inst.Inst // [const] whose it is and who pays
	Dev    uint64     // [const] st_dev, of NextDev
	Root   Node       // [const] retained by the file system itself
	// Statfs tells sizes; Fsid and Flags are filled in by vfs.
	Statfs func() abi.Statfs
	// Options returns what /proc/mounts tells beside the flags; may be nil.
	Options func() string
	// Remount takes new options; nil: there are none to change.
	Remount func(options string) error
	// Unmounted is called when nobody uses the file system any more. It frees
	// everything.
	Unmounted func()
}

// Flags of mounts, mount(2).
const (
	MS_RDONLY   = 1
	MS_NOSUID   = 2
	MS_NODEV    = 4
	MS_NOEXEC   = 8
	MS_NOATIME  = 1024
	MS_RELATIME = 1 << 21
)

// mountCharge is what a mount costs.
const mountCharge = 256

// maxMounts bounds the mounts of an instance, as fs.mount-max does. Each mount(2)
// looks at all of them, and what they are mounted in.
const maxMounts = 1000

// A Mount is a file system at a place in the tree of names.
type Mount struct {
	ID     uint64 // [const]
	Super  *Super // [const]
	Parent *Mount // [const] nil for the root
	point  Dir    // [const] directory of Parent that it covers

	flags atomic.Uint32 // MS_*
	refs  atomic.Int64  // users, the mounts on it among them
	name  string        // [const] path at the time of the mount

	writers  atomic.Int64 // files that are open for writing
	expiring atomic.Bool  // not used since MNT_EXPIRE has asked for the first time
	detached atomic.Bool  // no name leads here, nor from here to Parent: MNT_DETACH
}

// above returns the mount that m is on, nil for the root and for one that was
// detached.
func (m *Mount) above() *Mount {
	if m.detached.Load() {
		return nil
	}
	return m.Parent
}

// cost is what a mount costs with its names.
func (m *Mount) cost() int64 { return mountCharge + int64(len(m.name)+len(m.Super.Source)) }

// charge takes what a mount costs. ENOSPC if there may be no more, ENOMEM.
func (tb *Table) charge(m *Mount) error {
	switch tb.in.ChargeWith(inst.Mounts, inst.Heap, m.cost()) {
	case inst.Mounts:
		return errno.ENOSPC
	case inst.Heap:
		return errno.ENOMEM
	}
	return nil
}

func (tb *Table) uncharge(m *Mount) { tb.in.UnchargeWith(inst.Mounts, inst.Heap, m.cost()) }

// addWriter counts a file that is opened for writing. EROFS.
func (m *Mount) addWriter() error {
	m.writers.Add(1)
	if m.readOnly() { // by now
		m.writers.Add(-1)
		return errno.EROFS
	}
	return nil
}

// setFlags changes the flags; EBUSY if nothing is to be written any more and
// somebody may write.
func (m *Mount) setFlags(flags uint32) error {
	old := m.flags.Swap(flags)
	if flags&MS_RDONLY != 0 && m.writers.Load() != 0 {
		m.flags.Store(old)
		return errno.EBUSY
	}
	return nil
}

// Flags returns the MS_* of m.
func (m *Mount) Flags() uint32 { return m.flags.Load() }

func (m *Mount) readOnly() bool { return m.flags.Load()&MS_RDONLY != 0 }

// A Loc is a vnode and the mount by which it was reached.
type Loc struct {
	Mount *Mount
	Node  Node
}

// Retain adds a user of both.
func (l Loc) Retain() {
	l.Mount.refs.Add(1)
	l.Node.Retain()
}

// Release gives a reference back. A zero Loc may be released.
func (l Loc) Release() {
	if l.Node != nil {
		l.Node.Release()
		if l.Mount.expiring.Load() {
			l.Mount.expiring.Store(false)
		}
		l.Mount.refs.Add(-1)
	}
}

// place is a key of the table of mounts.
type place struct {
	on   *Mount
	node Node
}

// Table is the mounts of an instance, with its device numbers.
type Table struct {
	in *inst.Inst // [const]

	mu     sync.RWMutex
	root   *Mount           // [mu]
	at     map[place]*Mount // [mu] by what they cover
	order  []*Mount         // [mu] as they came
	gone   []*Mount         // [mu] detached, and perhaps in use still
	nextID uint64           // [mu]

	nextDev atomic.Uint64

	devMu   sync.RWMutex
	devices map[devKey]Device // [devMu]
}

var slot = inst.NewSlot[Table]()

// Member is the row of this package in the table of members.
var Member = inst.Member{Name: "vfs", Alloc: alloc, Free: free}

func alloc(in, parent *inst.Inst) error {
	slot.Set(in, &Table{in: in, at: make(map[place]*Mount), devices: make(map[devKey]Device), nextID: 1})
	return nil
}

// free unmounts everything, the last mount first.
func free(in *inst.Inst) {
	tb := slot.Of(in)
	tb.prune()
	for i := len(tb.order) - 1; i >= 0; i-- {
		m := tb.order[i]
		if m.refs.Load() != 0 {
			panic("vfs: a mount of a dead instance is in use")
		}
		tb.removeLocked(m)
		tb.drop(m)
	}
	if len(tb.gone) != 0 {
		panic("vfs: a detached mount of a dead instance is in use")
	}
	slot.Set(in, nil)
}

// TableOf returns the mounts of in.
func TableOf(in *inst.Inst) *Table { return slot.Of(in) }

// NextDev returns a device number for a file system of in.
func NextDev(in *inst.Inst) uint64 {
	return abi.Mkdev(0, uint32(slot.Of(in).nextDev.Add(1)+20))
}

// drop undoes a mount that is no longer in the table of places.
func (tb *Table) drop(m *Mount) {
	if m.point != nil {
		Loc{m.Parent, m.point}.Release()
	}
	m.Super.Unmounted()
	tb.uncharge(m)
}

// HiddenMount makes a mount of s that has no place: its files are reached by
// descriptors alone. It costs nothing, and ends when the caller forgets it.
func HiddenMount(s *Super) *Mount { return &Mount{Super: s} }

// OpenHidden opens a file of a hidden mount, retained, whose reference it takes
// over, with any permissions. name is what it is called in /proc.
func (c *Caller) OpenHidden(m *Mount, n Node, name string, flags int) (*file.File, error) {
	o := opening{c: c, flags: flags & openFlags, made: true, name: name, loc: Loc{m, n}}
	m.refs.Add(1)
	if err := o.check(); err != nil {
		o.loc.Release()
		return nil, err
	}
	return o.finish()
}

// MountRoot makes s the root of the names of its instance. It is called once,
// before the first process.
func MountRoot(s *Super, flags uint32) error {
	tb := slot.Of(s.Inst)
	m := &Mount{Super: s, name: "/"}
	if err := tb.charge(m); err != nil {
		return err
	}
	m.flags.Store(flags)
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.root != nil {
		tb.uncharge(m)
		return errno.EBUSY
	}
	tb.addLocked(m)
	tb.root = m
	return nil
}

func (tb *Table) addLocked(m *Mount) {
	m.ID = tb.nextID
	tb.nextID++
	tb.order = append(tb.order, m)
}

// Root returns the root of all names of the instance, retained.
func (tb *Table) Root() Loc {
	tb.mu.RLock()
	defer tb.mu.RUnlock()
	l := Loc{tb.root, tb.root.Super.Root}
	l.Retain()
	return tb.topLocked(l)
}

// topLocked follows mounts on a retained l, at whose end it retains the root.
func (tb *Table) topLocked(l Loc) Loc {
	for l.Node.Base().mounts.Load() > 0 {
		m := tb.at[place{l.Mount, l.Node}]
		if m == nil {
			break
		}
		up := Loc{m, m.Super.Root}
		up.Retain()
		l.Release()
		l = up
	}
	return l
}

// Mount puts s at a directory. The caller has checked who asks. On an error s
// is still the caller's.
func (tb *Table) Mount(s *Super, at Loc, name string, flags uint32) error {
	dir, ok := at.Node.(Dir)
	if !ok {
		return errno.ENOTDIR
	}
	m := &Mount{Super: s, Parent: at.Mount, point: dir, name: name}
	if err := tb.charge(m); err != nil {
		return err
	}
	m.flags.Store(flags)
	tb.prune()
	// With the Tree lock, dir can't be removed meanwhile.
	tree := &dir.Super().Tree
	tree.Lock()
	defer tree.Unlock()
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if err := tb.mayMountLocked(s, at); err != nil {
		tb.uncharge(m)
		return err
	}
	at.Retain()
	dir.Base().mounts.Add(1)
	tb.at[place{at.Mount, at.Node}] = m
	dir.Base().over.Store(m)
	tb.addLocked(m)
	return nil
}

// mayMountLocked checks whether there is a place for s.
func (tb *Table) mayMountLocked(s *Super, at Loc) error {
	switch {
	case len(tb.order)+len(tb.gone) >= maxMounts:
		return errno.ENOSPC
	case at.Node.Attr().Nlink == 0:
		return errno.ENOENT
	case tb.at[place{at.Mount, at.Node}] != nil:
		return errno.EBUSY
	}
	for _, m := range tb.order {
		if m.Super == s {
			return errno.EBUSY
		}
	}
	return nil
}

// Unmount removes the mount whose root l is: EINVAL if it isn't one, EBUSY if
// somebody uses it. With expire it only does so if nobody has used the mount
// since it was asked last; else that is EAGAIN. l is released.
func (tb *Table) Unmount(l Loc, expire bool) error {
	m := l.Mount
	expired := m.expiring.Load() // Release ends that
	if l.Node != m.Super.Root {
		l.Release()
		return errno.EINVAL
	}
	l.Release()
	tb.prune()
	tb.mu.Lock()
	if m.detached.Load() {
		tb.mu.Unlock()
		return errno.EINVAL
	}
	if m == tb.root || m.refs.Load() != 0 || tb.at[place{m.Parent, m.point}] != m {
		tb.mu.Unlock()
		return errno.EBUSY
	}
	if expire && !expired {
		m.expiring.Store(true)
		tb.mu.Unlock()
		return errno.EAGAIN
	}
	tb.removeLocked(m)
	tb.mu.Unlock()
	tb.drop(m)
	return nil
}

// Detach removes the mount whose root l is, and all that are mounted in it,
// from the names. Each ends when nobody uses it any more. EINVAL if l is no
// root, EBUSY for the root of all names. l is released.
func (tb *Table) Detach(l Loc) error {
	defer tb.prune()
	defer l.Release()
	m := l.Mount
	if l.Node != m.Super.Root || m.detached.Load() {
		return errno.EINVAL
	}
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if m == tb.root {
		return errno.EBUSY
	}
	for _, x := range slices.Backward(slices.Clone(tb.order)) {
		for up := x; up != nil; up = up.above() {
			if up == m {
				tb.removeLocked(x)
				tb.gone = append(tb.gone, x)
				break
			}
		}
	}
	for _, x := range tb.gone {
		x.detached.Store(true)
	}
	return nil
}

// removeLocked takes m out of the table.
func (tb *Table) removeLocked(m *Mount) {
	if m.point != nil {
		m.point.Base().mounts.Add(-1)
	}
	delete(tb.at, place{m.Parent, m.point})
	if m.point != nil {
		m.point.Base().over.CompareAndSwap(m, nil)
	}
	if i := slices.Index(tb.order, m); i >= 0 {
		tb.order = slices.Delete(tb.order, i, i+1)
	}
}

// prune removes mounts that no name leads to any more, because they were
// detached or the directory below was that of a process that has ended: unless
// somebody uses them still. Other directories can't be removed while something
// is mounted there.
func (tb *Table) prune() {
	for {
		tb.mu.Lock()
		m := tb.unreachableLocked()
		if i := slices.Index(tb.gone, m); i >= 0 {
			tb.gone = slices.Delete(tb.gone, i, i+1)
		} else if m != nil {
			tb.removeLocked(m)
		}
		tb.mu.Unlock()
		if m == nil {
			return
		}
		tb.drop(m)
	}
}

// unreachableLocked returns a mount for prune, the last one first: what is
// mounted in it came later.
func (tb *Table) unreachableLocked() *Mount {
	for _, m := range tb.gone {
		if m.refs.Load() == 0 {
			return m
		}
	}
	for _, m := range slices.Backward(tb.order) {
		if m.refs.Load() != 0 {
			continue
		}
		for up := m; up.point != nil; up = up.Parent {
			if up.point.Attr().Nlink == 0 {
				return m
			}
		}
	}
	return nil
}

// Mounts calls f for each mount, in the order in which they came, with its
// path when it was mounted.
func (tb *Table) Mounts(f func(m *Mount, name string)) {
	tb.prune()
	tb.mu.RLock()
	list := append([]*Mount(nil), tb.order...)
	tb.mu.RUnlock()
	for _, m := range list {
		f(m, m.name)
	}
}

// over returns the mount on a node with Base b, its root retained.
func (tb *Table) over(l Loc, b *Base) (Loc, bool) {
	var up Loc
	tb.mu.RLock()
	m := b.over.Load()
	if m == nil || m.Parent != l.Mount {
		m = tb.at[place{l.Mount, l.Node}]
	}
	if m != nil {
		up = Loc{m, m.Super.Root}
		up.Retain()
	}
	tb.mu.RUnlock()
	return up, m != nil
}
