//go:build tamago

package amd64

import (
	"runtime"
	"runtime/goos"
	"sync/atomic"
)

// Timers are one-shot: a processor that runs goroutines is interrupted every
// slice, so that each gets its turn and timers are looked at; one that idles
// is interrupted when the runtime's next timer is due, if there is one.
const (
	slice   = 4e6       // ns
	forever = 1<<63 - 1 // a deadline that doesn't come
	never   = 0         // CPU.armed of a stopped timer
)

// timerHz is the frequency of the local APIC timers, before divideBy1. Until
// it is measured it is that of QEMU.
var timerHz uint64 = 1e9

// measureTime is how long MeasureTimer takes, in ns.
const measureTime = 2e6

// MeasureTimer measures the frequency of the local APIC timers against the
// runtime's clock, which must be right by then.
func MeasureTimer() {
	runtime.Pin()
	disableInterrupts()
	*lapicReg(lapicTimer) = lvtMasked | vecTimer
	*lapicReg(lapicInitial) = 1<<32 - 1
	start, count := goos.Nanotime(), *lapicReg(lapicCurrent)
	for goos.Nanotime() < start+measureTime {
	}
	n, took := uint64(count-*lapicReg(lapicCurrent)), uint64(goos.Nanotime()-start)
	if n != 0 {
		atomic.StoreUint64(&timerHz, n*1e9/took)
	}
	now := goos.Nanotime()
	thisCPU().arm(now+slice, now)
	enableInterrupts()
	runtime.Unpin()
}

// arm sets the timer to fire at the monotonic time at, or as late as it can
// count, which is earlier.
//
//go:nosplit
func (c *CPU) arm(at, now int64) {
	hz := atomic.LoadUint64(&timerHz)
	ns := uint64(max(at-now, 1000))
	if limit := (1<<32 - 1) * uint64(1e9) / hz; ns > limit {
		ns, at = limit, now+int64(limit)
	}
	c.armed = at
	*lapicReg(lapicTimer) = vecTimer
	*lapicReg(lapicInitial) = uint32(ns * hz / 1e9)
}

// tick is the timer interrupt. It runs with interrupts off.
//
//go:nosplit
func (c *CPU) tick() {
	c.armed = never
	atomic.AddUint64(&c.ticks, 1)
	if c.idle == 0 {
		now := goos.Nanotime()
		c.arm(now+slice, now)
	}
}

// Idle halts the processor until it is woken, an interrupt is to be handed to
// a goroutine, or the deadline has come. The runtime calls it on the system
// stack (goos.Idle).
//
// Interrupts are off from each look at what could end the sleep until the
// halt, so that nothing comes between: neither a wake-up nor the timer's
// interrupt. A running slice timer is left alone: most sleeps are shorter.
func Idle(deadline int64) {
	c := thisCPU()
	any, _ := irqState()
	atomic.StoreUint32(&c.idle, 1)
	for {
		disableInterrupts()
		if atomic.LoadUint32(&c.wake) != 0 || atomic.LoadUint32(any) != 0 {
			break
		}
		now := goos.Nanotime()
		if now >= deadline {
			break
		}
		if deadline != forever && (c.armed == never || c.armed > deadline) {
			c.arm(deadline, now)
		}
		halt()
	}
	atomic.StoreUint32(&c.idle, 0)
	atomic.StoreUint32(&c.wake, 0)
	if now := goos.Nanotime(); c.armed == never || c.armed > now+slice {
		c.arm(now+slice, now)
	}
	enableInterrupts()
}

// halt turns interrupts on and halts; an interrupt that is due already ends
// the halt. idle.s.
func halt()

// Wake makes processor cpu leave Idle, or not enter it (goos.Wake).
//
//go:nosplit
func Wake(cpu uint64) {
	c := cpus[cpu]
	if atomic.SwapUint32(&c.wake, 1) == 0 && atomic.LoadUint32(&c.idle) != 0 {
		c.sendIPI(vecWake)
	}
}
