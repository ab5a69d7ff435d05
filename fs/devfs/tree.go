package devfs

import (
	"strings"

	"mult/fs/tmpfs"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/mem"
)

// A Node is a name in the file system: a device, a directory, or a symbolic
// link if it has a target.
type Node struct {
	Name         string // below the root, such as "pts" or "net/tun"
	Mode         uint32 // with type
	GID          uint32
	Major, Minor uint32
	Target       string
}

func own() []Node {
	return []Node{
		{Name: "null", Mode: abi.S_IFCHR | 0o666, Major: majorMem, Minor: minorNull},
		{Name: "zero", Mode: abi.S_IFCHR | 0o666, Major: majorMem, Minor: minorZero},
		{Name: "full", Mode: abi.S_IFCHR | 0o666, Major: majorMem, Minor: minorFull},
		{Name: "random", Mode: abi.S_IFCHR | 0o666, Major: majorMem, Minor: minorRandom},
		{Name: "urandom", Mode: abi.S_IFCHR | 0o666, Major: majorMem, Minor: minorUrandom},
		{Name: "fd", Mode: abi.S_IFLNK | 0o777, Target: "/proc/self/fd"},
		{Name: "stdin", Mode: abi.S_IFLNK | 0o777, Target: "/proc/self/fd/0"},
		{Name: "stdout", Mode: abi.S_IFLNK | 0o777, Target: "/proc/self/fd/1"},
		{Name: "stderr", Mode: abi.S_IFLNK | 0o777, Target: "/proc/self/fd/2"},
		{Name: "shm", Mode: abi.S_IFDIR | abi.S_ISVTX | 0o777},
	}
}

// A Tree says which nodes there are. It never changes: a file system begins with it, as
// one over an image does, and has for itself only what is used or has changed.
type Tree struct{ nodes []treeNode }

// treeNode is a node with the parts of its name.
type treeNode struct {
	Node
	dir, base string
}

// NewTree makes a Tree with the nodes of this package and others. A directory is among
// them as well as what is in it.
func NewTree(others ...Node) *Tree {
	t := &Tree{}
	for _, n := range append(own(), others...) {
		dir, base := "", n.Name
		if i := strings.LastIndexByte(base, '/'); i >= 0 {
			dir, base = base[:i], base[i+1:]
		}
		t.nodes = append(t.nodes, treeNode{n, dir, base})
	}
	return t
}

// lower is a Tree as the tmpfs.Lower of a file system. The id of the root is rootID, those
// of nodes follow.
type lower struct {
	*Tree
	mode, uid, gid uint32       // of the root
	made           abi.Timespec // when the file system was made
}

const rootID = 1

func (l *lower) Root() uint64  { return rootID }
func (l *lower) MaxID() uint64 { return rootID + uint64(len(l.nodes)) }

func (l *lower) Node(id uint64) (tmpfs.LowNode, error) {
	if id == rootID {
		return &lowNode{l, rootID, &Node{Mode: l.mode, GID: l.gid}}, nil
	}
	return &lowNode{l, id, &l.nodes[id-rootID-1].Node}, nil
}

// lowNode is a node of a lower.
type lowNode struct {
	l  *lower
	id uint64
	n  *Node // [const]
}

func (n *lowNode) Attr() tmpfs.LowAttr {
	a := tmpfs.LowAttr{Mode: n.n.Mode, GID: n.n.GID, Nlink: 1, Size: int64(len(n.n.Target)), Mtime: n.l.made}
	switch n.n.Mode & abi.S_IFMT {
	case abi.S_IFCHR, abi.S_IFBLK:
		a.Rdev = abi.Mkdev(n.n.Major, n.n.Minor)
	case abi.S_IFDIR:
		a.Nlink = 2
		n.ReadDir(0, func(_ int64, e tmpfs.LowEntry) bool {
			if e.Type == abi.DT_DIR {
				a.Nlink++
			}
			return true
		})
	}
	if n.id == rootID {
		a.UID = n.l.uid
	}
	return a
}

func (n *lowNode) Lookup(name string) (tmpfs.LowEntry, error) {
	found := tmpfs.LowEntry{}
	n.ReadDir(0, func(_ int64, e tmpfs.LowEntry) bool {
		if e.Name == name {
			found = e
		}
		return e.Name != name
	})
	if found.ID == 0 {
		return found, errno.ENOENT
	}
	return found, nil
}

func (n *lowNode) ReadDir(index int64, f func(index int64, e tmpfs.LowEntry) bool) error {
	for i := int(index); i < len(n.l.nodes); i++ {
		o := &n.l.nodes[i]
		if o.dir == n.n.Name && !f(int64(i), tmpfs.LowEntry{Name: o.base, ID: rootID + 1 + uint64(i), Type: abi.DirentType(o.Mode)}) {
			break
		}
	}
	return nil
}

func (n *lowNode) Readlink() (string, error) { return n.n.Target, nil }

// There are no files with content.

func (n *lowNode) Span(off, size uint64) []byte       { return nil }
func (n *lowNode) Page(number uint64) (mem.PA, error) { return 0, errno.EIO }
