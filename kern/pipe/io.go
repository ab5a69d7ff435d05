package pipe

import (
	"encoding/binary"
	"strconv"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// Read is read(2): what is there, up to the length of u; it waits for the first
// byte. Without writers an empty pipe is at its end.
func (e *End) Read(t *proc.Thread, f *file.File, u *vm.Uio, _ int64) error {
	if u.Len() == 0 {
		return nil
	}
	p := e.p
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if p.reading {
			if err := p.waitTurnLocked(t, &p.reading); err != nil {
				return err
			}
		}
		if p.head != p.tail {
			return p.takeLocked(u)
		}
		if p.writers == 0 {
			return nil
		}
		if f.Nonblock() {
			return errno.EAGAIN
		}
		p.readWait++
		err := t.Wait(&p.readQ, &p.mu, proc.Forever)
		p.readWait--
		if err != nil {
			return err
		}
	}
}

// waitTurnLocked waits until busy, which is p.reading or p.writing, is false.
// Who has set it copies, and doesn't wait for others.
func (p *Pipe) waitTurnLocked(t *proc.Thread, busy *bool) error {
	for *busy {
		p.turnWait++
		err := t.Wait(&p.turnQ, &p.mu, proc.Forever)
		p.turnWait--
		if err != nil {
			return err
		}
	}
	return nil
}

// turnOver is called after p.reading or p.writing was set to false.
func (p *Pipe) turnOver() {
	if p.turnWait > 0 {
		p.turnQ.WakeAll()
	}
}

// takeLocked moves bytes to u. The pipe is not empty, and p.reading false.
func (p *Pipe) takeLocked(u *vm.Uio) error {
	a, b := p.parts(p.head, min(u.Len(), p.used()))
	p.reading = true
	p.mu.Unlock()
	n, err := u.CopyOut(a)
	if err == nil && b != nil {
		var m int
		m, err = u.CopyOut(b)
		n += m
	}
	p.mu.Lock()
	p.reading = false
	p.turnOver()
	wasFull := p.limit-p.used() < Atomic
	p.head += uint64(n)
	if p.head != p.tail && p.readWait > 0 {
		p.readQ.Wake(1) // one wake-up stood for all these bytes
	}
	if n > 0 && p.limit-p.used() >= Atomic {
		if p.writeWait > 0 {
			p.writeQ.Wake(1)
		}
		if wasFull {
			p.polls[writeEnd].wake()
			p.polls[bothEnds].wake()
		}
	}
	return err
}

// Write is write(2): all of u, waiting for room as often as need be. Up to
// Atomic bytes lie together in the pipe, or not at all.
func (e *End) Write(t *proc.Thread, f *file.File, u *vm.Uio, _ int64) error {
	if u.Len() == 0 {
		return nil
	}
	p := e.p
	p.mu.Lock()
	err := p.putLocked(t, f, u)
	if p.writeWait > 0 && p.limit-p.used() >= Atomic {
		p.writeQ.Wake(1) // the wake-up that this thread took may be for others too
	}
	p.mu.Unlock()
	if err == errno.EPIPE {
		t.Signal(proc.SenderInfo(proc.SIGPIPE, proc.SI_USER, t.Proc.PID, t.Cred().UID))
	}
	return err
}

// putLocked is Write with p.mu held, which it lets go meanwhile.
func (p *Pipe) putLocked(t *proc.Thread, f *file.File, u *vm.Uio) error {
	need := 1
	if u.Len() <= Atomic {
		need = u.Len()
	}
	for u.Len() > 0 {
		if p.readers == 0 {
			return errno.EPIPE
		}
		if p.writing {
			if err := p.waitTurnLocked(t, &p.writing); err != nil {
				return err
			}
			continue
		}
		if p.limit-p.used() >= need {
			if err := p.roomLocked(need, u.Len()); err != nil {
				return err
			}
			if err := p.fillLocked(u); err != nil {
				return err
			}
			continue
		}
		if f.Nonblock() {
			return errno.EAGAIN
		}
		p.writeWait++
		err := t.Wait(&p.writeQ, &p.mu, proc.Forever)
		p.writeWait--
		if err != nil {
			return err
		}
	}
	return nil
}

// roomLocked makes the ring long enough for need more bytes, and for want if
// the capacity and the heap allow it. ENOMEM.
func (p *Pipe) roomLocked(need, want int) error {
	used := p.used()
	if len(p.ring)-used >= want || len(p.ring) == p.limit {
		return nil
	}
	err := p.resizeLocked(max(Atomic, ceilPow2(min(used+want, p.limit))))
	if err != nil && len(p.ring)-used < need {
		err = p.resizeLocked(max(Atomic, ceilPow2(used+need)))
	}
	if len(p.ring)-used >= need {
		return nil
	}
	return err
}

// fillLocked moves bytes from u into the room that there is; p.writing is false.
func (p *Pipe) fillLocked(u *vm.Uio) error {
	room := min(p.limit, len(p.ring)) - p.used()
	a, b := p.parts(p.tail, min(u.Len(), room))
	p.writing = true
	p.mu.Unlock()
	n, err := u.CopyIn(a)
	if err == nil && b != nil {
		var m int
		m, err = u.CopyIn(b)
		n += m
	}
	p.mu.Lock()
	p.writing = false
	p.turnOver()
	p.tail += uint64(n)
	if n > 0 {
		if p.readWait > 0 {
			p.readQ.Wake(1)
		}
		p.polls[readEnd].wake()
		p.polls[bothEnds].wake()
	}
	return err
}

// Poll tells what poll(2) does. A pipe is writable when Atomic bytes have room.
func (e *End) Poll(*file.File) file.Events {
	p := e.p
	var ev file.Events
	p.mu.Lock()
	if e.kind != writeEnd {
		if p.head != p.tail {
			ev |= abi.POLLIN | abi.POLLRDNORM
		}
		if p.writers == 0 && e.since != p.writeSeq {
			ev |= abi.POLLHUP
		}
	}
	if e.kind != readEnd {
		if p.limit-p.used() >= Atomic {
			ev |= abi.POLLOUT | abi.POLLWRNORM
		}
		if p.readers == 0 {
			ev |= abi.POLLERR
		}
	}
	p.mu.Unlock()
	return ev
}

// Queue returns what is woken when Poll may tell more.
func (e *End) Queue() *proc.Queue {
	w := &e.p.polls[e.kind]
	if !w.used.Load() {
		// With the lock, so that a change of which Poll doesn't tell yet
		// finds it.
		e.p.mu.Lock()
		w.used.Store(true)
		e.p.mu.Unlock()
	}
	return &w.q
}

// Stat tells about a pipe. For a FIFO its file system does.
func (e *End) Stat(*proc.Thread) (abi.Stat, error) {
	e.p.statMu.Lock()
	defer e.p.statMu.Unlock()
	return e.p.statLocked(), nil
}

func (p *Pipe) statLocked() abi.Stat {
	a := &p.stat
	return abi.Stat{
		Dev: pipeDev, Ino: p.ino, Nlink: 1, Mode: a.mode, UID: a.uid, GID: a.gid, Blksize: Atomic,
		Atime: a.atime, Mtime: a.mtime, Ctime: a.ctime,
	}
}

// Change changes owner, mode and times of a pipe.
func (e *End) Change(f func(st *abi.Stat)) {
	e.p.statMu.Lock()
	defer e.p.statMu.Unlock()
	st := e.p.statLocked()
	f(&st)
	e.p.stat = attributes{st.Mode, st.UID, st.GID, st.Atime, st.Mtime, st.Ctime}
}

// pipeDev is the device of pipes: no driver, the number that Linux often has.
const pipeDev = 14

// Name is the name in /proc/pid/fd.
func (e *End) Name() string { return "pipe:[" + strconv.FormatUint(e.p.ino, 10) + "]" }

// LockKey returns the identity of a pipe for locks.
func (e *End) LockKey() any { return e.p }

// Ioctl answers FIONREAD: how many bytes can be read.
func (e *End) Ioctl(t *proc.Thread, _ *file.File, cmd uint32, arg vm.Addr) (uintptr, error) {
	if cmd != abi.FIONREAD {
		return 0, errno.ENOTTY
	}
	e.p.mu.Lock()
	n := e.p.used()
	e.p.mu.Unlock()
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], uint32(n))
	return 0, t.Space().CopyOut(arg, b[:])
}

// PipeSize is fcntl(F_GETPIPE_SZ).
func (e *End) PipeSize() int {
	e.p.mu.Lock()
	defer e.p.mu.Unlock()
	return e.p.limit
}

// SetPipeSize is fcntl(F_SETPIPE_SZ): n is rounded up to a power of two. EINVAL,
// EPERM beyond MaxSize, EBUSY if more bytes than that are in the pipe.
func (e *End) SetPipeSize(t *proc.Thread, n int) (int, error) {
	if n < 0 || n > 1<<31 {
		return 0, errno.EINVAL
	}
	if n > MaxSize {
		return 0, errno.EPERM
	}
	p := e.p
	n = max(Atomic, ceilPow2(max(n, 1)))
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := p.waitTurnLocked(t, &p.writing); err != nil {
		return 0, err
	}
	if p.used() > n {
		return 0, errno.EBUSY
	}
	if len(p.ring) > n {
		if err := p.resizeLocked(n); err != nil {
			return 0, err
		}
	}
	grown := n > p.limit
	p.limit = n
	if grown {
		p.writeQ.WakeAll()
		p.polls[writeEnd].wake()
		p.polls[bothEnds].wake()
	}
	return n, nil
}
