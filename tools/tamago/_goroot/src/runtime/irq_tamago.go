//go:build tamago

// Interrupts as ready goroutines.
//
// The kernel's interrupt entry sets the bit of its vector in irqPending and
// irqAny, and asks for a preemption of what it interrupted. The scheduler
// polls irqAny in findRunnable (a load of a shared, seldom written line) and
// makes the goroutines ready that wait for the vectors found. An idle M looks
// too and gets a P first.

package runtime

import (
	"internal/runtime/atomic"
	"internal/runtime/sys"
	"unsafe"
)

var (
	// irqAny is set after a bit of irqPending: something to deliver.
	//go:linkname irqAny
	irqAny uint32

	// irqPending has a bit for each vector, set with a locked instruction
	// by the kernel.
	//go:linkname irqPending
	irqPending [4]uint64

	// irqWaiter holds, per vector, the goroutine that waits: 0, irqMissed
	// when an interrupt came with none waiting, or its *g.
	irqWaiter [256]atomic.Uintptr
)

const irqMissed uintptr = 1

// IRQWait blocks the calling goroutine until an interrupt with the given
// vector has been taken since its last call; several interrupts may show as
// one. Only one goroutine may wait for a vector.
func IRQWait(vector uint8) {
	w := &irqWaiter[vector]
	if w.CompareAndSwap(irqMissed, 0) {
		return
	}
	gopark(irqPark, unsafe.Pointer(w), waitReasonZero, traceBlockGeneric, 1)
	w.CompareAndSwap(irqMissed, 0)
}

func irqPark(gp *g, p unsafe.Pointer) bool {
	w := (*atomic.Uintptr)(p)
	if w.CompareAndSwap(0, uintptr(unsafe.Pointer(gp))) {
		return true
	}
	if w.Load() != irqMissed {
		throw("IRQWait: two goroutines wait for one vector")
	}
	return false // it came meanwhile: run on
}

// irqPoll makes the goroutines ready whose interrupts have come. It is called
// by findRunnable, with a P, on g0.
func irqPoll() {
	if scavenger.sysmonWake.Load() != 0 {
		scavenger.wake() // sysmon's duty elsewhere
	}
	if atomic.Load(&irqAny) == 0 {
		return
	}
	atomic.Store(&irqAny, 0)
	for i := range irqPending {
		for bits := atomic.Xchg64(&irqPending[i], 0); bits != 0; bits &= bits - 1 {
			w := &irqWaiter[i*64+sys.TrailingZeros64(bits)]
			for {
				v := w.Load()
				if v == irqMissed {
					break
				}
				if v == 0 {
					if w.CompareAndSwap(0, irqMissed) {
						break
					}
					continue
				}
				if w.CompareAndSwap(v, 0) {
					goready((*g)(unsafe.Pointer(v)), 1)
					break
				}
			}
		}
	}
}

// irqWakeup is called on an idle M, parked in stopm, that has seen irqAny: it
// takes an idle P, if there is one, and wakes itself up with it. If another M
// owns the last P, that one will poll.
func irqWakeup(mp *m) {
	lock(&sched.lock)
	if pp, _ := pidleget(0); pp != nil {
		if midleRemove(mp) {
			mp.nextp.set(pp)
			notewakeup(&mp.park)
		} else {
			pidleput(pp, 0) // somebody is about to wake mp
		}
	}
	unlock(&sched.lock)
	procyield(10)
}

// midleRemove takes mp off the list of idle Ms; false if it isn't there.
// mgetSpecific doesn't see an M that is alone on the list.
func midleRemove(mp *m) bool {
	if sched.midle.head() == unsafe.Pointer(mp) {
		mget()
		return true
	}
	return mgetSpecific(mp) != nil
}
