package arch

import (
	"testing"
	"unsafe"
)

// TestAlignment wants FPU where XSAVE can write it, in whatever place the heap has
// for a Context.
func TestAlignment(t *testing.T) {
	var keep []*Context
	for range 1000 {
		c := NewContext()
		keep = append(keep, c, c.Clone())
	}
	for _, c := range keep {
		if a := uintptr(unsafe.Pointer(&c.FPU)); a%64 != 0 {
			t.Fatalf("FPU is at %#x", a)
		}
	}
}
