package proc

import "mult/kern/errno"

// Sleeps that end at a time of day: that clock can be set meanwhile.

// A Deadline is when a sleep ends at the latest.
type Deadline struct {
	At   int64        // ns; Forever
	Wall func() int64 // reads the clock that At is of; nil: the monotonic one
}

// monotonic returns d by the monotonic clock, as the other one is set now.
func (t *Thread) monotonic(d Deadline) int64 {
	if d.Wall == nil || d.At == Forever {
		return d.At
	}
	now, left := t.Now(), d.At-d.Wall()
	if left >= Forever-now {
		return Forever
	}
	return now + left
}

// ParkUntil is Park. It returns nil, too, when the clock of d was set.
func (t *Thread) ParkUntil(d Deadline) error {
	if d.Wall == nil || d.At == Forever {
		return t.Park(d.At)
	}
	q := &t.Proc.tab.clockQ
	var w Watcher
	q.Watch(&w, t.unpark) // from now on, no jump of the clock is missed
	defer q.Unwatch(&w)
	err := t.Park(t.monotonic(d))
	if err == errno.ETIMEDOUT && d.Wall() < d.At {
		return nil // it was set back
	}
	return err
}

// SleepUntil is Sleep.
func (t *Thread) SleepUntil(d Deadline) error {
	for {
		if err := t.ParkUntil(d); err != nil {
			return err
		}
	}
}

// ClockWasSet tells sleepers that the clock of Deadline.Wall has jumped.
func (tab *Table) ClockWasSet() { tab.clockQ.WakeAll() }
