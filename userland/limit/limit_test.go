package limit

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mult/tools/host"
	"mult/tools/host/hosttest"
	"mult/userland/cprog"
)

// TestHost runs the program on the host's Linux, where its cases stop at small
// numbers.
func TestHost(t *testing.T) {
	gcc := hosttest.Require(t, host.GCC)
	checkout, err := host.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	program, err := cprog.Build(gcc, filepath.Join(checkout, "build/cprog"), Source, "limit")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	cmd := exec.CommandContext(ctx, program)
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(cmd.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ok processes\n") {
		t.Errorf("%v:\n%s", err, out)
	}
}
