package file

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

func TestTable(t *testing.T) {
	k := newKernel(t)
	tb := Of(k.T.Proc)
	impl := &mem{}
	alloc := func(min int) int {
		t.Helper()
		fd, err := tb.Alloc(k.T, open(t, k.In, impl, abi.O_RDWR), min, false)
		if err != nil {
			t.Fatal(err)
		}
		return fd
	}
	for want := range 200 {
		if fd := alloc(0); fd != want {
			t.Fatalf("fd %d, want %d", fd, want)
		}
	}
	for _, fd := range []int{7, 3, 150} {
		if err := tb.Close(k.T, fd); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{3, 7, 150, 200} {
		if fd := alloc(0); fd != want {
			t.Fatalf("fd %d, want %d", fd, want)
		}
	}
	if fd := alloc(1000); fd != 1000 {
		t.Fatal(fd)
	}
	if fd := alloc(1000); fd != 1001 {
		t.Fatal(fd)
	}
	if fd := alloc(0); fd != 201 {
		t.Fatal(fd)
	}
	setLimit(t, k.T, 300)
	f := open(t, k.In, impl, 0)
	for fd := 202; fd < 300; fd++ {
		alloc(0)
	}
	if _, err := tb.Alloc(k.T, f, 0, false); err != errno.EMFILE {
		t.Errorf("beyond the limit: %v", err)
	}
	if _, err := tb.Get(1001); err != nil {
		t.Errorf("a descriptor from before the limit: %v", err)
	}
	for _, fd := range []int{-1, 300, 999, maxFDs, 1 << 40, -1 << 40} {
		if _, err := tb.Get(fd); err != errno.EBADF {
			t.Errorf("Get(%d): %v", fd, err)
		}
		if err := tb.Close(k.T, fd); err != errno.EBADF {
			t.Errorf("Close(%d): %v", fd, err)
		}
		if err := tb.SetCloseOnExec(fd, true); err != errno.EBADF {
			t.Errorf("SetCloseOnExec(%d): %v", fd, err)
		}
	}
}

func TestReserve(t *testing.T) {
	k := newKernel(t)
	tb := Of(k.T.Proc)
	fd, err := tb.Reserve(k.T, 0, true)
	if fd != 0 || err != nil {
		t.Fatal(fd, err)
	}
	f := open(t, k.In, &mem{}, 0)
	tb.Alloc(k.T, f, 0, false)
	if _, err := tb.Get(0); err != errno.EBADF {
		t.Errorf("Get of a reserved one: %v", err)
	}
	if err := tb.Close(k.T, 0); err != errno.EBADF {
		t.Errorf("Close of a reserved one: %v", err)
	}
	if _, err := tb.Dup2(k.T, 1, 0); err != errno.EBUSY {
		t.Errorf("dup2 onto a reserved one: %v", err)
	}
	f.Retain()
	tb.Install(0, f)
	if on, err := tb.CloseOnExec(0); !on || err != nil {
		t.Error(on, err)
	}
	fd, _ = tb.Reserve(k.T, 0, false)
	tb.Cancel(fd)
	if again, _ := tb.Reserve(k.T, 0, false); again != fd {
		t.Errorf("%d, then %d", fd, again)
	}
}

func TestDupFcntl(t *testing.T) {
	k := newKernel(t)
	tb := Of(k.T.Proc)
	setLimit(t, k.T, 100)
	a, b := &mem{}, &mem{}
	tb.Alloc(k.T, open(t, k.In, a, abi.O_RDWR), 0, true)
	tb.Alloc(k.T, open(t, k.In, b, abi.O_RDWR|abi.O_LARGEFILE), 0, false)
	tb.Alloc(k.T, open(t, k.In, &mem{}, abi.O_PATH), 0, false)
	type call struct {
		name string
		n    int
		err  error
	}
	c := func(name string) func(n int, err error) call {
		return func(n int, err error) call { return call{name, n, err} }
	}
	fcntl := func(fd, cmd int, arg uint64) (int, error) { return tb.Fcntl(k.T, fd, cmd, arg) }
	tests := []struct {
		call
		n   int
		err error
	}{
		{c("dup2 same")(tb.Dup2(k.T, 1, 1)), 1, nil},
		{c("dup2 same closed")(tb.Dup2(k.T, 9, 9)), -1, errno.EBADF},
		{c("dup3 same")(tb.Dup3(k.T, 1, 1, false)), -1, errno.EINVAL},
		{c("dup2 of closed")(tb.Dup2(k.T, 9, 1)), -1, errno.EBADF},
		{c("dup2 to limit")(tb.Dup2(k.T, 0, 100)), -1, errno.EBADF},
		{c("dup2 to -1")(tb.Dup2(k.T, 0, -1)), -1, errno.EBADF},
		{c("dup2 to free")(tb.Dup2(k.T, 0, 99)), 99, nil},
		{c("dup2 to open")(tb.Dup2(k.T, 0, 1)), 1, nil},
		{c("dup")(tb.Dup(k.T, 0, 0, false)), 3, nil},
		{c("dup of O_PATH")(tb.Dup(k.T, 2, 0, false)), 4, nil},
		{c("F_DUPFD")(fcntl(0, abi.F_DUPFD, 10)), 10, nil},
		{c("F_DUPFD_CLOEXEC")(fcntl(0, abi.F_DUPFD_CLOEXEC, 10)), 11, nil},
		{c("F_DUPFD limit")(fcntl(0, abi.F_DUPFD, 100)), -1, errno.EINVAL},
		{c("F_DUPFD huge")(fcntl(0, abi.F_DUPFD, 1<<31)), 0, errno.EINVAL},
		{c("F_DUPFD huge of closed")(fcntl(50, abi.F_DUPFD, 1<<31)), 0, errno.EBADF},
		{c("F_DUPFD full")(fcntl(0, abi.F_DUPFD, 99)), -1, errno.EMFILE},
		{c("F_GETFD 0")(fcntl(0, abi.F_GETFD, 0)), 1, nil},
		{c("F_GETFD 1")(fcntl(1, abi.F_GETFD, 0)), 0, nil},
		{c("F_GETFD 11")(fcntl(11, abi.F_GETFD, 0)), 1, nil},
		{c("F_SETFD")(fcntl(11, abi.F_SETFD, 0)), 0, nil},
		{c("F_GETFD cleared")(fcntl(11, abi.F_GETFD, 0)), 0, nil},
		{c("F_SETFL")(fcntl(0, abi.F_SETFL, abi.O_NONBLOCK)), 0, nil},
		{c("F_GETFL of the dup")(fcntl(10, abi.F_GETFL, 0)), abi.O_RDWR | abi.O_NONBLOCK, nil},
		{c("F_GETFL of O_PATH")(fcntl(2, abi.F_GETFL, 0)), abi.O_PATH, nil},
		{c("F_SETFL of O_PATH")(fcntl(2, abi.F_SETFL, 0)), 0, errno.EBADF},
		{c("F_GETFL of closed")(fcntl(77, abi.F_GETFL, 0)), 0, errno.EBADF},
		{c("F_GETOWN")(fcntl(0, abi.F_GETOWN, 0)), 0, nil},
		{c("F_SETOWN")(fcntl(0, abi.F_SETOWN, 1<<64-1)), 0, nil},
		{c("F_GETOWN group")(fcntl(0, abi.F_GETOWN, 0)), -1, nil},
		{c("F_SETOWN unknown")(fcntl(0, abi.F_SETOWN, 7)), 0, errno.ESRCH},
		{c("F_SETOWN unknown group")(fcntl(0, abi.F_SETOWN, 1<<64-7)), 0, errno.ESRCH},
		{c("F_SETOWN least")(fcntl(0, abi.F_SETOWN, 1<<31)), 0, errno.EINVAL},
		{c("F_SETSIG")(fcntl(0, abi.F_SETSIG, 65)), 0, errno.EINVAL},
		{c("F_GETLEASE")(fcntl(0, abi.F_GETLEASE, 0)), abi.F_UNLCK, nil},
		{c("F_GETPIPE_SZ")(fcntl(0, abi.F_GETPIPE_SZ, 0)), 0, errno.EBADF},
		{c("unknown")(fcntl(0, 9999, 0)), 0, errno.EINVAL},
	}
	for _, tt := range tests {
		if tt.call.n != tt.n || tt.call.err != tt.err {
			t.Errorf("%s: %d, %v; want %d, %v", tt.name, tt.call.n, tt.call.err, tt.n, tt.err)
		}
	}
	if b.released != 1 {
		t.Errorf("dup2 released what it closed %d times", b.released)
	}
}

func TestForkExecExit(t *testing.T) {
	k := newKernel(t)
	tb := Of(k.T.Proc)
	impl := &mem{}
	for i := range 130 {
		tb.Alloc(k.T, open(t, k.In, impl, 0), 0, i%2 == 0)
	}
	tb.Close(k.T, 64)
	tb.Reserve(k.T, 0, false)
	used := k.In.Used(inst.Heap)
	<-k.Spawn(t, 0, func(c *proc.Thread) {
		ctb := Of(c.Proc)
		if ctb == tb {
			t.Error("a forked process shares the table")
		}
		if fd, err := ctb.Reserve(c, 0, false); fd != 64 || err != nil {
			t.Errorf("the reserved descriptor is not free in the child: %d, %v", fd, err)
		}
		ctb.Cancel(64)
		exec(c)
		n := 0
		ctb.Each(func(fd int, cloexec bool, f *File) bool {
			if cloexec || fd%2 == 0 {
				t.Errorf("%d survived exec", fd)
			}
			n++
			return true
		})
		if n != 65 {
			t.Errorf("%d descriptors after exec", n)
		}
		if _, err := tb.Get(0); err != nil {
			t.Errorf("exec of the child closed the parent's: %v", err)
		} else {
			f, _ := tb.Get(0)
			f.Release()
			f.Release()
		}
	})
	// A share: what one opens, the other sees, until it wants its own.
	<-k.Spawn(t, proc.CLONE_FILES, func(c *proc.Thread) {
		if Of(c.Proc) != tb {
			t.Error("CLONE_FILES didn't share")
		}
		tb.Cancel(64)
		if err := Unshare(c); err != nil || Of(c.Proc) == tb {
			t.Error("Unshare", err)
		}
		Of(c.Proc).Close(c, 1)
		if f, err := tb.Get(1); err != nil {
			t.Error("the tables are not apart")
		} else {
			f.Release()
		}
	})
	for range 2 {
		if _, err := k.T.Wait4(-1, 0); err != nil {
			t.Error(err)
		}
	}
	if got := k.In.Used(inst.Heap); got > used {
		t.Errorf("heap %d, before %d", got, used)
	}
	if err := Unshare(k.T); err != nil || Of(k.T.Proc) != tb {
		t.Error("Unshare of an unshared table", err)
	}
	exit(k.T.Proc, nil)
	if impl.count() != 130 {
		t.Errorf("%d of 130 released", impl.count())
	}
}

func (m *mem) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.released
}

func TestForkNoMemory(t *testing.T) {
	k := newKernel(t)
	tb := Of(k.T.Proc)
	impl := &mem{}
	for range 200 {
		tb.Alloc(k.T, open(t, k.In, impl, 0), 0, false)
	}
	used := k.In.Used(inst.Heap)
	for room := int64(0); room < tableCost+3*chunkCost; room += 256 {
		k.In.SetLimit(inst.Heap, used+room)
		if _, err := tb.clone(); err != errno.ENOMEM {
			t.Errorf("with %d bytes: %v", room, err)
		}
		if now := k.In.Used(inst.Heap); now != used {
			t.Fatalf("with %d bytes: %d are lost", room, now-used)
		}
	}
	if impl.released != 0 {
		t.Errorf("%d files released", impl.released)
	}
}

func TestCloseRange(t *testing.T) {
	k := newKernel(t)
	tb := Of(k.T.Proc)
	setLimit(t, k.T, 10000)
	fill := func() {
		for fd := range 200 {
			if f, err := tb.Get(fd); err == nil {
				f.Release()
				continue
			}
			tb.Alloc(k.T, open(t, k.In, &mem{}, 0), fd, false)
		}
		tb.Alloc(k.T, open(t, k.In, &mem{}, 0), 5000, false)
	}
	left := func() (n int) {
		tb.Each(func(int, bool, *File) bool { n++; return true })
		return n
	}
	tests := []struct {
		first, last uint32
		flags       int
		left        int
		err         error
	}{
		{5, 4, 0, 201, errno.EINVAL},
		{0, 5, 8, 201, errno.EINVAL},
		{10, 10, 0, 200, nil},
		{60, 140, 0, 120, nil},
		{199, 4000, 0, 200, nil},
		{3, 1<<32 - 1, 0, 3, nil},
		{1 << 20, 1<<32 - 1, 0, 201, nil},
		{3, 1<<32 - 1, abi.CLOSE_RANGE_CLOEXEC, 201, nil},
		{0, 1<<32 - 1, abi.CLOSE_RANGE_UNSHARE, 0, nil},
	}
	for _, tt := range tests {
		fill()
		if err := CloseRange(k.T, tt.first, tt.last, tt.flags); err != tt.err {
			t.Errorf("%+v: %v", tt, err)
		}
		if n := left(); n != tt.left {
			t.Errorf("%+v: %d left", tt, n)
		}
		if tt.flags == abi.CLOSE_RANGE_CLOEXEC {
			if on, _ := tb.CloseOnExec(5000); !on {
				t.Error("CLOSE_RANGE_CLOEXEC")
			}
			exec(k.T)
			if n := left(); n != 3 {
				t.Errorf("%d after exec", n)
			}
		}
		tb.closeWhere(0, tb.chunks(), func(ch *chunk) uint64 { return ch.used })
	}
}

// TestTableModel compares the table with a simple one.
func TestTableModel(t *testing.T) {
	k := newKernel(t)
	tb := Of(k.T.Proc)
	const limit = 700
	setLimit(t, k.T, limit)
	r := rand.New(rand.NewSource(1))
	var model [limit]*File
	for range 20000 {
		switch r.Intn(3) {
		case 0:
			f := open(t, k.In, &mem{}, 0)
			min := 0
			if r.Intn(4) == 0 {
				min = r.Intn(limit)
			}
			want := min
			for want < limit && model[want] != nil {
				want++
			}
			fd, err := tb.Alloc(k.T, f, min, false)
			if want == limit {
				if err != errno.EMFILE {
					t.Fatalf("%d, %v, want EMFILE", fd, err)
				}
				f.Release()
				continue
			}
			if fd != want || err != nil {
				t.Fatalf("%d, %v, want %d", fd, err, want)
			}
			model[fd] = f
		case 1:
			fd := r.Intn(limit)
			err := tb.Close(k.T, fd)
			if (err == nil) != (model[fd] != nil) {
				t.Fatalf("close(%d): %v", fd, err)
			}
			model[fd] = nil
		case 2:
			old, new := r.Intn(limit), r.Intn(limit)
			_, err := tb.Dup2(k.T, old, new)
			if (err == nil) != (model[old] != nil) {
				t.Fatalf("dup2(%d, %d): %v", old, new, err)
			}
			if err == nil {
				model[new] = model[old]
			}
		}
		fd := r.Intn(limit)
		f, err := tb.Get(fd)
		if f != model[fd] {
			t.Fatalf("%d: %p, want %p", fd, f, model[fd])
		}
		if err == nil {
			f.Release()
		}
	}
}

// TestCloseRace closes and replaces descriptors while others use them.
func TestCloseRace(t *testing.T) {
	k := newKernel(t)
	tb := Of(k.T.Proc)
	impl := &mem{}
	var opened, stop atomic.Int64
	reader := func(c *proc.Thread) {
		for stop.Load() == 0 {
			for _, fd := range []int{0, 100} {
				f, err := tb.Get(fd)
				if err != nil {
					continue
				}
				if n, err := f.Pread(c, vm.KernelUio(make([]byte, 1)), 0); n != 0 || err != nil {
					t.Error(n, err)
				}
				f.Release()
			}
		}
	}
	a, b := k.Spawn(t, proctest.ThreadFlags, reader), k.Spawn(t, proctest.ThreadFlags, reader)
	for i := range 3000 {
		f := open(t, k.In, impl, abi.O_RDONLY)
		opened.Add(1)
		fd, err := tb.Alloc(k.T, f, 0, false)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			tb.Dup2(k.T, fd, 100)
		}
		tb.Close(k.T, fd)
	}
	stop.Store(1)
	<-a
	<-b
	tb.Close(k.T, 100)
	if n := int64(impl.count()); n != opened.Load() {
		t.Errorf("%d opened, %d released", opened.Load(), n)
	}
}

func TestGetAllocs(t *testing.T) {
	k := newKernel(t)
	tb := Of(k.T.Proc)
	tb.Alloc(k.T, open(t, k.In, &stream{}, abi.O_RDWR), 0, false)
	u := vm.KernelUio(nil)
	n := testing.AllocsPerRun(100, func() {
		f, err := tb.Get(0)
		if err != nil {
			t.Fatal(err)
		}
		f.Read(k.T, u)
		f.Release()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Two instances have nothing in common.
func TestTwoInstances(t *testing.T) {
	a, b := newKernel(t), newKernel(t)
	key := &mem{}
	fa, fb := open(t, a.In, key, abi.O_RDWR), open(t, b.In, key, abi.O_RDWR)
	if err := fa.Flock(a.T, abi.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if err := fb.Flock(b.T, abi.LOCK_EX|abi.LOCK_NB); err != nil {
		t.Errorf("a lock of another instance is seen: %v", err)
	}
	if x, y := NextIno(a.In), NextIno(b.In); x != y {
		t.Errorf("numbers are common: %d, %d", x, y)
	}
	fd, _ := Of(a.T.Proc).Alloc(a.T, fa, 0, false)
	if _, err := Of(b.T.Proc).Get(fd); err != errno.EBADF {
		t.Errorf("a descriptor of another instance is seen: %v", err)
	}
}

func BenchmarkGet(b *testing.B) {
	k := newKernel(b)
	tb := Of(k.T.Proc)
	tb.Alloc(k.T, open(b, k.In, &stream{}, abi.O_RDWR), 0, false)
	for b.Loop() {
		f, _ := tb.Get(0)
		f.Release()
	}
}
