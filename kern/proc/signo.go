package proc

import "math/bits"

// A Signal is a signal's number, 1 to 64: signal(7).
type Signal int32

// The signals with names.
const (
	SIGHUP    Signal = 1
	SIGINT    Signal = 2
	SIGQUIT   Signal = 3
	SIGILL    Signal = 4
	SIGTRAP   Signal = 5
	SIGABRT   Signal = 6
	SIGBUS    Signal = 7
	SIGFPE    Signal = 8
	SIGKILL   Signal = 9
	SIGUSR1   Signal = 10
	SIGSEGV   Signal = 11
	SIGUSR2   Signal = 12
	SIGPIPE   Signal = 13
	SIGALRM   Signal = 14
	SIGTERM   Signal = 15
	SIGSTKFLT Signal = 16
	SIGCHLD   Signal = 17
	SIGCONT   Signal = 18
	SIGSTOP   Signal = 19
	SIGTSTP   Signal = 20
	SIGTTIN   Signal = 21
	SIGTTOU   Signal = 22
	SIGURG    Signal = 23
	SIGXCPU   Signal = 24
	SIGXFSZ   Signal = 25
	SIGVTALRM Signal = 26
	SIGPROF   Signal = 27
	SIGWINCH  Signal = 28
	SIGIO     Signal = 29
	SIGPWR    Signal = 30
	SIGSYS    Signal = 31
	SIGRTMIN  Signal = 32 // the kernel's; libraries keep the first ones
	SIGRTMAX  Signal = 64
)

// Valid reports whether there is such a signal.
func (s Signal) Valid() bool { return s >= 1 && s <= SIGRTMAX }

// A Sigset is a set of signals as programs see it: bit n-1 stands for signal n.
type Sigset uint64

// SetOf returns the set of some signals.
func SetOf(sigs ...Signal) Sigset {
	var s Sigset
	for _, n := range sigs {
		s |= n.bit()
	}
	return s
}

func (s Signal) bit() Sigset { return 1 << (uint(s-1) & 63) }

// Has reports whether n is in the set.
func (s Sigset) Has(n Signal) bool { return n.Valid() && s&n.bit() != 0 }

// first returns the signal to be delivered first: those that faults raise, then
// by number; 0 if the set is empty.
func (s Sigset) first() Signal {
	if s&synchronous != 0 {
		s &= synchronous
	}
	if s == 0 {
		return 0
	}
	return Signal(bits.TrailingZeros64(uint64(s)) + 1)
}

// Sets of signals that are alike.
const (
	unblockable = Sigset(1<<(SIGKILL-1) | 1<<(SIGSTOP-1))
	synchronous = Sigset(1<<(SIGSEGV-1) | 1<<(SIGBUS-1) | 1<<(SIGILL-1) | 1<<(SIGTRAP-1) |
		1<<(SIGFPE-1) | 1<<(SIGSYS-1))
	stopSignals    = Sigset(1<<(SIGSTOP-1) | 1<<(SIGTSTP-1) | 1<<(SIGTTIN-1) | 1<<(SIGTTOU-1))
	defaultIgnored = Sigset(1<<(SIGCHLD-1) | 1<<(SIGCONT-1) | 1<<(SIGURG-1) | 1<<(SIGWINCH-1))
	contSet        = Sigset(1 << (SIGCONT - 1))
)

// Where the action of a signal is no handler's address.
const (
	SIG_DFL = 0
	SIG_IGN = 1
)

// Flags of an action, and of stacks for handlers.
const (
	SA_NOCLDSTOP     = 0x1
	SA_NOCLDWAIT     = 0x2
	SA_SIGINFO       = 0x4
	SA_UNSUPPORTED   = 0x400
	SA_EXPOSE_TAGBIT = 0x800
	SA_RESTORER      = 0x04000000
	SA_ONSTACK       = 0x08000000
	SA_RESTART       = 0x10000000
	SA_NODEFER       = 0x40000000
	SA_RESETHAND     = 0x80000000

	SS_ONSTACK    = 1
	SS_DISABLE    = 2
	SS_AUTODISARM = 1 << 31

	MinSigStack = 2048
)

// An Action is what a program wants to happen on a signal: rt_sigaction(2).
type Action struct {
	Handler  uint64 // SIG_DFL, SIG_IGN or an address
	Flags    uint64
	Restorer uint64
	Mask     Sigset
}

// An AltStack is a stack for handlers: sigaltstack(2).
type AltStack struct {
	SP    uint64
	Flags uint32 // SS_DISABLE, SS_AUTODISARM
	Size  uint64
}

// How arguments of SigMask change the mask: rt_sigprocmask(2).
const (
	SIG_BLOCK   = 0
	SIG_UNBLOCK = 1
	SIG_SETMASK = 2
)
