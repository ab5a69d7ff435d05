package event

import (
	"math/bits"
	"sync/atomic"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// always are the events that poll(2) tells without being asked.
const always = abi.POLLERR | abi.POLLHUP

// waited is one file of a poll that sleeps.
type waited struct {
	f    *file.File
	want file.Events
	q    *proc.Queue // nil: it is no Poller
	w    proc.Watcher
}

const waitedCost = 128

// Poll is poll(2): it fills in fds[i].Revents and returns how many are not 0. It
// waits until one is, or until the deadline of the monotonic clock; one that has
// passed asks only. EINVAL for more than RLIMIT_NOFILE, ENOMEM,
// proc.ERestartNoHand.
func Poll(t *proc.Thread, fds []abi.PollFd, deadline int64) (int, error) {
	if uint64(len(fds)) > t.Proc.Limit(proc.RLIMIT_NOFILE) {
		return 0, errno.EINVAL
	}
	tb := file.Of(t.Proc)
	ask := func() int { return pollOnce(tb, fds) }
	if n := ask(); n > 0 || deadline <= t.Now() {
		return n, nil
	}
	s, err := newSleep(t, len(fds))
	if err != nil {
		return 0, err
	}
	defer s.end()
	for i := range fds {
		if fds[i].FD < 0 {
			continue
		}
		f, err := tb.Get(int(fds[i].FD))
		if err == nil {
			s.add(f, file.Events(uint16(fds[i].Events))|always)
		}
	}
	return s.wait(deadline, ask)
}

// pollOnce asks all files.
func pollOnce(tb *file.Table, fds []abi.PollFd) int {
	n := 0
	for i := range fds {
		p := &fds[i]
		p.Revents = 0
		if p.FD < 0 {
			continue
		}
		if f, err := tb.Get(int(p.FD)); err != nil {
			p.Revents = abi.POLLNVAL
		} else {
			p.Revents = int16(uint16(f.Poll() & (file.Events(uint16(p.Events)) | always)))
			f.Release()
		}
		if p.Revents != 0 {
			n++
		}
	}
	return n
}

// sleep is a thread that waits for the files added to it.
type sleep struct {
	t     *proc.Thread
	files []waited
	cost  int64
	fired atomic.Bool
	fire  func() // called by the queues
}

// newSleep makes one for up to n files. ENOMEM.
func newSleep(t *proc.Thread, n int) (*sleep, error) {
	cost := int64(n+1) * waitedCost
	if !t.Proc.Inst.Charge(inst.Heap, cost) {
		return nil, errno.ENOMEM
	}
	s := &sleep{t: t, files: make([]waited, 0, n), cost: cost}
	s.fire = func() {
		s.fired.Store(true)
		t.Unpark()
	}
	return s, nil
}

// add takes over a reference of f.
func (s *sleep) add(f *file.File, want file.Events) {
	s.files = append(s.files, waited{f: f, want: want})
	p, ok := f.Impl.(file.Poller)
	if !ok {
		return
	}
	w := &s.files[len(s.files)-1]
	w.q = p.Queue()
	w.q.Watch(&w.w, s.fire)
}

// end takes s out of the queues.
func (s *sleep) end() {
	for i := range s.files {
		w := &s.files[i]
		if w.q != nil {
			w.q.Unwatch(&w.w)
		}
		w.f.Release()
	}
	s.t.Proc.Inst.Uncharge(inst.Heap, s.cost)
}

// wait returns what ask returns as soon as it isn't 0, or 0 at the deadline.
func (s *sleep) wait(deadline int64, ask func() int) (int, error) {
	for {
		s.fired.Store(false)
		if n := ask(); n > 0 {
			return n, nil
		}
		for !s.fired.Load() {
			switch err := s.t.Park(deadline); err {
			case nil:
			case errno.ETIMEDOUT:
				return ask(), nil
			default:
				if n := ask(); n > 0 {
					return n, nil
				}
				return 0, proc.ERestartNoHand
			}
		}
	}
}

// What the three sets of select(2) mean in events of poll.
const (
	selectIn  = abi.POLLRDNORM | abi.POLLRDBAND | abi.POLLIN | abi.POLLHUP | abi.POLLERR
	selectOut = abi.POLLWRBAND | abi.POLLWRNORM | abi.POLLOUT | abi.POLLERR
	selectEx  = abi.POLLPRI
)

// Sets are the arguments of select(2): bit n stands for descriptor n. Each has
// words for all descriptors below the first argument, or is nil.
type Sets [3][]uint64

// Select is select(2) for the descriptors below n: it leaves the bits that are
// ready in s and returns how many. Descriptors that the table can't have are
// ignored. EBADF, EINVAL, ENOMEM, proc.ERestartNoHand.
func Select(t *proc.Thread, n int, s *Sets, deadline int64) (int, error) {
	if n < 0 {
		return 0, errno.EINVAL
	}
	for _, set := range s {
		if set != nil {
			n = min(n, 64*len(set))
		}
	}
	masks := [3]file.Events{selectIn, selectOut, selectEx}
	tb := file.Of(t.Proc)
	// each calls f for the descriptors of the sets, with what they wait for.
	each := func(f func(fd int, want file.Events) bool) {
		for w := 0; w*64 < n; w++ {
			var all uint64
			for _, set := range s {
				if set != nil {
					all |= set[w]
				}
			}
			if n-w*64 < 64 {
				all &= 1<<(n-w*64) - 1
			}
			for ; all != 0; all &= all - 1 {
				bit := bits.TrailingZeros64(all)
				var want file.Events
				for i, set := range s {
					if set != nil && set[w]&(1<<bit) != 0 {
						want |= masks[i]
					}
				}
				if !f(w*64+bit, want) {
					return
				}
			}
		}
	}
	count, bad := 0, false
	each(func(fd int, want file.Events) bool {
		f, err := tb.Get(fd)
		if err != nil {
			bad = true
			return false
		}
		f.Release()
		count++
		return true
	})
	if bad {
		return 0, errno.EBADF
	}
	sl, err := newSleep(t, count)
	if err != nil {
		return 0, err
	}
	defer sl.end()
	fds := make([]int, 0, count) // charged with sl
	each(func(fd int, want file.Events) bool {
		if f, err := tb.Get(fd); err == nil && len(fds) < count {
			sl.add(f, want)
			fds = append(fds, fd)
		} else if err == nil {
			f.Release()
		}
		return true
	})
	ask := func() (ready int) {
		for i := range sl.files {
			ready += bits.OnesCount8(hits(sl.files[i].f.Poll()&sl.files[i].want, s, fds[i], masks))
		}
		return ready
	}
	ready, err := ask(), error(nil)
	if ready == 0 && deadline > t.Now() {
		ready, err = sl.wait(deadline, ask)
	}
	if err != nil {
		return 0, err
	}
	var out Sets
	for i, set := range s {
		if set != nil {
			out[i] = make([]uint64, len(set)) // no more than the caller has made
		}
	}
	ready = 0
	for i, fd := range fds {
		h := hits(sl.files[i].f.Poll()&sl.files[i].want, s, fd, masks)
		ready += bits.OnesCount8(h)
		for j := range out {
			if h&(1<<j) != 0 {
				out[j][fd/64] |= 1 << (fd % 64)
			}
		}
	}
	for i := range s {
		copy(s[i], out[i])
	}
	return ready, nil
}

// hits returns in which of the sets fd is ready: a bit for each.
func hits(ev file.Events, s *Sets, fd int, masks [3]file.Events) (h uint8) {
	for i, set := range s {
		if set != nil && set[fd/64]&(1<<(fd%64)) != 0 && ev&masks[i] != 0 {
			h |= 1 << i
		}
	}
	return h
}
