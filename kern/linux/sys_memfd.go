package linux

import (
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// Flags of memfd_create(2).
const (
	mfdCloexec = 0x1
	mfdExec    = 0x10

	memfdName = 250 // the longest name, with the zero byte
)

// sysMemfdCreate implements memfd_create(2): (name, flags). There are neither
// seals nor huge pages.
func sysMemfdCreate(_ *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	flags := a.Uint(1)
	if flags&^(mfdCloexec|mfdExec) != 0 {
		return 0, errno.EINVAL
	}
	name, err := t.Space().CopyInString(a.Addr(0), memfdName)
	if err == errno.ENAMETOOLONG {
		err = errno.EINVAL
	}
	if err != nil {
		return 0, err
	}
	return newFile(t, flags&mfdCloexec != 0, func() (*file.File, error) {
		return tmpfs.Nameless(vfs.For(t), "memfd:"+name, 0o777)
	})
}
