package proc

import (
	"sync/atomic"
	"testing"

	"mult/kern/errno"
)

func TestStop(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		catch(w, t, 0, 0, SIGCHLD)
		t.SetSigMask(SetOf(SIGCHLD))
		pid := w.fork(t, func(c *Thread) {
			w.thread(c, sleepForever)
			w.thread(c, sleepForever)
			sleepForever(c)
		})
		for range 20 {
			t.Kill(pid, SIGSTOP)
			if r := w.wait(t, pid, WUNTRACED); r.Status != stopStatus(SIGSTOP) || r.Code != CLD_STOPPED {
				w.t.Errorf("stopped: %+v", r)
			}
			if i, err := t.SigWait(SetOf(SIGCHLD), Forever); err != nil || i.Code != CLD_STOPPED || i.PID() != pid {
				w.t.Errorf("SIGCHLD: %+v %v", i, err)
			}
			if r, err := t.Wait4(pid, WUNTRACED|WNOHANG); r.PID != 0 || err != nil {
				w.t.Errorf("told twice: %+v %v", r, err)
			}
			if s := t.Proc.Table().Find(pid).Stat(); s.State != 'T' {
				// The thread that reported is on its way to sleep.
				eventually(w.t, "T", func() bool { return t.Proc.Table().Find(pid).Stat().State == 'T' })
			}
			t.Kill(pid, SIGCONT)
			if r := w.wait(t, pid, WCONTINUED); r.Status != statusContinued || r.Code != CLD_CONTINUED {
				w.t.Errorf("continued: %+v", r)
			}
			if i, err := t.SigWait(SetOf(SIGCHLD), Forever); err != nil || i.Code != CLD_CONTINUED {
				w.t.Errorf("SIGCHLD: %+v %v", i, err)
			}
		}
		catch(w, t, SA_NOCLDSTOP, 0, SIGCHLD)
		t.Kill(pid, SIGSTOP)
		w.wait(t, pid, WUNTRACED)
		if t.SigPending() != 0 {
			w.t.Error("SA_NOCLDSTOP: signal")
		}
		// Killed while stopped.
		t.Kill(pid, SIGTERM)
		t.Kill(pid, SIGKILL)
		if r := w.wait(t, pid, 0); r.Status.Signal() == 0 {
			w.t.Errorf("killed: %+v", r)
		}
	})
}

// TestStopSignals shows that stops and continues cancel each other.
func TestStopSignals(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		pid := w.fork(t, func(c *Thread) {
			me := c.Proc.PID
			catch(w, c, 0, 0, SIGCONT)
			c.SetSigMask(SetOf(SIGTSTP, SIGCONT))
			c.Kill(me, SIGTSTP)
			c.Kill(me, SIGCONT)
			if c.SigPending() != SetOf(SIGCONT) {
				w.t.Errorf("pending %x", c.SigPending())
			}
			c.Kill(me, SIGTSTP)
			if c.SigPending() != SetOf(SIGTSTP) {
				w.t.Errorf("pending %x", c.SigPending())
			}
			// The group is orphaned: its terminal can't stop it.
			c.Setsid()
			c.SetSigMask(0)
			none(w, c)
		})
		w.wait(t, pid, 0)
	})
}

func TestOrphanedGroup(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		// shell makes a job; when shell ends, the stopped job gets SIGHUP and SIGCONT.
		var job atomic.Int32
		shell := w.fork(t, func(c *Thread) {
			c.Setsid()
			pid := w.fork(c, func(j *Thread) {
				j.Setpgid(0, 0)
				job.Store(int32(j.TID))
				sleepForever(j)
			})
			eventually(w.t, "job", func() bool { return job.Load() != 0 })
			if j := c.Proc.Table().FindGroup(pid); j.Orphaned() {
				w.t.Error("job is orphaned")
			}
			if !c.Proc.Group().Orphaned() {
				w.t.Error("shell isn't orphaned")
			}
			c.Kill(pid, SIGTSTP)
			if r := w.wait(c, pid, WUNTRACED); r.Status != stopStatus(SIGTSTP) {
				w.t.Errorf("%+v", r)
			}
		})
		w.wait(t, shell, 0)
		if r := w.wait(t, int(job.Load()), 0); r.Status.Signal() != SIGHUP {
			w.t.Errorf("job: %+v", r)
		}
	})
}

type terminal struct{ gone chan *Session }

func (t *terminal) Disassociate(s *Session) { t.gone <- s }

func TestSessions(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		if _, err := t.Setsid(); err != errno.EPERM {
			w.t.Errorf("leader: %v", err)
		}
		tty := &terminal{make(chan *Session, 1)}
		pid := w.fork(t, func(c *Thread) {
			if id, err := c.Setsid(); err != nil || id != c.TID {
				w.t.Errorf("setsid: %d %v", id, err)
			}
			s := c.Proc.Session()
			if !c.Proc.Leader() || !s.SetTerminal(tty) || s.SetTerminal(&terminal{}) || s.Terminal() != tty {
				w.t.Error("terminal")
			}
			for _, tt := range []struct {
				pid, pgid int
				want      error
			}{
				{0, 0, errno.EPERM}, {0, 1, errno.EPERM}, {99, 0, errno.ESRCH}, {0, -1, errno.EINVAL}, {1, 0, errno.ESRCH},
			} {
				if err := c.Setpgid(tt.pid, tt.pgid); err != tt.want {
					w.t.Errorf("setpgid(%d, %d) = %v", tt.pid, tt.pgid, err)
				}
			}
			// A child gets a group, and another joins it.
			a, b := w.fork(c, sleepForever), w.fork(c, sleepForever)
			d := w.fork(c, func(d *Thread) {
				d.BeginExec()
				d.Exec(ExecArgs{Comm: "x"})
				sleepForever(d)
			})
			for _, tt := range []struct {
				pid, pgid int
				want      error
			}{
				{a, 0, nil}, {b, a, nil}, {a, a, nil}, {b, 1, errno.EPERM}, {b, 999, errno.EPERM},
			} {
				if err := c.Setpgid(tt.pid, tt.pgid); err != tt.want {
					w.t.Errorf("setpgid(%d, %d) = %v", tt.pid, tt.pgid, err)
				}
			}
			eventually(w.t, "exec", func() bool { return c.Proc.Table().Find(d).Comm() == "x" })
			eventually(w.t, "EACCES", func() bool { return c.Setpgid(d, d) == errno.EACCES })
			if g, _ := c.Getpgid(b); g != a {
				w.t.Errorf("group %d", g)
			}
			if s, _ := c.Getsid(b); s != c.TID {
				w.t.Errorf("session %d", s)
			}
			c.Kill(-a, SIGKILL)
			c.Kill(d, SIGKILL)
			for range 3 {
				w.wait(c, -1, 0)
			}
		})
		w.wait(t, pid, 0)
		if s := <-tty.gone; s.ID != pid || s.SetTerminal(tty) {
			w.t.Error("terminal after the leader's end")
		}
	})
}
