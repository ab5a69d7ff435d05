//go:build long

package boottest

import (
	"fmt"
	"testing"
	"time"

	"mult/qemu"
	"mult/tools/host/hosttest"
)

// TestLongStress runs the stress self-test, and then conversations between
// processors that halt in between, for its share of the time.
func TestLongStress(t *testing.T) {
	half := hosttest.Long(t) / 2
	for _, g := range []guest{{qemu.MicroVM, 2}, {qemu.Q35, 1}} {
		cfg := qemu.Config{Machine: g.machine, CPUs: g.cpus, Memory: 256 * qemu.MiB}
		seconds := fmt.Sprintf("seconds=%d", max(10, int(half.Seconds()/2)))
		runSelftest(t, cfg, "stress", seconds, half+2*time.Minute)
		runSelftest(t, cfg, "wakeup", seconds, half+2*time.Minute)
	}
}

// TestLongBoot boots again and again: what depends on chance while processors
// start shows up here.
func TestLongBoot(t *testing.T) {
	end := time.Now().Add(hosttest.Long(t))
	for n := 0; time.Now().Before(end); n++ {
		for _, g := range guests {
			checkBanner(t, qemu.Config{Machine: g.machine, CPUs: 2 * g.cpus}, 1024)
		}
	}
}
