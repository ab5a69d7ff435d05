package image

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"mult/inst"
	"mult/kern/errno"
	"mult/kern/vm"
)

// checkProgram looks at the segments of program at bias.
func checkProgram(t *testing.T, img *Image, data []byte, bias vm.Addr) {
	t.Helper()
	if got := peek(t, img.Space, bias, 0x1234); !bytes.Equal(got, data[:0x1234]) {
		t.Error("the text differs from the file")
	}
	if got := peek(t, img.Space, bias+0x3100, 0x500); !bytes.Equal(got, data[0x2100:0x2600]) {
		t.Error("the data differ from the file")
	}
	if got := peek(t, img.Space, bias+0x3600, 0x2000-0x500); !bytes.Equal(got, make([]byte, len(got))) {
		t.Error("bss is not zero")
	}
	// The page before data belongs to the file, up to there.
	if got := peek(t, img.Space, bias+0x3000, 0x100); !bytes.Equal(got, data[0x2000:0x2100]) {
		t.Error("the start of the page of data differs from the file")
	}
	if err := img.Space.CopyOut(bias, []byte{1}); err != errno.EFAULT {
		t.Errorf("writing to text: %v", err)
	}
	if err := img.Space.CopyOut(bias+0x3100, []byte{1}); err != nil {
		t.Errorf("writing to data: %v", err)
	}
	if err := img.Space.CopyOut(bias+0x50ff, []byte{1}); err != nil {
		t.Errorf("writing to the end of bss: %v", err)
	}
	if err := img.Space.CopyIn(make([]byte, 1), bias+0x6000); err != errno.EFAULT {
		t.Errorf("reading after bss: %v", err)
	}
}

func TestStatic(t *testing.T) {
	w := newWorld(t)
	f := w.add("/bin/a", program(etExec, 0x400000))
	img := w.mustLoad(call{path: "/bin/a", argv: []string{"a", "", "c"}, envp: []string{"E=f"}, aux: Aux{
		UID: 1, EUID: 2, GID: 3, EGID: 4, Secure: true, HWCAP: 5, HWCAP2: 6, SigFrame: 7, VDSO: 0x8000,
	}})
	if img.IP != 0x400100 {
		t.Errorf("IP is %#x", uint64(img.IP))
	}
	checkProgram(t, img, f.data, 0x400000)
	if f.data[0x2600] == 0 || w.sys.Memory.Page(f.pages[2])[0x600] != f.data[0x2600] {
		t.Error("zeroing bss changed the file")
	}

	s := w.start(img)
	if got := strings.Join(s.argv, "|") + "#" + strings.Join(s.envp, "|"); got != "a||c#E=f" {
		t.Errorf("argv and envp are %q", got)
	}
	for k, want := range map[uint64]uint64{
		atPhdr: 0x400040, atPhent: 56, atPhnum: 2, atPagesz: 4096, atBase: 0, atFlags: 0, atEntry: 0x400100,
		atUID: 1, atEUID: 2, atGID: 3, atEGID: 4, atSecure: 1, atHWCAP: 5, atHWCAP2: 6, atMinSigStack: 7,
		atSysinfoEhdr: 0x8000, atClktck: 100,
	} {
		if s.auxv[k] != want {
			t.Errorf("auxv[%d] is %#x, want %#x", k, s.auxv[k], want)
		}
	}
	if got := peekString(t, img.Space, vm.Addr(s.auxv[atExecfn])); got != "/bin/a" {
		t.Errorf("AT_EXECFN is %q", got)
	}
	if got := peekString(t, img.Space, vm.Addr(s.auxv[atPlatform])); got != "x86_64" {
		t.Errorf("AT_PLATFORM is %q", got)
	}
	random := peek(t, img.Space, vm.Addr(s.auxv[atRandom]), 16)
	if bytes.Equal(random, make([]byte, 16)) {
		t.Error("AT_RANDOM is zero")
	}
	if s.end > vm.Addr(s.auxv[atRandom]) || img.ArgStart < vm.Addr(s.auxv[atPlatform])+7 {
		t.Error("parts of the stack overlap")
	}

	// What /proc/pid/cmdline and environ read.
	if got := peek(t, img.Space, img.ArgStart, int(img.ArgEnd-img.ArgStart)); string(got) != "a\x00\x00c\x00" {
		t.Errorf("the arguments are %q", got)
	}
	if got := peek(t, img.Space, img.EnvStart, int(img.EnvEnd-img.EnvStart)); string(got) != "E=f\x00" {
		t.Errorf("the environment is %q", got)
	}
	// Then the path and the zero word at the very top.
	if got := peek(t, img.Space, img.EnvEnd, 7+8); string(got) != "/bin/a\x00"+strings.Repeat("\x00", 8) {
		t.Errorf("the top of the stack is %q", got)
	}
	if err := img.Space.CopyIn(make([]byte, 1), img.EnvEnd+7+8); err != errno.EFAULT {
		t.Errorf("reading above the stack: %v", err)
	}
	if img.CodeStart != 0x400000 || img.CodeEnd != 0x401234 || img.DataStart != 0x403100 || img.DataEnd != 0x403600 {
		t.Errorf("code and data are %+v", img)
	}
	if img.Brk < 0x406000 || img.Brk >= 0x406000+pageSize<<brkBits || img.Brk%pageSize != 0 {
		t.Errorf("brk is %#x", uint64(img.Brk))
	}
	if got := img.Space.Brk(img.Brk + 100); got != img.Brk+100 {
		t.Errorf("the heap ends at %#x", uint64(got))
	}
	// The stack grows, as far as the limit permits.
	if err := img.Space.CopyOut(img.SP-1<<20, []byte{1}); err != nil {
		t.Errorf("1 MiB below SP: %v", err)
	}
	if err := img.Space.CopyOut(img.SP-9<<20, []byte{1}); err != errno.EFAULT {
		t.Errorf("9 MiB below SP: %v", err)
	}
	drop(img)
	w.checkEmpty()
}

func TestAreas(t *testing.T) {
	w := newWorld(t)
	w.add("p", program(etExec, 0x400000))
	w.add("x", program(etExec, 0x400000, seg{typ: ptGNUStack, flags: pfRead | pfWrite | pfExec}))
	w.add("n", program(etExec, 0x400000, seg{typ: ptGNUStack, flags: pfRead | pfWrite}))
	for path, stack := range map[string]vm.Prot{"p": vm.Read | vm.Write, "n": vm.Read | vm.Write, "x": vm.Read | vm.Write | vm.Exec} {
		img := w.mustLoad(call{path: path, argv: []string{strings.Repeat("x", 100000), strings.Repeat("y", 100000)}})
		var got []vm.Area
		img.Space.Areas(func(a vm.Area) bool { got = append(got, a); return true })
		want := []struct {
			start, end vm.Addr
			prot       vm.Prot
		}{
			{0x400000, 0x402000, vm.Read | vm.Exec},
			{0x403000, 0x404000, vm.Read | vm.Write},
			{0x404000, 0x406000, vm.Read | vm.Write},
		}
		if len(got) != len(want)+1 {
			t.Fatalf("%s: areas are %+v", path, got)
		}
		for i, a := range want {
			if g := got[i]; g.Start != a.start || g.End != a.end || g.Prot != a.prot || g.Shared {
				t.Errorf("%s: area %d is %+v, want %+v", path, i, g, a)
			}
		}
		if g := got[len(want)]; g.Prot != stack || g.Start > img.SP || g.End < img.EnvEnd+8 {
			t.Errorf("%s: the stack is %+v, SP %#x", path, g, uint64(img.SP))
		}
		drop(img)
	}
	w.checkEmpty()
}

func TestDynamic(t *testing.T) {
	w := newWorld(t)
	pie := w.add("pie", program(etDyn, 0))
	dyn := w.add("dyn", withInterp("/lib/ld"))
	low := w.add("low", program(etDyn, 0x10000)) // linked to an address nevertheless
	ld := w.add("/lib/ld", program(etDyn, 0))
	fixed := w.add("fixed", withInterp("/lib/fixed"))
	w.add("/lib/fixed", program(etExec, 0x700000))

	places := map[string]map[vm.Addr]bool{}
	for range 3 {
		for path, f := range map[string]*fakeFile{"pie": pie, "dyn": dyn, "low": low, "fixed": fixed} {
			img := w.mustLoad(call{path: path, argv: []string{path}})
			s := w.start(img)
			bias := vm.Addr(s.auxv[atPhdr] - ehdrSize)
			if bias%pageSize != 0 {
				t.Errorf("%s: program headers are at %#x", path, s.auxv[atPhdr])
			}
			want := bias + 0x100
			if uint64(want) != s.auxv[atEntry] {
				t.Errorf("%s: AT_ENTRY is %#x, want %#x", path, s.auxv[atEntry], uint64(want))
			}
			base := vm.Addr(s.auxv[atBase])
			checkProgram(t, img, f.data, bias)
			switch path {
			case "dyn":
				want = base + 0x100
				checkProgram(t, img, ld.data, base)
				if bias < dynBase || bias >= dynBase+pageSize<<dynBits {
					t.Errorf("%s: the program is at %#x", path, uint64(bias))
				}
			case "fixed":
				want = 0x700100
				if base != 0 {
					t.Errorf("%s: AT_BASE is %#x", path, uint64(base))
				}
			default:
				if base != 0 {
					t.Errorf("%s: AT_BASE is %#x without an interpreter", path, uint64(base))
				}
				if img.Brk < dynBase || img.Brk > dynBase+pageSize<<brkBits {
					t.Errorf("%s: the heap is at %#x", path, uint64(img.Brk))
				}
			}
			if img.IP != want {
				t.Errorf("%s: IP is %#x, want %#x", path, uint64(img.IP), uint64(want))
			}
			for name, a := range map[string]vm.Addr{"bias": bias, "base": base, "stack": img.EnvEnd, "heap": img.Brk} {
				if places[path+name] == nil {
					places[path+name] = map[vm.Addr]bool{}
				}
				places[path+name][a] = true
			}
			drop(img)
		}
	}
	for _, name := range []string{"piebias", "piestack", "pieheap", "dynbias", "dynbase", "dynheap", "lowbias"} {
		if len(places[name]) < 2 {
			t.Errorf("%s is always the same", name)
		}
	}
	w.checkEmpty()
}

func TestAlign(t *testing.T) {
	w := newWorld(t)
	const align = 2 << 20
	data := elfFile(etDyn, 0, 0x2000,
		seg{ptLoad, pfRead, 0, 0, 0x1000, 0x1000, align}, seg{ptLoad, pfRead, 0x1000, align + 0x1000, 0x1000, 0x1000, align})
	w.add("a", data)
	for range 5 {
		img := w.mustLoad(call{path: "a"})
		if bias := w.start(img).auxv[atPhdr] - ehdrSize; bias%align != 0 {
			t.Errorf("the program is at %#x", bias)
		}
		drop(img)
	}
	w.checkEmpty()
}

// change returns a copy of data with the bytes at off replaced.
func change(data []byte, off int, with ...byte) []byte {
	data = bytes.Clone(data)
	copy(data[off:], with)
	return data
}

func change64(data []byte, off int, v uint64) []byte {
	return change(data, off, binary.LittleEndian.AppendUint64(nil, v)...)
}

func TestErrors(t *testing.T) {
	ok := program(etDyn, 0)
	const phdr0, phdr1, phdr2 = ehdrSize, ehdrSize + phdrSize, ehdrSize + 2*phdrSize
	const offset, vaddr, filesz, memsz = 8, 16, 32, 40
	interp := withInterp("/lib/ld")
	load := func(off, vaddr, filesz, memsz uint64) []byte {
		return elfFile(etExec, 0x400000, 0x1000, seg{ptLoad, pfRead | pfWrite, off, vaddr, filesz, memsz, 0})
	}
	for _, tt := range []struct {
		name string
		data []byte
		ld   []byte
		want error
	}{
		{"good", ok, nil, nil},
		{"empty", nil, nil, errno.ENOEXEC},
		{"text", []byte("echo hello\n"), nil, errno.ENOEXEC},
		{"magic only", []byte("\x7fELF"), nil, errno.ENOEXEC},
		{"short header", ok[:63], nil, errno.ENOEXEC},
		{"relocatable", change(ok, 16, 1), nil, errno.ENOEXEC},
		{"core", change(ok, 16, 4), nil, errno.ENOEXEC},
		{"other machine", change(ok, 18, 183), nil, errno.ENOEXEC},
		{"32 bits", change(ok, 18, 3), nil, errno.ENOEXEC},
		{"header size", change(ok, 54, 32), nil, errno.ENOEXEC},
		{"no headers", change(ok, 56, 0), nil, errno.ENOEXEC},
		{"too many headers", change(ok, 56, 0x93, 0x04), nil, errno.ENOEXEC},
		{"headers cut off", change(ok, 56, 0x92, 0x04), nil, errno.ENOEXEC},
		{"headers after the end", change64(ok, 32, 0x2800), nil, errno.ENOEXEC},
		{"headers far away", change64(ok, 32, 1<<63), nil, errno.ENOEXEC},
		{"headers at the end of numbers", change64(ok, 32, ^uint64(0)), nil, errno.ENOEXEC},
		{"file larger than memory", change64(ok, phdr0+filesz, 0x1235), nil, errno.EINVAL},
		{"address in the kernel", change64(ok, phdr1+vaddr, 0xffff800000000000), nil, errno.EINVAL},
		{"size wraps", change64(change64(ok, phdr1+memsz, ^uint64(0)), phdr1+filesz, 16), nil, errno.EINVAL},
		{"memory of everything", change64(ok, phdr1+memsz, 1<<47), nil, errno.EINVAL},
		{"nearly everything", change64(ok, phdr1+memsz, 1<<46), nil, errno.ENOMEM},
		{"offset not as address", change64(ok, phdr1+offset, 0x2101), nil, errno.EINVAL},
		{"offset far away", change64(ok, phdr1+offset, 1<<63|0x100), nil, errno.EINVAL},
		{"low address", load(0, 0x1000, 0x1000, 0x1000), nil, errno.EPERM},
		{"bss at a low address", load(0, 0x1000, 0, 0x1000), nil, errno.EPERM},
		{"last page", load(0, vm.MaxAddr-0x1000, 0x1000, 0x1000), nil, nil},
		{"beyond the last page", load(0, vm.MaxAddr-0x1000, 0x1000, 0x1001), nil, errno.EINVAL},
		{"everything", load(0, 0x10000, 0, vm.MaxAddr-0x10000), nil, errno.ENOMEM},
		{"bss after the end of the file", load(0x2000, 0x400000, 0x10, 0x20), nil, errno.EFAULT},
		{"segment after the end of the file", load(0x2000, 0x400000, 0x20, 0x20), nil, nil},
		{"no segments", elfFile(etExec, 0x400000, 0, seg{typ: 4}), nil, nil},
		{"no segments, anywhere", elfFile(etDyn, 0x400000, 0, seg{typ: 4}), nil, nil},
		{"entry in the kernel", change64(ok, 24, 1<<63), nil, errno.EINVAL},
		{"alignment is no power of two", change64(ok, phdr0+48, 12345), nil, nil},
		{"alignment of everything", change64(ok, phdr0+48, 1<<63), nil, errno.ENOMEM},

		{"good interpreter", interp, ok, nil},
		{"no interpreter", interp, nil, errno.ENOENT},
		{"interpreter's name is empty", change(interp, 0x1000, 0), ok, errno.EACCES},
		{"name too short", change64(interp, phdr2+filesz, 1), ok, errno.ENOEXEC},
		{"name too long", change64(change64(interp, phdr2+filesz, 4097), phdr2+memsz, 4097), ok, errno.ENOEXEC},
		{"name without an end", change(interp, 0x1000+7, 'x'), ok, errno.ENOEXEC},
		{"name cut off", change64(interp, phdr2+offset, 0x27ff), ok, errno.EIO},
		{"name far away", change64(interp, phdr2+offset, 1<<63), ok, errno.EINVAL},
		{"interpreter cut off", interp, ok[:63], errno.EIO},
		{"interpreter is a script", interp, []byte("#!/bin/sh" + strings.Repeat("\n", 60)), errno.ELIBBAD},
		{"interpreter of another machine", interp, change(ok, 18, 183), errno.ELIBBAD},
		{"interpreter of another type", interp, change(ok, 16, 1), errno.ELIBBAD},
		{"interpreter without headers", interp, change(ok, 56, 0), errno.ELIBBAD},
		{"interpreter's headers cut off", interp, change64(ok, 32, 0x2800), errno.ELIBBAD},
		{"interpreter without segments", interp, elfFile(etDyn, 0, 0, seg{typ: 4}), errno.EINVAL},
		{"interpreter's address", interp, change64(ok, phdr1+vaddr, 1<<63), errno.ENOMEM},
		{"interpreter's entry", interp, change64(ok, 24, 1<<62), errno.EINVAL},
	} {
		w := newWorld(t)
		w.add("a", tt.data)
		if tt.ld != nil {
			w.add("/lib/ld", tt.ld)
		}
		img, err := w.load(call{path: "a", argv: []string{"a"}})
		if err != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err == nil {
			drop(img)
		}
		w.checkEmpty()
	}
}

// TestReadErrors lets each file fail, and return little at a time.
func TestReadErrors(t *testing.T) {
	w := newWorld(t)
	a := w.add("a", withInterp("/lib/ld"))
	ld := w.add("/lib/ld", program(etDyn, 0))
	a.short, ld.short = 7, 3
	drop(w.mustLoad(call{path: "a"}))
	a.fail = errno.EIO
	if _, err := w.load(call{path: "a"}); err != errno.EIO {
		t.Errorf("the program can't be read: %v", err)
	}
	a.fail, ld.fail = nil, errno.EACCES
	if _, err := w.load(call{path: "a"}); err != errno.EACCES {
		t.Errorf("the interpreter can't be read: %v", err)
	}
	w.checkEmpty()
}

// TestShortage loads a program with every amount of memory that is too little.
// Nothing may stay behind, and another instance must not feel it.
func TestShortage(t *testing.T) {
	w := newWorld(t)
	w.add("a", withInterp("/lib/ld"))
	w.add("/lib/ld", program(etDyn, 0))
	w.add("s", []byte("#!a"))
	c := call{path: "s", argv: []string{"x", strings.Repeat("y", 9000)}, envp: []string{"A=b"}}
	for _, r := range []struct {
		resource inst.Resource
		step     int64
	}{{inst.Frames, 1}, {inst.Heap, 64}} {
		for limit := int64(0); ; limit += r.step {
			w.in.SetLimit(r.resource, limit)
			img, err := w.load(c)
			if err == nil {
				drop(img)
				break
			}
			if err != errno.ENOMEM {
				t.Errorf("resource %d limited to %d: %v", r.resource, limit, err)
			}
			if limit > 1<<20 {
				t.Fatal("it never loads")
			}
			w.checkEmpty()
		}
	}
	w.checkEmpty()
}

// TestManySegments loads as many segments as there can be, in the worst order
// and all over each other.
func TestManySegments(t *testing.T) {
	w := newWorld(t)
	for name, at := range map[string]func(i uint64) (vaddr, memsz uint64){
		"rising":  func(i uint64) (uint64, uint64) { return 0x400000 + i*3*pageSize, 0x1800 },
		"falling": func(i uint64) (uint64, uint64) { return 0x40000000 - i*3*pageSize, 0x1800 },
		"same":    func(i uint64) (uint64, uint64) { return 0x400000, 0x1800 },
		"far":     func(i uint64) (uint64, uint64) { return 0x400000 + i<<35, 0x1800 },
		"large":   func(i uint64) (uint64, uint64) { return 0x400000 + i*pageSize, 1 << 25 },
	} {
		segs := make([]seg, maxPhdrs)
		for i := range segs {
			vaddr, memsz := at(uint64(i))
			segs[i] = seg{ptLoad, pfRead | pfWrite, 0, vaddr, 0x100, memsz, 0}
		}
		w.add(name, elfFile(etExec, 0x400000, 0, segs...))
		img := w.mustLoad(call{path: name})
		drop(img)
		w.checkEmpty()
	}
}

func TestAddressLimit(t *testing.T) {
	w := newWorld(t)
	w.add("a", program(etExec, 0x400000, seg{ptLoad, pfRead | pfWrite, 0, 0x800000, 0, 64 << 20, pageSize}))
	for _, tt := range []struct {
		as   uint64
		want error
	}{{0, nil}, {^uint64(0), nil}, {80 << 20, nil}, {60 << 20, errno.ENOMEM}, {1 << 20, errno.ENOMEM}} {
		img, err := w.load(call{path: "a", limits: vm.Limits{AS: tt.as, Data: none, Stack: 8 << 20}})
		if err != tt.want {
			t.Errorf("limit %d: %v, want %v", tt.as, err, tt.want)
		}
		if err == nil {
			drop(img)
		}
	}
	w.checkEmpty()
}
