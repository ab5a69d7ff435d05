package vm

import "mult/kern/errno"

// Limits of one transfer, as on Linux.
const (
	MaxIovecs   = 1024
	MaxTransfer = 1<<31 - PageSize // longer ones are cut to it
)

// An Iovec is a range of a program's memory.
type Iovec struct {
	Base Addr
	Len  uint64
}

// A Uio is a transfer between a program, or kernel memory, and a file. It
// remembers how far it got. One goroutine uses it at a time.
type Uio struct {
	space *Space // nil: kernel memory
	buf   []byte // kernel memory that is left

	cur  Iovec   // what is left of the current range
	rest []Iovec // those after it
	left int
	done int
}

// KernelUio returns a transfer from or to b.
func KernelUio(b []byte) *Uio { return &Uio{buf: b, left: len(b)} }

// Uio returns a transfer from or to the ranges, which it keeps.
func (s *Space) Uio(iov []Iovec) (*Uio, error) {
	u := new(Uio)
	if err := u.Set(s, iov); err != nil {
		return nil, err
	}
	return u, nil
}

// UioAt returns a transfer from or to n bytes at a.
func (s *Space) UioAt(a Addr, n uint64) (*Uio, error) {
	u := new(Uio)
	if err := u.SetAt(s, a, n); err != nil {
		return nil, err
	}
	return u, nil
}

// Set makes u what s.Uio returns.
func (u *Uio) Set(s *Space, iov []Iovec) error {
	*u = Uio{}
	if len(iov) > MaxIovecs {
		return errno.EINVAL
	}
	for _, v := range iov {
		if v.Len > 1<<63-1 {
			return errno.EINVAL
		}
	}
	left := uint64(0)
	for i, v := range iov {
		if v.Base > MaxAddr || v.Len > MaxAddr-uint64(v.Base) {
			return errno.EFAULT
		}
		if v.Len > MaxTransfer-left {
			v.Len = MaxTransfer - left
			iov[i].Len = v.Len
		}
		left += v.Len
	}
	u.space, u.rest, u.left = s, iov, int(left)
	return nil
}

// SetAt makes u what s.UioAt returns, without an allocation.
func (u *Uio) SetAt(s *Space, a Addr, n uint64) error {
	if a > MaxAddr || n > MaxAddr-uint64(a) {
		*u = Uio{}
		return errno.EFAULT
	}
	n = min(n, MaxTransfer)
	u.space, u.buf, u.rest = s, nil, nil
	u.cur, u.left, u.done = Iovec{a, n}, int(n), 0
	return nil
}

// Len returns how many bytes are left.
func (u *Uio) Len() int { return u.left }

// Done returns how many bytes were moved so far.
func (u *Uio) Done() int { return u.done }

// CopyOut moves bytes of src towards the program, as read(2) does: all of
// them, unless less is left. With EFAULT it returns how many it moved before.
func (u *Uio) CopyOut(src []byte) (int, error) { return u.out(len(src), src) }

// Zero is CopyOut of n zeros.
func (u *Uio) Zero(n int) (int, error) { return u.out(max(n, 0), nil) }

func (u *Uio) out(n int, src []byte) (int, error) {
	n = min(n, u.left)
	if u.space == nil {
		if src != nil {
			copy(u.buf[:n], src)
		} else {
			clear(u.buf[:n])
		}
		return u.advance(n), nil
	}
	if uint64(n) <= u.cur.Len { // most transfers have one range
		k, err := u.space.store(u.cur.Base, n, src)
		return u.advance(k), err
	}
	moved := 0
	for moved < n {
		part := u.part(n - moved)
		var from []byte
		if src != nil {
			from = src[moved : moved+part]
		}
		k, err := u.space.store(u.cur.Base, part, from)
		moved += u.advance(k)
		if err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// CopyIn fills dst from the program, as write(2) does, unless less is left.
// With EFAULT it returns how many bytes it moved before.
func (u *Uio) CopyIn(dst []byte) (int, error) {
	n := min(len(dst), u.left)
	if u.space == nil {
		copy(dst, u.buf[:n])
		return u.advance(n), nil
	}
	moved := 0
	for moved < n {
		part := u.part(n - moved)
		k, err := u.space.copyIn(dst[moved:moved+part], u.cur.Base)
		moved += u.advance(k)
		if err != nil {
			return moved, err
		}
	}
	return moved, nil
}

// Skip counts n bytes as moved, unless less is left, without a look at them.
func (u *Uio) Skip(n int) int {
	n = min(max(n, 0), u.left)
	if u.space == nil || uint64(n) <= u.cur.Len {
		return u.advance(n)
	}
	for moved := 0; moved < n; {
		moved += u.advance(u.part(n - moved))
	}
	return n
}

// part returns how much of n bytes, more than none, the current range can
// take. There is one that isn't empty, since bytes are left.
func (u *Uio) part(n int) int {
	for u.cur.Len == 0 {
		u.cur, u.rest = u.rest[0], u.rest[1:]
	}
	return int(min(u.cur.Len, uint64(n)))
}

func (u *Uio) advance(n int) int {
	if u.space == nil {
		u.buf = u.buf[n:]
	} else {
		u.cur.Base += Addr(n)
		u.cur.Len -= uint64(n)
	}
	u.left -= n
	u.done += n
	return n
}
