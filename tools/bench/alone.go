package main

import (
	"context"
	"fmt"
	"math"
	"strings"

	"mult/qemu"
	"mult/tools/progress"
)

// aloneGoal is by how much the speed of a process may differ.
const aloneGoal = 0.02

// aloneFigures are those of calls that are compared.
var aloneFigures = []string{"cpu", "null_call", "stat", "page_fault", "pipe_round_trip", "open_close", "fork_exec"}

// alone compares the speed of a process on a kernel that can have one instance only,
// on one that has only one, and on one that has 1,000 more, which idle. Instructions
// are counted: on a clock of the host 2 % can't be seen.
func (b *bench) alone(ctx context.Context, mult qemu.Config) error {
	what := "-mean " + strings.Join(aloneFigures, " ")
	cases := []struct{ name, options string }{
		{"inst.max=1", "inst.max=1 init=/calls -- " + what},
		{"none running", "init=/calls -- " + what},
		{"1,000 idle", "init=/inst -- -instinit -idle /calls " + what},
	}
	var got [3]map[string]float64
	err := progress.Step(b.log, "a process beside instances", func() (err error) {
		for i, c := range cases {
			mult.Append, mult.Args = c.options, counting
			if got[i], err = report(ctx, mult); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(b.out, "a process beside instances: 1,000 instructions of one operation, q35, TCG")
	aloneTable(got).print(b.out)
	return nil
}

func aloneTable(got [3]map[string]float64) table {
	var out table
	out.add("", "inst.max=1", "none running", "", "1,000 idle", "", "goal")
	for _, f := range figures {
		first := got[0][f.name]
		if first == 0 {
			continue
		}
		line, worst := []string{f.text, thousands(first)}, 0.0
		for _, other := range got[1:] {
			more := other[f.name]/first - 1
			worst = max(worst, math.Abs(more))
			line = append(line, thousands(other[f.name]), fmt.Sprintf("%+.1f %%", 100*more))
		}
		out.add(append(line, goal(worst, aloneGoal, "2 %"))...)
	}
	return out
}
