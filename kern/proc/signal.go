package proc

import "mult/kern/errno"

// This file sends signals. All ways lead to sendLocked, which needs Table.mu:
// what a signal does to a process may have to be told to its parent.

// procSigs is what a process has of signals. It is guarded by Proc.mu.
type procSigs struct {
	handlers *handlers
	pending  pendQueue // for any thread
	next     int       // thread that is tried first for the next signal
	mortal   bool      // process 1 has had a fault: defaults end it

	stopSig    Signal // the stop that goes on
	toStop     int    // threads that have not stopped yet
	stopped    bool   // all have
	stopReport Signal // what wait4 is still to be told of the stop
	contReport bool   // and of its end
	contSeq    uint64 // how often SIGCONT came
	stopQ      Queue  // stopped threads; with Proc.mu

	arrived Queue // woken when a signal has come; for signalfd
}

// threadSigs is what a thread has of signals. It is guarded by Proc.mu; what
// only the thread writes it also reads without.
type threadSigs struct {
	mask    Sigset // [own writes] blocked
	saved   Sigset // [own] mask to come back, if restore
	restore bool   // [own]
	pending pendQueue
	real    Sigset   // during sigtimedwait: the mask before
	stopped bool     // in a stop
	alt     AltStack // [own]
	waitQ   Queue    // sigtimedwait sleeps here; nobody wakes it
}

// Signal sends a signal of the kernel to p. Any goroutine may call it.
func (p *Proc) Signal(i Siginfo) error {
	p.tab.mu.Lock()
	defer p.tab.mu.Unlock()
	return p.sendLocked(&i, nil)
}

// Signal sends a signal of the kernel to t. Any goroutine may call it.
func (t *Thread) Signal(i Siginfo) error {
	tab := t.Proc.tab
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return t.Proc.sendLocked(&i, t)
}

// sendLocked sends a signal to p, or to its thread t if that isn't nil. tab.mu
// is held. The error is EAGAIN if there is no room in the queue.
func (p *Proc) sendLocked(i *Siginfo, t *Thread) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	sig := i.Signo
	if len(p.threads) == 0 || t != nil && !p.has(t) {
		return nil
	}
	switch {
	case stopSignals.Has(sig):
		p.dropPendingLocked(contSet)
	case sig == SIGCONT:
		p.dropPendingLocked(stopSignals)
		if why := p.continueLocked(); why != 0 {
			defer p.reportLocked(why)
		}
	}
	return p.postLocked(i, t)
}

// has reports whether t goes on.
func (p *Proc) has(t *Thread) bool { return t.Proc == p && !t.leaving }

// dropPendingLocked forgets signals that wait.
func (p *Proc) dropPendingLocked(set Sigset) {
	p.sigs.pending.drop(p.Inst, set)
	for _, t := range p.threads {
		t.sigs.pending.drop(p.Inst, set)
	}
}

// postLocked is sendLocked without what stop signals and SIGCONT need. p.mu
// is held.
func (p *Proc) postLocked(i *Siginfo, t *Thread) error {
	sig := i.Signo
	to := t
	if to == nil {
		to = p.firstLocked()
	}
	if p.ignoresLocked(sig, to) {
		return nil
	}
	q := &p.sigs.pending
	if t != nil {
		q = &t.sigs.pending
	}
	if sig < SIGRTMIN && q.set.Has(sig) {
		return nil
	}
	if sig != SIGKILL {
		// Nobody loses a signal of kill or the kernel: at worst it comes
		// without its information.
		limit := p.limits[RLIMIT_SIGPENDING].cur.Load()
		if sig < SIGRTMIN && i.Code >= 0 {
			limit = RLIM_INFINITY
		}
		n := to.user.room(p.Inst, limit)
		switch {
		case n != nil:
			n.info = *i
		case sig >= SIGRTMIN && i.Code != SI_USER:
			return errno.EAGAIN
		}
		q.add(sig, n)
	} else {
		q.set |= sig.bit()
	}
	p.wakeForLocked(sig, t)
	p.sigs.arrived.WakeAll()
	return nil
}

// firstLocked returns the first thread of p, or another if that has ended.
func (p *Proc) firstLocked() *Thread {
	if p.has(p.leader) {
		return p.leader
	}
	return p.threads[0]
}

// unkillableLocked reports whether signals without a handler do nothing to p.
func (p *Proc) unkillableLocked() bool { return p.PID == 1 && !p.sigs.mortal }

// ignoresLocked reports whether a signal for t has no effect, and will have
// none: it isn't blocked.
func (p *Proc) ignoresLocked(sig Signal, t *Thread) bool {
	if (t.sigs.mask | t.sigs.real).Has(sig) {
		return false
	}
	switch p.sigs.handlers.get(sig).Handler {
	case SIG_DFL:
		return p.unkillableLocked() || defaultIgnored.Has(sig)
	case SIG_IGN:
		return true
	}
	return false
}

// fatalLocked reports whether a signal for t ends the process.
func (p *Proc) fatalLocked(sig Signal, t *Thread) bool {
	return !t.sigs.real.Has(sig) && !defaultIgnored.Has(sig) && !stopSignals.Has(sig) &&
		!p.unkillableLocked() && p.sigs.handlers.get(sig).Handler == SIG_DFL
}

// wakeForLocked finds a thread that takes a signal, t if that isn't nil, and
// gets it going.
func (p *Proc) wakeForLocked(sig Signal, t *Thread) {
	to := t
	if t == nil {
		to = p.pickLocked(sig)
	} else if t.sigs.mask.Has(sig) {
		return
	}
	switch {
	case to == nil:
	case p.fatalLocked(sig, to):
		p.endLocked(SignalStatus(sig))
	default:
		to.addWorkLocked(workSignal)
	}
}

// pickLocked returns a thread that doesn't block a signal: the first if it can,
// else the others in turn; nil: none.
func (p *Proc) pickLocked(sig Signal) *Thread {
	if t := p.firstLocked(); !t.sigs.mask.Has(sig) {
		return t
	}
	n := len(p.threads)
	for k := range n {
		i := (p.sigs.next + k) % n
		if t := p.threads[i]; !t.sigs.mask.Has(sig) {
			p.sigs.next = (i + 1) % n
			return t
		}
	}
	return nil
}

// retargetLocked finds other threads for signals of the process in a set, which
// the one that would have taken them blocks now, or no longer can take.
func (p *Proc) retargetLocked(set Sigset) {
	if len(p.threads) == 0 {
		return
	}
	for s := p.sigs.pending.set & set; s != 0; s &= s - 1 {
		sig := (s & -s).first()
		if t := p.pickLocked(sig); t != nil {
			t.addWorkLocked(workSignal)
		}
	}
}

// recalcLocked sets workSignal as the mask and what is pending say.
func (t *Thread) recalcLocked() {
	p := t.Proc
	if (t.sigs.pending.set|p.sigs.pending.set)&^t.sigs.mask != 0 {
		t.work.Or(workSignal)
	} else {
		t.work.And(^uint32(workSignal))
	}
}

// ForceSignal sends the signal of a fault to t, which caused it and can't go on
// without: if it is blocked or ignored, the process ends.
func (t *Thread) ForceSignal(i Siginfo) {
	p := t.Proc
	p.mu.Lock()
	defer p.mu.Unlock()
	sig := i.Signo
	blocked := t.sigs.mask.Has(sig)
	if blocked || p.sigs.handlers.get(sig).Handler == SIG_IGN {
		p.sigs.handlers.set(sig, Action{})
		if blocked {
			t.sigs.mask &^= sig.bit()
			t.recalcLocked()
		}
	}
	if p.sigs.handlers.get(sig).Handler == SIG_DFL {
		p.sigs.mortal = true
	}
	p.postLocked(&i, t)
}

// FrameFailed is what follows if the frame for a handler of sig can't be
// written: the process gets SIGSEGV, and ends if that is what failed.
func (t *Thread) FrameFailed(sig Signal) {
	if sig == SIGSEGV {
		t.Proc.sigs.handlers.set(SIGSEGV, Action{})
	}
	t.ForceSignal(Info(SIGSEGV, SI_KERNEL))
}

// BlockedOrIgnored reports whether a signal to t would have no effect now.
func (t *Thread) BlockedOrIgnored(sig Signal) bool {
	return t.sigs.mask.Has(sig) || t.Proc.sigs.handlers.get(sig).Handler == SIG_IGN
}

// mayKill reports whether a thread with c may send a signal to one with o.
func (c *Cred) mayKill(o *Cred) bool {
	return c.EUID == o.SUID || c.EUID == o.UID || c.UID == o.SUID || c.UID == o.UID || c.Has(CAP_KILL)
}

// sendAsLocked sends i, or only checks if its signal is 0, with the rights of
// t, to u's process or, if thread, to u.
func (t *Thread) sendAsLocked(i *Siginfo, u *Thread, thread bool) error {
	p := u.Proc
	if i.Signo != 0 && !i.Signo.Valid() {
		return errno.EINVAL
	}
	if p != t.Proc && !t.Cred().mayKill(u.Cred()) &&
		!(i.Signo == SIGCONT && p.group != nil && p.group.Session == t.Proc.group.Session) {
		return errno.EPERM
	}
	switch {
	case i.Signo == 0:
		return nil
	case thread:
		return p.sendLocked(i, u)
	}
	return p.sendLocked(i, nil)
}

// Kill implements kill(2).
func (t *Thread) Kill(pid int, sig Signal) error {
	tab := t.Proc.tab
	i := SenderInfo(sig, SI_USER, t.Proc.PID, t.Cred().UID)
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch {
	case pid > 0:
		u := tab.findThreadLocked(pid)
		if u == nil {
			return errno.ESRCH
		}
		return t.sendAsLocked(&i, u.Proc.leader, false)
	case pid == -1:
		return t.killAllLocked(&i)
	case pid == -1<<31:
		return errno.ESRCH
	}
	g := t.Proc.group
	if pid < 0 {
		g = nil
		if e := tab.numbers[-pid]; e != nil {
			g = e.group
		}
	}
	if g == nil {
		return errno.ESRCH
	}
	err, sent := error(errno.ESRCH), false
	for p := g.head; p != nil; p = p.gnext {
		if e := t.sendAsLocked(&i, p.leader, false); e == nil {
			sent = true
		} else {
			err = e
		}
	}
	if sent {
		return nil
	}
	return err
}

// killAllLocked sends to all processes but process 1 and t's own.
func (t *Thread) killAllLocked(i *Siginfo) error {
	err, found := error(nil), false
	for pid, e := range t.Proc.tab.numbers {
		if e.proc == nil || pid == 1 || e.proc == t.Proc {
			continue
		}
		found = true
		if e := t.sendAsLocked(i, e.proc.leader, false); e != errno.EPERM && e != nil {
			err = e
		}
	}
	if !found {
		return errno.ESRCH
	}
	return err
}

// Tkill implements tgkill(2), and tkill(2) with a tgid of 0.
func (t *Thread) Tkill(tgid, tid int, sig Signal) error {
	if tgid < 0 || tid <= 0 {
		return errno.EINVAL
	}
	tab := t.Proc.tab
	i := SenderInfo(sig, SI_TKILL, t.Proc.PID, t.Cred().UID)
	tab.mu.Lock()
	defer tab.mu.Unlock()
	u := tab.findThreadLocked(tid)
	if u == nil || tgid != 0 && u.Proc.PID != tgid {
		return errno.ESRCH
	}
	return t.sendAsLocked(&i, u, true)
}

// SigQueue implements rt_tgsigqueueinfo(2), and rt_sigqueueinfo(2) with a tid of
// 0. The signal is i.Signo.
func (t *Thread) SigQueue(tgid, tid int, i Siginfo) error {
	n := tgid
	if tid != 0 {
		n = tid
	}
	// Nobody may pretend to be the kernel, or kill(2), to others.
	if (i.Code >= 0 || i.Code == SI_TKILL) && n != t.TID {
		return errno.EPERM
	}
	tab := t.Proc.tab
	tab.mu.Lock()
	defer tab.mu.Unlock()
	u := tab.findThreadLocked(n)
	if u == nil || tid != 0 && u.Proc.PID != tgid {
		return errno.ESRCH
	}
	return t.sendAsLocked(&i, u, tid != 0)
}
