package linux

import (
	"encoding/binary"

	"mult/inst"
	"mult/kern/errno"
	"mult/kern/host"
	"mult/kern/proc"
	"mult/kern/sched"
	"mult/kern/vm"
)

// utsField is the size of a field of struct utsname.
const utsField = 65

// sysUname implements uname(2): (buf *utsname).
func sysUname(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	var b [6 * utsField]byte
	in := t.Inst()
	for i, s := range [...]string{"Linux", host.Name(in), k.Release, k.Version, "x86_64", host.Domain(in)} {
		copy(b[i*utsField:(i+1)*utsField-1], s)
	}
	return 0, t.Space().CopyOut(a.Addr(0), b[:])
}

// sysSethostname implements sethostname(2): (name *byte, size int).
func sysSethostname(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, setName(t, a, host.SetName)
}

// sysSetdomainname implements setdomainname(2): (name *byte, size int).
func sysSetdomainname(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, setName(t, a, host.SetDomain)
}

func setName(t *proc.Thread, a *Args, set func(in *inst.Inst, name string) error) error {
	if !t.Cred().Has(proc.CAP_SYS_ADMIN) {
		return errno.EPERM
	}
	n := a.Int(1)
	if n < 0 || n > host.MaxName {
		return errno.EINVAL
	}
	b := make([]byte, n)
	if err := t.Space().CopyIn(b, a.Addr(0)); err != nil {
		return err
	}
	return set(t.Inst(), string(b))
}

// sysSysinfo implements sysinfo(2): (info *sysinfo).
func sysSysinfo(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	m, in := k.Proc.VM.Memory.Stats(), t.Inst()
	var b [112]byte
	le := binary.LittleEndian
	le.PutUint64(b[0:], uint64(proc.TableOf(in).Up()/1e9))
	const shift = 16 - proc.LoadShift // SI_LOAD_SHIFT
	for i, n := range proc.TableOf(in).Load() {
		le.PutUint64(b[8+8*i:], n<<shift)
	}
	le.PutUint64(b[32:], min(m.Total, uint64(in.Limit(inst.Frames)))*vm.PageSize)
	le.PutUint64(b[40:], min(m.Free, uint64(in.Left(inst.Frames)))*vm.PageSize)
	le.PutUint64(b[48:], uint64(in.Used(inst.Content))*vm.PageSize)
	le.PutUint16(b[80:], uint16(min(proc.TableOf(in).Counts().Threads, 1<<16-1)))
	le.PutUint32(b[104:], 1)
	return 0, t.Space().CopyOut(a.Addr(0), b[:])
}

// sysGetrandom implements getrandom(2): (buf, size, flags).
func sysGetrandom(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	const nonblock, random, insecure = 1, 2, 4
	if f := a.Uint(2); f&^(nonblock|random|insecure) != 0 || f&(random|insecure) == random|insecure {
		return 0, errno.EINVAL
	}
	to, n := a.Addr(0), min(a.Size(1), 1<<25)
	var b [256]byte
	for done := uint64(0); done < n; {
		part := b[:min(uint64(len(b)), n-done)]
		k.Machine.Random(part)
		if err := t.Space().CopyOut(to+vm.Addr(done), part); err != nil {
			if done > 0 {
				return uintptr(done), nil
			}
			return 0, err
		}
		done += uint64(len(part))
		if done < n && t.Interrupted() {
			return uintptr(done), nil
		}
	}
	return uintptr(n), nil
}

// sysArchPrctl implements arch_prctl(2): (code int, addr).
func sysArchPrctl(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	const setGS, setFS, getFS, getGS = 0x1001, 0x1002, 0x1003, 0x1004
	c := t.Ctx
	switch a.Int(0) {
	case setFS, setGS:
		if a[1] >= vm.MaxAddr {
			return 0, errno.EPERM
		}
		if a.Int(0) == setFS {
			c.FSBase = a[1]
		} else {
			k.Machine.Settle(c)
			c.GSBase = a[1]
		}
		return 0, nil
	case getFS:
		return 0, putUint64(t, a.Addr(1), c.FSBase)
	case getGS:
		k.Machine.Settle(c)
		return 0, putUint64(t, a.Addr(1), c.GSBase)
	}
	return 0, errno.EINVAL
}

// processors returns how many processors the instance of t has. They are numbered from 0,
// whichever of the machine's a thread runs on.
func (k *Kernel) processors(t *proc.Thread) int { return sched.Processors(t.Inst(), k.Machine.CPUs()) }

// sysSchedGetaffinity implements sched_getaffinity(2): (pid int, size, mask).
// Every thread may run on every processor of its instance.
func sysSchedGetaffinity(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	n := k.processors(t)
	size := (n + 63) / 64 * 8
	if given := a.Uint(1); given&7 != 0 || given*8 < uint32(n) { // bits, cut to 32 bits as on Linux
		return 0, errno.EINVAL
	}
	if a.Int(0) < 0 {
		return 0, errno.ESRCH
	}
	if err := findThread(t, a.Int(0)); err != nil {
		return 0, err
	}
	var b [32]byte
	for i := range n {
		b[i/8] |= 1 << (i % 8)
	}
	return uintptr(size), t.Space().CopyOut(a.Addr(2), b[:size])
}

// findThread returns ESRCH unless there is a thread with that number; 0 is t. A
// negative number is EINVAL, as for most calls that are about scheduling.
func findThread(t *proc.Thread, tid int) error {
	if tid < 0 {
		return errno.EINVAL
	}
	if tid != 0 && proc.TableOf(t.Inst()).FindThread(tid) == nil {
		return errno.ESRCH
	}
	return nil
}

// sysGetcpu implements getcpu(2): (cpu, node *uint32). A thread may be on
// another processor by the time it looks.
func sysGetcpu(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	for i, v := range [...]uint32{uint32(k.Machine.CPU() % k.processors(t)), 0} {
		if a[i] == 0 {
			continue
		}
		if err := putUint32(t, a.Addr(i), v); err != nil {
			return 0, err
		}
	}
	return 0, nil
}
