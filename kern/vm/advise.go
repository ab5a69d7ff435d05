package vm

import (
	"sync/atomic"

	"mult/arch"
	"mult/kern/errno"
)

// Advice of madvise(2).
const (
	AdviseNormal        = 0
	AdviseRandom        = 1
	AdviseSequential    = 2
	AdviseWillNeed      = 3
	AdviseDontNeed      = 4
	AdviseFree          = 8
	AdviseRemove        = 9
	AdviseDontFork      = 10
	AdviseDoFork        = 11
	AdviseNoHugePage    = 15
	AdviseDontDump      = 16
	AdviseDoDump        = 17
	AdviseWipeOnFork    = 18
	AdviseKeepOnFork    = 19
	AdviseCold          = 20
	AdvisePageOut       = 21
	AdvisePopulateRead  = 22
	AdvisePopulateWrite = 23
	AdviseDontNeedLock  = 24
)

// Advise is madvise(2). Advice about huge pages, merging of pages and broken
// memory is EINVAL, as of a Linux without these. Holes are passed over and
// make it ENOMEM in the end.
func (s *Space) Advise(a Addr, n uint64, advice int) error {
	if advice < 0 || advice > AdviseDontNeedLock {
		return errno.EINVAL
	}
	var dead *area
	var act func(ar *area, lo, hi uint64) error
	switch advice {
	case AdviseNormal, AdviseRandom, AdviseSequential, AdviseWillNeed, AdviseDontDump, AdviseDoDump,
		AdviseNoHugePage, AdviseCold, AdvisePageOut:
		act = func(*area, uint64, uint64) error { return nil }
	case AdviseDontNeed, AdviseDontNeedLock:
		act = s.forget
	case AdviseFree:
		act = func(ar *area, lo, hi uint64) error {
			if ar.obj != nil {
				return errno.EINVAL
			}
			return s.forget(ar, lo, hi)
		}
	case AdviseRemove:
		act = func(ar *area, lo, hi uint64) error {
			switch {
			case ar.obj == nil:
				return errno.EINVAL
			case ar.flags&shared == 0 || ar.prot&Write == 0:
				return errno.EACCES
			}
			return errno.EOPNOTSUPP
		}
	case AdviseDontFork, AdviseDoFork, AdviseWipeOnFork, AdviseKeepOnFork:
		act = func(ar *area, lo, hi uint64) error { return s.mark(ar, lo, hi, advice, &dead) }
	case AdvisePopulateRead, AdvisePopulateWrite:
	default:
		return errno.EINVAL
	}
	lo, hi, err := span(a, n, errno.EINVAL)
	if err != nil || lo == hi {
		return err
	}
	if act == nil {
		return s.advisePopulate(lo, hi, advice == AdvisePopulateWrite)
	}
	hole := false
	s.hold(func() {
		for at := lo; at < hi && err == nil; {
			i := s.search(at)
			if i == len(s.areas) || s.areas[i].start >= hi {
				hole = true
				break
			}
			ar := s.areas[i]
			hole = hole || ar.start > at
			at = max(at, ar.start)
			end := min(ar.end, hi)
			err = act(ar, at, end)
			at = end
		}
		s.drain()
	})
	s.bury(dead)
	if err == nil && hole {
		err = errno.ENOMEM
	}
	return err
}

// forget drops pages: anonymous memory is zero afterwards, files are read anew.
func (s *Space) forget(ar *area, lo, hi uint64) error {
	s.zap(lo, hi)
	return nil
}

// mark changes what a fork does with a part of an area.
func (s *Space) mark(ar *area, lo, hi uint64, advice int, dead **area) error {
	flags := ar.flags
	switch advice {
	case AdviseDontFork:
		flags |= dontFork
	case AdviseDoFork:
		flags &^= dontFork
	case AdviseWipeOnFork:
		if ar.obj != nil {
			return errno.EINVAL
		}
		flags |= wipeOnFork
	case AdviseKeepOnFork:
		flags &^= wipeOnFork
	}
	if flags == ar.flags {
		return nil
	}
	i, j, err := s.carve(lo, hi)
	if err != nil {
		return err
	}
	s.areas[i].flags = flags
	s.join(i, j, dead)
	return nil
}

// advisePopulate faults pages in and says what went wrong.
func (s *Space) advisePopulate(lo, hi uint64, write bool) error {
	need := Read
	if write {
		need = Write
	}
	switch s.populate(lo, hi, need) {
	case none:
		return nil
	case noAccess:
		return errno.EINVAL
	case noPage:
		return errno.EFAULT
	}
	return errno.ENOMEM
}

// Mincore is mincore(2): one byte for each page, 1 if it is in memory. At a hole
// it is ENOMEM, with the pages before. The caller bounds n, since the result is
// that large.
func (s *Space) Mincore(a Addr, n uint64) ([]byte, error) {
	lo, hi, err := span(a, n, errno.ENOMEM)
	if err != nil {
		return nil, err
	}
	if hi > MaxAddr {
		return nil, errno.ENOMEM
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	end := lo // of what is mapped without a hole
	for i := s.search(lo); i < len(s.areas) && s.areas[i].start <= end && end < hi; i++ {
		end = min(s.areas[i].end, hi)
	}
	v := make([]byte, (end-lo)/PageSize)
	s.each(lo, end, func(a uint64, p *uint64) bool {
		if atomic.LoadUint64(p)&arch.PagePresent != 0 {
			v[(a-lo)/PageSize] = 1
		}
		return true
	})
	if end < hi {
		return v, errno.ENOMEM
	}
	return v, nil
}

// Flags of msync(2).
const (
	SyncAsync      = 1
	SyncInvalidate = 2
	SyncSync       = 4
)

// Sync is msync(2). Holes are passed over and make it ENOMEM in the end.
func (s *Space) Sync(a Addr, n uint64, flags int) error {
	lo, hi, err := span(a, n, errno.ENOMEM)
	switch {
	case flags&^(SyncAsync|SyncInvalidate|SyncSync) != 0, flags&SyncAsync != 0 && flags&SyncSync != 0:
		return errno.EINVAL
	case err != nil:
		return err
	}
	hole := false
	for lo < hi {
		s.mu.RLock()
		i := s.search(lo)
		if i == len(s.areas) || s.areas[i].start >= hi {
			s.mu.RUnlock()
			hole = true
			break
		}
		ar := s.areas[i]
		hole = hole || ar.start > lo
		lo = max(lo, ar.start)
		end := min(ar.end, hi)
		obj, page, count := ar.obj, ar.page(lo), (end-lo)/PageSize
		sync, ok := obj.(Syncer)
		ok = ok && ar.flags&shared != 0 && flags&SyncSync != 0
		if ok {
			obj.Retain()
		}
		s.mu.RUnlock()
		if ok {
			err := sync.Sync(page, count)
			obj.Release()
			if err != nil {
				return err
			}
		}
		lo = end
	}
	if hole {
		return errno.ENOMEM
	}
	return nil
}
