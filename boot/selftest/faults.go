//go:build tamago

package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"mult/arch/amd64"
)

// Instructions that fault; faults.s.
func undefined()
func call(pc uintptr)

// page faults and others in kernel code, and what must be said of them.
var faults = []struct {
	name   string
	do     func()
	vector uint8
	say    string
}{
	{"write nil", func() { *at(0) = 1 }, 14, "writing 0x0 (nil pointer dereference)"},
	{"read a field of nil", func() { sink = int(*at(0xff0)) }, 14, "reading 0xff0 (nil pointer dereference)"},
	{"write kernel text", func() { start, _ := amd64.TextRange(); *at(start) = 0 }, 14, "(protected)"},
	{"write text through the direct map", func() { start, _ := amd64.ImageRange(); *at(amd64.DirectMap + uintptr(start)) = 0 }, 14, "(protected)"},
	{"write constants", func() { *(*byte)(unsafe.Pointer(unsafe.StringData("constant"))) = 0 }, 14, "(protected)"},
	{"execute the heap", func() { b := []byte{0xc3, byte(sink)}; call(uintptr(unsafe.Pointer(&b[0]))) }, 14, "executing"},
	{"execute data", func() { call(uintptr(unsafe.Pointer(&ret))) }, 14, "executing"},
	{"address of no half", func() { *at(0x8000_0000_0000_0000) = 1 }, 13, "general protection fault"},
	{"lower half", func() { *at(0x40_0000) = 1 }, 14, "(not mapped)"},
	{"undefined instruction", undefined, 6, "invalid opcode"},
	{"nil function", func() { var f func(); f() }, 14, "nil pointer dereference"},
}

var (
	sink int
	ret  = [16]byte{0xc3}
)

//go:noinline
func at(a uintptr) *byte { return *(**byte)(unsafe.Pointer(&a)) }

// testFaults takes each fault in a goroutine of its own, where it is
// recovered, and goes on.
func testFaults(e *env) error {
	for round := range 3 {
		for _, f := range faults {
			done := make(chan error)
			go func() {
				defer func() { done <- checkFault(e, f.vector, f.say, recover(), round == 0) }()
				f.do()
			}()
			if err := <-done; err != nil {
				return fmt.Errorf("%s: %v", f.name, err)
			}
		}
	}
	e.Log.Infof("selftest: %d faults recovered", 3*len(faults))
	return nil
}

func checkFault(e *env, vector uint8, say string, r any, log bool) error {
	fault, ok := r.(*amd64.Fault)
	if !ok {
		return fmt.Errorf("recovered %v, not a fault", r)
	}
	if _, ok := r.(runtime.Error); !ok {
		return errors.New("a fault is not a runtime.Error")
	}
	if log {
		e.Log.Errf("selftest: recovered: %v\n%s", fault, fault.Dump())
	}
	if fault.Vector != vector || !strings.Contains(fault.Error(), say) {
		return fmt.Errorf("vector %d: %v; want vector %d and %q", fault.Vector, fault, vector, say)
	}
	if fault.Regs == nil || fault.Regs.IP != fault.PC {
		return errors.New("the registers are missing")
	}
	return nil
}

// testPanic panics: the run must show why, all stacks, and end with the
// status of a panic.
func testPanic(e *env) error {
	go waitForEver()
	runtime.Gosched()
	panic("deliberate")
}

// testFatal faults where nothing can be recovered: with preemption off, as if
// a lock of the runtime was held.
func testFatal(e *env) error {
	go waitForEver()
	runtime.Gosched()
	procPin()
	*at(0) = 1
	return errors.New("a write to nil went on")
}

//go:noinline
func waitForEver() { select {} }

//go:linkname procPin runtime.procPin
func procPin() int

// testHardening looks at the protections of the processor.
func testHardening(e *env) error {
	cr0, _, _, cr4 := amd64.ReadCR()
	_, b, c, _ := amd64.CPUID(7, 0)
	for _, bit := range []struct {
		name   string
		offers bool
		on     bool
	}{
		{"WP", true, cr0>>16&1 != 0},
		{"NXE", true, amd64.ReadMSR(0xc0000080)>>11&1 != 0},
		{"SMEP", b>>7&1 != 0, cr4>>20&1 != 0},
		{"SMAP", b>>20&1 != 0, cr4>>21&1 != 0},
		{"UMIP", c>>2&1 != 0, cr4>>11&1 != 0},
	} {
		if bit.on != bit.offers {
			return fmt.Errorf("%s is %v, the processor offers %v", bit.name, bit.on, bit.offers)
		}
	}
	return nil
}
