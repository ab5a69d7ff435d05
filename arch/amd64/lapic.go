//go:build tamago

package amd64

import (
	"sync/atomic"
	"unsafe"
)

// The local APIC, one per processor at the same address (SDM 3A, 10).
const (
	lapicBase = 0xfee00000

	lapicID      = 0x020
	lapicEOI     = 0x0b0
	lapicSVR     = 0x0f0
	lapicICRLow  = 0x300
	lapicICRHigh = 0x310
	lapicTimer   = 0x320
	lapicLINT0   = 0x350
	lapicLINT1   = 0x360
	lapicError   = 0x370
	lapicInitial = 0x380
	lapicCurrent = 0x390
	lapicDivide  = 0x3e0

	svrEnable  = 1 << 8
	lvtMasked  = 1 << 16
	divideBy1  = 0b1011
	icrPending = 1 << 12
	icrNMI     = 4 << 8
	icrINIT    = 5 << 8
	icrStartup = 6 << 8
	icrAssert  = 1 << 14
)

//go:nosplit
func lapicReg(r uintptr) *uint32 {
	return (*uint32)(unsafe.Pointer(uintptr(DirectMap+lapicBase) + r))
}

// eoi ends the interrupt that is being served.
//
//go:nosplit
func eoi() { *lapicReg(lapicEOI) = 0 }

// initLAPIC turns the local APIC of the current processor on, its timer
// stopped, and returns its id. Its registers must be mapped.
func initLAPIC() uint32 {
	WriteMSR(msrAPICBase, lapicBase|ReadMSR(msrAPICBase)&0x100|1<<11)
	*lapicReg(lapicSVR) = svrEnable | vecSpurious
	*lapicReg(lapicLINT0) = lvtMasked
	*lapicReg(lapicLINT1) = lvtMasked
	*lapicReg(lapicError) = lvtMasked
	*lapicReg(lapicDivide) = divideBy1
	*lapicReg(lapicInitial) = 0
	*lapicReg(lapicTimer) = vecTimer // one-shot
	return *lapicReg(lapicID) >> 24
}

// writeICR sends an interrupt to the processor with the given APIC id, once
// the last one has left. It turns interrupts off meanwhile: the two registers
// belong to the processor, not to who writes them.
func writeICR(apicID uint32, low uint32)

// sendIPI sends a vector to another processor. It may be called anywhere.
//
//go:nosplit
func (c *CPU) sendIPI(vector uint32) { writeICR(c.apicID, icrAssert|vector) }

// dying is set when the machine is about to end: an NMI then halts.
var dying uint32

// haltOthers stops all other processors, whatever they do, for last words
// that nobody interrupts. If two processors die at once, the second halts.
//
//go:nosplit
func haltOthers() {
	if atomic.SwapUint32(&dying, 1) != 0 {
		if thisCPU() != lastAlive {
			stop()
		}
		return
	}
	lastAlive = thisCPU()
	for i := uint32(0); i < atomic.LoadUint32(&ncpu); i++ {
		if c := cpus[i]; c != lastAlive {
			writeICR(c.apicID, icrAssert|icrNMI)
		}
	}
}

// lastAlive is the processor that called haltOthers first.
var lastAlive *CPU

//go:linkname preempt runtime.kernelPreempt
func preempt(cpu uint64) { cpus[cpu].sendIPI(vecPreempt) }
