package procfs

import (
	"sync"
	"sync/atomic"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/pipe"
)

// descriptors are the files of fd and fdinfo.
func descriptors(e *entry, typ uint8) *numbers {
	return &numbers{
		typ: typ,
		get: func(x *target, n int) (*entry, target, error) {
			y := *x
			y.fd = n
			f, err := y.file()
			if err != nil {
				return nil, y, errno.ENOENT
			}
			f.Release()
			return e, y, nil
		},
		next: func(x *target, n int, emit func(int, uint64) bool) {
			tb := x.table()
			if tb == nil {
				return
			}
			tb.EachFrom(n, func(fd int, _ bool, _ *file.File) bool {
				y := *x
				y.fd = fd
				return emit(fd, y.ino(e))
			})
		},
	}
}

// table returns the descriptors of the process, nil if it has none any more.
func (x *target) table() *file.Table {
	if p := x.proc(); p != nil {
		return file.Of(p)
	}
	return nil
}

// file returns the file of the descriptor, with a reference. ENOENT.
func (x *target) file() (*file.File, error) {
	tb := x.table()
	if tb == nil {
		return nil, errno.ENOENT
	}
	f, err := tb.GetPath(x.fd)
	if err != nil {
		return nil, errno.ENOENT
	}
	return f, nil
}

// linkMode returns the mode of a descriptor's link: it tells how the file may
// be used.
func (x *target) linkMode() uint32 {
	mode := uint32(abi.S_IFLNK)
	f, err := x.file()
	if err != nil {
		return mode
	}
	defer f.Release()
	if f.Readable() {
		mode |= 0o500
	}
	if f.Writable() {
		mode |= 0o300
	}
	return mode
}

// openFD is file for one who may look into the process.
func openFD(c *vfs.Caller, x *target) (*file.File, error) {
	if err := x.mayLook(c.Cred, c.Thread); err != nil {
		return nil, err
	}
	return x.file()
}

// nameOf returns what an open file is called.
func nameOf(c *vfs.Caller, f *file.File) string {
	l, ok := vfs.LocOf(f)
	if ok {
		if a, ok := l.Node.(*anonymous); ok {
			return a.name
		}
		s, _ := c.FS.PathOf(f)
		return s
	}
	if n, ok := f.Impl.(file.Namer); ok {
		return n.Name()
	}
	return "anon_inode:[unknown]"
}

// anonymous returns a vnode for an open file that has none.
func (fs *fs) anonymous(c *vfs.Caller, f *file.File) (vfs.Loc, error) {
	st, err := f.Stat(c.Thread)
	if err != nil {
		return vfs.Loc{}, err
	}
	if !fs.in.Charge(inst.Heap, nodeCharge) {
		return vfs.Loc{}, errno.ENOMEM
	}
	f.Retain()
	a := &anonymous{fs: fs, stat: st, name: nameOf(c, f), f: f}
	// Whoever jumps keeps the mount in use.
	var l vfs.Loc
	vfs.TableOf(fs.in).Mounts(func(m *vfs.Mount, _ string) {
		if m.Super == &fs.super {
			l = vfs.Loc{Mount: m, Node: a}
		}
	})
	if l.Mount == nil {
		f.Release()
		fs.in.Uncharge(inst.Heap, nodeCharge)
		return vfs.Loc{}, errno.ENOENT
	}
	l.Retain()
	return l, nil
}

// anonymous is the vnode of an open file that has none of its own, such as a
// pipe, for those who follow its link.
type anonymous struct {
	base vfs.Base
	fs   *fs      // [const]
	stat abi.Stat // [const]
	name string   // [const]
	refs atomic.Int64

	mu sync.Mutex
	f  *file.File // [mu] nil when it was opened again, or is not needed
}

func (a *anonymous) Base() *vfs.Base                 { return &a.base }
func (a *anonymous) Super() *vfs.Super               { return &a.fs.super }
func (a *anonymous) Access() (mode, uid, gid uint32) { return a.stat.Mode, a.stat.UID, a.stat.GID }
func (a *anonymous) Attr() abi.Stat                  { return a.stat }
func (a *anonymous) SetAttr(s *vfs.SetAttr) error    { return errno.EPERM }
func (a *anonymous) Retain()                         { a.refs.Add(1) }

// Release implements vfs.Node.
func (a *anonymous) Release() {
	if a.refs.Add(-1) == 0 {
		a.drop()
		a.fs.in.Uncharge(inst.Heap, nodeCharge)
	}
}

// drop lets the file go.
func (a *anonymous) drop() {
	a.mu.Lock()
	f := a.f
	a.f = nil
	a.mu.Unlock()
	if f != nil {
		f.Release()
	}
}

// OpenNode implements vfs.Opener: pipes can be opened again, other files can't.
func (a *anonymous) OpenNode(c *vfs.Caller, flags int) (vfs.Special, error) {
	a.mu.Lock()
	f := a.f
	if f != nil {
		f.Retain()
	}
	a.mu.Unlock()
	if f == nil {
		return nil, errno.ENXIO
	}
	defer f.Release()
	e, ok := f.Impl.(*pipe.End)
	if !ok {
		return nil, errno.ENXIO
	}
	n, err := e.Reopen(flags)
	if err != nil {
		return nil, err
	}
	// The end that it was made from must not stay open by this.
	a.drop()
	return n, nil
}

// fdinfo tells about a descriptor.
func fdinfo(b *buffer, x *target) error {
	tb := x.table()
	if tb == nil {
		return errno.ENOENT
	}
	f, err := tb.GetPath(x.fd)
	if err != nil {
		return errno.ENOENT
	}
	defer f.Release()
	flags := f.Flags()
	if on, _ := tb.CloseOnExec(x.fd); on {
		flags |= abi.O_CLOEXEC
	}
	b.f("pos:\t%d\nflags:\t0%o\n", f.Pos(), flags)
	if l, ok := vfs.LocOf(f); ok {
		b.f("mnt_id:\t%d\nino:\t%d\n", l.Mount.ID, l.Node.Attr().Ino)
	} else if st, err := f.Stat(nil); err == nil {
		b.f("ino:\t%d\n", st.Ino)
	}
	if d, ok := vfs.Inner(f).(file.Describer); ok {
		b.text(d.Describe(f))
	}
	return nil
}
