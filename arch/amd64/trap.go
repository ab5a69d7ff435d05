//go:build tamago

package amd64

import (
	"runtime"
	"sync/atomic"
)

// Vectors. Devices get 0x30 to 0xdf; see ioapic.go.
const (
	vecDebug      = 1
	vecNMI        = 2
	vecBreakpoint = 3
	vecDouble     = 8
	vecGP         = 13
	vecPage       = 14
	vecMachine    = 18

	vecFirstDevice = 0x30
	vecLastDevice  = 0xdf
	vecTimer       = 0xef
	vecPreempt     = 0xf0 // the scheduler of another processor asks
	vecShoot       = 0xf1 // forget translations; handled in trap.s
	vecWake        = 0xf2 // leave HLT; handled in trap.s
	vecKick        = 0xf3 // leave user mode; nothing to do in the kernel
	vecRest        = 0xf4 // saveRest; handled in trap.s
	vecSpurious    = 0xff
)

// Frame is what a trap saves and restores; trap.s pushes it.
type Frame struct {
	XMM                                  [16][2]uint64
	G                                    uint64 // the runtime's current g
	R15, R14, R13, R12, R11, R10, R9, R8 uint64
	BP, DI, SI, DX, CX, BX, AX           uint64
	Vector, Err, IP, CS, Flags, SP, SS   uint64
}

// trapEntry is where all vectors arrive; trap.s.
func trapEntry()

// trap handles what trap.s doesn't, on the signal stack of the interrupted M,
// with interrupts off. It must not allocate.
func trap(f *Frame) {
	t := runtime.KernelTrap{PC: uintptr(f.IP), SP: uintptr(f.SP), G: uintptr(f.G)}
	switch v := uint8(f.Vector); {
	case v < 32:
		exception(f, &t)
	case v == vecTimer:
		thisCPU().tick()
		eoi()
		runtime.TrapPreempt(&t, true)
	case v == vecPreempt:
		eoi()
		runtime.TrapPreempt(&t, false)
	case v == vecKick:
		eoi()
	default:
		raise(v)
		eoi()
		runtime.TrapPreempt(&t, true)
	}
	f.IP, f.SP = uint64(t.PC), uint64(t.SP)
}

// trapNoG is called when a trap comes where Go can't run: before the runtime
// or without an M, or within trap. Only interrupts are survived.
//
//go:nosplit
func trapNoG(f *Frame) {
	v := uint8(f.Vector)
	if v < 32 {
		fatalEarly(f)
	}
	if v == vecTimer {
		thisCPU().armed = 0
	} else if v != vecPreempt && v != vecKick {
		raise(v)
	}
	eoi()
}

// irqAny and irqPending are the runtime's: what findRunnable looks at. Their
// addresses come from trap.s.
func irqState() (any *uint32, pending *[4]uint64)

// raise hands a device's interrupt to the runtime.
//
//go:nosplit
func raise(v uint8) {
	any, pending := irqState()
	atomic.OrUint64(&pending[v/64], 1<<(v%64))
	atomic.StoreUint32(any, 1)
	atomic.AddUint64(&irqCount[v], 1)
	if p := levelPin[v]; p != nil {
		p.mask(true) // until the goroutine has served the device
	}
}

// irqCount counts the interrupts of each vector.
var irqCount [256]uint64

// fatalEarly prints what little it can and ends the machine.
//
//go:nosplit
func fatalEarly(f *Frame) {
	early("\nfatal trap ")
	earlyHex(f.Vector)
	early(" error ")
	earlyHex(f.Err)
	early(" at pc ")
	earlyHex(f.IP)
	early(" sp ")
	earlyHex(f.SP)
	_, cr2, _, _ := ReadCR()
	early(" cr2 ")
	earlyHex(cr2)
	early(" where Go can't run\n")
	Halt(2)
}

//go:nosplit
func early(s string) {
	for i := 0; i < len(s); i++ {
		EarlyPut(s[i])
	}
}

//go:nosplit
func earlyHex(v uint64) {
	early("0x")
	started := false
	for i := 60; i >= 0; i -= 4 {
		d := byte(v >> uint(i) & 15)
		if d != 0 || started || i == 0 {
			started = true
			if d < 10 {
				EarlyPut('0' + d)
			} else {
				EarlyPut('a' + d - 10)
			}
		}
	}
}

// EarlyPort is the I/O port of the serial line for early text and last words.
const EarlyPort = 0x3f8

// LogPort, unless 0, is a port of QEMU's isa-debugcon device, which takes early
// text and last words in place of the serial line.
var LogPort uint16

// linePatience is how often EarlyPut looks whether the line takes a byte: for
// a second or so.
const linePatience = 1 << 19

// lineStuck is set while the line takes nothing. Nobody waits for it then.
var lineStuck bool

// EarlyPut writes a byte to the serial line, polling, at any time. It gives
// up on a line that takes nothing.
//
//go:nosplit
func EarlyPut(c byte) {
	if LogPort != 0 {
		Out8(LogPort, c)
		return
	}
	for i := 0; In8(EarlyPort+5)&0x20 == 0; i++ {
		if lineStuck || i == linePatience {
			lineStuck = true
			return
		}
		Pause()
	}
	lineStuck = false
	Out8(EarlyPort, c)
}

// Pause takes some microseconds, for a loop that reads a device's register. A
// virtual machine's monitor serves each access under a lock; without a pause
// the thread that would make the device ready hardly gets it.
//
//go:nosplit
func Pause() {
	const cycles = 4000
	for start := RDTSC(); RDTSC()-start < cycles; {
	}
}
