package proc

import "mult/inst"

// ExitGroup ends all threads of p. Only the first status counts. Any goroutine
// may call it.
func (p *Proc) ExitGroup(s Status) {
	p.mu.Lock()
	p.endLocked(s)
	p.mu.Unlock()
}

// endLocked is ExitGroup with p.mu held.
func (p *Proc) endLocked(s Status) {
	if p.ending || len(p.threads) == 0 {
		return
	}
	p.ending, p.status = true, s
	p.cancelStopLocked()
	for _, t := range p.threads {
		t.addWorkLocked(workDie)
	}
}

// ExitGroup implements exit_group(2): t ends, and all threads of its process.
func (t *Thread) ExitGroup(s Status) {
	p := t.Proc
	p.mu.Lock()
	if p.execer == nil || p.execer == t {
		p.endLocked(s)
	}
	p.mu.Unlock()
	t.Exit(s)
}

// Exit ends t. With the last thread the process ends, and becomes a zombie. s
// counts if t is the first thread, and nothing else ends the process. t's
// goroutine returns from System.Run after it, and uses t no more.
func (t *Thread) Exit(s Status) {
	if t.exited {
		return
	}
	t.exited = true
	p, tab := t.Proc, t.Proc.tab
	for i := range p.sys.Parts {
		if f := p.sys.Parts[i].ThreadExit; f != nil {
			f(t)
		}
	}
	if t.timer != nil {
		t.timer.Stop()
	}
	t.settle()
	t.chargeKernel()
	t.publish()

	p.mu.Lock()
	t.leaving = true
	if t == p.leader && !p.ending {
		p.status = s
	}
	for i, u := range p.threads {
		if u == t {
			n := len(p.threads) - 1
			p.threads[i] = p.threads[n]
			p.threads[n] = nil
			p.threads = p.threads[:n]
			break
		}
	}
	stopped := t.leaveStopLocked()
	p.times.add(t.usage())
	counted := t.CPUTime()
	t.sigs.pending.flush(tab.in)
	p.retargetLocked(^t.sigs.mask)
	p.mu.Unlock()

	tab.mu.Lock()
	if stopped {
		p.reportStopLocked()
	}
	last := p.left == 1
	if !last {
		t.endLocked()
	}
	tab.mu.Unlock()
	if last {
		p.exit(t, counted)
	}
}

// endLocked takes t out of the table and from the scheduler. tab.mu is held.
func (t *Thread) endLocked() {
	p, tab := t.Proc, t.Proc.tab
	t.state.Store(threadEnded)
	if s := p.sys.Sched; s != nil {
		t.granted = false
		s.Stop(t)
	}
	p.left--
	p.endQ.WakeAll()
	tab.threads--
	if t.kids > 0 {
		p.passKidsLocked(t)
	}
	// The first thread keeps its number and its place in the count of its
	// user until the process is reaped.
	if t != p.leader {
		tab.numbers[t.TID].thread = nil
		tab.putNumberLocked(t.TID)
		tab.putUserLocked(t.user)
		t.Cred().Release()
	}
	tab.in.UnchargeWith(inst.Threads, inst.Heap, threadBytes)
}

// passKidsLocked gives the children that t made to another thread.
func (p *Proc) passKidsLocked(t *Thread) {
	heir := p.anyThread()
	for _, l := range []*childList{&p.children, &p.zombies} {
		for c := l.head; c != nil; c = c.next {
			if c.creator == t {
				c.creator = heir
				if heir != nil {
					heir.kids++
				}
			}
		}
	}
	t.kids = 0
}

// exit ends the process; t is its last thread, and counted what of its time is
// in p.times.
func (p *Proc) exit(t *Thread, counted int64) {
	tab := p.tab
	p.timers.stop(p)
	p.disassociate()
	for i := len(p.sys.Parts) - 1; i >= 0; i-- {
		if f := p.sys.Parts[i].Exit; f != nil {
			f(p, t)
		}
	}
	p.mu.Lock()
	sp := p.space
	p.space = nil
	p.sigs.pending.flush(tab.in)
	p.mu.Unlock()
	tab.mu.Lock()
	p.vforkDoneLocked()
	first := p == tab.init
	tab.mu.Unlock()
	if sp != nil {
		p.noteRSS(sp)
		sp.Release()
	}
	if first {
		tab.endAll(t)
	}
	t.chargeKernel()
	t.publish()
	p.mu.Lock()
	p.times.STime += t.CPUTime() - counted
	p.mu.Unlock()

	tab.mu.Lock()
	t.endLocked()
	p.orphanLocked()
	status := p.status
	switch {
	case first:
		tab.init = nil
		p.state = procZombie
		p.reapLocked()
	default:
		p.group.orphanCheckLocked(p.parent, p)
		if p.buryLocked() {
			p.reapLocked()
		}
	}
	tab.mu.Unlock()
	if first && p.sys.InitExited != nil {
		p.sys.InitExited(tab.in, status)
	}
}

// disassociate takes the terminal from the session that p leads.
func (p *Proc) disassociate() {
	tab := p.tab
	tab.mu.Lock()
	s := p.group.Session
	if s.leader != p {
		tab.mu.Unlock()
		return
	}
	tty := s.terminal
	s.leader, s.terminal = nil, nil
	tab.mu.Unlock()
	if tty != nil {
		tty.Disassociate(s)
	}
}

// endAll ends all processes of an instance whose process 1 ends, and waits
// until they are gone. t is process 1's last thread.
func (tab *Table) endAll(t *Thread) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	tab.dying = true
	for _, e := range tab.numbers {
		if p := e.proc; p != nil && p != t.Proc {
			p.ExitGroup(SignalStatus(SIGKILL))
		}
	}
	// Zombies of process 1 need no wait4 any more.
	for c := t.Proc.zombies.head; c != nil; c = t.Proc.zombies.head {
		c.reapLocked()
	}
	for tab.procs > 1 {
		t.wait(&tab.emptyQ, &tab.mu, Forever, 0, threadDeepSleep)
	}
}

// orphanLocked finds new parents for the children of p, which ends.
func (p *Proc) orphanLocked() {
	tab := p.tab
	if p.children.head == nil && p.zombies.head == nil {
		return
	}
	heir := tab.init
	for q := p.parent; q != nil; q = q.parent {
		if q.subreaper && q.state == procLive {
			heir = q
			break
		}
	}
	var creator *Thread
	if heir != nil {
		creator = heir.anyThread()
	}
	tab.checkSeq++
	for c := p.children.head; c != nil; c = p.children.head {
		c.abandonLocked()
		c.adoptLocked(heir, creator)
		c.exitSignal = SIGCHLD
		if s := Signal(c.deathSig.Load()); s != 0 {
			i := SenderInfo(s, SI_USER, p.PID, p.leader.Cred().UID)
			c.sendLocked(&i, nil)
		}
		if g := c.group; g.checked != tab.checkSeq {
			g.checked = tab.checkSeq
			g.orphanCheckLocked(p, nil)
		}
	}
	for c := p.zombies.head; c != nil; c = p.zombies.head {
		c.abandonLocked()
		c.adoptLocked(heir, creator)
		c.exitSignal = SIGCHLD
		if c.tellParentLocked() {
			c.reapLocked()
		}
	}
}

// buryLocked makes p a zombie, and tells its parent. It reports whether the
// parent doesn't want to wait for it.
func (p *Proc) buryLocked() bool {
	p.parent.children.remove(p)
	p.state = procZombie
	p.parent.zombies.add(p)
	return p.tellParentLocked()
}

// tellParentLocked sends the signal that zombie p ends with to its parent. It
// reports whether the parent doesn't want to wait for p.
func (p *Proc) tellParentLocked() bool {
	q, tab := p.parent, p.tab
	if tab.dying {
		return true
	}
	if p.quiet {
		q.childQ.WakeAll() // it may have been the last child
		return true
	}
	reap, tell := false, p.exitSignal != 0
	if p.exitSignal == SIGCHLD {
		switch a := q.action(SIGCHLD); {
		case a.Handler == SIG_IGN:
			reap, tell = true, false
		case a.Flags&SA_NOCLDWAIT != 0:
			reap = true
		}
	}
	if tell {
		code, value := p.endCode()
		u := p.usage()
		i := childInfo(p.exitSignal, code, p.PID, p.leader.Cred().UID, value, ticks(u.UTime), ticks(u.STime))
		q.sendLocked(&i, nil)
	}
	q.childQ.WakeAll()
	return reap
}

// endCode returns how a zombie ended, as a siginfo says it.
func (p *Proc) endCode() (code, value int32) {
	if s := p.status.Signal(); s != 0 {
		return CLD_KILLED, int32(s)
	}
	return CLD_EXITED, int32(p.status.Code())
}

// reapLocked ends zombie p for good.
func (p *Proc) reapLocked() {
	tab := p.tab
	if p.parent != nil {
		p.abandonLocked()
	}
	p.leaveGroupLocked()
	p.state = procGone
	tab.past.add(p.usage())
	e := tab.numbers[p.PID]
	e.proc, e.thread = nil, nil
	tab.putNumberLocked(p.PID)
	tab.putUserLocked(p.leader.user)
	p.leader.user = nil
	p.leader.Cred().Release()
	tab.procs--
	tab.in.UnchargeWith(inst.Processes, inst.Heap, procBytes)
	if tab.procs <= 1 {
		tab.emptyQ.WakeAll()
	}
}
