//go:build tamago

#include "textflag.h"

// func saveFlags() uint64
TEXT ·saveFlags(SB),NOSPLIT,$0-8
	PUSHFQ
	POPQ	AX
	CLI
	MOVQ	AX, ret+0(FP)
	RET

// func restoreFlags(flags uint64)
TEXT ·restoreFlags(SB),NOSPLIT,$0-8
	MOVQ	flags+0(FP), AX
	PUSHQ	AX
	POPFQ
	RET
