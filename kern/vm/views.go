package vm

import (
	"sync"
	"sync/atomic"

	"mult/inst"
)

// Viewed is an Object whose content can shrink while it is mapped. It embeds
// Views, or hands out the same one each time.
type Viewed interface {
	Object
	Viewers() *Views
}

// Views knows which spaces show an object. The zero Views is ready.
type Views struct {
	// epoch counts the calls of Drop. A page that was got from the object
	// before the last one isn't mapped after it.
	epoch atomic.Uint64

	mu     sync.Mutex     // leaf, also taken under Space.mu
	spaces map[*Space]int // [mu] how many areas each has; charged with these
	most   int            // [mu] of spaces: see inst.Shrink
}

// Viewers returns v itself, for types that embed it.
func (v *Views) Viewers() *Views { return v }

// Drop takes the pages [n, n+count) of the object out of all spaces that show
// it; copies says whether those go too that private mappings made when they
// were written to, as truncate(2) wants it. The next access asks the object
// again. It is called after the object has changed its mind about these pages,
// without locks.
func (v *Views) Drop(n, count uint64, copies bool) {
	v.epoch.Add(1)
	v.mu.Lock()
	spaces := make([]*Space, 0, len(v.spaces))
	for s := range v.spaces {
		if s.TryRetain() {
			spaces = append(spaces, s)
		}
	}
	v.mu.Unlock()
	for _, s := range spaces {
		s.hold(func() {
			for _, ar := range s.areas {
				if o, ok := ar.obj.(Viewed); ok && o.Viewers() == v {
					s.dropView(ar, n, count, copies)
				}
			}
			s.drain()
		})
		s.Release()
	}
}

// dropView removes entries of ar that show pages [n, n+count). s.mu is held
// exclusively; the caller drains.
func (s *Space) dropView(ar *area, n, count uint64, copies bool) {
	first, pages := ar.off/PageSize, ar.size()/PageSize
	lo, hi := max(n, first), min(n+min(count, ^n), first+pages)
	if lo >= hi {
		return
	}
	s.each(ar.start+(lo-first)*PageSize, ar.start+(hi-first)*PageSize, func(a uint64, p *uint64) bool {
		if e := atomic.LoadUint64(p); copies || e&owned == 0 {
			e = atomic.SwapUint64(p, 0)
			s.stale(a)
			s.drop(e)
		}
		return true
	})
}

// show counts one more area of s that shows obj.
func (s *Space) show(obj Object) {
	obj.Retain()
	if o, ok := obj.(Viewed); ok {
		v := o.Viewers()
		v.mu.Lock()
		if v.spaces == nil {
			v.spaces = make(map[*Space]int)
		}
		v.spaces[s]++
		v.mu.Unlock()
	}
}

// hide counts one less. No lock is held.
func (s *Space) hide(obj Object) {
	if o, ok := obj.(Viewed); ok {
		v := o.Viewers()
		v.mu.Lock()
		if v.spaces[s]--; v.spaces[s] == 0 {
			delete(v.spaces, s)
			v.spaces = inst.Shrink(v.spaces, &v.most)
		}
		v.mu.Unlock()
	}
	obj.Release()
}

// epochOf returns how often pages of obj were dropped.
func epochOf(obj Object) uint64 {
	if o, ok := obj.(Viewed); ok {
		return o.Viewers().epoch.Load()
	}
	return 0
}
