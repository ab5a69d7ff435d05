package tty

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// pty opens a pseudo terminal; the slave is not the controlling terminal.
func (th *thread) pty() (m, s *file.File, p *Pty) {
	impl, p, err := OpenMaster(th.Thread)
	if err != nil {
		th.w.t.Error("ptmx: ", err)
		return nil, nil, nil
	}
	m = th.file(impl, rdwr)
	if _, err := p.Open(th.Thread, rdwr); err != errno.EIO {
		th.w.t.Errorf("open of a locked slave: %v", err)
	}
	th.ioctlInt(m, tiocsptlck, 0)
	return m, th.open(&p.TTY, rdwr|abi.O_NOCTTY), p
}

// in2 boots a program in one of two instances.
func in2(t *testing.T, program func(th *thread)) {
	w := newWorld(t)
	a, b := w.inst("a"), w.inst("b")
	w.boot(a, program)
	if n := len(slot.Of(b).list); n != 0 {
		t.Errorf("the other instance has %d pseudo terminals", n)
	}
	w.end(a)
	w.end(b)
}

func TestPty(t *testing.T) {
	in2(t, func(th *thread) {
		m, s, p := th.pty()
		if n, err := th.ioctlInt(m, tiocgptn, -1); n != 0 || err != nil {
			t.Errorf("TIOCGPTN: %d, %v", n, err)
		}
		m2, s2, p2 := th.pty()
		if p2.Index != 1 || FindPty(th.Inst(), 1) != p2 || FindPty(th.Inst(), 2) != nil || FindPty(th.Inst(), -1) != nil {
			t.Errorf("second pseudo terminal: number %d", p2.Index)
		}
		check := func(f *file.File, want string) {
			t.Helper()
			if got, err := th.read(f, 1000); got != want || err != nil {
				t.Errorf("read %q, %v, want %q", got, err, want)
			}
		}
		th.write(s, "hello\n")
		check(m, "hello\r\n")
		th.write(m, "typed\r")
		check(m, "typed\r\n")
		check(s, "typed\n")
		if e := m.Poll(); e != abi.POLLOUT|abi.POLLWRNORM {
			t.Errorf("poll of the master: %#x", e)
		}
		th.write(s, "12345")
		if n, err := th.ioctlInt(m, fionread, 0); n != 5 || err != nil {
			t.Errorf("FIONREAD of the master: %d, %v", n, err)
		}
		if n, err := th.ioctlInt(s, tiocoutq, 0); n != 0 || err != nil {
			t.Errorf("TIOCOUTQ of the slave: %d, %v", n, err)
		}
		th.want("tcflush of the master", th.ioctlAt(m, tcflsh, tciflush), nil)
		if e := m.Poll() & abi.POLLIN; e != 0 {
			t.Error("output after it was flushed")
		}
		// Settings and size are the same from both sides.
		th.set(m, func(t *Termios) { t.Lflag &^= echo })
		th.write(m, "silent\n")
		check(s, "silent\n")
		th.set(s, func(t *Termios) { t.Cflag = t.Cflag&^(csize|cread) | parenb })
		if c := p.d.t.Cflag; c&csize != cs8 || c&cread == 0 || c&parenb != 0 {
			t.Errorf("control flags %#x", c)
		}
		th.ioctl(m, tiocswinsz, []byte{1, 0, 2, 0, 3, 0, 4, 0})
		size := make([]byte, 8)
		if th.ioctl(s, tiocgwinsz, size); !bytes.Equal(size, []byte{1, 0, 2, 0, 3, 0, 4, 0}) {
			t.Errorf("size %v", size)
		}

		// The slave is closed: the master reads what is left, then EIO.
		th.write(s, "bye\n")
		s.Release()
		if e := m.Poll(); e != abi.POLLOUT|abi.POLLWRNORM|abi.POLLIN|abi.POLLRDNORM|abi.POLLHUP {
			t.Errorf("poll of the master without slave: %#x", e)
		}
		check(m, "bye\r\n")
		_, err := th.read(m, 9)
		th.want("read of the master without slave", err, errno.EIO)
		s = th.open(&p.TTY, rdwr|abi.O_NOCTTY)
		m.SetFlags(th.Thread, abi.O_NONBLOCK)
		_, err = th.read(m, 9)
		th.want("read of the master with slave again", err, errno.EAGAIN)

		// The master is closed: the slave is hung up.
		m.Release()
		check(s, "")
		_, err = th.write(s, "x")
		th.want("write to the slave without master", err, errno.EIO)
		if _, err := p.Open(th.Thread, rdwr); err != errno.EIO {
			t.Errorf("open of a slave without master: %v", err)
		}
		if FindPty(th.Inst(), 0) != nil {
			t.Error("a slave without master is listed")
		}
		s.Release()
		m3, s3, p3 := th.pty()
		if p3.Index != 0 {
			t.Errorf("number %d, the first one is free", p3.Index)
		}
		n := 0
		Ptys(th.Inst(), 0, func(*Pty) bool { n++; return true })
		if n != 2 {
			t.Errorf("%d pseudo terminals are listed, want 2", n)
		}
		for _, f := range []*file.File{s2, m2, m3, s3} {
			f.Release()
		}
	})
}

func TestPtyLimits(t *testing.T) {
	in2(t, func(th *thread) {
		in := th.Inst()
		before := in.Used(inst.Heap)
		in.SetLimit(inst.Heap, before+3*ptyBytes)
		var list []*Pty
		var impls []file.Impl
		for {
			impl, p, err := OpenMaster(th.Thread)
			if err != nil {
				th.want("ptmx at the limit of memory", err, errno.ENOMEM)
				break
			}
			list, impls = append(list, p), append(impls, impl)
		}
		if len(list) != 3 {
			t.Errorf("%d pseudo terminals, charged for 3", len(list))
		}
		in.SetLimit(inst.Heap, 1<<40)
		for {
			impl, p, err := OpenMaster(th.Thread)
			if err != nil {
				th.want("ptmx at the limit of numbers", err, errno.ENOSPC)
				break
			}
			list, impls = append(list, p), append(impls, impl)
		}
		if len(list) != MaxPtys {
			t.Errorf("%d pseudo terminals", len(list))
		}
		for _, impl := range impls {
			impl.Release(nil)
		}
		if n := in.Used(inst.Heap); n != before {
			t.Errorf("%d bytes of heap, before %d", n, before)
		}
	})
}

// TestMasterInterrupted has a signal end a write that takes long without ever
// having to wait: what is beyond a line's length is dropped.
func TestMasterInterrupted(t *testing.T) {
	in2(t, func(th *thread) {
		m, s, _ := th.pty()
		b := bytes.Repeat([]byte("x"), 100*writeStep)
		th.handle(proc.SIGUSR1)
		th.Signal(proc.Siginfo{Signo: proc.SIGUSR1})
		if n, err := m.Write(th.Thread, vm.KernelUio(b)); n != writeStep || err != nil {
			t.Errorf("with a signal: wrote %d, %v, want %d", n, err, writeStep)
		}
		th.await(proc.SIGUSR1)
		if n, err := m.Write(th.Thread, vm.KernelUio(b)); n != len(b) || err != nil {
			t.Errorf("without: wrote %d, %v", n, err)
		}
		m.Release()
		s.Release()
	})
}

// TestPtyFull is about the two directions when nobody reads.
func TestPtyFull(t *testing.T) {
	in2(t, func(th *thread) {
		m, s, _ := th.pty()
		th.set(s, func(t *Termios) { t.Lflag, t.Iflag, t.Oflag = 0, 0, 0 })
		all := strings.Repeat("0123456789abcdef", 4000)
		for _, dir := range []struct {
			name     string
			from, to *file.File
		}{{"to the slave", m, s}, {"to the master", s, m}} {
			dir.from.SetFlags(th.Thread, abi.O_NONBLOCK)
			n, err := th.write(dir.from, all)
			if err != nil || n < inSize-writeStep || n >= len(all) {
				t.Errorf("%s: wrote %d, %v", dir.name, n, err)
			}
			if dir.from.Poll()&abi.POLLOUT != 0 {
				t.Errorf("%s: poll finds room", dir.name)
			}
			dir.from.SetFlags(th.Thread, 0)
			// A writer that waits gets all of it through.
			pid := th.fork(func(th *thread) {
				if m, err := th.write(dir.from, all[n:]); m != len(all)-n || err != nil {
					t.Errorf("%s: wrote %d, %v", dir.name, m, err)
				}
			})
			var got strings.Builder
			for got.Len() < len(all) {
				part, err := th.read(dir.to, 777)
				if err != nil || part == "" {
					t.Errorf("%s: read %q, %v", dir.name, part, err)
					break
				}
				got.WriteString(part)
			}
			if got.String() != all {
				t.Errorf("%s: something else arrived, %d bytes", dir.name, got.Len())
			}
			th.wait(pid)
			if dir.from.Poll()&abi.POLLOUT == 0 {
				t.Errorf("%s: poll finds no room in the end", dir.name)
			}
		}
		s.Release()
		m.Release()
	})
}

func TestPacket(t *testing.T) {
	in2(t, func(th *thread) {
		m, s, _ := th.pty()
		m.SetFlags(th.Thread, abi.O_NONBLOCK)
		th.ioctlInt(m, tiocpkt, 1)
		check := func(what, want string) {
			t.Helper()
			got := ""
			for {
				part, err := th.read(m, 100)
				if err != nil {
					break
				}
				got += fmt.Sprintf("%q", part)
			}
			if got != want {
				t.Errorf("%s: read %s, want %s", what, got, want)
			}
		}
		iflag := func(on, off uint32) {
			th.set(s, func(t *Termios) { t.Iflag = t.Iflag&^off | on })
		}
		// As Linux does it.
		th.write(s, "abc")
		check("data", `"\x00abc"`)
		th.write(m, "\x13")
		if e := m.Poll(); e&abi.POLLPRI == 0 {
			t.Errorf("poll with a status: %#x", e)
		}
		check("VSTOP", `"\x04"`)
		th.write(m, "\x11")
		check("VSTART", `"\b"`)
		th.write(m, "\x03")
		check("VINTR", `"\x03""\x00^C"`)
		th.ioctlAt(s, tcflsh, tciflush)
		check("TCIFLUSH", `"\x01"`)
		th.ioctlAt(s, tcflsh, tcoflush)
		check("TCOFLUSH", `"\x02"`)
		th.ioctlAt(s, tcflsh, tcioflush)
		check("TCIOFLUSH", `"\x03"`)
		iflag(0, ixon)
		check("no IXON", `"\x10"`)
		iflag(ixon, 0)
		check("IXON", `" "`)
		th.set(s, func(t *Termios) { t.CC[vstop] = 'x' })
		check("VSTOP other", `"\x10"`)
		th.set(s, func(t *Termios) { t.Lflag |= extproc })
		check("EXTPROC", `"@"`)
		th.ioctlAt(s, tcxonc, tcooff)
		check("TCOOFF", `"\x04"`)
		th.ioctlAt(s, tcxonc, tcoon)
		check("TCOON", `"\b"`)
		th.ioctlAt(s, tcxonc, tcioff)
		check("TCIOFF", `"\x00x"`)
		th.want("TIOCSIG", th.ioctlAt(m, tiocsig, 2), nil)
		th.want("TIOCSIG 9", th.ioctlAt(m, tiocsig, 9), errno.EINVAL)
		th.want("TIOCSIG of the slave", th.ioctlAt(s, tiocsig, 2), errno.ENOTTY)
		s.Release()
		m.Release()
	})
}

// TestPtySession is what a terminal emulator does.
func TestPtySession(t *testing.T) {
	in2(t, func(th *thread) {
		m, s, p := th.pty()
		s.Release()
		started := make(chan bool)
		hup := make(chan bool, 1)
		pid := th.fork(func(th *thread) {
			th.Setsid()
			s := th.open(&p.TTY, rdwr)
			defer s.Release()
			th.handle(proc.SIGINT, proc.SIGHUP, proc.SIGWINCH)
			started <- true
			th.await(proc.SIGWINCH)
			started <- true
			th.await(proc.SIGINT)
			th.write(s, "interrupted\n")
			th.await(proc.SIGHUP)
			hup <- true
		})
		<-started
		th.ioctl(m, tiocswinsz, []byte{24, 0, 80, 0, 0, 0, 0, 0})
		<-started
		th.write(m, "\x03")
		want := "^Cinterrupted\r\n"
		got := ""
		for len(got) < len(want) {
			part, err := th.read(m, 100)
			if err != nil {
				t.Error(err)
				break
			}
			got += part
		}
		if got != want {
			t.Errorf("read %q, want %q", got, want)
		}
		if id, err := th.ioctlInt(m, tiocgpgrp, 0); id != pid || err != nil {
			t.Errorf("tcgetpgrp of the master: %d, %v", id, err)
		}
		m.Release()
		<-hup
		th.wait(pid)
	})
}
