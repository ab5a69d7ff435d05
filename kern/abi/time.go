package abi

// Sizes of the structures of time.
const (
	TimespecSize   = 16
	TimevalSize    = 16
	ItimerspecSize = 2 * TimespecSize
	ItimervalSize  = 2 * TimevalSize
)

// Clocks of clock_gettime(2).
const (
	CLOCK_REALTIME           = 0
	CLOCK_MONOTONIC          = 1
	CLOCK_PROCESS_CPUTIME_ID = 2
	CLOCK_THREAD_CPUTIME_ID  = 3
	CLOCK_MONOTONIC_RAW      = 4
	CLOCK_REALTIME_COARSE    = 5
	CLOCK_MONOTONIC_COARSE   = 6
	CLOCK_BOOTTIME           = 7
	CLOCK_REALTIME_ALARM     = 8
	CLOCK_BOOTTIME_ALARM     = 9
	CLOCK_TAI                = 11

	TIMER_ABSTIME = 1
)

const (
	nsPerSec = 1_000_000_000
	usPerSec = 1_000_000
	maxNs    = 1<<63 - 1
)

// Timespec is struct timespec: seconds and nanoseconds.
type Timespec struct{ Sec, Nsec int64 }

// TimespecOf returns a count of nanoseconds as a Timespec. A negative one has
// negative seconds and nanoseconds from 0 on, as the kernel's times have.
func TimespecOf(ns int64) Timespec {
	s, n := ns/nsPerSec, ns%nsPerSec
	if n < 0 {
		s, n = s-1, n+nsPerSec
	}
	return Timespec{s, n}
}

// Valid reports whether ts is what Linux takes as a time or duration: not
// negative, less than a second of nanoseconds.
func (ts Timespec) Valid() bool {
	return ts.Sec >= 0 && ts.Nsec >= 0 && ts.Nsec < nsPerSec
}

// Ns returns a valid ts in nanoseconds, at most what an int64 holds: about 292
// years, which as a deadline is for ever.
func (ts Timespec) Ns() int64 {
	if ts.Sec >= maxNs/nsPerSec {
		return maxNs
	}
	return ts.Sec*nsPerSec + ts.Nsec
}

// Encode writes ts to b.
func (ts Timespec) Encode(b []byte) {
	_ = b[TimespecSize-1]
	put64(b, uint64(ts.Sec))
	put64(b[8:], uint64(ts.Nsec))
}

// Decode reads ts from b.
func (ts *Timespec) Decode(b []byte) {
	_ = b[TimespecSize-1]
	ts.Sec, ts.Nsec = int64(get64(b)), int64(get64(b[8:]))
}

// Timeval is struct timeval: seconds and microseconds.
type Timeval struct{ Sec, Usec int64 }

// TimevalOf returns a count of nanoseconds as a Timeval, rounded down.
func TimevalOf(ns int64) Timeval {
	ts := TimespecOf(ns)
	return Timeval{ts.Sec, ts.Nsec / 1000}
}

// Valid reports whether tv is not negative and has less than a second of
// microseconds.
func (tv Timeval) Valid() bool {
	return tv.Sec >= 0 && tv.Usec >= 0 && tv.Usec < usPerSec
}

// Ns returns a valid tv in nanoseconds, at most what an int64 holds.
func (tv Timeval) Ns() int64 { return Timespec{tv.Sec, tv.Usec * 1000}.Ns() }

// Encode writes tv to b.
func (tv Timeval) Encode(b []byte) { Timespec(struct{ Sec, Nsec int64 }{tv.Sec, tv.Usec}).Encode(b) }

// Decode reads tv from b.
func (tv *Timeval) Decode(b []byte) {
	_ = b[TimevalSize-1]
	tv.Sec, tv.Usec = int64(get64(b)), int64(get64(b[8:]))
}

// Itimerspec is struct itimerspec: the period of a timer and the time to its
// first or next end.
type Itimerspec struct{ Interval, Value Timespec }

// Encode writes it to b.
func (it Itimerspec) Encode(b []byte) {
	it.Interval.Encode(b)
	it.Value.Encode(b[TimespecSize:])
}

// Decode reads it from b.
func (it *Itimerspec) Decode(b []byte) {
	it.Interval.Decode(b)
	it.Value.Decode(b[TimespecSize:])
}

// Itimerval is struct itimerval.
type Itimerval struct{ Interval, Value Timeval }

// Encode writes it to b.
func (it Itimerval) Encode(b []byte) {
	it.Interval.Encode(b)
	it.Value.Encode(b[TimevalSize:])
}

// Decode reads it from b.
func (it *Itimerval) Decode(b []byte) {
	it.Interval.Decode(b)
	it.Value.Decode(b[TimevalSize:])
}
