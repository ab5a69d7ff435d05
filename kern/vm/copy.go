package vm

import (
	"bytes"
	"strings"
	"sync/atomic"
	"unsafe"

	"mult/kern/errno"
)

// Copies from and to the memory of a program. They walk the page table and use
// the frames, under the lock held shared, so that no frame goes away.

// maxHold is how many bytes are copied before others get the lock.
const maxHold = 16 * PageSize

// page returns the page at a if it can be accessed so, faulting it in. s.mu is
// held shared, and may be released in between.
func (s *Space) page(a uint64, need Prot) (*[PageSize]byte, error) {
	for {
		if p := s.entry(a); p != nil {
			if e := atomic.LoadUint64(p); permits(e, need) {
				return s.mem.Page(frame(e)), nil
			}
		}
		if t := s.resolve(a, need); t != none {
			return nil, t.err()
		}
	}
}

// inside reports whether n bytes at a are where programs may have memory.
func inside(a Addr, n int) bool { return a <= MaxAddr && uint64(n) <= MaxAddr-uint64(a) }

// CopyIn fills dst from address a. EFAULT means that some of it can't be read;
// dst is undefined then. ENOMEM means that there was no frame for a page.
func (s *Space) CopyIn(dst []byte, a Addr) error {
	_, err := s.copyIn(dst, a)
	return err
}

// CopyOut writes src to address a. After an error a part may be written.
func (s *Space) CopyOut(a Addr, src []byte) error {
	_, err := s.copyOut(a, src)
	return err
}

func (s *Space) copyIn(dst []byte, a Addr) (int, error) {
	if len(dst) == 0 {
		return 0, nil
	}
	if !inside(a, len(dst)) {
		return 0, errno.EFAULT
	}
	done := 0
	s.mu.RLock()
	for {
		at := uint64(a) + uint64(done)
		p, err := s.page(at, Read)
		if err != nil {
			s.mu.RUnlock()
			return done, err
		}
		n := copy(dst[done:], p[at%PageSize:])
		done += n
		if done == len(dst) {
			s.mu.RUnlock()
			return done, nil
		}
		if (at+uint64(n))%maxHold == 0 {
			s.mu.RUnlock()
			s.mu.RLock()
		}
	}
}

func (s *Space) copyOut(a Addr, src []byte) (int, error) {
	return s.store(a, len(src), src)
}

// store writes n bytes to address a: those of src, or zeros if src is nil.
func (s *Space) store(a Addr, n int, src []byte) (int, error) {
	if n == 0 {
		return 0, nil
	}
	if !inside(a, n) {
		return 0, errno.EFAULT
	}
	if off := int(a % PageSize); n <= PageSize-off { // most are in one page
		s.mu.RLock()
		p, err := s.page(uint64(a), Write)
		if err != nil {
			n = 0
		} else if part := p[off : off+n]; src == nil {
			clear(part)
		} else {
			copy(part, src)
		}
		s.mu.RUnlock()
		return n, err
	}
	done := 0
	s.mu.RLock()
	for {
		at := uint64(a) + uint64(done)
		p, err := s.page(at, Write)
		if err != nil {
			s.mu.RUnlock()
			return done, err
		}
		part := p[at%PageSize:]
		part = part[:min(len(part), n-done)]
		if src == nil {
			clear(part)
		} else {
			copy(part, src[done:])
		}
		done += len(part)
		if done == n {
			s.mu.RUnlock()
			return done, nil
		}
		if (at+uint64(len(part)))%maxHold == 0 {
			s.mu.RUnlock()
			s.mu.RLock()
		}
	}
}

// CopyInString reads a string that ends with a zero byte, which isn't part of
// the result. ENAMETOOLONG means that there is none in the first max bytes.
func (s *Space) CopyInString(a Addr, max int) (string, error) {
	return s.CopyInShort(a, max, nil)
}

// Strings makes short strings, many in one piece of memory. Each keeps those beside
// it: who wants one for longer than a system call copies it.
type Strings struct{ piece strings.Builder }

const (
	maxPiece = 1024
	maxShort = 128 // and the first piece
)

func (p *Strings) make(b []byte) string {
	if p == nil || len(b) > maxShort {
		return string(b)
	}
	at := p.piece.Len()
	if p.piece.Cap()-at < len(b) {
		size := min(max(2*p.piece.Cap(), maxShort), maxPiece)
		p.piece.Reset()
		p.piece.Grow(size)
		at = 0
	}
	p.piece.Write(b)
	return p.piece.String()[at:]
}

// CopyInShort is CopyInString for strings that are mostly short and don't last,
// such as paths: p makes them, unless it is nil.
func (s *Space) CopyInShort(a Addr, max int, p *Strings) (string, error) {
	str := ""
	for len(str) < max {
		at := uint64(a) + uint64(len(str))
		if at >= MaxAddr {
			return "", errno.EFAULT
		}
		off := int(at % PageSize)
		n := min(max-len(str), PageSize-off)
		s.mu.RLock()
		page, err := s.page(at, Read)
		if err != nil {
			s.mu.RUnlock()
			return "", err
		}
		part := page[off : off+n]
		end := bytes.IndexByte(part, 0)
		if end >= 0 {
			part = part[:end]
		}
		more := p.make(part)
		s.mu.RUnlock()
		if str != "" { // it goes on from the page before
			more = str + more
		}
		str = more
		if end >= 0 {
			if i := strings.IndexByte(str, 0); i >= 0 { // the program has just put it there
				str = str[:i]
			}
			return str, nil
		}
	}
	return "", errno.ENAMETOOLONG
}

// word returns the 32-bit word at a. s.mu is held shared.
func (s *Space) word(a Addr, need Prot) (*uint32, error) {
	if a%4 != 0 {
		return nil, errno.EINVAL
	}
	if a >= MaxAddr {
		return nil, errno.EFAULT
	}
	p, err := s.page(uint64(a), need)
	if err != nil {
		return nil, err
	}
	return (*uint32)(unsafe.Pointer(&p[a%PageSize])), nil
}

// Load32 reads an aligned word atomically.
func (s *Space) Load32(a Addr) (uint32, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, err := s.word(a, Read)
	if err != nil {
		return 0, err
	}
	return atomic.LoadUint32(p), nil
}

// Update32 replaces an aligned word by f of it, atomically, and returns what it
// was. f may be called more than once; it must not block.
func (s *Space) Update32(a Addr, f func(old uint32) uint32) (old uint32, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	p, err := s.word(a, Write)
	if err != nil {
		return 0, err
	}
	for {
		old = atomic.LoadUint32(p)
		if atomic.CompareAndSwapUint32(p, old, f(old)) {
			return old, nil
		}
	}
}

// A Key is the identity of a word of memory, for futexes: the same for all who
// mean the same word. Keys are comparable.
type Key struct {
	of  any // *Space or the key of an Object
	off uint64
}

// Key returns the key of the word at a. shared says that other processes may
// mean the same word; without it, the address is enough.
func (s *Space) Key(a Addr, isShared bool) (Key, error) {
	if a >= MaxAddr {
		return Key{}, errno.EFAULT
	}
	if !isShared {
		return Key{s, uint64(a)}, nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	ar := s.find(uint64(a))
	if ar == nil || ar.prot == 0 {
		return Key{}, errno.EFAULT
	}
	if ar.obj == nil && ar.prot&Write == 0 {
		return Key{}, errno.EFAULT // nobody can change the word
	}
	if ar.flags&shared == 0 {
		return Key{s, uint64(a)}, nil
	}
	return Key{ar.obj.Key(), ar.off + uint64(a) - ar.start}, nil
}
