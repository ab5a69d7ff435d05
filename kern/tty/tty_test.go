package tty

import (
	"runtime"
	"strings"
	"testing"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
	"mult/kern/vm"
)

func TestConsole(t *testing.T) {
	w := newWorld(t)
	in, c, s := w.console("a")
	other, oc, os := w.console("b")
	w.boot(in, func(th *thread) {
		f := th.open(&c.TTY, rdwr)
		defer f.Release()
		if n, err := th.write(f, "login: "); n != 7 || err != nil {
			t.Errorf("write: %d, %v", n, err)
		}
		s.wait(t, "login: ")
		c.Feed([]byte("root\r"))
		s.wait(t, "root\r\n")
		if got, err := th.read(f, 100); got != "root\n" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		c.Feed([]byte("\x04"))
		if got, err := th.read(f, 100); got != "" || err != nil {
			t.Errorf("read %q, %v at the end of file", got, err)
		}
		// A reader that comes first.
		go c.Feed([]byte("later\n"))
		if got, err := th.read(f, 100); got != "later\n" || err != nil {
			t.Errorf("read %q, %v", got, err)
		}
		s.wait(t, "later\r\n")

		f.SetFlags(th.Thread, abi.O_NONBLOCK)
		_, err := th.read(f, 100)
		th.want("read of nothing", err, errno.EAGAIN)
		if got, err := th.read(f, 0); got != "" || err != nil {
			t.Errorf("read of 0 bytes: %q, %v", got, err)
		}
	})
	if len(os.shown) != 0 || oc.d.in.len() != 0 {
		t.Error("the other instance's console shows something")
	}
	c.Close()
	oc.Close()
	w.end(in)
	w.end(other)
}

// TestOutputFull is about a line that doesn't take output.
func TestOutputFull(t *testing.T) {
	w := newWorld(t)
	in, c, s := w.console("a")
	w.boot(in, func(th *thread) {
		f := th.open(&c.TTY, rdwr)
		defer f.Release()
		s.hold(true)
		th.write(f, "first") // which the line doesn't get rid of
		for sending := false; !sending; runtime.Gosched() {
			c.mu.Lock()
			sending = c.sending
			c.mu.Unlock()
		}
		f.SetFlags(th.Thread, abi.O_NONBLOCK)
		all := strings.Repeat("x", 100_000)
		total := 0
		var err error
		for n := 0; err == nil; {
			if n, err = th.write(f, all); n == len(all) {
				t.Error("no end of room")
			}
			total += max(n, 0)
			if err == nil && n < len(all) {
				_, err = th.write(f, all)
			}
		}
		th.want("write to a full terminal", err, errno.EAGAIN)
		if e := f.Poll() & (abi.POLLOUT | abi.POLLIN); e != 0 {
			t.Errorf("poll of a full terminal: %#x", e)
		}
		// A writer that waits can be interrupted.
		f.SetFlags(th.Thread, 0)
		th.handle(proc.SIGUSR1)
		me := th.Proc.PID
		pid := th.fork(func(th *thread) { th.Kill(me, proc.SIGUSR1) })
		_, err = th.write(f, "more")
		th.want("write, interrupted", err, errno.EINTR)
		th.call(func() error { _, err := th.Wait4(pid, 0); return err })
		// And a drain; nothing is lost.
		pid = th.fork(func(th *thread) { s.hold(false) })
		th.want("tcdrain", th.ioctlAt(f, tcsbrk, 1), nil)
		s.mu.Lock()
		if n := len(s.shown); n < total {
			t.Errorf("%d bytes were shown, %d written", n, total)
		}
		s.mu.Unlock()
		if f.Poll()&abi.POLLOUT == 0 {
			t.Error("poll: no room after drain")
		}
	})
	c.Close()
	w.end(in)
}

func TestTimes(t *testing.T) {
	w := newWorld(t)
	in, c, _ := w.console("a")
	w.boot(in, func(th *thread) {
		f := th.open(&c.TTY, rdwr)
		defer f.Release()
		raw := func(least, time byte) {
			th.want("tcsetattr", th.set(f, func(t *Termios) {
				t.Lflag, t.Iflag = 0, 0
				t.CC[vmin], t.CC[vtime] = least, time
			}), nil)
		}
		check := func(n int, want string) {
			t.Helper()
			if got, err := th.read(f, n); got != want || err != nil {
				t.Errorf("read %q, %v, want %q", got, err, want)
			}
		}
		raw(0, 0)
		check(9, "")
		c.Feed([]byte("ab"))
		check(1, "a")
		check(9, "b")
		raw(0, 1)
		check(9, "") // after a tenth of a second
		c.Feed([]byte("ab"))
		check(9, "ab")
		raw(3, 0)
		c.Feed([]byte("ab"))
		if e := f.Poll() & abi.POLLIN; e != 0 {
			t.Error("poll says that 2 bytes are 3")
		}
		go c.Feed([]byte("cd"))
		if got, err := th.read(f, 9); err != nil || !strings.HasPrefix("abcd", got) || len(got) < 3 {
			t.Errorf("read %q, %v", got, err)
		}
		raw(1, 0)
		c.Feed([]byte("!"))
		th.read(f, 9)
		raw(5, 1)
		c.Feed([]byte("ab"))
		if f.Poll()&abi.POLLIN == 0 {
			t.Error("with VTIME the first byte counts for poll")
		}
		check(9, "ab") // a tenth of a second after the last byte
		c.Feed([]byte("abcdefg"))
		check(9, "abcdefg")
	})
	c.Close()
	w.end(in)
}

func TestIoctls(t *testing.T) {
	w := newWorld(t)
	in, c, s := w.console("a")
	w.boot(in, func(th *thread) {
		f := th.open(&c.TTY, rdwr)
		defer f.Release()
		bad := []uint32{tcgets, tcgets2, tcgeta, tcsets, tcsetsw, tcsetsf, tcsets2, tcsetsw2, tcsetsf2, tcseta,
			tcsetaw, tcsetaf, tiocgwinsz, tiocswinsz, fionread, tiocoutq, tiocsti, tiocgetd, tiocsetd, tiocgexcl}
		for _, cmd := range bad {
			for _, a := range []uint64{0, 8, 1 << 46, 1<<47 - 4096, 1 << 47, 1<<64 - 1} {
				if err := th.ioctlAt(f, cmd, vm.Addr(a)); err != errno.EFAULT {
					t.Errorf("ioctl %#x with address %#x: %v", cmd, a, err)
				}
			}
		}
		th.want("TCFLSH 3", th.ioctlAt(f, tcflsh, 3), errno.EINVAL)
		th.want("TCXONC 4", th.ioctlAt(f, tcxonc, 4), errno.EINVAL)
		th.want("TCXONC -1", th.ioctlAt(f, tcxonc, 1<<64-1), errno.EINVAL)
		th.want("unknown", th.ioctlAt(f, 0x12345678, 0), errno.ENOTTY)
		_, err := th.ioctlInt(f, tiocsetd, 3)
		th.want("TIOCSETD 3", err, errno.EINVAL)
		if n, err := th.ioctlInt(f, tiocgetd, 7); n != 0 || err != nil {
			t.Errorf("TIOCGETD: %d, %v", n, err)
		}

		c.Feed([]byte("abc\nde"))
		s.wait(t, "abc\r\nde")
		if n, err := th.ioctlInt(f, fionread, 0); n != 4 || err != nil {
			t.Errorf("FIONREAD: %d, %v", n, err)
		}
		th.want("TCFLSH", th.ioctlAt(f, tcflsh, tciflush), nil)
		if n, err := th.ioctlInt(f, fionread, 0); n != 0 || err != nil {
			t.Errorf("FIONREAD after TCIFLUSH: %d, %v", n, err)
		}
		th.want("TCOOFF", th.ioctlAt(f, tcxonc, tcooff), nil)
		th.write(f, "hidden")
		if n, err := th.ioctlInt(f, tiocoutq, 0); n != 6 || err != nil {
			t.Errorf("TIOCOUTQ: %d, %v", n, err)
		}
		th.want("TCIOFF", th.ioctlAt(f, tcxonc, tcioff), nil)
		s.wait(t, "\x13")
		th.want("TCION", th.ioctlAt(f, tcxonc, tcion), nil)
		s.wait(t, "\x11")
		th.want("TCOFLUSH", th.ioctlAt(f, tcflsh, tcoflush), nil)
		th.want("TCOON", th.ioctlAt(f, tcxonc, tcoon), nil)
		th.write(f, "seen")
		s.wait(t, "seen")

		// TCSETSF drops input; TCSETA leaves what it has no place for.
		c.Feed([]byte("old\n"))
		s.wait(t, "old\r\n")
		var b [termios2Size]byte
		th.ioctl(f, tcgets2, b[:])
		b[17+veol2] = 77
		th.want("TCSETSF2", th.ioctl(f, tcsetsf2, b[:]), nil)
		if n, _ := th.ioctlInt(f, fionread, 0); n != 0 {
			t.Errorf("%d bytes left after TCSETSF", n)
		}
		old := make([]byte, termioSize)
		th.want("TCGETA", th.ioctl(f, tcgeta, old), nil)
		old[9+vintr] = 'x'
		th.want("TCSETAW", th.ioctl(f, tcsetaw, old), nil)
		th.ioctl(f, tcgets2, b[:])
		if b[17+vintr] != 'x' || b[17+veol2] != 77 {
			t.Errorf("characters %v", b[17:36])
		}

		// Root may type for others.
		th.want("TIOCSTI", th.ioctl(f, tiocsti, []byte("!")), nil)
		s.wait(t, "!")
		th.want("TIOCEXCL", th.ioctlAt(f, tiocexcl, 0), nil)
		if n, err := th.ioctlInt(f, tiocgexcl, 0); n != 1 || err != nil {
			t.Errorf("TIOCGEXCL: %d, %v", n, err)
		}
		pid := th.fork(func(th *thread) {
			th.want("setuid", th.SetUID(1000), nil)
			th.want("TIOCSTI of a user", th.ioctl(f, tiocsti, []byte("!")), errno.EIO)
			th.want("TIOCVHANGUP of a user", th.ioctlAt(f, tiocvhup, 0), errno.EPERM)
			_, err := c.Open(th.Thread, rdwr)
			th.want("open, exclusive", err, errno.EBUSY)
		})
		th.wait(pid)
		th.want("TIOCNXCL", th.ioctlAt(f, tiocnxcl, 0), nil)
	})
	c.Close()
	w.end(in)
}

func TestFlush(t *testing.T) {
	w := newWorld(t)
	in, c, s := w.console("a")
	w.boot(in, func(th *thread) {
		f := th.open(&c.TTY, rdwr)
		defer f.Release()
		c.Flush()
		th.write(f, "out\n")
		c.Flush()
		s.mu.Lock()
		if got := string(s.shown); got != "out\r\n" {
			t.Errorf("after Flush the line has %q", got)
		}
		s.mu.Unlock()
		th.want("TCOOFF", th.ioctlAt(f, tcxonc, tcooff), nil)
		th.write(f, "stays")
		c.Flush() // doesn't wait for what is stopped
	})
	c.Close()
	w.end(in)
}
