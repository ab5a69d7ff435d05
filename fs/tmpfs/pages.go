package tmpfs

import (
	"mult/inst"
	"mult/kern/errno"
	"mult/kern/mem"
)

// chunkPages is how many pages a chunk has.
const chunkPages = 64

// chunkCharge is what a chunk costs, with its place in the map.
const chunkCharge = 640

// chunk is the pages of 256 KiB of a file. A slot is 0: as in Lower, or zeros
// where that has nothing; hole: zeros whatever Lower has; else a frame with the
// lowest bit set.
type chunk struct {
	slot [chunkPages]mem.PA
	used int // slots that aren't 0
}

const hole mem.PA = 2

// pageSet is the pages of a file that are its own. Its owner locks it.
type pageSet struct {
	chunks map[uint64]*chunk
	most   int // see inst.Shrink
}

func (p *pageSet) get(n uint64) mem.PA {
	if c := p.chunks[n/chunkPages]; c != nil {
		return c.slot[n%chunkPages]
	}
	return 0
}

// set fills slot n, which may make a chunk.
func (p *pageSet) set(in *inst.Inst, n uint64, v mem.PA) error {
	c := p.chunks[n/chunkPages]
	if c == nil {
		if !in.Charge(inst.Heap, chunkCharge) {
			return errno.ENOMEM
		}
		if p.chunks == nil {
			p.chunks = make(map[uint64]*chunk)
		}
		c = new(chunk)
		p.chunks[n/chunkPages] = c
	}
	if c.slot[n%chunkPages] == 0 {
		c.used++
	}
	c.slot[n%chunkPages] = v
	return nil
}

// clear empties slot n.
func (p *pageSet) clear(in *inst.Inst, n uint64) {
	c := p.chunks[n/chunkPages]
	if c == nil || c.slot[n%chunkPages] == 0 {
		return
	}
	c.slot[n%chunkPages] = 0
	c.used--
	if c.used == 0 {
		delete(p.chunks, n/chunkPages)
		p.chunks = inst.Shrink(p.chunks, &p.most)
		in.Uncharge(inst.Heap, chunkCharge)
	}
}

// each calls f for the slots that aren't 0 among the pages [lo, hi). f may
// change its slot.
func (p *pageSet) each(lo, hi uint64, f func(n uint64, v mem.PA)) {
	visit := func(k uint64, c *chunk) {
		for i, v := range c.slot {
			if n := k*chunkPages + uint64(i); v != 0 && lo <= n && n < hi {
				f(n, v)
			}
		}
	}
	if lo >= hi {
		return
	}
	if first, last := lo/chunkPages, (hi-1)/chunkPages; last-first < uint64(len(p.chunks)) {
		for k := first; k <= last; k++ {
			if c := p.chunks[k]; c != nil {
				visit(k, c)
			}
		}
		return
	}
	for k, c := range p.chunks {
		if (k+1)*chunkPages > lo && k*chunkPages < hi {
			visit(k, c)
		}
	}
}
