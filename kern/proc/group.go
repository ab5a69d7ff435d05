package proc

import (
	"mult/inst"
	"mult/kern/errno"
)

// A Session is what setsid(2) made: groups that may share a terminal.
type Session struct {
	ID int // [const]

	tab      *Table   // [const]
	leader   *Proc    // [tab.mu] nil after it ended
	terminal Terminal // [tab.mu] the controlling terminal
	groups   int      // [tab.mu]
}

// A Terminal controls a session.
type Terminal interface {
	// Disassociate tells that s has lost the terminal, because its leader
	// has ended. The terminal sends SIGHUP and SIGCONT to its foreground
	// group, and forgets s.
	Disassociate(s *Session)
}

// A Group is a process group: what a shell calls a job.
type Group struct {
	ID      int      // [const]
	Session *Session // [const]

	tab        *Table // [const]
	head, tail *Proc  // [tab.mu] members, zombies included
	checked    uint64 // [tab.mu] checkSeq of the last look
}

// newSessionLocked makes p, which is in no group, the leader of a new session
// and group. The caller has charged sessionBytes.
func (tab *Table) newSessionLocked(p *Proc) {
	s := &Session{ID: p.PID, tab: tab, leader: p, groups: 1}
	g := &Group{ID: p.PID, Session: s, tab: tab}
	e := tab.numbers[p.PID]
	e.session, e.group = s, g
	g.join(p)
}

// sessionBytes is what a session costs with its first group.
const sessionBytes = 2 * groupBytes

// join adds p. tab.mu is held.
func (g *Group) join(p *Proc) {
	p.group = g
	p.gprev, p.gnext = g.tail, nil
	if g.tail != nil {
		g.tail.gnext = p
	} else {
		g.head = p
	}
	g.tail = p
}

// leaveGroupLocked takes p out of its group, and frees what is empty then.
func (p *Proc) leaveGroupLocked() {
	g, tab := p.group, p.tab
	if p.gprev != nil {
		p.gprev.gnext = p.gnext
	} else {
		g.head = p.gnext
	}
	if p.gnext != nil {
		p.gnext.gprev = p.gprev
	} else {
		g.tail = p.gprev
	}
	p.group, p.gnext, p.gprev = nil, nil, nil
	if g.head != nil {
		return
	}
	tab.numbers[g.ID].group = nil
	tab.in.Uncharge(inst.Heap, groupBytes)
	tab.putNumberLocked(g.ID)
	s := g.Session
	if s.groups--; s.groups == 0 {
		tab.numbers[s.ID].session = nil
		tab.in.Uncharge(inst.Heap, groupBytes)
		tab.putNumberLocked(s.ID)
	}
}

// Group returns the group of p; nil if p was reaped.
func (p *Proc) Group() *Group {
	p.tab.mu.Lock()
	defer p.tab.mu.Unlock()
	return p.group
}

// Session returns the session of p; nil if p was reaped.
func (p *Proc) Session() *Session {
	p.tab.mu.Lock()
	defer p.tab.mu.Unlock()
	if p.group == nil {
		return nil
	}
	return p.group.Session
}

// Leader reports whether p leads its session.
func (p *Proc) Leader() bool {
	p.tab.mu.Lock()
	defer p.tab.mu.Unlock()
	return p.group != nil && p.group.Session.leader == p
}

// Terminal returns the controlling terminal of s; nil: none.
func (s *Session) Terminal() Terminal {
	s.tab.mu.Lock()
	defer s.tab.mu.Unlock()
	return s.terminal
}

// SetTerminal sets the controlling terminal of s; nil: none. It reports false,
// and changes nothing, if s has another one, or its leader has ended.
func (s *Session) SetTerminal(tty Terminal) bool {
	s.tab.mu.Lock()
	defer s.tab.mu.Unlock()
	if tty != nil && (s.leader == nil || s.terminal != nil && s.terminal != tty) {
		return false
	}
	s.terminal = tty
	return true
}

// SignalLeader sends a signal to the leader of s, if it lives: SIGHUP when a
// terminal hangs up.
func (s *Session) SignalLeader(i Siginfo) {
	s.tab.mu.Lock()
	defer s.tab.mu.Unlock()
	if s.leader != nil {
		s.leader.sendLocked(&i, nil)
	}
}

// Signal sends a signal of the kernel to all processes of g.
func (g *Group) Signal(i Siginfo) {
	g.tab.mu.Lock()
	defer g.tab.mu.Unlock()
	for p := g.head; p != nil; p = p.gnext {
		p.sendLocked(&i, nil)
	}
}

// Empty reports whether g has no process any more.
func (g *Group) Empty() bool {
	g.tab.mu.Lock()
	defer g.tab.mu.Unlock()
	return g.head == nil
}

// Orphaned reports whether no process of g has a parent in another group of
// the same session, so that nobody can continue g after a stop.
func (g *Group) Orphaned() bool {
	g.tab.mu.Lock()
	defer g.tab.mu.Unlock()
	return g.orphanedLocked(nil)
}

// orphanedLocked is Orphaned as if p were not there.
func (g *Group) orphanedLocked(but *Proc) bool {
	for p := g.head; p != nil; p = p.gnext {
		if p == but || p.state != procLive || p.parent == nil || p.parent == g.tab.init {
			continue
		}
		if q := p.parent.group; q != nil && q != g && q.Session == g.Session {
			return false
		}
	}
	return true
}

// stoppedLocked reports whether a process of g is stopped.
func (g *Group) stoppedLocked() bool {
	for p := g.head; p != nil; p = p.gnext {
		p.mu.Lock()
		stopped := p.sigs.stopped
		p.mu.Unlock()
		if stopped {
			return true
		}
	}
	return false
}

// orphanCheckLocked continues the stopped processes of g, with SIGHUP, if g
// has become orphaned because parent, or parent's being the parent, ends. but
// doesn't count as a member.
func (g *Group) orphanCheckLocked(parent, but *Proc) {
	pg := parent.group
	if pg == nil || pg == g || pg.Session != g.Session || !g.orphanedLocked(but) || !g.stoppedLocked() {
		return
	}
	for p := g.head; p != nil; p = p.gnext {
		hup, cont := Info(SIGHUP, SI_KERNEL), Info(SIGCONT, SI_KERNEL)
		p.sendLocked(&hup, nil)
		p.sendLocked(&cont, nil)
	}
}

// Setsid implements setsid(2).
func (t *Thread) Setsid() (int, error) {
	p, tab := t.Proc, t.Proc.tab
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if e := tab.numbers[p.PID]; e.group != nil || e.session != nil {
		return 0, errno.EPERM
	}
	if !tab.in.Charge(inst.Heap, sessionBytes) {
		return 0, errno.ENOMEM
	}
	p.leaveGroupLocked()
	tab.newSessionLocked(p)
	return p.PID, nil
}

// Setpgid implements setpgid(2).
func (t *Thread) Setpgid(pid, pgid int) error {
	me, tab := t.Proc, t.Proc.tab
	if pid == 0 {
		pid = me.PID
	}
	if pgid == 0 {
		pgid = pid
	}
	if pgid < 0 {
		return errno.EINVAL
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	p := tab.findLocked(pid)
	switch {
	case p == nil:
		return errno.ESRCH
	case p == me:
	case p.parent != me:
		return errno.ESRCH
	case p.group.Session != me.group.Session:
		return errno.EPERM
	case p.executed:
		return errno.EACCES
	}
	s := p.group.Session
	if s.ID == p.PID {
		return errno.EPERM
	}
	var g *Group
	if e := tab.numbers[pgid]; e != nil {
		g = e.group
	}
	if pgid == pid && g == nil {
		if !tab.in.Charge(inst.Heap, groupBytes) {
			return errno.ENOMEM
		}
		g = &Group{ID: pgid, Session: s, tab: tab}
		s.groups++
		tab.numbers[pgid].group = g
	}
	if g == nil || g.Session != s {
		return errno.EPERM
	}
	if g != p.group {
		p.leaveGroupLocked()
		g.join(p)
	}
	return nil
}

// Getpgid implements getpgid(2).
func (t *Thread) Getpgid(pid int) (int, error) {
	g, err := t.groupOf(pid)
	if err != nil {
		return 0, err
	}
	return g.ID, nil
}

// Getsid implements getsid(2).
func (t *Thread) Getsid(pid int) (int, error) {
	g, err := t.groupOf(pid)
	if err != nil {
		return 0, err
	}
	return g.Session.ID, nil
}

func (t *Thread) groupOf(pid int) (*Group, error) {
	tab := t.Proc.tab
	tab.mu.Lock()
	defer tab.mu.Unlock()
	p := t.Proc
	if pid != 0 {
		u := tab.findThreadLocked(pid)
		if u == nil {
			return nil, errno.ESRCH
		}
		p = u.Proc
	}
	return p.group, nil
}
