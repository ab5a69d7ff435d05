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
	g := start(t, qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB}, "run="+option.Encode("/test/exhaustion 3000; exit 0"))
	line := regexp.MustCompile(`(before|during) (\S+) (\S+): (\d+) times, (\d+) failed \(errno (\d+)\), mean (\S+), p99 (\d+)|(ok|FAIL) (.*)`)
	before := make(map[string]float64)
	began, waited := time.Now(), hostWait(t, g)
	worst, cases := 0.0, 0
	for cases < exhaustions {
		m := line.FindStringSubmatch(g.Expect(line.String()+`\r?\n`, 3*time.Minute)[0])
		switch m[9] {
		case "ok":
			lack := (hostWait(t, g) - waited).Seconds() / time.Since(began).Seconds() / 2
			t.Logf("%s: at worst %.2f times as long; the guest waited for a processor of the host for %.1f %% of its time", m[10], worst, 100*lack)
			if worst > most && lack <= quiet {
				t.Errorf("%s: the work beside it takes %.2f times as long", m[10], worst)
			}
			began, waited, worst = time.Now(), hostWait(t, g), 0
			cases++
			continue
		case "FAIL":
			t.Error(m[10])
			cases++
			continue
		}
		p99, err := strconv.ParseFloat(m[8], 64)
		if err != nil {
			t.Fatal(err)
		}
		if m[1] == "before" {
			before[m[3]] = p99
		} else if p99 > little {
			worst = max(worst, p99/max(before[m[3]], 1))
			t.Logf("%s, %s: 99 %% took at most %.0f us, %.0f before", m[2], m[3], p99, before[m[3]])
		}
	}
	g.ExpectEnd(qemu.OK, bootLimit)
}
