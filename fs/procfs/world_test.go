package procfs

import (
	"io"
	"sync"
	"testing"
	"time"

	"mult/arch/hosted"
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/abi"
	"mult/kern/file"
	"mult/kern/host"
	"mult/kern/pipe"
	"mult/kern/proc"
	"mult/kern/sched"
	"mult/kern/vm"
)

// world runs Go functions as processes. What such a process runs is in progs.
type world struct {
	t       *testing.T
	m       *hosted.Machine
	sys     *proc.System
	members []inst.Member
	ended   chan proc.Status

	mu    sync.Mutex
	funcs map[uint64]func(t *proc.Thread)
	next  uint64
	progs map[*proc.Proc]*Program // exe and space without references
}

func newWorld(t *testing.T) *world {
	w := &world{
		t: t, m: hosted.New(32 << 20), ended: make(chan proc.Status, 4),
		funcs: map[uint64]func(*proc.Thread){}, progs: map[*proc.Proc]*Program{},
	}
	t.Cleanup(w.m.Close)
	w.sys = &proc.System{
		VM:         &vm.System{Machine: w.m, Memory: w.m.Memory()},
		Parts:      []proc.Part{vfs.Part, file.Part, {Name: "test", Exit: func(p *proc.Proc, _ *proc.Thread) { w.runs(p, nil) }}},
		InitExited: func(in *inst.Inst, s proc.Status) { w.ended <- s },
		Run: func(t *proc.Thread) {
			w.mu.Lock()
			f := w.funcs[t.Ctx.BX]
			w.mu.Unlock()
			f(t)
			t.Exit(proc.ExitStatus(0))
		},
	}
	w.members = []inst.Member{host.Member, sched.New(w.m.CPUs()).Member(), vfs.Member, file.Member, proc.Member(w.sys)}
	return w
}

// runs says what p runs.
func (w *world) runs(p *proc.Proc, g *Program) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old := w.progs[p]; old != nil {
		old.Exe.Release()
	}
	delete(w.progs, p)
	if g != nil {
		w.progs[p] = g
	}
}

func (w *world) program(p *proc.Proc) (Program, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	g := w.progs[p]
	if g == nil {
		return Program{}, false
	}
	n := *g
	if n.Space = p.Space(); n.Space == nil {
		return Program{}, false
	}
	n.Exe.Retain()
	return n, true
}

func (w *world) fn(f func(t *proc.Thread)) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	w.funcs[w.next] = f
	return w.next
}

// start starts an instance whose process 1 is f.
func (w *world) start(name string, f func(t *proc.Thread)) *inst.Inst {
	w.t.Helper()
	in := insttest.New(w.t, name, w.members...)
	root, err := tmpfs.New(in, w.m.Memory(), tmpfs.Options{Mode: 0o755})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := vfs.MountRoot(root, 0); err != nil {
		w.t.Fatal(err)
	}
	pr, err := New(in, NewTree(Sources{
		System: w.sys, Wall: func() int64 { return 1e18 + w.sys.Now() },
		Release: "6.1.0-test", Version: "test", Program: w.program,
		CPU: func() CPU { return CPU{Vendor: "Test", Flags: []string{"fpu", "sse"}} },
	}))
	if err != nil {
		w.t.Fatal(err)
	}
	st, err := vfs.NewState(in)
	if err != nil {
		w.t.Fatal(err)
	}
	c := &vfs.Caller{Inst: in, Cred: proc.RootCred(), FS: st}
	if err := c.Mkdir(nil, "/proc", 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := c.Mount(pr, "/proc", vfs.MS_NOSUID); err != nil {
		w.t.Fatal(err)
	}
	st.Release()
	space, err := vm.New(w.sys.VM, in)
	if err != nil {
		w.t.Fatal(err)
	}
	t, err := proc.Boot(in, space)
	if err != nil {
		w.t.Fatal(err)
	}
	t.SetComm("init")
	t.Ctx.BX = w.fn(f)
	t.Start()
	return in
}

// finish waits for the ends of instances and looks for what is left of them.
func (w *world) finish(ins ...*inst.Inst) {
	w.t.Helper()
	for range ins {
		select {
		case <-w.ended:
		case <-time.After(60 * time.Second):
			panic("instance doesn't end")
		}
	}
	for _, in := range ins {
		in.Release()
		for _, r := range []inst.Resource{inst.Heap, inst.Frames} {
			if n := in.Used(r); n != 0 {
				w.t.Errorf("%s: %d of resource %d left", in.Name(), n, r)
			}
		}
	}
}

func (w *world) run(f func(t *proc.Thread)) {
	w.t.Helper()
	w.finish(w.start("test", f))
}

// fork makes a process of f.
func (w *world) fork(t *proc.Thread, flags uint64, f func(t *proc.Thread)) int {
	ctx := t.Ctx.BX
	t.Ctx.BX = w.fn(f)
	pid, err := t.Fork1(proc.CloneArgs{Flags: flags, ExitSignal: 0})
	t.Ctx.BX = ctx
	if err != nil {
		w.t.Error(err)
	}
	return pid
}

// reap waits for a child.
func (w *world) reap(t *proc.Thread, pid int) {
	const wAll = 0x40000000 // __WALL
	for {
		_, err := t.Wait4(pid, wAll)
		if err == nil {
			return
		}
		if _, ok := err.(proc.Restart); !ok {
			w.t.Error(err)
			return
		}
		t.NextSignal()
	}
}

// load gives the process of t a program with arguments and environment.
func (w *world) load(t *proc.Thread, args, env string) {
	f, err := vfs.For(t).Open(nil, "/prog", abi.O_RDWR|abi.O_CREAT, 0o755)
	if err != nil {
		w.t.Error(err)
		return
	}
	s := t.Space()
	a, err := s.Map(vm.MapArgs{Len: 64 << 10, Prot: vm.Read | vm.Write, MaxProt: vm.Read | vm.Write})
	if err != nil {
		w.t.Error(err)
		return
	}
	obj, err := f.Object(t, vm.Read, false)
	if err == nil {
		_, err = s.Map(vm.MapArgs{Len: 4096, Prot: vm.Read | vm.Exec, MaxProt: 7, Object: obj, Offset: 0})
	}
	if err != nil {
		w.t.Error(err)
	}
	if err := s.CopyOut(a, []byte(args+env)); err != nil {
		w.t.Error(err)
	}
	mid := a + vm.Addr(len(args))
	w.runs(t.Proc, &Program{
		Exe: f, ArgStart: a, ArgEnd: mid, EnvStart: mid, EnvEnd: mid + vm.Addr(len(env)),
		CodeStart: 0x400000, CodeEnd: 0x401000, Auxv: make([]byte, 32),
	})
}

// read returns the content of a file, read in steps of n bytes.
func read(t *proc.Thread, path string, n int) (string, error) {
	f, err := vfs.For(t).Open(nil, path, abi.O_RDONLY, 0)
	if err != nil {
		return "", err
	}
	defer f.Release()
	return readAll(t, f, n)
}

func readAll(t *proc.Thread, f *file.File, n int) (string, error) {
	var out []byte
	b := make([]byte, n)
	for {
		n, err := f.Read(t, vm.KernelUio(b))
		if n == 0 || err != nil {
			return string(out), err
		}
		out = append(out, b[:n]...)
	}
}

func write(t *proc.Thread, path, s string) error {
	f, err := vfs.For(t).Open(nil, path, abi.O_WRONLY|abi.O_TRUNC, 0)
	if err != nil {
		return err
	}
	defer f.Release()
	n, err := f.Write(t, vm.KernelUio([]byte(s)))
	if err == nil && n != len(s) {
		err = io.ErrShortWrite
	}
	return err
}

// list returns the names in a directory, read with buffers for n entries.
func list(t *proc.Thread, path string, n int) (names []string, err error) {
	d, err := vfs.For(t).Open(nil, path, abi.O_RDONLY|abi.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	defer d.Release()
	for {
		k := 0
		err := d.ReadDir(t, func(e *abi.Dirent) bool {
			if k == n {
				return false
			}
			k++
			names = append(names, e.Name)
			return true
		})
		if err != nil || k == 0 {
			return names, err
		}
	}
}

// newPipe gives the process of t a pipe and returns its descriptors.
func newPipe(t *proc.Thread) (r, w int) {
	rf, wf, err := pipe.New(t, 0)
	if err != nil {
		panic(err)
	}
	tb := file.Of(t.Proc)
	r, _ = tb.Alloc(t, rf, 0, false)
	w, _ = tb.Alloc(t, wf, 0, true)
	return r, w
}
