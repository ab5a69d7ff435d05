package proc

import (
	"sync/atomic"
	"testing"

	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/errno"
	"mult/kern/vm"
)

func TestStatus(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		pid := w.fork(t, func(c *Thread) { c.Exit(ExitStatus(300)) })
		if r := w.wait(t, pid, 0); r.Status != 44<<8 || r.Code != CLD_EXITED || r.Value != 44 {
			w.t.Errorf("exit: %+v", r)
		}
		pid = w.fork(t, sleepForever)
		if r, err := t.Wait4(pid, WNOHANG); r.PID != 0 || err != nil {
			w.t.Errorf("WNOHANG: %+v %v", r, err)
		}
		if err := t.Kill(pid, SIGTERM); err != nil {
			w.t.Error(err)
		}
		if r, err := t.Waitid(P_PID, pid, WEXITED|WNOWAIT); err != nil || r.Status != Status(SIGTERM) || r.Code != CLD_KILLED {
			if err != ERestartSys {
				w.t.Errorf("WNOWAIT: %+v %v", r, err)
			}
		}
		if r := w.wait(t, -1, WALL); r.PID != pid || r.Status.Signal() != SIGTERM {
			w.t.Errorf("killed: %+v", r)
		}
		if _, err := t.Wait4(-1, 0); err != errno.ECHILD {
			w.t.Errorf("no child: %v", err)
		}
		if _, err := t.Wait4(pid, 0); err != errno.ECHILD {
			w.t.Errorf("reaped child: %v", err)
		}
		for _, o := range []int{WEXITED, 64, WNOWAIT} {
			if _, err := t.Wait4(-1, o); err != errno.EINVAL {
				w.t.Errorf("wait4 options %#x: %v", o, err)
			}
		}
		for _, a := range [][3]int{{P_ALL, 0, 0}, {P_ALL, 0, WNOHANG}, {3, 1, WEXITED}, {P_PID, 0, WEXITED}, {P_PGID, -1, WEXITED}} {
			if _, err := t.Waitid(a[0], a[1], a[2]); err != errno.EINVAL {
				w.t.Errorf("waitid(%v): %v", a, err)
			}
		}
		t.ExitGroup(ExitStatus(7))
	})
}

func TestInitStatus(t *testing.T) {
	w := newWorld(t)
	if s := w.run(func(t *Thread) { t.ExitGroup(ExitStatus(5)) }); s.Code() != 5 {
		t.Errorf("status %#x", s)
	}
}

func TestCloneFlags(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		for _, f := range []uint64{
			CLONE_THREAD, CLONE_THREAD | CLONE_VM, CLONE_SIGHAND, CLONE_SIGHAND | CLONE_FS, CLONE_NEWPID, CLONE_NEWNS,
			CLONE_NEWUSER, CLONE_PIDFD, CLONE_PARENT, CLONE_VM | CLONE_SIGHAND | CLONE_CLEAR_SIGHAND, 1 << 7, 1 << 40, 1 << 63,
			CLONE_THREAD | CLONE_VM | CLONE_SIGHAND,
		} {
			if _, err := t.Fork1(CloneArgs{Flags: f}); err != errno.EINVAL {
				w.t.Errorf("flags %#x: %v", f, err)
			}
		}
		if _, err := t.Fork1(CloneArgs{ExitSignal: 65}); err != errno.EINVAL {
			w.t.Errorf("exit signal 65: %v", err)
		}
	})
}

func TestCloneParent(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		var sibling atomic.Int32
		pid := w.fork(t, func(c *Thread) {
			n, err := w.clone(c, CloneArgs{Flags: CLONE_PARENT}, func(c *Thread) { c.Exit(ExitStatus(3)) })
			if err != nil {
				w.t.Error(err)
			}
			sibling.Store(int32(n))
			if _, err := c.Wait4(-1, WALL); err != errno.ECHILD {
				w.t.Errorf("CLONE_PARENT made a child: %v", err)
			}
		})
		w.wait(t, pid, 0)
		if r := w.wait(t, int(sibling.Load()), 0); r.Status.Code() != 3 {
			w.t.Errorf("sibling: %+v", r)
		}
	})
}

func TestWaitKinds(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		// A child without SIGCHLD is a clone child: only __WCLONE and __WALL find it.
		pid, _ := w.clone(t, CloneArgs{}, func(c *Thread) {})
		if _, err := t.Wait4(-1, 0); err != errno.ECHILD {
			w.t.Errorf("without __WCLONE: %v", err)
		}
		if r := w.wait(t, -1, WCLONE); r.PID != pid {
			w.t.Errorf("__WCLONE: %+v", r)
		}
		// Groups.
		a := w.fork(t, func(c *Thread) { c.Setpgid(0, 0); sleepForever(c) })
		b := w.fork(t, func(c *Thread) { c.Exit(ExitStatus(1)) })
		eventually(w.t, "group", func() bool { g, _ := t.Getpgid(a); return g == a })
		if r := w.wait(t, 0, 0); r.PID != b {
			w.t.Errorf("own group: %+v", r)
		}
		t.Kill(-a, SIGKILL)
		if r := w.wait(t, -a, 0); r.PID != a {
			w.t.Errorf("group: %+v", r)
		}
		// __WNOTHREAD.
		c := w.fork(t, func(c *Thread) {})
		var done atomic.Bool
		w.thread(t, func(u *Thread) {
			if _, err := u.Wait4(-1, WNOTHREAD); err != errno.ECHILD {
				w.t.Errorf("__WNOTHREAD: %v", err)
			}
			if r := w.wait(u, -1, 0); r.PID != c {
				w.t.Errorf("other thread's child: %+v", r)
			}
			done.Store(true)
		})
		eventually(w.t, "thread", done.Load)
	})
}

func TestVfork(t *testing.T) {
	w := newWorld(t).withMemory()
	w.run(func(t *Thread) {
		var step atomic.Int32
		pid, err := w.clone(t, CloneArgs{Flags: CLONE_VM | CLONE_VFORK, ExitSignal: SIGCHLD}, func(c *Thread) {
			if c.Space() != t.Proc.space {
				w.t.Error("memory isn't shared")
			}
			step.Store(1)
			sp, err := vm.New(w.sys.VM, c.Inst())
			if err != nil {
				w.t.Error(err)
			}
			if err := c.BeginExec(); err != nil {
				w.t.Error(err)
			}
			c.Exec(ExecArgs{Space: sp, Comm: "a name that is too long"})
			if c.Comm() != "a name that is " {
				w.t.Errorf("name %q", c.Comm())
			}
			sleepForever(c)
		})
		if err != nil || step.Load() != 1 {
			w.t.Errorf("vfork returned %v at step %d", err, step.Load())
		}
		t.Kill(pid, SIGKILL)
		w.wait(t, pid, 0)
		pid, _ = w.clone(t, CloneArgs{Flags: CLONE_VM | CLONE_VFORK, ExitSignal: SIGCHLD}, func(c *Thread) { step.Store(2) })
		if step.Load() != 2 {
			w.t.Error("vfork didn't wait for the exit")
		}
		w.wait(t, pid, 0)
	})
}

func TestTIDs(t *testing.T) {
	w := newWorld(t).withMemory()
	w.run(func(t *Thread) {
		a, err := t.Space().Map(vm.MapArgs{Len: 4096, Prot: vm.Read | vm.Write})
		if err != nil {
			w.t.Fatal(err)
		}
		pid, err := w.clone(t, CloneArgs{
			Flags: CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_SETTLS, ExitSignal: SIGCHLD,
			ParentTID: a, ChildTID: a + 4, TLS: 77, Stack: 99,
		}, func(c *Thread) {
			if v, _ := c.Space().Load32(a + 4); int(v) != c.TID {
				w.t.Errorf("child reads %d", v)
			}
			if c.TIDAddress() != a+4 || c.Ctx.FSBase != 77 || c.Ctx.SP != 99 {
				w.t.Error("registers of the child")
			}
		})
		if err != nil {
			w.t.Fatal(err)
		}
		if v, _ := t.Space().Load32(a); int(v) != pid {
			w.t.Errorf("parent reads %d, not %d", v, pid)
		}
		if v, _ := t.Space().Load32(a + 4); v != 0 {
			w.t.Errorf("parent reads the child's: %d", v)
		}
		w.wait(t, pid, 0)
	})
}

func TestThreads(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		// The first thread ends first; its status counts.
		pid := w.fork(t, func(c *Thread) {
			w.thread(c, func(u *Thread) {
				eventually(w.t, "leader ends", func() bool { return u.Proc.NumThreads() == 1 })
				if err := u.Kill(u.Proc.PID, 0); err != nil {
					w.t.Errorf("process with an ended leader: %v", err)
				}
				if err := u.Tkill(u.Proc.PID, u.Proc.PID, SIGUSR1); err != nil {
					w.t.Errorf("ended leader: %v", err)
				}
				u.Exit(ExitStatus(9))
			})
			c.Exit(ExitStatus(4))
		})
		if r := w.wait(t, pid, 0); r.Status.Code() != 4 {
			w.t.Errorf("status %+v", r)
		}
		// exit_group ends sleepers.
		pid = w.fork(t, func(c *Thread) {
			for range 5 {
				w.thread(c, sleepForever)
			}
			c.ExitGroup(ExitStatus(6))
		})
		if r := w.wait(t, pid, 0); r.Status.Code() != 6 {
			w.t.Errorf("status %+v", r)
		}
		// exec in another thread: it becomes the first.
		pid = w.fork(t, func(c *Thread) {
			w.thread(c, sleepForever)
			w.thread(c, func(u *Thread) {
				tid := u.TID
				if err := u.BeginExec(); err != nil {
					w.t.Error(err)
				}
				u.Exec(ExecArgs{Comm: "new"})
				if u.TID != u.Proc.PID || u.Proc.NumThreads() != 1 || u.Proc.Table().FindThread(tid) != nil ||
					u.Proc.Table().FindThread(u.TID) != u {
					w.t.Error("exec didn't make a first thread")
				}
				u.Exit(ExitStatus(8))
			})
			sleepForever(c)
		})
		if r := w.wait(t, pid, 0); r.Status.Code() != 8 {
			w.t.Errorf("status %+v", r)
		}
		// Two threads exec at once: one wins, or the process dies.
		for range 50 {
			pid = w.fork(t, func(c *Thread) {
				for range 3 {
					w.thread(c, func(u *Thread) {
						if u.BeginExec() == nil {
							u.Exec(ExecArgs{Comm: "new"})
							u.Exit(ExitStatus(8))
							return
						}
						sleepForever(u)
					})
				}
				sleepForever(c)
			})
			if r := w.wait(t, pid, 0); r.Status.Code() != 8 {
				w.t.Errorf("status %+v", r)
			}
		}
	})
}

func TestOrphans(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		reaper := w.fork(t, func(c *Thread) {
			c.Proc.SetSubreaper(true)
			var orphan atomic.Int32
			pid := w.fork(c, func(d *Thread) {
				orphan.Store(int32(w.fork(d, func(e *Thread) {
					e.Proc.SetDeathSignal(SIGKILL)
					sleepForever(e)
				})))
				e := d.Proc.Table().Find(int(orphan.Load()))
				eventually(w.t, "death signal", func() bool { return e.DeathSignal() == SIGKILL })
			})
			w.wait(c, pid, 0)
			if r := w.wait(c, int(orphan.Load()), 0); r.Status.Signal() != SIGKILL {
				w.t.Errorf("orphan: %+v", r)
			}
		})
		w.wait(t, reaper, 0)
		// Without one process 1 inherits, zombies too.
		var orphans [2]atomic.Int32
		pid := w.fork(t, func(c *Thread) {
			n := w.fork(c, func(d *Thread) { d.Exit(ExitStatus(1)) })
			p := c.Proc.Table().Find(n)
			eventually(w.t, "zombie", func() bool { return p.Stat().Zombie })
			orphans[0].Store(int32(n))
			orphans[1].Store(int32(w.fork(c, sleepForever)))
		})
		w.wait(t, pid, 0)
		if r := w.wait(t, int(orphans[0].Load()), 0); r.Status.Code() != 1 {
			w.t.Errorf("zombie orphan: %+v", r)
		}
		t.Kill(int(orphans[1].Load()), SIGKILL)
		w.wait(t, int(orphans[1].Load()), 0)
	})
}

func TestInitEndsAll(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		for range 20 {
			w.fork(t, func(c *Thread) {
				w.thread(c, sleepForever)
				w.fork(c, sleepForever)
				w.fork(c, func(*Thread) {})
				if c.TID%2 == 0 {
					sleepForever(c)
				}
			})
		}
		t.ExitGroup(ExitStatus(0))
	})
}

func TestAutoReap(t *testing.T) {
	for _, a := range []Action{{Handler: SIG_IGN}, {Flags: SA_NOCLDWAIT}} {
		w := newWorld(t)
		w.run(func(t *Thread) {
			t.Sigaction(SIGCHLD, &a)
			for range 10 {
				w.fork(t, func(*Thread) {})
			}
			for {
				_, err := t.Wait4(-1, 0)
				if err == errno.ECHILD {
					break
				}
				t.NextSignal()
			}
			if n := TableOf(t.Inst()).Counts().Procs; n != 1 {
				w.t.Errorf("%d processes", n)
			}
		})
	}
}

// TestParts forks with parts of which the n-th fails: all before it are unmade.
func TestParts(t *testing.T) {
	const n = 5
	for fail := range n + 1 {
		w := newWorld(t)
		var made [n]atomic.Int32
		armed := false
		for i := range n {
			w.sys.Parts = append(w.sys.Parts, Part{
				Name: "part",
				Fork: func(*Thread, *Proc, uint64) error {
					if armed && i == fail {
						return errno.ENFILE
					}
					made[i].Add(1)
					return nil
				},
				Exit: func(*Proc, *Thread) { made[i].Add(-1) },
			})
		}
		w.run(func(t *Thread) {
			armed = true
			pid, err := w.clone(t, CloneArgs{ExitSignal: SIGCHLD}, func(*Thread) {})
			if (err == errno.ENFILE) != (fail < n) {
				w.t.Errorf("fork: %v", err)
			}
			if err == nil {
				w.wait(t, pid, 0)
			}
		})
		for i := range made {
			if made[i].Load() != 0 {
				t.Errorf("part %d: %d left", i, made[i].Load())
			}
		}
	}
}

// TestNoMemory lets every charge fail once.
func TestNoMemory(t *testing.T) {
	w := newWorld(t)
	failed := 0
	for limit := int64(0); limit < 150<<10; limit += 128 {
		in := w.instance("poor")
		in.SetLimit(inst.Heap, limit)
		th, err := Boot(in, nil)
		if err != nil {
			if err != errno.ENOMEM {
				t.Fatal(err)
			}
			failed++
			w.check(in)
			continue
		}
		th.Ctx.BX = w.program(func(t *Thread) {
			_, err1 := w.clone(t, CloneArgs{ExitSignal: SIGCHLD}, func(c *Thread) {
				_, err := c.Setsid()
				_, err2 := w.clone(c, CloneArgs{Flags: threadFlags}, func(c *Thread) {})
				for _, err := range []error{err, err2} {
					if err != nil && err != errno.ENOMEM {
						w.t.Error(err)
					}
				}
				c.SetGroups(make([]uint32, 100))
				c.SetUID(1000)
				c.Signal(Info(SIGRTMAX, SI_QUEUE))
			})
			if err1 != nil && err1 != errno.ENOMEM {
				w.t.Error(err1)
			}
			if err1 == nil {
				w.wait(t, -1, 0)
			}
		})
		th.Start()
		w.finish(in)
	}
	if failed == 0 {
		t.Error("nothing failed")
	}
}

// TestForkInst1 makes process 1 of two instances from proc0.
func TestForkInst1(t *testing.T) {
	w := newWorld(t).withMemory()
	in := w.instance("inst0")
	var at vm.Addr
	done := make(chan bool)
	w.start(in, func(p *Thread) {
		defer close(done)
		// A page of proc0, which nobody in inst0 can name.
		proc0 := Proc0(in)
		if proc0.Proc.PID != 0 || p.Proc.tab.Find(0) != nil || p.Proc.Parent() != 0 || p.Proc.tab.Counts().Procs != 1 {
			t.Errorf("proc0 is %d, process 1 a child of %d", proc0.Proc.PID, p.Proc.Parent())
		}
		at, _ = proc0.Space().Map(vm.MapArgs{Len: vm.PageSize, Prot: vm.Read | vm.Write})
		if err := proc0.Space().CopyOut(at, []byte("proc0")); err != nil {
			t.Error(err)
		}
		ended := make(chan bool, 2)
		kids := []*inst.Inst{insttest.Child(t, in, "a"), insttest.Child(t, in, "b")}
		frames := in.Own(inst.Frames)
		for i, kid := range kids {
			c, err := w.init(kid)
			if err != nil {
				t.Error(err)
				return
			}
			if c.Proc.PID != 1 || c.TID != 1 || c.Inst() != kid || c.Proc.Parent() != 0 || c.Proc.Comm() != "kernel" ||
				TableOf(kid).Find(1) != c.Proc || p.Proc.tab.Find(1) != p.Proc {
				t.Errorf("process %d (%s), a child of %d", c.Proc.PID, c.Proc.Comm(), c.Proc.Parent())
			}
			if _, err := ForkInst1(kid); err != errno.ENOMEM {
				t.Errorf("a second process 1: %v", err)
			}
			var b [5]byte
			if err := c.Space().CopyIn(b[:], at); err != nil || string(b[:]) != "proc0" {
				t.Errorf("%q of proc0's memory, %v", b, err)
			}
			c.Space().CopyOut(at, []byte{'0' + byte(i)})
			c.Ctx.BX = w.program(func(c *Thread) {
				pid := w.fork(c, func(*Thread) {})
				if r := w.wait(c, -1, 0); r.PID != pid || pid != 2 {
					t.Errorf("process %d, waited for %d; want 2", pid, r.PID)
				}
				if err := c.Kill(3, SIGKILL); err != errno.ESRCH {
					t.Errorf("killing another instance's process: %v", err)
				}
				ended <- true
			})
			c.Start()
		}
		<-ended
		<-ended
		if n := in.Own(inst.Frames); n != frames {
			t.Errorf("inst0 has %d frames, before it was %d", n, frames)
		}
		var b [5]byte
		if err := proc0.Space().CopyIn(b[:], at); err != nil || string(b[:]) != "proc0" {
			t.Errorf("%q in proc0's memory, %v", b, err)
		}
		for range 2 {
			<-w.ended
		}
		for _, kid := range kids {
			w.check(kid)
		}
		// Another process from proc0, beside process 1.
		with := insttest.Child(t, in, "with")
		if _, err := ForkInto(with); err != errno.ENOMEM {
			t.Errorf("a process before process 1: %v", err)
		}
		if c, err := w.init(with); err != nil {
			t.Error(err)
		} else {
			more := make(chan *Thread, 2)
			c.Ctx.BX = w.program(func(c *Thread) {
				<-more
				if r := w.wait(c, -1, 0); r.PID != 2 {
					t.Errorf("process 1 waits for %d", r.PID)
				}
				x := <-more // which was never there
				if _, err := c.Wait4(-1, 0); err != errno.ECHILD {
					t.Errorf("process 1 waits for process %d that wasn't started: %v", x.Proc.PID, err)
				}
			})
			c.Start()
			for i := range 2 {
				x, err := ForkInto(with)
				if err != nil {
					t.Error(err)
					break
				}
				var b [5]byte
				if err := x.Space().CopyIn(b[:], at); err != nil || string(b[:]) != "proc0" || x.Proc.PID != 2+i || x.Proc.Parent() != 1 || !x.Proc.Leader() {
					t.Errorf("%q of proc0's memory, %v; it is %d, a child of %d", b, err, x.Proc.PID, x.Proc.Parent())
				}
				if i == 0 {
					x.Ctx.BX = w.program(func(*Thread) {})
					x.Start()
				} else {
					x.Abandon()
				}
				more <- x
			}
			<-w.ended
			if _, err := ForkInto(with); err != errno.ENOMEM {
				t.Errorf("a process after process 1: %v", err)
			}
		}
		w.check(with)
		// One that is given up.
		kid := insttest.Child(t, in, "c")
		if c, err := w.init(kid); err != nil {
			t.Error(err)
		} else {
			c.Abandon()
			<-w.ended
		}
		w.check(kid)
	})
	<-done
	w.finish(in)
}

// TestUp makes an instance while another one has been there for some time.
func TestUp(t *testing.T) {
	w := newWorld(t)
	now := int64(100)
	w.sys.Clock = func() int64 { return now }
	in := w.instance("inst0")
	now = 1000
	kid := insttest.Child(t, in, "kid")
	now = 1500
	if a, b := TableOf(in), TableOf(kid); a.Up() != 1500 || b.Up() != 500 || a.Boot() != 0 || b.Boot() != 1000 {
		t.Errorf("up for %d and %d, since %d and %d", a.Up(), b.Up(), a.Boot(), b.Boot())
	}
	w.check(kid)
	w.check(in)
}

// TestForkInst1NoMemory has every charge for process 1 fail once; nothing is left.
func TestForkInst1NoMemory(t *testing.T) {
	w := newWorld(t).withMemory()
	in := w.instance("inst0")
	done := make(chan bool)
	w.start(in, func(p *Thread) {
		defer close(done)
		proc0 := Proc0(in)
		at, _ := proc0.Space().Map(vm.MapArgs{Len: vm.PageSize, Prot: vm.Read | vm.Write})
		proc0.Space().CopyOut(at, []byte{1})
		for _, r := range []inst.Resource{inst.Heap, inst.Frames} {
			step, failed := map[inst.Resource]int64{inst.Heap: 128, inst.Frames: 1}[r], 0
			for limit := int64(0); ; limit += step {
				kid := insttest.Child(t, in, "kid")
				kid.SetLimit(r, limit)
				c, err := ForkInst1(kid)
				if err == nil {
					c.Abandon()
					<-w.ended
				} else if failed++; err != errno.ENOMEM {
					t.Error(err)
				}
				w.check(kid)
				if err == nil {
					break
				}
			}
			if failed == 0 {
				t.Errorf("resource %d isn't charged", r)
			}
		}
	})
	<-done
	w.finish(in)
}
