//go:build tamago

// Asynchronous preemption. A request in stackguard0 is read in function
// prologues only, so a loop without calls would keep its processor for ever.
// The timer interrupt and an IPI come here through trap_tamago_amd64.go, on
// the signal stack, and inject a call of asyncPreempt at a safe point.

package runtime

const preemptMSupported = true

// kernelPreempt sends the preemption interrupt to a processor.
func kernelPreempt(cpu uint64)

func preemptM(mp *m) {
	if mp.signalPending.CompareAndSwap(0, 1) {
		kernelPreempt(mp.procid)
	}
}

// Pin keeps the calling goroutine on its processor until Unpin, which the
// same goroutine calls soon, without blocking. It may be called where there is
// no P, and on the system stack.
//
//go:nosplit
func Pin() { getg().m.locks++ }

// Unpin undoes one Pin.
//
//go:nosplit
func Unpin() {
	gp := getg()
	gp.m.locks--
	if gp.m.locks == 0 && gp.preempt {
		gp.stackguard0 = stackPreempt // cleared while it was not possible
	}
}
