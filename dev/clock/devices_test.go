package clock

import (
	"encoding/binary"
	"math"
	"testing"
	"time"
)

// board has the devices' registers; counters run at each access.
type board struct {
	mem  map[uint64]uint32
	cmos [128]uint8

	pitOff  bool
	latch   []uint8
	pit     uint16
	log     []uint8 // bytes written to the PIT
	index   uint8
	updates func(n int) // before the nth access to CMOS data
	n       int
}

func (b *board) Read32(pa uint64) uint32 {
	if pa&0xfff == hpetCounter && b.mem[pa-hpetCounter+hpetConfig]&hpetEnable != 0 {
		b.mem[pa] += 100
	}
	return b.mem[pa]
}

func (b *board) Write32(pa uint64, v uint32) { b.mem[pa] = v }

func (b *board) In8(port uint16) uint8 {
	switch port {
	case pitData:
		if b.pitOff || len(b.latch) == 0 {
			return 0xff
		}
		v := b.latch[0]
		b.latch = b.latch[1:]
		return v
	case rtcData:
		b.n++
		if b.updates != nil {
			b.updates(b.n)
		}
		return b.cmos[b.index&0x7f]
	}
	return 0xff
}

func (b *board) Out8(port uint16, v uint8) {
	switch port {
	case pitCommand:
		if v == pitLatch {
			b.pit -= 3
			b.latch = []uint8{uint8(b.pit), uint8(b.pit >> 8)}
			return
		}
		b.log = append(b.log, v)
	case pitData:
		b.log = append(b.log, v)
	case rtcIndex:
		b.index = v
	}
}

func TestHPET(t *testing.T) {
	const base = 0xfed00000
	for _, tt := range []struct {
		name       string
		id, period uint32
		err        error
	}{
		{"QEMU", 0x8086a201, 10_000_000, nil},
		{"absent", 0xffffffff, 0xffffffff, ErrAbsent},
		{"nothing there", 0, 0, ErrAbsent},
		{"no period", 0x8086a201, 0, ErrAbsent},
		{"period too long", 0x8086a201, 100_000_001, ErrAbsent},
	} {
		b := &board{mem: map[uint64]uint32{base: tt.id, base + 4: tt.period, base + 0x10: 2, base + 0xf0: 0xfffffff0}}
		h := &HPET{Regs: b, Base: base}
		if err := h.Init(); err != tt.err {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.err)
			continue
		}
		if tt.err != nil {
			continue
		}
		if num, den := h.Hz(); num/den != 100_000_000 || h.Name() != "hpet" {
			t.Errorf("%s: %d/%d Hz", tt.name, num, den)
		}
		if b.mem[base+0x10] != 3 {
			t.Errorf("%s: configuration %#x", tt.name, b.mem[base+0x10])
		}
		if v := h.Read(); v > h.Mask() {
			t.Errorf("%s: reads %#x", tt.name, v)
		}
	}
	b := &stopped{board{mem: map[uint64]uint32{base: 1, base + 4: 1}}}
	if err := (&HPET{Regs: b, Base: base}).Init(); err != ErrDead {
		t.Errorf("stopped: %v", err)
	}
}

// stopped ignores what is written.
type stopped struct{ board }

func (*stopped) Write32(uint64, uint32) {}

func TestPMTimer(t *testing.T) {
	v := uint32(0xfffffffe)
	read := func() uint32 { v++; return v }
	narrow, wide := &PMTimer{Register: read}, &PMTimer{Register: read, Wide: true}
	if got := narrow.Read(); got != 0xffffff {
		t.Errorf("24 bits: %#x", got)
	}
	v--
	if got := wide.Read(); got != 0xffffffff {
		t.Errorf("32 bits: %#x", got)
	}
	if num, den := wide.Hz(); num != 3579545 || den != 1 || wide.Name() == "" {
		t.Errorf("%d/%d Hz", num, den)
	}
}

func TestPIT(t *testing.T) {
	b := &board{pit: 10}
	p := &PIT{b}
	if err := p.Init(); err != nil {
		t.Fatal(err)
	}
	last := p.Read()
	for range 10 { // across the wrap
		v := p.Read()
		if (v-last)&p.Mask() != 3 {
			t.Errorf("%#x after %#x", v, last)
		}
		last = v
	}
	p.Stop()
	want := []uint8{0x34, 0, 0, 0x30, 1, 0}
	if string(b.log) != string(want) {
		t.Errorf("wrote % x, want % x", b.log, want)
	}
	if num, den := p.Hz(); num != 1193182 || den != 1 || p.Name() != "pit" {
		t.Errorf("%d/%d Hz", num, den)
	}
	if err := (&PIT{&board{pitOff: true}}).Init(); err != ErrAbsent {
		t.Errorf("absent: %v", err)
	}
}

func TestPVClock(t *testing.T) {
	for _, tt := range []struct {
		name  string
		mul   uint32
		shift int8
		hz    float64
		err   error
	}{
		{"1 GHz", 1 << 31, 1, 1e9, nil},
		{"2.1 GHz", 4090445044, -1, 2.1e9, nil},
		{"3 GHz", 2863311530, -1, 3e9, nil},
		{"500 MHz", 1 << 31, 2, 5e8, nil},
		{"nothing", 0, 0, 0, ErrUnstable},
		{"shift", 1 << 31, 32, 0, ErrUnstable},
		{"shift back", 1 << 31, -128, 0, ErrUnstable},
		{"too fast", 1, -31, 0, ErrUnstable},
		{"too slow", math.MaxUint32, 31, 0, ErrUnstable},
	} {
		var b [PVClockSize]byte
		binary.LittleEndian.PutUint32(b[:], 6)
		binary.LittleEndian.PutUint64(b[8:], 123)
		binary.LittleEndian.PutUint64(b[16:], 456)
		binary.LittleEndian.PutUint32(b[24:], tt.mul)
		b[28], b[29] = byte(tt.shift), 1
		p, err := ReadPVClock(func() [PVClockSize]byte { return b })
		if want := (PVClock{123, 456, tt.mul, tt.shift, 1}); err != nil || p != want {
			t.Errorf("%s: %+v, %v, want %+v", tt.name, p, err, want)
		}
		r, err := p.Rate()
		if err != tt.err || err == nil && math.Abs(r.Hz/tt.hz-1)*1e6 > r.PPM+1e-9 {
			t.Errorf("%s: %+v, %v, want %g, %v", tt.name, r, err, tt.hz, tt.err)
		}
	}
	// While the host writes.
	n := 0
	p, err := ReadPVClock(func() (b [PVClockSize]byte) {
		n++
		switch {
		case n < 5:
			b[0], b[24] = 1, 1
		case n < 7:
			b[24] = byte(n)
		default:
			b[24] = 9
		}
		return b
	})
	if err != nil || p.Mul != 9 {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := ReadPVClock(func() [PVClockSize]byte { return [PVClockSize]byte{1} }); err != ErrUnstable {
		t.Errorf("a host that never ends: %v", err)
	}
}

func FuzzPVClock(f *testing.F) {
	f.Add(make([]byte, PVClockSize))
	f.Fuzz(func(t *testing.T, in []byte) {
		var b [PVClockSize]byte
		copy(b[:], in)
		p, err := ReadPVClock(func() [PVClockSize]byte { return b })
		if err != nil {
			return
		}
		if r, err := p.Rate(); err == nil && !r.ok() {
			t.Errorf("%+v", r)
		}
	})
}

// set puts registers into CMOS memory: second, minute, hour, day, month,
// year, century, status B.
func (b *board) set(v [8]uint8) *board {
	for i, at := range []uint8{rtcSecond, rtcMinute, rtcHour, rtcDay, rtcMonth, rtcYear, 0x32, rtcB} {
		b.cmos[at] = v[i]
	}
	return b
}

func TestRTC(t *testing.T) {
	const bcd24, bin24, bcd12, bin12 = 2, 6, 0, 4
	at := func(y, m, d, h, min, s int) time.Time { return time.Date(y, time.Month(m), d, h, min, s, 0, time.UTC) }
	for _, tt := range []struct {
		name    string
		v       [8]uint8
		century uint8
		want    time.Time
		err     error
	}{
		{"BCD", [8]uint8{0x59, 0x58, 0x23, 0x31, 0x12, 0x25, 0x20, bcd24}, 0x32, at(2025, 12, 31, 23, 58, 59), nil},
		{"binary", [8]uint8{59, 58, 23, 31, 12, 25, 20, bin24}, 0x32, at(2025, 12, 31, 23, 58, 59), nil},
		{"BCD, 12 hours, midnight", [8]uint8{0, 0x30, 0x12, 1, 1, 0x26, 0x20, bcd12}, 0x32, at(2026, 1, 1, 0, 30, 0), nil},
		{"BCD, 12 hours, morning", [8]uint8{0, 0x30, 0x11, 1, 1, 0x26, 0x20, bcd12}, 0x32, at(2026, 1, 1, 11, 30, 0), nil},
		{"BCD, 12 hours, noon", [8]uint8{0, 0x30, 0x92, 1, 1, 0x26, 0x20, bcd12}, 0x32, at(2026, 1, 1, 12, 30, 0), nil},
		{"BCD, 12 hours, evening", [8]uint8{0, 0x30, 0x91, 1, 1, 0x26, 0x20, bcd12}, 0x32, at(2026, 1, 1, 23, 30, 0), nil},
		{"binary, 12 hours, midnight", [8]uint8{0, 30, 12, 1, 1, 26, 20, bin12}, 0x32, at(2026, 1, 1, 0, 30, 0), nil},
		{"binary, 12 hours, noon", [8]uint8{0, 30, 0x8c, 1, 1, 26, 20, bin12}, 0x32, at(2026, 1, 1, 12, 30, 0), nil},
		{"binary, 12 hours, evening", [8]uint8{0, 30, 0x8b, 1, 1, 26, 20, bin12}, 0x32, at(2026, 1, 1, 23, 30, 0), nil},
		{"leap day", [8]uint8{0, 0, 0, 0x29, 2, 0x24, 0x20, bcd24}, 0x32, at(2024, 2, 29, 0, 0, 0), nil},
		{"leap day of 2000", [8]uint8{0, 0, 0, 0x29, 2, 0, 0x20, bcd24}, 0x32, at(2000, 2, 29, 0, 0, 0), nil},
		{"no leap day", [8]uint8{0, 0, 0, 0x29, 2, 0x25, 0x20, bcd24}, 0x32, time.Time{}, ErrRTC},
		{"no leap day in 2100", [8]uint8{0, 0, 0, 0x29, 2, 0, 0x21, bcd24}, 0x32, time.Time{}, ErrRTC},
		{"last century", [8]uint8{0, 0, 0, 1, 2, 0x25, 0x19, bcd24}, 0x32, at(1925, 2, 1, 0, 0, 0), nil},
		{"next century", [8]uint8{0, 0, 0, 1, 2, 1, 0x21, bcd24}, 0x32, at(2101, 2, 1, 0, 0, 0), nil},
		{"BCD century, rest binary", [8]uint8{0, 0, 0, 1, 2, 25, 0x20, bin24}, 0x32, at(2025, 2, 1, 0, 0, 0), nil},
		{"no century", [8]uint8{0, 0, 0, 1, 2, 0x25, 0x19, bcd24}, 0, at(2025, 2, 1, 0, 0, 0), nil},
		{"no century, 1999", [8]uint8{0, 0, 0, 1, 2, 0x99, 0x20, bcd24}, 0, at(1999, 2, 1, 0, 0, 0), nil},
		{"century in the clock itself", [8]uint8{0, 0, 0, 1, 2, 0x25, 0x19, bcd24}, rtcHour, at(2025, 2, 1, 0, 0, 0), nil},
		{"century beyond the memory", [8]uint8{0, 0, 0, 1, 2, 0x25, 0x19, bcd24}, 0xb2, at(2025, 2, 1, 0, 0, 0), nil},
		{"century lost", [8]uint8{0, 0, 0, 1, 2, 0x25, 0xff, bcd24}, 0x32, at(2025, 2, 1, 0, 0, 0), nil},
		{"no BCD", [8]uint8{0x5a, 0, 0, 1, 2, 0x25, 0x20, bcd24}, 0x32, time.Time{}, ErrRTC},
		{"second 60", [8]uint8{60, 0, 0, 1, 2, 25, 20, bin24}, 0x32, time.Time{}, ErrRTC},
		{"minute 60", [8]uint8{0, 60, 0, 1, 2, 25, 20, bin24}, 0x32, time.Time{}, ErrRTC},
		{"hour 24", [8]uint8{0, 0, 24, 1, 2, 25, 20, bin24}, 0x32, time.Time{}, ErrRTC},
		{"hour 0 of 12", [8]uint8{0, 0, 0, 1, 2, 25, 20, bin12}, 0x32, time.Time{}, ErrRTC},
		{"hour 13 of 12", [8]uint8{0, 0, 13, 1, 2, 25, 20, bin12}, 0x32, time.Time{}, ErrRTC},
		{"day 0", [8]uint8{0, 0, 0, 0, 2, 25, 20, bin24}, 0x32, time.Time{}, ErrRTC},
		{"31 April", [8]uint8{0, 0, 0, 31, 4, 25, 20, bin24}, 0x32, time.Time{}, ErrRTC},
		{"month 0", [8]uint8{0, 0, 0, 1, 0, 25, 20, bin24}, 0x32, time.Time{}, ErrRTC},
		{"month 13", [8]uint8{0, 0, 0, 1, 13, 25, 20, bin24}, 0x32, time.Time{}, ErrRTC},
		{"year 100", [8]uint8{0, 0, 0, 1, 1, 100, 20, bin24}, 0x32, time.Time{}, ErrRTC},
		{"empty memory", [8]uint8{}, 0x32, time.Time{}, ErrRTC},
	} {
		r := RTC{Ports: new(board).set(tt.v), Century: tt.century}
		if got, err := r.Now(); err != tt.err || !got.Equal(tt.want) {
			t.Errorf("%s: %v, %v, want %v, %v", tt.name, got, err, tt.want, tt.err)
		}
	}
	if _, err := (&RTC{Ports: new(absent)}).Now(); err != ErrAbsent {
		t.Errorf("absent: %v", err)
	}
}

// absent answers nothing.
type absent struct{}

func (absent) In8(uint16) uint8   { return 0xff }
func (absent) Out8(uint16, uint8) {}

// TestRTCUpdate changes the time in the middle of reading it, at each
// possible moment.
func TestRTCUpdate(t *testing.T) {
	old := [8]uint8{0x59, 0x59, 0x23, 0x31, 0x12, 0x99, 0x19, 2}
	next := [8]uint8{0, 0, 0, 1, 1, 0, 0x20, 2}
	a, b := time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for when := range 20 {
		for length := range 4 { // of the update, during which it says busy
			m := new(board).set(old)
			m.updates = func(n int) {
				switch {
				case n == when:
					m.cmos[rtcA] = rtcBusy
					m.set([8]uint8{0x59, 0x59, 0x23, 1, 0x12, 0, 0x19, 2})
				case n == when+length+1:
					m.cmos[rtcA] = 0
					m.set(next)
				}
			}
			got, err := (&RTC{Ports: m, Century: 0x32}).Now()
			if err != nil || !got.Equal(a) && !got.Equal(b) {
				t.Errorf("update at %d for %d: %v, %v", when, length, got, err)
			}
		}
	}
	m := new(board).set(old) // changes all the time
	m.updates = func(n int) { m.cmos[rtcSecond] = uint8(n) }
	if _, err := (&RTC{Ports: m}).Now(); err != ErrUnstable {
		t.Errorf("a clock that changes all the time: %v", err)
	}
}

func FuzzRTC(f *testing.F) {
	f.Add(make([]byte, 128))
	f.Fuzz(func(t *testing.T, in []byte) {
		b := new(board)
		copy(b.cmos[:], in)
		b.cmos[rtcA] &^= rtcBusy
		if got, err := (&RTC{Ports: b, Century: 0x32}).Now(); err == nil && (got.Year() < 1900 || got.Year() > 9999) {
			t.Errorf("%v", got)
		}
	})
}
