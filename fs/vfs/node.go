package vfs

import (
	"errors"
	"sync"
	"sync/atomic"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/mem"
	"mult/kern/vm"
)

// A Node is a vnode: a file of any type in a mounted file system. There is one
// Node for a file as long as somebody uses it, so Nodes can be compared.
type Node interface {
	// Base returns what vfs keeps for the file.
	Base() *Base
	Super() *Super
	// Access returns what permissions are judged by.
	Access() (mode, uid, gid uint32)
	// Attr returns what stat(2) tells, but for Dev and Mount.
	Attr() abi.Stat
	// SetAttr changes attributes and sets the time of change. Permissions
	// have been checked.
	SetAttr(s *SetAttr) error
	// Retain and Release count the users. The last one's Release of a file
	// without names frees it.
	Retain()
	Release()
}

// A Dir is a Node that is a directory. Its methods are called with the Tree
// lock held: shared for Lookup, Where and ReadDir unless excl is true, else
// exclusively. Names are checked: not empty, not "." or "..", no slash, at most
// 255 bytes; a Dir that keeps one keeps a copy. Nodes that are passed belong to the
// same file system.
type Dir interface {
	Node
	// Lookup returns the file with a name, not retained, or ENOENT. If it
	// must change something for that and excl is false, it returns
	// ErrExclusive and is called again with the lock held exclusively.
	Lookup(name string, excl bool) (Node, error)
	// Where returns the parent directory and the name in it. The root of a
	// file system is its own parent; of a removed directory it is the last.
	Where() (parent Dir, name string)
	// Make makes a file that doesn't exist and returns it retained. ENOENT
	// if the directory has been removed, as for Link and Rename.
	Make(name string, m *Make) (Node, error)
	// Tmpfile makes a regular file without a name and returns it retained.
	Tmpfile(m *Make) (Node, error)
	// Link adds a name for n, which is no directory.
	Link(name string, n Node) error
	// Remove removes a name; n is its file, and retained. ENOTEMPTY if n is
	// a directory with names in it.
	Remove(name string, n Node) error
	// Rename gives n, that is old here, the name new in to, in place of
	// target unless that is nil. The types fit, and neither is above the
	// other. ENOTEMPTY as for Remove.
	Rename(old string, n Node, to Dir, new string, target Node) error
	// Exchange swaps the files of two names.
	Exchange(old string, n Node, to Dir, new string, target Node) error
	// ReadDir calls f for the entries behind position pos, without "." and
	// "..", until it returns false. Positions are above 2 and stay with
	// their names as long as they live. ErrExclusive as for Lookup.
	ReadDir(pos int64, excl bool, f func(d *abi.Dirent) bool) error
}

// ErrExclusive asks for a call again with the Tree lock held exclusively.
var ErrExclusive = errors.New("vfs: needs the exclusive lock")

// A Link is a Node that is a symbolic link.
type Link interface {
	Node
	// Readlink is called with or without the Tree lock and doesn't block.
	Readlink(c *Caller) (string, error)
}

// A Jumper is a symbolic link that leads to a file and not to a path, as those
// of /proc/self/fd. No lock is held.
type Jumper interface {
	// Jump returns where it leads, retained.
	Jump(c *Caller) (Loc, error)
}

// A FileJumper is a Jumper that leads to what somebody has open, and so knows by
// what name it was opened.
type FileJumper interface {
	Jumper
	// JumpFile returns the open file, with a reference for the caller. If
	// there is no vnode behind it, Jump is asked.
	JumpFile(c *Caller) (*file.File, error)
}

// An Opener is a Node that makes its own open files: file systems whose files
// are produced by the kernel. Device nodes, FIFOs, regular files of other file
// systems and directories need it not.
type Opener interface {
	// OpenNode returns what stands behind the open file. It is wrapped, so
	// that Stat and names come from the Node.
	OpenNode(c *Caller, flags int) (Special, error)
}

// A Regular is a Node with content that lies in pages. No lock is held when
// its methods are called.
type Regular interface {
	Node
	// ReadAt moves content from off on to u.
	ReadAt(u *vm.Uio, off int64) error
	// WriteAt moves all of u to the file, at off or, if that is
	// file.Append, behind the end. Nothing is written at max and beyond; a
	// write that would begin there is EFBIG. It returns where it ended.
	WriteAt(u *vm.Uio, off, max int64) (int64, error)
	// Touch notes that the content was read now: relatime of mount(8).
	Touch()
	// Page is vm.Object's, Resident vm.Around's.
	Page(n uint64, write bool) (mem.PA, error)
	Resident(n uint64, dst []mem.PA)
	// Viewers is vm.Viewed's. The file drops pages from it that it takes
	// away, or has a new frame for, while it is mapped.
	Viewers() *vm.Views
	// Allocate is fallocate(2); mode has been checked to be known.
	Allocate(mode uint32, off, n int64) error
	// NextData and NextHole are lseek(2)'s SEEK_DATA and SEEK_HOLE for an
	// offset below the size.
	NextData(off int64) (int64, error)
	NextHole(off int64) (int64, error)
}

// Make says what file to make.
type Make struct {
	Mode     uint32 // with type
	UID, GID uint32
	Rdev     uint64
	Target   string // of a symbolic link
}

// Bits of SetAttr.Mask.
const (
	SetMode = 1 << iota
	SetUID
	SetGID
	SetSize
	SetAtime
	SetMtime
)

// SetAttr says what attributes to change.
type SetAttr struct {
	Mask         int
	Mode         uint32 // permissions only
	UID, GID     uint32
	Size         int64
	Atime, Mtime abi.Timespec
}

// Apply makes the changes in st, but for the size, and sets the time of change.
func (s *SetAttr) Apply(st *abi.Stat) {
	if s.Mask&SetMode != 0 {
		st.Mode = st.Mode&abi.S_IFMT | s.Mode
	}
	if s.Mask&SetUID != 0 {
		st.UID = s.UID
	}
	if s.Mask&SetGID != 0 {
		st.GID = s.GID
	}
	if s.Mask&SetAtime != 0 {
		st.Atime = s.Atime
	}
	if s.Mask&SetMtime != 0 {
		st.Mtime = s.Mtime
	}
	st.Ctime = Now()
}

// Base is what vfs keeps for a Node, which contains it.
type Base struct {
	mounts  atomic.Int32          // mounts that cover the node
	over    atomic.Pointer[Mount] // the last of them, as a short cut; [Table.mu to write]
	writers atomic.Int32          // opened for writing; below 0: being executed

	mu      sync.Mutex
	special any // [mu]
}

// Special returns what make has returned for this node, calling it the first
// time. FIFOs and sockets keep what they are under their vnode there. It
// lives as long as the node: who needs it keeps the node retained.
func (b *Base) Special(make func() (any, error)) (any, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.special == nil {
		s, err := make()
		if err != nil {
			return nil, err
		}
		b.special = s
	}
	return b.special, nil
}

// TakeSpecial returns what Special has kept, and forgets it.
func (b *Base) TakeSpecial() any {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.special
	b.special = nil
	return s
}

// Writers returns how many have the file open for writing.
func (b *Base) Writers() int { return max(0, int(b.writers.Load())) }

// getWrite counts a writer, unless the file is being executed.
func (b *Base) getWrite() error {
	for {
		n := b.writers.Load()
		if n < 0 {
			return errno.ETXTBSY
		}
		if b.writers.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

func (b *Base) putWrite() { b.writers.Add(-1) }

// denyWrite counts one who executes the file, unless somebody may write it.
func (b *Base) denyWrite() error {
	for {
		n := b.writers.Load()
		if n > 0 {
			return errno.ETXTBSY
		}
		if b.writers.CompareAndSwap(n, n-1) {
			return nil
		}
	}
}

func (b *Base) allowWrite() { b.writers.Add(1) }

// isDir reports whether n is a directory.
func isDir(n Node) bool {
	_, ok := n.(Dir)
	return ok
}

func typeOf(n Node) uint32 {
	mode, _, _ := n.Access()
	return mode & abi.S_IFMT
}
