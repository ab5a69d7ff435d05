//go:build tamago

#include "textflag.h"

// func halt()
TEXT ·halt(SB),NOSPLIT,$0
	STI	// takes effect after the next instruction
	HLT
	RET
