package proc

import (
	"time"

	"mult/arch"
	"mult/inst"
	"mult/kern/vm"
)

// Reasons for a thread to stay in the kernel, bits of Thread.work. They change
// with Proc.mu held.
const (
	workSignal = 1 << iota // a signal is to be delivered
	workStop               // the process stops
	workDie                // the thread ends
)

// threadState is what /proc shows of a thread.
const (
	threadRunning = iota
	threadSleeping
	threadDeepSleep // not ended by signals
	threadStopped
	threadEnded
)

// newThread makes a thread that nobody knows yet. Its heap is charged.
func newThread(p *Proc, c *arch.Context) *Thread {
	t := &Thread{Proc: p, Ctx: c, wake: make(chan struct{}, 1)}
	t.waiter.t = t
	t.granted = p.sys.Sched == nil
	return t
}

// Start starts the goroutine of a thread that Boot or ForkInst1 returned.
func (t *Thread) Start() { go t.run() }

// schedule makes t known to the scheduler, before anybody else knows it.
func (t *Thread) schedule(by *Thread) {
	if s := t.Proc.sys.Sched; s != nil {
		s.Start(t, by)
	}
}

func (t *Thread) run() {
	t.startCharging()
	t.Proc.tab.noteRunning()
	t.Proc.sys.Run(t)
	if !t.exited {
		t.Exit(ExitStatus(0))
	}
}

// Cred returns the credentials of t. Any goroutine may call it.
func (t *Thread) Cred() *Cred { return t.cred.Load() }

// Inst returns the instance of t.
func (t *Thread) Inst() *inst.Inst { return t.Proc.Inst }

// Now returns the time of the monotonic clock in nanoseconds.
func (t *Thread) Now() int64 { return t.Proc.sys.Now() }

// Space returns the address space of t, which stays while t doesn't exec.
func (t *Thread) Space() *vm.Space { return t.Proc.space }

// Comm returns the name of t. Any goroutine may call it.
func (t *Thread) Comm() string {
	if s := t.comm.Load(); s != nil {
		return *s
	}
	return t.Proc.Comm()
}

// SetComm names t; 15 bytes count.
func (t *Thread) SetComm(s string) {
	c := clipComm(s)
	t.comm.Store(&c)
	if p := t.Proc; t.TID == p.PID {
		p.mu.Lock()
		p.comm = c
		p.mu.Unlock()
	}
}

// clipComm returns a copy of the part of a name that the kernel keeps.
func clipComm(s string) string {
	if len(s) > 15 {
		s = s[:15]
	}
	return string([]byte(s))
}

// SetTIDAddress keeps the address that is cleared when t ends:
// set_tid_address(2).
func (t *Thread) SetTIDAddress(a vm.Addr) { t.clearTID = a }

// TIDAddress returns what SetTIDAddress or CLONE_CHILD_CLEARTID set.
func (t *Thread) TIDAddress() vm.Addr { return t.clearTID }

// SetRobustList keeps the arguments of set_robust_list(2).
func (t *Thread) SetRobustList(head vm.Addr, n uint64) { t.robustHead, t.robustLen = head, n }

// RobustList returns what SetRobustList kept.
func (t *Thread) RobustList() (head vm.Addr, n uint64) { return t.robustHead, t.robustLen }

// Interrupted reports whether t has something to do that ends its sleeps: a
// signal, a stop, its end. Any goroutine may call it.
func (t *Thread) Interrupted() bool { return t.work.Load() != 0 }

// Dying reports whether t will end before it sees user mode again.
func (t *Thread) Dying() bool { return t.work.Load()&workDie != 0 }

// addWorkLocked gives t reasons to stay in the kernel, and gets it there: out
// of user mode or of its sleep. Proc.mu is held.
func (t *Thread) addWorkLocked(w uint32) {
	t.work.Or(w)
	t.kick()
	t.unpark()
	if s := t.Proc.sys.Sched; s != nil {
		s.Interrupt(t)
	}
}

// settle completes t.Ctx: see arch.Machine. It is called before t sleeps, so that it
// can wake up on any processor at no cost, and before it ends.
func (t *Thread) settle() {
	if v := t.Proc.sys.VM; v != nil {
		v.Machine.Settle(t.Ctx)
	}
}

// kick makes t leave user mode, or not enter it.
func (t *Thread) kick() {
	if v := t.Proc.sys.VM; v != nil {
		v.Machine.Kick(t.Ctx)
	}
}

// EnterUser is called right before user mode. It waits until t has a grant for
// a processor. It returns false if t has something else to do first, which
// NextSignal says. The loop of a thread is
//
//	for {
//		c.Kicked = 0
//		if t.EnterUser() {
//			machine.Run(c)
//			t.LeaveUser()
//			handle why it came back
//		}
//		switch d := t.NextSignal(); d.Kind {
//		case DeliverHandler:
//			build the frame, and ask again
//		case DeliverExit:
//			t.Exit(0)
//			return
//		}
//	}
//
// What comes after EnterUser kicks Run.
func (t *Thread) EnterUser() bool {
	for t.work.Load() == 0 && !t.sigs.restore {
		if t.granted && !t.yield.Load() && !t.sliceOver {
			return true
		}
		t.yield.Store(false)
		s := t.Proc.sys.Sched
		if s == nil {
			return true
		}
		t.chargeKernel()
		t.publish()
		t.settle()
		t.granted = s.Enter(t)
		t.startCharging()
		t.sliceEnd = t.CPUTime() + int64(Slice)
		t.sliceOver = false
	}
	return false
}

// LeaveUser is called right after user mode; t.Ctx says how long that was.
func (t *Thread) LeaveUser() { t.chargeRun() }

// Slice is how long a thread has a processor before the scheduler is asked
// again. A thread that stays in user mode comes back with the processor's tick,
// every 4 ms, so that is 4 ms.
const Slice = 3 * time.Millisecond

// Yielding reports whether RequestYield waits for t. Any goroutine may call it.
func (t *Thread) Yielding() bool { return t.yield.Load() }

// RequestYield makes t leave user mode soon, so that EnterUser asks the
// scheduler again. Any goroutine calls it.
func (t *Thread) RequestYield() {
	t.yield.Store(true)
	t.kick()
}

// Yield lets others have the processor first: sched_yield(2).
func (t *Thread) Yield() {
	t.polite = true
	t.yield.Store(true)
}

// TakeYield reports whether t has called Yield since the last time. It is for
// the scheduler, in Enter.
func (t *Thread) TakeYield() bool {
	p := t.polite
	t.polite = false
	return p
}
