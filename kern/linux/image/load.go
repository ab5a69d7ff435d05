package image

import (
	"mult/inst"
	"mult/kern/errno"
	"mult/kern/vm"
)

// This file maps what the headers say, as load_elf_binary and load_elf_interp
// in Linux's fs/binfmt_elf.c do. Where those would kill the program that is
// already half replaced, Load returns the error.

const (
	// maxScripts is how many scripts may lead to a program.
	maxScripts = 5
	// dynBase is where programs with an interpreter begin, before a random
	// distance is added, and the heap of those that have none themselves:
	// two thirds of what can be mapped, ELF_ET_DYN_BASE.
	dynBase = vm.MaxAddr / 3 * 2
	dynBits = 28 // random bits of that distance, in pages
	brkBits = 18 // random bits of the distance from bss to heap, in pages: 1 GiB
)

// loaded is what is known of a program after Load.
type loaded struct {
	entry, start uint64 // of the program; where to start, maybe its interpreter
	phdrs        uint64 // address
	phnum        int
	interpBase   uint64

	codeStart, codeEnd, dataStart, dataEnd uint64
	brk                                    uint64
}

// Load maps the program in f, or the one that the script in f is for. It owns
// f from now on, also after an error. It is called once, after Strings.
func (b *Builder) Load(f File, open Opener) error {
	b.program = f
	for scripts := 0; scripts <= maxScripts; scripts++ {
		n, err := readAt(b.program, b.buf, 0)
		if err != nil {
			return err
		}
		first := b.buf[:n]
		if isELF(first) {
			return b.loadProgram(first, open)
		}
		s, err := parseScript(first)
		if err != nil {
			return err
		}
		if err := b.pushScript(s); err != nil {
			return err
		}
		next, err := openInterp(s.interp, open)
		if err != nil {
			return err
		}
		b.program.Close()
		b.program = next
	}
	return errno.ELOOP
}

// openInterp opens an interpreter. Linux takes an empty path for the working
// directory, which can't be executed.
func openInterp(path string, open Opener) (File, error) {
	if path == "" {
		return nil, errno.EACCES
	}
	return open(path)
}

// readAt fills b unless the file ends, even if f reads less at a time.
func readAt(f File, b []byte, off uint64) (n int, err error) {
	for n < len(b) {
		k, err := f.ReadAt(b[n:], int64(off)+int64(n))
		if err != nil {
			return n, err
		}
		if k <= 0 {
			break
		}
		n += k
	}
	return n, nil
}

// readFull is readAt where the file's end is an error.
func readFull(f File, b []byte, off uint64) error {
	n, err := readAt(f, b, off)
	if err == nil && n < len(b) {
		err = errno.EIO
	}
	return err
}

// readHeader reads the headers of a file that starts with first. If they are
// not those of a program, it returns bad. freeHeader follows.
func (b *Builder) readHeader(f File, first []byte, bad errno.Errno) (*header, error) {
	h, err := parseEhdr(first, bad)
	if err != nil {
		return nil, err
	}
	size := h.phnum * phdrSize
	if !b.in.Charge(inst.Heap, int64(size)) {
		return nil, errno.ENOMEM
	}
	h.table = make([]byte, size)
	if end := h.phoff + uint64(size); end <= uint64(len(first)) {
		copy(h.table, first[h.phoff:end])
	} else if readFull(f, h.table, h.phoff) != nil {
		b.freeHeader(h)
		return nil, bad
	}
	return h, nil
}

func (b *Builder) freeHeader(h *header) {
	b.in.Uncharge(inst.Heap, int64(len(h.table)))
	h.table = nil
}

// loadProgram maps the ELF file b.program, which starts with first, and its
// interpreter.
func (b *Builder) loadProgram(first []byte, open Opener) error {
	h, err := b.readHeader(b.program, first, errno.ENOEXEC)
	if err != nil {
		return err
	}
	defer b.freeHeader(h)
	interp, err := b.openProgramInterp(h, open)
	if err != nil {
		return err
	}
	var ih *header
	if interp != nil {
		defer interp.Close()
		if err := readFull(interp, b.buf[:ehdrSize], 0); err != nil {
			return err
		}
		if ih, err = b.readHeader(interp, b.buf[:ehdrSize], errno.ELIBBAD); err != nil {
			return err
		}
		defer b.freeHeader(ih)
	}
	if err := b.stackProt(h); err != nil {
		return err
	}

	l, err := h.layout(errno.EINVAL)
	if err != nil {
		return err
	}
	bias, err := b.place(h, &l, interp != nil)
	if err != nil {
		return err
	}
	if err := b.mapSegments(b.program, h, bias); err != nil {
		return err
	}
	e := &b.elf
	*e = loaded{
		entry: bias + h.entry, phdrs: bias + l.phdrs, phnum: h.phnum,
		codeStart: bias + l.codeStart, codeEnd: bias + l.codeEnd,
		dataStart: bias + l.dataStart, dataEnd: bias + l.dataEnd,
		brk: pageUp(bias + l.high),
	}
	e.start = e.entry
	if interp != nil {
		if err := b.loadInterp(interp, ih); err != nil {
			return err
		}
	} else if h.dynamic {
		// It was mapped among the libraries; the heap gets more room.
		e.brk = pageUp(dynBase)
	}
	if e.start >= vm.MaxAddr {
		return errno.EINVAL
	}
	e.brk += b.random(brkBits) * pageSize
	b.space.SetBrk(vm.Addr(e.brk))
	return nil
}

// openProgramInterp opens the interpreter that PT_INTERP names; nil if there
// is none.
func (b *Builder) openProgramInterp(h *header, open Opener) (File, error) {
	for i := range h.phnum {
		p := h.phdr(i)
		if p.typ != ptInterp {
			continue
		}
		if p.filesz < 2 || p.filesz > maxInterp {
			return nil, errno.ENOEXEC
		}
		if p.offset > 1<<62 {
			return nil, errno.EINVAL
		}
		name := b.buf[:p.filesz]
		if err := readFull(b.program, name, p.offset); err != nil {
			return nil, err
		}
		if name[len(name)-1] != 0 {
			return nil, errno.ENOEXEC
		}
		return openInterp(cString(name), open)
	}
	return nil, nil
}

// loadInterp maps the ELF interpreter, which is where the program starts.
func (b *Builder) loadInterp(f File, h *header) error {
	l, err := h.layout(errno.ENOMEM)
	if err != nil {
		return err
	}
	if l.high == l.low || l.loads == 0 {
		return errno.EINVAL
	}
	bias, err := b.place(h, &l, false)
	if err != nil {
		return err
	}
	if err := b.mapSegments(f, h, bias); err != nil {
		return err
	}
	b.elf.interpBase = bias
	b.elf.start = bias + h.entry
	return nil
}

// place finds the distance between the addresses in a file and those in
// memory. high says that the program goes to dynBase if it can go anywhere.
func (b *Builder) place(h *header, l *layout, high bool) (bias uint64, err error) {
	if l.loads == 0 {
		return 0, nil
	}
	size := pageUp(l.high) - l.low
	if !h.dynamic {
		return 0, b.checkPlace(l.low, size)
	}
	if size == 0 {
		return 0, errno.EINVAL
	}
	align := max(l.align, pageSize)
	if align >= vm.MaxAddr {
		return 0, errno.ENOMEM
	}
	if high {
		start := (dynBase + b.random(dynBits)*pageSize) &^ (align - 1)
		return start - l.low, b.checkPlace(start, size)
	}
	// Let the space choose by mapping and unmapping so much. Nobody else
	// uses the space yet.
	room := size + align - pageSize
	a, err := b.space.Map(vm.MapArgs{Len: room, NoReserve: true, Limit: b.limits.AS})
	if err != nil {
		return 0, err
	}
	if err := b.space.Unmap(a, room); err != nil {
		return 0, err
	}
	start := (uint64(a) + align - 1) &^ (align - 1)
	return start - l.low, b.checkPlace(start, size)
}

// checkPlace refuses segments that would replace the stack.
func (b *Builder) checkPlace(start, size uint64) error {
	if start > vm.MaxAddr || size > vm.MaxAddr-start {
		return errno.ENOMEM
	}
	if end := start + size; start < uint64(b.stack.top) && end > uint64(b.stack.low) {
		return errno.ENOMEM
	}
	return nil
}

// mapSegments maps the segments of f, whose layout has been checked, at their
// addresses plus bias.
func (b *Builder) mapSegments(f File, h *header, bias uint64) error {
	obj, err := f.Object()
	if err != nil {
		return err
	}
	for i := range h.phnum {
		if p := h.phdr(i); p.typ == ptLoad {
			if err := b.mapSegment(obj, &p, bias+p.vaddr); err != nil {
				return err
			}
		}
	}
	return nil
}

// mapSegment maps one segment at a: a private view of the file, zeros in the
// rest of its last page, and anonymous memory after that.
func (b *Builder) mapSegment(obj vm.Object, p *phdr, a uint64) error {
	const all = vm.Read | vm.Write | vm.Exec
	in := a % pageSize
	zero := pageDown(a) // where anonymous memory starts
	if p.filesz != 0 {
		_, err := b.space.Map(vm.MapArgs{
			Addr: vm.Addr(a - in), Len: pageUp(in + p.filesz),
			Prot: prot(p.flags), MaxProt: all, Fixed: true,
			Object: obj, Offset: p.offset - in, Limit: b.limits.AS,
		})
		if err != nil {
			return err
		}
		zero = pageUp(a + p.filesz)
		if rest := zero - (a + p.filesz); p.memsz > p.filesz && rest > 0 {
			clear(b.buf[:rest])
			err := b.space.CopyOut(vm.Addr(a+p.filesz), b.buf[:rest])
			if err != nil && p.flags&pfWrite != 0 {
				return err
			}
		}
	}
	if end := pageUp(a + p.memsz); p.memsz > p.filesz && end > zero {
		_, err := b.space.Map(vm.MapArgs{
			Addr: vm.Addr(zero), Len: end - zero,
			Prot: vm.Read | vm.Write | prot(p.flags&pfExec), MaxProt: all,
			Fixed: true, Limit: b.limits.AS,
		})
		return err
	}
	return nil
}
