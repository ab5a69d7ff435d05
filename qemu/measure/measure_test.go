package measure

import (
	"math"
	"os"
	"testing"
	"time"
)

func TestDrift(t *testing.T) {
	start := time.Now()
	stamp := func(host, width, guest time.Duration) Stamp {
		return Stamp{Host: start.Add(host), Width: width, Guest: guest}
	}
	tests := []struct {
		name     string
		a, b     Stamp
		ppm, off float64
	}{
		{"exact", stamp(0, 0, 5*time.Second), stamp(100*time.Second, 0, 105*time.Second), 0, 0},
		{"fast", stamp(0, 0, 0), stamp(100*time.Second, 0, 100*time.Second+time.Millisecond), 10, 0},
		{"slow", stamp(0, 0, 0), stamp(100*time.Second, 0, 99*time.Second), -10_000, 0},
		{"coarse", stamp(0, time.Millisecond, 0), stamp(100*time.Second, 3*time.Millisecond, 100*time.Second), 0, 20},
	}
	for _, tt := range tests {
		ppm, off := Drift(tt.a, tt.b)
		if math.Abs(ppm-tt.ppm) > 1e-6 || math.Abs(off-tt.off) > 1e-6 {
			t.Errorf("%s: %v ppm to %v, want %v to %v", tt.name, ppm, off, tt.ppm, tt.off)
		}
	}
}

func TestWallError(t *testing.T) {
	now := time.Now()
	s := Stamp{Host: now, Wall: time.Unix(0, now.Add(time.Second).UnixNano())}
	if got := s.WallError(); got != time.Second {
		t.Errorf("a clock that is a second ahead is %v ahead", got)
	}
}

func TestLateness(t *testing.T) {
	var list []time.Duration
	for i := range 200 {
		list = append(list, time.Duration(199-i))
	}
	if got, want := lateness(list), (Lateness{100, 198, 199}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
	if l := WatchTimers()(); l.Max < l.P50 {
		t.Errorf("timers watched for a moment: %v", l)
	}
}

func TestWaited(t *testing.T) {
	before, err := Waited(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for after := before; after <= before; { // who wakes up waits for a moment
		time.Sleep(time.Millisecond)
		if after, err = Waited(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := Waited(-1); err == nil {
		t.Errorf("a process that doesn't exist waited for %v", d)
	}
}
