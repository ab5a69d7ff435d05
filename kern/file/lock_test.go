package file

import (
	"math"
	"math/rand"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/internal/proctest"
	"mult/kern/proc"
)

func TestFlock(t *testing.T) {
	k := newKernel(t)
	used := k.In.Used(inst.Heap)
	m := &mem{}
	a, b := open(t, k.In, m, abi.O_RDONLY), open(t, k.In, m, abi.O_RDONLY)
	other := open(t, k.In, &mem{}, 0)
	const sh, ex, un, nb = abi.LOCK_SH, abi.LOCK_EX, abi.LOCK_UN, abi.LOCK_NB
	tests := []struct {
		f    *File
		op   int
		want error
	}{
		{a, sh, nil},
		{b, sh, nil},
		{b, ex | nb, errno.EAGAIN}, // and has lost its own
		{a, ex | nb, nil},
		{b, sh | nb, errno.EAGAIN},
		{a, ex | nb, nil},
		{other, ex, nil},
		{b, un, nil},
		{a, sh | nb, nil},
		{b, sh | nb, nil},
		{a, un | nb, nil},
		{b, ex | nb, nil},
		{b, un, nil},
		{b, sh | ex, errno.EINVAL},
	}
	for i, tt := range tests {
		if err := tt.f.Flock(k.T, tt.op); err != tt.want {
			t.Errorf("%d: flock(%d): %v, want %v", i, tt.op, err, tt.want)
		}
	}
	// One that waits gets it when the other's last reference goes.
	if err := a.Flock(k.T, ex); err != nil {
		t.Fatal(err)
	}
	done := k.Spawn(t, proctest.ThreadFlags, func(c *proc.Thread) {
		if err := b.Flock(c, sh); err != nil {
			t.Error(err)
		}
	})
	l := &slot.Of(k.In).locks
	proctest.Until(func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.sets[m].waiting == 1 })
	a.Release()
	<-done
	b.Release()
	other.Release()
	if len(l.sets) != 0 {
		t.Errorf("%d sets left", len(l.sets))
	}
	proctest.Until(func() bool { return k.In.Used(inst.Heap) <= used })
	if got := k.In.Used(inst.Heap); got != used {
		t.Errorf("heap %d, before %d", got, used)
	}
}

// fd opens m in the process of t.
func fdOf(tb testing.TB, k *proctest.Kernel, c *proc.Thread, impl Impl, flags int) int {
	tb.Helper()
	fd, err := Of(c.Proc).Alloc(c, open(tb, k.In, impl, flags), 0, false)
	if err != nil {
		tb.Fatal(err)
	}
	return fd
}

func TestRecordErrors(t *testing.T) {
	k := newKernel(t)
	m := &mem{data: make([]byte, 100)}
	tb := Of(k.T.Proc)
	rw := fdOf(t, k, k.T, m, abi.O_RDWR)
	rd := fdOf(t, k, k.T, m, abi.O_RDONLY)
	wr := fdOf(t, k, k.T, m, abi.O_WRONLY)
	fl := func(kind, whence int16, start, n int64) abi.Flock {
		return abi.Flock{Type: kind, Whence: whence, Start: start, Len: n}
	}
	tests := []struct {
		fd, cmd int
		fl      abi.Flock
		want    error
	}{
		{99, abi.F_SETLK, fl(abi.F_RDLCK, 0, 0, 0), errno.EBADF},
		{rd, abi.F_SETLK, fl(abi.F_WRLCK, 0, 0, 0), errno.EBADF},
		{wr, abi.F_SETLK, fl(abi.F_RDLCK, 0, 0, 0), errno.EBADF},
		{wr, abi.F_SETLK, fl(abi.F_UNLCK, 0, 0, 0), nil},
		{rw, abi.F_SETLK, fl(3, 0, 0, 0), errno.EINVAL},
		{rw, abi.F_SETLK, fl(0, 3, 0, 0), errno.EINVAL},
		{rw, abi.F_SETLK, fl(0, 0, -1, 0), errno.EINVAL},
		{rw, abi.F_SETLK, fl(0, 0, 5, -6), errno.EINVAL},
		{rw, abi.F_SETLK, fl(0, 0, 5, -5), nil},
		{rw, abi.F_SETLK, fl(0, abi.SEEK_END, math.MaxInt64, 0), errno.EOVERFLOW},
		{rw, abi.F_SETLK, fl(0, 0, math.MaxInt64, 1), nil},
		{rw, abi.F_SETLK, fl(0, 0, math.MaxInt64, 2), errno.EOVERFLOW},
		{rw, abi.F_SETLK, fl(0, 0, math.MinInt64, math.MinInt64), errno.EINVAL},
		{rw, abi.F_SETLK, fl(0, abi.SEEK_END, -100, math.MinInt64), errno.EINVAL},
		{rw, abi.F_GETLK, fl(abi.F_UNLCK, 0, 0, 0), errno.EINVAL},
		{rw, abi.F_OFD_SETLK, abi.Flock{PID: 1}, errno.EINVAL},
		{rw, 99, fl(0, 0, 0, 0), errno.EINVAL},
	}
	for i, tt := range tests {
		if err := tb.Lock(k.T, tt.fd, tt.cmd, &tt.fl); err != tt.want {
			t.Errorf("%d: %v, want %v", i, err, tt.want)
		}
	}
}

// Two processes, and an open file, and what each sees of the others.
func TestRecords(t *testing.T) {
	k := newKernel(t)
	m := &mem{data: make([]byte, 100)}
	tb := Of(k.T.Proc)
	fd := fdOf(t, k, k.T, m, abi.O_RDWR)
	lock := func(tb *Table, c *proc.Thread, fd, cmd int, kind int16, start, n int64) error {
		return tb.Lock(c, fd, cmd, &abi.Flock{Type: kind, Start: start, Len: n})
	}
	if err := lock(tb, k.T, fd, abi.F_SETLK, abi.F_WRLCK, 10, 10); err != nil {
		t.Fatal(err)
	}
	<-k.Spawn(t, 0, func(c *proc.Thread) {
		ctb := Of(c.Proc)
		tests := []struct {
			cmd      int
			kind     int16
			start, n int64
			want     error
		}{
			{abi.F_SETLK, abi.F_RDLCK, 0, 10, nil},
			{abi.F_SETLK, abi.F_RDLCK, 0, 11, errno.EAGAIN},
			{abi.F_SETLK, abi.F_RDLCK, 19, 1, errno.EAGAIN},
			{abi.F_SETLK, abi.F_WRLCK, 20, 0, nil},
			{abi.F_SETLK, abi.F_UNLCK, 10, 10, nil}, // not ours
			{abi.F_SETLK, abi.F_RDLCK, 15, 1, errno.EAGAIN},
		}
		for i, tt := range tests {
			if err := lock(ctb, c, fd, tt.cmd, tt.kind, tt.start, tt.n); err != tt.want {
				t.Errorf("%d: %v, want %v", i, err, tt.want)
			}
		}
		fl := abi.Flock{Type: abi.F_RDLCK}
		if err := ctb.Lock(c, fd, abi.F_GETLK, &fl); err != nil || fl != (abi.Flock{Type: abi.F_WRLCK, Start: 10, Len: 10, PID: 1}) {
			t.Errorf("F_GETLK: %+v, %v", fl, err)
		}
		fl = abi.Flock{Type: abi.F_WRLCK, Start: 30}
		if err := tb.Lock(k.T, fd, abi.F_GETLK, &fl); err != nil || fl != (abi.Flock{Type: abi.F_WRLCK, Start: 20, PID: int32(c.Proc.PID)}) {
			t.Errorf("F_GETLK: %+v, %v", fl, err)
		}
		fl = abi.Flock{Type: abi.F_RDLCK, Start: 5, Len: 1}
		if err := tb.Lock(k.T, fd, abi.F_GETLK, &fl); err != nil || fl.Type != abi.F_UNLCK {
			t.Errorf("F_GETLK: %+v, %v", fl, err)
		}
		// Any descriptor's close drops the locks of the process.
		fd2 := fdOf(t, k, c, m, abi.O_RDONLY)
		ctb.Close(c, fd2)
		if err := lock(tb, k.T, fd, abi.F_SETLK, abi.F_WRLCK, 0, 0); err != nil {
			t.Errorf("after the close: %v", err)
		}
	})
	// A lock of an open file is apart from those of its process.
	fd2 := fdOf(t, k, k.T, m, abi.O_RDWR)
	if err := lock(tb, k.T, fd2, abi.F_OFD_SETLK, abi.F_RDLCK, 0, 0); err != errno.EAGAIN {
		t.Errorf("F_OFD_SETLK: %v", err)
	}
	if err := lock(tb, k.T, fd, abi.F_SETLK, abi.F_UNLCK, 0, 0); err != nil {
		t.Fatal(err)
	}
	if err := lock(tb, k.T, fd2, abi.F_OFD_SETLK, abi.F_RDLCK, 0, 0); err != nil {
		t.Errorf("F_OFD_SETLK: %v", err)
	}
	fl := abi.Flock{Type: abi.F_WRLCK}
	if err := tb.Lock(k.T, fd, abi.F_GETLK, &fl); err != nil || fl.PID != -1 {
		t.Errorf("F_GETLK: %+v, %v", fl, err)
	}
	tb.Close(k.T, fd2)
	if n := len(slot.Of(k.In).locks.sets); n != 0 {
		t.Errorf("%d sets left", n)
	}
}

func TestRecordWait(t *testing.T) {
	k := newKernel(t)
	m := &mem{}
	tb := Of(k.T.Proc)
	fd := fdOf(t, k, k.T, m, abi.O_RDWR)
	l := &slot.Of(k.In).locks
	waits := func(n int) {
		proctest.Until(func() bool { l.mu.Lock(); defer l.mu.Unlock(); return l.sets[m].waiting == n })
	}
	set := func(tb *Table, c *proc.Thread, cmd int, kind int16, start int64) error {
		return tb.Lock(c, fd, cmd, &abi.Flock{Type: kind, Start: start, Len: 1})
	}
	set(tb, k.T, abi.F_SETLK, abi.F_WRLCK, 0)
	ready := make(chan bool)
	done := k.Spawn(t, 0, func(c *proc.Thread) {
		ctb := Of(c.Proc)
		set(ctb, c, abi.F_SETLK, abi.F_WRLCK, 1)
		ready <- true
		if err := set(ctb, c, abi.F_SETLKW, abi.F_RDLCK, 0); err != nil {
			t.Error(err)
		}
	})
	<-ready
	waits(1)
	if err := set(tb, k.T, abi.F_SETLKW, abi.F_RDLCK, 1); err != errno.EDEADLK {
		t.Errorf("deadlock: %v", err)
	}
	set(tb, k.T, abi.F_SETLK, abi.F_UNLCK, 0)
	<-done
	// A signal ends the wait.
	end := make(chan bool)
	done = k.Spawn(t, 0, func(c *proc.Thread) {
		c.Sigaction(proc.SIGUSR1, &proc.Action{Handler: 1 << 20})
		set(Of(c.Proc), c, abi.F_SETLK, abi.F_WRLCK, 5)
		ready <- true
		<-end
	})
	<-ready
	other := k.Spawn(t, 0, func(c *proc.Thread) {
		c.Sigaction(proc.SIGUSR1, &proc.Action{Handler: 1 << 20})
		ready <- true
		if err := set(Of(c.Proc), c, abi.F_SETLKW, abi.F_WRLCK, 5); err != proc.ERestartSys {
			t.Errorf("signal: %v", err)
		}
	})
	<-ready
	waits(1)
	k.T.Kill(-1, proc.SIGUSR1)
	<-other
	close(end)
	<-done
}

func TestRecordNoMemory(t *testing.T) {
	k := newKernel(t)
	tb := Of(k.T.Proc)
	fd := fdOf(t, k, k.T, &mem{}, abi.O_RDWR)
	used := k.In.Used(inst.Heap)
	k.In.SetLimit(inst.Heap, used+100000)
	n := int64(0)
	for ; ; n++ {
		if err := tb.Lock(k.T, fd, abi.F_SETLK, &abi.Flock{Type: abi.F_WRLCK, Start: 2 * n, Len: 1}); err == errno.ENOLCK {
			break
		} else if err != nil || n > 100000 {
			t.Fatal(n, err)
		}
	}
	// What is held can be given up, but not be cut in two.
	if err := tb.Lock(k.T, fd, abi.F_SETLK, &abi.Flock{Type: abi.F_UNLCK}); err != nil {
		t.Fatal(err)
	}
	if got := k.In.Used(inst.Heap); got != used {
		t.Errorf("heap %d, before %d", got, used)
	}
	if n < 500 {
		t.Errorf("only %d locks", n)
	}
}

// TestChangeModel compares change with a lock for each byte.
func TestChangeModel(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	const size = 40
	var model [size]int // 0 free, 1 read, 2 write
	var rs []record
	for range 20000 {
		a, b := r.Intn(size), r.Intn(size)
		rec := record{start: int64(min(a, b)), end: int64(max(a, b)), write: r.Intn(2) == 0}
		if rec.end == size-1 {
			rec.end = toEOF
		}
		unlock := r.Intn(3) == 0
		before := len(rs)
		rs = change(rs, rec, unlock)
		if len(rs) > before+2 {
			t.Fatalf("%d more records", len(rs)-before)
		}
		for i := min(a, b); i <= max(a, b); i++ {
			model[i] = 0
			if !unlock {
				model[i] = 1
			}
			if !unlock && rec.write {
				model[i] = 2
			}
		}
		var got [size]int
		for i, x := range rs {
			if x.start > x.end || i > 0 && (rs[i-1].end >= x.start || rs[i-1].end+1 == x.start && rs[i-1].write == x.write) {
				t.Fatalf("%+v", rs)
			}
			for j := x.start; j <= min(x.end, size-1); j++ {
				got[j] = 1
				if x.write {
					got[j] = 2
				}
			}
		}
		if got != model {
			t.Fatalf("%+v: %+v\n%v\n%v", rec, rs, got, model)
		}
	}
}

// TestRecordsShrink wants a list that was long to give back the room for what
// isn't charged any more.
func TestRecordsShrink(t *testing.T) {
	var rs []record
	const most = 1000
	for i := range int64(most) {
		rs = change(rs, record{start: 2 * i, end: 2 * i, write: true}, false)
	}
	if len(rs) != most {
		t.Fatalf("%d records, want %d", len(rs), most)
	}
	for i := range int64(most - 1) {
		rs = change(rs, record{start: 2 * i, end: 2 * i}, true)
		if len(rs) > 16 && cap(rs)/4 > len(rs) {
			t.Fatalf("room for %d records, of which there are %d", cap(rs), len(rs))
		}
	}
	if len(rs) != 1 || rs[0].start != 2*(most-1) || cap(rs) > 16 {
		t.Errorf("%v with room for %d", rs, cap(rs))
	}
}
