package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"

	"mult/qemu"
	"mult/tools/host"
	"mult/tools/image"
	"mult/tools/progress"
	"mult/userland/instinit"
)

// instProgram measures instances, or containers on Linux.
//
//go:embed inst.c
var instProgram []byte

// What instances may take of what Linux' containers do.
const (
	instStartGoal  = 1.0 / 4
	instMemoryGoal = 1.0 / 2
)

// counting is QEMU as a counter of instructions: each takes the guest a nanosecond,
// and waiting takes none of the host's time. What is measured so is nearly the same
// each time, however busy the host is.
var counting = []string{"-icount", "shift=0,sleep=off"}

// instFigure is a line of the tables of instances.
type instFigure struct {
	name, text string
	goal       float64 // 0: none
	goalText   string
	show       func(float64) string
}

var instFigures = []instFigure{
	{"start_p50", "start", instStartGoal, "1/4", nanoseconds},
	{"start_p99", "start, 99 %", 0, "", nanoseconds},
	{"start_1000_p50", "start, 1,000 alive", instStartGoal, "1/4", nanoseconds},
	{"start_1000_p99", "start, 1,000 alive, 99 %", 0, "", nanoseconds},
	{"together_each", "start, 4 at a time, each", instStartGoal, "1/4", nanoseconds},
	{"stop_p50", "stop", 0, "", nanoseconds},
	{"stop_p99", "stop, 99 %", 0, "", nanoseconds},
	{"stop_1000_p50", "stop, 1,000 alive", 0, "", nanoseconds},
	{"churn_p50", "start and stop", 0, "", nanoseconds},
	{"counted_start", "start, 1,000 instructions", 0, "", thousands},
	{"counted_stop", "stop, 1,000 instructions", 0, "", thousands},
	{"memory_1000", "memory of one, of 1,000", instMemoryGoal, "1/2", kibibytes},
	{"memory_taken_1000", "the same, before collecting", 0, "", kibibytes},
}

func nanoseconds(ns float64) string { return microseconds(ns / 1e9) }
func thousands(n float64) string    { return number(n / 1e3) }

// instGuest is a system that runs instProgram.
type instGuest struct {
	name    string
	guest   qemu.Config
	counted qemu.Config       // with less to do
	took    map[string]sample // by the figure's name
}

// instances compares instances with Linux' containers, and mult with and without.
func (b *bench) instances(ctx context.Context) error {
	guests, calls, version, err := b.instGuests(ctx)
	if err != nil {
		return err
	}
	runs := max(3, b.runs/3)
	err = progress.Step(b.log, "instances", func() error {
		for range runs {
			for _, g := range []*instGuest{guests[0].mult, guests[0].linux, guests[1].mult, guests[1].linux} {
				if err := g.run(ctx); err != nil {
					return fmt.Errorf("%s: %w", g.name, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, t := range []struct {
		title        string
		ours, theirs *instGuest
	}{
		{"the least init on both", guests[0].mult, guests[0].linux},
		{"instinit on both", guests[1].mult, guests[1].linux},
		{"instinit on mult, the least init on Linux", guests[1].mult, guests[0].linux},
	} {
		fmt.Fprintf(b.out, "instances and containers: %s; %d runs in turn, q35, TCG; Linux %s, tuned\n", t.title, runs, version)
		instTable(t.ours.took, t.theirs.took).print(b.out)
	}
	fmt.Fprintln(b.out, "memory of one, by kind")
	kindTable(guests).print(b.out)
	return b.alone(ctx, calls)
}

// run boots the guest twice: to measure, and to count instructions.
func (g *instGuest) run(ctx context.Context) error {
	values, err := report(ctx, g.guest)
	if err != nil {
		return err
	}
	count, err := report(ctx, g.counted)
	if err != nil {
		return err
	}
	values["counted_start"], values["counted_stop"] = count["start_p50"], count["stop_p50"]
	for name, v := range values {
		g.took[name] = append(g.took[name], v)
	}
	return nil
}

func instTable(ours, theirs map[string]sample) table {
	var out table
	out.add("", "mult", "Linux", "mult / Linux", "range", "goal")
	for _, f := range instFigures {
		us, them := ours[f.name], theirs[f.name]
		if len(us) == 0 || len(us) != len(them) {
			out.add(f.text, "failed")
			continue
		}
		ours, _ := us.show(f.show)
		theirs, _ := them.show(f.show)
		ratios := us.over(them)
		median, span := ratios.show(ratio)
		line := []string{f.text, ours, theirs, median, span}
		if f.goal > 0 {
			line = append(line, goal(ratios.median(), f.goal, f.goalText))
		}
		out.add(line...)
	}
	return out
}

// kindTable tells what the memory is used for.
func kindTable(guests [2]instPair) table {
	var out table
	out.add("", "the least init", "instinit")
	for _, side := range []struct {
		name  string
		took  func(p instPair) map[string]sample
		kinds [][2]string
	}{
		{"mult", func(p instPair) map[string]sample { return p.mult.took }, [][2]string{
			{"memory_frames", "page frames"}, {"memory_heap", "the kernel's heap"},
			{"memory_objects", "  objects in it"}, {"memory_stacks", "  stacks in it"},
		}},
		{"Linux", func(p instPair) map[string]sample { return p.linux.took }, [][2]string{
			{"memory_pages", "pages of the process"}, {"memory_tables", "page tables"},
			{"memory_slab", "slab"}, {"memory_stacks", "the kernel's stacks"},
		}},
	} {
		out.add(side.name)
		for _, kind := range side.kinds {
			line := []string{"  " + kind[1]}
			for _, p := range guests {
				text := "failed"
				if got := side.took(p)[kind[0]]; len(got) > 0 {
					text = kibibytes(got.median())
				}
				line = append(line, text)
			}
			out.add(line...)
		}
	}
	return out
}

// instPair is mult and Linux with the same init.
type instPair struct{ mult, linux *instGuest }

// instGuests makes the guests: a pair with the least init, one with instinit, and mult
// for alone.
func (b *bench) instGuests(ctx context.Context) (pairs [2]instPair, alone qemu.Config, version string, err error) {
	fail := func(err error) ([2]instPair, qemu.Config, string, error) { return pairs, alone, version, err }
	// Two root images: in one, /sbin/instinit is the program itself.
	real, least := filepath.Join(b.tmp, "inst"), filepath.Join(b.tmp, "inst-least")
	for _, dir := range []string{real, filepath.Join(least, "sbin")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fail(err)
		}
	}
	program, err := b.compile(ctx, instProgram, filepath.Join(real, "inst"))
	if err != nil {
		return fail(err)
	}
	if _, err := b.compile(ctx, callsProgram, filepath.Join(real, "calls")); err != nil {
		return fail(err)
	}
	for _, name := range []string{"inst", "sbin/instinit"} {
		if err := os.WriteFile(filepath.Join(least, name), program, 0o755); err != nil {
			return fail(err)
		}
	}
	initFile, err := instinit.Build(host.GCC.Program, filepath.Join(b.tmp, "cprog"))
	if err != nil {
		return fail(err)
	}
	instInit, err := os.ReadFile(initFile)
	if err != nil {
		return fail(err)
	}
	kernel, version, err := linuxKernel(ctx, b.log)
	if err != nil {
		return fail(err)
	}
	mult := qemu.Config{Machine: qemu.Q35, Accel: qemu.TCG, Memory: 2 * qemu.GiB, Kernel: b.mult}
	linux := mult
	linux.Kernel = kernel
	if linux.Initrd, err = b.file("inst.cpio", initramfs(program, archived{"instinit", instInit})); err != nil {
		return fail(err)
	}
	for i, side := range []struct{ dir, args string }{{least, ""}, {real, "-instinit "}} {
		mult.Initrd = side.dir + ".erofs"
		if err := image.RootWith(ctx, b.log, mult.Initrd, side.dir); err != nil {
			return fail(err)
		}
		pairs[i] = instPair{
			newInstGuest("mult", mult, "init=/inst -- "+side.args),
			newInstGuest("Linux", linux, linuxCalls+" -- "+side.args),
		}
	}
	return pairs, mult, version, nil
}

func newInstGuest(name string, guest qemu.Config, options string) *instGuest {
	g := &instGuest{name: name, guest: guest, counted: guest, took: map[string]sample{}}
	g.guest.Append = options + "grow single churn together"
	g.counted.Append, g.counted.Args = options+"single", counting
	return g
}
