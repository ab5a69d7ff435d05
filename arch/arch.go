// Package arch is what the kernel proper asks of a machine. arch/amd64 serves
// it on the hardware, arch/hosted on a host system, for tests and for the
// kernel as a library.
package arch

import "unsafe"

// A Context holds the registers of a user thread while it isn't in user mode.
// It holds no Go pointers, so that a Context made by new is aligned to 64
// bytes, as FPU must be; it must not be part of another structure.
type Context struct {
	AX, BX, CX, DX, SI, DI, BP, SP       uint64
	R8, R9, R10, R11, R12, R13, R14, R15 uint64
	IP, Flags                            uint64
	FSBase, GSBase                       uint64
	Root                                 uint64 // physical address of the page table
	Trap                                 uint64 // why Run returned: TrapSyscall, TrapInterrupt, or an exception's vector
	Err                                  uint64 // error code of the exception
	Addr                                 uint64 // address that a page fault accessed
	Use                                  uint64 // the machine's own notes; 0 after Settle
	Kicked                               uint32 // atomic: Run must return at once
	_                                    uint32
	Entered, Left                        int64 // when Run entered user mode and when it was back, in the machine's ticks
	_                                    [4]uint64
	FPU                                  FPU // see Machine.Settle
}

// FPU is the state of x87, MMX, SSE and, where Machine.AVX says so, AVX, as XSAVE
// writes it in its standard form, SDM 1, 13.4: what FXSAVE writes, the header, and the
// upper halves of the registers of AVX. All of it is true, whatever the header says.
type FPU [832]byte

// Where things are in an FPU.
const (
	FPUControl = 0   // control word of x87
	FPUMXCSR   = 24  // control and status of SSE
	FPUXMM     = 160 // 16 registers of 16 bytes
	FPUSpare   = 464 // free for software, up to the header
	FPUHeader  = 512 // 8 bytes: which parts are not in their initial state
	FPUYMM     = 576 // 16 upper halves of 16 bytes
)

// The parts of an FPU, as bits of the header and of XCR0.
const (
	PartX87 = 1 << iota
	PartSSE
	PartAVX
)

// Reset makes f the state in which Linux starts a program, or a signal handler.
func (f *FPU) Reset() {
	*f = FPU{
		FPUControl: 0x7f, FPUControl + 1: 3, // exceptions masked, 64 bits
		FPUMXCSR: 0x80, FPUMXCSR + 1: 0x1f, // exceptions masked
		FPUHeader: PartX87 | PartSSE,
	}
}

// NewContext returns the registers of a program at its start: zero, FPU as Reset
// makes it.
func NewContext() *Context {
	c := new(Context)
	c.Flags = FlagInterrupt | 2
	c.FPU.Reset()
	return c
}

// Clone returns the same registers for another thread. Settle comes before.
func (c *Context) Clone() *Context {
	n := new(Context)
	*n = *c
	n.Kicked = 0
	return n
}

// Reasons for the end of Run besides exceptions, whose vectors are below 32.
const (
	TrapSyscall   = 256 // SYSCALL: number in AX, arguments in DI, SI, DX, R10, R8, R9
	TrapInterrupt = 257 // something for the kernel to do; the thread goes on later
)

// Exceptions that a program can raise, SDM 3A, table 6-1.
const (
	TrapDivide     = 0
	TrapDebug      = 1
	TrapBreakpoint = 3
	TrapOverflow   = 4
	TrapBound      = 5
	TrapOpcode     = 6
	TrapNoFPU      = 7
	TrapSegment    = 11
	TrapStack      = 12
	TrapProtection = 13
	TrapPage       = 14
	TrapFPU        = 16
	TrapAlignment  = 17
	TrapSIMD       = 19
)

// Bits of the error code of a page fault.
const (
	FaultPresent = 1 << 0 // a page is there and doesn't permit the access
	FaultWrite   = 1 << 1
	FaultUser    = 1 << 2
	FaultExec    = 1 << 4
)

// Bits of Context.Flags.
const (
	FlagCarry     = 1 << 0
	FlagTrap      = 1 << 8
	FlagInterrupt = 1 << 9
	FlagDirection = 1 << 10
	// FlagsUser are those that a program may set itself.
	FlagsUser = 0x254dd5 // CF PF AF ZF SF TF DF OF NT RF AC ID
)

// Page tables have the format of x86-64 on every machine: four levels of 512
// entries, SDM 3A, 4.5. The kernel proper reads and writes them itself.
const (
	PagePresent  = 1 << 0
	PageWrite    = 1 << 1
	PageUser     = 1 << 2
	PageAccessed = 1 << 5
	PageDirty    = 1 << 6
	PageSoft0    = 1 << 9 // free for the kernel proper
	PageSoft1    = 1 << 10
	PageNoExec   = 1 << 63
	PageAddr     = 0x000ffffffffff000

	PageSize = 4096
	// UserEnd is the end of what programs may map: the lower half but its
	// last page, as on Linux.
	UserEnd = 1<<47 - PageSize
)

// Machine is the hardware as the kernel proper sees it. All methods may be
// called on any goroutine.
type Machine interface {
	// Base is the address at which physical address 0 appears: all RAM is
	// there, one to one, from Base on.
	Base() unsafe.Pointer
	// CPUs returns the number of processors.
	CPUs() int
	// CPU returns the current processor, a hint: the caller may be moved.
	CPU() int
	// InitRoot makes the zeroed frame at root a top-level page table: it
	// fills the upper half, which is the kernel's.
	InitRoot(root uint64)
	// Run enters user mode with c and returns when there is something for
	// the kernel to do, told by c.Trap.
	Run(c *Context)
	// AVX reports whether programs may use AVX, and FPU has its state.
	AVX() bool
	// Settle completes c: after Run, a processor may still have a part of it, GSBase
	// and what of FPU belongs to x87, MMX and AVX. It is called by who calls Run, before
	// those are read or written, and before c is given up. A call before a sleep saves
	// others from asking for the registers later.
	Settle(c *Context)
	// Kick makes a Run(c) that is going on return soon, or else the next
	// one. Who calls Run clears c.Kicked before it looks for work.
	Kick(c *Context)
	// Flush returns when no processor uses translations of the page table
	// at root older than the call. It is called after an entry was removed
	// or lost a permission, before its frame is used for something else.
	Flush(root uint64)
	// FlushPage is Flush for one page.
	FlushPage(root uint64, va uintptr)
	// Retire returns when no processor has the page table at root loaded.
	// No Run uses it any more.
	Retire(root uint64)
	// Random fills b with unpredictable bytes.
	Random(b []byte)
}
