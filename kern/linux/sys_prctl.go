package linux

import (
	"bytes"

	"mult/kern/errno"
	"mult/kern/proc"
)

// Operations of prctl(2).
const (
	prSetPdeathsig      = 1
	prGetPdeathsig      = 2
	prGetDumpable       = 3
	prSetDumpable       = 4
	prSetName           = 15
	prGetName           = 16
	prSetTimerslack     = 29
	prGetTimerslack     = 30
	prSetChildSubreaper = 36
	prGetChildSubreaper = 37
	prSetNoNewPrivs     = 38
	prGetNoNewPrivs     = 39
)

// nameSize is the size of a thread's name with its zero byte.
const nameSize = 16

func sysPrctl(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	switch a.Int(0) {
	case prSetPdeathsig:
		if a[1] > uint64(proc.SIGRTMAX) {
			return 0, errno.EINVAL
		}
		t.Proc.SetDeathSignal(proc.Signal(a[1]))
		return 0, nil
	case prGetPdeathsig:
		return 0, putUint32(t, a.Addr(1), uint32(t.Proc.DeathSignal()))
	case prGetDumpable:
		if t.Proc.Dumpable() {
			return 1, nil
		}
		return 0, nil
	case prSetDumpable:
		if a[1] > 1 {
			return 0, errno.EINVAL
		}
		t.Proc.SetDumpable(a[1] == 1)
		return 0, nil
	case prGetTimerslack, prSetTimerslack:
		return 0, errno.EINVAL // timers have no slack
	case prSetName:
		var b [nameSize]byte
		s, err := t.Space().CopyInString(a.Addr(1), nameSize-1)
		if err == errno.ENAMETOOLONG {
			if err = t.Space().CopyIn(b[:nameSize-1], a.Addr(1)); err == nil {
				s = string(bytes.TrimRight(b[:], "\x00"))
			}
		}
		if err != nil {
			return 0, err
		}
		t.SetComm(s)
		return 0, nil
	case prGetName:
		var b [nameSize]byte
		copy(b[:nameSize-1], t.Comm())
		return 0, t.Space().CopyOut(a.Addr(1), b[:])
	case prSetChildSubreaper:
		t.Proc.SetSubreaper(a[1] != 0)
		return 0, nil
	case prGetChildSubreaper:
		v := uint32(0)
		if t.Proc.Subreaper() {
			v = 1
		}
		return 0, putUint32(t, a.Addr(1), v)
	case prSetNoNewPrivs:
		if a[1] != 1 || a[2]|a[3]|a[4] != 0 {
			return 0, errno.EINVAL
		}
		t.SetNoNewPrivs()
		return 0, nil
	case prGetNoNewPrivs:
		if a[1]|a[2]|a[3]|a[4] != 0 {
			return 0, errno.EINVAL
		}
		if t.Cred().NoNewPrivs {
			return 1, nil
		}
		return 0, nil
	}
	return 0, errno.EINVAL
}
