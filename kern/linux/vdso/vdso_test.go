package vdso

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"unsafe"

	"mult/arch/hosted"
	"mult/inst"
	"mult/kern/errno"
	"mult/kern/vm"
)

// A world is a machine with two instances, and checks in the end that all
// memory came back.
type world struct {
	t       testing.TB
	m       *hosted.Machine
	sys     *vm.System
	vdso    *System
	members []inst.Member
	now     Params // what the machine's clock says
	boot    int64  // when the next instance is made
	in, sib *inst.Inst
}

func newWorld(t testing.TB) *world {
	t.Helper()
	m := hosted.New(8 << 20)
	m.Memory().Poison = true
	t.Cleanup(m.Close)
	w := &world{t: t, m: m, sys: &vm.System{Machine: m, Memory: m.Memory()}, now: *stopped(1, 2)}
	var err error
	if w.vdso, err = New(w.sys, func() Params { return w.now }); err != nil {
		t.Fatal(err)
	}
	w.members = []inst.Member{Member(w.vdso, func(*inst.Inst) int64 { return w.boot })}
	for _, in := range []**inst.Inst{&w.in, &w.sib} {
		if *in, err = inst.NewSystem(w.members).New(nil, "test"); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, in := range []*inst.Inst{w.in, w.sib} {
			in.Release()
			if f, h := in.Used(inst.Frames), in.Used(inst.Heap); f != 0 || h != 0 {
				t.Errorf("%d frames and %d bytes are still charged", f, h)
			}
		}
		// What stays is the image, and vm's frame of zeros if there was a space.
		if s := m.Memory().Stats(); s.Total-s.Free > 2 {
			t.Errorf("%d frames are not free", s.Total-s.Free)
		}
	})
	return w
}

// space returns a space with a stack.
func (w *world) space(in *inst.Inst) *vm.Space {
	w.t.Helper()
	s, err := vm.New(w.sys, in)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Release)
	if _, err := s.Map(vm.MapArgs{Len: 128 << 10, Prot: vm.Read | vm.Write, Grows: true, Stack: true}); err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) mapIn(s *vm.Space, in *inst.Inst) vm.Addr {
	w.t.Helper()
	a, err := Map(s, in)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// wall returns what the page of a program says about the wall clock.
func (w *world) wall(s *vm.Space, ehdr vm.Addr) uint64 {
	w.t.Helper()
	var b [vm.PageSize]byte
	if err := s.CopyIn(b[:], ehdr-vm.PageSize); err != nil {
		w.t.Fatal(err)
	}
	d := (*data)(unsafe.Pointer(&b))
	return d.desc[d.seq.Load()&1].after.wall.Load()
}

// maps returns the named areas as /proc/pid/maps does.
func maps(s *vm.Space) (lines []string) {
	s.Areas(func(a vm.Area) bool {
		if a.Path != "" {
			lines = append(lines, fmt.Sprintf("%x-%x %d %t %x %d:%d %s",
				a.Start, a.End, a.Prot, a.Shared, a.Offset, a.Dev, a.Ino, a.Path))
		}
		return true
	})
	return lines
}

// TestOwnClock has instances begin at different times, and looks what their pages say.
func TestOwnClock(t *testing.T) {
	w := newWorld(t)
	w.now = *stopped(5000, 1e18)
	w.boot = 4000
	late, err := inst.NewSystem(w.members).New(nil, "late")
	if err != nil {
		t.Fatal(err)
	}
	defer late.Release()
	for _, tt := range []struct {
		in         *inst.Inst
		mono, wall uint64
	}{{w.in, 5000, 1e18 + 5000}, {late, 1000, 1e18 + 5000}} {
		for range 2 {
			Update(tt.in)
			d := slot.Of(tt.in).data
			if s := &d.desc[d.seq.Load()&1].after; s.mono.Load() != tt.mono || s.wall.Load() != tt.wall {
				t.Errorf("%s: %d, %d, want %d, %d", tt.in.Name(), s.mono.Load(), s.wall.Load(), tt.mono, tt.wall)
			}
		}
	}
}

func TestMap(t *testing.T) {
	w := newWorld(t)
	img := image(text())
	for range 20 {
		s := w.space(w.in)
		ehdr := w.mapIn(s, w.in)
		want := fmt.Sprintf("%x-%x 1 false 0 0:0 [vvar]\n%x-%x 5 false 0 0:0 [vdso]",
			ehdr-vm.PageSize, ehdr, ehdr, ehdr+vm.PageSize)
		if got := strings.Join(maps(s), "\n"); got != want {
			t.Errorf("maps:\n%s\nwant\n%s", got, want)
		}
		var b [vm.PageSize]byte
		if err := s.CopyIn(b[:], ehdr); err != nil || b != img {
			t.Errorf("the image is not at %#x: %v", ehdr, err)
		}
		if got := w.wall(s, ehdr); got != 3 {
			t.Errorf("the wall clock is %d", got)
		}
		c, err := s.Fork(s.Inst())
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(maps(c), "\n"); got != want {
			t.Errorf("maps of the child:\n%s\nwant\n%s", got, want)
		}
		if got := w.wall(c, ehdr); got != 3 {
			t.Errorf("the child's wall clock is %d", got)
		}
		c.Release()
	}
}

// TestPlace checks that the pages lie between the stack and the end of its
// page table where there is room, and not always at the same place.
func TestPlace(t *testing.T) {
	w := newWorld(t)
	distances := map[vm.Addr]bool{}
	for range 100 {
		s := w.space(w.in)
		ehdr := w.mapIn(s, w.in)
		var top vm.Addr
		s.Areas(func(a vm.Area) bool {
			if a.Kind == vm.KindStack {
				top = a.End
			}
			return true
		})
		const table = 2 << 20
		end := min((top+table-1)&^(table-1), vm.MaxAddr)
		if first := ehdr - vm.PageSize; end-top >= 2*vm.PageSize && (first < top || ehdr+vm.PageSize > end) {
			t.Errorf("%#x is not in %#x-%#x", first, top, end)
		}
		distances[ehdr-top] = true
	}
	if len(distances) < 10 {
		t.Errorf("only %d places in 100 spaces", len(distances))
	}

	// Without a stack, and where the stack ends with its page table.
	for _, top := range []vm.Addr{0, 0x7f0000000000} {
		s, err := vm.New(w.sys, w.in)
		if err != nil {
			t.Fatal(err)
		}
		if top != 0 {
			_, err = s.Map(vm.MapArgs{Addr: top - vm.PageSize, Len: vm.PageSize, Prot: vm.Read, Stack: true, Fixed: true})
		}
		if err != nil {
			t.Fatal(err)
		}
		w.wall(s, w.mapIn(s, w.in))
		s.Release()
	}
}

// TestImmutable checks that a program can't change what others see.
func TestImmutable(t *testing.T) {
	w := newWorld(t)
	s := w.space(w.in)
	ehdr := w.mapIn(s, w.in)
	for _, a := range []vm.Addr{ehdr - vm.PageSize, ehdr} {
		if err := s.CopyOut(a, []byte{1}); err != errno.EFAULT {
			t.Errorf("CopyOut: %v", err)
		}
		if err := s.Protect(a, vm.PageSize, vm.Read|vm.Write); err != errno.EACCES {
			t.Errorf("Protect: %v", err)
		}
	}
	if err := s.Protect(ehdr-vm.PageSize, vm.PageSize, vm.Read|vm.Exec); err != errno.EACCES {
		t.Errorf("Protect: %v", err)
	}
	for _, o := range []*page{&slot.Of(w.in).page, &w.vdso.text} {
		for n := range uint64(2) {
			if _, err := o.Page(n, n == 0); err != errno.EFAULT {
				t.Errorf("Page(%d, %t): %v", n, n == 0, err)
			}
		}
	}
}

func TestUpdate(t *testing.T) {
	w := newWorld(t)
	s, sib := w.space(w.in), w.space(w.sib)
	ehdr, sibEhdr := w.mapIn(s, w.in), w.mapIn(sib, w.sib)
	check := func(want, sibWant uint64) {
		t.Helper()
		if got := w.wall(s, ehdr); got != want {
			t.Errorf("the wall clock is %d, want %d", got, want)
		}
		if got := w.wall(sib, sibEhdr); got != sibWant {
			t.Errorf("the sibling's wall clock is %d, want %d", got, sibWant)
		}
	}
	check(3, 3)
	w.now.Wall = 10
	check(3, 3)
	Update(w.in)
	check(11, 3)
	seq := slot.Of(w.in).data.seq.Load()
	Update(w.in) // nothing new
	if got := slot.Of(w.in).data.seq.Load(); got != seq {
		t.Errorf("an update without a change writes")
	}
	w.mapIn(w.space(w.sib), w.sib) // brings the page up to date
	check(11, 11)
}

// TestInstances checks what two instances share: the image.
func TestInstances(t *testing.T) {
	w := newWorld(t)
	frame := func(o *page) uint64 {
		pa, err := o.Page(0, false)
		if err != nil {
			t.Fatal(err)
		}
		o.mem.Put(pa)
		return uint64(pa)
	}
	a, b := slot.Of(w.in), slot.Of(w.sib)
	if frame(&a.page) == frame(&b.page) {
		t.Error("instances share a data page")
	}
	if n := w.in.Used(inst.Frames); n != 1 {
		t.Errorf("%d frames are charged", n)
	}

	// One that may have nothing.
	members := append([]inst.Member{{
		Name:  "limit",
		Alloc: func(in, _ *inst.Inst) error { in.SetLimit(inst.Frames, 0); return nil },
		Free:  func(*inst.Inst) {},
	}}, w.members...)
	if _, err := inst.NewSystem(members).New(nil, "poor"); !errors.Is(err, errno.ENOMEM) {
		t.Errorf("an instance without frames: %v", err)
	}

	// One that is freed too early.
	s := w.space(w.in)
	w.mapIn(s, w.in)
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		w.members[0].Free(w.in)
	}()
}

// TestNoRoom has Map fail at each of its steps.
func TestNoRoom(t *testing.T) {
	w := newWorld(t)
	fails := 0
	for {
		s := w.space(w.in)
		before := s.Stats().VSize
		w.in.SetLimit(inst.Heap, w.in.Used(inst.Heap)+int64(fails)*64)
		_, err := Map(s, w.in)
		w.in.SetLimit(inst.Heap, 1<<40)
		if err == nil {
			break
		}
		fails++
		if got := s.Stats().VSize; err != errno.ENOMEM || got != before || len(maps(s)) != 0 {
			t.Errorf("%v, with %d bytes mapped: %v", err, got-before, maps(s))
		}
	}
	if fails < 2 {
		t.Errorf("Map failed only %d times", fails)
	}
}
