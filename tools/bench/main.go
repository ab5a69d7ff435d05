// Bench measures and prints ratios. It is what make bench calls. A slow kernel
// is no failure: the exit status is 1 only if something couldn't be measured.
//
//	bench [-runs 9] [-only boot,calls,instances,clock,timers,packages]
//
// What the rows mean, and how they mislead, is in docs/benchmarks.md.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"mult/tools/host"
	"mult/tools/image"
	"mult/tools/progress"
)

// bench is one run of the program.
type bench struct {
	out  io.Writer // takes the tables
	log  io.Writer // takes progress
	runs int       // of what is repeated
	tmp  string    // directory for guests that are made on the way

	mult, selftest string // kernels
}

// sections are what can be measured, in this order.
var sections = []struct {
	name    string
	needs   []host.Need
	measure func(*bench, context.Context) error
}{
	{"boot", []host.Need{host.QEMU, host.LZ4}, (*bench).boot},
	{"calls", []host.Need{host.QEMU, host.LZ4, host.GCC, host.Busybox, host.EROFS}, (*bench).calls},
	{"instances", []host.Need{host.QEMU, host.LZ4, host.GCC, host.Busybox, host.EROFS}, (*bench).instances},
	{"clock", []host.Need{host.QEMU}, (*bench).clock},
	{"timers", []host.Need{host.QEMU}, (*bench).timers},
	{"packages", nil, (*bench).packages},
}

func main() {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	runs := flag.Int("runs", 9, "how often to repeat what is compared by medians")
	only := flag.String("only", strings.Join(names, ","), "what to measure")
	flag.Parse()
	chosen := strings.Split(*only, ",")
	for _, name := range chosen {
		if !slices.Contains(names, name) {
			usage("there is no %q to measure, only %s", name, strings.Join(names, ", "))
		}
	}
	if flag.NArg() > 0 || *runs < 1 {
		usage("-runs is at least 1, and there are no other arguments")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	b := &bench{out: os.Stdout, log: os.Stderr, runs: *runs}
	err := b.all(ctx, chosen)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func usage(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
	os.Exit(2)
}

// all measures what was chosen. A section that fails doesn't keep the others
// from being measured.
func (b *bench) all(ctx context.Context, chosen []string) (err error) {
	if b.tmp, err = os.MkdirTemp("", "mult-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.tmp)
	if err := b.kernels(ctx); err != nil {
		return err
	}
	var failed []string
	for _, s := range sections {
		if !slices.Contains(chosen, s.name) {
			continue
		}
		err := host.Require(ctx, b.log, s.needs...)
		if err == nil {
			before := noise(ctx)
			if err = s.measure(b, ctx); err == nil {
				fmt.Fprintf(b.out, "(host: %s before, %s after)\n\n", before, noise(ctx))
			}
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			fmt.Fprintf(b.log, "bench: %s: %v\n", s.name, err)
			failed = append(failed, s.name)
		}
	}
	if failed != nil {
		return fmt.Errorf("not measured: %s", strings.Join(failed, ", "))
	}
	return nil
}

// kernels builds the kernels and takes copies, so that nobody who builds
// meanwhile exchanges what is measured.
func (b *bench) kernels(ctx context.Context) error {
	for name, to := range map[string]*string{"mult": &b.mult, "selftest": &b.selftest} {
		built, err := image.Kernel(ctx, b.log, name)
		if err != nil {
			return err
		}
		elf, err := os.ReadFile(built)
		if err != nil {
			return err
		}
		if *to, err = b.file(name+".elf", elf); err != nil {
			return err
		}
	}
	return nil
}

// file writes a file that is there for as long as the program runs.
func (b *bench) file(name string, data []byte) (path string, err error) {
	path = filepath.Join(b.tmp, name)
	return path, os.WriteFile(path, data, 0o600)
}

// packages runs the benchmarks of all packages, which say how long a call of
// theirs takes on the host.
func (b *bench) packages(ctx context.Context) error {
	return progress.Step(b.log, "benchmarks of all packages", func() error {
		cmd := exec.CommandContext(ctx, "go", "test", "-run=^$", "-bench=.", "-timeout=0", "-p=1", "./...")
		text, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("go test: %w\n%s", err, text)
		}
		fmt.Fprintln(b.out, "packages: one call, on the host")
		var out table
		out.add("", "time")
		for line := range strings.Lines(string(text)) {
			// BenchmarkName-CPUs  rounds  value unit  value unit ...
			if f := strings.Fields(line); len(f) >= 4 && strings.HasPrefix(f[0], "Benchmark") {
				out.add(f[0], f[2]+" "+f[3], strings.Join(f[4:], " "))
			}
		}
		out.print(b.out)
		return nil
	})
}
