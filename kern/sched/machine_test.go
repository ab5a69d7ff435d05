package sched

import (
	"sync/atomic"
	"testing"
	"time"

	"mult/arch"
	"mult/arch/hosted"
	"mult/kern/proc"
	"mult/kern/vm"
)

// TestMachine has more programs that never call the kernel than there are
// processors: all of them run, and all of them can be killed.
func TestMachine(t *testing.T) {
	const threads = 12
	m := hosted.New(1 << 20)
	defer m.Close()
	w := newWorld(t, m.CPUs())
	w.sys.Clock, w.sys.Ticks = nil, m.Ticks
	w.sys.VM = &vm.System{Machine: m, Memory: m.Memory()}
	var runs [threads + 1]atomic.Int64
	m.User = func(c *arch.Context) {
		if n := w.inUser.Add(1); int(n) > m.CPUs() {
			t.Errorf("%d programs run", n)
		}
		runs[c.R15].Add(1)
		select {
		case <-m.Kicked(c):
		case <-time.After(20 * time.Millisecond): // the machine's own tick
		}
		w.inUser.Add(-1)
		c.Trap = arch.TrapInterrupt
	}
	w.start("machine", func(t *proc.Thread) {
		for i := range threads {
			t.Ctx.R15 = uint64(i)
			w.fork(t, func(c *proc.Thread) {
				for {
					if c.EnterUser() {
						m.Run(c.Ctx)
						c.LeaveUser()
					}
					if c.NextSignal().Kind == proc.DeliverExit {
						return
					}
				}
			})
		}
		for i := range threads {
			for runs[i].Load() < 3 {
				time.Sleep(time.Millisecond)
			}
		}
		t.Kill(-1, proc.SIGKILL)
		for range threads {
			if r, err := t.Wait4(-1, 0); err == nil && r.Usage.UTime == 0 {
				w.t.Errorf("%+v", r)
			} else if err != nil {
				t.NextSignal()
			}
		}
	})
	w.finish(1)
}
