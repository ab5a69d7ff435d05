//go:build tamago

package amd64

import (
	"runtime/goos"
	"sync/atomic"
)

// Start lets the bootstrap processor take interrupts and makes the runtime
// halt it when there is nothing to do. The runtime can take signals by then.
func Start() {
	maskPIC()
	boot.apicID = initLAPIC()
	goos.Idle = Idle
	goos.Wake = Wake
	now := goos.Nanotime()
	boot.arm(now+slice, now)
	enableInterrupts()
}

// apFeatures is features on an application processor, where Go can't run yet.
//
//go:nosplit
func apFeatures() {
	WriteMSR(msrEFER, bootEFER)
	writeCR0(bootCR0)
	writeCR4(bootCR4)
	userFeatures()
	WriteMSR(msrAPICBase, lapicBase|1<<11)
	*lapicReg(lapicSVR) = svrEnable | vecSpurious
	*lapicReg(lapicLINT0) = lvtMasked
	*lapicReg(lapicLINT1) = lvtMasked
	*lapicReg(lapicError) = lvtMasked
	*lapicReg(lapicDivide) = divideBy1
	*lapicReg(lapicTimer) = vecTimer
}

// What the bootstrap processor has set; the others do the same.
var bootEFER, bootCR0, bootCR4 uint64

// ExitPort is the port of QEMU's isa-debug-exit, 0 if there is none: a run's
// status goes there.
var ExitPort uint16

// Halt ends the machine at once with a status: the last resort where nothing
// else works. Without ExitPort it stops.
//
//go:nosplit
func Halt(status int32) {
	if atomic.SwapUint32(&dying, 1) == 0 {
		lastAlive = thisCPU()
	}
	if ExitPort != 0 {
		Out32(ExitPort, uint32(status))
	}
	stop()
}

// Silence stops all other processors for ever, and interrupts on this one;
// those that call it later stop themselves.
func Silence() {
	disableInterrupts()
	haltOthers()
}

// Reset resets the processor, if nothing better is known.
func Reset() {
	Out8(0x64, 0xfe) // keyboard controller
	tripleFault()
}
