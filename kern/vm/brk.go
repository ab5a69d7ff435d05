package vm

import "mult/kern/errno"

// SetBrk sets where the heap of brk(2) starts; exec does, once.
func (s *Space) SetBrk(start Addr) {
	s.mu.Lock()
	s.brkStart = pageUp(uint64(start))
	s.brk = s.brkStart
	s.mu.Unlock()
}

// Brk is brk(2): it moves the end of the heap to a if it can, and returns
// where it is then.
func (s *Space) Brk(a Addr) Addr {
	var dead *area
	s.mu.Lock()
	if s.brkLocked(uint64(a), &dead) == nil {
		s.brk = uint64(a)
	}
	now := s.brk
	s.mu.Unlock()
	s.bury(dead)
	return Addr(now)
}

// brkLocked maps and unmaps for a break at a. s.mu is held exclusively.
func (s *Space) brkLocked(a uint64, dead **area) error {
	if s.brkStart == 0 || a < s.brkStart || a > MaxAddr {
		return errno.ENOMEM
	}
	lo, hi := pageUp(s.brk), pageUp(a)
	if hi <= lo {
		return s.unmapLocked(hi, lo, dead)
	}
	if a-s.brkStart > s.limit.data.Load() {
		return errno.ENOMEM
	}
	pages := (hi - lo) / PageSize
	ar := &area{start: lo, end: hi, prot: Read | Write, max: protAll}
	if s.overcommits(hi-lo) || !s.fits(ar, pages, 0) || hi > MaxAddr {
		return errno.ENOMEM
	}
	i := s.search(lo)
	if i < len(s.areas) && hi+PageSize > s.areas[i].low() {
		return errno.ENOMEM
	}
	// The usual case needs no new area.
	if i > 0 && s.areas[i-1].joins(ar) {
		s.areas[i-1].end = hi
		s.account(ar, pages)
		return nil
	}
	if err := s.charge(1); err != nil {
		return err
	}
	s.insert(i, ar)
	s.account(ar, pages)
	return nil
}
