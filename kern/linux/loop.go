package linux

import (
	"fmt"
	"runtime/debug"
	"strings"
	"sync/atomic"

	"mult/arch"
	"mult/kern/errno"
	"mult/kern/linux/calls"
	"mult/kern/linux/sigframe"
	"mult/kern/proc"
	"mult/kern/vm"
)

// Thread is what the goroutine of a thread does: user mode, what user mode
// asked for, signals, and again, until the thread ends. A panic on the way,
// which is a fault of the kernel, ends the process and nothing else.
func (k *Kernel) Thread(t *proc.Thread) {
	for !k.run(t) {
	}
}

// run is Thread up to a panic; it reports whether the thread has ended.
func (k *Kernel) run(t *proc.Thread) (ended bool) {
	defer func() {
		if r := recover(); r != nil {
			k.oops(t, r)
		}
	}()
	c := t.Ctx
	args := new(Args) // of one call after the other: a pointer to it goes to code that Go doesn't look into
	for {
		atomic.StoreUint32(&c.Kicked, 0)
		if !t.EnterUser() {
			if !k.signals(t, 0) {
				return true
			}
			continue
		}
		k.Machine.Run(c)
		t.LeaveUser()
		switch c.Trap {
		case arch.TrapSyscall:
			if !k.syscall(t, args) {
				return true
			}
		case arch.TrapInterrupt:
		case arch.TrapPage:
			if err := t.Space().Fault(vm.Addr(c.Addr), c.Err); err != nil {
				k.pageFault(t, err)
			} else {
				t.CountFault(false)
			}
		default:
			k.exception(t)
		}
	}
}

// syscall makes the call that the registers ask for, with room for its arguments;
// false: the thread has ended.
func (k *Kernel) syscall(t *proc.Thread, a *Args) bool {
	c := t.Ctx
	nr := uint64(uint32(c.AX))
	call := find(nr)
	if call == nil {
		c.AX = negative(errno.ENOSYS)
		return true
	}
	a[0], a[1], a[2], a[3], a[4], a[5] = c.DI, c.SI, c.DX, c.R10, c.R8, c.R9
	v, err := call(k, t, a)
	if err == nil {
		if c.Trap == arch.TrapSyscall { // else the registers are not the call's any more
			c.AX = uint64(v)
		}
		return true
	}
	switch err := err.(type) {
	case errno.Errno:
		c.AX = negative(err)
	case proc.Restart:
		c.AX = nr
		return k.signals(t, err)
	case exited:
		return false
	default:
		panic(fmt.Sprintf("linux: %s returned %T: %v", nameOf(nr), err, err))
	}
	return true
}

// find returns the handler of a call, nil if there is none.
func find(nr uint64) handler {
	switch {
	case nr < uint64(len(table)):
		return table[nr].handler
	case nr >= privateBase && nr < privateBase+uint64(len(private)):
		return private[nr-privateBase].handler
	}
	return nil
}

// nameOf returns the name of a call, for messages.
func nameOf(nr uint64) string {
	if nr >= privateBase && nr < privateBase+uint64(len(private)) {
		return private[nr-privateBase].name
	}
	if name := calls.Name(nr); name != "" {
		return name
	}
	return fmt.Sprintf("call %d", nr)
}

func negative(e errno.Errno) uint64 { return -uint64(e) }

// exited is the error of a call that ended its thread.
type exited struct{}

func (exited) Error() string { return "the thread has ended" }

// syscallSize is the length of the SYSCALL instruction.
const syscallSize = 2

// signals serves what is pending. again says that the last call was
// interrupted, and what is to become of it; its number is in AX then. It
// returns false when the thread has ended.
func (k *Kernel) signals(t *proc.Thread, again proc.Restart) bool {
	c := t.Ctx
	for {
		d := t.NextSignal()
		switch d.Kind {
		case proc.DeliverExit:
			t.Exit(0)
			return false
		case proc.DeliverNone:
			switch {
			case again == 0:
			case again == proc.ERestartBlock:
				c.AX = sysRestart
				c.IP -= syscallSize
			default:
				c.IP -= syscallSize
			}
			return true
		}
		if again != 0 {
			if again.Again(d.Action.Flags) {
				c.IP -= syscallSize
			} else {
				c.AX = negative(errno.EINTR)
			}
			again = 0
		}
		k.deliver(t, &d)
	}
}

// deliver makes the thread enter a handler.
func (k *Kernel) deliver(t *proc.Thread, d *proc.Delivery) {
	c := t.Ctx
	k.Machine.Settle(c)
	alt, err := sigframe.Deliver(t.Space(), c, d, t.AltStack(), t.Fault, k.Machine.AVX())
	if err != nil {
		t.FrameFailed(d.Info.Signo)
		return
	}
	t.SetAltStack(alt)
	c.Trap = arch.TrapInterrupt
}

// pageFault raises the signal of a page fault that could not be served.
func (k *Kernel) pageFault(t *proc.Thread, err error) {
	f, ok := err.(*vm.FaultError)
	if !ok {
		panic(err)
	}
	t.Fault = proc.Fault{Trap: arch.TrapPage, Err: t.Ctx.Err, Addr: t.Ctx.Addr}
	t.ForceSignal(proc.FaultInfo(proc.Signal(f.Signal), int32(f.Code), uint64(f.Addr)))
}

// exceptions are the signals for exceptions other than page faults, as
// arch/x86/kernel/traps.c raises them.
var exceptions = [32]struct {
	sig  proc.Signal
	code int32
	addr bool // si_addr is the instruction
}{
	arch.TrapDivide:     {proc.SIGFPE, proc.FPE_INTDIV, true},
	arch.TrapDebug:      {proc.SIGTRAP, proc.TRAP_TRACE, true},
	arch.TrapBreakpoint: {proc.SIGTRAP, proc.SI_KERNEL, false},
	arch.TrapOverflow:   {proc.SIGSEGV, proc.SI_KERNEL, false},
	arch.TrapBound:      {proc.SIGSEGV, proc.SI_KERNEL, false},
	arch.TrapOpcode:     {proc.SIGILL, proc.ILL_ILLOPN, true},
	arch.TrapSegment:    {proc.SIGBUS, proc.SI_KERNEL, false},
	arch.TrapStack:      {proc.SIGBUS, proc.SI_KERNEL, false},
	arch.TrapProtection: {proc.SIGSEGV, proc.SI_KERNEL, false},
	arch.TrapFPU:        {proc.SIGFPE, 0, true},
	arch.TrapAlignment:  {proc.SIGBUS, proc.BUS_ADRALN, true},
	arch.TrapSIMD:       {proc.SIGFPE, 0, true},
}

func (k *Kernel) exception(t *proc.Thread) {
	c := t.Ctx
	e := exceptions[c.Trap&31]
	if e.sig == 0 {
		e.sig, e.code = proc.SIGSEGV, proc.SI_KERNEL
	}
	t.Fault.Trap, t.Fault.Err = c.Trap, c.Err
	switch c.Trap {
	case arch.TrapFPU, arch.TrapSIMD:
		k.Machine.Settle(c)
		e.code = fpuCode(c)
	}
	if e.addr {
		t.ForceSignal(proc.FaultInfo(e.sig, e.code, c.IP))
	} else {
		t.ForceSignal(proc.Info(e.sig, e.code))
	}
}

// fpuCode is the si_code of a floating point exception: the first that is
// flagged and not masked.
func fpuCode(c *arch.Context) int32 {
	var flags uint16
	if c.Trap == arch.TrapFPU {
		control := uint16(c.FPU[0]) | uint16(c.FPU[1])<<8
		status := uint16(c.FPU[2]) | uint16(c.FPU[3])<<8
		flags = status &^ control
	} else {
		mxcsr := uint16(c.FPU[24]) | uint16(c.FPU[25])<<8
		flags = mxcsr &^ (mxcsr >> 7)
	}
	for _, f := range [...]struct {
		bit  uint16
		code int32
	}{{1 << 0, proc.FPE_FLTINV}, {1 << 2, fpeFLTDIV}, {1 << 3, fpeFLTOVF}, {1<<4 | 1<<1, fpeFLTUND}, {1 << 5, fpeFLTRES}} {
		if flags&f.bit != 0 {
			return f.code
		}
	}
	return 0
}

// More values of si_code for SIGFPE.
const (
	fpeFLTDIV = 3
	fpeFLTOVF = 4
	fpeFLTUND = 5
	fpeFLTRES = 6
)

// oops logs a fault of the kernel and condemns the process that met it.
func (k *Kernel) oops(t *proc.Thread, reason any) {
	in, comm := t.Inst(), strings.ReplaceAll(t.Comm(), "\n", " ")
	k.Log.Errf("kernel fault: instance %d (%s), process %d (%s), %s: %v\n%s",
		in.ID, in.Name(), t.Proc.PID, comm, callName(t.Ctx), reason, debug.Stack())
	k.Proc.Logf(in, "process %d (%s) ends by a fault of the kernel", t.Proc.PID, comm)
	t.Proc.ExitGroup(proc.SignalStatus(proc.SIGSEGV))
}

// callName is what a thread has asked the kernel for.
func callName(c *arch.Context) string {
	if c.Trap == arch.TrapSyscall {
		return nameOf(uint64(uint32(c.AX)))
	}
	return fmt.Sprintf("trap %d", c.Trap)
}
