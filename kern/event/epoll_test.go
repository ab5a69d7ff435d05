package event

import (
	"sync/atomic"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/internal/proctest"
	"mult/kern/pipe"
	"mult/kern/proc"
	"mult/kern/vm"
)

func epoll(tb testing.TB, k *kernel) *file.File {
	tb.Helper()
	f, err := NewEpoll(k.T)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func event(ev uint32, data uint64) abi.EpollEvent { return abi.EpollEvent{Events: ev, Data: data} }

func (b *Batch) event(i int) abi.EpollEvent { return b.events(i + 1)[i] }

func (b *Batch) events(n int) []abi.EpollEvent {
	out := make([]abi.EpollEvent, n)
	for i := range out {
		out[i].Decode(b.raw[i*abi.EpollEventSize:])
	}
	return out
}

// plain is an Impl that can't be polled.
type plain struct{ Counter }

func (p *plain) Poll() {}

func TestControl(t *testing.T) {
	k := newKernel(t)
	used := k.In.Used(inst.Heap)
	ep, ep2 := epoll(t, k), epoll(t, k)
	e, err := NewEventfd(k.T, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	reg, _ := file.New(k.In, &plain{Counter{in: k.In}}, abi.O_RDWR)
	const add, del, mod = abi.EPOLL_CTL_ADD, abi.EPOLL_CTL_DEL, abi.EPOLL_CTL_MOD
	tests := []struct {
		f, target *file.File
		op, fd    int
		ev        uint32
		want      error
	}{
		{ep, reg, add, 1, abi.POLLIN, errno.EPERM},
		{e, e, add, 1, abi.POLLIN, errno.EINVAL},
		{ep, ep, add, 1, abi.POLLIN, errno.EINVAL},
		{ep, e, 4, 1, abi.POLLIN, errno.EINVAL},
		{ep, e, mod, 1, abi.POLLIN, errno.ENOENT},
		{ep, e, del, 1, abi.POLLIN, errno.ENOENT},
		{ep, e, add, 1, abi.POLLIN, nil},
		{ep, e, add, 1, abi.POLLIN, errno.EEXIST},
		{ep, e, add, 2, abi.POLLIN, nil},
		{ep, e, mod, 2, abi.POLLIN | abi.EPOLLEXCLUSIVE, errno.EINVAL},
		{ep, e, add, 3, abi.POLLIN | abi.EPOLLEXCLUSIVE | abi.EPOLLONESHOT, errno.EINVAL},
		{ep, e, add, 3, abi.POLLIN | abi.EPOLLEXCLUSIVE | abi.EPOLLET, nil},
		{ep, e, mod, 3, abi.POLLIN, errno.EINVAL},
		{ep, ep2, add, 4, abi.POLLIN | abi.EPOLLEXCLUSIVE, errno.EINVAL},
		{ep, ep2, add, 4, abi.POLLIN, nil},
		{ep2, ep, add, 4, abi.POLLIN, errno.ELOOP},
		{ep, ep2, del, 4, 0, nil},
		{ep2, ep, add, 4, abi.POLLIN, nil},
		{ep, e, del, 2, 0, nil},
		{ep, e, del, 2, 0, errno.ENOENT},
	}
	for i, tt := range tests {
		if err := Control(tt.f, tt.op, tt.target, tt.fd, event(tt.ev, 0)); err != tt.want {
			t.Errorf("%d: %v, want %v", i, err, tt.want)
		}
	}
	// Files that go leave the epoll.
	put(k.T, e, 1)
	e.Release()
	if n := len(ep.Impl.(*Epoll).items); n != 0 {
		t.Errorf("%d items left", n)
	}
	var out Batch
	if n, err := Wait(k.T, ep, &out, 4, 0); n != 0 || err != nil {
		t.Error(n, err)
	}
	if _, err := Wait(k.T, reg, &out, 4, 0); err != errno.EINVAL {
		t.Error(err)
	}
	if _, err := Wait(k.T, ep, &out, 0, 0); err != errno.EINVAL {
		t.Error(err)
	}
	if _, err := ep.Read(k.T, vm.KernelUio(make([]byte, 1))); err != errno.EINVAL {
		t.Error(err)
	}
	k.In.Charge(inst.Heap, counterCost) // plain was made without
	ep.Release()
	ep2.Release()
	reg.Release()
	if got := k.In.Used(inst.Heap); got != used {
		t.Errorf("heap %d, before %d", got, used)
	}
}

func TestTriggers(t *testing.T) {
	for _, tt := range []struct {
		name string
		ev   uint32
		// how many events a Wait has: after a write, again, after a
		// second write, after modify, after reading all
		want [5]int
	}{
		{"level", abi.POLLIN, [5]int{1, 1, 1, 1, 0}},
		{"edge", abi.POLLIN | abi.EPOLLET, [5]int{1, 0, 1, 1, 0}},
		{"oneshot", abi.POLLIN | abi.EPOLLONESHOT, [5]int{1, 0, 0, 1, 0}},
		{"edge oneshot", abi.POLLIN | abi.EPOLLONESHOT | abi.EPOLLET, [5]int{1, 0, 0, 1, 0}},
		{"other event", abi.POLLPRI, [5]int{}},
	} {
		k := newKernel(t)
		ep := epoll(t, k)
		r, w, err := pipe.New(k.T, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := Control(ep, abi.EPOLL_CTL_ADD, r, 1, event(tt.ev, 42)); err != nil {
			t.Fatal(err)
		}
		var out Batch
		wait := func(i int) {
			t.Helper()
			n, err := Wait(k.T, ep, &out, 4, 0)
			if n != tt.want[i] || err != nil || n == 1 && out.event(0) != event(abi.POLLIN, 42) {
				t.Errorf("%s, %d: %d, %v, %v", tt.name, i, n, err, out.event(0))
			}
		}
		write := func() { w.Write(k.T, vm.KernelUio([]byte{1})) }
		write()
		wait(0)
		wait(1)
		write()
		wait(2)
		Control(ep, abi.EPOLL_CTL_MOD, r, 1, event(tt.ev, 42))
		wait(3)
		Control(ep, abi.EPOLL_CTL_MOD, r, 1, event(tt.ev, 42))
		r.Read(k.T, vm.KernelUio(make([]byte, 9)))
		wait(4)
		// A hang-up is told unasked, unless a oneshot has been used up.
		w.Release()
		if n, _ := Wait(k.T, ep, &out, 4, 0); n != 1 || out.event(0).Events != abi.POLLHUP {
			t.Errorf("%s: hang-up: %d, %#x", tt.name, n, out.event(0).Events)
		}
		ep.Release()
		r.Release()
	}
}

// What can't be delivered is there for the next call.
func TestUndo(t *testing.T) {
	k := newKernel(t)
	for _, ev := range []uint32{
		abi.POLLIN, abi.POLLIN | abi.EPOLLET, abi.POLLIN | abi.EPOLLONESHOT, abi.POLLIN | abi.EPOLLONESHOT | abi.EPOLLET,
	} {
		ep := epoll(t, k)
		var files []*file.File
		for i := range 3 {
			e, err := NewEventfd(k.T, 1, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, e)
			Control(ep, abi.EPOLL_CTL_ADD, e, i, event(ev, uint64(i)))
		}
		var out Batch
		if n, _ := Wait(k.T, ep, &out, 3, 0); n != 3 {
			t.Fatalf("%#x: %d events", ev, n)
		}
		first := out.event(0).Data
		removed := int(out.event(2).Data)
		Control(ep, abi.EPOLL_CTL_DEL, files[removed], removed, event(0, 0))
		out.Undo(ep, 1, 3)
		want := 1
		if ev == abi.POLLIN {
			want = 2 // the first one is told again as well
		}
		n, _ := Wait(k.T, ep, &out, 3, 0)
		if n != want || out.event(0).Data == first && n == 1 {
			t.Errorf("%#x: %d events after Undo, want %d: %v", ev, n, want, out.events(n))
		}
		ep.Release()
		for _, f := range files {
			f.Release()
		}
	}
}

func TestFair(t *testing.T) {
	k := newKernel(t)
	ep := epoll(t, k)
	for i := range 10 {
		e, err := NewEventfd(k.T, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		Control(ep, abi.EPOLL_CTL_ADD, e, i, event(abi.POLLIN, uint64(i)))
	}
	seen := map[uint64]int{}
	var out Batch
	for range 10 {
		n, err := Wait(k.T, ep, &out, 3, 0)
		if n != 3 || err != nil {
			t.Fatal(n, err)
		}
		for _, e := range out.events(n) {
			seen[e.Data]++
		}
	}
	for i := range uint64(10) {
		if seen[i] != 3 {
			t.Errorf("%d was seen %d times", i, seen[i])
		}
	}
}

// A prod is a Counter that has another change whenever it is asked.
type prod struct {
	Counter
	other func()
}

func (p *prod) Poll(f *file.File) file.Events {
	p.other()
	return p.Counter.Poll(f)
}

// TestOnce: an item is told once by a call, whatever happens meanwhile.
func TestOnce(t *testing.T) {
	for _, ev := range []uint32{abi.POLLIN | abi.EPOLLET, abi.POLLIN} {
		k := newKernel(t)
		ep := epoll(t, k)
		a, err := NewEventfd(k.T, 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		k.In.Charge(inst.Heap, counterCost)
		b, err := file.New(k.In, &prod{Counter{in: k.In, n: 1}, func() {
			a.Write(k.T, vm.KernelUio([]byte{1, 0, 0, 0, 0, 0, 0, 0}))
		}}, abi.O_RDWR)
		if err != nil {
			t.Fatal(err)
		}
		Control(ep, abi.EPOLL_CTL_ADD, a, 1, event(ev, 1))
		Control(ep, abi.EPOLL_CTL_ADD, b, 2, event(ev, 2))
		var out Batch
		n, err := Wait(k.T, ep, &out, 8, 0)
		if n != 2 || err != nil || out.event(0).Data == out.event(1).Data {
			t.Errorf("%#x: %d events, %v: %v", ev, n, err, out.events(n))
		}
		// What happened meanwhile is told by the next call.
		if n, _ := Wait(k.T, ep, &out, 8, 0); n == 0 || out.event(0).Data != 1 {
			t.Errorf("%#x: then %d events: %v", ev, n, out.events(n))
		}
	}
}

func TestNested(t *testing.T) {
	k := newKernel(t)
	var out Batch
	e, err := NewEventfd(k.T, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	chain := []*file.File{epoll(t, k)}
	if err := Control(chain[0], abi.EPOLL_CTL_ADD, e, 1, event(abi.POLLIN, 1)); err != nil {
		t.Fatal(err)
	}
	for len(chain) < maxNest {
		f := epoll(t, k)
		if err := Control(f, abi.EPOLL_CTL_ADD, chain[len(chain)-1], 1, event(abi.POLLIN, 2)); err != nil {
			t.Fatal(len(chain), err)
		}
		chain = append(chain, f)
	}
	top := chain[len(chain)-1]
	if err := Control(epoll(t, k), abi.EPOLL_CTL_ADD, top, 1, event(abi.POLLIN, 2)); err != errno.ELOOP {
		t.Errorf("a long chain: %v", err)
	}
	if err := Control(chain[0], abi.EPOLL_CTL_ADD, top, 1, event(abi.POLLIN, 2)); err != errno.ELOOP {
		t.Errorf("a ring: %v", err)
	}
	if n, _ := Wait(k.T, top, &out, 4, 0); n != 0 {
		t.Error(n)
	}
	done := k.Spawn(t, proctest.ThreadFlags, func(c *proc.Thread) {
		if n, err := Wait(c, top, &out, 4, proc.Forever); n != 1 || err != nil || out.event(0).Data != 2 {
			t.Error(n, err, out.event(0))
		}
	})
	put(k.T, e, 1)
	<-done
	take(k.T, e)
	if n, _ := Wait(k.T, top, &out, 4, 0); n != 0 {
		t.Error(n)
	}
	for _, f := range chain {
		f.Release()
	}
	e.Release()
	// Wide fans are refused before one event wakes thousands.
	layer := []*file.File{epoll(t, k)}
	refused := false
	for range maxNest - 1 {
		var next []*file.File
		for range 12 {
			f := epoll(t, k)
			for i, kid := range layer {
				if err := Control(f, abi.EPOLL_CTL_ADD, kid, i, event(abi.POLLIN, 0)); err == errno.EINVAL {
					refused = true
				} else if err != nil {
					t.Fatal(err)
				}
			}
			next = append(next, f)
		}
		layer = next
	}
	if !refused {
		t.Error("any fan is allowed")
	}
}

// TestEpollRace opens, adds, closes and waits on several threads.
func TestEpollRace(t *testing.T) {
	k := newKernel(t)
	ep := epoll(t, k)
	var stop atomic.Bool
	waiter := k.Spawn(t, proctest.ThreadFlags, func(c *proc.Thread) {
		var out Batch
		for !stop.Load() {
			if _, err := Wait(c, ep, &out, 4, 0); err != nil {
				t.Error(err)
			}
		}
	})
	churn := func(c *proc.Thread) {
		for range 500 {
			r, w, err := pipe.New(c, 0)
			if err != nil {
				t.Error(err)
				return
			}
			Control(ep, abi.EPOLL_CTL_ADD, r, 1, event(abi.POLLIN, 0))
			Control(ep, abi.EPOLL_CTL_ADD, w, 1, event(abi.POLLOUT|abi.EPOLLET, 0))
			w.Write(c, vm.KernelUio([]byte{1}))
			Control(ep, abi.EPOLL_CTL_MOD, r, 1, event(abi.POLLIN|abi.EPOLLONESHOT, 0))
			w.Release()
			r.Release()
		}
	}
	a, b := k.Spawn(t, proctest.ThreadFlags, churn), k.Spawn(t, proctest.ThreadFlags, churn)
	<-a
	<-b
	stop.Store(true)
	<-waiter
	if n := len(ep.Impl.(*Epoll).items); n != 0 {
		t.Errorf("%d items left", n)
	}
	ep.Release()
}

func TestWaitEnds(t *testing.T) {
	k := newKernel(t)
	ep := epoll(t, k)
	k.T.Sigaction(proc.SIGUSR1, &proc.Action{Handler: 1 << 20})
	k.T.Kill(k.T.Proc.PID, proc.SIGUSR1)
	var out Batch
	if n, err := Wait(k.T, ep, &out, 4, proc.Forever); n != 0 || err != errno.EINTR {
		t.Error(n, err)
	}
}

// Nobody in one instance hears of another's events, or clocks.
func TestTwoInstances(t *testing.T) {
	a, b := newKernel(t), newKernel(t)
	f, err := NewTimerfd(b.T, abi.CLOCK_REALTIME, abi.TFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	const hour = 3600e9
	SetTime(f, abi.TFD_TIMER_ABSTIME|abi.TFD_TIMER_CANCEL_ON_SET, abi.Itimerspec{Value: abi.TimespecOf(hour)})
	ClockWasSet(a.In)
	if f.Poll() != 0 {
		t.Error("another instance's clock cancels a timer")
	}
	ClockWasSet(b.In)
	if f.Poll() == 0 {
		t.Error("the own clock doesn't")
	}
	f.Release()
	if len(slot.Of(b.In).timers) != 0 {
		t.Error("a timer is left")
	}
}

// TestEpollShrinks takes most of many files out again: an epoll keeps no room
// for what isn't charged any more.
func TestEpollShrinks(t *testing.T) {
	k := newKernel(t)
	f := epoll(t, k)
	e, err := NewEventfd(k.T, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	const most, left = 1000, 10
	ep := f.Impl.(*Epoll)
	for fd := range most {
		if err := Control(f, abi.EPOLL_CTL_ADD, e, fd, event(abi.POLLIN, 0)); err != nil {
			t.Fatal(err)
		}
	}
	for fd := range most - left {
		if err := Control(f, abi.EPOLL_CTL_DEL, e, fd, event(0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	if len(ep.items) != left || ep.most > most/8 {
		t.Errorf("%d files, and room for %d", len(ep.items), ep.most)
	}
	e.Release()
	f.Release()
}
