package pipe

import (
	"bytes"
	"math/rand"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/internal/proctest"
	"mult/kern/proc"
	"mult/kern/vm"
)

func ends(tb testing.TB, k *proctest.Kernel, flags int) (r, w *file.File) {
	tb.Helper()
	r, w, err := New(k.T, flags)
	if err != nil {
		tb.Fatal(err)
	}
	return r, w
}

func pipeOf(f *file.File) *Pipe { return f.Impl.(*End).p }

// until waits until f is true of a pipe.
func (p *Pipe) until(f func() bool) {
	proctest.Until(func() bool { p.mu.Lock(); defer p.mu.Unlock(); return f() })
}

func write(t *proc.Thread, f *file.File, n int) (int, error) {
	return f.Write(t, vm.KernelUio(make([]byte, n)))
}

func read(t *proc.Thread, f *file.File, n int) (int, error) {
	return f.Read(t, vm.KernelUio(make([]byte, n)))
}

// handle makes signals of c's process interrupt it, and not end it.
func handle(c *proc.Thread, sigs ...proc.Signal) {
	for _, s := range sigs {
		c.Sigaction(s, &proc.Action{Handler: 1 << 20})
	}
}

func TestNonblock(t *testing.T) {
	k := newKernel(t)
	used := k.In.Used(inst.Heap)
	handle(k.T, proc.SIGPIPE)
	r, w := ends(t, k, abi.O_NONBLOCK)
	steps := []struct {
		write bool
		n     int
		want  int
		err   error
		r, w  file.Events
	}{
		{false, 1, 0, errno.EAGAIN, 0, abi.POLLOUT},
		{false, 0, 0, nil, 0, abi.POLLOUT},
		{true, 0, 0, nil, 0, abi.POLLOUT},
		{true, 1, 1, nil, abi.POLLIN, abi.POLLOUT},
		{true, 61440, 61440, nil, abi.POLLIN, 0}, // 4095 are free
		{true, 4096, 0, errno.EAGAIN, abi.POLLIN, 0},
		{true, 5000, 4095, nil, abi.POLLIN, 0},
		{true, 1, 0, errno.EAGAIN, abi.POLLIN, 0},
		{true, 5000, 0, errno.EAGAIN, abi.POLLIN, 0},
		{false, 4095, 4095, nil, abi.POLLIN, 0},
		{false, 1, 1, nil, abi.POLLIN, abi.POLLOUT},
		{true, 4096, 4096, nil, abi.POLLIN, 0},
		{false, 1 << 20, 65536, nil, 0, abi.POLLOUT},
	}
	const mask = abi.POLLIN | abi.POLLOUT | abi.POLLERR | abi.POLLHUP
	for i, s := range steps {
		var n int
		var err error
		if s.write {
			n, err = write(k.T, w, s.n)
		} else {
			n, err = read(k.T, r, s.n)
		}
		if n != s.want || err != s.err {
			t.Errorf("%d: %d, %v; want %d, %v", i, n, err, s.want, s.err)
		}
		if ev := r.Poll() & mask; ev != s.r {
			t.Errorf("%d: reader polls %#x, want %#x", i, ev, s.r)
		}
		if ev := w.Poll() & mask; ev != s.w {
			t.Errorf("%d: writer polls %#x, want %#x", i, ev, s.w)
		}
	}
	if _, err := read(k.T, w, 1); err != errno.EBADF {
		t.Errorf("read of the writing end: %v", err)
	}
	if _, err := write(k.T, r, 1); err != errno.EBADF {
		t.Errorf("write of the reading end: %v", err)
	}
	if _, err := r.Seek(k.T, 0, 0); err != errno.ESPIPE {
		t.Errorf("lseek: %v", err)
	}
	write(k.T, w, 5)
	w.Release()
	if ev := r.Poll() & mask; ev != abi.POLLIN|abi.POLLHUP {
		t.Errorf("reader without writers polls %#x", ev)
	}
	if n, err := read(k.T, r, 10); n != 5 || err != nil {
		t.Error(n, err)
	}
	if n, err := read(k.T, r, 10); n != 0 || err != nil {
		t.Error(n, err)
	}
	r.Release()
	if got := k.In.Used(inst.Heap); got != used {
		t.Errorf("heap %d, before %d", got, used)
	}
}

func TestBrokenPipe(t *testing.T) {
	k := newKernel(t)
	handle(k.T, proc.SIGPIPE)
	r, w := ends(t, k, 0)
	defer w.Release()
	r.Release()
	if ev := w.Poll(); ev&abi.POLLERR == 0 {
		t.Errorf("writer polls %#x", ev)
	}
	if n, err := write(k.T, w, 0); n != 0 || err != nil {
		t.Error(n, err)
	}
	if k.T.Interrupted() {
		t.Fatal("a signal too early")
	}
	if n, err := write(k.T, w, 1); n != 0 || err != errno.EPIPE {
		t.Error(n, err)
	}
	if d := k.T.NextSignal(); d.Info.Signo != proc.SIGPIPE {
		t.Errorf("signal %v", d.Info.Signo)
	}
	k.T.SetSigMask(0)
	// A writer that waits; what it has written already counts.
	for _, n := range []int{100, 70000} {
		r, w := ends(t, k, 0)
		if n == 100 {
			write(k.T, w, DefaultSize)
		}
		done := k.Spawn(t, proctest.ThreadFlags, func(c *proc.Thread) {
			got, err := write(c, w, n)
			if n == 100 && (got != 0 || err != errno.EPIPE) || n != 100 && (got != DefaultSize || err != nil) {
				t.Errorf("%d: %d, %v", n, got, err)
			}
			if d := c.NextSignal(); d.Info.Signo != proc.SIGPIPE {
				t.Errorf("%d: signal %v", n, d.Info.Signo)
			}
		})
		p := pipeOf(w)
		p.until(func() bool { return p.writeWait == 1 })
		r.Release()
		<-done
		w.Release()
	}
}

func TestBlocking(t *testing.T) {
	k := newKernel(t)
	r, w := ends(t, k, 0)
	p := pipeOf(r)
	var got bytes.Buffer
	done := k.Spawn(t, proctest.ThreadFlags, func(c *proc.Thread) {
		for {
			b := make([]byte, 5000)
			n, err := r.Read(c, vm.KernelUio(b))
			if err != nil || n == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			got.Write(b[:n])
		}
	})
	p.until(func() bool { return p.readWait == 1 })
	want := make([]byte, 1<<20)
	rand.New(rand.NewSource(3)).Read(want)
	for off, size := 0, 1; off < len(want); size = size*3%200000 + 1 {
		n, err := w.Write(k.T, vm.KernelUio(want[off:min(off+size, len(want))]))
		if err != nil || n != min(size, len(want)-off) {
			t.Fatal(n, err)
		}
		off += n
	}
	w.Release()
	<-done
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("what was read is not what was written")
	}
	r.Release()
}

// TestAtomic lets two writers and two readers work at once: records up to
// Atomic bytes stay whole.
func TestAtomic(t *testing.T) {
	k := newKernel(t)
	r, w := ends(t, k, 0)
	const record, records = 1000, 2000
	writer := func(b byte) func(c *proc.Thread) {
		return func(c *proc.Thread) {
			for range records {
				if n, err := w.Write(c, vm.KernelUio(bytes.Repeat([]byte{b}, record))); n != record || err != nil {
					t.Error(n, err)
				}
			}
		}
	}
	a, b := k.Spawn(t, proctest.ThreadFlags, writer(1)), k.Spawn(t, proctest.ThreadFlags, writer(2))
	buf := make([]byte, record)
	for i := range 2 * records {
		for have := 0; have < record; {
			n, err := r.Read(k.T, vm.KernelUio(buf[have:]))
			if err != nil {
				t.Fatal(err)
			}
			have += n
		}
		if n := bytes.Count(buf, buf[:1]); n != record {
			t.Fatalf("record %d is torn", i)
		}
	}
	<-a
	<-b
	w.Release()
	r.Release()
}

func TestReadersShare(t *testing.T) {
	k := newKernel(t)
	r, w := ends(t, k, 0)
	p := pipeOf(r)
	total := make(chan int, 3)
	var done []<-chan struct{}
	for range 3 {
		done = append(done, k.Spawn(t, proctest.ThreadFlags, func(c *proc.Thread) {
			sum := 0
			for {
				n, err := read(c, r, 7)
				if err != nil {
					t.Error(err)
				}
				if n == 0 {
					break
				}
				sum += n
			}
			total <- sum
		}))
	}
	p.until(func() bool { return p.readWait == 3 })
	for range 3000 {
		write(k.T, w, 10)
	}
	w.Release()
	sum := 0
	for _, d := range done {
		<-d
		sum += <-total
	}
	if sum != 30000 {
		t.Errorf("%d bytes read", sum)
	}
	r.Release()
}

func TestInterrupt(t *testing.T) {
	k := newKernel(t)
	r, w := ends(t, k, 0)
	p := pipeOf(r)
	done := k.Spawn(t, 0, func(c *proc.Thread) {
		handle(c, proc.SIGUSR1)
		if _, err := read(c, r, 1); err != proc.ERestartSys {
			t.Error(err)
		}
	})
	p.until(func() bool { return p.readWait == 1 })
	k.T.Kill(-1, proc.SIGUSR1)
	<-done
	done = k.Spawn(t, 0, func(c *proc.Thread) {
		handle(c, proc.SIGUSR1)
		if n, err := write(c, w, DefaultSize+1); n != DefaultSize || err != nil {
			t.Error(n, err)
		}
	})
	p.until(func() bool { return p.writeWait == 1 })
	k.T.Kill(-1, proc.SIGUSR1)
	<-done
	w.Release()
	r.Release()
}

func TestFault(t *testing.T) {
	k := newKernel(t)
	r, w := ends(t, k, abi.O_NONBLOCK)
	sp := k.T.Space()
	a, err := sp.Map(vm.MapArgs{Len: 2 * vm.PageSize, Prot: vm.Read | vm.Write, MaxProt: vm.Read | vm.Write})
	if err != nil {
		t.Fatal(err)
	}
	if err := sp.Unmap(a+vm.PageSize, vm.PageSize); err != nil {
		t.Fatal(err)
	}
	at := func(a vm.Addr, n uint64) *vm.Uio {
		u, err := sp.UioAt(a, n)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	edge := a + vm.PageSize
	if n, err := w.Write(k.T, at(edge, 10)); n != 0 || err != errno.EFAULT {
		t.Error(n, err)
	}
	if n, err := w.Write(k.T, at(edge-6, 10)); n != 6 || err != nil {
		t.Error(n, err)
	}
	if n, err := r.Read(k.T, at(edge, 10)); n != 0 || err != errno.EFAULT {
		t.Error(n, err)
	}
	if n, err := r.Read(k.T, at(edge-4, 10)); n != 4 || err != nil {
		t.Error(n, err)
	}
	if n, err := read(k.T, r, 10); n != 2 || err != nil {
		t.Error(n, err)
	}
}

func TestPipeSize(t *testing.T) {
	k := newKernel(t)
	tb := file.Of(k.T.Proc)
	r, w := ends(t, k, abi.O_NONBLOCK)
	fd, _ := tb.Alloc(k.T, r, 0, false)
	set := func(n uint64) func() (int, error) {
		return func() (int, error) { return tb.Fcntl(k.T, fd, abi.F_SETPIPE_SZ, n) }
	}
	tests := []struct {
		f    func() (int, error)
		want int
		err  error
	}{
		{func() (int, error) { return tb.Fcntl(k.T, fd, abi.F_GETPIPE_SZ, 0) }, 65536, nil},
		{set(1<<32 + 1), 4096, nil}, // an int, of which this is 1
		{set(1<<31 + 1), 0, errno.EINVAL},
		{set(1 << 31), 0, errno.EPERM},
		{set(MaxSize + 1), 0, errno.EPERM},
		{set(0), 4096, nil},
		{func() (int, error) { return write(k.T, w, 10000) }, 4096, nil},
		{func() (int, error) { return write(k.T, w, 10000) }, 0, errno.EAGAIN},
		{set(5000), 8192, nil},
		{func() (int, error) { return write(k.T, w, 10000) }, 4096, nil},
		{func() (int, error) { return read(k.T, r, 1000) }, 1000, nil},
		{set(4096), 0, errno.EBUSY},
		{set(MaxSize), MaxSize, nil},
		{func() (int, error) { return write(k.T, w, MaxSize) }, MaxSize - 7192, nil},
		{func() (int, error) { return read(k.T, r, MaxSize-4000) }, MaxSize - 4000, nil},
		{set(1), 4096, nil},
		{func() (int, error) { return read(k.T, r, MaxSize) }, 4000, nil},
	}
	for i, tt := range tests {
		if n, err := tt.f(); n != tt.want || err != tt.err {
			t.Errorf("%d: %d, %v; want %d, %v", i, n, err, tt.want, tt.err)
		}
	}
}

func TestNoMemory(t *testing.T) {
	k := newKernel(t)
	used := k.In.Used(inst.Heap)
	for room := int64(0); room < 1300; room += 50 {
		k.In.SetLimit(inst.Heap, used+room)
		if r, w, err := New(k.T, 0); err == nil {
			w.Release()
			r.Release()
		} else if err != errno.ENFILE {
			t.Errorf("with %d bytes: %v", room, err)
		}
		if got := k.In.Used(inst.Heap); got != used {
			t.Fatalf("with %d bytes: %d lost", room, got-used)
		}
	}
	k.In.SetLimit(inst.Heap, used+100000)
	r, w := ends(t, k, abi.O_NONBLOCK)
	k.In.SetLimit(inst.Heap, k.In.Used(inst.Heap))
	if _, err := write(k.T, w, 1); err != errno.ENOMEM {
		t.Error(err)
	}
	k.In.SetLimit(inst.Heap, k.In.Used(inst.Heap)+5000)
	if n, err := write(k.T, w, 10000); n != 4096 || err != nil {
		t.Error(n, err)
	}
	if n, err := write(k.T, w, 1); n != 0 || err != errno.ENOMEM {
		t.Error(n, err)
	}
	read(k.T, r, 100)
	if n, err := write(k.T, w, 100); n != 100 || err != nil {
		t.Error(n, err)
	}
}

func TestAllocs(t *testing.T) {
	k := newKernel(t)
	r, w := ends(t, k, 0)
	b := []byte{1}
	sp := k.T.Space()
	a, err := sp.Map(vm.MapArgs{Len: vm.PageSize, Prot: vm.Read | vm.Write, MaxProt: vm.Read | vm.Write})
	if err != nil {
		t.Fatal(err)
	}
	if err := sp.CopyOut(a, b); err != nil {
		t.Fatal(err)
	}
	var u vm.Uio
	w.Write(k.T, vm.KernelUio(b))
	n := testing.AllocsPerRun(1000, func() {
		u.SetAt(sp, a, 1)
		if _, err := w.Write(k.T, &u); err != nil {
			t.Fatal(err)
		}
		u.SetAt(sp, a, 1)
		if _, err := r.Read(k.T, &u); err != nil {
			t.Fatal(err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkByte(b *testing.B) {
	k := newKernel(b)
	r, w := ends(b, k, 0)
	sp := k.T.Space()
	a, _ := sp.Map(vm.MapArgs{Len: vm.PageSize, Prot: vm.Read | vm.Write, MaxProt: vm.Read | vm.Write})
	sp.CopyOut(a, []byte{1})
	var u vm.Uio
	for b.Loop() {
		u.SetAt(sp, a, 1)
		w.Write(k.T, &u)
		u.SetAt(sp, a, 1)
		r.Read(k.T, &u)
	}
}

func BenchmarkBandwidth(b *testing.B) {
	k := newKernel(b)
	r, w := ends(b, k, 0)
	const size = 65536
	done := k.Spawn(b, proctest.ThreadFlags, func(c *proc.Thread) {
		buf := make([]byte, size)
		for {
			if n, _ := r.Read(c, vm.KernelUio(buf)); n == 0 {
				return
			}
		}
	})
	buf := make([]byte, size)
	b.SetBytes(size)
	for b.Loop() {
		w.Write(k.T, vm.KernelUio(buf))
	}
	w.Release()
	<-done
}
