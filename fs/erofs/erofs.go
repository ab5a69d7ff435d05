// Package erofs reads uncompressed EROFS images that lie in memory: those that
// mkfs.erofs makes without further options, with data that is plain or has its
// tail stored behind the inode.
//
// An image is only read, so all instances share it; what changes is kept above
// it, by fs/unionfs. Nothing in an image is trusted: each offset is checked
// before it is used, and what doesn't fit is EUCLEAN, as on Linux.
//
// Locks: Image.mu guards the cache of copied pages and is a leaf. Everything
// else is constant after Open and Place.
package erofs

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"math"
	"sync"

	"mult/kern/errno"
	"mult/kern/mem"
)

// The superblock, include/uapi or fs/erofs/erofs_fs.h of Linux.
const (
	superOffset = 1024
	superSize   = 128
	magic       = 0xE0F5E1E2

	compatChecksum = 1 << 0

	// Features that an image may need: zero padding of compressed blocks,
	// which says nothing about an image without any, and prefixes of
	// extended attributes, which aren't looked at.
	incompatKnown = 1<<0 | 1<<6
)

// slotSize is the unit in which inodes are numbered.
const slotSize = 32

// An Image is a file system in memory.
type Image struct {
	data      []byte // [const]
	blockBits uint   // [const]
	meta      uint64 // [const] offset of slot 0
	root      uint64 // [const]
	inodes    uint64 // [const] as the superblock says
	buildSec  uint64 // [const]
	buildNsec uint32 // [const]

	memory *mem.Memory // [const] nil before Place
	base   mem.PA      // [const] where data[0] is

	mu     sync.Mutex
	copies map[pageKey]mem.PA // [mu]
	order  []pageKey          // [mu] keys of copies in the order they came, from next on
	next   int                // [mu]
}

// Open checks the superblock of an image and returns the image. data must not
// change any more.
func Open(data []byte) (*Image, error) {
	if len(data) < superOffset+superSize {
		return nil, errno.EINVAL
	}
	sb := data[superOffset : superOffset+superSize]
	le := binary.LittleEndian
	if le.Uint32(sb) != magic {
		return nil, errno.EINVAL
	}
	im := &Image{
		data:      data,
		blockBits: uint(sb[12]),
		root:      uint64(le.Uint16(sb[14:])),
		inodes:    le.Uint64(sb[16:]),
		buildSec:  le.Uint64(sb[24:]),
		buildNsec: le.Uint32(sb[32:]),
	}
	if im.blockBits < 9 || im.blockBits > 12 || sb[90] != 0 {
		return nil, errno.EINVAL
	}
	if le.Uint32(sb[80:])&^incompatKnown != 0 || le.Uint16(sb[86:]) != 0 {
		return nil, errno.EINVAL
	}
	if le.Uint32(sb[8:])&compatChecksum != 0 && !im.sumOK(le.Uint32(sb[4:])) {
		return nil, errno.EBADMSG
	}
	im.meta = uint64(le.Uint32(sb[40:])) << im.blockBits
	root, err := im.Inode(im.root)
	if err != nil {
		return nil, err
	}
	if root.Mode&modeType != modeDir {
		return nil, errno.EUCLEAN
	}
	return im, nil
}

// sumOK checks the CRC of the superblock and what is behind it in its block.
func (im *Image) sumOK(want uint32) bool {
	end := uint64(superOffset + superSize)
	if b := uint64(1) << im.blockBits; b > end {
		end = b
	}
	if end > uint64(len(im.data)) {
		return false
	}
	block := bytes.Clone(im.data[superOffset:end])
	clear(block[4:8])
	// Linux neither starts nor ends by inverting; crc32.Update does both.
	return ^crc32.Update(0, crc32.MakeTable(crc32.Castagnoli), block) == want
}

// Root returns the number of the root directory.
func (im *Image) Root() uint64 { return im.root }

// Inodes returns how many inodes the superblock claims.
func (im *Image) Inodes() uint64 { return im.inodes }

// Size returns the bytes of the image.
func (im *Image) Size() uint64 { return uint64(len(im.data)) }

// MaxInode returns a number above those of all inodes.
func (im *Image) MaxInode() uint64 { return uint64(len(im.data))/slotSize + 1 }

// Types of files in Inode.Mode.
const (
	modeType = 0xf000
	modeDir  = 0x4000
	modeReg  = 0x8000
	modeLink = 0xa000
	modeChar = 0x2000
	modeBlk  = 0x6000
)

// Layouts of data.
const (
	layoutPlain  = 0
	layoutInline = 2
)

// An Inode is what an image says about a file.
type Inode struct {
	ID       uint64
	Mode     uint32 // type and permissions
	UID, GID uint32
	Nlink    uint32
	Rdev     uint32 // as Linux encodes it in 32 bits
	Size     uint64
	Sec      int64 // time of the last change
	Nsec     uint32

	data  uint64 // offset of the blocks
	split uint64 // where in the file the inline tail starts
	tail  uint64 // offset of the inline tail
}

// Inode returns an inode by its number. All of its data is inside the image.
func (im *Image) Inode(id uint64) (Inode, error) {
	if id > math.MaxUint64/slotSize {
		return Inode{}, errno.EUCLEAN
	}
	at := im.meta + id*slotSize
	raw, ok := im.slice(at, slotSize)
	if !ok || at < im.meta {
		return Inode{}, errno.EUCLEAN
	}
	le := binary.LittleEndian
	format := le.Uint16(raw)
	i := Inode{ID: id, Mode: uint32(le.Uint16(raw[4:])), Sec: int64(im.buildSec), Nsec: im.buildNsec}
	size := uint64(slotSize)
	if format&1 == 0 {
		i.Nlink = uint32(le.Uint16(raw[6:]))
		i.Size = uint64(le.Uint32(raw[8:]))
		i.UID = uint32(le.Uint16(raw[24:]))
		i.GID = uint32(le.Uint16(raw[26:]))
	} else {
		size = 64
		if raw, ok = im.slice(at, size); !ok {
			return Inode{}, errno.EUCLEAN
		}
		i.Size = le.Uint64(raw[8:])
		i.UID = le.Uint32(raw[24:])
		i.GID = le.Uint32(raw[28:])
		i.Sec = int64(le.Uint64(raw[32:]))
		i.Nsec = le.Uint32(raw[40:])
		i.Nlink = le.Uint32(raw[44:])
	}
	if i.Nsec >= 1e9 {
		i.Nsec = 0
	}
	if n := uint64(le.Uint16(raw[2:])); n > 0 {
		size += 12 + 4*(n-1) // extended attributes
	}
	return i, im.locate(&i, format, le.Uint32(raw[16:]), at+size)
}

// locate finds where the data of i is, and checks that it is there. value is
// the field of the inode with a meaning for each type; behind is the offset of
// what follows the inode.
func (im *Image) locate(i *Inode, format uint16, value uint32, behind uint64) error {
	switch i.Mode & modeType {
	case modeReg, modeDir, modeLink:
	case modeChar, modeBlk:
		i.Rdev = value
		i.Size = 0
		return nil
	case 0x1000, 0xc000: // FIFO, socket
		i.Size = 0
		return nil
	default:
		return errno.EUCLEAN
	}
	if i.Size > uint64(len(im.data)) {
		return errno.EUCLEAN
	}
	switch format >> 1 & 7 {
	case layoutPlain:
		i.split = i.Size
	case layoutInline:
		if i.Size > 0 {
			i.split = (i.Size - 1) >> im.blockBits << im.blockBits
		}
		n := i.Size - i.split
		if _, ok := im.slice(behind, n); !ok {
			return errno.EUCLEAN
		}
		if n > 0 && behind>>im.blockBits != (behind+n-1)>>im.blockBits {
			return errno.EUCLEAN
		}
		i.tail = behind
	default:
		return errno.EOPNOTSUPP
	}
	if i.split > 0 {
		i.data = uint64(value) << im.blockBits
		if _, ok := im.slice(i.data, i.split); !ok {
			return errno.EUCLEAN
		}
	}
	return nil
}

// slice returns n bytes at an offset, if they are all there.
func (im *Image) slice(at, n uint64) ([]byte, bool) {
	if at > uint64(len(im.data)) || n > uint64(len(im.data))-at {
		return nil, false
	}
	return im.data[at : at+n : at+n], true
}

// Span returns content of i from off on, as much as lies together, at most n
// bytes; nothing at or behind the end. It is in the image itself and must not
// be changed.
func (im *Image) Span(i *Inode, off, n uint64) []byte {
	at, end := i.data+off, i.split
	if off >= i.split {
		at, end = i.tail+(off-i.split), i.Size
	}
	if off >= end {
		return nil
	}
	b, _ := im.slice(at, min(n, end-off))
	return b
}

// ReadAt copies content of i from off on to p and returns how much there was.
func (im *Image) ReadAt(i *Inode, p []byte, off uint64) int {
	done := 0
	for done < len(p) {
		b := im.Span(i, off+uint64(done), uint64(len(p)-done))
		if len(b) == 0 {
			break
		}
		done += copy(p[done:], b)
	}
	return done
}

// MaxLink is the longest target of a symbolic link, with the byte that ends it
// in a program's memory.
const MaxLink = 4096

// Readlink returns the target of a symbolic link.
func (im *Image) Readlink(i *Inode) (string, error) {
	if i.Mode&modeType != modeLink || i.Size == 0 || i.Size >= MaxLink {
		return "", errno.EUCLEAN
	}
	b := make([]byte, i.Size)
	if im.ReadAt(i, b, 0) != len(b) || bytes.IndexByte(b, 0) >= 0 {
		return "", errno.EUCLEAN
	}
	return string(b), nil
}
