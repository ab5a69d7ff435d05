package event

import (
	"sync"
	"sync/atomic"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// An Epoll is what epoll_create1(2) makes: a set of files and what to wait for
// at each.
type Epoll struct {
	anonymous
	in *inst.Inst // [const]

	mu    sync.Mutex
	items map[itemKey]*item // [mu]
	most  int               // [mu] of items: see inst.Shrink

	readyMu sync.Mutex
	ready   itemList   // [readyMu] items that may be ready
	q       proc.Queue // threads in Wait, and who watches this epoll

	// Edges to and from epolls that watch each other, with how often.
	kids, parents         map[*Epoll]int // [member.mu]
	mostKids, mostParents int            // [member.mu] see inst.Shrink
}

// itemKey tells items apart: one file may be there under two descriptors.
type itemKey struct {
	f  *file.File
	fd int
}

// An item is a file in an epoll. It holds no reference: when the file's last
// one goes, hook removes the item, before the Impl is released.
type item struct {
	ep     *Epoll      // [const]
	f      *file.File  // [const]
	fd     int         // [const]
	p      file.Poller // [const] f's
	kid    *Epoll      // [const] f's, nil if it is no epoll
	q      *proc.Queue
	w      proc.Watcher
	hook   file.Hook
	want   uint32        // [ep.mu] what epoll_ctl(2) asked for
	events atomic.Uint32 // changed with ep.mu; want, but of that private only while disabled by EPOLLONESHOT
	data   uint64        // [ep.mu]

	queued     bool  // [ep.readyMu] is in ep.ready, or in the list that Wait looks through
	next, prev *item // [ep.readyMu]
}

// itemList is a list of items.
type itemList struct{ head, tail *item }

const (
	epollCost = 512
	itemCost  = 384

	private = abi.EPOLLEXCLUSIVE | abi.EPOLLWAKEUP | abi.EPOLLONESHOT | abi.EPOLLET
	// exclusiveOK is what may stand beside EPOLLEXCLUSIVE.
	exclusiveOK = abi.POLLIN | abi.POLLOUT | always | abi.EPOLLWAKEUP | abi.EPOLLET | abi.EPOLLEXCLUSIVE

	maxNest  = 5    // epolls in a chain
	maxPaths = 1000 // ways from an epoll upwards: how many one event can wake
)

// NewEpoll is epoll_create1(2) but for the descriptor. ENFILE, ENOMEM.
func NewEpoll(t *proc.Thread) (*file.File, error) {
	in := t.Proc.Inst
	if !in.Charge(inst.Heap, epollCost) {
		return nil, errno.ENOMEM
	}
	ep := &Epoll{anonymous: newAnonymous(t, "[eventpoll]"), in: in, items: make(map[itemKey]*item)}
	f, err := file.New(in, ep, abi.O_RDWR)
	if err != nil {
		in.Uncharge(inst.Heap, epollCost)
	}
	return f, err
}

// Read and Write: an epoll has no content.
func (ep *Epoll) Read(*proc.Thread, *file.File, *vm.Uio, int64) error  { return errno.EINVAL }
func (ep *Epoll) Write(*proc.Thread, *file.File, *vm.Uio, int64) error { return errno.EINVAL }

// Release forgets all files.
func (ep *Epoll) Release(*file.File) {
	ep.mu.Lock()
	var kids []*Epoll
	for _, it := range ep.items {
		ep.removeLocked(it)
		if it.kid != nil {
			kids = append(kids, it.kid)
		}
	}
	ep.mu.Unlock()
	for _, kid := range kids {
		ep.unlink(kid)
	}
	ep.in.Uncharge(inst.Heap, epollCost)
}

// Control is epoll_ctl(2) on the epoll f for the file target, which has the
// descriptor fd. EINVAL, EPERM, EEXIST, ENOENT, ELOOP, ENOMEM.
func Control(f *file.File, op int, target *file.File, fd int, ev abi.EpollEvent) error {
	p, ok := target.Impl.(file.Poller)
	if !ok {
		return errno.EPERM
	}
	ep, ok := f.Impl.(*Epoll)
	if !ok || f == target {
		return errno.EINVAL
	}
	kid, _ := target.Impl.(*Epoll)
	if ev.Events&abi.EPOLLEXCLUSIVE != 0 && op != abi.EPOLL_CTL_DEL {
		if op == abi.EPOLL_CTL_MOD || kid != nil || ev.Events&^uint32(exclusiveOK) != 0 {
			return errno.EINVAL
		}
	}
	ev.Events |= always
	switch op {
	case abi.EPOLL_CTL_ADD:
		return ep.add(p, kid, target, fd, ev)
	case abi.EPOLL_CTL_MOD:
		return ep.modify(target, fd, ev)
	case abi.EPOLL_CTL_DEL:
		return ep.remove(target, fd)
	}
	return errno.EINVAL
}

func (ep *Epoll) add(p file.Poller, kid *Epoll, target *file.File, fd int, ev abi.EpollEvent) error {
	if kid != nil {
		if err := ep.link(kid); err != nil {
			return err
		}
	}
	err := ep.insert(p, kid, target, fd, ev)
	if err != nil && kid != nil {
		ep.unlink(kid)
	}
	return err
}

// insert makes the item and looks whether it is ready.
func (ep *Epoll) insert(p file.Poller, kid *Epoll, target *file.File, fd int, ev abi.EpollEvent) error {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	key := itemKey{target, fd}
	if ep.items[key] != nil {
		return errno.EEXIST
	}
	if !ep.in.Charge(inst.Heap, itemCost) {
		return errno.ENOMEM
	}
	it := &item{ep: ep, f: target, fd: fd, p: p, kid: kid, q: p.Queue(), want: ev.Events, data: ev.Data}
	it.events.Store(ev.Events)
	it.hook.F = it.gone
	if !target.AddHook(&it.hook) {
		ep.in.Uncharge(inst.Heap, itemCost)
		return errno.EBADF
	}
	ep.items[key] = it
	it.q.Watch(&it.w, it.fire)
	it.askLocked()
	return nil
}

func (ep *Epoll) modify(target *file.File, fd int, ev abi.EpollEvent) error {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	it := ep.items[itemKey{target, fd}]
	if it == nil {
		return errno.ENOENT
	}
	if it.events.Load()&abi.EPOLLEXCLUSIVE != 0 {
		return errno.EINVAL
	}
	it.want, it.data = ev.Events, ev.Data
	it.events.Store(ev.Events)
	it.askLocked()
	return nil
}

func (ep *Epoll) remove(target *file.File, fd int) error {
	ep.mu.Lock()
	it := ep.items[itemKey{target, fd}]
	if it != nil {
		ep.removeLocked(it)
	}
	ep.mu.Unlock()
	if it == nil {
		return errno.ENOENT
	}
	if it.kid != nil {
		ep.unlink(it.kid)
	}
	return nil
}

// removeLocked ends an item: out of the queue first, while the Impl is sure to
// be there.
func (ep *Epoll) removeLocked(it *item) {
	it.q.Unwatch(&it.w)
	delete(ep.items, itemKey{it.f, it.fd})
	ep.items = inst.Shrink(ep.items, &ep.most)
	it.f.RemoveHook(&it.hook)
	ep.readyMu.Lock()
	if it.queued {
		ep.ready.remove(it)
		it.queued = false
	}
	ep.readyMu.Unlock()
	ep.in.Uncharge(inst.Heap, itemCost)
}

// gone is called when the last reference of the file is gone.
func (it *item) gone() {
	ep := it.ep
	ep.mu.Lock()
	mine := ep.items[itemKey{it.f, it.fd}] == it
	if mine {
		ep.removeLocked(it)
	}
	ep.mu.Unlock()
	if mine && it.kid != nil {
		ep.unlink(it.kid)
	}
}

// askLocked queues it if it is ready. ep.mu is held.
func (it *item) askLocked() {
	if uint32(it.p.Poll(it.f))&it.events.Load()&^uint32(private) != 0 {
		it.fire()
	}
}

// fire queues it, since it may be ready, and wakes who waits. It is called by
// the file's queue.
func (it *item) fire() {
	if it.events.Load()&^uint32(private) == 0 {
		return
	}
	ep := it.ep
	ep.readyMu.Lock()
	if !it.queued {
		it.queued = true
		ep.ready.append(it)
	}
	ep.readyMu.Unlock()
	ep.q.Wake(1)
}

func (l *itemList) append(it *item) {
	it.next, it.prev = nil, l.tail
	if l.tail != nil {
		l.tail.next = it
	} else {
		l.head = it
	}
	l.tail = it
}

func (l *itemList) remove(it *item) {
	if it.prev != nil {
		it.prev.next = it.next
	} else {
		l.head = it.next
	}
	if it.next != nil {
		it.next.prev = it.prev
	} else {
		l.tail = it.prev
	}
	it.next, it.prev = nil, nil
}

// pop takes the first item out; nil: none is left.
func (ep *Epoll) pop() *item {
	ep.readyMu.Lock()
	defer ep.readyMu.Unlock()
	it := ep.ready.head
	if it != nil {
		ep.ready.remove(it)
		it.queued = false
	}
	return it
}

// requeue puts it at the end again, unless it has been queued meanwhile.
func (ep *Epoll) requeue(it *item) {
	ep.readyMu.Lock()
	defer ep.readyMu.Unlock()
	if !it.queued {
		it.queued = true
		ep.ready.append(it)
	}
}

// A Batch is the events that one call of Wait found: fewer than there are is
// always right. It is on the stack of each call, and most find few.
type Batch struct {
	raw   [batchSize * abi.EpollEventSize]byte // as programs see them
	items [batchSize]*item                     // whose they are
}

// Bytes returns the first n events, as programs see them.
func (b *Batch) Bytes(n int) []byte { return b.raw[:n*abi.EpollEventSize] }

const batchSize = 16

// Wait is epoll_wait(2): it fills b with up to limit events and returns how
// many. It waits until there is one, or until the deadline. The caller gives
// back by Undo what it can't deliver. EINVAL, EINTR.
func Wait(t *proc.Thread, f *file.File, b *Batch, limit int, deadline int64) (int, error) {
	ep, ok := f.Impl.(*Epoll)
	if !ok || limit <= 0 {
		return 0, errno.EINVAL
	}
	for {
		if n := ep.collect(b, limit); n > 0 {
			return n, nil
		}
		if deadline != proc.Forever && deadline <= t.Now() {
			return 0, nil
		}
		ep.readyMu.Lock()
		var err error
		for ep.ready.head == nil && err == nil {
			err = t.Wait(&ep.q, &ep.readyMu, deadline)
		}
		ep.readyMu.Unlock()
		switch err {
		case nil:
		case errno.ETIMEDOUT:
			return ep.collect(b, limit), nil
		default:
			return 0, errno.EINTR
		}
	}
}

// collect asks the items that may be ready, each once, and returns how many are.
func (ep *Epoll) collect(b *Batch, limit int) int {
	n := 0
	limit = min(limit, batchSize)
	ep.mu.Lock() // until then, none but the loop takes an item out
	defer ep.mu.Unlock()
	ep.readyMu.Lock()
	last := ep.ready.tail // what comes behind it is for the next call
	for n < limit && last != nil {
		it := ep.ready.head
		if it == last {
			last = nil
		}
		ep.ready.remove(it)
		it.queued = false
		ep.readyMu.Unlock() // an event may come from now on
		want := it.events.Load()
		ev := uint32(it.p.Poll(it.f)) & want &^ uint32(private)
		ep.readyMu.Lock()
		if ev == 0 {
			continue
		}
		found := abi.EpollEvent{Events: ev, Data: it.data}
		found.Encode(b.raw[n*abi.EpollEventSize:])
		b.items[n] = it
		n++
		if want&abi.EPOLLONESHOT != 0 {
			it.events.Store(want & private)
		} else if want&abi.EPOLLET == 0 && !it.queued { // level-triggered, and no event just now
			it.queued = true
			ep.ready.append(it)
		}
	}
	more := ep.ready.head != nil
	ep.readyMu.Unlock()
	if more {
		ep.q.Wake(1)
	}
	return n
}

// Undo gives back the events from the from-th to the n-th of b, which Wait found
// in f: they are there for the next call, as if they had not been found.
func (b *Batch) Undo(f *file.File, from, n int) {
	ep := f.Impl.(*Epoll)
	ep.mu.Lock()
	for _, it := range b.items[from:n] {
		if ep.items[itemKey{it.f, it.fd}] != it {
			continue // removed meanwhile
		}
		if it.events.Load()&^uint32(private) == 0 {
			it.events.Store(it.want)
		}
		ep.requeue(it)
	}
	ep.mu.Unlock()
	ep.q.Wake(1)
}

// Poll tells whether an item is ready, for epolls that watch this one.
func (ep *Epoll) Poll(*file.File) file.Events {
	ep.mu.Lock()
	defer ep.mu.Unlock()
	for range len(ep.items) {
		it := ep.pop()
		if it == nil {
			break
		}
		if uint32(it.p.Poll(it.f))&it.events.Load()&^uint32(private) != 0 {
			ep.requeue(it)
			return abi.POLLIN | abi.POLLRDNORM
		}
	}
	return 0
}

// Queue is woken when an item may have become ready.
func (ep *Epoll) Queue() *proc.Queue { return &ep.q }
