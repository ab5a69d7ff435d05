package linux

import (
	"mult/kern/errno"
	"mult/kern/proc"
)

// sysReboot implements reboot(2): (magic, magic2, command uint32, arg). In
// inst0 it ends the machine; in another instance it ends process 1, and with it
// the instance, as in a PID namespace of Linux.
func sysReboot(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	const (
		magic    = 0xfee1dead
		restart  = 0x01234567
		halt     = 0xcdef0123
		powerOff = 0x4321fedc
		restart2 = 0xa1b2c3d4
	)
	if !t.Cred().Has(proc.CAP_SYS_BOOT) {
		return 0, errno.EPERM
	}
	if a.Uint(0) != magic {
		return 0, errno.EINVAL
	}
	switch a.Uint(1) {
	case 672274793, 85072278, 369367448, 537993216:
	default:
		return 0, errno.EINVAL
	}
	cmd := a.Uint(2)
	switch cmd {
	case restart, restart2, halt, powerOff:
	default:
		return 0, errno.EINVAL // there is no Ctrl-Alt-Del, and no kernel to load
	}
	if t.Inst() != k.Inst0 {
		sig := proc.SIGINT
		if cmd == restart || cmd == restart2 {
			sig = proc.SIGHUP
		}
		proc.TableOf(t.Inst()).Kill(sig)
		return 0, nil
	}
	k.End(cmd == restart || cmd == restart2)
	return 0, nil
}
