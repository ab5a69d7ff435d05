package linux

import (
	"encoding/binary"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// sysFcntl implements fcntl(2): (fd, cmd int, arg).
func sysFcntl(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	tb, fd, cmd := file.Of(t.Proc), a.Int(0), a.Int(1)
	switch cmd {
	case abi.F_GETLK, abi.F_SETLK, abi.F_SETLKW, abi.F_OFD_GETLK, abi.F_OFD_SETLK, abi.F_OFD_SETLKW:
		return withFile(t, fd, func(*file.File) (uintptr, error) { return lock(t, tb, fd, cmd, a) })
	case abi.F_SETOWN_EX, abi.F_GETOWN_EX:
		return withFile(t, fd, func(f *file.File) (uintptr, error) { return ownerEx(t, f, cmd, a) })
	}
	n, err := tb.Fcntl(t, fd, cmd, a[2])
	return uintptr(n), err
}

func lock(t *proc.Thread, tb *file.Table, fd, cmd int, a *Args) (uintptr, error) {
	var b [abi.FlockSize]byte
	if err := t.Space().CopyIn(b[:], a.Addr(2)); err != nil {
		return 0, err
	}
	var l abi.Flock
	l.Decode(b[:])
	if err := tb.Lock(t, fd, cmd, &l); err != nil {
		return 0, err
	}
	if cmd != abi.F_GETLK && cmd != abi.F_OFD_GETLK {
		return 0, nil
	}
	l.Encode(b[:])
	return 0, t.Space().CopyOut(a.Addr(2), b[:])
}

// ownerEx serves F_SETOWN_EX and F_GETOWN_EX: struct f_owner_ex.
func ownerEx(t *proc.Thread, f *file.File, cmd int, a *Args) (uintptr, error) {
	var b [8]byte
	le := binary.LittleEndian
	if cmd == abi.F_GETOWN_EX {
		o := f.Owner()
		le.PutUint32(b[0:], uint32(o.Type))
		le.PutUint32(b[4:], uint32(o.Living(t)))
		return 0, t.Space().CopyOut(a.Addr(2), b[:])
	}
	if err := t.Space().CopyIn(b[:], a.Addr(2)); err != nil {
		return 0, err
	}
	kind, id := int(int32(le.Uint32(b[0:]))), int(int32(le.Uint32(b[4:])))
	if kind != abi.F_OWNER_TID && kind != abi.F_OWNER_PID && kind != abi.F_OWNER_PGRP {
		return 0, errno.EINVAL
	}
	return 0, f.SetOwner(t, kind, id)
}

// sysFlock implements flock(2): (fd, operation int). Share modes are accepted,
// and mean nothing.
func sysFlock(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	const mand = 0x20
	if a.Int(1)&mand != 0 {
		return 0, nil
	}
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) { return 0, f.Flock(t, a.Int(1)) })
}
