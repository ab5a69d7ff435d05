package vm

import (
	"sync/atomic"

	"mult/kern/errno"
)

// Flags of mremap(2).
const (
	RemapMayMove   = 1
	RemapFixed     = 2
	RemapDontUnmap = 4
)

// Remap is mremap(2).
func (s *Space) Remap(old Addr, oldLen, newLen uint64, flags int, newAddr Addr) (Addr, error) {
	lo, to := uint64(old), uint64(newAddr)
	n, m := pageUp(oldLen), pageUp(newLen)
	fixed := flags&RemapFixed != 0
	switch {
	case flags&^(RemapMayMove|RemapFixed|RemapDontUnmap) != 0,
		flags&(RemapFixed|RemapDontUnmap) != 0 && flags&RemapMayMove == 0,
		flags&RemapDontUnmap != 0 && oldLen != newLen,
		lo%PageSize != 0,
		m == 0, m > MaxAddr, n < oldLen,
		fixed && (to%PageSize != 0 || to > MaxAddr-m),
		fixed && lo < to+m && to < lo+n:
		return 0, errno.EINVAL
	case lo > MaxAddr || n > MaxAddr-lo:
		return 0, errno.EFAULT
	case fixed && to < MinAddr:
		return 0, errno.EPERM
	}
	var dead *area
	var at uint64
	var err error
	s.hold(func() { at, err = s.remapLocked(lo, n, m, flags, to, &dead) })
	s.bury(dead)
	if err != nil {
		return 0, err
	}
	return Addr(at), nil
}

// remapLocked moves and resizes [lo, lo+n) to m bytes. s.mu is held
// exclusively.
func (s *Space) remapLocked(lo, n, m uint64, flags int, to uint64, dead **area) (uint64, error) {
	move := flags&(RemapFixed|RemapDontUnmap) != 0
	ar := s.find(lo)
	switch {
	case ar == nil:
		return 0, errno.EFAULT
	case n == 0 && ar.flags&shared == 0:
		return 0, errno.EINVAL // only shared memory can be shown twice
	case n > m && !move:
		return lo, s.unmapLocked(lo+m, lo+n, dead)
	case n > ar.end-lo:
		return 0, errno.EFAULT
	case m > n && ar.obj != nil && ar.off+(lo-ar.start)+m < m:
		return 0, errno.EINVAL
	case n == m && !move:
		return lo, nil
	}
	grow := m - min(n, m)
	if flags&RemapDontUnmap != 0 {
		grow = m
	}
	if grow > 0 && (!s.fits(ar, grow/PageSize, 0) || ar.prot&Write != 0 && ar.flags&shared == 0 && s.overcommits(grow)) {
		return 0, errno.ENOMEM
	}
	if !move && n > 0 && lo+n == ar.end && m <= MaxAddr-lo && s.vacant(lo+n, lo+m) {
		ar.end = lo + m
		s.account(ar, grow/PageSize)
		i := s.search(lo)
		s.join(i, i+1, dead)
		return lo, nil
	}
	if flags&RemapMayMove == 0 {
		return 0, errno.ENOMEM
	}
	return s.moveLocked(lo, n, m, flags, to, dead)
}

// moveLocked moves [lo, lo+n), which is in one area, to another place where it
// has m bytes.
func (s *Space) moveLocked(lo, n, m uint64, flags int, to uint64, dead **area) (uint64, error) {
	if flags&RemapFixed != 0 {
		if err := s.unmapLocked(to, to+m, dead); err != nil {
			return 0, err
		}
		if n > m { // the tail doesn't move
			if err := s.unmapLocked(lo+m, lo+n, dead); err != nil {
				return 0, err
			}
			n = m
		}
		if s.find(lo) == nil { // nothing of it was to move, and to is lo
			return 0, errno.EFAULT
		}
	} else {
		var ok bool
		if to, ok = s.place(m); !ok {
			return 0, errno.ENOMEM
		}
	}
	// The part that moves becomes an area of its own, so that nothing can
	// fail once pages have moved.
	if err := s.charge(1); err != nil {
		return 0, err
	}
	if n > 0 {
		i, j, err := s.carve(lo, lo+n)
		if err != nil {
			s.uncharge(1)
			return 0, err
		}
		if !s.prepare(lo, n, to) {
			s.uncharge(1)
			s.vacate(to, to+m)
			s.join(i, j, dead)
			return 0, errno.ENOMEM
		}
	}
	src := s.find(lo)
	dst := &area{start: to, end: to + m, prot: src.prot, max: src.max, flags: src.flags, obj: src.obj}
	dst.hasOwned.Store(src.hasOwned.Load())
	if src.obj != nil {
		dst.off = src.off + (lo - src.start)
		s.show(src.obj)
	}
	s.movePages(lo, n, to)
	s.insert(s.search(to), dst)
	s.account(dst, m/PageSize)
	s.drain()
	i := s.search(lo)
	if n > 0 && flags&RemapDontUnmap == 0 {
		s.remove(i, i+1, dead)
		s.vacate(lo, lo+n)
	} else {
		s.join(i, i+1, dead)
	}
	i = s.search(to)
	s.join(i, i+1, dead)
	return to, nil
}

// prepare adds the tables that movePages will need.
func (s *Space) prepare(lo, n, to uint64) bool {
	return s.each(lo, lo+n, func(a uint64, _ *uint64) bool { return s.ensure(a-lo+to) != nil })
}

// movePages moves the entries of [lo, lo+n) to empty ones, for which there are
// tables. The caller drains.
func (s *Space) movePages(lo, n, to uint64) {
	s.each(lo, lo+n, func(a uint64, p *uint64) bool {
		e := atomic.SwapUint64(p, 0)
		s.stale(a)
		atomic.StoreUint64(s.entry(a-lo+to), e)
		return true
	})
}
