package inst

import (
	"sync/atomic"
	"unsafe"
)

// maxSlots is how many slots a kernel can have.
const maxSlots = 32

// A Slot is a package's key to its own part of an instance: a *T.
type Slot[T any] struct{ index int }

var nextSlot atomic.Int32

// NewSlot is called in the declaration of a package variable.
func NewSlot[T any]() Slot[T] {
	n := int(nextSlot.Add(1)) - 1
	if n >= maxSlots {
		panic("inst: too many slots")
	}
	return Slot[T]{n}
}

// Of returns the part of in, nil if it isn't set.
func (s Slot[T]) Of(in *Inst) *T {
	return (*T)(in.slots[s.index])
}

// Set stores the part of in. Only alloc and free of the member call it.
func (s Slot[T]) Set(in *Inst, p *T) { in.slots[s.index] = unsafe.Pointer(p) }

// A Member is a subsystem's row in the table of members.
type Member struct {
	Name string
	// Alloc makes the subsystem's part of in; parent is nil for inst0. On
	// an error it leaves nothing behind.
	Alloc func(in, parent *Inst) error
	// Free runs once, after the last process of in has been reaped. It
	// panics if something of the part is still in use.
	Free func(in *Inst)
}
