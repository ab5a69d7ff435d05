//go:build tamago

#include "funcdata.h"
#include "textflag.h"

// func undefined()
TEXT ·undefined(SB),0,$0
	UNDEF
	RET

// func call(pc uintptr)
TEXT ·call(SB),0,$8-8
	NO_LOCAL_POINTERS
	MOVQ	pc+0(FP), AX
	CALL	AX
	RET
