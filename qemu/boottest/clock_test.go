package boottest

import (
	"math"
	"testing"
	"time"

	"mult/qemu"
	"mult/qemu/measure"
	"mult/qemu/qemutest"
)

// readClock takes a stamp of the clocks of a guest that runs selftest=clock.
func readClock(t *testing.T, vm *qemutest.Guest) measure.Stamp {
	t.Helper()
	s, err := measure.ReadClock(vm.VM, bootLimit)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestClock compares the clock with the host's over two minutes: 1 % here,
// while make bench wants 300 ppm. The wall clock is read to the second.
func TestClock(t *testing.T) {
	t.Parallel()
	for _, g := range []guest{{qemu.MicroVM, 2}, {qemu.Q35, 1}} {
		cfg := qemu.Config{Machine: g.machine, CPUs: g.cpus, Memory: 256 * qemu.MiB}
		t.Run(g.String(), func(t *testing.T) {
			t.Parallel()
			vm := startSelftest(t, cfg, "clock", "")
			a := readClock(t, vm)
			time.Sleep(2 * time.Minute)
			b := readClock(t, vm)
			ppm, off := measure.Drift(a, b)
			wall := b.WallError()
			t.Logf("drift %.1f ppm, measured to %.1f ppm; wall clock off by %v", ppm, off, wall)
			if math.Abs(ppm) > 10_000 {
				t.Errorf("the clock is %.0f ppm off", ppm)
			}
			if wall.Abs() > 5*time.Second {
				t.Errorf("the wall clock is off by %v", wall)
			}
			vm.Send("end\n")
			vm.ExpectEnd(qemu.OK, bootLimit)
		})
	}
}
