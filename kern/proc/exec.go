package proc

import "mult/kern/vm"

// ExecArgs are what a process gets by exec.
type ExecArgs struct {
	Space  *vm.Space // its reference goes to the process
	Comm   string
	Cred   *Cred // nil: as before; see Cred.ForExec
	Secret bool  // the process may not read its own program
}

// BeginExec ends all other threads of the process. t becomes its first thread.
// The caller then calls Exec or, when the program can't run after all, Exit. On
// an error, ERestartNoIntr, t is about to end or another thread is about to
// exec, and nothing has changed.
func (t *Thread) BeginExec() error {
	p, tab := t.Proc, t.Proc.tab
	p.mu.Lock()
	if p.ending || p.execer != nil || t.Dying() {
		p.mu.Unlock()
		return ERestartNoIntr
	}
	p.execer = t
	for _, u := range p.threads {
		if u != t {
			u.leaveStopLocked()
			u.addWorkLocked(workDie)
		}
	}
	p.mu.Unlock()

	tab.mu.Lock()
	defer tab.mu.Unlock()
	for p.left > 1 {
		if t.WaitKillable(&p.endQ, &tab.mu, Forever) != nil {
			p.mu.Lock()
			p.execer = nil
			p.mu.Unlock()
			return ERestartNoIntr
		}
	}
	old := p.leader
	if old == t {
		return nil
	}
	tab.numbers[t.TID].thread = nil
	tab.putNumberLocked(t.TID)
	tab.numbers[p.PID].thread = t
	tab.putUserLocked(old.user)
	old.Cred().Release()
	p.mu.Lock()
	t.TID = p.PID
	p.leader = t
	p.mu.Unlock()
	return nil
}

// Exec gives the process a new address space and what else a new program starts
// with. The caller sets t.Ctx. The parts' Exec hooks run.
func (t *Thread) Exec(e ExecArgs) {
	p, tab := t.Proc, t.Proc.tab
	was := t.Cred()
	p.secret.Store(e.Secret || was.UID != was.EUID || was.GID != was.EGID)
	if e.Cred != nil {
		t.setCred(e.Cred)
	}
	p.mu.Lock()
	old := p.space
	p.space = e.Space
	p.comm = clipComm(e.Comm)
	t.comm.Store(nil)
	p.sigs.handlers = p.sigs.handlers.forExec()
	p.execer = nil
	p.mu.Unlock()
	t.sigs.alt = AltStack{Flags: SS_DISABLE}
	t.clearTID, t.robustHead, t.robustLen = 0, 0, 0
	t.restart = nil

	tab.mu.Lock()
	p.executed = true
	p.exitSignal = SIGCHLD
	p.vforkDoneLocked()
	tab.mu.Unlock()
	if old != nil {
		p.noteRSS(old)
		old.Release()
	}
	for i := range p.sys.Parts {
		if f := p.sys.Parts[i].Exec; f != nil {
			f(t)
		}
	}
}
