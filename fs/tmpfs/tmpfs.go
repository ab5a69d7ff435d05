// Package tmpfs is the file system in memory. Content is frames and names are
// kernel memory, both charged to the instance whose file system it is.
//
// It may begin with what a read-only tree holds, a Lower: then a directory or
// file costs nothing until it is used, little until it changes, and a changed
// file only the pages that differ. Names that are removed or moved away are
// gone for this file system alone. That is how fs/unionfs lays a file system
// that can be written over an image.
//
// # Locks
//
// vfs.Super.Tree guards directories and what is reachable through them; vfs
// takes it. Of a file, node.mu guards attributes and pages. file.write is held
// by those who write or change the size, so that they follow one another; it is
// held while the memory of a program is touched, and nothing that a page fault
// does takes it.
//
// Lock order: file.write > node.mu > nothing; Super.Tree > node.mu. Pages are
// dropped from those who map them with no lock or file.write held. Content of
// a file that is gone is freed by the last Release, under no other lock than
// node.mu.
package tmpfs

import (
	"fmt"
	"math"
	"sync/atomic"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/mem"
)

// Options say how a file system is to be.
type Options struct {
	Type, Source string // for /proc/mounts; "tmpfs" if empty
	MaxPages     int64  // of content; 0: as the instance can pay for
	MaxNodes     int64  // 0: as the instance can pay for
	Mode         uint32 // of the root directory, without type; 0: 01777
	UID, GID     uint32 // of the root directory
	Magic        int64  // of statfs(2); 0: that of tmpfs
	// Lower, unless nil, is what the file system holds at first. Mode and
	// owner are then those of its root.
	Lower Lower
	// MaxClean is how many nodes that don't differ from Lower are kept; 0: 4096.
	MaxClean int
}

const (
	magicTmpfs = 0x01021994

	nodeCharge  = 512 // Heap for a node
	entryCharge = 128 // Heap for a name, and its length

	fsCharge = 512 // Heap for a file system
)

// FS is a file system.
type FS struct {
	super   vfs.Super
	in      *inst.Inst  // [const]
	memory  *mem.Memory // [const]
	machine int64       // [const] frames of the machine
	lower   Lower       // [const] what it held at first; may be nil
	magic   int64       // [const] of statfs(2)

	maxPages atomic.Int64
	maxNodes atomic.Int64

	pages   atomic.Int64
	nodes   atomic.Int64
	nextIno atomic.Uint64

	lookups atomic.Uint32 // see FS.countLookup
	recent  atomic.Pointer[recentTable]

	// Nodes that come from Lower.
	linked   map[uint64]inode // [Tree] those with several names, by id
	clean    []inode          // [Tree] those that may be forgotten
	maxClean int              // [const]
	hand     int              // [Tree] where the next look at clean begins
}

// New makes a file system of an instance, to be given to vfs.MountRoot or
// vfs.Caller.Mount. Free it with Super.Unmounted if it isn't mounted.
func New(in *inst.Inst, memory *mem.Memory, o Options) (*vfs.Super, error) {
	return newFS(in, memory, o, (*FS).makeRoot)
}

// newFS is New with a root directory that root makes.
func newFS(in *inst.Inst, memory *mem.Memory, o Options, root func(*FS, *Options) (*dir, error)) (*vfs.Super, error) {
	if o.Type == "" {
		o.Type = "tmpfs"
	}
	if o.Source == "" {
		o.Source = "tmpfs"
	}
	if o.Magic == 0 {
		o.Magic = magicTmpfs
	}
	if o.Mode == 0 {
		o.Mode = abi.S_ISVTX | 0o777
	}
	if o.MaxPages == 0 {
		o.MaxPages = math.MaxInt64
	}
	if o.MaxNodes == 0 {
		o.MaxNodes = math.MaxInt64
	}
	if o.MaxClean == 0 {
		o.MaxClean = 4096
	}
	if !in.Charge(inst.Heap, fsCharge) {
		return nil, errno.ENOMEM
	}
	fs := &FS{in: in, memory: memory, machine: int64(memory.Stats().Total), lower: o.Lower, magic: o.Magic, maxClean: o.MaxClean}
	fs.maxPages.Store(o.MaxPages)
	fs.maxNodes.Store(o.MaxNodes)
	if o.Lower != nil {
		fs.nextIno.Store(o.Lower.MaxID())
	}
	d, err := root(fs, &o)
	if err != nil {
		in.Uncharge(inst.Heap, fsCharge)
		return nil, err
	}
	d.parent = d
	fs.super.Type, fs.super.Source = o.Type, o.Source
	fs.super.Inst = in
	fs.super.Dev = vfs.NextDev(in)
	fs.super.Root = d
	fs.super.Statfs = fs.statfs
	fs.super.Options = fs.options
	fs.super.Remount = fs.remount
	fs.super.Unmounted = fs.unmounted
	return &fs.super, nil
}

func (fs *FS) makeRoot(o *Options) (*dir, error) {
	if fs.lower == nil {
		n, err := fs.make(&vfs.Make{Mode: o.Mode&0o7777 | abi.S_IFDIR, UID: o.UID, GID: o.GID})
		if err != nil {
			return nil, err
		}
		return n.(*dir), nil
	}
	n, err := fs.lowNode(fs.lower.Root())
	if err != nil {
		return nil, err
	}
	d, ok := n.(*dir)
	if !ok {
		fs.uncharge()
		return nil, errno.EUCLEAN
	}
	return d, nil
}

func (fs *FS) options() string {
	if fs.maxPages.Load() == math.MaxInt64 {
		return ""
	}
	return fmt.Sprintf("size=%dk", fs.maxPages.Load()*4)
}

func (fs *FS) statfs() abi.Statfs {
	s := abi.Statfs{Type: fs.magic, Bsize: mem.PageSize}
	// What can be had, by this file system's limits and by the instance's.
	used := fs.pages.Load()
	free := min(int64(fs.memory.Stats().Free), fs.in.Left(inst.Frames))
	total := min(fs.maxPages.Load(), used+min(max(0, free-fs.spare()), fs.in.Left(inst.Content)))
	s.Blocks = uint64(total)
	s.Bfree = uint64(max(0, total-used))
	s.Bavail = s.Bfree
	nodes := fs.nodes.Load()
	most := min(fs.maxNodes.Load(), nodes+min(1<<20, fs.in.Left(inst.Heap)/nodeCharge, fs.in.Left(inst.Inodes)))
	s.Files = uint64(most)
	s.Ffree = uint64(max(0, most-nodes))
	return s
}

// charge takes a node of the instance and of the file system.
func (fs *FS) charge() error {
	if fs.nodes.Add(1) > fs.maxNodes.Load() {
		fs.nodes.Add(-1)
		return errno.ENOSPC
	}
	switch fs.in.ChargeWith(inst.Inodes, inst.Heap, nodeCharge) {
	case inst.Inodes:
		fs.nodes.Add(-1)
		return errno.ENOSPC
	case inst.Heap:
		fs.nodes.Add(-1)
		return errno.ENOMEM
	}
	return nil
}

func (fs *FS) uncharge() {
	fs.nodes.Add(-1)
	fs.in.UnchargeWith(inst.Inodes, inst.Heap, nodeCharge)
}

// spare returns how many frames content leaves to the instance's processes: a
// page fault that finds none ends one of them, and that gives no content back.
func (fs *FS) spare() int64 {
	return min(fs.machine, fs.in.Limit(inst.Frames)) / 32
}

// takePage takes a frame for content; ENOSPC if there are too many, or too few
// would be left.
func (fs *FS) takePage() (mem.PA, error) {
	if fs.pages.Add(1) > fs.maxPages.Load() {
		fs.pages.Add(-1)
		return 0, errno.ENOSPC
	}
	spare := fs.spare()
	if fs.in.Charge(inst.Content, 1) {
		if fs.in.ChargeLeaving(inst.Frames, 1, spare) {
			if pa, ok := fs.memory.AllocLeaving(uint64(spare)); ok {
				return pa, nil
			}
			fs.in.Uncharge(inst.Frames, 1)
		}
		fs.in.Uncharge(inst.Content, 1)
	}
	fs.pages.Add(-1)
	return 0, errno.ENOSPC
}

func (fs *FS) putPage(pa mem.PA) {
	fs.memory.Put(pa)
	fs.in.UnchargeWith(inst.Content, inst.Frames, 1)
	fs.pages.Add(-1)
}

// unmounted frees everything. Nobody uses the file system any more.
func (fs *FS) unmounted() {
	fs.super.Tree.Lock()
	defer fs.super.Tree.Unlock()
	// A loop and not a recursion: how deep directories are is up to programs.
	gone := make(map[*node]bool) // files with several names are met again
	todo := []*dir{fs.super.Root.(*dir)}
	for len(todo) > 0 {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for name, e := range d.entries {
			fs.in.Uncharge(inst.Heap, entryCharge+int64(len(name)))
			if e.node == nil {
				continue
			}
			if sub, ok := e.node.(*dir); ok {
				todo = append(todo, sub)
				continue
			}
			n := e.node.meta()
			if fs.linked[n.ino] == e.node {
				continue
			}
			if n.nlink.Load() > 1 {
				if gone[n] {
					continue
				}
				gone[n] = true
			}
			fs.discard(e.node)
		}
		fs.uncharge()
	}
	// Of these there may be names in Lower that nobody has looked at.
	for _, n := range fs.linked {
		fs.discard(n)
	}
	if fs.recent.Load() != nil {
		fs.in.Uncharge(inst.Heap, recentCharge)
	}
	fs.in.Uncharge(inst.Heap, fsCharge)
	if fs.pages.Load() != 0 || fs.nodes.Load() != 0 {
		panic(fmt.Sprintf("tmpfs: %d pages and %d nodes are left of an unmounted file system", fs.pages.Load(), fs.nodes.Load()))
	}
}

// discard frees what a file without users and names holds.
func (fs *FS) discard(n inode) {
	if f, ok := n.(*regular); ok {
		f.free()
	}
	if l, ok := n.(*link); ok {
		fs.in.Uncharge(inst.Heap, int64(len(l.target)))
	}
	fs.uncharge()
}
