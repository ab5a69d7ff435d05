package vm

import (
	"sync/atomic"

	"mult/arch"
	"mult/kern/errno"
)

// Protect is mprotect(2). What lies before a hole or a refusal is changed.
func (s *Space) Protect(a Addr, n uint64, p Prot) error {
	lo, hi, err := span(a, n, errno.ENOMEM)
	if err != nil {
		return err
	}
	if lo == hi {
		return nil
	}
	if p&^protAll != 0 {
		return errno.EINVAL
	}
	var dead *area
	s.hold(func() { err = s.protectLocked(lo, hi, p, &dead) })
	s.bury(dead)
	return err
}

func (s *Space) protectLocked(lo, hi uint64, p Prot, dead **area) error {
	// The part that can be changed: without holes, and permitted.
	var fail error
	end, more := lo, uint64(0) // more pages become data
	for i := s.search(lo); end < hi; i++ {
		if i == len(s.areas) || s.areas[i].start > end {
			fail = errno.ENOMEM
			break
		}
		if p&^s.areas[i].max != 0 {
			fail = errno.EACCES
			break
		}
		to := min(s.areas[i].end, hi)
		if changed := (area{prot: p, flags: s.areas[i].flags}); changed.isData() && !s.areas[i].isData() {
			if more += (to - end) / PageSize; !s.fitsData(more) {
				fail = errno.ENOMEM
				break
			}
		}
		end = to
	}
	if end == lo {
		return fail
	}
	if i := s.search(lo); s.areas[i].start <= lo && s.areas[i].end >= end && s.areas[i].prot == p {
		return fail
	}
	i, j, err := s.carve(lo, end)
	if err != nil {
		return err
	}
	for _, ar := range s.areas[i:j] {
		if ar.prot == p {
			continue
		}
		s.discount(ar, ar.size()/PageSize)
		ar.prot = p
		s.account(ar, ar.size()/PageSize)
		s.repaint(ar)
	}
	s.drain()
	s.join(i, j, dead)
	return fail
}

// repaint makes the entries of an area say what its protection says. The
// caller drains.
func (s *Space) repaint(ar *area) {
	const mask = arch.PageUser | arch.PageNoExec
	flags := leafFlags(ar.prot) & mask
	lost := func(old, now uint64) bool {
		return old&^now&(arch.PageUser|arch.PageWrite) != 0 || now&^old&arch.PageNoExec != 0
	}
	s.each(ar.start, ar.end, func(a uint64, p *uint64) bool {
		for {
			e := atomic.LoadUint64(p)
			now := e&^mask | flags
			switch {
			case ar.prot&Write == 0:
				now &^= arch.PageWrite
			case ar.alwaysWritable(), e&owned != 0 && s.mem.Refs(frame(e)) == 1:
				now |= writable
			}
			if e == now {
				return true
			}
			if atomic.CompareAndSwapUint64(p, e, now) {
				if lost(e, now) {
					s.stale(a)
				}
				return true
			}
		}
	})
}
