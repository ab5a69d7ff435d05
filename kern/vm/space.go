package vm

import (
	"encoding/binary"
	"sync"
	"sync/atomic"

	"mult/inst"
	"mult/kern/errno"
	"mult/kern/mem"
)

// What the kernel's own memory for a Space and for an area is charged as.
const (
	spaceCost = 1024
	areaCost  = 192
)

// A Space is the memory of a process as its threads see it.
type Space struct {
	sys  *System     // [const]
	mem  *mem.Memory // [const]
	in   *inst.Inst  // [const] who is charged
	root mem.PA      // [const] the top-level page table
	zero mem.PA      // [const] System.zero

	users   atomic.Int64
	builder atomic.Pointer[Space]
	limit   struct{ as, data, stack atomic.Uint64 } // bytes

	mapBase  uint64 // [const] mappings are placed below, downwards
	stackTop uint64 // [const] end of the first thread's stack

	mu    sync.RWMutex
	areas []*area      // [mu] sorted, without overlaps
	hint  atomic.Int32 // index of the area that was found last

	// All holes between searchFrom and mapBase are no larger than largestHole.
	searchFrom, largestHole uint64 // [mu exclusive]

	brkStart, brk uint64 // [mu] the heap of brk(2); 0 before SetBrk

	pages struct{ total, data, stack, text uint64 } // [mu] sizes of the areas

	gather gather // [mu exclusive]

	rss    atomic.Int64 // entries with a frame other than zero
	tables atomic.Int64 // page tables, root included
	minor  atomic.Uint64
	major  atomic.Uint64
}

// DefaultStackLimit is RLIMIT_STACK of a new Space.
const DefaultStackLimit = 8 << 20

// New makes an empty address space with one user, whose memory in pays for.
func New(sys *System, in *inst.Inst) (*Space, error) {
	var b [16]byte
	sys.Machine.Random(b[:])
	s, err := newSpace(sys, in)
	if err != nil {
		return nil, err
	}
	// As Linux: 22 bits of pages for the stack, 28 bits for mappings, which
	// start below the lowest stack there can be.
	const stackRoom = PageSize<<22 + 128<<20
	s.stackTop = MaxAddr - binary.LittleEndian.Uint64(b[:])%(1<<22)*PageSize
	s.mapBase = MaxAddr - stackRoom - guardGap - binary.LittleEndian.Uint64(b[8:])%(1<<28)*PageSize
	s.searchFrom = s.mapBase
	s.limit.as.Store(^uint64(0))
	s.limit.data.Store(^uint64(0))
	s.limit.stack.Store(DefaultStackLimit)
	return s, nil
}

// newSpace makes a Space without a layout.
func newSpace(sys *System, in *inst.Inst) (*Space, error) {
	zero, ok := sys.zeroFrame()
	if !ok || !in.Charge(inst.Heap, spaceCost) {
		return nil, errno.ENOMEM
	}
	s := &Space{sys: sys, mem: sys.Memory, in: in, zero: zero}
	if s.root, ok = s.newFrame(true); !ok {
		in.Uncharge(inst.Heap, spaceCost)
		return nil, errno.ENOMEM
	}
	s.tables.Store(1)
	sys.Machine.InitRoot(uint64(s.root))
	s.users.Store(1)
	return s, nil
}

// Retain adds a user.
func (s *Space) Retain() {
	if s.users.Add(1) <= 1 {
		panic("vm: a space without users got one")
	}
}

// TryRetain is Retain for those who may come too late; it reports whether the
// space still lives.
func (s *Space) TryRetain() bool {
	for {
		n := s.users.Load()
		if n == 0 {
			return false
		}
		if s.users.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release drops a user; the last one frees everything.
func (s *Space) Release() {
	switch n := s.users.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("vm: a space lost more users than it had")
	}
	s.sys.Machine.Retire(uint64(s.root))
	s.mu.Lock()
	s.gather.unseen = true
	for _, ar := range s.areas {
		s.zap(ar.start, ar.end)
	}
	s.prune(0, tableEnd, 0, tableEnd)
	s.drain()
	areas := s.areas
	s.areas = nil
	s.mu.Unlock()
	for _, ar := range areas {
		if ar.obj != nil {
			s.hide(ar.obj)
		}
	}
	s.in.Uncharge(inst.Heap, spaceCost+areaCost*int64(len(areas)))
	if s.tables.Add(-1) != 0 || s.rss.Load() != 0 {
		panic("vm: a freed space has pages left")
	}
	s.freeFrame(s.root)
}

// Root returns the physical address of the page table.
func (s *Space) Root() uint64 { return uint64(s.root) }

// Limits are the resource limits that matter to a Space, in bytes; the largest
// number is none.
type Limits struct {
	AS    uint64 // RLIMIT_AS
	Data  uint64 // RLIMIT_DATA
	Stack uint64 // RLIMIT_STACK
}

// SetLimits is called when a limit of the process changed. A fork inherits.
func (s *Space) SetLimits(l Limits) {
	s.limit.as.Store(l.AS)
	s.limit.data.Store(l.Data)
	s.limit.stack.Store(l.Stack)
}

// newFrame takes a frame, charged to the instance.
func (s *Space) newFrame(zero bool) (mem.PA, bool) { return newFrame(s.mem, s.in, zero) }

// Inst returns the instance that pays.
func (s *Space) Inst() *inst.Inst { return s.in }

// SetBuilder says during an exec whose memory this will replace: that of the process
// which fills s; nil: none any more.
func (s *Space) SetBuilder(old *Space) { s.builder.Store(old) }

// Builder returns what SetBuilder said.
func (s *Space) Builder() *Space { return s.builder.Load() }

// Freed reports whether the last user is gone and all memory has been freed.
func (s *Space) Freed() bool { return s.users.Load() == 0 && s.tables.Load() == 0 }

// Room reports whether s can have a frame now.
func (s *Space) Room() bool {
	pa, ok := s.newFrame(false)
	if ok {
		s.freeFrame(pa)
	}
	return ok
}

// hold runs f with mu held exclusively. A fault of the kernel in f lets it go, too:
// the process must be able to end, and others to look at it.
func (s *Space) hold(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// freeFrame drops a reference of an owned frame.
func (s *Space) freeFrame(pa mem.PA) {
	if s.mem.Put(pa) {
		s.in.Uncharge(inst.Frames, 1)
	}
}

func newFrame(m *mem.Memory, in *inst.Inst, zero bool) (pa mem.PA, ok bool) {
	if !in.Charge(inst.Frames, 1) {
		return 0, false
	}
	if zero {
		pa, ok = m.AllocZero()
	} else {
		pa, ok = m.Alloc()
	}
	if !ok {
		in.Uncharge(inst.Frames, 1)
	}
	return pa, ok
}

// Stats are sizes in bytes and counts of page faults, those of copies by the
// kernel too. Major counts faults that waited for a device; no object does.
type Stats struct {
	VSize, RSS, Data, Stack, Text, PageTables uint64
	Minor, Major                              uint64
}

// Stats returns the sizes of the space.
func (s *Space) Stats() Stats {
	s.mu.RLock()
	p := s.pages
	s.mu.RUnlock()
	return Stats{
		VSize: p.total * PageSize, Data: p.data * PageSize, Stack: p.stack * PageSize, Text: p.text * PageSize,
		RSS:        uint64(max(s.rss.Load(), 0)) * PageSize,
		PageTables: uint64(s.tables.Load()) * PageSize,
		Minor:      s.minor.Load(), Major: s.major.Load(),
	}
}
