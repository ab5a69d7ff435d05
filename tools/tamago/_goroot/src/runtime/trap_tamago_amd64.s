//go:build tamago

#include "go_asm.h"
#include "go_tls.h"
#include "textflag.h"

// trapcall calls the ABI0 function SI with the argument DI on the signal
// stack of the current M. The kernel's trap entry calls it on a stack of its
// own, with interrupts off and all registers saved; R8 is the current g, not
// nil.
//
// Returns:  AX = 1, or 0 without a call if the signal stack is in use.
// Clobbers: everything.
TEXT runtime·trapcall(SB),NOSPLIT|NOFRAME,$0
	MOVQ	g_m(R8), R9
	MOVQ	m_gsignal(R9), R10
	CMPQ	R8, R10
	JEQ	busy
	TESTQ	R10, R10
	JEQ	busy
	MOVQ	(g_stack+stack_hi)(R10), R11
	SUBQ	$64, R11
	ANDQ	$~15, R11
	MOVQ	SP, 16(R11)
	MOVQ	R8, 24(R11)
	MOVQ	R11, SP
	get_tls(CX)
	MOVQ	R10, g(CX)
	MOVQ	DI, 0(SP)
	CALL	SI
	MOVQ	24(SP), R8
	MOVQ	16(SP), SP
	get_tls(CX)
	MOVQ	R8, g(CX)
	MOVL	$1, AX
	RET
busy:
	XORL	AX, AX
	RET
