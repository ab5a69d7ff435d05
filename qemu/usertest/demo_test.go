package usertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mult/boot/option"
	"mult/qemu"
	"mult/qemu/qemutest"
	"mult/tools/host"
	"mult/tools/host/hosttest"
	"mult/tools/image"
)

// demo runs the demo (make demo) with so many instances.
func demo(t *testing.T, n int, memory int64, limit time.Duration) {
	for _, need := range needs {
		hosttest.Require(t, need)
	}
	checkout, err := host.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "root.erofs")
	if err := image.RootWith(t.Context(), os.Stderr, root, filepath.Join(checkout, "userland/demo/root")); err != nil {
		t.Fatal(err)
	}
	g := qemutest.Start(t.Context(), t, qemu.Config{
		Machine: qemu.Q35, CPUs: 2, Memory: memory, Kernel: kernel, Initrd: root, Append: "run=" + option.Encode(fmt.Sprintf("/demo/run %d", n)),
	})
	m := g.Expect(`(?s)mult: ready\n(.*)mult: process 1 ended with (.*?)\n`, limit)
	if m[2] != "status 0" || strings.Contains(m[1], "FAIL") || !strings.Contains(m[1], "Nothing is left of them.") {
		t.Errorf("it ended with %s:\n%s", m[2], m[1])
	}
	// The kernel has nothing to say of instances that end because they are asked to.
	if i := strings.Index(m[1], "] "); i >= 0 && strings.Contains(m[1], "ended by itself") {
		t.Errorf("the kernel says:\n%s", m[1][i:])
	}
	g.ExpectEnd(qemu.OK, bootLimit)
}

// TestDemo runs the demo with a few instances.
func TestDemo(t *testing.T) { demo(t, 12, 512*qemu.MiB, runLimit) }
