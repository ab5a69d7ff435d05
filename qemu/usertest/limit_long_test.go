//go:build long

package usertest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mult/boot/option"
	"mult/qemu"
	"mult/tools/host/hosttest"
)

// TestLongLimits uses up all kinds of objects at once, from several processes,
// again and again: each time everything comes back.
func TestLongLimits(t *testing.T) {
	limit := hosttest.Long(t)
	seed := rand.IntN(1 << 30)
	t.Logf("seed %d", seed)
	g := start(t, qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: 128 * qemu.MiB},
		"run="+option.Encode(fmt.Sprintf("/test/limit @together %d %d; echo still $(echo here)", int(limit.Seconds()), seed)))
	end := time.Now().Add(limit + 5*time.Minute)
	for {
		m := g.Expect(`(round \d.*|ok together.*|FAIL .*|kernel fault.*|panic: .*)\n`, time.Until(end))
		if strings.HasPrefix(m[1], "round ") {
			continue
		}
		if !strings.HasPrefix(m[1], "ok ") {
			t.Fatal(m[1])
		}
		t.Log(m[1])
		break
	}
	g.Expect(`still here\n`, bootLimit)
	out := g.Expect(`memory: the kernel's heap .*\n`, bootLimit)
	withinBudget(t, out[0])
	g.ExpectEnd(qemu.OK, bootLimit)
}

// TestLongLimitsLarge is TestLimits for all kinds on a larger machine.
func TestLongLimitsLarge(t *testing.T) {
	hosttest.Long(t)
	cfg := qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB}
	out := run(t, cfg, "echo program limit; /test/limit; echo still $(echo here)", 2*runLimit)
	judge(t, cfg.CPUs, out)
	withinBudget(t, out)
}
