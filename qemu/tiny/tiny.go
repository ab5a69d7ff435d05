// Package tiny makes very small guests: a few bytes of 32-bit code in an ELF
// file with a PVH note, booted by QEMU the way it boots the kernel. The harness
// probes KVM with one and is tested with others, and make bench times one, so
// none of them needs a kernel.
//
// A Prog is written by calling its methods in the order in which the guest is
// to do things; a guest that falls off the end halts.
package tiny

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
)

const (
	base     = 0x100000 // where the file is loaded, headers and all
	stackTop = 0x80000  // free conventional memory below the loader's data

	headerSize = 64 + 2*56  // ELF header, two program headers
	noteSize   = 12 + 4 + 8 // note header, "Xen\0", entry address
	codeAt     = base + headerSize + noteSize

	pvhEntry = 18 // XEN_ELFNOTE_PHYS32_ENTRY
)

// Prog is a guest program under construction.
type Prog struct {
	code             []byte
	puts, putc, getc uint32 // addresses of the subroutines
}

// New returns a program that sets up a stack and then does nothing yet.
func New() *Prog {
	p := &Prog{}
	p.emit(0xbc).imm32(stackTop) // mov esp, stackTop
	p.over(func() {
		// putc sends AL to COM1, keeps AL.
		p.putc = p.here()
		p.emit(
			0x88, 0xc4, // mov ah, al
			0xba, 0xfd, 0x03, 0, 0, // mov edx, 0x3fd: line status
			0xec,       // wait: in al, dx
			0xa8, 0x20, // test al, 0x20: transmitter empty
			0x74, 0xfb, // jz wait
			0x88, 0xe0, // mov al, ah
			0xb2, 0xf8, // mov dl, 0xf8: data
			0xee, // out dx, al
			0xc3) // ret

		// getc waits for a byte from COM1 and returns it in AL.
		p.getc = p.here()
		p.emit(
			0xba, 0xfd, 0x03, 0, 0, // mov edx, 0x3fd
			0xec,       // wait: in al, dx
			0xa8, 0x01, // test al, 1: data ready
			0x74, 0xfb, // jz wait
			0xb2, 0xf8, // mov dl, 0xf8
			0xec, // in al, dx
			0xc3) // ret

		// puts prints the string at ESI up to its NUL.
		p.puts = p.here()
		p.emit(
			0xac,       // next: lodsb
			0x84, 0xc0, // test al, al
			0x75, 0x01, // jnz +1
			0xc3) // ret
		p.call(p.putc)
		p.emit(0xeb, 0xf3) // jmp next
	})
	return p
}

// Print writes s, which holds no NUL, to the serial console.
func (p *Prog) Print(s string) *Prog {
	var at uint32
	p.over(func() {
		at = p.here()
		p.emit(append([]byte(s), 0)...)
	})
	p.emit(0xbe).imm32(at) // mov esi, at
	return p.call(p.puts)
}

// PrintCommandLine writes the kernel command line. It must come first: EBX
// holds the PVH start information, whose field at 24 is its address.
func (p *Prog) PrintCommandLine() *Prog {
	p.emit(0x8b, 0x73, 0x18) // mov esi, [ebx+24]
	return p.call(p.puts)
}

// Echo sends back what it reads, up to and including the byte until.
func (p *Prog) Echo(until byte) *Prog {
	p.call(p.getc).call(p.putc)
	return p.emit(
		0x3c, until, // cmp al, until
		0x75, 0xf2) // jne to the first call
}

// Exit ends the run through isa-debug-exit at port 0xf4.
func (p *Prog) Exit(status uint32) *Prog {
	p.emit(0xb8).imm32(status) // mov eax, status
	return p.emit(0xe7, 0xf4)  // out 0xf4, eax
}

// PowerOff is ACPI S5 as wired on both machines: the PM1a control register of
// q35, and the sleep control register of microvm's generic event device.
func (p *Prog) PowerOff() *Prog {
	return p.emit(
		0xba, 0x04, 0x06, 0, 0, // mov edx, 0x604
		0xb8, 0, 0x20, 0, 0, // mov eax, SLP_EN
		0x66, 0xef, // out dx, ax
		0xc6, 0x05, 0, 0x02, 0xa0, 0xfe, 0x34) // mov byte [0xfea00200], SLP_EN|S5
}

// TripleFault makes the processor reset the machine.
func (p *Prog) TripleFault() *Prog {
	var at uint32
	p.over(func() {
		at = p.here()
		p.emit(0, 0, 0, 0, 0, 0) // an empty IDT
	})
	p.emit(0x0f, 0x01, 0x1d).imm32(at) // lidt [at]
	return p.emit(0xcc)                // int3
}

// Spin loops for ever.
func (p *Prog) Spin() *Prog { return p.emit(0xeb, 0xfe) }

// ELF returns the program as an image for QEMU's -kernel.
func (p *Prog) ELF() []byte {
	code := append(bytes.Clone(p.code), 0xfa, 0xf4, 0xeb, 0xfd) // cli; hlt; jmp to hlt
	size := uint64(headerSize + noteSize + len(code))

	var b bytes.Buffer
	put := func(v any) { binary.Write(&b, binary.LittleEndian, v) } // a Buffer takes all
	put(elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F',
			byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Entry: codeAt, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 2,
	})
	put(elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_W | elf.PF_X),
		Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 4096,
	})
	put(elf.Prog64{
		Type: uint32(elf.PT_NOTE), Flags: uint32(elf.PF_R),
		Off: headerSize, Vaddr: base + headerSize, Paddr: base + headerSize,
		Filesz: noteSize, Memsz: noteSize, Align: 4,
	})
	put([3]uint32{4, 8, pvhEntry}) // sizes of name and value, type
	put([4]byte{'X', 'e', 'n', 0})
	put(uint64(codeAt))
	b.Write(code)
	return b.Bytes()
}

// here is the address of the next instruction.
func (p *Prog) here() uint32 { return codeAt + uint32(len(p.code)) }

func (p *Prog) emit(b ...byte) *Prog {
	p.code = append(p.code, b...)
	return p
}

func (p *Prog) imm32(v uint32) *Prog {
	p.code = binary.LittleEndian.AppendUint32(p.code, v)
	return p
}

func (p *Prog) call(target uint32) *Prog {
	p.emit(0xe8)
	return p.imm32(target - (p.here() + 4))
}

// over places what body emits and has the program jump over it.
func (p *Prog) over(body func()) {
	p.emit(0xe9).imm32(0)
	start := len(p.code)
	body()
	binary.LittleEndian.PutUint32(p.code[start-4:], uint32(len(p.code)-start))
}
