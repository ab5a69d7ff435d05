package proc

import "mult/kern/errno"

// A DeliveryKind says what the loop of a thread does next.
type DeliveryKind int

const (
	DeliverNone    DeliveryKind = iota // go on in user mode
	DeliverHandler                     // build a frame, then ask again
	DeliverExit                        // the thread is over: call Exit, return
)

// A Delivery is what NextSignal found.
type Delivery struct {
	Kind   DeliveryKind
	Info   Siginfo
	Action Action
	Mask   Sigset // to be stored in the frame, for sigreturn
}

// NextSignal does what signals ask of t before it goes on in user mode. Signals
// whose default is to stop or to end the process have been dealt with when it
// returns; a stop lasts as long as the call. For a handler the mask is that of
// the handler already.
//
// A call that returned a Restart ends with EINTR if a handler is run, unless
// Restart.Again; with DeliverNone it is made again.
func (t *Thread) NextSignal() Delivery {
	if t.work.Load() == 0 && !t.sigs.restore {
		return Delivery{}
	}
	p := t.Proc
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch w := t.work.Load(); {
		case w&workDie != 0:
			return Delivery{Kind: DeliverExit}
		case w&workStop != 0:
			t.stopLocked()
			continue
		}
		sig := ((t.sigs.pending.set | p.sigs.pending.set) &^ t.sigs.mask).first()
		if sig == 0 {
			if t.sigs.restore {
				t.sigs.restore = false
				t.setMaskLocked(t.sigs.saved)
				continue
			}
			t.work.And(^uint32(workSignal))
			return Delivery{}
		}
		info := t.takeLocked(sig)
		a := p.sigs.handlers.get(sig)
		switch {
		case a.Handler == SIG_IGN:
		case a.Handler != SIG_DFL:
			return t.handleLocked(info, a)
		case defaultIgnored.Has(sig), p.unkillableLocked():
		case stopSignals.Has(sig):
			t.defaultStopLocked(sig)
		default:
			p.endLocked(SignalStatus(sig))
		}
	}
}

// takeLocked takes a pending signal out of the queue.
func (t *Thread) takeLocked(sig Signal) Siginfo {
	if t.sigs.pending.set.Has(sig) {
		return t.sigs.pending.take(t.Proc.Inst, sig)
	}
	return t.Proc.sigs.pending.take(t.Proc.Inst, sig)
}

// handleLocked prepares the call of a handler.
func (t *Thread) handleLocked(info Siginfo, a Action) Delivery {
	d := Delivery{Kind: DeliverHandler, Info: info, Action: a, Mask: t.sigs.mask}
	if t.sigs.restore {
		t.sigs.restore = false
		d.Mask = t.sigs.saved
	}
	if a.Flags&SA_RESETHAND != 0 {
		t.Proc.sigs.handlers.set(info.Signo, Action{})
	}
	m := t.sigs.mask | a.Mask
	if a.Flags&SA_NODEFER == 0 {
		m |= info.Signo.bit()
	}
	t.setMaskLocked(m)
	return d
}

// defaultStopLocked begins a stop, unless sig is one of a terminal and nobody
// could continue the process. p.mu is let go of meanwhile.
func (t *Thread) defaultStopLocked(sig Signal) {
	p := t.Proc
	if sig != SIGSTOP {
		// A SIGCONT that comes in between ends the stop before it begins.
		seq := p.sigs.contSeq
		p.mu.Unlock()
		p.tab.mu.Lock()
		orphaned := p.group.orphanedLocked(nil)
		p.tab.mu.Unlock()
		p.mu.Lock()
		if orphaned || p.sigs.contSeq != seq {
			return
		}
	}
	p.beginStopLocked(sig)
}

// SigMask returns the blocked signals.
func (t *Thread) SigMask() Sigset { return t.sigs.mask }

// SetSigMask blocks the signals of s, and no others.
func (t *Thread) SetSigMask(s Sigset) {
	t.Proc.mu.Lock()
	t.setMaskLocked(s)
	t.Proc.mu.Unlock()
}

func (t *Thread) setMaskLocked(s Sigset) {
	s &^= unblockable
	more := s &^ t.sigs.mask
	t.sigs.mask = s
	t.recalcLocked()
	if len(t.Proc.threads) > 1 {
		t.Proc.retargetLocked(more)
	}
}

// SigProcMask implements rt_sigprocmask(2).
func (t *Thread) SigProcMask(how int, set Sigset) (old Sigset, err error) {
	old = t.sigs.mask
	switch how {
	case SIG_BLOCK:
		set |= old
	case SIG_UNBLOCK:
		set = old &^ set
	case SIG_SETMASK:
	default:
		return old, errno.EINVAL
	}
	t.SetSigMask(set)
	return old, nil
}

// SigPending returns the signals that are blocked and pending: sigpending(2).
func (t *Thread) SigPending() Sigset {
	t.Proc.mu.Lock()
	defer t.Proc.mu.Unlock()
	return (t.sigs.pending.set | t.Proc.sigs.pending.set) & t.sigs.mask
}

// TempMask replaces the mask for the rest of the call, as ppoll(2) does. The
// call ends with EndTempMask.
func (t *Thread) TempMask(mask Sigset) {
	t.sigs.saved, t.sigs.restore = t.sigs.mask, true
	t.SetSigMask(mask)
}

// EndTempMask brings the mask back. If the call was interrupted this waits until
// NextSignal has found the signal, so that it isn't blocked again before.
func (t *Thread) EndTempMask(interrupted bool) {
	if t.sigs.restore && !interrupted {
		t.sigs.restore = false
		t.SetSigMask(t.sigs.saved)
	}
}

// SigSuspend implements rt_sigsuspend(2).
func (t *Thread) SigSuspend(mask Sigset) error {
	t.TempMask(mask)
	return t.Pause()
}

// Pause implements pause(2).
func (t *Thread) Pause() error {
	for t.work.Load() == 0 {
		t.park(Forever, threadSleeping)
	}
	return ERestartNoHand
}

// SigWait implements rt_sigtimedwait(2): it waits for one of the signals of a
// set, and takes it. The error is EAGAIN after the deadline, EINTR if another
// signal comes.
func (t *Thread) SigWait(set Sigset, deadline int64) (Siginfo, error) {
	p := t.Proc
	set &^= unblockable
	p.mu.Lock()
	defer p.mu.Unlock()
	if i, ok := t.takeOneLocked(set); ok {
		return i, nil
	}
	// While it waits, a signal of the set finds t not blocking it; what was
	// blocked before is neither ignored nor fatal.
	mask := t.sigs.mask
	t.sigs.real = mask
	t.setMaskLocked(mask &^ set)
	err := t.Wait(&t.sigs.waitQ, &p.mu, deadline)
	t.sigs.real = 0
	t.setMaskLocked(mask)
	if i, ok := t.takeOneLocked(set); ok {
		t.recalcLocked()
		return i, nil
	}
	if err == errno.ETIMEDOUT {
		return Siginfo{}, errno.EAGAIN
	}
	return Siginfo{}, errno.EINTR
}

// TakeSignal takes a pending signal of a set; false: there is none. It is for
// signalfd, as is SignalQueue.
func (t *Thread) TakeSignal(set Sigset) (Siginfo, bool) {
	t.Proc.mu.Lock()
	defer t.Proc.mu.Unlock()
	return t.takeOneLocked(set)
}

// SignalPending reports whether a signal of a set is pending for t.
func (t *Thread) SignalPending(set Sigset) bool {
	t.Proc.mu.Lock()
	defer t.Proc.mu.Unlock()
	return (t.sigs.pending.set|t.Proc.sigs.pending.set)&set != 0
}

// SignalQueue returns the queue that is woken when a signal has come for p.
func (p *Proc) SignalQueue() *Queue { return &p.sigs.arrived }

func (t *Thread) takeOneLocked(set Sigset) (Siginfo, bool) {
	sig := ((t.sigs.pending.set | t.Proc.sigs.pending.set) & set).first()
	if sig == 0 {
		return Siginfo{}, false
	}
	return t.takeLocked(sig), true
}
