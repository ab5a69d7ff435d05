package abi

// Types of directory entries: those of Stat.Mode, shifted.
const (
	DT_UNKNOWN = 0
	DT_FIFO    = 1
	DT_CHR     = 2
	DT_DIR     = 4
	DT_BLK     = 6
	DT_REG     = 8
	DT_LNK     = 10
	DT_SOCK    = 12
)

// NAME_MAX is the longest name in a directory.
const NAME_MAX = 255

// Dirent is an entry of a directory.
type Dirent struct {
	Ino  uint64
	Off  int64 // position of the next entry
	Type uint8 // DT_*
	Name string
}

const dirent64Name = 19 // where the name starts in struct linux_dirent64

// DirentType returns the type of entry for a file's mode.
func DirentType(mode uint32) uint8 { return uint8(mode & S_IFMT >> 12) }

// Size64 returns the length of d as struct linux_dirent64.
func (d *Dirent) Size64() int { return (dirent64Name + len(d.Name) + 1 + 7) &^ 7 }

// Encode64 writes d to b as struct linux_dirent64 and returns its length, or 0
// if b is too short for it.
func (d *Dirent) Encode64(b []byte) int {
	n := d.Size64()
	if n > len(b) {
		return 0
	}
	put64(b[0:], d.Ino)
	put64(b[8:], uint64(d.Off))
	put16(b[16:], uint16(n))
	b[18] = d.Type
	clear(b[dirent64Name+copy(b[dirent64Name:n], d.Name) : n])
	return n
}

const direntName = 18 // where the name starts in struct linux_dirent

// Encode writes d to b as struct linux_dirent, which getdents(2) gives, and
// returns its length, or 0 if b is too short for it. The type stands in the
// last byte.
func (d *Dirent) Encode(b []byte) int {
	n := (direntName + len(d.Name) + 2 + 7) &^ 7
	if n > len(b) {
		return 0
	}
	put64(b[0:], d.Ino)
	put64(b[8:], uint64(d.Off))
	put16(b[16:], uint16(n))
	clear(b[direntName+copy(b[direntName:n], d.Name) : n])
	b[n-1] = d.Type
	return n
}
