package erofs

import (
	"mult/kern/errno"
	"mult/kern/mem"
)

// maxCopies bounds the frames that an image keeps for pages which can't be
// given in place: 4 MiB. They belong to the machine, as the image does.
const maxCopies = 1024

// pageKey names a page of a file.
type pageKey struct{ id, n uint64 }

// Place says that the image lies in RAM at base. From then on pages can be
// mapped. It is called once, before the image is shared.
func (im *Image) Place(m *mem.Memory, base mem.PA) {
	im.memory, im.base = m, base
	im.copies = make(map[pageKey]mem.PA)
	// One reference for ever: the frames never go to the pool.
	for pa := base &^ (mem.PageSize - 1); pa < base+mem.PA(len(im.data)); pa += mem.PageSize {
		m.Get(pa)
	}
}

// Page returns the frame of page n of a file, with a reference for the caller,
// who must not change it. The frame is part of the image if the page is
// aligned there, and zero behind the end of the file.
func (im *Image) Page(i *Inode, n uint64) (mem.PA, error) {
	if im.memory == nil {
		return 0, errno.ENODEV
	}
	if n > i.Size/mem.PageSize || n*mem.PageSize >= i.Size {
		return 0, errno.EFAULT
	}
	off := n * mem.PageSize
	if pa, ok := im.inPlace(i, off); ok {
		im.memory.Get(pa)
		return pa, nil
	}
	im.mu.Lock()
	defer im.mu.Unlock()
	key := pageKey{i.ID, n}
	if pa, ok := im.copies[key]; ok {
		im.memory.Get(pa)
		return pa, nil
	}
	pa, ok := im.memory.Alloc()
	if !ok {
		return 0, errno.ENOMEM
	}
	page := im.memory.Page(pa)
	clear(page[im.ReadAt(i, page[:], off):])
	im.keepLocked(key, pa)
	return pa, nil
}

// inPlace returns the frame of the image in which the page at off of a file
// lies, if it does.
func (im *Image) inPlace(i *Inode, off uint64) (mem.PA, bool) {
	at := i.data + off
	if off+mem.PageSize > i.split {
		// The last page: what is behind the file must be zero in the image.
		if off >= i.split || i.split != i.Size {
			return 0, false
		}
		rest, ok := im.slice(at+(i.split-off), mem.PageSize-(i.split-off))
		if !ok {
			return 0, false
		}
		for _, c := range rest {
			if c != 0 {
				return 0, false
			}
		}
	}
	pa := im.base + mem.PA(at)
	return pa, pa%mem.PageSize == 0
}

// keepLocked remembers a copied page with a reference of its own and forgets
// the oldest if there are too many.
func (im *Image) keepLocked(key pageKey, pa mem.PA) {
	if len(im.order) < maxCopies {
		im.order = append(im.order, key)
	} else {
		old := im.order[im.next]
		im.memory.Put(im.copies[old])
		delete(im.copies, old)
		im.order[im.next] = key
		im.next = (im.next + 1) % maxCopies
	}
	im.memory.Get(pa)
	im.copies[key] = pa
}
