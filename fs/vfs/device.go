package vfs

import (
	"slices"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/pipe"
	"mult/kern/proc"
	"mult/kern/vm"
)

// Special is what stands behind an open device, FIFO, or file of an Opener.
// Its Stat isn't asked: the vnode answers.
type Special = file.Impl

// A Device is what device nodes with a number stand for in an instance.
type Device interface {
	// Open returns an open device. c.Thread is the thread that opens it.
	Open(c *Caller, dev uint64, flags int) (Special, error)
}

// devKey is a device number; block devices have numbers of their own.
type devKey struct {
	block bool
	major uint32
	minor uint32
}

// AnyMinor registers a device for all minor numbers that have none of their own.
const AnyMinor = ^uint32(0)

// maxDevices bounds the registered devices of an instance.
const maxDevices = 4096

// RegisterChar makes d the character device with a number in an instance; nil
// takes it away. The kernel calls it, programs can't.
func RegisterChar(in *inst.Inst, major, minor uint32, d Device) error {
	tb := slot.Of(in)
	tb.devMu.Lock()
	defer tb.devMu.Unlock()
	key := devKey{false, major, minor}
	if d == nil {
		delete(tb.devices, key)
		return nil
	}
	if len(tb.devices) >= maxDevices {
		return errno.ENFILE
	}
	tb.devices[key] = d
	return nil
}

// Majors returns the major numbers of registered devices, rising.
func Majors(in *inst.Inst, block bool) []uint32 {
	tb := slot.Of(in)
	tb.devMu.RLock()
	defer tb.devMu.RUnlock()
	var out []uint32
	for k := range tb.devices {
		if i, found := slices.BinarySearch(out, k.major); k.block == block && !found {
			out = slices.Insert(out, i, k.major)
		}
	}
	return out
}

// special opens a device node or a FIFO.
func (o *opening) special(h *handle) (Special, error) {
	n := h.loc.Node
	tb := slot.Of(o.c.Inst)
	switch typeOf(n) {
	case abi.S_IFIFO:
		if o.c.Thread == nil {
			return nil, errno.EINVAL // nobody who could wait
		}
		f, err := n.Base().Special(func() (any, error) { return new(pipe.FIFO), nil })
		if err != nil {
			return nil, err
		}
		if ff, ok := f.(*pipe.FIFO); ok {
			return ff.Open(o.c.Thread, o.flags)
		}
	case abi.S_IFCHR, abi.S_IFBLK:
		dev := n.Attr().Rdev
		key := devKey{typeOf(n) == abi.S_IFBLK, abi.Major(dev), abi.Minor(dev)}
		tb.devMu.RLock()
		d := tb.devices[key]
		if d == nil {
			key.minor = AnyMinor
			d = tb.devices[key]
		}
		tb.devMu.RUnlock()
		if d != nil {
			return d.Open(o.c, dev, o.flags)
		}
	}
	return nil, errno.ENXIO
}

// wrap makes an Impl that answers for its vnode and lets s do the rest. What
// decides by its mere presence, Poller, Seeker and Unpositioned, is there only if s
// has it.
func wrap(h *handle, s Special) file.Impl {
	w := wrapped{handle: h, Special: s}
	p, poll := s.(file.Poller)
	k, seek := s.(file.Seeker)
	un, unpositioned := s.(file.Unpositioned)
	switch {
	case unpositioned && !poll:
		return &struct {
			wrapped
			file.Unpositioned
		}{w, un}
	case poll && seek:
		return &struct {
			wrapped
			file.Poller
			file.Seeker
		}{w, p, k}
	case poll:
		return &struct {
			wrapped
			file.Poller
		}{w, p}
	case seek:
		return &struct {
			wrapped
			file.Seeker
		}{w, k}
	}
	return &w
}

// wrapped is a Special with its vnode.
type wrapped struct {
	*handle
	Special
}

func (w *wrapped) base() *handle { return w.handle }

// Inner returns what a device, FIFO or Opener has put behind an open file, or
// the Impl itself.
func Inner(f *file.File) file.Impl {
	if w, ok := f.Impl.(interface{ inner() Special }); ok {
		return w.inner()
	}
	return f.Impl
}

func (w *wrapped) inner() Special { return w.Special }

func (w *wrapped) Release(f *file.File) {
	w.Special.Release(f)
	w.handle.release()
}

func (w *wrapped) Stat(t *proc.Thread) (abi.Stat, error) { return w.handle.Stat(t) }

func (w *wrapped) Ioctl(t *proc.Thread, f *file.File, cmd uint32, arg vm.Addr) (uintptr, error) {
	if i, ok := w.Special.(file.Ioctler); ok {
		return i.Ioctl(t, f, cmd, arg)
	}
	return 0, errno.ENOTTY
}

func (w *wrapped) Object(t *proc.Thread, f *file.File, prot vm.Prot, shared bool) (vm.Object, error) {
	if m, ok := w.Special.(file.Mapper); ok {
		return m.Object(t, f, prot, shared)
	}
	return nil, errno.ENODEV
}

func (w *wrapped) Truncate(t *proc.Thread, f *file.File, size int64) error {
	if x, ok := w.Special.(file.Truncater); ok {
		return x.Truncate(t, f, size)
	}
	return errno.EINVAL
}

func (w *wrapped) ReadDir(t *proc.Thread, f *file.File, pos int64, emit func(d *abi.Dirent) bool) (int64, error) {
	if d, ok := w.Special.(file.Dirreader); ok {
		return d.ReadDir(t, f, pos, emit)
	}
	return pos, errno.ENOTDIR
}

func (w *wrapped) PipeSize() int {
	if r, ok := w.Special.(file.Resizer); ok {
		return r.PipeSize()
	}
	return 0
}

func (w *wrapped) SetPipeSize(t *proc.Thread, n int) (int, error) {
	if r, ok := w.Special.(file.Resizer); ok {
		return r.SetPipeSize(t, n)
	}
	return 0, errno.EBADF
}

func (w *wrapped) SetFlags(t *proc.Thread, f *file.File, flags int) error {
	if x, ok := w.Special.(file.Flagger); ok {
		return x.SetFlags(t, f, flags)
	}
	return nil
}
