package proc

import (
	"sync/atomic"

	"mult/inst"
	"mult/kern/errno"
)

// A Resource is what a limit is for: getrlimit(2).
type Resource int

// The resources.
const (
	RLIMIT_CPU Resource = iota
	RLIMIT_FSIZE
	RLIMIT_DATA
	RLIMIT_STACK
	RLIMIT_CORE
	RLIMIT_RSS
	RLIMIT_NPROC
	RLIMIT_NOFILE
	RLIMIT_MEMLOCK
	RLIMIT_AS
	RLIMIT_LOCKS
	RLIMIT_SIGPENDING
	RLIMIT_MSGQUEUE
	RLIMIT_NICE
	RLIMIT_RTPRIO
	RLIMIT_RTTIME

	NumLimits = 16
)

// RLIM_INFINITY is no limit.
const RLIM_INFINITY = ^uint64(0)

// MaxFiles is what RLIMIT_NOFILE can be at most: fs.nr_open.
const MaxFiles = 1 << 20

// An Rlimit is a soft and a hard limit.
type Rlimit struct{ Cur, Max uint64 }

// limit is a limit of a process: read by anybody, changed with Proc.mu held.
type limit struct{ cur, max atomic.Uint64 }

func (l *limit) set(r Rlimit) {
	l.cur.Store(r.Cur)
	l.max.Store(r.Max)
}

// defaultLimits gives a first process what Linux gives it.
func (p *Proc) defaultLimits() {
	const tasks = maxNumbers / 2
	for i := range p.limits {
		r := Rlimit{RLIM_INFINITY, RLIM_INFINITY}
		switch Resource(i) {
		case RLIMIT_STACK:
			r.Cur = 8 << 20
		case RLIMIT_CORE:
			r.Cur = 0
		case RLIMIT_NPROC, RLIMIT_SIGPENDING:
			r = Rlimit{tasks, tasks}
		case RLIMIT_NOFILE:
			r = Rlimit{1024, 4096}
		case RLIMIT_MEMLOCK:
			r = Rlimit{8 << 20, 8 << 20}
		case RLIMIT_MSGQUEUE:
			r = Rlimit{819200, 819200}
		case RLIMIT_NICE, RLIMIT_RTPRIO:
			r = Rlimit{0, 0}
		}
		p.limits[i].set(r)
	}
}

// copyLimits gives child the limits of p.
func (p *Proc) copyLimits(child *Proc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.limits {
		child.limits[i].set(Rlimit{p.limits[i].cur.Load(), p.limits[i].max.Load()})
	}
	child.timers.limitCPULocked(child.limits[RLIMIT_CPU].cur.Load())
}

// ofInstance bounds RLIMIT_NPROC by what the instance may have, as Linux does by the size
// of the machine: that is where ulimit -u and its hard limit begin.
func (p *Proc) ofInstance() {
	l := &p.limits[RLIMIT_NPROC]
	most := uint64(p.Inst.Limit(inst.Threads))
	l.set(Rlimit{min(l.cur.Load(), most), min(l.max.Load(), most)})
}

// Limit returns the soft limit of a resource.
func (p *Proc) Limit(r Resource) uint64 { return p.limits[r].cur.Load() }

// Rlimit returns both limits of a resource.
func (p *Proc) Rlimit(r Resource) Rlimit {
	p.mu.Lock()
	defer p.mu.Unlock()
	return Rlimit{p.limits[r].cur.Load(), p.limits[r].max.Load()}
}

// Prlimit implements prlimit64(2): it sets a limit if set isn't nil, and
// returns the one before. pid 0 is t's process.
func (t *Thread) Prlimit(pid int, r Resource, set *Rlimit) (old Rlimit, err error) {
	if r < 0 || r >= NumLimits {
		return old, errno.EINVAL
	}
	if set != nil {
		if set.Cur > set.Max {
			return old, errno.EINVAL
		}
		if r == RLIMIT_NOFILE && set.Max > MaxFiles {
			return old, errno.EPERM
		}
	}
	p, c := t.Proc, t.Cred()
	if pid != 0 {
		u := p.tab.FindThread(pid)
		if u == nil {
			return old, errno.ESRCH
		}
		o := u.Cred()
		if u.Proc != p && !c.Has(CAP_SYS_RESOURCE) &&
			!(c.UID == o.EUID && c.UID == o.SUID && c.UID == o.UID &&
				c.GID == o.EGID && c.GID == o.SGID && c.GID == o.GID) {
			return old, errno.EPERM
		}
		p = u.Proc
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &p.limits[r]
	old = Rlimit{l.cur.Load(), l.max.Load()}
	if set == nil {
		return old, nil
	}
	if set.Max > old.Max && !c.Has(CAP_SYS_RESOURCE) {
		return old, errno.EPERM
	}
	l.set(*set)
	if r == RLIMIT_CPU {
		p.timers.limitCPULocked(set.Cur)
	}
	return old, nil
}
