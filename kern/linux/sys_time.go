package linux

import (
	"math"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
	"mult/kern/vm"
)

// Clocks of clock_gettime(2).
const (
	clockRealtime        = 0
	clockMonotonic       = 1
	clockProcessCPU      = 2
	clockThreadCPU       = 3
	clockMonotonicRaw    = 4
	clockRealtimeCoarse  = 5
	clockMonotonicCoarse = 6
	clockBoottime        = 7
	clockRealtimeAlarm   = 8
	clockBoottimeAlarm   = 9
	clockTAI             = 11
)

// clock reads a clock, in ns.
func (k *Kernel) clock(t *proc.Thread, id int) (int64, error) {
	switch id {
	case clockRealtime, clockRealtimeCoarse, clockTAI, clockRealtimeAlarm:
		return k.Wall(), nil
	case clockMonotonic, clockMonotonicRaw, clockMonotonicCoarse, clockBoottime, clockBoottimeAlarm:
		return proc.TableOf(t.Inst()).Up(), nil
	case clockProcessCPU:
		u := t.ProcUsage()
		return u.UTime + u.STime, nil
	case clockThreadCPU:
		u := t.Usage()
		return u.UTime + u.STime, nil
	}
	if id < 0 {
		return cpuClock(t, id)
	}
	return 0, errno.EINVAL
}

// cpuClock reads the clock of CPU time of any process or thread of the
// instance, whose number is in id: clock_getcpuclockid(3).
func cpuClock(t *proc.Thread, id int) (int64, error) {
	const thread, what, file = 4, 3, 3
	n := ^(id >> 3)
	if id&what == file || n < 0 {
		return 0, errno.EINVAL
	}
	tab := proc.TableOf(t.Inst())
	if id&thread != 0 {
		u := t
		if n != 0 {
			u = tab.FindThread(n)
		}
		if u == nil || u.Proc != t.Proc {
			return 0, errno.EINVAL // those of other processes are not told
		}
		return cpuTime(u.Usage(), id&what), nil
	}
	p := t.Proc
	if n != 0 {
		p = tab.Find(n)
	}
	if p == nil {
		return 0, errno.EINVAL
	}
	return cpuTime(p.Usage(), id&what), nil
}

// cpuTime returns all time, or that in user mode.
func cpuTime(u proc.Usage, what int) int64 {
	const user = 1
	if what == user {
		return u.UTime
	}
	return u.UTime + u.STime
}

// sysClockSettime implements clock_settime(2): (clock int, time *timespec).
func sysClockSettime(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Int(0) != clockRealtime {
		return 0, errno.EINVAL
	}
	ns, err := getTimespec(t, a.Addr(1))
	if err != nil {
		return 0, err
	}
	return 0, k.setWall(t, ns)
}

// sysSettimeofday implements settimeofday(2): (tv *timeval, tz *timezone). Time
// zones are the business of programs.
func sysSettimeofday(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a[1] != 0 {
		return 0, errno.EINVAL
	}
	if a[0] == 0 {
		return 0, nil
	}
	ns, err := getTimeval(t, a.Addr(0))
	if err != nil {
		return 0, err
	}
	return 0, k.setWall(t, ns)
}

// setWall sets the time of day, which is the machine's: only inst0 may.
func (k *Kernel) setWall(t *proc.Thread, ns int64) error {
	if !t.Cred().Has(proc.CAP_SYS_TIME) || t.Inst() != k.Inst0 {
		return errno.EPERM
	}
	const lifetime = 30 * 365 * 86400 * 1e9 // as Linux expects machines to run
	if ns < k.Proc.Now() || ns > math.MaxInt64-lifetime {
		return errno.EINVAL // before 1970 when the machine started, or beyond all clocks
	}
	k.SetWall(ns)
	return nil
}

// getTimespec reads a struct timespec as ns; EINVAL if it is none. Times that
// are too long become those that never come.
func getTimespec(t *proc.Thread, from vm.Addr) (int64, error) {
	var b [abi.TimespecSize]byte
	if err := t.Space().CopyIn(b[:], from); err != nil {
		return 0, err
	}
	var ts abi.Timespec
	ts.Decode(b[:])
	return nanoseconds(ts.Sec, ts.Nsec, 1)
}

// getTimeval is getTimespec of a struct timeval.
func getTimeval(t *proc.Thread, from vm.Addr) (int64, error) {
	var b [abi.TimespecSize]byte
	if err := t.Space().CopyIn(b[:], from); err != nil {
		return 0, err
	}
	var ts abi.Timespec
	ts.Decode(b[:])
	return nanoseconds(ts.Sec, ts.Nsec, 1000)
}

func nanoseconds(sec, part, unit int64) (int64, error) {
	switch {
	case sec < 0 || part < 0 || part >= 1e9/unit:
		return 0, errno.EINVAL
	case sec >= math.MaxInt64/int64(1e9):
		return proc.Forever, nil
	}
	return sec*1e9 + part*unit, nil
}

func putTimespec(t *proc.Thread, to vm.Addr, ns int64) error {
	var b [abi.TimespecSize]byte
	ts := abi.Timespec{Sec: ns / 1e9, Nsec: ns % 1e9}
	ts.Encode(b[:])
	return t.Space().CopyOut(to, b[:])
}

func putTimeval(t *proc.Thread, to vm.Addr, ns int64) error {
	var b [abi.TimespecSize]byte
	ts := abi.Timespec{Sec: ns / 1e9, Nsec: ns % 1e9 / 1000}
	ts.Encode(b[:])
	return t.Space().CopyOut(to, b[:])
}

// after returns the deadline ns from now.
func (k *Kernel) after(ns int64) int64 {
	now := k.Proc.Now()
	if ns >= proc.Forever-now {
		return proc.Forever
	}
	return now + ns
}

// timeout returns the deadline of a call whose argument points to a struct
// timespec, or is 0 to wait for ever.
func (k *Kernel) timeout(t *proc.Thread, from vm.Addr) (int64, error) {
	if from == 0 {
		return proc.Forever, nil
	}
	ns, err := getTimespec(t, from)
	if err != nil {
		return 0, err
	}
	return k.after(ns), nil
}

func sysClockGettime(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	ns, err := k.clock(t, a.Int(0))
	if err != nil {
		return 0, err
	}
	return 0, putTimespec(t, a.Addr(1), ns)
}

func sysClockGetres(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if _, err := k.clock(t, a.Int(0)); err != nil || a[1] == 0 {
		return 0, err
	}
	return 0, putTimespec(t, a.Addr(1), 1)
}

// sysGettimeofday implements gettimeofday(2): (tv *timeval, tz *timezone).
func sysGettimeofday(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a[0] != 0 {
		if err := putTimeval(t, a.Addr(0), k.Wall()); err != nil {
			return 0, err
		}
	}
	if a[1] != 0 {
		return 0, putUint64(t, a.Addr(1), 0) // UTC
	}
	return 0, nil
}

func sysTime(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	s := uint64(k.Wall() / 1e9)
	if a[0] != 0 {
		if err := putUint64(t, a.Addr(0), s); err != nil {
			return 0, err
		}
	}
	return uintptr(s), nil
}

// sysNanosleep implements nanosleep(2): (time, remaining *timespec).
func sysNanosleep(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	deadline, err := k.sleepTime(t, a.Addr(0))
	if err != nil {
		return 0, err
	}
	return k.sleep(t, deadline, a.Addr(1))
}

// sleepTime is timeout, for calls in which 0 is no address.
func (k *Kernel) sleepTime(t *proc.Thread, from vm.Addr) (int64, error) {
	ns, err := getTimespec(t, from)
	return k.after(ns), err
}

// sleep sleeps until the deadline. If a signal comes and a handler returns, the
// time that was left is stored; if no handler runs, the sleep goes on.
func (k *Kernel) sleep(t *proc.Thread, deadline int64, remaining vm.Addr) (uintptr, error) {
	err := t.Sleep(deadline)
	if err == errno.ETIMEDOUT {
		return 0, nil
	}
	if _, ok := err.(proc.Restart); !ok {
		return 0, err
	}
	left := deadline - k.Proc.Now()
	if left <= 0 {
		return 0, nil
	}
	if remaining != 0 {
		if err := putTimespec(t, remaining, left); err != nil {
			return 0, err
		}
	}
	return 0, t.SetRestart(func(t *proc.Thread) (uintptr, error) { return k.sleep(t, deadline, remaining) })
}

// sysClockNanosleep implements clock_nanosleep(2): (clock, flags int, time, remaining *timespec).
func sysClockNanosleep(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	const absolute = 1
	id := a.Int(0)
	if id < 0 || id == clockThreadCPU || id == clockMonotonicRaw || id == clockRealtimeCoarse || id == clockMonotonicCoarse {
		return 0, errno.EOPNOTSUPP
	}
	if _, err := k.clock(t, id); err != nil {
		return 0, err
	}
	if id == clockProcessCPU {
		return 0, errno.EOPNOTSUPP // it would need a timer of CPU time
	}
	if a.Uint(1)&absolute == 0 {
		deadline, err := k.sleepTime(t, a.Addr(2))
		if err != nil {
			return 0, err
		}
		return k.sleep(t, deadline, a.Addr(3))
	}
	at, err := getTimespec(t, a.Addr(2))
	if err != nil {
		return 0, err
	}
	d := proc.Deadline{At: proc.TableOf(t.Inst()).Deadline(at)}
	switch id {
	case clockRealtime, clockTAI, clockRealtimeAlarm:
		d = proc.Deadline{At: at, Wall: k.Wall} // which may be set meanwhile
	}
	err = t.SleepUntil(d)
	switch err {
	case errno.ETIMEDOUT:
		return 0, nil
	case proc.ERestartSys:
		return 0, proc.ERestartNoHand
	}
	return 0, err
}

// Interval timers: getitimer(2).

func sysGetitimer(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	v, err := t.Proc.Itimer(a.Int(0))
	if err != nil {
		return 0, err
	}
	return 0, putItimer(t, a.Addr(1), v)
}

// sysSetitimer implements setitimer(2): (which int, new, old *itimerval).
func sysSetitimer(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	var v proc.Itimer
	var err error
	if a[1] != 0 {
		if v.Interval, err = getTimeval(t, a.Addr(1)); err != nil {
			return 0, err
		}
		if v.Value, err = getTimeval(t, a.Addr(1)+abi.TimespecSize); err != nil {
			return 0, err
		}
	}
	old, err := t.SetItimer(a.Int(0), v)
	if err != nil || a[2] == 0 {
		return 0, err
	}
	return 0, putItimer(t, a.Addr(2), old)
}

func putItimer(t *proc.Thread, to vm.Addr, v proc.Itimer) error {
	if err := putTimeval(t, to, v.Interval); err != nil {
		return err
	}
	return putTimeval(t, to+abi.TimespecSize, v.Value)
}

// sysAlarm implements alarm(2).
func sysAlarm(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	old, err := t.SetItimer(proc.ITIMER_REAL, proc.Itimer{Value: int64(a.Uint(0)) * 1e9})
	if err != nil || old.Value == 0 {
		return 0, err
	}
	return uintptr(max(1, (old.Value+5e8)/1e9)), nil
}
