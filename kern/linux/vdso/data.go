package vdso

import (
	"sync/atomic"

	"mult/dev/clock"
)

// Params say how the time stamp counter becomes time: what the clock.Clock of
// the machine says in Segments, and the wall clock.
type Params struct {
	Before, After clock.Segment
	Wall          int64 // ns since 1970 when the clock was 0
}

// since moves the clock by which time begins at boot; the wall clock stays.
func (p *Params) since(boot int64) {
	p.Before.NS -= uint64(boot)
	p.After.NS -= uint64(boot)
	p.Wall += boot
}

// data is what the data page holds; the code in text.s reads it. As in
// dev/clock, the low bit of seq says which description is in force, and the
// other is free to be written. So programs never wait for a change that is
// under way; one that sees that seq has moved starts over.
type data struct {
	seq  atomic.Uint64
	desc [2]description
}

type description struct{ before, after segment }

// segment is a clock.Segment for two clocks, which show mono and wall at tsc.
type segment struct{ tsc, mult, shift, mono, wall atomic.Uint64 }

// set publishes p. Callers take turns.
func (d *data) set(p *Params) {
	seq := d.seq.Load()
	next := &d.desc[(seq+1)&1]
	next.before.set(&p.Before, p.Wall)
	next.after.set(&p.After, p.Wall)
	d.seq.Store(seq + 1)
}

func (s *segment) set(c *clock.Segment, wall int64) {
	s.tsc.Store(c.TSC)
	s.mult.Store(c.Mult)
	s.shift.Store(uint64(c.Shift))
	s.mono.Store(c.NS)
	s.wall.Store(c.NS + uint64(wall))
}
