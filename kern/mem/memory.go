package mem

import (
	"sync/atomic"
	"unsafe"
)

// Memory is RAM as the kernel proper uses it: frames of a Pool with counts of
// their users, and a view of what is in them. A frame outside the pool, such
// as one of the root image that the loader put into RAM, may be used like one
// in it; whoever owns it takes a reference first (Get) that is never dropped,
// so it is never freed.
type Memory struct {
	pool *Pool
	base unsafe.Pointer // [const] address of physical address 0
	refs []atomic.Int32 // by frame
	keep int64          // [const] frames that are for others
	have *atomic.Int64  // [const] what they have of them; nil: nothing

	// Poison fills frames with PoisonByte as they are freed, so that a test
	// sees who goes on using them. Set before the first Alloc.
	Poison bool
}

// PoisonByte is what frames hold that were freed with Poison on.
const PoisonByte = 0xdb

// RefBytes returns how many bytes NewMemory needs for a limit.
func RefBytes(limit PA) uint64 { return (uint64(limit) >> pageShift) * 4 }

// NewMemory returns the memory of a machine whose RAM appears at base. refs is
// zeroed memory of RefBytes(limit) bytes for the physical addresses below limit.
func NewMemory(pool *Pool, base unsafe.Pointer, refs []atomic.Int32) *Memory {
	return &Memory{pool: pool, base: base, refs: refs}
}

// Page returns the content of a frame.
func (m *Memory) Page(pa PA) *[PageSize]byte {
	return (*[PageSize]byte)(unsafe.Add(m.base, pa))
}

// Table returns the content of a frame as that of a page table.
func (m *Memory) Table(pa PA) *[PageSize / 8]uint64 {
	return (*[PageSize / 8]uint64)(unsafe.Add(m.base, pa))
}

// Keep reserves frames for a user of the pool that can't be refused, the Go
// heap: with what it has, which have counts, it can always get that many. Alloc
// refuses when it would leave fewer free. Called before the first Alloc.
func (m *Memory) Keep(frames uint64, have *atomic.Int64) {
	m.keep, m.have = int64(frames), have
}

// HeapFrames returns how many frames the Go heap has, of which Keep knows.
func (m *Memory) HeapFrames() uint64 {
	if m.have == nil {
		return 0
	}
	return uint64(max(0, m.have.Load()))
}

// kept returns how many frames Alloc must leave.
func (m *Memory) kept() uint64 {
	if m.have == nil {
		return uint64(m.keep)
	}
	return uint64(max(0, m.keep-m.have.Load()))
}

// Alloc takes a frame with one reference; its content is undefined.
func (m *Memory) Alloc() (PA, bool) { return m.AllocLeaving(0) }

// AllocLeaving is Alloc that leaves so many frames more for others.
func (m *Memory) AllocLeaving(spare uint64) (PA, bool) {
	pa, ok := m.pool.allocAbove(m.kept() + spare)
	if ok {
		m.refs[pa>>pageShift].Store(1)
	}
	return pa, ok
}

// AllocZero is Alloc of a frame of zeros.
func (m *Memory) AllocZero() (PA, bool) {
	pa, ok := m.Alloc()
	if ok {
		clear(m.Table(pa)[:])
	}
	return pa, ok
}

// Get adds a reference to a frame.
func (m *Memory) Get(pa PA) { m.refs[pa>>pageShift].Add(1) }

// Put drops a reference and frees the frame with the last one. It reports
// whether that was the last one.
func (m *Memory) Put(pa PA) bool {
	if !m.drop(pa) {
		return false
	}
	m.pool.Free(pa)
	return true
}

// PutSome is Put of many frames, cheaper, and returns how many were freed. It
// changes the order in pas. The remark at Pool.AllocSome about many frames
// applies.
func (m *Memory) PutSome(pas []PA) int {
	n := 0
	for _, pa := range pas {
		if m.drop(pa) {
			pas[n] = pa
			n++
		}
	}
	if n > 0 {
		m.pool.FreeSome(pas[:n])
	}
	return n
}

// drop takes a reference away and reports whether it was the last one.
func (m *Memory) drop(pa PA) bool {
	switch n := m.refs[pa>>pageShift].Add(-1); {
	case n > 0:
		return false
	case n < 0:
		panic("mem: a frame lost more references than it had")
	}
	if m.Poison {
		p := m.Page(pa)
		for i := range p {
			p[i] = PoisonByte
		}
	}
	return true
}

// Refs returns the references of a frame: a hint, unless nobody else can
// change them.
func (m *Memory) Refs(pa PA) int { return int(m.refs[pa>>pageShift].Load()) }

// Stats returns the counters of the pool.
func (m *Memory) Stats() Stats { return m.pool.Stats() }

// allocAbove is Alloc if more than keep frames are free.
func (p *Pool) allocAbove(keep uint64) (PA, bool) {
	var f uint64
	p.lock()
	ok := p.stats.Free > keep
	if ok {
		f, ok = p.takeLocked()
	}
	p.unlock()
	return PA(f << pageShift), ok
}
