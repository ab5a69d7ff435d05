package proc

import "sync"

// A Queue is where threads and watchers wait for something to happen. The zero
// value works. It is part of what it stands for, and must not be copied.
type Queue struct {
	mu       sync.Mutex
	sleepers waitList  // [mu]
	watchers watchList // [mu]
}

// A Watcher is called when a queue is woken. It waits at one queue at a time.
type Watcher struct {
	q          *Queue // [q.mu]
	next, prev *Watcher
	f          func()
}

// waiter is a thread in a queue; it is part of the thread.
type waiter struct {
	q          *Queue // [q.mu] nil when it isn't in a queue
	next, prev *waiter
	t          *Thread // [const]
}

type waitList struct{ head, tail *waiter }

type watchList struct{ head, tail *Watcher }

// add puts w at the end.
func (q *Queue) add(w *waiter) {
	q.mu.Lock()
	w.q, w.prev, w.next = q, q.sleepers.tail, nil
	if w.prev != nil {
		w.prev.next = w
	} else {
		q.sleepers.head = w
	}
	q.sleepers.tail = w
	q.mu.Unlock()
}

// removeLocked takes w out. q.mu is held.
func (q *Queue) removeLocked(w *waiter) {
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.sleepers.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.sleepers.tail = w.prev
	}
	w.q, w.next, w.prev = nil, nil, nil
}

// remove takes w out; false: a wake-up did so before.
func (q *Queue) remove(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.q != q {
		return false
	}
	q.removeLocked(w)
	return true
}

// waiting reports whether no wake-up has taken w out.
func (q *Queue) waiting(w *waiter) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return w.q == q
}

// Wake wakes up to n sleepers, those first that have waited longest, and calls
// all watchers. It returns how many sleepers it woke.
func (q *Queue) Wake(n int) int {
	q.mu.Lock()
	woken := 0
	for woken < n && q.sleepers.head != nil {
		w := q.sleepers.head
		q.removeLocked(w)
		w.t.unpark()
		woken++
	}
	for w := q.watchers.head; w != nil; w = w.next {
		w.f()
	}
	q.mu.Unlock()
	return woken
}

// WakeAll wakes all sleepers and calls all watchers.
func (q *Queue) WakeAll() { q.Wake(int(^uint(0) >> 1)) }

// Watch makes each wake-up of q call f, which is called with the queue locked:
// it must be quick, and must not sleep or use q. It may wake another queue.
func (q *Queue) Watch(w *Watcher, f func()) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.q != nil {
		panic("proc: watcher is in a queue already")
	}
	w.q, w.f, w.prev, w.next = q, f, q.watchers.tail, nil
	if w.prev != nil {
		w.prev.next = w
	} else {
		q.watchers.head = w
	}
	q.watchers.tail = w
}

// Unwatch ends Watch: when it returns, f isn't running and will not be called
// again. It does nothing if w is not in q.
func (q *Queue) Unwatch(w *Watcher) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if w.q != q {
		return
	}
	if w.prev != nil {
		w.prev.next = w.next
	} else {
		q.watchers.head = w.next
	}
	if w.next != nil {
		w.next.prev = w.prev
	} else {
		q.watchers.tail = w.prev
	}
	w.q, w.next, w.prev, w.f = nil, nil, nil, nil
}
