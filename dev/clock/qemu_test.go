//go:build !tamago

package clock

import (
	"testing"
	"time"

	"mult/dev/internal/qtest"
)

// TestQEMU measures the host's clock, as a time stamp counter of 1 GHz,
// against the counters of real machines.
func TestQEMU(t *testing.T) {
	start := time.Now()
	tsc := func() uint64 { return uint64(time.Since(start)) }
	for _, machine := range []string{"microvm", "q35"} {
		t.Run(machine, func(t *testing.T) {
			m := qtest.Start(t, "-M", machine)
			pit := &PIT{m}
			if err := pit.Init(); err != nil {
				t.Fatal(err)
			}
			counters := []Counter{pit}
			hpet := &HPET{Regs: m, Base: 0xfed00000}
			if machine == "q35" {
				if err := hpet.Init(); err != nil {
					t.Fatal(err)
				}
				pm := &PMTimer{Register: func() uint32 { return m.In32(0x608) }}
				counters = append(counters, hpet, pm)
			} else if err := hpet.Init(); err != ErrAbsent {
				t.Errorf("HPET of microvm: %v", err)
			}
			for _, c := range counters {
				r, err := Calibrate(tsc, c, 200*time.Millisecond)
				if err != nil {
					t.Errorf("%s: %v", c.Name(), err)
					continue
				}
				t.Logf("%s: %.0f Hz, bound %.0f ppm, off %.1f", c.Name(), r.Hz, r.PPM, off(r, 1e9))
				if off(r, 1e9) > r.PPM {
					t.Errorf("%s: %g ppm off, bound %g", c.Name(), off(r, 1e9), r.PPM)
				}
				f := NewRefiner(tsc, c, r)
				// On a busy host each sample is taken slowly, and it needs
				// a longer span for a better rate.
				f.Sample()
				ok := false
				for tries := 0; !ok && tries < 10; tries++ {
					time.Sleep(2 * time.Second)
					r, ok = f.Sample()
				}
				t.Logf("%s: refined to %.0f Hz, bound %.1f ppm, off %.2f", c.Name(), r.Hz, r.PPM, off(r, 1e9))
				if !ok || off(r, 1e9) > r.PPM {
					t.Errorf("%s: not refined (%t), or %g ppm off", c.Name(), ok, off(r, 1e9))
				}
			}
			pit.Stop()
			testRTC(t, m)
		})
	}
}

// testRTC reads the clock in each format.
func testRTC(t *testing.T, m *qtest.Machine) {
	for _, b := range []uint8{rtc24, rtc24 | rtcBinary, 0, rtcBinary} {
		m.Out8(rtcIndex, rtcB)
		m.Out8(rtcData, b)
		before := time.Now().Truncate(time.Second)
		got, err := (&RTC{Ports: m, Century: 0x32}).Now()
		if err != nil || got.Before(before.Add(-2*time.Second)) || got.After(time.Now().Add(2*time.Second)) {
			t.Errorf("format %#x: %v, %v, now %v", b, got, err, before)
		}
	}
}
