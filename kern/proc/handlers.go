package proc

import (
	"sync"

	"mult/kern/errno"
)

// handlers says what a process does on signals. With CLONE_SIGHAND processes
// have it together. Its memory is part of what processes are charged for.
type handlers struct {
	mu     sync.Mutex
	action [SIGRTMAX + 1]Action // [mu] by number
}

func (h *handlers) get(s Signal) Action {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.action[s]
}

func (h *handlers) set(s Signal, a Action) (old Action) {
	h.mu.Lock()
	defer h.mu.Unlock()
	old = h.action[s]
	h.action[s] = a
	return old
}

// sets returns which signals are ignored and which have a handler.
func (h *handlers) sets() (ignored, caught Sigset) {
	h.mu.Lock()
	defer h.mu.Unlock()
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
	if flags&CLONE_SIGHAND != 0 {
		return h
	}
	n := new(handlers)
	h.mu.Lock()
	n.action = h.action
	h.mu.Unlock()
	if flags&CLONE_CLEAR_SIGHAND != 0 {
		n.reset()
	}
	return n
}

// forExec returns the handlers of a new program.
func (h *handlers) forExec() *handlers {
	n := h.fork(0)
	n.reset()
	return n
}

// reset makes all actions those at the start of a program: what is ignored
// stays so.
func (h *handlers) reset() {
	for s := range h.action {
		a := Action{}
		if h.action[s].Handler == SIG_IGN {
			a.Handler = SIG_IGN
		}
		h.action[s] = a
	}
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
