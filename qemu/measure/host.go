package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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

// Waited returns how long the threads of a process, taken together, have been
// ready to run while the host's processors were with others: the second number
// of /proc/PID/task/TID/schedstat.
func Waited(pid int) (time.Duration, error) {
	list, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "task/*/schedstat"))
	if err != nil || len(list) == 0 {
		return 0, fmt.Errorf("the host doesn't tell how long process %d waited: %w", pid, os.ErrNotExist)
	}
	var sum time.Duration
	for _, name := range list {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // the thread has ended
		}
		var ran, waited int64
		if _, err := fmt.Sscan(string(text), &ran, &waited); err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		sum += time.Duration(waited)
	}
	return sum, nil
}
