package kern

import (
	"strconv"
	"testing"

	"mult/kern/abi"
	"mult/kern/errno"
)

// TestDebug has inst0 look at the machine, before an instance, with it and afterwards.
// Others are told nothing, and nothing is told of them.
func TestDebug(t *testing.T) {
	m := &managed{come: make(chan *client)}
	m.world = start(t, map[string][]byte{"init": program(entry(0))}, clients(m.come))
	zero := m.arrived(m.k.inst0)
	look := func() map[string]int {
		t.Helper()
		x := op(abi.INST_DEBUG, "")
		x.Flags = abi.INST_GC
		x = zero.ctl(x)
		if x.n < 0 {
			t.Fatalf("%v: %s", errno.Errno(-x.n), x.text)
		}
		counts := make(map[string]int)
		for _, name := range []string{
			"frames.total", "frames.free", "frames.used", "heap.used", "heap.objects", "goroutines", "instances", "instances.unfreed",
		} {
			n, err := strconv.Atoi(field(x.out, name))
			if err != nil {
				t.Fatalf("%s: %v in\n%s", name, err, x.out)
			}
			counts[name] = n
		}
		return counts
	}
	end := func(c *client) {
		close(c.calls)
		m.gone(c.in)
	}
	end(m.forkInst(m.k.inst0, "first")) // its program stays in memory
	before := look()
	if before["instances"] != 1 || before["frames.total"] <= before["frames.free"] || before["heap.used"] == 0 || before["goroutines"] == 0 {
		t.Errorf("counts are %v", before)
	}
	c := m.forkInst(m.k.inst0, "c")
	with := look()
	if with["instances"] != 2 || with["instances.unfreed"] != 0 || with["frames.used"] <= before["frames.used"] {
		t.Errorf("with an instance: %v; before: %v", with, before)
	}
	for _, x := range []struct {
		client *client
		name   string
	}{{c, ""}, {zero, "c"}} {
		if x := x.client.ctl(op(abi.INST_DEBUG, x.name)); x.n != -int64(errno.EPERM) || x.text == "" {
			t.Errorf("about %q: %d %q", x.name, x.n, x.text)
		}
	}
	end(c)
	after := look()
	if after["instances"] != 1 || after["frames.used"] != before["frames.used"] || after["frames.free"] != before["frames.free"] {
		t.Errorf("afterwards: %v; before: %v", after, before)
	}
	m.world.finish()
}
