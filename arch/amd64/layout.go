//go:build tamago

package amd64

import "unsafe"

// The upper half of every address space is the kernel's; the lower half
// belongs to programs.
const (
	// DirectMap is where physical memory is mapped, one to one.
	DirectMap = 0xffff888000000000
	// DirectMapSize is the physical memory that can be mapped there.
	DirectMapSize = 1 << 39
	// ImageBase is where physical address 0 would be in the mapping of the
	// kernel image, the top 2 GiB.
	ImageBase = 0xffffffff80000000

	// PageSize is the size of a page frame in bytes.
	PageSize = 4096
)

// Ptr returns a pointer to physical memory, which must be mapped: RAM, or
// what MapDevice has mapped.
func Ptr(pa uint64) unsafe.Pointer { return unsafe.Pointer(uintptr(DirectMap + pa)) }

// Bytes returns n bytes of physical memory, as Ptr.
func Bytes(pa uint64, n int) []byte { return unsafe.Slice((*byte)(Ptr(pa)), n) }
