package acpi

import "errors"

// Reasons why the machine stays as it is.
var (
	ErrNoPower  = errors.New("acpi: firmware gives no way to switch off")
	ErrNoReset  = errors.New("acpi: firmware gives no way to reset")
	ErrNoButton = errors.New("acpi: firmware gives no power button")
	ErrNotACPI  = errors.New("acpi: firmware doesn't hand over events")
	ErrStillOn  = errors.New("acpi: the machine is still running")
)

// PM1 registers (4.8.3).
const (
	pm1PowerButton = 1 << 8  // in status (write 1 to clear) and enable
	pm1Wake        = 1 << 15 // in status
	pm1SCI         = 1 << 0  // in control: events raise SCIs, not SMIs
	pm1Type        = 7 << 10 // in control
	pm1Sleep       = 1 << 13 // in control
)

// Sleep registers of hardware-reduced machines (4.8.3.7).
const (
	sleepType  = 7 << 2 // in control
	sleepStart = 1 << 5 // in control
	sleepWake  = 1 << 7 // in status
)

// patience is how often a register is read before giving up: about a second,
// as an access takes the order of a microsecond.
const patience = 1 << 20

// Enable makes events of the fixed registers raise SCIs, and switching off
// the kernel's business, if firmware did not do so.
func (t *Tables) Enable(io IO) error {
	f := &t.FADT
	if f.HWReduced() {
		return nil
	}
	if !f.PM1aCnt.ok() {
		return ErrNotACPI
	}
	on := func() bool { return f.PM1aCnt.read16(io)&pm1SCI != 0 }
	if on() || f.SMICmd == 0 || f.ACPIEnable == 0 { // without commands it is always so
		return nil
	}
	io.Out8(f.SMICmd, f.ACPIEnable)
	for range patience {
		if on() {
			return nil
		}
	}
	return ErrNotACPI
}

// PowerOff switches the machine off (7.4.2, 16.1). If it returns, it failed.
func (t *Tables) PowerOff(io IO) error {
	f := &t.FADT
	if !t.S5.Valid {
		return ErrNoPower
	}
	if f.HWReduced() {
		if !f.SleepControl.ok() {
			return ErrNoPower
		}
		f.SleepStatus.write8(io, sleepWake)
		f.SleepControl.write8(io, t.S5.TypA<<2&sleepType|sleepStart)
		return wait(io)
	}
	if !f.PM1aCnt.ok() {
		return ErrNoPower
	}
	_ = t.Enable(io) // if it fails, the rest may still work
	f.PM1aEvt.write16(io, pm1Wake)
	f.PM1bEvt.write16(io, pm1Wake)
	// Types first, then start: the specification wants two steps where
	// there are two registers, and machines accept them everywhere.
	a := f.PM1aCnt.read16(io)&^(pm1Type|pm1Sleep) | uint16(t.S5.TypA)<<10
	b := uint16(0)
	f.PM1aCnt.write16(io, a)
	if f.PM1bCnt.ok() {
		b = f.PM1bCnt.read16(io)&^(pm1Type|pm1Sleep) | uint16(t.S5.TypB)<<10
		f.PM1bCnt.write16(io, b)
	}
	f.PM1aCnt.write16(io, a|pm1Sleep)
	f.PM1bCnt.write16(io, b|pm1Sleep)
	return wait(io)
}

// Reset restarts the machine by its reset register (4.8.3.6), or if it has
// none by the keyboard controller. If it returns, it failed.
func (t *Tables) Reset(io IO) error {
	f := &t.FADT
	switch {
	case f.Reset.ok():
		f.Reset.write8(io, f.ResetValue)
	case f.Has8042():
		const command, pulse, busy = 0x64, 0xfe, 2
		for range patience {
			if io.In8(command)&busy == 0 {
				break
			}
		}
		io.Out8(command, pulse)
	default:
		return ErrNoReset
	}
	return wait(io)
}

// wait gives what has been started time to happen.
func wait(io IO) error {
	const delay = 0x80 // port of diagnostic codes, harmless to read
	for range patience {
		io.In8(delay)
	}
	return ErrStillOn
}

// EnablePowerButton asks for an interrupt when the power button is pressed
// and returns which one it is. It may be shared with other events. The
// caller routes it and calls PowerButtonPressed each time it comes.
func (t *Tables) EnablePowerButton(io IO) (IRQ, error) {
	f := &t.FADT
	if f.HWReduced() {
		if t.Event == nil {
			return IRQ{}, ErrNoButton
		}
		return t.Event.IRQ, nil // the device has nothing to enable
	}
	if f.Flags&flagPowerButton != 0 || !f.PM1aEvt.ok() || f.PM1EvtLen < 4 {
		return IRQ{}, ErrNoButton
	}
	if err := t.Enable(io); err != nil {
		return IRQ{}, err
	}
	for _, status := range f.pm1() {
		if status.ok() {
			enable := status.plus(uint64(f.PM1EvtLen / 2))
			status.write16(io, pm1PowerButton)
			enable.write16(io, enable.read16(io)|pm1PowerButton)
		}
	}
	return t.SCI(), nil
}

// PowerButtonPressed reports whether the power button was pressed since the
// last call, and acknowledges it. On a hardware-reduced machine it
// acknowledges all events of the event device; there are no other users.
func (t *Tables) PowerButtonPressed(io IO) bool {
	f := &t.FADT
	if f.HWReduced() {
		return t.Event != nil && io.Read32(t.Event.Select)&t.Event.Mask != 0
	}
	pressed := false
	for _, status := range f.pm1() {
		if status.ok() && status.read16(io)&pm1PowerButton != 0 {
			status.write16(io, pm1PowerButton)
			pressed = true
		}
	}
	return pressed
}

func (f *FADT) pm1() [2]GAS { return [2]GAS{f.PM1aEvt, f.PM1bEvt} }
