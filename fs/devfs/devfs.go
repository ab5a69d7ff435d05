// Package devfs makes the file system of device nodes of an instance, and the
// devices that need no driver: null, zero, full, random and urandom. Other
// devices are registered with vfs.RegisterChar by those who serve them; a Tree
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

// Numbers of the devices of this package: Linux's devices.txt.
const (
	majorMem     = 1
	minorNull    = 3
	minorZero    = 5
	minorFull    = 7
	minorRandom  = 8
	minorUrandom = 9
)

// New makes the file system of an instance, and registers the devices of this package.
func New(in *inst.Inst, sys *vm.System, tree *Tree) (*vfs.Super, error) {
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
	return Another(in, sys, tmpfs.Options{Mode: 0o755}, tree)
}

// Another makes a further file system, without touching the devices. Type, source and
// lower in o are set.
func Another(in *inst.Inst, sys *vm.System, o tmpfs.Options, tree *Tree) (*vfs.Super, error) {
	o.Type, o.Source = "devtmpfs", "devtmpfs"
	o.Lower = &lower{tree, o.Mode&0o7777 | abi.S_IFDIR, o.UID, o.GID, vfs.Now()}
	return tmpfs.New(in, sys.Memory, o)
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
