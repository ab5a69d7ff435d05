//go:build tamago

// One M for each processor, and never a second.
//
// Where the scheduler wants to run a P and finds no idle M, it creates one,
// until every processor has its M. From then on there is always an M on its
// way to idling, because there are as many Ms as Ps: in netpoll, waiting for
// the next timer, or between giving up its P and mput. The P is handed over
// to the first of them to arrive.

package runtime

import "internal/runtime/atomic"

// handed is the stack of Ps that wait for an M, linked by p.link.
// sched.lock guards it; handedAny may be read without.
var (
	handed     puintptr
	handedSpin [maxCPU]bool // by p.id: its M starts spinning
	handedAny  atomic.Uint32
)

const maxCPU = 64

// handOff leaves pp to the next M that has none. It reports false if a new M
// can be created instead. sched.lock must be held.
//
//go:nowritebarrierrec
func handOff(pp *p, spinning bool) bool {
	if mcount() < ncpuOnline {
		return false
	}
	pp.link = handed
	handed.set(pp)
	handedSpin[pp.id] = spinning
	handedAny.Add(1)
	return true
}

// handedP takes a P that was handed off for mp, the current M; nil if there
// is none. sched.lock must be held.
//
//go:nowritebarrierrec
func handedP(mp *m) *p {
	pp := handed.ptr()
	if pp == nil {
		return nil
	}
	handed = pp.link
	pp.link = 0
	handedAny.Add(-1)
	if mp.spinning {
		throw("handedP: M is spinning")
	}
	mp.spinning = handedSpin[pp.id]
	return pp
}

// handedIdle is called by mput: an M that is about to become idle runs a P
// that was handed off instead. sched.lock must be held.
//
//go:nowritebarrierrec
func handedIdle(mp *m) bool {
	pp := handedP(mp)
	if pp == nil {
		return false
	}
	mp.nextp.set(pp)
	notewakeup(&mp.park)
	return true
}

// startOldM runs pp, which startTheWorld found without an M, on an existing
// one. If a new one can be created, it reports false and reserves its id.
func startOldM(pp *p) (id int64, ok bool) {
	lock(&sched.lock)
	if mp := mget(); mp != nil {
		mp.nextp.set(pp)
		notewakeup(&mp.park)
		unlock(&sched.lock)
		return 0, true
	}
	ok = handOff(pp, false)
	if !ok {
		id = mReserveID()
	}
	unlock(&sched.lock)
	if ok {
		netpollBreak()
	}
	return id, ok
}
