package main

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

var goroutineTests = []test{
	{"goroutines", goroutines},
	{"goroutines-with-gc", goroutinesWithGC},
	{"ring", ring},
	{"mutexes", mutexes},
	{"preemption", preemption},
	{"stacks", stacks},
	{"threads", threads},
	{"memory-returns", memoryReturns},
	{"finalizers", finalizers},
	{"nil-pointer", nilPointer},
}

// goroutines starts 1,000 that are all alive at once.
func goroutines(string) error {
	var ready, done sync.WaitGroup
	var sum atomic.Int64
	gate := make(chan struct{})
	for i := range 1000 {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-gate
			sum.Add(int64(i))
		})
	}
	ready.Wait()
	if n := runtime.NumGoroutine(); n < 1000 {
		return fmt.Errorf("%d goroutines are alive", n)
	}
	close(gate)
	done.Wait()
	if got := sum.Load(); got != 1000*999/2 {
		return fmt.Errorf("the sum is %d", got)
	}
	return nil
}

// node is what the collector has to follow.
type node struct {
	next *node
	data [100]byte
}

// goroutinesWithGC lets 1,000 make garbage, and keep a list that must stay
// whole, while collections run one after the other.
func goroutinesWithGC(string) error {
	var work sync.WaitGroup
	var bad atomic.Int64
	for i := range 1000 {
		work.Go(func() {
			var list *node
			for k := range 50 {
				n := &node{next: list}
				for j := range n.data {
					n.data[j] = byte(i + k)
				}
				list = n
				_ = make([]byte, 1000+k) // garbage
				if k%10 == 0 {
					runtime.Gosched()
				}
			}
			k := 50
			for n := list; n != nil; n = n.next {
				k--
				for _, b := range n.data {
					if b != byte(i+k) {
						bad.Add(1)
					}
				}
			}
			if k != 0 {
				bad.Add(1)
			}
		})
	}
	stop := make(chan struct{})
	var collector sync.WaitGroup
	collector.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				runtime.GC()
			}
		}
	})
	work.Wait()
	close(stop)
	collector.Wait()
	if n := bad.Load(); n != 0 {
		return fmt.Errorf("%d damages", n)
	}
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	if stats.NumGC == 0 {
		return fmt.Errorf("no collection ran")
	}
	return nil
}

// ring passes a value through 1,000 channels, several times around.
func ring(string) error {
	first := make(chan int)
	in := first
	for range 1000 {
		out := make(chan int)
		go func(in <-chan int, out chan<- int) {
			for v := range in {
				out <- v + 1
			}
			close(out)
		}(in, out)
		in = out
	}
	for range 10 {
		go func() { first <- 0 }()
		if got := <-in; got != 1000 {
			return fmt.Errorf("%d came out", got)
		}
	}
	close(first)
	if _, more := <-in; more {
		return fmt.Errorf("the ring doesn't end")
	}
	return nil
}

func mutexes(string) error {
	var mu sync.Mutex
	var work sync.WaitGroup
	n := 0
	for range 100 {
		work.Go(func() {
			for range 1000 {
				mu.Lock()
				n++
				mu.Unlock()
			}
		})
	}
	work.Wait()
	if n != 100_000 {
		return fmt.Errorf("counted %d", n)
	}
	return nil
}

// preemption needs signals between threads: loops without calls give way.
func preemption(string) error {
	var stop atomic.Bool
	var work sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) {
		work.Go(func() {
			for !stop.Load() {
			}
		})
	}
	for range 10 {
		time.Sleep(time.Millisecond)
		runtime.GC() // has to stop them all
	}
	stop.Store(true)
	work.Wait()
	return nil
}

func deep(n int) int {
	var block [200]byte
	block[n%200] = 1
	if n == 0 {
		return 0
	}
	return deep(n-1) + int(block[n%200])
}

// stacks grow and move.
func stacks(string) error {
	var work sync.WaitGroup
	var bad atomic.Int64
	for range 20 {
		work.Go(func() {
			if deep(10_000) != 10_000 {
				bad.Add(1)
			}
		})
	}
	work.Wait()
	if bad.Load() != 0 {
		return fmt.Errorf("wrong results: %d", bad.Load())
	}
	return nil
}

// threads makes threads of the system: a locked goroutine keeps its own, and
// one that ends with its goroutine locked takes the thread along.
func threads(string) error {
	var ready, work sync.WaitGroup
	gate := make(chan struct{})
	for range 50 {
		ready.Add(1)
		work.Go(func() {
			runtime.LockOSThread()
			ready.Done()
			<-gate
		})
	}
	ready.Wait()
	close(gate)
	work.Wait()
	return nil
}

// memoryReturns uses 64 MiB several times over and gives them back.
func memoryReturns(string) error {
	for round := range 5 {
		blocks := make([][]byte, 64)
		for i := range blocks {
			blocks[i] = make([]byte, 1<<20)
			for k := 0; k < len(blocks[i]); k += 4096 {
				if blocks[i][k] != 0 {
					return fmt.Errorf("round %d: memory isn't zero", round)
				}
				blocks[i][k] = byte(round + 1)
			}
		}
		sum := sha256.Sum256(blocks[round])
		if sum == [32]byte{} {
			return fmt.Errorf("a sum of zero")
		}
		clear(blocks)
		debug.FreeOSMemory()
	}
	return nil
}

func finalizers(string) error {
	done := make(chan bool, 100)
	for range 100 {
		runtime.SetFinalizer(&node{}, func(*node) { done <- true })
	}
	for range 90 {
		for waiting := true; waiting; {
			select {
			case <-done:
				waiting = false
			case <-time.After(time.Millisecond):
				runtime.GC()
			}
		}
	}
	return nil
}

// nilPointer needs SIGSEGV with its address: it becomes a panic.
func nilPointer(string) (err error) {
	var p *node
	for range 100 {
		err = func() (err error) {
			defer func() {
				if e, ok := recover().(runtime.Error); !ok {
					err = fmt.Errorf("no runtime error: %v", e)
				}
			}()
			p.data[5] = 1
			return nil
		}()
		if err != nil {
			return err
		}
	}
	return nil
}
