// Package procfs is the file system of /proc: what an instance tells its
// programs about itself and its processes, in the formats of Linux, proc(5).
// Only what the kernel knows is there; a line or file that Linux has and that is
// missing here is not known. What a program runs, and what the machine is, comes
// from Sources, so that this package doesn't depend on kern/linux.
//
// Nothing is kept for a process: its directory is made when somebody looks it
// up, stands for a number and a time of start, and is dropped some time after its
// last user. The content of a file is made when it is read from its beginning,
// and stays the same until it is read from there again; long ones are made in
// pieces. Nodes and content are charged to the instance.
//
// # Locks
//
// vfs.Super.Tree guards the set of nodes as vfs takes it. fs.mu guards it
// between those who hold Tree shared. content.mu belongs to an open file; it is
// held while the memory of a program is touched, of the reader and of the
// process that is read about. Nothing that a page fault does takes it.
//
// Lock order:
//
//	Super.Tree > fs.mu > nothing
//	Super.Tree > locks of kern/proc
//	content.mu > Super.Tree, all locks of other packages
package procfs

import (
	"sync"
	"sync/atomic"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// Sources say what this package can't see for itself. All functions may be
// called by any goroutine.
type Sources struct {
	System  *proc.System
	Wall    func() int64 // time of day, ns since 1970
	Release string       // as uname(2) tells it
	Version string       // likewise
	// Program tells what a process runs; false: nothing.
	Program func(p *proc.Proc) (Program, bool)
	// CPU describes the processors, nil if they aren't known.
	CPU func() CPU
	// Describe adds to b what instctl(2) tells of in, for one in viewer.
	Describe func(b []byte, in, viewer *inst.Inst) []byte
	// Cmdline is how the machine was started; nil: the instance isn't told.
	Cmdline func() string
}

// A Program is what a process runs.
type Program struct {
	Exe   *file.File // with a reference for the caller
	Space *vm.Space  // with a reference for the caller

	ArgStart, ArgEnd, EnvStart, EnvEnd     vm.Addr
	CodeStart, CodeEnd, DataStart, DataEnd vm.Addr
	Brk, Stack                             vm.Addr // where heap and stack start
	Auxv                                   []byte
	Private                                bool // PR_SET_DUMPABLE 0: only root may look into it
}

func (g *Program) release() {
	g.Exe.Release()
	g.Space.Release()
}

// A CPU is what all processors of the machine are.
type CPU struct {
	Vendor, Model            string
	Family, Number, Stepping uint32
	KHz                      uint64 // 0: unknown
	PhysBits, VirtBits       uint32
	Flags                    []string
}

const (
	magic = 0x9fa0 // of statfs(2)

	fsCharge   = 1024 // Heap for a file system
	nodeCharge = 512  // Heap for a node
)

// fs is the /proc of an instance.
type fs struct {
	*Tree // [const]
	super vfs.Super
	in    *inst.Inst   // [const]
	procs *proc.Table  // [const]
	now   abi.Timespec // [const] when it was mounted
	idle  atomic.Int64 // nodes without users

	mu    sync.Mutex
	nodes map[key]inode // [mu, Tree to remove] those that were looked up
	most  int           // [Tree] of nodes: see inst.Shrink
}

// New makes the file system of an instance, whose files are those of tr.
func New(in *inst.Inst, tr *Tree) (*vfs.Super, error) {
	if !in.Charge(inst.Heap, fsCharge+nodeCharge) {
		return nil, errno.ENOMEM
	}
	f := &fs{Tree: tr, in: in, procs: proc.TableOf(in), now: vfs.Now(), nodes: make(map[key]inode)}
	root := tr.root
	f.super.Type, f.super.Source, f.super.Inst = "proc", "proc", in
	f.super.Dev = vfs.NextDev(in)
	n := newInode(root)
	*n.meta() = node{fs: f, e: root, target: target{fs: f}}
	n.meta().refs.Store(1)
	f.nodes[n.meta().key()] = n
	f.super.Root = n
	f.super.Statfs = func() abi.Statfs { return abi.Statfs{Type: magic, Bsize: 4096} }
	f.super.Unmounted = func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		in.Uncharge(inst.Heap, fsCharge+int64(len(f.nodes))*nodeCharge)
		clear(f.nodes)
	}
	return &f.super, nil
}

// minIdle is how many nodes without users are kept at least; beyond it, as many
// as there are with users.
const minIdle = 64

// find returns the node of an entry below parent, made if need be. Nodes without
// users are dropped with the Tree lock held exclusively only, when nobody can
// have just found one.
func (f *fs) find(e *entry, x target, parent *dir, excl bool) (inode, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := key{e, x.pid, x.tid, x.fd, x.started}
	if n := f.nodes[k]; n != nil {
		return n, nil
	}
	if idle := f.idle.Load(); idle >= minIdle && idle >= int64(len(f.nodes)/2) {
		if !excl {
			return nil, vfs.ErrExclusive
		}
		f.sweepLocked(&parent.node)
	}
	if !f.in.Charge(inst.Heap, nodeCharge) {
		return nil, errno.ENOMEM
	}
	n := newInode(e)
	*n.meta() = node{fs: f, e: e, target: x, parent: parent}
	parent.Retain()
	f.idle.Add(1)
	f.nodes[k] = n
	return n, nil
}

// sweepLocked drops the nodes without users but for one. The Tree lock is held
// exclusively.
func (f *fs) sweepLocked(but *node) {
	f.most = max(f.most, len(f.nodes))
	for _, n := range f.nodes {
		// Those above may have been used by this one alone.
		for n := n.meta(); n != but && n.refs.Load() == 0; n = &n.parent.node {
			if f.nodes[n.key()] == nil {
				break
			}
			delete(f.nodes, n.key())
			f.idle.Add(-1)
			f.in.Uncharge(inst.Heap, nodeCharge)
			n.parent.Release()
		}
	}
	f.nodes = inst.Shrink(f.nodes, &f.most)
}
