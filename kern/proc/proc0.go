package proc

import (
	"mult/inst"
	"mult/kern/vm"
)

// This file makes the first processes of instances.
//
// Process 0, for short proc0, is the kernel's own process in inst0. It never enters
// user mode, and no program can name it: it is in no table, in no group and nobody's
// child. Its memory is what process 1 of every instance begins with, and every process
// that is executed in an instance from outside. Fork1 makes a child from its parent,
// ForkInst1 and ForkInto make one from proc0, and all are newChild.

// Boot makes proc0 with the memory sp, whose reference it takes over, and process 1 of
// in, which is inst0. nil: without memory. The caller gives the thread its registers,
// then calls Start.
func Boot(in *inst.Inst, sp *vm.Space) (*Thread, error) {
	tab := TableOf(in)
	p, t, err := tab.newProc(RootCred(), nil)
	if err != nil {
		if sp != nil {
			sp.Release()
		}
		return nil, err
	}
	p.comm = "kernel"
	p.sigs.handlers = new(handlers)
	p.defaultLimits()
	p.space = sp
	tab.mu.Lock()
	tab.proc0 = t
	tab.mu.Unlock()
	return ForkInst1(in)
}

// Proc0 returns the thread of proc0 of the machine that in is on; nil before Boot.
func Proc0(in *inst.Inst) *Thread {
	for in.Parent != nil {
		in = in.Parent
	}
	tab := TableOf(in)
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return tab.proc0
}

// ForkInst1 makes process 1 of an instance from proc0: a copy of its memory, for which
// in pays, its credentials and limits, and nothing else. The caller gives the thread its
// registers, then calls Start, or Abandon. ENOMEM also if in has had its process 1.
//
// In all instances but inst0 it begins with SIGTERM blocked: who wants the instance to end
// before its program is ready for that signal is not forgotten.
func ForkInst1(in *inst.Inst) (*Thread, error) {
	a := &CloneArgs{}
	if in.Parent != nil {
		a.blocked = SIGTERM.bit()
	}
	return Proc0(in).newChild(a, TableOf(in))
}

// ForkInto makes another process of an instance from proc0: a child of process 1, in a
// session of its own. ENOMEM also if process 1 has ended.
func ForkInto(in *inst.Inst) (*Thread, error) {
	return Proc0(in).newChild(&CloneArgs{into: true}, TableOf(in))
}

// Abandon ends a process of ForkInst1 or ForkInto that has not been started, on the
// goroutine of the one who made it, as when it exits; but nobody waits for it.
func (t *Thread) Abandon() {
	tab := t.Proc.tab
	tab.mu.Lock()
	t.Proc.quiet = true
	tab.mu.Unlock()
	t.startCharging()
	t.Exit(ExitStatus(1))
}
