package file

import (
	"math"
	"slices"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
)

// A record is a lock on a range of bytes. Those of one owner don't overlap and
// are sorted; neighbours of the same kind are joined.
type record struct {
	start, end int64 // both inclusive
	write      bool
	pid        int32
}

// toEOF is the end of a range that reaches to the end of the file, however far.
const toEOF = math.MaxInt64

// recordWaiter is a thread that waits for the locks of another owner.
type recordWaiter struct {
	owner, blocker any
	next           *recordWaiter
}

// maxDeadlock is how many owners a search for deadlocks follows.
const maxDeadlock = 64

// Lock is fcntl(2) with F_GETLK, F_SETLK, F_SETLKW or their F_OFD_ siblings;
// F_GETLK answers in fl. EBADF, EINVAL, EOVERFLOW, EAGAIN, EDEADLK, ENOLCK.
func (tb *Table) Lock(t *proc.Thread, fd, cmd int, fl *abi.Flock) error {
	f, err := tb.Get(fd)
	if err != nil {
		return err
	}
	defer f.Release()
	r, err := f.recordOf(t, fl)
	if err != nil {
		return err
	}
	r.pid = int32(t.Proc.PID)
	var owner any = tb
	switch cmd {
	case abi.F_OFD_GETLK, abi.F_OFD_SETLK, abi.F_OFD_SETLKW:
		if fl.PID != 0 {
			return errno.EINVAL
		}
		owner, r.pid = f, -1
	}
	key, l := f.lockKey(), &slot.Of(f.Inst).locks
	switch cmd {
	case abi.F_GETLK, abi.F_OFD_GETLK:
		if fl.Type != abi.F_RDLCK && fl.Type != abi.F_WRLCK {
			return errno.EINVAL
		}
		l.ask(key, owner, r, fl)
		return nil
	case abi.F_SETLK, abi.F_SETLKW, abi.F_OFD_SETLK, abi.F_OFD_SETLKW:
	default:
		return errno.EINVAL
	}
	switch {
	case fl.Type == abi.F_UNLCK:
	case fl.Type == abi.F_RDLCK && !f.Readable(), fl.Type == abi.F_WRLCK && !f.Writable():
		return errno.EBADF
	}
	if owner == any(tb) {
		tb.locked.Store(true)
	} else {
		f.locked.Store(true)
	}
	if err := l.set(t, key, owner, r, fl.Type == abi.F_UNLCK, cmd == abi.F_SETLKW || cmd == abi.F_OFD_SETLKW); err != nil {
		return err
	}
	if now, _ := tb.Get(fd); now == f {
		now.Release()
	} else {
		// Another thread has closed fd meanwhile; its close came too
		// early to see this lock.
		if now != nil {
			now.Release()
		}
		if owner == any(tb) {
			l.dropRecords(key, tb)
			return errno.EBADF
		}
	}
	return nil
}

// recordOf returns the range and kind that fl tells.
func (f *File) recordOf(t *proc.Thread, fl *abi.Flock) (record, error) {
	if fl.Type != abi.F_RDLCK && fl.Type != abi.F_WRLCK && fl.Type != abi.F_UNLCK {
		return record{}, errno.EINVAL
	}
	var base int64
	switch fl.Whence {
	case abi.SEEK_SET:
	case abi.SEEK_CUR:
		base = f.Pos()
	case abi.SEEK_END:
		st, err := f.Stat(t)
		if err != nil {
			return record{}, err
		}
		base = st.Size
	default:
		return record{}, errno.EINVAL
	}
	if fl.Start > math.MaxInt64-base {
		return record{}, errno.EOVERFLOW
	}
	r := record{start: base + fl.Start, end: toEOF, write: fl.Type == abi.F_WRLCK}
	if r.start < 0 {
		return record{}, errno.EINVAL
	}
	switch {
	case fl.Len > 0:
		if fl.Len-1 > math.MaxInt64-r.start {
			return record{}, errno.EOVERFLOW
		}
		r.end = r.start + fl.Len - 1
	case fl.Len < 0:
		if r.start+fl.Len < 0 {
			return record{}, errno.EINVAL
		}
		r.start, r.end = r.start+fl.Len, r.start-1
	}
	return r, nil
}

// reaching returns the index of the first of rs that ends at or behind at.
func reaching(rs []record, at int64) int {
	i, _ := slices.BinarySearchFunc(rs, at, func(a record, at int64) int {
		if a.end < at {
			return -1
		}
		return 1
	})
	return i
}

// conflict returns a lock, and its owner, that forbids r to owner.
func (s *lockSet) conflict(owner any, r record) (record, any) {
	for other, rs := range s.records {
		if other == owner {
			continue
		}
		for i := reaching(*rs, r.start); i < len(*rs) && (*rs)[i].start <= r.end; i++ {
			if (*rs)[i].write || r.write {
				return (*rs)[i], other
			}
		}
	}
	return record{}, nil
}

// ask answers F_GETLK: the lock that forbids r, or F_UNLCK.
func (l *locks) ask(key, owner any, r record, fl *abi.Flock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var c record
	var by any
	if s := l.sets[key]; s != nil {
		c, by = s.conflict(owner, r)
	}
	if by == nil {
		fl.Type = abi.F_UNLCK
		return
	}
	*fl = abi.Flock{Type: abi.F_RDLCK, Whence: abi.SEEK_SET, Start: c.start, PID: c.pid}
	if c.write {
		fl.Type = abi.F_WRLCK
	}
	if c.end != toEOF {
		fl.Len = c.end - c.start + 1
	}
}

// set locks or unlocks r for owner.
func (l *locks) set(t *proc.Thread, key, owner any, r record, unlock, wait bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if unlock {
		s := l.sets[key]
		if s == nil {
			return nil
		}
		err := l.changeLocked(s, owner, r, true)
		l.tidyLocked(key, s)
		return err
	}
	s, err := l.setLocked(key)
	if err != nil {
		return err
	}
	defer l.tidyLocked(key, s)
	for {
		_, by := s.conflict(owner, r)
		if by == nil {
			return l.changeLocked(s, owner, r, false)
		}
		if !wait {
			return errno.EAGAIN
		}
		if l.deadlockLocked(owner, by) {
			return errno.EDEADLK
		}
		w := &recordWaiter{owner: owner, blocker: by, next: l.waiters}
		l.waiters = w
		err := l.waitLocked(t, s)
		for p := &l.waiters; *p != nil; p = &(*p).next {
			if *p == w {
				*p = w.next
				break
			}
		}
		if err != nil {
			return err
		}
	}
}

// deadlockLocked reports whether blocker waits for owner, maybe through others.
// Locks of open files are left out, as on Linux: who would unlock them isn't
// known.
func (l *locks) deadlockLocked(owner, blocker any) bool {
	if _, ok := owner.(*Table); !ok {
		return false
	}
	for range maxDeadlock {
		if blocker == owner {
			return true
		}
		w := l.waiters
		for w != nil && w.owner != blocker {
			w = w.next
		}
		if w == nil {
			return false
		}
		blocker = w.blocker
	}
	return false
}

// changeLocked gives owner the lock r, or takes it away, and wakes those whom
// that may help. ENOLCK, for taking away only if it leaves a hole in a record.
func (l *locks) changeLocked(s *lockSet, owner any, r record, unlock bool) error {
	rs := s.records[owner]
	// more is how many records the change can add.
	more := 2
	var cost int64
	switch {
	case rs == nil && unlock:
		return nil
	case rs == nil:
		cost = ownerCost
	case unlock && !splits(*rs, r):
		more = 0
	}
	cost += int64(more) * recordCost
	if !l.in.Charge(inst.Heap, cost) {
		return errno.ENOLCK
	}
	if rs == nil {
		rs = new([]record)
		s.records[owner] = rs
	}
	before := len(*rs)
	*rs = change(*rs, r, unlock)
	// What was charged too much, and what has gone.
	back := int64(before+more-len(*rs)) * recordCost
	if len(*rs) == 0 {
		delete(s.records, owner)
		back += ownerCost
	}
	l.in.Uncharge(inst.Heap, back)
	s.q.WakeAll()
	return nil
}

// splits reports whether one of rs goes beyond r on both sides.
func splits(rs []record, r record) bool {
	i := reaching(rs, r.start)
	return i < len(rs) && rs[i].start < r.start && rs[i].end > r.end
}

// change returns the sorted records rs with the range of r as r says, or free.
// It works in place where it can.
func change(rs []record, r record, unlock bool) []record {
	// lo..hi-1 are the records that r touches; those that only border on it
	// are joined to it if they are of its kind.
	lo := reaching(rs, r.start)
	hi := lo
	for hi < len(rs) && rs[hi].start <= r.end {
		hi++
	}
	var with [3]record
	n := 0
	put := func(x record) {
		if n > 0 && !unlock && with[n-1].write == x.write && with[n-1].end == x.start-1 {
			with[n-1].end = x.end
			return
		}
		with[n] = x
		n++
	}
	if !unlock && lo > 0 && rs[lo-1].write == r.write && rs[lo-1].end == r.start-1 {
		lo--
		put(rs[lo])
	} else if lo < hi && rs[lo].start < r.start {
		left := rs[lo]
		left.end = r.start - 1
		put(left)
	}
	if !unlock {
		put(r)
	}
	if hi > lo && rs[hi-1].end > r.end {
		right := rs[hi-1]
		right.start = r.end + 1
		put(right)
	} else if !unlock && hi < len(rs) && rs[hi].write == r.write && rs[hi].start == r.end+1 && r.end != toEOF {
		put(rs[hi])
		hi++
	}
	rs = slices.Replace(rs, lo, hi, with[:n]...)
	// The list keeps no more room than is charged.
	if c := cap(rs); c > 16 && len(rs) < c/4 {
		rs = append(make([]record, 0, c/2), rs...)
	}
	return rs
}

// dropRecords removes all record locks of owner on a file.
func (l *locks) dropRecords(key, owner any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sets[key]
	if s == nil {
		return
	}
	rs := s.records[owner]
	if rs == nil {
		return
	}
	delete(s.records, owner)
	l.in.Uncharge(inst.Heap, ownerCost+int64(len(*rs))*recordCost)
	s.q.WakeAll()
	l.tidyLocked(key, s)
}
