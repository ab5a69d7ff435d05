package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"mult/qemu"
	"mult/qemu/measure"
	"mult/tools/progress"
)

const (
	clockTime   = 2 * time.Minute
	clockGuests = 3   // of each kind
	clockGoal   = 300 // ppm
	answerLimit = time.Minute
)

// idler is an idle guest whose clock is compared with the host's.
type idler struct {
	vm    *qemu.VM
	start measure.Stamp
}

// clock compares the clocks of idle guests with the host's over two minutes,
// all at the same time.
func (b *bench) clock(ctx context.Context) error {
	accel := qemu.Accelerator()
	var out table
	out.add("", "off by, median", "range", "measured to", "worst / goal", "goal")
	return progress.Step(b.log, "clocks of idle guests", func() error {
		kinds := []qemu.Config{
			{Machine: qemu.MicroVM, CPUs: 1}, {Machine: qemu.MicroVM, CPUs: 2},
			{Machine: qemu.Q35, CPUs: 1}, {Machine: qemu.Q35, CPUs: 2},
		}
		guests := make([][]idler, len(kinds))
		for range clockGuests {
			for i, kind := range kinds {
				kind.Accel, kind.Memory = accel, 128*qemu.MiB
				vm, err := b.startSelftest(ctx, kind, "clock", "")
				if err != nil {
					return err
				}
				defer vm.Kill()
				stamp, err := measure.ReadClock(vm, answerLimit)
				if err != nil {
					return err
				}
				guests[i] = append(guests[i], idler{vm, stamp})
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(clockTime):
		}
		for i, kind := range kinds {
			var ppm, off sample
			for _, g := range guests[i] {
				end, err := measure.ReadClock(g.vm, answerLimit)
				if err != nil {
					return err
				}
				p, o := measure.Drift(g.start, end)
				ppm, off = append(ppm, p), append(off, o)
				if err := endSelftest(g.vm); err != nil {
					return err
				}
			}
			out.add(clockRow(fmt.Sprintf("%s, CPUs: %d", kind.Machine, kind.CPUs), ppm, off)...)
		}
		fmt.Fprintf(b.out, "clock: guest's against host's, %v, %d idle guests each, %s\n", clockTime, clockGuests, accel)
		out.print(b.out)
		return nil
	})
}

// clockRow sums up guests of one kind: how far each clock was off in ppm, and
// to how many ppm that was measured.
func clockRow(name string, ppm, off sample) []string {
	signed := func(x float64) string { return fmt.Sprintf("%+.1f ppm", x) }
	worst, width := 0.0, 0.0
	for i := range ppm {
		worst = max(worst, math.Abs(ppm[i]))
		width = max(width, off[i])
	}
	median, span := ppm.show(signed)
	return []string{name, median, span, fmt.Sprintf("%.1f ppm", width), ratio(worst / clockGoal),
		goal(worst, clockGoal, fmt.Sprintf("%d ppm", clockGoal))}
}

// startSelftest boots the test kernel for one of its tests.
func (b *bench) startSelftest(ctx context.Context, cfg qemu.Config, test, options string) (*qemu.VM, error) {
	cfg.Kernel = b.selftest
	cfg.Append = "selftest=" + test + " " + options
	vm, err := qemu.Start(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := measure.Start(vm, test, bootLimit); err != nil {
		vm.Kill()
		return nil, fmt.Errorf("%s, CPUs: %d: %w", cfg.Machine, cfg.CPUs, err)
	}
	return vm, nil
}

// endSelftest ends selftest=clock.
func endSelftest(vm *qemu.VM) error {
	if err := vm.Send("end\n"); err != nil {
		return err
	}
	status, err := vm.Wait(answerLimit)
	if err == nil && status != qemu.OK {
		err = errors.New("the guest ended with " + status.String())
	}
	return err
}
