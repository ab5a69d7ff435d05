package proc

import (
	"sync"
	"testing"
	"time"

	"mult/arch/hosted"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/vm"
)

// A world is a machine with instances, whose programs are Go functions.
type world struct {
	t       *testing.T
	sys     *System
	members []inst.Member
	ended   chan Status

	mu    sync.Mutex
	progs map[uint64]func(t *Thread)
	next  uint64
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, sys: &System{}, ended: make(chan Status, 16), progs: map[uint64]func(*Thread){}}
	w.sys.Run = func(t *Thread) {
		w.mu.Lock()
		f := w.progs[t.Ctx.BX]
		delete(w.progs, t.Ctx.BX)
		w.mu.Unlock()
		f(t)
		t.Exit(ExitStatus(0))
	}
	w.sys.InitExited = func(in *inst.Inst, s Status) { w.ended <- s }
	w.members = []inst.Member{Member(w.sys)}
	return w
}

// withMemory gives the world address spaces.
func (w *world) withMemory() *world {
	m := hosted.New(8 << 20)
	w.t.Cleanup(m.Close)
	w.sys.VM = &vm.System{Machine: m, Memory: m.Memory()}
	return w
}

// program keeps f for the next thread, and returns its key.
func (w *world) program(f func(t *Thread)) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	w.progs[w.next] = f
	return w.next
}

func (w *world) instance(name string) *inst.Inst {
	w.t.Helper()
	in := insttest.New(w.t, name, w.members...)
	return in
}

// init makes process 1 of in, and before that of inst0 also proc0.
func (w *world) init(in *inst.Inst) (*Thread, error) {
	if in.Parent != nil {
		return ForkInst1(in)
	}
	var sp *vm.Space
	if w.sys.VM != nil {
		var err error
		if sp, err = vm.New(w.sys.VM, in); err != nil {
			return nil, err
		}
	}
	return Boot(in, sp)
}

// start runs f as process 1 of in.
func (w *world) start(in *inst.Inst, f func(t *Thread)) {
	w.t.Helper()
	t, err := w.init(in)
	if err != nil {
		w.t.Fatal(err)
	}
	t.Ctx.BX = w.program(f)
	t.Start()
}

// finish waits until process 1 of in has ended, and frees in.
func (w *world) finish(in *inst.Inst) Status {
	w.t.Helper()
	var s Status
	select {
	case s = <-w.ended:
	case <-time.After(60 * time.Second):
		panic("instance doesn't end")
	}
	w.check(in)
	return s
}

func (w *world) check(in *inst.Inst) {
	w.t.Helper()
	in.Release()
	if n := in.Used(inst.Heap); n != 0 {
		w.t.Errorf("%d bytes of heap are still charged", n)
	}
	if n := in.Used(inst.Frames); n != 0 {
		w.t.Errorf("%d frames are still charged", n)
	}
}

// run is an instance from start to finish.
func (w *world) run(f func(t *Thread)) Status {
	w.t.Helper()
	in := w.instance("test")
	w.start(in, f)
	return w.finish(in)
}

// clone makes a child or thread that runs f.
func (w *world) clone(t *Thread, a CloneArgs, f func(t *Thread)) (int, error) {
	for {
		t.Ctx.BX = w.program(f)
		id, err := t.Fork1(a)
		if err != ERestartNoIntr || t.NextSignal().Kind == DeliverExit {
			return id, err
		}
	}
}

// fork is clone as fork(2), with errors being fatal.
func (w *world) fork(t *Thread, f func(t *Thread)) int {
	pid, err := w.clone(t, CloneArgs{ExitSignal: SIGCHLD}, f)
	if err != nil && !t.Dying() {
		w.t.Errorf("fork: %v", err)
	}
	return pid
}

const threadFlags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM

func (w *world) thread(t *Thread, f func(t *Thread)) int {
	tid, err := w.clone(t, CloneArgs{Flags: threadFlags}, f)
	if err != nil && !t.Dying() {
		w.t.Errorf("thread: %v", err)
	}
	return tid
}

// wait is wait4 that goes on after signals.
func (w *world) wait(t *Thread, pid, options int) WaitResult {
	for {
		r, err := t.Wait4(pid, options)
		if err == ERestartSys {
			if d := t.NextSignal(); d.Kind != DeliverExit {
				continue
			}
		}
		if err != nil && !t.Dying() {
			w.t.Errorf("wait4(%d): %v", pid, err)
		}
		return r
	}
}

// sleepForever is a program that only signals end.
func sleepForever(t *Thread) {
	for t.NextSignal().Kind != DeliverExit {
		t.Pause()
	}
}

// eventually waits until f is true.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for range 20000 {
		if f() {
			return
		}
		time.Sleep(time.Millisecond / 2)
	}
	t.Errorf("never: %s", what)
}

// program is a stay of t in user mode, which begins with EnterUser.
func program(t *Thread, do func()) {
	t.Ctx.Entered = t.Now()
	do()
	t.Ctx.Left = t.Now()
	t.LeaveUser()
}
