package usertest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"mult/qemu"
)

// TestLimits uses up everything that programs can have the kernel make, kind by
// kind, on a small machine, and some kinds on a larger one, where it takes
// longer: the machine lives, and its own memory stays within its budget.
func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		memory int64
		cases  string
	}{
		{128 * qemu.MiB, ""},
		{512 * qemu.MiB, "threads watches ptys pipes flocks queued_signals memory symlinks mounts"},
	} {
		t.Run(fmt.Sprintf("%dM", tt.memory/qemu.MiB), func(t *testing.T) {
			cfg := qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: tt.memory}
			out := run(t, cfg, "echo program limit; /test/limit "+tt.cases+"; echo still $(echo here)", runLimit)
			if !strings.Contains(out, "still here") {
				t.Error("no shell is left")
			}
			judge(t, cfg.CPUs, out)
			withinBudget(t, out)
		})
	}
}

var heapPeak = regexp.MustCompile(`memory: the kernel's heap had at most (\d+) KiB; (\d+) KiB are left to it`)

// withinBudget checks what the kernel logs of its heap at the end.
func withinBudget(t *testing.T, out string) {
	t.Helper()
	m := heapPeak.FindStringSubmatch(out)
	if m == nil {
		t.Fatal("the kernel says nothing about its heap")
	}
	most, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	budget, err := strconv.Atoi(m[2])
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the kernel's heap had at most %d KiB of %d", most, budget)
	if most > budget {
		t.Errorf("the kernel's heap had %d KiB, more than the %d that are left to it", most, budget)
	}
}
