// Package acpi reads what firmware says about the machine - processors,
// interrupt routing, timers, power - and switches it off or resets it.
//
// Boot calls Parse once, with the RSDP from the boot information or from
// FindRSDP. The result is never changed afterwards, so it may be used from
// any CPU, also on the way out of a panic: PowerOff, Reset and the power
// button take no locks and allocate nothing.
//
// There is no AML interpreter. Two things are recognised by their encoding:
// the constant package _S5_, which says how to switch off, and on
// hardware-reduced machines the event device that reports the power button
// when its _EVT method has the shape QEMU's microvm gives it (see aml.go).
// Sections cited are those of the ACPI specification, release 6.4.
//
// Tables are taken from memory that anyone may have written: every length is
// checked, each table is looked at once, and what is found is bounded.
package acpi

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Memory gives access to what firmware left in physical memory.
type Memory interface {
	// Bytes returns the n bytes at physical address pa, or nil if they are
	// not all mapped. Tables keeps slices of them.
	Bytes(pa uint64, n int) []byte
}

// Bounds on what is believed. The largest tables known, DSDTs of big
// servers, are well under a megabyte.
const (
	maxTable  = 2 << 20 // bytes in a table
	maxTables = 128     // tables in the XSDT or RSDT
	maxCPUs   = 4096
	maxRoutes = 256 // I/O APICs; overrides
)

// Tables is what firmware says. Parts that are missing are zero.
type Tables struct {
	CPUs      []CPU
	IOAPICs   []IOAPIC
	Overrides []Override
	LAPIC     uint64 // physical address of the local APICs
	PIC       bool   // there are also two 8259s, which must be masked
	FADT      FADT
	HPET      uint64 // physical address of the event timer's registers, or 0
	S5        S5
	Event     *Event  // the generic event device, hardware-reduced machines only
	Skipped   []error // tables that were ignored because they are damaged

	tables [][]byte
}

var le = binary.LittleEndian

// header is the size of what all tables but the RSDP begin with (5.2.6).
const header = 36

// Parse reads the tables that the RSDP at physical address rsdp leads to. A
// damaged RSDP, root table, MADT or FADT is an error; a missing one, or
// damage elsewhere, is not.
func Parse(m Memory, rsdp uint64) (*Tables, error) {
	entries, err := root(m, rsdp)
	if err != nil {
		return nil, err
	}
	t := new(Tables)
	for _, pa := range entries {
		b, err := table(m, pa)
		if err != nil {
			if sig := read(m, pa, 4); string(sig) == "APIC" || string(sig) == "FACP" {
				return nil, err
			}
			t.Skipped = append(t.Skipped, err)
			continue
		}
		t.tables = append(t.tables, b)
	}
	if b := t.Find("APIC"); b != nil {
		if err := t.parseMADT(b); err != nil {
			return nil, err
		}
	}
	var dsdt []byte
	if b := t.Find("FACP"); b != nil {
		pa, err := t.FADT.parse(b)
		if err != nil {
			return nil, err
		}
		if dsdt, err = table(m, pa); err != nil {
			t.Skipped = append(t.Skipped, err)
		} else {
			t.tables = append(t.tables, dsdt)
		}
	}
	if b := t.Find("HPET"); len(b) >= 52 { // IA-PC HPET specification, 3.2.4
		if g := parseGAS(b[40:]); g.Space == SystemMemory {
			t.HPET = g.Addr
		}
	}
	t.parseAML(dsdt)
	return t, nil
}

// parseAML looks for what is wanted in the DSDT, then in the SSDTs.
func (t *Tables) parseAML(dsdt []byte) {
	code := [][]byte{dsdt}
	for _, b := range t.tables {
		if string(b[:4]) == "SSDT" {
			code = append(code, b)
		}
	}
	for _, b := range code {
		if len(b) < header {
			continue
		}
		b = b[header:]
		if !t.S5.Valid {
			t.S5 = findS5(b)
		}
		if t.Event == nil && t.FADT.HWReduced() {
			t.Event = findEvent(b)
		}
	}
}

// Find returns the first sound table with a signature, whole, or nil. It
// serves drivers of what this package doesn't decode (MCFG, SRAT).
func (t *Tables) Find(signature string) []byte {
	for _, b := range t.tables {
		if string(b[:4]) == signature {
			return b
		}
	}
	return nil
}

// read returns n bytes at pa, or nil.
func read(m Memory, pa uint64, n int) []byte {
	if pa == 0 || pa+uint64(n) < pa {
		return nil
	}
	b := m.Bytes(pa, n)
	if len(b) < n {
		return nil
	}
	return b[:n:n]
}

// table returns the table at pa after checking its length and sum.
func table(m Memory, pa uint64) ([]byte, error) {
	h := read(m, pa, header)
	if h == nil {
		return nil, fmt.Errorf("acpi: no table at %#x", pa)
	}
	n := le.Uint32(h[4:])
	if n < header || n > maxTable {
		return nil, fmt.Errorf("acpi: table %q at %#x has length %d", h[:4], pa, n)
	}
	b := read(m, pa, int(n))
	if b == nil {
		return nil, fmt.Errorf("acpi: table %q at %#x is cut off", h[:4], pa)
	}
	if sum(b) != 0 {
		return nil, fmt.Errorf("acpi: table %q at %#x: bad checksum", h[:4], pa)
	}
	return b, nil
}

func sum(b []byte) (s uint8) {
	for _, c := range b {
		s += c
	}
	return s
}

var errShort = errors.New("acpi: entry cut off")
