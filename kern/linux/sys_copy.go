package linux

import (
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// copyBuffer is what sendfile moves at once.
const copyBuffer = 64 << 10

// sysSendfile implements sendfile(2): (out, in int, offset *int64, count).
func sysSendfile(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	off := int64(0)
	if a[2] != 0 {
		start, err := getUint64(t, a.Addr(2))
		if err != nil {
			return 0, err
		}
		off = int64(start)
	}
	return withFile(t, a.Int(1), func(in *file.File) (uintptr, error) {
		if !in.Readable() {
			return 0, errno.EBADF
		}
		_, seeks := in.Impl.(file.Seeker)
		if a[2] != 0 && !seeks {
			return 0, errno.ESPIPE
		}
		return withFile(t, a.Int(0), func(out *file.File) (uintptr, error) {
			if !out.Writable() {
				return 0, errno.EBADF
			}
			if !seeks {
				return 0, errno.EINVAL // what out doesn't take could not be put back
			}
			if out.Flags()&abi.O_APPEND != 0 || a.Long(3) < 0 {
				return 0, errno.EINVAL
			}
			if a[2] == 0 {
				return sendfile(t, out, a.Size(3), func(u *vm.Uio) (int, error) { return in.Read(t, u) }, func(n int) {
					_, _ = in.Seek(t, -int64(n), abi.SEEK_CUR) // what out didn't take
				})
			}
			if off < 0 {
				return 0, errno.EINVAL
			}
			n, err := sendfile(t, out, a.Size(3), func(u *vm.Uio) (int, error) {
				n, err := in.Pread(t, u, off)
				off += int64(n)
				return n, err
			}, func(n int) { off -= int64(n) })
			if err != nil {
				return 0, err
			}
			return n, putUint64(t, a.Addr(2), uint64(off))
		})
	})
}

// sendfile moves up to count bytes from read to out, fewer if a signal comes.
// What out doesn't take is given back by unread.
func sendfile(t *proc.Thread, out *file.File, count uint64, read func(u *vm.Uio) (int, error), unread func(n int)) (uintptr, error) {
	if !t.Inst().Charge(inst.Heap, copyBuffer) {
		return 0, errno.ENOMEM
	}
	defer t.Inst().Uncharge(inst.Heap, copyBuffer)
	b := make([]byte, min(copyBuffer, count))
	done := uint64(0)
	for count = min(count, maxTransfer); done < count && (done == 0 || !t.Interrupted()); {
		n, err := read(vm.KernelUio(b[:min(uint64(len(b)), count-done)]))
		if n == 0 {
			if done > 0 {
				err = nil
			}
			return uintptr(done), err
		}
		w, err := out.Write(t, vm.KernelUio(b[:n]))
		done += uint64(max(0, w))
		if w < n {
			unread(n - max(0, w))
			if done > 0 {
				err = nil
			}
			return uintptr(done), err
		}
	}
	return uintptr(done), nil
}

// sysSync implements sync(2). All file systems are in memory.
func sysSync(*Kernel, *proc.Thread, *Args) (uintptr, error) { return 0, nil }

func sysSyncfs(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) { return 0, nil })
}

// sysFadvise64 implements posix_fadvise(2): (fd int, offset, length int64,
// advice int). Content is always in memory, so that there is nothing to do.
func sysFadvise64(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return withFile(t, a.Int(0), func(f *file.File) (uintptr, error) {
		if _, ok := f.Impl.(file.Seeker); !ok {
			return 0, errno.ESPIPE
		}
		if a.Long(2) < 0 || a.Uint(3) > 5 {
			return 0, errno.EINVAL
		}
		return 0, nil
	})
}

// sysStatx implements statx(2): (dir int, path, flags int, mask uint, buf).
func sysStatx(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	flags := a.Int(2)
	if flags&syncType == syncType || a.Uint(3)&abi.STATX_RESERVED != 0 {
		return 0, errno.EINVAL
	}
	flags &^= syncType
	if err := known(flags, vfs.StatFlags); err != nil {
		return 0, err
	}
	return 0, atFlags(t, a.Int(0), a.Addr(1), flags, func(c *vfs.Caller, dir *file.File, path string) error {
		st, err := c.Stat(dir, path, flags)
		if err != nil {
			return err
		}
		var b [abi.StatxSize]byte
		st.EncodeStatx(b[:], a.Uint(3))
		return t.Space().CopyOut(a.Addr(4), b[:])
	})
}
