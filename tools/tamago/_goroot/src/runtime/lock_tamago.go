//go:build tamago

// Semaphores for lock_spinbit.go, and one-time notifications.
//
// The key of a note is 0, locked, the M that sleeps on it (g0 only) or,
// tagged, the G that is parked on it (notetsleepg): a processor has no second
// M that could run while the first blocks in a note.
//
// A processor halts in one place, mwait. An M that sleeps there with no P is
// idle: it also looks for interrupts (irq_tamago.go).

package runtime

import (
	"internal/runtime/atomic"
	"runtime/goos"
	"unsafe"
)

const (
	locked uintptr = 1
	noteG  uintptr = 2

	// forever is a deadline that never comes.
	forever = 1<<63 - 1

	// haltMin is the shortest sleep for which a processor is halted: setting
	// its timer costs some microseconds.
	haltMin = 20e3
)

//go:nosplit
func semacreate(mp *m) {}

//go:nosplit
func semtry(sema *uint32) bool {
	for {
		v := atomic.Load(sema)
		if v == 0 {
			return false
		}
		if atomic.Cas(sema, v, v-1) {
			return true
		}
	}
}

// semasleep waits for a runtime lock, with or without a P, perhaps on a
// goroutine's stack, which must not grow now.
//
//go:nosplit
func semasleep(ns int64) int32 {
	ok := false
	systemstack(func() {
		deadline := int64(forever)
		if ns >= 0 {
			deadline = nanotime() + ns
		}
		ok = mwait(&getg().m.lockSema, deadline, false)
	})
	if ok {
		return 0
	}
	return -1
}

// semawakeup is called on any stack: goos.Wake must be nosplit.
//
//go:nosplit
func semawakeup(mp *m) { semgrant(mp, &mp.lockSema) }

//go:nosplit
func semgrant(mp *m, sema *uint32) {
	atomic.Xadd(sema, 1)
	if goos.Wake != nil {
		goos.Wake(mp.procid)
	}
}

// mwait waits until a semaphore of the current M is granted or the deadline has come; the result is true when it was granted. With irq it also
// returns false as soon as an interrupt waits to be delivered.
//
// There is no lost wake-up between the check here and the halt: goos.Wake
// leaves a mark on the processor, and interrupts set irqAny, and goos.Idle
// halts only after it has found neither with interrupts off. mwait runs on the
// system stack.
func mwait(sema *uint32, deadline int64, irq bool) bool {
	for i := 0; !semtry(sema); i++ {
		if irq && atomic.Load(&irqAny) != 0 {
			return false
		}
		if deadline != forever {
			left := deadline - nanotime()
			if left <= 0 {
				return false
			}
			if left < haltMin {
				procyield(10)
				continue
			}
		}
		if i < 4 || goos.Idle == nil {
			procyield(20)
			continue
		}
		goos.Idle(deadline)
	}
	return true
}

func noteclear(n *note) { n.key = 0 }

func notewakeup(n *note) {
	var v uintptr
	for {
		v = atomic.Loaduintptr(&n.key)
		if atomic.Casuintptr(&n.key, v, locked) {
			break
		}
	}
	switch {
	case v == 0:
		// nobody waits yet
	case v == locked:
		throw("notewakeup - double wakeup")
	case v&noteG != 0:
		var list gList
		list.push((*g)(unsafe.Pointer(v &^ noteG)))
		injectglist(&list)
	default:
		mp := (*m)(unsafe.Pointer(v))
		semgrant(mp, &mp.noteSema)
	}
}

func notesleep(n *note) {
	gp := getg()
	mp := gp.m
	if gp != mp.g0 {
		throw("notesleep not on g0")
	}
	if !atomic.Casuintptr(&n.key, 0, uintptr(unsafe.Pointer(mp))) {
		if n.key != locked {
			throw("notesleep - waitm out of sync")
		}
		return
	}
	mp.blocked = true
	for idle := n == &mp.park; !mwait(&mp.noteSema, forever, idle); {
		irqWakeup(mp)
	}
	mp.blocked = false
}

func notetsleep(n *note, ns int64) bool {
	gp := getg()
	mp := gp.m
	if gp != mp.g0 {
		throw("notetsleep not on g0")
	}
	if !atomic.Casuintptr(&n.key, 0, uintptr(unsafe.Pointer(mp))) {
		if n.key != locked {
			throw("notetsleep - waitm out of sync")
		}
		return true
	}
	deadline := int64(forever)
	if ns >= 0 {
		deadline = nanotime() + ns
	}
	mp.blocked = true
	// netpoll is the idle M that also waits for timers.
	ok := mwait(&mp.noteSema, deadline, n == &netpollNote)
	mp.blocked = false
	if ok {
		return true
	}
	// Leave, unless a wake-up has just been granted.
	if atomic.Casuintptr(&n.key, uintptr(unsafe.Pointer(mp)), 0) {
		return false
	}
	if atomic.Loaduintptr(&n.key) != locked {
		throw("notetsleep - waitm out of sync")
	}
	for !semtry(&mp.noteSema) {
		procyield(10)
	}
	return true
}

// notetsleepg is notetsleep on a goroutine, which parks.
func notetsleepg(n *note, ns int64) bool {
	gp := getg()
	if gp == gp.m.g0 {
		throw("notetsleepg on g0")
	}
	if ns >= 0 {
		for deadline := nanotime() + ns; atomic.Loaduintptr(&n.key) != locked; timeSleep(1e6) {
			if nanotime() >= deadline {
				return false
			}
		}
		return true
	}
	gopark(notePark, unsafe.Pointer(n), waitReasonZero, traceBlockGeneric, 1)
	return true
}

func notePark(gp *g, p unsafe.Pointer) bool {
	return atomic.Casuintptr(&(*note)(p).key, 0, uintptr(unsafe.Pointer(gp))|noteG)
}

// beforeIdle has nothing to run: the idle M halts in mwait.
func beforeIdle(now, pollUntil int64) (*g, bool) { return nil, false }

func checkTimeouts() {}
