//go:build long

package usertest

import (
	_ "embed"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"mult/qemu"
	"mult/tools/host/hosttest"
)

//go:embed hostile.sh
var hostileScript string

// TestLongHostileFuzz runs a fuzzer as root of an instance, beside another one that looks
// at its own state again and again.
func TestLongHostileFuzz(t *testing.T) {
	limit := hosttest.Long(t)
	seed := rand.IntN(1 << 30)
	t.Logf("seed %d", seed)
	script := fmt.Sprintf("seconds=%d seed=%d\n", int(limit.Seconds()), seed) + hostileScript
	out := run(t, qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB}, script, limit+20*time.Minute)
	if strings.Contains(out, "FAIL") || !strings.Contains(out, "ok fuzz: done") || !strings.Contains(out, "ok looked") {
		t.Error(out)
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "ok ") {
			t.Log(strings.TrimSpace(line))
		}
	}
}
