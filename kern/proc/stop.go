package proc

// This file stops and continues processes.

// beginStopLocked makes all threads of p stop. p.mu is held.
func (p *Proc) beginStopLocked(sig Signal) {
	s := &p.sigs
	if p.ending || p.execer != nil || s.stopSig != 0 {
		return
	}
	s.stopSig, s.toStop = sig, len(p.threads)
	for _, t := range p.threads {
		t.addWorkLocked(workStop)
	}
}

// stopLocked stops t until the process goes on, or ends. p.mu is held, and let
// go of meanwhile.
func (t *Thread) stopLocked() {
	p := t.Proc
	t.sigs.stopped = true
	if t.leaveStopLocked() {
		p.mu.Unlock()
		p.tab.mu.Lock()
		p.reportStopLocked()
		p.tab.mu.Unlock()
		p.mu.Lock()
	}
	for t.sigs.stopped {
		if t.wait(&p.sigs.stopQ, &p.mu, Forever, workDie, threadStopped) != nil {
			t.sigs.stopped = false
		}
	}
}

// leaveStopLocked counts t as one that has stopped, because it has or because
// it ends. It reports whether all have now. p.mu is held.
func (t *Thread) leaveStopLocked() bool {
	s := &t.Proc.sigs
	if t.work.Load()&workStop == 0 {
		return false
	}
	t.work.And(^uint32(workStop))
	s.toStop--
	if s.toStop > 0 || s.stopSig == 0 {
		return false
	}
	s.stopped, s.contReport = true, false
	return true
}

// reportStopLocked tells the parent of a stop. tab.mu is held, p.mu is not. As
// wait4 holds tab.mu, too, it sees the stop only after the signal was sent, and
// by the parent's action of before.
func (p *Proc) reportStopLocked() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := &p.sigs; s.stopped {
		s.stopReport = s.stopSig
		p.reportLocked(CLD_STOPPED)
	}
}

// reportLocked tells the parent that p has stopped or continued. tab.mu and
// p.mu are held; p.mu is let go of meanwhile.
func (p *Proc) reportLocked(code int32) {
	q := p.parent
	if q == nil {
		return
	}
	value := int32(SIGCONT)
	if code == CLD_STOPPED {
		value = int32(p.sigs.stopSig)
	}
	u := p.usageLocked()
	i := childInfo(SIGCHLD, code, p.PID, p.leader.Cred().UID, value, ticks(u.UTime), ticks(u.STime))
	p.mu.Unlock()
	if a := q.action(SIGCHLD); a.Handler != SIG_IGN && a.Flags&SA_NOCLDSTOP == 0 {
		q.sendLocked(&i, nil)
	}
	q.childQ.WakeAll()
	p.mu.Lock()
}

// continueLocked ends a stop. It returns what the parent is to be told, if
// anything. p.mu is held.
func (p *Proc) continueLocked() int32 {
	s := &p.sigs
	s.contSeq++
	if s.stopSig == 0 {
		return 0
	}
	p.cancelStopLocked()
	s.contReport = true
	return CLD_CONTINUED
}

// cancelStopLocked ends a stop, or what has begun of it.
func (p *Proc) cancelStopLocked() {
	s := &p.sigs
	s.stopSig, s.toStop, s.stopped, s.stopReport = 0, 0, false, 0
	for _, t := range p.threads {
		t.work.And(^uint32(workStop))
		t.sigs.stopped = false
	}
	s.stopQ.WakeAll()
}
