package vdso

import (
	"encoding/binary"

	"mult/kern/vm"
)

// This file makes the ELF image around the code: a shared object of one
// segment, linked to address 0. C libraries and Go read the dynamic section;
// debuggers read the sections. See elf(5) and, for versions, the chapter on
// symbol versions of the LSB Core specification.

const (
	soname  = "linux-vdso.so.1"
	version = "LINUX_2.6"
)

type (
	elfHeader struct {
		Ident                                                [16]byte
		Type, Machine                                        uint16
		Version                                              uint32
		Entry, Phoff, Shoff                                  uint64
		Flags                                                uint32
		Ehsize, Phentsize, Phnum, Shentsize, Shnum, Shstrndx uint16
	}
	elfProgram struct {
		Type, Flags                                uint32
		Offset, Vaddr, Paddr, Filesz, Memsz, Align uint64
	}
	elfSection struct {
		Name, Type                uint32
		Flags, Addr, Offset, Size uint64
		Link, Info                uint32
		Addralign, Entsize        uint64
	}
	elfSymbol struct {
		Name        uint32
		Info, Other byte
		Shndx       uint16
		Value, Size uint64
	}
	// elfVersion is a definition of a version with the one name it has.
	elfVersion struct {
		Version, Flags, Ndx, Cnt uint16
		Hash, Aux, Next          uint32
		Name, NameNext           uint32
	}
	elfDynamic struct{ Tag, Val uint64 }
)

// Sections, in the order in which they are added.
const (
	secDynsym = 1 + iota
	secVersym
	secVerdef
	secHash
	secDynstr
	secDynamic
	secText
	secShstrtab
)

// An imager puts an image together.
type imager struct {
	page     [vm.PageSize]byte
	end      int // of what has been placed, the code aside
	sections []elfSection
	names    string // of sections
}

// image returns the image with the given code.
func image(code []byte) [vm.PageSize]byte {
	const (
		headers    = 64 + 2*56
		alloc      = 2
		executable = 4
	)
	m := &imager{end: headers, sections: make([]elfSection, 1), names: "\x00"}
	strings := "\x00"
	str := func(s string) uint32 {
		at := len(strings)
		strings += s + "\x00"
		return uint32(at)
	}

	symbols, names := make([]elfSymbol, 1), []string{""}
	add := func(name string, entry int, bind byte) {
		const function = 2
		symbols = append(symbols, elfSymbol{Name: str(name), Info: bind<<4 | function, Shndx: secText,
			Value: uint64(textOffset + entry*entrySize), Size: entrySize})
		names = append(names, name)
	}
	for i, name := range functions {
		const global, weak = 1, 2
		add("__vdso_"+name, i, global)
		add(name, i, weak)
	}
	dynsym := m.add(".dynsym", elfSection{Type: 11, Flags: alloc, Link: secDynstr, Info: 1, Entsize: 24}, symbols)

	versions := make([]uint16, len(symbols))
	for i := range versions[1:] {
		versions[i+1] = 2
	}
	versym := m.add(".gnu.version", elfSection{Type: 0x6fffffff, Flags: alloc, Link: secDynsym, Entsize: 2}, versions)
	name := str(soname)
	verdef := m.add(".gnu.version_d", elfSection{Type: 0x6ffffffd, Flags: alloc, Link: secDynstr, Info: 2}, []elfVersion{
		{Version: 1, Flags: 1, Ndx: 1, Cnt: 1, Hash: hash(soname), Aux: 20, Next: 28, Name: name}, // the file itself
		{Version: 1, Ndx: 2, Cnt: 1, Hash: hash(version), Aux: 20, Name: str(version)},
	})
	table := m.add(".hash", elfSection{Type: 5, Flags: alloc, Link: secDynsym, Entsize: 4}, hashTable(names))
	dynstr := m.add(".dynstr", elfSection{Type: 3, Flags: alloc}, []byte(strings))
	dynamic := []elfDynamic{
		{14, uint64(name)},         // DT_SONAME
		{4, table},                 // DT_HASH
		{5, dynstr},                // DT_STRTAB
		{6, dynsym},                // DT_SYMTAB
		{10, uint64(len(strings))}, // DT_STRSZ
		{11, 24},                   // DT_SYMENT
		{0x6ffffffc, verdef},       // DT_VERDEF
		{0x6ffffffd, 2},            // DT_VERDEFNUM
		{0x6ffffff0, versym},       // DT_VERSYM
		{},
	}
	at := m.add(".dynamic", elfSection{Type: 6, Flags: alloc, Link: secDynstr, Entsize: 16}, dynamic)
	m.addAt(textOffset, ".text", elfSection{Type: 1, Flags: alloc | executable}, code)
	m.add(".shstrtab", elfSection{Type: 3}, []byte(m.names+".shstrtab\x00"))
	sections := m.place(m.sections)

	if m.end > textOffset || textOffset+len(code) > vm.PageSize {
		panic("vdso: the image doesn't fit its page")
	}
	size := uint64(binary.Size(dynamic))
	m.put(0, elfHeader{
		Ident: [16]byte{0x7f, 'E', 'L', 'F', 2, 1, 1}, // 64 bits, little endian
		Type:  3, Machine: 62, Version: 1,             // shared object, x86-64
		Phoff: 64, Shoff: sections,
		Ehsize: 64, Phentsize: 56, Phnum: 2,
		Shentsize: 64, Shnum: uint16(len(m.sections)), Shstrndx: secShstrtab,
	})
	m.put(64, []elfProgram{
		{Type: 1, Flags: 5, Filesz: vm.PageSize, Memsz: vm.PageSize, Align: vm.PageSize}, // PT_LOAD
		// PT_DYNAMIC; without PF_W, so that C libraries don't write addresses into it
		{Type: 2, Flags: 4, Offset: at, Vaddr: at, Paddr: at, Filesz: size, Memsz: size, Align: 8},
	})
	return m.page
}

// put writes v at an offset.
func (m *imager) put(at int, v any) {
	if _, err := binary.Encode(m.page[at:], binary.LittleEndian, v); err != nil {
		panic("vdso: " + err.Error())
	}
}

// place writes v behind what has been placed and returns its offset.
func (m *imager) place(v any) uint64 {
	at := (m.end + 7) &^ 7
	m.put(at, v)
	m.end = at + binary.Size(v)
	return uint64(at)
}

// add places the content of a section and returns its address.
func (m *imager) add(name string, s elfSection, content any) uint64 {
	at := m.place(content)
	m.describe(at, name, s, content)
	return at
}

// addAt is add with a given offset.
func (m *imager) addAt(at int, name string, s elfSection, content any) {
	m.put(at, content)
	m.describe(uint64(at), name, s, content)
}

func (m *imager) describe(at uint64, name string, s elfSection, content any) {
	s.Name, s.Offset, s.Size, s.Addralign = uint32(len(m.names)), at, uint64(binary.Size(content)), 8
	if s.Flags != 0 {
		s.Addr = at
	}
	m.sections = append(m.sections, s)
	m.names += name + "\x00"
}

// hash is the hash function of the System V ABI.
func hash(s string) uint32 {
	h := uint32(0)
	for _, c := range []byte(s) {
		h = h<<4 + uint32(c)
		h = (h ^ h>>28<<4) & 0x0fffffff // high bits are folded in and dropped
	}
	return h
}

// hashTable returns the content of .hash for names, the first of which is
// that of no symbol.
func hashTable(names []string) []uint32 {
	const buckets = 7
	t := make([]uint32, 2+buckets+len(names))
	t[0], t[1] = buckets, uint32(len(names))
	bucket, chain := t[2:2+buckets], t[2+buckets:]
	for i, s := range names[1:] {
		b := &bucket[hash(s)%buckets]
		chain[i+1], *b = *b, uint32(i+1)
	}
	return t
}
