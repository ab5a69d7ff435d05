package tmpfs

import (
	"maps"
	"math"
	"slices"

	"mult/inst"
	"mult/kern/mem"
)

// This file copies the content of a regular file for copy.go.

// copyChunks is how much of a file is copied while those who write to it wait: 1 MiB.
const copyChunks = 4

// fill gives r, a new file with the same Lower, the content and attributes of s. If what s
// has of its own is no more than copyChunks it is that of one moment, but for what is
// written to mappings. A larger file is copied piece by piece: who writes to it meanwhile
// finds old and new in the copy, but nothing behind the end that it had at first.
func (r *regular) fill(s *regular, stop func() error) error {
	in := r.fs.in
	s.write.Lock()
	defer s.write.Unlock()
	s.mu.RLock()
	r.size, r.lowEnd = s.size, s.lowEnd
	cost := 8 * int64(len(s.own.chunks))
	s.mu.RUnlock()
	if err := r.fs.chargeHeap(cost); err != nil {
		return err
	}
	defer in.Uncharge(inst.Heap, cost)
	s.mu.RLock()
	keys := slices.Sorted(maps.Keys(s.own.chunks))
	s.mu.RUnlock()
	for i, k := range keys {
		if i > 0 && i%copyChunks == 0 {
			s.write.Unlock()
			err := stop()
			s.write.Lock()
			if err != nil {
				return err
			}
		}
		if err := r.fillChunk(s, k); err != nil {
			return err
		}
	}
	s.mu.RLock()
	end := min(r.size, s.size)
	r.lowEnd = s.lowEnd // where it was cut off meanwhile, Lower's content isn't to be seen again
	s.mu.RUnlock()
	low := (r.lowEnd + pageSize - 1) / pageSize
	r.blocks = int64(low)
	r.own.each(0, math.MaxUint64, func(n uint64, v mem.PA) {
		if n < low {
			r.blocks--
		}
		if v != hole {
			r.blocks++
		}
	})
	if end < r.size {
		if _, err := r.resize(end); err != nil {
			return err
		}
	}
	r.take(&s.node)
	return nil
}

// fillChunk copies chunk k of s, if it is there still.
func (r *regular) fillChunk(s *regular, k uint64) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	c := s.own.chunks[k]
	if c == nil {
		return nil
	}
	for i, v := range c.slot {
		n := k*chunkPages + uint64(i)
		switch {
		case v == hole:
			if err := r.own.set(r.fs.in, n, hole); err != nil {
				return err
			}
		case v != 0:
			pa, err := r.fs.takePage()
			if err != nil {
				return err
			}
			*r.fs.memory.Page(pa) = *s.fs.memory.Page(v &^ 1)
			if err := r.own.set(r.fs.in, n, pa|1); err != nil {
				r.fs.putPage(pa)
				return err
			}
		}
	}
	return nil
}
