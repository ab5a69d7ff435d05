//go:build tamago

package amd64

import (
	"runtime"
	"sync/atomic"
	"unsafe"

	"mult/arch"
)

// Machine is the hardware, as the kernel proper sees it.
type Machine struct{}

var _ arch.Machine = (*Machine)(nil)

// The offsets that user.s uses; a difference doesn't compile.
const (
	_ = -(unsafe.Offsetof(arch.Context{}.SP) ^ 56)
	_ = -(unsafe.Offsetof(arch.Context{}.R15) ^ 120)
	_ = -(unsafe.Offsetof(arch.Context{}.Flags) ^ 136)
	_ = -(unsafe.Offsetof(arch.Context{}.Root) ^ 160)
	_ = -(unsafe.Offsetof(arch.Context{}.Kicked) ^ 200)
	_ = -(unsafe.Offsetof(arch.Context{}.Entered) ^ 208)
	_ = -(unsafe.Offsetof(arch.Context{}.Left) ^ 216)
	_ = -(unsafe.Offsetof(arch.Context{}.FPU) ^ 256)
)

// run enters user mode with c; user.s. Interrupts are off afterwards if it returns
// because of one.
//
//go:noescape
func run(c *arch.Context)

// fsgsbase says that the instructions for the bases of FS and GS may be used.
var fsgsbase bool

// avx says that programs may use AVX.
var avx bool

// kernelMXCSR: all exceptions masked, round to nearest.
var kernelMXCSR uint32 = 0x1f80

// userFeatures makes the current processor ready for user mode.
//
//go:nosplit
func userFeatures() {
	if avx {
		writeXCR0(xcr0)
	}
	WriteMSR(msrSTAR, selCode<<32|(selUser32|3)<<48)
	WriteMSR(msrLSTAR, uint64(syscallPC()))
	WriteMSR(msrSFMASK, 0x257fd5) // all flags but those that are fixed
	WriteMSR(msrSysenterCS, 0)    // SYSENTER is a general protection fault
}

// syscallPC is the address of syscallEntry.
func syscallPC() uintptr

// Base implements arch.Machine.
func (*Machine) Base() unsafe.Pointer { return Ptr(0) }

// CPUs implements arch.Machine.
func (*Machine) CPUs() int { return NumCPU() }

// CPU implements arch.Machine.
func (*Machine) CPU() int { return int(thisCPU().id) }

// InitRoot implements arch.Machine. The kernel's half of a page table is
// complete from the start: tables are only added below its entries.
func (*Machine) InitRoot(root uint64) {
	copy(table(root)[256:], table(kernelTable)[256:])
}

// Run implements arch.Machine. It is not nosplit, so that a loop around it can be
// preempted; but what it calls after run is: interrupts are off then.
func (m *Machine) Run(c *arch.Context) {
	if c.IP>>47 != 0 || !canonical(c.FSBase) || !canonical(c.GSBase) {
		// IRETQ or WRFSBASE would fault in ring 0.
		c.Trap, c.Err, c.Addr = arch.TrapProtection, 0, 0
		c.Entered = int64(TSC())
		c.Left = c.Entered
		return
	}
	c.Flags = c.Flags&arch.FlagsUser | arch.FlagInterrupt | 2
	for run(c); c.Trap == trapElsewhere; run(c) {
		m.Settle(c)
	}
	if v := c.Trap; v >= 32 && v < 256 {
		userInterrupt(uint8(v))
		c.Trap = arch.TrapInterrupt
		enableInterrupts()
	}
}

// trapElsewhere is why run returned at once: another processor has some registers.
const trapElsewhere = 258

// settle completes the registers of c if this processor has the rest; user.s.
//
//go:noescape
func settle(c *arch.Context)

// AVX implements arch.Machine.
func (*Machine) AVX() bool { return avx }

// Settle implements arch.Machine.
func (*Machine) Settle(c *arch.Context) {
	for {
		settle(c)
		n := atomic.LoadUint64(&c.Use)
		if n == 0 {
			return
		}
		cpus[n-1].sendIPI(vecRest)
		for range 1000 {
			if atomic.LoadUint64(&c.Use) == 0 {
				return
			}
			procyield(10)
		}
	}
}

// canonical reports whether the upper bits of an address are all the same.
func canonical(a uint64) bool { return int64(a<<16)>>16 == int64(a) }

// userInterrupt serves an interrupt that came in user mode, on the
// goroutine's stack.
//
//go:nosplit
func userInterrupt(v uint8) {
	tick := true
	switch v {
	case vecTimer:
		thisCPU().tick()
	case vecPreempt:
		tick = false
	case vecKick:
		eoi()
		return
	default:
		raise(v)
	}
	eoi()
	runtime.TrapUser(tick)
}

// Kick implements arch.Machine.
func (*Machine) Kick(c *arch.Context) {
	atomic.StoreUint32(&c.Kicked, 1)
	for _, cpu := range cpus[:NumCPU()] {
		if atomic.LoadUintptr(&cpu.ctx) == uintptr(unsafe.Pointer(c)) {
			cpu.sendIPI(vecKick)
		}
	}
}

// Flush implements arch.Machine.
func (*Machine) Flush(root uint64) {
	runtime.Pin()
	self := thisCPU()
	disableInterrupts()
	if self.root == root {
		writeCR3(root)
	}
	enableInterrupts()
	shootdownRoot(self, root)
	runtime.Unpin()
}

// FlushPage implements arch.Machine.
func (m *Machine) FlushPage(root uint64, va uintptr) {
	runtime.Pin()
	self := thisCPU()
	disableInterrupts()
	if self.root == root {
		invlpg(va)
	}
	enableInterrupts()
	shootdownRoot(self, root)
	runtime.Unpin()
}

// Retire implements arch.Machine.
func (*Machine) Retire(root uint64) {
	runtime.Pin()
	self := thisCPU()
	disableInterrupts()
	if self.root == root {
		self.root = 0
		writeCR3(kernelTable)
	}
	enableInterrupts()
	shootdownRoot(self, root)
	runtime.Unpin()
}

// Random implements arch.Machine.
func (*Machine) Random(b []byte) { Random(b) }
