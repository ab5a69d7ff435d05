package vm

// Where new mappings go.

// place finds n bytes of free addresses: below mapBase from the top down, else
// anywhere. s.mu is held exclusively.
func (s *Space) place(n uint64) (uint64, bool) {
	if n > MaxAddr-MinAddr {
		return 0, false
	}
	if n <= s.largestHole {
		s.searchFrom, s.largestHole = s.mapBase, 0
	}
	a, ok := s.placeBelow(s.searchFrom, n)
	if !ok && s.searchFrom != s.mapBase {
		s.largestHole = 0
		a, ok = s.placeBelow(s.mapBase, n)
	}
	if ok {
		s.searchFrom = a
		return a, true
	}
	s.searchFrom, s.largestHole = s.mapBase, 0
	return s.placeAbove(s.mapBase, n)
}

// placeBelow takes the highest hole that ends at or below top. The largest one
// that was too small is noted.
func (s *Space) placeBelow(top, n uint64) (uint64, bool) {
	for i := s.search(top - 1); ; i-- {
		// Here the areas from i on end above top, or start there.
		if i < len(s.areas) {
			top = min(top, s.areas[i].low())
		}
		bottom := uint64(MinAddr)
		if i > 0 {
			bottom = s.areas[i-1].end
		}
		if top > bottom {
			if top-bottom >= n {
				return top - n, true
			}
			s.largestHole = max(s.largestHole, top-bottom)
		}
		if i == 0 {
			return 0, false
		}
	}
}

// placeAbove takes the lowest hole above bottom.
func (s *Space) placeAbove(bottom, n uint64) (uint64, bool) {
	for i := s.search(bottom); ; i++ {
		top := uint64(MaxAddr)
		if i < len(s.areas) {
			top = s.areas[i].low()
		}
		if top > bottom && top-bottom >= n {
			return bottom, true
		}
		if i == len(s.areas) {
			return 0, false
		}
		bottom = max(bottom, s.areas[i].end)
	}
}

// vacant reports whether [lo, hi) is free and leaves stacks their gap.
func (s *Space) vacant(lo, hi uint64) bool {
	i := s.search(lo)
	return i == len(s.areas) || hi <= s.areas[i].low()
}

// freed tells the search for addresses that [lo, hi) is in no area any more.
func (s *Space) freed(hi uint64) {
	ceil := s.mapBase
	if i := s.search(hi); i < len(s.areas) {
		ceil = min(ceil, s.areas[i].start)
	}
	s.searchFrom = max(s.searchFrom, ceil)
}
