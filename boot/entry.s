//go:build tamago

#include "textflag.h"

#define IMAGE  0xffffffff80000000	// ImageBase in arch/amd64
#define DIRECT 0xffff888000000000	// DirectMap

// Boot tables, page aligned within their space: they map the first 4 GiB by
// 2 MiB pages, one to one, in the direct map, and 2 GiB for the image.
#define PML4   0x0000
#define PDPTID 0x1000	// one to one, until the kernel runs in the upper half
#define PDPTDM 0x2000	// direct map
#define PDPTIM 0x3000	// image
#define PD     0x4000	// 4 page directories
#define GDT    0x8000	// and a stack above it
#define TABLES 0x9000

GLOBL	·tables(SB),NOPTR,$(TABLES+0x1000)
GLOBL	·bootStack(SB),NOPTR,$(128<<10)

// cpuinit is the PVH entry point: 32-bit protected mode, flat segments, no
// paging, at the physical address; EBX = hvm_start_info. The assembler knows
// 64-bit mode only, so only instructions are used whose encoding means the
// same here. MOVL $sym(SB) is one of them with another meaning: RIP-relative
// in 64-bit mode, here it loads the distance from the next instruction.
TEXT cpuinit(SB),NOSPLIT|NOFRAME,$0
	CLI
	CLD
	MOVL	BX, BP
	MOVL	$0x100040, SP		// one return address, over our ELF header
	CALL	·pc<>(SB)
	MOVL	$·tables(SB), BX	// 6 bytes; AX is its address
	LEAL	(6+0xfff)(AX)(BX*1), BX
	ANDL	$~0xfff, BX
	LEAL	(GDT+0xff0)(BX), SP

	MOVL	BX, DI
	XORL	AX, AX
	MOVL	$(TABLES/4), CX
	REP;	STOSL
	LEAL	(PDPTID+3)(BX), AX
	MOVL	AX, PML4(BX)
	LEAL	(PDPTDM+3)(BX), AX
	MOVL	AX, (PML4+273*8)(BX)
	LEAL	(PDPTIM+3)(BX), AX
	MOVL	AX, (PML4+511*8)(BX)
	LEAL	(PD+3)(BX), AX
	MOVL	AX, PDPTID(BX)
	MOVL	AX, PDPTDM(BX)
	MOVL	AX, (PDPTIM+510*8)(BX)
	ADDL	$0x1000, AX
	MOVL	AX, (PDPTDM+8)(BX)
	MOVL	AX, (PDPTIM+511*8)(BX)
	ADDL	$0x1000, AX
	MOVL	AX, (PDPTDM+16)(BX)
	ADDL	$0x1000, AX
	MOVL	AX, (PDPTDM+24)(BX)
	LEAL	PD(BX), DI
	MOVL	$0x83, AX		// present, writable, 2 MiB
	MOVL	$2048, CX
pd:
	MOVL	AX, (DI)
	ADDL	$8, DI
	ADDL	$0x200000, AX
	SUBL	$1, CX
	JNE	pd

	MOVL	BX, CR3
	MOVL	CR4, AX
	ORL	$0x6a0, AX		// OSXMMEXCPT OSFXSR PGE PAE
	MOVL	AX, CR4
	MOVL	$0xc0000080, CX		// EFER
	RDMSR
	ORL	$0x901, AX		// NXE LME SCE
	WRMSR
	MOVL	CR0, AX
	ANDL	$~0x6000000c, AX	// caches on; no EM, TS
	ORL	$0x80010023, AX		// PG WP NE MP PE
	MOVL	AX, CR0

	LEAL	GDT(BX), DI
	MOVL	$0x00209b00, 12(DI)	// 64-bit code
	MOVL	$15, 16(DI)
	MOVL	DI, 18(DI)
	ADDL	$16, DI
	LGDT	(DI)
	CALL	·pc<>(SB)
	MOVL	$·long<>(SB), CX	// 6 bytes; AX is its address
	LEAL	6(AX)(CX*1), AX
	PUSHQ	$0x08
	PUSHQ	AX
	RETFQ				// its prefix is DECL AX here

// pc returns its return address in AX.
TEXT ·pc<>(SB),NOSPLIT|NOFRAME,$0
	POPQ	AX
	PUSHQ	AX
	RET

// long is 64-bit mode, still at the physical address.
TEXT ·long<>(SB),NOSPLIT|NOFRAME,$0
	LEAQ	·upper<>(SB), AX
	MOVQ	$IMAGE, CX
	ADDQ	CX, AX
	JMP	AX

// upper is where the kernel was linked; the lower half goes.
TEXT ·upper<>(SB),NOSPLIT|NOFRAME,$0
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ·entryTSC(SB)
	MOVL	BP, AX
	MOVQ	AX, ·startInfo(SB)
	MOVL	BX, BX
	MOVQ	$DIRECT, DI
	ADDQ	BX, DI
	MOVQ	$0, PML4(DI)
	MOVQ	BX, CR3
	ADDQ	$GDT, DI
	MOVQ	DI, 18(DI)
	ADDQ	$16, DI
	LGDT	(DI)
	BYTE	$0xdb; BYTE $0xe3	// FNINIT
	LEAQ	·bootStack(SB), SP
	ADDQ	$(128<<10-64), SP
	XORL	BP, BP
	JMP	_rt0_tamago_start(SB)
