package inst

import "sync/atomic"

// maxSlots is how many slots a kernel can have.
const maxSlots = 64

// An Inst is an operating instance: a complete Unix system. Its state lies in
// slots, each of which only one package can open.
type Inst struct {
	ID     uint64 // [const] never used twice
	Name   string // [const]
	Parent *Inst  // [const] nil for inst0 and for what hangs from it

	slots   [maxSlots]any // [const] after the members are allocated
	account [numResources]account
	full    func() bool // [const] after SetFull; nil: never
}

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
	p, _ := in.slots[s.index].(*T)
	return p
}

// Set stores the part of in. Only alloc and free of the member call it.
func (s Slot[T]) Set(in *Inst, p *T) { in.slots[s.index] = p }

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

// New makes an instance with the given members, allocated in order. If one
// fails, those before it are freed.
func New(name string, parent *Inst, members []Member) (*Inst, error) {
	in := &Inst{ID: nextID.Add(1) - 1, Name: name, Parent: parent}
	in.initAccounts()
	if parent != nil {
		in.full = parent.full
	}
	for i, m := range members {
		if err := m.Alloc(in, parent); err != nil {
			free(in, members[:i])
			return nil, err
		}
	}
	return in, nil
}

var nextID atomic.Uint64

// Free frees the members, in reverse order.
func (in *Inst) Free(members []Member) { free(in, members) }

func free(in *Inst, members []Member) {
	for i := len(members) - 1; i >= 0; i-- {
		members[i].Free(in)
	}
}
