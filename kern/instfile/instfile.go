// Package instfile has the files by which one instance, the owner, reaches another one
// below it: a watch of its states, a watch of a process that was executed there, and a
// stream, which is the owner's side of a pipe or terminal of the other instance.
//
// What such a file costs is charged to the owner; what is behind it to the instance that
// it is in. The file doesn't keep the other instance: it takes a reference for the time
// of an operation. When the instance is freed, streams lose their other side.
//
// Lock order:
//
//	streams.mu > stream.mu > locks of the Impl behind it
//	inst.Inst's lock of transitions > InstWatch.mu > locks of queues
package instfile

import (
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// fileCost is what each of these files costs, beside that of file.New.
const fileCost = 384

// anonymous is what they have in common.
type anonymous struct {
	own      *inst.Inst // [const] who pays
	kind     string     // [const] such as "[instance]"
	ino      uint64     // [const]
	uid, gid uint32     // [const] of who made it
}

// open makes the file of impl, whose anonymous a is filled in and charged. t is the
// owner's.
func (a *anonymous) open(t *proc.Thread, kind string, impl file.Impl, flags int) (*file.File, error) {
	c := t.Cred()
	*a = anonymous{t.Proc.Inst, kind, file.NextIno(t.Proc.Inst), c.FSUID, c.FSGID}
	if !a.own.Charge(inst.Heap, fileCost) {
		return nil, errno.ENOMEM
	}
	f, err := file.New(a.own, impl, flags)
	if err != nil {
		a.own.Uncharge(inst.Heap, fileCost)
	}
	return f, err
}

// close gives back what open has charged.
func (a *anonymous) close() { a.own.Uncharge(inst.Heap, fileCost) }

// anonDev is the device of such files: no driver, as on Linux.
const anonDev = 15

// Stat tells about the file.
func (a *anonymous) Stat(*proc.Thread) (abi.Stat, error) {
	return abi.Stat{Dev: anonDev, Ino: a.ino, Nlink: 1, Mode: 0o600, UID: a.uid, GID: a.gid, Blksize: 4096}, nil
}

// Name is the name in /proc/pid/fd.
func (a *anonymous) Name() string { return "anon_inode:" + a.kind }

// readState gives a program the state that a watch tells.
func readState(u *vm.Uio, s *abi.InstState) error {
	var b [abi.InstStateSize]byte
	s.Encode(b[:])
	_, err := u.CopyOut(b[:])
	return file.Failed(err)
}
