package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"mult/qemu"
	"mult/tools/host"
	"mult/tools/image"
	"mult/tools/progress"
)

// callsProgram measures system calls.
//
//go:embed calls.c
var callsProgram []byte

const (
	// figureLimit is how long one figure may take on a busy host.
	figureLimit = 2 * time.Minute

	// linuxCalls are Linux's options for this: under TCG it takes the time stamp
	// counters of two processors for unreliable, which costs it the clock that
	// is read without a system call.
	linuxCalls = linuxTuned + " tsc=reliable"
)

// What our time may be of Linux's: as long, or as long as 0.8 of its bandwidth
// takes.
const (
	callGoal      = 1.0
	bandwidthGoal = 1 / 0.8
)

// figure is a line of the table of calls. The program prints some more, which
// others are made of.
type figure struct {
	name, text string
	goal       float64 // 0: none, it is there for orientation
	value      func(map[string]float64) float64
}

var figures = []figure{
	{name: "cpu", text: "1000 rounds of a loop"},
	{name: "null_call", text: "null call", goal: callGoal},
	{name: "read_1", text: "read 1 byte, /dev/zero", goal: callGoal},
	{name: "write_1", text: "write 1 byte, /dev/null", goal: callGoal},
	{name: "pread_file_1", text: "read 1 byte, file", goal: callGoal},
	{name: "pwrite_file_1", text: "write 1 byte, file", goal: callGoal},
	{name: "signal", text: "signal", goal: callGoal},
	{name: "page_fault", text: "page fault", goal: callGoal},
	{name: "map_unmap", text: "mmap + munmap", goal: callGoal},
	{name: "fork_exit", text: "fork + exit", goal: callGoal},
	{name: "fork_exec", text: "fork + exec", goal: callGoal},
	{name: "thread_join", text: "thread, made and joined", goal: callGoal},
	{name: "pipe_round_trip", text: "pipe round trip", goal: callGoal},
	{name: "ctx_switch", text: "context switch", goal: callGoal, value: func(v map[string]float64) float64 {
		return v["round_trip_1cpu"]/2 - v["pipe_own"]
	}},
	{name: "futex_round_trip", text: "futex round trip", goal: callGoal},
	{name: "vdso_clock", text: "vDSO clock", goal: callGoal},
	{name: "open_close", text: "open + close", goal: callGoal},
	{name: "stat", text: "stat", goal: callGoal},
	{name: "epoll_ready", text: "epoll_wait, ready", goal: callGoal},
	{name: "poll_ready", text: "poll, ready", goal: callGoal},
	{name: "pipe_bandwidth", text: "pipe, a MiB", goal: bandwidthGoal},
	{name: "file_read_bandwidth", text: "file in memory, read a MiB", goal: bandwidthGoal},
	{name: "file_write_bandwidth", text: "file in memory, write a MiB", goal: bandwidthGoal},
	{name: "memory_bandwidth", text: "memory, copy a MiB", goal: bandwidthGoal},
}

// measured are the times of one kind of guest, in ns by the figure's name.
type measured map[string]sample

// calls compares the times of system calls: the same program runs on Linux and on
// mult in turn.
func (b *bench) calls(ctx context.Context) error {
	mult, linux, version, err := b.callGuests(ctx)
	if err != nil {
		return err
	}
	runs := max(3, b.runs/3)
	for _, cpus := range []int{1, 2} {
		ours, theirs := measured{}, measured{}
		err := progress.Step(b.log, fmt.Sprintf("system calls, CPUs: %d", cpus), func() error {
			for range runs {
				for _, side := range []struct {
					name  string
					guest qemu.Config
					to    measured
				}{{"mult", mult, ours}, {"Linux", linux, theirs}} {
					side.guest.CPUs = cpus
					if err := side.to.run(ctx, side.guest); err != nil {
						return fmt.Errorf("%s: %w", side.name, err)
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(b.out, "calls: one operation, %d runs in turn, q35, CPUs: %d, TCG; Linux %s, tuned\n", runs, cpus, version)
		callTable(ours, theirs).print(b.out)
	}
	return nil
}

func callTable(ours, theirs measured) table {
	var out table
	out.add("", "mult", "Linux", "mult / Linux", "range", "goal")
	for _, f := range figures {
		us, them := ours[f.name], theirs[f.name]
		if len(us) == 0 || len(us) != len(them) {
			out.add(f.text, "failed")
			continue
		}
		ours, _ := us.show(microseconds)
		theirs, _ := them.show(microseconds)
		ratios := us.over(them)
		median, span := ratios.show(ratio)
		line := []string{f.text, ours, theirs, median, span}
		if f.goal > 0 {
			line = append(line, goal(ratios.median(), f.goal, number(f.goal)))
		}
		out.add(line...)
	}
	return out
}

// callGuests makes the guests: the program is init on both sides, in a file system
// in memory.
func (b *bench) callGuests(ctx context.Context) (mult, linux qemu.Config, version string, err error) {
	fail := func(err error) (qemu.Config, qemu.Config, string, error) {
		return mult, linux, "", err
	}
	add := filepath.Join(b.tmp, "calls")
	if err := os.MkdirAll(add, 0o755); err != nil {
		return fail(err)
	}
	program, root := filepath.Join(add, "calls"), filepath.Join(b.tmp, "calls.erofs")
	elf, err := b.compile(ctx, callsProgram, program)
	if err != nil {
		return fail(err)
	}
	if err := image.RootWith(ctx, b.log, root, add); err != nil {
		return fail(err)
	}
	initrd, err := b.file("calls.cpio", initramfs(elf))
	if err != nil {
		return fail(err)
	}
	kernel, version, err := linuxKernel(ctx, b.log)
	if err != nil {
		return fail(err)
	}
	mult = qemu.Config{Machine: qemu.Q35, Accel: qemu.TCG, Kernel: b.mult, Initrd: root, Append: "init=/calls"}
	linux = qemu.Config{Machine: qemu.Q35, Accel: qemu.TCG, Kernel: kernel, Initrd: initrd, Append: linuxCalls}
	return mult, linux, version, nil
}

// compile makes a static program of C source, and returns it.
func (b *bench) compile(ctx context.Context, source []byte, program string) ([]byte, error) {
	file, err := b.file(filepath.Base(program)+".c", source)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, host.GCC.Program, "-O2", "-static", "-pthread", "-o", program, file)
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("gcc: %w\n%s", err, text)
	}
	return os.ReadFile(program)
}

var figureLine = regexp.MustCompile(`^bench (\S+) ([0-9.]+)$`)

// run boots a guest and adds what it measures. A figure that a guest fails at is
// left out.
func (m measured) run(ctx context.Context, guest qemu.Config) error {
	values, err := report(ctx, guest)
	if err == nil {
		m.add(values)
	}
	return err
}

// report boots a guest whose process 1 is one of the programs here, and returns
// what that prints.
func report(ctx context.Context, guest qemu.Config) (map[string]float64, error) {
	vm, err := qemu.Start(ctx, guest)
	if err != nil {
		return nil, err
	}
	defer vm.Kill()
	values := map[string]float64{}
	for {
		line, err := vm.Expect(`(bench .*)\n`, bootLimit+figureLimit)
		if err != nil {
			return nil, err
		}
		if line[1] == "bench end" {
			return values, nil
		}
		if f := figureLine.FindStringSubmatch(line[1]); f != nil {
			if values[f[1]], err = strconv.ParseFloat(f[2], 64); err != nil {
				return nil, err
			}
		}
	}
}

// add adds the values of one run.
func (m measured) add(values map[string]float64) {
	for _, f := range figures {
		ns := values[f.name]
		if f.value != nil {
			ns = f.value(values)
		}
		if ns > 0 {
			m[f.name] = append(m[f.name], ns/1e9)
		}
	}
}
