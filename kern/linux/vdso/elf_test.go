package vdso

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"testing"

	"mult/kern/vm"
)

// TestSections reads the image as debuggers do.
func TestSections(t *testing.T) {
	img := image(text())
	f, err := elf.NewFile(bytes.NewReader(img[:]))
	if err != nil {
		t.Fatal(err)
	}
	if f.Type != elf.ET_DYN || f.Machine != elf.EM_X86_64 || f.Class != elf.ELFCLASS64 {
		t.Errorf("header %+v", f.FileHeader)
	}
	syms, err := f.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]elf.Symbol{}
	for _, s := range syms {
		found[s.Name] = s
		if !s.HasVersion || s.Version != version || elf.ST_TYPE(s.Info) != elf.STT_FUNC {
			t.Errorf("symbol %+v", s)
		}
	}
	if len(found) != 2*len(functions) {
		t.Errorf("%d symbols", len(found))
	}
	code := f.Section(".text")
	for i, name := range functions {
		s, alias := found["__vdso_"+name], found[name]
		if s.Value != uint64(textOffset+i*entrySize) || s.Value != alias.Value ||
			elf.ST_BIND(s.Info) != elf.STB_GLOBAL || elf.ST_BIND(alias.Info) != elf.STB_WEAK {
			t.Errorf("%s: %+v, %+v", name, s, alias)
		}
		if s.Value < code.Addr || s.Value+s.Size > code.Addr+code.Size || f.Sections[s.Section] != code {
			t.Errorf("%s is not in .text: %+v", name, s)
		}
	}
	if names, err := f.DynString(elf.DT_SONAME); err != nil || len(names) != 1 || names[0] != "linux-vdso.so.1" {
		t.Errorf("soname %q, %v", names, err)
	}
	if v, err := f.DynamicVersions(); err != nil || len(v) != 2 || v[0].Name != soname || v[1].Name != "LINUX_2.6" {
		t.Errorf("versions %+v, %v", v, err)
	}
	for _, tag := range []elf.DynTag{elf.DT_NEEDED, elf.DT_RELA, elf.DT_REL, elf.DT_TEXTREL} {
		if v, _ := f.DynValue(tag); len(v) != 0 {
			t.Errorf("the dynamic section has %v", tag)
		}
	}
	for _, p := range f.Progs {
		if p.Flags&elf.PF_W != 0 {
			t.Errorf("writable: %+v", p)
		}
	}
}

// word reads a little-endian number of the given size.
func word(b []byte, size int) uint64 {
	var w [8]byte
	copy(w[:], b[:size])
	return binary.LittleEndian.Uint64(w[:])
}

func cstring(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

// lookup finds a function as Go's runtime does (vdso_linux.go): the dynamic
// section by the program headers, the version by its hash and name, the symbol
// by the hash table. C libraries need the same tables.
func lookup(img []byte, name, ver string, verHash uint32) (addr uint64, ok bool) {
	var dyn []byte
	foundLoad, delta := false, uint64(0)
	for i := range word(img[56:], 2) {
		ph := img[word(img[32:], 8)+i*56:]
		switch offset, vaddr := word(ph[8:], 8), word(ph[16:], 8); word(ph, 4) {
		case 1:
			if !foundLoad {
				foundLoad, delta = true, offset-vaddr
			}
		case 2:
			dyn = img[offset:]
		}
	}
	if !foundLoad || dyn == nil {
		return 0, false
	}
	table := map[uint64][]byte{}
	for ; word(dyn, 8) != 0; dyn = dyn[16:] {
		if v := word(dyn[8:], 8) + delta; v < uint64(len(img)) {
			table[word(dyn, 8)] = img[v:]
		}
	}
	hashes, strs, symtab, versym, verdef := table[4], table[5], table[6], table[0x6ffffff0], table[0x6ffffffc]
	if hashes == nil || strs == nil || symtab == nil || versym == nil || verdef == nil {
		return 0, false
	}

	index := uint64(0)
	for def := verdef; ; def = def[word(def[16:], 4):] {
		if word(def[2:], 2)&1 == 0 && uint32(word(def[8:], 4)) == verHash &&
			cstring(strs[word(def[word(def[12:], 4):], 4):]) == ver {
			index = word(def[4:], 2) & 0x7fff
			break
		}
		if word(def[16:], 4) == 0 {
			return 0, false
		}
	}

	nbucket, nchain := word(hashes, 4), word(hashes[4:], 4)
	bucket, chain := hashes[8:], hashes[8+4*nbucket:]
	steps := uint64(0)
	for i := word(bucket[uint64(hash(name))%nbucket*4:], 4); i != 0; i = word(chain[i*4:], 4) {
		if steps++; i >= nchain || steps > nchain {
			return 0, false
		}
		sym := symtab[i*24:]
		typ, bind := sym[4]&15, sym[4]>>4
		if typ != 2 || bind != 1 && bind != 2 || word(sym[6:], 2) == 0 ||
			cstring(strs[word(sym, 4):]) != name || word(versym[i*2:], 2)&0x7fff != index {
			continue
		}
		return word(sym[8:], 8) + delta, true
	}
	return 0, false
}

func TestLookup(t *testing.T) {
	img := image(text())
	// As they stand in Go's runtime.
	for name, want := range map[string]uint32{
		"LINUX_2.6": 0x3ae75f6, "__vdso_gettimeofday": 0x315ca59, "__vdso_clock_gettime": 0xd35ec75,
	} {
		if got := hash(name); got != want {
			t.Errorf("hash(%q) = %#x, want %#x", name, got, want)
		}
	}
	for i, name := range functions {
		for _, name := range []string{"__vdso_" + name, name} {
			if a, ok := lookup(img[:], name, "LINUX_2.6", 0x3ae75f6); !ok || a != uint64(textOffset+i*entrySize) {
				t.Errorf("%s: %#x, %t", name, a, ok)
			}
			if _, ok := lookup(img[:], name, "LINUX_2.5", hash("LINUX_2.5")); ok {
				t.Errorf("%s is there in a version that isn't", name)
			}
		}
	}
	for _, name := range []string{"", "__vdso_getrandom", "__vdso_clock_gettim"} {
		if _, ok := lookup(img[:], name, "LINUX_2.6", 0x3ae75f6); ok {
			t.Errorf("%q is there", name)
		}
	}
}

// TestImage checks what the parts don't say: nothing of the image depends on
// where the kernel lies, and the code ends where its last instruction does.
func TestImage(t *testing.T) {
	code := text()
	if want := []byte{0x0f, 0x05, 0xc3}; !bytes.HasSuffix(code, want) { // SYSCALL, RET
		t.Errorf("the code ends with % x", code[len(code)-8:])
	}
	img := image(code)
	if !bytes.Equal(img[textOffset:textOffset+len(code)], code) {
		t.Error("the code is not where it should be")
	}
	if img != image(text()) {
		t.Error("a second image differs")
	}
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	image(make([]byte, vm.PageSize))
}
