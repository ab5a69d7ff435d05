package clock

import "encoding/binary"

// PVClock is what KVM tells a guest about the time stamp counter: struct
// pvclock_vcpu_time_info of the Linux documentation (virt/kvm/x86/msr.rst).
type PVClock struct {
	TSC        uint64 // the counter when
	SystemTime uint64 // it was this many nanoseconds since the guest's start
	Mul        uint32 // nanoseconds are cycles * 2^Shift * Mul / 2^32
	Shift      int8
	Flags      uint8
}

// PVClockSize is the size of the structure in memory.
const PVClockSize = 32

// ReadPVClock reads the structure by means of load, which returns a copy of
// it. The host may be changing it at any time, and marks that by an odd
// version, so ReadPVClock waits for two equal copies.
func ReadPVClock(load func() [PVClockSize]byte) (PVClock, error) {
	const tries = 1000
	last := load()
	for range tries {
		b := load()
		if b == last && b[0]&1 == 0 {
			return decodePVClock(&b), nil
		}
		last = b
	}
	return PVClock{}, ErrUnstable
}

func decodePVClock(b *[PVClockSize]byte) PVClock {
	le := binary.LittleEndian
	return PVClock{
		TSC:        le.Uint64(b[8:]),
		SystemTime: le.Uint64(b[16:]),
		Mul:        le.Uint32(b[24:]),
		Shift:      int8(b[28]),
		Flags:      b[29],
	}
}

// Rate returns the rate of the time stamp counter. It is as good as the
// host's knowledge, of which nothing is said; the bound is only that of the
// encoding.
func (p PVClock) Rate() (Rate, error) {
	if p.Mul == 0 || p.Shift < -31 || p.Shift > 31 {
		return Rate{}, ErrUnstable
	}
	hz := 1e9 * (1 << 32) / float64(p.Mul)
	if p.Shift < 0 {
		hz *= float64(uint64(1) << -p.Shift)
	} else {
		hz /= float64(uint64(1) << p.Shift)
	}
	r := Rate{Hz: hz, PPM: 1e6 / float64(p.Mul)}
	if !r.ok() {
		return Rate{}, ErrUnstable
	}
	return r, nil
}
