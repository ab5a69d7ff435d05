package pipe

import (
	"runtime"
	"testing"

	"mult/arch/hosted"
	"mult/inst"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// kernel is a machine with one instance, whose process 1 is played by the test.
type kernel struct {
	in   *inst.Inst
	t    *proc.Thread
	work chan func(t *proc.Thread) // for threads that start
}

func newKernel(tb testing.TB) *kernel {
	tb.Helper()
	// Not closed: threads may be ending still when the test is over.
	m := hosted.New(8 << 20)
	k := &kernel{work: make(chan func(t *proc.Thread), 1)}
	sys := &proc.System{
		VM:    &vm.System{Machine: m, Memory: m.Memory()},
		Run:   func(t *proc.Thread) { (<-k.work)(t) },
		Parts: []proc.Part{file.Part},
	}
	members := []inst.Member{proc.Member(sys), file.Member}
	in, err := inst.New("test", nil, members)
	if err != nil {
		tb.Fatal(err)
	}
	sp, err := vm.New(sys.VM, in)
	if err != nil {
		tb.Fatal(err)
	}
	_, t, err := proc.TableOf(in).NewInit(sp, proc.RootCred(), "init")
	if err != nil {
		tb.Fatal(err)
	}
	k.in, k.t = in, t
	return k
}

const threadFlags = proc.CLONE_VM | proc.CLONE_FS | proc.CLONE_FILES | proc.CLONE_SIGHAND | proc.CLONE_THREAD

// spawn runs f on a new thread or, with other flags, process; the channel is
// closed when f is over.
func (k *kernel) spawn(tb testing.TB, flags uint64, f func(t *proc.Thread)) <-chan struct{} {
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
	if _, err := k.t.Fork1(a); err != nil {
		tb.Fatal(err)
	}
	return done
}

// until waits for something that another thread is about to do.
func until(f func() bool) {
	for !f() {
		runtime.Gosched()
	}
}
