package proc

import (
	"sync/atomic"
	"testing"
	"time"

	"mult/kern/errno"
)

func TestItimers(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		catch(w, t, 0, 0, SIGALRM, SIGVTALRM, SIGPROF)
		if _, err := t.SetItimer(3, Itimer{}); err != errno.EINVAL {
			w.t.Error(err)
		}
		t.SetItimer(ITIMER_REAL, Itimer{Value: 1e6, Interval: 2e6})
		for range 3 {
			t.Pause()
			d := want(w, t, SIGALRM)
			t.SetSigMask(d.Mask)
		}
		if v, _ := t.SetItimer(ITIMER_REAL, Itimer{}); v.Interval != 2e6 || v.Value == 0 {
			w.t.Errorf("old %+v", v)
		}
		for t.NextSignal().Kind == DeliverHandler {
		}
		for which, sig := range map[int]Signal{ITIMER_VIRTUAL: SIGVTALRM, ITIMER_PROF: SIGPROF} {
			t.SetItimer(which, Itimer{Value: 3e6})
			for !t.Interrupted() {
				if t.EnterUser() {
					program(t, func() {
						for end := time.Now().Add(time.Millisecond / 2); time.Now().Before(end); {
						}
					})
				}
			}
			d := want(w, t, sig)
			t.SetSigMask(d.Mask)
		}
		if u := t.Proc.Usage(); u.UTime < 3e6 {
			w.t.Errorf("used %+v", u)
		}
	})
}

func TestCPULimit(t *testing.T) {
	w := newWorld(t)
	var now atomic.Int64
	w.sys.Clock = func() int64 { return now.Add(1e5) }
	w.run(func(t *Thread) {
		pid := w.fork(t, func(c *Thread) {
			catch(w, c, 0, 0, SIGXCPU)
			if _, err := c.Prlimit(0, RLIMIT_CPU, &Rlimit{1, 3}); err != nil {
				w.t.Error(err)
			}
			soft := 0
			for {
				if c.EnterUser() {
					program(c, func() {})
				}
				d := c.NextSignal()
				if d.Kind == DeliverExit {
					break
				}
				if d.Kind == DeliverHandler {
					soft++
					c.SetSigMask(d.Mask)
				}
			}
			if soft != 2 {
				w.t.Errorf("%d SIGXCPU", soft)
			}
		})
		if r := w.wait(t, pid, 0); r.Status.Signal() != SIGKILL || r.Usage.UTime+r.Usage.STime < 3e9 {
			w.t.Errorf("%+v", r)
		}
		if u := t.Proc.ChildrenUsage(); u.UTime == 0 || u.UTime+u.STime < 3e9 {
			w.t.Errorf("children %+v", u)
		}
	})
}
