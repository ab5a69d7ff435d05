package tty

import (
	"sync"

	"mult/inst"
)

// MaxPtys is how many pseudo terminals an instance can have.
const MaxPtys = 1024

// ptys is this package's part of an instance: its pseudo terminals.
type ptys struct {
	in *inst.Inst // [const]

	mu   sync.Mutex // leaf lock
	list []*Pty     // [mu] by Index; nil: free
	made uint64     // [mu] how many there ever were
}

var slot = inst.NewSlot[ptys]()

// Member is this package's row in the table of members.
var Member = inst.Member{Name: "tty", Alloc: alloc, Free: free}

func alloc(in, parent *inst.Inst) error {
	slot.Set(in, &ptys{in: in})
	return nil
}

func free(in *inst.Inst) {
	ps := slot.Of(in)
	for _, p := range ps.list {
		if p != nil {
			panic("tty: instance freed with a pseudo terminal in it")
		}
	}
	slot.Set(in, nil)
}

// add gives p the lowest free number; false: there is none.
func (ps *ptys) add(p *Pty) bool {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for i, q := range ps.list {
		if q == nil {
			p.setup(i)
			ps.list[i] = p
			return true
		}
	}
	if len(ps.list) >= MaxPtys {
		return false
	}
	p.setup(len(ps.list))
	ps.list = append(ps.list, p)
	return true
}

// remove ends p, which both sides have closed. It may be called twice.
func (ps *ptys) remove(p *Pty) {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if ps.list[p.Index] == p {
		ps.list[p.Index] = nil
		ps.in.UnchargeWith(inst.Ptys, inst.Heap, ptyBytes)
	}
}

// FindPty returns the pseudo terminal /dev/pts/n of in; nil: there is none, or
// its master is closed.
func FindPty(in *inst.Inst, n int) *Pty {
	p := slot.Of(in).get(n)
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	return p
}

func (ps *ptys) get(n int) *Pty {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	if n < 0 || n >= len(ps.list) {
		return nil
	}
	return ps.list[n]
}

// Ptys calls f with the pseudo terminals of in from number n on, as long as it
// returns true: for a listing of /dev/pts.
func Ptys(in *inst.Inst, n int, f func(p *Pty) bool) {
	for ; n < MaxPtys; n++ {
		if p := FindPty(in, n); p != nil && !f(p) {
			return
		}
	}
}
