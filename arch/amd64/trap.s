//go:build tamago

#include "go_asm.h"
#include "textflag.h"

#define VEC_DEBUG 1
#define VEC_NMI   2
#define VEC_DOUBLE 8
#define VEC_MACHINE 18
#define VEC_SHOOT 0xf1
#define VEC_WAKE  0xf2
#define VEC_REST  0xf4
#define VEC_SPURIOUS 0xff
#define LAPIC_EOI 0xffff8880fee000b0	// DirectMap + lapicBase + EOI

// A trap entry is 8 bytes; its return address tells the vector.
#define N	CALL ·noError<>(SB); BYTE $0x90; BYTE $0x90; BYTE $0x90
#define E	CALL ·trapEntry(SB); BYTE $0x90; BYTE $0x90; BYTE $0x90
#define N8	N; N; N; N; N; N; N; N
#define N64	N8; N8; N8; N8; N8; N8; N8; N8
#define E8	E; E; E; E; E; E; E; E

TEXT ·vectors<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	N64; N64; N64; N64

TEXT ·vectorsErr<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	E8; E8; E8; E8

// func vectorTables() (vectors, vectorsErr uintptr)
TEXT ·vectorTables(SB),NOSPLIT,$0-16
	LEAQ	·vectors<>(SB), AX
	MOVQ	AX, vectors+0(FP)
	LEAQ	·vectorsErr<>(SB), AX
	MOVQ	AX, vectorsErr+8(FP)
	RET

// noError puts a 0 where the processor would push an error code.
TEXT ·noError<>(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ	0(SP)
	MOVQ	$0, 8(SP)
	JMP	·trapEntry(SB)

// trapEntry is entered on an interrupt stack with interrupts off:
// (SP) = return address in a vector table, error code, IP, CS, flags, SP, SS.
TEXT ·trapEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	PUSHQ	AX
	PUSHQ	BX
	PUSHQ	CX
	PUSHQ	DX
	PUSHQ	SI
	PUSHQ	DI
	PUSHQ	BP
	PUSHQ	R8
	PUSHQ	R9
	PUSHQ	R10
	PUSHQ	R11
	PUSHQ	R12
	PUSHQ	R13
	PUSHQ	R14
	PUSHQ	R15
	CLD
	// vector = (return address - table - 5) / 8, for whichever table
	MOVQ	120(SP), AX
	LEAQ	·vectors<>+5(SB), BX
	SUBQ	BX, AX
	CMPQ	AX, $(256*8)
	JCS	found
	MOVQ	120(SP), AX
	LEAQ	·vectorsErr<>+5(SB), BX
	SUBQ	BX, AX
found:
	SHRQ	$3, AX
	MOVQ	AX, 120(SP)

	CMPQ	AX, $VEC_NMI
	JEQ	nmi
	TESTB	$3, 144(SP)		// CS
	JNE	user
	CMPQ	AX, $VEC_DEBUG
	JEQ	setGS
	CMPQ	AX, $VEC_DOUBLE
	JEQ	setGS
	CMPQ	AX, $VEC_MACHINE
	JEQ	setGS
kernelGS:
	CMPQ	AX, $VEC_SHOOT
	JEQ	shoot
	CMPQ	AX, $VEC_WAKE
	JEQ	ack
	CMPQ	AX, $VEC_REST
	JEQ	rest
	CMPQ	AX, $VEC_SPURIOUS
	JEQ	out
	TESTB	$3, 144(SP)
	JNE	leave

	MOVQ	(TLS), R8
	PUSHQ	R8
	SUBQ	$256, SP
	MOVUPS	X0, 0(SP)
	MOVUPS	X1, 16(SP)
	MOVUPS	X2, 32(SP)
	MOVUPS	X3, 48(SP)
	MOVUPS	X4, 64(SP)
	MOVUPS	X5, 80(SP)
	MOVUPS	X6, 96(SP)
	MOVUPS	X7, 112(SP)
	MOVUPS	X8, 128(SP)
	MOVUPS	X9, 144(SP)
	MOVUPS	X10, 160(SP)
	MOVUPS	X11, 176(SP)
	MOVUPS	X12, 192(SP)
	MOVUPS	X13, 208(SP)
	MOVUPS	X14, 224(SP)
	MOVUPS	X15, 240(SP)
	MOVQ	SP, DI			// *Frame
	TESTQ	R8, R8
	JEQ	noG
	LEAQ	·trap(SB), SI
	CALL	runtime·trapcall(SB)
	TESTQ	AX, AX
	JNE	restore
	MOVQ	SP, DI
noG:
	SUBQ	$16, SP
	MOVQ	DI, 0(SP)
	CALL	·trapNoG(SB)
	ADDQ	$16, SP
restore:
	MOVUPS	0(SP), X0
	MOVUPS	16(SP), X1
	MOVUPS	32(SP), X2
	MOVUPS	48(SP), X3
	MOVUPS	64(SP), X4
	MOVUPS	80(SP), X5
	MOVUPS	96(SP), X6
	MOVUPS	112(SP), X7
	MOVUPS	128(SP), X8
	MOVUPS	144(SP), X9
	MOVUPS	160(SP), X10
	MOVUPS	176(SP), X11
	MOVUPS	192(SP), X12
	MOVUPS	208(SP), X13
	MOVUPS	224(SP), X14
	MOVUPS	240(SP), X15
	ADDQ	$(256+8), SP
	JMP	out

user:
	SWAPGS
	JMP	kernelGS
leave:
	JMP	·userTrap(SB)

setGS:
	// These can come between entry from user mode and SWAPGS, or before
	// the return; they are the end anyway.
	MOVQ	AX, SI
	MOVQ	176(SP), AX		// above the stack: CPU.self
	MOVQ	AX, DX
	SHRQ	$32, DX
	MOVL	$0xc0000101, CX
	WRMSR
	MOVQ	SI, AX
	JMP	kernelGS

nmi:
	// Another processor is dying and wants silence; otherwise ignored. It
	// may come at any moment and uses neither GS nor the page tables.
	CMPL	·dying(SB), $0
	JEQ	pop
	CLI
	HLT
	JMP	-1(PC)

rest:
	CALL	·restTrap(SB)
	JMP	ack

shoot:
	MOVQ	CPU_shootWant(GS), BX	// before the flush
	MOVQ	CR3, AX
	TESTB	$3, 144(SP)
	JNE	flush
	MOVQ	·kernelTable(SB), AX	// the program's is not needed now
	MOVQ	AX, CR3
	MOVQ	$0, CPU_root(GS)
	JMP	flushed
flush:
	MOVQ	AX, CR3
flushed:
	MOVQ	BX, CPU_shootDone(GS)
ack:
	MOVQ	$LAPIC_EOI, AX
	MOVL	$0, (AX)
out:
	TESTB	$3, 144(SP)
	JEQ	pop
	SWAPGS
pop:
	POPQ	R15
	POPQ	R14
	POPQ	R13
	POPQ	R12
	POPQ	R11
	POPQ	R10
	POPQ	R9
	POPQ	R8
	POPQ	BP
	POPQ	DI
	POPQ	SI
	POPQ	DX
	POPQ	CX
	POPQ	BX
	POPQ	AX
	ADDQ	$16, SP
	IRETQ

// func irqState() (any *uint32, pending *[4]uint64)
TEXT ·irqState(SB),NOSPLIT,$0-16
	LEAQ	runtime·irqAny(SB), AX
	MOVQ	AX, any+0(FP)
	LEAQ	runtime·irqPending(SB), AX
	MOVQ	AX, pending+8(FP)
	RET

// func thisCPU() *CPU
TEXT ·thisCPU(SB),NOSPLIT,$0-8
	MOVQ	CPU_self(GS), AX
	MOVQ	AX, ret+0(FP)
	RET

// func loadCPU(c *CPU, fs uintptr)
//
// Needs: interrupts off. The selectors are those of cpu.go.
TEXT ·loadCPU(SB),NOSPLIT,$0-16
	MOVQ	c+0(FP), R8
	LGDT	CPU_gdtr(R8)
	LIDT	·idtr(SB)
	// CS by a far return
	LEAQ	cs<>(SB), AX
	PUSHQ	$0x08
	PUSHQ	AX
	RETFQ
TEXT cs<>(SB),NOSPLIT|NOFRAME,$0
	MOVL	$0x10, AX
	MOVW	AX, DS
	MOVW	AX, ES
	MOVW	AX, SS
	XORL	AX, AX
	MOVW	AX, FS
	MOVW	AX, GS
	MOVL	$0x38, AX
	BYTE	$0x0f; BYTE $0x00; BYTE $0xd8	// LTR AX
	XORL	AX, AX
	BYTE	$0x0f; BYTE $0x00; BYTE $0xd0	// LLDT AX: there is none
	MOVL	$0xc0000101, CX			// GS base
	MOVQ	R8, AX
	MOVQ	R8, DX
	SHRQ	$32, DX
	WRMSR
	MOVL	$0xc0000102, CX			// GS base of ring 3
	XORL	AX, AX
	XORL	DX, DX
	WRMSR
	MOVL	$0xc0000100, CX			// FS base
	MOVL	16(SP), AX
	MOVL	20(SP), DX
	WRMSR
	RET
