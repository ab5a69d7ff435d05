// Package unionfs lays a file system that can be written over an EROFS image:
// what changes is kept in memory by fs/tmpfs, for one instance, and the image
// stays as it is, for all.
//
// A directory or file is one node from the first look to the last, whether it
// has changed or not, so numbers of inodes are stable, directories can be
// renamed, and an open file sees what is written to it. A file that changes
// costs the pages that differ. A name that is removed or moved away needs no
// mark: a directory that has changed holds all of its names in memory.
package unionfs

import (
	"mult/fs/erofs"
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/mem"
)

// Options say how a file system is to be.
type Options struct {
	Type, Source string // for /proc/mounts; "overlay" and "image" if empty
	MaxPages     int64  // of content that differs; 0: as the instance can pay for
	MaxNodes     int64  // nodes in memory; 0: as the instance can pay for
	MaxClean     int    // nodes in memory that don't differ; 0: 4096
}

// magicOverlay is what statfs(2) calls Linux's file system of this kind.
const magicOverlay = 0x794c7630

// New makes a file system of an instance over an image, which other instances
// may use too. It is mounted read-only with vfs.MS_RDONLY.
func New(in *inst.Inst, memory *mem.Memory, im *erofs.Image, o Options) (*vfs.Super, error) {
	if o.Type == "" {
		o.Type = "overlay"
	}
	if o.Source == "" {
		o.Source = "image"
	}
	return tmpfs.New(in, memory, tmpfs.Options{
		Type: o.Type, Source: o.Source,
		MaxPages: o.MaxPages, MaxNodes: o.MaxNodes, MaxClean: o.MaxClean,
		Magic: magicOverlay,
		Lower: tree{im},
	})
}

// tree is an image as tmpfs.Lower.
type tree struct{ im *erofs.Image }

func (t tree) Root() uint64  { return t.im.Root() }
func (t tree) MaxID() uint64 { return t.im.MaxInode() }

func (t tree) Node(id uint64) (tmpfs.LowNode, error) {
	i, err := t.im.Inode(id)
	if err != nil {
		return nil, err
	}
	return &lowFile{t.im, i}, nil
}

// lowFile is a file of an image as tmpfs.LowNode.
type lowFile struct {
	im *erofs.Image
	i  erofs.Inode
}

func (f *lowFile) Attr() tmpfs.LowAttr {
	r := f.i.Rdev // major in bits 8 to 19, minor around it
	return tmpfs.LowAttr{
		Mode: f.i.Mode, UID: f.i.UID, GID: f.i.GID, Nlink: f.i.Nlink,
		Rdev:  abi.Mkdev(r>>8&0xfff, r&0xff|r>>12&0xfff00),
		Size:  int64(f.i.Size),
		Mtime: abi.Timespec{Sec: f.i.Sec, Nsec: int64(f.i.Nsec)},
	}
}

func (f *lowFile) Lookup(name string) (tmpfs.LowEntry, error) {
	e, err := f.im.Lookup(&f.i, name)
	return tmpfs.LowEntry(e), err
}

func (f *lowFile) ReadDir(index int64, emit func(int64, tmpfs.LowEntry) bool) error {
	return f.im.ReadDir(&f.i, index, func(index int64, e erofs.Entry) bool {
		return emit(index, tmpfs.LowEntry(e))
	})
}

func (f *lowFile) Readlink() (string, error)     { return f.im.Readlink(&f.i) }
func (f *lowFile) Span(off, n uint64) []byte     { return f.im.Span(&f.i, off, n) }
func (f *lowFile) Page(n uint64) (mem.PA, error) { return f.im.Page(&f.i, n) }
