package file

import (
	"math"
	"sync"
	"sync/atomic"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
	"mult/kern/vm"
)

// A File is an open file: what Linux calls an open file description.
// Descriptors, calls that are going on, and mappings share it by references; it
// begins with one, its maker's.
type File struct {
	Impl Impl       // [const]
	Inst *inst.Inst // [const] that pays for it

	seeker Seeker // [const] Impl, if it is one
	stream bool   // [const] reads and writes don't use the position

	refs  atomic.Int64
	flags atomic.Uint32

	posMu sync.Mutex
	pos   atomic.Int64 // [posMu to write] where the next read, write or getdents begins
	end   int64        // [posMu] what Appended said

	hookMu sync.Mutex
	hooks  *Hook // [hookMu] list
	dead   bool  // [hookMu] the last reference is gone

	locked  atomic.Bool // flock or an OFD lock may be held through it
	ownerMu sync.Mutex
	owner   Owner // [ownerMu]
}

// fileCost is what a File takes of the heap.
const fileCost = 256

// What stays of the flags of open(2), and what fcntl(F_SETFL) may change. Nothing
// sends SIGIO, so O_ASYNC can't be set.
const (
	openOnly = abi.O_CREAT | abi.O_EXCL | abi.O_NOCTTY | abi.O_TRUNC | abi.O_CLOEXEC
	settable = abi.O_APPEND | abi.O_NONBLOCK | abi.O_DIRECT | abi.O_NOATIME
	pathOnly = abi.O_PATH | abi.O_DIRECTORY | abi.O_NOFOLLOW
)

// New makes an open file of impl, charged to in, with the flags of open(2).
// On an error, which is ENFILE, or EINVAL for O_DIRECT, impl is still the caller's
// to release.
func New(in *inst.Inst, impl Impl, flags int) (*File, error) {
	flags &^= openOnly
	if flags&abi.O_PATH != 0 {
		flags &= pathOnly
	}
	if flags&abi.O_DIRECT != 0 && !direct(impl) {
		return nil, errno.EINVAL
	}
	if in.ChargeWith(inst.Files, inst.Heap, fileCost) != inst.NumResources {
		return nil, errno.ENFILE
	}
	f := &File{Impl: impl, Inst: in}
	f.seeker, _ = impl.(Seeker)
	_, unpositioned := impl.(Unpositioned)
	f.stream = f.seeker == nil || unpositioned
	f.flags.Store(uint32(flags))
	f.refs.Store(1)
	return f, nil
}

func direct(impl Impl) bool {
	_, ok := impl.(Directer)
	return ok
}

// Retain adds a reference. The caller has one.
func (f *File) Retain() {
	if f.refs.Add(1) <= 1 {
		panic("file: reference to a file that is gone")
	}
}

// TryRetain adds a reference unless the last one is gone.
func (f *File) TryRetain() bool {
	for {
		n := f.refs.Load()
		if n <= 0 {
			return false
		}
		if f.refs.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

// Release drops a reference. With the last one the hooks run, locks go, and the
// Impl is released.
func (f *File) Release() {
	switch n := f.refs.Add(-1); {
	case n > 0:
		return
	case n < 0:
		panic("file: more references dropped than taken")
	}
	f.runHooks()
	if f.locked.Load() {
		f.dropLocks()
	}
	f.Impl.Release(f)
	f.Inst.UnchargeWith(inst.Files, inst.Heap, fileCost)
}

// Flags returns the flags of open(2) that last: what fcntl(F_GETFL) tells.
func (f *File) Flags() int { return int(f.flags.Load()) }

// IsPath reports whether f was opened with O_PATH: it only stands for a place.
func (f *File) IsPath() bool { return f.Flags()&abi.O_PATH != 0 }

// Readable reports whether f was opened for reading.
func (f *File) Readable() bool {
	fl := f.Flags()
	return fl&abi.O_PATH == 0 && (fl&abi.O_ACCMODE == abi.O_RDONLY || fl&abi.O_ACCMODE == abi.O_RDWR)
}

// Writable reports whether f was opened for writing.
func (f *File) Writable() bool {
	fl := f.Flags()
	return fl&abi.O_PATH == 0 && (fl&abi.O_ACCMODE == abi.O_WRONLY || fl&abi.O_ACCMODE == abi.O_RDWR)
}

// Nonblock reports whether calls on f may not wait.
func (f *File) Nonblock() bool { return f.Flags()&abi.O_NONBLOCK != 0 }

// SetFlags is fcntl(F_SETFL): flags that can't be changed are ignored.
func (f *File) SetFlags(t *proc.Thread, flags int) error {
	if f.IsPath() {
		return errno.EBADF
	}
	if flags&abi.O_DIRECT != 0 && !direct(f.Impl) {
		return errno.EINVAL
	}
	if fl, ok := f.Impl.(Flagger); ok {
		if err := fl.SetFlags(t, f, flags&settable); err != nil {
			return err
		}
	}
	f.changeFlags(settable, uint32(flags))
	return nil
}

// changeFlags gives the flags in mask the values they have in v.
func (f *File) changeFlags(mask, v uint32) {
	for {
		old := f.flags.Load()
		if f.flags.CompareAndSwap(old, old&^mask|v&mask) {
			return
		}
	}
}

// result makes of a transfer's error what the program sees: bytes that have
// moved count more than the error that ended the transfer.
func result(u *vm.Uio, before int, err error) (int, error) {
	if err != nil {
		if f, ok := err.(failed); ok {
			return 0, f.err
		}
	}
	if n := u.Done() - before; n > 0 {
		return n, nil
	}
	return 0, err
}

// failed is an error of a transfer in which bytes have moved that don't count.
type failed struct{ err error }

func (f failed) Error() string { return f.err.Error() }

// Failed returns err as what Impl.Read or Impl.Write returns when the transfer
// as a whole has failed, although bytes of u have moved.
func Failed(err error) error {
	if err == nil {
		return nil
	}
	return failed{err}
}

// Read is read(2) and readv(2): it moves bytes from f to u.
func (f *File) Read(t *proc.Thread, u *vm.Uio) (int, error) {
	if !f.Readable() {
		return 0, errno.EBADF
	}
	before := u.Done()
	if f.stream {
		return result(u, before, f.Impl.Read(t, f, u, 0))
	}
	return f.readOn(t, u, before)
}

// readOn reads from the position of f on.
func (f *File) readOn(t *proc.Thread, u *vm.Uio, before int) (int, error) {
	f.posMu.Lock()
	defer f.posMu.Unlock()
	if err := checkRange(f.pos.Load(), u); err != nil {
		return 0, err
	}
	n, err := result(u, before, f.Impl.Read(t, f, u, f.pos.Load()))
	f.pos.Add(int64(n))
	return n, err
}

// Write is write(2) and writev(2): it moves bytes from u to f.
func (f *File) Write(t *proc.Thread, u *vm.Uio) (int, error) {
	if !f.Writable() {
		return 0, errno.EBADF
	}
	before := u.Done()
	if f.stream {
		return result(u, before, f.Impl.Write(t, f, u, 0))
	}
	return f.writeOn(t, u, before)
}

// writeOn writes from the position of f on, or to its end.
func (f *File) writeOn(t *proc.Thread, u *vm.Uio, before int) (int, error) {
	f.posMu.Lock()
	defer f.posMu.Unlock()
	if f.Flags()&abi.O_APPEND != 0 {
		n, err := f.appendLocked(t, u, before)
		if n > 0 {
			if f.end < 0 {
				f.end, _ = f.seeker.Seek(t, 0, 0, abi.SEEK_END)
			}
			f.pos.Store(f.end)
		}
		return n, err
	}
	if err := checkRange(f.pos.Load(), u); err != nil {
		return 0, err
	}
	n, err := result(u, before, f.Impl.Write(t, f, u, f.pos.Load()))
	f.pos.Add(int64(n))
	return n, err
}

// appendLocked writes to the end of f. posMu is held.
func (f *File) appendLocked(t *proc.Thread, u *vm.Uio, before int) (int, error) {
	f.end = -1
	return result(u, before, f.Impl.Write(t, f, u, Append))
}

// Appended is for Impls that are Seekers: during a Write with offset Append it
// says where what was written ends, so that the position of f gets there.
func (f *File) Appended(end int64) { f.end = end }

// checkRange refuses positions that don't fit.
func checkRange(off int64, u *vm.Uio) error {
	if off < 0 || int64(u.Len()) > math.MaxInt64-off {
		return errno.EINVAL
	}
	return nil
}

// Pread is pread(2) and preadv(2).
func (f *File) Pread(t *proc.Thread, u *vm.Uio, off int64) (int, error) {
	if err := f.positioned(f.Readable(), u, off); err != nil {
		return 0, err
	}
	before := u.Done()
	return result(u, before, f.Impl.Read(t, f, u, off))
}

// Pwrite is pwrite(2) and pwritev(2). As on Linux, a file with O_APPEND is
// written at its end nevertheless.
func (f *File) Pwrite(t *proc.Thread, u *vm.Uio, off int64) (int, error) {
	if err := f.positioned(f.Writable(), u, off); err != nil {
		return 0, err
	}
	before := u.Done()
	if f.Flags()&abi.O_APPEND != 0 {
		f.posMu.Lock()
		defer f.posMu.Unlock()
		return f.appendLocked(t, u, before)
	}
	return result(u, before, f.Impl.Write(t, f, u, off))
}

// positioned checks a transfer that names its position, in Linux's order.
func (f *File) positioned(allowed bool, u *vm.Uio, off int64) error {
	if off < 0 {
		return errno.EINVAL
	}
	if err := f.MayPosition(allowed); err != nil {
		return err
	}
	return checkRange(off, u)
}

// MayPosition returns the error of a transfer that names its position, if f has
// none or the transfer isn't allowed by the way f was opened.
func (f *File) MayPosition(allowed bool) error {
	switch {
	case f.IsPath():
		return errno.EBADF
	case f.seeker == nil:
		return errno.ESPIPE
	case !allowed:
		return errno.EBADF
	}
	return nil
}

// Seek is lseek(2).
func (f *File) Seek(t *proc.Thread, off int64, whence int) (int64, error) {
	if f.IsPath() {
		return 0, errno.EBADF
	}
	if whence < abi.SEEK_SET || whence > abi.SEEK_HOLE {
		return 0, errno.EINVAL
	}
	if f.seeker == nil {
		if _, ok := f.Impl.(Unmoved); ok {
			return 0, nil
		}
		return 0, errno.ESPIPE
	}
	f.posMu.Lock()
	defer f.posMu.Unlock()
	pos, err := f.seeker.Seek(t, f.pos.Load(), off, whence)
	if err != nil {
		return 0, err
	}
	if pos < 0 {
		return 0, errno.EINVAL
	}
	f.pos.Store(pos)
	return pos, nil
}

// Pos returns the position, for /proc/pid/fdinfo and record locks. It takes no
// lock: who reads a fdinfo holds that of another file, or of the same.
func (f *File) Pos() int64 {
	return f.pos.Load()
}

// SeekTo is what Seek returns for an Impl that has only a size: position pos,
// moved by off and whence. Data is everywhere below size.
func SeekTo(pos, off int64, whence int, size int64) (int64, error) {
	switch whence {
	case abi.SEEK_SET:
		pos = 0
	case abi.SEEK_CUR:
	case abi.SEEK_END:
		pos = size
	case abi.SEEK_DATA, abi.SEEK_HOLE:
		if off < 0 || off >= size {
			return 0, errno.ENXIO
		}
		if whence == abi.SEEK_HOLE {
			off = size
		}
		return off, nil
	default:
		return 0, errno.EINVAL
	}
	if off > 0 && pos > math.MaxInt64-off {
		return 0, errno.EOVERFLOW
	}
	if pos+off < 0 {
		return 0, errno.EINVAL
	}
	return pos + off, nil
}
