package image

import (
	"bytes"
	"testing"

	"mult/arch"
	"mult/inst"
	"mult/kern/errno"
	"mult/kern/vm"
)

// seeds are files that get far and are small, so that the fuzzer does not
// spend its time on making them smaller.
func seeds(f *testing.F) {
	const rw = pfRead | pfWrite
	load := seg{ptLoad, rw | pfExec, 0, 0x400000, 0xf0, 0x2000, pageSize}
	moved := load
	moved.vaddr = 0
	// The name of the interpreter is put behind two headers.
	interp := func(path string) []byte {
		const at = ehdrSize + 2*phdrSize
		n := uint64(len(path) + 1)
		b := elfFile(etDyn, 0x10, at, moved, seg{ptInterp, pfRead, at, at, n, n, 1})
		return append(b, path+"\x00"...)
	}
	for _, b := range [][]byte{
		elfFile(etExec, 0x400010, 0, load, seg{ptLoad, rw, 0x10, 0x500010, 1, 1, 0}),
		elfFile(etDyn, 0, 0, moved, seg{typ: ptGNUStack, flags: rw | pfExec}),
		interp("/lib/ld"),
		interp("file"),
		[]byte("#!file -x\n"),
		[]byte("#!/lib/ld\x00"),
		elfFile(etExec, 0, 0, seg{typ: ptLoad, vaddr: vm.MaxAddr - 0x1000, memsz: 0x1000}),
	} {
		f.Add(b)
	}
}

// A dull machine has addresses that can be foreseen, so that an input takes
// the same way each time.
type dull struct{ arch.Machine }

func (dull) Random(b []byte) { clear(b) }

// FuzzParse wants the parsers to return, and what they return to be sane.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := parseScript(b); err == nil {
			if len(s.interp)+len(s.arg) > scriptLine || bytes.ContainsAny([]byte(s.interp), " \t\n\x00") {
				t.Errorf("a script's line gives %+v", s)
			}
		}
		h, err := parseEhdr(b, errno.ENOEXEC)
		if err != nil {
			return
		}
		if h.phnum > maxPhdrs {
			t.Fatalf("%d program headers", h.phnum)
		}
		h.table = make([]byte, h.phnum*phdrSize)
		if h.phoff < uint64(len(b)) {
			copy(h.table, b[h.phoff:])
		}
		l, err := h.layout(errno.EINVAL)
		if err != nil || l.loads == 0 {
			return
		}
		if l.low > l.high || l.high > vm.MaxAddr || l.low%pageSize != 0 || l.align&(l.align-1) != 0 {
			t.Errorf("layout is %+v", l)
		}
	})
}

// FuzzLoad loads anything, also as its own interpreter. It must give an image
// or an error number and leave nothing behind.
func FuzzLoad(f *testing.F) {
	seeds(f)
	w := newWorld(f)
	w.sys.Machine = dull{w.sys.Machine}
	w.in.SetLimit(inst.Frames, 4096)
	w.in.SetLimit(inst.Heap, 1<<20)
	ld := elfFile(etDyn, 0x10, 0, seg{ptLoad, pfRead | pfExec, 0, 0, 0x40, 0x40, pageSize})
	f.Fuzz(func(t *testing.T, b []byte) {
		w.t = t
		before := w.sys.Memory.Stats().Free
		w.add("file", b)
		w.add("/lib/ld", ld)
		img, err := w.load(call{path: "file", argv: []string{"a", "b"}, envp: []string{"c"}})
		if err == nil {
			w.start(img)
			if img.IP >= vm.MaxAddr || img.SP >= vm.MaxAddr {
				t.Errorf("the program starts at %#x with stack %#x", uint64(img.IP), uint64(img.SP))
			}
			drop(img)
		} else if _, ok := err.(errno.Errno); !ok {
			t.Errorf("error %v is no error number", err)
		}
		w.checkEmpty()
		for _, file := range w.files {
			for _, pa := range file.pages {
				w.sys.Memory.Put(pa)
			}
		}
		clear(w.files)
		if after := w.sys.Memory.Stats().Free; after < before-1 {
			t.Errorf("%d frames were free, %d are", before, after)
		}
	})
}
