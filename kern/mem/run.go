package mem

import "math/bits"

// Runs of frames. Everything in this file runs under the lock and is nosplit.

// bigRun is the least run that has a whole block in it wherever it starts.
const bigRun = 2<<blockShift - 1

// searchLocked finds the lowest n free frames whose first is a multiple of
// align frames and whose last is below limit. It walks level 0 word by word
// and skips what the levels above say is used and, for a big run, what has no
// free block.
//
//go:nosplit
func (p *Pool) searchLocked(n, align, limit uint64) (frame uint64, ok bool) {
	level0 := p.level[0]
	words := uint64(len(level0))
	starts := alignMask(align)
	w := p.hint
	start := w << 6 // of the free run that reaches word w, if one does
	for w < words {
		if n >= bigRun && w&(1<<(blockShift-6)-1) == 0 && start == w<<6 {
			b, found := p.nextBlockLocked(w >> (blockShift - 6))
			if !found {
				return 0, false
			}
			// The run may start in the block before the first free one.
			if b > 0 {
				w = max(w, (b-1)<<(blockShift-6))
				start = w << 6
			}
		}
		if alignUp(start, align)+n > limit {
			return 0, false
		}
		x := level0[w]
		if x == 0 {
			if w, ok = p.nextWordLocked(w + 1); !ok {
				return 0, false
			}
			start = w << 6
			continue
		}

		// The run that reaches this word, with what it has here.
		next := w + 1
		end := w<<6 + uint64(bits.TrailingZeros64(^x))
		if x == ^uint64(0) && w&(1<<(blockShift-6)-1) == 0 {
			if b := w >> (blockShift - 6); p.block[b>>6]>>(b&63)&1 != 0 {
				next = w + 1<<(blockShift-6)
				end = next << 6
			}
		}
		if first := alignUp(start, align); first+n <= end {
			return first, true // below limit, as checked above
		}
		if x == ^uint64(0) {
			w = next
			continue
		}

		// The runs inside the word.
		if n < 64 {
			if y := runStarts(x, n) & starts; y != 0 {
				first := w<<6 + uint64(bits.TrailingZeros64(y))
				if first+n > limit {
					return 0, false
				}
				return first, true
			}
		}

		// The run that reaches the next word.
		w = next
		start = w<<6 - uint64(bits.LeadingZeros64(^x))
	}
	return 0, false
}

// alignUp rounds up to a multiple of align, a power of two.
//
//go:nosplit
func alignUp(x, align uint64) uint64 { return (x + align - 1) &^ (align - 1) }

// alignMask returns a word with a bit set at each multiple of align. If that
// is more than a word apart it is zero: only a run that starts with the word
// can do, and those aren't looked for inside one.
//
//go:nosplit
func alignMask(align uint64) uint64 {
	if align >= 64 {
		return 0
	}
	return ^uint64(0) / (1<<align - 1)
}

// runStarts returns the bits of x that n set bits start at, in about log n
// steps: y says where have set bits start.
//
//go:nosplit
func runStarts(x, n uint64) uint64 {
	y := x
	for have := uint64(1); have < n; {
		step := min(have, n-have)
		y &= y >> step
		have += step
	}
	return y
}

// nextWordLocked returns the first word of level 0 from w on that is not zero.
//
//go:nosplit
func (p *Pool) nextWordLocked(w uint64) (uint64, bool) {
	if w < uint64(len(p.level[0])) && p.level[0][w] != 0 {
		return w, true
	}
	for l := 1; l <= p.top; l++ { // bit w of level l is the next to look at
		i := w >> 6
		if i >= uint64(len(p.level[l])) {
			return 0, false
		}
		if x := p.level[l][i] >> (w & 63) << (w & 63); x != 0 {
			w = i<<6 | uint64(bits.TrailingZeros64(x))
			for l--; l > 0; l-- {
				w = w<<6 | uint64(bits.TrailingZeros64(p.level[l][w]))
			}
			return w, true
		}
		w = i + 1
	}
	return 0, false
}

// nextBlockLocked returns the first wholly free block from b on.
//
//go:nosplit
func (p *Pool) nextBlockLocked(b uint64) (uint64, bool) {
	i := b >> 6
	if i >= uint64(len(p.block)) {
		return 0, false
	}
	x := p.block[i] >> (b & 63) << (b & 63)
	for x == 0 {
		if i++; i >= uint64(len(p.block)) {
			return 0, false
		}
		x = p.block[i]
	}
	return i<<6 | uint64(bits.TrailingZeros64(x)), true
}

// takeRangeLocked makes the frames [lo, hi), not empty, used; free of them
// were free.
//
//go:nosplit
func (p *Pool) takeRangeLocked(lo, hi, free uint64) {
	clearBits(p.level[0], lo, hi)
	clearBits(p.block, lo>>blockShift, (hi-1)>>blockShift+1)
	p.stats.Free -= free
	p.stats.Allocs += free
	for l := 1; l <= p.top; l++ {
		// The words just touched below, less those at the ends that keep a bit.
		lo, hi = lo>>6, (hi-1)>>6+1
		if p.level[l-1][lo] != 0 {
			lo++
		}
		if lo < hi && p.level[l-1][hi-1] != 0 {
			hi--
		}
		if lo >= hi {
			return
		}
		clearBits(p.level[l], lo, hi)
	}
}

// putRangeLocked makes the frames [lo, hi), not empty and all used, free.
//
//go:nosplit
func (p *Pool) putRangeLocked(lo, hi uint64) {
	p.stats.Free += hi - lo
	p.hint = min(p.hint, lo>>6)
	setBits(p.level[0], lo, hi)
	first, last := lo>>blockShift, (hi-1)>>blockShift
	p.blockLocked(first)
	if last > first {
		p.blockLocked(last)
		setBits(p.block, first+1, last)
	}
	for l := 1; l <= p.top; l++ {
		lo, hi = lo>>6, (hi-1)>>6+1
		setBits(p.level[l], lo, hi)
	}
}

//go:nosplit
func (p *Pool) putRunLocked(frame, n uint64) fault {
	if n > p.frames || !p.insideLocked(frame, frame+n) {
		return faultOutside
	}
	if count(p.level[0], frame, frame+n) != 0 {
		return faultFree
	}
	p.putRangeLocked(frame, frame+n)
	p.stats.Frees += n
	return faultNone
}

// ends returns the words that the bits [lo, hi), not empty, start and end in,
// and which bits of these words they are.
//
//go:nosplit
func ends(lo, hi uint64) (i, j, head, tail uint64) {
	return lo >> 6, (hi - 1) >> 6, ^uint64(0) << (lo & 63), ^uint64(0) >> (-hi & 63)
}

// setBits sets the bits [lo, hi) of s.
//
//go:nosplit
func setBits(s []uint64, lo, hi uint64) {
	if lo >= hi {
		return
	}
	i, j, head, tail := ends(lo, hi)
	if i == j {
		s[i] |= head & tail
		return
	}
	s[i] |= head
	s[j] |= tail
	mid := s[i+1 : j]
	for k := range mid {
		mid[k] = ^uint64(0)
	}
}

// clearBits clears the bits [lo, hi) of s.
//
//go:nosplit
func clearBits(s []uint64, lo, hi uint64) {
	if lo >= hi {
		return
	}
	i, j, head, tail := ends(lo, hi)
	if i == j {
		s[i] &^= head & tail
		return
	}
	s[i] &^= head
	s[j] &^= tail
	mid := s[i+1 : j]
	for k := range mid {
		mid[k] = 0
	}
}

// count returns how many of the bits [lo, hi) of s are set.
//
//go:nosplit
func count(s []uint64, lo, hi uint64) uint64 {
	if lo >= hi {
		return 0
	}
	i, j, head, tail := ends(lo, hi)
	if i == j {
		return uint64(bits.OnesCount64(s[i] & head & tail))
	}
	n := bits.OnesCount64(s[i]&head) + bits.OnesCount64(s[j]&tail)
	for _, x := range s[i+1 : j] {
		n += bits.OnesCount64(x)
	}
	return uint64(n)
}
