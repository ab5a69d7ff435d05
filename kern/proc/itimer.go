package proc

import (
	"sync/atomic"
	"time"

	"mult/kern/errno"
)

// The timers of setitimer(2).
const (
	ITIMER_REAL    = 0
	ITIMER_VIRTUAL = 1
	ITIMER_PROF    = 2
)

// An Itimer is a timer's time to go and its period, in nanoseconds; 0: none.
type Itimer struct{ Interval, Value int64 }

// itimers are the timers of a process. They are guarded by Proc.mu.
type itimers struct {
	real     *time.Timer // nil until it is needed
	end      [3]int64    // when it expires, on its clock; 0: never
	interval [3]int64
	ended    bool // the process has ended

	cpuLimit int64 // CPU time at which RLIMIT_CPU acts next, 0: never
	armed    atomic.Bool
}

// checkEvery is how often a thread looks at timers of CPU time.
const checkEvery = int64(time.Millisecond)

// armedLocked sets armed: there is a timer of CPU time.
func (m *itimers) armedLocked() {
	m.armed.Store(m.end[ITIMER_VIRTUAL] != 0 || m.end[ITIMER_PROF] != 0 || m.cpuLimit != 0)
}

// clockLocked returns the time of a timer's clock.
func (p *Proc) clockLocked(which int) int64 {
	if which == ITIMER_REAL {
		return p.sys.Now()
	}
	u := p.usageLocked()
	if which == ITIMER_VIRTUAL {
		return u.UTime
	}
	return u.UTime + u.STime
}

func (p *Proc) itimerLocked(which int) Itimer {
	m := &p.timers
	v := Itimer{Interval: m.interval[which]}
	if m.end[which] != 0 {
		// A timer that is about to expire isn't off yet.
		v.Value = max(m.end[which]-p.clockLocked(which), 1000)
	}
	return v
}

// Itimer implements getitimer(2).
func (p *Proc) Itimer(which int) (Itimer, error) {
	if which < 0 || which > ITIMER_PROF {
		return Itimer{}, errno.EINVAL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.itimerLocked(which), nil
}

// SetItimer implements setitimer(2), and alarm(2).
func (t *Thread) SetItimer(which int, v Itimer) (old Itimer, err error) {
	if which < 0 || which > ITIMER_PROF || v.Value < 0 || v.Interval < 0 {
		return old, errno.EINVAL
	}
	p := t.Proc
	m := &p.timers
	p.mu.Lock()
	defer p.mu.Unlock()
	old = p.itimerLocked(which)
	m.end[which], m.interval[which] = 0, 0
	if v.Value != 0 {
		m.end[which], m.interval[which] = later(p.clockLocked(which), v.Value), v.Interval
	}
	if which == ITIMER_REAL {
		p.startRealLocked()
	} else {
		m.armedLocked()
	}
	return old, nil
}

// later returns now + d, or the end of time.
func later(now, d int64) int64 {
	if d > Forever-1-now {
		return Forever - 1
	}
	return now + d
}

// startRealLocked sets the host's timer for ITIMER_REAL.
func (p *Proc) startRealLocked() {
	m := &p.timers
	if m.real != nil {
		m.real.Stop()
	}
	if m.end[ITIMER_REAL] == 0 || m.ended {
		return
	}
	d := time.Duration(m.end[ITIMER_REAL] - p.sys.Now())
	if m.real == nil {
		m.real = time.AfterFunc(d, p.realExpired)
	} else {
		m.real.Reset(d)
	}
}

// realExpired runs when ITIMER_REAL may have expired.
func (p *Proc) realExpired() {
	p.mu.Lock()
	m := &p.timers
	now := p.sys.Now()
	if m.end[ITIMER_REAL] == 0 || m.ended {
		p.mu.Unlock()
		return
	}
	expired := m.expireLocked(ITIMER_REAL, now)
	p.startRealLocked()
	p.mu.Unlock()
	if expired {
		p.Signal(Info(SIGALRM, SI_KERNEL))
	}
}

// expireLocked sets the next time of a timer, if it has expired by now.
func (m *itimers) expireLocked(which int, now int64) bool {
	end, every := m.end[which], m.interval[which]
	if end == 0 || now < end {
		return false
	}
	m.end[which] = 0
	if every != 0 {
		m.end[which] = later(end, every)
		if m.end[which] <= now { // periods were missed
			m.end[which] = later(now, every-(now-end)%every)
		}
	}
	return true
}

// checkCPU looks whether timers of CPU time have expired.
func (t *Thread) checkCPU(now int64) {
	if now-t.checked < checkEvery || t.exited {
		return
	}
	t.checked = now
	p := t.Proc
	m := &p.timers
	var sigs [3]Signal
	p.mu.Lock()
	if m.expireLocked(ITIMER_VIRTUAL, p.clockLocked(ITIMER_VIRTUAL)) {
		sigs[0] = SIGVTALRM
	}
	used := p.clockLocked(ITIMER_PROF)
	if m.expireLocked(ITIMER_PROF, used) {
		sigs[1] = SIGPROF
	}
	if m.cpuLimit != 0 && used >= m.cpuLimit {
		m.cpuLimit = used + int64(time.Second)
		sigs[2] = SIGXCPU
		if hard := p.limits[RLIMIT_CPU].max.Load(); hard < uint64(used)/uint64(time.Second)+1 &&
			uint64(used) >= hard*uint64(time.Second) {
			sigs[2] = SIGKILL
		}
	}
	m.armedLocked()
	p.mu.Unlock()
	for _, s := range sigs {
		if s != 0 {
			p.Signal(Info(s, SI_KERNEL))
		}
	}
}

// limitCPULocked makes RLIMIT_CPU act at a number of seconds.
func (m *itimers) limitCPULocked(seconds uint64) {
	m.cpuLimit = 0
	if seconds < uint64(Forever)/uint64(time.Second) {
		m.cpuLimit = max(int64(seconds)*int64(time.Second), int64(time.Second))
	}
	m.armedLocked()
}

// stop ends all timers.
func (m *itimers) stop(p *Proc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m.ended = true
	m.end = [3]int64{}
	m.cpuLimit = 0
	m.armedLocked()
	if m.real != nil {
		m.real.Stop()
	}
}
