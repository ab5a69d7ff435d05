//go:build tamago

package boot

import (
	"unsafe"

	"mult/arch/amd64"
	"mult/boot/pvh"
	"mult/kern/mem"
)

var (
	// info is the boot information.
	info pvh.Info

	// Frames is all memory that nobody has: the one allocator of the
	// machine, for the heap as for everything else.
	Frames mem.Pool
)

// lowMemory is left alone: firmware data, and the page in which processors
// start.
const lowMemory = 1 << 20

// bootMapped is what the tables of entry.s map.
const bootMapped = 4 << 30

// kernelInit is the runtime's first call: descriptor tables, memory map, the
// frame allocator and the kernel's page tables. It must not allocate.
//
//go:linkname kernelInit runtime.kernelInit
func kernelInit() {
	amd64.InitBoot()
	startEarlyClock()
	if err := pvh.Parse(&info, bootMemory, startInfo); err != "" {
		dieEarly(err)
	}
	if err := initFrames(); err != "" {
		dieEarly(err)
	}
	amd64.Frames.Alloc = allocFrame
	amd64.Frames.Free = freeFrame
	var ram [128][2]uint64
	n := 0
	for _, r := range info.Regions() {
		if r.Type == pvh.RAM {
			ram[n] = [2]uint64{r.Start, min(r.End, amd64.DirectMapSize)}
			n++
		}
	}
	if !amd64.BuildTables(ram[:n]) {
		dieEarly("too little memory for page tables")
	}
}

// bootMemory gives access to physical memory by the boot tables.
func bootMemory(pa uint64, n int) []byte {
	if pa == 0 || pa >= bootMapped || uint64(n) > bootMapped-pa {
		return nil
	}
	return amd64.Bytes(pa, n)
}

// memoryLimit is the end of the RAM that Frames has.
var memoryLimit mem.PA

// initFrames fills the frame allocator with all RAM but the image, modules,
// boot information, low memory, and the allocator's own map.
func initFrames() string {
	limit := uint64(0)
	for _, r := range info.Regions() {
		if r.Type == pvh.RAM && r.Start < amd64.DirectMapSize {
			limit = max(limit, min(r.End, amd64.DirectMapSize))
		}
	}
	memoryLimit = mem.PA(limit)
	size := mem.MetaBytes(mem.PA(limit))
	at, ok := findRoom(size)
	if !ok {
		return "no room below 4 GiB for the map of memory"
	}
	meta := unsafe.Slice((*uint64)(amd64.Ptr(at)), size/8)
	clear(meta)
	Frames.Init(meta, mem.PA(limit))
	for _, r := range info.Regions() {
		if r.Type == pvh.RAM && r.Start < amd64.DirectMapSize {
			Frames.AddRegion(mem.PA(r.Start), mem.PA(min(r.End, amd64.DirectMapSize)))
		}
	}
	Frames.Reserve(mem.PA(at), mem.PA(at+size))
	eachUsed(func(start, end uint64) { Frames.Reserve(mem.PA(start), mem.PA(end)) })
	return ""
}

// eachUsed calls f for all memory in use at boot.
func eachUsed(f func(start, end uint64)) {
	f(0, lowMemory)
	f(amd64.ImageRange())
	for _, r := range info.Modules() {
		f(r.Start, r.End)
	}
	for _, r := range info.Used() {
		f(r.Start, r.End)
	}
}

// findRoom returns the lowest page of size bytes of RAM, mapped and not used.
func findRoom(size uint64) (at uint64, ok bool) {
	for _, r := range info.Regions() {
		if r.Type != pvh.RAM {
			continue
		}
		at := (r.Start + amd64.PageSize - 1) &^ (amd64.PageSize - 1)
		for moved := true; moved; {
			moved = false
			eachUsed(func(start, end uint64) {
				if at < end && start < at+size {
					at = (end + amd64.PageSize - 1) &^ (amd64.PageSize - 1)
					moved = true
				}
			})
		}
		if at+size <= min(r.End, bootMapped) {
			return at, true
		}
	}
	return 0, false
}

func allocFrame() (uint64, bool) {
	pa, ok := Frames.Alloc()
	return uint64(pa), ok
}

func freeFrame(pa uint64) { Frames.Free(mem.PA(pa)) }

// dieEarly ends a boot that can't go on.
func dieEarly(why string) {
	for _, s := range [...]string{"mult: can't boot: ", why, "\n"} {
		for i := range len(s) {
			amd64.EarlyPut(s[i])
		}
	}
	amd64.Halt(StatusPanic)
}
