package proc

import (
	"sync"

	"mult/kern/errno"
)

// handlers says what a process does on signals. With CLONE_SIGHAND processes
// have it together. Its memory is part of what processes are charged for.
type handlers struct {
	mu     sync.Mutex
	action *actions // [mu] nil: all zero
}

// actions are what is done on each signal, by number.
type actions [SIGRTMAX + 1]Action

func (h *handlers) get(s Signal) Action {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.getLocked(s)
}

func (h *handlers) getLocked(s Signal) Action {
	if h.action == nil {
		return Action{}
	}
	return h.action[s]
}

func (h *handlers) set(s Signal, a Action) (old Action) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if old = h.getLocked(s); a == old {
		return old
	}
	if h.action == nil {
		h.action = new(actions)
	}
	h.action[s] = a
	return old
}

// sets returns which signals are ignored and which have a handler.
func (h *handlers) sets() (ignored, caught Sigset) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.action == nil {
		return 0, 0
	}
	for s := Signal(1); s <= SIGRTMAX; s++ {
		switch h.action[s].Handler {
		case SIG_DFL:
		case SIG_IGN:
			ignored |= s.bit()
		default:
			caught |= s.bit()
		}
	}
	return ignored, caught
}

// fork returns the handlers of a child.
func (h *handlers) fork(flags uint64) *handlers {
	switch {
	case flags&CLONE_SIGHAND != 0:
		return h
	case flags&CLONE_CLEAR_SIGHAND != 0:
		return h.forExec()
	}
	n := new(handlers)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.action != nil {
		a := *h.action
		n.action = &a
	}
	return n
}

// forExec returns the handlers of a new program: what is ignored stays so.
func (h *handlers) forExec() *handlers {
	n := new(handlers)
	ignored, _ := h.sets()
	for s := Signal(1); ignored != 0 && s <= SIGRTMAX; s++ {
		if ignored.Has(s) {
			n.set(s, Action{Handler: SIG_IGN})
		}
	}
	return n
}

// action returns what p does on a signal.
func (p *Proc) action(s Signal) Action {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sigs.handlers.get(s)
}

// Sigaction implements rt_sigaction(2).
func (t *Thread) Sigaction(sig Signal, set *Action) (old Action, err error) {
	p := t.Proc
	if !sig.Valid() || set != nil && unblockable.Has(sig) {
		return old, errno.EINVAL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if set == nil {
		return p.sigs.handlers.get(sig), nil
	}
	a := *set
	a.Flags &= SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBIT | SA_RESTORER |
		SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND
	a.Mask &^= unblockable
	old = p.sigs.handlers.set(sig, a)
	if a.Handler == SIG_IGN || a.Handler == SIG_DFL && defaultIgnored.Has(sig) {
		p.sigs.pending.drop(p.Inst, sig.bit())
		for _, u := range p.threads {
			u.sigs.pending.drop(p.Inst, sig.bit())
		}
	}
	return old, nil
}

// AltStack returns the stack for handlers: sigaltstack(2).
func (t *Thread) AltStack() AltStack { return t.sigs.alt }

// SetAltStack sets the stack for handlers. The caller has checked the size,
// and that t isn't on the old one.
func (t *Thread) SetAltStack(s AltStack) { t.sigs.alt = s }

// OnAltStack reports whether a stack pointer is within the stack for handlers.
func (t *Thread) OnAltStack(sp uint64) bool {
	s := t.sigs.alt
	return s.Flags&(SS_DISABLE|SS_AUTODISARM) == 0 && sp > s.SP && sp-s.SP <= s.Size
}
