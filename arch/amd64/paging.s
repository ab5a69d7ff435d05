//go:build tamago

#include "textflag.h"

// func imageSymbols() (text, textEnd, data, end uintptr)
TEXT ·imageSymbols(SB),NOSPLIT,$0-32
	LEAQ	runtime·text(SB), AX
	MOVQ	AX, text+0(FP)
	LEAQ	runtime·etext(SB), AX
	MOVQ	AX, textEnd+8(FP)
	LEAQ	runtime·noptrdata(SB), AX
	MOVQ	AX, data+16(FP)
	LEAQ	runtime·end(SB), AX
	MOVQ	AX, end+24(FP)
	RET
