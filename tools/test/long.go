package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"mult/tools/host/hosttest"
)

// longTest is a stress test or a fuzz test.
type longTest struct{ pkg, name string }

func (l longTest) fuzz() bool { return strings.HasPrefix(l.name, "Fuzz") }

// long is make long: every stress and fuzz test for an equal share of total.
func (r *run) long(ctx context.Context, total time.Duration) {
	if !r.prepare(ctx) {
		return
	}
	var tests []longTest
	r.step(ctx, "looking for stress and fuzz tests", func() (err error) {
		tests, err = longTests(ctx)
		if err == nil && len(tests) == 0 {
			return errors.New("there are none")
		}
		return err
	})
	for _, l := range tests {
		share := total / time.Duration(len(tests))
		r.step(ctx, fmt.Sprintf("%s %s for %v", l.pkg, l.name, share), func() error {
			return r.longTest(ctx, l, share)
		})
	}
}

// longTest runs one test for its share. What exceeds it by some minutes hangs.
func (r *run) longTest(ctx context.Context, l longTest, share time.Duration) error {
	timeout := fmt.Sprintf("-timeout=%v", share+5*time.Minute)
	only := "^" + l.name + "$"
	if l.fuzz() {
		return r.goTest(ctx, "-tags=long", timeout, "-run=^$", "-fuzz="+only, "-fuzztime="+share.String(), l.pkg)
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
