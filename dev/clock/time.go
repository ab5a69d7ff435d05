package clock

import (
	"math"
	"sync/atomic"
)

// Clock turns the time stamp counter into nanoseconds. Reading takes no
// locks and never waits for a change that is under way, so the scheduler and
// interrupt handlers may do it. The zero Clock stands at 0.
//
// A change of the rate must not make time jump, least of all backwards. It
// takes effect at a moment that lies in the future when it is published:
// until then the old and the new description give the same time, so it
// doesn't matter which of them a reader has got hold of.
type Clock struct {
	// Two descriptions; the low bit of seq says which is in force, and the
	// other is free to be written. A reader that was overtaken by two
	// changes sees that seq has moved and starts over.
	seq  atomic.Uint64
	desc [2]description
}

// description is a line with a bend.
type description struct{ before, after segment }

// segment is a straight piece: ns + (t-tsc)*mult/2^shift.
type segment struct{ tsc, ns, mult, shift atomic.Uint64 }

// at returns the time at t, or that at the segment's start if t is earlier:
// a counter may be a little behind on another CPU.
//
//go:nosplit
func (s *segment) at(t uint64) uint64 {
	d := t - s.tsc.Load()
	if int64(d) < 0 {
		d = 0
	}
	return s.ns.Load() + scale(d, s.mult.Load(), s.shift.Load())
}

func (s *segment) set(tsc, ns uint64, c Scale) {
	s.tsc.Store(tsc)
	s.ns.Store(ns)
	s.mult.Store(c.Mult)
	s.shift.Store(uint64(c.Shift))
}

func (s *segment) get() Segment {
	return Segment{s.tsc.Load(), s.ns.Load(), Scale{s.mult.Load(), uint8(s.shift.Load())}}
}

// At returns the time when the time stamp counter is tsc, in nanoseconds.
// Of two values that were read one after the other, the later never gives
// the earlier time.
//
//go:nosplit
func (c *Clock) At(tsc uint64) uint64 {
	for {
		seq := c.seq.Load()
		d := &c.desc[seq&1]
		s := &d.after
		if int64(tsc-s.tsc.Load()) < 0 {
			s = &d.before
		}
		ns := s.at(tsc)
		if c.seq.Load() == seq {
			return ns
		}
	}
}

// Span returns how long a number of cycles take, in nanoseconds, by the rate
// that is known best.
func (c *Clock) Span(cycles uint64) uint64 {
	s := &c.desc[c.seq.Load()&1].after
	return scale(cycles, s.mult.Load(), s.shift.Load())
}

// A Segment is a straight piece of a clock, for those who compute it
// themselves: when the time stamp counter is t it shows
// NS + (t-TSC)*Mult/2^Shift, and NS if t is before TSC.
type Segment struct {
	TSC, NS uint64
	Scale
}

// Segments returns what At computes with: after from after.TSC on, before
// until then. They hold until the next SetRate or Start, and for a second
// after a SetRate they give the same as their successors.
func (c *Clock) Segments() (before, after Segment) {
	for {
		seq := c.seq.Load()
		d := &c.desc[seq&1]
		before, after = d.before.get(), d.after.get()
		if c.seq.Load() == seq {
			return before, after
		}
	}
}

// Start sets the clock: from tsc on, where it is ns, it runs at rate r. Call
// it before others read the clock.
func (c *Clock) Start(tsc, ns uint64, r Rate) {
	seq := c.seq.Load()
	next := &c.desc[(seq+1)&1]
	next.before.set(tsc, ns, r.ToNS())
	next.after.set(tsc, ns, r.ToNS())
	c.seq.Store(seq + 1)
}

// SetRate makes the clock run at rate r, from a second after now on; now is
// the time stamp counter. It returns false, with nothing done, if an earlier
// change hasn't taken effect yet. Callers take turns.
func (c *Clock) SetRate(now uint64, r Rate) bool {
	seq := c.seq.Load()
	cur, next := &c.desc[seq&1], &c.desc[(seq+1)&1]
	if !r.ok() || int64(now-cur.after.tsc.Load()) < 0 {
		return false
	}
	s := &cur.after
	then := now + uint64(math.Ceil(r.Hz))
	next.before.set(s.tsc.Load(), s.ns.Load(), Scale{s.mult.Load(), uint8(s.shift.Load())})
	next.after.set(then, s.at(then), r.ToNS())
	c.seq.Store(seq + 1)
	return true
}
