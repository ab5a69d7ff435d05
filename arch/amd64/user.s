//go:build tamago

#include "go_asm.h"
#include "textflag.h"

// Offsets in arch.Context, checked in user.go.
#define AX_ 0
#define BX_ 8
#define CX_ 16
#define DX_ 24
#define SI_ 32
#define DI_ 40
#define BP_ 48
#define SP_ 56
#define R8_ 64
#define R9_ 72
#define R10_ 80
#define R11_ 88
#define R12_ 96
#define R13_ 104
#define R14_ 112
#define R15_ 120
#define IP_ 128
#define FLAGS_ 136
#define FSBASE_ 144
#define GSBASE_ 152
#define ROOT_ 160
#define TRAP_ 168
#define ERR_ 176
#define ADDR_ 184
#define USE_ 192
#define KICKED_ 200
#define ENTERED_ 208
#define LEFT_ 216
#define FPU_ 256

#define TRAP_SYSCALL 256
#define TRAP_INTERRUPT 257
#define TRAP_ELSEWHERE 258	// trapElsewhere
#define VEC_PAGE 14
#define FLAGS_ON 0x202	// the kernel's, with interrupts
#define FLAGS_OFF 2
#define MXCSR_CONTROL 0xffc0	// all but flags
#define MXCSR_KERNEL 0x1f80	// kernelMXCSR

#define PARTS 7	// xcr0: x87, SSE, AVX
#define PARTS_LAZY 5	// those that stay in the processor
#define SEL_USER_DATA 0x2b
#define SEL_USER_CODE 0x33

// LOADX loads an XMM register by halves: QEMU, where it emulates, takes four times as
// long for 16 bytes at once, since a load of them has to be atomic.
#define LOADX(low, high, x) \
	MOVLPS	low, x; \
	MOVHPS	high, x

// Registers of x87 and MMX, the upper halves of those of AVX, and the base of GS (where
// SWAPGS has put it) stay in the processor while the kernel runs, which has no use for
// them: CPU.restOf says whose they are, and Context.Use the processor, as its number + 1.
// They are saved when another context is run there, and when somebody else asks
// (Settle): then Use is 0 and the context has everything.

// func run(c *arch.Context)
//
// run enters user mode and comes back when there is something to do, with
// interrupts off if it is an interrupt. Everything but SP and BP is lost, as in any
// call.
//
// Needs: a goroutine's stack; c valid for IRETQ (Run sees to it) and XRSTOR.
TEXT ·run(SB),NOSPLIT|NOFRAME,$0-8
	MOVQ	c+0(FP), DI
	PUSHQ	BP
	CLI
	MOVQ	SP, CPU_kernelSP(GS)
	MOVQ	DI, AX
	XCHGQ	AX, CPU_ctx(GS)		// before the look at Kicked
	CMPL	KICKED_(DI), $0
	JEQ	enter
	MOVQ	$TRAP_INTERRUPT, TRAP_(DI)
stay:
	MOVQ	$0, CPU_ctx(GS)
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ENTERED_(DI)
	MOVQ	AX, LEFT_(DI)
	POPQ	BP
	STI
	RET
enter:
	MOVQ	ROOT_(DI), AX
	CMPQ	AX, CPU_root(GS)
	JEQ	tables
	// While CR3 changes, both tables are in use: Flush and Retire look here.
	MOVQ	$-1, CPU_root(GS)
	MOVQ	AX, CR3
	MOVQ	AX, CPU_root(GS)
tables:
	CMPQ	DI, CPU_restOf(GS)
	JNE	notMine
	LDMXCSR	(FPU_+24)(DI)
	LOADX((FPU_+160)(DI), (FPU_+168)(DI), X0)
	LOADX((FPU_+176)(DI), (FPU_+184)(DI), X1)
	LOADX((FPU_+192)(DI), (FPU_+200)(DI), X2)
	LOADX((FPU_+208)(DI), (FPU_+216)(DI), X3)
	LOADX((FPU_+224)(DI), (FPU_+232)(DI), X4)
	LOADX((FPU_+240)(DI), (FPU_+248)(DI), X5)
	LOADX((FPU_+256)(DI), (FPU_+264)(DI), X6)
	LOADX((FPU_+272)(DI), (FPU_+280)(DI), X7)
	LOADX((FPU_+288)(DI), (FPU_+296)(DI), X8)
	LOADX((FPU_+304)(DI), (FPU_+312)(DI), X9)
	LOADX((FPU_+320)(DI), (FPU_+328)(DI), X10)
	LOADX((FPU_+336)(DI), (FPU_+344)(DI), X11)
	LOADX((FPU_+352)(DI), (FPU_+360)(DI), X12)
	LOADX((FPU_+368)(DI), (FPU_+376)(DI), X13)
	LOADX((FPU_+384)(DI), (FPU_+392)(DI), X14)
	LOADX((FPU_+400)(DI), (FPU_+408)(DI), X15)
	JMP	bases
notMine:
	MOVQ	$TRAP_ELSEWHERE, TRAP_(DI)
	CMPQ	USE_(DI), $0
	JNE	stay
	MOVQ	DI, R8
	MOVQ	CPU_restOf(GS), DI
	TESTQ	DI, DI
	JEQ	load
	MOVQ	CPU_irqSP(GS), SP
	CALL	·saveRest(SB)
	MOVQ	CPU_kernelSP(GS), SP
load:
	MOVQ	R8, DI
	BYTE	$0xdb; BYTE $0xe3	// FNINIT: FXRSTOR leaves last pointers of others on some processors
	CMPB	·avx(SB), $0
	JEQ	noAVX
	MOVL	$PARTS, AX
	XORL	DX, DX
	XRSTOR64 FPU_(DI)
	JMP	loaded
noAVX:
	FXRSTOR64 FPU_(DI)
loaded:
	MOVQ	GSBASE_(DI), AX
	CMPB	·fsgsbase(SB), $0
	JEQ	slowGS
	SWAPGS
	WRGSBASEQ AX
	SWAPGS
	JMP	mine
slowGS:
	MOVL	$0xc0000102, CX
	MOVQ	AX, DX
	SHRQ	$32, DX
	WRMSR
mine:
	MOVQ	DI, CPU_restOf(GS)
	MOVQ	CPU_id(GS), AX
	INCQ	AX
	MOVQ	AX, USE_(DI)
bases:
	MOVQ	FSBASE_(DI), AX
	CMPB	·fsgsbase(SB), $0
	JEQ	slow
	RDFSBASEQ BX
	MOVQ	BX, CPU_kernelFS(GS)
	WRFSBASEQ AX
	JMP	leave
slow:
	MOVL	$0xc0000100, CX
	MOVQ	AX, BX
	RDMSR
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, CPU_kernelFS(GS)
	MOVQ	BX, AX
	MOVQ	BX, DX
	SHRQ	$32, DX
	WRMSR
leave:
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, ENTERED_(DI)
	MOVQ	BX_(DI), BX
	MOVQ	DX_(DI), DX
	MOVQ	SI_(DI), SI
	MOVQ	BP_(DI), BP
	MOVQ	R8_(DI), R8
	MOVQ	R9_(DI), R9
	MOVQ	R10_(DI), R10
	MOVQ	R12_(DI), R12
	MOVQ	R13_(DI), R13
	MOVQ	R14_(DI), R14
	MOVQ	R15_(DI), R15
	// SYSRET is quicker, but takes IP from CX and flags from R11, traps in
	// ring 0 if IP is not canonical, and can't set TF or RF well.
	MOVQ	CX_(DI), CX
	MOVQ	R11_(DI), R11
	CMPQ	CX, IP_(DI)
	JNE	iret
	CMPQ	R11, FLAGS_(DI)
	JNE	iret
	TESTQ	$0x10100, R11
	JNE	iret
	MOVQ	AX_(DI), AX
	MOVQ	SP_(DI), SP
	MOVQ	DI_(DI), DI
	SWAPGS
	BYTE	$0x48; BYTE $0x0f; BYTE $0x07	// SYSRETQ; the assembler's SYSRET is that of 32 bits
iret:
	MOVQ	CPU_irqSP(GS), SP
	PUSHQ	$SEL_USER_DATA
	PUSHQ	SP_(DI)
	PUSHQ	FLAGS_(DI)
	PUSHQ	$SEL_USER_CODE
	PUSHQ	IP_(DI)
	MOVQ	AX_(DI), AX
	MOVQ	DI_(DI), DI
	SWAPGS
	IRETQ

// syscallEntry is where SYSCALL arrives: CX = IP, R11 = flags, everything else
// is the program's, also SP and GS; interrupts are off.
TEXT ·syscallEntry(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	SWAPGS
	MOVQ	DI, CPU_scratch(GS)
	MOVQ	CPU_ctx(GS), DI
	MOVQ	AX, AX_(DI)
	MOVQ	BX, BX_(DI)
	MOVQ	CX, CX_(DI)
	MOVQ	CX, IP_(DI)
	MOVQ	DX, DX_(DI)
	MOVQ	SI, SI_(DI)
	MOVQ	BP, BP_(DI)
	MOVQ	SP, SP_(DI)
	MOVQ	R8, R8_(DI)
	MOVQ	R9, R9_(DI)
	MOVQ	R10, R10_(DI)
	MOVQ	R11, R11_(DI)
	MOVQ	R11, FLAGS_(DI)
	MOVQ	R12, R12_(DI)
	MOVQ	R13, R13_(DI)
	MOVQ	R14, R14_(DI)
	MOVQ	R15, R15_(DI)
	MOVQ	CPU_scratch(GS), AX
	MOVQ	AX, DI_(DI)
	MOVQ	$TRAP_SYSCALL, TRAP_(DI)
	MOVL	$FLAGS_ON, SI
	JMP	·fromUser(SB)

// userTrap continues trapEntry when it has come from user mode: SP points to
// what trapEntry has pushed, AX is the vector, GS is the kernel's.
TEXT ·userTrap(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	CPU_ctx(GS), DI
	MOVQ	AX, TRAP_(DI)
	XORL	BX, BX
	CMPQ	AX, $VEC_PAGE		// else CR2 is of somebody else's fault
	JNE	address
	MOVQ	CR2, BX
address:
	MOVQ	BX, ADDR_(DI)
	POPQ	R15_(DI)
	POPQ	R14_(DI)
	POPQ	R13_(DI)
	POPQ	R12_(DI)
	POPQ	R11_(DI)
	POPQ	R10_(DI)
	POPQ	R9_(DI)
	POPQ	R8_(DI)
	POPQ	BP_(DI)
	POPQ	DI_(DI)
	POPQ	SI_(DI)
	POPQ	DX_(DI)
	POPQ	CX_(DI)
	POPQ	BX_(DI)
	POPQ	AX_(DI)
	POPQ	BX			// the vector
	POPQ	ERR_(DI)
	POPQ	IP_(DI)
	POPQ	BX			// CS
	POPQ	FLAGS_(DI)
	POPQ	SP_(DI)
	MOVL	$FLAGS_ON, SI
	CMPQ	TRAP_(DI), $32
	JLT	exception
	MOVL	$FLAGS_OFF, SI
exception:
	JMP	·fromUser(SB)

// fromUser returns to the caller of run: DI is the context, in which all
// general registers are saved, SI the flags for the caller.
TEXT ·fromUser(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, LEFT_(DI)
	STMXCSR	(FPU_+24)(DI)
	MOVUPS	X0, (FPU_+160)(DI)
	MOVUPS	X1, (FPU_+176)(DI)
	MOVUPS	X2, (FPU_+192)(DI)
	MOVUPS	X3, (FPU_+208)(DI)
	MOVUPS	X4, (FPU_+224)(DI)
	MOVUPS	X5, (FPU_+240)(DI)
	MOVUPS	X6, (FPU_+256)(DI)
	MOVUPS	X7, (FPU_+272)(DI)
	MOVUPS	X8, (FPU_+288)(DI)
	MOVUPS	X9, (FPU_+304)(DI)
	MOVUPS	X10, (FPU_+320)(DI)
	MOVUPS	X11, (FPU_+336)(DI)
	MOVUPS	X12, (FPU_+352)(DI)
	MOVUPS	X13, (FPU_+368)(DI)
	MOVUPS	X14, (FPU_+384)(DI)
	MOVUPS	X15, (FPU_+400)(DI)
	// The kernel wants exceptions masked and results rounded to the nearest. Flags
	// that are set don't matter to it, and are the program's own again later.
	MOVL	(FPU_+24)(DI), AX
	ANDL	$MXCSR_CONTROL, AX
	CMPL	AX, $MXCSR_KERNEL
	JEQ	masked
	LDMXCSR	·kernelMXCSR(SB)
masked:
	CMPB	·fsgsbase(SB), $0
	JEQ	slow
	RDFSBASEQ AX
	MOVQ	AX, FSBASE_(DI)
	MOVQ	CPU_kernelFS(GS), AX
	WRFSBASEQ AX
	JMP	done
slow:
	// Without these instructions a program changes its bases by system
	// calls only, or by loading a selector, which makes them 0 until the
	// next time.
	MOVL	$0xc0000100, CX
	MOVQ	CPU_kernelFS(GS), AX
	MOVQ	AX, DX
	SHRQ	$32, DX
	WRMSR
done:
	XORL	AX, AX
	MOVQ	AX, CPU_ctx(GS)
	MOVQ	CPU_kernelSP(GS), SP
	MOVQ	0(SP), BP
	LEAQ	8(SP), SP
	PUSHQ	SI			// AC, DF, TF, NT are cleared
	POPFQ
	RET

#define COPY(off) \
	MOVQ	(off)(SP), AX; \
	MOVQ	AX, (FPU_+off)(DI)

// saveRest saves what is in this processor only of the registers of the context in DI.
// It needs interrupts off and 528 bytes of stack, and uses AX, CX and DX.
TEXT ·saveRest(SB),NOSPLIT|NOFRAME,$0
	CMPB	·fsgsbase(SB), $0
	JEQ	fpu			// GSBASE_ has it
	SWAPGS
	RDGSBASEQ AX
	SWAPGS
	MOVQ	AX, GSBASE_(DI)
fpu:
	CMPB	·avx(SB), $0
	JEQ	noAVX
	MOVL	(FPU_+24)(DI), CX	// XSAVE writes MXCSR, too, and that is the kernel's
	MOVL	$PARTS_LAZY, AX
	XORL	DX, DX
	XSAVE64	FPU_(DI)
	MOVL	CX, (FPU_+24)(DI)
	JMP	saved
noAVX:
	// FXSAVE writes everything, and the rest of it is the kernel's.
	MOVQ	SP, CX
	SUBQ	$512, SP
	ANDQ	$~15, SP
	FXSAVE64 (SP)
	COPY(0); COPY(8); COPY(16)
	COPY(32); COPY(40); COPY(48); COPY(56); COPY(64); COPY(72); COPY(80); COPY(88)
	COPY(96); COPY(104); COPY(112); COPY(120); COPY(128); COPY(136); COPY(144); COPY(152)
	MOVQ	CX, SP
saved:
	MOVQ	$0, CPU_restOf(GS)
	MOVQ	$0, USE_(DI)
	RET

// func settle(c *arch.Context)
//
// settle completes the registers of c if this processor has the rest.
TEXT ·settle(SB),NOSPLIT|NOFRAME,$0-8
	MOVQ	c+0(FP), DI
	PUSHFQ
	CLI
	CMPQ	DI, CPU_restOf(GS)
	JNE	not
	MOVQ	SP, R8
	MOVQ	CPU_irqSP(GS), SP
	CALL	·saveRest(SB)
	MOVQ	R8, SP
not:
	POPFQ
	RET

// restTrap continues trapEntry when another processor waits for the rest of a context's
// registers: they are saved, unless the program they belong to runs right now, because
// then it is another one. It returns.
TEXT ·restTrap(SB),NOSPLIT|NOFRAME|TOPFRAME,$0
	MOVQ	CPU_restOf(GS), DI
	TESTQ	DI, DI
	JEQ	nothing
	CMPQ	DI, CPU_ctx(GS)
	JEQ	nothing
	CALL	·saveRest(SB)
nothing:
	RET

// func syscallPC() uintptr
TEXT ·syscallPC(SB),NOSPLIT,$0-8
	LEAQ	·syscallEntry(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
