package tmpfs

import (
	"math"
	"sync"

	"mult/fs/vfs"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/mem"
	"mult/kern/vm"
)

const pageSize = mem.PageSize

// regular is a regular file.
type regular struct {
	node
	linkable bool // [Tree] made by O_TMPFILE

	write sync.Mutex // held by who writes or changes the size

	vm.Views // who maps it

	own    pageSet // [mu]
	low    LowNode // [const] nil: nothing below
	lowEnd uint64  // [mu] where the file has content from low no more
}

func (r *regular) Release() {
	if r.drop() {
		r.fs.discard(r)
	}
}

// free gives all pages back. Nobody uses the file any more.
func (r *regular) free() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropLocked(0, math.MaxUint64)
}

// dropLocked makes the pages [lo, hi) those of Lower again.
func (r *regular) dropLocked(lo, hi uint64) {
	r.own.each(lo, hi, func(n uint64, v mem.PA) {
		r.own.clear(r.fs.in, n)
		r.forgetLocked(v)
	})
}

// forgetLocked gives back what was in a slot.
func (r *regular) forgetLocked(v mem.PA) {
	if v&1 != 0 {
		r.fs.putPage(v &^ 1)
		r.blocks--
	}
}

// inLow reports whether page n is one of Lower's, if it is none of its own.
func (r *regular) inLow(n uint64) bool {
	return n < (r.lowEnd+pageSize-1)/pageSize
}

// ownLocked returns the frame of page n that belongs to this file alone, making
// it if need be.
func (r *regular) ownLocked(n uint64) (mem.PA, error) {
	v := r.own.get(n)
	if v&1 != 0 {
		return v &^ 1, nil
	}
	pa, err := r.fs.takePage()
	if err != nil {
		return 0, err
	}
	if err := r.own.set(r.fs.in, n, pa|1); err != nil {
		r.fs.putPage(pa)
		return 0, err
	}
	r.blocks++
	page := r.fs.memory.Page(pa)
	at := 0
	if v == 0 && r.inLow(n) {
		r.blocks-- // it was counted
		for off := n * pageSize; at < pageSize && off < r.lowEnd; off = n*pageSize + uint64(at) {
			s := r.low.Span(off, min(uint64(pageSize-at), r.lowEnd-off))
			if len(s) == 0 {
				break
			}
			at += copy(page[at:], s)
		}
	}
	clear(page[at:])
	return pa, nil
}

// ReadAt moves content to u.
func (r *regular) ReadAt(u *vm.Uio, off int64) error {
	for u.Len() > 0 {
		src, pa, zeros, err := r.piece(off, u.Len())
		if err != nil || len(src)+zeros == 0 {
			return err
		}
		var n int
		if zeros > 0 {
			n, err = u.Zero(zeros)
		} else {
			n, err = u.CopyOut(src)
		}
		if pa != vm.NoFrame {
			r.fs.memory.Put(pa)
		}
		off += int64(n)
		if err != nil {
			return err
		}
	}
	return nil
}

// piece returns content at off, up to n bytes, or how many zeros there are;
// nothing at the end of the file. If it is in a frame, that has a reference for
// the caller.
func (r *regular) piece(off int64, n int) (src []byte, pa mem.PA, zeros int, err error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if off >= r.size {
		return nil, vm.NoFrame, 0, nil
	}
	left := min(uint64(n), uint64(r.size-off))
	at := uint64(off) % pageSize
	page := uint64(off) / pageSize
	inPage := min(left, pageSize-at)
	v := r.own.get(page)
	if v&1 != 0 {
		pa := v &^ 1
		r.fs.memory.Get(pa)
		return r.fs.memory.Page(pa)[at : at+inPage], pa, 0, nil
	}
	if v == 0 && uint64(off) < r.lowEnd {
		// Beyond this page only if nothing of the file is its own.
		if len(r.own.chunks) > 0 {
			left = inPage
		}
		s := r.low.Span(uint64(off), min(left, r.lowEnd-uint64(off)))
		if len(s) == 0 {
			return nil, vm.NoFrame, 0, errno.EIO
		}
		return s, vm.NoFrame, 0, nil
	}
	return nil, vm.NoFrame, int(inPage), nil
}

// WriteAt moves all of u to the file.
func (r *regular) WriteAt(u *vm.Uio, off, limit int64) (int64, error) {
	r.write.Lock()
	defer r.write.Unlock()
	if off == file.Append {
		r.mu.RLock()
		off = r.size
		r.mu.RUnlock()
	}
	if off >= limit {
		return off, errno.EFBIG
	}
	for u.Len() > 0 && off < limit {
		at := int(off % pageSize)
		n := int(min(int64(min(pageSize-at, u.Len())), limit-off))
		pa, err := r.frame(uint64(off) / pageSize)
		if err != nil {
			return off, err
		}
		k, err := u.CopyIn(r.fs.memory.Page(pa)[at : at+n])
		r.fs.memory.Put(pa)
		off += int64(k)
		if k > 0 {
			r.wrote(off)
		}
		if err != nil {
			return off, err
		}
	}
	return off, nil
}

// frame returns a frame of the file to write to, with a reference.
func (r *regular) frame(n uint64) (mem.PA, error) {
	r.dirty.Store(true)
	r.mu.Lock()
	was := r.shared(n)
	pa, err := r.ownLocked(n)
	if err == nil {
		r.fs.memory.Get(pa)
	}
	r.mu.Unlock()
	if was && err == nil {
		r.Drop(n, 1, false)
	}
	return pa, err
}

// shared reports whether page n is one of Lower's now, which somebody may map.
func (r *regular) shared(n uint64) bool { return r.inLow(n) && r.own.get(n) == 0 }

// wrote notes that content up to end was written.
func (r *regular) wrote(end int64) {
	now := vfs.Now()
	r.mu.Lock()
	r.size = max(r.size, end)
	r.mtime, r.ctime = now, now
	r.reads.Store(0)
	r.mu.Unlock()
}

// SetAttr changes attributes, the size among them.
func (r *regular) SetAttr(s *vfs.SetAttr) error {
	if s.Mask&vfs.SetSize == 0 {
		r.set(s)
		return nil
	}
	r.write.Lock()
	defer r.write.Unlock()
	r.dirty.Store(true)
	was, err := r.resize(s.Size)
	if err != nil {
		return err
	}
	if s.Size < was {
		first := uint64(s.Size) / pageSize
		if s.Size%pageSize != 0 {
			r.Drop(first, 1, false) // it may be in another frame now
			first++
		}
		r.Drop(first, math.MaxUint64, true)
	}
	if s.Mask&vfs.SetMtime == 0 {
		s.Mask |= vfs.SetMtime
		s.Mtime = vfs.Now()
	}
	r.set(s)
	return nil
}

// resize cuts or extends the file and returns the size before. r.write is held.
func (r *regular) resize(size int64) (was int64, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	was = r.size
	if size >= was {
		r.size = size
		return was, nil
	}
	// What is left of the last page must be zero when the file grows again.
	if at := uint64(size) % pageSize; at != 0 {
		if err := r.zeroPartLocked(uint64(size)/pageSize, at, pageSize); err != nil {
			return was, err
		}
	}
	first := (uint64(size) + pageSize - 1) / pageSize
	if end := (r.lowEnd + pageSize - 1) / pageSize; end > first {
		r.blocks -= int64(end - first)
		r.own.each(first, end, func(uint64, mem.PA) { r.blocks++ })
		r.lowEnd = first * pageSize
	}
	r.dropLocked(first, math.MaxUint64)
	r.size = size
	return was, nil
}

// Page returns a frame for a mapping.
func (r *regular) Page(n uint64, write bool) (mem.PA, error) {
	if write {
		r.dirty.Store(true)
	}
	r.mu.RLock()
	pa, err := r.shownLocked(n, write)
	r.mu.RUnlock()
	if pa != vm.NoFrame || err != nil {
		if write && err == nil {
			r.stamp(true)
		}
		return pa, err
	}
	r.dirty.Store(true)
	pa, was, err := r.makePage(n, write)
	if was && err == nil {
		r.Drop(n, 1, false)
	}
	return pa, err
}

// makePage is Page for one that the file must have for its own; was says that
// Lower's may be mapped in its place.
func (r *regular) makePage(n uint64, write bool) (pa mem.PA, was bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n >= (uint64(r.size)+pageSize-1)/pageSize {
		return 0, false, errno.EFAULT
	}
	was = r.shared(n)
	pa, err = r.ownLocked(n)
	if err == nil {
		r.fs.memory.Get(pa)
		if write {
			r.mtime = vfs.Now()
			r.ctime = r.mtime
			r.reads.Store(0)
		}
	}
	return pa, was, err
}

// shownLocked returns the frame of page n, if it is there and may be shown as
// it is, else NoFrame. A page of Lower may be as long as nobody can write the
// file, since who maps it would not see what is written.
func (r *regular) shownLocked(n uint64, write bool) (mem.PA, error) {
	if n >= (uint64(r.size)+pageSize-1)/pageSize {
		return vm.NoFrame, errno.EFAULT
	}
	v := r.own.get(n)
	if v&1 != 0 {
		r.fs.memory.Get(v &^ 1)
		return v &^ 1, nil
	}
	if v == 0 && !write && r.inLow(n) && r.base.Writers() == 0 {
		return r.low.Page(n)
	}
	return vm.NoFrame, nil
}

// Resident is vm.Around's.
func (r *regular) Resident(n uint64, dst []mem.PA) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for i := range dst {
		dst[i] = vm.NoFrame
		if pa, err := r.shownLocked(n+uint64(i), false); err == nil {
			dst[i] = pa
		}
	}
}

// Allocate is fallocate(2).
func (r *regular) Allocate(mode uint32, off, n int64) error {
	r.write.Lock()
	defer r.write.Unlock()
	r.dirty.Store(true)
	end := uint64(off) + uint64(n)
	if mode&(vfs.FALLOC_FL_PUNCH_HOLE|vfs.FALLOC_FL_ZERO_RANGE) != 0 {
		err := r.punch(uint64(off), end)
		first := uint64(off) / pageSize
		r.Drop(first, (end+pageSize-1)/pageSize-first, false)
		if err != nil {
			return err
		}
	}
	if mode&vfs.FALLOC_FL_PUNCH_HOLE == 0 {
		if uint64(n)/pageSize > r.fs.statfs().Bfree {
			return errno.ENOSPC
		}
		for p := uint64(off) / pageSize; p*pageSize < end; p++ {
			pa, err := r.frame(p)
			if err != nil {
				return err // what was allocated stays
			}
			r.fs.memory.Put(pa)
		}
		if mode&vfs.FALLOC_FL_KEEP_SIZE == 0 {
			r.wrote(int64(end))
		}
	}
	r.stamp(true)
	return nil
}

// punch makes [off, end) zeros. r.write is held. How long it takes depends on
// the pages that there are, not on the range.
func (r *regular) punch(off, end uint64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	end = min(end, (uint64(r.size)+pageSize-1)/pageSize*pageSize)
	if off >= end {
		return nil
	}
	if at := off % pageSize; at != 0 {
		stop := min(pageSize, at+end-off)
		if err := r.zeroPartLocked(off/pageSize, at, stop); err != nil {
			return err
		}
		off += stop - at
	}
	if at := end % pageSize; at != 0 && off < end {
		if err := r.zeroPartLocked(end/pageSize, 0, at); err != nil {
			return err
		}
		end -= at
	}
	if off >= end {
		return nil
	}
	lo, hi := off/pageSize, end/pageSize
	lowHi := min(hi, (r.lowEnd+pageSize-1)/pageSize)
	for n := lo; n < lowHi; n++ {
		if err := r.clearPageLocked(n, r.own.get(n)); err != nil {
			return err
		}
	}
	r.dropLocked(max(lo, lowHi), hi)
	return nil
}

// zeroPartLocked clears [at, stop) of page n.
func (r *regular) zeroPartLocked(n, at, stop uint64) error {
	if !r.hasData(n) {
		return nil
	}
	pa, err := r.ownLocked(n)
	if err == nil {
		clear(r.fs.memory.Page(pa)[at:stop])
	}
	return err
}

// clearPageLocked makes page n, which Lower has, a hole; v is in its slot.
func (r *regular) clearPageLocked(n uint64, v mem.PA) error {
	if err := r.own.set(r.fs.in, n, hole); err != nil {
		return err
	}
	if v == 0 {
		r.blocks--
	}
	r.forgetLocked(v)
	return nil
}

// hasData reports whether page n is no hole.
func (r *regular) hasData(n uint64) bool {
	v := r.own.get(n)
	return v&1 != 0 || v == 0 && r.inLow(n)
}

// NextData is lseek(2)'s SEEK_DATA.
func (r *regular) NextData(off int64) (int64, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := uint64(off) / pageSize
	if r.hasData(n) {
		return off, nil
	}
	next := uint64(math.MaxUint64)
	if n+1 < (r.lowEnd+pageSize-1)/pageSize {
		for p := n + 1; r.inLow(p); p++ {
			if r.hasData(p) {
				next = p
				break
			}
		}
	}
	r.own.each(n, math.MaxUint64, func(p uint64, v mem.PA) {
		if v&1 != 0 {
			next = min(next, p)
		}
	})
	if next == math.MaxUint64 || next*pageSize >= uint64(r.size) {
		return 0, errno.ENXIO
	}
	return int64(next * pageSize), nil
}

// NextHole is lseek(2)'s SEEK_HOLE; there is always one at the end.
func (r *regular) NextHole(off int64) (int64, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n := uint64(off) / pageSize
	if !r.hasData(n) {
		return off, nil
	}
	for r.hasData(n) {
		n++
	}
	return int64(min(n*pageSize, uint64(r.size))), nil
}
