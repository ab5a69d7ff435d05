package usertest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mult/boot/option"
	"mult/qemu"
	"mult/qemu/qemutest"
	"mult/tools/host"
	"mult/tools/host/hosttest"
	"mult/tools/image"
	"mult/userland/cprog"
	"mult/userland/lives"
)

// TestLives has instances that don't behave, and four threads that do anything to them.
func TestLives(t *testing.T) { manyLives(t, 400, 1, runLimit) }

// manyLives makes a number of operations, after a few for what is made once. Nothing is left
// of them.
func manyLives(t *testing.T, operations, seed int, limit time.Duration) {
	for _, n := range needs {
		hosttest.Require(t, n)
	}
	gcc := hosttest.Require(t, host.GCC)
	checkout, err := host.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	program, err := cprog.Build(gcc, filepath.Join(checkout, "build/cprog"), lives.Source, "lives")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	add, root := filepath.Join(dir, "add"), filepath.Join(dir, "root.erofs")
	if err := os.MkdirAll(filepath.Join(add, "sbin"), 0o755); err != nil {
		t.Fatal(err)
	}
	// In an instance it is process 1.
	if err := os.WriteFile(filepath.Join(add, "sbin/instinit"), text, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := image.RootWith(t.Context(), os.Stderr, root, add); err != nil {
		t.Fatal(err)
	}
	command := fmt.Sprintf("/sbin/instinit %d %d; echo over", operations, seed)
	cfg := qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB, Kernel: kernel, Initrd: root, Append: "run=" + option.Encode(command)}
	g := qemutest.Start(t.Context(), t, cfg)
	end := time.Now().Add(limit)
	m := g.Expect(fmt.Sprintf(`(%d operations, .*|.*kernel fault.*|panic: .*)\n`, operations), time.Until(end))
	t.Log(m[1])
	m = g.Expect(`(ok same|FAIL same(?s:.*)over|.*kernel fault.*|panic: .*)\n`, time.Until(end))
	if m[1] != "ok same" {
		t.Error(m[1])
	}
	g.ExpectEnd(qemu.OK, bootLimit)
}
