package acpi

import (
	"fmt"
	"slices"
	"testing"
)

// recordIO is a machine that notes what is written. Registers keep their
// values; status registers clear the ones written.
type recordIO struct {
	regs  map[string]uint32
	log   []string
	quick bool // don't note, and let everything read as 0xff...
}

func (io *recordIO) get(space rune, at uint64, width int) uint32 {
	if io.quick || space == 'p' && at == 0x80 {
		return 1<<width - 1
	}
	return io.regs[fmt.Sprintf("%c%x", space, at)]
}

func (io *recordIO) set(space rune, at uint64, v uint32) {
	if io.quick {
		return
	}
	key := fmt.Sprintf("%c%x", space, at)
	io.log = append(io.log, fmt.Sprintf("%s=%x", key, v))
	switch key {
	case "p600", "p1600": // status
		io.regs[key] &^= v
	case "pb2": // commands
		io.regs["p604"] |= io.regs["enable"]
	default:
		io.regs[key] = v
	}
}

func (io *recordIO) In8(p uint16) uint8          { return uint8(io.get('p', uint64(p), 8)) }
func (io *recordIO) In16(p uint16) uint16        { return uint16(io.get('p', uint64(p), 16)) }
func (io *recordIO) In32(p uint16) uint32        { return io.get('p', uint64(p), 32) }
func (io *recordIO) Out8(p uint16, v uint8)      { io.set('p', uint64(p), uint32(v)) }
func (io *recordIO) Out16(p uint16, v uint16)    { io.set('p', uint64(p), uint32(v)) }
func (io *recordIO) Out32(p uint16, v uint32)    { io.set('p', uint64(p), v) }
func (io *recordIO) Read8(pa uint64) uint8       { return uint8(io.get('m', pa, 8)) }
func (io *recordIO) Read16(pa uint64) uint16     { return uint16(io.get('m', pa, 16)) }
func (io *recordIO) Read32(pa uint64) uint32     { return io.get('m', pa, 32) }
func (io *recordIO) Write8(pa uint64, v uint8)   { io.set('m', pa, uint32(v)) }
func (io *recordIO) Write16(pa uint64, v uint16) { io.set('m', pa, uint32(v)) }
func (io *recordIO) Write32(pa uint64, v uint32) { io.set('m', pa, v) }

func TestPower(t *testing.T) {
	twin := q35 // with PM1b
	twin.S5 = S5{TypA: 5, TypB: 6, Valid: true}
	twin.FADT.PM1bEvt, twin.FADT.PM1bCnt = port16(0x1600), port16(0x1604)
	always := q35
	always.FADT.SMICmd = 0
	pci := Tables{FADT: FADT{Reset: GAS{PCIConfig, 0x001f_0003_0046}, ResetValue: 6}}
	pc := Tables{FADT: pcFADT}
	noS5 := microvm
	noS5.S5 = S5{}
	noSleep := microvm
	noSleep.FADT.SleepControl = GAS{}
	off, reset := (*Tables).PowerOff, (*Tables).Reset
	for _, tt := range []struct {
		name string
		t    Tables
		do   func(*Tables, IO) error
		regs map[string]uint32
		log  []string
		err  error
	}{
		{"q35", q35, off, map[string]uint32{"p604": 0x1c02, "enable": 1},
			[]string{"pb2=2", "p600=8000", "p604=3", "p604=2003"}, ErrStillOn},
		{"q35, enabled", q35, off, map[string]uint32{"p604": 1},
			[]string{"p600=8000", "p604=1", "p604=2001"}, ErrStillOn},
		{"q35, stubborn", q35, off, map[string]uint32{},
			[]string{"pb2=2", "p600=8000", "p604=0", "p604=2000"}, ErrStillOn},
		{"no commands", always, off, map[string]uint32{},
			[]string{"p600=8000", "p604=0", "p604=2000"}, ErrStillOn},
		{"two register sets", twin, off, map[string]uint32{"p604": 1, "p1604": 0x2401},
			[]string{"p600=8000", "p1600=8000", "p604=1401", "p1604=1801", "p604=3401", "p1604=3801"}, ErrStillOn},
		{"microvm", microvm, off, map[string]uint32{},
			[]string{"mfea00201=80", "mfea00200=34"}, ErrStillOn},
		{"no _S5_", noS5, off, nil, nil, ErrNoPower},
		{"no sleep register", noSleep, off, nil, nil, ErrNoPower},
		{"no tables", Tables{}, off, nil, nil, ErrNoPower},
		{"no PM1", Tables{S5: S5{Valid: true}}, off, nil, nil, ErrNoPower},

		{"reset q35", q35, reset, map[string]uint32{}, []string{"pcf9=f"}, ErrStillOn},
		{"reset microvm", microvm, reset, map[string]uint32{}, []string{"mfea00202=42"}, ErrStillOn},
		{"reset by PCI", pci, reset, map[string]uint32{}, []string{"pcf8=8000fb44", "pcfe=6"}, ErrStillOn},
		{"reset by keyboard", pc, reset, map[string]uint32{"p64": 0x1c}, []string{"p64=fe"}, ErrStillOn},
		{"reset by busy keyboard", pc, reset, map[string]uint32{"p64": 2}, []string{"p64=fe"}, ErrStillOn},
		{"no reset", Tables{}, reset, nil, nil, ErrNoReset},
	} {
		t.Run(tt.name, func(t *testing.T) {
			io := &recordIO{regs: tt.regs}
			if err := tt.do(&tt.t, io); err != tt.err {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if !slices.Equal(io.log, tt.log) {
				t.Errorf("wrote %v, want %v", io.log, tt.log)
			}
		})
	}
}

func TestNoAllocation(t *testing.T) {
	io := IO(&recordIO{quick: true})
	for _, tables := range []*Tables{&q35, &microvm} {
		if n := testing.AllocsPerRun(1, func() {
			_ = tables.PowerOff(io)
			_ = tables.Reset(io)
			_, _ = tables.EnablePowerButton(io)
			tables.PowerButtonPressed(io)
		}); n != 0 {
			t.Errorf("%v allocations on the way out of a panic", n)
		}
	}
}

func TestPowerButton(t *testing.T) {
	twin := q35
	twin.FADT.PM1bEvt = port16(0x1600)
	absent := q35
	absent.FADT.Flags |= flagPowerButton
	short := q35
	short.FADT.PM1EvtLen = 0
	blind := microvm
	blind.Event = nil
	for _, tt := range []struct {
		name  string
		t     Tables
		regs  map[string]uint32
		log   []string // of enabling
		err   error
		event string // register of the event
		value uint32
		want  bool
	}{
		{"q35", q35, map[string]uint32{"enable": 1, "p602": 0x20}, []string{"pb2=2", "p600=100", "p602=120"}, nil,
			"p600", 0x101, true},
		{"q35, other event", q35, map[string]uint32{"p604": 1}, []string{"p600=100", "p602=100"}, nil,
			"p600", 1, false},
		{"two register sets", twin, map[string]uint32{"p604": 1},
			[]string{"p600=100", "p602=100", "p1600=100", "p1602=100"}, nil, "p1600", 0x100, true},
		{"microvm", microvm, map[string]uint32{}, nil, nil, "mfea00000", 3, true},
		{"microvm, other event", microvm, map[string]uint32{}, nil, nil, "mfea00000", 1, false},
		{"no event device", blind, map[string]uint32{}, nil, ErrNoButton, "mfea00000", 2, false},
		{"not a fixed feature", absent, map[string]uint32{}, nil, ErrNoButton, "", 0, false},
		{"no enable register", short, map[string]uint32{}, nil, ErrNoButton, "", 0, false},
		{"firmware keeps events", q35, map[string]uint32{}, []string{"pb2=2"}, ErrNotACPI, "", 0, false},
		{"no tables", Tables{}, map[string]uint32{}, nil, ErrNoButton, "", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			io := &recordIO{regs: tt.regs}
			irq, err := tt.t.EnablePowerButton(io)
			if err != tt.err {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if err == nil && irq.GSI != 9 {
				t.Errorf("interrupt %+v", irq)
			}
			if !slices.Equal(io.log, tt.log) {
				t.Errorf("wrote %v, want %v", io.log, tt.log)
			}
			if tt.t.PowerButtonPressed(io) {
				t.Error("pressed before it was")
			}
			io.regs[tt.event] = tt.value
			if got := tt.t.PowerButtonPressed(io); got != tt.want {
				t.Errorf("pressed %t, want %t", got, tt.want)
			}
			if tt.t.FADT.HWReduced() {
				return // reading clears on the real one
			}
			if io.regs[tt.event] != tt.value&^pm1PowerButton {
				t.Errorf("status %#x after %#x", io.regs[tt.event], tt.value)
			}
			if tt.t.PowerButtonPressed(io) {
				t.Error("still pressed")
			}
		})
	}
}
