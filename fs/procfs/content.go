package procfs

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// end is the position behind the last piece.
const end = ^uint64(0)

// piece is how much content in pieces is made at once, about.
const piece = 4096

// buffer collects content. It is charged to the instance; the first error
// stays.
type buffer struct {
	in  *inst.Inst
	b   []byte
	err error

	look bool // the reader may look into the process
}

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	if b.room(len(p)) {
		b.b = append(b.b, p...)
	}
	return len(p), b.err
}

// room makes room for n bytes more.
func (b *buffer) room(n int) bool {
	if b.err != nil {
		return false
	}
	if need := len(b.b) + n; need > cap(b.b) {
		size := max(need, 2*cap(b.b), 512)
		if !b.in.Charge(inst.Heap, int64(size-cap(b.b))) {
			b.err = errno.ENOMEM
			return false
		}
		b.b = append(make([]byte, 0, size), b.b...)[:len(b.b):size]
	}
	return true
}

func (b *buffer) text(s string) {
	if b.room(len(s)) {
		b.b = append(b.b, s...)
	}
}

func (b *buffer) f(format string, args ...any) { fmt.Fprintf(b, format, args...) }

var _ io.Writer = (*buffer)(nil)

// escaped adds s with some characters in octal, as seq_escape.
func (b *buffer) escaped(s, which string) {
	for {
		i := strings.IndexAny(s, which)
		if i < 0 {
			b.text(s)
			return
		}
		b.text(s[:i])
		b.f("\\%03o", s[i])
		s = s[i+1:]
	}
}

// free gives everything back.
func (b *buffer) free() {
	b.in.Uncharge(inst.Heap, int64(cap(b.b)))
	b.b = nil
}

// content is an open file.
type content struct {
	e    *entry     // [const]
	x    *target    // [const] of the node, which the open file retains
	cred *proc.Cred // [const] of who opened it

	mu    sync.Mutex
	b     buffer // [mu] a part of the content
	start int64  // [mu] where in the content it begins
	next  uint64 // [mu] position of the piece behind it
}

// Release implements file.Impl.
func (o *content) Release(*file.File) { o.b.free() }

// Stat implements file.Impl; the node is asked instead.
func (o *content) Stat(*proc.Thread) (abi.Stat, error) { return abi.Stat{}, nil }

// Seek implements file.Seeker, as seq_lseek of Linux.
func (o *content) Seek(_ *proc.Thread, pos, off int64, whence int) (int64, error) {
	if whence != abi.SEEK_SET && whence != abi.SEEK_CUR {
		return 0, errno.EINVAL
	}
	return file.SeekTo(pos, off, whence, 0)
}

// Read implements file.Impl. A read from the beginning makes the content anew.
func (o *content) Read(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.x.pid != 0 && o.x.proc() == nil {
		return errno.ESRCH
	}
	if o.e.private {
		// The process may have got other rights since it was opened.
		if err := o.x.mayLook(o.cred, t); err != nil {
			return err
		}
	}
	if off == 0 || off < o.start {
		o.b.b, o.start, o.next = o.b.b[:0], 0, 0
	}
	before := u.Done()
	for some := false; u.Len() > 0; some = true {
		if have := o.start + int64(len(o.b.b)); off < have {
			n, err := u.CopyOut(o.b.b[off-o.start:])
			if err != nil {
				return err
			}
			off += int64(n)
			continue
		}
		if o.next == end {
			return nil
		}
		if some && t != nil && t.Interrupted() {
			if u.Done() == before {
				return proc.ERestartSys
			}
			return nil
		}
		if err := o.fill(t); err != nil {
			return err
		}
	}
	return nil
}

// fill makes the next piece.
func (o *content) fill(t *proc.Thread) error {
	o.start += int64(len(o.b.b))
	o.b.b = o.b.b[:0]
	o.b.look = o.x.pid == 0 || o.x.mayLook(o.cred, t) == nil
	if o.e.text != nil {
		o.next = end
		if err := o.e.text(&o.b, o.x); err != nil {
			return o.failed(err)
		}
		return o.failed(o.b.err)
	}
	next, err := o.e.pieces(&o.b, o.x, o.next)
	if err == nil {
		err = o.b.err
	}
	o.next = next
	return o.failed(err)
}

// failed drops what there is after an error, so that the next read begins anew.
func (o *content) failed(err error) error {
	if err != nil {
		o.b.free()
		o.b.err, o.start, o.next = nil, 0, 0
	}
	return err
}

// maxWrite is how much is taken of what a program writes at once.
const maxWrite = 128

// Write implements file.Impl.
func (o *content) Write(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	if o.x.pid != 0 && o.x.proc() == nil {
		return errno.ESRCH
	}
	var b [maxWrite]byte
	v := *u // after an error nothing has been written
	n, err := v.CopyIn(b[:])
	if err != nil {
		return err
	}
	if err := o.e.write(t, o.x, string(b[:n])); err != nil {
		return err
	}
	// What is too long is ignored.
	for u.Len() > 0 {
		if _, err := u.CopyIn(b[:]); err != nil {
			return err
		}
	}
	return nil
}
