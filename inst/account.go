package inst

import (
	"math"
	"sync/atomic"
)

// A Resource is something that instances use up.
type Resource int

const (
	Frames    Resource = iota // page frames: memory of programs, page tables, content of files
	Heap                      // bytes of the kernel's own memory, rounded up as the caller thinks fit
	Instances                 // instances below
	Processes                 // those too that have ended and have not been waited for
	Threads                   //
	Files                     // open files
	Ptys                      // pseudo terminals
	Mounts                    // places where something is mounted
	Content                   // frames with the content of files in memory
	Inodes                    // files in memory, whatever their kind
	NumResources
)

var resourceNames = [NumResources]string{
	"frames", "heap", "instances", "processes", "threads", "files", "ptys", "mounts", "content", "inodes",
}

func (r Resource) String() string { return resourceNames[r] }

// NoLimit is the limit of who has none of his own.
const NoLimit = math.MaxInt64

// account is what an instance, with all below it, has of a resource.
type account struct{ used, limit, refused atomic.Int64 }

// allows reports whether n more than u are within the limit; if not, that is counted.
func (a *account) allows(u, n int64) bool {
	if u > a.limit.Load()-n {
		a.refused.Add(1)
		return false
	}
	return true
}

// take adds n if the limit allows it.
func (a *account) take(n int64) bool {
	for {
		// What is refused must not be seen by others that charge.
		u := a.used.Load()
		if !a.allows(u, n) {
			return false
		}
		if a.used.CompareAndSwap(u, u+n) {
			return true
		}
	}
}

// Charge takes n of a resource for in, and so for all above it; it reports false,
// and takes nothing, if the limit of one of them doesn't allow it. The caller hands
// the same amount back by Uncharge when what it was taken for is gone.
//
// What one above refuses must not be seen by others, who could be refused for it by a
// limit below that. So all are asked before anything is taken. Somebody may still get the
// last of one above in between, and what was taken below is seen until it is handed back;
// but then that one has less than n left, and others that come at this moment can't count
// on it either. Taking goes from below upwards, so nobody sees it who doesn't hang below
// the one in the way, on the side of in.
func (in *Inst) Charge(r Resource, n int64) bool { return in.ChargeLeaving(r, n, 0) }

// ChargeLeaving is Charge for one who is refused already if less than spare would be left
// of a limit.
func (in *Inst) ChargeLeaving(r Resource, n, spare int64) bool {
	if r == Heap && in.sys.Full != nil && in.sys.Full() {
		return false
	}
	for a := in; a != nil; a = a.Parent {
		if acc := &a.account[r]; !acc.allows(acc.used.Load(), n+spare) {
			return false
		}
		if r == Heap && !a.leaves(n) {
			return false
		}
	}
	for a := in; a != nil; a = a.Parent {
		if !a.account[r].take(n) {
			for b := in; b != a; b = b.Parent {
				b.account[r].used.Add(-n)
			}
			return false
		}
	}
	return true
}

// hog is how many times as much of the kernel's memory an instance may have as it leaves.
const hog = 8

// leaves reports whether a with n bytes of Heap more leaves something of what the one
// above can get: an eighth of what it has itself. What it doesn't get for that, others
// get that have less. So whoever takes all that he can is refused first, and those beside
// him go on. It is counted as a refusal of the one above.
func (a *Inst) leaves(n int64) bool {
	if a.Parent == nil {
		return true
	}
	left := a.Parent.room() - n
	if left < 0 || (a.account[Heap].used.Load()+n)/hog <= left {
		return true // or one above refuses it anyway
	}
	a.Parent.account[Heap].refused.Add(1)
	return false
}

// room returns how many bytes of Heap more a can get: up to its limit, and while it leaves
// something to those beside it, too.
func (a *Inst) room() int64 {
	used := a.account[Heap].used.Load()
	n := a.account[Heap].limit.Load() - used
	if a.Parent == nil {
		return n
	}
	up := a.Parent.room()
	if up > NoLimit/hog {
		return n
	}
	return min(n, (hog*up-used)/(hog+1))
}

// ChargeWith is Charge of one piece of a resource, with what it costs of another. It
// reports the resource whose limit is in the way; NumResources: none is.
func (in *Inst) ChargeWith(r, other Resource, cost int64) Resource {
	if !in.Charge(r, 1) {
		return r
	}
	if !in.Charge(other, cost) {
		in.Uncharge(r, 1)
		return other
	}
	return NumResources
}

// UnchargeWith ends ChargeWith.
func (in *Inst) UnchargeWith(r, other Resource, cost int64) {
	in.Uncharge(r, 1)
	in.Uncharge(other, cost)
}

// Uncharge gives n of a resource back.
func (in *Inst) Uncharge(r Resource, n int64) {
	for a := in; a != nil; a = a.Parent {
		if a.account[r].used.Add(-n) < 0 {
			panic("inst: more of a resource given back than was taken")
		}
	}
}

// Used returns what in, with all below it, has of a resource.
func (in *Inst) Used(r Resource) int64 { return in.account[r].used.Load() }

// Own returns what in has of a resource by itself. Who charges meanwhile may be
// counted or not.
func (in *Inst) Own(r Resource) int64 {
	in.sys.mu.RLock()
	defer in.sys.mu.RUnlock()
	n := in.Used(r)
	for _, c := range in.children {
		n -= c.Used(r)
	}
	return max(n, 0)
}

// Limit returns what in may have of a resource: its limit, or that of one above if
// that is less.
func (in *Inst) Limit(r Resource) int64 {
	n := int64(NoLimit)
	for a := in; a != nil; a = a.Parent {
		n = min(n, a.account[r].limit.Load())
	}
	return n
}

// Left returns how much more of a resource in can get; of Heap, if nobody is to be left
// something.
func (in *Inst) Left(r Resource) int64 {
	n := int64(NoLimit)
	for a := in; a != nil; a = a.Parent {
		n = min(n, max(0, a.account[r].limit.Load()-a.Used(r)))
	}
	return n
}

// OwnLimit returns what SetLimit has set.
func (in *Inst) OwnLimit(r Resource) int64 { return in.account[r].limit.Load() }

// Refused returns how often the limit of in was in the way of a Charge.
func (in *Inst) Refused(r Resource) int64 { return in.account[r].refused.Load() }

// SetLimit sets what in may have of a resource; what it has beyond stays.
func (in *Inst) SetLimit(r Resource, n int64) { in.account[r].limit.Store(n) }
