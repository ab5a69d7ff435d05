package measure

import (
	"slices"
	"time"
)

// period is how long WatchTimers sleeps at a time.
const period = 5 * time.Millisecond

// Lateness is how much later than due timers fired.
type Lateness struct{ P50, P99, Max time.Duration }

// WatchTimers measures how late the host's own timers are, in a goroutine,
// until the function that it returns is called.
func WatchTimers() (stop func() Lateness) {
	end, result := make(chan bool), make(chan Lateness, 1)
	go func() {
		var late []time.Duration
		for {
			start := time.Now()
			time.Sleep(period)
			late = append(late, time.Since(start)-period)
			select {
			case <-end:
				result <- lateness(late)
				return
			default:
			}
		}
	}()
	return func() Lateness { close(end); return <-result }
}

// lateness sums up a list that isn't empty.
func lateness(late []time.Duration) Lateness {
	slices.Sort(late)
	n := len(late)
	return Lateness{late[n/2], late[n*99/100], late[n-1]}
}
