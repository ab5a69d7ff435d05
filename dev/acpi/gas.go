package acpi

// IO reaches the machine's registers.
type IO interface {
	In8(port uint16) uint8
	In16(port uint16) uint16
	In32(port uint16) uint32
	Out8(port uint16, v uint8)
	Out16(port uint16, v uint16)
	Out32(port uint16, v uint32)

	// Registers at physical addresses, accessed in one piece and uncached.
	Read8(pa uint64) uint8
	Read16(pa uint64) uint16
	Read32(pa uint64) uint32
	Write8(pa uint64, v uint8)
	Write16(pa uint64, v uint16)
	Write32(pa uint64, v uint32)
}

// Space is an address space of registers (table 5.1).
type Space uint8

// The address spaces that x86 firmware uses for what is decoded here.
const (
	SystemMemory Space = 0
	SystemIO     Space = 1
	PCIConfig    Space = 2 // bus 0 only
)

// GAS is a generic address structure: where a register is (5.2.3.2). Its
// width follows from what it is; the widths that tables give are often
// wrong.
type GAS struct {
	Space Space
	Addr  uint64
}

// parseGAS decodes the 12 bytes at the start of b.
func parseGAS(b []byte) GAS { return GAS{Space: Space(b[0]), Addr: le.Uint64(b[4:])} }

// port is a register block of ACPI 1.0: a port number of 4 bytes, valid if
// the block has a length.
func port(b []byte, length uint8) GAS {
	g := GAS{Space: SystemIO, Addr: uint64(le.Uint32(b))}
	if length == 0 || !g.ok() {
		return GAS{}
	}
	return g
}

// ok reports whether the register is there and can be reached.
func (g GAS) ok() bool {
	switch g.Space {
	case SystemMemory:
		return g.Addr != 0
	case SystemIO:
		return g.Addr != 0 && g.Addr <= 0xffff
	case PCIConfig:
		return g.Addr>>48 == 0 && g.Addr>>32&0xffff < 32 && g.Addr>>16&0xffff < 8 && g.Addr&0xffff < 256
	}
	return false
}

// Read32 reads a register of 32 bits, the PM timer.
func (g GAS) Read32(io IO) uint32 {
	switch {
	case !g.ok():
	case g.Space == SystemMemory:
		return io.Read32(g.Addr)
	case g.Space == SystemIO:
		return io.In32(uint16(g.Addr))
	}
	return ^uint32(0)
}

func (g GAS) read16(io IO) uint16 {
	switch {
	case !g.ok():
	case g.Space == SystemMemory:
		return io.Read16(g.Addr)
	case g.Space == SystemIO:
		return io.In16(uint16(g.Addr))
	}
	return ^uint16(0)
}

func (g GAS) write16(io IO, v uint16) {
	switch {
	case !g.ok():
	case g.Space == SystemMemory:
		io.Write16(g.Addr, v)
	case g.Space == SystemIO:
		io.Out16(uint16(g.Addr), v)
	}
}

// Ports of PCI configuration mechanism 1.
const (
	pciAddress = 0xcf8
	pciData    = 0xcfc
)

func (g GAS) write8(io IO, v uint8) {
	switch {
	case !g.ok():
	case g.Space == SystemMemory:
		io.Write8(g.Addr, v)
	case g.Space == SystemIO:
		io.Out8(uint16(g.Addr), v)
	case g.Space == PCIConfig:
		device, function, offset := uint32(g.Addr>>32), uint32(g.Addr>>16&7), uint32(g.Addr&0xff)
		io.Out32(pciAddress, 1<<31|device<<11|function<<8|offset&^3)
		io.Out8(pciData+uint16(offset&3), v)
	}
}

// plus returns the register n bytes further.
func (g GAS) plus(n uint64) GAS { return GAS{Space: g.Space, Addr: g.Addr + n} }
