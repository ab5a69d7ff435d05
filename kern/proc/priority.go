package proc

import "mult/kern/errno"

// What getpriority(2) and setpriority(2) name.
const (
	PRIO_PROCESS = 0
	PRIO_PGRP    = 1
	PRIO_USER    = 2
)

// Policies of sched_setscheduler(2) that threads can have.
const (
	SCHED_OTHER = 0
	SCHED_BATCH = 3 // for what computes; treated as SCHED_OTHER
	SCHED_IDLE  = 5 // for what nobody waits for: less than any nice value

	SCHED_RESET_ON_FORK = 0x40000000 // children don't have it, nor a nice value below 0
)

// Nice returns the nice value of t, -20 to 19. Any goroutine may call it.
func (t *Thread) Nice() int { return int(t.nice.Load()) }

// eachLocked calls f for the threads that which and who name. tab.mu is held.
func (t *Thread) eachLocked(which, who int, f func(u *Thread)) error {
	tab := t.Proc.tab
	all := func(p *Proc) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, u := range p.threads {
			f(u)
		}
	}
	switch which {
	case PRIO_PROCESS:
		u := t
		if who != 0 {
			u = tab.findThreadLocked(who)
		}
		if u != nil {
			f(u)
		}
	case PRIO_PGRP:
		g := t.Proc.group
		if who != 0 {
			g = nil
			if e := tab.numbers[who]; e != nil {
				g = e.group
			}
		}
		if g != nil {
			for p := g.head; p != nil; p = p.gnext {
				all(p)
			}
		}
	case PRIO_USER:
		uid := uint32(who)
		if who == 0 {
			uid = t.Cred().UID
		}
		for _, e := range tab.numbers {
			if e.proc != nil && e.proc.leader.Cred().UID == uid {
				all(e.proc)
			}
		}
	default:
		return errno.EINVAL
	}
	return nil
}

// GetPriority implements getpriority(2): it returns the lowest nice value.
func (t *Thread) GetPriority(which, who int) (int, error) {
	t.Proc.tab.mu.Lock()
	defer t.Proc.tab.mu.Unlock()
	nice, err := 20, error(nil)
	if err = t.eachLocked(which, who, func(u *Thread) { nice = min(nice, u.Nice()) }); err != nil {
		return 0, err
	}
	if nice == 20 {
		return 0, errno.ESRCH
	}
	return nice, nil
}

// SetPriority implements setpriority(2).
func (t *Thread) SetPriority(which, who, nice int) error {
	nice = min(max(nice, -20), 19)
	c, tab := t.Cred(), t.Proc.tab
	tab.mu.Lock()
	defer tab.mu.Unlock()
	result := error(errno.ESRCH)
	err := t.eachLocked(which, who, func(u *Thread) {
		o := u.Cred()
		switch {
		case o.UID != c.EUID && o.EUID != c.EUID && !c.Has(CAP_SYS_NICE):
			result = errno.EPERM
		case nice < u.Nice() && !c.Has(CAP_SYS_NICE) && uint64(20-nice) > u.Proc.Limit(RLIMIT_NICE):
			result = errno.EACCES
		default:
			if result == errno.ESRCH {
				result = nil
			}
			u.nice.Store(int32(nice))
			if s := u.Proc.sys.Sched; s != nil {
				s.Renice(u)
			}
		}
	})
	if err != nil {
		return err
	}
	return result
}

// Policy returns the scheduling policy of t, with SCHED_RESET_ON_FORK. Any
// goroutine may call it.
func (t *Thread) Policy() int { return int(t.policy.Load()) }

// GetPolicy is sched_getscheduler(2): of the thread with a number, 0 for t.
// ESRCH.
func (t *Thread) GetPolicy(tid int) (int, error) {
	t.Proc.tab.mu.Lock()
	defer t.Proc.tab.mu.Unlock()
	if tid == 0 {
		return t.Policy(), nil
	}
	u := t.Proc.tab.findThreadLocked(tid)
	if u == nil {
		return 0, errno.ESRCH
	}
	return u.Policy(), nil
}

// SetPolicy is sched_setscheduler(2), for a policy that there is. ESRCH, EPERM.
func (t *Thread) SetPolicy(tid, policy int) error {
	c, tab := t.Cred(), t.Proc.tab
	tab.mu.Lock()
	defer tab.mu.Unlock()
	u := t
	if tid != 0 {
		u = tab.findThreadLocked(tid)
	}
	if u == nil {
		return errno.ESRCH
	}
	if o, old := u.Cred(), u.Policy(); !c.Has(CAP_SYS_NICE) {
		switch {
		case o.UID != c.EUID && o.EUID != c.EUID,
			old&SCHED_RESET_ON_FORK&^policy != 0,
			// Leaving SCHED_IDLE is as lowering a nice value.
			old&^SCHED_RESET_ON_FORK == SCHED_IDLE && policy&^SCHED_RESET_ON_FORK != SCHED_IDLE &&
				uint64(20-u.Nice()) > u.Proc.Limit(RLIMIT_NICE):
			return errno.EPERM
		}
	}
	u.policy.Store(int32(policy))
	if s := u.Proc.sys.Sched; s != nil {
		s.Renice(u)
	}
	return nil
}
