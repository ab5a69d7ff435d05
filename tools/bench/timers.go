package main

import (
	"context"
	"fmt"
	"time"

	"mult/qemu"
	"mult/qemu/measure"
	"mult/tools/progress"
)

const (
	stressTime  = 20 * time.Second
	wakeupTime  = 5 * time.Second
	wakeupRuns  = 3
	lateGoal    = 50e-3 // s, of the 99th percentile, on a quiet host
	ticksGoal   = 100   // timer interrupts of an idle CPU in 10 s
	reportLimit = time.Minute
)

// timersOn is what is measured with some number of CPUs.
type timersOn struct {
	cpus   int
	stress map[string]float64
	host   measure.Lateness // meanwhile
	idle   map[string]float64
	turns  sample // per second
}

// timers measures how late timers fire while the kernel is busy with all it
// can do, how fast goroutines wake each other, and how many timer interrupts
// an idle CPU takes.
func (b *bench) timers(ctx context.Context) error {
	on := []*timersOn{{cpus: 1}, {cpus: 2}}
	accel := qemu.Accelerator()
	run := func(cpus int, test string, length time.Duration) (map[string]float64, error) {
		cfg := qemu.Config{CPUs: cpus, Accel: accel, Memory: 256 * qemu.MiB}
		vm, err := b.startSelftest(ctx, cfg, test, fmt.Sprintf("seconds=%d", int(length.Seconds())))
		if err != nil {
			return nil, err
		}
		defer vm.Kill()
		return measure.Stats(vm, test, length+reportLimit)
	}
	err := progress.Step(b.log, "timers, wake-ups, idling", func() (err error) {
		for _, t := range on {
			stop := measure.WatchTimers()
			t.stress, err = run(t.cpus, "stress", stressTime)
			t.host = stop()
			if err != nil {
				return err
			}
			if t.idle, err = run(t.cpus, "idle", time.Second); err != nil {
				return err
			}
		}
		for range wakeupRuns {
			for _, t := range on {
				stats, err := run(t.cpus, "wakeup", wakeupTime)
				if err != nil {
					return err
				}
				t.turns = append(t.turns, stats["turns_per_s"])
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(b.out, "timers: microvm, %s, 256 MiB; under stress for %v\n", accel, stressTime)
	var out table
	out.add("", "guest", "host", "guest / host", "guest / goal", "goal")
	for _, t := range on {
		t.rows(&out, on[0].turns)
	}
	out.print(b.out)
	return nil
}

// rows adds what was measured to a table. The turns are compared with those
// of one CPU.
func (t *timersOn) rows(out *table, one sample) {
	out.add(fmt.Sprintf("CPUs: %d", t.cpus))
	for _, late := range []struct {
		name, stat string
		host       time.Duration
		goal       float64 // s, 0: none
	}{
		{"  timers late, median", "late_p50_us", t.host.P50, 0},
		{"  timers late, 99 %", "late_p99_us", t.host.P99, lateGoal},
		{"  timers late, worst", "late_max_us", t.host.Max, 0},
	} {
		guest, host := t.stress[late.stat]/1e6, late.host.Seconds()
		line := []string{late.name, milliseconds(guest), milliseconds(host), ratio(guest / max(host, 1e-6))}
		if late.goal > 0 {
			line = append(line, ratio(guest/late.goal), goal(guest, late.goal, milliseconds(late.goal)))
		}
		out.add(line...)
	}
	out.add("  pause of a collection, mean", milliseconds(t.stress["gc_pause_avg_us"]/1e6))
	stopped := t.stress["gc_pause_avg_us"] / 1e6 * t.stress["gc_cycles"] / stressTime.Seconds()
	out.add("  collections, time in pauses", fmt.Sprintf("%.1f %%", 100*stopped))
	ticks := 0.0
	for cpu := range t.cpus {
		ticks = max(ticks, t.idle[fmt.Sprintf("ticks_cpu%d", cpu)])
	}
	out.add("  ticks of an idle CPU, 10 s", number(ticks), "", "", ratio(ticks/ticksGoal), goal(ticks, ticksGoal, fmt.Sprint(ticksGoal)))
	median, _ := t.turns.show(number)
	line := []string{"  wake-ups, turns/s", median}
	if t.cpus > 1 {
		r, span := t.turns.over(one).show(ratio)
		line = append(line, "", "", "to one CPU: "+r, span)
	}
	out.add(line...)
}
