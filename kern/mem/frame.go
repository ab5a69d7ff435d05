package mem

import "math/bits"

// Single frames. Everything in this file runs under the lock and is nosplit.

// takeLocked takes the lowest free frame.
//
//go:nosplit
func (p *Pool) takeLocked() (frame uint64, ok bool) {
	w := p.hint
	x := p.level[0][w]
	if x == 0 {
		if p.stats.Free == 0 {
			return 0, false
		}
		w = 0
		for l := p.top; l > 0; l-- {
			w = w<<6 | uint64(bits.TrailingZeros64(p.level[l][w]))
		}
		p.hint = w
		x = p.level[0][w]
	}
	frame = w<<6 | uint64(bits.TrailingZeros64(x))
	x &= x - 1
	p.level[0][w] = x
	if x == 0 {
		p.emptiedLocked(w)
	}
	b := frame >> blockShift
	p.block[b>>6] &^= 1 << (b & 63)
	p.stats.Free--
	p.stats.Allocs++
	return frame, true
}

//go:nosplit
func (p *Pool) takeSomeLocked(dst []PA) int {
	for i := range dst {
		f, ok := p.takeLocked()
		if !ok {
			return i
		}
		dst[i] = PA(f << pageShift)
	}
	return len(dst)
}

// putLocked makes a frame free.
//
//go:nosplit
func (p *Pool) putLocked(frame uint64) fault {
	if frame >= p.frames || !p.insideLocked(frame, frame+1) {
		return faultOutside
	}
	w, bit := frame>>6, uint64(1)<<(frame&63)
	x := p.level[0][w]
	if x&bit != 0 {
		return faultFree
	}
	p.level[0][w] = x | bit
	if x == 0 {
		p.filledLocked(w)
	}
	if x|bit == ^uint64(0) {
		p.blockLocked(frame >> blockShift)
	}
	p.hint = min(p.hint, w)
	p.stats.Free++
	p.stats.Frees++
	return faultNone
}

// putSomeLocked stops at the first fault.
//
//go:nosplit
func (p *Pool) putSomeLocked(src []PA) fault {
	for _, pa := range src {
		if bad := p.putLocked(uint64(pa) >> pageShift); bad != faultNone {
			return bad
		}
	}
	return faultNone
}

// emptiedLocked tells the levels above that word w of level 0 became zero.
//
//go:nosplit
func (p *Pool) emptiedLocked(w uint64) {
	for l := 1; l <= p.top; l++ {
		v := &p.level[l][w>>6]
		*v &^= 1 << (w & 63)
		if *v != 0 {
			return
		}
		w >>= 6
	}
}

// filledLocked tells the levels above that word w of level 0 was zero and is
// no longer.
//
//go:nosplit
func (p *Pool) filledLocked(w uint64) {
	for l := 1; l <= p.top; l++ {
		v := &p.level[l][w>>6]
		old := *v
		*v |= 1 << (w & 63)
		if old != 0 {
			return
		}
		w >>= 6
	}
}

// blockLocked marks block b if all of its frames are free.
//
//go:nosplit
func (p *Pool) blockLocked(b uint64) {
	all := ^uint64(0)
	for w := b << (blockShift - 6); w < (b+1)<<(blockShift-6); w++ {
		all &= p.level[0][w]
	}
	if all == ^uint64(0) {
		p.block[b>>6] |= 1 << (b & 63)
	}
}
