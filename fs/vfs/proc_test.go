package vfs_test

import (
	"sync"
	"testing"
	"time"

	"mult/arch/hosted"
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// world runs Go functions as processes.
type world struct {
	t       *testing.T
	m       *hosted.Machine
	sys     *proc.System
	members []inst.Member
	ended   chan proc.Status

	mu    sync.Mutex
	progs map[uint64]func(t *proc.Thread)
	next  uint64
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, m: hosted.New(16 << 20), ended: make(chan proc.Status, 4), progs: map[uint64]func(*proc.Thread){}}
	t.Cleanup(w.m.Close)
	w.sys = &proc.System{
		VM:         &vm.System{Machine: w.m, Memory: w.m.Memory()},
		Parts:      []proc.Part{vfs.Part, file.Part},
		InitExited: func(in *inst.Inst, s proc.Status) { w.ended <- s },
		Run: func(t *proc.Thread) {
			w.mu.Lock()
			f := w.progs[t.Ctx.BX]
			w.mu.Unlock()
			f(t)
			t.Exit(proc.ExitStatus(0))
		},
	}
	w.members = []inst.Member{vfs.Member, file.Member, proc.Member(w.sys)}
	return w
}

func (w *world) program(f func(t *proc.Thread)) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.next++
	w.progs[w.next] = f
	return w.next
}

// run is an instance whose process 1 is f, from start to finish.
func (w *world) run(f func(t *proc.Thread)) {
	w.t.Helper()
	in := insttest.New(w.t, "test", w.members...)
	super, err := tmpfs.New(in, w.m.Memory(), tmpfs.Options{})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := vfs.MountRoot(super, 0); err != nil {
		w.t.Fatal(err)
	}
	space, err := vm.New(w.sys.VM, in)
	if err != nil {
		w.t.Fatal(err)
	}
	t, err := proc.Boot(in, space)
	if err != nil {
		w.t.Fatal(err)
	}
	t.Ctx.BX = w.program(f)
	t.Start()
	select {
	case <-w.ended:
	case <-time.After(60 * time.Second):
		panic("instance doesn't end")
	}
	in.Release()
	for _, r := range []inst.Resource{inst.Heap, inst.Frames} {
		if n := in.Used(r); n != 0 {
			w.t.Errorf("%d of resource %d left", n, r)
		}
	}
}

// child makes a process of f and waits for its end.
func (w *world) child(t *proc.Thread, flags uint64, f func(t *proc.Thread)) {
	w.t.Helper()
	t.Ctx.BX = w.program(f)
	if _, err := t.Fork1(proc.CloneArgs{Flags: flags, ExitSignal: 0}); err != nil {
		w.t.Error(err)
		return
	}
	const wAll = 0x40000000 // __WALL
	for {
		_, err := t.Wait4(-1, wAll)
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

func TestProcessState(t *testing.T) {
	w := newWorld(t)
	w.run(func(th *proc.Thread) {
		c := vfs.For(th)
		if err := c.Mkdir(nil, "/d", 0o755); err != nil {
			t.Error(err)
		}
		c.FS.SetUmask(0o077)
		w.child(th, 0, func(th *proc.Thread) {
			c := vfs.For(th)
			if c.FS.SetUmask(0) != 0o077 {
				t.Error("the umask is not inherited")
			}
			if err := c.Chdir(nil, "/d"); err != nil {
				t.Error(err)
			}
		})
		if d, _ := c.Getcwd(); d != "/" || c.FS.Umask() != 0o077 {
			t.Errorf("a child changes its parent: %q", d)
		}
		w.child(th, proc.CLONE_FS, func(th *proc.Thread) {
			if err := vfs.For(th).Chdir(nil, "/d"); err != nil {
				t.Error(err)
			}
			if err := vfs.Unshare(th); err != nil {
				t.Error(err)
			}
			vfs.For(th).Chdir(nil, "/")
		})
		if d, _ := c.Getcwd(); d != "/d" {
			t.Errorf("with CLONE_FS the parent is in %q", d)
		}
	})
}

func TestFIFO(t *testing.T) {
	w := newWorld(t)
	w.run(func(th *proc.Thread) {
		c := vfs.For(th)
		if err := c.Mknod(nil, "/fifo", abi.S_IFIFO|0o644, 0); err != nil {
			t.Error(err)
		}
		if _, err := c.Open(nil, "/fifo", abi.O_WRONLY|abi.O_NONBLOCK, 0); err != errno.ENXIO {
			t.Errorf("a writer without reader: %v", err)
		}
		r, err := c.Open(nil, "/fifo", abi.O_RDONLY|abi.O_NONBLOCK, 0)
		if err != nil {
			t.Error(err)
			return
		}
		w.child(th, 0, func(th *proc.Thread) {
			f, err := vfs.For(th).Open(nil, "/fifo", abi.O_WRONLY, 0)
			if err != nil {
				t.Error(err)
				return
			}
			if _, err := f.Write(th, vm.KernelUio([]byte("through"))); err != nil {
				t.Error(err)
			}
			f.Release()
		})
		b := make([]byte, 20)
		n, err := r.Read(th, vm.KernelUio(b))
		if string(b[:n]) != "through" || err != nil {
			t.Errorf("%q, %v", b[:n], err)
		}
		if s, err := r.Stat(th); err != nil || s.Mode != abi.S_IFIFO|0o644 {
			t.Errorf("stat: %+v, %v", s, err)
		}
		if _, err := r.Seek(th, 0, 0); err != errno.ESPIPE {
			t.Errorf("seek: %v", err)
		}
		if _, ok := r.Impl.(file.Poller); !ok {
			t.Error("a FIFO that can't be polled")
		}
		r.Release()
	})
}

// TestFile uses the calls of file on files from here.
func TestFile(t *testing.T) {
	w := newWorld(t)
	w.run(func(th *proc.Thread) {
		c := vfs.For(th)
		f, err := c.Open(nil, "/f", abi.O_RDWR|abi.O_CREAT|abi.O_APPEND, 0o644)
		if err != nil {
			t.Error(err)
			return
		}
		defer f.Release()
		for _, s := range []string{"one", "two"} {
			f.Seek(th, 0, abi.SEEK_SET)
			if _, err := f.Write(th, vm.KernelUio([]byte(s))); err != nil {
				t.Error(err)
			}
		}
		if pos, _ := f.Seek(th, 0, abi.SEEK_CUR); pos != 6 {
			t.Errorf("position %d after appending", pos)
		}
		b := make([]byte, 10)
		if n, err := f.Pread(th, vm.KernelUio(b), 0); string(b[:n]) != "onetwo" || err != nil {
			t.Errorf("%q, %v", b[:n], err)
		}
		if _, err := th.Prlimit(0, proc.RLIMIT_FSIZE, &proc.Rlimit{Cur: 8, Max: 8}); err != nil {
			t.Error(err)
		}
		th.SetSigMask(^proc.Sigset(0))
		if n, err := f.Write(th, vm.KernelUio([]byte("long"))); n != 2 || err != nil {
			t.Errorf("a write over the limit: %d, %v", n, err)
		}
		if th.SigPending() != 0 {
			t.Error("a signal for a write that fits in part")
		}
		if _, err := f.Write(th, vm.KernelUio([]byte("x"))); err != errno.EFBIG {
			t.Errorf("a write at the limit: %v", err)
		}
		if th.SigPending() == 0 {
			t.Error("no signal")
		}
		if err := f.Truncate(th, 9); err != errno.EFBIG {
			t.Errorf("truncate over the limit: %v", err)
		}
		if err := c.Truncate("/f", 3); err != nil {
			t.Error(err)
		}
		if s, _ := f.Stat(th); s.Size != 3 || s.Ino == 0 || s.Dev == 0 {
			t.Errorf("%+v", s)
		}
		d, err := c.Open(nil, "/", abi.O_RDONLY|abi.O_DIRECTORY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer d.Release()
		if _, err := d.Read(th, vm.KernelUio(b)); err != errno.EISDIR {
			t.Errorf("read of a directory: %v", err)
		}
		n := 0
		d.ReadDir(th, func(*abi.Dirent) bool { n++; return true })
		if n != 3 {
			t.Errorf("%d entries", n)
		}
	})
}

func TestBorrow(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *proc.Thread) {
		c := vfs.Borrow(t)
		if *c != *vfs.For(t) {
			w.t.Errorf("Borrow: %+v, For: %+v", *c, *vfs.For(t))
		}
		if n := testing.AllocsPerRun(100, func() { vfs.Borrow(t) }); n != 0 {
			w.t.Errorf("Borrow allocates %v times", n)
		}
	})
}
