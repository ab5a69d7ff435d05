package clock

import (
	"fmt"
	"math"
	"testing"
	"time"
)

// references are rates and masks of real counters.
var references = []struct {
	name           string
	num, den, mask uint64
}{
	{"hpet", 1e15, 10_000_000, 0xffffffff},
	{"hpet of a PC", 1e15, 69_841_279, 0xffffffff},
	{"pm timer, 24 bits", 3579545, 1, 0xffffff},
	{"pm timer, 32 bits", 3579545, 1, 0xffffffff},
	{"pit", 1193182, 1, 0xffff},
	{"64 bits", 1e9, 1, math.MaxUint64},
}

var tscRates = []uint64{1_000_000_000, 2_294_608_123, 3_000_000_000, 4_999_999_999, 50_000_000}

// off returns how far r is from the truth, in ppm.
func off(r Rate, hz uint64) float64 { return math.Abs(r.Hz/float64(hz)-1) * 1e6 }

// TestCalibrate checks that the bound holds, whatever happens.
func TestCalibrate(t *testing.T) {
	for _, ref := range references {
		for _, tt := range []struct {
			name  string
			set   func(*sim)
			bound float64 // ppm that the result must be as good as
			most  time.Duration
		}{
			{"quiet", func(*sim) {}, 201, 100 * time.Millisecond},
			{"fast reads", func(s *sim) { s.cost, s.jitter = 50, 20 }, 201, 100 * time.Millisecond},
			{"slow reads", func(s *sim) { s.cost, s.jitter = 20*time.Microsecond, 20*time.Microsecond }, 800, 100 * time.Millisecond},
			{"short gaps", func(s *sim) { s.gap = s.gaps(10, 100*time.Microsecond) }, 201, 200 * time.Millisecond},
			{"gaps", func(s *sim) { s.gap = s.gaps(100, 5*time.Millisecond) }, 201, time.Second},
			{"long gaps", func(s *sim) { s.gap = s.gaps(1000, 40*time.Millisecond) }, 201, time.Second},
			{"gaps longer than a wrap", func(s *sim) { s.gap = s.gaps(2000, 200*time.Millisecond) }, 201, 10 * time.Second},
		} {
			t.Run(ref.name+"/"+tt.name, func(t *testing.T) {
				for seed := range uint64(10) {
					hz := tscRates[seed%uint64(len(tscRates))]
					s := newSim(hz, ref.num, ref.den, ref.mask, seed)
					tt.set(s)
					start := s.now
					r, err := Calibrate(s.TSC, s, 20*time.Millisecond)
					if err != nil {
						t.Fatalf("seed %d: %v", seed, err)
					}
					if off(r, hz) > r.PPM {
						t.Errorf("seed %d: %.0f Hz is %g ppm off, bound %g", seed, r.Hz, off(r, hz), r.PPM)
					}
					if r.PPM > tt.bound {
						t.Errorf("seed %d: bound of %g ppm", seed, r.PPM)
					}
					if d := time.Duration((s.now - start) / 1000); d > tt.most {
						t.Errorf("seed %d: took %v", seed, d)
					}
				}
			})
		}
	}
}

func TestCalibrateErrors(t *testing.T) {
	for _, tt := range []struct {
		name string
		hz   uint64
		set  func(*sim)
		err  error
	}{
		{"dead reference", 1e9, func(s *sim) { s.dead = true }, ErrDead},
		{"dead counter", 1e9, func(s *sim) { s.tscDead = true }, ErrTSC},
		{"counter too slow", 100_000, func(*sim) {}, ErrTSC},
		{"no rate", 1e9, func(s *sim) { s.num = 0 }, ErrDead},
		{"no fraction", 1e9, func(s *sim) { s.den = 0 }, ErrDead},
		{"strange mask", 1e9, func(s *sim) { s.mask = 0xfff0 }, ErrDead},
		{"narrow mask", 1e9, func(s *sim) { s.mask = 0xf }, ErrDead},
		{"noise", 1e9, func(s *sim) { s.glitch = 1 }, ErrUnstable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSim(tt.hz, 3579545, 1, 0xffffff, 1)
			tt.set(s)
			if r, err := Calibrate(s.TSC, s, time.Millisecond); err != tt.err && (err == nil || tt.err != ErrUnstable) {
				t.Errorf("%+v, %v, want %v", r, err, tt.err)
			}
		})
	}
	// A counter that dies or runs backwards in between.
	for n := range 2000 {
		s := newSim(1e9, 3579545, 1, 0xffffff, 1)
		reads := 0
		dying := func() uint64 {
			v := s.TSC()
			if reads++; reads > 5*n {
				s.tscDead = n%2 == 0
				v = -v
			}
			return v
		}
		if r, err := Calibrate(dying, s, time.Millisecond); err == nil && off(r, 1e9) > r.PPM {
			t.Errorf("after %d reads: %+v", n, r)
		}
	}
}

// TestGlitches lets some readings be wrong. None of them may become the
// result, but a failure may.
func TestGlitches(t *testing.T) {
	good := 0
	for seed := range uint64(100) {
		s := newSim(2e9, 1e15, 1e7, 0xffffffff, seed)
		s.glitch = 101 + int(seed)
		r, err := Calibrate(s.TSC, s, 5*time.Millisecond)
		if err != nil {
			continue
		}
		good++
		if off(r, 2e9) > r.PPM {
			t.Errorf("seed %d: %g ppm off, bound %g", seed, off(r, 2e9), r.PPM)
		}
	}
	if good < 50 {
		t.Errorf("%d of 100 successful", good)
	}
}

func TestRefiner(t *testing.T) {
	for _, ref := range references {
		for _, gappy := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/gaps %t", ref.name, gappy), func(t *testing.T) {
				const hz = 2_294_608_123
				s := newSim(hz, ref.num, ref.den, ref.mask, 7)
				if gappy {
					s.gap = s.gaps(200, 3*time.Millisecond)
				}
				r, err := Calibrate(s.TSC, s, 10*time.Millisecond)
				if err != nil {
					t.Fatal(err)
				}
				f := NewRefiner(s.TSC, s, r)
				for wait := 100 * time.Millisecond; wait < 300*time.Second; wait = wait * 3 / 2 {
					better, ok := f.Sample()
					if ok {
						if better.PPM > r.PPM/2 {
							t.Errorf("%g ppm after %g", better.PPM, r.PPM)
						}
						r = better
					}
					if off(r, hz) > r.PPM {
						t.Fatalf("%g ppm off, bound %g", off(r, hz), r.PPM)
					}
					s.pass(wait)
				}
				if r.PPM > 0.05 {
					t.Errorf("bound %g ppm after minutes", r.PPM)
				}
			})
		}
	}
}

// TestRefinerRestart stops the machine, which the reference doesn't notice,
// and begins with a rate that is wrong.
func TestRefinerRestart(t *testing.T) {
	const hz = 1_500_000_000
	s := newSim(hz, 3579545, 1, 0xffffff, 3)
	r := Rate{Hz: hz * 1.001, PPM: 10}
	f := NewRefiner(s.TSC, s, r)
	for i := range 200 {
		s.pass(500 * time.Millisecond)
		if i == 100 {
			s.base += 12345678901
		}
		if better, ok := f.Sample(); ok {
			r = better
			if off(r, hz) > r.PPM {
				t.Errorf("%d: %g ppm off, bound %g", i, off(r, hz), r.PPM)
			}
		}
	}
	if r.PPM > 1 || off(r, hz) > r.PPM {
		t.Errorf("ends at %g ppm off, bound %g", off(r, hz), r.PPM)
	}
	s.tscDead = true
	for range 3 {
		if r, ok := f.Sample(); ok {
			t.Errorf("%+v of a dead counter", r)
		}
	}
	s.num = 0
	if r, ok := NewRefiner(s.TSC, s, r).Sample(); ok {
		t.Errorf("%+v of a dead reference", r)
	}
}
