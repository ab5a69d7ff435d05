package linux

import (
	"encoding/binary"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/event"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// millis returns the deadline of a timeout in milliseconds; negative: for ever.
func (k *Kernel) millis(ms int) int64 {
	if ms < 0 {
		return proc.Forever
	}
	return k.after(int64(ms) * 1e6)
}

// masked calls f with the mask of signals at an address, which the call has
// instead of the thread's; 0: as it is. size is that of the mask.
func masked(t *proc.Thread, mask vm.Addr, size uint64, f func() (uintptr, error)) (uintptr, error) {
	if mask == 0 {
		return f()
	}
	if size != sigsetSize {
		return 0, errno.EINVAL
	}
	set, err := getUint64(t, mask)
	if err != nil {
		return 0, err
	}
	t.TempMask(proc.Sigset(set))
	n, err := f()
	t.EndTempMask(interrupted(err))
	return n, err
}

// interrupted reports whether err says that a signal is to be served.
func interrupted(err error) bool {
	_, ok := err.(proc.Restart)
	return ok || err == errno.EINTR
}

func sysPoll(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	deadline := k.millis(a.Int(2))
	n, err := poll(t, a, deadline)
	if err == proc.ERestartNoHand {
		fds, count := a[0], a[1]
		return 0, t.SetRestart(func(t *proc.Thread) (uintptr, error) {
			return poll(t, &Args{fds, count}, deadline)
		})
	}
	return n, err
}

// sysPpoll implements ppoll(2): (fds *pollfd, n uint, timeout *timespec, mask *sigset, size).
func sysPpoll(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	deadline, err := k.timeout(t, a.Addr(2))
	if err != nil {
		return 0, err
	}
	n, err := masked(t, a.Addr(3), a.Size(4), func() (uintptr, error) { return poll(t, a, deadline) })
	k.putLeft(t, a.Addr(2), deadline)
	return n, err
}

// putLeft stores the time until a deadline where the timeout was, if that is
// possible.
func (k *Kernel) putLeft(t *proc.Thread, to vm.Addr, deadline int64) {
	if to != 0 && deadline != proc.Forever {
		_ = putTimespec(t, to, max(0, deadline-k.Proc.Now()))
	}
}

// smallPoll is how many descriptors need no buffer of their own.
const smallPoll = 16

// poll waits for the descriptors of arguments 0 and 1, an array of struct pollfd.
func poll(t *proc.Thread, a *Args, deadline int64) (uintptr, error) {
	n := uint64(uint32(a[1]))
	if n > t.Proc.Limit(proc.RLIMIT_NOFILE) {
		return 0, errno.EINVAL
	}
	var small [smallPoll]abi.PollFd
	fds := small[:min(n, smallPoll)]
	if n > smallPoll {
		cost := int64(n * abi.PollFdSize)
		if !t.Inst().Charge(inst.Heap, cost) {
			return 0, errno.ENOMEM
		}
		defer t.Inst().Uncharge(inst.Heap, cost)
		fds = make([]abi.PollFd, n)
	}
	var b [smallPoll * abi.PollFdSize]byte
	for i := 0; i < len(fds); i += smallPoll {
		part := fds[i:min(len(fds), i+smallPoll)]
		if err := t.Space().CopyIn(b[:len(part)*abi.PollFdSize], a.Addr(0)+vm.Addr(i*abi.PollFdSize)); err != nil {
			return 0, err
		}
		for j := range part {
			part[j].Decode(b[j*abi.PollFdSize:])
		}
	}
	ready, err := event.Poll(t, fds, deadline)
	if err != nil {
		return 0, err
	}
	if a[0] > vm.MaxAddr-n*abi.PollFdSize {
		return 0, errno.EFAULT // even if there is nothing to write
	}
	const revents = 6 // nothing else is written: another thread may have changed it
	for i := range fds {
		binary.LittleEndian.PutUint16(b[:], uint16(fds[i].Revents))
		if err := t.Space().CopyOut(a.Addr(0)+vm.Addr(i*abi.PollFdSize+revents), b[:2]); err != nil {
			return 0, err
		}
	}
	return uintptr(ready), nil
}

// sysSelect implements select(2): (n int, in, out, ex *fd_set, timeout *timeval).
func sysSelect(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	deadline := proc.Forever
	if a[4] != 0 {
		// Microseconds may be more than a second here.
		var b [abi.TimespecSize]byte
		if err := t.Space().CopyIn(b[:], a.Addr(4)); err != nil {
			return 0, err
		}
		var tv abi.Timeval
		tv.Decode(b[:])
		if tv.Sec < 0 || tv.Usec < 0 {
			return 0, errno.EINVAL
		}
		ns, err := nanoseconds(tv.Sec+tv.Usec/1e6, tv.Usec%1e6, 1000)
		if err != nil {
			return 0, err
		}
		deadline = k.after(ns)
	}
	n, err := selectSets(t, a, deadline)
	if a[4] != 0 && deadline != proc.Forever {
		_ = putTimeval(t, a.Addr(4), max(0, deadline-k.Proc.Now()))
	}
	return n, err
}

// sysPselect6 implements pselect(2): (n int, in, out, ex *fd_set, timeout
// *timespec, mask *struct{set *sigset; size}).
func sysPselect6(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	var mask vm.Addr
	var size uint64
	if a[5] != 0 {
		var b [16]byte
		if err := t.Space().CopyIn(b[:], a.Addr(5)); err != nil {
			return 0, err
		}
		mask, size = vm.Addr(binary.LittleEndian.Uint64(b[:])), binary.LittleEndian.Uint64(b[8:])
	}
	deadline, err := k.timeout(t, a.Addr(4))
	if err != nil {
		return 0, err
	}
	n, err := masked(t, mask, size, func() (uintptr, error) { return selectSets(t, a, deadline) })
	k.putLeft(t, a.Addr(4), deadline)
	return n, err
}

// selectSets waits for the sets of arguments 1 to 3.
func selectSets(t *proc.Thread, a *Args, deadline int64) (uintptr, error) {
	n := a.Int(0)
	if n < 0 {
		return 0, errno.EINVAL
	}
	n = min(n, int(min(t.Proc.Limit(proc.RLIMIT_NOFILE), 1<<20)))
	words := (n + 63) / 64
	cost := int64(words * 7 * 8) // b, three sets, and as many in event.Select
	if !t.Inst().Charge(inst.Heap, cost) {
		return 0, errno.ENOMEM
	}
	defer t.Inst().Uncharge(inst.Heap, cost)
	b := make([]byte, words*8)
	var s event.Sets
	for i := range s {
		if a[1+i] == 0 {
			continue
		}
		if err := t.Space().CopyIn(b, a.Addr(1+i)); err != nil {
			return 0, err
		}
		s[i] = make([]uint64, words)
		for w := range s[i] {
			s[i][w] = binary.LittleEndian.Uint64(b[8*w:])
		}
	}
	ready, err := event.Select(t, n, &s, deadline)
	if err != nil {
		return 0, err
	}
	for i := range s {
		if s[i] == nil {
			continue
		}
		for w, v := range s[i] {
			binary.LittleEndian.PutUint64(b[8*w:], v)
		}
		if err := t.Space().CopyOut(a.Addr(1+i), b); err != nil {
			return 0, err
		}
	}
	return uintptr(ready), nil
}

// fdOf makes a descriptor for f, and takes over the reference.
func fdOf(t *proc.Thread, f *file.File, err error, cloexec bool) (uintptr, error) {
	if err != nil {
		return 0, err
	}
	fd, err := file.Of(t.Proc).Alloc(t, f, 0, cloexec)
	if err != nil {
		f.Release()
	}
	return uintptr(fd), err
}

func sysEpollCreate(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Int(0) <= 0 {
		return 0, errno.EINVAL
	}
	f, err := event.NewEpoll(t)
	return fdOf(t, f, err, false)
}

func sysEpollCreate1(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Uint(0)&^abi.EPOLL_CLOEXEC != 0 {
		return 0, errno.EINVAL
	}
	f, err := event.NewEpoll(t)
	return fdOf(t, f, err, a.Uint(0) != 0)
}

// sysEpollCtl implements epoll_ctl(2): (epfd, op, fd int, event *epoll_event).
func sysEpollCtl(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	var ev abi.EpollEvent
	if a.Int(1) != abi.EPOLL_CTL_DEL {
		var b [abi.EpollEventSize]byte
		if err := t.Space().CopyIn(b[:], a.Addr(3)); err != nil {
			return 0, err
		}
		ev.Decode(b[:])
	}
	return withFile(t, a.Int(0), func(ep *file.File) (uintptr, error) {
		return withFile(t, a.Int(2), func(f *file.File) (uintptr, error) {
			return 0, event.Control(ep, a.Int(1), f, a.Int(2), ev)
		})
	})
}

// epollWait waits for events of argument 0 and stores them at argument 1. What
// can't be stored is not lost.
func epollWait(t *proc.Thread, a *Args, deadline int64) (uintptr, error) {
	n := a.Int(2)
	if n <= 0 || n > (1<<31-1)/abi.EpollEventSize {
		return 0, errno.EINVAL
	}
	if to := a[1]; to > vm.MaxAddr-uint64(n)*abi.EpollEventSize {
		return 0, errno.EFAULT // even if there is no event
	}
	f, err := file.Of(t.Proc).Get(a.Int(0))
	if err != nil {
		return 0, err
	}
	defer f.Release()
	stored, err := storeEvents(t, f, a.Addr(1), n, deadline)
	return uintptr(stored), err
}

// storeEvents waits for up to n events of f, stores them, and returns how many.
func storeEvents(t *proc.Thread, f *file.File, to vm.Addr, n int, deadline int64) (int, error) {
	var batch event.Batch
	got, err := event.Wait(t, f, &batch, n, deadline)
	if err != nil || got == 0 {
		return 0, err
	}
	b := batch.Bytes(got)
	if err := t.Uio.SetAt(t.Space(), to, uint64(len(b))); err != nil {
		return 0, err
	}
	done, err := t.Uio.CopyOut(b)
	if err == nil {
		return got, nil
	}
	stored := done / abi.EpollEventSize
	batch.Undo(f, stored, got)
	if stored > 0 {
		err = nil
	}
	return stored, err
}

func sysEpollWait(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return epollWait(t, a, k.millis(a.Int(3)))
}

// sysEpollPwait implements epoll_pwait(2): (epfd int, events, n, timeout int, mask *sigset, size).
func sysEpollPwait(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return masked(t, a.Addr(4), a.Size(5), func() (uintptr, error) { return epollWait(t, a, k.millis(a.Int(3))) })
}

// sysEpollPwait2 is sysEpollPwait with a struct timespec as timeout.
func sysEpollPwait2(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	deadline, err := k.timeout(t, a.Addr(3))
	if err != nil {
		return 0, err
	}
	return masked(t, a.Addr(4), a.Size(5), func() (uintptr, error) { return epollWait(t, a, deadline) })
}

func sysEventfd(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	f, err := event.NewEventfd(t, a.Uint(0), 0)
	return fdOf(t, f, err, false)
}

func sysEventfd2(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	f, err := event.NewEventfd(t, a.Uint(0), a.Int(1))
	return fdOf(t, f, err, a.Uint(1)&abi.EFD_CLOEXEC != 0)
}

// sysTimerfdCreate implements timerfd_create(2): (clock, flags int).
func sysTimerfdCreate(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	f, err := event.NewTimerfd(t, a.Int(0), a.Int(1))
	return fdOf(t, f, err, a.Uint(1)&abi.TFD_CLOEXEC != 0)
}

// sysTimerfdSettime implements timerfd_settime(2): (fd, flags int, new, old *itimerspec).
func sysTimerfdSettime(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	var b [abi.ItimerspecSize]byte
	if err := t.Space().CopyIn(b[:], a.Addr(2)); err != nil {
		return 0, err
	}
	var v abi.Itimerspec
	v.Decode(b[:])
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) {
		old, err := event.SetTime(f, a.Int(1), v)
		if err != nil || a[3] == 0 {
			return 0, err
		}
		old.Encode(b[:])
		return 0, t.Space().CopyOut(a.Addr(3), b[:])
	})
}

// sysTimerfdGettime implements timerfd_gettime(2): (fd int, now *itimerspec).
func sysTimerfdGettime(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) {
		v, err := event.GetTime(f)
		if err != nil {
			return 0, err
		}
		var b [abi.ItimerspecSize]byte
		v.Encode(b[:])
		return 0, t.Space().CopyOut(a.Addr(1), b[:])
	})
}
