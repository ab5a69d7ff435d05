package file

import (
	"sync"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
)

// locks are the locks on the files of an instance: whole-file locks of
// flock(2), whose owner is the File, and record locks of fcntl(2), whose owner
// is the Table of a process, or the File for F_OFD_*. The two kinds don't see
// each other.
type locks struct {
	in *inst.Inst // [const] pays for it

	mu      sync.Mutex
	sets    map[any]*lockSet // [mu] by Locker.LockKey
	waiters *recordWaiter    // [mu] list of those in F_SETLKW, for deadlocks
}

// lockSet is what one file has of locks. It is there while it has some, or
// somebody waits for it.
type lockSet struct {
	flocks  map[*File]bool    // whether exclusive
	most    int               // of flocks: see inst.Shrink
	records map[any]*[]record // by owner; none is empty
	waiting int               // threads in q
	q       proc.Queue        // woken when a lock goes
}

// Costs on the heap: an entry of a map with what it points to, a record.
const (
	setCost    = 512
	ownerCost  = 192
	recordCost = 64 // twice its size: slices grow ahead
)

func (l *locks) init(in *inst.Inst) {
	l.in = in
	l.sets = make(map[any]*lockSet)
}

// lockKey returns the identity of f for locks. A file whose Impl has none is
// only the same as itself.
func (f *File) lockKey() any {
	if l, ok := f.Impl.(Locker); ok {
		return l.LockKey()
	}
	return f
}

// setLocked returns the set of key, made if need be. ENOLCK.
func (l *locks) setLocked(key any) (*lockSet, error) {
	if s := l.sets[key]; s != nil {
		return s, nil
	}
	if !l.in.Charge(inst.Heap, setCost) {
		return nil, errno.ENOLCK
	}
	s := &lockSet{flocks: make(map[*File]bool), records: make(map[any]*[]record)}
	l.sets[key] = s
	return s, nil
}

// tidyLocked removes s if nothing needs it any more.
func (l *locks) tidyLocked(key any, s *lockSet) {
	if len(s.flocks) == 0 && len(s.records) == 0 && s.waiting == 0 && l.sets[key] == s {
		delete(l.sets, key)
		l.in.Uncharge(inst.Heap, setCost)
	}
}

// Flock is flock(2). EINVAL, EAGAIN with LOCK_NB, ENOLCK.
func (f *File) Flock(t *proc.Thread, op int) error {
	if f.IsPath() {
		return errno.EBADF
	}
	wait := op&abi.LOCK_NB == 0
	key, l := f.lockKey(), &slot.Of(f.Inst).locks
	switch op &^ abi.LOCK_NB {
	case abi.LOCK_UN:
		l.mu.Lock()
		defer l.mu.Unlock()
		l.dropFlockLocked(key, f)
		return nil
	case abi.LOCK_SH:
		return l.flock(t, key, f, false, wait)
	case abi.LOCK_EX:
		return l.flock(t, key, f, true, wait)
	}
	return errno.EINVAL
}

// flock takes the lock. One of the other kind is given up first, as on Linux,
// and stays so if the new one is refused.
func (l *locks) flock(t *proc.Thread, key any, f *File, exclusive, wait bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	s, err := l.setLocked(key)
	if err != nil {
		return err
	}
	defer l.tidyLocked(key, s)
	if have, ok := s.flocks[f]; ok {
		if have == exclusive {
			return nil
		}
		s.waiting++ // keeps s
		l.dropFlockLocked(key, f)
		s.waiting--
	}
	for s.flockConflict(f, exclusive) {
		if !wait {
			return errno.EAGAIN
		}
		if err := l.waitLocked(t, s); err != nil {
			return err
		}
	}
	// Another thread may have locked through f while this one waited.
	if _, ok := s.flocks[f]; !ok && !l.in.Charge(inst.Heap, ownerCost) {
		return errno.ENOLCK
	}
	f.locked.Store(true)
	s.flocks[f] = exclusive
	return nil
}

// flockConflict reports whether another file's lock forbids one.
func (s *lockSet) flockConflict(f *File, exclusive bool) bool {
	for other, ex := range s.flocks {
		if other != f && (ex || exclusive) {
			return true
		}
		if other != f {
			return false // shared, so all others are too
		}
	}
	return false
}

// waitLocked sleeps until a lock of s has gone.
func (l *locks) waitLocked(t *proc.Thread, s *lockSet) error {
	s.waiting++
	err := t.Wait(&s.q, &l.mu, proc.Forever)
	s.waiting--
	return err
}

// dropFlockLocked removes the flock of f, if it has one.
func (l *locks) dropFlockLocked(key any, f *File) {
	s := l.sets[key]
	if s == nil {
		return
	}
	if _, ok := s.flocks[f]; !ok {
		return
	}
	delete(s.flocks, f)
	s.flocks = inst.Shrink(s.flocks, &s.most)
	l.in.Uncharge(inst.Heap, ownerCost)
	s.q.WakeAll()
	l.tidyLocked(key, s)
}

// dropLocks removes what f owns: its last reference is gone.
func (f *File) dropLocks() {
	key, l := f.lockKey(), &slot.Of(f.Inst).locks
	l.mu.Lock()
	l.dropFlockLocked(key, f)
	l.mu.Unlock()
	l.dropRecords(key, f)
}
