package acpi

import "bytes"

// This file recognises a few constant objects in AML (section 20.2) by
// their encoding. It doesn't follow the code: conditions, names that are
// built at run time and values that methods compute stay unknown.
//
// Functions that decode take the bytes from where an item should start and
// return how many bytes it takes, 0 if it isn't one.

// Opcodes.
const (
	opZero     = 0x00
	opOne      = 0x01
	opName     = 0x08
	opByte     = 0x0a
	opWord     = 0x0b
	opDWord    = 0x0c
	opString   = 0x0d
	opQWord    = 0x0e
	opBuffer   = 0x11
	opPackage  = 0x12
	opDual     = 0x2e // prefix of a name with two segments
	opMulti    = 0x2f // ... with a counted number
	opExt      = 0x5b
	opRoot     = '\\'
	opParent   = '^'
	opLocal0   = 0x60
	opAnd      = 0x7b
	opNotify   = 0x86
	opEqual    = 0x93
	opIf       = 0xa0
	opOnes     = 0xff
	extRegion  = 0x80
	extDevice  = 0x82
	spaceMem   = 0x00
	irqLarge   = 0x89 // extended interrupt descriptor (6.4.3.6)
	notifyPush = 0x80 // button pressed (5.6.7)
)

// S5 holds the codes that make writing SLP_EN switch the machine off.
type S5 struct {
	TypA, TypB uint8 // for PM1a and PM1b, or TypA for the sleep control register
	Valid      bool
}

// Event is the part of a generic event device (5.6.9) that concerns the
// power button.
type Event struct {
	Select uint64 // physical address of the 32-bit selector; reading clears it
	Mask   uint32 // its bit for the power button
	IRQ    IRQ
}

// pkgLength decodes the length of what it is part of (20.2.4).
func pkgLength(b []byte) (length, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	extra := int(b[0] >> 6)
	if len(b) <= extra {
		return 0, 0
	}
	length = int(b[0] & 0x3f)
	if extra > 0 {
		length = int(b[0] & 0xf)
	}
	for i := range extra {
		length |= int(b[1+i]) << (4 + 8*i)
	}
	return length, 1 + extra
}

// pkg returns what follows a PkgLength up to the end it gives.
func pkg(b []byte) []byte {
	length, n := pkgLength(b)
	if n == 0 || length < n || length > len(b) {
		return nil
	}
	return b[n:length]
}

// integer decodes a constant (20.2.3).
func integer(b []byte) (v uint64, n int) {
	if len(b) == 0 {
		return 0, 0
	}
	size := 0
	switch b[0] {
	case opZero:
		return 0, 1
	case opOne:
		return 1, 1
	case opOnes:
		return ^uint64(0), 1
	case opByte:
		size = 1
	case opWord:
		size = 2
	case opDWord:
		size = 4
	case opQWord:
		size = 8
	default:
		return 0, 0
	}
	if len(b) < 1+size {
		return 0, 0
	}
	for i := range size {
		v |= uint64(b[1+i]) << (8 * i)
	}
	return v, 1 + size
}

// name decodes a name (20.2.2) and returns its last segment.
func name(b []byte) (seg string, n int) {
	for n < len(b) && (b[n] == opRoot || b[n] == opParent) {
		n++
	}
	segs := 1
	switch rest := b[n:]; {
	case len(rest) == 0:
		return "", 0
	case rest[0] == opDual:
		segs = 2
		n++
	case rest[0] == opMulti && len(rest) > 1 && rest[1] > 0:
		segs = int(rest[1])
		n += 2
	}
	n += 4 * segs
	if n > len(b) {
		return "", 0
	}
	seg = string(b[n-4 : n])
	for i := range 4 {
		c := seg[i]
		if c != '_' && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return "", 0
		}
	}
	return seg, n
}

// named returns what follows each Name(seg, ...) in b until use accepts one.
func named(b []byte, seg string, use func([]byte) bool) {
	for {
		i := bytes.Index(b, []byte(seg))
		if i < 0 {
			return
		}
		before := b[:i]
		if i > 0 && b[i-1] == opRoot {
			before = b[:i-1]
		}
		b = b[i+len(seg):]
		if len(before) > 0 && before[len(before)-1] == opName && use(b) {
			return
		}
	}
}

// findS5 looks for Name(_S5_, Package(){typA, typB, ...}) (7.4.2.6).
func findS5(b []byte) (s S5) {
	named(b, "_S5_", func(b []byte) bool {
		if len(b) == 0 || b[0] != opPackage {
			return false
		}
		p := pkg(b[1:])
		if len(p) == 0 {
			return false
		}
		elements, p := p[0], p[1:]
		a, n := integer(p)
		if elements == 0 || n == 0 {
			return false
		}
		if elements == 1 { // both in one, as some firmware has it
			s = S5{TypA: uint8(a & 7), TypB: uint8(a >> 8 & 7), Valid: true}
			return true
		}
		v, n := integer(p[n:])
		if n == 0 {
			return false
		}
		s = S5{TypA: uint8(a & 7), TypB: uint8(v & 7), Valid: true}
		return true
	})
	return s
}

// findDevice returns the name and the body of the device whose _HID is id,
// or no name.
func findDevice(b []byte, id string) (seg string, body []byte) {
	hid := append([]byte{opName}, "_HID"...)
	hid = append(append(hid, opString), id...)
	at := bytes.Index(b, append(hid, 0))
	for i := at - 2; i >= 0; i-- { // outwards from the _HID
		if b[i] != opExt || b[i+1] != extDevice {
			continue
		}
		_, k := pkgLength(b[i+2:])
		p := pkg(b[i+2:])
		if s, n := name(p); n != 0 && i+2+k+len(p) > at {
			return s, p[n:]
		}
	}
	return "", nil
}

// findEvent looks for a generic event device with
//
//	OperationRegion(x, SystemMemory, address, length)
//	Name(_CRS, Buffer(){one extended interrupt})
//
// and, in its _EVT method, for
//
//	If (LEqual(And(Local0, mask), mask)) { Notify(button, 0x80) ... }
//
// where button has the _HID of a power button. That is QEMU's.
func findEvent(b []byte) *Event {
	button, _ := findDevice(b, "PNP0C0C")
	_, ged := findDevice(b, "ACPI0013")
	if button == "" || ged == nil {
		return nil
	}
	e := new(Event)
	ok := false
	named(ged, "_CRS", func(b []byte) bool {
		e.IRQ, ok = interrupt(b)
		return ok
	})
	if !ok {
		return nil
	}
	for i := range ged {
		b := ged[i:]
		if e.Select == 0 && len(b) > 1 && b[0] == opExt && b[1] == extRegion {
			e.Select = region(b[2:])
		}
		if e.Mask == 0 && b[0] == opIf {
			e.Mask = notifies(pkg(b[1:]), button)
		}
	}
	if e.Select == 0 || e.Mask == 0 {
		return nil
	}
	return e
}

// region decodes the operands of OperationRegion; it returns the address if
// the region is in memory and large enough for a selector.
func region(b []byte) uint64 {
	_, n := name(b)
	if n == 0 || n == len(b) || b[n] != spaceMem {
		return 0
	}
	b = b[n+1:]
	addr, n := integer(b)
	if length, k := integer(b[n:]); n == 0 || k == 0 || length < 4 {
		return 0
	}
	return addr
}

// notifies returns the mask if b is the inside of the If above.
func notifies(b []byte, button string) uint32 {
	if len(b) < 3 || b[0] != opEqual || b[1] != opAnd || b[2] != opLocal0 {
		return 0
	}
	b = b[3:]
	mask, n := integer(b)
	b = b[n:]
	if n == 0 || mask == 0 || mask > 0xffffffff || len(b) == 0 || b[0] != opZero { // the null target of And
		return 0
	}
	b = b[1:]
	value, n := integer(b)
	b = b[n:]
	if n == 0 || value != mask || len(b) == 0 || b[0] != opNotify {
		return 0
	}
	b = b[1:]
	seg, n := name(b)
	if v, k := integer(b[n:]); n == 0 || seg != button || k == 0 || v != notifyPush {
		return 0
	}
	return uint32(mask)
}

// interrupt decodes Buffer(){...} if its first resource is an extended
// interrupt descriptor.
func interrupt(b []byte) (irq IRQ, ok bool) {
	if len(b) == 0 || b[0] != opBuffer {
		return irq, false
	}
	b = pkg(b[1:])
	_, n := integer(b) // size
	b = b[n:]
	if n == 0 || len(b) < 9 || b[0] != irqLarge || le.Uint16(b[1:]) < 6 || b[4] == 0 {
		return irq, false
	}
	flags := b[3]
	return IRQ{GSI: le.Uint32(b[5:]), ActiveLow: flags&4 != 0, Level: flags&2 == 0}, true
}
