package linux

import (
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// maxTransfer is the most that a call reads or writes at once, as on Linux.
const maxTransfer = vm.MaxTransfer

// withFile calls f with the open file of a descriptor.
func withFile(t *proc.Thread, fd int, f func(f *file.File) (uintptr, error)) (uintptr, error) {
	fl, err := file.Of(t.Proc).Get(fd)
	if err != nil {
		return 0, err
	}
	defer fl.Release()
	return f(fl)
}

// sysRead implements read(2): (fd int, buf, size).
func sysRead(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	f, err := file.Of(t.Proc).GetPath(a.Int(0)) // O_PATH is neither readable nor writable
	if err != nil {
		return 0, err
	}
	defer f.Release()
	n := 0
	if !f.Readable() { // before the buffer is looked at
		err = errno.EBADF
	} else if err = t.Uio.SetAt(t.Space(), a.Addr(1), a.Size(2)); err == nil {
		n, err = f.Read(t, &t.Uio)
	}
	return uintptr(n), err
}

// sysWrite implements write(2): (fd int, buf, size).
func sysWrite(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	f, err := file.Of(t.Proc).GetPath(a.Int(0)) // O_PATH is neither readable nor writable
	if err != nil {
		return 0, err
	}
	defer f.Release()
	n := 0
	if !f.Writable() {
		err = errno.EBADF
	} else if err = t.Uio.SetAt(t.Space(), a.Addr(1), a.Size(2)); err == nil {
		n, err = f.Write(t, &t.Uio)
	}
	return uintptr(n), err
}

// uio is the buffer of arguments 1 and 2, in the thread's own Uio.
func uio(t *proc.Thread, a *Args) (*vm.Uio, error) {
	err := t.Uio.SetAt(t.Space(), a.Addr(1), a.Size(2))
	return &t.Uio, err
}

// uioVec is the buffers of arguments 1 and 2, an array of struct iovec.
func uioVec(t *proc.Thread, a *Args) (*vm.Uio, error) {
	n := uint64(a.Uint(2))
	if n > abi.IOV_MAX {
		return nil, errno.EINVAL
	}
	var small [8]vm.Iovec
	vec := small[:0]
	var b [8 * abi.IovecSize]byte
	for at := a.Addr(1); n > 0; {
		part := b[:min(n, 8)*abi.IovecSize]
		if err := t.Space().CopyIn(part, at); err != nil {
			return nil, err
		}
		for i := 0; i < len(part); i += abi.IovecSize {
			var v abi.Iovec
			v.Decode(part[i:])
			vec = append(vec, vm.Iovec{Base: vm.Addr(v.Base), Len: v.Len})
		}
		at += vm.Addr(len(part))
		n -= uint64(len(part)) / abi.IovecSize
	}
	return t.Space().Uio(vec)
}

func sysReadv(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) {
		if !f.Readable() {
			return 0, errno.EBADF
		}
		u, err := uioVec(t, a)
		if err != nil || u.Len() == 0 {
			return 0, err
		}
		n, err := f.Read(t, u)
		return uintptr(n), err
	})
}

func sysWritev(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) {
		if !f.Writable() {
			return 0, errno.EBADF
		}
		u, err := uioVec(t, a)
		if err != nil || u.Len() == 0 {
			return 0, err
		}
		n, err := f.Write(t, u)
		return uintptr(n), err
	})
}

// positioned is pread(2) and its relatives: offset in argument 3.
func positioned(t *proc.Thread, a *Args, allowed func(f *file.File) bool, buffers func(*proc.Thread, *Args) (*vm.Uio, error),
	do func(f *file.File, t *proc.Thread, u *vm.Uio, off int64) (int, error)) (uintptr, error) {
	if a.Long(3) < 0 {
		return 0, errno.EINVAL
	}
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) {
		if err := f.MayPosition(allowed(f)); err != nil {
			return 0, err
		}
		u, err := buffers(t, a)
		if err != nil {
			return 0, err
		}
		n, err := do(f, t, u, a.Long(3))
		return uintptr(n), err
	})
}

func sysPread64(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return positioned(t, a, (*file.File).Readable, uio, (*file.File).Pread)
}

func sysPwrite64(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return positioned(t, a, (*file.File).Writable, uio, (*file.File).Pwrite)
}

func sysPreadv(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return positioned(t, a, (*file.File).Readable, uioVec, (*file.File).Pread)
}

func sysPwritev(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return positioned(t, a, (*file.File).Writable, uioVec, (*file.File).Pwrite)
}

func sysClose(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, file.Of(t.Proc).Close(t, a.Int(0))
}

func sysCloseRange(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, file.CloseRange(t, a.Uint(0), a.Uint(1), a.Int(2))
}

func sysLseek(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) {
		pos, err := f.Seek(t, a.Long(1), a.Int(2))
		return uintptr(pos), err
	})
}

func sysDup(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	fd, err := file.Of(t.Proc).Dup(t, a.Int(0), 0, false)
	return uintptr(fd), err
}

func sysDup2(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	fd, err := file.Of(t.Proc).Dup2(t, a.Int(0), a.Int(1))
	return uintptr(fd), err
}

func sysDup3(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Uint(2)&^abi.O_CLOEXEC != 0 {
		return 0, errno.EINVAL
	}
	fd, err := file.Of(t.Proc).Dup3(t, a.Int(0), a.Int(1), a.Uint(2)&abi.O_CLOEXEC != 0)
	return uintptr(fd), err
}

// sysFstat implements fstat(2): (fd int, buf *stat).
func sysFstat(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	f, err := file.Of(t.Proc).GetPath(a.Int(0))
	if err != nil {
		return 0, err
	}
	defer f.Release()
	st, err := f.Stat(t)
	if err != nil {
		return 0, err
	}
	return 0, putStat(t, a.Addr(1), &st)
}

func putStat(t *proc.Thread, to vm.Addr, st *abi.Stat) error {
	var b [abi.StatSize]byte
	st.Encode(b[:])
	return t.Space().CopyOut(to, b[:])
}

func sysFtruncate(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	if a.Long(1) < 0 { // whatever the descriptor is
		return 0, errno.EINVAL
	}
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) { return 0, f.Truncate(t, a.Long(1)) })
}

func sysFallocate(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) {
		return 0, f.Allocate(t, a.Uint(1), a.Long(2), a.Long(3))
	})
}

func sysFsync(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) { return 0, f.Sync(t, false) })
}

func sysFdatasync(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) { return 0, f.Sync(t, true) })
}

// Requests of ioctl(2) that are the same for every file.
const (
	fioClex  = 0x5451
	fioNClex = 0x5450
	fioNBIO  = 0x5421
	fioAsync = 0x5452
	fiGetBsz = 2
	fioQSize = 0x5460
)

// sysIoctl implements ioctl(2): (fd int, request, arg).
func sysIoctl(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) {
		switch cmd := a.Uint(1); cmd {
		case fioClex, fioNClex:
			return 0, file.Of(t.Proc).SetCloseOnExec(a.Int(0), cmd == fioClex)
		case fioNBIO, fioAsync:
			on, err := getUint32(t, a.Addr(2))
			if err != nil {
				return 0, err
			}
			if cmd == fioNBIO {
				return 0, f.SetNonblock(t, on != 0)
			}
			if on != 0 {
				return 0, errno.ENOTTY // nothing sends SIGIO
			}
			return 0, nil
		case fiGetBsz:
			st, err := f.Stat(t)
			if err != nil {
				return 0, err
			}
			return 0, putUint32(t, a.Addr(2), uint32(st.Blksize))
		case fioQSize:
			st, err := f.Stat(t)
			if err != nil {
				return 0, err
			}
			switch st.Mode & abi.S_IFMT {
			case abi.S_IFREG, abi.S_IFDIR, abi.S_IFLNK:
				return 0, putUint64(t, a.Addr(2), uint64(st.Blocks)*512)
			}
			return 0, errno.ENOTTY
		case abi.FIONREAD:
			st, err := f.Stat(t)
			if err != nil {
				return 0, err
			}
			if st.Mode&abi.S_IFMT == abi.S_IFREG {
				return 0, putUint32(t, a.Addr(2), uint32(st.Size-f.Pos()))
			}
		}
		return f.Ioctl(t, a.Uint(1), a.Addr(2))
	})
}

// sysGetdents64 implements getdents64(2): (fd int, buf, size uint).
func sysGetdents64(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return getdents(t, a, (*abi.Dirent).Encode64)
}

func sysGetdents(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return getdents(t, a, (*abi.Dirent).Encode)
}

func getdents(t *proc.Thread, a *Args, encode func(d *abi.Dirent, b []byte) int) (uintptr, error) {
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) {
		var b [512]byte // an entry has at most 280
		to, left, done := a.Addr(1), uint64(a.Uint(2)), uintptr(0)
		var failed error
		err := f.ReadDir(t, func(d *abi.Dirent) bool {
			n := encode(d, b[:])
			if uint64(n) > left {
				if done == 0 {
					failed = errno.EINVAL
				}
				return false
			}
			if failed = t.Space().CopyOut(to, b[:n]); failed != nil {
				return false
			}
			to += vm.Addr(n)
			left -= uint64(n)
			done += uintptr(n)
			return true
		})
		if done > 0 {
			return done, nil
		}
		if err == nil {
			err = failed
		}
		return 0, err
	})
}
