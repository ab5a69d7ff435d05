//go:build tamago

package runtime

import (
	"internal/abi"
	"unsafe"
)

// Assembly of the kernel calls these.
//
//go:linkname trapcall
func trapcall()

//go:linkname settls

// KernelTrap is what the kernel's interrupt entry found: the interrupted
// program counter, stack pointer and g. The functions below may change PC and
// SP, to which the entry returns.
type KernelTrap struct {
	PC, SP, G uintptr
}

// push makes the interrupted code look as if it had called fn.
func (t *KernelTrap) push(fn, resume uintptr) {
	t.SP -= 8
	*(*uintptr)(unsafe.Pointer(t.SP)) = resume
	t.PC = fn
}

// goroutine returns the interrupted goroutine, nil if the scheduler or other
// code of the runtime's own stacks was interrupted. It is called on the signal
// stack of the same M.
func (t *KernelTrap) goroutine() *g {
	if gp := getg().m.curg; gp != nil && uintptr(unsafe.Pointer(gp)) == t.G {
		return gp
	}
	return nil
}

// TrapPreempt preempts the interrupted goroutine at once if it is at a safe
// point, else soon. With tick, the timer's time slice is over; without, the
// scheduler has sent an IPI because of a request of its own. It is called on
// the signal stack with interrupts off.
//
//go:nowritebarrierrec
func TrapPreempt(t *KernelTrap, tick bool) {
	mp := getg().m
	if gp, pp := mp.curg, mp.p.ptr(); tick && gp != nil && pp != nil && pp.status == _Prunning {
		// As sysmon does. A GC worker reads gp.preempt on the system stack.
		gp.preempt = true
		gp.stackguard0 = stackPreempt
		pp.preempt = true
	}
	if gp := t.goroutine(); gp != nil && wantAsyncPreempt(gp) {
		if ok, pc := isAsyncSafePoint(gp, t.PC, t.SP, 0); ok {
			t.push(abi.FuncPCABI0(asyncPreempt), pc)
		}
	}
	if !tick {
		mp.preemptGen.Add(1)
		mp.signalPending.Store(0)
	}
}

// TrapFault turns a fault of the interrupted goroutine into a call of
// sigpanic. It reports false when the code that faulted can't panic: the
// scheduler, a holder of a runtime lock, the allocator.
func TrapFault(t *KernelTrap, vector, code, addr uintptr) bool {
	gp := t.goroutine()
	if gp == nil {
		return false
	}
	mp := gp.m
	if mp.locks != 0 || mp.mallocing != 0 || mp.throwing != 0 || mp.preemptoff != "" || mp.dying != 0 {
		return false
	}
	if readgstatus(gp)&^_Gscan != _Grunning || t.SP < gp.stack.lo || t.SP >= gp.stack.hi {
		return false
	}
	gp.sig = _SIGSEGV
	gp.sigcode0 = vector<<32 | code
	gp.sigcode1 = addr
	gp.sigpc = t.PC
	if shouldPushSigpanic(gp, t.PC, *(*uintptr)(unsafe.Pointer(t.SP))) {
		t.push(abi.FuncPCABI0(sigpanic0), t.PC)
	} else {
		t.PC = abi.FuncPCABI0(sigpanic0)
	}
	return true
}

// kernelFault panics with a value that tells of the fault. The vector is in
// the upper half of code, the hardware's error code in the lower.
func kernelFault(gp unsafe.Pointer, code, addr, pc uintptr)

func sigpanic() {
	gp := getg()
	if !canpanic() {
		throw("unexpected fault during runtime execution")
	}
	code, addr, pc := gp.sigcode0, gp.sigcode1, gp.sigpc
	gp.sig, gp.sigcode0, gp.sigcode1 = 0, 0, 0
	kernelFault(unsafe.Pointer(gp), code, addr, pc)
	throw("kernelFault returned")
}

// TrapFatal prints the stacks of all goroutines, first that of the trap, for
// a kernel that is about to end. It is called on the signal stack, after the
// other processors have stopped. describe(pc) is called first if the trap did
// not come from within the allocator or under a runtime lock: it may allocate.
func TrapFatal(pc, sp, g0 uintptr, describe func(pc uintptr)) {
	mp := getg().m
	gp := (*g)(unsafe.Pointer(g0))
	mp.throwing = throwTypeRuntime
	if mp.mallocing == 0 && mp.locks == 0 && mp.p != 0 {
		// Let the allocator think that this is an ordinary stack.
		sig := mp.gsignal
		mp.gsignal, mp.preemptoff = nil, "fatal exception"
		describe(pc)
		mp.gsignal = sig
	}
	goroutineheader(gp)
	traceback(pc, sp, 0, gp)
	tracebackothers(gp)
}

// CPUOf returns the processor that newosproc has chosen for mp.
func CPUOf(mp unsafe.Pointer) uint64 { return (*m)(mp).procid }

// TrapUser is TrapPreempt for an interrupt of user mode: the goroutine that
// ran there is back in the kernel, with interrupts off, and gives way when it
// next calls a function.
//
//go:nosplit
//go:nowritebarrierrec
func TrapUser(tick bool) {
	gp := getg()
	mp := gp.m
	if tick {
		gp.preempt = true
		gp.stackguard0 = stackPreempt
		mp.p.ptr().preempt = true
		return
	}
	mp.preemptGen.Add(1)
	mp.signalPending.Store(0)
}
