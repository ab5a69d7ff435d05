package linux

import (
	"mult/fs/vfs"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// Flags of mmap(2).
const (
	mapShared         = 0x1
	mapPrivate        = 0x2
	mapSharedValidate = 0x3
	mapType           = 0xf
	mapFixed          = 0x10
	mapAnonymous      = 0x20
	mapGrowsdown      = 0x100
	mapDenywrite      = 0x800
	mapExecutable     = 0x1000
	mapLocked         = 0x2000
	mapNoreserve      = 0x4000
	mapPopulate       = 0x8000
	mapNonblock       = 0x10000
	mapStack          = 0x20000
	mapHugetlb        = 0x40000
	mapFixedNoreplace = 0x100000

	mapKnown = mapType | mapFixed | mapAnonymous | mapGrowsdown | mapDenywrite | mapExecutable |
		mapLocked | mapNoreserve | mapPopulate | mapNonblock | mapStack | mapHugetlb | mapFixedNoreplace

	protKnown = 7
	protSem   = 8 // says that memory has semaphores, which makes no difference
)

// sysMmap implements mmap(2): (addr, length, prot, flags, fd, offset).
func sysMmap(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	prot, flags, off := a.Uint(2), a.Uint(3), a[5]
	m := vm.MapArgs{
		Addr:      a.Addr(0),
		Len:       a.Size(1),
		Prot:      vm.Prot(prot & protKnown),
		MaxProt:   protKnown,
		Fixed:     flags&(mapFixed|mapFixedNoreplace) != 0,
		NoReplace: flags&mapFixedNoreplace != 0,
		Grows:     flags&mapGrowsdown != 0,
		Populate:  flags&(mapPopulate|mapLocked) != 0,
		NoReserve: flags&mapNoreserve != 0,
		Offset:    off,
	}
	if off%vm.PageSize != 0 {
		return 0, errno.EINVAL
	}
	var f *file.File
	if flags&mapAnonymous == 0 {
		var err error
		if f, err = file.Of(t.Proc).Get(int(int32(a[4]))); err != nil {
			return 0, err
		}
		defer f.Release()
	}
	switch {
	case m.Len == 0:
		return 0, errno.EINVAL
	case m.Len > vm.MaxAddr:
		return 0, errno.ENOMEM
	case f != nil && (int64(off) < 0 || int64(off+m.Len) < 0):
		return 0, errno.EOVERFLOW
	}
	switch flags & mapType {
	case mapPrivate:
	case mapShared:
		m.Shared = true
	case mapSharedValidate:
		if flags&^mapKnown != 0 {
			return 0, errno.EOPNOTSUPP
		}
		m.Shared = true
	default:
		return 0, errno.EINVAL
	}
	if flags&mapHugetlb != 0 {
		return 0, errno.EINVAL
	}
	if f == nil {
		m.Offset = 0
	} else {
		if !f.Readable() {
			return 0, errno.EACCES
		}
		if m.Shared && !f.Writable() {
			if m.Prot&vm.Write != 0 {
				return 0, errno.EACCES
			}
			m.MaxProt &^= vm.Write
		}
		var err error
		if m.Object, err = f.Object(t, m.Prot, m.Shared); err != nil {
			return 0, err
		}
		if l, ok := vfs.LocOf(f); ok && l.Mount.Flags()&vfs.MS_NOEXEC != 0 {
			m.MaxProt &^= vm.Exec
		}
		if m.Object == nil {
			m.Offset = 0 // of no meaning in anonymous memory
		}
	}
	at, err := t.Space().Map(m)
	return uintptr(at), err
}

func sysMunmap(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, t.Space().Unmap(a.Addr(0), a.Size(1))
}

func sysMprotect(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	prot := vm.Prot(a[2] & protKnown)
	if a[2]&^(protKnown|protSem) != 0 {
		prot = ^vm.Prot(0) // which Protect refuses, after what Linux checks before
	}
	return 0, t.Space().Protect(a.Addr(0), a.Size(1), prot)
}

func sysMremap(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	at, err := t.Space().Remap(a.Addr(0), a.Size(1), a.Size(2), a.Int(3), a.Addr(4))
	return uintptr(at), err
}

func sysMadvise(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, t.Space().Advise(a.Addr(0), a.Size(1), a.Int(2))
}

func sysMsync(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, t.Space().Sync(a.Addr(0), a.Size(1), a.Int(2))
}

func sysBrk(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return uintptr(t.Space().Brk(a.Addr(0))), nil
}

// sysMincore implements mincore(2): (addr, length, vec *byte).
func sysMincore(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	const chunk = 1024 // pages
	at, n, to := a.Addr(0), a.Size(1), a.Addr(2)
	if at%vm.PageSize != 0 {
		return 0, errno.EINVAL
	}
	if at > vm.MaxAddr || n > vm.MaxAddr-uint64(at) {
		return 0, errno.ENOMEM
	}
	if to > vm.MaxAddr || (n+vm.PageSize-1)/vm.PageSize > uint64(vm.MaxAddr-to) {
		return 0, errno.EFAULT // even if there is nothing to tell
	}
	for n > 0 {
		part := min(n, chunk*vm.PageSize)
		v, hole := t.Space().Mincore(at, part)
		if err := t.Space().CopyOut(to, v); err != nil {
			return 0, err
		}
		if hole != nil {
			return 0, hole
		}
		at, n, to = at+vm.Addr(part), n-part, to+vm.Addr(len(v))
	}
	return 0, nil
}
