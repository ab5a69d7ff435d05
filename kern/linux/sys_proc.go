package linux

import (
	"encoding/binary"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
	"mult/kern/vm"
)

// Numbers: credentials(7), getpid(2) and so on.

func sysGetpid(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) { return uintptr(t.Proc.PID), nil }
func sysGettid(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) { return uintptr(t.TID), nil }
func sysGetppid(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	return uintptr(t.Proc.Parent()), nil
}
func sysGetuid(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	return uintptr(t.Cred().UID), nil
}
func sysGeteuid(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	return uintptr(t.Cred().EUID), nil
}
func sysGetgid(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	return uintptr(t.Cred().GID), nil
}
func sysGetegid(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	return uintptr(t.Cred().EGID), nil
}

func sysSetuid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) { return 0, t.SetUID(a.Uint(0)) }
func sysSetgid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) { return 0, t.SetGID(a.Uint(0)) }
func sysSetreuid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, t.SetREUID(a.Uint(0), a.Uint(1))
}
func sysSetregid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, t.SetREGID(a.Uint(0), a.Uint(1))
}
func sysSetresuid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, t.SetRESUID(a.Uint(0), a.Uint(1), a.Uint(2))
}
func sysSetresgid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, t.SetRESGID(a.Uint(0), a.Uint(1), a.Uint(2))
}
func sysSetfsuid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return uintptr(t.SetFSUID(a.Uint(0))), nil
}
func sysSetfsgid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return uintptr(t.SetFSGID(a.Uint(0))), nil
}

func sysGetresuid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	c := t.Cred()
	return 0, put32s(t, a, c.UID, c.EUID, c.SUID)
}

func sysGetresgid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	c := t.Cred()
	return 0, put32s(t, a, c.GID, c.EGID, c.SGID)
}

// put32s stores values where the arguments point.
func put32s(t *proc.Thread, a *Args, values ...uint32) error {
	for i, v := range values {
		if err := putUint32(t, a.Addr(i), v); err != nil {
			return err
		}
	}
	return nil
}

func putUint32(t *proc.Thread, to vm.Addr, v uint32) error {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	return t.Space().CopyOut(to, b[:])
}

func getUint32(t *proc.Thread, from vm.Addr) (uint32, error) {
	var b [4]byte
	err := t.Space().CopyIn(b[:], from)
	return binary.LittleEndian.Uint32(b[:]), err
}

func putUint64(t *proc.Thread, to vm.Addr, v uint64) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return t.Space().CopyOut(to, b[:])
}

func getUint64(t *proc.Thread, from vm.Addr) (uint64, error) {
	var b [8]byte
	err := t.Space().CopyIn(b[:], from)
	return binary.LittleEndian.Uint64(b[:]), err
}

// maxGroups is NGROUPS_MAX.
const maxGroups = 65536

func sysGetgroups(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	groups, n := t.Cred().Groups, a.Int(0)
	switch {
	case n < 0 || n > 0 && n < len(groups):
		return 0, errno.EINVAL
	case n == 0:
		return uintptr(len(groups)), nil
	}
	return uintptr(len(groups)), eachChunk(len(groups), func(i, end int, b []byte) error {
		for j, g := range groups[i:end] {
			binary.LittleEndian.PutUint32(b[4*j:], g)
		}
		return t.Space().CopyOut(a.Addr(1)+vm.Addr(4*i), b[:4*(end-i)])
	})
}

func sysSetgroups(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	n := a.Int(0)
	if !t.Cred().Has(proc.CAP_SETGID) {
		return 0, errno.EPERM
	}
	if n < 0 || n > maxGroups {
		return 0, errno.EINVAL
	}
	if !t.Inst().Charge(inst.Heap, int64(4*n)) { // until SetGroups has charged them itself
		return 0, errno.ENOMEM
	}
	defer t.Inst().Uncharge(inst.Heap, int64(4*n))
	groups := make([]uint32, n)
	err := eachChunk(n, func(i, end int, b []byte) error {
		if err := t.Space().CopyIn(b[:4*(end-i)], a.Addr(1)+vm.Addr(4*i)); err != nil {
			return err
		}
		for j := range groups[i:end] {
			groups[i+j] = binary.LittleEndian.Uint32(b[4*j:])
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return 0, t.SetGroups(groups)
}

// eachChunk calls f for the parts of n words of 4 bytes that fit a small
// buffer.
func eachChunk(n int, f func(i, end int, b []byte) error) error {
	var b [256]byte
	for i := 0; i < n; i += len(b) / 4 {
		if err := f(i, min(n, i+len(b)/4), b[:]); err != nil {
			return err
		}
	}
	return nil
}

// Groups and sessions.

func sysSetpgid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, t.Setpgid(a.Int(0), a.Int(1))
}

func sysGetpgid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	id, err := t.Getpgid(a.Int(0))
	return uintptr(id), err
}

func sysGetpgrp(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	id, err := t.Getpgid(0)
	return uintptr(id), err
}

func sysSetsid(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	id, err := t.Setsid()
	return uintptr(id), err
}

func sysGetsid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	id, err := t.Getsid(a.Int(0))
	return uintptr(id), err
}

// Beginning and end: clone(2), vfork(2), exit(2).

const (
	cloneVM       = 0x100
	cloneVFork    = 0x4000
	cloneExitMask = 0xff
)

func sysFork(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	return fork(t, proc.CloneArgs{ExitSignal: proc.SIGCHLD})
}

func sysVfork(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	return fork(t, proc.CloneArgs{Flags: cloneVM | cloneVFork, ExitSignal: proc.SIGCHLD})
}

func sysClone(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return fork(t, proc.CloneArgs{
		Flags:      uint64(a.Uint(0)) &^ cloneExitMask,
		ExitSignal: proc.Signal(a[0] & cloneExitMask),
		Stack:      a[1],
		ParentTID:  a.Addr(2),
		ChildTID:   a.Addr(3),
		TLS:        a[4],
	})
}

// sysClone3 implements clone3(2) for the fields of struct clone_args up to
// tls; the others must be 0.
func sysClone3(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	const minSize, fields = 64, 8
	size := a.Size(1)
	if size > vm.PageSize {
		return 0, errno.E2BIG
	}
	if size < minSize {
		return 0, errno.EINVAL
	}
	var b [vm.PageSize]byte
	if err := t.Space().CopyIn(b[:size], a.Addr(0)); err != nil {
		return 0, err
	}
	f := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	for i := minSize; i < int(size); i++ {
		if b[i] != 0 {
			if i < 88 {
				return 0, errno.EINVAL // set_tid, cgroup: not there
			}
			return 0, errno.E2BIG
		}
	}
	flags, stack, stackSize := f(0), f(5), f(6)
	if flags&cloneExitMask != 0 || f(4) > uint64(proc.SIGRTMAX) || (stack == 0) != (stackSize == 0) || stack+stackSize < stack {
		return 0, errno.EINVAL
	}
	return fork(t, proc.CloneArgs{
		Flags:      flags,
		ExitSignal: proc.Signal(f(4)),
		ChildTID:   vm.Addr(f(2)),
		ParentTID:  vm.Addr(f(3)),
		Stack:      stack + stackSize,
		TLS:        f(7),
	})
}

func fork(t *proc.Thread, a proc.CloneArgs) (uintptr, error) {
	pid, err := t.Fork1(a)
	return uintptr(pid), err
}

func sysExit(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	t.Exit(proc.ExitStatus(a.Int(0)))
	return 0, exited{}
}

func sysExitGroup(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	t.ExitGroup(proc.ExitStatus(a.Int(0)))
	return 0, exited{}
}

// sysWait4 implements wait4(2): (pid int, status *int, options int, usage *rusage).
func sysWait4(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	r, err := t.Wait4(a.Int(0), int(a.Uint(2)))
	if err != nil || r.PID == 0 {
		return 0, err
	}
	if a[1] != 0 {
		if err := putUint32(t, a.Addr(1), uint32(r.Status)); err != nil {
			return 0, err
		}
	}
	if a[3] != 0 {
		if err := putRusage(t, a.Addr(3), r.Usage); err != nil {
			return 0, err
		}
	}
	return uintptr(r.PID), nil
}

// sysWaitid implements waitid(2): (type, id int, info *siginfo, options int, usage *rusage).
func sysWaitid(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	r, failed := t.Waitid(a.Int(0), a.Int(1), int(a.Uint(3)))
	if _, again := failed.(proc.Restart); again {
		return 0, failed
	}
	if a[4] != 0 && r.PID != 0 {
		if err := putRusage(t, a.Addr(4), r.Usage); err != nil {
			return 0, err
		}
	}
	if a[2] == 0 {
		return 0, failed
	}
	// Linux writes these fields only, and also after an error: signo, errno,
	// code, pid, uid, status.
	var b [28]byte
	if r.PID != 0 {
		le := binary.LittleEndian
		le.PutUint32(b[0:], uint32(proc.SIGCHLD))
		le.PutUint32(b[8:], uint32(r.Code))
		le.PutUint32(b[16:], uint32(r.PID))
		le.PutUint32(b[20:], r.UID)
		status := uint32(r.Status.Code())
		switch r.Code {
		case proc.CLD_KILLED, proc.CLD_DUMPED:
			status = uint32(r.Status.Signal())
		case proc.CLD_CONTINUED:
			status = uint32(proc.SIGCONT)
		}
		le.PutUint32(b[24:], status)
	}
	if err := t.Space().CopyOut(a.Addr(2), b[:]); err != nil {
		return 0, err
	}
	return 0, failed
}

// putRusage stores a struct rusage: getrusage(2).
func putRusage(t *proc.Thread, to vm.Addr, u proc.Usage) error {
	var b [144]byte
	le := binary.LittleEndian
	for i, v := range [...]int64{u.UTime / 1e9, u.UTime % 1e9 / 1000, u.STime / 1e9, u.STime % 1e9 / 1000,
		u.MaxRSS, 0, 0, 0, u.MinFaults, u.MajFaults, 0, u.InBlocks, u.OutBlocks, 0, 0, 0, u.Voluntary, u.Involuntary} {
		le.PutUint64(b[8*i:], uint64(v))
	}
	return t.Space().CopyOut(to, b[:])
}

func sysGetrusage(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	const self, children, thread = 0, -1, 1
	var u proc.Usage
	switch a.Int(0) {
	case self:
		u = t.ProcUsage()
	case children:
		u = t.Proc.ChildrenUsage()
	case thread:
		u = t.Usage()
	default:
		return 0, errno.EINVAL
	}
	return 0, putRusage(t, a.Addr(1), u)
}

// clockTick is the unit of times(2) in ns: AT_CLKTCK is 100.
const clockTick = 1e7

// sysTimes implements times(2): (buf *tms).
func sysTimes(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a[0] != 0 {
		self, kids := t.ProcUsage(), t.Proc.ChildrenUsage()
		var b [32]byte
		for i, v := range [...]int64{self.UTime, self.STime, kids.UTime, kids.STime} {
			binary.LittleEndian.PutUint64(b[8*i:], uint64(v/clockTick))
		}
		if err := t.Space().CopyOut(a.Addr(0), b[:]); err != nil {
			return 0, err
		}
	}
	return uintptr(proc.TableOf(t.Inst()).Up() / clockTick), nil
}

// Limits: prlimit(2).

func sysGetrlimit(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	old, err := t.Prlimit(0, proc.Resource(a.Uint(0)), nil)
	if err != nil {
		return 0, err
	}
	return 0, putRlimit(t, a.Addr(1), old)
}

func sysSetrlimit(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	l, err := getRlimit(t, a.Addr(1))
	if err == nil {
		_, err = prlimit(t, 0, proc.Resource(a.Uint(0)), &l)
	}
	return 0, err
}

// sysPrlimit64 implements prlimit(2): (pid, resource int, new, old *rlimit).
func sysPrlimit64(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	var set *proc.Rlimit
	if a[2] != 0 {
		l, err := getRlimit(t, a.Addr(2))
		if err != nil {
			return 0, err
		}
		set = &l
	}
	old, err := prlimit(t, a.Int(0), proc.Resource(a.Uint(1)), set)
	if err != nil || a[3] == 0 {
		return 0, err
	}
	return 0, putRlimit(t, a.Addr(3), old)
}

// prlimit reads and sets a limit. The address space of the process knows its
// own limits, for page faults.
func prlimit(t *proc.Thread, pid int, r proc.Resource, set *proc.Rlimit) (old proc.Rlimit, err error) {
	old, err = t.Prlimit(pid, r, set)
	if err != nil || set == nil || r != proc.RLIMIT_AS && r != proc.RLIMIT_DATA && r != proc.RLIMIT_STACK {
		return old, err
	}
	p := t.Proc
	if pid != 0 {
		u := proc.TableOf(t.Inst()).FindThread(pid)
		if u == nil {
			return old, nil // it has ended meanwhile
		}
		p = u.Proc
	}
	if s := p.Space(); s != nil {
		s.SetLimits(spaceLimits(p))
		s.Release()
	}
	return old, nil
}

// spaceLimits are the limits of p that are about its address space.
func spaceLimits(p *proc.Proc) vm.Limits {
	return vm.Limits{AS: p.Limit(proc.RLIMIT_AS), Data: p.Limit(proc.RLIMIT_DATA), Stack: p.Limit(proc.RLIMIT_STACK)}
}

func getRlimit(t *proc.Thread, from vm.Addr) (l proc.Rlimit, err error) {
	var b [16]byte
	err = t.Space().CopyIn(b[:], from)
	return proc.Rlimit{Cur: binary.LittleEndian.Uint64(b[:]), Max: binary.LittleEndian.Uint64(b[8:])}, err
}

func putRlimit(t *proc.Thread, to vm.Addr, l proc.Rlimit) error {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], l.Cur)
	binary.LittleEndian.PutUint64(b[8:], l.Max)
	return t.Space().CopyOut(to, b[:])
}

// Of threads.

func sysSetTIDAddress(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	t.SetTIDAddress(a.Addr(0))
	return uintptr(t.TID), nil
}

func sysSetRobustList(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Size(1) != abi.RobustListHeadSize {
		return 0, errno.EINVAL
	}
	t.SetRobustList(a.Addr(0), a.Size(1))
	return 0, nil
}

func sysSchedYield(_ *Kernel, t *proc.Thread, _ *Args) (uintptr, error) {
	t.Yield()
	return 0, nil
}

func sysGetpriority(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	nice, err := t.GetPriority(a.Int(0), a.Int(1))
	if err != nil {
		return 0, err
	}
	return uintptr(20 - nice), nil // never negative, which would be an error
}

func sysSetpriority(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, t.SetPriority(a.Int(0), a.Int(1), a.Int(2))
}
