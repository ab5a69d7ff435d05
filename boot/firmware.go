//go:build tamago

package boot

import (
	"unsafe"

	"mult/arch/amd64"
)

// firmware is acpi.Memory: tables are in memory that may not be RAM.
type firmware struct{}

func (firmware) Bytes(pa uint64, n int) []byte {
	if n <= 0 || amd64.MapDevice(pa, uint64(n)) == nil {
		return nil
	}
	return amd64.Bytes(pa, n)
}

// ports is acpi.IO. Registers in memory are mapped on their first use.
type ports struct{}

func (ports) In8(port uint16) uint8       { return amd64.In8(port) }
func (ports) In16(port uint16) uint16     { return amd64.In16(port) }
func (ports) In32(port uint16) uint32     { return amd64.In32(port) }
func (ports) Out8(port uint16, v uint8)   { amd64.Out8(port, v) }
func (ports) Out16(port uint16, v uint16) { amd64.Out16(port, v) }
func (ports) Out32(port uint16, v uint32) { amd64.Out32(port, v) }

func (ports) Read8(pa uint64) uint8       { return *reg[uint8](pa) }
func (ports) Read16(pa uint64) uint16     { return *reg[uint16](pa) }
func (ports) Read32(pa uint64) uint32     { return *reg[uint32](pa) }
func (ports) Write8(pa uint64, v uint8)   { *reg[uint8](pa) = v }
func (ports) Write16(pa uint64, v uint16) { *reg[uint16](pa) = v }
func (ports) Write32(pa uint64, v uint32) { *reg[uint32](pa) = v }

// noRegister stands for registers where nothing can be mapped.
var noRegister uint64

func reg[T uint8 | uint16 | uint32](pa uint64) *T {
	p := amd64.MapDevice(pa, 8)
	if p == nil {
		return (*T)(unsafe.Pointer(&noRegister))
	}
	return (*T)(p)
}
