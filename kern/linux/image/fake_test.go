package image

import (
	"encoding/binary"
	"os"
	"testing"

	"mult/arch/hosted"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/errno"
	"mult/kern/mem"
	"mult/kern/vm"
)

// A world is a machine with two instances, the second of which must not notice
// what happens in the first.
type world struct {
	t       testing.TB
	sys     *vm.System
	in, sib *inst.Inst
	files   map[string]*fakeFile
	free    int // frames
}

func newWorld(t testing.TB) *world {
	m := hosted.New(64 << 20)
	t.Cleanup(m.Close)
	w := &world{t: t, sys: &vm.System{Machine: m, Memory: m.Memory()}, files: map[string]*fakeFile{}}
	for _, p := range []**inst.Inst{&w.in, &w.sib} {
		in := insttest.New(t, "test")
		*p = in
	}
	return w
}

// checkEmpty reports what the instances still have.
func (w *world) checkEmpty() {
	w.t.Helper()
	for name, in := range map[string]*inst.Inst{"first": w.in, "second": w.sib} {
		if h, f := in.Used(inst.Heap), in.Used(inst.Frames); h != 0 || f != 0 {
			w.t.Errorf("the %s instance still has %d bytes of heap and %d frames", name, h, f)
		}
	}
	for path, f := range w.files {
		if f.open != 0 || f.areas != 0 {
			w.t.Errorf("%s is still open %d times and in %d areas", path, f.open, f.areas)
		}
	}
}

// A fakeFile is a File and its Object over bytes.
type fakeFile struct {
	w     *world
	data  []byte
	pages map[uint64]mem.PA
	areas int
	open  int
	short int // ReadAt returns at most so many bytes, if not 0
	fail  error
}

func (w *world) add(path string, data []byte) *fakeFile {
	f := &fakeFile{w: w, data: data, pages: map[uint64]mem.PA{}}
	w.files[path] = f
	return f
}

// openFile opens a file of the world for Load.
func (w *world) openFile(path string) (File, error) {
	f := w.files[path]
	if f == nil {
		return nil, errno.ENOENT
	}
	f.open++
	return f, nil
}

func (f *fakeFile) ReadAt(b []byte, off int64) (int, error) {
	if f.fail != nil {
		return 0, f.fail
	}
	if f.short > 0 && len(b) > f.short {
		b = b[:f.short]
	}
	if off < 0 || off >= int64(len(f.data)) {
		return 0, nil
	}
	return copy(b, f.data[off:]), nil
}

func (f *fakeFile) Object() (vm.Object, error) { return f, nil }
func (f *fakeFile) Close()                     { f.open-- }
func (f *fakeFile) Retain()                    { f.areas++ }
func (f *fakeFile) Release()                   { f.areas-- }
func (f *fakeFile) Key() any                   { return f }

func (f *fakeFile) Name() (string, uint64, uint64) { return "/fake", 1, 2 }

func (f *fakeFile) Page(n uint64, write bool) (mem.PA, error) {
	if n >= uint64(len(f.data)+pageSize-1)/pageSize {
		return 0, errno.EFAULT
	}
	m := f.w.sys.Memory
	pa, ok := f.pages[n]
	if !ok {
		if pa, ok = m.AllocZero(); !ok {
			return 0, errno.ENOMEM
		}
		copy(m.Page(pa)[:], f.data[n*pageSize:])
		f.pages[n] = pa
	}
	m.Get(pa)
	return pa, nil
}

// A call is one use of the package.
type call struct {
	path   string
	argv   []string
	envp   []string
	limits vm.Limits
	aux    Aux
}

var usual = vm.Limits{AS: none, Data: none, Stack: 8 << 20}

const none = ^uint64(0)

// load does all steps of an exec.
func (w *world) load(c call) (*Image, error) {
	if c.limits == (vm.Limits{}) {
		c.limits = usual
	}
	f, err := w.openFile(c.path)
	if err != nil {
		return nil, err
	}
	b, err := New(w.sys, new(Pages), w.in, c.limits)
	if err != nil {
		f.Close()
		return nil, err
	}
	defer b.Discard()
	if err := b.Strings(c.path, Strings(c.argv...), Strings(c.envp...)); err != nil {
		f.Close()
		return nil, err
	}
	if err := b.Load(f, w.openFile); err != nil {
		return nil, err
	}
	return b.Finish(c.aux)
}

func (w *world) mustLoad(c call) *Image {
	w.t.Helper()
	img, err := w.load(c)
	if err != nil {
		w.t.Fatalf("load %s: %v", c.path, err)
	}
	return img
}

func drop(img *Image) {
	img.Program.Close()
	img.Space.Release()
}

// peek reads memory of a program.
func peek(t testing.TB, s *vm.Space, a vm.Addr, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if err := s.CopyIn(b, a); err != nil {
		t.Fatalf("read %d bytes at %#x: %v", n, uint64(a), err)
	}
	return b
}

func peekString(t testing.TB, s *vm.Space, a vm.Addr) string {
	t.Helper()
	str, err := s.CopyInString(a, maxString)
	if err != nil {
		t.Fatalf("read a string at %#x: %v", uint64(a), err)
	}
	return str
}

// A start is what a program sees of its stack at its first instruction.
type start struct {
	argv, envp []string
	keys       []uint64
	auxv       map[uint64]uint64
	end        vm.Addr // of the auxiliary vector
}

func (w *world) start(img *Image) start {
	t := w.t
	t.Helper()
	if img.SP%16 != 0 {
		t.Errorf("SP is %#x, not a multiple of 16", uint64(img.SP))
	}
	var s start
	a := img.SP
	word := func() uint64 {
		v := binary.LittleEndian.Uint64(peek(t, img.Space, a, 8))
		a += 8
		return v
	}
	argc := word()
	for range argc {
		s.argv = append(s.argv, peekString(t, img.Space, vm.Addr(word())))
	}
	if v := word(); v != 0 {
		t.Errorf("after argv is %#x", v)
	}
	for p := word(); p != 0; p = word() {
		s.envp = append(s.envp, peekString(t, img.Space, vm.Addr(p)))
	}
	auxv := a
	s.auxv = map[uint64]uint64{}
	for {
		k, v := word(), word()
		s.keys = append(s.keys, k)
		s.auxv[k] = v
		if k == atNull {
			break
		}
	}
	if string(peek(t, img.Space, auxv, int(a-auxv))) != string(img.Auxv) {
		t.Error("Auxv is not what is on the stack")
	}
	s.end = a
	return s
}

// A seg is a program header for elfFile.
type seg struct {
	typ, flags uint32
	off, vaddr uint64
	filesz     uint64
	memsz      uint64
	align      uint64
}

// elfFile makes an ELF file of size bytes; byte i outside of headers is i*7+i/256.
func elfFile(typ uint16, entry uint64, size int, segs ...seg) []byte {
	le := binary.LittleEndian
	size = max(size, ehdrSize+len(segs)*phdrSize)
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i*7 + i/256)
	}
	clear(b[:ehdrSize])
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], typ)
	le.PutUint16(b[18:], emX86_64)
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], entry)
	le.PutUint64(b[32:], ehdrSize)
	le.PutUint16(b[52:], ehdrSize)
	le.PutUint16(b[54:], phdrSize)
	le.PutUint16(b[56:], uint16(len(segs)))
	for i, s := range segs {
		p := b[ehdrSize+i*phdrSize:]
		le.PutUint32(p, s.typ)
		le.PutUint32(p[4:], s.flags)
		le.PutUint64(p[8:], s.off)
		le.PutUint64(p[16:], s.vaddr)
		le.PutUint64(p[24:], s.vaddr)
		le.PutUint64(p[32:], s.filesz)
		le.PutUint64(p[40:], s.memsz)
		le.PutUint64(p[48:], s.align)
	}
	return b
}

// program is a small one as linkers make it: text with the headers, data with
// bss that ends in another page.
func program(typ uint16, base uint64, more ...seg) []byte {
	return elfFile(typ, base+0x100, 0x2800, append([]seg{
		{ptLoad, pfRead | pfExec, 0, base, 0x1234, 0x1234, pageSize},
		{ptLoad, pfRead | pfWrite, 0x2100, base + 0x3100, 0x500, 0x2000, pageSize},
	}, more...)...)
}

// withInterp is program of type ET_DYN with the path of an interpreter.
func withInterp(path string) []byte {
	n := uint64(len(path) + 1)
	b := program(etDyn, 0, seg{ptInterp, pfRead, 0x1000, 0x1000, n, n, 1})
	copy(b[0x1000:], path+"\x00")
	return b
}

// hostFile reads a file of the host.
func hostFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Skip(err)
	}
	return b
}
