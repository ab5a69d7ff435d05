package event

import (
	"encoding/binary"
	"math"
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

func fdOf(tb testing.TB, k *kernel, f *file.File, err error) int {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
	fd, err := file.Of(k.T.Proc).Alloc(k.T, f, 0, false)
	if err != nil {
		tb.Fatal(err)
	}
	return fd
}

func eventfd(tb testing.TB, k *kernel, n uint32, flags int) (*file.File, int) {
	tb.Helper()
	f, err := NewEventfd(k.T, n, flags)
	return f, fdOf(tb, k, f, err)
}

func put(t *proc.Thread, f *file.File, v uint64) error {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	_, err := f.Write(t, vm.KernelUio(b[:]))
	return err
}

func take(t *proc.Thread, f *file.File) (uint64, error) {
	var b [8]byte
	_, err := f.Read(t, vm.KernelUio(b[:]))
	return binary.LittleEndian.Uint64(b[:]), err
}

func TestEventfd(t *testing.T) {
	k := newKernel(t)
	used := k.In.Used(inst.Heap)
	if _, err := NewEventfd(k.T, 0, 2); err != errno.EINVAL {
		t.Error(err)
	}
	f, err := NewEventfd(k.T, 3, abi.EFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewEventfd(k.T, 2, abi.EFD_NONBLOCK|abi.EFD_SEMAPHORE)
	if err != nil {
		t.Fatal(err)
	}
	reads := []struct {
		f    *file.File
		want uint64
		err  error
	}{{f, 3, nil}, {f, 0, errno.EAGAIN}, {s, 1, nil}, {s, 1, nil}, {s, 0, errno.EAGAIN}}
	for i, tt := range reads {
		if v, err := take(k.T, tt.f); v != tt.want || err != tt.err {
			t.Errorf("%d: %d, %v", i, v, err)
		}
	}
	writes := []struct {
		v    uint64
		err  error
		poll file.Events
	}{
		{0, nil, abi.POLLOUT},
		{math.MaxUint64, errno.EINVAL, abi.POLLOUT},
		{math.MaxUint64 - 2, nil, abi.POLLIN | abi.POLLOUT},
		{2, errno.EAGAIN, abi.POLLIN | abi.POLLOUT},
		{1, nil, abi.POLLIN},
		{1, errno.EAGAIN, abi.POLLIN},
	}
	for i, tt := range writes {
		if err := put(k.T, f, tt.v); err != tt.err {
			t.Errorf("%d: %v", i, err)
		}
		if ev := f.Poll() & (abi.POLLIN | abi.POLLOUT); ev != tt.poll {
			t.Errorf("%d: polls %#x", i, ev)
		}
	}
	if v, err := take(k.T, f); v != math.MaxUint64-1 || err != nil {
		t.Error(v, err)
	}
	if _, err := f.Read(k.T, vm.KernelUio(make([]byte, 7))); err != errno.EINVAL {
		t.Error(err)
	}
	if _, err := f.Write(k.T, vm.KernelUio(make([]byte, 7))); err != errno.EINVAL {
		t.Error(err)
	}
	f.Release()
	s.Release()
	if got := k.In.Used(inst.Heap); got != used {
		t.Errorf("heap %d, before %d", got, used)
	}
	b, err := NewEventfd(k.T, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	c := b.Impl.(*Counter)
	done := k.Spawn(t, proctest.ThreadFlags, func(u *proc.Thread) {
		if v, err := take(u, b); v != 9 || err != nil {
			t.Error(v, err)
		}
		if err := put(u, b, math.MaxUint64-1); err != nil {
			t.Error(err)
		}
		if err := put(u, b, 1); err != nil {
			t.Error(err)
		}
	})
	proctest.Until(func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.readWait == 1 })
	put(k.T, b, 9)
	proctest.Until(func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.writeWait == 1 })
	take(k.T, b)
	<-done
	b.Release()
}

func TestPoll(t *testing.T) {
	k := newKernel(t)
	k.clock.Store(100)
	f, fd := eventfd(t, k, 0, 0)
	r, w, err := pipe.New(k.T, 0)
	rfd, wfd := fdOf(t, k, r, err), fdOf(t, k, w, err)
	ask := func(deadline int64, fds ...abi.PollFd) (int, error, []abi.PollFd) {
		n, err := Poll(k.T, fds, deadline)
		return n, err, fds
	}
	n, err, fds := ask(0, abi.PollFd{FD: int32(fd), Events: abi.POLLIN | abi.POLLOUT}, abi.PollFd{FD: -1, Revents: 9},
		abi.PollFd{FD: 99}, abi.PollFd{FD: int32(rfd), Events: abi.POLLIN}, abi.PollFd{FD: int32(wfd)})
	want := []int16{abi.POLLOUT, 0, abi.POLLNVAL, 0, 0}
	if n != 2 || err != nil {
		t.Error(n, err)
	}
	for i, rev := range want {
		if fds[i].Revents != rev {
			t.Errorf("%d: %#x, want %#x", i, fds[i].Revents, rev)
		}
	}
	if n, err, _ := ask(100, abi.PollFd{FD: int32(fd), Events: abi.POLLIN}); n != 0 || err != nil {
		t.Error(n, err)
	}
	used := k.In.Used(inst.Heap)
	// Somebody writes while the poll sleeps.
	started, first := make(chan bool), make(chan bool)
	done := k.Spawn(t, proctest.ThreadFlags, func(c *proc.Thread) {
		close(started)
		fds := []abi.PollFd{{FD: int32(fd), Events: abi.POLLIN}, {FD: int32(rfd), Events: abi.POLLIN}}
		if n, err := Poll(c, fds, proc.Forever); n != 1 || err != nil || fds[0].Revents != abi.POLLIN {
			t.Error(n, err, fds)
		}
		close(first)
		fds = []abi.PollFd{{FD: int32(rfd), Events: abi.POLLIN}}
		if n, err := Poll(c, fds, proc.Forever); n != 1 || err != nil || fds[0].Revents != abi.POLLHUP {
			t.Error(n, err, fds)
		}
	})
	<-started
	put(k.T, f, 1)
	<-first
	file.Of(k.T.Proc).Close(k.T, wfd)
	<-done
	proctest.Until(func() bool { return k.In.Used(inst.Heap) <= used })
	// A signal, and too many.
	k.T.Sigaction(proc.SIGUSR1, &proc.Action{Handler: 1 << 20})
	k.T.Kill(k.T.Proc.PID, proc.SIGUSR1)
	if n, err, _ := ask(proc.Forever, abi.PollFd{FD: int32(fd)}); n != 0 || err != proc.ERestartNoHand {
		t.Error(n, err)
	}
	if _, err := Poll(k.T, make([]abi.PollFd, 5000), 0); err != errno.EINVAL {
		t.Error(err)
	}
}

func TestSelect(t *testing.T) {
	k := newKernel(t)
	_, fd := eventfd(t, k, 1, 0)
	r, w, err := pipe.New(k.T, 0)
	rfd, wfd := fdOf(t, k, r, err), fdOf(t, k, w, err)
	bit := func(fds ...int) []uint64 {
		s := make([]uint64, 2)
		for _, fd := range fds {
			s[fd/64] |= 1 << (fd % 64)
		}
		return s
	}
	s := Sets{bit(fd, rfd), bit(fd, wfd), nil}
	if n, err := Select(k.T, 128, &s, 0); n != 3 || err != nil || s[0][0] != bit(fd)[0] || s[1][0] != bit(fd, wfd)[0] {
		t.Error(n, err, s)
	}
	s = Sets{bit(rfd), nil, bit(fd)}
	if n, err := Select(k.T, 100, &s, 0); n != 0 || err != nil || s[0][0] != 0 || s[2][0] != 0 {
		t.Error(n, err, s)
	}
	s = Sets{bit(rfd, 99)}
	if n, err := Select(k.T, 99, &s, 0); n != 0 || err != nil {
		t.Error(n, err, s)
	}
	s = Sets{bit(rfd, 99)}
	if _, err := Select(k.T, 100, &s, 0); err != errno.EBADF || s[0][0] != bit(rfd)[0] {
		t.Error(err, s)
	}
	if _, err := Select(k.T, -1, &s, 0); err != errno.EINVAL {
		t.Error(err)
	}
	done := k.Spawn(t, proctest.ThreadFlags, func(c *proc.Thread) {
		s := Sets{bit(rfd)}
		if n, err := Select(c, 128, &s, proc.Forever); n != 1 || err != nil || s[0][0] != bit(rfd)[0] {
			t.Error(n, err, s)
		}
	})
	w.Write(k.T, vm.KernelUio([]byte{1}))
	<-done
}

func TestTimerfd(t *testing.T) {
	k := newKernel(t)
	k.clock.Store(1000)
	k.offset.Store(5000)
	used := k.In.Used(inst.Heap)
	for _, tt := range []struct {
		clock, flags int
		want         error
	}{{2, 0, errno.EINVAL}, {99, 0, errno.EINVAL}, {1, 1, errno.EINVAL}} {
		if _, err := NewTimerfd(k.T, tt.clock, tt.flags); err != tt.want {
			t.Errorf("%+v: %v", tt, err)
		}
	}
	f, err := NewTimerfd(k.T, abi.CLOCK_MONOTONIC, abi.TFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	c := f.Impl.(*Timer)
	at := func(now int64) { k.clock.Store(now); c.tick() }
	spec := func(value, interval int64) abi.Itimerspec {
		return abi.Itimerspec{Interval: abi.TimespecOf(interval), Value: abi.TimespecOf(value)}
	}
	reads := func(want uint64, wantErr error) {
		t.Helper()
		if v, err := take(k.T, f); v != want || err != wantErr {
			t.Errorf("read %d, %v; want %d, %v", v, err, want, wantErr)
		}
	}
	if _, err := SetTime(f, 4, spec(1, 1)); err != errno.EINVAL {
		t.Error(err)
	}
	if _, err := SetTime(f, 0, abi.Itimerspec{Value: abi.Timespec{Nsec: 1e9}}); err != errno.EINVAL {
		t.Error(err)
	}
	reads(0, errno.EAGAIN)
	const hour = 3600e9 // no real timer runs out in this test
	SetTime(f, 0, spec(hour, 0))
	if v, err := GetTime(f); err != nil || v != spec(hour, 0) {
		t.Error(v, err)
	}
	at(1000 + hour - 1)
	reads(0, errno.EAGAIN)
	at(1000 + hour)
	if f.Poll() != abi.POLLIN|abi.POLLRDNORM {
		t.Error("not readable")
	}
	reads(1, nil)
	reads(0, errno.EAGAIN)
	// An interval, absolute.
	start := 1000 + int64(hour)
	if old, err := SetTime(f, abi.TFD_TIMER_ABSTIME, spec(start+hour, hour)); err != nil || old != spec(0, 0) {
		t.Error(old, err)
	}
	at(start + 3*hour + 5)
	if v, _ := GetTime(f); v != spec(hour-5, hour) {
		t.Error(v)
	}
	reads(3, nil)
	reads(0, errno.EAGAIN)
	at(start + 4*hour)
	if old, _ := SetTime(f, 0, spec(0, 0)); old.Interval != spec(0, hour).Interval {
		t.Error(old)
	}
	reads(0, errno.EAGAIN)
	if _, err := SetTime(f, 0, abi.Itimerspec{Value: abi.Timespec{Sec: math.MaxInt64}, Interval: abi.Timespec{Sec: math.MaxInt64}}); err != nil {
		t.Error(err)
	}
	f.Release()

	// The clock of the wall.
	f, err = NewTimerfd(k.T, abi.CLOCK_REALTIME, abi.TFD_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	c = f.Impl.(*Timer)
	wall := k.wall(k.In)
	SetTime(f, abi.TFD_TIMER_ABSTIME|abi.TFD_TIMER_CANCEL_ON_SET, spec(wall+hour, 0))
	if v, _ := GetTime(f); v != spec(hour, 0) {
		t.Error(v)
	}
	k.offset.Add(hour / 2)
	ClockWasSet(k.In)
	reads(0, errno.ECANCELED)
	reads(0, errno.EAGAIN)
	if v, _ := GetTime(f); v != spec(hour/2, 0) {
		t.Error(v)
	}
	at(k.clock.Load() + hour/2)
	reads(1, nil)
	// A jump that nobody has read is told by what sets the timer next.
	const both = abi.TFD_TIMER_ABSTIME | abi.TFD_TIMER_CANCEL_ON_SET
	SetTime(f, both, spec(wall+2*hour, 0))
	for _, tt := range []struct {
		flags int
		want  error
	}{{both, errno.ECANCELED}, {abi.TFD_TIMER_ABSTIME, nil}} {
		ClockWasSet(k.In)
		if _, err := SetTime(f, tt.flags, spec(wall+3*hour, 0)); err != tt.want {
			t.Errorf("flags %#x after a jump: %v", tt.flags, err)
		}
		reads(0, errno.EAGAIN)
		if v, _ := GetTime(f); v == (abi.Itimerspec{}) {
			t.Error("it isn't set")
		}
	}
	f.Release()
	if got := k.In.Used(inst.Heap); got != used {
		t.Errorf("heap %d, before %d", got, used)
	}
	e, _ := eventfd(t, k, 0, 0)
	if _, err := GetTime(e); err != errno.EINVAL {
		t.Error(err)
	}
}

// The Go timer wakes a reader.
func TestTimerfdReal(t *testing.T) {
	k := newKernel(t)
	f, err := NewTimerfd(k.T, abi.CLOCK_MONOTONIC, 0)
	if err != nil {
		t.Fatal(err)
	}
	SetTime(f, 0, abi.Itimerspec{Value: abi.Timespec{Nsec: 1000}})
	k.clock.Store(1000)
	if v, err := take(k.T, f); v != 1 || err != nil {
		t.Error(v, err)
	}
	f.Release()
}
