package proc

import (
	"math"
	"time"

	"mult/inst"
	"mult/kern/vm"
)

// A System is what all instances of a machine have in common. Its fields are
// set before the first instance is made.
type System struct {
	VM *vm.System
	// Run is what the goroutine of a thread does: it enters user mode again
	// and again, until NextSignal or Exit says that the thread is over. See
	// Thread.EnterUser.
	Run func(t *Thread)
	// Sched says who may enter user mode; nil: everybody, always.
	Sched Scheduler
	// Parts are the rows of the table of what processes consist of, in the
	// order in which they are made; they are unmade in reverse.
	Parts []Part
	// InitExited is called once for an instance, when process 1 and then all
	// others have ended and nothing of them is left. It may free the
	// instance. nil: nothing.
	InitExited func(in *inst.Inst, s Status)
	// Log gets what an operator should know; nil: nobody.
	Log func(in *inst.Inst, format string, args ...any)
	// Clock returns nanoseconds of a clock that never goes back; nil: that
	// of package time.
	Clock func() int64
	// Ticks counts up steadily: it measures what threads use. It is the counter
	// of arch.Context's Entered and Left. nil: Clock.
	Ticks func() int64
	// TickTime returns how many nanoseconds a number of ticks are; nil: as many.
	TickTime func(ticks int64) int64
	// Away returns how long the calling goroutine has had no processor, in ticks
	// since some time: it slept, or was ready while others ran. A thread isn't
	// charged for it. nil: not known.
	Away func() int64

	base time.Time // [const] by the first Member
}

// Forever is the deadline that never comes.
const Forever int64 = math.MaxInt64

// A Scheduler hands out the grants that are needed to be in user mode, one for
// each processor. A thread keeps its grant while it is in the kernel, and gives
// it back when it sleeps.
type Scheduler interface {
	// Start is called before anybody knows t; by is the thread that makes
	// it, and calls, nil for the first of an instance. t may be dropped
	// without a Stop.
	Start(t, by *Thread)
	// Enter returns when t has a grant; if t was asked to yield, others
	// had their turn first. It returns false without one, if there is
	// something that t must do in the kernel first (Interrupt).
	Enter(t *Thread) bool
	// Leave takes the grant back, if t has one; t is about to sleep.
	Leave(t *Thread)
	// Interrupt makes an Enter(t) that waits, or the next one if none
	// waits, see Thread.Interrupted. Any goroutine calls it.
	Interrupt(t *Thread)
	// Renice says that nice value or policy of t have changed. Any goroutine calls it.
	Renice(t *Thread)
	// Stop is called when t ends, by itself. t has no grant after it.
	Stop(t *Thread)
}

// Now returns the time of the monotonic clock in nanoseconds.
func (s *System) Now() int64 {
	if s.Clock != nil {
		return s.Clock()
	}
	return int64(time.Since(s.base))
}

// Logf logs something about an instance.
func (s *System) Logf(in *inst.Inst, format string, args ...any) {
	if s.Log != nil {
		s.Log(in, format, args...)
	}
}
