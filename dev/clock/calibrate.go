package clock

import (
	"math"
	"slices"
	"time"
)

// A sample is a reading of the reference between two of the time stamp
// counter. Whatever happens to the CPU - interrupts, a host that runs
// something else - the reference had value r at some moment from t0 to t1.
// From this follow bounds on the rate that always hold; accidents only make
// them wide. To get them narrow, each end of the measurement is the
// tightest of many samples.
type sample struct{ t0, t1, r uint64 }

const (
	pairs = 32  // samples at each end
	good  = 200 // bound, in ppm, that Calibrate is content with
	bad   = 1e4 // and the one at which it fails
	tries = 4   // when measurements contradict each other
	round = 50 * time.Microsecond
)

// tracker follows both counters.
type tracker struct {
	tsc    func() uint64
	c      Counter
	mask   uint64
	hz     float64 // of the reference
	lo, hi float64 // bounds on the cycles that one count takes

	first, last sample
	counts      uint64 // of the reference, from first to last
}

func newTracker(tsc func() uint64, c Counter) (*tracker, error) {
	num, den := c.Hz()
	t := &tracker{tsc: tsc, c: c, mask: c.Mask(), hz: float64(num) / float64(den)}
	if num == 0 || den == 0 || t.mask < 0xff || t.mask&(t.mask+1) != 0 {
		return nil, ErrDead
	}
	return t, nil
}

// take returns the tightest of n samples.
func (t *tracker) take(n int) (best sample, err error) {
	width := uint64(math.MaxInt64)
	for range n {
		var s sample
		s.t0 = t.tsc()
		s.r = t.c.Read()
		s.t1 = t.tsc()
		if w := s.t1 - s.t0; w < width { // and not backwards
			best, width = s, w
		}
	}
	if width == math.MaxInt64 {
		return best, ErrTSC
	}
	return best, nil
}

// bounds returns bounds on the cycles a count takes, from samples that are n
// counts apart. As counts are whole, n may be wrong by less than 1.
func bounds(a, b sample, n uint64) (lo, hi float64) {
	if n < 2 {
		return 0, math.Inf(1)
	}
	return float64(int64(b.t0-a.t1)) / float64(n+1), float64(int64(b.t1-a.t0)) / float64(n-1)
}

// guess sets lo and hi from some short measurements. Nearly all of them are
// right; those with a gap that is longer than the reference takes to wrap,
// or with a wrong reading, are not, so it takes the one in the middle.
func (t *tracker) guess() error {
	const rounds = 9
	type pair struct{ lo, hi float64 }
	var all [rounds]pair
	want := min(uint64(max(t.hz*round.Seconds(), 8)), t.mask/8)
	for i := range all {
		a, err := t.take(4)
		if err != nil {
			return err
		}
		b := a
		for n := 0; (b.r-a.r)&t.mask < want; n++ {
			if n > patience {
				return ErrDead
			}
			if b, err = t.take(1); err != nil {
				return err
			}
		}
		all[i].lo, all[i].hi = bounds(a, b, (b.r-a.r)&t.mask)
	}
	slices.SortFunc(all[:], func(a, b pair) int {
		switch {
		case a.hi < b.hi:
			return -1
		case a.hi > b.hi:
			return 1
		}
		return 0
	})
	t.lo, t.hi = max(all[rounds/2].lo, 0), all[rounds/2].hi
	if t.hi*t.hz < minHz || t.lo*t.hz > maxHz {
		return ErrTSC
	}
	return nil
}

// begin makes s the start of a measurement.
func (t *tracker) begin(s sample) { t.first, t.last, t.counts = s, s, 0 }

// wait lets time pass until d after the start.
func (t *tracker) wait(d time.Duration) error {
	need := int64(d.Seconds() * t.hz * t.hi)
	was, same := t.tsc(), 0
	for int64(was-t.first.t1) < need {
		now := t.tsc()
		if same++; now != was {
			same = 0
		}
		if same > patience || int64(now-was) < 0 {
			return ErrTSC
		}
		was = now
	}
	return nil
}

// advance takes s into account. What is known of the rate tells how often
// the reference has wrapped since the last sample; advance returns false if
// that isn't sure, or if s contradicts it.
func (t *tracker) advance(s sample) bool {
	k := (t.lo + t.hi) / 2
	elapsed := float64(int64(s.t0-t.last.t0)) / k
	slack := math.Abs(elapsed)*(t.hi-t.lo)/(t.hi+t.lo) + float64(s.t1-s.t0+t.last.t1-t.last.t0)/k + 2
	wrap := float64(t.mask) + 1
	if !(slack < wrap/2) {
		return false
	}
	n := (s.r - t.last.r) & t.mask
	wraps := math.Round((elapsed - float64(n)) / wrap)
	if wraps < 0 || math.Abs(elapsed-float64(n)-wraps*wrap) > slack {
		return false
	}
	t.counts += n + uint64(wraps)*(t.mask+1)
	t.last = s
	if lo, hi := bounds(t.first, s, t.counts); lo > 0 && (hi-lo)/(hi+lo) < (t.hi-t.lo)/(t.hi+t.lo) {
		t.lo, t.hi = lo, hi
	}
	return true
}

// rate returns what is known.
func (t *tracker) rate() Rate {
	return Rate{Hz: (t.lo + t.hi) / 2 * t.hz, PPM: (t.hi - t.lo) / (t.hi + t.lo) * 1e6}
}

// Calibrate measures the time stamp counter against c for about window, at
// most a second. If the result is worse than 200 ppm it goes on, up to four
// times as long, and then takes what it has; worse than 1 percent is an
// error. It occupies the CPU meanwhile.
func Calibrate(tsc func() uint64, c Counter, window time.Duration) (Rate, error) {
	window = min(max(window, round), time.Second)
	t, err := newTracker(tsc, c)
	if err != nil {
		return Rate{}, err
	}
	for range tries {
		if err := t.guess(); err != nil {
			return Rate{}, err
		}
		ok, err := t.measure(window)
		if err != nil {
			return Rate{}, err
		}
		if r := t.rate(); ok && r.ok() && r.PPM <= bad {
			return r, nil
		}
	}
	return Rate{}, ErrUnstable
}

// measure approaches the window in steps, each of which makes the rate well
// enough known to count the wraps of the next. It returns false if something
// contradicts what is known.
func (t *tracker) measure(window time.Duration) (ok bool, err error) {
	s, err := t.take(pairs)
	if err != nil {
		return false, err
	}
	t.begin(s)
	for d := 4 * round; ; {
		end := d >= window
		if err := t.wait(min(d, 4*window)); err != nil {
			return false, err
		}
		n := pairs
		if !end {
			n = pairs / 4
		}
		if s, err = t.take(n); err != nil {
			return false, err
		}
		if !t.advance(s) {
			return false, nil
		}
		switch {
		case end && (t.rate().PPM <= good || d >= 4*window):
			return true, nil
		case end:
			d *= 2
		default:
			d = min(4*d, window)
		}
	}
}

// Refiner improves a rate by measuring over a span that grows as long as it
// is used. It is for one goroutine.
type Refiner struct {
	t       *tracker
	begun   bool
	claimed float64 // the bound of the last rate given
}

// NewRefiner continues from rate r.
func NewRefiner(tsc func() uint64, c Counter, r Rate) *Refiner {
	f := &Refiner{claimed: r.PPM}
	t, err := newTracker(tsc, c)
	if err != nil || !r.ok() {
		return f // which never has anything to say
	}
	k := r.Hz / t.hz
	t.lo, t.hi = k*(1-r.PPM/1e6), k*(1+r.PPM/1e6)
	f.t = t
	return f
}

// Sample compares the counters and returns a rate if it is now known at
// least twice as well as the one before. Call it seldom: the better the
// rate is known, the longer the pause may be. If a pause was too long for
// the reference, or the counters contradict each other (the machine was
// stopped), the measurement begins anew.
func (f *Refiner) Sample() (Rate, bool) {
	if f.t == nil {
		return Rate{}, false
	}
	s, err := f.t.take(pairs)
	if err != nil {
		return Rate{}, false
	}
	if !f.begun {
		f.t.begin(s)
		f.begun = true
		return Rate{}, false
	}
	if !f.t.advance(s) {
		f.t.widen()
		f.claimed = f.t.rate().PPM
		f.t.begin(s)
		return Rate{}, false
	}
	r := f.t.rate()
	if r.PPM > f.claimed/2 || !r.ok() {
		return Rate{}, false
	}
	f.claimed = r.PPM
	return r, true
}

// widen believes less of what is known.
func (t *tracker) widen() {
	const most = 0.05
	k := (t.lo + t.hi) / 2
	w := min(max((t.hi-t.lo)/(t.hi+t.lo)*4, 1e-6), most)
	t.lo, t.hi = k*(1-w), k*(1+w)
}
