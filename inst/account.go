package inst

import (
	"math"
	"sync/atomic"
)

// A Resource is something that instances use up.
type Resource int

const (
	Frames Resource = iota // page frames: memory of programs, page tables, content of files
	Heap                   // bytes of the kernel's own memory, rounded up as the caller thinks fit
	numResources
)

// account is what an instance has of a resource.
type account struct{ used, limit atomic.Int64 }

func (in *Inst) initAccounts() {
	for i := range in.account {
		in.account[i].limit.Store(math.MaxInt64)
	}
}

// Charge takes n of a resource; it reports false, and takes nothing, if the
// limit of in doesn't allow it. The caller hands the same amount back by
// Uncharge when what it was taken for is gone.
func (in *Inst) Charge(r Resource, n int64) bool {
	if r == Heap && in.full != nil && in.full() {
		return false
	}
	a := &in.account[r]
	for {
		// What is refused must not be seen by others that charge.
		u := a.used.Load()
		if u > a.limit.Load()-n {
			return false
		}
		if a.used.CompareAndSwap(u, u+n) {
			return true
		}
	}
}

// SetFull sets what tells that the kernel's own memory is used up, whatever
// instances are charged for: objects that are left of many keep the memory
// around them. Charge refuses any Heap then. It is called before in has
// processes; its children inherit it.
func (in *Inst) SetFull(full func() bool) { in.full = full }

// Uncharge gives n of a resource back.
func (in *Inst) Uncharge(r Resource, n int64) {
	if in.account[r].used.Add(-n) < 0 {
		panic("inst: more of a resource given back than was taken")
	}
}

// Used returns what in has of a resource.
func (in *Inst) Used(r Resource) int64 { return in.account[r].used.Load() }

// Limit returns what in may have of a resource.
func (in *Inst) Limit(r Resource) int64 { return in.account[r].limit.Load() }

// SetLimit sets what in may have of a resource; what it has beyond stays.
func (in *Inst) SetLimit(r Resource, n int64) { in.account[r].limit.Store(n) }
