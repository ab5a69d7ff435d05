package vm

import (
	"fmt"
	"sync/atomic"

	"mult/arch"
	"mult/kern/errno"
	"mult/kern/mem"
)

// What a FaultError says, in Linux's numbers.
const (
	sigBus  = 7
	sigKill = 9
	sigSegv = 11

	segvMapErr = 1 // nothing is mapped there
	segvAccErr = 2 // what is mapped doesn't permit that
	busAdrErr  = 2 // the object has no such page
)

// A FaultError is the signal that an access deserves.
type FaultError struct {
	Signal, Code int
	Addr         Addr
}

func (e *FaultError) Error() string {
	return fmt.Sprintf("signal %d, code %d, address %#x", e.Signal, e.Code, uint64(e.Addr))
}

// trouble is why a page can't be accessed.
type trouble uint8

const (
	none     trouble = iota
	noArea           // nothing is mapped there
	noAccess         // not so
	noPage           // the object refused
	noMemory         // out of frames
)

// Fault makes the page at a accessible after a page fault with that error
// code. A *FaultError says why it can't.
func (s *Space) Fault(a Addr, code uint64) error {
	need := Read
	switch {
	case code&arch.FaultWrite != 0:
		need = Write
	case code&arch.FaultExec != 0:
		need = Exec
	}
	if a >= MaxAddr {
		return &FaultError{sigSegv, segvMapErr, a}
	}
	s.mu.RLock()
	t := s.resolve(uint64(a), need)
	s.mu.RUnlock()
	switch t {
	case none:
		return nil
	case noArea:
		return &FaultError{sigSegv, segvMapErr, a}
	case noAccess:
		return &FaultError{sigSegv, segvAccErr, a}
	case noPage:
		return &FaultError{sigBus, busAdrErr, a}
	}
	return &FaultError{sigKill, 0, a}
}

// err returns what a copy returns for the trouble.
func (t trouble) err() error {
	switch t {
	case none:
		return nil
	case noMemory:
		return errno.ENOMEM
	}
	return errno.EFAULT
}

// maxTries is how often the hook OutOfMemory is asked for one page.
const maxTries = 3

// resolve makes the page at a accessible. It is called, and returns, with s.mu
// held shared, but may release it in between.
func (s *Space) resolve(a uint64, need Prot) trouble {
	for tries := 0; ; {
		ar := s.find(a)
		if ar == nil {
			if t := s.grow(a); t != none {
				return t
			}
			continue
		}
		if !ar.allows(need) {
			return noAccess
		}
		t := noMemory
		if p := s.ensure(a); p != nil {
			e := atomic.LoadUint64(p)
			switch {
			case permits(e, need):
				s.minor.Add(1)
				return none
			case e == 0 && ar.obj == nil:
				t = s.fillAnon(ar, p, need)
			case e == 0:
				t = s.fillObject(ar, a, need)
			case need != Write || e&arch.PageUser == 0:
				panic("vm: an entry lacks a permission of its area")
			case ar.flags&shared != 0:
				t = s.writeShared(ar, a, e)
			default:
				t = s.writePrivate(p, a, e)
			}
		}
		switch t {
		case none:
		case noMemory:
			if s.sys.OutOfMemory == nil || tries == maxTries {
				return noMemory
			}
			tries++
			s.mu.RUnlock()
			again := s.sys.OutOfMemory(s)
			s.mu.RLock()
			if !again {
				return noMemory
			}
		default:
			return t
		}
	}
}

// fillAnon fills an entry of private anonymous memory: to read with the frame
// of zeros, to write with a frame of its own.
func (s *Space) fillAnon(ar *area, p *uint64, need Prot) trouble {
	if need != Write {
		atomic.CompareAndSwapUint64(p, 0, uint64(s.zero)|leafFlags(ar.prot))
		return none
	}
	pa, ok := s.newFrame(true)
	if !ok {
		return noMemory
	}
	s.fillOwned(ar, p, pa)
	return none
}

// fillOwned fills an empty entry with a frame that may be written, or frees
// the frame if someone was faster.
func (s *Space) fillOwned(ar *area, p *uint64, pa mem.PA) {
	e := uint64(pa) | leafFlags(ar.prot) | owned
	if ar.prot&Write != 0 {
		e |= writable
	}
	if !ar.hasOwned.Load() {
		ar.hasOwned.Store(true)
	}
	if atomic.CompareAndSwapUint64(p, 0, e) {
		s.rss.Add(1)
	} else {
		s.freeFrame(pa)
	}
}

// around is how many pages a fault maps at most, in a block of that size.
const around = 16

// fillObject fills an entry with the object's page, or, for a write to private
// memory, with a copy of it.
func (s *Space) fillObject(ar *area, a uint64, need Prot) trouble {
	obj, n := ar.obj, ar.page(a)
	isShared := ar.flags&shared != 0
	if near, ok := obj.(Around); ok && need != Write {
		s.fillAround(ar, near, a)
		if e := s.entry(a); e != nil && atomic.LoadUint64(e) != 0 {
			return none
		}
		if now := s.find(a); now == nil || !now.shows(obj, n, a, isShared) {
			return none // another area now; look again
		}
	}
	epoch := epochOf(obj)
	obj.Retain()
	s.mu.RUnlock()
	pa, err := obj.Page(n, need == Write && isShared)
	var own mem.PA
	copied := false
	if err == nil && need == Write && !isShared {
		if own, copied = s.newFrame(false); copied {
			*s.mem.Page(own) = *s.mem.Page(pa)
		} else {
			err = errno.ENOMEM
		}
		s.mem.Put(pa)
	}
	obj.Release()
	s.mu.RLock()
	switch err {
	case nil:
	case errno.ENOMEM:
		return noMemory
	default:
		return noPage
	}
	// While the lock was free, everything may have changed.
	t := none
	if ar = s.find(a); ar != nil && ar.shows(obj, n, a, isShared) && epoch == epochOf(obj) {
		if p := s.ensure(a); p == nil {
			t = noMemory
		} else if copied {
			s.fillOwned(ar, p, own)
			return none
		} else if s.fillFrame(ar, p, pa, need == Write) {
			return none
		}
	}
	if copied {
		s.freeFrame(own)
	} else {
		s.mem.Put(pa)
	}
	return t
}

// shows reports whether the area shows page n of obj at a, shared or not.
func (ar *area) shows(obj Object, n, a uint64, isShared bool) bool {
	return ar.obj == obj && ar.page(a) == n && (ar.flags&shared != 0) == isShared
}

// fillFrame fills an empty entry with an object's frame and reports whether it
// was empty.
func (s *Space) fillFrame(ar *area, p *uint64, pa mem.PA, write bool) bool {
	e := uint64(pa) | leafFlags(ar.prot)
	if write && ar.prot&Write != 0 || ar.alwaysWritable() {
		e |= writable
	}
	if !atomic.CompareAndSwapUint64(p, 0, e) {
		return false
	}
	s.rss.Add(1)
	return true
}

// alwaysWritable reports whether the area's pages may be written without
// telling the object.
func (ar *area) alwaysWritable() bool {
	_, ok := ar.obj.(*sharedAnon)
	return ok && ar.flags&shared != 0 && ar.prot&Write != 0
}

// fillAround fills empty entries around a with pages that the object has in
// memory.
func (s *Space) fillAround(ar *area, obj Around, a uint64) {
	lo := max(a&^(around*PageSize-1), ar.start)
	hi := min(a&^(around*PageSize-1)+around*PageSize, ar.end)
	isShared := ar.flags&shared != 0
	n := ar.page(lo)
	var buf [around]mem.PA
	pages := buf[:(hi-lo)/PageSize]
	id := ar.obj
	epoch := epochOf(id)
	id.Retain()
	s.mu.RUnlock()
	obj.Resident(n, pages)
	id.Release()
	s.mu.RLock()
	for i, pa := range pages {
		if pa == NoFrame {
			continue
		}
		at := lo + uint64(i)*PageSize
		ar := s.find(at)
		if ar != nil && ar.shows(id, n+uint64(i), at, isShared) && epoch == epochOf(id) {
			if p := s.ensure(at); p != nil && s.fillFrame(ar, p, pa, false) {
				continue
			}
		}
		s.mem.Put(pa)
	}
}

// writeShared makes the present entry e for a page of shared memory writable.
func (s *Space) writeShared(ar *area, a, e uint64) trouble {
	obj, n := ar.obj, ar.page(a)
	epoch := epochOf(obj)
	obj.Retain()
	s.mu.RUnlock()
	pa, err := obj.Page(n, true)
	obj.Release()
	if err != nil {
		s.mu.RLock()
		if err == errno.ENOMEM {
			return noMemory
		}
		return noPage
	}
	s.mu.Lock()
	ar = s.find(a)
	p := s.entry(a)
	if ar == nil || !ar.shows(obj, n, a, true) || ar.prot&Write == 0 || epoch != epochOf(obj) ||
		p == nil || *p == 0 || frame(*p) != frame(e) {
		s.mem.Put(pa) // another page by now; look again
	} else {
		old := atomic.SwapUint64(p, uint64(pa)|leafFlags(ar.prot)|writable)
		if frame(old) != pa {
			s.stale(a)
			s.rss.Add(1)
		} else {
			s.mem.Put(pa)
			old = uint64(s.zero) // keeps its reference
		}
		s.drop(old)
		s.drain()
	}
	s.mu.Unlock()
	s.mu.RLock()
	return none
}

// writePrivate makes the present entry e for a page of private memory
// writable, with a copy of the frame unless nobody else has it.
func (s *Space) writePrivate(p *uint64, a, e uint64) trouble {
	if e&owned != 0 && s.mem.Refs(frame(e)) == 1 {
		// Only a fork of this space could share it, and that needs the lock.
		atomic.CompareAndSwapUint64(p, e, e|writable)
		return none
	}
	isZero := frame(e) == s.zero
	pa, ok := s.newFrame(isZero)
	if !ok {
		return noMemory
	}
	s.mu.RUnlock()
	s.mu.Lock()
	ar, p := s.find(a), s.entry(a)
	if ar == nil || ar.flags&shared != 0 || ar.prot&Write == 0 ||
		p == nil || *p == 0 || frame(*p) != frame(e) || *p&arch.PageWrite != 0 || *p&owned != e&owned {
		s.freeFrame(pa)
	} else {
		if !isZero {
			*s.mem.Page(pa) = *s.mem.Page(frame(e))
		}
		ar.hasOwned.Store(true)
		old := atomic.SwapUint64(p, uint64(pa)|leafFlags(ar.prot)|owned|writable)
		s.rss.Add(1)
		s.stale(a)
		s.drop(old)
		s.drain()
	}
	s.mu.Unlock()
	s.mu.RLock()
	return none
}

// guardGap is the distance that a stack keeps to what lies below.
const guardGap = 256 * PageSize

// grow extends the stack above a down to a, which is in no area. s.mu is held
// shared, and released in between.
func (s *Space) grow(a uint64) trouble {
	if i := s.search(a); i == len(s.areas) || s.areas[i].flags&grows == 0 {
		return noArea
	}
	s.mu.RUnlock()
	s.mu.Lock()
	t := s.growLocked(pageDown(a))
	s.mu.Unlock()
	s.mu.RLock()
	return t
}

// growLocked wants s.mu held exclusively.
func (s *Space) growLocked(start uint64) trouble {
	i := s.search(start)
	if i == len(s.areas) || start < MinAddr {
		return noArea
	}
	ar := s.areas[i]
	if ar.start <= start {
		return none // someone was faster
	}
	pages := (ar.start - start) / PageSize
	if ar.flags&grows == 0 || ar.end-start > s.limit.stack.Load() || !s.fits(ar, pages, 0) {
		return noArea
	}
	if i > 0 {
		below := s.areas[i-1]
		if below.prot != 0 && below.flags&grows == 0 && start-below.end < guardGap {
			return noArea
		}
	}
	ar.start = start
	s.account(ar, pages)
	return none
}
