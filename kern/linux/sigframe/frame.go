// Package sigframe builds the frame that a signal handler finds on its stack,
// and takes it apart when the handler returns: struct rt_sigframe of Linux on
// x86-64, arch/x86/kernel/signal_64.c and fpu/signal.c. Where programs have AVX, its state
// follows what FXSAVE writes, as XSAVE writes it.
//
// kern/linux calls it between two runs of a thread. It keeps no state and
// takes no locks: it reads and writes the registers and the memory it is given.
package sigframe

import (
	"encoding/binary"

	"mult/arch"
	"mult/kern/errno"
	"mult/kern/proc"
	"mult/kern/vm"
)

// The frame: the address the handler returns to, struct ucontext with struct
// sigcontext inside, siginfo_t. A gap follows, and the state of the FPU.
const (
	ucontextOff = 8
	uFlags      = ucontextOff + 0
	uStackSP    = ucontextOff + 16
	uStackFlags = ucontextOff + 24
	uStackSize  = ucontextOff + 32
	uContext    = ucontextOff + 40
	uMask       = ucontextOff + 296
	infoOff     = ucontextOff + 304
	frameSize   = infoOff + 128

	// In struct sigcontext, after 18 registers.
	scSegments = uContext + 144 // CS, GS, FS, SS: 16 bits each
	scErr      = uContext + 152
	scTrap     = uContext + 160
	scMask     = uContext + 168
	scAddr     = uContext + 176
	scFPU      = uContext + 184

	fpuAlign = 64
	// fpuOff is where the FPU's state is, given the alignments of both.
	fpuOff = frameSize + 16

	// Without AVX it is what FXSAVE writes; with it, there is all of an arch.FPU, and
	// in its spare part struct _fpx_sw_bytes, and a mark at the end.
	smallFPU = 512
	fullFPU  = len(arch.FPU{})
	endSize  = 4
	maxSize  = fpuOff + fullFPU + endSize

	// In struct _fpx_sw_bytes.
	swMagic  = arch.FPUSpare + 0
	swTotal  = arch.FPUSpare + 4
	swParts  = arch.FPUSpare + 8
	swSize   = arch.FPUSpare + 16
	fpMagic1 = 0x46505853
	fpMagic2 = 0x46505845

	redZone = 128 // below the stack pointer, which belong to the program
)

// fpuSize is the size of the FPU's state in a frame.
func fpuSize(avx bool) int {
	if avx {
		return fullFPU + endSize
	}
	return smallFPU
}

// MinStack is how much stack a frame needs at most, AT_MINSIGSTKSZ.
func MinStack(avx bool) uint64 {
	return uint64(fpuOff+fpuSize(avx)+fpuAlign+15) &^ 15
}

const allParts = arch.PartX87 | arch.PartSSE | arch.PartAVX

// Bits of uc_flags.
const (
	ucFPXState     = 1 // the frame has an arch.FPU
	ucSigcontextSS = 2 // the frame has SS
	ucStrictSS     = 4 // Return uses it
)

const (
	userCS = 0x33
	userSS = 0x2b

	// flagsFixed are those that a handler may change for the program,
	// FIX_EFLAGS: CF PF AF ZF SF TF DF OF RF AC.
	flagsFixed = 0x50dd5 & arch.FlagsUser
	flagResume = 1 << 16
)

// maskMXCSR are the bits of MXCSR that exist; others fault when they are loaded.
const maskMXCSR = 0xffff

// Deliver makes c enter the handler of a signal, with a frame on the stack
// that Return undoes. alt is the alternate stack of the thread; what Deliver
// returns is the one it has from now on. After an error, c is as it was and
// the caller forces a SIGSEGV. avx is arch.Machine's.
func Deliver(space *vm.Space, c *arch.Context, d *proc.Delivery, alt proc.AltStack, f proc.Fault, avx bool) (proc.AltStack, error) {
	act := &d.Action
	if act.Flags&proc.SA_RESTORER == 0 || act.Handler>>47 != 0 {
		return alt, errno.EFAULT
	}
	size := fpuSize(avx)
	sp, ok := place(c.SP, size, act.Flags&proc.SA_ONSTACK != 0, &alt)
	if !ok {
		return alt, errno.EFAULT
	}
	var b [maxSize]byte
	encode(&b, sp, c, d, &alt, f, avx)
	if err := space.CopyOut(vm.Addr(sp), b[:fpuOff+size]); err != nil {
		return alt, err
	}

	c.DI, c.SI, c.DX = uint64(d.Info.Signo), sp+infoOff, sp+ucontextOff
	c.AX = 0 // for handlers declared without a prototype
	c.IP, c.SP = act.Handler, sp
	c.Flags &^= arch.FlagDirection | arch.FlagTrap | flagResume
	c.FPU.Reset()
	if alt.Flags&proc.SS_AUTODISARM != 0 {
		alt = proc.AltStack{Flags: proc.SS_DISABLE}
	}
	return alt, nil
}

// place returns the address of a frame, with size bytes for the FPU, for a thread whose
// stack pointer is sp.
func place(sp uint64, size int, wantAlt bool, alt *proc.AltStack) (uint64, bool) {
	nested := usesStack(alt, sp)
	sp -= redZone
	entering := wantAlt && alt.Size != 0 && !usesStack(alt, sp)
	if entering {
		sp = alt.SP + alt.Size
	}
	if sp < uint64(maxSize+fpuAlign) {
		return 0, false
	}
	fpu := (sp - uint64(size)) &^ (fpuAlign - 1)
	sp = (fpu-frameSize)&^15 - 8 // as after a call
	// A frame that does not fit must not overwrite what is below the stack.
	return sp, !nested && !entering || onStack(alt, sp)
}

// encode fills b, the frame for address sp.
func encode(b *[maxSize]byte, sp uint64, c *arch.Context, d *proc.Delivery, alt *proc.AltStack, f proc.Fault, avx bool) {
	le := binary.LittleEndian
	flags := uint64(ucSigcontextSS | ucStrictSS)
	copy(b[fpuOff:], c.FPU[:])
	if fpu := b[fpuOff:]; avx {
		flags |= ucFPXState
		le.PutUint32(fpu[swMagic:], fpMagic1)
		le.PutUint32(fpu[swTotal:], uint32(fullFPU+endSize))
		le.PutUint64(fpu[swParts:], allParts)
		le.PutUint32(fpu[swSize:], uint32(fullFPU))
		le.PutUint32(fpu[fullFPU:], fpMagic2)
	}
	le.PutUint64(b[0:], d.Action.Restorer)
	le.PutUint64(b[uFlags:], flags)
	le.PutUint64(b[uStackSP:], alt.SP)
	le.PutUint32(b[uStackFlags:], alt.Flags)
	le.PutUint64(b[uStackSize:], alt.Size)
	for i, r := range registers(c) {
		le.PutUint64(b[uContext+i*8:], *r)
	}
	le.PutUint16(b[scSegments:], userCS)
	le.PutUint16(b[scSegments+6:], userSS)
	le.PutUint64(b[scErr:], f.Err)
	le.PutUint64(b[scTrap:], f.Trap)
	le.PutUint64(b[scMask:], uint64(d.Mask))
	le.PutUint64(b[scAddr:], f.Addr)
	le.PutUint64(b[scFPU:], sp+fpuOff)
	le.PutUint64(b[uMask:], uint64(d.Mask))
	info := d.Info.Bytes()
	copy(b[infoOff:], info[:])
}

// registers returns the registers of c in the order of struct sigcontext.
func registers(c *arch.Context) [18]*uint64 {
	return [...]*uint64{
		&c.R8, &c.R9, &c.R10, &c.R11, &c.R12, &c.R13, &c.R14, &c.R15,
		&c.DI, &c.SI, &c.BP, &c.BX, &c.DX, &c.AX, &c.CX, &c.SP, &c.IP, &c.Flags,
	}
}

// Return makes c go on where the frame on its stack says, as rt_sigreturn(2)
// asks for. It returns the signals to block and the alternate stack that the
// frame wants, for ChangeAltStack, whose error is of no interest. After an
// error, c is as it was and the caller forces a SIGSEGV. avx is arch.Machine's.
func Return(space *vm.Space, c *arch.Context, avx bool) (mask proc.Sigset, alt proc.AltStack, err error) {
	le := binary.LittleEndian
	var b [infoOff]byte
	// The handler's return has taken the first word off the stack.
	if err := space.CopyIn(b[ucontextOff:], vm.Addr(c.SP)); err != nil {
		return 0, alt, err
	}
	var regs arch.Context
	for i, r := range registers(&regs) {
		*r = le.Uint64(b[uContext+i*8:])
	}
	cs, ss := le.Uint16(b[scSegments:])|3, le.Uint16(b[scSegments+6:])|3
	strict := le.Uint64(b[uFlags:])&ucStrictSS != 0
	if regs.IP>>47 != 0 || cs != userCS || strict && ss != userSS {
		return 0, alt, errno.EFAULT
	}
	if err := readFPU(space, &regs.FPU, le.Uint64(b[scFPU:]), avx); err != nil {
		return 0, alt, err
	}
	regs.Flags = c.Flags&^flagsFixed | regs.Flags&flagsFixed
	from := registers(&regs)
	for i, r := range registers(c) {
		*r = *from[i]
	}
	c.FPU = regs.FPU
	alt = proc.AltStack{
		SP:    le.Uint64(b[uStackSP:]),
		Flags: le.Uint32(b[uStackFlags:]),
		Size:  le.Uint64(b[uStackSize:]),
	}
	return proc.Sigset(le.Uint64(b[uMask:])), alt, nil
}

// readFPU fills fpu with the state at address a of a program, 0 if there is none. What
// the processor would not load is EFAULT, as on Linux.
func readFPU(space *vm.Space, fpu *arch.FPU, a uint64, avx bool) error {
	le := binary.LittleEndian
	fpu.Reset()
	if a == 0 {
		return nil
	}
	var b [fullFPU + endSize]byte
	if a%16 != 0 {
		return errno.EFAULT
	}
	if err := space.CopyIn(b[:smallFPU], vm.Addr(a)); err != nil {
		return err
	}
	parts := uint64(arch.PartX87 | arch.PartSSE)
	if avx && le.Uint32(b[swMagic:]) == fpMagic1 && le.Uint32(b[swSize:]) == uint32(fullFPU) &&
		le.Uint32(b[swTotal:]) >= uint32(fullFPU) {
		if err := space.CopyIn(b[smallFPU:], vm.Addr(a+smallFPU)); err != nil {
			return err
		}
		if le.Uint32(b[fullFPU:]) == fpMagic2 {
			header := b[arch.FPUHeader:]
			parts = le.Uint64(header)
			if a%fpuAlign != 0 || parts&^allParts != 0 || le.Uint64(header[8:]) != 0 || le.Uint64(header[16:]) != 0 {
				return errno.EFAULT
			}
			parts &= le.Uint64(b[swParts:])
		}
	}
	if le.Uint32(b[arch.FPUMXCSR:])&^maskMXCSR != 0 {
		return errno.EFAULT
	}
	// MXCSR and its mask are in the middle of what belongs to x87.
	copy(fpu[arch.FPUMXCSR:], b[arch.FPUMXCSR:arch.FPUMXCSR+8])
	if parts&arch.PartX87 != 0 {
		copy(fpu[:arch.FPUMXCSR], b[:])
		copy(fpu[arch.FPUMXCSR+8:arch.FPUXMM], b[arch.FPUMXCSR+8:])
	}
	if parts&arch.PartSSE != 0 {
		copy(fpu[arch.FPUXMM:arch.FPUXMM+256], b[arch.FPUXMM:])
	}
	if parts&arch.PartAVX != 0 {
		copy(fpu[arch.FPUYMM:], b[arch.FPUYMM:fullFPU])
		fpu[arch.FPUHeader] |= arch.PartAVX
	}
	return nil
}
