package file

import (
	"sync/atomic"

	"mult/inst"
)

// private is this package's member of an instance.
type private struct {
	ino   atomic.Uint64 // last number that NextIno gave
	locks locks
}

var slot = inst.NewSlot[private]()

// Member is this package's row in the table of members.
var Member = inst.Member{Name: "file", Alloc: alloc, Free: free}

func alloc(in, parent *inst.Inst) error {
	p := &private{}
	p.locks.init(in)
	slot.Set(in, p)
	return nil
}

func free(in *inst.Inst) {
	if n := len(slot.Of(in).locks.sets); n != 0 {
		panic("file: locked files left in an instance that ends")
	}
	slot.Set(in, nil)
}

// NextIno returns a number for a file that is in no file system, such as a pipe.
func NextIno(in *inst.Inst) uint64 { return slot.Of(in).ino.Add(1) }
