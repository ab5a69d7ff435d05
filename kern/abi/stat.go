package abi

// Sizes of what tells about files and file systems.
const (
	StatSize   = 144
	StatxSize  = 256
	StatfsSize = 120
)

// Types of files in Stat.Mode, and its other bits.
const (
	S_IFMT   = 0o170000
	S_IFSOCK = 0o140000
	S_IFLNK  = 0o120000
	S_IFREG  = 0o100000
	S_IFBLK  = 0o060000
	S_IFDIR  = 0o040000
	S_IFCHR  = 0o020000
	S_IFIFO  = 0o010000

	S_ISUID = 0o4000
	S_ISGID = 0o2000
	S_ISVTX = 0o1000
)

// Bits of Statx.Mask.
const (
	STATX_TYPE        = 0x1
	STATX_MODE        = 0x2
	STATX_NLINK       = 0x4
	STATX_UID         = 0x8
	STATX_GID         = 0x10
	STATX_ATIME       = 0x20
	STATX_MTIME       = 0x40
	STATX_CTIME       = 0x80
	STATX_INO         = 0x100
	STATX_SIZE        = 0x200
	STATX_BLOCKS      = 0x400
	STATX_BASIC_STATS = 0x7ff
	STATX_BTIME       = 0x800
	STATX_MNT_ID      = 0x1000
	STATX_RESERVED    = 0x80000000
)

// Stat is what stat(2) tells about a file. The fields are as wide as the
// kernel keeps them; birth time and mount are for statx(2) alone.
type Stat struct {
	Dev, Ino            uint64
	Nlink               uint64
	Mode                uint32 // type and permissions
	UID, GID            uint32
	Rdev                uint64 // of a device node
	Size                int64
	Blksize             int64
	Blocks              int64 // of 512 bytes
	Atime, Mtime, Ctime Timespec
	Btime               Timespec // zero: not known
	Mount               uint64
}

// Encode writes s to b as struct stat.
func (s *Stat) Encode(b []byte) {
	b = b[:StatSize]
	put64(b[0:], s.Dev)
	put64(b[8:], s.Ino)
	put64(b[16:], s.Nlink)
	put32(b[24:], s.Mode)
	put32(b[28:], s.UID)
	put32(b[32:], s.GID)
	put32(b[36:], 0)
	put64(b[40:], s.Rdev)
	put64(b[48:], uint64(s.Size))
	put64(b[56:], uint64(s.Blksize))
	put64(b[64:], uint64(s.Blocks))
	s.Atime.Encode(b[72:])
	s.Mtime.Encode(b[88:])
	s.Ctime.Encode(b[104:])
	clear(b[120:])
}

// EncodeStatx writes s to b as struct statx, with what of mask is known.
func (s *Stat) EncodeStatx(b []byte, mask uint32) {
	b = b[:StatxSize]
	clear(b)
	have := uint32(STATX_BASIC_STATS)
	if s.Btime != (Timespec{}) {
		have |= STATX_BTIME & mask
	}
	if s.Mount != 0 {
		have |= STATX_MNT_ID & mask
	}
	put32(b[0:], have)
	put32(b[4:], uint32(s.Blksize))
	put32(b[16:], uint32(s.Nlink))
	put32(b[20:], s.UID)
	put32(b[24:], s.GID)
	put16(b[28:], uint16(s.Mode))
	put64(b[32:], s.Ino)
	put64(b[40:], uint64(s.Size))
	put64(b[48:], uint64(s.Blocks))
	stamp := func(b []byte, t Timespec) {
		put64(b, uint64(t.Sec))
		put32(b[8:], uint32(t.Nsec))
	}
	stamp(b[64:], s.Atime)
	if have&STATX_BTIME != 0 {
		stamp(b[80:], s.Btime)
	}
	stamp(b[96:], s.Ctime)
	stamp(b[112:], s.Mtime)
	put32(b[128:], Major(s.Rdev))
	put32(b[132:], Minor(s.Rdev))
	put32(b[136:], Major(s.Dev))
	put32(b[140:], Minor(s.Dev))
	if have&STATX_MNT_ID != 0 {
		put64(b[144:], s.Mount)
	}
}

// Mkdev returns the number of a device as programs see it.
func Mkdev(major, minor uint32) uint64 {
	ma, mi := uint64(major), uint64(minor)
	return ma&0xfffff000<<32 | ma&0xfff<<8 | mi&0xffffff00<<12 | mi&0xff
}

// Major returns the part of a device number that says which driver.
func Major(dev uint64) uint32 { return uint32(dev>>32&0xfffff000 | dev>>8&0xfff) }

// Minor returns the part of a device number that says which device.
func Minor(dev uint64) uint32 { return uint32(dev>>12&0xffffff00 | dev&0xff) }

// Statfs is struct statfs: what statfs(2) tells about a file system.
type Statfs struct {
	Type                  int64
	Bsize                 int64
	Blocks, Bfree, Bavail uint64
	Files, Ffree          uint64
	Fsid                  uint64
	Namelen               int64
	Frsize                int64
	Flags                 int64
}

// Encode writes s to b.
func (s *Statfs) Encode(b []byte) {
	b = b[:StatfsSize]
	put64(b[0:], uint64(s.Type))
	put64(b[8:], uint64(s.Bsize))
	put64(b[16:], s.Blocks)
	put64(b[24:], s.Bfree)
	put64(b[32:], s.Bavail)
	put64(b[40:], s.Files)
	put64(b[48:], s.Ffree)
	put64(b[56:], s.Fsid)
	put64(b[64:], uint64(s.Namelen))
	put64(b[72:], uint64(s.Frsize))
	put64(b[80:], uint64(s.Flags))
	clear(b[88:])
}
