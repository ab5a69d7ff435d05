package tty

import (
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// Reading and writing.

// tenth is the unit of VTIME in nanoseconds.
const tenth = 100_000_000

// Read implements file.Impl: a line, or what VMIN and VTIME ask for.
func (h *handle) Read(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	y := h.y
	if !h.system {
		if err := y.mayUse(t, proc.SIGTTIN); err != nil {
			return err
		}
	}
	y.mu.Lock()
	defer y.unlock()
	if h.goneLocked() {
		return nil
	}
	if err := y.enterLocked(t, f, &y.reader); err != nil {
		return err
	}
	defer y.leaveLocked(&y.reader)
	return h.readLocked(t, f, u)
}

func (h *handle) readLocked(t *proc.Thread, f *file.File, u *vm.Uio) error {
	y := h.y
	least, between := 0, int64(0)
	deadline := proc.Forever
	if !y.d.t.lflag(icanon) {
		least = int(y.d.t.CC[vmin])
		between = int64(y.d.t.CC[vtime]) * tenth
		if least == 0 {
			deadline = t.Now() + between
			least, between = 1, 0
		}
	}
	for moved := 0; u.Len() > 0; {
		if h.goneLocked() {
			return nil
		}
		if !y.d.readable(1) {
			if deadline != proc.Forever && t.Now() >= deadline {
				return nil
			}
			if f.Nonblock() {
				return errno.EAGAIN
			}
			err := t.Wait(&y.q, &y.mu, deadline)
			if err == errno.ETIMEDOUT {
				if y.d.readable(1) {
					continue
				}
				return nil
			}
			if err != nil {
				return err
			}
			continue
		}
		lines := y.d.t.lines()
		n := y.d.read(y.rbuf[:min(u.Len(), len(y.rbuf))])
		y.tookInputLocked()
		if err := y.copyOut(u, y.rbuf[:n]); err != nil {
			return err
		}
		moved += n
		if lines || n == 0 || moved >= least {
			return nil
		}
		if between > 0 {
			deadline = t.Now() + between
		}
	}
	return nil
}

// Write implements file.Impl.
func (h *handle) Write(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	y := h.y
	y.mu.Lock()
	stop := y.d.t.lflag(tostop) && !h.system
	y.mu.Unlock()
	if stop {
		if err := y.mayUse(t, proc.SIGTTOU); err != nil {
			return err
		}
	}
	y.mu.Lock()
	defer y.unlock()
	if h.goneLocked() {
		return errno.EIO
	}
	if err := y.enterLocked(t, f, &y.writer); err != nil {
		return err
	}
	defer y.leaveLocked(&y.writer)
	for u.Len() > 0 {
		if h.goneLocked() {
			return errno.EIO
		}
		if y.d.room() == 0 || y.d.stopped && !y.drains {
			if f.Nonblock() {
				return errno.EAGAIN
			}
			y.publish()
			if y.d.room() > 0 && (!y.d.stopped || y.drains) {
				continue
			}
			if err := t.Wait(&y.q, &y.mu, proc.Forever); err != nil {
				return err
			}
			continue
		}
		if t.Interrupted() && u.Done() > 0 {
			return proc.ERestartSys
		}
		b := y.wbuf[:min(u.Len(), y.d.room())]
		n, err := y.copyIn(u, b)
		y.d.write(b[:n])
		if err != nil {
			return err
		}
	}
	return nil
}

// drain waits until the line has got all output.
func (h *handle) drain(t *proc.Thread) error {
	y := h.y
	if !y.drains {
		return nil
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	for !h.goneLocked() && (y.d.out.len() > 0 || y.sending) {
		if err := t.Wait(&y.q, &y.mu, proc.Forever); err != nil {
			return err
		}
	}
	return nil
}

// copyOut moves b to the program, without mu.
func (y *TTY) copyOut(u *vm.Uio, b []byte) error {
	y.unlock()
	defer y.mu.Lock()
	_, err := u.CopyOut(b)
	return err
}

// copyIn fills b from the program, without mu.
func (y *TTY) copyIn(u *vm.Uio, b []byte) (int, error) {
	y.unlock()
	defer y.mu.Lock()
	return u.CopyIn(b)
}
