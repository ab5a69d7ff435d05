package mem

// fault is what a caller did wrong. Code under the lock returns it; it is
// raised after unlock.
type fault uint8

const (
	faultNone    fault = iota
	faultOutside       // frame outside every region
	faultFree          // frame is free already
)

func (f fault) raise() {
	switch f {
	case faultOutside:
		panic("mem: free of a frame outside every region")
	case faultFree:
		panic("mem: free of a frame that is free")
	}
}

// frameOf returns the frame that starts at pa.
func frameOf(pa PA) uint64 {
	if pa%PageSize != 0 {
		panic("mem: free of an address inside a frame")
	}
	return uint64(pa) >> pageShift
}

// Alloc takes the lowest free frame.
func (p *Pool) Alloc() (PA, bool) {
	p.lock()
	f, ok := p.takeLocked()
	p.unlock()
	return PA(f << pageShift), ok
}

// AllocSome fills dst with the lowest free frames, rising, under one lock. It
// returns how many there were; fewer than len(dst) means that memory is out.
// The lock is held, with preemption off, for a few nanoseconds a frame: a
// caller with more than some thousand of them should split its work.
func (p *Pool) AllocSome(dst []PA) int {
	p.lock()
	n := p.takeSomeLocked(dst)
	p.unlock()
	return n
}

// AllocRun takes n contiguous frames, the lowest that fit. The run starts at a
// multiple of align bytes, a power of two (0 and all up to PageSize mean a
// frame), and ends at or below below, where 0 means anywhere.
func (p *Pool) AllocRun(n, align uint64, below PA) (PA, bool) {
	if align&(align-1) != 0 {
		panic("mem: alignment is not a power of two")
	}
	limit := p.frames
	if below != 0 {
		limit = min(limit, uint64(below)>>pageShift)
	}
	if n == 0 || n > limit {
		return 0, false
	}
	p.lock()
	f, ok := p.searchLocked(n, max(align>>pageShift, 1), limit)
	if ok {
		p.takeRangeLocked(f, f+n, n)
	}
	p.unlock()
	return PA(f << pageShift), ok
}

// Free gives one frame back.
func (p *Pool) Free(pa PA) {
	f := frameOf(pa)
	p.lock()
	bad := p.putLocked(f)
	p.unlock()
	bad.raise()
}

// FreeSome gives frames back, in any order, under one lock. The remark at
// AllocSome about many frames applies.
func (p *Pool) FreeSome(src []PA) {
	for _, pa := range src {
		frameOf(pa)
	}
	p.lock()
	bad := p.putSomeLocked(src)
	p.unlock()
	bad.raise()
}

// FreeRun gives n contiguous frames back: a run, a part of one, or adjacent
// ones. Frames that Reserve took inside a region may be given back too.
func (p *Pool) FreeRun(pa PA, n uint64) {
	f := frameOf(pa)
	if n == 0 {
		return
	}
	p.lock()
	bad := p.putRunLocked(f, n)
	p.unlock()
	bad.raise()
}

// AddRegion adds the whole frames in [start, end) to the pool, free. Frames
// that are in the pool already stay as they are, free or used; what lies above
// the limit is skipped.
func (p *Pool) AddRegion(start, end PA) {
	lo, hi := uint64(start)>>pageShift, uint64(end)>>pageShift
	if start%PageSize != 0 {
		lo++
	}
	p.lock()
	p.addLocked(lo, hi)
	p.unlock()
}

// Reserve takes every frame that [start, end) touches out of the free ones.
// Frames in use and addresses outside every region are ignored, so it is
// called after the AddRegion calls, with what firmware and loader have placed.
func (p *Pool) Reserve(start, end PA) {
	lo, hi := uint64(start)>>pageShift, uint64(end)>>pageShift
	if end%PageSize != 0 {
		hi++
	}
	hi = min(hi, p.frames)
	if start >= end || lo >= hi {
		return
	}
	p.lock()
	p.takeRangeLocked(lo, hi, count(p.level[0], lo, hi))
	p.unlock()
}
