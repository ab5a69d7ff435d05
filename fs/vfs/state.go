package vfs

import (
	"sync"
	"sync/atomic"

	"mult/inst"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// A State is where a process is in the tree of names: root, current directory,
// umask. Processes made with CLONE_FS share one.
type State struct {
	in   *inst.Inst   // [const]
	refs atomic.Int64 // processes

	mu        sync.Mutex // leaf
	root, cwd Loc        // [mu] retained
	umask     uint32     // [mu]
}

// stateCharge is what a State costs.
const stateCharge = 128

const cloneFS = 0x200

var states = proc.NewSlot[State]()

// Part is the row of this package in the table of process parts.
var Part = proc.Part{Name: "fs", Fork: fork, Exit: exit}

// fork gives child the state of its parent, or a copy. The first process of an
// instance starts at the root of the mounts.
func fork(parent *proc.Thread, child *proc.Proc, flags uint64) error {
	if parent == nil {
		s, err := NewState(child.Inst)
		if err == nil {
			states.Set(child, s)
		}
		return err
	}
	old := states.Of(parent.Proc)
	if flags&cloneFS != 0 {
		old.refs.Add(1)
		states.Set(child, old)
		return nil
	}
	s, err := old.copy()
	if err == nil {
		states.Set(child, s)
	}
	return err
}

func exit(p *proc.Proc, t *proc.Thread) {
	s := states.Of(p)
	states.Set(p, nil)
	s.Release()
}

// Unshare gives the process of t a State of its own, for unshare(CLONE_FS).
func Unshare(t *proc.Thread) error {
	old := states.Of(t.Proc)
	if old.refs.Load() == 1 {
		return nil
	}
	s, err := old.copy()
	if err == nil {
		states.Set(t.Proc, s)
		old.Release()
	}
	return err
}

// NewState returns a State at the root of in, with a umask of 022.
func NewState(in *inst.Inst) (*State, error) {
	tb := slot.Of(in)
	tb.mu.RLock()
	mounted := tb.root != nil
	tb.mu.RUnlock()
	if !mounted {
		return nil, errno.ENOENT
	}
	if !in.Charge(inst.Heap, stateCharge) {
		return nil, errno.ENOMEM
	}
	s := &State{in: in, root: tb.Root(), umask: 0o022}
	s.cwd = s.root
	s.cwd.Retain()
	s.refs.Store(1)
	return s, nil
}

func (s *State) copy() (*State, error) {
	if !s.in.Charge(inst.Heap, stateCharge) {
		return nil, errno.ENOMEM
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := &State{in: s.in, root: s.root, cwd: s.cwd, umask: s.umask}
	n.root.Retain()
	n.cwd.Retain()
	n.refs.Store(1)
	return n, nil
}

// Release gives a process' reference back.
func (s *State) Release() {
	if s.refs.Add(-1) == 0 {
		s.root.Release()
		s.cwd.Release()
		s.in.Uncharge(inst.Heap, stateCharge)
	}
}

// Root returns the root directory, retained.
func (s *State) Root() Loc {
	s.mu.Lock()
	l := s.root
	l.Retain()
	s.mu.Unlock()
	return l
}

// borrowRoot returns the root directory to compare others with.
func (s *State) borrowRoot() Loc {
	s.mu.Lock()
	l := s.root
	s.mu.Unlock()
	return l
}

// Cwd returns the current directory, retained.
func (s *State) Cwd() Loc {
	s.mu.Lock()
	l := s.cwd
	l.Retain()
	s.mu.Unlock()
	return l
}

// Umask returns the file mode creation mask.
func (s *State) Umask() uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.umask
}

// SetUmask sets the file mode creation mask and returns the old one.
func (s *State) SetUmask(mask uint32) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.umask
	s.umask = mask & 0o777
	return old
}

// setCwd makes a retained l the current directory.
func (s *State) setCwd(l Loc) {
	s.mu.Lock()
	old := s.cwd
	s.cwd = l
	s.mu.Unlock()
	old.Release()
}

// setRoot makes a retained l the root directory.
func (s *State) setRoot(l Loc) {
	s.mu.Lock()
	old := s.root
	s.root = l
	s.mu.Unlock()
	old.Release()
}

// A Caller is on whose behalf a path is walked. All calls on files by names
// are its methods.
type Caller struct {
	Inst   *inst.Inst
	Cred   *proc.Cred
	FS     *State
	Thread *proc.Thread // nil for the kernel itself
}

// For returns t as a Caller.
func For(t *proc.Thread) *Caller {
	return &Caller{Inst: t.Proc.Inst, Cred: t.Cred(), FS: states.Of(t.Proc), Thread: t}
}

// Borrow is For until the end of a system call: t has one Caller for all of them,
// so that none is made for each.
func Borrow(t *proc.Thread) *Caller {
	c, ok := t.Caller.(*Caller)
	if !ok {
		c = new(Caller)
		t.Caller = c
	}
	c.Inst, c.Cred, c.FS, c.Thread = t.Proc.Inst, t.Cred(), states.Of(t.Proc), t
	return c
}

// HoldState returns the State of any process with a reference for the caller,
// nil when the process has ended.
func HoldState(p *proc.Proc) *State {
	s := states.Of(p)
	for s != nil {
		n := s.refs.Load()
		if n <= 0 {
			return nil // it has just been left
		}
		if s.refs.CompareAndSwap(n, n+1) {
			break
		}
	}
	return s
}

// StateOf returns the State of a process, nil when it has ended.
func StateOf(p *proc.Proc) *State { return states.Of(p) }

// start returns where a path starts, retained: at dir, or at the current
// directory if that is nil, or at the root.
func (c *Caller) start(dir *file.File, path string) (Loc, error) {
	if path != "" && path[0] == '/' {
		return c.FS.Root(), nil
	}
	if dir == nil {
		return c.FS.Cwd(), nil
	}
	l, ok := LocOf(dir)
	if !ok && path == "" {
		return bareLoc(c.Thread, dir)
	}
	if !ok || path != "" && !isDir(l.Node) {
		return Loc{}, errno.ENOTDIR
	}
	l.Retain()
	return l, nil
}

// Resolve walks a path to its end and returns the file, retained. flags are
// AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH.
func (c *Caller) Resolve(dir *file.File, path string, flags int) (Loc, error) {
	l, err := c.start(dir, path)
	if err != nil {
		return Loc{}, err
	}
	l, _, err = c.walk(l, path, walkFlags(flags), 0)
	return l, err
}

// parent walks a path to the directory of its last name.
func (c *Caller) parent(dir *file.File, path string) (Loc, end, error) {
	l, err := c.start(dir, path)
	if err != nil {
		return Loc{}, end{}, err
	}
	return c.walk(l, path, wantParent, 0)
}
