package linux

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
)

// This file tells inst0 how the machine is: what it has of memory, and whether something
// is left of what has ended.

// debug writes counts of the machine, a name and a number in each line.
func (c *instCall) debug(in *inst.Inst) (uintptr, error) {
	if in != c.k.Inst0 || c.me != c.k.Inst0 {
		return 0, inst.Errorf(errno.EPERM, "the state of the machine is told to inst0 alone, when it asks for no other instance")
	}
	if c.a.Flags&abi.INST_GC != 0 {
		runtime.GC()         // what pools keep goes with the second collection
		debug.FreeOSMemory() // which gives all frames back that have no objects
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	memory := c.k.Proc.VM.Memory
	frames, heap := memory.Stats(), memory.HeapFrames()
	ending := 0
	for o := in.System().First(); o != nil; o = o.Next() {
		if o.Refs() == 0 {
			ending++
		}
	}
	var b []byte
	for _, v := range []struct {
		name string
		n    uint64
	}{
		{"frames.total", frames.Total},
		{"frames.free", frames.Free},
		{"frames.heap", heap},
		{"frames.used", frames.Total - frames.Free - heap},
		{"frames.charged", uint64(in.Used(inst.Frames))},
		{"heap.used", m.HeapAlloc},
		{"heap.objects", m.HeapObjects},
		{"heap.stacks", m.StackInuse},
		{"goroutines", uint64(runtime.NumGoroutine())},
		{"instances", uint64(in.System().Count())},
		{"instances.unfreed", uint64(ending)},
	} {
		b = fmt.Appendf(b, "%s %d\n", v.name, v.n)
	}
	out := output{c: c}
	_, err := out.add(b)
	return uintptr(out.n), err
}
