package tmpfs

import (
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/mem"
)

// hidden is the file system of an instance for files that never had a name.
type hidden struct {
	mount *vfs.Mount // [const]
}

var slot = inst.NewSlot[hidden]()

// Member is the row of this package in the table of members; it comes after
// that of vfs.
func Member(memory *mem.Memory) inst.Member {
	return inst.Member{
		Name: "tmpfs",
		Alloc: func(in, parent *inst.Inst) error {
			s, err := New(in, memory, Options{})
			if err == nil {
				slot.Set(in, &hidden{vfs.HiddenMount(s)})
			}
			return err
		},
		Free: func(in *inst.Inst) {
			slot.Of(in).mount.Super.Unmounted()
			slot.Set(in, nil)
		},
	}
}

// Nameless makes and opens a file for reading and writing that lives as long as
// it is open or mapped: memfd_create(2). name is shown in /proc.
func Nameless(c *vfs.Caller, name string, mode uint32) (*file.File, error) {
	h := slot.Of(c.Inst)
	if h == nil {
		return nil, errno.ENOSYS
	}
	s := h.mount.Super
	s.Tree.Lock()
	n, err := s.Root.(*dir).Tmpfile(&vfs.Make{Mode: abi.S_IFREG | mode&0o777, UID: c.Cred.FSUID, GID: c.Cred.FSGID})
	s.Tree.Unlock()
	if err != nil {
		return nil, err
	}
	return c.OpenHidden(h.mount, n, name, abi.O_RDWR|abi.O_LARGEFILE)
}
