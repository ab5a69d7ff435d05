//go:build long

package usertest

import (
	"math"
	"strconv"
	"testing"
	"time"

	"mult/qemu"
	"mult/qemu/qemutest"
)

// counted is QEMU as a counter of instructions, of which each takes the guest 32
// nanoseconds: what the host takes away is no time of the guest, so times can be judged on
// a host that is busy, too.
var counted = []string{"-icount", "shift=5,sleep=off"}

// TestLongFair measures how instances share the processors for a minute: each of a thousand
// is within a quarter of their mean, weights of 1 to 2 to 4 are within a tenth, and a cap of a
// tenth of a processor within two hundredths.
//
// A QEMU that counts instructions has its processors take turns: one goes on until a timer of
// any of them is due. When their ticks come at the same time, it can be always the same one:
// the other has a few hundred instructions of each tick, no more than its interrupt takes, for
// 140 ms and longer. All that is charged to the thread it has, and is more than one of a
// thousand has in the minute. So the thousand are on a machine with one processor.
func TestLongFair(t *testing.T) {
	for _, tt := range []struct {
		name, args string
		cpus       int
		check      func(t *testing.T, g *qemutest.Guest)
	}{
		{"even", "even 1000 60", 1, func(t *testing.T, g *qemutest.Guest) {
			even(t, g, `fair: CPU time of 1000 instances`, 0.25, true)
		}},
		{"weights", "weights 60 100 200 400", 2, func(t *testing.T, g *qemutest.Guest) {
			even(t, g, `fair: CPU time by weight of 3 instances`, 0.1, true)
		}},
		{"cap", "cap 60 10", 2, func(t *testing.T, g *qemutest.Guest) {
			m := g.Expect(`fair: with a cap of 10 percent: (\S+) percent\n`, bootLimit)
			t.Log(m[0])
			if got, err := strconv.ParseFloat(m[1], 64); err != nil || math.Abs(got-10) > 2 {
				t.Error(m[0])
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := qemu.Config{Machine: qemu.Q35, CPUs: tt.cpus, Memory: qemu.GiB, Accel: qemu.TCG, Args: counted}
			g := start(t, cfg, "")
			g.Expect(`[#$] `, bootLimit)
			g.Send("/test/fair " + tt.args + "\n")
			g.Expect(`fair: \d+ instances compute\n`, 15*time.Minute)
			g.Expect(`fair: measured\n`, 15*time.Minute)
			tt.check(t, g)
			g.Send("poweroff\n")
			g.ExpectEnd(qemu.OK, 5*time.Minute)
		})
	}
}
