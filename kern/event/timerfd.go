package event

import (
	"encoding/binary"
	"math"
	"sync"
	"time"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// A Timer is what timerfd_create(2) makes. Times in it are nanoseconds; that of
// an absolute time of the wall clock is kept too, since that clock can be set.
type Timer struct {
	anonymous
	in    *inst.Inst   // [const]
	sys   *proc.System // [const]
	clock int          // [const]

	mu        sync.Mutex
	timer     *time.Timer // [mu] calls tick
	next      int64       // [mu] monotonic time of the next end; 0: disarmed
	interval  int64       // [mu] 0: ends once
	byWall    bool        // [mu] wall is valid
	wall      int64       // [mu] next by the wall clock
	onSet     bool        // [mu] TFD_TIMER_CANCEL_ON_SET
	expired   bool        // [mu] next has passed, and nobody has read that yet
	cancelled bool        // [mu] the wall clock was set, and nobody has read that yet
	readWait  int         // [mu] threads in readQ
	readQ     proc.Queue
	watchQ    proc.Queue // watchers
}

const timerCost = 768

// NewTimerfd is timerfd_create(2) but for the descriptor. EINVAL, EPERM, ENFILE,
// ENOMEM.
func NewTimerfd(t *proc.Thread, clock, flags int) (*file.File, error) {
	if flags&^(abi.TFD_CLOEXEC|abi.TFD_NONBLOCK) != 0 {
		return nil, errno.EINVAL
	}
	switch clock {
	case abi.CLOCK_REALTIME, abi.CLOCK_MONOTONIC, abi.CLOCK_BOOTTIME:
	case abi.CLOCK_REALTIME_ALARM, abi.CLOCK_BOOTTIME_ALARM:
		if !t.Cred().Has(proc.CAP_WAKE_ALARM) {
			return nil, errno.EPERM
		}
	default:
		return nil, errno.EINVAL
	}
	in := t.Proc.Inst
	if !in.Charge(inst.Heap, timerCost) {
		return nil, errno.ENOMEM
	}
	c := &Timer{anonymous: newAnonymous(t, "[timerfd]"), in: in, sys: t.Proc.System(), clock: clock}
	f, err := file.New(in, c, abi.O_RDWR|flags&abi.TFD_NONBLOCK)
	if err != nil {
		in.Uncharge(inst.Heap, timerCost)
	}
	return f, err
}

// Release disarms c.
func (c *Timer) Release(*file.File) {
	m := slot.Of(c.in)
	m.mu.Lock()
	delete(m.timers, c)
	m.mu.Unlock()
	c.mu.Lock()
	c.next = 0
	if c.timer != nil {
		c.timer.Stop()
	}
	c.mu.Unlock()
	c.in.Uncharge(inst.Heap, timerCost)
}

// realtime reports whether c goes by the clock of the wall.
func (c *Timer) realtime() bool {
	return c.clock == abi.CLOCK_REALTIME || c.clock == abi.CLOCK_REALTIME_ALARM
}

// SetTime is timerfd_settime(2): it returns what was set before. EINVAL. With
// ECANCELED f is set as well: the clock has jumped, and nobody has read that.
func SetTime(f *file.File, flags int, v abi.Itimerspec) (abi.Itimerspec, error) {
	c, ok := f.Impl.(*Timer)
	if !ok || flags&^(abi.TFD_TIMER_ABSTIME|abi.TFD_TIMER_CANCEL_ON_SET) != 0 || !v.Value.Valid() || !v.Interval.Valid() {
		return abi.Itimerspec{}, errno.EINVAL
	}
	m := slot.Of(c.in)
	m.mu.Lock()
	defer m.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	old := c.getLocked()
	value, absolute := v.Value.Ns(), flags&abi.TFD_TIMER_ABSTIME != 0
	jumped := c.onSet && c.cancelled
	c.expired, c.cancelled = false, false
	c.interval, c.next = v.Interval.Ns(), 0
	c.byWall = absolute && c.realtime()
	c.onSet = c.byWall && flags&abi.TFD_TIMER_CANCEL_ON_SET != 0
	c.wall = value
	now := c.sys.Now()
	switch {
	case value == 0:
	case c.byWall:
		c.next = c.monotonic(m, now)
	case absolute:
		c.next = proc.TableOf(c.in).Deadline(value)
	default:
		c.next = add(now, value)
	}
	if c.byWall && (c.next != 0 || c.onSet) {
		m.timers[c] = struct{}{}
	} else {
		delete(m.timers, c)
	}
	c.armLocked(now)
	if jumped && c.onSet && value != 0 {
		return old, errno.ECANCELED
	}
	return old, nil
}

// monotonic returns the time of c.wall by the monotonic clock; not 0.
func (c *Timer) monotonic(m *member, now int64) int64 {
	return max(1, add(now, c.wall-m.wall(c.in)))
}

// add returns a+b, where a isn't negative, or the largest number.
func add(a, b int64) int64 {
	if b > math.MaxInt64-a {
		return math.MaxInt64
	}
	return a + b
}

// armLocked makes tick be called when c ends.
func (c *Timer) armLocked(now int64) {
	if c.timer != nil {
		c.timer.Stop()
	}
	if c.next == 0 || c.expired {
		return
	}
	d := time.Duration(max(0, c.next-now))
	if c.timer == nil {
		c.timer = time.AfterFunc(d, c.tick)
	} else {
		c.timer.Reset(d)
	}
}

// tick looks whether c has ended. It may be called at any time.
func (c *Timer) tick() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == 0 || c.expired {
		return
	}
	if now := c.sys.Now(); now < c.next {
		c.armLocked(now)
		return
	}
	c.expired = true
	c.wakeLocked()
}

func (c *Timer) wakeLocked() {
	if c.readWait > 0 {
		c.readQ.WakeAll()
	}
	c.watchQ.WakeAll()
}

// GetTime is timerfd_gettime(2). EINVAL.
func GetTime(f *file.File) (abi.Itimerspec, error) {
	c, ok := f.Impl.(*Timer)
	if !ok {
		return abi.Itimerspec{}, errno.EINVAL
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.getLocked(), nil
}

func (c *Timer) getLocked() abi.Itimerspec {
	v := abi.Itimerspec{Interval: abi.TimespecOf(c.interval)}
	if c.next == 0 {
		return v
	}
	left := c.next - c.sys.Now()
	if left <= 0 && c.interval > 0 {
		left = c.interval - -left%c.interval
	}
	if left > 0 {
		v.Value = abi.TimespecOf(left)
	} else if !c.expired {
		v.Value = abi.TimespecOf(1) // it is about to end
	}
	return v
}

// ClockWasSet tells the timers of in that CLOCK_REALTIME has jumped.
func ClockWasSet(in *inst.Inst) {
	m := slot.Of(in)
	m.mu.Lock()
	defer m.mu.Unlock()
	for c := range m.timers {
		c.mu.Lock()
		if c.next != 0 && !c.expired {
			now := c.sys.Now()
			c.next = c.monotonic(m, now)
			c.armLocked(now)
		}
		if c.onSet {
			c.cancelled = true
			c.wakeLocked()
		}
		c.mu.Unlock()
	}
}

// Read waits until c has ended, and returns how often since the last time;
// ECANCELED if the clock was set.
func (c *Timer) Read(t *proc.Thread, f *file.File, u *vm.Uio, _ int64) error {
	if u.Len() < 8 {
		return errno.EINVAL
	}
	c.mu.Lock()
	for !c.expired && !c.cancelled {
		if f.Nonblock() {
			c.mu.Unlock()
			return errno.EAGAIN
		}
		c.readWait++
		err := t.Wait(&c.readQ, &c.mu, proc.Forever)
		c.readWait--
		if err != nil {
			c.mu.Unlock()
			return err
		}
	}
	n := c.takeLocked()
	cancelled := c.cancelled
	c.cancelled = false
	c.mu.Unlock()
	if cancelled {
		return errno.ECANCELED
	}
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	_, err := u.CopyOut(b[:])
	return file.Failed(err)
}

// takeLocked returns how often c has ended and sets it to end again.
func (c *Timer) takeLocked() uint64 {
	if !c.expired {
		return 0
	}
	c.expired = false
	if c.interval == 0 {
		c.next = 0
		return 1
	}
	now := c.sys.Now()
	n := max(0, now-c.next)/c.interval + 1
	c.next += n * c.interval // below now+interval
	if c.next < 0 {
		c.next = math.MaxInt64
	}
	c.wall = add(max(0, c.wall), n*c.interval)
	c.armLocked(now)
	return uint64(n)
}

// Write: a timer can't be written.
func (c *Timer) Write(*proc.Thread, *file.File, *vm.Uio, int64) error { return errno.EINVAL }

// Poll tells what poll(2) does.
func (c *Timer) Poll(*file.File) file.Events {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.expired || c.cancelled {
		return abi.POLLIN | abi.POLLRDNORM
	}
	return 0
}

// Queue is woken when Poll may tell more.
func (c *Timer) Queue() *proc.Queue { return &c.watchQ }
