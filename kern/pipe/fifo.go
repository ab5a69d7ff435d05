package pipe

import (
	"sync"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
)

// A FIFO is a named pipe: the part of a vnode that its opens share. The zero
// value works. The pipe is there while somebody has it open.
type FIFO struct {
	mu sync.Mutex
	p  *Pipe // [mu]
}

// Open is open(2) of a FIFO with the access mode and O_NONBLOCK of flags. A
// reader waits for a writer and a writer for a reader; O_NONBLOCK makes a
// reader not wait, and a writer without readers ENXIO. Opened for both, it
// never waits. ENXIO, ENOMEM, EINVAL, or what a signal makes of it.
func (ff *FIFO) Open(t *proc.Thread, flags int) (*End, error) {
	k, err := kindOf(flags)
	if err != nil {
		return nil, err
	}
	p, err := ff.join(t)
	if err != nil {
		return nil, err
	}
	if !p.in.Charge(inst.Heap, endCost) {
		ff.leave(p)
		return nil, errno.ENOMEM
	}
	e := &End{p: p, kind: k, fifo: ff}
	p.mu.Lock()
	if k == writeEnd && p.readers == 0 && flags&abi.O_NONBLOCK != 0 {
		p.mu.Unlock()
		p.in.Uncharge(inst.Heap, endCost)
		ff.leave(p)
		return nil, errno.ENXIO
	}
	err = p.openLocked(t, e, flags&abi.O_NONBLOCK != 0)
	p.mu.Unlock()
	if err != nil {
		e.Release(nil)
		return nil, err
	}
	return e, nil
}

// kindOf returns the kind of end that flags of open(2) ask for.
func kindOf(flags int) (kind, error) {
	switch flags & abi.O_ACCMODE {
	case abi.O_RDONLY:
		return readEnd, nil
	case abi.O_WRONLY:
		return writeEnd, nil
	case abi.O_RDWR:
		return bothEnds, nil
	}
	return 0, errno.EINVAL
}

// Reopen opens the pipe of e once more, with the access mode of flags, and
// never waits: open(2) of a pipe in /proc/pid/fd. The caller keeps e open
// meanwhile. EINVAL, ENOMEM.
func (e *End) Reopen(flags int) (*End, error) {
	k, err := kindOf(flags)
	if err != nil {
		return nil, err
	}
	p := e.p
	if !p.in.Charge(inst.Heap, endCost) {
		return nil, errno.ENOMEM
	}
	if e.fifo != nil {
		e.fifo.mu.Lock()
		defer e.fifo.mu.Unlock()
	}
	n := &End{p: p, kind: k, fifo: e.fifo, extra: true}
	p.mu.Lock()
	p.ends++
	p.countLocked(n)
	p.mu.Unlock()
	return n, nil
}

// join returns the pipe, made if need be, with a place in ends for the caller.
func (ff *FIFO) join(t *proc.Thread) (*Pipe, error) {
	ff.mu.Lock()
	defer ff.mu.Unlock()
	if ff.p == nil {
		p, err := newPipe(t.Proc.Inst)
		if err != nil {
			return nil, err
		}
		ff.p = p
	}
	ff.p.mu.Lock()
	ff.p.ends++
	ff.p.mu.Unlock()
	return ff.p, nil
}

// leave gives the place in ends up.
func (ff *FIFO) leave(p *Pipe) {
	ff.mu.Lock()
	defer ff.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leaveLocked() {
		ff.p = nil
	}
}

// openLocked counts e and waits for the other side if it has to. On an error e
// is to be released.
func (p *Pipe) openLocked(t *proc.Thread, e *End, nonblock bool) error {
	p.countLocked(e)
	switch {
	case e.kind == readEnd && p.writers == 0 && nonblock:
		e.since = p.writeSeq
	case e.kind == readEnd && p.writers == 0:
		return p.waitPartnerLocked(t, &p.writeSeq)
	case e.kind == writeEnd && p.readers == 0:
		return p.waitPartnerLocked(t, &p.readSeq)
	}
	return nil
}

// countLocked counts e among the ends that are open, and tells the other side.
func (p *Pipe) countLocked(e *End) {
	if e.kind != writeEnd {
		p.readers++
		p.readSeq++
	}
	if e.kind != readEnd {
		p.writers++
		p.writeSeq++
	}
	if p.openWait > 0 {
		p.openQ.WakeAll()
	}
	// Who watches the other side sees that its hang-up or error is over.
	for i := range p.polls {
		p.polls[i].wake()
	}
}

// waitPartnerLocked waits until an end of the other side has been opened, even
// if it has been closed again since.
func (p *Pipe) waitPartnerLocked(t *proc.Thread, seq *uint64) error {
	for was := *seq; *seq == was; {
		p.openWait++
		err := t.Wait(&p.openQ, &p.mu, proc.Forever)
		p.openWait--
		if err != nil && *seq == was {
			return err
		}
	}
	return nil
}
