// Package devfs makes the file system of device nodes of an instance, and the
// devices that need no driver: null, zero, full, random and urandom. Other
// devices are registered with vfs.RegisterChar by those who serve them; Nodes
// lists their nodes.
package devfs

import (
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// A Node is a name in the file system: a device, a directory, or a symbolic
// link if it has a target.
type Node struct {
	Name         string // below the root, such as "pts" or "net/tun"
	Mode         uint32 // with type
	GID          uint32
	Major, Minor uint32
	Target       string
}

// Numbers of the devices of this package: Linux's devices.txt.
const (
	majorMem     = 1
	minorNull    = 3
	minorZero    = 5
	minorFull    = 7
	minorRandom  = 8
	minorUrandom = 9
)

func own() []Node {
	return []Node{
		{Name: "null", Mode: abi.S_IFCHR | 0o666, Major: majorMem, Minor: minorNull},
		{Name: "zero", Mode: abi.S_IFCHR | 0o666, Major: majorMem, Minor: minorZero},
		{Name: "full", Mode: abi.S_IFCHR | 0o666, Major: majorMem, Minor: minorFull},
		{Name: "random", Mode: abi.S_IFCHR | 0o666, Major: majorMem, Minor: minorRandom},
		{Name: "urandom", Mode: abi.S_IFCHR | 0o666, Major: majorMem, Minor: minorUrandom},
		{Name: "fd", Mode: abi.S_IFLNK | 0o777, Target: "/proc/self/fd"},
		{Name: "stdin", Mode: abi.S_IFLNK | 0o777, Target: "/proc/self/fd/0"},
		{Name: "stdout", Mode: abi.S_IFLNK | 0o777, Target: "/proc/self/fd/1"},
		{Name: "stderr", Mode: abi.S_IFLNK | 0o777, Target: "/proc/self/fd/2"},
		{Name: "shm", Mode: abi.S_IFDIR | abi.S_ISVTX | 0o777},
	}
}

// New makes the file system of an instance with the nodes of this package and
// others, in order: a directory comes before what is in it. It registers the
// devices of this package.
func New(in *inst.Inst, sys *vm.System, others ...Node) (*vfs.Super, error) {
	for _, d := range []struct {
		minor uint32
		dev   device
	}{
		{minorNull, device{null: true}},
		{minorZero, device{}},
		{minorFull, device{full: true}},
		{minorRandom, device{random: sys.Machine.Random}},
		{minorUrandom, device{random: sys.Machine.Random}},
	} {
		if err := vfs.RegisterChar(in, majorMem, d.minor, &d.dev); err != nil {
			return nil, err
		}
	}
	return Another(in, sys, tmpfs.Options{Mode: 0o755}, others...)
}

// Another makes a further file system with the same nodes, without touching the
// devices. Type and source in o are set.
func Another(in *inst.Inst, sys *vm.System, o tmpfs.Options, others ...Node) (*vfs.Super, error) {
	o.Type, o.Source = "devtmpfs", "devtmpfs"
	s, err := tmpfs.New(in, sys.Memory, o)
	if err != nil {
		return nil, err
	}
	for _, n := range append(own(), others...) {
		if err := Add(s, n); err != nil {
			s.Unmounted()
			return nil, err
		}
	}
	return s, nil
}

// Add makes a node in a file system that New has made: EEXIST if it is there.
func Add(s *vfs.Super, n Node) error {
	s.Tree.Lock()
	defer s.Tree.Unlock()
	dir, name, err := place(s, n.Name)
	if err != nil {
		return err
	}
	if _, err := dir.Lookup(name, true); err == nil {
		return errno.EEXIST
	}
	m := &vfs.Make{Mode: n.Mode, GID: n.GID, Target: n.Target}
	if t := n.Mode & abi.S_IFMT; t == abi.S_IFCHR || t == abi.S_IFBLK {
		m.Rdev = abi.Mkdev(n.Major, n.Minor)
	}
	v, err := dir.Make(name, m)
	if err == nil {
		v.Release()
	}
	return err
}

// Remove takes a node away, if it is there.
func Remove(s *vfs.Super, path string) {
	s.Tree.Lock()
	dir, name, err := place(s, path)
	var v vfs.Node
	if err == nil {
		if v, err = dir.Lookup(name, true); err == nil {
			v.Retain()
			err = dir.Remove(name, v)
		}
	}
	s.Tree.Unlock()
	if v != nil {
		v.Release()
	}
}

// place returns the directory of a path and the last name.
func place(s *vfs.Super, path string) (vfs.Dir, string, error) {
	dir := s.Root.(vfs.Dir)
	for {
		i := 0
		for i < len(path) && path[i] != '/' {
			i++
		}
		if i == len(path) {
			return dir, path, nil
		}
		n, err := dir.Lookup(path[:i], true)
		if err != nil {
			return nil, "", err
		}
		sub, ok := n.(vfs.Dir)
		if !ok {
			return nil, "", errno.ENOTDIR
		}
		dir, path = sub, path[i+1:]
	}
}

// device is a device without state.
type device struct {
	null   bool         // reads nothing
	full   bool         // has no room
	random func([]byte) // what it reads instead of zeros
}

// Open returns an open device.
func (d *device) Open(c *vfs.Caller, dev uint64, flags int) (vfs.Special, error) {
	return &opened{d: d, in: c.Inst}, nil
}

// opened is an open device.
type opened struct {
	d  *device
	in *inst.Inst
}

func (o *opened) Release(f *file.File) {}

func (o *opened) Stat(t *proc.Thread) (abi.Stat, error) { return abi.Stat{}, nil }

// Seek does nothing, as on Linux: there are no positions.
func (o *opened) Seek(t *proc.Thread, pos, off int64, whence int) (int64, error) { return 0, nil }

// NoPosition makes transfers of several not take turns.
func (o *opened) NoPosition() {}

func (o *opened) Read(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	switch {
	case o.d.null:
		return nil
	case o.d.random == nil:
		for {
			if _, err := u.Zero(min(u.Len(), piece)); err != nil || u.Len() == 0 || stop(t) {
				return err
			}
		}
	}
	return o.readRandom(t, u)
}

func (o *opened) readRandom(t *proc.Thread, u *vm.Uio) error {
	var b [512]byte
	defer clear(b[:])
	for u.Len() > 0 {
		n := min(u.Len(), len(b))
		o.d.random(b[:n])
		if _, err := u.CopyOut(b[:n]); err != nil || stop(t) {
			return err
		}
	}
	return nil
}

// piece is how much is moved between looks for a signal.
const piece = 1 << 20

// stop reports whether a transfer is to end early, for a signal.
func stop(t *proc.Thread) bool { return t != nil && t.Interrupted() }

func (o *opened) Write(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	if o.d.full {
		return errno.ENOSPC
	}
	u.Skip(u.Len())
	return nil
}

// Object is mmap(2) of /dev/zero: anonymous memory.
func (o *opened) Object(t *proc.Thread, f *file.File, prot vm.Prot, shared bool) (vm.Object, error) {
	if o.d.null || o.d.full || o.d.random != nil {
		return nil, errno.ENODEV
	}
	return nil, nil
}
