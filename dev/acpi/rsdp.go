package acpi

import (
	"errors"
	"fmt"
)

// The root system description pointer (5.2.5.3).
const (
	rsdpV1 = 20 // its size in ACPI 1.0
	rsdpV2 = 36
)

// checkRSDP returns the RSDP at pa, in the length that its revision has.
func checkRSDP(m Memory, pa uint64) ([]byte, error) {
	b := read(m, pa, rsdpV1)
	if b == nil || string(b[:8]) != "RSD PTR " {
		return nil, fmt.Errorf("acpi: no RSDP at %#x", pa)
	}
	if sum(b) != 0 {
		return nil, errors.New("acpi: RSDP: bad checksum")
	}
	if b[15] < 2 {
		return b, nil
	}
	b = read(m, pa, rsdpV2)
	if b == nil || le.Uint32(b[20:]) < rsdpV2 {
		return nil, errors.New("acpi: RSDP is cut off")
	}
	if sum(b) != 0 {
		return nil, errors.New("acpi: RSDP: bad extended checksum")
	}
	return b, nil
}

// root returns the addresses of the tables: those in the XSDT, or of the
// RSDT if there is no XSDT. An address is given once.
func root(m Memory, rsdp uint64) ([]uint64, error) {
	b, err := checkRSDP(m, rsdp)
	if err != nil {
		return nil, err
	}
	signature, pa, size := "RSDT", uint64(le.Uint32(b[16:])), 4
	if len(b) >= rsdpV2 {
		if xsdt := le.Uint64(b[24:]); xsdt != 0 {
			signature, pa, size = "XSDT", xsdt, 8
		}
	}
	b, err = table(m, pa)
	if err != nil {
		return nil, err
	}
	if string(b[:4]) != signature {
		return nil, fmt.Errorf("acpi: %q instead of the %s", b[:4], signature)
	}
	var entries []uint64
	seen := make(map[uint64]bool)
	for b = b[header:]; len(b) >= size && len(entries) < maxTables; b = b[size:] {
		pa := uint64(le.Uint32(b))
		if size == 8 {
			pa = le.Uint64(b)
		}
		if pa != 0 && !seen[pa] {
			seen[pa] = true
			entries = append(entries, pa)
		}
	}
	return entries, nil
}

// FindRSDP searches where a PC BIOS leaves the RSDP (5.2.5.1), for boot
// protocols that don't pass it on: the first KiB of the extended BIOS data
// area, then the BIOS's read-only memory.
func FindRSDP(m Memory) (pa uint64, ok bool) {
	const ebdaSegment = 0x40e // in the BIOS data area
	areas := [][2]uint64{{}, {0xe0000, 0x100000}}
	if b := read(m, ebdaSegment, 2); b != nil {
		if ebda := uint64(le.Uint16(b)) << 4; ebda >= 0x400 {
			areas[0] = [2]uint64{ebda, ebda + 1024}
		}
	}
	for _, a := range areas {
		for pa := a[0]; pa < a[1]; pa += 16 {
			if _, err := checkRSDP(m, pa); err == nil {
				return pa, true
			}
		}
	}
	return 0, false
}
