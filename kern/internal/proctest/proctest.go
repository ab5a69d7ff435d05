// Package proctest has the processes that tests of other packages work for: a
// machine on the host with one instance, whose process 1 the test plays. Only
// tests may import it.
package proctest

import (
	"runtime"
	"testing"

	"mult/arch/hosted"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/proc"
	"mult/kern/vm"
)

// ThreadFlags are what Spawn needs for a thread.
const ThreadFlags = proc.CLONE_VM | proc.CLONE_FS | proc.CLONE_FILES | proc.CLONE_SIGHAND | proc.CLONE_THREAD

// A Kernel is a machine with one instance.
type Kernel struct {
	In *inst.Inst   // [const]
	T  *proc.Thread // [const] the thread of process 1, which is the test's goroutine

	work chan func(t *proc.Thread) // for threads that start
}

// New makes one with the members that the package under test needs beside
// proc's. clock is the monotonic one; nil: the host's.
func New(tb testing.TB, clock func() int64, members []inst.Member, parts ...proc.Part) *Kernel {
	tb.Helper()
	// Not closed: threads may be ending still when the test is over.
	m := hosted.New(8 << 20)
	k := &Kernel{work: make(chan func(t *proc.Thread), 1)}
	sys := &proc.System{
		VM:    &vm.System{Machine: m, Memory: m.Memory()},
		Run:   func(t *proc.Thread) { (<-k.work)(t) },
		Clock: clock,
		Parts: parts,
	}
	in := insttest.New(tb, "test", append([]inst.Member{proc.Member(sys)}, members...)...)
	sp, err := vm.New(sys.VM, in)
	if err != nil {
		tb.Fatal(err)
	}
	t, err := proc.Boot(in, sp)
	if err != nil {
		tb.Fatal(err)
	}
	k.In, k.T = in, t
	return k
}

// Spawn runs f on a new thread or, with other flags, process; the channel is
// closed when f is over.
func (k *Kernel) Spawn(tb testing.TB, flags uint64, f func(t *proc.Thread)) <-chan struct{} {
	tb.Helper()
	done := make(chan struct{})
	k.work <- func(t *proc.Thread) {
		f(t)
		close(done)
	}
	a := proc.CloneArgs{Flags: flags, ExitSignal: proc.SIGCHLD}
	if flags&proc.CLONE_THREAD != 0 {
		a.ExitSignal = 0
	}
	if _, err := k.T.Fork1(a); err != nil {
		tb.Fatal(err)
	}
	return done
}

// Until waits for something that another thread is about to do.
func Until(f func() bool) {
	for !f() {
		runtime.Gosched()
	}
}
