package proc

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"mult/arch"
	"mult/inst"
	"mult/kern/errno"
)

// chaos is a program that does everything that ends, stops and starts.
func chaos(w *world, depth int, seed uint64) func(t *Thread) {
	return func(t *Thread) {
		r := rand.New(rand.NewPCG(seed, uint64(t.TID)))
		tab := t.Proc.Table()
		catch(w, t, SA_RESTART, 0, SIGUSR1)
		for range 12 {
			for {
				d := t.NextSignal()
				if d.Kind == DeliverExit {
					return
				}
				if d.Kind == DeliverNone {
					break
				}
				t.SetSigMask(d.Mask)
			}
			if t.EnterUser() {
				program(t, func() {})
			}
			pid := 2 + r.IntN(int(tab.Counts().Last)+1)
			switch r.IntN(14) {
			case 0, 1, 2:
				if depth > 0 {
					w.clone(t, CloneArgs{ExitSignal: SIGCHLD}, chaos(w, depth-1, r.Uint64()))
				}
			case 3, 4:
				w.clone(t, CloneArgs{Flags: threadFlags}, chaos(w, 0, r.Uint64()))
			case 5:
				t.Wait4(-1, WNOHANG|WUNTRACED|WCONTINUED|WALL)
			case 6:
				if _, err := t.Wait4(-1, WALL); err != nil && err != errno.ECHILD && err != ERestartSys {
					w.t.Error(err)
				}
			case 7:
				t.Kill(pid, []Signal{SIGUSR1, SIGSTOP, SIGCONT, SIGTERM, SIGTSTP, SIGCONT, 40}[r.IntN(7)])
			case 8:
				t.Setpgid(0, 0)
			case 9:
				t.Setsid()
			case 10:
				if p := tab.Find(pid); p != nil {
					p.Stat()
					p.Tasks(0, 10)
					p.Usage()
				}
			case 11:
				t.Sleep(t.Now() + int64(r.IntN(200))*1000)
			case 12:
				t.SigWait(SetOf(SIGUSR1, 40), t.Now()+int64(r.IntN(100))*1000)
			case 13:
				if r.IntN(4) == 0 && t.BeginExec() == nil {
					t.Exec(ExecArgs{Comm: "chaos"})
				}
			}
		}
		if r.IntN(3) == 0 {
			t.ExitGroup(ExitStatus(r.IntN(256)))
		}
	}
}

// TestChaos runs two instances side by side.
func TestChaos(t *testing.T) {
	rounds := 4
	if testing.Short() {
		rounds = 2
	}
	for round := range uint64(rounds) {
		w := newWorld(t).withMemory()
		a, b := w.instance("a"), w.instance("b")
		if round%2 == 1 {
			a.SetLimit(inst.Heap, 1<<20)
			b.SetLimit(inst.Frames, 400)
		}
		var made [2]atomic.Uint64
		for i, in := range []*inst.Inst{a, b} {
			w.start(in, func(t *Thread) {
				for n := range uint64(40) {
					w.clone(t, CloneArgs{ExitSignal: SIGCHLD}, chaos(w, 3, round*1000+n))
				}
				if round >= 2 { // all of them end with process 1
					time.Sleep(20 * time.Millisecond)
					made[i].Store(t.Proc.Table().Counts().Forks)
					t.ExitGroup(0)
					return
				}
				for range 400 {
					t.Kill(-1, SIGCONT)
					if _, err := t.Wait4(-1, WNOHANG); err == errno.ECHILD {
						break
					}
					time.Sleep(100 * time.Microsecond)
				}
				t.Kill(-1, SIGKILL)
				for {
					if _, err := t.Wait4(-1, WALL); err == errno.ECHILD {
						break
					}
					t.NextSignal()
				}
				made[i].Store(t.Proc.Table().Counts().Forks)
			})
		}
		for range 2 {
			select {
			case <-w.ended:
			case <-time.After(60 * time.Second):
				panic("instances don't end")
			}
		}
		w.check(a)
		w.check(b)
		if made[0].Load() < 20 || made[1].Load() < 20 {
			t.Error("nothing happened")
		}
		t.Log(made[0].Load(), made[1].Load())
	}
}

// TestForkExit makes thousands of processes and threads, and waits for all.
func TestForkExit(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 300
	}
	w := newWorld(t)
	var ins []*inst.Inst
	for range 2 {
		in := w.instance("forks")
		ins = append(ins, in)
		w.start(in, func(t *Thread) {
			for range n {
				pid := w.fork(t, func(c *Thread) {
					w.thread(c, func(*Thread) {})
					c.Kill(c.Proc.Parent(), SIGCHLD)
				})
				if r := w.wait(t, pid, 0); r.PID != pid || r.Status != 0 {
					w.t.Errorf("%+v", r)
				}
			}
			// Numbers go around, and none is lost.
			if c := t.Proc.Table().Counts(); c.Procs != 1 || c.Threads != 1 {
				w.t.Errorf("%+v", c)
			}
		})
	}
	for range ins {
		<-w.ended
	}
	for _, in := range ins {
		w.check(in)
	}
}

// TestNumbers uses up all numbers.
func TestNumbers(t *testing.T) {
	w := newWorld(t)
	in := w.instance("numbers")
	tab := TableOf(in)
	tab.mu.Lock()
	seen := map[int]bool{}
	for {
		n, e, err := tab.takeNumberLocked()
		if err == errno.EAGAIN {
			break
		}
		if err != nil || seen[n] || n <= 0 || n >= maxNumbers {
			t.Fatalf("number %d: %v", n, err)
		}
		seen[n] = true
		e.thread = &Thread{}
	}
	if len(seen) != maxNumbers-1 {
		t.Errorf("%d numbers", len(seen))
	}
	for n := range seen {
		tab.numbers[n].thread = nil
		tab.putNumberLocked(n)
	}
	n, _, _ := tab.takeNumberLocked()
	if n != reservedPIDs {
		t.Errorf("number %d after going around", n)
	}
	tab.putNumberLocked(n)
	tab.mu.Unlock()
	w.check(in)
}

// TestNext goes through processes whose numbers are close and far apart.
func TestNext(t *testing.T) {
	w := newWorld(t)
	in := w.instance("next")
	tab := TableOf(in)
	want := []int{1, 2, 3, 300, 301, 20000, maxNumbers - 1}
	for _, n := range want {
		tab.numbers[n] = &number{proc: &Proc{PID: n}}
	}
	tab.numbers[4] = &number{thread: &Thread{}}
	tab.procs = len(want)
	var got []int
	for p := tab.Next(0); p != nil; p = tab.Next(p.PID + 1) {
		got = append(got, p.PID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("processes %v, want %v", got, want)
	}
	clear(tab.numbers)
	tab.procs = 0
	w.check(in)
}

// TestSizes shows that what is charged covers what is allocated.
func TestSizes(t *testing.T) {
	for _, s := range []struct {
		name       string
		size, cost uintptr
	}{
		{"process", unsafe.Sizeof(Proc{}) + unsafe.Sizeof(handlers{}) + unsafe.Sizeof(actions{}), procBytes},
		{"thread", unsafe.Sizeof(Thread{}) + unsafe.Sizeof(arch.Context{}) + 8<<10, threadBytes},
		{"number", unsafe.Sizeof(number{}) + 3*unsafe.Sizeof(uintptr(0)), numberBytes},
		{"user", unsafe.Sizeof(user{}) + 3*unsafe.Sizeof(uintptr(0)), userBytes},
		{"group", unsafe.Sizeof(Group{}), groupBytes},
		{"session", unsafe.Sizeof(Session{}) + unsafe.Sizeof(Group{}), sessionBytes},
		{"signal", unsafe.Sizeof(sigNode{}), sigBytes},
	} {
		if s.size > s.cost {
			t.Errorf("%s: %d bytes, charged %d", s.name, s.size, s.cost)
		}
		t.Logf("%s: %d bytes, charged %d", s.name, s.size, s.cost)
	}
}

func BenchmarkForkWait(b *testing.B) {
	var t testing.T
	w := newWorld(&t)
	w.run(func(t *Thread) {
		for b.Loop() {
			pid := w.fork(t, func(*Thread) {})
			w.wait(t, pid, 0)
		}
	})
}

func BenchmarkPingPong(b *testing.B) {
	var t testing.T
	w := newWorld(&t)
	w.run(func(t *Thread) {
		var (
			q    [2]Queue
			mu   sync.Mutex
			turn int
			end  bool
		)
		w.thread(t, func(u *Thread) {
			mu.Lock()
			for !end {
				for turn != 1 {
					u.Wait(&q[1], &mu, Forever)
				}
				turn = 0
				q[0].Wake(1)
			}
			mu.Unlock()
		})
		mu.Lock()
		for b.Loop() {
			turn = 1
			q[1].Wake(1)
			for turn != 0 {
				t.Wait(&q[0], &mu, Forever)
			}
		}
		end, turn = true, 1
		q[1].Wake(1)
		mu.Unlock()
	})
}

func BenchmarkKillSelf(b *testing.B) {
	var t testing.T
	w := newWorld(&t)
	w.run(func(t *Thread) {
		catch(w, t, SA_NODEFER, 0, SIGUSR1)
		for b.Loop() {
			t.Kill(1, SIGUSR1)
			t.NextSignal()
		}
	})
}
