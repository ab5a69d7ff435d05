package inst

import (
	"sync"
	"sync/atomic"
	"unsafe"
)

// An Inst is an operating instance: a complete Unix system. What is here is public:
// it says which instance this is, where it hangs and what it may use. The rest of its
// state lies in slots, each of which only one package can open.
type Inst struct {
	ID      uint64 // [const] never used twice; 0 is inst0
	Parent  *Inst  // [const] nil for inst0
	Depth   int    // [const] instances above it
	Created int64  // [const] time of day, ns since 1970

	// Exit is how its process 1 ended, as wait4(2) tells it.
	Exit atomic.Uint32

	sys     *System                // [const]
	name    atomic.Pointer[string] // changed with sys.mu
	refs    atomic.Int64
	account [NumResources]account

	state    atomic.Uint32 // changed with mu
	mu       sync.Mutex
	watchers map[*Watcher]struct{} // [mu]

	children map[string]*Inst     // [sys.mu] by name, those not yet listed too
	listed   bool                 // [sys.mu] it is in the list, and can be found
	next     atomic.Pointer[Inst] // the next older one; changed with sys.mu
	gone     atomic.Bool          // it was in the list; set before next becomes nil
	prev     *Inst                // [sys.mu] the next younger one

	slots [maxSlots]unsafe.Pointer // [const] while there are references; opened by Slots
}

// System returns what all instances of the machine have in common.
func (in *Inst) System() *System { return in.sys }

// Name returns the name that its parent has given it.
func (in *Inst) Name() string { return *in.name.Load() }

// Path returns the names on the way to in, with slashes between them: where inst0
// finds it (Lookup). That of inst0 is its name.
func (in *Inst) Path() string {
	path := in.Name()
	if in.Parent == nil {
		return path
	}
	for in = in.Parent; in.Parent != nil; in = in.Parent {
		path = in.Name() + "/" + path
	}
	return path
}

// Line returns the numbers of the instances from inst0 down to in.
func (in *Inst) Line() []uint64 {
	ids := make([]uint64, in.Depth+1)
	for a := in; a != nil; a = a.Parent {
		ids[a.Depth] = a.ID
	}
	return ids
}

// Next continues the walk that System.First begins. in may have ended meanwhile.
func (in *Inst) Next() *Inst {
	for o := in; ; {
		next := o.next.Load()
		if next == nil && o.gone.Load() {
			next = in.sys.First() // o doesn't know any more: begin again
		}
		if next == nil || next.ID < in.ID {
			return next
		}
		o = next
	}
}

// Below reports whether in hangs, directly or not, below a.
func (in *Inst) Below(a *Inst) bool {
	for in = in.Parent; in != nil; in = in.Parent {
		if in == a {
			return true
		}
	}
	return false
}

// Retain adds a reference to one that the caller has.
func (in *Inst) Retain() *Inst {
	if in.refs.Add(1) <= 1 {
		panic("inst: an instance without references got one")
	}
	return in
}

// TryRetain adds a reference for one who may come too late; it reports whether it
// could.
func (in *Inst) TryRetain() bool {
	for {
		n := in.refs.Load()
		if n == 0 {
			return false
		}
		if in.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release gives a reference back. After the last one the instance ends.
func (in *Inst) Release() {
	switch n := in.refs.Add(-1); {
	case n < 0:
		panic("inst: more references given back than there were")
	case n == 0 && in.sys.Reap != nil:
		in.sys.Reap(in)
	case n == 0:
		in.Free()
	}
}

// Refs returns how many references there are.
func (in *Inst) Refs() int64 { return in.refs.Load() }
