package tty

import (
	"encoding/binary"

	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// ioctl(2) on terminals: ioctl_tty(2).

// Ioctl implements file.Ioctler.
func (h *handle) Ioctl(t *proc.Thread, f *file.File, cmd uint32, arg vm.Addr) (uintptr, error) {
	y := h.y
	y.mu.Lock()
	gone := h.goneLocked()
	y.mu.Unlock()
	if gone {
		if cmd == tiocspgrp {
			return 0, errno.ENOTTY
		}
		return 0, errno.EIO
	}
	switch cmd {
	case tiocgpgrp, tiocgsid:
		if !y.owns(t) {
			return 0, errno.ENOTTY
		}
	case fionread:
		y.mu.Lock()
		n := y.d.available()
		y.mu.Unlock()
		return 0, putInt(t, arg, int32(n))
	case tiocoutq:
		y.mu.Lock()
		n := y.d.out.len()
		y.mu.Unlock()
		if !y.drains {
			n = 0
		}
		return 0, putInt(t, arg, int32(n))
	case tcflsh:
		if err := y.mayUse(t, proc.SIGTTOU); err != nil {
			return 0, err
		}
		return 0, y.flush(uint64(arg))
	}
	return 0, h.control(t, f, cmd, arg)
}

// control handles what means the same for both sides of a pseudo terminal.
func (h *handle) control(t *proc.Thread, f *file.File, cmd uint32, arg vm.Addr) error {
	y := h.y
	switch cmd {
	case tcgets, tcgets2, tcgeta:
		y.mu.Lock()
		tm := y.d.t
		y.mu.Unlock()
		var b [termios2Size]byte
		n := termiosSize
		switch cmd {
		case tcgets2:
			n = termios2Size
			tm.put(b[:])
		case tcgeta:
			n = termioSize
			tm.putOld(b[:])
		default:
			tm.put(b[:termiosSize])
		}
		return t.Space().CopyOut(arg, b[:n])
	case tcsets, tcsetsw, tcsetsf, tcsets2, tcsetsw2, tcsetsf2, tcseta, tcsetaw, tcsetaf:
		return h.setTermios(t, cmd, arg)
	case tcsbrk, tcsbrkp:
		// No line here knows a break, so only the wait is left.
		if err := y.mayUse(t, proc.SIGTTOU); err != nil {
			return err
		}
		return h.drain(t)
	case tiocsbrk, tioccbrk:
		return y.mayUse(t, proc.SIGTTOU)
	case tcxonc:
		if err := y.mayUse(t, proc.SIGTTOU); err != nil {
			return err
		}
		return y.flow(uint64(arg))
	case tiocgwinsz:
		y.mu.Lock()
		w := y.size
		y.mu.Unlock()
		var b [8]byte
		for i, v := range w {
			binary.LittleEndian.PutUint16(b[2*i:], v)
		}
		return t.Space().CopyOut(arg, b[:])
	case tiocswinsz:
		var b [8]byte
		if err := t.Space().CopyIn(b[:], arg); err != nil {
			return err
		}
		var w winsize
		for i := range w {
			w[i] = binary.LittleEndian.Uint16(b[2*i:])
		}
		y.setSize(w)
		return nil
	case tiocgpgrp:
		return putInt(t, arg, int32(y.Foreground()))
	case tiocspgrp:
		if err := y.mayUse(t, proc.SIGTTOU); err != nil {
			if err == errno.EIO {
				err = errno.ENOTTY
			}
			return err
		}
		if !y.owns(t) {
			return errno.ENOTTY
		}
		id, err := getInt(t, arg)
		if err != nil {
			return err
		}
		return y.setForeground(t, id)
	case tiocgsid:
		y.mu.Lock()
		s := y.session
		y.mu.Unlock()
		if s == nil {
			return errno.ENOTTY
		}
		return putInt(t, arg, int32(s.ID))
	case tiocsctty:
		return h.setControlling(t, f, arg)
	case tiocnotty:
		return y.detach(t)
	case tiocsti:
		return y.fake(t, arg)
	case tiocexcl, tiocnxcl:
		y.mu.Lock()
		y.excl = cmd == tiocexcl
		y.mu.Unlock()
		return nil
	case tiocgexcl:
		y.mu.Lock()
		on := y.excl
		y.mu.Unlock()
		return putInt(t, arg, bit(on))
	case tiocgsoftcar:
		y.mu.Lock()
		on := y.d.t.Cflag&clocal != 0
		y.mu.Unlock()
		return putInt(t, arg, bit(on))
	case tiocssoftcar:
		on, err := getInt(t, arg)
		if err != nil {
			return err
		}
		y.mu.Lock()
		y.d.t.Cflag &^= clocal
		if on != 0 {
			y.d.t.Cflag |= clocal
		}
		y.mu.Unlock()
		return nil
	case tiocgetd:
		return putInt(t, arg, 0) // N_TTY
	case tiocsetd:
		if err := y.mayUse(t, proc.SIGTTOU); err != nil {
			return err
		}
		n, err := getInt(t, arg)
		if err == nil && n != 0 {
			err = errno.EINVAL
		}
		return err
	case tiocvhup:
		if !t.Cred().Has(proc.CAP_SYS_ADMIN) {
			return errno.EPERM
		}
		y.Hangup()
		return nil
	}
	return errno.ENOTTY
}

// setTermios implements tcsetattr(3) in all its forms.
func (h *handle) setTermios(t *proc.Thread, cmd uint32, arg vm.Addr) error {
	y := h.y
	if err := y.mayUse(t, proc.SIGTTOU); err != nil {
		return err
	}
	var b [termios2Size]byte
	n := termiosSize
	switch cmd {
	case tcsets2, tcsetsw2, tcsetsf2:
		n = termios2Size
	case tcseta, tcsetaw, tcsetaf:
		n = termioSize
	}
	if err := t.Space().CopyIn(b[:n], arg); err != nil {
		return err
	}
	wait, flush := false, false
	switch cmd {
	case tcsetsw, tcsetsw2, tcsetaw:
		wait = true
	case tcsetsf, tcsetsf2, tcsetaf:
		wait, flush = true, true
	}
	if wait {
		if err := h.drain(t); err != nil {
			return err
		}
	}
	y.mu.Lock()
	defer y.unlock()
	if flush {
		y.d.flushInput()
		y.tookInputLocked()
	}
	tm := y.d.t
	if n == termioSize {
		tm.getOld(b[:n])
	} else {
		tm.get(b[:n])
	}
	if !y.drains { // a pseudo terminal has no line whose format can be set
		tm.Cflag = tm.Cflag&^(csize|parenb|addrb) | cs8 | cread
	}
	was, old := y.d.stopped, y.d.t
	y.d.setTermios(tm)
	y.tookInputLocked()
	y.flowLocked(was)
	y.line.flushed(pktMode(&old, &tm))
	if y.d.readable(1) {
		y.q.WakeAll()
	}
	return nil
}

// flush implements TCFLSH.
func (y *TTY) flush(queue uint64) error {
	if queue > tcioflush {
		return errno.EINVAL
	}
	y.mu.Lock()
	defer y.unlock()
	if queue != tcoflush {
		y.d.flushInput()
		y.tookInputLocked()
		y.line.flushed(pktFlushRead)
	}
	if queue != tciflush {
		y.d.out.reset()
		y.line.flushed(pktFlushWrite)
		y.q.WakeAll()
	}
	return nil
}

// flow implements TCXONC.
func (y *TTY) flow(action uint64) error {
	y.mu.Lock()
	defer y.unlock()
	was := y.d.stopped
	switch action {
	case tcooff:
		y.d.halt()
	case tcoon:
		y.d.unhalt()
	case tcioff:
		y.d.send(y.d.t.CC[vstop])
	case tcion:
		y.d.send(y.d.t.CC[vstart])
	default:
		return errno.EINVAL
	}
	y.flowLocked(was)
	return nil
}

// fake implements TIOCSTI, which puts words into another program's mouth.
func (y *TTY) fake(t *proc.Thread, arg vm.Addr) error {
	if !t.Cred().Has(proc.CAP_SYS_ADMIN) {
		return errno.EIO
	}
	var b [1]byte
	if err := t.Space().CopyIn(b[:], arg); err != nil {
		return err
	}
	y.mu.Lock()
	y.inputLocked(b[:])
	y.tookInputLocked()
	y.unlock()
	return nil
}

// setControlling implements TIOCSCTTY.
func (h *handle) setControlling(t *proc.Thread, f *file.File, arg vm.Addr) error {
	root := t.Cred().Has(proc.CAP_SYS_ADMIN)
	if t.Proc.Leader() && h.y.owns(t) {
		return nil
	}
	if !f.Readable() && !root {
		return errno.EPERM
	}
	return h.y.claim(t, arg == 1 && root)
}

func putInt(t *proc.Thread, arg vm.Addr, v int32) error {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(v))
	return t.Space().CopyOut(arg, b[:])
}

func getInt(t *proc.Thread, arg vm.Addr) (int32, error) {
	var b [4]byte
	if err := t.Space().CopyIn(b[:], arg); err != nil {
		return 0, err
	}
	return int32(binary.LittleEndian.Uint32(b[:])), nil
}

func bit(on bool) int32 {
	if on {
		return 1
	}
	return 0
}
