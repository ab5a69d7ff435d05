package vm

import (
	"sync"
	"sync/atomic"

	"mult/inst"
	"mult/kern/errno"
	"mult/kern/mem"
)

// sharedAnon is the Object behind shared anonymous memory. Its pages hang in a
// tree of tables that look like page tables, so that a large mapping of which
// little is touched costs little, and all of it is charged as frames.
type sharedAnon struct {
	mem    *mem.Memory // [const]
	in     *inst.Inst  // [const] who is charged
	pages  uint64      // [const]
	levels uint        // [const] of tables
	refs   atomic.Int64

	mu   sync.Mutex // leaf
	root mem.PA     // [const] the tables and pages below are guarded by mu
}

const sharedAnonCost = 192

// newSharedAnon returns an object of that many pages of zeros with one
// reference.
func newSharedAnon(m *mem.Memory, in *inst.Inst, pages uint64) (*sharedAnon, error) {
	if !in.Charge(inst.Heap, sharedAnonCost) {
		return nil, errno.ENOMEM
	}
	o := &sharedAnon{mem: m, in: in, pages: pages, levels: 1}
	for n := (pages - 1) >> 9; n != 0; n >>= 9 {
		o.levels++
	}
	var ok bool
	if o.root, ok = newFrame(m, in, true); !ok {
		in.Uncharge(inst.Heap, sharedAnonCost)
		return nil, errno.ENOMEM
	}
	o.refs.Store(1)
	return o, nil
}

// Page returns page n, made when it is first wanted.
func (o *sharedAnon) Page(n uint64, write bool) (mem.PA, error) {
	if n >= o.pages {
		return 0, errno.EFAULT
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	pa := o.root
	for level := o.levels; level > 0; level-- {
		e := &o.mem.Table(pa)[n>>(9*(level-1))&511]
		if *e == 0 {
			f, ok := newFrame(o.mem, o.in, true)
			if !ok {
				return 0, errno.ENOMEM
			}
			*e = uint64(f) | owned
		}
		pa = frame(*e)
	}
	o.mem.Get(pa)
	return pa, nil
}

// Resident hands out pages that have been made.
func (o *sharedAnon) Resident(n uint64, dst []mem.PA) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range dst {
		dst[i] = o.residentLocked(n + uint64(i))
	}
}

// residentLocked wants o.mu.
func (o *sharedAnon) residentLocked(n uint64) mem.PA {
	if n >= o.pages {
		return NoFrame
	}
	pa := o.root
	for level := o.levels; level > 0; level-- {
		e := o.mem.Table(pa)[n>>(9*(level-1))&511]
		if e == 0 {
			return NoFrame
		}
		pa = frame(e)
	}
	o.mem.Get(pa)
	return pa
}

func (o *sharedAnon) Retain() { o.refs.Add(1) }

func (o *sharedAnon) Release() {
	if o.refs.Add(-1) != 0 {
		return
	}
	o.in.Uncharge(inst.Frames, o.free(o.root, o.levels))
	o.in.Uncharge(inst.Heap, sharedAnonCost)
}

// free drops a table and what is below, and returns how many frames that was.
func (o *sharedAnon) free(pa mem.PA, level uint) int64 {
	n := int64(1)
	if level > 0 {
		for _, e := range o.mem.Table(pa) {
			if e != 0 {
				n += o.free(frame(e), level-1)
			}
		}
	}
	o.mem.Put(pa)
	return n
}

func (o *sharedAnon) Key() any { return o }

func (o *sharedAnon) Name() (string, uint64, uint64) { return "/dev/zero (deleted)", 0, 0 }
