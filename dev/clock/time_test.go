package clock

import (
	"math"
	"math/big"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

func TestScale(t *testing.T) {
	for _, hz := range []float64{minHz, 1e9 - 1, 1e9, 1e9 + 1, 2_294_608_123, 3e9, 5e9, maxHz} {
		r := Rate{Hz: hz}
		for _, cycles := range []uint64{0, 1, 12345, 1 << 32, 1<<53 - 1} {
			got := float64(r.ToNS().Of(cycles))
			if want := float64(cycles) / hz * 1e9; math.Abs(got-want) > 1+want*1e-14 {
				t.Errorf("%g Hz: %d cycles are %g ns, want %g", hz, cycles, got, want)
			}
			got = float64(r.FromNS().Of(cycles))
			if want := float64(cycles) / 1e9 * hz; want < 1<<63 && math.Abs(got-want) > 1+want*1e-14 {
				t.Errorf("%g Hz: %d ns are %g cycles, want %g", hz, cycles, got, want)
			}
		}
	}
	for _, hz := range []float64{0, -1, 1, 1e12, math.Inf(1), math.NaN()} {
		if got := (Rate{Hz: hz}).ToNS().Of(1 << 60); got != 0 {
			t.Errorf("%g Hz gives %d", hz, got)
		}
		if got := (Rate{Hz: hz}).FromNS().Of(1 << 60); got != 0 {
			t.Errorf("%g Hz gives %d", hz, got)
		}
	}
	for range 1000 { // exactly
		x, s := rand.Uint64(), Scale{Mult: rand.Uint64(), Shift: uint8(1 + rand.IntN(63))}
		v := new(big.Int).Mul(new(big.Int).SetUint64(x), new(big.Int).SetUint64(s.Mult))
		v.Rsh(v, uint(s.Shift)).And(v, new(big.Int).SetUint64(math.MaxUint64))
		if got := s.Of(x); got != v.Uint64() {
			t.Errorf("%d*%d>>%d = %d, want %d", x, s.Mult, s.Shift, got, v)
		}
	}
}

func TestClock(t *testing.T) {
	var c Clock
	if got := c.At(12345); got != 0 {
		t.Errorf("zero clock shows %d", got)
	}
	c.Start(1000, 5e9, Rate{Hz: 2e9})
	for _, tt := range []struct{ tsc, want uint64 }{
		{0, 5e9},   // a counter that lags
		{999, 5e9}, // a little
		{1000, 5e9},
		{1001, 5e9},
		{1002, 5e9 + 1},
		{2e9 + 1000, 6e9},
		{1e18 + 1000, 5e17 + 5e9}, // 15 years
	} {
		if got := c.At(tt.tsc); got+1 < tt.want || got > tt.want {
			t.Errorf("At(%d) = %d, want %d", tt.tsc, got, tt.want)
		}
	}

	// The counter really runs at 1 GHz.
	if !c.SetRate(1000, Rate{Hz: 1e9}) {
		t.Fatal("SetRate refuses")
	}
	for _, tt := range []struct{ tsc, want uint64 }{
		{1000, 5e9},
		{1e9 + 1000, 55e8}, // where it takes effect
		{2e9 + 1000, 65e8},
	} {
		if got := c.At(tt.tsc); got+1 < tt.want || got > tt.want {
			t.Errorf("after SetRate: At(%d) = %d, want %d", tt.tsc, got, tt.want)
		}
	}
	if c.SetRate(1e9, Rate{Hz: 3e9}) {
		t.Error("SetRate before the last one took effect")
	}
	if c.SetRate(2e9, Rate{}) {
		t.Error("SetRate to nothing")
	}
	if !c.SetRate(2e9, Rate{Hz: 3e9}) {
		t.Error("SetRate refuses")
	}
	if n := testing.AllocsPerRun(10, func() { c.At(1e9); c.SetRate(1e10, Rate{Hz: 3e9}) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestSetRateLater checks that for a second after a change the old and the
// new description agree: a reader may have either.
func TestSetRateLater(t *testing.T) {
	for _, rates := range [][2]float64{{1e9, 3e9}, {3e9, 1e9}, {2e9, 2.0001e9}} {
		var c Clock
		c.Start(1e6, 0, Rate{Hz: rates[0]})
		const now = 1e10
		var tsc, ns []uint64
		for range 1000 {
			at := uint64(now + rand.Float64()*rates[1])
			tsc, ns = append(tsc, at), append(ns, c.At(at))
		}
		if !c.SetRate(now, Rate{Hz: rates[1]}) {
			t.Fatal("SetRate refuses")
		}
		for i := range tsc {
			if got := c.At(tsc[i]); got != ns[i] {
				t.Errorf("%g Hz: At(%d) = %d, was %d", rates, tsc[i], got, ns[i])
			}
		}
	}
}

// TestMonotonic has several CPUs read the clock while its rate changes all
// the time. Whoever reads later must not see an earlier time.
func TestMonotonic(t *testing.T) {
	const readers = 4
	var (
		c    Clock
		tsc  atomic.Uint64
		last atomic.Uint64 // the latest time that somebody has seen
		stop atomic.Bool
		wg   sync.WaitGroup
	)
	c.Start(0, 0, Rate{Hz: minHz})
	for range readers {
		wg.Go(func() {
			for !stop.Load() {
				seen := last.Load()
				ns := c.At(tsc.Add(1))
				if ns < seen {
					t.Errorf("%d after %d", ns, seen)
					return
				}
				for ns > seen && !last.CompareAndSwap(seen, ns) {
					seen = last.Load()
				}
			}
		})
	}
	// Rates so different that any reading with the wrong one shows.
	rates := []Rate{{Hz: 1000 * minHz}, {Hz: minHz}}
	for i := range 20000 {
		if !c.SetRate(tsc.Load(), rates[i%2]) {
			t.Error("SetRate refuses")
		}
		tsc.Add(uint64(rates[i%2].Hz) + 1) // until it takes effect
	}
	stop.Store(true)
	wg.Wait()
}

// TestSegments computes the time as At does, while the rate changes.
func TestSegments(t *testing.T) {
	at := func(s Segment, tsc uint64) uint64 { return s.NS + s.Of(tsc-s.TSC) }
	var c Clock
	c.Start(1000, 5e9, Rate{Hz: 2e9})
	for _, hz := range []float64{2e9, 1e9, 3e9} {
		before, after := c.Segments()
		for range 1000 {
			tsc := before.TSC + rand.Uint64N(1e10)
			s := after
			if tsc < after.TSC {
				s = before
			}
			if got, want := at(s, tsc), c.At(tsc); got != want {
				t.Errorf("at %d the segments show %d, At %d", tsc, got, want)
			}
		}
		if !c.SetRate(after.TSC+1e10, Rate{Hz: hz}) {
			t.Error("SetRate refuses")
		}
	}

	// The end of one segment is the start of the other, unless they come
	// from different descriptions.
	var stop atomic.Bool
	var wg sync.WaitGroup
	wg.Go(func() {
		for !stop.Load() {
			before, after := c.Segments()
			if got := at(before, after.TSC); got != after.NS {
				t.Errorf("one segment ends at %d, the other starts at %d", got, after.NS)
				return
			}
		}
	})
	for i := range 20000 {
		_, after := c.Segments()
		if !c.SetRate(after.TSC+1e9, Rate{Hz: []float64{1e9, 3e9}[i%2]}) {
			t.Error("SetRate refuses")
		}
	}
	stop.Store(true)
	wg.Wait()
}

// TestHalfway reads while a change has been written half.
func TestHalfway(t *testing.T) {
	var c Clock
	c.Start(0, 0, Rate{Hz: 1e9})
	idle := &c.desc[(c.seq.Load()+1)&1]
	idle.after.set(math.MaxUint64, math.MaxUint64, Scale{1 << 60, 1})
	if got := c.At(1000); got != 999 && got != 1000 {
		t.Errorf("At = %d", got)
	}
}

func BenchmarkAt(b *testing.B) {
	var c Clock
	c.Start(0, 0, Rate{Hz: 2e9})
	for i := range uint64(b.N) {
		c.At(i)
	}
}

func TestSpan(t *testing.T) {
	var c Clock
	c.Start(1000, 1, Rate{Hz: 2e9})
	if got := c.Span(3e9); got != 15e8 {
		t.Errorf("3e9 cycles at 2 GHz take %d ns", got)
	}
	c.SetRate(2000, Rate{Hz: 4e9})
	if got := c.Span(4e9); got != 1e9 {
		t.Errorf("4e9 cycles at 4 GHz take %d ns", got)
	}
}
