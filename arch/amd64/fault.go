//go:build tamago

package amd64

import (
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/arch/x86/x86asm"
)

// A Fault is the value of the panic that an exception in kernel code becomes.
// It is a runtime.Error. Registers are those at the fault.
type Fault struct {
	Vector, Err uint8  // vector; low byte of the error code
	Addr        uint64 // what a page fault accessed
	PC          uint64
	Regs        *Frame // nil if another fault overwrote them
}

// RuntimeError makes a Fault a runtime.Error.
func (f *Fault) RuntimeError() {}

// Error says what happened, where, and by which instruction.
func (f *Fault) Error() string {
	s := exceptionName(f.Vector)
	if f.Vector == vecPage {
		s = pageFault(f.Err, f.Addr)
	}
	return fmt.Sprintf("%s at %s: %s", s, symbol(f.PC), Disassemble(f.PC))
}

// Dump returns the registers at the fault, several lines.
func (f *Fault) Dump() string {
	if f.Regs == nil {
		return "registers are lost: another fault followed on that processor\n"
	}
	var b strings.Builder
	r := f.Regs
	fmt.Fprintf(&b, "vector %d error %#x cr2 %#x\n", f.Vector, f.Err, f.Addr)
	for _, v := range []struct {
		name string
		v    uint64
	}{{"ax", r.AX}, {"bx", r.BX}, {"cx", r.CX}, {"dx", r.DX},
		{"si", r.SI}, {"di", r.DI}, {"bp", r.BP}, {"sp", r.SP},
		{"r8", r.R8}, {"r9", r.R9}, {"r10", r.R10}, {"r11", r.R11},
		{"r12", r.R12}, {"r13", r.R13}, {"r14", r.R14}, {"r15", r.R15},
		{"ip", r.IP}, {"flags", r.Flags}, {"cs", r.CS}, {"ss", r.SS}} {
		fmt.Fprintf(&b, "%-5s %016x", v.name, v.v)
		switch v.name {
		case "dx", "sp", "r11", "r15", "ss":
			b.WriteByte('\n')
		default:
			b.WriteString("  ")
		}
	}
	return b.String()
}

// exceptionNames are the names of SDM 3A, table 6-1.
var exceptionNames = [32]string{
	0: "divide error", 1: "debug exception", 2: "NMI", 3: "breakpoint",
	4: "overflow", 5: "bound range exceeded", 6: "invalid opcode",
	7: "no floating point unit", 8: "double fault", 10: "invalid TSS",
	11: "segment not present", 12: "stack segment fault",
	13: "general protection fault", 14: "page fault",
	16: "x87 floating point error", 17: "alignment check",
	18: "machine check", 19: "SIMD floating point error",
	20: "virtualization exception", 21: "control protection exception",
}

func exceptionName(v uint8) string {
	if int(v) < len(exceptionNames) && exceptionNames[v] != "" {
		return exceptionNames[v]
	}
	return "unknown exception"
}

func pageFault(err uint8, addr uint64) string {
	access := "reading"
	if err&2 != 0 {
		access = "writing"
	}
	if err&16 != 0 {
		access = "executing"
	}
	why := "not mapped"
	if err&1 != 0 {
		why = "protected"
	}
	if addr < PageSize {
		why = "nil pointer dereference"
	}
	return fmt.Sprintf("page fault %s %#x (%s)", access, addr, why)
}

// symbol is pc with its function and line.
func symbol(pc uint64) string {
	fn := runtime.FuncForPC(uintptr(pc))
	if fn == nil {
		return fmt.Sprintf("%#x", pc)
	}
	file, line := fn.FileLine(uintptr(pc))
	return fmt.Sprintf("%#x %s+%#x %s:%d", pc, fn.Name(), pc-uint64(fn.Entry()), file, line)
}

// Disassemble returns the instruction at pc, which must be in kernel text.
func Disassemble(pc uint64) string {
	start, end := TextRange()
	if pc < uint64(start) || pc+15 > uint64(end) {
		return "not in kernel text"
	}
	code := unsafe.Slice((*byte)(unsafe.Pointer(uintptr(pc))), 15)
	in, err := x86asm.Decode(code, 64)
	if err != nil {
		return fmt.Sprintf("% x (%v)", code, err)
	}
	return x86asm.GoSyntax(in, pc, func(a uint64) (string, uint64) {
		if fn := runtime.FuncForPC(uintptr(a)); fn != nil {
			return fn.Name(), uint64(fn.Entry())
		}
		return "", 0
	})
}

// exception handles vectors below 32, on the signal stack.
func exception(f *Frame, t *runtime.KernelTrap) {
	_, cr2, _, _ := ReadCR()
	recoverable := f.Vector != vecDouble && f.Vector != vecMachine && f.Vector != vecDebug
	if recoverable {
		if runtime.TrapFault(t, uintptr(f.Vector), uintptr(f.Err), uintptr(cr2)) {
			c := thisCPU()
			c.fault = *f
			return
		}
	}
	fatal(f, cr2)
}

// sigpanic is called by the runtime as if by the instruction that faulted, on
// the goroutine's stack.
//
//go:linkname sigpanic runtime.kernelFault
func sigpanic(g unsafe.Pointer, code, addr, pc uintptr) {
	f := &Fault{Vector: uint8(code >> 32), Err: uint8(code), Addr: uint64(addr), PC: uint64(pc)}
	if f.Vector != vecPage {
		f.Addr = 0
	}
	for _, c := range cpus[:NumCPU()] {
		if c.fault.G == uint64(uintptr(g)) && c.fault.IP == uint64(pc) {
			regs := c.fault
			f.Regs = &regs
			break
		}
	}
	panic(f)
}

// fatal ends the machine because of an exception in code that can't panic:
// the scheduler, the allocator, a holder of a runtime lock. It prints the
// registers, the instruction and all stacks.
func fatal(f *Frame, cr2 uint64) {
	haltOthers()
	if BeforeFatal != nil {
		BeforeFatal()
	}
	early("\nfatal exception: ")
	early(exceptionName(uint8(f.Vector)))
	early(" on cpu ")
	earlyHex(thisCPU().id)
	for _, r := range [...]struct {
		name string
		v    uint64
	}{{"\nvector ", f.Vector}, {" error ", f.Err}, {" cr2 ", cr2}, {"\nip ", f.IP}, {" sp ", f.SP}, {" flags ", f.Flags},
		{"\nax ", f.AX}, {" bx ", f.BX}, {" cx ", f.CX}, {" dx ", f.DX}, {"\nsi ", f.SI}, {" di ", f.DI}, {" bp ", f.BP},
		{"\nr8 ", f.R8}, {" r9 ", f.R9}, {" r10 ", f.R10}, {" r11 ", f.R11},
		{"\nr12 ", f.R12}, {" r13 ", f.R13}, {" r14 ", f.R14}, {" r15 ", f.R15}} {
		early(r.name)
		earlyHex(r.v)
	}
	early("\n")
	runtime.TrapFatal(uintptr(f.IP), uintptr(f.SP), uintptr(f.G), describe)
	Halt(2)
}

// BeforeFatal is called before the text of a fatal exception, on the signal
// stack, to let output out that is still queued.
var BeforeFatal func()

// describe prints the instruction at pc; the runtime calls it only if memory
// can be allocated.
func describe(pc uintptr) {
	early("at " + symbol(uint64(pc)) + ": " + Disassemble(uint64(pc)) + "\n")
}
