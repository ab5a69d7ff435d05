package proc

import (
	"sync/atomic"
	"testing"
	"time"

	"mult/kern/errno"
)

// handler is an address that stands for one.
const handler = 0x1000

// none fails the test if a delivery is due.
func none(w *world, t *Thread) {
	w.t.Helper()
	if d := t.NextSignal(); d.Kind != DeliverNone {
		w.t.Errorf("unexpected delivery: %+v", d)
	}
}

// want fails the test unless the handler of sig is due.
func want(w *world, t *Thread, sig Signal) Delivery {
	w.t.Helper()
	d := t.NextSignal()
	if d.Kind != DeliverHandler || d.Info.Signo != sig {
		w.t.Errorf("delivery %+v, want signal %d", d, sig)
	}
	return d
}

func catch(w *world, t *Thread, flags uint64, mask Sigset, sigs ...Signal) {
	w.t.Helper()
	for _, s := range sigs {
		if _, err := t.Sigaction(s, &Action{Handler: handler, Flags: flags, Mask: mask}); err != nil {
			w.t.Errorf("sigaction(%d): %v", s, err)
		}
	}
}

func TestHandlers(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		me := t.Proc.PID
		none(w, t)
		catch(w, t, 0, SetOf(SIGUSR2), SIGUSR1)
		t.Kill(me, SIGUSR1)
		t.Kill(me, SIGUSR1) // the second is lost
		if !t.Interrupted() || t.Sleep(Forever) != ERestartSys {
			w.t.Error("signal doesn't interrupt")
		}
		d := want(w, t, SIGUSR1)
		if d.Mask != 0 || t.SigMask() != SetOf(SIGUSR1, SIGUSR2) || d.Info.PID() != me || d.Info.Code != SI_USER {
			w.t.Errorf("%+v, mask %x", d, t.SigMask())
		}
		none(w, t)
		t.Kill(me, SIGUSR1)
		none(w, t)
		if t.SigPending() != SetOf(SIGUSR1) {
			w.t.Errorf("pending %x", t.SigPending())
		}
		t.SetSigMask(d.Mask)
		want(w, t, SIGUSR1)
		t.SetSigMask(0)

		catch(w, t, SA_NODEFER|SA_RESETHAND, 0, SIGUSR1)
		t.Kill(me, SIGUSR1)
		want(w, t, SIGUSR1)
		if a, _ := t.Sigaction(SIGUSR1, nil); a.Handler != SIG_DFL || t.SigMask() != 0 {
			w.t.Errorf("SA_RESETHAND: %+v", a)
		}

		for _, s := range []Signal{SIGKILL, SIGSTOP, 0, 65, -1} {
			if _, err := t.Sigaction(s, &Action{}); err != errno.EINVAL {
				w.t.Errorf("sigaction(%d): %v", s, err)
			}
		}
		if _, err := t.SigProcMask(3, 0); err != errno.EINVAL {
			w.t.Error(err)
		}
		t.SigProcMask(SIG_SETMASK, ^Sigset(0))
		if t.SigMask() != ^unblockable {
			w.t.Errorf("mask %x", t.SigMask())
		}
		t.SigProcMask(SIG_UNBLOCK, ^SetOf(SIGHUP))
		if t.SigMask() != SetOf(SIGHUP) {
			w.t.Errorf("mask %x", t.SigMask())
		}
		// Ignoring forgets what is pending.
		catch(w, t, 0, 0, SIGHUP)
		t.Kill(me, SIGHUP)
		t.Sigaction(SIGHUP, &Action{Handler: SIG_IGN})
		if t.SigPending() != 0 {
			w.t.Error("ignored signal is pending")
		}
	})
}

func TestRealTime(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		me := t.Proc.PID
		catch(w, t, 0, 0, 34, 35, SIGTERM)
		t.SetSigMask(^Sigset(0))
		for i := range 3 {
			for _, s := range []Signal{35, 34} {
				info := SenderInfo(s, SI_QUEUE, me, 0)
				info.Data[8] = byte(i)
				if err := t.SigQueue(me, 0, info); err != nil {
					w.t.Error(err)
				}
			}
		}
		t.Kill(me, SIGTERM)
		t.SetSigMask(0)
		for _, s := range []Signal{SIGTERM, 34, 35} {
			t.SetSigMask(^SetOf(s))
			n := 3
			if s == SIGTERM {
				n = 1
			}
			for i := range n {
				if d := want(w, t, s); s != SIGTERM && d.Info.Value() != uint64(i) {
					w.t.Errorf("value %d, want %d", d.Info.Value(), i)
				}
				t.SetSigMask(^SetOf(s))
			}
			none(w, t)
		}
		// The limit.
		l := Rlimit{5, 5}
		t.Prlimit(0, RLIMIT_SIGPENDING, &l)
		t.SetSigMask(^Sigset(0))
		for i := range 7 {
			err := t.SigQueue(me, 0, SenderInfo(40, SI_QUEUE, me, 0))
			if (err == nil) != (i < 5) || err != nil && err != errno.EAGAIN {
				w.t.Errorf("signal %d: %v", i, err)
			}
		}
		if err := t.Kill(me, 41); err != nil {
			w.t.Errorf("kill over the limit: %v", err)
		}
		if err := t.Kill(me, SIGTERM); err != nil {
			w.t.Errorf("kill over the limit: %v", err)
		}
		if t.SigPending() != SetOf(40, 41, SIGTERM) {
			w.t.Errorf("pending %x", t.SigPending())
		}
		child := w.fork(t, sleepForever)
		if err := t.SigQueue(child, 0, SenderInfo(40, SI_USER, me, 0)); err != errno.EPERM {
			w.t.Errorf("pretending: %v", err)
		}
		t.Kill(child, SIGKILL)
	})
}

func TestKillErrors(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		for _, tt := range []struct {
			pid  int
			sig  Signal
			want error
		}{
			{1, 0, nil}, {0, 0, nil}, {-1, 0, errno.ESRCH}, {99, 0, errno.ESRCH}, {-99, 0, errno.ESRCH},
			{1, 65, errno.EINVAL}, {1, -1, errno.EINVAL}, {-1 << 31, 0, errno.ESRCH}, {1<<31 - 1, 0, errno.ESRCH},
		} {
			var got error
			if got = t.Kill(tt.pid, tt.sig); got != tt.want {
				w.t.Errorf("kill(%d, %d) = %v, want %v", tt.pid, tt.sig, got, tt.want)
			}
		}
		if err := t.Tkill(2, 1, 0); err != errno.ESRCH {
			w.t.Errorf("wrong process: %v", err)
		}
		if err := t.Tkill(0, 0, 0); err != errno.EINVAL {
			w.t.Errorf("thread 0: %v", err)
		}
		root := w.fork(t, sleepForever)
		user := w.fork(t, func(c *Thread) {
			if err := c.SetUID(1000); err != nil {
				w.t.Error(err)
			}
			for _, pid := range []int{1, root} {
				if err := c.Kill(pid, SIGTERM); err != errno.EPERM {
					w.t.Errorf("kill(%d): %v", pid, err)
				}
				if err := c.Kill(pid, SIGCONT); err != nil {
					w.t.Errorf("SIGCONT in the session: %v", err)
				}
				if err := c.Tkill(pid, pid, SIGTERM); err != errno.EPERM {
					w.t.Errorf("tgkill(%d): %v", pid, err)
				}
			}
			if err := c.Kill(-1, 0); err != nil {
				w.t.Errorf("kill(-1): %v", err)
			}
		})
		w.wait(t, user, 0)
		if err := t.Kill(-1, SIGKILL); err != nil {
			w.t.Error(err)
		}
		if r := w.wait(t, root, 0); r.Status.Signal() != SIGKILL {
			w.t.Errorf("%+v", r)
		}
	})
}

func TestInitIsImmune(t *testing.T) {
	w := newWorld(t)
	s := w.run(func(t *Thread) {
		pid := w.fork(t, func(c *Thread) {
			for s := Signal(1); s <= SIGRTMAX; s++ {
				if err := c.Kill(1, s); err != nil {
					w.t.Errorf("kill(1, %d): %v", s, err)
				}
			}
		})
		w.wait(t, pid, 0)
		none(w, t)
		t.SetSigMask(SetOf(SIGTERM))
		t.Kill(1, SIGTERM)
		t.SetSigMask(0)
		none(w, t)
		catch(w, t, 0, 0, SIGTERM)
		t.Kill(1, SIGTERM)
		want(w, t, SIGTERM)
		t.ForceSignal(FaultInfo(SIGSEGV, SEGV_MAPERR, 0))
		if d := t.NextSignal(); d.Kind != DeliverExit {
			w.t.Errorf("fault: %+v", d)
		}
	})
	if s.Signal() != SIGSEGV {
		t.Errorf("status %#x", s)
	}
}

func TestForce(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		for _, prepare := range []func(c *Thread){
			func(c *Thread) {},
			func(c *Thread) { c.Sigaction(SIGSEGV, &Action{Handler: SIG_IGN}) },
			func(c *Thread) { catch(w, c, 0, 0, SIGSEGV); c.SetSigMask(SetOf(SIGSEGV)) },
			func(c *Thread) {
				catch(w, c, 0, 0, SIGSEGV)
				c.ForceSignal(FaultInfo(SIGSEGV, SEGV_MAPERR, 42))
				if d := want(w, c, SIGSEGV); d.Info.Addr() != 42 {
					w.t.Errorf("%+v", d)
				}
				c.FrameFailed(SIGSEGV)
			},
		} {
			pid := w.fork(t, func(c *Thread) {
				prepare(c)
				c.ForceSignal(FaultInfo(SIGSEGV, SEGV_MAPERR, 0))
				if d := c.NextSignal(); d.Kind != DeliverExit {
					w.t.Errorf("%+v", d)
				}
			})
			if r := w.wait(t, pid, 0); r.Status.Signal() != SIGSEGV {
				w.t.Errorf("%+v", r)
			}
		}
	})
}

func TestSigWait(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		me := t.Proc.PID
		set := SetOf(SIGUSR1, SIGTERM)
		t.SetSigMask(set)
		if _, err := t.SigWait(set, t.Now()); err != errno.EAGAIN {
			w.t.Errorf("timeout: %v", err)
		}
		t.Kill(me, SIGUSR1)
		if i, err := t.SigWait(set, Forever); err != nil || i.Signo != SIGUSR1 || i.PID() != me {
			w.t.Errorf("pending: %+v %v", i, err)
		}
		for _, s := range []Signal{SIGUSR1, SIGTERM} {
			p := t.Proc
			w.thread(t, func(u *Thread) {
				eventually(w.t, "asleep", func() bool {
					p.mu.Lock()
					defer p.mu.Unlock()
					return t.sigs.real != 0
				})
				u.Kill(me, s)
			})
			if i, err := t.SigWait(set, Forever); err != nil || i.Signo != s {
				w.t.Errorf("waiting: %+v %v", i, err)
			}
			if t.SigMask() != set || t.Interrupted() {
				w.t.Error("state after sigwait")
			}
		}
		catch(w, t, 0, 0, SIGHUP)
		w.thread(t, func(u *Thread) {
			u.SetSigMask(^Sigset(0))
			time.Sleep(time.Millisecond)
			u.Kill(me, SIGHUP)
		})
		if _, err := t.SigWait(set, Forever); err != errno.EINTR {
			w.t.Errorf("other signal: %v", err)
		}
		want(w, t, SIGHUP)
	})
}

func TestSigSuspend(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		catch(w, t, 0, 0, SIGUSR1)
		t.SetSigMask(SetOf(SIGUSR1, SIGUSR2))
		t.Kill(1, SIGUSR1)
		if err := t.SigSuspend(SetOf(SIGHUP)); err != ERestartNoHand {
			w.t.Error(err)
		}
		if d := want(w, t, SIGUSR1); d.Mask != SetOf(SIGUSR1, SIGUSR2) || t.SigMask() != SetOf(SIGUSR1, SIGHUP) {
			w.t.Errorf("mask in frame %x, now %x", d.Mask, t.SigMask())
		}
		t.SetSigMask(SetOf(SIGUSR2))
		t.TempMask(0)
		t.EndTempMask(false)
		if t.SigMask() != SetOf(SIGUSR2) {
			w.t.Errorf("mask %x", t.SigMask())
		}
		t.TempMask(0)
		t.EndTempMask(true)
		none(w, t)
		if t.SigMask() != SetOf(SIGUSR2) {
			w.t.Errorf("mask %x", t.SigMask())
		}
	})
}

func TestRestartAgain(t *testing.T) {
	for _, tt := range []struct {
		r     Restart
		flags uint64
		want  bool
	}{
		{ERestartSys, 0, false}, {ERestartSys, SA_RESTART, true}, {ERestartNoIntr, 0, true},
		{ERestartNoHand, SA_RESTART, false}, {ERestartBlock, SA_RESTART, false},
	} {
		if got := tt.r.Again(tt.flags); got != tt.want {
			t.Errorf("%v.Again(%#x) = %v", tt.r, tt.flags, got)
		}
	}
}

func TestTargets(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		catch(w, t, 0, 0, SIGUSR1)
		// The first thread blocks the signal: another takes it.
		t.SetSigMask(SetOf(SIGUSR1))
		var taken atomic.Int32
		for range 3 {
			w.thread(t, func(u *Thread) {
				u.SetSigMask(0)
				u.Pause()
				for {
					d := u.NextSignal()
					if d.Kind == DeliverExit {
						return
					}
					if d.Kind == DeliverHandler {
						taken.Add(1)
						u.SetSigMask(d.Mask)
						continue
					}
					u.Pause()
				}
			})
		}
		for i := range int32(10) {
			t.Kill(1, SIGUSR1)
			eventually(w.t, "taken", func() bool { return taken.Load() == i+1 })
		}
		t.SetSigMask(0)
		t.Kill(1, SIGUSR1)
		want(w, t, SIGUSR1)
		t.ExitGroup(ExitStatus(0))
	})
}

// TestIsolation does the worst in one instance, and looks at the other.
func TestIsolation(t *testing.T) {
	w := newWorld(t)
	a, b := w.instance("a"), w.instance("b")
	killed, looked := make(chan bool), make(chan bool)
	w.start(a, func(t *Thread) {
		w.fork(t, sleepForever)
		<-looked
		for pid := range 100 {
			t.Kill(-1, SIGKILL)
			t.Kill(pid, SIGKILL)
			t.Kill(-pid, SIGKILL)
			t.Tkill(0, pid, SIGKILL)
			t.SetPriority(PRIO_PROCESS, pid, 10)
			t.SetPriority(PRIO_USER, 0, 10)
			t.Prlimit(pid, RLIMIT_NOFILE, &Rlimit{1, 1})
		}
		close(killed)
	})
	w.start(b, func(t *Thread) {
		pid := w.fork(t, sleepForever)
		close(looked)
		<-killed
		if r, err := t.Wait4(pid, WNOHANG); r.PID != 0 || err != nil {
			w.t.Errorf("child: %+v %v", r, err)
		}
		p := TableOf(b).Find(pid)
		if s := p.Stat(); s.Nice != 0 || p.Limit(RLIMIT_NOFILE) != 1024 || t.Nice() != 0 || s.Zombie {
			w.t.Errorf("%+v", s)
		}
		if TableOf(a) == TableOf(b) || TableOf(a).Find(pid) == p {
			w.t.Error("one table")
		}
		t.Kill(pid, SIGKILL)
		w.wait(t, pid, 0)
	})
	<-w.ended
	<-w.ended
	w.check(a)
	w.check(b)
}
