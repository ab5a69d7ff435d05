// Package stdtest runs tests of Go's standard library on the bare machine.
//
// For each package of a list the tests are built with the kernel's toolchain,
// linked with mult/boot/auto, which starts the machine before main runs, and
// booted with one and with two CPUs. They pass if the guest says PASS and
// powers off. Stress tests are left out, as by go test -short.
//
// What can't apply to the bare machine is listed in skip.txt, with the reason,
// a line each: package, test, reason. An entry that names nothing is an error.
// More tests skip themselves: the toolchain edits internal/testenv so that it
// knows there are neither processes nor sources.
//
// For one test of one package:
//
//	go test ./qemu/stdtest -v -run TestStd/time -guest -test.run=TestTicker
package stdtest

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mult/qemu"
	"mult/qemu/qemutest"
	"mult/tools/host"
	"mult/tools/host/hosttest"
	"mult/tools/tamago/toolchain"
)

// packages are those whose tests are run.
var packages = strings.Fields(`
	runtime internal/runtime/atomic internal/runtime/maps
	reflect sync sync/atomic time
	container/heap container/list container/ring
	bufio bytes context encoding/binary errors fmt hash/crc32 maps math
	math/bits net/netip slices sort strconv strings unicode/utf8
`)

const (
	testLimit = 4 * time.Minute // for the tests of a package, which then show all stacks
	bootLimit = time.Minute     // for the boot before them and the end
)

var guestArgs = flag.String("guest", "", "more `arguments` for the tests in the guest")

func TestStd(t *testing.T) {
	hosttest.Require(t, host.QEMU)
	tc, err := toolchain.Ensure(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	skips, err := readSkips()
	if err != nil {
		t.Fatal(err)
	}
	for _, pkg := range packages {
		t.Run(pkg, func(t *testing.T) {
			b := builder{tc: tc, pkg: pkg, dir: t.TempDir()}
			for _, s := range skips {
				if s.pkg == pkg {
					b.skips = append(b.skips, s)
				}
			}
			kernel, err := b.build(t)
			if err != nil {
				t.Fatal(err)
			}
			for cpus := 1; cpus <= 2; cpus++ {
				t.Run(fmt.Sprintf("cpus=%d", cpus), func(t *testing.T) {
					runTests(t, qemu.Config{Kernel: kernel, CPUs: cpus, Memory: qemu.GiB})
				})
			}
		})
	}
}

// runTests boots a test kernel and reads what becomes of each of its tests.
func runTests(t *testing.T, cfg qemu.Config) {
	g := qemutest.Start(t.Context(), t, cfg)
	deadline := time.Now().Add(bootLimit + testLimit)
	count := map[string]int{}
	for {
		m, err := g.VM.Expect(`--- (PASS|FAIL|SKIP): (\S+) \(|\n(PASS|FAIL)\n|\n((?:panic|fatal \w+): .*)\n`, time.Until(deadline))
		if err != nil {
			t.Fatal(firstLine(err.Error())) // the rest is the log, which comes anyway
		}
		result, name, end, death := m[1], m[2], m[3], m[4]
		switch {
		case death != "":
			t.Error(death)
			g.Wait(bootLimit) // for the stacks
			return
		case result == "FAIL":
			t.Errorf("%s failed", name)
		case end != "":
			t.Logf("%d passed, %d skipped themselves", count["PASS"], count["SKIP"])
			want := qemu.OK
			if end == "FAIL" {
				want = qemu.TestFailure
				t.Error("the guest says FAIL")
			}
			g.ExpectEnd(want, bootLimit)
			return
		}
		count[result]++
	}
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

// The list of what to skip is in order, so that nothing is there twice.
func TestSkipsInOrder(t *testing.T) {
	skips, err := readSkips()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(skips, func(a, b skip) int { return strings.Compare(a.pkg+" "+a.test, b.pkg+" "+b.test) }) {
		t.Error("skip.txt is not sorted by package and test")
	}
}
