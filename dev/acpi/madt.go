package acpi

import "errors"

// CPU is a processor's local APIC (5.2.12.2, 5.2.12.12).
type CPU struct {
	APICID        uint32
	UID           uint32 // name of the processor in AML
	Enabled       bool   // may be started
	OnlineCapable bool   // not enabled, but may be plugged in
}

// IOAPIC is an I/O APIC; its inputs are the global system interrupts from
// GSIBase on.
type IOAPIC struct {
	ID      uint8
	Addr    uint32
	GSIBase uint32
}

// IRQ is how an interrupt arrives at an I/O APIC.
type IRQ struct {
	GSI       uint32 // global system interrupt
	ActiveLow bool
	Level     bool // level triggered
}

// Override says where an ISA interrupt goes that isn't wired as usual.
type Override struct {
	ISA uint8
	IRQ
}

// ISA returns where ISA interrupt irq goes: where an override says, or to
// the global system interrupt of the same number, edge triggered.
func (t *Tables) ISA(irq uint8) IRQ {
	for _, o := range t.Overrides {
		if o.ISA == irq {
			return o.IRQ
		}
	}
	return IRQ{GSI: uint32(irq)}
}

// SCI returns the interrupt of fixed-feature events. It is given as an ISA
// interrupt (5.2.9); without an override it is active low and level.
func (t *Tables) SCI() IRQ {
	for _, o := range t.Overrides {
		if uint16(o.ISA) == t.FADT.SCI {
			return o.IRQ
		}
	}
	return IRQ{GSI: uint32(t.FADT.SCI), ActiveLow: true, Level: true}
}

// Types of MADT entries and their sizes (table 5.45).
const (
	madtLAPIC    = 0
	madtIOAPIC   = 1
	madtOverride = 2
	madtAddress  = 5
	madtX2APIC   = 9
)

var madtSize = map[uint8]int{madtLAPIC: 8, madtIOAPIC: 12, madtOverride: 10, madtAddress: 12, madtX2APIC: 16}

// parseMADT decodes the multiple APIC description table (5.2.12).
func (t *Tables) parseMADT(b []byte) error {
	const entries = 44
	if len(b) < entries {
		return errShort
	}
	t.LAPIC = uint64(le.Uint32(b[36:]))
	t.PIC = le.Uint32(b[40:])&1 != 0
	ids := make(map[uint32]bool)
	for b = b[entries:]; len(b) > 0; {
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) || int(b[1]) < madtSize[b[0]] {
			return errShort
		}
		e := b[:b[1]]
		b = b[len(e):]
		switch e[0] {
		case madtLAPIC:
			if e[3] != 0xff { // not one that the firmware left empty
				t.addCPU(ids, uint32(e[3]), uint32(e[2]), le.Uint32(e[4:]))
			}
		case madtX2APIC:
			if id := le.Uint32(e[4:]); id != 0xffffffff {
				t.addCPU(ids, id, le.Uint32(e[12:]), le.Uint32(e[8:]))
			}
		case madtIOAPIC:
			if len(t.IOAPICs) == maxRoutes {
				return errors.New("acpi: too many I/O APICs")
			}
			t.IOAPICs = append(t.IOAPICs, IOAPIC{ID: e[2], Addr: le.Uint32(e[4:]), GSIBase: le.Uint32(e[8:])})
		case madtOverride:
			if len(t.Overrides) == maxRoutes {
				return errors.New("acpi: too many interrupt overrides")
			}
			flags := le.Uint16(e[8:])
			t.Overrides = append(t.Overrides, Override{e[3], IRQ{
				GSI: le.Uint32(e[4:]),
				// 0 means as usual on ISA: active high, edge triggered.
				ActiveLow: flags&3 == 3,
				Level:     flags>>2&3 == 3,
			}})
		case madtAddress:
			t.LAPIC = le.Uint64(e[4:])
		}
	}
	return nil
}

// addCPU notes a processor. One that is described as a local APIC and as an
// x2APIC counts once.
func (t *Tables) addCPU(ids map[uint32]bool, id, uid, flags uint32) {
	if ids[id] || len(t.CPUs) == maxCPUs {
		return
	}
	ids[id] = true
	t.CPUs = append(t.CPUs, CPU{
		APICID:        id,
		UID:           uid,
		Enabled:       flags&1 != 0,
		OnlineCapable: flags&1 == 0 && flags&2 != 0,
	})
}
