package tty

import (
	"testing"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// session runs shell as the leader of a session, child of process 1, so that
// its jobs are not orphaned.
func (th *thread) session(shell func(th *thread)) {
	pid := th.fork(func(th *thread) {
		if _, err := th.Setsid(); err != nil {
			th.w.t.Error("setsid: ", err)
		}
		shell(th)
	})
	th.call(func() error { _, err := th.Wait4(pid, 0); return err })
}

// job runs a program in a process group of its own. It starts when the group
// is there.
func (th *thread) job(f func(th *thread)) int {
	pid := th.fork(func(th *thread) {
		th.Setpgid(0, 0)
		f(th)
	})
	th.Setpgid(pid, pid)
	return pid
}

// wait returns what has happened to a child.
func (th *thread) wait(pid int) (proc.WaitResult, error) {
	var r proc.WaitResult
	err := th.call(func() (err error) { r, err = th.Wait4(pid, proc.WUNTRACED); return err })
	return r, err
}

func TestControlling(t *testing.T) {
	w := newWorld(t)
	in, c, _ := w.console("a")
	w.boot(in, func(init *thread) {
		init.session(func(th *thread) {
			f := th.open(&c.TTY, rdwr|abi.O_NOCTTY)
			defer f.Release()
			if Controlling(th.Proc) != nil {
				t.Error("O_NOCTTY gives a controlling terminal")
			}
			_, err := th.ioctlInt(f, tiocgpgrp, 0)
			th.want("tcgetpgrp without", err, errno.ENOTTY)
			th.want("TIOCNOTTY without", th.ioctlAt(f, tiocnotty, 0), errno.ENOTTY)
			th.want("TIOCSCTTY", th.ioctlAt(f, tiocsctty, 0), nil)
			th.want("TIOCSCTTY again", th.ioctlAt(f, tiocsctty, 0), nil)
			if Controlling(th.Proc) != &c.TTY {
				t.Error("TIOCSCTTY has no effect")
			}
			if id, err := th.ioctlInt(f, tiocgpgrp, 0); id != th.Proc.PID || err != nil {
				t.Errorf("tcgetpgrp: %d, %v", id, err)
			}
			if id, err := th.ioctlInt(f, tiocgsid, 0); id != th.Proc.PID || err != nil {
				t.Errorf("tcgetsid: %d, %v", id, err)
			}
			_, err = th.ioctlInt(f, tiocspgrp, -5)
			th.want("tcsetpgrp(-5)", err, errno.EINVAL)
			_, err = th.ioctlInt(f, tiocspgrp, 31000)
			th.want("tcsetpgrp(no group)", err, errno.ESRCH)
			_, err = th.ioctlInt(f, tiocspgrp, 1)
			th.want("tcsetpgrp(other session)", err, errno.EPERM)
			th.want("tcsetpgrp(bad address)", th.ioctlAt(f, tiocspgrp, 8), errno.EFAULT)

			// Another session can't have it, unless root takes it away.
			pid := th.fork(func(th *thread) {
				th.Setsid()
				g := th.open(&c.TTY, rdwr)
				defer g.Release()
				th.want("TIOCSCTTY of another's", th.ioctlAt(g, tiocsctty, 0), errno.EPERM)
				_, err := th.ioctlInt(g, tiocspgrp, th.Proc.PID)
				th.want("tcsetpgrp of another's", err, errno.ENOTTY)
				th.want("TIOCSCTTY by force", th.ioctlAt(g, tiocsctty, 1), nil)
				if Controlling(th.Proc) != &c.TTY {
					t.Error("TIOCSCTTY by force has no effect")
				}
				th.want("TIOCNOTTY", th.ioctlAt(g, tiocnotty, 0), nil)
				if Controlling(th.Proc) != nil {
					t.Error("TIOCNOTTY has no effect")
				}
			})
			th.wait(pid)
			if Controlling(th.Proc) != nil {
				t.Error("a stolen terminal is still there")
			}
			// The next open by a leader without one gets it.
			g := th.open(&c.TTY, rdwr)
			defer g.Release()
			if Controlling(th.Proc) != &c.TTY {
				t.Error("open gives no controlling terminal")
			}
		})
		if c.session != nil || c.group != nil {
			t.Error("the session has ended, and still has the terminal")
		}
	})
	c.Close()
	w.end(in)
}

func TestJobs(t *testing.T) {
	w := newWorld(t)
	in, c, s := w.console("a")
	w.boot(in, func(init *thread) {
		init.session(func(th *thread) {
			f := th.open(&c.TTY, rdwr)
			defer f.Release()
			th.ignore(proc.SIGTTOU, proc.SIGTTIN, proc.SIGTSTP)
			defaults := func(th *thread) {
				for _, s := range []proc.Signal{proc.SIGTTOU, proc.SIGTTIN, proc.SIGTSTP} {
					th.Sigaction(s, &proc.Action{})
				}
			}
			foreground := func(id int) {
				t.Helper()
				if _, err := th.ioctlInt(f, tiocspgrp, id); err != nil {
					t.Errorf("tcsetpgrp(%d): %v", id, err)
				}
			}
			stopped := func(pid int, by proc.Signal) {
				t.Helper()
				if r, err := th.wait(pid); err != nil || r.Code != proc.CLD_STOPPED || proc.Signal(r.Value) != by {
					t.Errorf("waited for a stop by %v: %+v, %v", by, r, err)
				}
			}
			ended := func(pid int) {
				t.Helper()
				if r, err := th.wait(pid); err != nil || r.Code != proc.CLD_EXITED {
					t.Errorf("waited for the end: %+v, %v", r, err)
				}
			}

			// Reading in the background stops, and goes on in the foreground.
			pid := th.job(func(th *thread) {
				defaults(th)
				if got, err := th.read(f, 100); got != "for the job\n" || err != nil {
					t.Errorf("job: read %q, %v", got, err)
				}
			})
			stopped(pid, proc.SIGTTIN)
			foreground(pid)
			th.Kill(-pid, proc.SIGCONT)
			c.Feed([]byte("for the job\n"))
			s.wait(t, "for the job\r\n")
			ended(pid)
			foreground(th.Proc.PID)

			// Writing is free, unless TOSTOP; changes of settings are not.
			pid = th.job(func(th *thread) {
				defaults(th)
				th.write(f, "free\n")
				th.set(f, func(t *Termios) { t.CC[veol] = '%' })
				th.write(f, "done\n")
			})
			stopped(pid, proc.SIGTTOU)
			s.wait(t, "free\r\n")
			foreground(pid)
			th.Kill(-pid, proc.SIGCONT)
			ended(pid)
			s.wait(t, "done\r\n")
			foreground(th.Proc.PID)
			th.want("tcsetattr", th.set(f, func(t *Termios) { t.Lflag |= tostop }), nil)
			pid = th.job(func(th *thread) {
				defaults(th)
				th.write(f, "held\n")
			})
			stopped(pid, proc.SIGTTOU)
			foreground(pid)
			th.Kill(-pid, proc.SIGCONT)
			ended(pid)
			s.wait(t, "held\r\n")

			// The shell is in the background now, and ignores the signals.
			_, err := th.read(f, 100)
			th.want("read in the background, SIGTTIN ignored", err, errno.EIO)
			th.write(f, "ignored\n")
			s.wait(t, "ignored\r\n")
			foreground(th.Proc.PID)

			// Keys signal the foreground group only.
			ready := make(chan bool)
			pid = th.job(func(th *thread) {
				defaults(th)
				ready <- true
				th.call(func() error { return th.Pause() })
				t.Error("a job survives SIGINT")
			})
			<-ready
			foreground(pid)
			c.Feed([]byte("\x1a"))
			s.wait(t, "^Z")
			stopped(pid, proc.SIGTSTP)
			th.Kill(-pid, proc.SIGCONT)
			c.Feed([]byte("\x03"))
			s.wait(t, "^C")
			if r, err := th.wait(pid); err != nil || r.Code != proc.CLD_KILLED || proc.Signal(r.Value) != proc.SIGINT {
				t.Errorf("after SIGINT: %+v, %v", r, err)
			}
			foreground(th.Proc.PID)

			// The size, and who learns of its change.
			th.handle(proc.SIGWINCH)
			size := []byte{24, 0, 80, 0, 0, 0, 0, 0}
			th.want("TIOCSWINSZ", th.ioctl(f, tiocswinsz, size), nil)
			th.await(proc.SIGWINCH)
			th.want("TIOCSWINSZ again", th.ioctl(f, tiocswinsz, size), nil)
			got := make([]byte, 8)
			th.want("TIOCGWINSZ", th.ioctl(f, tiocgwinsz, got), nil)
			if string(got) != string(size) {
				t.Errorf("size %v, want %v", got, size)
			}
			if len(th.handled) != 0 {
				t.Error("SIGWINCH without a change")
			}

			// Nobody could continue an orphaned group: it gets an error.
			orphan := make(chan error, 1)
			pid = th.job(func(th *thread) {
				defaults(th)
				th.fork(func(th *thread) {
					for th.Proc.Parent() != 1 {
						th.call(func() error { return th.Sleep(th.Now() + 1e6) })
					}
					_, err := th.read(f, 9)
					orphan <- err
				})
			})
			ended(pid)
			th.want("read in an orphaned group", <-orphan, errno.EIO)
		})
	})
	c.Close()
	w.end(in)
}

func TestHangup(t *testing.T) {
	w := newWorld(t)
	in, c, _ := w.console("a")
	w.boot(in, func(init *thread) {
		impl, err := c.OpenSystem(init.Thread, rdwr)
		if err != nil {
			t.Fatal(err)
		}
		console := init.file(impl, rdwr)
		defer console.Release()
		init.session(func(th *thread) {
			f := th.open(&c.TTY, rdwr)
			defer f.Release()
			th.handle(proc.SIGHUP)
			// One who waits while it happens.
			ready := make(chan bool)
			pid := th.fork(func(th *thread) {
				ready <- true
				if got, err := th.read(f, 9); got != "" || err != nil {
					t.Errorf("read during the hang-up: %q, %v", got, err)
				}
			})
			<-ready
			c.Hangup()
			th.await(proc.SIGHUP)
			th.wait(pid)
			if got, err := th.read(f, 9); got != "" || err != nil {
				t.Errorf("read after the hang-up: %q, %v", got, err)
			}
			_, err := th.write(f, "x")
			th.want("write after the hang-up", err, errno.EIO)
			th.want("ioctl after the hang-up", th.ioctlAt(f, tcflsh, 0), errno.EIO)
			th.want("tcsetpgrp after the hang-up", th.ioctlAt(f, tiocspgrp, 0), errno.ENOTTY)
			if f.Poll()&abi.POLLHUP == 0 {
				t.Error("poll shows no hang-up")
			}
			if Controlling(th.Proc) != nil {
				t.Error("the terminal still controls the session")
			}
		})
		// The system's console goes on.
		c.Feed([]byte("still\n"))
		if got, err := init.read(console, 9); got != "still\n" || err != nil {
			t.Errorf("console: read %q, %v", got, err)
		}

		// The end of a leader is a hang-up.
		var f *file.File
		got := make(chan proc.Signal, 2)
		ready := make(chan bool)
		init.session(func(th *thread) {
			f = th.open(&c.TTY, rdwr)
			th.fork(func(th *thread) {
				th.handle(proc.SIGHUP)
				ready <- true
				th.await(proc.SIGHUP)
				got <- proc.SIGHUP
			})
			<-ready
		})
		<-got
		if s, err := init.read(f, 9); s != "" || err != nil {
			t.Errorf("read after the leader's end: %q, %v", s, err)
		}
		f.Release()
	})
	c.Close()
	w.end(in)
}
