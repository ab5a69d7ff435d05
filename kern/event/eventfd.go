package event

import (
	"encoding/binary"
	"math"
	"sync"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// A Counter is what eventfd(2) makes.
type Counter struct {
	anonymous
	in        *inst.Inst // [const]
	semaphore bool       // [const] read takes 1, not all

	mu        sync.Mutex
	n         uint64     // [mu]
	readQ     proc.Queue // wait for n > 0
	writeQ    proc.Queue // wait for room
	readWait  int        // [mu] threads in readQ
	writeWait int        // [mu]
	watchQ    proc.Queue // watchers
}

const (
	counterCost = 384
	maxCount    = math.MaxUint64 - 1
)

// NewEventfd is eventfd2(2) but for the descriptor. EINVAL, ENFILE, ENOMEM.
func NewEventfd(t *proc.Thread, n uint32, flags int) (*file.File, error) {
	if flags&^(abi.EFD_SEMAPHORE|abi.EFD_CLOEXEC|abi.EFD_NONBLOCK) != 0 {
		return nil, errno.EINVAL
	}
	in := t.Proc.Inst
	if !in.Charge(inst.Heap, counterCost) {
		return nil, errno.ENOMEM
	}
	c := &Counter{anonymous: newAnonymous(t, "[eventfd]"), in: in, semaphore: flags&abi.EFD_SEMAPHORE != 0, n: uint64(n)}
	f, err := file.New(in, c, abi.O_RDWR|flags&abi.EFD_NONBLOCK)
	if err != nil {
		in.Uncharge(inst.Heap, counterCost)
	}
	return f, err
}

// Release gives back what c was charged.
func (c *Counter) Release(*file.File) { c.in.Uncharge(inst.Heap, counterCost) }

// Read waits until the counter isn't 0, then takes it, or 1 of a semaphore.
func (c *Counter) Read(t *proc.Thread, f *file.File, u *vm.Uio, _ int64) error {
	if u.Len() < 8 {
		return errno.EINVAL
	}
	c.mu.Lock()
	for c.n == 0 {
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
	n := c.n
	if c.semaphore {
		n = 1
	}
	c.n -= n
	c.wakeLocked()
	c.mu.Unlock()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], n)
	_, err := u.CopyOut(b[:])
	return file.Failed(err)
}

// Write adds to the counter, and waits while it would get too large.
func (c *Counter) Write(t *proc.Thread, f *file.File, u *vm.Uio, _ int64) error {
	if u.Len() < 8 {
		return errno.EINVAL
	}
	var b [8]byte
	if _, err := u.CopyIn(b[:]); err != nil {
		return err
	}
	return file.Failed(c.add(t, f, binary.LittleEndian.Uint64(b[:])))
}

func (c *Counter) add(t *proc.Thread, f *file.File, n uint64) error {
	if n > maxCount {
		return errno.EINVAL
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for n > maxCount-c.n {
		if f.Nonblock() {
			return errno.EAGAIN
		}
		c.writeWait++
		err := t.Wait(&c.writeQ, &c.mu, proc.Forever)
		c.writeWait--
		if err != nil {
			return err
		}
	}
	c.n += n
	c.wakeLocked()
	return nil
}

// wakeLocked wakes whom a new value may help.
func (c *Counter) wakeLocked() {
	if c.n > 0 && c.readWait > 0 {
		c.readQ.WakeAll()
	}
	if c.n < maxCount && c.writeWait > 0 {
		c.writeQ.WakeAll()
	}
	c.watchQ.WakeAll()
}

// Poll tells what poll(2) does.
func (c *Counter) Poll(*file.File) (ev file.Events) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n > 0 {
		ev |= abi.POLLIN | abi.POLLRDNORM
	}
	if c.n < maxCount {
		ev |= abi.POLLOUT | abi.POLLWRNORM
	}
	return ev
}

// Queue is woken when Poll may tell more.
func (c *Counter) Queue() *proc.Queue { return &c.watchQ }

// Describe is for /proc/pid/fdinfo.
func (c *Counter) Describe(*file.File) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return "eventfd-count: " + decimal(c.n) + "\n"
}
