//go:build long

package usertest

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"mult/qemu"
	"mult/qemu/measure"
	"mult/qemu/qemutest"
)

// quiet is the part of a guest's processor time at most that a quiet host gives
// to others. On a busier one times say nothing about the kernel.
const quiet = 0.05

// TestLongLoad loads the machine with what load.c has, and types at a shell
// meanwhile: it must answer each of 30 probes, and processes that only compute
// must all get ahead. On a quiet host an answer takes at most a second, and the
// processes get ahead alike.
func TestLongLoad(t *testing.T) {
	const (
		seconds = 60
		probes  = 30
		apart   = seconds * time.Second / probes
		patient = time.Second
		cpus    = 2
	)
	for _, what := range []string{"spin 1000", "forkbomb", "threadbomb", "memhog"} {
		t.Run(what, func(t *testing.T) {
			g := start(t, qemu.Config{Machine: qemu.Q35, CPUs: cpus, Memory: qemu.GiB}, "")
			g.Expect(`[#$] `, bootLimit)
			g.Send(fmt.Sprintf("/test/load %s %d &\n", what, seconds))
			if what == "spin 1000" {
				g.Expect(`load: 1000 processes compute`, 5*time.Minute)
			}
			began := time.Now()
			waited := hostWait(t, g)
			var worst time.Duration
			for i := range probes {
				at := time.Now()
				g.Send(fmt.Sprintf("echo probe $((%d+1))\n", i))
				g.Expect(fmt.Sprintf(`\nprobe %d\n`, i+1), time.Minute)
				took := time.Since(at)
				worst = max(worst, took)
				time.Sleep(apart - min(apart, took))
			}
			lack := (hostWait(t, g) - waited).Seconds() / time.Since(began).Seconds() / cpus
			t.Logf("the slowest probe took %v; the guest waited for a processor of the host for %.1f %% of its time", worst, 100*lack)
			judged := lack <= quiet
			if !judged {
				t.Log("the host was too busy to judge times")
			} else if worst > patient {
				t.Errorf("a probe was answered after %v", worst)
			}
			if what == "spin 1000" {
				even(t, g, `load: CPU time of \d+ processes`, 0.25, judged)
				even(t, g, `load: progress of \d+ processes`, 0.25, judged)
			} else {
				t.Log(g.Expect(`load: (.*)\n`, 2*time.Minute)[1])
			}
			g.Send("poweroff\n")
			g.ExpectEnd(qemu.OK, bootLimit)
		})
	}
}

// hostWait returns how long the guest's processors have waited for one of the
// host's.
func hostWait(t *testing.T, g *qemutest.Guest) time.Duration {
	t.Helper()
	d, err := measure.Waited(g.PID())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// even reads how evenly several got something. Each must have got some; with judged, no
// more and no less than a part from the mean.
func even(t *testing.T, g *qemutest.Guest, what string, part float64, judged bool) {
	t.Helper()
	m := g.Expect(what+`: (\S+) to (\S+) of the mean\n`, 2*time.Minute)
	t.Log(m[0])
	least, err1 := strconv.ParseFloat(m[1], 64)
	most, err2 := strconv.ParseFloat(m[2], 64)
	if err1 != nil || err2 != nil || least <= 0 {
		t.Errorf("not all got ahead: %s", m[0])
	}
	if judged && (least < 1-part || most > 1+part) {
		t.Errorf("more than %.2f off the mean: %s", part, m[0])
	}
}
