package vm

import (
	"slices"
	"sync/atomic"

	"mult/arch"
	"mult/inst"
	"mult/kern/errno"
)

// Fork returns a copy of the space with one user, for whose memory in pays.
//
// In the same instance private pages are shared until one side writes to them, and
// shared areas stay shared. It takes time for the pages that have been written or
// that no object can supply again.
//
// Another instance gets copies of the pages that have been written, so that each
// pays for what it has and they have no frame in common. There are no areas then
// that show an object or that are shared, since these are the instance's own:
// EINVAL.
func (s *Space) Fork(in *inst.Inst) (*Space, error) {
	c, err := newSpace(s.sys, in)
	if err != nil {
		return nil, err
	}
	s.hold(func() {
		c.hold(func() { // Views.Drop may know it by now
			err = s.copyTo(c)
			s.drain()
		})
	})
	if err != nil {
		c.Release()
		return nil, err
	}
	return c, nil
}

// copyTo fills the new space c. Both locks are held exclusively.
func (s *Space) copyTo(c *Space) error {
	c.mapBase, c.stackTop = s.mapBase, s.stackTop
	c.searchFrom, c.largestHole = s.searchFrom, s.largestHole
	c.brkStart, c.brk = s.brkStart, s.brk
	c.limit.as.Store(s.limit.as.Load())
	c.limit.data.Store(s.limit.data.Load())
	c.limit.stack.Store(s.limit.stack.Load())

	if c.in != s.in && slices.ContainsFunc(s.areas, func(ar *area) bool { return ar.obj != nil }) {
		return errno.EINVAL
	}
	if !c.in.Charge(inst.Heap, areaCost*int64(len(s.areas))) {
		return errno.ENOMEM
	}
	c.areas = make([]*area, 0, len(s.areas)+4)
	for _, ar := range s.areas {
		if ar.flags&dontFork != 0 {
			c.in.Uncharge(inst.Heap, areaCost)
			c.searchFrom, c.largestHole = c.mapBase, 0
			continue
		}
		n := &area{start: ar.start, end: ar.end, prot: ar.prot, max: ar.max, flags: ar.flags, obj: ar.obj, off: ar.off}
		if n.obj != nil {
			c.show(n.obj)
		}
		c.areas = append(c.areas, n)
		c.account(n, n.size()/PageSize)
	}
	for _, ar := range c.areas {
		if ar.flags&(shared|wipeOnFork) != 0 {
			continue
		}
		from := s.find(ar.start)
		if !from.hasOwned.Load() {
			continue
		}
		ar.hasOwned.Store(true)
		copyPages := s.sharePages
		if c.in != s.in {
			copyPages = s.copyPages
		}
		if !copyPages(c, ar) {
			return errno.ENOMEM
		}
	}
	return nil
}

// copyPages gives the child pages of its own for one area. It reports false if there
// are no frames.
func (s *Space) copyPages(c *Space, ar *area) bool {
	return s.each(ar.start, ar.end, func(a uint64, p *uint64) bool {
		e := atomic.LoadUint64(p)
		if e&owned == 0 {
			return true // zeros
		}
		to := c.ensure(a)
		if to == nil {
			return false
		}
		pa, ok := c.newFrame(false)
		if ok {
			*s.mem.Page(pa) = *s.mem.Page(frame(e))
			c.fillOwned(ar, to, pa)
		}
		return ok
	})
}

// sharePages makes the child's entries for one area and takes the permission to
// write from the parent's. It reports false if there are no frames for tables.
func (s *Space) sharePages(c *Space, ar *area) bool {
	var table *[512]uint64 // of the child, for what ends at limit
	var limit uint64
	rss := int64(0)
	_, viewed := ar.obj.(Viewed)
	ok := s.each(ar.start, ar.end, func(a uint64, p *uint64) bool {
		e := atomic.LoadUint64(p)
		switch {
		case frame(e) == s.zero, viewed && e&owned == 0:
			return true // the child finds it again, if it is still there
		case e&arch.PageWrite != 0:
			e = atomic.AndUint64(p, ^uint64(arch.PageWrite)) &^ arch.PageWrite
			s.stale(a)
		}
		if a >= limit {
			if c.ensure(a) == nil {
				return false
			}
			table, limit = c.leaf(a)
		}
		s.mem.Get(frame(e))
		table[a>>12&511] = e
		rss++
		return true
	})
	c.rss.Add(rss)
	return ok
}
