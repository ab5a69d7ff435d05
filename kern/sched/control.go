package sched

import (
	"math/bits"
	"sync/atomic"
	"time"

	"mult/inst"
	"mult/kern/proc"
)

// This file has what those who manage an instance can say about its processors beside its
// weight: its cap, and that it is suspended.

// control is that of a group.
type control struct {
	cap atomic.Int64 // [mu to write] percent of a processor; 0: none

	// A group with holds keeps its threads out of user mode: they wait, and are not
	// counted in Sched.waiting. It has those of the groups above it, too.
	holds atomic.Int32 // [mu to write] bits of its own, and above them a count
	up    *group       // [const] that of the instance above
	below *group       // [mu] the first of those below
	next  *group       // [mu] among those of up
	prev  *group       // [mu]

	tokens int64       // [mu] ns that it may use before it is held, or is in debt
	filled int64       // [mu] time up to which tokens are right
	timer  *time.Timer // [mu] looks whether there are tokens again
}

// Reasons to hold a group, and what one of the groups above counts as.
const (
	suspended = 1 << iota
	overCap
	ofAbove
)

func (c *control) held() bool { return c.holds.Load() != 0 }

// Weights of instances: the usual one, and the largest.
const (
	Weight    = 100
	MaxWeight = 10000
)

// Suspend keeps the threads of an instance, and those below it, out of user mode until
// Resume: those that are there come back at once, and wait. They still do in the kernel what
// they must, such as to end.
func Suspend(in *inst.Inst) {
	g := slot.Of(in)
	g.sched.mu.Lock()
	defer g.sched.mu.Unlock()
	g.holdLocked(suspended)
}

// Resume ends Suspend.
func Resume(in *inst.Inst) {
	g := slot.Of(in)
	g.sched.mu.Lock()
	defer g.sched.mu.Unlock()
	g.unholdLocked(suspended)
}

// joinLocked puts the new group g below up.
func (g *group) joinLocked(up *group) {
	g.up, g.next = up, up.below
	if g.next != nil {
		g.next.prev = g
	}
	up.below = g
	const own = ofAbove - 1
	n := up.holds.Load()
	g.holds.Store(n&^own + ofAbove*int32(bits.OnesCount32(uint32(n&own))))
}

// leaveLocked ends joinLocked. However many siblings there are, it takes no longer: all
// threads of the machine wait for mu.
func (g *group) leaveLocked() {
	if g.next != nil {
		g.next.prev = g.prev
	}
	if g.prev != nil {
		g.prev.next = g.next
	} else {
		g.up.below = g.next
	}
	g.next, g.prev = nil, nil
}

// holdLocked holds g and those below for a reason, unless they are.
func (g *group) holdLocked(why int32) {
	if g.holds.Load()&why == 0 {
		g.changeHoldsLocked(why)
		g.changeBelowLocked(ofAbove)
	}
}

// unholdLocked ends holdLocked, if it was called.
func (g *group) unholdLocked(why int32) {
	if g.holds.Load()&why != 0 {
		g.changeHoldsLocked(-why)
		g.changeBelowLocked(-ofAbove)
	}
}

func (g *group) changeBelowLocked(n int32) {
	for k := g.below; k != nil; k = k.next {
		k.changeHoldsLocked(n)
		k.changeBelowLocked(n)
	}
}

// changeHoldsLocked adds n to g.holds; the first reason takes its threads out of user mode,
// with the last one's end they go on.
func (g *group) changeHoldsLocked(n int32) {
	s, old := g.sched, g.holds.Load()
	g.holds.Store(old + n)
	waiting := int32(len(g.queue))
	switch {
	case old == 0:
		s.waiting.Add(-waiting)
		if waiting > 0 {
			g.own.leaveLocked()
		}
		for i := range s.places {
			if h := s.places[i].Load(); h != nil && h.g == g {
				h.t.RequestYield()
			}
		}
	case old+n == 0 && waiting > 0:
		s.waiting.Add(waiting)
		g.own.enterLocked() // as one who has slept
		s.dispatchLocked()
	}
}

// A cap is kept on average: an instance has tokens for the time that it may use, which
// grow as time passes, up to those of capPeriod, and is held while it has none. What it
// uses beyond, until its threads have come back, it has less later; no more than capDebt.
const (
	capPeriod = int64(100 * time.Millisecond)
	capDebt   = int64(time.Hour)
	capLook   = time.Millisecond
)

// SetCap says how much of the processors an instance gets at most, with those below it, in
// percent of one; 0: as much as there is.
func SetCap(in *inst.Inst, percent int) {
	g := slot.Of(in)
	g.sched.mu.Lock()
	defer g.sched.mu.Unlock()
	g.cap.Store(int64(max(percent, 0)))
	g.tokens, g.filled = 0, 0
	g.unholdLocked(overCap)
}

// CapOf returns what SetCap has set.
func CapOf(in *inst.Inst) int { return int(slot.Of(in).cap.Load()) }

// Processors returns how many of a machine's n processors in has, as far as programs are
// concerned: with a cap, as many as could be busy all the time.
func Processors(in *inst.Inst, n int) int {
	for g := slot.Of(in); g != nil; g = g.up {
		if c := int(g.cap.Load()); c != 0 {
			n = min(n, (c+99)/100)
		}
	}
	return n
}

// spend takes d nanoseconds of CPU time of t from the tokens of g and those above it.
func (g *group) spend(d int64, t *proc.Thread) {
	for ; g != nil; g = g.up {
		if g.cap.Load() != 0 {
			g.takeTokens(d, t)
		}
	}
}

func (g *group) takeTokens(d int64, t *proc.Thread) {
	s := g.sched
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.cap.Load() == 0 {
		return
	}
	g.fillLocked(t.Now())
	g.tokens = max(g.tokens-d, -capDebt)
	if g.tokens > 0 || g.holds.Load()&overCap != 0 {
		return
	}
	g.holdLocked(overCap)
	sys := t.Proc.System()
	if g.timer == nil {
		g.timer = time.AfterFunc(g.debtLocked(), func() { g.look(sys) })
	} else {
		g.timer.Reset(g.debtLocked())
	}
}

// fillLocked adds the tokens of the time that has passed.
func (g *group) fillLocked(now int64) {
	c := g.cap.Load()
	full := capPeriod * c / 100
	// After so long there are as many as there can be: it may have slept for days.
	if g.filled == 0 || now-g.filled >= (full-g.tokens)*100/c {
		g.tokens = full
	} else {
		g.tokens += (now - g.filled) * c / 100
	}
	g.filled = now
}

// debtLocked returns how long it takes until there are tokens.
func (g *group) debtLocked() time.Duration {
	return max(time.Duration(-g.tokens*100/g.cap.Load()), 0) + capLook
}

// look lets the group go on if it has tokens, else it looks again later.
func (g *group) look(sys *proc.System) {
	s := g.sched
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.holds.Load()&overCap == 0 {
		return // the cap has changed
	}
	if g.fillLocked(sys.Now()); g.tokens > 0 {
		g.unholdLocked(overCap)
	} else {
		g.timer.Reset(g.debtLocked())
	}
}

// stopControlLocked is called when the instance is freed.
func (g *group) stopControlLocked() {
	if g.up != nil {
		g.leaveLocked()
	}
	g.holds.Store(0) // for a look that comes too late
	if g.timer != nil {
		g.timer.Stop()
	}
}
