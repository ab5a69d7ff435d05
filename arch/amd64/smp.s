//go:build tamago

#include "go_asm.h"
#include "textflag.h"

#define TRAMPOLINE 0x8000

// The trampoline is copied to TRAMPOLINE and entered there in real mode with
// CS = TRAMPOLINE/16. It is written as bytes because the assembler knows
// 64-bit mode only.
TEXT ·trampoline<>(SB),NOSPLIT|NOFRAME,$0
	// 00: cli; cld; xor ax,ax; mov ds,ax
	BYTE $0xfa; BYTE $0xfc; BYTE $0x31; BYTE $0xc0; BYTE $0x8e; BYTE $0xd8
	// 06: lgdt [TRAMPOLINE+0xfd8]	(o32)
	BYTE $0x66; BYTE $0x0f; BYTE $0x01; BYTE $0x16; BYTE $0xd8; BYTE $0x8f
	// 0c: mov eax, CR4: PAE PGE OSFXSR OSXMMEXCPT; mov cr4, eax
	BYTE $0x66; BYTE $0xb8; LONG $0x000006a0
	BYTE $0x0f; BYTE $0x22; BYTE $0xe0
	// 15: mov eax, [TRAMPOLINE+0xff0]; mov cr3, eax
	BYTE $0x66; BYTE $0xa1; BYTE $0xf0; BYTE $0x8f
	BYTE $0x0f; BYTE $0x22; BYTE $0xd8
	// 1c: mov ecx, EFER; rdmsr; or eax, SCE LME NXE; wrmsr
	BYTE $0x66; BYTE $0xb9; LONG $0xc0000080
	BYTE $0x0f; BYTE $0x32
	BYTE $0x66; BYTE $0x0d; LONG $0x00000901
	BYTE $0x0f; BYTE $0x30
	// 2c: mov eax, PG WP NE MP PE; mov cr0, eax: caches on
	BYTE $0x66; BYTE $0xb8; LONG $0x80010023
	BYTE $0x0f; BYTE $0x22; BYTE $0xc0
	// 35: jmp 8:TRAMPOLINE+0x3d	(o32)
	BYTE $0x66; BYTE $0xea; LONG $0x0000803d; WORD $0x0008
	// 3d: 64-bit mode
	MOVQ	(TRAMPOLINE+0xfe0), R8
	MOVQ	(TRAMPOLINE+0xfe8), AX
	JMP	AX
TEXT ·trampolineEnd<>(SB),NOSPLIT|NOFRAME,$0
	RET

// func trampolineAddrs() (start, end uintptr)
TEXT ·trampolineAddrs(SB),NOSPLIT,$0-16
	LEAQ	·trampoline<>(SB), AX
	MOVQ	AX, start+0(FP)
	LEAQ	·trampolineEnd<>(SB), AX
	MOVQ	AX, end+8(FP)
	RET

// func apEntryPC() uintptr
TEXT ·apEntryPC(SB),NOSPLIT,$0-8
	LEAQ	·apEntry(SB), AX
	MOVQ	AX, ret+0(FP)
	RET

// apEntry is where the trampoline jumps: 64-bit mode, R8 = the *CPU. It sets
// the processor up, waits for the runtime's thread and becomes it.
TEXT ·apEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	R8, R15
	MOVQ	CPU_tss+36(R15), SP	// an interrupt stack (IST1), not in use yet
	SUBQ	$64, SP
	BYTE	$0xdb; BYTE $0xe3	// FNINIT
	MOVL	$0xc0000100, CX		// FS base: g is nil
	LEAQ	(CPU_noTLS+8)(R15), AX
	MOVQ	AX, DX
	SHRQ	$32, DX
	WRMSR
	MOVQ	R15, 0(SP)
	MOVQ	R15, 32(SP)
	CALL	·apInit(SB)
	// Interrupts come on IST1: wait on another stack, IST2.
	MOVQ	32(SP), R15
	MOVQ	CPU_tss+44(R15), SP
	SUBQ	$64, SP
	MOVQ	R15, 0(SP)
	MOVQ	R15, 32(SP)
	CALL	·apWait(SB)
	MOVQ	32(SP), R15
	MOVQ	CPU_taskSP(R15), SP
	MOVQ	CPU_taskG(R15), R14
	MOVQ	CPU_taskFn(R15), R12
	MOVQ	R14, DI
	CALL	runtime·settls(SB)
	MOVQ	R14, (TLS)
	STI
	CALL	R12
	UNDEF
