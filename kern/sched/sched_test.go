package sched

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/errno"
	"mult/kern/proc"
)

// A world is a machine whose time passes only in its programs' user mode.
type world struct {
	t       *testing.T
	s       *Sched
	sys     *proc.System
	members []inst.Member
	now     atomic.Int64
	inUser  atomic.Int32
	alive   atomic.Int32 // instances
	ended   chan *inst.Inst

	mu    sync.Mutex
	progs map[uint64]func(t *proc.Thread)
	next  uint64
}

func newWorld(t *testing.T, cpus int) *world {
	w := &world{t: t, s: New(cpus), ended: make(chan *inst.Inst, 4), progs: map[uint64]func(*proc.Thread){}}
	w.sys = &proc.System{
		Sched: w.s,
		Clock: w.now.Load,
		Run: func(t *proc.Thread) {
			w.mu.Lock()
			f := w.progs[t.Ctx.BX]
			delete(w.progs, t.Ctx.BX)
			w.mu.Unlock()
			f(t)
			t.ExitGroup(0)
		},
		InitExited: func(in *inst.Inst, s proc.Status) { w.ended <- in },
	}
	w.members = []inst.Member{proc.Member(w.sys), w.s.Member()}
	return w
}

func (w *world) program(f func(t *proc.Thread)) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	w.progs[w.next] = f
	return w.next
}

func (w *world) start(name string, f func(t *proc.Thread)) *inst.Inst {
	w.alive.Add(1)
	in := insttest.New(w.t, name, w.members...)
	t, err := proc.Boot(in, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	t.Ctx.BX = w.program(f)
	t.Start()
	return in
}

// finish waits until n instances have ended, and checks that nothing is left.
func (w *world) finish(n int) {
	w.t.Helper()
	for range n {
		select {
		case in := <-w.ended:
			in.Release()
			if u := in.Used(inst.Heap); u != 0 {
				w.t.Errorf("%d bytes are still charged", u)
			}
		case <-time.After(100 * time.Second):
			panic("instance doesn't end")
		}
	}
	if w.alive.Add(-int32(n)) > 0 {
		return
	}
	if n := w.s.waiting.Load(); n != 0 || len(w.s.top.rivals) != 0 {
		w.t.Errorf("%d threads wait", n)
	}
	for i := range w.s.places {
		if w.s.places[i].Load() != nil {
			w.t.Errorf("grant %d isn't free", i)
		}
	}
}

func (w *world) fork(t *proc.Thread, f func(t *proc.Thread)) int {
	for {
		t.Ctx.BX = w.program(f)
		pid, err := t.Fork1(proc.CloneArgs{ExitSignal: proc.SIGCHLD})
		if err == proc.ERestartNoIntr && t.NextSignal().Kind != proc.DeliverExit {
			continue
		}
		if err != nil && !t.Dying() {
			w.t.Errorf("fork: %v", err)
		}
		return pid
	}
}

// user is a stay of t in user mode; false: t is to end.
func (w *world) user(t *proc.Thread, d time.Duration) bool {
	for !t.EnterUser() {
		if t.NextSignal().Kind == proc.DeliverExit {
			return false
		}
	}
	if n := w.inUser.Add(1); int(n) > len(w.s.places) {
		w.t.Errorf("%d threads in user mode", n)
	}
	t.Ctx.Entered = w.now.Load()
	t.Ctx.Left = w.now.Add(int64(d))
	w.inUser.Add(-1)
	t.LeaveUser()
	return true
}

// A meter counts pieces of a millisecond that hogs have had, from when all of
// them have begun until there are enough.
type meter struct {
	w      *world
	absent atomic.Int64 // hogs that have not begun
	total  atomic.Int64
	limit  int64
	hold   atomic.Pointer[thread] // if set, hogs wait until it waits
	wakeAt atomic.Int64           // total at which the sleeper is woken; 0: never
	sleep  *proc.Thread           // the sleeper
}

func (w *world) meter(hogs, limit int64) *meter {
	m := &meter{w: w, limit: limit}
	m.absent.Store(hogs)
	return m
}

// hog uses a processor until it is killed.
func (m *meter) hog(n *atomic.Int64) func(t *proc.Thread) {
	return func(t *proc.Thread) {
		for i := 0; m.w.user(t, time.Millisecond); i++ {
			if i == 0 {
				m.absent.Add(-1)
			}
			if m.absent.Load() <= 0 && m.total.Add(1) <= m.limit {
				n.Add(1)
			}
			if at := m.wakeAt.Load(); at > 0 && m.total.Load() >= at && m.wakeAt.CompareAndSwap(at, 0) {
				m.hold.Store(of(m.sleep))
				m.sleep.Unpark()
			}
			for h := m.hold.Load(); h != nil && !h.queued.Load() && m.hold.Load() == h && !t.Dying(); {
				time.Sleep(10 * time.Microsecond)
			}
		}
	}
}

// finish waits until there are enough, then ends t's instance.
func (m *meter) finish(t *proc.Thread) {
	for m.total.Load() < m.limit {
		time.Sleep(time.Millisecond)
	}
	t.ExitGroup(0)
}

// near reports whether a is b within a share.
func near(a, b int64, share float64) bool {
	d := float64(a-b) / float64(b)
	return d < share && d > -share
}

func TestFair(t *testing.T) {
	const threads, each = 50, 200
	w := newWorld(t, 1)
	m := w.meter(threads, threads*each)
	var n [threads]atomic.Int64
	w.start("fair", func(t *proc.Thread) {
		for i := range n {
			w.fork(t, m.hog(&n[i]))
		}
		m.finish(t)
	})
	w.finish(1)
	// Who had the processor alone before is behind by what lead says.
	for i := range n {
		if v := n[i].Load(); !near(v, each, 0.15) {
			t.Errorf("thread %d had %d, not %d", i, v, each)
		}
	}
}

func TestNice(t *testing.T) {
	w := newWorld(t, 1)
	m := w.meter(2, 4000)
	var a, b atomic.Int64
	w.start("nice", func(t *proc.Thread) {
		w.fork(t, m.hog(&a))
		w.fork(t, func(c *proc.Thread) {
			if err := c.SetPriority(proc.PRIO_PROCESS, 0, 5); err != nil {
				w.t.Error(err)
			}
			m.hog(&b)(c)
		})
		m.finish(t)
	})
	w.finish(1)
	if r := float64(a.Load()) / float64(b.Load()); r < 2.6 || r > 3.5 {
		t.Errorf("nice 0 had %.2f times what nice 5 had, want 3.06", r)
	}
}

// TestIdle: who computes with SCHED_IDLE leaves nearly all of a processor to one
// who hasn't, but not all, and gets it when there is nobody else.
func TestIdle(t *testing.T) {
	w := newWorld(t, 1)
	m := w.meter(2, 4000)
	var a, b atomic.Int64
	w.start("idle", func(t *proc.Thread) {
		w.fork(t, m.hog(&a))
		w.fork(t, func(c *proc.Thread) {
			if err := c.SetPolicy(0, proc.SCHED_IDLE); err != nil {
				w.t.Error(err)
			}
			m.hog(&b)(c)
		})
		m.finish(t)
	})
	w.finish(1)
	if r := float64(a.Load()) / float64(b.Load()); r < 50 {
		t.Errorf("SCHED_OTHER had %.2f times what SCHED_IDLE had, want about 341", r)
	}
}

// TestNoLongerIdle: who is taken out of SCHED_IDLE does not wait for the time that he
// had under it.
func TestNoLongerIdle(t *testing.T) {
	w := newWorld(t, 1)
	var idle atomic.Pointer[proc.Thread]
	var waited, stop atomic.Int64
	w.start("idle", func(t *proc.Thread) {
		w.fork(t, func(c *proc.Thread) {
			for n := int64(0); w.user(c, time.Millisecond) && stop.Load() == 0; {
				switch i := idle.Load(); {
				case i == nil:
				case n > 0:
					n++
					waited.Store(n)
				case of(i).queued.Load() && of(i).vt.Load() > of(i).g.minVT.Load()+int64(time.Second):
					if err := c.SetPolicy(i.TID, proc.SCHED_OTHER); err != nil {
						w.t.Error(err)
					}
					n = 1
				}
			}
		})
		w.fork(t, func(c *proc.Thread) {
			if err := c.SetPolicy(0, proc.SCHED_IDLE); err != nil {
				w.t.Error(err)
			}
			idle.Store(c)
			for waited.Load() == 0 && w.user(c, 4*time.Millisecond) {
			}
			if n := waited.Load(); n == 0 || n > 100 {
				w.t.Errorf("it waited for %d ms of another's time", n)
			}
			stop.Store(1)
		})
		for stop.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		t.ExitGroup(0)
	})
	w.finish(1)
}

func TestInstances(t *testing.T) {
	w := newWorld(t, 1)
	m := w.meter(11, 4000)
	var a, b atomic.Int64
	w.start("one", func(t *proc.Thread) {
		w.fork(t, m.hog(&a))
		m.finish(t)
	})
	w.start("many", func(t *proc.Thread) {
		for range 10 {
			w.fork(t, m.hog(&b))
		}
		m.finish(t)
	})
	w.finish(2)
	if !near(a.Load(), b.Load(), 0.15) {
		t.Errorf("one had %d, the ten of the other %d", a.Load(), b.Load())
	}
}

// TestWeights has instances with weights, some of which change on the way.
func TestWeights(t *testing.T) {
	w := newWorld(t, 1)
	m := w.meter(5, 7000)
	weights := []int{100, 200, 400}
	n := make([]atomic.Int64, len(weights))
	for i, weight := range weights {
		in := w.start("weighs", func(t *proc.Thread) {
			for range 1 + i%2 { // how many want it plays no part
				w.fork(t, m.hog(&n[i]))
			}
			m.finish(t)
		})
		if got := WeightOf(in); got != Weight {
			t.Errorf("a new instance weighs %d", got)
		}
		SetWeight(in, weight)
	}
	m.absent.Add(-1) // four hogs
	w.finish(len(weights))
	for i, weight := range weights {
		if want := 10 * int64(weight); !near(n[i].Load(), want, 0.1) {
			t.Errorf("weight %d had %d, not %d", weight, n[i].Load(), want)
		}
	}
	in := insttest.New(t, "limits", w.s.Member())
	for set, want := range map[int]int{0: 1, -5: 1, 1: 1, MaxWeight: MaxWeight, MaxWeight + 1: MaxWeight} {
		if SetWeight(in, set); WeightOf(in) != want {
			t.Errorf("weight %d became %d", set, WeightOf(in))
		}
	}
}

// TestCap has one of two instances with a cap; what it doesn't get the other has.
func TestCap(t *testing.T) {
	for _, percent := range []int{10, 50} {
		w := newWorld(t, 1)
		const pieces = 1000 // of a millisecond
		m := w.meter(0, pieces)
		m.absent.Store(1)
		var a, b atomic.Int64
		hogs := func(n *atomic.Int64) func(*proc.Thread) {
			return func(t *proc.Thread) {
				for range 3 {
					w.fork(t, func(c *proc.Thread) {
						for w.user(c, time.Millisecond) {
							time.Sleep(time.Millisecond) // timers go by the host's time
							if m.absent.Load() == 0 && m.total.Add(1) <= m.limit {
								n.Add(1)
							}
						}
					})
				}
				m.finish(t)
			}
		}
		one := w.start("capped", hogs(&a))
		w.start("free", hogs(&b))
		SetCap(one, percent)
		m.absent.Store(0)
		if CapOf(one) != percent {
			t.Errorf("the cap is %d", CapOf(one))
		}
		w.finish(2)
		if got := float64(a.Load()) * 100 / pieces; got < float64(percent)-2.5 || got > float64(percent)+2.5 {
			t.Errorf("with a cap of %d %% it had %.1f %%", percent, got)
		}
	}
}

// TestLongIdle has an instance with a cap, and a thread, that have slept for up to a
// hundred years: they have what they may save, not what an overflow makes of it.
func TestLongIdle(t *testing.T) {
	const year = int64(365 * 24 * time.Hour)
	w := newWorld(t, 4)
	w.start("idle", func(t *proc.Thread) {
		h := of(t)
		for _, slept := range []int64{int64(time.Second), int64(26 * time.Hour), year, 100 * year} {
			w.s.mu.Lock()
			h.g.purse, h.g.since, h.left = 0, t.Now()-slept, t.Now()-slept
			h.vt.Store(h.g.minVT.Load())
			if w.s.earnLocked(h); h.g.purse+bonus != savings {
				w.t.Errorf("after %v it has saved %d", time.Duration(slept), h.g.purse+bonus)
			}
			w.s.mu.Unlock()
		}
	})
	w.finish(1)
	for _, percent := range []int64{1, 50, 100000} {
		full := capPeriod * percent / 100
		for _, tt := range []struct{ tokens, idle, want int64 }{
			{0, 0, 0},
			{0, capPeriod / 2, full / 2},
			{full / 2, capPeriod, full},
			{-full, capPeriod, 0},
			{-full, 2 * capPeriod, full},
			{-full, int64(26 * time.Hour), full},
			{0, 100 * year, full},
			{-capDebt, 100 * year, full},
			{-capDebt, 0, -capDebt},
		} {
			g := &group{}
			g.cap.Store(percent)
			g.tokens, g.filled = tt.tokens, 1
			g.fillLocked(1 + tt.idle)
			if g.tokens != tt.want {
				t.Errorf("cap %d: %d tokens became %d after %v, want %d", percent, tt.tokens, g.tokens, time.Duration(tt.idle), tt.want)
			}
			if d := g.debtLocked(); d < 0 || d > 100*time.Duration(capDebt)+capLook {
				t.Errorf("cap %d: with %d tokens it waits for %v", percent, g.tokens, d)
			}
		}
	}
}

// TestNoCap takes a cap away from one that is held by it.
func TestNoCap(t *testing.T) {
	w := newWorld(t, 1)
	var n atomic.Int64
	in := w.start("capped", func(t *proc.Thread) {
		for w.user(t, time.Millisecond) {
			n.Add(1)
		}
	})
	SetCap(in, 1)
	g := slot.Of(in)
	for g.holds.Load()&overCap == 0 { // and no time passes from then on
		time.Sleep(time.Millisecond)
	}
	was := n.Load()
	time.Sleep(10 * time.Millisecond)
	if n.Load() > was+1 {
		t.Error("it goes on beyond its cap")
	}
	SetCap(in, 0)
	for n.Load() < was+100 {
		time.Sleep(time.Millisecond)
	}
	SetCap(in, 1)
	proc.TableOf(in).Kill(proc.SIGKILL)
	w.finish(1)
}

// TestBelow holds instances by what is said about the one above them.
func TestBelow(t *testing.T) {
	w := newWorld(t, 1)
	var n, other atomic.Int64
	spin := func(n *atomic.Int64) func(t *proc.Thread) {
		return func(t *proc.Thread) {
			for w.user(t, time.Millisecond) {
				n.Add(1)
				time.Sleep(100 * time.Microsecond)
			}
		}
	}
	top := w.start("top", func(t *proc.Thread) {
		for t.NextSignal().Kind != proc.DeliverExit {
			t.Pause()
		}
	})
	mid := insttest.Child(t, top, "mid")
	Suspend(mid)
	low := insttest.Child(t, mid, "low") // made while the one above is suspended
	side := insttest.Child(t, top, "side")
	for in, n := range map[*inst.Inst]*atomic.Int64{low: &n, side: &other} {
		th, err := proc.ForkInst1(in)
		if err != nil {
			t.Fatal(err)
		}
		th.Ctx.BX = w.program(spin(n))
		w.alive.Add(1)
		th.Start()
	}
	// grows waits until the one at the side has had much, and reports whether low has.
	grows := func() bool {
		was, from := n.Load(), other.Load()
		for other.Load() < from+50 {
			time.Sleep(time.Millisecond)
		}
		return n.Load() > was+1
	}
	for i, tt := range []struct {
		do    func()
		grows bool
	}{
		{func() {}, false},
		{func() { Suspend(low) }, false},
		{func() { Resume(mid) }, false},
		{func() { Resume(low) }, true},
		{func() {
			SetCap(mid, 1)
			for slot.Of(low).holds.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
		}, false},
		{func() { SetCap(mid, 0) }, true},
	} {
		tt.do()
		if got := grows(); got != tt.grows {
			t.Errorf("%d: it goes on: %v", i, got)
		}
	}
	SetCap(mid, 1)
	for _, in := range []*inst.Inst{low, side} {
		proc.TableOf(in).Kill(proc.SIGKILL)
		w.finish(1)
	}
	mid.Release()
	proc.TableOf(top).Kill(proc.SIGKILL)
	w.finish(1)
}

// TestSuspend suspends one of two instances with hogs: it gets nothing, the other one
// everything, and then both the same again. Its threads can be ended meanwhile.
func TestSuspend(t *testing.T) {
	w := newWorld(t, 2)
	m := w.meter(1<<60, 1<<60)
	var a, b atomic.Int64
	hogs := func(n *atomic.Int64) func(*proc.Thread) {
		return func(t *proc.Thread) {
			for range 3 {
				w.fork(t, func(c *proc.Thread) {
					for m.w.user(c, time.Millisecond) {
						n.Add(1)
					}
				})
			}
			for t.NextSignal().Kind != proc.DeliverExit {
				t.Pause()
			}
		}
	}
	one, two := w.start("one", hogs(&a)), w.start("two", hogs(&b))
	// more waits until a counter has grown, and says how much the other has meanwhile.
	more := func(n, other *atomic.Int64, by int64) int64 {
		was, from := other.Load(), n.Load()
		for n.Load() < from+by {
			time.Sleep(time.Millisecond)
		}
		return other.Load() - was
	}
	more(&a, &b, 100)
	more(&b, &a, 100)
	for range 3 {
		Suspend(one)
		Suspend(one)
		g := slot.Of(one)
		for all := false; !all; time.Sleep(time.Millisecond) { // those in user mode come back
			w.s.mu.Lock()
			all = len(g.queue) == 3
			w.s.mu.Unlock()
		}
		if n := more(&b, &a, 200); n != 0 {
			t.Errorf("the suspended one had %d of 200", n)
		}
		Resume(one)
		Resume(one)
		more(&a, &b, 200)
	}
	// Nobody waits for one that is suspended: the other has processors without asking.
	Suspend(one)
	Suspend(two)
	Resume(two)
	more(&b, &a, 10)
	// The end of the suspended one.
	proc.TableOf(one).Kill(proc.SIGKILL)
	w.finish(1)
	Suspend(two)
	Resume(two)
	more(&b, &a, 10)
	proc.TableOf(two).Kill(proc.SIGKILL)
	w.finish(1)
}

// TestSleeper shows that one who sleeps most of the time doesn't wait for the
// slices of many others, and that its advantage ends.
func TestSleeper(t *testing.T) {
	const hogs = 40
	w := newWorld(t, 1)
	var n atomic.Int64
	w.start("sleeper", func(t *proc.Thread) {
		m := w.meter(hogs, 1<<60)
		for range hogs {
			w.fork(t, m.hog(&n))
		}
		for n.Load() < 10*hogs {
			time.Sleep(time.Millisecond)
		}
		var worst int64
		for i := range 30 {
			go func() {
				for before := n.Load(); n.Load() < before+2*hogs; {
					time.Sleep(time.Millisecond / 4)
				}
				// No time passes between its waking up and its waiting.
				m.hold.Store(of(t))
				t.Unpark()
			}()
			t.Park(proc.Forever)
			before := n.Load()
			w.user(t, time.Millisecond/2)
			m.hold.Store(nil)
			if i > 0 { // what it did until now was work
				worst = max(worst, n.Load()-before)
			}
		}
		if worst > 12 {
			w.t.Errorf("waited for %d pieces of others", worst)
		}
		// Two hundred milliseconds at once: the others have their share.
		before := n.Load()
		for range 50 {
			for range 4 {
				w.user(t, time.Millisecond)
			}
		}
		if d := n.Load() - before; d < 20*hogs {
			w.t.Errorf("others had only %d", d)
		}
	})
	w.finish(1)
}

// TestShell has one who works a tenth of the time beside 200 who work all the
// time, twenty times its share: it never waits for a round of them.
func TestShell(t *testing.T) {
	const hogs = 200
	w := newWorld(t, 1)
	var n atomic.Int64
	w.start("shell", func(t *proc.Thread) {
		m := w.meter(hogs, 1<<60)
		m.sleep = t
		for range hogs {
			w.fork(t, m.hog(&n))
		}
		for n.Load() < 5*hogs {
			time.Sleep(time.Millisecond)
		}
		var worst int64
		for i := range 100 {
			m.wakeAt.Store(m.total.Load() + 20)
			t.Park(proc.Forever)
			before := n.Load()
			w.user(t, time.Millisecond)
			m.hold.Store(nil)
			w.user(t, time.Millisecond)
			if i > 0 {
				worst = max(worst, n.Load()-before)
			}
		}
		if worst > 20 {
			w.t.Errorf("waited for %d pieces of others", worst)
		}
	})
	w.finish(1)
}

// TestAlone shows that who had a processor alone owes little for it.
func TestAlone(t *testing.T) {
	w := newWorld(t, 1)
	m := w.meter(1, 1<<60)
	var a atomic.Int64
	w.start("alone", func(t *proc.Thread) {
		w.fork(t, m.hog(&a))
		for a.Load() < 5000 {
			time.Sleep(time.Millisecond)
		}
		done := make(chan bool)
		w.fork(t, func(c *proc.Thread) {
			defer close(done)
			before, streak, worst := a.Load(), 0, 0
			for range 1000 {
				w.user(c, time.Millisecond)
				if n := a.Load(); n != before {
					before, streak = n, 0
				}
				streak++
				worst = max(worst, streak)
			}
			if worst > 30 {
				w.t.Errorf("waited %d ms", worst)
			}
		})
		<-done
	})
	w.finish(1)
}

// TestKillWaiting ends threads that wait for a grant which nobody gives back.
func TestKillWaiting(t *testing.T) {
	w := newWorld(t, 1)
	release := make(chan bool)
	w.start("kill", func(t *proc.Thread) {
		w.fork(t, func(c *proc.Thread) {
			w.user(c, 1)
			<-release // with the grant
		})
		for w.s.places[0].Load() == nil {
			time.Sleep(time.Millisecond / 4)
		}
		for range 20 {
			pid := w.fork(t, func(c *proc.Thread) {
				for w.user(c, 1) {
				}
			})
			t.Kill(pid, proc.SIGKILL)
			for {
				r, err := t.Wait4(pid, 0)
				if err == proc.ERestartSys {
					t.NextSignal()
					continue
				}
				if r.Status.Signal() != proc.SIGKILL {
					w.t.Errorf("%+v %v", r, err)
				}
				break
			}
		}
		close(release)
	})
	w.finish(1)
}

// TestStress has two instances that fork, sleep, wake, kill and run.
func TestStress(t *testing.T) {
	for _, cpus := range []int{1, 2, 4} {
		w := newWorld(t, cpus)
		w.sys.Clock = nil
		for k := range uint64(2) {
			w.start("stress", func(t *proc.Thread) {
				var (
					q  proc.Queue
					mu sync.Mutex
				)
				var work func(depth int, seed uint64) func(t *proc.Thread)
				work = func(depth int, seed uint64) func(t *proc.Thread) {
					return func(t *proc.Thread) {
						r := rand.New(rand.NewPCG(seed, uint64(t.TID)))
						for range 30 {
							if !w.user(t, 0) {
								return
							}
							switch r.IntN(11) {
							case 0:
								if depth > 0 {
									w.fork(t, work(depth-1, r.Uint64()))
								}
							case 1:
								mu.Lock()
								t.Wait(&q, &mu, t.Now()+int64(r.IntN(100))*1000)
								mu.Unlock()
							case 2:
								q.Wake(2)
							case 3:
								t.Yield()
							case 4:
								t.Kill(2+r.IntN(200), proc.SIGTERM)
							case 5:
								t.SetPriority(proc.PRIO_PROCESS, 0, r.IntN(40)-20)
							case 6:
								t.Wait4(-1, proc.WNOHANG)
							case 7:
								t.RequestYield()
							case 8:
								t.Kill(2+r.IntN(200), proc.SIGSTOP)
							case 9:
								t.Kill(2+r.IntN(200), proc.SIGCONT)
							case 10:
								t.Ctx.BX = w.program(work(0, r.Uint64()))
								t.Fork1(proc.CloneArgs{Flags: proc.CLONE_THREAD | proc.CLONE_SIGHAND |
									proc.CLONE_VM | proc.CLONE_FILES | proc.CLONE_FS})
							}
						}
					}
				}
				for i := range uint64(60) {
					w.fork(t, work(2, k*1000+i))
				}
				for {
					r, err := t.Wait4(-1, proc.WALL|proc.WNOHANG)
					switch {
					case err == errno.ECHILD:
						return
					case err != nil:
						t.NextSignal()
					case r.PID == 0:
						t.Kill(-1, proc.SIGCONT)
						t.Sleep(t.Now() + 100_000)
					}
				}
			})
		}
		w.finish(2)
	}
}

func BenchmarkEnterLeave(b *testing.B) {
	s := New(2)
	in := insttest.New(b, "bench", s.Member())
	sys := &proc.System{Sched: s}
	m := proc.Member(sys)
	m.Alloc(in, nil)
	t, err := proc.Boot(in, nil)
	if err != nil {
		b.Fatal(err)
	}
	s.Start(t, nil)
	for b.Loop() {
		s.Enter(t)
		s.Leave(t)
	}
}

func BenchmarkUserKernel(b *testing.B) {
	s := New(2)
	in := insttest.New(b, "bench", s.Member())
	sys := &proc.System{Sched: s}
	m := proc.Member(sys)
	m.Alloc(in, nil)
	t, err := proc.Boot(in, nil)
	if err != nil {
		b.Fatal(err)
	}
	s.Start(t, nil)
	for b.Loop() {
		t.EnterUser()
		t.LeaveUser()
	}
}
