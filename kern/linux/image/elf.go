package image

import (
	"encoding/binary"

	"mult/arch"
	"mult/kern/errno"
	"mult/kern/vm"
)

// This file reads the headers of an ELF file, System V ABI, chapters 4 and 5.
// Nothing in them is trusted; what it returns fits below vm.MaxAddr. PT_TLS is
// for the C library; PT_GNU_PROPERTY asks for features that no processor here
// is told to use, and is ignored.

const pageSize = arch.PageSize

// Sizes and limits of headers.
const (
	ehdrSize  = 64
	phdrSize  = 56
	maxPhdrs  = 65536 / phdrSize // as Linux, load_elf_phdrs
	maxInterp = 4096             // PATH_MAX
)

// Values of e_type, e_machine, p_type and p_flags that have a meaning here.
const (
	etExec   = 2
	etDyn    = 3
	emX86_64 = 62

	ptLoad     = 1
	ptInterp   = 3
	ptGNUStack = 0x6474e551

	pfExec  = 1
	pfWrite = 2
	pfRead  = 4
)

// A phdr is a program header.
type phdr struct {
	typ, flags                          uint32
	offset, vaddr, filesz, memsz, align uint64
}

// A header is what loading needs of the headers of an ELF file.
type header struct {
	dynamic bool // ET_DYN: goes anywhere
	entry   uint64
	phoff   uint64
	phnum   int
	table   []byte // the program headers as they are in the file
}

// phdr decodes a program header.
func (h *header) phdr(i int) phdr {
	b := h.table[i*phdrSize:][:phdrSize]
	le := binary.LittleEndian
	return phdr{
		typ: le.Uint32(b), flags: le.Uint32(b[4:]),
		offset: le.Uint64(b[8:]), vaddr: le.Uint64(b[16:]),
		filesz: le.Uint64(b[32:]), memsz: le.Uint64(b[40:]), align: le.Uint64(b[48:]),
	}
}

// isELF tells whether a file that starts with b says that it is one.
func isELF(b []byte) bool { return len(b) >= 4 && string(b[:4]) == "\x7fELF" }

// parseEhdr decodes the ELF header at the start of a file. The table of
// program headers is still to be read. Whatever is wrong gives bad.
func parseEhdr(b []byte, bad errno.Errno) (*header, error) {
	le := binary.LittleEndian
	if len(b) < ehdrSize || !isELF(b) {
		return nil, bad
	}
	typ := le.Uint16(b[16:])
	if typ != etExec && typ != etDyn || le.Uint16(b[18:]) != emX86_64 {
		return nil, bad
	}
	h := &header{
		dynamic: typ == etDyn,
		entry:   le.Uint64(b[24:]),
		phoff:   le.Uint64(b[32:]),
		phnum:   int(le.Uint16(b[56:])),
	}
	if le.Uint16(b[54:]) != phdrSize || h.phnum == 0 || h.phnum > maxPhdrs || h.phoff > 1<<62 {
		return nil, bad
	}
	return h, nil
}

// A layout is where the segments of a file want to be.
type layout struct {
	low, high uint64 // ends of what they cover, low at a page
	align     uint64 // the largest alignment one asks for; 0 or a power of two
	loads     int
	phdrs     uint64 // address of the program headers in memory, if a segment has them

	codeStart, codeEnd, dataStart, dataEnd uint64
}

// layout checks the segments and finds their place. The errors of a program
// are EINVAL as in load_elf_binary, those of its interpreter ENOMEM as in
// load_elf_interp, where the values can't be mapped.
func (h *header) layout(bad errno.Errno) (layout, error) {
	l := layout{low: ^uint64(0), codeStart: ^uint64(0)}
	for i := range h.phnum {
		p := h.phdr(i)
		if p.typ != ptLoad {
			continue
		}
		const top = vm.MaxAddr
		if p.vaddr >= top || p.filesz > p.memsz || p.memsz > top || top-p.memsz < p.vaddr {
			return l, bad
		}
		// Offset and address lie alike in their pages, or mmap refuses.
		// Below 1<<62, no sum of an offset and a size overflows.
		if p.filesz != 0 && (p.offset%pageSize != p.vaddr%pageSize || p.offset > 1<<62) {
			return l, errno.EINVAL
		}
		l.loads++
		l.low = min(l.low, p.vaddr&^(pageSize-1))
		l.high = max(l.high, p.vaddr+p.memsz)
		if p.align&(p.align-1) == 0 {
			l.align = max(l.align, p.align)
		}
		if p.offset <= h.phoff && h.phoff-p.offset < p.filesz {
			l.phdrs = h.phoff - p.offset + p.vaddr
		}
		if p.flags&pfExec != 0 {
			l.codeStart = min(l.codeStart, p.vaddr)
			l.codeEnd = max(l.codeEnd, p.vaddr+p.filesz)
		}
		l.dataStart = max(l.dataStart, p.vaddr)
		l.dataEnd = max(l.dataEnd, p.vaddr+p.filesz)
	}
	if l.codeStart > l.codeEnd {
		l.codeStart = 0
	}
	return l, nil
}

// prot returns the protection that flags ask for.
func prot(flags uint32) (p vm.Prot) {
	if flags&pfRead != 0 {
		p |= vm.Read
	}
	if flags&pfWrite != 0 {
		p |= vm.Write
	}
	if flags&pfExec != 0 {
		p |= vm.Exec
	}
	return p
}

// cString returns b up to its first NUL.
func cString(b []byte) string {
	for i, c := range b {
		if c == 0 {
			return string(b[:i])
		}
	}
	return string(b)
}
