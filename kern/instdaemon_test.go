package kern

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mult/inst"
	"mult/kern/internal/proctest"
	"mult/kern/linux"
	"mult/kern/proc"
)

// Numbers of more system calls.
const (
	callPipe, callNanosleep, callVfork = 22, 35, 58
	all                                = ^uint64(0)
)

// family returns a program whose process 1 is init, and whose other processes are child.
// Their steps begin with 0 and 1: step 1 of init is after its first call.
func family(init, child prog) prog {
	return func(u *user) {
		switch u.step {
		case 0:
			u.call(callGettid)
			return
		case 1:
			u.pid = u.x.AX
		}
		u.step--
		if u.pid == 1 {
			init(u)
		} else {
			child(u)
		}
		u.step++
	}
}

// callsOf returns a program that makes one call after the other, and repeats the last one;
// before each of those it counts ready.
func callsOf(ready *atomic.Int64, list ...func(u *user)) prog {
	return func(u *user) {
		if u.step >= len(list)-1 {
			ready.Add(1)
		}
		list[min(u.step, len(list)-1)](u)
	}
}

// does returns one call.
func does(nr uint64, args ...uint64) func(u *user) { return func(u *user) { u.call(nr, args...) } }

// TestStop stops instances whose processes do what they can to stay.
func TestStop(t *testing.T) {
	var ready atomic.Int64
	blockAll := func(u *user) {
		u.data = []byte(strings.Repeat("\xff", 8))
		u.call(callSigprocmask, 0, u.at, 0, 8)
	}
	fork, pause, wait := does(callFork), does(nrPause), does(nrWait4, all, 0, 0, 0x40000000)
	sleep := func(u *user) {
		u.data = append(u.data, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0) // 2^24 s
		u.call(callNanosleep, u.at, 0)
	}
	readPipe := []func(u *user){
		func(u *user) { u.call(callPipe, u.at) },
		func(u *user) { u.call(nrRead, 3, u.at, 1) },
	}
	futex := func(u *user) {
		u.data = []byte{0, 0, 0, 0}
		u.call(nrFutex, u.at, 0, 0)
	}
	stopItself := func(u *user) { u.call(nrKill, 2, uint64(proc.SIGSTOP)) }
	spin := func(*user) {}
	for _, tt := range []struct {
		name  string
		prog  prog
		ready int64 // how often something is, before it is stopped
		asked bool  // process 1 does what it is asked
		do    func(w *world, in *inst.Inst)
	}{
		{"obeys", handles(proc.SIGTERM, 1, &ready), 1, true, nil},
		{"obeys, suspended", handles(proc.SIGTERM, 1, &ready), 1, true, func(w *world, in *inst.Inst) { in.Become(inst.Suspended) }},
		{"ignores", sleeps, 0, false, nil},
		{"blocks signals", callsOf(&ready, blockAll, pause), 1, false, nil},
		{"spins", callsOf(&ready, spin), 3, false, nil},
		{"spins, suspended", callsOf(&ready, spin), 3, false, func(w *world, in *inst.Inst) { in.Become(inst.Suspended) }},
		{"waits for a child that spins", family(callsOf(&ready, fork, fork, wait), callsOf(&ready, spin)), 3, false, nil},
		{"waits in vfork", family(callsOf(&ready, does(callVfork)), callsOf(&ready, pause)), 2, false, nil},
		{"waits for a stopped child", family(callsOf(&ready, fork, wait), callsOf(&ready, stopItself)), 2, false, nil},
		{"sleeps", callsOf(&ready, sleep), 1, false, nil},
		{"reads a pipe", callsOf(&ready, readPipe...), 1, false, nil},
		{"waits at a futex", callsOf(&ready, futex), 1, false, nil},
		{"children that block signals", family(callsOf(&ready, fork, fork, pause), callsOf(&ready, blockAll, readPipe[0], readPipe[1])), 3, false, nil},
		{"forks all the time", callsOf(&ready, fork), 50, false, nil},
		{"exits by itself", exits(7), 0, true, nil},
		{"has others below", sleeps, 0, false, func(w *world, in *inst.Inst) {
			below := w.inst(in, "below")
			w.inst(below, "deep").Release()
			below.Release()
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ready.Store(0)
			w := start(t, nil, tt.prog, exits(0))
			defer w.finish()
			in, err := w.k.ForkInst1(nil, w.k.inst0, "a", linux.Settings{Limits: map[inst.Resource]int64{inst.Heap: 4 << 20, inst.Instances: 2}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			proctest.Until(func() bool { return ready.Load() >= tt.ready })
			if tt.do != nil {
				tt.do(w, in)
			}
			grace := 30 * time.Millisecond
			if tt.asked {
				grace = time.Hour
			}
			begin := time.Now()
			w.k.Stop(in, grace)
			if s := in.State(); s != inst.Stopping && s != inst.Dead {
				t.Errorf("it is %v", s)
			}
			w.gone(in)
			if d := time.Since(begin); !tt.asked && d < grace {
				t.Errorf("it was killed after %v, not %v", d, grace)
			}
		})
	}
}

// TestStopEarly stops instances before their process 1 has done anything: they are asked all
// the same.
func TestStopEarly(t *testing.T) {
	var ready atomic.Int64
	w := start(t, nil, handles(proc.SIGTERM, 1, &ready), exits(0))
	defer w.finish()
	for range 50 {
		in := w.inst(w.k.inst0, "a")
		w.k.Stop(in, time.Hour)
		w.gone(in)
	}
}

// TestStopTwice stops an instance again while its grace goes on, and kills it.
func TestStopTwice(t *testing.T) {
	w := start(t, nil, sleeps)
	defer w.finish()
	for _, again := range []func(in *inst.Inst){
		func(in *inst.Inst) { w.k.Stop(in, time.Millisecond) },
		func(in *inst.Inst) { w.k.Stop(in, 2*time.Hour); w.k.Stop(in, 0) },
		func(in *inst.Inst) { w.k.Kill(in) },
	} {
		in := w.inst(w.k.inst0, "a")
		w.k.Stop(in, time.Hour)
		if in.State() != inst.Stopping || proc.TableOf(in).Init() == nil {
			t.Errorf("it is %v", in.State())
		}
		if _, err := w.k.ForkInst1(nil, in, "late", linux.Settings{}, nil); err == nil {
			t.Error("an instance was made below one that ends")
		}
		again(in)
		w.gone(in)
	}
}

// TestFaultAtEnd has a member that is in use when its instance is freed: the log says so,
// and that is all.
func TestFaultAtEnd(t *testing.T) {
	w := start(t, nil, sleeps)
	defer w.finish()
	in := w.inst(w.k.inst0, "bad")
	in.Charge(inst.Heap, 100)
	w.k.Kill(in)
	w.gone(in)
	w.inst(w.k.inst0, "bad").Release()
	proctest.Until(func() bool { return strings.Contains(w.log.String(), "the end of instance 1 (bad)") })
	w.k.inst0.Uncharge(inst.Heap, 100)
}

// TestLives has several goroutines do anything to instances. Nothing is left.
func TestLives(t *testing.T) {
	var ready atomic.Int64
	w := start(t, nil, handles(proc.SIGTERM, 1, &ready), exits(0))
	k := w.k
	var wg sync.WaitGroup
	var made atomic.Int64
	for g := range uint64(4) {
		r := rand.New(rand.NewPCG(1, g))
		wg.Go(func() {
			for range 2500 {
				name := fmt.Sprintf("i%d", r.IntN(6))
				in, err := k.inst0.Lookup(name)
				if err != nil {
					if in, err = k.ForkInst1(nil, k.inst0, name, mayMake, nil); err != nil {
						continue
					}
					made.Add(1)
				}
				switch r.IntN(8) {
				case 0:
					k.Kill(in)
				case 1:
					k.Stop(in, time.Duration(r.IntN(3))*time.Millisecond)
				case 2:
					k.Stop(in, time.Hour) // before it has its handler it ignores that
				case 3, 4:
					in.Become(inst.Suspended)
				case 5:
					in.Become(inst.Running, inst.Suspended)
				case 6:
					if kid, err := k.ForkInst1(nil, in, "kid", linux.Settings{}, nil); err == nil {
						made.Add(1)
						kid.Release()
					}
				case 7:
					k.each(func(in *inst.Inst) { proc.TableOf(in).Counts() })
				}
				in.Release()
			}
		})
	}
	wg.Wait()
	t.Logf("%d instances made, %d are left", made.Load(), k.insts.Count()-1)
	w.finish()
}

// TestEndIsLogged has a line in the log for an instance that ends though nobody wants it
// to, and for no other.
func TestEndIsLogged(t *testing.T) {
	m := manage(t)
	m.top.in.SetLimit(inst.Instances, 1)
	below := m.forkInst(m.top.in, "below")
	close(below.calls)
	m.gone(below.in)
	killed := m.forkInst(m.k.inst0, "killed")
	m.k.Kill(killed.in)
	m.gone(killed.in)
	stopped := m.forkInst(m.k.inst0, "stopped")
	m.k.Stop(stopped.in, time.Millisecond)
	m.gone(stopped.in)
	self := m.forkInst(m.k.inst0, "self")
	proc.TableOf(self.in).Kill(proc.SIGKILL)
	m.gone(self.in)
	m.finish()
	log := m.log.String()
	for _, s := range []string{"top/below: ended by itself: process 1 exited with status 0\n", "top: ended by itself: process 1 exited with status 0\n", "self: ended by itself: process 1 was killed by signal 9\n"} {
		if !strings.Contains(log, s) {
			t.Errorf("the log has no %q:\n%s", s, log)
		}
	}
	if n := strings.Count(log, "process 1"); n != 3 {
		t.Errorf("the log has %d lines about process 1, want 3:\n%s", n, log)
	}
}
