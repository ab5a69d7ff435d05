package linux

import (
	"mult/kern/errno"
	"mult/kern/proc"
)

// privateBase is the number of the first call that Linux doesn't have. Linux's
// own numbers will not come here for long.
const privateBase = 5000

// private holds the kernel's own calls, by number from privateBase on.
var private = [...]struct {
	name    string
	handler handler
}{
	0: {"debug_panic", sysDebugPanic},
	1: {"instctl", sysInstctl},
}

// sysDebugPanic implements debug_panic(what int): the kernel meets a fault of
// its own, so that tests see that only the caller dies of it. It is ENOSYS
// without the boot option debugcalls.
func sysDebugPanic(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if !k.DebugCalls {
		return 0, errno.ENOSYS
	}
	switch a.Int(0) {
	case 0:
		panic("deliberate")
	case 1:
		var p *proc.Thread
		return uintptr(p.TID), nil // a nil dereference
	case 2:
		k.debugMu.Lock()
		defer k.debugMu.Unlock()
		var s []int
		return uintptr(s[a.Int(1)]), nil // out of range, with a lock held
	}
	return 0, errno.EINVAL
}
