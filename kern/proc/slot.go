package proc

import (
	"sync/atomic"
	"unsafe"
)

// maxParts is how many slots a process has.
const maxParts = 24

// A Slot is a package's key to its own part of a process: a *T.
type Slot[T any] struct{ index int }

// nextPart is the first slot that no package has taken.
var nextPart atomic.Int32

// NewSlot is called in the declaration of a package variable.
func NewSlot[T any]() Slot[T] {
	n := int(nextPart.Add(1)) - 1
	if n >= maxParts {
		panic("proc: too many slots")
	}
	return Slot[T]{n}
}

// Of returns the part of p, nil if it isn't set: before the part's Fork and
// after its Exit.
func (s Slot[T]) Of(p *Proc) *T { return (*T)(atomic.LoadPointer(&p.parts[s.index])) }

// Set stores the part of p.
func (s Slot[T]) Set(p *Proc, v *T) { atomic.StorePointer(&p.parts[s.index], unsafe.Pointer(v)) }

// A Part is what a subsystem has to do when processes begin and end. Hooks that
// are nil do nothing. No lock is held when they are called.
type Part struct {
	Name string
	// Fork makes the part of a new process that nobody else can reach yet,
	// on the goroutine of parent, the thread that forks; nil for the first
	// process of an instance. flags are those of clone(2). On an error it
	// leaves nothing behind.
	Fork func(parent *Thread, child *Proc, flags uint64) error
	// Exec runs after a process has got its new program, on its only thread.
	Exec func(t *Thread)
	// ThreadExit runs on each thread that ends, while the address space and
	// all parts are still there.
	ThreadExit func(t *Thread)
	// Exit unmakes the part, on the last thread of the process, after
	// ThreadExit; parts run in reverse order. t is nil if the process never
	// ran, because the Fork of a later part failed.
	Exit func(p *Proc, t *Thread)
}
