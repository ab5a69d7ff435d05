//go:build tamago

package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"mult/arch"
	"mult/arch/amd64"
)

// The programs of user.s.
const (
	userCall         = iota // SYSCALL, BX++, again
	userSpin                // BX++, again
	userLoad                // AX = *DI, SYSCALL, again
	userDivide              // divides by zero
	userOpcode              // UD2
	userBreak               // INT3
	userHalt                // HLT
	userNonCanonical        // reads a non-canonical address
	userFPU                 // see there
	userEnd
)

// programs returns the addresses of the programs; user.s.
func programs() (p [10]uintptr)

const (
	userText  = 0x400000
	userStack = 0x7fffffff0000 // of one page, which ends here
)

// A userSpace is a page table with the programs and a stack.
type userSpace struct {
	m    amd64.Machine
	root uint64
}

func newUserSpace() *userSpace {
	s := &userSpace{root: frame()}
	s.m.InitRoot(s.root)
	p := programs()
	for va := p[0] &^ 4095; va < p[userEnd]; va += 4096 {
		pa := frame()
		copy(amd64.Bytes(pa, 4096), unsafe.Slice((*byte)(unsafe.Pointer(va)), 4096))
		s.set(userText+uint64(va-p[0]&^4095), pa|arch.PagePresent|arch.PageUser)
	}
	s.set(userStack-4096, frame()|arch.PagePresent|arch.PageUser|arch.PageWrite|arch.PageNoExec)
	return s
}

func frame() uint64 {
	pa, ok := amd64.Frames.Alloc()
	if !ok {
		panic("out of memory")
	}
	clear(amd64.Bytes(pa, 4096))
	return pa
}

// set sets the entry for va.
func (s *userSpace) set(va, entry uint64) {
	t := s.root
	for shift := 39; ; shift -= 9 {
		e := (*uint64)(amd64.Ptr(t + va>>shift&511*8))
		if shift == 12 {
			*e = entry
			return
		}
		if *e == 0 {
			*e = frame() | arch.PagePresent | arch.PageUser | arch.PageWrite
		}
		t = *e & arch.PageAddr
	}
}

func (s *userSpace) thread(program int) *arch.Context {
	c := arch.NewContext()
	p := programs()
	c.IP = userText + uint64(p[program]-p[0]&^4095)
	c.SP = userStack - 64
	c.Root = s.root
	contexts.Lock()
	contexts.all = append(contexts.all, c)
	contexts.Unlock()
	return c
}

// contexts are all there ever were: a processor may have a part of one until it runs
// another.
var contexts struct {
	sync.Mutex
	all []*arch.Context
}

// testUser enters user mode and comes back in every way there is.
func testUser(e *env) error {
	for _, f := range []func(*env) error{userCalls, userFaults, userKick, userFlush, userRegisters} {
		if err := f(e); err != nil {
			return err
		}
	}
	return nil
}

// userCalls calls, sees all registers survive, and measures a null call.
func userCalls(e *env) error {
	c := newUserSpace().thread(userCall)
	m := new(amd64.Machine)
	for i := range uint64(1000) {
		c.AX, c.DX, c.SI, c.DI, c.R8, c.R15 = i, i+1, i+2, i+3, i+4, i+5
		want := *c
		m.Run(c)
		for c.Trap == arch.TrapInterrupt {
			m.Run(c)
		}
		if c.Trap != arch.TrapSyscall || c.BX != i || c.AX != i || c.DX != i+1 || c.SI != i+2 || c.DI != i+3 ||
			c.R8 != i+4 || c.R15 != i+5 || c.SP != want.SP || c.CX != c.IP || c.R11 != c.Flags {
			return fmt.Errorf("call %d: %+v", i, c)
		}
	}
	const n = 100_000
	start := time.Now()
	for range n {
		m.Run(c)
	}
	e.stat("null_call_ns", time.Since(start).Nanoseconds()/n)
	return nil
}

// userFaults provokes exceptions.
func userFaults(e *env) error {
	s := newUserSpace()
	data := frame()
	tests := []struct {
		name            string
		program         int
		di, ip          uint64
		trap, err, addr uint64
	}{
		{"not mapped", userLoad, 0x12345678, 0, arch.TrapPage, arch.FaultUser, 0x12345678},
		{"kernel text", userLoad, uint64(programs()[0]), 0, arch.TrapPage, arch.FaultUser | arch.FaultPresent, uint64(programs()[0])},
		{"direct map", userLoad, amd64.DirectMap + data, 0, arch.TrapPage, arch.FaultUser | arch.FaultPresent, amd64.DirectMap + data},
		{"execute data", userLoad, 0, userStack - 4096, arch.TrapPage, arch.FaultUser | arch.FaultPresent | arch.FaultExec, userStack - 4096},
		{"divide", userDivide, 0, 0, arch.TrapDivide, 0, 0},
		{"opcode", userOpcode, 0, 0, arch.TrapOpcode, 0, 0},
		{"breakpoint", userBreak, 0, 0, arch.TrapBreakpoint, 0, 0},
		{"privileged", userHalt, 0, 0, arch.TrapProtection, 0, 0},
		{"non-canonical load", userNonCanonical, 0, 0, arch.TrapProtection, 0, 0},
		{"non-canonical ip", userSpin, 0, 1 << 47, arch.TrapProtection, 0, 0},
	}
	for _, tt := range tests {
		c := s.thread(tt.program)
		c.DI = tt.di
		if tt.ip != 0 {
			c.IP = tt.ip
		}
		for c.Trap = arch.TrapInterrupt; c.Trap == arch.TrapInterrupt; {
			s.m.Run(c)
		}
		if c.Trap != tt.trap || c.Err != tt.err || tt.addr != 0 && c.Addr != tt.addr {
			return fmt.Errorf("%s: trap %d err %#x addr %#x ip %#x", tt.name, c.Trap, c.Err, c.Addr, c.IP)
		}
	}
	return nil
}

// userKick ends the loop of a program from outside.
func userKick(e *env) error {
	c := newUserSpace().thread(userSpin)
	m := new(amd64.Machine)
	var kicked atomic.Bool
	go func() {
		for range 10 {
			time.Sleep(5 * time.Millisecond)
			m.Kick(c)
		}
		kicked.Store(true)
		m.Kick(c)
	}()
	n := 0
	for ; !kicked.Load(); n++ {
		m.Run(c)
		if c.Trap != arch.TrapInterrupt {
			return fmt.Errorf("kick: trap %d", c.Trap)
		}
		atomic.StoreUint32(&c.Kicked, 0)
	}
	if c.BX == 0 {
		return fmt.Errorf("kick: the loop did not run")
	}
	e.stat("spin_returns", n)
	return nil
}

// userFlush takes a page away while programs on all processors read it: after
// Flush nobody does.
func userFlush(e *env) error {
	s := newUserSpace()
	const va = 0x500000
	page := frame()
	*(*uint64)(amd64.Ptr(page)) = 1
	entry := page | arch.PagePresent | arch.PageUser
	s.set(va, entry)
	var stop, gone atomic.Bool
	var loads, faults atomic.Uint64
	errs := make(chan error, e.CPUs)
	for range e.CPUs {
		go func() {
			c := s.thread(userLoad)
			c.DI = va
			for !stop.Load() {
				before := gone.Load()
				s.m.Run(c)
				switch c.Trap {
				case arch.TrapSyscall:
					loads.Add(1)
					if before && gone.Load() && c.AX != 1 {
						errs <- fmt.Errorf("flush: read %d from a page that is gone", c.AX)
						return
					}
				case arch.TrapPage:
					faults.Add(1)
				}
			}
			errs <- nil
		}()
	}
	for range 200 {
		s.set(va, 0)
		s.m.Flush(s.root)
		gone.Store(true)
		*(*uint64)(amd64.Ptr(page)) = 2
		time.Sleep(100 * time.Microsecond)
		*(*uint64)(amd64.Ptr(page)) = 1
		gone.Store(false)
		s.set(va, entry)
		time.Sleep(100 * time.Microsecond)
	}
	stop.Store(true)
	for range e.CPUs {
		if err := <-errs; err != nil {
			return err
		}
	}
	s.m.Retire(s.root)
	e.stat("flush_loads", loads.Load())
	e.stat("flush_faults", faults.Load())
	if loads.Load() == 0 || faults.Load() == 0 {
		return fmt.Errorf("flush: %d loads, %d faults", loads.Load(), faults.Load())
	}
	return nil
}

// userRegisters runs programs that use x87, AVX, both or neither, more
// than there are processors, while the collector works.
func userRegisters(e *env) error {
	var stop atomic.Bool
	var wg sync.WaitGroup
	errs := make(chan error, 8)
	var rounds atomic.Uint64
	for i := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			s := newUserSpace()
			c := s.thread(userFPU)
			c.DI = uint64(i % 2)
			if s.m.AVX() && i < 3 {
				c.SI = uint64(i) + 1
			}
			for !stop.Load() {
				s.m.Run(c)
				if c.Trap != arch.TrapSyscall && c.Trap != arch.TrapInterrupt || c.BX != 0 {
					errs <- fmt.Errorf("registers: program %d: trap %d, error %d", i, c.Trap, c.BX)
					return
				}
				if c.Trap == arch.TrapSyscall {
					rounds.Add(1)
				}
			}
		}()
	}
	go garbage(&stop)
	time.Sleep(e.limit)
	runtime.GC()
	stop.Store(true)
	wg.Wait()
	e.stat("fpu_rounds", rounds.Load())
	select {
	case err := <-errs:
		return err
	default:
		return nil
	}
}
