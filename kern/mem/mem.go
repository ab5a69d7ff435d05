// Package mem is the machine's one page-frame allocator.
//
// A Pool owns every usable 4 KiB frame of physical memory and hands frames
// out one at a time, in batches or as contiguous runs. It owns numbers only:
// it never reads, writes, maps or zeroes the memory behind a frame. Who calls
// it: the Go heap (sysUsed takes, the scavenger returns), page tables, user
// pages, the page cache and drivers.
//
// # Rules for callers
//
// A Pool may be used before any package is initialised and on the system
// stack, so nothing here allocates, defers, uses an interface or keeps a
// package variable. After Init the only pointers in use are those that Init
// stored.
//
// The lock is held with preemption off. A pool must not be used in an
// interrupt handler: the code it interrupted may hold the lock.
//
// # Lock order
//
// One spin lock guards all of a Pool. It is a leaf: nothing is taken under
// it. In particular a goroutine stack must not grow under it, since the new
// stack might need a frame; so all code that runs under the lock is nosplit
// (TestNosplit checks that) and can't panic: faults of a caller are returned
// out of the locked part and raised there.
package mem

import "sync/atomic"

// PA is a physical address.
type PA uint64

const (
	// PageSize is the size of a frame in bytes.
	PageSize = 1 << pageShift

	pageShift  = 12
	blockShift = 9  // a block is 512 frames, 2 MiB
	maxPABits  = 52 // what a page-table entry can hold
	maxLevels  = 7  // 64^7 frames are more than 1<<(maxPABits-pageShift)
	maxRegions = 128
)

// Pool is a set of frames, free or in use. The zero Pool must be prepared by
// Init, and must not be copied.
type Pool struct {
	state atomic.Uint32 // the spin lock: 1 while held

	frames uint64 // [const] frames below the limit
	top    int    // [const] index of the level that is one word

	// level[0] has a set bit for each free frame. A bit of level[i+1] tells
	// that a word of level[i] is not zero.
	level [maxLevels][]uint64 // [lock] the words; the slices are [const]

	// block has a set bit for each 2 MiB block whose frames are all free.
	block []uint64 // [lock] the words; the slice is [const]

	hint uint64 // [lock] all words of level[0] below this one are zero

	region  [maxRegions]region // [lock] sorted, neither overlapping nor touching
	regions int                // [lock] how many of them are in use
	near    int                // [lock] the region used last

	stats Stats // [lock]
}

// Stats counts frames.
type Stats struct {
	Total   uint64 // in all regions, used or free
	Free    uint64 // free now
	Allocs  uint64 // ever taken, by Reserve too: Total - Free = Allocs - Frees
	Frees   uint64 // ever given back
	Skipped uint64 // offered to AddRegion, but above the limit or in one region too many
}

// levelWords returns the words of level 0 for a limit. It is a multiple of a
// block's 8 words, and never zero, so that no look-up needs a special case.
func levelWords(limit PA) uint64 {
	const blockBytes = PageSize << blockShift
	blocks := uint64(limit) / blockBytes
	if uint64(limit)%blockBytes != 0 || blocks == 0 {
		blocks++
	}
	return blocks << (blockShift - 6)
}

// MetaBytes returns how many bytes of metadata Init needs for a limit: about
// one in 32,000.
func MetaBytes(limit PA) uint64 {
	w := levelWords(limit)
	sum := (w>>(blockShift-6) + 63) / 64
	for ; w > 1; w = (w + 63) / 64 {
		sum += w
	}
	return (sum + 1) * 8
}

// Init prepares an empty pool for the physical addresses [0, limit). meta is
// zeroed memory of at least MetaBytes(limit) bytes that the pool keeps; it
// must not be Go heap that the collector may free or that the pool is to feed.
func (p *Pool) Init(meta []uint64, limit PA) {
	if limit > 1<<maxPABits {
		panic("mem: limit is beyond any physical address")
	}
	if uint64(len(meta)) < MetaBytes(limit)/8 {
		panic("mem: metadata memory is too small")
	}
	p.frames = uint64(limit) >> pageShift
	w := levelWords(limit)
	n := (w>>(blockShift-6) + 63) / 64
	p.block, meta = meta[:n:n], meta[n:]
	for p.top = 0; ; p.top++ {
		p.level[p.top], meta = meta[:w:w], meta[w:]
		if w == 1 {
			return
		}
		w = (w + 63) / 64
	}
}

// Stats returns the counters as they were at one moment.
func (p *Pool) Stats() Stats {
	p.lock()
	s := p.stats
	p.unlock()
	return s
}
