// Package clock tells the time: it measures the processor's time stamp
// counter against a reference, turns it into nanoseconds, and reads the
// wall clock that runs while the machine is off.
//
// Boot picks a Counter - HPET, ACPI PM timer or PIT - and calls Calibrate,
// or decodes the rate that KVM gives (PVClock). Then Clock serves everybody
// who asks for the time, without locks, while one goroutine lets a Refiner
// compare the counters over ever longer spans and passes better rates on:
//
//	rate, err := clock.Calibrate(rdtsc, counter, 10*time.Millisecond)
//	c.Start(rdtsc(), 0, rate)
//	...
//	f := clock.NewRefiner(rdtsc, counter, rate)
//	for wait := time.Second; wait < time.Hour; wait *= 2 {
//		time.Sleep(wait)
//		if rate, ok := f.Sample(); ok {
//			c.SetRate(rdtsc(), rate)
//		}
//	}
//
// The time stamp counter must run at one rate, and in step on all CPUs.
// Functions that read it must do so in program order (LFENCE; RDTSC).
package clock

import "errors"

// Counter is a reference that counts up at a known rate and wraps.
type Counter interface {
	Name() string
	Read() uint64

	// Hz returns the rate as a fraction: num/den counts a second.
	Hz() (num, den uint64)

	// Mask has ones for the bits that count; it is a power of two less 1.
	Mask() uint64
}

// Ports is byte-wide port I/O.
type Ports interface {
	In8(port uint16) uint8
	Out8(port uint16, v uint8)
}

// Registers are 32 bits wide, at physical addresses.
type Registers interface {
	Read32(pa uint64) uint32
	Write32(pa uint64, v uint32)
}

// Errors.
var (
	ErrAbsent   = errors.New("clock: no such device")
	ErrDead     = errors.New("clock: the reference doesn't count")
	ErrTSC      = errors.New("clock: the time stamp counter is of no use")
	ErrUnstable = errors.New("clock: the counters don't agree")
)

// patience is how many reads in a row may give the same value before a
// counter counts as dead. The slowest changes once a microsecond, which is
// about what a read takes.
const patience = 1 << 16

// counts reports whether c moves.
func counts(c Counter) bool {
	v := c.Read()
	for range patience {
		if c.Read() != v {
			return true
		}
	}
	return false
}
