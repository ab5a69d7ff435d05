package proc

// A Restart is the error of a call that a signal interrupted: it says what
// happens to the call. No program sees it: the loop of a thread makes EINTR of
// it, or lets the program make the call again.
type Restart int

// The codes, with Linux's numbers.
const (
	ERestartSys    Restart = 512 // again, unless a handler without SA_RESTART runs
	ERestartNoIntr Restart = 513 // always again
	ERestartNoHand Restart = 514 // again, unless a handler runs
	ERestartBlock  Restart = 516 // as NoHand, but by restart_syscall(2)
)

func (r Restart) Error() string {
	switch r {
	case ERestartSys:
		return "ERESTARTSYS"
	case ERestartNoIntr:
		return "ERESTARTNOINTR"
	case ERestartNoHand:
		return "ERESTARTNOHAND"
	case ERestartBlock:
		return "ERESTART_RESTARTBLOCK"
	}
	return "ERESTART"
}

// Again reports whether the call is made again although a handler with the
// given flags runs first. Without a handler every call is made again.
func (r Restart) Again(flags uint64) bool {
	return r == ERestartNoIntr || r == ERestartSys && flags&SA_RESTART != 0
}

// SetRestart keeps f as what restart_syscall(2) does, and returns
// ERestartBlock. The caller's call must have been interrupted.
func (t *Thread) SetRestart(f func(t *Thread) (uintptr, error)) error {
	t.restart = f
	return ERestartBlock
}

// TakeRestart returns what SetRestart kept, nil if nothing, and forgets it.
func (t *Thread) TakeRestart() func(t *Thread) (uintptr, error) {
	f := t.restart
	t.restart = nil
	return f
}
