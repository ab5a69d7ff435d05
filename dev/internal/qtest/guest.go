//go:build !tamago

package qtest

import "encoding/binary"

const (
	guestBase = 0x100000          // where the guest is loaded, its first byte
	guestNote = guestBase + 0xffc // where it keeps the address of its start information
)

// guest returns an ELF file with a PVH note that does as little as possible.
func guest() []byte {
	const (
		header = 52
		prog   = 32
		note   = header + 2*prog
		code   = note + 20
	)
	var le = binary.LittleEndian
	w := func(b []byte, v ...uint32) []byte {
		for _, v := range v {
			b = le.AppendUint32(b, v)
		}
		return b
	}
	h := func(b []byte, v ...uint16) []byte {
		for _, v := range v {
			b = le.AppendUint16(b, v)
		}
		return b
	}
	text := append([]byte{0x89, 0x1d}, w(nil, guestNote)...) // mov %ebx, guestNote
	text = append(text, 0xfa, 0xf4, 0xeb, 0xfc)              // cli; 1: hlt; jmp 1b
	size := uint32(code + len(text))

	b := append([]byte{0x7f, 'E', 'L', 'F', 1, 1, 1}, make([]byte, 9)...)
	b = h(b, 2, 3)                            // executable, i386
	b = w(b, 1, guestBase+code, header, 0, 0) // version, entry, program headers, no sections
	b = h(b, header, prog, 2, 0, 0, 0)
	b = w(b, 1, 0, guestBase, guestBase, size, 0x1000, 7, 4)        // PT_LOAD
	b = w(b, 4, note, guestBase+note, guestBase+note, 20, 20, 4, 4) // PT_NOTE
	b = append(w(b, 4, 4, 18), "Xen\x00"...)                        // XEN_ELFNOTE_PHYS32_ENTRY
	b = w(b, guestBase+code)
	return append(b, text...)
}
