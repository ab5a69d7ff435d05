package vm

import (
	"sync"
	"sync/atomic"
	"testing"

	"mult/arch"
	"mult/arch/hosted"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/errno"
	"mult/kern/mem"
)

// A world is a machine with an instance, and checks in the end that all
// memory came back.
type world struct {
	t    testing.TB
	m    *hosted.Machine
	sys  *System
	in   *inst.Inst
	free uint64

	files []*testFile
}

func newWorld(t testing.TB, ram int) *world {
	t.Helper()
	m := hosted.New(ram)
	m.Memory().Poison = true
	w := &world{t: t, m: m, sys: &System{Machine: m, Memory: m.Memory()}}
	w.in = insttest.New(t, "test")
	w.sys.zeroFrame()
	w.free = m.Memory().Stats().Free
	t.Cleanup(w.check)
	return w
}

func (w *world) check() {
	w.t.Helper()
	for _, f := range w.files {
		if n := f.refs.Load(); n != 0 {
			w.t.Errorf("a file is shown by %d areas", n)
		}
		for _, pa := range f.pages {
			if pa != NoFrame {
				f.mem.Put(pa)
			}
		}
	}
	if n := w.in.Used(inst.Frames); n != 0 {
		w.t.Errorf("%d frames are still charged", n)
	}
	if n := w.in.Used(inst.Heap); n != 0 {
		w.t.Errorf("%d bytes are still charged", n)
	}
	if n := w.m.Memory().Stats().Free; n != w.free {
		w.t.Errorf("%d frames are free, %d were at the start", n, w.free)
	}
	for i, b := range w.m.Memory().Page(w.sys.zero) {
		if b != 0 {
			w.t.Fatalf("the frame of zeros has %#x at %#x", b, i)
		}
	}
	w.m.Close()
}

// space returns a space that the end of the test releases, before check.
func (w *world) space() *Space {
	w.t.Helper()
	s, err := New(w.sys, w.in)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Release)
	return s
}

// must maps or ends the test.
func must(t testing.TB, s *Space, m MapArgs) Addr {
	t.Helper()
	a, err := s.Map(m)
	if err != nil {
		t.Fatalf("Map(%+v): %v", m, err)
	}
	return a
}

const rw = Read | Write

// poke writes a byte.
func poke(s *Space, a Addr, b byte) error { return s.CopyOut(a, []byte{b}) }

// peek reads a byte.
func peek(s *Space, a Addr) (byte, error) {
	var b [1]byte
	err := s.CopyIn(b[:], a)
	return b[0], err
}

func want(t testing.TB, s *Space, a Addr, b byte) {
	t.Helper()
	if got, err := peek(s, a); got != b || err != nil {
		t.Errorf("at %#x is %#x, %v; want %#x", uint64(a), got, err, b)
	}
}

// load reads a byte as a program on c does.
func load(s *Space, c *hosted.CPU, a Addr) (byte, error) {
	for {
		b, code, ok := c.Load(s.Root(), uint64(a))
		if ok {
			return b, nil
		}
		if err := s.Fault(a, code); err != nil {
			return 0, err
		}
	}
}

// store writes a byte as a program on c does.
func store(s *Space, c *hosted.CPU, a Addr, b byte) error {
	for {
		code, ok := c.Store(s.Root(), uint64(a), b)
		if ok {
			return nil
		}
		if err := s.Fault(a, code); err != nil {
			return err
		}
	}
}

// fetch executes at a as a program on c does.
func fetch(s *Space, c *hosted.CPU, a Addr) error {
	for {
		code, ok := c.Fetch(s.Root(), uint64(a))
		if ok {
			return nil
		}
		if err := s.Fault(a, code); err != nil {
			return err
		}
	}
}

// A testFile is an Object with a fixed number of pages.
type testFile struct {
	mem   *mem.Memory
	refs  atomic.Int64
	mu    sync.Mutex
	pages []mem.PA // NoFrame: not in memory yet
	sync  atomic.Int64
}

// file returns an Object whose page n starts with the byte n+1.
func (w *world) file(pages int) *testFile {
	f := &testFile{mem: w.m.Memory(), pages: make([]mem.PA, pages)}
	for i := range f.pages {
		f.pages[i] = NoFrame
	}
	w.files = append(w.files, f)
	return f
}

func (f *testFile) Page(n uint64, write bool) (mem.PA, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n >= uint64(len(f.pages)) {
		return 0, errno.EIO
	}
	if f.pages[n] == NoFrame {
		pa, ok := f.mem.AllocZero()
		if !ok {
			return 0, errno.ENOMEM
		}
		f.mem.Page(pa)[0] = byte(n + 1)
		f.pages[n] = pa
	}
	f.mem.Get(f.pages[n])
	return f.pages[n], nil
}

func (f *testFile) Retain()                        { f.refs.Add(1) }
func (f *testFile) Release()                       { f.refs.Add(-1) }
func (f *testFile) Key() any                       { return f }
func (f *testFile) Name() (string, uint64, uint64) { return "/file", 8, 15 }
func (f *testFile) Sync(n, count uint64) error     { f.sync.Add(int64(count)); return nil }

// A nearFile is a testFile that is an Around.
type nearFile struct{ *testFile }

func (f nearFile) Resident(n uint64, dst []mem.PA) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range dst {
		dst[i] = NoFrame
		if k := n + uint64(i); k < uint64(len(f.pages)) && f.pages[k] != NoFrame {
			dst[i] = f.pages[k]
			f.mem.Get(dst[i])
		}
	}
}

// signal returns what a fault at a gives, as signal and code.
func signal(s *Space, a Addr, code uint64) (sig, si int) {
	err := s.Fault(a, code|arch.FaultUser)
	if err == nil {
		return 0, 0
	}
	f := err.(*FaultError)
	if f.Addr != a {
		return -1, -1
	}
	return f.Signal, f.Code
}
