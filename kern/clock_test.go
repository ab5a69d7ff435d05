package kern

import (
	"encoding/binary"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	callTimes, callClockGettime, callClockNanosleep, callTimerfdCreate = 100, 228, 230, 283
)

// timespec is one as programs have it.
func timespec(ns int64) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(ns/1e9))
	return binary.LittleEndian.AppendUint64(b, uint64(ns%1e9))
}

// clock reads a clock.
func (c *client) clock(id uint64) int64 {
	c.call(nil, callClockGettime, id, spare)
	b := c.memory(spare, 16)
	return int64(binary.LittleEndian.Uint64(b))*1e9 + int64(binary.LittleEndian.Uint64(b[8:]))
}

// TestOwnClock looks at the clocks that begin with an instance, and sleeps by them.
func TestOwnClock(t *testing.T) {
	m := manage(t)
	const apart = 20 * time.Millisecond
	a := m.forkInst(m.top.in, "a")
	time.Sleep(apart)
	b := m.forkInst(m.top.in, "b")
	const realtime, monotonic, raw, coarse, boottime = 0, 1, 4, 6, 7
	for _, id := range []uint64{monotonic, raw, coarse, boottime} {
		older, younger := a.clock(id), b.clock(id)
		younger += int64(apart) // read later, and yet
		if older < int64(apart) || older >= machineUp || younger < int64(apart) || b.clock(id) >= a.clock(id) {
			t.Errorf("clock %d: %d and %d", id, older, younger)
		}
	}
	if n := a.clock(realtime); n < 1e18 {
		t.Errorf("time of day: %d", n)
	}
	// All that tells how long the instance has been there agrees.
	before := a.clock(boottime)
	up, _ := strconv.ParseFloat(strings.Fields(a.content("/proc/uptime"))[0], 64)
	ticks := a.call(nil, callTimes, 0) * 1e7
	if after := a.clock(boottime); up*1e9+1e7 < float64(before) || up*1e9 > float64(after) || ticks+1e7 < before || ticks > after {
		t.Errorf("up %v s, %d ns by times(2); the clock went from %d to %d", up, ticks, before, after)
	}

	// Times at which something is to happen are those of these clocks.
	const wait = int64(10 * time.Millisecond)
	for name, sleep := range map[string]func(at int64) int64{
		"clock_nanosleep": func(at int64) int64 { return a.call(timespec(at), callClockNanosleep, monotonic, 1, 0x401000) },
		"clock_nanosleep, boottime": func(at int64) int64 {
			return a.call(timespec(at), callClockNanosleep, boottime, 1, 0x401000)
		},
		"futex": func(at int64) int64 {
			const waitBitset, timedOut = 9, 110
			word := binary.LittleEndian.AppendUint64(nil, 0)
			return a.call(append(timespec(at), word...), nrFutex, 0x401010, waitBitset, 0, 0x401000, 0, 1<<32-1) + timedOut
		},
		"timerfd": func(at int64) int64 {
			fd := uint64(a.call(nil, callTimerfdCreate, monotonic, 0))
			a.call(append(timespec(0), timespec(at)...), nrTimerfdSettime, fd, 1, 0x401000, 0)
			return a.call(nil, nrRead, fd, spare, 8) - 8
		},
	} {
		at := a.clock(monotonic) + wait
		n := sleep(at)
		if now := a.clock(monotonic); n != 0 || now < at {
			t.Errorf("%s: %d; it ended %d ns too early", name, n, at-now)
		}
	}
	// One that has passed is over at once, and one that never comes isn't negative.
	if n := a.call(timespec(1), callClockNanosleep, monotonic, 1, 0x401000); n != 0 {
		t.Errorf("a sleep until long ago: %d", n)
	}
	m.finish(a, b)
}

// TestBootID reads the name of this run of an instance.
func TestBootID(t *testing.T) {
	m := manage(t)
	a, b := m.forkInst(m.top.in, "a"), m.forkInst(m.top.in, "b")
	const file = "sys/kernel/random/boot_id"
	of := a.content("/proc/" + file)
	if !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$`).MatchString(of) {
		t.Errorf("boot_id: %q", of)
	}
	if a.call([]byte("proc\x00/tmp\x00"), callMount, 0x401000, 0x401005, 0x401000) != 0 || a.content("/tmp/"+file) != of {
		t.Errorf("another mount says %q, want %q", a.content("/tmp/"+file), of)
	}
	if s := b.content("/proc/" + file); s == of {
		t.Errorf("another instance has the same: %q", s)
	}
	m.finish(a, b)
}
