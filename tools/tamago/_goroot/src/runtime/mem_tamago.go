//go:build tamago

// Memory of the Go heap: addresses come from a window of the kernel's upper
// half, which is only a counter; frames come from the kernel's frame
// allocator when memory becomes Ready and go back when the scavenger or a
// free releases it. So nothing is split between heap and other uses of RAM.

package runtime

import (
	"internal/runtime/atomic"
	"unsafe"
)

const (
	heapWindow     = arenaBaseOffset // first address, see malloc.go
	heapWindowSize = 1 << heapAddrBits
)

// heapNext is the offset in the window of the first address never reserved.
var heapNext atomic.Uintptr

// kernelHeapMap puts zeroed frames below the pages [v, v+n) that have none.
// It reports false, with the pages in any state, if too few are free.
// kernelHeapUnmap takes the frames of [v, v+n) away on all processors and
// frees them; pages without one are passed over. Both run on the system
// stack, perhaps with locks of the runtime held, and must not allocate.
func kernelHeapMap(v, n uintptr) bool
func kernelHeapUnmap(v, n uintptr)

func heapMap(v unsafe.Pointer, n uintptr) {
	ok := false
	systemstack(func() {
		ok = kernelHeapMap(uintptr(v), alignUp(n, physPageSize))
	})
	if !ok {
		throw("out of memory: no free frames for the kernel's heap")
	}
}

func heapUnmap(v unsafe.Pointer, n uintptr) {
	systemstack(func() {
		kernelHeapUnmap(uintptr(v), alignUp(n, physPageSize))
	})
}

func sysReserveOS(v unsafe.Pointer, n uintptr, _ string) unsafe.Pointer {
	n = alignUp(n, physPageSize)
	for {
		next := heapNext.Load()
		// The window is filled in order; a hint is of use if it comes next.
		if v != nil && uintptr(v) != heapWindow+next || n > heapWindowSize-next {
			return nil
		}
		if heapNext.CompareAndSwap(next, next+n) {
			return unsafe.Pointer(heapWindow + next)
		}
	}
}

func sysAllocOS(n uintptr, name string) unsafe.Pointer {
	p := sysReserveOS(nil, n, name)
	if p != nil {
		heapMap(p, n)
	}
	return p
}

func sysFreeOS(v unsafe.Pointer, n uintptr)             { heapUnmap(v, n) }
func sysUnusedOS(v unsafe.Pointer, n uintptr)           { heapUnmap(v, n) }
func sysFaultOS(v unsafe.Pointer, n uintptr)            { heapUnmap(v, n) }
func sysUsedOS(v unsafe.Pointer, n uintptr)             { heapMap(v, n) }
func sysMapOS(v unsafe.Pointer, n uintptr, _ string)    {}
func sysHugePageOS(v unsafe.Pointer, n uintptr)         {}
func sysNoHugePageOS(v unsafe.Pointer, n uintptr)       {}
func sysHugePageCollapseOS(v unsafe.Pointer, n uintptr) {}
func needZeroAfterSysUnusedOS() bool                    { return false }
