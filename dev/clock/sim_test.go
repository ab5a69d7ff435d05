package clock

import (
	"math/bits"
	"math/rand/v2"
	"time"
)

// sim is a machine with a time stamp counter and a reference. Time passes
// only when they are read, in picoseconds.
type sim struct {
	now  uint64
	tsc  uint64 // Hz
	base uint64 // of the time stamp counter

	num, den uint64 // the reference's rate
	mask     uint64
	offset   uint64 // of the reference

	cost   time.Duration // of reading the reference
	jitter time.Duration // on top, at most
	gap    func() time.Duration
	rng    *rand.Rand

	dead, tscDead bool
	glitch        int // every nth reading is wrong
	reads         int
	idle          int // reads of the time stamp counter since
}

func newSim(tsc, num, den, mask, seed uint64) *sim {
	rng := rand.New(rand.NewPCG(seed, 1))
	return &sim{
		tsc: tsc, num: num, den: den, mask: mask, cost: time.Microsecond, jitter: time.Microsecond,
		base: rng.Uint64() >> 8, offset: rng.Uint64() & mask, now: rng.Uint64() >> 20, rng: rng,
		gap: func() time.Duration { return 0 },
	}
}

func (s *sim) pass(d time.Duration) { s.now += uint64(d) * 1000 }

// count returns now * num/den counts.
func (s *sim) count(num, den uint64) uint64 {
	ps := uint64(1e12) // in a second
	for num%1000 == 0 && ps > 1 {
		num /= 1000
		ps /= 1000
	}
	hi, lo := bits.Mul64(s.now, num)
	q, _ := bits.Div64(hi%(den*ps), lo, den*ps)
	return q
}

func (s *sim) TSC() uint64 {
	s.now += 10_000 + s.rng.Uint64N(10_000)
	if s.idle++; s.idle > 3 { // a loop that waits; hurry
		s.pass(2 * time.Microsecond)
	}
	if s.tscDead {
		return s.base
	}
	return s.base + s.count(s.tsc, 1)
}

// Counter.

func (s *sim) Name() string          { return "sim" }
func (s *sim) Hz() (num, den uint64) { return s.num, s.den }
func (s *sim) Mask() uint64          { return s.mask }

func (s *sim) Read() uint64 {
	d := s.cost + time.Duration(s.rng.Int64N(int64(s.jitter)+1)) + s.gap()
	before := time.Duration(s.rng.Int64N(int64(d) + 1))
	s.pass(before)
	v := s.offset + s.count(s.num, s.den)
	s.pass(d - before)
	s.reads++
	s.idle = 0
	if s.glitch > 0 && s.reads%s.glitch == 0 {
		v = s.rng.Uint64()
	}
	if s.dead {
		v = s.offset
	}
	return v & s.mask
}

// gaps returns a source of gaps: one of length d in n reads.
func (s *sim) gaps(n int64, d time.Duration) func() time.Duration {
	return func() time.Duration {
		if s.rng.Int64N(n) == 0 {
			return d/2 + time.Duration(s.rng.Int64N(int64(d)))
		}
		return 0
	}
}
