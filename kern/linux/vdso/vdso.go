// Package vdso owns the vDSO: two pages in each program's address space that
// let it read the clocks without a system call. They are what a shared library
// made by Linux is to C libraries and to Go's runtime, which find it by
// AT_SYSINFO_EHDR and look its functions up by name and version.
//
//	[vvar]  data, read-only: how the time stamp counter becomes time. A frame
//	        for each instance, which is charged for it.
//	[vdso]  an ELF image and code (text.s). One frame for the whole machine,
//	        which nothing can write once it is made.
//
// The functions give what the system calls give, to the nanosecond, if the
// kernel's clock is a clock.Clock, CLOCK_REALTIME is that clock plus Params.Wall, and
// CLOCK_MONOTONIC is what it has gone since the instance was made. Clocks that the code doesn't serve,
// and getcpu, are left to the system calls, from within the functions.
//
// execve calls Map, which also brings the data page up to date. Whoever
// changes the machine's clock calls Update for every instance, see there.
//
// Locks: private.mu guards writing the data page; System.params is called
// under it, and nothing else.
package vdso

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"unsafe"

	"mult/arch"
	"mult/inst"
	"mult/kern/errno"
	"mult/kern/mem"
	"mult/kern/vm"
)

// System is what the vDSOs of all instances have in common.
type System struct {
	machine arch.Machine
	boot    func(in *inst.Inst) int64
	mem     *mem.Memory
	params  func() Params
	text    page
}

// New makes the image, which stays as long as the machine runs. params
// returns how the clocks run now; it must not block.
func New(sys *vm.System, params func() Params) (*System, error) {
	s := &System{machine: sys.Machine, mem: sys.Memory, params: params}
	pa, ok := s.mem.Alloc()
	if !ok {
		return nil, errno.ENOMEM
	}
	*s.mem.Page(pa) = image(text())
	s.text = page{mem: s.mem, pa: pa, name: "[vdso]"}
	return s, nil
}

// private is an instance's part.
type private struct {
	sys  *System // [const]
	boot int64   // [const]
	page page    // the data, for mappings

	mu   sync.Mutex
	data *data  // what is in the page; [mu] to write
	last Params // [mu] what data says, unless it has never been set
}

var slot = inst.NewSlot[private]()

// Member returns vdso's row of the table of members. boot says when an instance's own
// CLOCK_MONOTONIC was 0, by that of the machine.
func Member(s *System, boot func(in *inst.Inst) int64) inst.Member {
	s.boot = boot
	return inst.Member{Name: "vdso", Alloc: s.alloc, Free: free}
}

func (s *System) alloc(in, parent *inst.Inst) error {
	if !in.Charge(inst.Frames, 1) {
		return errno.ENOMEM
	}
	pa, ok := s.mem.AllocZero()
	if !ok {
		in.Uncharge(inst.Frames, 1)
		return errno.ENOMEM
	}
	slot.Set(in, &private{
		sys:  s,
		boot: s.boot(in),
		page: page{mem: s.mem, pa: pa, name: "[vvar]"},
		data: (*data)(unsafe.Pointer(s.mem.Page(pa))),
	})
	return nil
}

func free(in *inst.Inst) {
	p := slot.Of(in)
	if p.page.areas.Load() != 0 || !p.sys.mem.Put(p.page.pa) {
		panic("vdso: instance freed while programs have its page")
	}
	in.Uncharge(inst.Frames, 1)
	slot.Set(in, nil)
}

// Update brings the data page of in up to date with the clocks. Who calls
// clock.Clock.SetRate calls it for all instances within the second that is
// left until the new rate takes effect; else programs would see the clocks
// run at the old rate for longer than the kernel does, and then jump. Who sets
// the wall clock calls it at once. An instance that is being made needs no
// call before its first program is mapped.
//
// It takes what to publish from System.params, not from the caller, so that
// of two calls at the same time the later change wins.
func Update(in *inst.Inst) { slot.Of(in).update() }

func (p *private) update() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := p.sys.params(); now != p.last || p.data.seq.Load() == 0 {
		p.last = now
		now.since(p.boot)
		p.data.set(&now)
	}
}

// Map maps the vDSO of in into the space of a new program, near its stack as
// Linux does, and returns the address for AT_SYSINFO_EHDR. Nobody else changes
// the space meanwhile.
func Map(space *vm.Space, in *inst.Inst) (ehdr vm.Addr, err error) {
	p := slot.Of(in)
	p.update()
	// Room for both first, so that one isn't mapped where the other can't be.
	a, err := space.Map(vm.MapArgs{
		Addr: p.sys.place(space), Len: 2 * vm.PageSize,
		Prot: vm.Read, MaxProt: vm.Read, Object: &p.page,
	})
	if err != nil {
		return 0, err
	}
	ehdr, err = space.Map(vm.MapArgs{
		Addr: a + vm.PageSize, Len: vm.PageSize, Fixed: true,
		Prot: vm.Read | vm.Exec, MaxProt: vm.Read | vm.Exec, Object: &p.sys.text,
	})
	if err != nil {
		space.Unmap(a, 2*vm.PageSize)
		return 0, err
	}
	return ehdr, nil
}

// place proposes an address: a random one between the stack and the next
// multiple of 2 MiB, where the stack's page table ends. 0 means anywhere.
func (s *System) place(space *vm.Space) vm.Addr {
	const table = 2 << 20
	var top vm.Addr // end of the stack
	space.Areas(func(a vm.Area) bool {
		if a.Kind == vm.KindStack {
			top = a.End
		}
		return true
	})
	end := min((top+table-1)&^(table-1), vm.MaxAddr)
	if end < top+2*vm.PageSize {
		return top
	}
	var b [8]byte
	s.machine.Random(b[:])
	places := uint64(end-top)/vm.PageSize - 1
	return top + vm.Addr(binary.LittleEndian.Uint64(b[:])%places*vm.PageSize)
}

// A page is a vm.Object of one page that programs may only read.
type page struct {
	mem   *mem.Memory  // [const]
	pa    mem.PA       // [const]
	name  string       // [const]
	areas atomic.Int64 // that show it
}

func (o *page) Page(n uint64, write bool) (mem.PA, error) {
	if n != 0 || write {
		return 0, errno.EFAULT
	}
	o.mem.Get(o.pa)
	return o.pa, nil
}

func (o *page) Retain()  { o.areas.Add(1) }
func (o *page) Release() { o.areas.Add(-1) }
func (o *page) Key() any { return o }

func (o *page) Name() (path string, dev, ino uint64) { return o.name, 0, 0 }
