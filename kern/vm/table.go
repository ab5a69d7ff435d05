package vm

import (
	"sync/atomic"

	"mult/arch"
	"mult/inst"
	"mult/kern/mem"
)

// Page tables: walking, adding, emptying. The format is that of arch.Page*.

const (
	// owned marks an entry whose frame is anonymous and charged.
	owned = arch.PageSoft0

	tableFlags = arch.PagePresent | arch.PageWrite | arch.PageUser | arch.PageAccessed

	tableEnd = 1 << 47 // end of what the lower half's tables cover
)

// leafFlags returns what an entry for memory of that protection says, without
// PageWrite. The accessed bit is set so that the processor needn't.
func leafFlags(p Prot) uint64 {
	f := uint64(arch.PagePresent | arch.PageAccessed)
	if p != 0 {
		f |= arch.PageUser
	}
	if p&Exec == 0 {
		f |= arch.PageNoExec
	}
	return f
}

const writable = arch.PageWrite | arch.PageDirty

// permits reports whether a program can access the page of entry e so.
func permits(e uint64, need Prot) bool {
	want, mask := uint64(arch.PagePresent|arch.PageUser), uint64(arch.PagePresent|arch.PageUser)
	switch need {
	case Write:
		want |= arch.PageWrite
		mask |= arch.PageWrite
	case Exec:
		mask |= arch.PageNoExec
	}
	return e&mask == want
}

func frame(e uint64) mem.PA { return mem.PA(e & arch.PageAddr) }

// entry returns where the entry for a is, nil if there is no table for it.
func (s *Space) entry(a uint64) *uint64 {
	m := s.mem
	e := atomic.LoadUint64(&m.Table(s.root)[a>>39&511])
	if e == 0 {
		return nil
	}
	e = atomic.LoadUint64(&m.Table(frame(e))[a>>30&511])
	if e == 0 {
		return nil
	}
	e = atomic.LoadUint64(&m.Table(frame(e))[a>>21&511])
	if e == 0 {
		return nil
	}
	return &m.Table(frame(e))[a>>12&511]
}

// ensure is entry that adds the tables which are missing; nil means that
// there is no frame for one.
func (s *Space) ensure(a uint64) *uint64 {
	t := s.mem.Table(s.root)
	for shift := uint(39); shift > 12; shift -= 9 {
		p := &t[a>>shift&511]
		e := atomic.LoadUint64(p)
		if e == 0 {
			pa, ok := s.newFrame(true)
			if !ok {
				return nil
			}
			if e = uint64(pa) | tableFlags; atomic.CompareAndSwapUint64(p, 0, e) {
				s.tables.Add(1)
			} else {
				s.freeFrame(pa)
				e = atomic.LoadUint64(p)
			}
		}
		t = s.mem.Table(frame(e))
	}
	return &t[a>>12&511]
}

// leaf returns the last-level table that covers a, or nil and the end of what
// has no table.
func (s *Space) leaf(a uint64) (*[512]uint64, uint64) {
	t := s.mem.Table(s.root)
	for shift := uint(39); shift > 12; shift -= 9 {
		e := atomic.LoadUint64(&t[a>>shift&511])
		if e == 0 {
			return nil, (a>>shift + 1) << shift
		}
		t = s.mem.Table(frame(e))
	}
	return t, (a>>21 + 1) << 21
}

// each calls f for every entry in [lo, hi) that isn't zero, rising, until it
// returns false. Ranges without tables cost nothing.
func (s *Space) each(lo, hi uint64, f func(a uint64, e *uint64) bool) bool {
	for lo < hi {
		t, end := s.leaf(lo)
		if t == nil {
			lo = end
			continue
		}
		for end = min(end, hi); lo < end; lo += PageSize {
			if e := &t[lo>>12&511]; atomic.LoadUint64(e) != 0 && !f(lo, e) {
				return false
			}
		}
	}
	return true
}

// A gather collects frames that entries were holding, to drop them when no
// processor uses these entries any more.
type gather struct {
	unseen bool // no processor has the page table: nothing to flush

	entries int    // removed or changed since the last flush
	tables  bool   // one of them was a table
	last    uint64 // the page of one of them

	frames *batch // nil: none
}

// A batch is the frames of a gather. Most spaces need none most of the time, so they take
// turns in having one: System.batches.
type batch struct {
	mine   [256]mem.PA // charged to the instance
	theirs [64]mem.PA  // charged to the owner of an Object
	nMine  int
	nTheir int
}

// batch returns the batch of s.
func (s *Space) batch() *batch {
	g := &s.gather
	if g.frames == nil {
		if b, ok := s.sys.batches.Get().(*batch); ok {
			g.frames = b
		} else {
			g.frames = new(batch)
		}
	}
	return g.frames
}

// stale notes that processors may remember an older entry for page a.
func (s *Space) stale(a uint64) {
	s.gather.entries++
	s.gather.last = a
}

// dropMine gives an owned frame, or a table, to the gather.
func (s *Space) dropMine(pa mem.PA) {
	b := s.batch()
	b.mine[b.nMine] = pa
	if b.nMine++; b.nMine == len(b.mine) {
		s.drain()
	}
}

// drop gives the frame of a removed entry to the gather.
func (s *Space) drop(e uint64) {
	switch pa := frame(e); {
	case e&owned != 0:
		s.rss.Add(-1)
		s.dropMine(pa)
	case pa != s.zero:
		s.rss.Add(-1)
		b := s.batch()
		b.theirs[b.nTheir] = pa
		if b.nTheir++; b.nTheir == len(b.theirs) {
			s.drain()
		}
	}
}

// drain flushes the processors and drops the gathered frames. s.mu is held
// exclusively.
func (s *Space) drain() {
	g := &s.gather
	if !g.unseen {
		switch {
		case g.entries == 1 && !g.tables:
			s.sys.Machine.FlushPage(uint64(s.root), uintptr(g.last))
		case g.entries > 0:
			s.sys.Machine.Flush(uint64(s.root))
		}
	}
	g.entries, g.tables = 0, false
	b := g.frames
	if b == nil {
		return
	}
	if b.nMine > 0 {
		s.in.Uncharge(inst.Frames, int64(s.mem.PutSome(b.mine[:b.nMine])))
		b.nMine = 0
	}
	if b.nTheir > 0 {
		s.mem.PutSome(b.theirs[:b.nTheir])
		b.nTheir = 0
	}
	g.frames = nil
	s.sys.batches.Put(b)
}

// zap removes the entries in [lo, hi). The caller drains.
func (s *Space) zap(lo, hi uint64) {
	s.each(lo, hi, func(a uint64, p *uint64) bool {
		e := atomic.SwapUint64(p, 0)
		s.stale(a)
		s.drop(e)
		return true
	})
}

// prune removes the tables that touch [lo, hi) and cover nothing outside of
// [floor, ceil), where all entries are zero. The caller drains.
func (s *Space) prune(lo, hi, floor, ceil uint64) {
	if lo < hi {
		s.pruneTable(s.mem.Table(s.root), 39, lo, hi, floor, ceil)
	}
}

func (s *Space) pruneTable(t *[512]uint64, shift uint, lo, hi, floor, ceil uint64) {
	for lo < hi {
		start := lo >> shift << shift
		end := start + 1<<shift
		if p := &t[lo>>shift&511]; *p != 0 {
			if shift > 21 {
				s.pruneTable(s.mem.Table(frame(*p)), shift-9, lo, min(end, hi), floor, ceil)
			}
			if start >= floor && end <= ceil {
				e := atomic.SwapUint64(p, 0)
				s.stale(lo)
				s.gather.tables = true
				s.tables.Add(-1)
				s.dropMine(frame(e))
			}
		}
		lo = end
	}
}
