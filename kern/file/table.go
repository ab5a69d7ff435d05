package file

import (
	"math/bits"
	"sync"
	"sync/atomic"

	"mult/inst"
	"mult/kern/errno"
	"mult/kern/proc"
)

// A Table maps descriptors to files. It grows by chunks, so that a high
// descriptor costs little and growth copies no entries.
//
// Entries are read without a lock. They change with mu held, and so do the
// bits beside them.
type Table struct {
	in     *inst.Inst   // [const] pays for it
	users  atomic.Int32 // processes that share it
	locked atomic.Bool  // its processes may hold record locks

	first chunk                                   // descriptors below chunkSize
	root  atomic.Pointer[[]atomic.Pointer[chunk]] // those of all chunks; nil while first is the only one

	mu    sync.Mutex
	full  []uint64 // [mu] a bit for each chunk of which all descriptors are used
	next  int      // [mu] no descriptor below is free
	count int      // [mu] descriptors that are used
	dead  bool     // [mu] the last process is gone
	cost  int64    // [mu] what is charged
}

const chunkSize = 64

// chunk is a part of a table.
type chunk struct {
	files   [chunkSize]atomic.Pointer[File]
	used    uint64 // [mu] bits of descriptors that are taken; without a file: reserved
	cloexec uint64 // [mu]
}

// Limits and costs.
const (
	maxFDs    = 1 << 20 // as Linux's fs.nr_open
	tableCost = 1024    // Table, rounded up
	chunkCost = 576
	rootCost  = 16 // of a place in the root: pointer and bit, rounded up
)

// newTable makes a table, used by one process. ENOMEM.
func newTable(in *inst.Inst) (*Table, error) {
	if !in.Charge(inst.Heap, tableCost) {
		return nil, errno.ENOMEM
	}
	tb := &Table{in: in, cost: tableCost}
	tb.users.Store(1)
	return tb, nil
}

// chunkAt returns chunk c, nil if there is none.
func (tb *Table) chunkAt(c int) *chunk {
	if c == 0 {
		return &tb.first
	}
	if r := tb.root.Load(); r != nil && c < len(*r) {
		return (*r)[c].Load()
	}
	return nil
}

// chunks returns how many chunks there may be.
func (tb *Table) chunks() int {
	if r := tb.root.Load(); r != nil {
		return len(*r)
	}
	return 1
}

// Get returns the file of fd with a reference for the caller. For one that was
// opened with O_PATH it is EBADF, as for most calls.
func (tb *Table) Get(fd int) (*File, error) {
	f, err := tb.GetPath(fd)
	if err == nil && f.IsPath() {
		f.Release()
		return nil, errno.EBADF
	}
	return f, err
}

// GetPath is Get that also returns files opened with O_PATH.
func (tb *Table) GetPath(fd int) (*File, error) {
	if fd < 0 || fd >= maxFDs {
		return nil, errno.EBADF
	}
	ch := tb.chunkAt(fd / chunkSize)
	if ch == nil {
		return nil, errno.EBADF
	}
	for {
		f := ch.files[fd%chunkSize].Load()
		if f == nil {
			return nil, errno.EBADF
		}
		if f.TryRetain() {
			return f, nil
		}
		// It was closed since the entry was read, so the entry has changed.
	}
}

// limitOf returns the first descriptor that t may not have.
func limitOf(t *proc.Thread) int {
	return int(min(t.Proc.Limit(proc.RLIMIT_NOFILE), maxFDs))
}

// Reserve takes the lowest free descriptor from min on without a file: until
// Install it is EBADF for others. EMFILE when there is none below
// RLIMIT_NOFILE, ENOMEM.
func (tb *Table) Reserve(t *proc.Thread, min int, cloexec bool) (int, error) {
	limit := limitOf(t)
	tb.mu.Lock()
	defer tb.mu.Unlock()
	return tb.reserveLocked(min, limit, cloexec)
}

func (tb *Table) reserveLocked(min, limit int, cloexec bool) (int, error) {
	fd := tb.lowestLocked(max(min, tb.next))
	if fd >= limit {
		return -1, errno.EMFILE
	}
	if err := tb.takeLocked(fd, limit, cloexec); err != nil {
		return -1, err
	}
	if min <= tb.next {
		tb.next = fd + 1
	}
	return fd, nil
}

// lowestLocked returns the lowest free descriptor from min on.
func (tb *Table) lowestLocked(min int) int {
	n := tb.chunks()
	for c := min / chunkSize; c < n; {
		if ch := tb.chunkAt(c); ch == nil {
			return max(min, c*chunkSize)
		} else {
			free := ^ch.used
			if c == min/chunkSize {
				free &= ^uint64(0) << (min % chunkSize)
			}
			if free != 0 {
				return c*chunkSize + bits.TrailingZeros64(free)
			}
		}
		c = tb.notFullLocked(c+1, n)
	}
	return max(min, n*chunkSize)
}

// notFullLocked returns the first chunk from c on that isn't full, or n.
func (tb *Table) notFullLocked(c, n int) int {
	for c < n && c/64 < len(tb.full) {
		if w := ^tb.full[c/64] & (^uint64(0) << (c % 64)); w != 0 {
			return min(n, c&^63+bits.TrailingZeros64(w))
		}
		c = c&^63 + 64
	}
	return min(c, n)
}

// takeLocked marks the free descriptor fd as used, and makes its chunk.
func (tb *Table) takeLocked(fd, limit int, cloexec bool) error {
	if tb.dead {
		return errno.EBADF
	}
	ch, err := tb.growLocked(fd/chunkSize, limit)
	if err != nil {
		return err
	}
	bit := uint64(1) << (fd % chunkSize)
	ch.used |= bit
	ch.cloexec &^= bit
	if cloexec {
		ch.cloexec |= bit
	}
	tb.count++
	tb.noteFullLocked(fd/chunkSize, ch)
	return nil
}

// freeLocked makes fd, whose entry has been emptied, free.
func (tb *Table) freeLocked(fd int, ch *chunk) {
	bit := uint64(1) << (fd % chunkSize)
	ch.used &^= bit
	ch.cloexec &^= bit
	tb.count--
	tb.next = min(tb.next, fd)
	tb.noteFullLocked(fd/chunkSize, ch)
}

// noteFullLocked keeps the bit of chunk c.
func (tb *Table) noteFullLocked(c int, ch *chunk) {
	if c/64 >= len(tb.full) {
		return // the first chunk, when there is no root
	}
	if ch.used == ^uint64(0) {
		tb.full[c/64] |= 1 << (c % 64)
	} else {
		tb.full[c/64] &^= 1 << (c % 64)
	}
}

// growLocked returns chunk c, made if need be. ENOMEM.
func (tb *Table) growLocked(c, limit int) (*chunk, error) {
	if ch := tb.chunkAt(c); ch != nil {
		return ch, nil
	}
	n := tb.chunks()
	cost := int64(chunkCost)
	if c >= n {
		n = max(c+1, min(2*n, (limit+chunkSize-1)/chunkSize))
		// The old root is garbage from now on, but other threads may
		// still look at it; what it cost is not given back.
		cost += int64(n) * rootCost
	}
	if !tb.in.Charge(inst.Heap, cost) {
		return nil, errno.ENOMEM
	}
	tb.cost += cost
	if n > tb.chunks() {
		tb.growRootLocked(n)
	}
	ch := &chunk{}
	(*tb.root.Load())[c].Store(ch)
	return ch, nil
}

// growRootLocked makes room for n chunks. Who still looks at the old root finds
// the chunks that there were when he began.
func (tb *Table) growRootLocked(n int) {
	root := make([]atomic.Pointer[chunk], n)
	for c := range tb.chunks() {
		root[c].Store(tb.chunkAt(c))
	}
	full := make([]uint64, (n+63)/64)
	copy(full, tb.full)
	tb.full = full
	tb.root.Store(&root)
	tb.noteFullLocked(0, &tb.first)
}

// Install makes the reserved descriptor fd refer to f, and takes over the
// caller's reference.
func (tb *Table) Install(fd int, f *File) {
	tb.mu.Lock()
	if tb.dead {
		tb.mu.Unlock()
		f.Release()
		return
	}
	ch := tb.chunkAt(fd / chunkSize)
	if ch.used&(1<<(fd%chunkSize)) == 0 || !ch.files[fd%chunkSize].CompareAndSwap(nil, f) {
		panic("file: descriptor was not reserved")
	}
	tb.mu.Unlock()
}

// Cancel gives the reserved descriptor fd up.
func (tb *Table) Cancel(fd int) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	if tb.dead {
		return
	}
	ch := tb.chunkAt(fd / chunkSize)
	if ch.used&(1<<(fd%chunkSize)) == 0 || ch.files[fd%chunkSize].Load() != nil {
		panic("file: descriptor was not reserved")
	}
	tb.freeLocked(fd, ch)
}

// Alloc makes the lowest free descriptor from min on refer to f, and takes over
// the caller's reference. On an error, as of Reserve, the caller still has it.
func (tb *Table) Alloc(t *proc.Thread, f *File, min int, cloexec bool) (int, error) {
	limit := limitOf(t)
	tb.mu.Lock()
	defer tb.mu.Unlock()
	fd, err := tb.reserveLocked(min, limit, cloexec)
	if err != nil {
		return -1, err
	}
	tb.chunkAt(fd / chunkSize).files[fd%chunkSize].Store(f)
	return fd, nil
}

// Close is close(2).
func (tb *Table) Close(t *proc.Thread, fd int) error {
	if fd < 0 || fd >= maxFDs {
		return errno.EBADF
	}
	tb.mu.Lock()
	f := tb.removeLocked(fd)
	tb.mu.Unlock()
	if f == nil {
		return errno.EBADF
	}
	tb.drop(f)
	return nil
}

// removeLocked empties and frees fd and returns its file, nil if it has none.
func (tb *Table) removeLocked(fd int) *File {
	ch := tb.chunkAt(fd / chunkSize)
	if ch == nil {
		return nil
	}
	f := ch.files[fd%chunkSize].Load()
	if f == nil {
		return nil
	}
	ch.files[fd%chunkSize].Store(nil)
	tb.freeLocked(fd, ch)
	return f
}

// drop ends what a closed descriptor of f meant: by POSIX, the record locks of
// the process go with any of its descriptors.
func (tb *Table) drop(f *File) {
	if tb.locked.Load() {
		slot.Of(f.Inst).locks.dropRecords(f.lockKey(), tb)
	}
	f.Release()
}

// CloseOnExec returns the flag FD_CLOEXEC of fd: fcntl(F_GETFD).
func (tb *Table) CloseOnExec(fd int) (bool, error) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	ch, err := tb.openLocked(fd)
	if err != nil {
		return false, err
	}
	return ch.cloexec&(1<<(fd%chunkSize)) != 0, nil
}

// SetCloseOnExec sets it: fcntl(F_SETFD).
func (tb *Table) SetCloseOnExec(fd int, on bool) error {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	ch, err := tb.openLocked(fd)
	if err != nil {
		return err
	}
	ch.cloexec &^= 1 << (fd % chunkSize)
	if on {
		ch.cloexec |= 1 << (fd % chunkSize)
	}
	return nil
}

// openLocked returns the chunk of fd if fd has a file.
func (tb *Table) openLocked(fd int) (*chunk, error) {
	if fd < 0 || fd >= maxFDs {
		return nil, errno.EBADF
	}
	ch := tb.chunkAt(fd / chunkSize)
	if ch == nil || ch.files[fd%chunkSize].Load() == nil {
		return nil, errno.EBADF
	}
	return ch, nil
}

// Each calls f for the open descriptors, in order, until it returns false. f
// runs without a lock; it may keep fl beyond its call only with a reference of
// its own.
func (tb *Table) Each(f func(fd int, cloexec bool, fl *File) bool) { tb.EachFrom(0, f) }

// Size returns how many descriptors there is room for now.
func (tb *Table) Size() int { return tb.chunks() * chunkSize }

// EachFrom is Each for the descriptors from min on, which isn't negative.
func (tb *Table) EachFrom(min int, f func(fd int, cloexec bool, fl *File) bool) {
	for c := min / chunkSize; c < tb.chunks(); c++ {
		ch := tb.chunkAt(c)
		for i := 0; ch != nil && i < chunkSize; i++ {
			fd := c*chunkSize + i
			if fd < min {
				continue
			}
			fl, err := tb.GetPath(fd)
			if err != nil {
				continue
			}
			on, _ := tb.CloseOnExec(fd)
			more := f(fd, on, fl)
			fl.Release()
			if !more {
				return
			}
		}
	}
}
