//go:build tamago

#include "textflag.h"

#define LAPIC_ICR_LOW  0xffff8880fee00300	// DirectMap + lapicBase + ...
#define LAPIC_ICR_HIGH 0xffff8880fee00310

// func writeICR(apicID uint32, low uint32)
TEXT ·writeICR(SB),NOSPLIT,$0-8
	MOVL	apicID+0(FP), AX
	MOVL	low+4(FP), CX
	SHLL	$24, AX
	MOVQ	$LAPIC_ICR_LOW, BX
	MOVQ	$LAPIC_ICR_HIGH, DX
	PUSHFQ
	CLI
busy:
	TESTL	$0x1000, (BX)	// delivery status
	JNE	busy
	MOVL	AX, (DX)
	MOVL	CX, (BX)
	POPFQ
	RET
