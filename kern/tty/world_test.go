package tty

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"mult/arch/hosted"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// A world is a machine with instances, whose programs are functions.
type world struct {
	t       *testing.T
	m       *hosted.Machine
	sys     *proc.System
	members []inst.Member
	next    chan func(*thread) // programs of threads that are about to start
}

func newWorld(t *testing.T) *world {
	m := hosted.New(16 << 20)
	w := &world{t: t, m: m, next: make(chan func(*thread), 1)}
	w.sys = &proc.System{VM: &vm.System{Machine: m, Memory: m.Memory()}, Parts: []proc.Part{file.Part}}
	w.sys.Run = func(pt *proc.Thread) {
		th := &thread{Thread: pt, w: w}
		defer pt.ExitGroup(0)
		(<-w.next)(th)
	}
	w.members = []inst.Member{proc.Member(w.sys), file.Member, Member}
	t.Cleanup(m.Close)
	return w
}

// inst makes an instance without processes.
func (w *world) inst(name string) *inst.Inst {
	w.t.Helper()
	in := insttest.New(w.t, name, w.members...)
	return in
}

// boot runs init as process 1 of in, and returns when all of in has ended.
func (w *world) boot(in *inst.Inst, init func(th *thread)) {
	w.t.Helper()
	sp, err := vm.New(w.sys.VM, in)
	if err != nil {
		w.t.Fatal(err)
	}
	th, err := proc.Boot(in, sp)
	if err != nil {
		w.t.Fatal(err)
	}
	done := make(chan struct{})
	var once sync.Once
	w.sys.InitExited = func(*inst.Inst, proc.Status) { once.Do(func() { close(done) }) }
	w.next <- init
	th.Start()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		w.t.Fatal("the instance doesn't end")
	}
}

// end frees an instance and looks for what it left behind.
func (w *world) end(in *inst.Inst) {
	w.t.Helper()
	in.Release()
	if n := in.Used(inst.Heap); n != 0 {
		w.t.Errorf("instance %s has %d bytes of heap left", in.Name(), n)
	}
	if n := in.Used(inst.Frames); n != 0 {
		w.t.Errorf("instance %s has %d frames left", in.Name(), n)
	}
}

// A thread is a program that runs.
type thread struct {
	*proc.Thread
	w   *world
	mem vm.Addr // a page to pass arguments in
	// handled are the signals that handlers ran for.
	handled []proc.Signal
}

// fork runs a program as a child and returns its number.
func (th *thread) fork(f func(th *thread)) int {
	th.w.next <- f
	pid, err := th.Fork1(proc.CloneArgs{ExitSignal: proc.SIGCHLD})
	if err != nil {
		th.w.t.Error("fork: ", err)
		<-th.w.next
	}
	return pid
}

// call makes a system call, with signals and restarts as in a thread's loop.
func (th *thread) call(f func() error) error {
	for {
		err := f()
		var r proc.Restart
		again := errors.As(err, &r)
		for more := true; more; {
			switch d := th.NextSignal(); d.Kind {
			case proc.DeliverExit:
				th.ExitGroup(0)
				runtime.Goexit()
			case proc.DeliverHandler:
				th.handled = append(th.handled, d.Info.Signo)
				th.SetSigMask(d.Mask)
				if again && !r.Again(d.Action.Flags) {
					err, again = errno.EINTR, false
				}
			default:
				more = false
			}
		}
		if !again {
			return err
		}
	}
}

func (th *thread) handle(sigs ...proc.Signal) {
	for _, s := range sigs {
		if _, err := th.Sigaction(s, &proc.Action{Handler: 0x1000}); err != nil {
			th.w.t.Error(err)
		}
	}
}

func (th *thread) ignore(sigs ...proc.Signal) {
	for _, s := range sigs {
		if _, err := th.Sigaction(s, &proc.Action{Handler: proc.SIG_IGN}); err != nil {
			th.w.t.Error(err)
		}
	}
}

// await pauses until a handler ran for sig.
func (th *thread) await(sig proc.Signal) {
	for {
		for _, s := range th.handled {
			if s == sig {
				th.handled = nil
				return
			}
		}
		th.call(func() error { return th.Pause() })
	}
}

// open opens a terminal.
func (th *thread) open(y *TTY, flags int) *file.File {
	impl, err := y.Open(th.Thread, flags)
	if err != nil {
		th.w.t.Error("open: ", err)
		return nil
	}
	return th.file(impl, flags)
}

func (th *thread) file(impl file.Impl, flags int) *file.File {
	f, err := file.New(th.Proc.Inst, impl, flags)
	if err != nil {
		th.w.t.Error("open: ", err)
	}
	return f
}

func (th *thread) read(f *file.File, n int) (string, error) {
	b := make([]byte, n)
	err := th.call(func() (err error) {
		n, err = f.Read(th.Thread, vm.KernelUio(b))
		return err
	})
	if err != nil {
		n = 0
	}
	return string(b[:n]), err
}

func (th *thread) write(f *file.File, s string) (n int, err error) {
	err = th.call(func() (err error) {
		n, err = f.Write(th.Thread, vm.KernelUio([]byte(s)))
		return err
	})
	return n, err
}

// arg puts b where an ioctl finds it.
func (th *thread) arg(b []byte) vm.Addr {
	if th.mem == 0 {
		a, err := th.Space().Map(vm.MapArgs{Len: vm.PageSize, Prot: vm.Read | vm.Write})
		if err != nil {
			th.w.t.Error("mmap: ", err)
		}
		th.mem = a
	}
	if err := th.Space().CopyOut(th.mem, b); err != nil {
		th.w.t.Error("copy out: ", err)
	}
	return th.mem
}

// ioctl calls with a pointer to b, in which the answer is then.
func (th *thread) ioctl(f *file.File, cmd uint32, b []byte) error {
	a := th.arg(b)
	err := th.ioctlAt(f, cmd, a)
	if e := th.Space().CopyIn(b, a); e != nil {
		th.w.t.Error("copy in: ", e)
	}
	return err
}

func (th *thread) ioctlAt(f *file.File, cmd uint32, a vm.Addr) error {
	return th.call(func() error {
		_, err := f.Ioctl(th.Thread, cmd, a)
		return err
	})
}

func (th *thread) ioctlInt(f *file.File, cmd uint32, v int) (int, error) {
	b := []byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
	err := th.ioctl(f, cmd, b)
	return int(int32(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24)), err
}

// set changes the settings.
func (th *thread) set(f *file.File, change func(*Termios)) error {
	var b [termios2Size]byte
	if err := th.ioctl(f, tcgets2, b[:]); err != nil {
		return err
	}
	var tm Termios
	tm.get(b[:])
	change(&tm)
	tm.put(b[:])
	return th.ioctl(f, tcsets2, b[:])
}

// want reports an error that isn't the one to come.
func (th *thread) want(what string, err, want error) {
	th.w.t.Helper()
	if err != want {
		th.w.t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// screen is what a console shows: a line that takes output at once, or holds
// it back.
type screen struct {
	mu    sync.Mutex
	cond  *sync.Cond
	shown []byte
	held  bool
}

func newScreen() *screen {
	s := new(screen)
	s.cond = sync.NewCond(&s.mu)
	return s
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.held {
		s.cond.Wait()
	}
	s.shown = append(s.shown, b...)
	s.cond.Broadcast()
	return len(b), nil
}

func (s *screen) hold(on bool) {
	s.mu.Lock()
	s.held = on
	s.cond.Broadcast()
	s.mu.Unlock()
}

// wait returns when the screen shows exactly want, and clears it.
func (s *screen) wait(t *testing.T, want string) {
	t.Helper()
	late := time.AfterFunc(10*time.Second, func() { s.hold(false) })
	defer late.Stop()
	end := time.Now().Add(10 * time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	for string(s.shown) != want {
		if time.Now().After(end) {
			t.Errorf("shows %q, want %q", s.shown, want)
			return
		}
		s.cond.Wait()
	}
	s.shown = nil
}

// console makes an instance with a console.
func (w *world) console(name string) (*inst.Inst, *Console, *screen) {
	in := w.inst(name)
	s := newScreen()
	c, err := NewConsole(in, "/dev/ttyS0", 4, 64, s)
	if err != nil {
		w.t.Fatal(err)
	}
	return in, c, s
}

const rdwr = abi.O_RDWR
