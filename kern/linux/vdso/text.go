package vdso

import (
	"bytes"
	"unsafe"

	"mult/arch"
	"mult/kern/abi"
)

// functions are those of the code in text.s, in the order of their entries,
// which are entrySize bytes apart.
var functions = [...]string{"clock_gettime", "gettimeofday", "time", "getcpu", "clock_getres"}

// For text.s.
const (
	entrySize  = 16
	textOffset = 2048 // of the code in its page
	// dataOffset is from the code to the data page, which lies below.
	dataOffset = -textOffset - arch.PageSize

	// Numbers of the system calls.
	sysGettimeofday = 96
	sysTime         = 201
	sysClockGettime = 228
	sysClockGetres  = 229
	sysGetcpu       = 309

	// Clocks that are served, a bit each.
	lastClock  = abi.CLOCK_TAI
	wallClocks = 1<<abi.CLOCK_REALTIME | 1<<abi.CLOCK_REALTIME_COARSE | 1<<abi.CLOCK_TAI
	clocks     = wallClocks | 1<<abi.CLOCK_MONOTONIC | 1<<abi.CLOCK_MONOTONIC_RAW |
		1<<abi.CLOCK_MONOTONIC_COARSE | 1<<abi.CLOCK_BOOTTIME
	// fineClocks have a resolution of 1 ns whatever the kernel thinks fit
	// for the coarse ones.
	fineClocks = clocks &^ (1<<abi.CLOCK_REALTIME_COARSE | 1<<abi.CLOCK_MONOTONIC_COARSE)
)

// textStart returns the address of the code, which is not for the kernel to
// call: it can run only where a data page lies below it.
func textStart() unsafe.Pointer

// text returns the code.
func text() []byte {
	const most = arch.PageSize - textOffset
	end := bytes.Repeat([]byte{0x0f, 0x0b}, 4) // four times UD2
	for n := range most {
		if code := unsafe.Slice((*byte)(textStart()), n+len(end)); bytes.HasSuffix(code, end) {
			return code[:n]
		}
	}
	panic("vdso: the code doesn't end")
}
