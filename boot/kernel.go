//go:build tamago

package boot

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
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
	c := kern.Config{
		Machine:   new(amd64.Machine),
		Memory:    memory,
		HeapLimit: int64(memory.Stats().Total / 10 * mem.PageSize),
		Log:       m.Log,
		Clock:     Monotonic,
		Ticks:     func() int64 { return int64(amd64.TSC()) },
		TickTime:  func(ticks int64) int64 { return int64(clk.Span(uint64(ticks))) },
		Wall:      Wall,
		SetWall:   SetWall,
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
	// The Go heap can't be refused memory: a fifth of it is left to the
	// heap, of which instances may use half, so that the collector has room.
	heap := m.Stats().Total / 5
	m.Keep(heap)
	debug.SetMemoryLimit(int64(heap * mem.PageSize))
	return m, nil
}

// ended is called when process 1 of inst0 has ended. tools/run reads what it
// logs.
func (m *Machine) ended(s proc.Status) {
	if sig := s.Signal(); sig != 0 {
		m.Log.Noticef("mult: process 1 ended with signal %d", sig)
	} else {
		m.Log.Noticef("mult: process 1 ended with status %d", s.Code())
	}
	PowerOff()
}
