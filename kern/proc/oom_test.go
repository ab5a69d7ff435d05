package proc

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/errno"
	"mult/kern/vm"
)

// An oomWorld has little memory, and keeps what is logged.
type oomWorld struct {
	*world
	mu   sync.Mutex
	logs []string
}

func newOOMWorld(t *testing.T) *oomWorld {
	w := &oomWorld{world: newWorld(t).withMemory()}
	w.sys.VM.OutOfMemory = w.sys.OutOfMemory
	w.sys.Log = func(in *inst.Inst, format string, args ...any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.logs = append(w.logs, in.Name()+": "+fmt.Sprintf(format, args...))
	}
	return w
}

// ended tells which processes have been ended, as "instance name".
func (w *oomWorld) ended() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for _, s := range w.logs {
		in, rest, ok := strings.Cut(s, ": out of memory: ")
		if !ok {
			continue
		}
		_, rest, _ = strings.Cut(rest, "(")
		name, _, _ := strings.Cut(rest, ")")
		out = append(out, in+" "+name)
	}
	return out
}

// touch fills n pages of new memory; it reports how many it could.
func touch(t *Thread, n int) int {
	a, err := t.Space().Map(vm.MapArgs{Len: uint64(n) * vm.PageSize, Prot: vm.Read | vm.Write})
	if err != nil {
		return 0
	}
	for i := range n {
		if t.Space().CopyOut(a+vm.Addr(i)*vm.PageSize, []byte{1}) != nil {
			return i
		}
	}
	return n
}

// sleep waits until the process is ended.
func sleep(t *Thread) {
	for t.NextSignal().Kind != DeliverExit {
		t.Park(Forever)
	}
}

// hog is a process that has n pages and sleeps.
func (w *oomWorld) hog(t *Thread, name string, n, adj int) int {
	ready := make(chan bool)
	pid := w.fork(t, func(c *Thread) {
		c.Proc.SetComm(c.TID, name)
		if err := c.Proc.SetOOMAdj(RootCred(), adj); err != nil {
			w.t.Error(err)
		}
		touch(c, n)
		close(ready)
		sleep(c)
	})
	<-ready
	return pid
}

// TestOOMVictim has an instance at its limit, whose process asks for more.
func TestOOMVictim(t *testing.T) {
	for _, tt := range []struct {
		name       string
		a, b       int // pages of two others
		adjA, adjB int
		want       []string
	}{
		{"the largest", 100, 200, 0, 0, []string{"test b"}},
		{"adjusted", 100, 200, 500, 0, []string{"test a"}},
		{"spared", 100, 200, 0, OOMNever, []string{"test a"}},
		{"both", 150, 150, 0, 0, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newOOMWorld(t)
			in := w.instance("test")
			w.start(in, func(p *Thread) {
				a := w.hog(p, "a", tt.a, tt.adjA)
				b := w.hog(p, "b", tt.b, tt.adjB)
				in.SetLimit(inst.Frames, in.Used(inst.Frames)+30)
				if n := touch(p, 60); n != 60 {
					w.t.Errorf("process 1 got %d pages", n)
				}
				got := w.ended()
				if tt.want != nil && !slices.Equal(got, tt.want) || len(got) != 1 {
					w.t.Errorf("ended %v, want %v", got, tt.want)
				}
				in.SetLimit(inst.Frames, 1<<30)
				p.Kill(-1, SIGKILL)
				for _, pid := range []int{a, b} {
					if r := w.wait(p, pid, 0); r.Status.Signal() != SIGKILL {
						w.t.Errorf("process %d ended with %v", pid, r.Status)
					}
				}
			})
			w.finish(in)
		})
	}
}

// TestOOMFreeing asks for memory while that of the last victim, whose process is
// gone, is being freed: nobody else ends for it.
func TestOOMFreeing(t *testing.T) {
	w := newOOMWorld(t)
	in := w.instance("test")
	w.start(in, func(p *Thread) {
		pid := w.hog(p, "other", 100, 0)
		gone, err := vm.New(w.sys.VM, in)
		if err != nil {
			w.t.Error(err)
			return
		}
		a, err := gone.Map(vm.MapArgs{Len: 100 * vm.PageSize, Prot: vm.Read | vm.Write})
		if err == nil {
			err = gone.CopyOut(a, make([]byte, 100*vm.PageSize))
		}
		if err != nil {
			w.t.Error(err)
		}
		o := &TableOf(in).oom
		o.victim.Store(gone)
		in.SetLimit(inst.Frames, in.Used(inst.Frames)+30)
		go func() {
			for !o.busy.Load() {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(10 * time.Millisecond)
			gone.Release()
		}()
		if n := touch(p, 60); n != 60 {
			w.t.Errorf("process 1 got %d pages", n)
		}
		if got := w.ended(); len(got) != 0 {
			w.t.Errorf("ended %v, want nobody", got)
		}
		in.SetLimit(inst.Frames, 1<<30)
		p.Kill(pid, SIGKILL)
		w.wait(p, pid, 0)
	})
	w.finish(in)
}

// TestOOMSelf has the one who asks be the one who has most.
func TestOOMSelf(t *testing.T) {
	w := newOOMWorld(t)
	in := w.instance("test")
	w.start(in, func(p *Thread) {
		in.SetLimit(inst.Frames, in.Used(inst.Frames)+100)
		start := time.Now()
		pid := w.fork(p, func(c *Thread) {
			c.Proc.SetComm(c.TID, "self")
			if n := touch(c, 1000); n >= 100 {
				w.t.Errorf("it got %d pages", n)
			}
			sleep(c)
		})
		if r := w.wait(p, pid, 0); r.Status.Signal() != SIGKILL {
			w.t.Errorf("it ended with %v", r.Status)
		}
		if d := time.Since(start); d > oomWait/2 {
			w.t.Errorf("it took %v", d)
		}
		if got := w.ended(); !slices.Equal(got, []string{"test self"}) {
			w.t.Errorf("ended %v", got)
		}
		// Nobody but process 1 is left.
		if touch(p, 1000) >= 100 || !p.Dying() {
			w.t.Error("process 1 goes on")
		}
	})
	if s := w.finish(in); s.Signal() != SIGKILL {
		t.Errorf("process 1 ended with %v", s)
	}
}

// TestOOMExec has a process alone at its instance's limit that fills the memory for a new
// program: nothing is to be waited for.
func TestOOMExec(t *testing.T) {
	w := newOOMWorld(t)
	in := w.instance("test")
	w.start(in, func(p *Thread) {
		w.fork(p, func(c *Thread) {
			c.SetComm("large")
			touch(c, 100)
			sp, err := vm.New(w.sys.VM, in)
			if err != nil {
				t.Error(err)
				return
			}
			defer sp.Release()
			sp.SetBuilder(c.Space())
			a, _ := sp.Map(vm.MapArgs{Len: 100 * vm.PageSize, Prot: vm.Read | vm.Write})
			in.SetLimit(inst.Frames, in.Used(inst.Frames)+20)
			start := time.Now()
			for err == nil {
				err = sp.CopyOut(a, []byte{1})
				a += vm.PageSize
			}
			if d := time.Since(start); err != errno.ENOMEM || d > oomWait/2 || !c.Dying() {
				t.Errorf("%v after %v; it ends: %v", err, d, c.Dying())
			}
		})
		w.wait(p, -1, 0)
	})
	w.finish(in)
	if got := w.ended(); !slices.Equal(got, []string{"test large"}) {
		t.Errorf("ended %v", got)
	}
}

// TestOOMShare has a machine whose memory is out, most of it in one of two
// instances; the other asks.
func TestOOMShare(t *testing.T) {
	w := newOOMWorld(t)
	one := w.instance("one")
	two := insttest.Child(t, one, "two")
	total := int(w.sys.VM.Memory.Stats().Total)
	full, done := make(chan bool), make(chan bool)
	w.start(one, func(p *Thread) {
		w.hog(p, "small", 10, 0)
		w.hog(p, "large", total*6/10, 0)
		close(full)
		<-done
	})
	<-full
	w.start(two, func(p *Thread) {
		defer close(done)
		if n := touch(p, total*45/100); n != total*45/100 {
			w.t.Errorf("it got %d pages", n)
		}
	})
	for range 2 {
		<-w.world.ended
	}
	if got := w.ended(); !slices.Equal(got, []string{"one large"}) {
		t.Errorf("ended %v", got)
	}
	w.check(two)
	w.check(one)
}

// TestOOMBelow has an instance at its limit with most of what it may have in one of
// its children; the other asks, which has no limit of its own. Who is outside has more, and
// nothing to do with it.
func TestOOMBelow(t *testing.T) {
	for _, tt := range []struct {
		name  string
		a, b  int // pages of the children's processes
		more  int // pages that there may be beside, in all
		limit int // of b beyond what it has; 0: none
		want  []string
	}{
		{"no room", 300, 0, 0, 0, []string{"a large"}},
		{"most with one", 300, 200, -150, 0, []string{"a large"}},
		{"less than one has", 300, 200, -350, 0, []string{"a large", "b large"}}, // it was lowered
		{"most with who asks", 200, 300, 0, 0, []string{"b large"}},
		{"its own limit", 300, 200, 1000, 10, []string{"b large"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newOOMWorld(t)
			root := w.instance("root")
			outside, mid := insttest.Child(t, root, "outside"), insttest.Child(t, root, "mid")
			a, b := insttest.Child(t, mid, "a"), insttest.Child(t, mid, "b")
			full, done, ask := make(chan bool, 2), make(chan bool), make(chan bool)
			w.start(root, func(p *Thread) { <-done })
			for _, in := range []*inst.Inst{outside, a} {
				pages := map[*inst.Inst]int{outside: 600, a: tt.a}[in]
				w.start(in, func(p *Thread) {
					w.hog(p, "large", pages, 0)
					full <- true
					<-done
				})
				<-full
			}
			w.start(b, func(p *Thread) {
				defer close(done)
				w.hog(p, "large", tt.b, 0)
				full <- true
				<-ask
				if n := touch(p, 20); n != 20 {
					w.t.Errorf("it got %d pages", n)
				}
			})
			<-full
			mid.SetLimit(inst.Frames, mid.Used(inst.Frames)+int64(tt.more))
			if tt.limit != 0 {
				b.SetLimit(inst.Frames, b.Used(inst.Frames)+int64(tt.limit))
			}
			close(ask)
			for range 4 {
				<-w.world.ended
			}
			if got := w.ended(); !slices.Equal(got, tt.want) {
				t.Errorf("ended %v, want %v", got, tt.want)
			}
			for _, in := range []*inst.Inst{b, a, mid, outside, root} {
				w.check(in)
			}
		})
	}
}

// TestOOMMany has many threads find at once that memory is out.
func TestOOMMany(t *testing.T) {
	w := newOOMWorld(t)
	in := w.instance("test")
	w.start(in, func(p *Thread) {
		large := w.hog(p, "large", 400, 0)
		begin := make(chan bool)
		var pids []int
		var all sync.WaitGroup
		all.Add(10)
		for range 10 {
			pids = append(pids, w.fork(p, func(c *Thread) {
				<-begin
				if n := touch(c, 20); n != 20 {
					w.t.Errorf("one got %d pages", n)
				}
				all.Done()
				all.Wait() // all have theirs at once
			}))
		}
		in.SetLimit(inst.Frames, in.Used(inst.Frames)+50)
		close(begin)
		for _, pid := range pids {
			w.wait(p, pid, 0)
		}
		if got := w.ended(); !slices.Equal(got, []string{"test large"}) {
			w.t.Errorf("ended %v", got)
		}
		w.wait(p, large, 0)
	})
	w.finish(in)
}

func TestOOMAdj(t *testing.T) {
	newWorld(t).run(func(p *Thread) {
		user := *RootCred()
		user.Effective = 0
		for i, tt := range []struct {
			cred *Cred
			adj  int
			want error
		}{
			{RootCred(), -1001, errno.EINVAL},
			{RootCred(), 1001, errno.EINVAL},
			{&user, -1, errno.EACCES},
			{&user, 300, nil},
			{&user, 0, nil},
			{RootCred(), 500, nil},
			{&user, 400, errno.EACCES},
			{&user, 500, nil},
			{RootCred(), OOMNever, nil},
		} {
			if err := p.Proc.SetOOMAdj(tt.cred, tt.adj); err != tt.want {
				t.Errorf("%d: %v, want %v", i, err, tt.want)
			} else if err == nil && p.Proc.OOMAdj() != tt.adj {
				t.Errorf("%d: it is %d", i, p.Proc.OOMAdj())
			}
		}
	})
}
