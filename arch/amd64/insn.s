//go:build tamago

#include "textflag.h"

// func In8(port uint16) uint8
TEXT ·In8(SB),NOSPLIT,$0-9
	MOVW	port+0(FP), DX
	INB
	MOVB	AX, ret+8(FP)
	RET

// func In16(port uint16) uint16
TEXT ·In16(SB),NOSPLIT,$0-10
	MOVW	port+0(FP), DX
	INW
	MOVW	AX, ret+8(FP)
	RET

// func In32(port uint16) uint32
TEXT ·In32(SB),NOSPLIT,$0-12
	MOVW	port+0(FP), DX
	INL
	MOVL	AX, ret+8(FP)
	RET

// func Out8(port uint16, v uint8)
TEXT ·Out8(SB),NOSPLIT,$0-3
	MOVW	port+0(FP), DX
	MOVB	v+2(FP), AX
	OUTB
	RET

// func Out16(port uint16, v uint16)
TEXT ·Out16(SB),NOSPLIT,$0-4
	MOVW	port+0(FP), DX
	MOVW	v+2(FP), AX
	OUTW
	RET

// func Out32(port uint16, v uint32)
TEXT ·Out32(SB),NOSPLIT,$0-8
	MOVW	port+0(FP), DX
	MOVL	v+4(FP), AX
	OUTL
	RET

// func RDTSC() uint64
TEXT ·RDTSC(SB),NOSPLIT,$0-8
	LFENCE	// not before what comes before it
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ret+0(FP)
	RET

// func TSC() uint64
TEXT ·TSC(SB),NOSPLIT,$0-8
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ret+0(FP)
	RET

// func CPUID(leaf, sub uint32) (eax, ebx, ecx, edx uint32)
TEXT ·CPUID(SB),NOSPLIT,$0-24
	MOVL	leaf+0(FP), AX
	MOVL	sub+4(FP), CX
	CPUID
	MOVL	AX, eax+8(FP)
	MOVL	BX, ebx+12(FP)
	MOVL	CX, ecx+16(FP)
	MOVL	DX, edx+20(FP)
	RET

// func ReadMSR(index uint32) uint64
TEXT ·ReadMSR(SB),NOSPLIT,$0-16
	MOVL	index+0(FP), CX
	RDMSR
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ret+8(FP)
	RET

// func WriteMSR(index uint32, v uint64)
TEXT ·WriteMSR(SB),NOSPLIT,$0-16
	MOVL	index+0(FP), CX
	MOVQ	v+8(FP), AX
	MOVQ	AX, DX
	SHRQ	$32, DX
	WRMSR
	RET

// func ReadCR() (cr0, cr2, cr3, cr4 uint64)
TEXT ·ReadCR(SB),NOSPLIT,$0-32
	MOVQ	CR0, AX
	MOVQ	AX, cr0+0(FP)
	MOVQ	CR2, AX
	MOVQ	AX, cr2+8(FP)
	MOVQ	CR3, AX
	MOVQ	AX, cr3+16(FP)
	MOVQ	CR4, AX
	MOVQ	AX, cr4+24(FP)
	RET

// func writeCR0(v uint64)
TEXT ·writeCR0(SB),NOSPLIT,$0-8
	MOVQ	v+0(FP), AX
	MOVQ	AX, CR0
	RET

// func writeCR3(v uint64)
TEXT ·writeCR3(SB),NOSPLIT,$0-8
	MOVQ	v+0(FP), AX
	MOVQ	AX, CR3
	RET

// func writeCR4(v uint64)
TEXT ·writeCR4(SB),NOSPLIT,$0-8
	MOVQ	v+0(FP), AX
	MOVQ	AX, CR4
	RET

// func invlpg(va uintptr)
TEXT ·invlpg(SB),NOSPLIT,$0-8
	MOVQ	va+0(FP), AX
	INVLPG	(AX)
	RET

// func rdrand() (uint64, bool)
TEXT ·rdrand(SB),NOSPLIT,$0-9
	MOVL	$10, CX	// retries that Intel recommends, SDM 1, 7.3.17
again:
	RDRANDQ	AX
	JCS	good
	DECL	CX
	JNE	again
	MOVQ	$0, ret+0(FP)
	MOVB	$0, ret1+8(FP)
	RET
good:
	MOVQ	AX, ret+0(FP)
	MOVB	$1, ret1+8(FP)
	RET

// func stop()
TEXT ·stop(SB),NOSPLIT,$0
	CLI
	HLT
	JMP	-2(PC)

// func tripleFault()
TEXT ·tripleFault(SB),NOSPLIT,$16
	CLI
	MOVQ	$0, 0(SP)
	MOVQ	$0, 8(SP)
	LIDT	0(SP)
	INT	$3
	HLT
	JMP	-1(PC)

// func enableInterrupts()
TEXT ·enableInterrupts(SB),NOSPLIT,$0
	STI
	RET

// func disableInterrupts()
TEXT ·disableInterrupts(SB),NOSPLIT,$0
	CLI
	RET

// func writeXCR0(v uint32)
TEXT ·writeXCR0(SB),NOSPLIT,$0-4
	XORL	CX, CX
	XORL	DX, DX
	MOVL	v+0(FP), AX
	BYTE	$0x0f; BYTE $0x01; BYTE $0xd1	// XSETBV
	RET
