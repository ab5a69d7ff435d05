package usertest

import (
	"io/fs"
	"strings"
	"testing"

	"mult/qemu"
	"mult/userland/escape"
)

// TestEscape runs a program in an instance that tries to get out: once on pipes, once on a
// terminal.
func TestEscape(t *testing.T) {
	cfg := qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB}
	out := run(t, cfg, `instctl start web; instctl start db
/test/escape @stay >/dev/null & until [ -e /outside ]; do sleep 0.1; done
echo program escape; instctl exec db /test/escape
echo program terminal; instctl exec -t db /test/escape
kill -0 $! && ls /outside && instctl list | grep -c running; exit 0`, runLimit)
	judge(t, cfg.CPUs, out)
	text, err := fs.ReadFile(escape.Source, "escape.c")
	if err != nil {
		t.Fatal(err)
	}
	if n, want := strings.Count("\n"+out, "\nok "), 2*strings.Count(string(text), "\nTEST("); n != want {
		t.Errorf("%d of %d cases passed", n, want)
	}
	if !strings.Contains(out, "/outside\n2\n") {
		t.Errorf("what is outside isn't any more:\n%s", out)
	}
}
