package proc

import (
	"sync/atomic"
	"testing"
	"time"
)

// A thread isn't charged for what its goroutine waits for a processor, whether it was in
// user mode last or in the kernel.
func TestAway(t *testing.T) {
	const ms = int64(time.Millisecond)
	w := newWorld(t)
	var now, away atomic.Int64
	now.Store(1000 * ms)
	w.sys.Ticks, w.sys.Away = now.Load, away.Load
	in := w.instance("away")
	w.start(in, func(th *Thread) {
		th.chargeKernel()
		th.publish()
		last := th.Usage()
		check := func(what string, utime, stime int64) {
			t.Helper()
			u := th.Usage()
			if u.UTime-last.UTime != utime*ms || u.STime-last.STime != stime*ms {
				t.Errorf("%s: charged %d ns of the program and %d of the kernel, want %d and %d ms",
					what, u.UTime-last.UTime, u.STime-last.STime, utime, stime)
			}
			last = u
		}
		pass := func(all, without int64) {
			now.Add(all * ms)
			away.Add(without * ms)
		}

		pass(10, 7)
		check("in the kernel", 0, 3)

		th.Ctx.Entered = now.Add(1 * ms)
		th.Ctx.Left = now.Add(2 * ms)
		pass(500, 500)
		th.LeaveUser()
		check("after user mode", 2, 1)

		pass(9, 8)
		th.startCharging()
		pass(2, 1)
		check("after a sleep", 0, 1)

		// It lost its processor between the looks at the two.
		pass(0, 4)
		check("between", 0, 0)
		pass(6, 0)
		check("afterwards", 0, 2)
	})
	w.finish(in)
}
