package sched

import (
	"sync/atomic"
	"time"

	"mult/inst"
)

// This file has the tree of instances, and says whose thread is due.
//
// What an instance gets is shared by those directly below it, in proportion to their
// weights; its own threads together are one more competitor, with the usual weight. So an
// instance has, with all below it, its share among its siblings, however many it makes. The
// time of a thread is charged on the way up to the top; choosing goes down from there.

// A rival competes for the processors that a group has: it is a group below that one, with
// all of its own, or the group's own threads.
type rival struct {
	group  *group       // [const] whose threads these are
	among  *group       // [const] for whose processors it competes; nil: it is the top
	weight atomic.Int64 // changed with mu
	vt     atomic.Int64 // virtual time; only grows, but for SetWeight
	key    int64        // [mu] vt when it was put where it is in among.rivals
	at     int          // [mu] place there, -1: not in it
}

// group is what sched knows of an instance.
type group struct {
	sched *Sched // [const]
	depth int    // [const] below the top

	all     rival        // this and those below, among those of the one above
	own     rival        // its threads, among those of this
	members atomic.Int32 // those that may compete here; changed with mu
	rivals  heap[*rival] // [mu] those of them with waiting threads
	waiting atomic.Int32 // their number; changed with mu
	rivalVT atomic.Int64 // virtual time of the last one chosen; only grows

	minVT atomic.Int64  // virtual time of the last thread chosen; only grows
	queue heap[*thread] // [mu] threads that wait
	purse int64         // [mu] what sleepers may earn
	since int64         // [mu] time up to which that is right

	control
}

func (r *rival) before(o *rival) bool { return r.key < o.key }
func (r *rival) spot() *int           { return &r.at }

// initTop prepares the group above all.
func (s *Sched) initTop() {
	s.top.sched = s
	s.top.all = rival{group: &s.top, at: -1}
	s.top.own.at = -1 // it has no threads
}

// newGroup makes the group of an instance; up is that of the one above it, nil for inst0.
func (s *Sched) newGroup(up *group) *group {
	g := &group{sched: s}
	among := &s.top
	if up != nil {
		among = up
	}
	g.depth = among.depth + 1
	g.all.init(g, among)
	g.own.init(g, g)
	g.members.Store(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	g.all.vt.Store(among.rivalVT.Load())
	among.members.Add(1)
	if up != nil {
		g.joinLocked(up)
	}
	return g
}

func (r *rival) init(g, among *group) {
	r.group, r.among, r.at = g, among, -1
	r.weight.Store(Weight)
}

// stop is called when the instance is freed.
func (g *group) stop() {
	g.sched.mu.Lock()
	defer g.sched.mu.Unlock()
	if len(g.rivals) != 0 || len(g.queue) != 0 {
		panic("sched: instance freed with threads in it")
	}
	g.all.among.members.Add(-1)
	g.stopControlLocked()
}

// SetWeight says how much of the processors an instance gets, with those below it, in
// relation to its siblings: from 1 to MaxWeight.
func SetWeight(in *inst.Inst, weight int) {
	g := slot.Of(in)
	g.sched.mu.Lock()
	defer g.sched.mu.Unlock()
	r := &g.all
	r.weight.Store(int64(min(max(weight, 1), MaxWeight)))
	// With little weight it may have got far ahead, further than charge lets it now.
	lower(&r.vt, r.limit())
	if r.at >= 0 {
		r.key = r.vt.Load()
		r.among.rivals.fix(r.at)
	}
}

// WeightOf returns what SetWeight has set.
func WeightOf(in *inst.Inst) int { return int(slot.Of(in).all.weight.Load()) }

// limit is how far r may be ahead of those that wait, beside what it has had last.
func (r *rival) limit() int64 { return r.among.rivalVT.Load() + lead*Weight/r.weight.Load() }

// floor is how far it may be behind them.
func (r *rival) floor() int64 { return r.among.rivalVT.Load() - bonus }

// A call that takes long in the kernel is charged in full, as long as who made it need not
// wait for more than about patience then, for so many competitors: else one who works much
// when it starts gets nothing for minutes among a thousand.
const (
	longest  = int64(time.Second) // in any case: the machine may have stood still
	patience = int64(5 * time.Second)
)

// charge adds d nanoseconds to the virtual times of r and what it is part of. alone: no
// thread waits, so nobody is behind.
func (r *rival) charge(d int64, alone bool) {
	for ; r.among != nil; r = &r.among.all {
		if r.among.members.Load() == 1 {
			continue // there is nobody to compete with
		}
		w := r.weight.Load()
		if alone { // nobody is behind, so there is no lead to limit
			raise(&r.among.rivalVT, r.vt.Add(d*Weight/w))
			continue
		}
		once := min(d, longest, patience/max(int64(r.among.waiting.Load()), 1))
		advance(&r.vt, d*Weight/w, r.limit()+once*Weight/w)
	}
}

// catchUp limits the advantage that r, and what it is part of, has by its sleep.
func (r *rival) catchUp() {
	for ; r.among != nil; r = &r.among.all {
		raise(&r.vt, r.floor())
	}
}

// enterLocked makes r compete, and what it is part of: a thread waits.
func (r *rival) enterLocked() {
	for ; r.among != nil && r.at < 0; r = &r.among.all {
		raise(&r.vt, r.floor())
		r.key = r.vt.Load()
		r.among.rivals.push(r)
		r.among.waiting.Store(int32(len(r.among.rivals)))
	}
}

// leaveLocked ends enterLocked, when no thread of r waits any more.
func (r *rival) leaveLocked() {
	for ; r.among != nil; r = &r.among.all {
		r.among.rivals.remove(r.at)
		r.among.waiting.Store(int32(len(r.among.rivals)))
		if len(r.among.rivals) > 0 {
			return
		}
	}
}

// chosenLocked says that a thread of r has got a processor.
func (r *rival) chosenLocked() {
	for ; r.among != nil; r = &r.among.all {
		raise(&r.among.rivalVT, r.vt.Load())
	}
}

// firstLocked returns the one that has had least; nil: nobody waits.
func (g *group) firstLocked() *rival {
	for len(g.rivals) > 0 {
		r := g.rivals[0]
		// Virtual times only grow: who is first by an old one has to be looked at
		// again.
		vt := r.vt.Load()
		if vt == r.key {
			return r
		}
		r.key = vt
		g.rivals.fix(0)
	}
	return nil
}

// nextLocked returns the thread that is due; nil: none waits.
func (s *Sched) nextLocked() *thread {
	g := &s.top
	for {
		switch r := g.firstLocked(); r {
		case nil:
			return nil
		case &g.own:
			return g.queue[0]
		default:
			g = r.group
		}
	}
}

// aheadOf returns how far h is ahead of o, where they or what they are part of compete.
func (h *thread) aheadOf(o *thread) int64 {
	if h.g == o.g {
		return h.vt.Load() - o.vt.Load()
	}
	a, b := &h.g.own, &o.g.own
	for a.among != b.among {
		if a.among.depth >= b.among.depth {
			a = &a.among.all
		} else {
			b = &b.among.all
		}
	}
	return a.vt.Load() - b.vt.Load()
}
