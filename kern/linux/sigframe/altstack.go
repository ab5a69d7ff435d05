package sigframe

import (
	"mult/kern/errno"
	"mult/kern/proc"
)

// onStack reports whether sp is on the alternate stack, __on_sig_stack.
func onStack(a *proc.AltStack, sp uint64) bool {
	return sp > a.SP && sp-a.SP <= a.Size
}

// usesStack is onStack, except that a thread which asked for SS_AUTODISARM is
// never taken to be there: the kernel has forgotten its stack meanwhile.
func usesStack(a *proc.AltStack, sp uint64) bool {
	return a.Flags&proc.SS_AUTODISARM == 0 && onStack(a, sp)
}

// ShowAltStack returns what sigaltstack(2) says about a to a thread whose
// stack pointer is sp.
func ShowAltStack(a proc.AltStack, sp uint64) proc.AltStack {
	flags := a.Flags & proc.SS_AUTODISARM
	switch {
	case a.Size == 0:
		flags |= proc.SS_DISABLE
	case usesStack(&a, sp):
		flags |= proc.SS_ONSTACK
	}
	a.Flags = flags
	return a
}

// ChangeAltStack returns the alternate stack of a thread that has old and asks
// for want by sigaltstack(2), its stack pointer being sp.
func ChangeAltStack(old, want proc.AltStack, sp uint64) (proc.AltStack, error) {
	if usesStack(&old, sp) {
		return old, errno.EPERM
	}
	switch mode := want.Flags &^ proc.SS_AUTODISARM; mode {
	case proc.SS_DISABLE:
		want.SP, want.Size = 0, 0
	case proc.SS_ONSTACK, 0:
		if want.Size < proc.MinSigStack && want != old {
			return old, errno.ENOMEM
		}
	default:
		return old, errno.EINVAL
	}
	return want, nil
}
