package proc

import (
	"sync"
	"time"

	"mult/kern/errno"
)

// Wait sleeps until q is woken. The caller holds mu, which guards what it waits
// for; Wait lets go of it while it sleeps. It returns nil when t was woken: the
// caller looks again at what it waits for. It returns ERestartSys if a signal or
// death is pending, and ETIMEDOUT after the deadline. A wake-up after the call
// has begun is never missed, nor taken from others if Wait returns an error.
func (t *Thread) Wait(q *Queue, mu sync.Locker, deadline int64) error {
	return t.wait(q, mu, deadline, ^uint32(0), threadSleeping)
}

// WaitKillable is Wait, but only death ends it before its time.
func (t *Thread) WaitKillable(q *Queue, mu sync.Locker, deadline int64) error {
	return t.wait(q, mu, deadline, workDie, threadDeepSleep)
}

// wait ends with ERestartSys if one of the bits of work is set.
func (t *Thread) wait(q *Queue, mu sync.Locker, deadline int64, work uint32, state int32) error {
	if t.work.Load()&work != 0 {
		return ERestartSys
	}
	q.add(&t.waiter)
	mu.Unlock()
	err := t.sleep(q, deadline, work, state)
	mu.Lock()
	return err
}

func (t *Thread) sleep(q *Queue, deadline int64, work uint32, state int32) error {
	for q.waiting(&t.waiter) {
		var err error
		if t.work.Load()&work != 0 {
			err = ERestartSys
		} else if deadline != Forever && t.Now() >= deadline {
			err = errno.ETIMEDOUT
		}
		if err != nil {
			if q.remove(&t.waiter) {
				return err
			}
			return nil
		}
		t.park(deadline, state)
	}
	return nil
}

// Sleep sleeps until the deadline, and returns ETIMEDOUT then; ERestartSys if
// a signal or death is pending.
func (t *Thread) Sleep(deadline int64) error {
	for {
		switch {
		case t.work.Load() != 0:
			return ERestartSys
		case deadline != Forever && t.Now() >= deadline:
			return errno.ETIMEDOUT
		}
		t.park(deadline, threadSleeping)
	}
}

// Park sleeps until Unpark, and returns nil; ERestartSys and ETIMEDOUT as Wait.
// It may return nil without an Unpark. An Unpark while t doesn't sleep is kept
// for the next Park, but a Wait in between may take it: so who waits at many
// queues lets watchers set a flag and Unpark, and looks at the flag right before
// each Park.
func (t *Thread) Park(deadline int64) error {
	if t.takeToken() {
		return nil
	}
	switch {
	case t.work.Load() != 0:
		return ERestartSys
	case deadline != Forever && t.Now() >= deadline:
		return errno.ETIMEDOUT
	}
	t.park(deadline, threadSleeping)
	if deadline != Forever && t.Now() >= deadline {
		return errno.ETIMEDOUT
	}
	return nil
}

// Unpark ends a Park, of now or the next one. Any goroutine may call it.
func (t *Thread) Unpark() { t.unpark() }

func (t *Thread) unpark() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *Thread) takeToken() bool {
	select {
	case <-t.wake:
		return true
	default:
		return false
	}
}

// park sleeps until unpark or the deadline, or less. The thread's grant is
// given back.
func (t *Thread) park(deadline int64, state int32) {
	if t.takeToken() {
		return
	}
	t.chargeKernel()
	var d time.Duration
	if deadline != Forever {
		d = time.Duration(deadline - t.Now())
		if d <= 0 {
			return
		}
	}
	if s := t.Proc.sys.Sched; s != nil && t.granted {
		t.publish()
		t.granted = false
		s.Leave(t)
	}
	t.settle()
	t.voluntary.Add(1)
	t.state.Store(state)
	if deadline == Forever {
		<-t.wake
	} else {
		if t.timer == nil {
			t.timer = time.NewTimer(d)
		} else {
			t.timer.Reset(d)
		}
		select {
		case <-t.wake:
			t.timer.Stop()
		case <-t.timer.C:
		}
	}
	t.state.Store(threadRunning)
	t.Proc.tab.noteRunning()
	t.startCharging()
}
