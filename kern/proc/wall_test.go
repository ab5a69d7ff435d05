package proc

import (
	"sync/atomic"
	"testing"
	"time"

	"mult/kern/errno"
)

// A sleep to a time of day ends at that time, however the clock is set.
func TestClockSet(t *testing.T) {
	const short, hour = 1e6, 3600e9
	for _, back := range []bool{false, true} {
		w := newWorld(t)
		var clock, offset atomic.Int64 // the clocks stand still unless they are moved
		clock.Store(hour)
		offset.Store(2 * hour)
		w.sys.Clock = clock.Load
		wall := func() int64 { return clock.Load() + offset.Load() }
		at := wall() + hour
		if back {
			at = wall() + short
		}
		w.run(func(th *Thread) {
			tab := th.Proc.tab
			var end atomic.Int64
			pid := w.fork(th, func(c *Thread) {
				if err := c.SleepUntil(Deadline{At: at, Wall: wall}); err != errno.ETIMEDOUT {
					t.Error(err)
				}
				end.Store(wall())
			})
			eventually(t, "the child sleeps", func() bool { return tab.Find(pid).Stat().State == 'S' })
			if back {
				offset.Add(-hour)
				tab.ClockWasSet()
				clock.Add(2 * short)
				time.Sleep(20 * short) // if the child is wrong, it has time to say so
			}
			if end.Load() != 0 {
				t.Error("it sleeps no more")
			}
			offset.Add(hour)
			tab.ClockWasSet()
			w.wait(th, pid, 0)
			if end.Load() < at {
				t.Errorf("back %v: it slept until %d, want %d", back, end.Load(), at)
			}
		})
	}
}

// A sleep to a time of the monotonic clock knows nothing of others.
func TestSleepUntil(t *testing.T) {
	w := newWorld(t)
	w.run(func(th *Thread) {
		at := th.Now() + 1e6
		if err := th.SleepUntil(Deadline{At: at}); err != errno.ETIMEDOUT || th.Now() < at {
			t.Error(err, th.Now()-at)
		}
		if err := th.SleepUntil(Deadline{At: at, Wall: th.Now}); err != errno.ETIMEDOUT {
			t.Error(err) // a time that has passed
		}
	})
}
