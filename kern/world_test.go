package kern

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mult/arch"
	"mult/arch/hosted"
	"mult/inst"
	"mult/kern/klog"
	"mult/kern/linux"
	"mult/kern/linux/vdso"
	"mult/kern/proc"
	"mult/kern/vm"
)

// A world is a kernel on the host whose programs are Go functions. Each has a number,
// which is where its file says that it begins.
type world struct {
	t     *testing.T
	m     *hosted.Machine
	k     *Kernel
	log   text
	ended chan proc.Status
	ahead atomic.Int64 // ns that the clock was moved forward
	free  uint64       // frames at the start
	stays uint64       // that are not free in the end

	progs []prog
	users sync.Map // of threads, by registers and program
}

// A prog is called when a thread is in user mode and has no call to make: it says
// which one comes next.
type prog func(u *user)

// user is a thread in one program.
type user struct {
	w    *world
	cpu  *hosted.CPU
	x    *arch.Context
	step int // calls of the program before
	pid  uint64

	at    uint64 // where data goes, which is written before the call
	data  []byte
	ready bool // there is a call to make
	nr    uint64
	args  []uint64
}

// entry is where program n begins.
func entry(n int) uint64 { return 120 + uint64(n) }

// call makes a system call, whose result is u.x.AX in the next step.
func (u *user) call(nr uint64, args ...uint64) { u.nr, u.args, u.ready = nr, args, true }

// run is hosted.Machine.User.
func (w *world) run(x *arch.Context) {
	type key struct {
		x  *arch.Context
		ip uint64
	}
	v, found := w.users.Load(key{x, x.IP})
	if !found {
		v = &user{w: w, cpu: w.m.NewCPU(), x: x}
		w.users.Store(key{x, x.IP}, v)
	}
	u := v.(*user)
	if !u.ready {
		u.at, u.data = textAt+0x1000, nil
		w.progs[x.IP-textAt-entry(0)](u)
		u.step++
	}
	for ; len(u.data) > 0; u.at, u.data = u.at+1, u.data[1:] {
		if code, ok := u.cpu.Store(x.Root, u.at, u.data[0]); !ok {
			x.Trap, x.Addr, x.Err = arch.TrapPage, u.at, code
			return
		}
	}
	x.Trap = arch.TrapInterrupt
	if u.ready {
		u.ready = false
		x.Trap, x.AX = arch.TrapSyscall, u.nr
		for i, r := range []*uint64{&x.DI, &x.SI, &x.DX, &x.R10, &x.R8, &x.R9} {
			*r = 0
			if i < len(u.args) {
				*r = u.args[i]
			}
		}
	}
}

// machineUp is how long the machine has been running before its kernel starts, by its
// clock: it tells that from those of instances.
const machineUp = 1000 * 1e9

// start boots a kernel whose inst0 sleeps. The others run program 0.
func start(t *testing.T, files map[string][]byte, progs ...prog) *world {
	t.Helper()
	return startWith(t, func(*Config) {}, files, progs...)
}

// startWith is start with changes to what the machine gives.
func startWith(t *testing.T, change func(c *Config), files map[string][]byte, progs ...prog) *world {
	t.Helper()
	w := &world{t: t, m: hosted.New(32 << 20), ended: make(chan proc.Status, 1), progs: append(progs, sleeps)}
	w.m.User = w.run
	all := map[string][]byte{"init": program(entry(len(progs))), "sbin/instinit": program(entry(0))}
	for name, text := range files {
		if all[name] = text; text == nil {
			delete(all, name)
		}
	}
	w.stays = uint64(len(all)) + 2
	begin := time.Now()
	clock := func() int64 { return machineUp + int64(time.Since(begin)) + w.ahead.Load() }
	ram, pa := place(t, w.m, makeImage(t, all))
	w.free = w.m.Memory().Stats().Free
	var err error
	c := Config{
		Machine: w.m, Memory: w.m.Memory(), Log: klog.New(1<<20, clock, &w.log, klog.Info),
		Clock: clock, Ticks: w.m.Ticks, Wall: func() int64 { return 1e18 + clock() }, SetWall: func(int64) {},
		VDSO:      func() vdso.Params { return vdso.Params{} },
		HeapLimit: 1 << 30, Root: ram, RootPA: pa,
		Init:  []string{"/init"},
		Ended: func(s proc.Status) { w.ended <- s },
		Off:   func(bool) {},
	}
	change(&c)
	if w.k, err = Start(c); err != nil {
		t.Fatal(err)
	}
	return w
}

// finish ends inst0, and with it everything, and looks for what is left.
func (w *world) finish() {
	w.t.Helper()
	proc.TableOf(w.k.inst0).Kill(proc.SIGKILL)
	select {
	case <-w.ended:
	case <-time.After(time.Minute):
		panic("inst0 doesn't end")
	}
	if n := w.k.insts.Count(); n != 1 {
		w.t.Errorf("%d instances are left beside inst0", n-1)
	}
	w.k.inst0.Free() // panics if something is charged
	// What stays is the machine's, as in play, and of each program what isn't a whole
	// page of the image.
	if free := w.m.Memory().Stats().Free; free > w.free || free+w.stays < w.free {
		w.t.Errorf("%d frames were free, %d are now", w.free, free)
	}
	w.m.Close()
}

// mayMake are the settings of an instance below which others may be made.
var mayMake = linux.Settings{Limits: map[inst.Resource]int64{inst.Instances: inst.NoLimit}}

// inst makes an instance that must be possible. The test has a reference.
func (w *world) inst(parent *inst.Inst, name string) *inst.Inst {
	w.t.Helper()
	in, err := w.k.ForkInst1(nil, parent, name, mayMake, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return in
}

// dead returns a channel that is closed when in is dead.
func dead(in *inst.Inst) <-chan struct{} {
	c := make(chan struct{})
	var once sync.Once
	if _, s := in.Watch(func(s inst.State) {
		if s == inst.Dead {
			once.Do(func() { close(c) })
		}
	}); s == inst.Dead {
		once.Do(func() { close(c) })
	}
	return c
}

// gone gives the test's reference back and waits until in is dead.
func (w *world) gone(in *inst.Inst) {
	w.t.Helper()
	c := dead(in)
	in.Release()
	select {
	case <-c:
	case <-time.After(time.Minute):
		panic("an instance doesn't end")
	}
}

// Numbers of system calls.
const (
	callSigprocmask, callGetpid, callGettid, callFork, callExit = 14, 39, 186, 57, 60
)

// sleeps is a program that only sleeps.
func sleeps(u *user) { u.call(nrPause) }

// handles returns a program that exits when it gets a signal; handler is the number of
// one that exits. It closes ready when it does.
func handles(sig proc.Signal, handler int, ready *atomic.Int64) prog {
	return func(u *user) {
		switch u.step {
		case 0:
		case 1:
			u.data = make([]byte, 8)
			u.call(callSigprocmask, 2, u.at, 0, 8) // SIGTERM was blocked
			return
		default:
			ready.Add(1)
			u.call(nrPause)
			return
		}
		for _, v := range []uint64{textAt + entry(handler), 0x04000000, textAt + entry(handler), 0} {
			u.data = binary.LittleEndian.AppendUint64(u.data, v)
		}
		u.call(nrSigaction, uint64(sig), u.at, 0, 8)
	}
}

// exits returns a program that does nothing else.
func exits(code uint64) prog { return func(u *user) { u.call(callExit, code) } }

// A client is a process that makes the calls that the test wants.
type client struct {
	u     *user
	in    *inst.Inst
	pid   int // 0: process 1
	calls chan clientCall
	done  chan uint64 // results
	busy  bool        // makes a call
}

type clientCall struct {
	data []byte // for the memory at u.at
	nr   uint64
	args []uint64
}

// clients returns a program whose every process hands its client over.
func clients(to chan<- *client) prog {
	var mu sync.Mutex
	all := make(map[*user]*client)
	return func(u *user) {
		mu.Lock()
		c := all[u]
		mu.Unlock()
		if c == nil {
			c = &client{u: u, calls: make(chan clientCall), done: make(chan uint64, 1)}
			mu.Lock()
			all[u] = c
			mu.Unlock()
			to <- c
		} else if c.busy {
			c.busy = false
			c.done <- u.x.AX
		}
		select {
		case call, ok := <-c.calls:
			if !ok {
				u.call(callExit, 0)
				return
			}
			c.busy, u.data = true, call.data
			u.call(call.nr, call.args...)
		default: // others need the processor
			time.Sleep(50 * time.Microsecond)
		}
	}
}

// call makes a call and returns its result.
func (c *client) call(data []byte, nr uint64, args ...uint64) int64 {
	c.calls <- clientCall{data, nr, args}
	return int64(<-c.done)
}

// memory reads the client's.
func (c *client) memory(at uint64, n int) []byte {
	b := make([]byte, n)
	sp := proc.TableOf(c.in).Find(max(c.pid, 1)).Space()
	defer sp.Release()
	if err := sp.CopyIn(b, vm.Addr(at)); err != nil {
		panic(err)
	}
	return b
}
