// Test runs the project's tests and prints the lines of go test, then a
// summary. It is what make test, make long and make fuzz call:
//
//	test              vet, tests on the host, boot tests; at most 25 minutes
//	test -long 10m    stress tests for 10 minutes
//	test -fuzz 10m    fuzz tests for 10 minutes
//
// All steps are run, whatever becomes of the ones before, and the exit status
// is 1 if any failed. With CI=true a skipped test is a failure.
//
// Stress tests are functions TestLong... in files with the build tag "long".
// Each gets an equal share of the time, for which it asks package hosttest.
// Fuzz tests are Go's own, and functions TestLong...Fuzz. Those that fuzz a guest
// get half of the time, those on the host the rest.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"mult/tools/host"
	"mult/tools/image"
	"mult/tools/progress"
	"mult/tools/tamago/toolchain"
)

// limit is what make test may take.
const limit = 25 * time.Minute

// bootTests are the packages whose tests boot kernels. They run after the
// others and one after the other, because they also look at times.
var bootTests = []string{"mult/qemu/boottest", "mult/qemu/usertest", "mult/qemu/stdtest"}

func main() {
	long := flag.Duration("long", 0, "run stress tests for this long instead")
	fuzz := flag.Duration("fuzz", 0, "run fuzz tests for this long instead")
	flag.Parse()
	if flag.NArg() > 0 || *long < 0 || *fuzz < 0 || *long > 0 && *fuzz > 0 {
		fmt.Fprintln(os.Stderr, "usage: test [-long duration | -fuzz duration]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	start := time.Now()
	r := &run{out: os.Stdout, ci: os.Getenv("CI") == "true"}
	if *long > 0 {
		r.long(ctx, "stress", *long)
	} else if *fuzz > 0 {
		r.long(ctx, "fuzz", *fuzz)
	} else {
		ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("not done in %v", limit))
		r.all(ctx)
		cancel()
	}
	stop()
	if !r.summary(time.Since(start)) {
		os.Exit(1)
	}
}

// kernels are the directories of boot/ with a kernel.
var kernels = []string{"mult", "selftest"}

// run is one run of the tests and what has come of it.
type run struct {
	out    io.Writer
	ci     bool
	tests  tally
	failed []string // steps
}

// step runs one step and notes its failure.
func (r *run) step(ctx context.Context, what string, do func() error) {
	if ctx.Err() != nil {
		r.failed = append(r.failed, fmt.Sprintf("%s: %v", what, context.Cause(ctx)))
		return
	}
	err := progress.Step(r.out, what, do)
	if err != nil && ctx.Err() != nil {
		what = fmt.Sprintf("%s: %v", what, context.Cause(ctx))
	}
	if err != nil {
		fmt.Fprintf(r.out, "    %s: %v\n", what, err)
		r.failed = append(r.failed, what)
	}
}

// all is make test.
func (r *run) all(ctx context.Context) {
	if !r.prepare(ctx) {
		return
	}
	r.step(ctx, "go vet", func() error {
		return r.print(goCommand(ctx, "vet", "-tags=long", "./..."))
	})
	r.step(ctx, "go vet of the kernel", func() error { return r.vetKernel(ctx) })
	r.step(ctx, "go test -race, on the host", func() error {
		packages, err := hostPackages(ctx)
		if err != nil {
			return err
		}
		return r.goTest(ctx, append([]string{"-race", "-timeout=15m"}, packages...)...)
	})
	r.step(ctx, "go test, a million calls against another instance", func() error { // without -race, which takes ten times as long
		return r.goTest(ctx, "-timeout=5m", "-run=^TestAdversary$", "./kern")
	})
	r.step(ctx, "go test, booting kernels in QEMU", func() error {
		return r.goTest(ctx, append([]string{"-count=1", "-p=1", "-timeout=20m"}, bootTests...)...)
	})
}

// prepare brings what the tests need, which without there is no point in them.
func (r *run) prepare(ctx context.Context) bool {
	r.step(ctx, "programs of the host", func() error {
		return host.Require(ctx, r.out, host.QEMU, host.Busybox, host.EROFS, host.GCC)
	})
	if len(r.failed) > 0 {
		return false
	}
	r.step(ctx, "kernel and root image", func() error {
		for _, name := range kernels {
			if _, err := image.Kernel(ctx, r.out, name); err != nil {
				return err
			}
		}
		_, err := image.Root(ctx, r.out)
		return err
	})
	return len(r.failed) == 0
}

// hostPackages are the packages whose tests run on the host.
func hostPackages(ctx context.Context) ([]string, error) {
	list, err := output(goCommand(ctx, "list", "./..."))
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(strings.Fields(list), func(p string) bool {
		return slices.Contains(bootTests, p)
	}), nil
}

// vetKernel vets the packages that kernels are made of, as the bare machine
// sees them. There, pointers to memory that Go doesn't manage are the rule, so
// vet is not to suspect each of them.
func (r *run) vetKernel(ctx context.Context) error {
	tc, err := toolchain.Ensure(ctx, r.out)
	if err != nil {
		return err
	}
	const ours = "{{with .Module}}{{if .Main}}{{$.ImportPath}} {{$.Dir}}{{end}}{{end}}"
	list, err := output(tc.Command(ctx, "list", "-deps", "-f", ours, "./boot/..."))
	if err != nil {
		return err
	}
	// Tests run on the host and are vetted there; go vet leaves them out if
	// an overlay says that they don't exist.
	hidden := map[string]string{}
	args := []string{"vet", "-unsafeptr=false", "-overlay="}
	for line := range strings.Lines(list) {
		pkg, dir, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok {
			continue
		}
		args = append(args, pkg)
		tests, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
		if err != nil {
			return err
		}
		for _, t := range tests {
			hidden[t] = ""
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": hidden})
	if err != nil {
		return err
	}
	overlay, err := os.CreateTemp("", "vet-*.json")
	if err != nil {
		return err
	}
	defer os.Remove(overlay.Name())
	if _, err := overlay.Write(text); err != nil {
		return err
	}
	if err := overlay.Close(); err != nil {
		return err
	}
	args[2] += overlay.Name()
	return r.print(tc.Command(ctx, args...))
}
