package acpi

// FADT is the fixed ACPI description table (5.2.9), as far as it is used
// here. Registers that are missing have no address.
type FADT struct {
	Revision   uint8
	SCI        uint16 // see Tables.SCI
	SMICmd     uint16 // port that takes commands for the firmware, or 0
	ACPIEnable uint8  // the command that makes events raise SCIs, or 0
	PM1aEvt    GAS    // status register; the enable register follows it
	PM1bEvt    GAS
	PM1EvtLen  uint8 // bytes in both
	PM1aCnt    GAS
	PM1bCnt    GAS
	PMTimer    GAS
	Century    uint8  // index of the century in CMOS memory, or 0
	BootArch   uint16 // see the methods
	Flags      uint32
	Reset      GAS
	ResetValue uint8

	// Hardware-reduced machines only.
	SleepControl GAS
	SleepStatus  GAS
}

// Flags (table 5.34) and boot architecture flags (table 5.35).
const (
	flagPowerButton = 1 << 4  // not a fixed feature, or absent
	flagTimer32     = 1 << 8  // the timer has 32 bits, not 24
	flagReset       = 1 << 10 // there is a reset register
	flagHWReduced   = 1 << 20 // the fixed registers are not there
	bootLegacy      = 1 << 0
	boot8042        = 1 << 1
	bootNoRTC       = 1 << 5
)

// HWReduced reports whether the fixed registers (PM1, PM timer, SCI) are
// missing; sleeping and events have their own registers then.
func (f *FADT) HWReduced() bool { return f.Revision >= 5 && f.Flags&flagHWReduced != 0 }

// PMTimer32 reports whether PMTimer counts 32 bits instead of 24.
func (f *FADT) PMTimer32() bool { return f.Flags&flagTimer32 != 0 }

// Has8042 reports whether there is a keyboard controller. ACPI 1.0 can't
// say; machines of its time have one.
func (f *FADT) Has8042() bool { return f.Revision == 1 || f.BootArch&boot8042 != 0 }

// HasLegacy reports whether there are devices on an ISA bus that only
// probing finds.
func (f *FADT) HasLegacy() bool { return f.Revision == 1 || f.BootArch&bootLegacy != 0 }

// HasRTC reports whether nothing says that the CMOS clock is missing.
func (f *FADT) HasRTC() bool { return f.Revision < 5 || f.BootArch&bootNoRTC == 0 }

// Sizes of the table.
const (
	fadtV1 = 116
	fadtV2 = 244 // up to the sleep registers of ACPI 5
	fadtV5 = 268
)

// parse decodes table b and returns the address of the DSDT.
func (f *FADT) parse(b []byte) (dsdt uint64, err error) {
	if len(b) < fadtV1 {
		return 0, errShort
	}
	f.Revision = max(b[8], 1)
	dsdt = uint64(le.Uint32(b[40:]))
	f.SCI = le.Uint16(b[46:])
	if port := le.Uint32(b[48:]); port <= 0xffff {
		f.SMICmd = uint16(port)
	}
	f.ACPIEnable = b[52]
	f.PM1aEvt = port(b[56:], b[88])
	f.PM1bEvt = port(b[60:], b[88])
	f.PM1EvtLen = b[88]
	f.PM1aCnt = port(b[64:], b[89])
	f.PM1bCnt = port(b[68:], b[89])
	f.PMTimer = port(b[76:], b[91])
	f.Century = b[108]
	f.Flags = le.Uint32(b[112:])
	if f.Revision < 2 {
		return dsdt, nil
	}
	f.BootArch = le.Uint16(b[109:])
	if len(b) < 129 { // reset register and value
		return dsdt, nil
	}
	if g := parseGAS(b[116:]); f.Flags&flagReset != 0 && g.ok() {
		f.Reset, f.ResetValue = g, b[128]
	}
	if len(b) < fadtV2 {
		return dsdt, nil
	}
	if x := le.Uint64(b[140:]); x != 0 {
		dsdt = x
	}
	for _, r := range []struct {
		reg *GAS
		at  int
	}{{&f.PM1aEvt, 148}, {&f.PM1bEvt, 160}, {&f.PM1aCnt, 172}, {&f.PM1bCnt, 184}, {&f.PMTimer, 208}} {
		if g := parseGAS(b[r.at:]); g.ok() && g.Space != PCIConfig {
			*r.reg = g
		}
	}
	if f.HWReduced() && len(b) >= fadtV5 {
		f.SleepControl, f.SleepStatus = parseGAS(b[244:]), parseGAS(b[256:])
	}
	return dsdt, nil
}
