//go:build tamago

// There is nothing to poll: netpoll is where one idle M waits for the next
// timer, an interrupt, or a P that is handed to it.

package runtime

import "internal/runtime/atomic"

var (
	netpollInited atomic.Uint32
	netpollLock   mutex // held by the M that waits
	netpollNote   note

	netpollBreakLock mutex // guards netpollBroken
	netpollBroken    bool  // netpollNote is woken already
)

func netpollGenericInit()     { netpollInited.Store(1) }
func netpollinited() bool     { return netpollInited.Load() != 0 }
func netpollAnyWaiters() bool { return false }

func netpollAdjustWaiters(delta int32) {}

func netpollBreak() {
	lock(&netpollBreakLock)
	if !netpollBroken {
		netpollBroken = true
		notewakeup(&netpollNote)
	}
	unlock(&netpollBreakLock)
}

// A break that comes before the sleep ends it at once: the caller has told
// everybody that it polls, and how long, before it is here. So a break is
// forgotten only after the sleep, when the caller looks at everything anew.
func netpoll(delay int64) (gList, int32) {
	if delay != 0 {
		lock(&netpollLock)
		// A P handed off before this look is seen here, a later one ends
		// the sleep by netpollBreak.
		if handedAny.Load() == 0 {
			notetsleep(&netpollNote, delay)
		}
		lock(&netpollBreakLock)
		noteclear(&netpollNote)
		netpollBroken = false
		unlock(&netpollBreakLock)
		unlock(&netpollLock)
	}
	return gList{}, 0
}
