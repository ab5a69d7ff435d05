package clock

import (
	"errors"
	"time"
)

// RTC is the clock of a PC that runs on a battery (MC146818A data sheet),
// here with the wall clock time in UTC. It is read with whole seconds. Two
// readers at a time, or one and another user of the CMOS memory, disturb
// each other.
type RTC struct {
	Ports   Ports
	Century uint8 // index of the century, from FADT; 0 if there is none
}

// ErrRTC means that the clock doesn't show a time.
var ErrRTC = errors.New("clock: the real-time clock isn't set")

const (
	rtcIndex = 0x70
	rtcData  = 0x71

	rtcSecond  = 0x00
	rtcMinute  = 0x02
	rtcHour    = 0x04
	rtcDay     = 0x07
	rtcMonth   = 0x08
	rtcYear    = 0x09
	rtcA       = 0x0a
	rtcB       = 0x0b
	rtcFirst   = 0x0e // index that is free for other use
	rtcLast    = 0x7f
	rtcBusy    = 1 << 7 // in A: registers change within 2 ms
	rtcBinary  = 1 << 2 // in B: numbers are binary, not BCD
	rtc24      = 1 << 1 // in B: hours are 0 to 23, not 1 to 12
	rtcPM      = 1 << 7 // in hours 1 to 12
	rtcSilence = 1 << 16
)

// reading is what the registers show.
type reading struct{ second, minute, hour, day, month, year, century uint8 }

// Now reads the clock.
func (r *RTC) Now() (time.Time, error) {
	const tries = 10
	for range tries {
		if !r.idle() {
			return time.Time{}, ErrAbsent
		}
		// The registers may change after all if the CPU is held up.
		if a := r.registers(); a == r.registers() {
			return a.time(r.read(rtcB))
		}
	}
	return time.Time{}, ErrUnstable
}

func (r *RTC) read(index uint8) uint8 {
	r.Ports.Out8(rtcIndex, index)
	return r.Ports.In8(rtcData)
}

// idle waits until no update is under way.
func (r *RTC) idle() bool {
	for range rtcSilence {
		if r.read(rtcA)&rtcBusy == 0 {
			return true
		}
	}
	return false
}

func (r *RTC) registers() reading {
	v := reading{
		second: r.read(rtcSecond),
		minute: r.read(rtcMinute),
		hour:   r.read(rtcHour),
		day:    r.read(rtcDay),
		month:  r.read(rtcMonth),
		year:   r.read(rtcYear),
	}
	if r.Century >= rtcFirst && r.Century <= rtcLast {
		v.century = r.read(r.Century)
	}
	return v
}

// time decodes v, which is in the format that register b gives.
func (v reading) time(b uint8) (time.Time, error) {
	ok := true
	number := func(x uint8, low, high int) int {
		n := int(x)
		if b&rtcBinary == 0 {
			n = bcd(x)
		}
		if n < low || n > high {
			ok = false
		}
		return n
	}
	var hour int
	if b&rtc24 != 0 {
		hour = number(v.hour, 0, 23)
	} else {
		hour = number(v.hour&^rtcPM, 1, 12) % 12
		if v.hour&rtcPM != 0 {
			hour += 12
		}
	}
	year := number(v.year, 0, 99)
	// The century is a piece of memory to the clock, so firmware may keep
	// it in BCD though the rest is binary.
	switch century := int(v.century); {
	case b&rtcBinary != 0 && century >= 19 && century <= 22:
		year += 100 * century
	case bcd(v.century) >= 19:
		year += 100 * bcd(v.century)
	case year < 70:
		year += 2000
	default:
		year += 1900
	}
	month, day := number(v.month, 1, 12), number(v.day, 1, 31)
	minute, second := number(v.minute, 0, 59), number(v.second, 0, 59)
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	if !ok || t.Day() != day {
		return time.Time{}, ErrRTC
	}
	return t, nil
}

// bcd returns the number that two decimal digits make, or -1.
func bcd(x uint8) int {
	if x&0xf > 9 || x>>4 > 9 {
		return -1
	}
	return int(x>>4)*10 + int(x&0xf)
}
