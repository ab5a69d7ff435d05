//go:build tamago

package main

import (
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"

	"mult/arch/amd64"
	"mult/boot"
	"mult/kern/mem"
)

// testHeap fills nearly all RAM with Go heap, drops it, takes the same RAM as
// frames, and back: nothing is split between the two.
func testHeap(e *env) error {
	debug.SetGCPercent(20)
	free := boot.Frames.Stats().Free * amd64.PageSize
	want := free / 100 * 85
	for round := range 3 {
		if err := fillHeap(want); err != nil {
			return fmt.Errorf("round %d: %v", round, err)
		}
		debug.FreeOSMemory()
		if now := boot.Frames.Stats().Free * amd64.PageSize; now < free/100*95 {
			return fmt.Errorf("round %d: %d MiB free after the heap was dropped, %d before", round, now>>20, free>>20)
		}
		if err := fillFrames(want); err != nil {
			return fmt.Errorf("round %d: %v", round, err)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	e.stat("ram_mib", e.Memory>>20)
	e.stat("filled_mib", want>>20)
	return nil
}

const chunk = 256 << 10

// fillHeap allocates n bytes in chunks that know their number, and looks at
// them again.
func fillHeap(n uint64) error {
	var all [][]uint64
	for i := uint64(0); i*chunk < n; i++ {
		c := make([]uint64, chunk/8)
		for j := 0; j < len(c); j += 512 {
			if c[j] != 0 {
				return errors.New("new heap memory is not zero")
			}
			c[j] = i
		}
		all = append(all, c)
	}
	if free := boot.Frames.Stats().Free * amd64.PageSize; free > n/4 {
		return fmt.Errorf("%d MiB of heap, yet %d MiB of frames are free", n>>20, free>>20)
	}
	for i, c := range all {
		for j := 0; j < len(c); j += 512 {
			if c[j] != uint64(i) {
				return fmt.Errorf("chunk %d of the heap holds %d", i, c[j])
			}
		}
	}
	return nil
}

// fillFrames takes n bytes in frames, writes to all, and gives them back.
func fillFrames(n uint64) error {
	var list mem.PA // a list through the frames: no heap is needed
	var got uint64
	for ; got < n; got += amd64.PageSize {
		pa, ok := boot.Frames.Alloc()
		if !ok {
			break
		}
		p := (*[amd64.PageSize / 8]uint64)(amd64.Ptr(uint64(pa)))
		p[0], p[511] = uint64(list), uint64(pa)
		list = pa
	}
	short := got < n
	for list != 0 {
		p := (*[amd64.PageSize / 8]uint64)(amd64.Ptr(uint64(list)))
		if p[511] != uint64(list) {
			return fmt.Errorf("frame %#x was written by somebody else", list)
		}
		next := mem.PA(p[0])
		boot.Frames.Free(list)
		list = next
	}
	if short {
		return fmt.Errorf("only %d MiB of %d in frames", got>>20, n>>20)
	}
	return nil
}

// testInitrd checks that the module that the boot loader brought is whole, also
// after all free memory has been written.
func testInitrd(e *env) error {
	const data = "initrd data "
	if err := fillFrames(boot.Frames.Stats().Free * amd64.PageSize / 100 * 95); err != nil {
		return err
	}
	e.stat("bytes", len(e.Initrd))
	for i, c := range e.Initrd {
		if c != data[i%len(data)] {
			return fmt.Errorf("byte %d of the module is %#x", i, c)
		}
	}
	return nil
}
