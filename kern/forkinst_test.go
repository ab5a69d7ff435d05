package kern

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/host"
	"mult/kern/internal/proctest"
	"mult/kern/linux"
	"mult/kern/proc"
	"mult/kern/vm"
)

// TestForkInst1 makes two instances, and looks at what they have and don't have in
// common.
func TestForkInst1(t *testing.T) {
	var pids [3]atomic.Uint64 // by how many have asked
	var asked atomic.Int64
	w := start(t, nil, func(u *user) {
		switch u.step {
		case 0:
			u.call(callGetpid)
		case 1:
			pids[asked.Load()].Store(u.x.AX)
			asked.Add(1)
			fallthrough
		default:
			u.call(nrPause)
		}
	})
	defer w.finish()
	k := w.k
	var list []*inst.Inst
	for i, name := range []string{"a", "b"} {
		in := w.inst(k.inst0, name)
		proctest.Until(func() bool { return asked.Load() == int64(i+1) })
		list = append(list, in)
		if in.State() != inst.Running || in.Parent != k.inst0 || in.Path() != name || host.Name(in) != name {
			t.Errorf("%s is %s, its host name is %q", in.Path(), in.State(), host.Name(in))
		}
		if n := pids[i].Load(); n != 1 {
			t.Errorf("its process 1 is process %d", n)
		}
		if p := proc.TableOf(in).Find(1); p == nil || p.Inst != in || p.Comm() != "instinit" || proc.TableOf(in).Counts().Procs != 1 {
			t.Errorf("its table has %v", proc.TableOf(in).Procs())
		}
	}
	a, b := list[0], list[1]
	host.SetName(a, "new")
	if host.Name(b) != "b" || host.Name(k.inst0) != "mult" {
		t.Errorf("host names %q and %q", host.Name(b), host.Name(k.inst0))
	}
	// One ends, the others don't notice.
	proc.TableOf(a).Kill(proc.SIGKILL)
	w.gone(a)
	if b.State() != inst.Running || proc.TableOf(b).Find(1) == nil || proc.TableOf(k.inst0).Find(1) == nil {
		t.Error("one has ended, and another with it")
	}
	again := w.inst(k.inst0, "a")
	if again.ID <= b.ID {
		t.Errorf("id %d after %d", again.ID, b.ID)
	}
	again.Release()
	b.Release()
}

// TestProc0Memory finds a page of proc0's in process 1 of an instance, before it has its
// program.
func TestProc0Memory(t *testing.T) {
	w := start(t, nil, sleeps)
	defer w.finish()
	k := w.k
	mem := proc.Proc0(k.inst0).Space()
	at, err := mem.Map(vm.MapArgs{Len: vm.PageSize, Prot: vm.Read | vm.Write})
	if err != nil {
		t.Fatal(err)
	}
	const marker = "the kernel's own"
	if err := mem.CopyOut(at, []byte(marker)); err != nil {
		t.Fatal(err)
	}
	in, err := k.insts.New(k.inst0, "a")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.mountAll(in, linux.Settings{}); err != nil {
		t.Fatal(err)
	}
	th, err := proc.ForkInst1(in)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(marker))
	if err := th.Space().CopyIn(got, at); err != nil || string(got) != marker {
		t.Errorf("before exec: %q, %v", got, err)
	}
	if err := k.execInit(th, []string{instInit}, nullStdio); err != nil {
		t.Fatal(err)
	}
	if err := th.Space().CopyIn(got, at); err != errno.EFAULT {
		t.Errorf("after exec: %q, %v", got, err)
	}
	k.unmake(nil, in.Retain(), th)
}

// TestForkInst1Fails has it fail in all ways, and looks for what is left.
func TestForkInst1Fails(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files map[string][]byte
		inst  string
		set   linux.Settings
		err   error
		text  string
	}{
		{"no instinit", map[string][]byte{"sbin/instinit": nil}, "a", linux.Settings{}, errno.ENOENT, "instance a: /sbin/instinit: "},
		{"no program", map[string][]byte{"sbin/instinit": []byte("text")}, "a", linux.Settings{}, errno.ENOEXEC, "instance a: /sbin/instinit: "},
		{"half a program", map[string][]byte{"sbin/instinit": program(entry(0))[:100]}, "a", linux.Settings{}, errno.ENOEXEC, "instance a: /sbin/instinit: "},
		{"no interpreter", map[string][]byte{"sbin/instinit": []byte("#! /bin/none\n")}, "a", linux.Settings{}, errno.ENOENT, "instance a: /sbin/instinit: "},
		{"a directory", map[string][]byte{"sbin/instinit": nil, "sbin/instinit/x": []byte("x")}, "a", linux.Settings{}, errno.EACCES, "instance a: /sbin/instinit: "},
		{"a loop", map[string][]byte{"sbin/instinit": []byte("->instinit")}, "a", linux.Settings{}, errno.ELOOP, "instance a: /sbin/instinit: "},
		{"host name", nil, "a", linux.Settings{Host: strings.Repeat("x", host.MaxName+1)}, errno.EINVAL, "instance a: "},
		{"name", nil, "1", linux.Settings{}, errno.EINVAL, `"1" is no name`},
		{"there is one", nil, "there", linux.Settings{}, errno.EEXIST, "instance there is there already"},
		{"memory", nil, "a", linux.Settings{Limits: map[inst.Resource]int64{inst.Frames: 0}}, errno.ENOMEM, "instance a: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := start(t, tt.files, sleeps)
			defer w.finish()
			k := w.k
			if tt.err == errno.EEXIST {
				w.inst(k.inst0, "there").Release()
			}
			was, heap, refs := k.insts.Count(), k.inst0.Used(inst.Heap), k.inst0.Refs()
			free := w.m.Memory().Stats().Free
			for range 3 {
				in, err := k.ForkInst1(nil, k.inst0, tt.inst, tt.set, nil)
				if in != nil || !errors.Is(err, tt.err) || !strings.HasPrefix(err.Error(), tt.text) {
					t.Fatalf("%v, %v; want %v, %s...", in, err, tt.err, tt.text)
				}
				if k.insts.Count() != was || k.inst0.Used(inst.Heap) != heap || k.inst0.Refs() != refs {
					t.Fatalf("%d instances, %d bytes, %d references; before it was %d, %d, %d",
						k.insts.Count(), k.inst0.Used(inst.Heap), k.inst0.Refs(), was, heap, refs)
				}
			}
			// The file's page stays in the image's cache.
			if now := w.m.Memory().Stats().Free; now+1 < free {
				t.Errorf("%d frames were free, %d are now", free, now)
			}
		})
	}
}

// TestForkInst1Limits raises the limits of an instance until it can be made: it fails at
// all that is charged on the way.
func TestForkInst1Limits(t *testing.T) {
	w := start(t, nil, sleeps)
	defer w.finish()
	k := w.k
	for _, r := range []inst.Resource{inst.Heap, inst.Frames} {
		was, failed := k.inst0.Used(r), 0
		for limit := int64(0); ; {
			limit += map[inst.Resource]int64{inst.Heap: 1024, inst.Frames: 1}[r]
			in, err := k.ForkInst1(nil, k.inst0, "a", linux.Settings{Limits: map[inst.Resource]int64{r: limit}}, nil)
			if err == nil {
				k.Kill(in)
				w.gone(in)
				break
			}
			refused := errors.Is(err, errno.ENOMEM) || errors.Is(err, errno.ENFILE)
			if failed++; !refused || k.insts.Count() != 1 || k.inst0.Used(r) != was {
				t.Fatalf("%v; %d instances, %d of resource %d, before it was %d", err, k.insts.Count(), k.inst0.Used(r), r, was)
			}
		}
		if failed < 10 {
			t.Errorf("resource %d: it failed %d times", r, failed)
		}
	}
}

// TestForkInst1Killed ends instances while they are made, and the one below which they
// are made.
func TestForkInst1Killed(t *testing.T) {
	w := start(t, nil, sleeps)
	defer w.finish()
	k := w.k
	var made, refused int
	for i := range 100 {
		parent := w.inst(k.inst0, fmt.Sprintf("parent%d", i))
		var wg sync.WaitGroup
		wg.Go(func() {
			in, err := k.ForkInst1(nil, parent, "kid", linux.Settings{}, nil)
			if err == nil {
				made++
				in.Release()
				return
			}
			refused++
			if !errors.Is(err, errno.EBUSY) && !errors.Is(err, errno.EINTR) {
				t.Error(err)
			}
		})
		wg.Go(func() {
			for range i * 100 {
				parent.State()
			}
			if i%2 == 0 {
				k.Kill(parent)
				return
			}
			if kid, err := parent.Lookup("kid"); err == nil {
				k.Kill(kid)
				kid.Release()
			}
			k.Kill(parent)
		})
		wg.Wait()
		w.gone(parent)
	}
	if n := k.insts.Count(); n != 1 {
		t.Errorf("%d instances are left", n)
	}
	t.Logf("%d made, %d refused", made, refused)
}

// TestStartFails starts an instance that can't have a process, and below which there is one
// that has: both are gone.
func TestStartFails(t *testing.T) {
	w := start(t, nil, sleeps)
	defer w.finish()
	a, err := w.k.Create(nil, w.k.inst0, "a", mayMake)
	if err != nil {
		t.Fatal(err)
	}
	b := w.inst(a, "b")
	a.SetLimit(inst.Processes, a.Used(inst.Processes))
	over := dead(b)
	b.Release()
	if err := w.k.Start(nil, a, nil); !errors.Is(err, errno.EAGAIN) {
		t.Error(err)
	}
	<-over
	if n := w.k.insts.Count(); n != 1 {
		t.Errorf("%d instances are left", n)
	}
	// Without descriptors it doesn't start either.
	if _, err := w.k.ForkInst1(nil, w.k.inst0, "a", linux.Settings{Limits: map[inst.Resource]int64{inst.Files: 2}}, nil); !errors.Is(err, errno.ENFILE) || w.k.insts.Count() != 1 {
		t.Errorf("with two files: %v", err)
	}
}

// TestTree ends one with others below it, and in the end all.
func TestTree(t *testing.T) {
	w := start(t, nil, sleeps)
	k := w.k
	a := w.inst(k.inst0, "a")
	for _, name := range []string{"b", "c"} {
		in := w.inst(a, name)
		w.inst(in, "below").Release()
		in.Release()
	}
	d := w.inst(k.inst0, "d")
	if n := k.inst0.Used(inst.Instances); n != 6 || a.Used(inst.Instances) != 4 {
		t.Errorf("%d instances below inst0, %d below a", n, a.Used(inst.Instances))
	}
	k.Kill(a)
	w.gone(a)
	if n := k.inst0.Used(inst.Instances); n != 1 || d.State() != inst.Running {
		t.Errorf("%d instances are left, d is %s", n, d.State())
	}
	w.inst(d, "e").Release()
	d.Release()
	w.finish()
}

// TestUnmakeKilled has the creator of an instance that can't be made die while he waits for
// its end: he doesn't wait any more, and the rest goes on without him.
func TestUnmakeKilled(t *testing.T) {
	m := manage(t)
	c := m.top
	for _, steps := range []bool{false, true} {
		a := m.forkInst(c.in, "a")
		owner := proc.TableOf(a.in).Init()
		ended := make(chan *inst.Inst, 1)
		a.in.SetLimit(inst.Processes, 1) // none for another process 1
		over := make(chan struct{})
		x := op(abi.INST_CREATE, "b")
		if steps {
			if x = a.ctl(x); x.n != 0 {
				t.Fatal(x.n, x.text)
			}
			x = op(abi.INST_START, "b")
		} else {
			x.Flags = abi.INST_STARTED
		}
		m.k.insts.Reap = func(in *inst.Inst) { ended <- in }
		go func() {
			defer close(over)
			defer func() { recover() }() // its memory is gone
			a.ctl(x)
		}()
		b := <-ended
		proctest.Until(func() bool { return owner.Stat().State == 'D' })
		m.k.Kill(a.in)
		proctest.Until(func() bool { return proc.TableOf(a.in).Init() == nil })
		select {
		case <-over:
			t.Error("the call has returned")
		default:
		}
		m.k.insts.Reap = m.k.reap
		m.k.reap(b)
		m.gone(a.in)
		a.done <- 0
		<-over
	}
	m.finish()
}
