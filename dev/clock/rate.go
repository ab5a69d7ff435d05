package clock

import (
	"math"
	"math/bits"
)

// Rate is how fast the time stamp counter runs.
type Rate struct {
	Hz  float64
	PPM float64 // bound on the error of Hz, in millionths, if the reference is right
}

// Rates beyond these are mistakes.
const (
	minHz = 1e6
	maxHz = 1e11
)

// ok reports whether r can be a rate.
func (r Rate) ok() bool { return r.Hz >= minHz && r.Hz <= maxHz }

// Scale multiplies by a fraction, without loss.
type Scale struct {
	Mult  uint64
	Shift uint8 // 1 to 63
}

// Of returns x*Mult/2^Shift.
//
//go:nosplit
func (s Scale) Of(x uint64) uint64 { return scale(x, s.Mult, uint64(s.Shift)) }

// scale returns x*mult/2^shift for a shift from 1 to 63.
//
//go:nosplit
func scale(x, mult, shift uint64) uint64 {
	hi, lo := bits.Mul64(x, mult)
	return hi<<((64-shift)&63) | lo>>(shift&63)
}

// ToNS returns the scale from cycles to nanoseconds. A rate that can't be
// gives a scale to 0, a clock that stands still.
func (r Rate) ToNS() Scale {
	if !r.ok() {
		return Scale{Shift: 1}
	}
	return newScale(1e9 / r.Hz)
}

// FromNS returns the scale from nanoseconds to cycles, for deadlines.
func (r Rate) FromNS() Scale {
	if !r.ok() {
		return Scale{Shift: 1}
	}
	return newScale(r.Hz / 1e9)
}

// newScale returns the closest scale to v, which is between 2^-20 and 2^20.
func newScale(v float64) Scale {
	shift := 63
	for m := math.Ldexp(v, shift); m >= 1<<63; m /= 2 {
		shift--
	}
	return Scale{Mult: uint64(math.Round(math.Ldexp(v, shift))), Shift: uint8(shift)}
}
