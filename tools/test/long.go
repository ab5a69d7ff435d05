package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"mult/tools/host/hosttest"
)

// longTest is a stress test or a fuzz test.
type longTest struct{ pkg, name string }

// native reports whether it is one of Go's own fuzz tests.
func (l longTest) native() bool { return strings.HasPrefix(l.name, "Fuzz") }

// kind is "stress" or "fuzz".
func (l longTest) kind() string {
	if l.native() || strings.HasSuffix(l.name, "Fuzz") {
		return "fuzz"
	}
	return "stress"
}

// long is make long or make fuzz: it runs every test of a kind, in total for
// as long as it is told.
func (r *run) long(ctx context.Context, kind string, total time.Duration) {
	if !r.prepare(ctx) {
		return
	}
	var tests []longTest
	r.step(ctx, "looking for "+kind+" tests", func() (err error) {
		tests, err = longTests(ctx)
		tests = slices.DeleteFunc(tests, func(l longTest) bool { return l.kind() != kind })
		if err == nil && len(tests) == 0 {
			return errors.New("there are none")
		}
		return err
	})
	for i, share := range shares(tests, total) {
		l := tests[i]
		r.step(ctx, fmt.Sprintf("%s %s for %v", l.pkg, l.name, share), func() error {
			return r.longTest(ctx, l, share)
		})
	}
}

// onHost reports whether it is a fuzz test that boots no guest.
func (l longTest) onHost() bool {
	return l.kind() == "fuzz" && !strings.HasPrefix(l.pkg, "mult/qemu/")
}

// shares divides the time among tests, equally, but where there are fuzz tests
// on the host and in guests each kind gets half of it.
func shares(tests []longTest, total time.Duration) []time.Duration {
	count := map[bool]int{}
	for _, l := range tests {
		count[l.onHost()]++
	}
	list := make([]time.Duration, len(tests))
	for i, l := range tests {
		list[i] = total / time.Duration(len(count)*count[l.onHost()])
	}
	return list
}

// longTest runs one test for its share. What exceeds it by some minutes hangs.
func (r *run) longTest(ctx context.Context, l longTest, share time.Duration) error {
	timeout := fmt.Sprintf("-timeout=%v", share+5*time.Minute)
	only := "^" + l.name + "$"
	if l.native() {
		// What a test does by chance can't be made smaller: not a minute of it.
		return r.goTest(ctx, "-tags=long", timeout, "-fuzzminimizetime=2s", "-run=^$", "-fuzz="+only, "-fuzztime="+share.String(), l.pkg)
	}
	os.Setenv(hosttest.LongVariable, share.String()) // steps run one after the other
	return r.goTest(ctx, "-tags=long", timeout, "-count=1", "-run="+only, l.pkg)
}

// longTests lists the tests of all packages, in the order of go list.
func longTests(ctx context.Context) ([]longTest, error) {
	// go test -list prints a package's tests and then its "ok" line.
	list, err := output(goCommand(ctx, "test", "-tags=long", "-list=^(TestLong|Fuzz)", "./..."))
	if err != nil {
		return nil, err
	}
	return parseList(list), nil
}

func parseList(list string) []longTest {
	var tests []longTest
	var names []string
	for line := range strings.Lines(list) {
		f := strings.Fields(line)
		switch {
		case len(f) > 1 && f[0] == "ok":
			for _, name := range names {
				tests = append(tests, longTest{f[1], name})
			}
			names = nil
		case len(f) == 1:
			names = append(names, f[0])
		}
	}
	return tests
}
