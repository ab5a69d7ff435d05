//go:build long

package usertest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"mult/qemu"
	"mult/qemu/qemutest"
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
			if what == "spin 1000" {
				even(t, g, "CPU time")
				even(t, g, "progress")
			} else {
				t.Log(g.Expect(`load: (.*)\n`, 2*time.Minute)[1])
			}
			g.Send("poweroff\n")
			g.ExpectEnd(qemu.OK, bootLimit)
		})
	}
}

// even reads how evenly the processes of load spin got something.
func even(t *testing.T, g *qemutest.Guest, what string) {
	t.Helper()
	m := g.Expect(`load: `+what+` of \d+ processes: (\S+) to (\S+) of the mean\n`, 2*time.Minute)
	t.Log(m[0])
	least, err1 := strconv.ParseFloat(m[1], 64)
	most, err2 := strconv.ParseFloat(m[2], 64)
	if err1 != nil || err2 != nil || least < 0.75 || most > 1.25 {
		t.Errorf("more than a quarter off the mean: %s", m[0])
	}
}
