//go:build long

package usertest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"mult/qemu"
)

// TestLongLoad loads the machine with what load.c has, and types at a shell
// meanwhile: it must answer each of 30 probes within a second, and processes
// that only compute must all get ahead alike.
func TestLongLoad(t *testing.T) {
	const (
		seconds = 60
		probes  = 30
		apart   = seconds * time.Second / probes
		patient = time.Second
	)
	for _, what := range []string{"spin 1000", "forkbomb", "threadbomb", "memhog"} {
		t.Run(what, func(t *testing.T) {
			g := start(t, qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: qemu.GiB}, "")
			g.Expect(`[#$] `, bootLimit)
			g.Send(fmt.Sprintf("/test/load %s %d &\n", what, seconds))
			if what == "spin 1000" {
				g.Expect(`load: 1000 processes compute`, 5*time.Minute)
			}
			var worst time.Duration
			for i := range probes {
				at := time.Now()
				g.Send(fmt.Sprintf("echo probe $((%d+1))\n", i))
				g.Expect(fmt.Sprintf(`\nprobe %d\n`, i+1), time.Minute)
				took := time.Since(at)
				worst = max(worst, took)
				if took > patient {
					t.Errorf("probe %d was answered after %v", i+1, took)
				}
				time.Sleep(apart - min(apart, took))
			}
			t.Logf("the slowest probe took %v", worst)
			m := g.Expect(`load: (.*)\n`, 2*time.Minute)
			t.Log(m[1])
			var n int
			var least, most float64
			if _, err := fmt.Sscanf(m[1], "progress of %d processes: %f to %f of the mean", &n, &least, &most); err == nil {
				if least < 0.75 || most > 1.25 {
					t.Errorf("the processes got between %v and %v of the mean", least, most)
				}
			} else if what == "spin 1000" {
				t.Errorf("no progress: %s", strconv.Quote(m[1]))
			}
			g.Send("poweroff\n")
			g.ExpectEnd(qemu.OK, bootLimit)
		})
	}
}
