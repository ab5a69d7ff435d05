package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
)

// firstLine is what Linux's init prints.
const firstLine = "init is up\n"

// initProgram returns a static program for Linux that prints firstLine and
// then waits for ever. It is a few bytes of machine code: whatever a larger
// init costs to unpack, load and start would count as Linux's time.
func initProgram() []byte {
	const base, headers = 0x400000, 64 + 56
	code := []byte{
		0xb8, 1, 0, 0, 0, // mov eax, 1: write
		0xbf, 1, 0, 0, 0, // mov edi, 1: standard output
		0x48, 0x8d, 0x35, 16, 0, 0, 0, // lea rsi, [rip+16]: the text
		0xba, byte(len(firstLine)), 0, 0, 0, // mov edx, length
		0x0f, 0x05, // syscall
		0xb8, 34, 0, 0, 0, // wait: mov eax, 34: pause
		0x0f, 0x05, // syscall
		0xeb, 0xf7, // jmp wait
	}
	code = append(code, firstLine...)
	size := uint64(headers + len(code))

	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) } // a Buffer takes all
	put(elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F',
			byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Entry: base + headers, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	})
	put(elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 4096,
	})
	b.Write(code)
	return b.Bytes()
}

// archived is a program in an archive.
type archived struct {
	name    string
	program []byte
}

// initramfs returns an archive with a program as /init, and others, in the format
// that cpio calls newc. The kernel itself brings /dev/console.
func initramfs(init []byte, others ...archived) []byte {
	var b bytes.Buffer
	pad := func() {
		for b.Len()%4 != 0 {
			b.WriteByte(0)
		}
	}
	add := func(name string, mode int, data []byte) {
		const links = 1
		b.WriteString("070701")
		for _, field := range []int{0, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0} {
			fmt.Fprintf(&b, "%08x", field)
		}
		b.WriteString(name + "\x00")
		pad()
		b.Write(data)
		pad()
	}
	for _, f := range append([]archived{{"init", init}}, others...) {
		add(f.name, 0o100755, f.program)
	}
	add("TRAILER!!!", 0, nil)
	return b.Bytes()
}
