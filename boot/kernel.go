//go:build tamago

package boot

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"
	"time"
	"unsafe"

	"mult/arch/amd64"
	"mult/kern"
	"mult/kern/linux/vdso"
	"mult/kern/mem"
	"mult/kern/proc"
)

// StartKernel runs the programs of the root image: init, or the command of the
// option run. When process 1 ends, the machine is switched off.
func (m *Machine) StartKernel() error {
	memory, err := newMemory()
	if err != nil {
		return err
	}
	heap := budgetOf(memory.Stats().Total)
	c := kern.Config{
		Machine:   new(amd64.Machine),
		Memory:    memory,
		HeapLimit: int64(heap.charge * mem.PageSize),
		HeapFull:  heapFull(int64(heap.full)),
		Log:       m.Log,
		Clock:     Monotonic,
		Ticks:     func() int64 { return int64(amd64.TSC()) },
		TickTime: func(ticks int64) int64 {
			// Below 0: the counters of two processors differ a little.
			return int64(clk.Span(uint64(max(ticks, 0))))
		},
		Away:    runtime.Away,
		Wall:    Wall,
		SetWall: SetWall,
		VDSO: func() vdso.Params {
			before, after := clk.Segments()
			return vdso.Params{Before: before, After: after, Wall: wallOffset.Load()}
		},
		CPU:        cpu,
		Cmdline:    string(info.Cmdline()),
		Root:       m.Initrd,
		RootPA:     mem.PA(m.rootPA),
		Console:    m.Console(),
		Init:       append([]string{m.Options.InitPath}, m.Options.Init...),
		Ended:      m.ended,
		DebugCalls: m.Options.DebugCalls,
		Instances:  m.Options.InstMax,
		Off: func(restart bool) {
			if restart {
				Reboot()
			}
			PowerOff()
		},
	}
	c.HWCap, c.HWCap2 = amd64.HWCap()
	if command := m.Options.Command(); command != "" {
		c.Init = []string{"/bin/sh", "-c", command}
		c.Raw = true
	}
	k, err := kern.Start(c)
	if err == nil {
		running.Store(k)
	}
	return err
}

// running is the kernel, when it runs.
var running atomic.Pointer[kern.Kernel]

// budget says how large the Go heap may be, in frames. It can't be refused
// memory, so what makes it grow is held back in time.
type budget struct {
	charge  uint64 // instances are charged for at most so much
	collect uint64 // the collector works as hard as it must to stay below
	full    uint64 // instances are refused anything from here on
	keep    uint64 // programs leave so much to the heap
}

// budgetOf returns the budget of a machine. Objects that instances have paid for
// are less than half of what the collector allows: it needs room, and so do
// holes between objects. They are more than that only if somebody makes many
// objects and keeps a few of all over the heap; that is what full is for.
// Between full and keep is the room for what isn't charged, because it is
// garbage soon.
func budgetOf(total uint64) budget {
	return budget{charge: total / 10, collect: total / 5, full: total * 9 / 40, keep: total / 4}
}

// gcPercent is how much garbage there may be, in percent of what is in use, before the
// heap is collected. Programs can't have the memory that is kept for the heap anyway, and
// with a thousand instances to look through a collection takes long.
const gcPercent = 400

// heapFull returns what tells that the heap has more than so many frames. Then
// it is collected as well, since it may not grow enough any more to be collected
// by itself.
func heapFull(frames int64) func() bool {
	kick := make(chan struct{}, 1)
	go func() {
		for range kick {
			start := Monotonic()
			debug.FreeOSMemory()
			// Refused calls in a loop don't make it a loop of collections.
			time.Sleep(4 * time.Duration(Monotonic()-start))
		}
	}()
	return func() bool {
		if amd64.HeapFrames.Load() <= frames {
			return false
		}
		select {
		case kick <- struct{}{}:
		default:
		}
		return true
	}
}

// newMemory makes the counts of users of all frames, in frames of their own.
func newMemory() (*mem.Memory, error) {
	n := mem.RefBytes(memoryLimit)
	pa, ok := Frames.AllocRun((n+amd64.PageSize-1)/amd64.PageSize, 0, 0)
	if !ok {
		return nil, fmt.Errorf("no %d KiB of memory in one piece for the counts of frames", n>>10)
	}
	refs := unsafe.Slice((*atomic.Int32)(amd64.Ptr(uint64(pa))), n/4)
	clear(amd64.Bytes(uint64(pa), int(n)))
	m := mem.NewMemory(&Frames, amd64.Ptr(0), refs)
	heap := budgetOf(m.Stats().Total)
	m.Keep(heap.keep, &amd64.HeapFrames)
	debug.SetMemoryLimit(int64(heap.collect * mem.PageSize))
	debug.SetGCPercent(gcPercent)
	return m, nil
}

// ended is called when process 1 of inst0 has ended. tools/run reads what it
// logs.
func (m *Machine) ended(s proc.Status) {
	const kib = mem.PageSize >> 10
	m.Log.Infof("memory: the kernel's heap had at most %d KiB; %d KiB are left to it",
		amd64.HeapPeak()*kib, budgetOf(Frames.Stats().Total).keep*kib)
	if sig := s.Signal(); sig != 0 {
		m.Log.Noticef("mult: process 1 ended with signal %d", sig)
	} else {
		m.Log.Noticef("mult: process 1 ended with status %d", s.Code())
	}
	PowerOff()
}
