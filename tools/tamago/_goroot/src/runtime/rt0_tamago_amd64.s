//go:build tamago

#include "go_asm.h"
#include "go_tls.h"
#include "textflag.h"

#define MSR_FS_BASE 0xc0000100

// The ELF and PVH entry point, in 32-bit protected mode at its physical
// address: cpuinit of the kernel takes over.
TEXT _rt0_amd64_tamago(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	JMP	runtime∕goos·CPUInit(SB)

// _rt0_tamago_start is where cpuinit goes on: 64-bit mode, the kernel mapped
// where it was linked, 64 KiB of stack.
TEXT _rt0_tamago_start(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	LEAQ	runtime·m0+m_tls(SB), DI
	CALL	runtime·settls(SB)
	CALL	runtime∕goos·Hwinit0(SB)
	XORL	DI, DI		// argc
	XORL	SI, SI		// argv
	JMP	runtime·rt0_go(SB)

// settls makes -8(FS) the g of the current M. DI is &m0.tls (rt0_go), or the
// g0 of an M that starts on its processor.
TEXT runtime·settls(SB),NOSPLIT|NOFRAME,$0
	LEAQ	runtime·m0+m_tls(SB), AX
	CMPQ	DI, AX
	JEQ	set
	MOVQ	g_m(DI), DI
	LEAQ	m_tls(DI), DI
set:
	ADDQ	$8, DI
	MOVQ	DI, AX
	MOVQ	DI, DX
	SHRQ	$32, DX
	MOVL	$MSR_FS_BASE, CX
	WRMSR
	RET
