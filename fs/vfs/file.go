package vfs

import (
	"math"
	"sync/atomic"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/mem"
	"mult/kern/proc"
	"mult/kern/vm"
)

// handleCharge is what a handle and its Impl cost.
const handleCharge = 256

// A handle keeps the vnode of an open file. It lives as long as the open file
// and its mappings: a mapping keeps a mount busy, and a running program can't
// be written, as on Linux. It is the vm.Object of the mappings.
type handle struct {
	in   *inst.Inst // [const]
	loc  Loc        // [const] retained
	dir  Dir        // [const] where it was opened; not retained, only asked for its path
	name string     // [const]

	write bool // [const] counts as writer
	deny  bool // [const] is executed
	refs  atomic.Int64
}

func (h *handle) base() *handle { return h }

func (h *handle) release() {
	if h.refs.Add(-1) != 0 {
		return
	}
	b := h.loc.Node.Base()
	if h.write {
		b.putWrite()
		h.loc.Mount.writers.Add(-1)
	}
	if h.deny {
		b.allowWrite()
	}
	h.in.Uncharge(inst.Heap, handleCharge+int64(len(h.name)))
	h.loc.Release()
}

// LocOf returns the vnode behind an open file, if there is one. It is retained
// as long as f is.
func LocOf(f *file.File) (Loc, bool) {
	h, ok := f.Impl.(interface{ base() *handle })
	if !ok {
		return Loc{}, false
	}
	return h.base().loc, true
}

// Release, Stat, LockKey and Name are those of file's interfaces.
func (h *handle) Release(f *file.File) { h.release() }

func (h *handle) Stat(t *proc.Thread) (abi.Stat, error) { return h.loc.Stat(), nil }

func (h *handle) LockKey() any { return h.loc.Node }

func (h *handle) Name() string {
	var s State // without a root: paths begin at that of the mounts
	return s.handlePath(h)
}

// A mapping is a handle as vm.Object.
type mapping struct{ h *handle }

func (m *mapping) Page(n uint64, write bool) (mem.PA, error) {
	return m.h.loc.Node.(Regular).Page(n, write)
}
func (m *mapping) Resident(n uint64, dst []mem.PA) {
	m.h.loc.Node.(Regular).Resident(n, dst)
}
func (m *mapping) Viewers() *vm.Views { return m.h.loc.Node.(Regular).Viewers() }
func (m *mapping) Retain()            { m.h.refs.Add(1) }
func (m *mapping) Release()           { m.h.release() }
func (m *mapping) Key() any           { return m.h.loc.Node }
func (m *mapping) Name() (path string, dev, ino uint64) {
	return m.h.Name(), m.h.loc.Node.Super().Dev, m.h.loc.Node.Attr().Ino
}

// regFile is an open regular file.
type regFile struct {
	*handle
	node    Regular
	cred    *proc.Cred // of who opened it
	noatime bool
	object  mapping // [const] of the handle
}

func (r *regFile) Read(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	err := r.node.ReadAt(u, off)
	if !r.noatime {
		r.node.Touch()
	}
	return err
}

func (r *regFile) Write(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	if u.Len() == 0 {
		return nil
	}
	cr, max := r.cred, int64(math.MaxInt64)
	if t != nil {
		cr = t.Cred()
		if l := t.Proc.Limit(proc.RLIMIT_FSIZE); l < math.MaxInt64 {
			max = int64(l)
		}
	}
	if err := strip(cr, r.node); err != nil {
		return err
	}
	done := u.Done()
	end, err := r.node.WriteAt(u, off, max)
	if off == file.Append {
		f.Appended(end)
	}
	if err == errno.EFBIG && max < math.MaxInt64 && u.Done() == done {
		t.Signal(proc.Siginfo{Signo: proc.SIGXFSZ})
	}
	return err
}

func (r *regFile) Seek(t *proc.Thread, pos, off int64, whence int) (int64, error) {
	size := r.node.Attr().Size
	if whence == abi.SEEK_DATA || whence == abi.SEEK_HOLE {
		if off < 0 || off >= size {
			return 0, errno.ENXIO
		}
		if whence == abi.SEEK_DATA {
			return r.node.NextData(off)
		}
		return r.node.NextHole(off)
	}
	return file.SeekTo(pos, off, whence, size)
}

func (r *regFile) Object(t *proc.Thread, f *file.File, prot vm.Prot, shared bool) (vm.Object, error) {
	if prot&vm.Exec != 0 && r.loc.Mount.Flags()&MS_NOEXEC != 0 {
		return nil, errno.EPERM
	}
	return &r.object, nil
}

func (r *regFile) Truncate(t *proc.Thread, f *file.File, size int64) error {
	if size < 0 {
		return errno.EINVAL
	}
	return truncate(t, r.cred, r.node, size)
}

// Sync is fsync(2): what is in memory is where it belongs.
func (r *regFile) Sync(t *proc.Thread, f *file.File, dataOnly bool) error { return nil }

// Direct says that O_DIRECT works: there is no cache to go round.
func (r *regFile) Direct() {}

// Modes of fallocate(2).
const (
	FALLOC_FL_KEEP_SIZE  = 1
	FALLOC_FL_PUNCH_HOLE = 2
	FALLOC_FL_ZERO_RANGE = 16
)

func (r *regFile) Allocate(t *proc.Thread, f *file.File, mode uint32, off, n int64) error {
	if off < 0 || n <= 0 {
		return errno.EINVAL
	}
	if mode&^(FALLOC_FL_KEEP_SIZE|FALLOC_FL_PUNCH_HOLE|FALLOC_FL_ZERO_RANGE) != 0 ||
		mode == FALLOC_FL_PUNCH_HOLE || mode&(FALLOC_FL_PUNCH_HOLE|FALLOC_FL_ZERO_RANGE) == FALLOC_FL_PUNCH_HOLE|FALLOC_FL_ZERO_RANGE {
		return errno.EOPNOTSUPP
	}
	if n > math.MaxInt64-off {
		return errno.EFBIG
	}
	if mode&FALLOC_FL_KEEP_SIZE == 0 {
		if err := checkLimit(t, off+n); err != nil {
			return err
		}
	}
	if err := strip(r.cred, r.node); err != nil {
		return err
	}
	return r.node.Allocate(mode, off, n)
}

// dirFile is an open directory.
type dirFile struct {
	*handle
	dir Dir
}

func (d *dirFile) Read(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	return errno.EISDIR
}
func (d *dirFile) Write(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	return errno.EISDIR
}

// Seek moves to a position that ReadDir has given.
func (d *dirFile) Seek(t *proc.Thread, pos, off int64, whence int) (int64, error) {
	switch whence {
	case abi.SEEK_CUR:
		if off > 0 && pos > math.MaxInt64-off {
			return 0, errno.EOVERFLOW
		}
		off += pos
	case abi.SEEK_SET:
	default:
		return 0, errno.EINVAL
	}
	if off < 0 {
		return 0, errno.EINVAL
	}
	return off, nil
}

// Sync is fsync(2).
func (d *dirFile) Sync(t *proc.Thread, f *file.File, dataOnly bool) error { return nil }

// dirBatch is how many entries are read under the lock at once.
const dirBatch = 64

func (d *dirFile) ReadDir(t *proc.Thread, f *file.File, pos int64, emit func(e *abi.Dirent) bool) (int64, error) {
	if d.dir.Attr().Nlink == 0 {
		return pos, errno.ENOENT
	}
	batch := make([]abi.Dirent, 0, dirBatch)
	for {
		var err error
		batch, err = d.batch(pos, batch[:0])
		if err != nil || len(batch) == 0 {
			return pos, err
		}
		for i := range batch {
			if !emit(&batch[i]) {
				return pos, nil
			}
			pos = batch[i].Off
		}
	}
}

// batch adds to b the entries behind pos, as many as there is room for.
func (d *dirFile) batch(pos int64, b []abi.Dirent) ([]abi.Dirent, error) {
	tree := &d.dir.Super().Tree
	tree.RLock()
	if pos < 1 {
		b = append(b, abi.Dirent{Ino: d.dir.Attr().Ino, Off: 1, Type: abi.DT_DIR, Name: "."})
	}
	if pos < 2 {
		parent, _ := d.dir.Where()
		b = append(b, abi.Dirent{Ino: parent.Attr().Ino, Off: 2, Type: abi.DT_DIR, Name: ".."})
	}
	add := func(e *abi.Dirent) bool {
		b = append(b, *e)
		return len(b) < cap(b)
	}
	err := d.dir.ReadDir(max(pos, 2), false, add)
	tree.RUnlock()
	if err == ErrExclusive {
		tree.Lock()
		err = d.dir.ReadDir(max(pos, 2), true, add)
		tree.Unlock()
	}
	return b, err
}

// pathFile is a file opened with O_PATH; file lets no call through to it.
type pathFile struct{ *handle }

func (p *pathFile) Read(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	return errno.EBADF
}
func (p *pathFile) Write(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	return errno.EBADF
}
