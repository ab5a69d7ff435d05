// Package vm owns the address spaces of processes: areas, page tables, page
// faults, copy-on-write, and the ways by which the kernel reads and writes the
// memory of a program.
//
// Who calls it: kern/proc for the life of a Space, kern/linux for mmap(2) and
// its relatives and for page faults, everybody for copies. Behind mappings of
// files stand Objects, which file systems serve.
//
// # What a page-table entry says
//
// An entry is zero, or holds a frame with a reference. With the bit owned the
// frame is anonymous and charged to the instance; forks share it, and it may
// be written in place once nobody else has it. Without it the frame belongs to
// an Object, or is the frame of zeros that all share, which has no count. An
// entry without PageUser belongs to an area of PROT_NONE.
//
// Permissions of an entry are those of its area, but PageWrite may be missing:
// the first write is to be noticed. Outside of areas all entries are zero.
//
// # Locks
//
// Space.mu guards areas and page tables.
//
//   - Held shared: an entry may be filled or gain permission to write, and a
//     missing table may be added; both by compare-and-swap, because the others
//     that hold the lock shared do the same. Frames found in entries can't go
//     away, so they are copied from and to like this.
//   - Held exclusively: anything. An entry that was removed, lost a permission
//     or changed its frame is flushed from the processors (Machine.Flush)
//     before the lock is released, and before its frame is.
//
// The lock is never held while an Object's Page or Release or the hook
// OutOfMemory runs: these may sleep and may take any lock of their own. An
// Object's Retain is called under it, and Views.mu is taken. Two Spaces are
// locked at once only by a fork: the child, which is new, after the parent.
package vm

import (
	"sync"

	"mult/arch"
	"mult/kern/mem"
)

// Addr is an address that a program gave: a claim, until something has been
// copied from or to it.
type Addr uint64

// PageSize is the size of a page in bytes.
const PageSize = mem.PageSize

// Limits of what programs may map.
const (
	MinAddr = 64 << 10 // below, nothing is ever mapped
	MaxAddr = arch.UserEnd
)

// MaxAreas is how many areas a space may have; vm.max_map_count of Linux.
const MaxAreas = 65530

// Prot says what may be done with memory: PROT_* of mmap(2).
type Prot uint8

const (
	Read  Prot = 1
	Write Prot = 2
	Exec  Prot = 4

	protAll = Read | Write | Exec
)

// System is what all address spaces of a machine have in common.
type System struct {
	Machine arch.Machine
	Memory  *mem.Memory
	// OutOfMemory, unless nil, is called without locks when s could not get a
	// frame, because of its instance's limit or because there is none. The
	// caller tries again if it returns true, so it should have made room.
	OutOfMemory func(s *Space) bool

	once   sync.Once
	zero   mem.PA // [once] a frame of zeros that is mapped without being counted
	zeroOK bool   // [once]

	batches sync.Pool // of *batch
}

// zeroFrame returns the frame of zeros, which lives as long as the system.
func (sys *System) zeroFrame() (mem.PA, bool) {
	sys.once.Do(func() { sys.zero, sys.zeroOK = sys.Memory.AllocZero() })
	return sys.zero, sys.zeroOK
}

// An Object is the content behind mappings of files: pages that live once and
// are mapped wherever they are wanted. Objects and their keys are compared, so
// they are pointers or other comparable values.
type Object interface {
	// Page returns the frame of page n of the content, with a reference for
	// the caller. write says that the caller will change the content for all
	// who map it. While a page is mapped, Page returns the same frame for
	// it; an Object that takes pages away is a Viewed. The error ENOMEM
	// becomes SIGKILL, all others become SIGBUS.
	Page(n uint64, write bool) (mem.PA, error)
	// Retain and Release count the areas that show the object. Retain does
	// nothing else; the last Release may free what there is.
	Retain()
	Release()
	// Key is the identity of the content, for futexes in shared mappings.
	Key() any
	// Name is for /proc/pid/maps: path, device, inode.
	Name() (path string, dev, ino uint64)
}

// Around is an Object that knows which of its pages are in memory. A page
// fault then maps some neighbours too.
type Around interface {
	// Resident sets dst[i] to the frame of page n+i, with a reference for
	// the caller, or to NoFrame if that page isn't there or costs more than
	// a look.
	Resident(n uint64, dst []mem.PA)
}

// NoFrame stands for a page that isn't in memory.
const NoFrame = ^mem.PA(0)

// Syncer is an Object that msync(2) means something to.
type Syncer interface {
	// Sync writes the pages [n, n+count) to where they outlive the machine.
	Sync(n, count uint64) error
}

func pageDown(a uint64) uint64 { return a &^ (PageSize - 1) }

// pageUp wraps to 0 at the end of all addresses.
func pageUp(a uint64) uint64 { return (a + PageSize - 1) &^ (PageSize - 1) }
