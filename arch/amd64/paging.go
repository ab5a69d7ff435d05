//go:build tamago

package amd64

import (
	"sync/atomic"
	"unsafe"
)

// Page table entries, SDM 3A, 4.5.
const (
	ptePresent = 1 << 0
	pteWrite   = 1 << 1
	pteWT      = 1 << 3
	pteCD      = 1 << 4
	pteLarge   = 1 << 7
	pteNX      = 1 << 63
	pteAddr    = 0x000ffffffffff000

	size2M = 2 << 20
	size1G = 1 << 30
)

// Frames is where page tables and the heap get their frames from: physical
// addresses of PageSize bytes, contents undefined. Boot sets it before
// BuildTables.
var Frames struct {
	Alloc func() (pa uint64, ok bool)
	Free  func(pa uint64)
}

// kernelTable is the physical address of the kernel's top-level table. Its
// upper half will be that of all address spaces, so its entries for the heap
// and the direct map exist from the start.
var kernelTable uint64

func table(pa uint64) *[512]uint64 { return (*[512]uint64)(Ptr(pa)) }

// newTable returns a zeroed table; without memory for it the kernel can't go on.
func newTable() uint64 {
	pa, ok := Frames.Alloc()
	if !ok {
		return 0
	}
	clear(table(pa)[:])
	return pa
}

// entry returns the entry for va in the table of the given level, the address
// bits from shift, and makes missing tables; nil if memory is short. Several
// processors may do so at once.
func entry(va uint64, shift uint) *uint64 {
	t := kernelTable
	for s := uint(39); s > shift; s -= 9 {
		e := &table(t)[va>>s&511]
		v := atomic.LoadUint64(e)
		if v == 0 {
			n := newTable()
			if n == 0 {
				return nil
			}
			if atomic.CompareAndSwapUint64(e, 0, n|ptePresent|pteWrite) {
				v = n
				if va>>39 == heapWindow>>39 {
					HeapFrames.Add(1)
				}
			} else {
				Frames.Free(n)
				v = atomic.LoadUint64(e)
			}
		}
		t = v & pteAddr
	}
	return &table(t)[va>>shift&511]
}

// BuildTables makes the kernel's page tables and switches to them: the image
// with its permissions, a direct map of RAM that nothing in executes, and
// nothing else; address 0 is gone. It reports false if memory is short. The
// boot tables must map what Frames hands out.
func BuildTables(ram [][2]uint64) bool {
	kernelTable = newTable()
	if kernelTable == 0 {
		return false
	}
	img := image()
	ok := entry(heapWindow, 30) != nil
	for _, r := range ram {
		start, end := r[0]&^(PageSize-1), (r[1]+PageSize-1)&^(PageSize-1)
		ok = ok && mapDirect(start, end, img)
	}
	for pa := img.start; pa < img.end; pa += PageSize {
		e := entry(ImageBase+pa, 12)
		if e == nil {
			return false
		}
		*e = pa | img.flags(pa)
	}
	ok = ok && MapDevice(lapicBase, PageSize) != nil
	if ok {
		writeCR3(kernelTable)
	}
	return ok
}

// mapDirect maps [pa, end) in the direct map with the largest pages that fit.
// The image's text and constants are read-only there, too.
func mapDirect(pa, end uint64, img imageMap) bool {
	_, _, _, d := CPUID(0x80000001, 0)
	giant := d>>26&1 != 0
	for pa < end {
		n, shift, flags := uint64(PageSize), uint(12), uint64(ptePresent|pteWrite|pteNX)
		switch {
		case pa < img.end+size2M: // single pages around the image
			if pa >= img.start && pa < img.end && img.flags(pa)&pteWrite == 0 {
				flags &^= pteWrite
			}
		case giant && pa%size1G == 0 && end-pa >= size1G:
			n, shift = size1G, 30
			flags |= pteLarge
		case pa%size2M == 0 && end-pa >= size2M:
			n, shift = size2M, 21
			flags |= pteLarge
		}
		e := entry(DirectMap+pa, shift)
		if e == nil {
			return false
		}
		*e = pa | flags
		pa += n
	}
	return true
}

// MapDevice maps n bytes of device registers or firmware tables at pa in the
// direct map, not cached. What is mapped already, such as RAM, stays as it is.
// It returns nil if pa is out of range or memory is short.
func MapDevice(pa, n uint64) unsafe.Pointer {
	if n == 0 || pa >= DirectMapSize || n > DirectMapSize-pa {
		return nil
	}
	for p := pa &^ (PageSize - 1); p < pa+n; p += PageSize {
		if mapped(DirectMap + p) {
			continue
		}
		e := entry(DirectMap+p, 12)
		if e == nil {
			return nil
		}
		*e = p | ptePresent | pteWrite | pteWT | pteCD | pteNX
	}
	return Ptr(pa)
}

// mapped reports whether va is mapped in the kernel's tables.
func mapped(va uint64) bool {
	t := kernelTable
	for s := uint(39); ; s -= 9 {
		v := table(t)[va>>s&511]
		if v&ptePresent == 0 {
			return false
		}
		if s == 12 || v&pteLarge != 0 {
			return true
		}
		t = v & pteAddr
	}
}

// imageMap is where the image lies in physical memory.
type imageMap struct {
	start, textEnd, dataStart, end uint64
}

func image() imageMap {
	text, textEnd, data, end := imageSymbols()
	pa := func(v uintptr) uint64 { return uint64(v) - ImageBase }
	return imageMap{
		start:     pa(text) &^ (PageSize - 1),
		textEnd:   (pa(textEnd) + PageSize - 1) &^ (PageSize - 1),
		dataStart: pa(data) &^ (PageSize - 1),
		end:       (pa(end) + PageSize - 1) &^ (PageSize - 1),
	}
}

// flags returns the permissions of the image's page at pa: no page can be
// both written and executed.
func (m imageMap) flags(pa uint64) uint64 {
	switch {
	case pa < m.textEnd:
		return ptePresent
	case pa < m.dataStart:
		return ptePresent | pteNX
	}
	return ptePresent | pteNX | pteWrite
}

// ImageRange returns the physical memory of the kernel image.
func ImageRange() (start, end uint64) {
	m := image()
	return m.start, m.end
}

// TextRange returns the addresses of the kernel's code.
func TextRange() (start, end uintptr) {
	start, end, _, _ = imageSymbols()
	return start, end
}

// imageSymbols returns the linker's symbols; paging.s.
func imageSymbols() (text, textEnd, data, end uintptr)
