package futex

import (
	"math/rand"
	"sync/atomic"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/internal/proctest"
	"mult/kern/proc"
	"mult/kern/vm"
)

const all = abi.FUTEX_BITSET_MATCH_ANY

var forever = proc.Deadline{At: proc.Forever}

func words(tb testing.TB, k *kernel) (*vm.Space, vm.Addr) {
	tb.Helper()
	sp := k.T.Space()
	a, err := sp.Map(vm.MapArgs{Len: vm.PageSize, Prot: vm.Read | vm.Write, MaxProt: vm.Read | vm.Write})
	if err != nil {
		tb.Fatal(err)
	}
	return sp, a
}

func set(tb testing.TB, sp *vm.Space, a vm.Addr, v uint32) {
	if _, err := sp.Update32(a, func(uint32) uint32 { return v }); err != nil {
		tb.Fatal(err)
	}
}

// waiters returns how many wait in an instance.
func (k *kernel) waiters() int {
	n := int32(0)
	tab := waiting(k.In)
	if tab == nil {
		return 0
	}
	for i := range tab.buckets {
		n += tab.buckets[i].count.Load()
	}
	return int(n)
}

// asleep returns how many threads of process 1 sleep.
func (k *kernel) asleep() (n int) {
	for _, task := range k.T.Proc.Tasks(0, 100) {
		if task.State == 'S' {
			n++
		}
	}
	return n
}

func (k *kernel) waiter(tb testing.TB, a vm.Addr, val, bitset uint32, want error) <-chan struct{} {
	n := k.waiters()
	done := k.Spawn(tb, proctest.ThreadFlags, func(c *proc.Thread) {
		if err := Wait(c, a, val, bitset, false, forever); err != want {
			tb.Errorf("wait: %v, want %v", err, want)
		}
	})
	proctest.Until(func() bool { return k.waiters() == n+1 && k.asleep() >= n+1 })
	return done
}

func TestErrors(t *testing.T) {
	k := newKernel(t)
	sp, a := words(t, k)
	set(t, sp, a, 1)
	err2 := func(_ int, err error) error { return err }
	tests := []struct {
		name      string
		got, want error
	}{
		{"value", Wait(k.T, a, 2, all, false, forever), errno.EAGAIN},
		{"bitset", Wait(k.T, a, 1, 0, false, forever), errno.EINVAL},
		{"alignment", Wait(k.T, a+2, 1, all, false, forever), errno.EINVAL},
		{"fault", Wait(k.T, a+vm.PageSize, 0, all, false, forever), errno.EFAULT},
		{"null", Wait(k.T, 0, 0, all, false, forever), errno.EFAULT},
		{"kernel", Wait(k.T, 1<<63, 0, all, false, forever), errno.EFAULT},
		{"time", Wait(k.T, a, 1, all, false, proc.Deadline{}), errno.ETIMEDOUT},
		{"wake bitset", err2(Wake(k.T, a, 1, 0, false)), errno.EINVAL},
		{"wake alignment", err2(Wake(k.T, a+1, 1, all, false)), errno.EINVAL},
		{"wake kernel", err2(Wake(k.T, 1<<63, 1, all, false)), errno.EFAULT},
		{"wake of nothing", err2(Wake(k.T, a, 1, all, false)), nil},
		{"requeue wake < 0", err2(Requeue(k.T, a, -1, 1, a, Compare{}, false)), errno.EINVAL},
		{"requeue move < 0", err2(Requeue(k.T, a, 1, -1, a, Compare{}, false)), errno.EINVAL},
		{"requeue value", err2(Requeue(k.T, a, 1, 1, a, Compare{true, 7}, false)), errno.EAGAIN},
		{"requeue fault", err2(Requeue(k.T, a+vm.PageSize, 1, 1, a, Compare{true, 7}, false)), errno.EFAULT},
		{"wake op", err2(WakeOp(k.T, a, 1, a, 1, 7<<28, false)), errno.ENOSYS},
		{"wake cmp", err2(WakeOp(k.T, a, 1, a, 1, 6<<24, false)), errno.ENOSYS},
		{"wake op fault", err2(WakeOp(k.T, a, 1, a+vm.PageSize, 1, 0, false)), errno.EFAULT},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if n := k.waiters(); n != 0 {
		t.Errorf("%d waiters left", n)
	}
}

func TestWake(t *testing.T) {
	k := newKernel(t)
	sp, a := words(t, k)
	set(t, sp, a, 5)
	var done []<-chan struct{}
	for range 4 {
		done = append(done, k.waiter(t, a, 5, all, nil))
	}
	even := k.waiter(t, a, 5, 2, nil)
	wake := func(n int, bits uint32, want int) {
		t.Helper()
		if got, err := Wake(k.T, a, n, bits, false); got != want || err != nil {
			t.Errorf("woke %d, want %d: %v", got, want, err)
		}
	}
	wake(1, all, 1)
	<-done[0] // the first that came
	wake(0, all, 1)
	<-done[1]
	wake(1, 2, 1) // all have bit 2
	<-done[2]
	wake(10, 1, 1)
	<-done[3]
	wake(10, 4, 0)
	wake(10, 6, 1)
	<-even
	wake(10, all, 0)
	if n, _ := Wake(k.T, a+4, 1, all, false); n != 0 {
		t.Error(n)
	}
}

func TestRequeue(t *testing.T) {
	k := newKernel(t)
	_, a := words(t, k)
	b := a + 64
	var done []<-chan struct{}
	for range 5 {
		done = append(done, k.waiter(t, a, 0, all, nil))
	}
	if n, err := Requeue(k.T, a, 1, 2, b, Compare{true, 0}, false); n != 3 || err != nil {
		t.Error(n, err)
	}
	<-done[0]
	if n, _ := Wake(k.T, a, 9, all, false); n != 2 {
		t.Errorf("%d stayed", n)
	}
	<-done[3]
	<-done[4]
	if n, err := Requeue(k.T, b, 0, 9, b, Compare{}, false); n != 2 || err != nil {
		t.Error(n, err)
	}
	if n, _ := Wake(k.T, b, 9, all, false); n != 2 {
		t.Errorf("%d were moved", n)
	}
	<-done[1]
	<-done[2]
}

func TestWakeOp(t *testing.T) {
	k := newKernel(t)
	sp, a := words(t, k)
	b := a + 64
	op := func(op, cmp, arg, with uint32) uint32 { return op<<28 | cmp<<24 | arg&0xfff<<12 | with&0xfff }
	tests := []struct {
		op       uint32
		old, new uint32
		second   bool
	}{
		{op(abi.FUTEX_OP_SET, abi.FUTEX_OP_CMP_EQ, 7, 3), 3, 7, true},
		{op(abi.FUTEX_OP_SET, abi.FUTEX_OP_CMP_NE, 7, 3), 3, 7, false},
		{op(abi.FUTEX_OP_ADD, abi.FUTEX_OP_CMP_GT, 0xfff, 1), 3, 2, true},
		{op(abi.FUTEX_OP_OR|8, abi.FUTEX_OP_CMP_GE, 4, 4), 3, 19, false},
		{op(abi.FUTEX_OP_ANDN, abi.FUTEX_OP_CMP_LT, 1, 4), 3, 2, true},
		{op(abi.FUTEX_OP_XOR, abi.FUTEX_OP_CMP_LE, 1, 0xfff), 3, 2, false},
		{op(abi.FUTEX_OP_SET|8, abi.FUTEX_OP_CMP_EQ, 33, 3), 3, 2, true},
	}
	for i, tt := range tests {
		set(t, sp, b, tt.old)
		x, y := k.waiter(t, a, 0, all, nil), k.waiter(t, b, tt.old, all, nil)
		want := 1
		if tt.second {
			want = 2
		}
		if n, err := WakeOp(k.T, a, 1, b, 1, tt.op, false); n != want || err != nil {
			t.Errorf("%d: woke %d: %v", i, n, err)
		}
		if v, _ := sp.Load32(b); v != tt.new {
			t.Errorf("%d: %d, want %d", i, v, tt.new)
		}
		Wake(k.T, b, 1, all, false)
		<-x
		<-y
	}
}

// A wait to a time of day ends when the clock is set to that.
func TestClockSet(t *testing.T) {
	k := newKernel(t)
	_, a := words(t, k)
	var wall atomic.Int64
	done := k.Spawn(t, proctest.ThreadFlags, func(c *proc.Thread) {
		if err := Wait(c, a, 0, all, false, proc.Deadline{At: 1 << 60, Wall: wall.Load}); err != errno.ETIMEDOUT {
			t.Error(err)
		}
	})
	proctest.Until(func() bool { return k.waiters() == 1 && k.asleep() == 1 })
	wall.Store(1 << 60)
	proc.TableOf(k.In).ClockWasSet()
	<-done
	if k.waiters() != 0 {
		t.Error("a waiter is left")
	}
}

func TestSignalAndRestart(t *testing.T) {
	k := newKernel(t)
	_, a := words(t, k)
	for _, deadline := range []int64{proc.Forever, 1 << 60} {
		done := k.Spawn(t, 0, func(c *proc.Thread) {
			c.Sigaction(proc.SIGUSR1, &proc.Action{Handler: 1 << 20})
			err := Wait(c, a, 0, all, false, proc.Deadline{At: deadline})
			if deadline == proc.Forever && err != proc.ERestartSys {
				t.Error(err)
			}
			if deadline != proc.Forever && (err != proc.ERestartBlock || c.TakeRestart() == nil) {
				t.Error(err)
			}
		})
		proctest.Until(func() bool { return k.waiters() == 1 })
		k.T.Kill(-1, proc.SIGUSR1)
		<-done
	}
}

// TestMutex runs a mutex as a C library has it.
func TestMutex(t *testing.T) {
	k := newKernel(t)
	sp, a := words(t, k)
	const rounds = 500
	counter := 0 // guarded by the futex
	var inside atomic.Int32
	worker := func(c *proc.Thread) {
		for range rounds {
			old, _ := sp.Update32(a, func(old uint32) uint32 { return max(old, 1) })
			for old != 0 {
				if old, _ = sp.Update32(a, func(uint32) uint32 { return 2 }); old == 0 {
					break
				}
				if err := Wait(c, a, 2, all, false, forever); err != nil && err != errno.EAGAIN {
					t.Error(err)
					return
				}
			}
			if inside.Add(1) != 1 {
				t.Error("two are inside")
			}
			counter++
			inside.Add(-1)
			if old, _ := sp.Update32(a, func(uint32) uint32 { return 0 }); old == 2 {
				Wake(c, a, 1, all, false)
			}
		}
	}
	var done []<-chan struct{}
	for range 4 {
		done = append(done, k.Spawn(t, proctest.ThreadFlags, worker))
	}
	for _, d := range done {
		<-d
	}
	if counter != 4*rounds {
		t.Errorf("%d", counter)
	}
}

func put64(tb testing.TB, sp *vm.Space, a vm.Addr, v uint64) {
	var b [8]byte
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	if err := sp.CopyOut(a, b[:]); err != nil {
		tb.Fatal(err)
	}
}

func TestRobust(t *testing.T) {
	k := newKernel(t)
	sp, a := words(t, k)
	tid := uint32(k.T.TID)
	// Head at a; entries at a+64, a+128; pending a+192; futexes 16 behind.
	e1, e2, pend := a+64, a+128, a+192
	put64(t, sp, a, uint64(e1))
	put64(t, sp, a+8, 16)
	put64(t, sp, a+16, uint64(pend))
	put64(t, sp, e1, uint64(e2))
	put64(t, sp, e2, uint64(a))
	set(t, sp, e1+16, tid|abi.FUTEX_WAITERS)
	set(t, sp, e2+16, tid+1)
	set(t, sp, pend+16, tid)
	set(t, sp, a+256, 9)
	w := k.Spawn(t, proctest.ThreadFlags, func(c *proc.Thread) {
		if err := Wait(c, e1+16, tid|abi.FUTEX_WAITERS, all, true, forever); err != nil {
			t.Error(err)
		}
	})
	proctest.Until(func() bool { return k.waiters() == 1 && k.asleep() == 1 })
	k.T.SetRobustList(a, abi.RobustListHeadSize)
	k.T.SetTIDAddress(a + 256)
	ThreadExit(k.T)
	<-w
	for _, tt := range []struct {
		a    vm.Addr
		want uint32
	}{{e1 + 16, abi.FUTEX_WAITERS | abi.FUTEX_OWNER_DIED}, {e2 + 16, tid + 1}, {pend + 16, abi.FUTEX_OWNER_DIED}, {a + 256, 0}} {
		if v, _ := sp.Load32(tt.a); v != tt.want {
			t.Errorf("%#x: %#x, want %#x", tt.a, v, tt.want)
		}
	}
	// Lists that don't end, or lead nowhere.
	put64(t, sp, e2, uint64(e1))
	k.T.SetRobustList(a, abi.RobustListHeadSize)
	ThreadExit(k.T)
	r := rand.New(rand.NewSource(4))
	for range 300 {
		for at := vm.Addr(0); at < 256; at += 8 {
			put64(t, sp, a+at, uint64(a)+uint64(r.Intn(32))*8)
			if r.Intn(8) == 0 {
				put64(t, sp, a+at, r.Uint64())
			}
		}
		k.T.SetRobustList(a+vm.Addr(r.Intn(5000)), abi.RobustListHeadSize)
		ThreadExit(k.T)
	}
}

func TestTwoInstances(t *testing.T) {
	a, b := newKernel(t), newKernel(t)
	_, at := words(t, a)
	used := a.In.Used(inst.Heap)
	if n, err := Wake(a.T, at, 1, all, false); n != 0 || err != nil || a.In.Used(inst.Heap) != used {
		t.Error("before anybody waits:", n, err)
	}
	w := a.waiter(t, at, 0, all, nil)
	if b.waiters() != 0 {
		t.Error("a waiter of another instance is seen")
	}
	if a.In.Used(inst.Heap) < used+tableCost {
		t.Error("not charged")
	}
	Wake(a.T, at, 1, all, false)
	<-w
	proctest.Until(func() bool { return a.T.Proc.NumThreads() == 1 })
	used = a.In.Used(inst.Heap)
	free(a.In)
	if a.In.Used(inst.Heap) != used-tableCost {
		t.Error("not given back")
	}
	alloc(a.In, nil) // for its end
}

// TestNoMemory waits in an instance that can't pay for the table.
func TestNoMemory(t *testing.T) {
	k := newKernel(t)
	_, at := words(t, k)
	k.In.SetLimit(inst.Heap, k.In.Used(inst.Heap))
	if err := Wait(k.T, at, 0, all, false, proc.Deadline{At: proc.Forever}); err != errno.ENOMEM {
		t.Errorf("%v", err)
	}
	if _, err := Requeue(k.T, at, 1, 1, at+4, Compare{}, false); err != errno.ENOMEM {
		t.Errorf("%v", err)
	}
}

func BenchmarkWakeNobody(b *testing.B) {
	k := newKernel(b)
	_, a := words(b, k)
	b.ReportAllocs()
	for b.Loop() {
		Wake(k.T, a, 1, all, false)
	}
}
