// Package boottest boots the kernel and its self-tests in QEMU. What a boot
// needs is built first; without QEMU the tests are skipped.
package boottest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"mult/qemu"
	"mult/qemu/measure"
	"mult/qemu/qemutest"
	"mult/tools/host"
	"mult/tools/host/hosttest"
	"mult/tools/image"
)

// bootLimit is how long a boot may take on a busy host before a test gives up.
const bootLimit = time.Minute

// Kernels, built by TestMain.
var mult, selftest string

func TestMain(m *testing.M) {
	if _, err := host.QEMU.Find(); err == nil {
		ctx := context.Background()
		if mult, err = image.Kernel(ctx, os.Stderr, "mult"); err == nil {
			selftest, err = image.Kernel(ctx, os.Stderr, "selftest")
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// start boots a guest for a test.
func start(t *testing.T, cfg qemu.Config) *qemutest.Guest {
	t.Helper()
	hosttest.Require(t, host.QEMU)
	return qemutest.Start(t.Context(), t, cfg)
}

// guest is a machine to test on.
type guest struct {
	machine string
	cpus    int
}

func (g guest) String() string { return fmt.Sprintf("%s-%d", g.machine, g.cpus) }

var guests = []guest{{qemu.MicroVM, 1}, {qemu.MicroVM, 2}, {qemu.Q35, 1}, {qemu.Q35, 2}}

// onAll runs a test on both machines, with one and two CPUs.
func onAll(t *testing.T, f func(t *testing.T, cfg qemu.Config)) {
	for _, g := range guests {
		t.Run(g.String(), func(t *testing.T) {
			f(t, qemu.Config{Machine: g.machine, CPUs: g.cpus, Memory: 256 * qemu.MiB})
		})
	}
}

// runSelftest boots the test kernel for one of its tests, which must succeed
// in time, and returns what it measured.
func runSelftest(t *testing.T, cfg qemu.Config, name string, options string, limit time.Duration) map[string]float64 {
	t.Helper()
	g := startSelftest(t, cfg, name, options)
	stats, err := measure.Stats(g.VM, name, limit)
	for _, stat := range slices.Sorted(maps.Keys(stats)) {
		t.Logf("%s = %v", stat, stats[stat])
	}
	if err != nil {
		g.Wait(10 * time.Second) // for the rest of the log
		g.Fatal(err)
	}
	g.ExpectEnd(qemu.OK, bootLimit)
	return stats
}

func startSelftest(t *testing.T, cfg qemu.Config, name, options string) *qemutest.Guest {
	t.Helper()
	cfg.Kernel = selftest
	cfg.Append = "selftest=" + name + " " + options
	g := start(t, cfg)
	if err := measure.Start(g.VM, name, bootLimit); err != nil {
		t.Fatal(err)
	}
	return g
}
