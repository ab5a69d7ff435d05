//go:build long

package usertest

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"mult/boot/option"
	"mult/qemu"
	"mult/tools/host/hosttest"
)

// TestLongExhaustion measures the work of an instance while another one takes all that it
// can get: of each kind of work, 99 % take at most three times as long as 99 % did before.
// What takes less than a tenth of a millisecond even so isn't judged.
func TestLongExhaustion(t *testing.T) {
	hosttest.Long(t)
	const most, little = 3, 100
	// No line of the kernel's log is to come in between.
	g := start(t, qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB}, "loglevel=3 run="+option.Encode("/test/exhaustion 3000; exit 0"))
	line := regexp.MustCompile(`(before|during) (\S+) (\S+): (\d+) times, (\d+) failed \(errno \d+\), median (\d+), p99 (\d+)|(ok|FAIL) (.*)`)
	number := func(s string) float64 {
		n, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return max(n, 1)
	}
	type took struct{ median, p99 float64 }
	before := make(map[string]took)
	var worst took // in relation to before
	began, waited := time.Now(), hostWait(t, g)
	for cases := 0; cases < exhaustions; {
		m := line.FindStringSubmatch(g.Expect("(?:"+line.String()+`)\r?\n`, 3*time.Minute)[0])
		switch {
		case m[8] == "ok":
			lack := (hostWait(t, g) - waited).Seconds() / time.Since(began).Seconds() / 2
			t.Logf("%s: at worst 99 %% take %.2f times as long, a half %.2f times; the guest waited for a processor of the host for %.1f %% of its time",
				m[9], worst.p99, worst.median, 100*lack)
			if worst.p99 > most && lack <= quiet {
				t.Errorf("%s: the work beside it takes %.2f times as long", m[9], worst.p99)
			}
			began, waited, worst = time.Now(), hostWait(t, g), took{}
			cases++
		case m[8] == "FAIL":
			t.Error(m[9])
			cases++
		case m[5] != "0":
			t.Errorf("%s %s: %s of %s times, %s failed", m[1], m[2], m[5], m[4], m[3])
		case m[1] == "before":
			before[m[3]] = took{number(m[6]), number(m[7])}
		default:
			b, d := before[m[3]], took{number(m[6]), number(m[7])}
			if d.p99 > little {
				worst.p99 = max(worst.p99, d.p99/b.p99)
			}
			if d.median > little {
				worst.median = max(worst.median, d.median/b.median)
			}
			t.Logf("%s, %s: median %.0f us, before %.0f; 99 %% %.0f us, before %.0f", m[2], m[3], d.median, b.median, d.p99, b.p99)
		}
	}
	g.ExpectEnd(qemu.OK, bootLimit)
}
