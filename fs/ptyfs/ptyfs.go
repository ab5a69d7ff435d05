// Package ptyfs is the file system of /dev/pts, and the devices by which
// programs reach terminals: /dev/ptmx, /dev/tty, /dev/console, the slaves of
// pseudo terminals and the serial console. What a terminal does is in kern/tty.
//
// The directory shows the pseudo terminals of its instance; nothing can be made
// or removed in it. vfs calls it with Super.Tree held.
//
// Lock order: Super.Tree > fs.mu > locks of kern/tty; node.mu is a leaf.
package ptyfs

import (
	"strconv"
	"sync"
	"sync/atomic"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/tty"
)

const (
	magic = 0x1cd1 // of statfs(2)

	nodeCharge = 384 // Heap for a node

	rootIno = 1
	ptmxIno = 2
	slave0  = 3 // of slave 0
)

// fs is the file system of an instance.
type fs struct {
	super vfs.Super
	in    *inst.Inst // [const]
	root  *dir       // [const]
	ptmx  *node      // [const]

	mu    sync.Mutex
	nodes map[int]*node // [mu] of slaves, by index
}

// New makes the file system of an instance.
func New(in *inst.Inst) (*vfs.Super, error) {
	const charge = 3 * nodeCharge
	if !in.Charge(inst.Heap, charge) {
		return nil, errno.ENOMEM
	}
	f := &fs{in: in, nodes: make(map[int]*node)}
	f.root = &dir{node: node{fs: f, stat: newStat(rootIno, abi.S_IFDIR|0o755, 0)}}
	f.root.stat.Nlink = 2
	f.ptmx = &node{fs: f, stat: newStat(ptmxIno, abi.S_IFCHR|0o666, abi.Mkdev(majorAux, minorPtmx))}
	f.super.Type, f.super.Source, f.super.Inst = "devpts", "devpts", in
	f.super.Dev = vfs.NextDev(in)
	f.super.Root = f.root
	f.super.Statfs = func() abi.Statfs { return abi.Statfs{Type: magic, Bsize: 4096} }
	f.super.Options = func() string { return "gid=5,mode=620,ptmxmode=666" }
	f.super.Unmounted = func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		in.Uncharge(inst.Heap, charge+int64(len(f.nodes))*nodeCharge)
		clear(f.nodes)
	}
	return &f.super, nil
}

// find returns the node of slave n; ENOENT: there is none. One whose terminal is
// gone is dropped with the Tree lock held exclusively only, since then nobody
// has just found it, and not retained it yet.
func (f *fs) find(n int, excl bool) (*node, error) {
	p := tty.FindPty(f.in, n)
	f.mu.Lock()
	defer f.mu.Unlock()
	v := f.nodes[n]
	if v != nil && (p == nil || v.pty != p.Serial) {
		if !excl {
			return nil, vfs.ErrExclusive
		}
		delete(f.nodes, n)
		v.drop()
		v = nil
	}
	if p == nil {
		return nil, errno.ENOENT
	}
	if v == nil {
		if !f.in.Charge(inst.Heap, nodeCharge) {
			return nil, errno.ENOMEM
		}
		v = &node{fs: f, stat: newStat(slave0+uint64(n), abi.S_IFCHR|0o620, p.Rdev()), pty: p.Serial}
		v.stat.UID, v.stat.GID = p.UID, 5
		v.refs.Store(1)
		f.nodes[n] = v
	}
	return v, nil
}

// node is a file of the file system.
type node struct {
	base vfs.Base
	fs   *fs    // [const]
	pty  uint64 // [const] Serial of the slave's terminal, which this doesn't keep alive; 0: no slave
	// refs counts the users of a slave's node, and one for being listed.
	refs atomic.Int64

	mu   sync.Mutex
	stat abi.Stat // [mu to write, and to read what SetAttr changes]
}

// newStat returns the attributes of a new node.
func newStat(ino uint64, mode uint32, rdev uint64) abi.Stat {
	now := vfs.Now()
	return abi.Stat{Ino: ino, Nlink: 1, Mode: mode, Rdev: rdev, Blksize: 1024, Atime: now, Mtime: now, Ctime: now}
}

func (n *node) Base() *vfs.Base   { return &n.base }
func (n *node) Super() *vfs.Super { return &n.fs.super }
func (n *node) Retain()           { n.refs.Add(1) }

// Release implements vfs.Node.
func (n *node) Release() { n.drop() }

func (n *node) drop() {
	if left := n.refs.Add(-1); left == 0 && n.pty != 0 {
		n.fs.in.Uncharge(inst.Heap, nodeCharge)
	}
}

// Access implements vfs.Node.
func (n *node) Access() (mode, uid, gid uint32) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stat.Mode, n.stat.UID, n.stat.GID
}

// Attr implements vfs.Node.
func (n *node) Attr() abi.Stat {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stat
}

// SetAttr implements vfs.Node: grantpt(3), mesg(1), login(1).
func (n *node) SetAttr(s *vfs.SetAttr) error {
	if s.Mask&vfs.SetSize != 0 {
		return errno.EINVAL
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	s.Apply(&n.stat)
	return nil
}

// dir is the only directory.
type dir struct{ node }

// Lookup implements vfs.Dir.
func (d *dir) Lookup(name string, excl bool) (vfs.Node, error) {
	if name == "ptmx" {
		return d.fs.ptmx, nil
	}
	n, err := strconv.Atoi(name)
	if err != nil || n < 0 || strconv.Itoa(n) != name {
		return nil, errno.ENOENT
	}
	v, err := d.fs.find(n, excl)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// Where implements vfs.Dir.
func (d *dir) Where() (vfs.Dir, string) { return d, "" }

// ReadDir implements vfs.Dir.
func (d *dir) ReadDir(pos int64, excl bool, f func(e *abi.Dirent) bool) error {
	const first = 3 // position of ptmx
	if pos < first && !f(&abi.Dirent{Ino: ptmxIno, Off: first, Type: abi.DT_CHR, Name: "ptmx"}) {
		return nil
	}
	n := 0
	if pos >= first+1 {
		if pos-first > tty.MaxPtys {
			return nil
		}
		n = int(pos - first)
	}
	tty.Ptys(d.fs.in, n, func(p *tty.Pty) bool {
		return f(&abi.Dirent{
			Ino: slave0 + uint64(p.Index), Off: first + 1 + int64(p.Index), Type: abi.DT_CHR, Name: strconv.Itoa(p.Index),
		})
	})
	return nil
}

// Nothing can be made, removed or renamed.

func (d *dir) Make(string, *vfs.Make) (vfs.Node, error)                   { return nil, errno.EPERM }
func (d *dir) Tmpfile(*vfs.Make) (vfs.Node, error)                        { return nil, errno.EOPNOTSUPP }
func (d *dir) Link(string, vfs.Node) error                                { return errno.EPERM }
func (d *dir) Remove(string, vfs.Node) error                              { return errno.EPERM }
func (d *dir) Rename(string, vfs.Node, vfs.Dir, string, vfs.Node) error   { return errno.EPERM }
func (d *dir) Exchange(string, vfs.Node, vfs.Dir, string, vfs.Node) error { return errno.EPERM }
