package erofs

import (
	"bytes"
	"encoding/binary"

	"mult/kern/errno"
)

// A directory is a sequence of blocks. Each starts with entries of 12 bytes:
// inode, offset of the name in the block, type; their names follow. All names
// of a directory are in order.

const (
	entrySize = 12
	maxName   = 255
)

// An Entry is a name in a directory.
type Entry struct {
	Name string
	ID   uint64
	Type uint8 // DT_* of readdir(3); 0 if the image doesn't say
}

// types translates the types of entries, which are numbered as in Linux'
// include/linux/fs_types.h, to those of readdir(3).
var types = [...]uint8{0, 8, 4, 2, 6, 1, 12, 10}

// ReadDir calls f for the entries of a directory from index on, each with its
// own index, until f returns false. "." and ".." have indices, but f doesn't
// get them.
func (im *Image) ReadDir(i *Inode, index int64, f func(index int64, e Entry) bool) error {
	if i.Mode&modeType != modeDir {
		return errno.ENOTDIR
	}
	first := int64(0) // index of the first entry of a block
	for off := uint64(0); off < i.Size; off += 1 << im.blockBits {
		b, err := im.dirBlock(i, off)
		if err != nil {
			return err
		}
		n, err := entries(b)
		if err != nil {
			return err
		}
		for k := int(min(max(0, index-first), int64(n))); k < n; k++ {
			e, err := entry(b, k, n)
			if err != nil {
				return err
			}
			name := string(e.name)
			if name == "." || name == ".." {
				continue
			}
			if !f(first+int64(k), Entry{name, e.id, e.typ}) {
				return nil
			}
		}
		first += int64(n)
	}
	return nil
}

// Lookup finds a name in a directory; ENOENT if it isn't there.
func (im *Image) Lookup(i *Inode, name string) (Entry, error) {
	if i.Mode&modeType != modeDir {
		return Entry{}, errno.ENOTDIR
	}
	want := []byte(name)
	// Search for the last block whose first name isn't beyond the name.
	lo, hi := uint64(0), (i.Size+1<<im.blockBits-1)>>im.blockBits
	for lo < hi {
		mid := lo + (hi-lo)/2
		b, err := im.dirBlock(i, mid<<im.blockBits)
		if err != nil {
			return Entry{}, err
		}
		n, err := entries(b)
		if err != nil {
			return Entry{}, err
		}
		first, err := entry(b, 0, n)
		if err != nil {
			return Entry{}, err
		}
		if bytes.Compare(want, first.name) < 0 {
			hi = mid
			continue
		}
		// It is in this block or in one behind it.
		x, y := 0, n
		for x < y {
			m := (x + y) / 2
			e, err := entry(b, m, n)
			if err != nil {
				return Entry{}, err
			}
			switch c := bytes.Compare(want, e.name); {
			case c == 0:
				return Entry{name, e.id, e.typ}, nil
			case c < 0:
				y = m
			default:
				x = m + 1
			}
		}
		if x < n {
			return Entry{}, errno.ENOENT
		}
		lo = mid + 1
	}
	return Entry{}, errno.ENOENT
}

// dirBlock returns the block of a directory at off. A block never spreads over
// blocks and inline tail, since the tail starts at a multiple of the block.
func (im *Image) dirBlock(i *Inode, off uint64) ([]byte, error) {
	b := im.Span(i, off, 1<<im.blockBits)
	if len(b) < entrySize {
		return nil, errno.EUCLEAN
	}
	return b, nil
}

// entries returns how many entries a block has, one at least: the first name
// starts where they end.
func entries(b []byte) (int, error) {
	n := int(binary.LittleEndian.Uint16(b[8:]))
	if n < entrySize || n%entrySize != 0 || n > len(b) {
		return 0, errno.EUCLEAN
	}
	return n / entrySize, nil
}

type rawEntry struct {
	name []byte
	id   uint64
	typ  uint8
}

// entry returns entry k of the n in a block.
func entry(b []byte, k, n int) (rawEntry, error) {
	le := binary.LittleEndian
	e := b[k*entrySize:]
	start, end := int(le.Uint16(e[8:])), len(b)
	if k+1 < n {
		end = int(le.Uint16(e[entrySize+8:]))
	}
	if start < n*entrySize || start > end || end > len(b) {
		return rawEntry{}, errno.EUCLEAN
	}
	name := b[start:end]
	if k+1 == n {
		if z := bytes.IndexByte(name, 0); z >= 0 {
			name = name[:z]
		}
	}
	if len(name) == 0 || len(name) > maxName || bytes.IndexByte(name, 0) >= 0 || bytes.IndexByte(name, '/') >= 0 {
		return rawEntry{}, errno.EUCLEAN
	}
	r := rawEntry{name: name, id: le.Uint64(e)}
	if t := e[10]; int(t) < len(types) {
		r.typ = types[t]
	}
	return r, nil
}
