//go:build tamago

#include "textflag.h"

// Programs for testUser, each in a page of its own. They must not name
// anything outside of themselves. What they do is told in user.go.

TEXT ·userCall(SB),NOSPLIT|NOFRAME,$0
	SYSCALL
	INCQ	BX
	JMP	-2(PC)

TEXT ·userSpin(SB),NOSPLIT|NOFRAME,$0
	INCQ	BX
	JMP	-1(PC)

TEXT ·userLoad(SB),NOSPLIT|NOFRAME,$0
	MOVQ	(DI), AX
	SYSCALL
	JMP	-2(PC)

TEXT ·userDivide(SB),NOSPLIT|NOFRAME,$0
	XORL	CX, CX
	DIVL	CX

TEXT ·userOpcode(SB),NOSPLIT|NOFRAME,$0
	UNDEF

TEXT ·userBreak(SB),NOSPLIT|NOFRAME,$0
	INT	$3

TEXT ·userHalt(SB),NOSPLIT|NOFRAME,$0
	HLT

TEXT ·userNonCanonical(SB),NOSPLIT|NOFRAME,$0
	MOVQ	$0x8000000000000000, AX
	MOVQ	(AX), AX

// userFPU counts in an x87, an MMX-free XMM and an integer register, and
// compares: BX != 0 is an error. With DI != 0 it leaves the x87 stack alone. With
// SI != 0 it keeps that number in the upper half of a register of AVX.
TEXT ·userFPU(SB),NOSPLIT|NOFRAME,$0
	XORL	BX, BX
	TESTQ	SI, SI
	JEQ	noAVX
	MOVQ	SI, X1
	VINSERTF128 $1, X1, Y9, Y9
noAVX:
	PXOR	X7, X7
	MOVQ	$1, AX
	MOVQ	AX, X8
	XORL	CX, CX
	TESTQ	DI, DI
	JNE	loop
	FLDZ
loop:
	INCQ	CX
	PADDQ	X8, X7
	TESTQ	DI, DI
	JNE	compare
	FLD1
	FADDDP	F0, F1
	// every 1024 rounds compare the x87 sum
	TESTQ	$1023, CX
	JNE	compare
	FMOVD	F0, -8(SP)
	CVTSQ2SD CX, X0
	MOVQ	X0, AX
	CMPQ	AX, -8(SP)
	JEQ	compare
	MOVQ	$1, BX
compare:
	MOVQ	X7, AX
	CMPQ	AX, CX
	JEQ	same
	MOVQ	$2, BX
same:
	TESTQ	SI, SI
	JEQ	upper
	VEXTRACTF128 $1, Y9, X0
	MOVQ	X0, AX
	CMPQ	AX, SI
	JEQ	upper
	MOVQ	$3, BX
upper:
	TESTQ	$65535, CX
	JNE	loop
	MOVQ	CX, R12
	SYSCALL
	MOVQ	R12, CX
	JMP	loop

TEXT ·userEnd(SB),NOSPLIT|NOFRAME,$0
	RET

// func programs() (p [10]uintptr)
TEXT ·programs(SB),NOSPLIT,$0-80
	LEAQ	·userCall(SB), AX
	MOVQ	AX, p_0+0(FP)
	LEAQ	·userSpin(SB), AX
	MOVQ	AX, p_1+8(FP)
	LEAQ	·userLoad(SB), AX
	MOVQ	AX, p_2+16(FP)
	LEAQ	·userDivide(SB), AX
	MOVQ	AX, p_3+24(FP)
	LEAQ	·userOpcode(SB), AX
	MOVQ	AX, p_4+32(FP)
	LEAQ	·userBreak(SB), AX
	MOVQ	AX, p_5+40(FP)
	LEAQ	·userHalt(SB), AX
	MOVQ	AX, p_6+48(FP)
	LEAQ	·userNonCanonical(SB), AX
	MOVQ	AX, p_7+56(FP)
	LEAQ	·userFPU(SB), AX
	MOVQ	AX, p_8+64(FP)
	LEAQ	·userEnd(SB), AX
	MOVQ	AX, p_9+72(FP)
	RET
