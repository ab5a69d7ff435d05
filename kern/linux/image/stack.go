package image

import (
	"bytes"
	"encoding/binary"

	"mult/kern/errno"
	"mult/kern/vm"
)

// This file moves the strings of a new program to its stack. From the top
// down there are a zero word, the path, the environment and the arguments,
// each in their order, so that argv[0] is lowest.

// Limits of the strings, include/uapi/linux/binfmts.h and fs/exec.c.
const (
	maxString  = 32 * pageSize // MAX_ARG_STRLEN, with the NUL
	minStrings = 128 << 10     // ARG_MAX: always allowed
	maxStrings = 6 << 20       // three quarters of the usual 8 MiB of stack
)

const (
	stackSpare = 128 << 10 // what is mapped from the start, beside one page
	ptrSize    = 8
	ptrBatch   = 64 // pointers read at a time
)

// A Vector is where the strings of argv or envp are.
type Vector struct {
	list  []string
	space *vm.Space
	addr  vm.Addr
}

// Strings returns a Vector of strings of the kernel.
func Strings(list ...string) Vector { return Vector{list: list} }

// UserStrings returns a Vector of strings of a program: a is the address of
// pointers to them, of which the last is null; 0 stands for no strings.
func UserStrings(space *vm.Space, a vm.Addr) Vector { return Vector{space: space, addr: a} }

// stack is the new stack while strings are put on it.
type stack struct {
	low, top vm.Addr // what is mapped, at least
	p        vm.Addr // the lowest byte in use
	floor    vm.Addr // p may not be less
	// page is what belongs at base; of it, from p to end, is not yet there.
	page      []byte
	base, end vm.Addr

	path       string // of the program or script that Load looks at
	pathAddr   vm.Addr
	argc, envc int
	arg0       int // size of the lowest string
	ptrs       [ptrBatch * ptrSize]byte
}

// stringLimit returns how many bytes strings and the pointers to them may have.
func (b *Builder) stringLimit() uint64 {
	return max(min(maxStrings, b.limits.Stack/4), minStrings)
}

// initStack maps the stack. It grows as the strings need it, and is not yet
// under the limit of the process.
func (b *Builder) initStack() error {
	size := min(stackSpare+pageSize, max(pageDown(b.limits.Stack), pageSize))
	low, err := b.space.Map(vm.MapArgs{
		Len: size, Prot: vm.Read | vm.Write, MaxProt: vm.Read | vm.Write | vm.Exec,
		Grows: true, Stack: true,
	})
	if err != nil {
		return err
	}
	top := low + vm.Addr(size)
	p := top - ptrSize
	b.stack = stack{
		low: low, top: top, p: p,
		page: b.pages.stack[:], base: top - pageSize, end: p,
	}
	return nil
}

// stackProt makes the stack executable if the program asks for that.
func (b *Builder) stackProt(h *header) error {
	exec := false
	for i := range h.phnum {
		if p := h.phdr(i); p.typ == ptGNUStack {
			exec = p.flags&pfExec != 0
		}
	}
	if !exec {
		return nil
	}
	if err := b.flush(); err != nil {
		return err
	}
	s := &b.stack
	return b.space.Protect(s.low, uint64(s.top-s.low), vm.Read|vm.Write|vm.Exec)
}

// Strings copies the path of the program and the strings for it. It is called
// once, before Load.
func (b *Builder) Strings(path string, argv, envp Vector) error {
	s := &b.stack
	limit := b.stringLimit()
	argc, err := b.count(argv, limit)
	if err != nil {
		return err
	}
	envc, err := b.count(envp, limit)
	if err != nil {
		return err
	}
	// Without arguments there will be one, an empty string: programs that
	// start with argv[1] must not find envp there.
	ptrs := uint64(max(argc, 1)+envc) * ptrSize
	if limit <= ptrs {
		return errno.E2BIG
	}
	s.floor = s.p - vm.Addr(limit-ptrs)
	s.path = path
	if err := b.push(path); err != nil {
		return err
	}
	s.pathAddr = s.p
	if err := b.pushVector(envp, envc); err != nil {
		return err
	}
	if err := b.pushVector(argv, argc); err != nil {
		return err
	}
	if argc == 0 {
		argc = 1
		if err := b.push(""); err != nil {
			return err
		}
	}
	s.argc, s.envc = argc, envc
	return nil
}

// count returns the number of strings in v.
func (b *Builder) count(v Vector, limit uint64) (n int, err error) {
	most := int(limit / ptrSize)
	if v.space == nil {
		if len(v.list) > most {
			return 0, errno.E2BIG
		}
		return len(v.list), nil
	}
	if v.addr == 0 {
		return 0, nil
	}
	for n <= most {
		// What follows the null pointer may not be mapped: end at a page.
		a := v.addr + vm.Addr(n*ptrSize)
		k := max(min(ptrBatch, int(pageSize-a%pageSize)/ptrSize), 1)
		if err := v.space.CopyIn(b.stack.ptrs[:k*ptrSize], a); err != nil {
			return 0, err
		}
		for i := range k {
			if b.stack.ptr(i) == 0 {
				return n, nil
			}
			n++
		}
	}
	return 0, errno.E2BIG
}

// ptr returns a pointer of the batch read last.
func (s *stack) ptr(i int) vm.Addr {
	return vm.Addr(binary.LittleEndian.Uint64(s.ptrs[i*ptrSize:]))
}

// pushVector puts n strings of v on the stack, the last one first.
func (b *Builder) pushVector(v Vector, n int) error {
	if v.space == nil {
		for i := n - 1; i >= 0; i-- {
			if err := b.push(v.list[i]); err != nil {
				return err
			}
		}
		return nil
	}
	for n > 0 {
		k := min(n, ptrBatch)
		n -= k
		if err := v.space.CopyIn(b.stack.ptrs[:k*ptrSize], v.addr+vm.Addr(n*ptrSize)); err != nil {
			return err
		}
		for i := k - 1; i >= 0; i-- {
			if err := b.pushUser(v.space, b.stack.ptr(i)); err != nil {
				return err
			}
		}
	}
	return nil
}

// push puts a string of the kernel on the stack.
func (b *Builder) push(str string) error {
	return b.pushFrom(len(str)+1, func(dst []byte, at int) error {
		n := copy(dst, str[at:])
		clear(dst[n:])
		return nil
	})
}

// pushUser puts a string of a program on the stack. Another thread may change
// it meanwhile; then its length is what it was, and it ends in a NUL.
func (b *Builder) pushUser(space *vm.Space, a vm.Addr) error {
	size := 0
	for chunk := 256; ; chunk = pageSize {
		at := a + vm.Addr(size)
		n := min(chunk, int(pageSize-at%pageSize), maxString-size)
		if n == 0 {
			return errno.E2BIG
		}
		if err := space.CopyIn(b.buf[:n], at); err != nil {
			return err
		}
		if i := bytes.IndexByte(b.buf[:n], 0); i >= 0 {
			size += i + 1
			break
		}
		size += n
	}
	return b.pushFrom(size, func(dst []byte, at int) error {
		if err := space.CopyIn(dst, a+vm.Addr(at)); err != nil {
			return err
		}
		if at+len(dst) == size {
			dst[len(dst)-1] = 0
		}
		return nil
	})
}

// pushFrom puts a string of that size on the stack. read fills dst with what is
// at dst's place in the string.
func (b *Builder) pushFrom(size int, read func(dst []byte, at int) error) error {
	s := &b.stack
	if size > maxString || vm.Addr(size) > s.p-s.floor {
		return errno.E2BIG
	}
	s.arg0 = size
	for size > 0 {
		if s.p == s.base {
			if err := b.flush(); err != nil {
				return err
			}
			s.base -= pageSize
		}
		n := min(size, int(s.p-s.base))
		size -= n
		if err := read(s.page[int(s.p-s.base)-n:int(s.p-s.base)], size); err != nil {
			return err
		}
		s.p -= vm.Addr(n)
	}
	return nil
}

// flush puts into the space what of the page is not yet there.
func (b *Builder) flush() error {
	s := &b.stack
	if s.end > s.p {
		if err := b.space.CopyOut(s.p, s.page[s.p-s.base:s.end-s.base]); err != nil {
			return err
		}
		s.end = s.p
		s.low = min(s.low, s.p&^(pageSize-1))
	}
	return nil
}

// pushScript replaces argv[0] by the words of a script's first line and the
// path of the script.
func (b *Builder) pushScript(sc script) error {
	if err := b.flush(); err != nil {
		return err
	}
	s := &b.stack
	s.p += vm.Addr(s.arg0)
	s.end, s.base = s.p, (s.p-1)&^(pageSize-1)
	s.argc--
	words := []string{s.path, sc.arg, sc.interp}
	if !sc.hasArg {
		words = []string{s.path, sc.interp}
	}
	for _, w := range words {
		if err := b.push(w); err != nil {
			return err
		}
		s.argc++
	}
	s.path = sc.interp
	return nil
}
