package procfs

import (
	"strconv"

	"mult/fs/vfs"
	"mult/kern/abi"
	"mult/kern/errno"
)

// dir is a directory.
type dir struct{ node }

// Lookup implements vfs.Dir.
func (d *dir) Lookup(name string, excl bool) (vfs.Node, error) {
	x := &d.target
	if x.pid != 0 && x.proc() == nil {
		return nil, errno.ENOENT
	}
	for _, e := range d.e.files {
		if e.name == name {
			return d.child(e, *x, excl)
		}
	}
	if d.e.numbers == nil {
		return nil, errno.ENOENT
	}
	n, ok := number(name)
	if !ok {
		return nil, errno.ENOENT
	}
	e, y, err := d.e.numbers.get(x, n)
	if err != nil {
		return nil, err
	}
	return d.child(e, y, excl)
}

func (d *dir) child(e *entry, x target, excl bool) (vfs.Node, error) {
	n, err := d.fs.find(e, x, d, excl)
	if err != nil {
		return nil, err
	}
	return n, nil
}

// number parses a name that is a number as the kernel writes it.
func number(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil && (s[0] != '0' || len(s) == 1)
}

// Where implements vfs.Dir.
func (d *dir) Where() (vfs.Dir, string) {
	if d.parent == nil {
		return d, ""
	}
	switch d.e {
	case d.fs.pid, d.fs.task:
		return d.parent, strconv.Itoa(d.target.tid)
	}
	return d.parent, d.e.name
}

// Positions in directories: entries with names of their own, then numbers.
const (
	firstName   = 3
	firstNumber = 1 << 12
	maxNumber   = 1 << 31
)

// ReadDir implements vfs.Dir.
func (d *dir) ReadDir(pos int64, excl bool, f func(e *abi.Dirent) bool) error {
	x := &d.target
	for i, e := range d.e.files {
		off := int64(firstName + i)
		if off > pos && !f(&abi.Dirent{Ino: x.ino(e), Off: off, Type: abi.DirentType(e.mode), Name: e.name}) {
			return nil
		}
	}
	if d.e.numbers == nil || pos >= firstNumber+maxNumber {
		return nil
	}
	from := 0
	if pos >= firstNumber {
		from = int(pos-firstNumber) + 1
	}
	d.e.numbers.next(x, from, func(n int, ino uint64) bool {
		return f(&abi.Dirent{Ino: ino, Off: firstNumber + int64(n), Type: d.e.numbers.typ, Name: strconv.Itoa(n)})
	})
	return nil
}

// Nothing can be made, removed or renamed.

func (d *dir) Make(string, *vfs.Make) (vfs.Node, error)                   { return nil, errno.ENOENT }
func (d *dir) Tmpfile(*vfs.Make) (vfs.Node, error)                        { return nil, errno.EOPNOTSUPP }
func (d *dir) Link(string, vfs.Node) error                                { return errno.EPERM }
func (d *dir) Remove(string, vfs.Node) error                              { return errno.EPERM }
func (d *dir) Rename(string, vfs.Node, vfs.Dir, string, vfs.Node) error   { return errno.EPERM }
func (d *dir) Exchange(string, vfs.Node, vfs.Dir, string, vfs.Node) error { return errno.EPERM }
