package linux

import (
	"encoding/binary"

	"mult/arch"
	"mult/kern/errno"
	"mult/kern/linux/sigframe"
	"mult/kern/proc"
	"mult/kern/vm"
)

func sysKill(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, t.Kill(a.Int(0), proc.Signal(a.Int(1)))
}

func sysTkill(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Int(0) <= 0 {
		return 0, errno.EINVAL
	}
	return 0, t.Tkill(0, a.Int(0), proc.Signal(a.Int(1)))
}

func sysTgkill(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Int(0) <= 0 || a.Int(1) <= 0 {
		return 0, errno.EINVAL
	}
	return 0, t.Tkill(a.Int(0), a.Int(1), proc.Signal(a.Int(2)))
}

// sysRtSigqueueinfo implements rt_sigqueueinfo(2): (pid, sig int, info *siginfo).
func sysRtSigqueueinfo(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	i, err := getSiginfo(t, a.Addr(2), a.Int(1))
	if err != nil {
		return 0, err
	}
	return 0, t.SigQueue(a.Int(0), 0, i)
}

// sysRtTgsigqueueinfo implements rt_tgsigqueueinfo(2): (pid, tid, sig int, info *siginfo).
func sysRtTgsigqueueinfo(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	i, err := getSiginfo(t, a.Addr(3), a.Int(2))
	if err != nil {
		return 0, err
	}
	if a.Int(0) <= 0 || a.Int(1) <= 0 {
		return 0, errno.EINVAL
	}
	return 0, t.SigQueue(a.Int(0), a.Int(1), i)
}

func getSiginfo(t *proc.Thread, from vm.Addr, sig int) (proc.Siginfo, error) {
	// What the kernel keeps; the rest is looked at only if the code doesn't
	// tell that it has no meaning.
	const kept, leastKnown = 48, -7
	var b [proc.SiginfoSize]byte
	if err := t.Space().CopyIn(b[:kept], from); err != nil {
		return proc.Siginfo{}, err
	}
	i, _ := proc.DecodeSiginfo(&b)
	if i.Code < leastKnown {
		if err := t.Space().CopyIn(b[kept:], from+kept); err != nil {
			return i, err
		}
		if _, ok := proc.DecodeSiginfo(&b); !ok {
			return i, errno.E2BIG
		}
	}
	i.Signo = proc.Signal(sig)
	return i, nil
}

// sigsetSize is the size of the kernel's sigset_t; calls say how large theirs is.
const sigsetSize = 8

// sysRtSigaction implements rt_sigaction(2): (sig int, new, old *sigaction, size).
func sysRtSigaction(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Size(3) != sigsetSize {
		return 0, errno.EINVAL
	}
	var b [32]byte // handler, flags, restorer, mask
	le := binary.LittleEndian
	var set *proc.Action
	if a[1] != 0 {
		if err := t.Space().CopyIn(b[:], a.Addr(1)); err != nil {
			return 0, err
		}
		set = &proc.Action{
			Handler:  le.Uint64(b[0:]),
			Flags:    le.Uint64(b[8:]),
			Restorer: le.Uint64(b[16:]),
			Mask:     proc.Sigset(le.Uint64(b[24:])),
		}
	}
	old, err := t.Sigaction(proc.Signal(a.Int(0)), set)
	if err != nil || a[2] == 0 {
		return 0, err
	}
	le.PutUint64(b[0:], old.Handler)
	le.PutUint64(b[8:], old.Flags)
	le.PutUint64(b[16:], old.Restorer)
	le.PutUint64(b[24:], uint64(old.Mask))
	return 0, t.Space().CopyOut(a.Addr(2), b[:])
}

// sysRtSigprocmask implements rt_sigprocmask(2): (how int, new, old *sigset, size).
func sysRtSigprocmask(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Size(3) != sigsetSize {
		return 0, errno.EINVAL
	}
	old := t.SigMask()
	if a[1] != 0 {
		set, err := getUint64(t, a.Addr(1))
		if err != nil {
			return 0, err
		}
		if old, err = t.SigProcMask(a.Int(0), proc.Sigset(set)); err != nil {
			return 0, err
		}
	}
	if a[2] == 0 {
		return 0, nil
	}
	return 0, putUint64(t, a.Addr(2), uint64(old))
}

func sysRtSigpending(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Size(1) > sigsetSize {
		return 0, errno.EINVAL
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(t.SigPending()))
	return 0, t.Space().CopyOut(a.Addr(0), b[:a.Size(1)])
}

// sysRtSigtimedwait implements rt_sigtimedwait(2): (set *sigset, info *siginfo, timeout *timespec, size).
func sysRtSigtimedwait(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Size(3) != sigsetSize {
		return 0, errno.EINVAL
	}
	set, err := getUint64(t, a.Addr(0))
	if err != nil {
		return 0, err
	}
	deadline, err := k.timeout(t, a.Addr(2))
	if err != nil {
		return 0, err
	}
	i, err := t.SigWait(proc.Sigset(set), deadline)
	if err != nil {
		return 0, err
	}
	if a[1] != 0 {
		b := i.Bytes()
		if err := t.Space().CopyOut(a.Addr(1), b[:]); err != nil {
			return 0, err
		}
	}
	return uintptr(i.Signo), nil
}

func sysRtSigsuspend(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Size(1) != sigsetSize {
		return 0, errno.EINVAL
	}
	mask, err := getUint64(t, a.Addr(0))
	if err != nil {
		return 0, err
	}
	return 0, t.SigSuspend(proc.Sigset(mask))
}

func sysPause(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) { return 0, t.Pause() }

// sysSigaltstack implements sigaltstack(2): (new, old *stack_t).
func sysSigaltstack(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	var b [24]byte
	le := binary.LittleEndian
	old, sp := t.AltStack(), t.Ctx.SP
	if a[0] != 0 {
		if err := t.Space().CopyIn(b[:], a.Addr(0)); err != nil {
			return 0, err
		}
		want := proc.AltStack{SP: le.Uint64(b[0:]), Flags: le.Uint32(b[8:]), Size: le.Uint64(b[16:])}
		set, err := sigframe.ChangeAltStack(old, want, sp)
		if err != nil {
			return 0, err
		}
		t.SetAltStack(set)
	}
	if a[1] == 0 {
		return 0, nil
	}
	shown := sigframe.ShowAltStack(old, sp)
	clear(b[:])
	le.PutUint64(b[0:], shown.SP)
	le.PutUint32(b[8:], shown.Flags)
	le.PutUint64(b[16:], shown.Size)
	return 0, t.Space().CopyOut(a.Addr(1), b[:])
}

// sysRtSigreturn implements rt_sigreturn(2), which is not for programs to call.
func sysRtSigreturn(k *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	k.Machine.Settle(t.Ctx)
	mask, alt, err := sigframe.Return(t.Space(), t.Ctx, k.Machine.AVX())
	t.Ctx.Trap = arch.TrapInterrupt // AX is the program's
	t.TakeRestart()                 // what a handler interrupted is over
	if err != nil {
		t.ForceSignal(proc.Info(proc.SIGSEGV, proc.SI_KERNEL))
		return 0, nil
	}
	t.SetSigMask(mask)
	if s, err := sigframe.ChangeAltStack(t.AltStack(), alt, t.Ctx.SP); err == nil {
		t.SetAltStack(s)
	}
	return 0, nil
}

// sysRestartSyscall implements restart_syscall(2).
func sysRestartSyscall(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	if f := t.TakeRestart(); f != nil {
		return f(t)
	}
	return 0, errno.EINTR
}
