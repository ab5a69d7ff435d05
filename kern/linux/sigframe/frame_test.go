package sigframe

import (
	"encoding/binary"
	"testing"

	"mult/arch"
	"mult/arch/hosted"
	"mult/inst/insttest"
	"mult/kern/errno"
	"mult/kern/proc"
	"mult/kern/vm"
)

// Where the tests have memory: a stack, an alternate stack, and one page that
// can only be read.
const (
	stackLow, stackTop = 0x100000, 0x140000
	altLow, altTop     = 0x200000, 0x210000
	readOnly           = 0x300000
)

func newSpace(t testing.TB) *vm.Space {
	m := hosted.New(16 << 20)
	t.Cleanup(m.Close)
	in := insttest.New(t, "test")
	s, err := vm.New(&vm.System{Machine: m, Memory: m.Memory()}, in)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []struct {
		low, top vm.Addr
		prot     vm.Prot
	}{{stackLow, stackTop, vm.Read | vm.Write}, {altLow, altTop, vm.Read | vm.Write}, {readOnly, readOnly + 4096, vm.Read}} {
		if _, err := s.Map(vm.MapArgs{Addr: a.low, Len: uint64(a.top - a.low), Prot: a.prot, Fixed: true}); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// newContext returns registers that all differ.
func newContext() *arch.Context {
	c := new(arch.Context)
	for i, r := range registers(c) {
		*r = 0x1111111111111111*uint64(i%15+1)&^0xff | uint64(i)
	}
	c.SP, c.IP, c.Flags = stackTop-0x1003, 0x401234, 0x246|arch.FlagCarry
	c.FSBase, c.GSBase, c.Root, c.Trap = 1, 2, 3, arch.TrapSyscall
	c.FPU.Reset()
	for i := range c.FPU {
		if i < arch.FPUXMM+256 || i >= arch.FPUYMM {
			c.FPU[i] = byte(i*3 + 1)
		}
	}
	c.FPU[arch.FPUHeader] = allParts
	binary.LittleEndian.PutUint32(c.FPU[arch.FPUMXCSR:], 0x1f81)
	return c
}

// A signal is what Deliver is told.
type signal struct {
	proc.Delivery
	alt   proc.AltStack
	fault proc.Fault
	small bool // no AVX
}

func usr1() *signal {
	return &signal{Delivery: proc.Delivery{
		Kind:   proc.DeliverHandler,
		Info:   proc.SenderInfo(proc.SIGUSR1, proc.SI_USER, 77, 88),
		Action: proc.Action{Handler: 0x401000, Flags: proc.SA_SIGINFO | proc.SA_RESTORER, Restorer: 0x402000},
		Mask:   0x8000000000000a55,
	}}
}

func (d *signal) deliver(s *vm.Space, c *arch.Context) (proc.AltStack, error) {
	return Deliver(s, c, &d.Delivery, d.alt, d.fault, !d.small)
}

func peek(t testing.TB, s *vm.Space, a uint64, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	if err := s.CopyIn(b, vm.Addr(a)); err != nil {
		t.Fatalf("read %d bytes at %#x: %v", n, a, err)
	}
	return b
}

func number(b []byte) (v uint64) {
	for i := len(b) - 1; i >= 0; i-- {
		v = v<<8 | uint64(b[i])
	}
	return v
}

func poke64(t testing.TB, s *vm.Space, a, v uint64) {
	t.Helper()
	if err := s.CopyOut(vm.Addr(a), binary.LittleEndian.AppendUint64(nil, v)); err != nil {
		t.Fatal(err)
	}
}

// TestLayout holds the frame against offsets taken from Linux's headers.
func TestLayout(t *testing.T) {
	s := newSpace(t)
	c := newContext()
	was := *c
	alt := proc.AltStack{SP: altLow, Flags: 0, Size: altTop - altLow}
	d := usr1()
	d.alt, d.fault = alt, proc.Fault{Trap: 14, Err: 6, Addr: 0xdead000}
	got, err := d.deliver(s, c)
	if err != nil {
		t.Fatal(err)
	}
	if got != alt {
		t.Errorf("the alternate stack is %+v", got)
	}
	f := c.SP
	if f%16 != 8 || f+uint64(maxSize) > was.SP-128 || f+uint64(maxSize)+64+16 < was.SP-128 {
		t.Errorf("the frame is at %#x, the stack pointer was %#x", f, was.SP)
	}
	fpu := number(peek(t, s, f+8+40+184, 8))
	if fpu%64 != 0 || fpu < f+440 || fpu+836 > was.SP-128 {
		t.Errorf("the FXSAVE area is at %#x, the frame at %#x", fpu, f)
	}
	const uc, mc, si = 8, 8 + 40, 8 + 304
	for _, tt := range []struct {
		name string
		off  uint64
		size int
		want uint64
	}{
		{"pretcode", 0, 8, 0x402000},
		{"uc_flags", uc, 8, 7},
		{"uc_link", uc + 8, 8, 0},
		{"ss_sp", uc + 16, 8, altLow},
		{"ss_flags", uc + 24, 4, 0},
		{"ss_size", uc + 32, 8, altTop - altLow},
		{"r8", mc, 8, was.R8},
		{"r9", mc + 8, 8, was.R9},
		{"r10", mc + 16, 8, was.R10},
		{"r11", mc + 24, 8, was.R11},
		{"r12", mc + 32, 8, was.R12},
		{"r13", mc + 40, 8, was.R13},
		{"r14", mc + 48, 8, was.R14},
		{"r15", mc + 56, 8, was.R15},
		{"rdi", mc + 64, 8, was.DI},
		{"rsi", mc + 72, 8, was.SI},
		{"rbp", mc + 80, 8, was.BP},
		{"rbx", mc + 88, 8, was.BX},
		{"rdx", mc + 96, 8, was.DX},
		{"rax", mc + 104, 8, was.AX},
		{"rcx", mc + 112, 8, was.CX},
		{"rsp", mc + 120, 8, was.SP},
		{"rip", mc + 128, 8, was.IP},
		{"eflags", mc + 136, 8, was.Flags},
		{"cs", mc + 144, 2, 0x33},
		{"gs", mc + 146, 2, 0},
		{"fs", mc + 148, 2, 0},
		{"ss", mc + 150, 2, 0x2b},
		{"err", mc + 152, 8, 6},
		{"trapno", mc + 160, 8, 14},
		{"oldmask", mc + 168, 8, 0x8000000000000a55},
		{"cr2", mc + 176, 8, 0xdead000},
		{"uc_sigmask", uc + 296, 8, 0x8000000000000a55},
		{"si_signo", si, 4, 10},
		{"si_errno", si + 4, 4, 0},
		{"si_code", si + 8, 4, 0},
		{"si_pid", si + 16, 4, 77},
		{"si_uid", si + 20, 4, 88},
	} {
		if got := number(peek(t, s, f+tt.off, tt.size)); got != tt.want {
			t.Errorf("%s is %#x, want %#x", tt.name, got, tt.want)
		}
	}
	for _, tt := range []struct {
		name string
		off  uint64
		size int
		want uint64
	}{
		{"magic1", 464, 4, 0x46505853},
		{"extended_size", 468, 4, 836},
		{"xfeatures", 472, 8, 7},
		{"xstate_size", 480, 4, 832},
		{"padding", 484, 8, 0},
		{"xstate_bv", 512, 8, 7},
		{"xcomp_bv", 520, 8, 0},
		{"magic2", 832, 4, 0x46505845},
	} {
		if got := number(peek(t, s, fpu+tt.off, tt.size)); got != tt.want {
			t.Errorf("%s is %#x, want %#x", tt.name, got, tt.want)
		}
	}
	state := peek(t, s, fpu, 832)
	clear(state[464:512])
	if string(state) != string(was.FPU[:]) {
		t.Error("the state of the FPU is not what was in the registers")
	}

	want := was
	want.DI, want.SI, want.DX, want.AX = 10, f+si, f+uc, 0
	want.IP, want.SP = 0x401000, f
	want.FPU.Reset()
	if *c != want {
		t.Errorf("registers are %+v, want %+v", *c, want)
	}
	if number(c.FPU[0:2]) != 0x37f || number(c.FPU[24:28]) != 0x1f80 {
		t.Error("the handler does not start with a new FPU state")
	}
}

// TestInfos decodes what the makers of package proc have made, at the offsets
// of siginfo_t.
func TestInfos(t *testing.T) {
	s := newSpace(t)
	type field struct {
		off  uint64
		size int
		want uint64
	}
	for _, tt := range []struct {
		name string
		info proc.Siginfo
		want []field
	}{
		{"kill", proc.SenderInfo(proc.SIGTERM, proc.SI_USER, 5, 6), []field{{0, 4, 15}, {8, 4, 0}, {16, 4, 5}, {20, 4, 6}}},
		{"tkill", proc.SenderInfo(proc.SIGTERM, proc.SI_TKILL, 5, 6), []field{{8, 4, 0xfffffffa}, {16, 4, 5}, {20, 4, 6}}},
		{"fault", proc.FaultInfo(proc.SIGSEGV, proc.SEGV_ACCERR, 0xffff800000001234), []field{{0, 4, 11}, {8, 4, 2}, {16, 8, 0xffff800000001234}, {24, 8, 0}}},
		{"timer", proc.TimerInfo(proc.SIGALRM, 3, 4, 0x1122334455667788), []field{{8, 4, 0xfffffffe}, {16, 4, 3}, {20, 4, 4}, {24, 8, 0x1122334455667788}}},
		{"poll", proc.PollInfo(proc.SIGIO, 1, 0x41, 9), []field{{8, 4, 1}, {16, 8, 0x41}, {24, 4, 9}}},
	} {
		d := usr1()
		d.Info = tt.info
		c := newContext()
		if _, err := d.deliver(s, c); err != nil {
			t.Fatal(err)
		}
		if c.DI != uint64(tt.info.Signo) {
			t.Errorf("%s: the handler gets number %d", tt.name, c.DI)
		}
		for _, f := range tt.want {
			if got := number(peek(t, s, c.SI+f.off, f.size)); got != f.want {
				t.Errorf("%s: at offset %d is %#x, want %#x", tt.name, f.off, got, f.want)
			}
		}
	}
	// A queued signal and the end of a child, as programs and proc make them.
	for _, tt := range []struct {
		name string
		raw  map[int]uint32
	}{
		{"queue", map[int]uint32{0: 34, 8: 0xffffffff, 16: 5, 20: 6, 24: 0x55667788, 28: 0x11223344}},
		{"child", map[int]uint32{0: 17, 8: 1, 16: 5, 20: 6, 24: 42, 32: 100, 40: 200}},
	} {
		var raw [128]byte
		for off, v := range tt.raw {
			binary.LittleEndian.PutUint32(raw[off:], v)
		}
		d := usr1()
		i, ok := proc.DecodeSiginfo(&raw)
		if !ok {
			t.Fatalf("%s: not decoded", tt.name)
		}
		d.Info = i
		c := newContext()
		if _, err := d.deliver(s, c); err != nil {
			t.Fatal(err)
		}
		if got := peek(t, s, c.SI, 128); string(got) != string(raw[:]) {
			t.Errorf("%s: the handler sees % x", tt.name, got)
		}
	}
}

func TestDeliverErrors(t *testing.T) {
	s := newSpace(t)
	for _, tt := range []struct {
		name   string
		change func(c *arch.Context, d *signal)
	}{
		{"no restorer", func(c *arch.Context, d *signal) { d.Action.Flags &^= proc.SA_RESTORER }},
		{"handler not canonical", func(c *arch.Context, d *signal) { d.Action.Handler = 1 << 47 }},
		{"handler in the kernel", func(c *arch.Context, d *signal) { d.Action.Handler = 0xffff800000000000 }},
		{"no stack", func(c *arch.Context, d *signal) { c.SP = 0x500000 }},
		{"stack runs out", func(c *arch.Context, d *signal) { c.SP = stackLow + 300 }},
		{"read-only stack", func(c *arch.Context, d *signal) { c.SP = readOnly + 4096 }},
		{"stack at 0", func(c *arch.Context, d *signal) { c.SP = 0 }},
		{"stack at 200", func(c *arch.Context, d *signal) { c.SP = 200 }},
		{"stack at 1000", func(c *arch.Context, d *signal) { c.SP = 1000 }},
		{"stack in the kernel", func(c *arch.Context, d *signal) { c.SP = 0xffff888000100000 }},
		{"stack at the end of numbers", func(c *arch.Context, d *signal) { c.SP = ^uint64(0) }},
	} {
		c, d := newContext(), usr1()
		tt.change(c, d)
		was := *c
		alt := proc.AltStack{SP: 0x123000, Size: 1, Flags: proc.SS_AUTODISARM}
		d.alt = alt
		got, err := d.deliver(s, c)
		if err != errno.EFAULT {
			t.Errorf("%s: %v", tt.name, err)
		}
		if *c != was || got != alt {
			t.Errorf("%s: registers or alternate stack have changed", tt.name)
		}
	}
}

func TestReturn(t *testing.T) {
	s := newSpace(t)
	c := newContext()
	was := *c
	alt := proc.AltStack{SP: altLow, Size: 0x8000}
	d := usr1()
	d.alt = alt
	if _, err := d.deliver(s, c); err != nil {
		t.Fatal(err)
	}
	// The handler leaves other values in all registers, and returns.
	c.SP += 8
	sp := c.SP
	for _, r := range registers(c) {
		*r = 0x5555
	}
	c.SP, c.Flags = sp, 0x202|1<<21 // ID is not restored
	clear(c.FPU[:])
	c.AX = 15
	mask, got, err := Return(s, c, true)
	if err != nil {
		t.Fatal(err)
	}
	want := was
	want.Flags |= 1 << 21
	if *c != want {
		t.Errorf("registers are %+v, want %+v", *c, want)
	}
	if mask != d.Mask || got != alt {
		t.Errorf("mask %#x, alternate stack %+v", mask, got)
	}
}

// TestSmall is a frame on a processor without AVX.
func TestSmall(t *testing.T) {
	s := newSpace(t)
	c := newContext()
	was := *c
	d := usr1()
	d.small = true
	if _, err := d.deliver(s, c); err != nil {
		t.Fatal(err)
	}
	f := c.SP
	if f+fpuOff+512 > was.SP-128 || f+fpuOff+512+64+16 < was.SP-128 {
		t.Errorf("the frame is at %#x, the stack pointer was %#x", f, was.SP)
	}
	if got := number(peek(t, s, f+uFlags, 8)); got != 6 {
		t.Errorf("uc_flags is %#x", got)
	}
	if got := peek(t, s, f+fpuOff, 512); string(got) != string(was.FPU[:512]) {
		t.Error("the state of the FPU is not what was in the registers")
	}
	// A mark of what XSAVE wrote changes nothing.
	poke64(t, s, f+fpuOff+uint64(swMagic), fpMagic1|832<<32)
	poke64(t, s, f+fpuOff+uint64(swSize), 832)
	c.SP += 8
	if _, _, err := Return(s, c, false); err != nil {
		t.Fatal(err)
	}
	if !parts(arch.PartX87 | arch.PartSSE)(c) {
		t.Errorf("FPU % x", c.FPU)
	}
}

// parts makes a check that parts of the FPU's state are those of newContext and the
// rest is of a new program, but for MXCSR.
func parts(p int) func(*arch.Context) bool {
	return func(c *arch.Context) bool {
		var want arch.FPU
		want.Reset()
		was := newContext().FPU
		copy(want[24:32], was[24:32])
		if p&arch.PartX87 != 0 {
			copy(want[:24], was[:])
			copy(want[32:160], was[32:])
		}
		if p&arch.PartSSE != 0 {
			copy(want[160:416], was[160:])
		}
		if p&arch.PartAVX != 0 {
			copy(want[576:], was[576:])
			want[512] |= arch.PartAVX
		}
		return c.FPU == want
	}
}

// TestTampered returns from frames that a program has changed.
func TestTampered(t *testing.T) {
	s := newSpace(t)
	initial := newContext()
	initial.FPU.Reset()
	for _, tt := range []struct {
		name  string
		off   uint64 // in the frame
		value uint64
		err   error
		check func(c *arch.Context) bool
	}{
		{name: "IP is not canonical", off: scSegments - 16, value: 1 << 47, err: errno.EFAULT},
		{name: "IP in the kernel", off: scSegments - 16, value: 0xffffffff80100000, err: errno.EFAULT},
		{name: "last IP", off: scSegments - 16, value: 1<<47 - 1, check: func(c *arch.Context) bool { return c.IP == 1<<47-1 }},
		{name: "all flags", off: scSegments - 8, value: ^uint64(0), check: func(c *arch.Context) bool { return c.Flags == 0x50fd7 }},
		{name: "no flags", off: scSegments - 8, value: 0, check: func(c *arch.Context) bool { return c.Flags == 0x202 }},
		{name: "CS of 32 bits", off: scSegments, value: 0x23 | 0x2b<<48, err: errno.EFAULT},
		{name: "CS without privilege level", off: scSegments, value: 0x30 | 0x28<<48},
		{name: "kernel's CS", off: scSegments, value: 0x08 | 0x2b<<48, err: errno.EFAULT},
		{name: "no SS", off: scSegments, value: 0x33, err: errno.EFAULT},
		{name: "old frame without SS", off: uFlags, value: 0},
		{name: "no FPU state", off: scFPU, value: 0, check: func(c *arch.Context) bool { return c.FPU == initial.FPU }},
		{name: "unaligned FPU state", off: scFPU, value: stackTop - 1024 + 8, err: errno.EFAULT},
		{name: "FPU state in no memory", off: scFPU, value: 0x500000, err: errno.EFAULT},
		{name: "FPU state half in memory", off: scFPU, value: stackTop - 256, err: errno.EFAULT},
		{name: "FPU state in the kernel", off: scFPU, value: 0xffff888000000000, err: errno.EFAULT},
		{name: "FPU state elsewhere", off: scFPU, value: readOnly, check: func(c *arch.Context) bool { return c.FPU == arch.FPU{arch.FPUHeader: 3} }},
		{name: "all of MXCSR", off: fpuOff + arch.FPUMXCSR, value: 0xffff, check: func(c *arch.Context) bool {
			return binary.LittleEndian.Uint32(c.FPU[arch.FPUMXCSR:]) == 0xffff
		}},
		{name: "more than MXCSR has", off: fpuOff + arch.FPUMXCSR, value: 1 << 16, err: errno.EFAULT},
		{name: "no XSAVE", off: fpuOff + swMagic, value: 0, check: parts(arch.PartX87 | arch.PartSSE)},
		{name: "no mark at the end", off: fpuOff + uint64(fullFPU) - 4, value: 0, check: parts(arch.PartX87 | arch.PartSSE)},
		{name: "too small", off: fpuOff + swSize, value: 831, check: parts(arch.PartX87 | arch.PartSSE)},
		{name: "nothing wanted", off: fpuOff + swParts, value: 0, check: parts(0)},
		{name: "SSE wanted", off: fpuOff + swParts, value: arch.PartSSE, check: parts(arch.PartSSE)},
		{name: "nothing there", off: fpuOff + arch.FPUHeader, value: 0, check: parts(0)},
		{name: "x87 and AVX there", off: fpuOff + arch.FPUHeader, value: 5, check: parts(arch.PartX87 | arch.PartAVX)},
		{name: "a part that isn't", off: fpuOff + arch.FPUHeader, value: 15, err: errno.EFAULT},
		{name: "compact", off: fpuOff + arch.FPUHeader + 8, value: 1 << 63, err: errno.EFAULT},
		{name: "more of a header", off: fpuOff + arch.FPUHeader + 16, value: 1, err: errno.EFAULT},
	} {
		c := newContext()
		c.Flags = 0x202
		if _, err := usr1().deliver(s, c); err != nil {
			t.Fatal(err)
		}
		poke64(t, s, c.SP+tt.off, tt.value)
		c.SP += 8
		was := *c
		_, _, err := Return(s, c, true)
		if err != tt.err {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
		}
		if err != nil && *c != was {
			t.Errorf("%s: registers have changed", tt.name)
		}
		if err == nil && tt.check != nil && !tt.check(c) {
			t.Errorf("%s: registers are %+v", tt.name, *c)
		}
	}
	for _, sp := range []uint64{0, 7, 0x500000, stackTop, stackTop - 303, 1<<47 - 100, 0xffff888000000000, ^uint64(0)} {
		c := newContext()
		c.SP = sp
		was := *c
		if _, _, err := Return(s, c, true); err != errno.EFAULT || *c != was {
			t.Errorf("frame at %#x: %v", sp, err)
		}
	}
}

// FuzzReturn returns from any frame.
func FuzzReturn(f *testing.F) {
	s := newSpace(f)
	c := newContext()
	if _, err := usr1().deliver(s, c); err != nil {
		f.Fatal(err)
	}
	f.Add(peek(f, s, c.SP+8, maxSize-8), uint64(stackTop-2000))
	f.Add([]byte{}, uint64(stackTop-304))
	f.Fuzz(func(t *testing.T, frame []byte, sp uint64) {
		// An error only means that sp is nowhere.
		_ = s.CopyOut(vm.Addr(sp), frame)
		c := newContext()
		c.SP, c.Flags = sp, 0x202
		was := *c
		if _, _, err := Return(s, c, true); err != nil {
			if *c != was {
				t.Error("registers have changed")
			}
			return
		}
		mxcsr := binary.LittleEndian.Uint32(c.FPU[arch.FPUMXCSR:])
		if c.IP>>47 != 0 || c.Flags&^flagsFixed != 0x202 || mxcsr&^maskMXCSR != 0 || c.Root != was.Root {
			t.Errorf("registers are %+v", *c)
		}
		// Whatever the registers are now, another signal is delivered or not.
		if _, err := usr1().deliver(s, c); err == nil {
			c.SP += 8
			if _, _, err := Return(s, c, true); err != nil {
				t.Errorf("a new frame does not return: %v", err)
			}
		}
	})
}
