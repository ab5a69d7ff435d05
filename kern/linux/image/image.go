// Package image makes a program ready to run: it loads an ELF file, the
// interpreter that the file names, or the interpreter of a `#!` script into a
// new address space and builds the first stack as Linux does.
//
// execve in kern/linux and the making of an instance's first process call it:
//
//	b, err := image.New(sys, pages, in, limits)
//	err = b.Strings(path, argv, envp)   // what the old program hands over
//	err = b.Load(file, open)            // the segments; follows `#!`
//	img, err := b.Finish(aux)           // the tables the C library reads
//
// Everything happens in the new space, so that a failure at any point, after
// which the caller calls b.Discard, leaves the old program as it was.
//
// The package keeps no state. A Builder belongs to one goroutine and has no
// locks. What it allocates is charged to the instance: its buffers and the
// header tables of files as inst.Heap, the strings as frames of the new stack.
package image

import (
	"encoding/binary"
	"sync"

	"mult/inst"
	"mult/kern/errno"
	"mult/kern/vm"
)

// A File is a program, a script or an interpreter that was opened for
// execution: a regular file that may be executed, on a mount that permits it.
// Errors are error numbers.
type File interface {
	// ReadAt fills b from the file's content at off. Fewer bytes than asked
	// for, with a nil error, mean the end of the file.
	ReadAt(b []byte, off int64) (int, error)
	// Object returns the content to map; areas take their own references.
	Object() (vm.Object, error)
	// Close ends the use of the file.
	Close()
}

// An Opener opens the interpreter that a program or a script names. The path
// is never empty.
type Opener func(path string) (File, error)

// Aux is what the auxiliary vector says about the process and the machine.
type Aux struct {
	UID, EUID, GID, EGID uint32
	Secure               bool    // the program gains rights by being run
	HWCAP, HWCAP2        uint64  // features: CPUID.1:EDX; bit 1 for RDFSBASE
	SigFrame             uint64  // AT_MINSIGSTKSZ, left out if 0
	VDSO                 vm.Addr // where the vDSO's ELF header is, left out if 0
}

// An Image is a program ready to run.
type Image struct {
	Space   *vm.Space // with one reference, which is the caller's
	Program File      // what /proc/pid/exe shows; the caller closes it
	IP, SP  vm.Addr

	// What /proc/pid/stat, cmdline, environ and auxv show.
	ArgStart, ArgEnd, EnvStart, EnvEnd     vm.Addr
	CodeStart, CodeEnd, DataStart, DataEnd vm.Addr
	Brk                                    vm.Addr
	Auxv                                   []byte
}

// A Builder is a program on its way into a new address space.
type Builder struct {
	sys     *vm.System
	in      *inst.Inst
	limits  vm.Limits
	space   *vm.Space
	program File // open until Discard or Finish
	stack   stack
	elf     loaded
	buf     []byte // a page for whatever is being read

	pages *pages // buf, and that of stack
	from  *Pages
}

// Pages are the buffers of Builders, who take turns in having them. The zero value is
// ready.
type Pages struct{ pool sync.Pool }

type pages struct{ buf, stack [pageSize]byte }

// get returns buffers that hold nothing of who had them before.
func (ps *Pages) get() *pages {
	if p, ok := ps.pool.Get().(*pages); ok {
		*p = pages{}
		return p
	}
	return new(pages)
}

// builderCost is what a Builder is charged for: two pages of buffers and
// itself.
const builderCost = 2*pageSize + 1024

// New starts with an empty space that has a stack.
func New(sys *vm.System, ps *Pages, in *inst.Inst, limits vm.Limits) (*Builder, error) {
	if !in.Charge(inst.Heap, builderCost) {
		return nil, errno.ENOMEM
	}
	space, err := vm.New(sys, in)
	if err != nil {
		in.Uncharge(inst.Heap, builderCost)
		return nil, err
	}
	b := &Builder{sys: sys, in: in, limits: limits, space: space, pages: ps.get(), from: ps}
	b.buf = b.pages.buf[:]
	if err := b.initStack(); err != nil {
		b.Discard()
		return nil, err
	}
	return b, nil
}

// Space returns the space that is being filled, for more to be mapped before
// Finish.
func (b *Builder) Space() *vm.Space { return b.space }

// Program returns the file that Load ended with, whose set-user-ID bits count.
func (b *Builder) Program() File { return b.program }

// Discard gives everything back. After Finish it does nothing.
func (b *Builder) Discard() {
	if b.space == nil {
		return
	}
	if b.program != nil {
		b.program.Close()
		b.program = nil
	}
	b.space.Release()
	b.end()
}

// end gives back what b needs until Finish or Discard.
func (b *Builder) end() {
	b.space, b.buf, b.stack.page = nil, nil, nil
	b.from.pool.Put(b.pages)
	b.in.Uncharge(inst.Heap, builderCost)
}

// random returns a number below 1<<bits.
func (b *Builder) random(bits uint) uint64 {
	var r [8]byte
	b.sys.Machine.Random(r[:])
	return binary.LittleEndian.Uint64(r[:]) & (1<<bits - 1)
}

func pageDown(a uint64) uint64 { return a &^ (pageSize - 1) }
func pageUp(a uint64) uint64   { return (a + pageSize - 1) &^ (pageSize - 1) }
