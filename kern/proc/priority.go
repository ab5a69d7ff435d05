package proc

import "mult/kern/errno"

// What getpriority(2) and setpriority(2) name.
const (
	PRIO_PROCESS = 0
	PRIO_PGRP    = 1
	PRIO_USER    = 2
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
