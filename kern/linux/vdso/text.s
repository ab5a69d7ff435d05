#include "go_asm.h"
#include "textflag.h"

// Fields of the data page, relative to the code.
#define SEQ (const_dataOffset+data_seq)
#define DESC (const_dataOffset+data_desc)

// WALL is added to the offset of mono to get wall.
#define WALL (segment_wall-segment_mono)

// The code of the vDSO. It is copied behind the headers of its page, so it is
// position-independent: it refers to nothing but itself, relative to the
// instruction pointer, and to the data page below. It calls nothing, so it is
// one function of the assembler, with an entry for each function of the vDSO
// in the order of the table in text.go.
//
// C programs call it: arguments in DI, SI, DX, result in AX, an error as its
// negative number. It uses no stack and changes AX, CX, DX and R8 to R11. R9 is
// the number of the system call that does the same.
TEXT text<>(SB),NOSPLIT|NOFRAME,$0
	// int clock_gettime(clockid_t id, struct timespec *tp)
	MOVL	$const_sysClockGettime, R9
	JMP	gettime
	PCALIGN	$const_entrySize
	// int gettimeofday(struct timeval *tv, struct timezone *tz)
	MOVL	$const_sysGettimeofday, R9
	JMP	timeofday
	PCALIGN	$const_entrySize
	// time_t time(time_t *t)
	MOVL	$const_sysTime, R9
	JMP	wall
	PCALIGN	$const_entrySize
	// int getcpu(unsigned *cpu, unsigned *node, void *unused)
	MOVL	$const_sysGetcpu, R9
	JMP	fallback
	PCALIGN	$const_entrySize
	// int clock_getres(clockid_t id, struct timespec *res)
	MOVL	$const_sysClockGetres, R9
	CMPL	DI, $const_lastClock
	JHI	fallback
	MOVL	$const_fineClocks, CX
	BTL	DI, CX
	JCC	fallback
	TESTQ	SI, SI
	JEQ	success
	MOVQ	$0, 0(SI)
	MOVQ	$1, 8(SI)
	JMP	success

gettime:
	CMPL	DI, $const_lastClock
	JHI	fallback
	MOVL	$const_clocks, CX
	BTL	DI, CX
	JCC	fallback
	MOVL	$const_wallClocks, CX
	BTL	DI, CX
	SBBL	R10, R10	// all ones for a wall clock, else 0
	ANDL	$WALL, R10
	JMP	read
timeofday:
	TESTQ	DI, DI
	JEQ	timezone
wall:
	MOVL	$WALL, R10

	// Read the clock, as Clock.At in dev/clock does.
read:
	LEAQ	text<>(SB), R8
	MOVQ	SEQ(R8), R11
	MOVL	R11, CX
	ANDL	$1, CX
	IMULQ	$description__size, CX
	LEAQ	DESC(R8)(CX*1), R8
	LFENCE	// not before what comes before it
	RDTSC
	SHLQ	$32, DX
	ORQ	DX, AX
	MOVQ	AX, CX
	ADDQ	$description_after, R8
	SUBQ	segment_tsc(R8), AX
	JPL	scale
	MOVQ	CX, AX
	SUBQ	$(description_after-description_before), R8
	SUBQ	segment_tsc(R8), AX
	JPL	scale
	XORL	AX, AX	// a counter may be a little behind on another CPU
scale:	// R8 is the segment, AX the cycles since its start
	MULQ	segment_mult(R8)
	MOVQ	segment_shift(R8), CX
	SHRQ	CX, DX, AX
	ADDQ	segment_mono(R8)(R10*1), AX
	LEAQ	text<>(SB), R8
	CMPQ	R11, SEQ(R8)
	JNE	read
	TESTQ	AX, AX
	JMI	fallback	// before 1970

	XORL	DX, DX
	MOVL	$1000000000, CX
	DIVQ	CX	// AX is seconds, DX nanoseconds
	CMPL	R9, $const_sysTime
	JEQ	seconds
	CMPL	R9, $const_sysGettimeofday
	JEQ	timeval
	MOVQ	AX, 0(SI)
	MOVQ	DX, 8(SI)
success:
	XORL	AX, AX
	RET

seconds:
	TESTQ	DI, DI
	JEQ	stored
	MOVQ	AX, 0(DI)
stored:
	RET

timeval:
	MOVQ	AX, 0(DI)
	MOVL	DX, AX
	XORL	DX, DX
	MOVL	$1000, CX
	DIVL	CX
	MOVQ	AX, 8(DI)
timezone:
	TESTQ	SI, SI
	JEQ	success
	MOVQ	$0, 0(SI)	// UTC
	JMP	success

fallback:
	MOVL	R9, AX
	SYSCALL
	RET

	UD2	// four times: the end, for func text
	UD2
	UD2
	UD2

// func textStart() unsafe.Pointer
TEXT ·textStart(SB),NOSPLIT,$0-8
	LEAQ	text<>(SB), AX
	MOVQ	AX, ret+0(FP)
	RET
