package mem

// The table of regions: what is RAM, used or free. Everything in this file
// runs under the lock and is nosplit.

// region is the frames [lo, hi).
type region struct{ lo, hi uint64 }

// insideLocked reports whether the frames [lo, hi) are all in the pool.
//
//go:nosplit
func (p *Pool) insideLocked(lo, hi uint64) bool {
	r := &p.region[p.near&(maxRegions-1)]
	if r.lo <= lo && hi <= r.hi && lo < hi {
		return true
	}
	for i := range p.region[:p.regions] {
		r := &p.region[i]
		if r.lo <= lo && hi <= r.hi && lo < hi {
			p.near = i
			return true
		}
	}
	return false
}

// addLocked adds the frames [lo, hi) that are not in the pool yet.
//
//go:nosplit
func (p *Pool) addLocked(lo, hi uint64) {
	if lo >= hi {
		return
	}
	if hi > p.frames {
		p.stats.Skipped += hi - max(lo, p.frames)
		hi = p.frames
		if lo >= hi {
			return
		}
	}

	// The new region joins the regions [i, j), which it touches or overlaps.
	i := 0
	for i < p.regions && p.region[i].hi < lo {
		i++
	}
	j := i
	for j < p.regions && p.region[j].lo <= hi {
		j++
	}
	if i == j && p.regions == maxRegions {
		p.stats.Skipped += hi - lo
		return
	}

	at := lo // all before is in the pool
	for k := i; k < j; k++ {
		p.newLocked(at, min(hi, p.region[k].lo))
		at = max(at, p.region[k].hi)
	}
	p.newLocked(at, hi)

	p.joinLocked(region{lo, hi}, i, j)
}

// newLocked frees the frames [lo, hi), if any, which were not in the pool.
//
//go:nosplit
func (p *Pool) newLocked(lo, hi uint64) {
	if lo < hi {
		p.putRangeLocked(lo, hi)
		p.stats.Total += hi - lo
	}
}

// joinLocked puts r into the table in place of the regions [i, j), which it
// touches or overlaps; of none it becomes the region i.
//
//go:nosplit
func (p *Pool) joinLocked(r region, i, j int) {
	if i == j {
		copy(p.region[i+1:], p.region[i:p.regions])
		p.region[i] = r
		p.regions++
		return
	}
	p.region[i] = region{min(r.lo, p.region[i].lo), max(r.hi, p.region[j-1].hi)}
	copy(p.region[i+1:], p.region[j:p.regions])
	p.regions -= j - i - 1
	clear(p.region[p.regions : p.regions+j-i-1])
}
