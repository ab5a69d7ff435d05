package vm

import (
	"sync/atomic"

	"mult/inst"
	"mult/kern/errno"
)

// An area is a range of pages with the same properties. Its fields are guarded
// by the lock of the space.
type area struct {
	start, end uint64
	prot, max  Prot
	flags      areaFlags
	obj        Object // nil for private anonymous memory
	off        uint64 // where in obj start is, in bytes
	next       *area  // in a list of areas that are gone

	// hasOwned tells that an entry of the area may be owned, so that a fork
	// can't leave the child to get the pages from obj. It is set with the
	// lock held shared.
	hasOwned atomic.Bool
}

type areaFlags uint8

const (
	shared     areaFlags = 1 << iota
	grows                // down, as a stack
	stackFlag            // the first thread's stack
	dontFork             // MADV_DONTFORK
	wipeOnFork           // MADV_WIPEONFORK
)

func (ar *area) size() uint64 { return ar.end - ar.start }

// allows reports whether the program may access the area so. As on x86-64,
// what may be written or executed may be read.
func (ar *area) allows(need Prot) bool {
	if need == Read {
		return ar.prot != 0
	}
	return ar.prot&need != 0
}

// page returns the page of obj that is at address a.
func (ar *area) page(a uint64) uint64 { return (ar.off + a - ar.start) / PageSize }

// low returns where the area begins for those who look for free addresses.
func (ar *area) low() uint64 {
	if ar.flags&grows == 0 {
		return ar.start
	}
	return ar.start - min(guardGap, ar.start)
}

// joins reports whether b continues a.
func (a *area) joins(b *area) bool {
	return a.end == b.start && a.prot == b.prot && a.max == b.max && a.flags == b.flags &&
		a.obj == b.obj && (a.obj == nil || a.off+a.size() == b.off)
}

// search returns the index of the first area that ends after a.
func (s *Space) search(a uint64) int {
	lo, hi := 0, len(s.areas)
	for lo < hi {
		if mid := (lo + hi) / 2; s.areas[mid].end <= a {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// find returns the area that a is in, or nil.
func (s *Space) find(a uint64) *area {
	h := s.hint.Load()
	if int(h) < len(s.areas) {
		if ar := s.areas[h]; a >= ar.start && a < ar.end {
			return ar
		}
	}
	i := s.search(a)
	if i == len(s.areas) || a < s.areas[i].start {
		return nil
	}
	if int(h) != i {
		s.hint.Store(int32(i))
	}
	return s.areas[i]
}

// account adds pages to the sizes that ar counts for.
func (s *Space) account(ar *area, pages uint64) {
	s.pages.total += pages
	switch {
	case ar.flags&(grows|stackFlag) != 0:
		s.pages.stack += pages
	case ar.prot&(Exec|Write) == Exec:
		s.pages.text += pages
	case ar.isData():
		s.pages.data += pages
	}
}

// isData reports whether ar counts for RLIMIT_DATA.
func (ar *area) isData() bool {
	return ar.prot&Write != 0 && ar.flags&(shared|grows|stackFlag) == 0
}

func (s *Space) discount(ar *area, pages uint64) { s.account(ar, -pages) }

// charge pays for n more areas.
func (s *Space) charge(n int) error {
	if n > 0 && (len(s.areas)+n > MaxAreas || !s.in.Charge(inst.Heap, areaCost*int64(n))) {
		return errno.ENOMEM
	}
	return nil
}

func (s *Space) uncharge(n int) { s.in.Uncharge(inst.Heap, areaCost*int64(n)) }

// insert puts an area at index i. It is paid for.
func (s *Space) insert(i int, ar *area) {
	s.areas = append(s.areas, nil)
	copy(s.areas[i+1:], s.areas[i:])
	s.areas[i] = ar
}

// remove takes the areas [i, j) out of the list and hands them to dead. Their
// pages are zapped already or will be.
func (s *Space) remove(i, j int, dead **area) {
	for _, ar := range s.areas[i:j] {
		s.discount(ar, ar.size()/PageSize)
		ar.next, *dead = *dead, ar
	}
	n := copy(s.areas[i:], s.areas[j:])
	clear(s.areas[i+n:])
	s.areas = s.areas[:i+n]
	s.uncharge(j - i)
	// The list keeps no more room than twice what is charged.
	if c := cap(s.areas); c > 64 && len(s.areas) < c/4 {
		s.areas = append(make([]*area, 0, c/2), s.areas...)
	}
}

// bury releases the objects of areas that are gone. No lock is held.
func (s *Space) bury(dead *area) {
	for ; dead != nil; dead = dead.next {
		if dead.obj != nil {
			s.hide(dead.obj)
		}
	}
}

// split cuts area i in two at a, which is inside. The new area is paid for.
func (s *Space) split(i int, a uint64) {
	left := s.areas[i]
	right := &area{start: a, end: left.end, prot: left.prot, max: left.max, flags: left.flags, obj: left.obj}
	right.hasOwned.Store(left.hasOwned.Load())
	if left.obj != nil {
		right.off = left.off + (a - left.start)
		s.show(left.obj)
	}
	left.end = a
	s.insert(i+1, right)
}

// carve splits areas so that lo and hi are inside none, and returns the
// indices [i, j) of those in between.
func (s *Space) carve(lo, hi uint64) (i, j int, err error) {
	i = s.search(lo)
	n := 0
	if i < len(s.areas) && s.areas[i].start < lo {
		n++
	}
	if j = s.search(hi); j < len(s.areas) && s.areas[j].start < hi {
		n++
	}
	if err := s.charge(n); err != nil {
		return 0, 0, err
	}
	if i < len(s.areas) && s.areas[i].start < lo {
		s.split(i, lo)
		i++
		j++
	}
	if j < len(s.areas) && s.areas[j].start < hi {
		s.split(j, hi)
		j++
	}
	return i, j, nil
}

// join merges the areas [i, j) with each other and with their neighbours where
// nothing tells them apart.
func (s *Space) join(i, j int, dead **area) {
	i = max(i-1, 0)
	for n := j - i; n > 0 && i+1 < len(s.areas); n-- {
		a, b := s.areas[i], s.areas[i+1]
		if !a.joins(b) {
			i++
			continue
		}
		pages := b.size() / PageSize
		a.end = b.end
		if b.hasOwned.Load() {
			a.hasOwned.Store(true)
		}
		s.remove(i+1, i+2, dead)
		s.account(a, pages)
	}
}
