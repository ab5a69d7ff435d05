package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"mult/qemu"
	"mult/qemu/tiny"
	"mult/tools/progress"
)

// bootLimit is how long a boot may take on a busy host.
const bootLimit = 2 * time.Minute

// bootGoal is the most that our boot may take of Linux's, on microvm.
const bootGoal = 1.0 / 8

// Options of Linux. With the second ones it starts faster: no work-arounds for
// faults of the processor, no clearing of memory that will be written anyway,
// no tests of its cryptography.
const (
	linuxOptions = "console=ttyS0 quiet panic=-1 reboot=t"
	linuxTuned   = linuxOptions + " mitigations=off init_on_alloc=0 cryptomgr.notests"
)

// system is a guest whose boot is timed, up to the end of the line first.
type system struct {
	name  string
	first string // pattern
	ends  bool   // it powers off by itself afterwards
	guest qemu.Config
	took  sample // seconds
}

// bootTable is what is compared on one machine: ours comes first.
type bootTable struct {
	machine string
	cpus    int
	systems []*system
	goal    bool // the ratio of the first two has the goal
}

// boot compares the times from QEMU's start to the first line that Go's main
// prints, or Linux's init, or a guest that does nothing else.
func (b *bench) boot(ctx context.Context) error {
	tables, version, err := b.bootTables(ctx)
	if err != nil {
		return err
	}
	err = progress.Step(b.log, "boot times", func() error {
		for round := range b.runs + 1 { // one to warm up
			for _, t := range tables {
				for _, s := range t.systems {
					took, err := s.boot(ctx, b.log)
					if err != nil {
						return fmt.Errorf("%s on %s: %w", s.name, t.machine, err)
					}
					if round > 0 {
						s.took = append(s.took, took.Seconds())
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "boot: QEMU's start to the first line, %d runs in turn, TCG, 1 GiB; Linux %s\n", b.runs, version)
	var out table
	out.add("", "median", "range", "mult / this", "range", "goal")
	for _, t := range tables {
		out.add(fmt.Sprintf("%s, CPUs: %d", t.machine, t.cpus))
		ours := t.systems[0].took
		for i, s := range t.systems {
			median, span := s.took.show(milliseconds)
			line := []string{"  " + s.name, median, span}
			if i > 0 {
				ratios := ours.over(s.took)
				median, span := ratios.show(ratio)
				line = append(line, median, span)
				if i == 1 && t.goal {
					line = append(line, goal(ratios.median(), bootGoal, "1/8"))
				}
			}
			out.add(line...)
		}
	}
	out.print(b.out)
	return nil
}

// bootTables makes the guests. Without ACPI Linux finds only one processor on
// microvm, and with it no timer, so two processors are compared on q35.
func (b *bench) bootTables(ctx context.Context) (tables []*bootTable, version string, err error) {
	kernel, version, err := linuxKernel(ctx, b.log)
	if err != nil {
		return nil, "", err
	}
	initrd, err := b.file("initrd", initramfs(initProgram()))
	if err != nil {
		return nil, "", err
	}
	nothing, err := b.file("nothing.elf", tiny.New().Print("QEMU is up\n").ELF())
	if err != nil {
		return nil, "", err
	}
	tables = []*bootTable{
		{machine: qemu.MicroVM, cpus: 1, goal: true},
		{machine: qemu.Q35, cpus: 1},
		{machine: qemu.Q35, cpus: 2},
	}
	for _, t := range tables {
		base := qemu.Config{Machine: t.machine, CPUs: t.cpus, Accel: qemu.TCG}

		mult := &system{name: "mult", first: `mult \S+ \(go.*\n`, ends: true, guest: base}
		mult.guest.Kernel, mult.guest.Append = b.mult, "poweroff"

		linux := &system{name: "Linux, tuned", first: firstLine, guest: base}
		linux.guest.Kernel, linux.guest.Initrd, linux.guest.Append = kernel, initrd, linuxTuned
		if t.machine == qemu.MicroVM {
			linux.guest.Machine += ",acpi=off"
		}
		plain := *linux
		plain.name = "Linux, as it comes"
		plain.guest.CPU, plain.guest.Append = "max", linuxOptions

		alone := &system{name: "QEMU alone", first: `QEMU is up\n`, guest: base}
		alone.guest.Kernel = nothing

		t.systems = []*system{mult, linux, &plain, alone}
	}
	return tables, version, nil
}

// boot boots once. If the system then doesn't end as it should, log says so.
func (s *system) boot(ctx context.Context, log io.Writer) (time.Duration, error) {
	vm, err := qemu.Start(ctx, s.guest)
	if err != nil {
		return 0, err
	}
	defer vm.Kill()
	if _, err := vm.Expect(s.first, bootLimit); err != nil {
		return 0, err
	}
	took := time.Since(vm.Started())
	if s.ends {
		// How it ended is for the tests to judge; the time is known.
		if status, err := vm.Wait(bootLimit); err != nil || status != qemu.OK {
			fmt.Fprintf(log, "bench: %s on %s did not power off: %v, %v\n%s", s.name, s.guest.Machine, status, err, vm.Output())
		}
	}
	return took, nil
}
