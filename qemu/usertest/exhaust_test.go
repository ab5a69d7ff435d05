package usertest

import (
	_ "embed"
	"strings"
	"testing"

	"mult/qemu"
)

// exhaustScript is /test/exhaustion.
//
//go:embed exhaust.sh
var exhaustScript []byte

// exhaustions is how many cases it has.
const exhaustions = 23

// TestExhaustion has an instance take all that it can get of each resource, by its own
// limit and by that of one above it: it gets the documented error, and another one does
// all its work meanwhile.
func TestExhaustion(t *testing.T) {
	cfg := qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB}
	out := run(t, cfg, "echo program exhaustion; /test/exhaustion; exit 0", runLimit)
	judge(t, cfg.CPUs, out)
	if n := strings.Count("\n"+out, "\nok "); n != exhaustions {
		t.Errorf("%d of %d cases passed", n, exhaustions)
	}
}
