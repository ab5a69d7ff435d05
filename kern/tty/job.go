package tty

import (
	"mult/kern/errno"
	"mult/kern/proc"
)

// Job control, sessions, and hanging up.

// mayUse reports whether t may read (SIGTTIN), write or change (SIGTTOU) its
// controlling terminal, which only processes of the foreground group may.
// Others get the signal, and the call begins again when they go on.
func (y *TTY) mayUse(t *proc.Thread, sig proc.Signal) error {
	y.mu.Lock()
	s, fg := y.session, y.group
	y.mu.Unlock()
	if s == nil || fg == nil {
		return nil
	}
	g := t.Proc.Group()
	if g == nil || g == fg || g.Session != s {
		return nil
	}
	if t.BlockedOrIgnored(sig) {
		if sig == proc.SIGTTIN {
			return errno.EIO
		}
		return nil
	}
	if g.Orphaned() {
		return errno.EIO
	}
	g.Signal(proc.Info(sig, proc.SI_KERNEL))
	return proc.ERestartSys
}

// Controlling returns the controlling terminal of p, for /dev/tty; nil: none.
func Controlling(p *proc.Proc) *TTY {
	s := p.Session()
	if s == nil {
		return nil
	}
	y, _ := s.Terminal().(*TTY)
	return y
}

// claim makes y the controlling terminal of t's session, if t leads it and it
// has none. With steal a session that has y loses it.
func (y *TTY) claim(t *proc.Thread, steal bool) error {
	g := t.Proc.Group()
	if g == nil || !t.Proc.Leader() {
		return errno.EPERM
	}
	s := g.Session
	has := s.Terminal() != nil
	y.mu.Lock()
	old := y.session
	if old == s {
		y.mu.Unlock()
		return nil
	}
	if has || old != nil && !steal {
		y.mu.Unlock()
		return errno.EPERM
	}
	y.session, y.group = s, g
	y.mu.Unlock()
	if old != nil {
		y.drop(old)
	}
	ok := s.SetTerminal(y)
	y.mu.Lock()
	kept := y.session == s
	if !ok && kept {
		y.session, y.group = nil, nil
	}
	y.mu.Unlock()
	switch {
	case !ok:
		return errno.EPERM
	case !kept: // hung up or stolen meanwhile
		y.drop(s)
	}
	return nil
}

// drop takes y from s, if s has it.
func (y *TTY) drop(s *proc.Session) {
	if s.Terminal() == proc.Terminal(y) {
		s.SetTerminal(nil)
	}
}

// forgetLocked ends y's being a controlling terminal, and returns of what.
func (y *TTY) forgetLocked() (*proc.Session, *proc.Group) {
	s, g := y.session, y.group
	y.session, y.group = nil, nil
	return s, g
}

// Disassociate implements proc.Terminal: the leader of s has ended. A terminal
// that is no pseudo terminal is hung up, so that nothing of the session reads
// what the next user types.
func (y *TTY) Disassociate(s *proc.Session) {
	y.mu.Lock()
	if y.session != s {
		y.mu.Unlock()
		return
	}
	_, g := y.forgetLocked()
	if y.drains {
		y.hangupLocked()
	}
	y.mu.Unlock()
	if g != nil {
		g.Signal(proc.Info(proc.SIGHUP, proc.SI_KERNEL))
		g.Signal(proc.Info(proc.SIGCONT, proc.SI_KERNEL))
	}
}

// detach implements TIOCNOTTY. Only the leader of a session gives the terminal
// up, and so for all of it.
func (y *TTY) detach(t *proc.Thread) error {
	s := t.Proc.Session()
	y.mu.Lock()
	if s == nil || y.session != s {
		y.mu.Unlock()
		return errno.ENOTTY
	}
	if !t.Proc.Leader() {
		y.mu.Unlock()
		return errno.EPERM
	}
	_, g := y.forgetLocked()
	y.mu.Unlock()
	y.drop(s)
	if g != nil {
		g.Signal(proc.Info(proc.SIGHUP, proc.SI_KERNEL))
		g.Signal(proc.Info(proc.SIGCONT, proc.SI_KERNEL))
	}
	return nil
}

// Hangup ends the use of the terminal by all who have it open: they read end
// of file, and can't write. The session loses it, and its leader gets SIGHUP.
func (y *TTY) Hangup() {
	y.mu.Lock()
	s, _ := y.forgetLocked()
	y.hangupLocked()
	y.mu.Unlock()
	if s != nil {
		y.drop(s)
		s.SignalLeader(proc.Info(proc.SIGHUP, proc.SI_KERNEL))
		s.SignalLeader(proc.Info(proc.SIGCONT, proc.SI_KERNEL))
	}
}

func (y *TTY) hangupLocked() {
	y.hangups++
	y.d.flushInput()
	y.d.literal, y.d.signals = false, 0
	y.d.unhalt()
	y.d.start()
	y.tookInputLocked()
	if y.d.takeable() {
		y.line.kick()
	}
	y.q.WakeAll()
}

// owns returns whether y controls t's session.
func (y *TTY) owns(t *proc.Thread) bool {
	s := t.Proc.Session()
	y.mu.Lock()
	defer y.mu.Unlock()
	return s != nil && y.session == s
}

// Foreground returns the number of the group in the foreground, 0 without: what
// TIOCGPGRP and /proc/pid/stat tell.
func (y *TTY) Foreground() int {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.group == nil {
		return 0
	}
	return y.group.ID
}

// setForeground implements TIOCSPGRP.
func (y *TTY) setForeground(t *proc.Thread, id int32) error {
	if id < 0 {
		return errno.EINVAL
	}
	g := proc.TableOf(t.Proc.Inst).FindGroup(int(id))
	if g == nil {
		return errno.ESRCH
	}
	s := t.Proc.Session()
	if g.Session != s {
		return errno.EPERM
	}
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.session != s {
		return errno.ENOTTY
	}
	y.group = g
	return nil
}

// setSize implements TIOCSWINSZ: the foreground learns of a change.
func (y *TTY) setSize(w winsize) {
	y.mu.Lock()
	g := y.group
	if y.size == w {
		g = nil
	}
	y.size = w
	y.mu.Unlock()
	if g != nil {
		g.Signal(proc.Info(proc.SIGWINCH, proc.SI_KERNEL))
	}
}

// SetSize tells how many rows and columns the terminal has.
func (y *TTY) SetSize(rows, columns uint16) { y.setSize(winsize{rows, columns}) }
