//go:build tamago

package amd64

import (
	"sync/atomic"
	_ "unsafe" // linkname
)

// heapWindow is where the runtime reserves addresses for its heap, 512 GiB:
// arenaBaseOffset in the runtime.
const heapWindow = 0xffffc00000000000

// HeapFrames counts the frames that the runtime's heap has, its page tables too.
var HeapFrames atomic.Int64

// heapPeak is the most that HeapFrames has been.
var heapPeak atomic.Int64

// HeapPeak returns the most frames that the runtime's heap has had.
func HeapPeak() int64 { return heapPeak.Load() }

// heapMap gives the runtime's heap frames for [v, v+n).
//
//go:linkname heapMap runtime.kernelHeapMap
func heapMap(v, n uintptr) bool {
	for end := v + n; v < end; v += PageSize {
		e := entry(uint64(v), 12)
		if e == nil {
			return false
		}
		if *e != 0 {
			continue
		}
		pa, ok := Frames.Alloc()
		if !ok {
			return false
		}
		clear(table(pa)[:])
		*e = pa | ptePresent | pteWrite | pteNX
		n := HeapFrames.Add(1)
		for peak := heapPeak.Load(); n > peak && !heapPeak.CompareAndSwap(peak, n); {
			peak = heapPeak.Load()
		}
	}
	return true
}

// heapUnmap takes the frames of [v, v+n) back. A frame is free only when no
// processor can reach it any more.
//
//go:linkname heapUnmap runtime.kernelHeapUnmap
func heapUnmap(v, n uintptr) {
	var frames [128]uint64
	got := 0
	flush := func() {
		if got != 0 {
			shootdown()
			for _, pa := range frames[:got] {
				Frames.Free(pa)
			}
			HeapFrames.Add(int64(-got))
			got = 0
		}
	}
	for end := v + n; v < end; {
		t, size := lastTable(uint64(v))
		if t == nil {
			v = v&^(size-1) + size
			continue
		}
		if e := &t[v>>12&511]; *e != 0 {
			frames[got] = *e & pteAddr
			got++
			*e = 0
			invlpg(v)
			if got == len(frames) {
				flush()
			}
		}
		v += PageSize
	}
	flush()
}

// lastTable returns the table that maps the page at va, or nil and the size of
// the aligned range around va that has no table.
func lastTable(va uint64) (*[512]uint64, uintptr) {
	t := kernelTable
	for s := uint(39); s > 12; s -= 9 {
		v := table(t)[va>>s&511]
		if v == 0 {
			return nil, 1 << s
		}
		t = v & pteAddr
	}
	return table(t), 0
}
