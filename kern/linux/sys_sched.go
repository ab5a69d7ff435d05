package linux

import (
	"mult/kern/errno"
	"mult/kern/proc"
)

// Policies of sched_setscheduler(2) that no thread can have.
const (
	schedFIFO = 1
	schedRR   = 2
)

func sysSchedGetscheduler(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Int(0) < 0 {
		return 0, errno.EINVAL
	}
	policy, err := t.GetPolicy(a.Int(0))
	return uintptr(policy), err
}

// sysSchedSetscheduler implements sched_setscheduler(2): (pid, policy int, param *sched_param).
func sysSchedSetscheduler(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Int(0) < 0 || a.Int(1) < 0 || a[2] == 0 {
		return 0, errno.EINVAL
	}
	priority, err := getUint32(t, a.Addr(2))
	if err != nil {
		return 0, err
	}
	if err := findThread(t, a.Int(0)); err != nil {
		return 0, err
	}
	switch a.Int(1) &^ proc.SCHED_RESET_ON_FORK {
	case proc.SCHED_OTHER, proc.SCHED_BATCH, proc.SCHED_IDLE:
		if priority != 0 {
			return 0, errno.EINVAL
		}
		return 0, t.SetPolicy(a.Int(0), a.Int(1))
	case schedFIFO, schedRR:
		if priority < 1 || priority > 99 {
			return 0, errno.EINVAL
		}
		return 0, errno.EPERM // nobody may
	}
	return 0, errno.EINVAL
}

// sysSchedGetparam implements sched_getparam(2): (pid int, param *sched_param).
func sysSchedGetparam(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a[1] == 0 {
		return 0, errno.EINVAL
	}
	if err := findThread(t, a.Int(0)); err != nil {
		return 0, err
	}
	return 0, putUint32(t, a.Addr(1), 0)
}

// sysSchedSetparam implements sched_setparam(2): (pid int, param *sched_param).
func sysSchedSetparam(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Int(0) < 0 || a[1] == 0 {
		return 0, errno.EINVAL
	}
	priority, err := getUint32(t, a.Addr(1))
	if err != nil {
		return 0, err
	}
	if err := findThread(t, a.Int(0)); err != nil {
		return 0, err
	}
	if priority != 0 {
		return 0, errno.EINVAL
	}
	return 0, nil
}

func priorityBound(a *Args, realtime uintptr) (uintptr, error) {
	switch a.Int(0) {
	case schedFIFO, schedRR:
		return realtime, nil
	case proc.SCHED_OTHER, proc.SCHED_BATCH, proc.SCHED_IDLE:
		return 0, nil
	}
	return 0, errno.EINVAL
}

func sysSchedGetPriorityMax(_ *Kernel, _ *proc.Thread, a *Args) (uintptr, error) {
	return priorityBound(a, 99)
}

func sysSchedGetPriorityMin(_ *Kernel, _ *proc.Thread, a *Args) (uintptr, error) {
	return priorityBound(a, 1)
}

// sysSchedSetaffinity implements sched_setaffinity(2): (pid int, size, mask).
// Threads can't be bound to processors: a mask is accepted if it allows all of the
// instance.
func sysSchedSetaffinity(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	var b [128]byte
	n := min(a.Uint(1), uint32(len(b)))
	if err := t.Space().CopyIn(b[:n], a.Addr(2)); err != nil {
		return 0, err
	}
	if a.Int(0) < 0 {
		return 0, errno.ESRCH
	}
	if err := findThread(t, a.Int(0)); err != nil {
		return 0, err
	}
	some, all := false, true
	for i := range k.processors(t) {
		if b[i/8]&(1<<(i%8)) != 0 {
			some = true
		} else {
			all = false
		}
	}
	switch {
	case !some:
		return 0, errno.EINVAL
	case !all:
		return 0, errno.EPERM
	}
	return 0, nil
}

// sysPersonality implements personality(2): there is one.
func sysPersonality(_ *Kernel, _ *proc.Thread, a *Args) (uintptr, error) {
	if p := a.Uint(0); p != 0 && p != 0xffffffff {
		return 0, errno.EINVAL
	}
	return 0, nil
}

// sysGetRobustList implements get_robust_list(2): (pid int, head, length *uint64).
func sysGetRobustList(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if tid := a.Int(0); tid < 0 {
		return 0, errno.ESRCH
	} else if tid != 0 && tid != t.TID {
		if err := findThread(t, tid); err != nil {
			return 0, err
		}
		return 0, errno.EPERM // only the thread itself knows
	}
	head, n := t.RobustList()
	if n == 0 {
		n = 24
	}
	if err := putUint64(t, a.Addr(2), n); err != nil {
		return 0, err
	}
	return 0, putUint64(t, a.Addr(1), uint64(head))
}
