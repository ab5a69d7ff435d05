package proc

import "mult/kern/errno"

// A Task is a thread as /proc shows it.
type Task struct {
	TID    int
	Comm   string
	Nice   int
	Policy int // SCHED_*
	// State is R, S, D, T or Z, as ps shows it.
	State            byte
	Usage            Usage
	Pending, Blocked Sigset
	Cred             *Cred
}

// A Stat is a process as /proc shows it.
type Stat struct {
	Task            // of the first thread; Usage of all
	PID, Parent     int
	Group, Session  int
	Terminal        Terminal // nil: none
	Threads         int
	SharedPending   Sigset
	Ignored, Caught Sigset
	Children        Usage // of reaped children
	ExitSignal      Signal
	Started         int64
	QueuedSignals   int
	Zombie          bool
	Status          Status // of a zombie
}

// Stat describes p.
func (p *Proc) Stat() Stat {
	p.tab.mu.Lock()
	defer p.tab.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stat{
		Task:          p.leader.taskLocked(),
		PID:           p.PID,
		Threads:       len(p.threads),
		SharedPending: p.sigs.pending.set,
		Children:      p.waited,
		ExitSignal:    p.exitSignal,
		Started:       p.started,
		Zombie:        p.state == procZombie,
		Status:        p.status,
	}
	s.Usage = p.usageLocked()
	if p.leader.user != nil {
		s.QueuedSignals = int(p.leader.user.pending.n.Load())
	}
	if p.parent != nil {
		s.Parent = p.parent.PID
	}
	if p.group != nil {
		s.Group, s.Session = p.group.ID, p.group.Session.ID
		s.Terminal = p.group.Session.terminal
	}
	s.Ignored, s.Caught = p.sigs.handlers.sets()
	if s.Zombie {
		s.State = 'Z'
	}
	return s
}

func (t *Thread) taskLocked() Task {
	s := Task{
		TID:     t.TID,
		Comm:    t.Proc.comm,
		Nice:    t.Nice(),
		Policy:  t.Policy() &^ SCHED_RESET_ON_FORK,
		Usage:   t.usage(),
		Pending: t.sigs.pending.set,
		Blocked: t.sigs.mask,
		Cred:    t.Cred(),
	}
	if c := t.comm.Load(); c != nil {
		s.Comm = *c
	}
	s.State = "RSDTZ"[t.state.Load()]
	return s
}

// Tasks returns the threads of p with numbers from tid on, at most max.
func (p *Proc) Tasks(tid, max int) []Task {
	p.tab.mu.Lock()
	defer p.tab.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Task
	for _, t := range p.threads {
		if t.TID < tid {
			continue
		}
		// The smallest numbers win: out stays sorted.
		i := len(out)
		for i > 0 && out[i-1].TID > t.TID {
			i--
		}
		if i >= max {
			continue
		}
		if len(out) < max {
			out = append(out, Task{})
		}
		copy(out[i+1:], out[i:])
		out[i] = t.taskLocked()
	}
	return out
}

// SetComm names the thread of p with a number; 15 bytes count. ESRCH.
func (p *Proc) SetComm(tid int, name string) error {
	c := clipComm(name)
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.threads {
		if t.TID != tid {
			continue
		}
		t.comm.Store(&c)
		if tid == p.PID {
			p.comm = c
		}
		return nil
	}
	return errno.ESRCH
}

// Totals are what all processes of an instance have used together, those that
// are gone included, and what their threads do now.
type Totals struct {
	Usage
	Running int // threads that run or could
	Blocked int // that sleep and are not woken by signals
}

// Totals adds up.
func (tab *Table) Totals() Totals {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	s := Totals{Usage: tab.past}
	for _, e := range tab.numbers {
		if e.proc != nil {
			s.Usage.add(e.proc.usage())
		}
	}
	s.Running, s.Blocked = tab.activeLocked()
	return s
}
