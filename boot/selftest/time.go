//go:build tamago

package main

import (
	"bufio"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"mult/arch/amd64"
	"mult/boot"
)

// testIdle sleeps: an idle machine takes no timer interrupts but those that
// its timers need.
func testIdle(e *env) error {
	time.Sleep(500 * time.Millisecond)
	var before, after [amd64.MaxCPUs]uint64
	for i := range e.CPUs {
		before[i] = amd64.Ticks(i)
	}
	start := time.Now()
	time.Sleep(10 * time.Second)
	slept := time.Since(start)
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
