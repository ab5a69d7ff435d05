package clock

// HPET is the main counter of a high precision event timer (IA-PC HPET
// specification 1.0a). Set the exported fields, then call Init.
type HPET struct {
	Regs Registers
	Base uint64 // physical address, from ACPI

	period uint32 // in femtoseconds
}

const (
	hpetID      = 0x000
	hpetPeriod  = 0x004
	hpetConfig  = 0x010
	hpetCounter = 0x0f0 // low half

	hpetEnable    = 1 << 0
	hpetMaxPeriod = 100_000_000
)

// Init makes the counter run.
func (h *HPET) Init() error {
	id := h.Regs.Read32(h.Base + hpetID)
	h.period = h.Regs.Read32(h.Base + hpetPeriod)
	if id&0xff == 0 || h.period == 0 || h.period > hpetMaxPeriod {
		h.period = 0
		return ErrAbsent
	}
	h.Regs.Write32(h.Base+hpetConfig, h.Regs.Read32(h.Base+hpetConfig)|hpetEnable)
	if !counts(h) {
		return ErrDead
	}
	return nil
}

// Name implements Counter.
func (h *HPET) Name() string { return "hpet" }

// Read implements Counter. The low half is enough, and can be read in one
// piece everywhere.
func (h *HPET) Read() uint64 { return uint64(h.Regs.Read32(h.Base + hpetCounter)) }

// Hz implements Counter.
func (h *HPET) Hz() (num, den uint64) { return 1e15, uint64(h.period) }

// Mask implements Counter.
func (h *HPET) Mask() uint64 { return 0xffffffff }

// PMTimer is the ACPI power management timer (ACPI 6.4, 4.8.3.3). FADT says
// where it is and how wide.
type PMTimer struct {
	Register func() uint32 // reads it
	Wide     bool          // 32 bits, not 24
}

// Name implements Counter.
func (p *PMTimer) Name() string { return "acpi-pm" }

// Read implements Counter.
func (p *PMTimer) Read() uint64 { return uint64(p.Register()) & p.Mask() }

// Hz implements Counter.
func (p *PMTimer) Hz() (num, den uint64) { return 3579545, 1 }

// Mask implements Counter.
func (p *PMTimer) Mask() uint64 {
	if p.Wide {
		return 0xffffffff
	}
	return 0xffffff
}

// PIT is channel 0 of an 8254 interval timer. Channel 2, the usual choice,
// needs port 0x61 for its gate, which QEMU's microvm doesn't have. Channel 0
// raises ISA interrupt 0 each time it wraps, so that should be masked; Stop
// ends it.
type PIT struct {
	Ports Ports
}

// Ports and commands (8254 data sheet).
const (
	pitData    = 0x40
	pitCommand = 0x43

	pitMode0 = 0x30 // channel 0, two bytes, interrupt on terminal count
	pitMode2 = 0x34 // channel 0, two bytes, rate generator
	pitLatch = 0x00 // channel 0
)

// Init makes the counter run.
func (p *PIT) Init() error {
	p.load(pitMode2, 0)
	if !counts(p) {
		return ErrAbsent
	}
	return nil
}

// Stop lets the counter rest, so that it needs none of the host's time.
func (p *PIT) Stop() { p.load(pitMode0, 1) }

func (p *PIT) load(mode uint8, count uint16) {
	p.Ports.Out8(pitCommand, mode)
	p.Ports.Out8(pitData, uint8(count))
	p.Ports.Out8(pitData, uint8(count>>8))
}

// Name implements Counter.
func (p *PIT) Name() string { return "pit" }

// Read implements Counter. The hardware counts down from 65536.
func (p *PIT) Read() uint64 {
	p.Ports.Out8(pitCommand, pitLatch)
	low := p.Ports.In8(pitData)
	high := p.Ports.In8(pitData)
	return -(uint64(high)<<8 | uint64(low)) & p.Mask()
}

// Hz implements Counter.
func (p *PIT) Hz() (num, den uint64) { return 1193182, 1 }

// Mask implements Counter.
func (p *PIT) Mask() uint64 { return 0xffff }
