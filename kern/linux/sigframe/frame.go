// Package sigframe builds the frame that a signal handler finds on its stack,
// and takes it apart when the handler returns: struct rt_sigframe of Linux on
// x86-64, arch/x86/kernel/signal_64.c, as on a processor without XSAVE.
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
// sigcontext inside, siginfo_t. A gap follows, and what FXSAVE wrote.
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

	fpuSize  = 512
	fpuAlign = 64 // as if XSAVE's state might follow
	// fpuOff is where the FXSAVE area is, given the alignments of both.
	fpuOff    = frameSize + 16
	totalSize = fpuOff + fpuSize

	redZone = 128 // below the stack pointer, which belong to the program
)

// MinStack is how much stack a frame needs at most, AT_MINSIGSTKSZ.
const MinStack = (totalSize + fpuAlign + 15) &^ 15

// Bits of uc_flags.
const (
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

// Where things are in an FXSAVE area, SDM 1, 10.5.1.
const (
	fpuControl = 0
	fpuMXCSR   = 24
	fpuUnused  = 464 // free for software; Linux notes there what follows

	initControl = 0x37f
	initMXCSR   = 0x1f80
	maskMXCSR   = 0xffff // other bits fault when they are loaded
)

// Deliver makes c enter the handler of a signal, with a frame on the stack
// that Return undoes. alt is the alternate stack of the thread; what Deliver
// returns is the one it has from now on. After an error, c is as it was and
// the caller forces a SIGSEGV.
func Deliver(space *vm.Space, c *arch.Context, d *proc.Delivery, alt proc.AltStack, f proc.Fault) (proc.AltStack, error) {
	act := &d.Action
	if act.Flags&proc.SA_RESTORER == 0 || act.Handler>>47 != 0 {
		return alt, errno.EFAULT
	}
	sp, ok := place(c.SP, act.Flags&proc.SA_ONSTACK != 0, &alt)
	if !ok {
		return alt, errno.EFAULT
	}
	var b [totalSize]byte
	encode(&b, sp, c, d, &alt, f)
	if err := space.CopyOut(vm.Addr(sp), b[:]); err != nil {
		return alt, err
	}

	c.DI, c.SI, c.DX = uint64(d.Info.Signo), sp+infoOff, sp+ucontextOff
	c.AX = 0 // for handlers declared without a prototype
	c.IP, c.SP = act.Handler, sp
	c.Flags &^= arch.FlagDirection | arch.FlagTrap | flagResume
	resetFPU(c)
	if alt.Flags&proc.SS_AUTODISARM != 0 {
		alt = proc.AltStack{Flags: proc.SS_DISABLE}
	}
	return alt, nil
}

// place returns the address of a frame for a thread whose stack pointer is sp.
func place(sp uint64, wantAlt bool, alt *proc.AltStack) (uint64, bool) {
	nested := usesStack(alt, sp)
	sp -= redZone
	entering := wantAlt && alt.Size != 0 && !usesStack(alt, sp)
	if entering {
		sp = alt.SP + alt.Size
	}
	if sp < totalSize+fpuAlign {
		return 0, false
	}
	fpu := (sp - fpuSize) &^ (fpuAlign - 1)
	sp = (fpu-frameSize)&^15 - 8 // as after a call
	// A frame that does not fit must not overwrite what is below the stack.
	return sp, !nested && !entering || onStack(alt, sp)
}

// encode fills b, the frame for address sp.
func encode(b *[totalSize]byte, sp uint64, c *arch.Context, d *proc.Delivery, alt *proc.AltStack, f proc.Fault) {
	le := binary.LittleEndian
	le.PutUint64(b[0:], d.Action.Restorer)
	le.PutUint64(b[uFlags:], ucSigcontextSS|ucStrictSS)
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
	copy(b[fpuOff:], c.FPU[:fpuUnused])
}

// registers returns the registers of c in the order of struct sigcontext.
func registers(c *arch.Context) [18]*uint64 {
	return [...]*uint64{
		&c.R8, &c.R9, &c.R10, &c.R11, &c.R12, &c.R13, &c.R14, &c.R15,
		&c.DI, &c.SI, &c.BP, &c.BX, &c.DX, &c.AX, &c.CX, &c.SP, &c.IP, &c.Flags,
	}
}

// resetFPU gives c the state of a new program.
func resetFPU(c *arch.Context) {
	clear(c.FPU[:])
	binary.LittleEndian.PutUint16(c.FPU[fpuControl:], initControl)
	binary.LittleEndian.PutUint32(c.FPU[fpuMXCSR:], initMXCSR)
}

// Return makes c go on where the frame on its stack says, as rt_sigreturn(2)
// asks for. It returns the signals to block and the alternate stack that the
// frame wants, for ChangeAltStack, whose error is of no interest. After an
// error, c is as it was and the caller forces a SIGSEGV.
func Return(space *vm.Space, c *arch.Context) (mask proc.Sigset, alt proc.AltStack, err error) {
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
	fpu := regs.FPU[:]
	if a := le.Uint64(b[scFPU:]); a == 0 {
		resetFPU(&regs)
	} else if a%16 != 0 {
		return 0, alt, errno.EFAULT // FXRSTOR would fault
	} else if err := space.CopyIn(fpu, vm.Addr(a)); err != nil {
		return 0, alt, err
	}
	clear(fpu[fpuUnused:])
	le.PutUint32(fpu[fpuMXCSR:], le.Uint32(fpu[fpuMXCSR:])&maskMXCSR)

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
