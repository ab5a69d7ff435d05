//go:build tamago

package main

import (
	"bufio"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"mult/arch/amd64"
	"mult/boot"
)

// testIdle sleeps: an idle machine takes no timer interrupts but those that
// its timers need. And a goroutine is told how long it had no processor.
func testIdle(e *env) error {
	if err := busyAway(e); err != nil {
		return err
	}
	time.Sleep(500 * time.Millisecond)
	count, away := amd64.TSC(), runtime.Away()
	var before, after [amd64.MaxCPUs]uint64
	for i := range e.CPUs {
		before[i] = amd64.Ticks(i)
	}
	start := time.Now()
	time.Sleep(10 * time.Second)
	slept := time.Since(start)
	count, away = amd64.TSC()-count, runtime.Away()-away
	// Half of it, since between the looks the host may take its time.
	if away < int64(count)/2 || away > int64(count) {
		return fmt.Errorf("asleep it had no processor for %d of %d ticks", away, count)
	}
	for i := range e.CPUs {
		after[i] = amd64.Ticks(i)
	}
	for i := range e.CPUs {
		n := after[i] - before[i]
		e.stat(fmt.Sprintf("ticks_cpu%d", i), n)
		if n >= 100 {
			return fmt.Errorf("CPU %d took %d timer interrupts in %v", i, n, slept)
		}
	}
	if late := slept - 10*time.Second; late < 0 || late > time.Second {
		return fmt.Errorf("10 s of sleep took %v", slept)
	}
	return nil
}

// busyAway computes among others until it has been without a processor.
func busyAway(e *env) error {
	var stop atomic.Bool
	defer stop.Store(true)
	spins := make([]uint64, 2*e.CPUs)
	for i := range spins {
		go spin(&spins[i], &stop)
	}
	count, away := amd64.TSC(), runtime.Away()
	for start := time.Now(); runtime.Away() == away; {
		if time.Since(start) > 10*time.Second {
			return errors.New("among many that compute it had a processor all the time")
		}
	}
	if got, all := runtime.Away()-away, amd64.TSC()-count; got > int64(all) {
		return fmt.Errorf("it had no processor for %d of %d ticks", got, all)
	}
	return nil
}

// testClock answers each line from the console at once with the monotonic
// and the wall clock, until the line "end".
func testClock(e *env) error {
	in := bufio.NewReader(e.Console())
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		now := time.Now()
		if strings.TrimSpace(line) == "end" {
			return nil
		}
		fmt.Fprintf(e.Console(), "now %d %d\r\n", boot.Monotonic(), now.UnixNano())
	}
}

// testConsole echoes lines, until "end".
func testConsole(e *env) error {
	in := bufio.NewReader(e.Console())
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		line = strings.TrimSpace(line)
		fmt.Fprintf(e.Console(), "echo %q %d\r\n", line, len(line))
		if line == "end" {
			return nil
		}
	}
}

func testPowerOff(e *env) error {
	e.Log.Noticef("selftest: waiting for the power button")
	time.Sleep(time.Minute)
	return errors.New("nobody pressed it")
}

func testReboot(e *env) error {
	boot.Reboot()
	return nil
}

// testCPUs checks the bounds of GOMAXPROCS, and that every processor works.
func testCPUs(e *env) error {
	e.stat("cpus", e.CPUs)
	if n := runtime.NumCPU(); n != e.CPUs {
		return fmt.Errorf("NumCPU is %d with %d processors", n, e.CPUs)
	}
	runtime.GOMAXPROCS(1000)
	if n := runtime.GOMAXPROCS(0); n != e.CPUs {
		return fmt.Errorf("GOMAXPROCS(1000) gives %d with %d processors", n, e.CPUs)
	}
	for i := range 20 {
		runtime.GOMAXPROCS(1 + i%e.CPUs)
		time.Sleep(time.Millisecond)
	}
	runtime.GOMAXPROCS(e.CPUs)
	before := make([]uint64, e.CPUs)
	for i := range before {
		before[i] = amd64.Ticks(i)
	}
	stop := make(chan bool)
	for range 2 * e.CPUs {
		go func() {
			runtime.LockOSThread()
			for {
				select {
				case <-stop:
					return
				default:
				}
			}
		}()
	}
	time.Sleep(time.Second)
	close(stop)
	for i := range before {
		if amd64.Ticks(i) == before[i] {
			return fmt.Errorf("CPU %d has no ticks while all are busy", i)
		}
	}
	// A deep stack grows, and shrinks by the next collections.
	if depth(100_000) != 100_000 {
		return errors.New("recursion")
	}
	debug.FreeOSMemory()
	return nil
}

//go:noinline
func depth(n int) int {
	if n == 0 {
		return 0
	}
	return depth(n-1) + 1
}
