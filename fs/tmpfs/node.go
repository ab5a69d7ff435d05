package tmpfs

import (
	"sync"
	"sync/atomic"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
)

// inode is any node of this file system.
type inode interface {
	vfs.Node
	meta() *node
}

// node is what all types of files have.
type node struct {
	base vfs.Base
	fs   *FS          // [const]
	ino  uint64       // [const]
	rdev uint64       // [const]
	refs atomic.Int64 // users, and one for all names

	nlink    atomic.Int64  // changed with the Tree lock held exclusively
	names    int64         // [Tree] entries with this node: nlink at most
	mode     atomic.Uint32 // type and permissions
	uid, gid atomic.Uint32
	reads    atomic.Uint32 // since the last change
	used     atomic.Bool   // looked up since the hand of FS.clean came by
	dirty    atomic.Bool   // differs from Lower, or never came from there

	entry *entry // [Tree] of a clean node, which has one name only

	mu                  sync.RWMutex
	size                int64        // [mu]
	atime, mtime, ctime abi.Timespec // [mu]
	blocks              int64        // [mu] pages
}

func (n *node) meta() *node       { return n }
func (n *node) Base() *vfs.Base   { return &n.base }
func (n *node) Super() *vfs.Super { return &n.fs.super }
func (n *node) Retain()           { n.refs.Add(1) }

func (n *node) Access() (mode, uid, gid uint32) {
	return n.mode.Load(), n.uid.Load(), n.gid.Load()
}

// drop takes a reference back and reports whether that was the last. All names
// together hold one, so a file without users and names is what has none.
func (n *node) drop() bool {
	left := n.refs.Add(-1)
	if left < 0 {
		panic("tmpfs: a node lost more references than it had")
	}
	return left == 0
}

func (n *node) Attr() (s abi.Stat) {
	n.mu.RLock()
	s.Ino, s.Nlink, s.Rdev = n.ino, uint64(n.nlink.Load()), n.rdev
	s.Mode, s.UID, s.GID = n.mode.Load(), n.uid.Load(), n.gid.Load()
	s.Size, s.Blksize, s.Blocks = n.size, 4096, n.blocks*8
	s.Atime, s.Mtime, s.Ctime = n.atime, n.mtime, n.ctime
	n.mu.RUnlock()
	return s
}

// SetAttr changes what all types have; regular has one of its own for sizes.
func (n *node) SetAttr(s *vfs.SetAttr) error {
	if s.Mask&vfs.SetSize != 0 {
		return errno.EINVAL
	}
	n.set(s)
	return nil
}

func (n *node) set(s *vfs.SetAttr) {
	n.dirty.Store(true)
	n.mu.Lock()
	defer n.mu.Unlock()
	if s.Mask&vfs.SetMode != 0 {
		n.mode.Store(n.mode.Load()&abi.S_IFMT | s.Mode&0o7777)
	}
	if s.Mask&vfs.SetUID != 0 {
		n.uid.Store(s.UID)
	}
	if s.Mask&vfs.SetGID != 0 {
		n.gid.Store(s.GID)
	}
	if s.Mask&vfs.SetAtime != 0 {
		n.atime = s.Atime
	}
	if s.Mask&vfs.SetMtime != 0 {
		n.mtime = s.Mtime
	}
	n.ctime = vfs.Now()
	n.reads.Store(0)
}

// stamp notes a change: of the node, and of its content too if content is true.
func (n *node) stamp(content bool) {
	n.dirty.Store(true)
	now := vfs.Now()
	n.mu.Lock()
	n.ctime = now
	n.reads.Store(0)
	if content {
		n.mtime = now
	}
	n.mu.Unlock()
}

// day is the age at which relatime sets the time of access in any case, and
// lookEvery how many reads there are between looks at the clock for that.
const (
	day       = 24 * 60 * 60
	lookEvery = 1 << 12
)

// Touch notes an access, as relatime of mount(8). What doesn't differ from
// Lower isn't changed for that.
func (n *node) Touch() {
	if !n.dirty.Load() {
		return
	}
	if c := n.reads.Load(); c%lookEvery != 0 {
		n.reads.Store(c + 1) // one that gets lost does no harm
		return
	}
	now := vfs.Now()
	n.mu.Lock()
	defer n.mu.Unlock()
	n.reads.Store(1)
	if !after(n.atime, n.mtime) || !after(n.atime, n.ctime) || now.Sec-n.atime.Sec >= day {
		n.atime = now
	}
}

func after(a, b abi.Timespec) bool { return a.Sec > b.Sec || a.Sec == b.Sec && a.Nsec > b.Nsec }

// link is a symbolic link.
type link struct {
	node
	target string // [const]
}

func (l *link) Readlink(c *vfs.Caller) (string, error) { return l.target, nil }

func (l *link) Release() {
	if l.drop() {
		l.fs.discard(l)
	}
}

// special is a device node, FIFO or socket.
type special struct{ node }

func (s *special) Release() {
	if s.drop() {
		s.fs.discard(s)
	}
}

// make makes a node with the reference and the count of one name.
func (fs *FS) make(m *vfs.Make) (inode, error) {
	extra := int64(len(m.Target))
	if err := fs.chargeHeap(extra); err != nil {
		return nil, err
	}
	if err := fs.chargeOrEvict(); err != nil {
		fs.in.Uncharge(inst.Heap, extra)
		return nil, err
	}
	i := newNode(m.Mode)
	n := i.meta()
	n.fs, n.ino, n.rdev = fs, fs.nextIno.Add(1), m.Rdev
	n.mode.Store(m.Mode)
	n.uid.Store(m.UID)
	n.gid.Store(m.GID)
	n.dirty.Store(true)
	now := vfs.Now()
	n.atime, n.mtime, n.ctime = now, now, now
	n.size = extra
	n.nlink.Store(1)
	n.names = 1
	n.refs.Store(1)
	switch x := i.(type) {
	case *dir:
		x.loaded = true
		x.pos = firstPos
		n.nlink.Store(2)
	case *link:
		x.target = m.Target
	}
	return i, nil
}

// newNode returns an empty node of the type that mode says.
func newNode(mode uint32) inode {
	switch mode & abi.S_IFMT {
	case abi.S_IFDIR:
		return &dir{}
	case abi.S_IFREG:
		return &regular{}
	case abi.S_IFLNK:
		return &link{}
	}
	return &special{}
}
