package proc

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mult/kern/errno"
)

func TestWait(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		var (
			q  Queue
			mu sync.Mutex
		)
		mu.Lock()
		if err := t.Wait(&q, &mu, t.Now()+1e6); err != errno.ETIMEDOUT {
			w.t.Error(err)
		}
		if q.Wake(1) != 0 {
			w.t.Error("sleeper after timeout")
		}
		if err := t.Sleep(t.Now() + 1e6); err != errno.ETIMEDOUT {
			w.t.Error(err)
		}
		if err := t.Park(t.Now() + 1e6); err != errno.ETIMEDOUT {
			w.t.Error(err)
		}
		t.Unpark()
		if err := t.Park(Forever); err != nil {
			w.t.Error(err)
		}
		catch(w, t, 0, 0, SIGUSR1)
		t.Kill(1, SIGUSR1)
		if err := t.Wait(&q, &mu, Forever); err != ERestartSys {
			w.t.Error(err)
		}
		if err := t.WaitKillable(&q, &mu, t.Now()+1e6); err != errno.ETIMEDOUT {
			w.t.Error(err)
		}
		mu.Unlock()
	})
}

// TestHandOff passes tokens through a queue while signals interrupt the
// sleepers: no wake-up is lost.
func TestHandOff(t *testing.T) {
	const threads, tokens = 8, 2000
	w := newWorld(t)
	w.run(func(t *Thread) {
		var (
			q         Queue
			mu        sync.Mutex
			n, taken  int
			done      atomic.Int32
			interrupt atomic.Int64
		)
		catch(w, t, 0, 0, SIGUSR1)
		t.SetSigMask(SetOf(SIGUSR1))
		for range threads {
			w.thread(t, func(u *Thread) {
				u.SetSigMask(0)
				mu.Lock()
				for taken < tokens {
					if n > 0 {
						n--
						taken++
						continue
					}
					if err := u.Wait(&q, &mu, Forever); err != nil {
						interrupt.Add(1)
						mu.Unlock()
						d := u.NextSignal()
						u.SetSigMask(d.Mask)
						mu.Lock()
					}
				}
				mu.Unlock()
				q.WakeAll()
				done.Add(1)
			})
		}
		for i := range tokens {
			mu.Lock()
			n++
			mu.Unlock()
			q.Wake(1)
			if i%3 == 0 {
				t.Kill(1, SIGUSR1)
			}
			if i%100 == 0 {
				time.Sleep(50 * time.Microsecond)
			}
		}
		eventually(w.t, "all tokens", func() bool { q.Wake(0); return done.Load() == threads })
		t.ExitGroup(0)
	})
}

func TestWatchers(t *testing.T) {
	var (
		q, other Queue
		a, b     Watcher
		na, nb   int
	)
	q.Watch(&a, func() { na++ })
	q.Watch(&b, func() { nb++; other.WakeAll() })
	q.Wake(1)
	other.Unwatch(&a) // not there
	q.Unwatch(&a)
	q.Unwatch(&a)
	q.WakeAll()
	if na != 1 || nb != 2 {
		t.Errorf("called %d and %d times", na, nb)
	}
	other.Watch(&a, func() { na = 9 })
	q.WakeAll()
	if na != 9 {
		t.Error("watcher of the other queue")
	}
}
