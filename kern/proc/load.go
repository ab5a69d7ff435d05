package proc

import (
	"sync"
	"sync/atomic"
	"time"
)

// This file has the load averages, as kernel/sched/loadavg.c of Linux: how many
// threads run, could run, or sleep deeply, sampled every few seconds and
// averaged over a minute, five and fifteen. Samples are taken only while there
// is something to count: a thread that begins to run sets the timer if it isn't
// set.

// LoadShift is how many bits of a load average are behind the point.
const LoadShift = 11

// loadPeriod is the time between samples.
const loadPeriod = int64(5 * time.Second)

// loadDecay is what is left of the averages after a period: 1/exp(5s/1min) and
// so on, with LoadShift bits.
var loadDecay = [3]uint64{1884, 2014, 2037}

// load is the state of an instance's averages.
type load struct {
	armed atomic.Bool // the timer is set or its function runs

	mu    sync.Mutex // leaf
	avg   [3]uint64  // [mu]
	at    int64      // [mu] when they were right
	timer *time.Timer
	dead  bool // [mu]
}

// stepLocked brings the averages up to now, with n threads all the time. l.mu
// is held.
func (l *load) stepLocked(now int64, n uint64) {
	periods := (now - l.at + loadPeriod/2) / loadPeriod
	if periods <= 0 {
		return
	}
	l.at = now
	const one = 1 << LoadShift
	for i, left := range loadDecay {
		// left^periods by squaring.
		for k := periods; k > 0; k >>= 1 {
			if k&1 != 0 {
				sum := l.avg[i]*left + n<<LoadShift*(one-left)
				if n<<LoadShift >= l.avg[i] {
					sum += one - 1 // so that it gets there
				}
				l.avg[i] = sum >> LoadShift
			}
			left = left * left >> LoadShift
		}
	}
}

// noteRunning is called when a thread begins to run.
func (tab *Table) noteRunning() {
	if !tab.load.armed.Load() {
		tab.armLoad()
	}
}

func (tab *Table) armLoad() {
	l := &tab.load
	if !l.armed.CompareAndSwap(false, true) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.dead {
		return
	}
	now := tab.sys.Now()
	l.stepLocked(now, 0)
	l.at = now
	if l.timer == nil {
		l.timer = time.AfterFunc(time.Duration(loadPeriod), tab.sampleLoad)
	} else {
		l.timer.Reset(time.Duration(loadPeriod))
	}
}

// sampleLoad is the timer's function.
func (tab *Table) sampleLoad() {
	l := &tab.load
	n := tab.active()
	l.mu.Lock()
	l.stepLocked(tab.sys.Now(), uint64(n))
	if n > 0 && !l.dead {
		l.timer.Reset(time.Duration(loadPeriod))
		l.mu.Unlock()
		return
	}
	l.armed.Store(false)
	l.mu.Unlock()
	// Who began to run before this line saw the timer as set.
	if tab.active() > 0 {
		tab.armLoad()
	}
}

func (l *load) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dead = true
	if l.timer != nil {
		l.timer.Stop()
	}
}

// active returns how many threads count as load.
func (tab *Table) active() int {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	running, blocked := tab.activeLocked()
	return running + blocked
}

// activeLocked counts threads that run or could, and those that sleep deeply.
func (tab *Table) activeLocked() (running, blocked int) {
	for _, e := range tab.numbers {
		if e.thread == nil {
			continue
		}
		switch e.thread.state.Load() {
		case threadRunning:
			running++
		case threadDeepSleep:
			blocked++
		}
	}
	return running, blocked
}

// Load returns the load averages over a minute, five and fifteen, with LoadShift
// bits behind the point.
func (tab *Table) Load() [3]uint64 {
	l := &tab.load
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.armed.Load() {
		l.stepLocked(tab.sys.Now(), 0)
	}
	return l.avg
}
