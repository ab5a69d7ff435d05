package proc

import "mult/kern/errno"

// Options of wait4(2) and waitid(2), and what waitid's number names.
const (
	WNOHANG    = 0x1
	WUNTRACED  = 0x2
	WSTOPPED   = 0x2
	WEXITED    = 0x4
	WCONTINUED = 0x8
	WNOWAIT    = 0x01000000
	WNOTHREAD  = 0x20000000
	WALL       = 0x40000000
	WCLONE     = 0x80000000

	P_ALL  = 0
	P_PID  = 1
	P_PGID = 2
)

// A WaitResult is what has happened to a child.
type WaitResult struct {
	PID    int // 0: nothing, with WNOHANG
	UID    uint32
	Status Status // as wait4 tells it
	Code   int32  // CLD_*, as waitid tells it
	Value  int32  // exit code or signal, as waitid tells it
	Usage  Usage  // of the child and its reaped children
}

// Wait4 implements wait4(2).
func (t *Thread) Wait4(pid, options int) (WaitResult, error) {
	if options&^(WNOHANG|WUNTRACED|WCONTINUED|WNOTHREAD|WCLONE|WALL) != 0 {
		return WaitResult{}, errno.EINVAL
	}
	w := waitFor{t: t, kind: P_PID, id: pid, options: options | WEXITED}
	switch {
	case pid == -1:
		w.kind = P_ALL
	case pid == -1<<31:
		return WaitResult{}, errno.ESRCH
	case pid < 0:
		w.kind, w.id = P_PGID, -pid
	case pid == 0:
		w.kind = P_PGID
	}
	return w.wait()
}

// Waitid implements waitid(2), without process descriptors.
func (t *Thread) Waitid(kind, id, options int) (WaitResult, error) {
	if options&^(WNOHANG|WNOWAIT|WEXITED|WSTOPPED|WCONTINUED|WNOTHREAD|WCLONE|WALL) != 0 ||
		options&(WEXITED|WSTOPPED|WCONTINUED) == 0 {
		return WaitResult{}, errno.EINVAL
	}
	switch kind {
	case P_ALL:
	case P_PID:
		if id <= 0 {
			return WaitResult{}, errno.EINVAL
		}
	case P_PGID:
		if id < 0 {
			return WaitResult{}, errno.EINVAL
		}
	default:
		return WaitResult{}, errno.EINVAL
	}
	w := waitFor{t: t, kind: kind, id: id, options: options}
	return w.wait()
}

// waitFor is one wait: who waits for what.
type waitFor struct {
	t        *Thread
	kind, id int
	options  int
	group    *Group // P_PGID
}

func (w *waitFor) wait() (WaitResult, error) {
	p, tab := w.t.Proc, w.t.Proc.tab
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if w.kind == P_PGID && w.id == 0 {
		w.id = p.group.ID
	}
	for {
		r, found := w.lookLocked()
		switch {
		case r.PID != 0:
			return r, nil
		case !found:
			return r, errno.ECHILD
		case w.options&WNOHANG != 0:
			return r, nil
		}
		if err := w.t.Wait(&p.childQ, &tab.mu, Forever); err != nil {
			return r, err
		}
	}
}

// lookLocked looks for a child that something has happened to; found tells
// whether there are children to wait for at all.
func (w *waitFor) lookLocked() (r WaitResult, found bool) {
	p, tab := w.t.Proc, w.t.Proc.tab
	if w.kind == P_PID {
		c := tab.findLocked(w.id)
		if c == nil || c.parent != p || !w.wants(c) {
			return r, false
		}
		return w.take(c), true
	}
	w.group = nil
	if w.kind == P_PGID {
		if e := tab.numbers[w.id]; e != nil {
			w.group = e.group
		}
		if w.group == nil {
			return r, false
		}
	}
	for _, l := range []*childList{&p.zombies, &p.children} {
		for c := l.head; c != nil; c = c.next {
			if !w.wants(c) {
				continue
			}
			found = true
			if r = w.take(c); r.PID != 0 {
				return r, true
			}
			if l == &p.children && w.options&(WSTOPPED|WCONTINUED) == 0 {
				return r, true
			}
		}
	}
	return r, found
}

// wants reports whether c is one of those to wait for.
func (w *waitFor) wants(c *Proc) bool {
	if w.kind == P_PGID && c.group != w.group || w.options&WNOTHREAD != 0 && c.creator != w.t {
		return false
	}
	return w.options&WALL != 0 || (c.exitSignal != SIGCHLD) == (w.options&WCLONE != 0)
}

// take returns what has happened to c, if w asks for it, and marks it as told.
func (w *waitFor) take(c *Proc) (r WaitResult) {
	keep := w.options&WNOWAIT != 0
	if c.state == procZombie {
		if w.options&WEXITED == 0 {
			return r
		}
		u := c.usage()
		u.add(c.waited)
		r = WaitResult{PID: c.PID, UID: c.leader.Cred().UID, Status: c.status, Usage: u}
		r.Code, r.Value = c.endCode()
		if !keep {
			w.t.Proc.waited.add(u)
			c.reapLocked()
		}
		return r
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &c.sigs
	switch {
	case w.options&WSTOPPED != 0 && s.stopped && s.stopReport != 0:
		r = WaitResult{PID: c.PID, Status: stopStatus(s.stopReport), Code: CLD_STOPPED, Value: int32(s.stopReport)}
		if !keep {
			s.stopReport = 0
		}
	case w.options&WCONTINUED != 0 && s.contReport:
		r = WaitResult{PID: c.PID, Status: statusContinued, Code: CLD_CONTINUED, Value: int32(SIGCONT)}
		if !keep {
			s.contReport = false
		}
	default:
		return r
	}
	r.UID = c.leader.Cred().UID
	r.Usage = c.usageLocked()
	return r
}
