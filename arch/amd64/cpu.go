//go:build tamago

package amd64

import (
	"sync/atomic"
	"unsafe"
)

// MaxCPUs is the largest number of processors that are used.
const MaxCPUs = 64

// Selectors in the GDT. Those of programs are 0x2b (data) and 0x33 (code) as
// on Linux, and in the order that SYSRET needs.
const (
	selCode   = 0x08
	selData   = 0x10
	selUser32 = 0x20
	selTSS    = 0x38
)

// Interrupt stacks, by index in the TSS: an interrupt never runs on the stack
// that it interrupted, which may be a goroutine's of 2 KiB.
const (
	istIRQ       = 1 // interrupts; they don't nest
	istException = 2 // faults and traps
	istNMI       = 3
	istDouble    = 4 // #DF
	istMachine   = 5 // #MC
	numIST       = 5
)

// CPU is the state of one processor. GS points to it.
type CPU struct {
	self   uintptr // address of this CPU
	id     uint64  // index, as the runtime counts: 0 is the bootstrap processor
	apicID uint32

	// Sleep and wake-up; see idle.go.
	idle uint32 // atomic: in Idle, wants an IPI for a wake-up
	wake uint32 // atomic: woken, must not halt

	// The timer; own processor only.
	armed int64  // monotonic ns when the timer will fire, 0 if it is off
	ticks uint64 // atomic: timer interrupts taken

	// TLB shootdown; see shootdown.go.
	shootWant uint64 // atomic: how often others have asked
	shootDone uint64 // atomic: what shootWant was at the last flush

	// User mode; see user.s. Own processor only, but for atomic reads of
	// ctx and root by others.
	ctx      uintptr // *arch.Context in user mode, 0 in the kernel
	root     uint64  // page table of a program that is loaded, 0 for the kernel's
	restOf   uintptr // *arch.Context of which the processor has the rest, see user.s
	kernelSP uintptr // of the caller of run
	kernelFS uintptr
	irqSP    uintptr // top of the interrupt stack: the frame for IRETQ
	scratch  uint64

	// The runtime's thread for this processor, set by Task; see smp.go.
	taskSP, taskG, taskFn uintptr
	taskReady             uint32 // atomic
	online                uint32 // atomic: the processor runs our code

	fault Frame // the last fault that became a panic, see fault.go

	noTLS [2]uint64 // FS points behind it until the first M: g is nil
	gdt   [9]uint64
	tss   [26]uint32
	gdtr  [10]byte

	stacks [numIST][16 << 10]byte
}

var (
	boot CPU               // the bootstrap processor
	cpus [MaxCPUs]*CPU     // by index; set before the processor runs
	ncpu uint32        = 1 // atomic: processors online, cpus[:ncpu]
	idt  [256][2]uint64
	idtr [10]byte
)

// NumCPU returns the number of processors that are online.
func NumCPU() int { return int(atomic.LoadUint32(&ncpu)) }

// Ticks returns the timer interrupts that processor cpu has taken.
func Ticks(cpu int) uint64 { return atomic.LoadUint64(&cpus[cpu].ticks) }

// thisCPU returns the current processor: a hint, unless the caller can't move.
func thisCPU() *CPU

// loadCPU makes c the current processor: GDT, TSS, IDT, GS and FS.
func loadCPU(c *CPU, fs uintptr)

// vectors is the table of 256 trap entries, 8 bytes each, for vectors without
// an error code; vectorsErr is the same for those with one. trap.s.
func vectorTables() (vectors, vectorsErr uintptr)

// InitBoot sets up the bootstrap processor, before anything may fault. It
// runs before memory can be allocated, with interrupts off.
func InitBoot() {
	vectors, vectorsErr := vectorTables()
	for v := range idt {
		entry := vectors
		if hasErrorCode(v) {
			entry = vectorsErr
		}
		idt[v] = gate(entry+uintptr(v)*8, istOf(v))
		if v == vecBreakpoint {
			idt[v][0] |= 3 << 45 // programs may execute INT3
		}
	}
	pseudoDescriptor(&idtr, uintptr(unsafe.Pointer(&idt)), unsafe.Sizeof(idt))

	boot.init(0)
	cpus[0] = &boot
	loadCPU(&boot, rdfs())
	boot.online = 1
	features()
}

// rdfs returns the base address of FS.
func rdfs() uintptr { return uintptr(ReadMSR(msrFSBase)) }

// init fills in the tables that the processor will use.
func (c *CPU) init(id int) {
	c.self = uintptr(unsafe.Pointer(c))
	c.id = uint64(id)
	// There is no code segment of 32 bits, at 4, so that programs have no way
	// into a mode in which SYSCALL arrives elsewhere; SYSRET wants its place.
	c.gdt = [9]uint64{
		1: 0x00209b0000000000, // kernel code, 64 bits
		2: 0x0000930000000000, // kernel data
		5: 0x00cff3000000ffff, // user data
		6: 0x0020fb0000000000, // user code, 64 bits
	}
	tss := uint64(uintptr(unsafe.Pointer(&c.tss)))
	c.gdt[7] = uint64(unsafe.Sizeof(c.tss)-1) | tss&0xffffff<<16 | 0x89<<40 | tss>>24&0xff<<56
	c.gdt[8] = tss >> 32
	for i := range c.stacks {
		// Above the stack is what a trap needs that can't trust GS.
		top := (uintptr(unsafe.Pointer(&c.stacks[i])) + unsafe.Sizeof(c.stacks[i]) - 16) &^ 15
		*(*uintptr)(unsafe.Pointer(top)) = c.self
		c.setTSS(9+2*i, uint64(top)) // IST1 is at offset 36, SDM 3A, 8.7
		if i == istIRQ-1 {
			c.irqSP = top
		}
	}
	c.tss[25] = uint32(unsafe.Sizeof(c.tss)) << 16 // no I/O permission map
	pseudoDescriptor(&c.gdtr, uintptr(unsafe.Pointer(&c.gdt)), unsafe.Sizeof(c.gdt))
}

func (c *CPU) setTSS(word int, v uint64) {
	c.tss[word], c.tss[word+1] = uint32(v), uint32(v>>32)
}

// pseudoDescriptor builds the operand of LGDT or LIDT.
func pseudoDescriptor(r *[10]byte, base, size uintptr) {
	r[0], r[1] = byte(size-1), byte((size-1)>>8)
	for i := range 8 {
		r[2+i] = byte(base >> (8 * i))
	}
}

// gate is an interrupt gate: interrupts are off in the handler.
func gate(entry uintptr, ist uint64) [2]uint64 {
	e := uint64(entry)
	return [2]uint64{
		e&0xffff | selCode<<16 | ist<<32 | 0x8e<<40 | e>>16&0xffff<<48,
		e >> 32,
	}
}

func istOf(vector int) uint64 {
	switch {
	case vector == vecNMI:
		return istNMI
	case vector == vecDouble:
		return istDouble
	case vector == vecMachine:
		return istMachine
	case vector < 32:
		return istException
	}
	return istIRQ
}

// hasErrorCode reports whether the processor pushes one, SDM 3A, 6.15.
func hasErrorCode(vector int) bool {
	const with = 1<<8 | 1<<10 | 1<<11 | 1<<12 | 1<<13 | 1<<14 | 1<<17 | 1<<21 | 1<<29 | 1<<30
	return vector < 32 && with>>vector&1 != 0
}
