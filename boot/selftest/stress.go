//go:build tamago

package main

import (
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"mult/arch/amd64"
)

// testStress runs all at once for a while: goroutines in loops without calls,
// garbage, timers of all lengths, interrupts at 1 kHz, and conversations that
// a lost wake-up would end.
func testStress(e *env) error {
	var stop atomic.Bool
	spins := make([]uint64, e.CPUs+1)
	for i := range spins {
		go spin(&spins[i], &stop)
	}
	for range 2 {
		go garbage(&stop)
	}
	interrupts, err := startRTC(e)
	if err != nil {
		return err
	}
	talk := make([]conversation, 8)
	for i := range talk {
		talk[i].start(&stop)
	}
	timers := newTimers(&stop)

	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	for last := interrupts.Load(); time.Since(start) < e.limit; {
		time.Sleep(2 * time.Second)
		now := interrupts.Load()
		if now == last {
			return fmt.Errorf("no interrupt of the clock in 2 s, %d in all", now)
		}
		last = now
		for i := range talk {
			if !talk[i].moved() {
				return fmt.Errorf("conversation %d stands still after %d turns: lost wake-up", i, talk[i].turns.Load())
			}
		}
	}
	took := time.Since(start)
	stop.Store(true)
	runtime.ReadMemStats(&after)

	late, missing := timers.results()
	if len(late) == 0 {
		return fmt.Errorf("no timer fired")
	}
	slices.Sort(late)
	p99 := late[len(late)*99/100]
	e.stat("timers", len(late))
	e.stat("timers_missing", missing)
	e.stat("late_p50_us", late[len(late)/2].Microseconds())
	e.stat("late_p99_us", p99.Microseconds())
	e.stat("late_max_us", late[len(late)-1].Microseconds())
	e.stat("gc_cycles", after.NumGC-before.NumGC)
	e.stat("gc_pause_avg_us", (after.PauseTotalNs-before.PauseTotalNs)/1000/max(1, uint64(after.NumGC-before.NumGC)))
	e.stat("interrupts_per_s", float64(interrupts.Load())/took.Seconds())
	if missing != 0 {
		return fmt.Errorf("%d timers did not fire", missing)
	}
	if after.NumGC-before.NumGC < uint32(took.Seconds()) {
		return fmt.Errorf("only %d GC cycles in %v", after.NumGC-before.NumGC, took)
	}
	for i := range spins {
		if atomic.LoadUint64(&spins[i]) == 0 {
			return fmt.Errorf("loop %d never ran", i)
		}
	}
	return nil
}

// spin counts in a loop without calls, which only an interrupt can end.
func spin(n *uint64, stop *atomic.Bool) {
	for !stop.Load() {
		*n++
	}
}

var kept atomic.Pointer[[]byte]

func garbage(stop *atomic.Bool) {
	for i := 0; !stop.Load(); i++ {
		b := make([]byte, 100+i%60000)
		kept.Store(&b)
	}
}

// startRTC makes the real-time clock interrupt at 1024 Hz and counts in the
// goroutine that serves it. Each interrupt must be served to get the next.
func startRTC(e *env) (*atomic.Uint64, error) {
	cmos := func(reg uint8) uint8 { amd64.Out8(0x70, reg); return amd64.In8(0x71) }
	set := func(reg, v uint8) { amd64.Out8(0x70, reg); amd64.Out8(0x71, v) }
	n := new(atomic.Uint64)
	irq := e.ISA(8)
	if err := amd64.HandleIRQ(irq.GSI, irq.Level, irq.ActiveLow, func() {
		n.Add(1)
		cmos(0x0c)
	}); err != nil {
		return nil, err
	}
	set(0x0a, 0x26)            // 1024 Hz
	set(0x0b, cmos(0x0b)|0x40) // periodic interrupt
	cmos(0x0c)
	return n, nil
}

// A conversation is two goroutines that wake each other in turn, now and then
// after a sleep, so that processors go idle in between.
type conversation struct {
	turns atomic.Uint64
	seen  uint64
}

func (c *conversation) start(stop *atomic.Bool) {
	a, b := make(chan int), make(chan int)
	go func() {
		for v := range a {
			b <- v + 1
		}
		close(b)
	}()
	go func() {
		for i := 0; !stop.Load(); i++ {
			a <- i
			<-b
			c.turns.Add(1)
			if i%64 == 0 {
				time.Sleep(time.Duration(i%7) * 100 * time.Microsecond)
			}
		}
		close(a)
	}()
}

func (c *conversation) moved() bool {
	now := c.turns.Load()
	ok := now != c.seen
	c.seen = now
	return ok
}

// timers are goroutines that sleep and note how late they were woken.
type timers struct {
	done []chan []time.Duration
}

func newTimers(stop *atomic.Bool) *timers {
	t := new(timers)
	for i := range 32 {
		ch := make(chan []time.Duration, 1)
		t.done = append(t.done, ch)
		go func() {
			var late []time.Duration
			for n := i; !stop.Load(); n++ {
				d := time.Duration(1+n*7%150) * time.Millisecond
				start := time.Now()
				if n%2 == 0 {
					time.Sleep(d)
				} else {
					<-time.After(d)
				}
				late = append(late, time.Since(start)-d)
			}
			ch <- late
		}()
	}
	return t
}

// results waits for the timers' goroutines to see the end, and counts those
// that don't.
func (t *timers) results() (late []time.Duration, missing int) {
	deadline := time.Now().Add(5 * time.Second)
	for _, ch := range t.done {
		for {
			select {
			case l := <-ch:
				late = append(late, l...)
			default:
				if time.Now().Before(deadline) {
					time.Sleep(10 * time.Millisecond)
					continue
				}
				missing++
			}
			break
		}
	}
	return late, missing
}

// testWakeup lets goroutines wake each other while there is nothing else to
// do, so that every turn wakes a halted processor; a lost wake-up is the end
// of a conversation. Then the same for timers.
func testWakeup(e *env) error {
	if err := wakeByGoroutine(e, e.limit/2); err != nil {
		return err
	}
	return wakeByTimer(e, e.limit/2)
}

func wakeByGoroutine(e *env, limit time.Duration) error {
	var stop atomic.Bool
	talk := make([]conversation, 3)
	for i := range talk {
		talk[i].start(&stop)
	}
	for start := time.Now(); time.Since(start) < limit; {
		time.Sleep(time.Second)
		for i := range talk {
			if !talk[i].moved() {
				return fmt.Errorf("conversation %d stands still after %d turns: lost wake-up", i, talk[i].turns.Load())
			}
		}
	}
	stop.Store(true)
	turns := uint64(0)
	for i := range talk {
		turns += talk[i].turns.Load()
	}
	e.stat("turns_per_s", float64(turns)/limit.Seconds())
	return nil
}

// wakeByTimer starts a timer on one processor while another, which has just
// been given a little work, is about to halt until a later one.
func wakeByTimer(e *env, limit time.Duration) error {
	work := make(chan int)
	defer close(work)
	go func() {
		for n := range work {
			for range n {
			}
		}
	}()
	n, most := 0, time.Duration(0)
	for start := time.Now(); time.Since(start) < limit; n++ {
		work <- n * 997 % 20000
		for range n * 1009 % 20000 {
		}
		d := time.Duration(50+n%7*50) * time.Microsecond
		before := time.Now()
		time.Sleep(d)
		// There are no timers but this one and some of several seconds. A host
		// that is very busy takes a processor away for a second.
		late := time.Since(before) - d
		if late > 2500*time.Millisecond {
			return fmt.Errorf("timer %d is %v late: lost wake-up", n, late)
		}
		most = max(most, late)
	}
	e.stat("late_max_us", most.Microseconds())
	e.stat("timers_per_s", float64(n)/limit.Seconds())
	return nil
}
