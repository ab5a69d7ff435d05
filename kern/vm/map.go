package vm

import (
	"sync/atomic"

	"mult/kern/errno"
)

// MapArgs says what Map is to map.
type MapArgs struct {
	Addr Addr   // where; a hint unless Fixed; 0 means anywhere
	Len  uint64 // bytes, rounded up to pages

	Prot    Prot
	MaxProt Prot // what Protect may make of it; 0 means everything

	Shared    bool // writes are for all who map it, and survive in forks
	Fixed     bool // at Addr, in place of what is there
	NoReplace bool // at Addr, or EEXIST
	Grows     bool // downwards, as a stack
	Populate  bool // fault the pages in now
	Stack     bool // the stack of the first thread: at the top unless Addr says where
	NoReserve bool // may be larger than memory

	Object Object // nil means anonymous memory. Map takes references of its own
	Offset uint64 // in Object

	Limit uint64 // RLIMIT_AS in bytes; 0 means that of SetLimits
}

// Map is mmap(2).
func (s *Space) Map(m MapArgs) (Addr, error) {
	fixed := m.Fixed || m.NoReplace
	n := pageUp(m.Len)
	switch {
	case m.Len == 0:
		return 0, errno.EINVAL
	case n == 0 || n > MaxAddr:
		return 0, errno.ENOMEM
	case m.Offset%PageSize != 0:
		return 0, errno.EINVAL
	case m.Object != nil && m.Offset+n < m.Offset:
		return 0, errno.EOVERFLOW
	case m.Grows && (m.Object != nil || m.Shared):
		return 0, errno.EINVAL
	case fixed && m.Addr%PageSize != 0:
		return 0, errno.EINVAL
	case fixed && (m.Addr > MaxAddr || n > MaxAddr-uint64(m.Addr)):
		return 0, errno.ENOMEM
	case fixed && m.Addr < MinAddr:
		return 0, errno.EPERM
	}
	if m.MaxProt == 0 {
		m.MaxProt = protAll
	}
	if m.Prot&^m.MaxProt != 0 {
		return 0, errno.EACCES
	}
	if m.Prot&Write != 0 && !m.Shared && !m.NoReserve && s.overcommits(n) {
		return 0, errno.ENOMEM
	}
	ar := &area{prot: m.Prot, max: m.MaxProt, obj: m.Object, off: m.Offset}
	if m.Shared {
		ar.flags |= shared
	}
	if m.Grows {
		ar.flags |= grows
	}
	if m.Stack {
		ar.flags |= stackFlag
	}
	switch {
	case m.Object != nil:
		s.show(m.Object)
	case m.Shared:
		obj, err := newSharedAnon(s.mem, s.in, n/PageSize)
		if err != nil {
			return 0, err
		}
		ar.obj, ar.off = obj, 0
	}
	var dead *area
	var start uint64
	var err error
	s.hold(func() {
		err = s.mapLocked(ar, &m, n, &dead)
		start = ar.start
	})
	if err != nil {
		ar.next, dead = dead, ar
	}
	s.bury(dead)
	if err != nil {
		return 0, err
	}
	if m.Populate {
		s.populate(start, start+n, 0)
	}
	return Addr(start), nil
}

// overcommits reports whether n bytes are more than the machine has.
func (s *Space) overcommits(n uint64) bool {
	const surelyThere = 16 << 20
	return n > surelyThere && n/PageSize > s.mem.Stats().Total
}

// mapLocked puts ar in its place, which it chooses, and pays for it. s.mu is
// held exclusively. If it fails, ar is still the caller's.
func (s *Space) mapLocked(ar *area, m *MapArgs, n uint64, dead **area) error {
	lo, err := s.choose(m, n)
	if err != nil {
		return err
	}
	if len(s.areas) >= MaxAreas {
		return errno.ENOMEM
	}
	// What a fixed mapping replaces counts no more.
	if !s.fits(ar, n/PageSize-s.mapped(lo, lo+n), m.Limit) {
		return errno.ENOMEM
	}
	if err := s.charge(1); err != nil {
		return err
	}
	if err := s.unmapLocked(lo, lo+n, dead); err != nil {
		s.uncharge(1)
		return err
	}
	ar.start, ar.end = lo, lo+n
	i := s.search(lo)
	s.insert(i, ar)
	s.account(ar, n/PageSize)
	s.join(i, i+1, dead)
	return nil
}

// choose returns where a mapping of n bytes goes.
func (s *Space) choose(m *MapArgs, n uint64) (uint64, error) {
	at := uint64(m.Addr)
	switch {
	case m.NoReplace:
		if s.mapped(at, at+n) != 0 {
			return 0, errno.EEXIST
		}
		return at, nil
	case m.Fixed:
		return at, nil
	case m.Stack && at == 0:
		at = s.stackTop - min(n, s.stackTop)
	case at != 0:
		at = max(pageDown(at), MinAddr)
	}
	if at >= MinAddr && at < MaxAddr && n <= MaxAddr-at && s.vacant(at, at+n) {
		return at, nil
	}
	at, ok := s.place(n)
	if !ok {
		return 0, errno.ENOMEM
	}
	return at, nil
}

// fits reports whether so many more pages of ar are within RLIMIT_AS, which is
// limit unless that is 0, and RLIMIT_DATA.
func (s *Space) fits(ar *area, pages, limit uint64) bool {
	if limit == 0 {
		limit = s.limit.as.Load()
	}
	return s.pages.total+pages <= limit/PageSize && (!ar.isData() || s.fitsData(pages))
}

// fitsData reports whether so many more pages of data are within RLIMIT_DATA.
func (s *Space) fitsData(pages uint64) bool {
	return s.pages.data+pages <= s.limit.data.Load()/PageSize
}

// mapped returns how many pages in [lo, hi) are in areas.
func (s *Space) mapped(lo, hi uint64) uint64 {
	n := uint64(0)
	for i := s.search(lo); i < len(s.areas) && s.areas[i].start < hi; i++ {
		n += min(s.areas[i].end, hi) - max(s.areas[i].start, lo)
	}
	return n / PageSize
}

// span checks an address and a length as most calls want them, and returns the
// range in whole pages. Length 0 gives an empty range.
func span(a Addr, n uint64, tooFar error) (lo, hi uint64, err error) {
	lo = uint64(a)
	if lo%PageSize != 0 {
		return 0, 0, errno.EINVAL
	}
	n, wrapped := pageUp(n), n
	if n < wrapped || lo+n < lo {
		return 0, 0, tooFar
	}
	return lo, lo + n, nil
}

// Unmap is munmap(2).
func (s *Space) Unmap(a Addr, n uint64) error {
	lo, hi, err := span(a, n, errno.EINVAL)
	if err != nil || lo == hi || hi > MaxAddr {
		return errno.EINVAL
	}
	var dead *area
	s.hold(func() { err = s.unmapLocked(lo, hi, &dead) })
	s.bury(dead)
	return err
}

// unmapLocked removes all that is in [lo, hi). Only an area that is cut in the
// middle can make it fail, before anything has changed. s.mu is held
// exclusively.
func (s *Space) unmapLocked(lo, hi uint64, dead **area) error {
	i := s.search(lo)
	if i == len(s.areas) || s.areas[i].start >= hi {
		return nil
	}
	if ar := s.areas[i]; ar.start < lo {
		if ar.end > hi {
			if err := s.charge(1); err != nil {
				return err
			}
			s.split(i, hi)
		}
		s.discount(ar, (ar.end-lo)/PageSize)
		ar.end = lo
		i++
	}
	j := i
	for j < len(s.areas) && s.areas[j].end <= hi {
		j++
	}
	if j < len(s.areas) && s.areas[j].start < hi {
		ar := s.areas[j]
		s.discount(ar, (hi-ar.start)/PageSize)
		ar.off += hi - ar.start
		ar.start = hi
	}
	s.remove(i, j, dead)
	s.vacate(lo, hi)
	return nil
}

// vacate removes entries and tables of [lo, hi), which is in no area any more.
func (s *Space) vacate(lo, hi uint64) {
	s.zap(lo, hi)
	floor, ceil := uint64(0), uint64(tableEnd)
	i := s.search(lo)
	if i > 0 {
		floor = s.areas[i-1].end
	}
	if i < len(s.areas) {
		ceil = s.areas[i].start
	}
	s.prune(lo, hi, floor, ceil)
	s.drain()
	s.freed(hi)
}

// populate faults the pages of [lo, hi) in, until one can't be. need 0 means
// what the area permits.
func (s *Space) populate(lo, hi uint64, need Prot) trouble {
	for a := lo; a < hi; a += PageSize {
		s.mu.RLock()
		t, n := noArea, need
		if ar := s.find(a); ar != nil {
			if n == 0 {
				if n = Read; ar.prot&Write != 0 && ar.flags&shared == 0 {
					n = Write
				}
			}
			t = none
			if p := s.entry(a); p == nil || !permits(atomic.LoadUint64(p), n) {
				t = s.resolve(a, n)
			}
		}
		s.mu.RUnlock()
		if t != none {
			return t
		}
	}
	return none
}
