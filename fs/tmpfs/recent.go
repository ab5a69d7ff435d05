package tmpfs

import (
	"sync/atomic"

	"mult/inst"
)

// This file finds names again: they are asked for again and again, and a small table
// is quicker than a map.

const (
	recentNames  = 256
	recentCharge = 8 * recentNames // Heap for the table of a file system
	// manyLookups is after how many lookups a file system gets one. Most have few: an
	// instance that does little pays for none.
	manyLookups = 256
)

// A recentTable has, for each value of a hash, the entry that was found last. It is
// always an entry that is in the map of its directory. A program that makes names which
// get into each other's way finds them in the map. To write, Tree is held in any way.
type recentTable [recentNames]atomic.Pointer[entry]

// place is where an entry of d with a name is.
func (t *recentTable) place(d *dir, name string) *atomic.Pointer[entry] {
	h := uint(d.ino)
	for i := range len(name) {
		h = h*31 + uint(name[i])
	}
	return &t[h%recentNames]
}

// countLookup makes the table of recent names if it is time for it.
func (fs *FS) countLookup() {
	if fs.lookups.Add(1)%manyLookups != 0 || !fs.in.Charge(inst.Heap, recentCharge) {
		return
	}
	if !fs.recent.CompareAndSwap(nil, new(recentTable)) {
		fs.in.Uncharge(inst.Heap, recentCharge) // another one was quicker
	}
}

// find returns the entry with a name; nil: there is none.
func (d *dir) find(name string) *entry {
	t := d.fs.recent.Load()
	if t == nil {
		d.fs.countLookup()
		return d.entries[name]
	}
	recent := t.place(d, name)
	e := recent.Load()
	if e == nil || e.in != d || e.name != name {
		e = d.entries[name]
		if e != nil && e.node != nil {
			recent.Store(e)
		}
	}
	return e
}
