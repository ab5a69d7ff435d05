package file

import (
	"math/bits"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
)

// This file makes, shares, copies and unmakes tables as processes begin and end.

var tables = proc.NewSlot[Table]()

// Part is this package's row in the table of process parts.
var Part = proc.Part{Name: "files", Fork: fork, Exec: exec, Exit: exit}

// cloneFiles is CLONE_FILES of clone(2).
const cloneFiles = 0x400

// Of returns the table of p; nil when p has ended, which p's own threads never
// see.
func Of(p *proc.Proc) *Table { return tables.Of(p) }

// fork gives child a copy of the table of its parent, or a share in it.
func fork(parent *proc.Thread, child *proc.Proc, flags uint64) error {
	if parent == nil {
		tb, err := newTable(child.Inst)
		if err == nil {
			tables.Set(child, tb)
		}
		return err
	}
	tb := Of(parent.Proc)
	if flags&cloneFiles != 0 {
		tb.users.Add(1)
	} else {
		var err error
		if tb, err = tb.clone(); err != nil {
			return err
		}
	}
	tables.Set(child, tb)
	return nil
}

// clone returns a copy of tb for one process. Reserved descriptors are free in
// it. ENOMEM.
func (tb *Table) clone() (*Table, error) {
	cp, err := newTable(tb.in)
	if err != nil {
		return nil, err
	}
	tb.mu.Lock()
	err = cp.copyLocked(tb)
	tb.mu.Unlock()
	if err != nil {
		cp.leave()
		return nil, err
	}
	return cp, nil
}

// copyLocked fills cp, which nobody else can reach, from tb. tb.mu is held.
func (cp *Table) copyLocked(tb *Table) error {
	for c := range tb.chunks() {
		from := tb.chunkAt(c)
		if from == nil || from.used == 0 {
			continue
		}
		to, err := cp.growLocked(c, maxFDs)
		if err != nil {
			return err
		}
		for w := from.used; w != 0; w &= w - 1 {
			i := bits.TrailingZeros64(w)
			f := from.files[i].Load()
			if f == nil {
				continue
			}
			f.Retain()
			to.files[i].Store(f)
			to.used |= 1 << i
			cp.count++
		}
		to.cloexec = from.cloexec & to.used
		cp.noteFullLocked(c, to)
	}
	return nil
}

// leave drops a process's share of tb; the last one closes everything.
func (tb *Table) leave() {
	if tb.users.Add(-1) > 0 {
		return
	}
	tb.mu.Lock()
	tb.dead = true
	tb.mu.Unlock()
	tb.closeWhere(0, tb.chunks(), func(ch *chunk) uint64 { return ch.used })
	tb.in.Uncharge(inst.Heap, tb.cost)
}

// closeWhere closes the descriptors of the chunks from..to-1 that pick says, a
// mask for each chunk.
func (tb *Table) closeWhere(from, to int, pick func(ch *chunk) uint64) {
	for c := from; c < min(to, tb.chunks()); c++ {
		ch := tb.chunkAt(c)
		if ch == nil {
			continue
		}
		var files [chunkSize]*File
		n := 0
		tb.mu.Lock()
		for w := pick(ch); w != 0; w &= w - 1 {
			if f := tb.removeLocked(c*chunkSize + bits.TrailingZeros64(w)); f != nil {
				files[n] = f
				n++
			}
		}
		tb.mu.Unlock()
		for _, f := range files[:n] {
			tb.drop(f)
		}
	}
}

// Unshare gives the process of t a table of its own if it shares one. exec does
// it while it can still fail, and unshare(CLONE_FILES). ENOMEM.
func Unshare(t *proc.Thread) error {
	tb := Of(t.Proc)
	if tb.users.Load() == 1 {
		return nil
	}
	cp, err := tb.clone()
	if err != nil {
		return err
	}
	tables.Set(t.Proc, cp)
	tb.leave()
	return nil
}

// exec closes what is to be closed; Unshare has been called before.
func exec(t *proc.Thread) {
	tb := Of(t.Proc)
	tb.closeWhere(0, tb.chunks(), func(ch *chunk) uint64 { return ch.cloexec })
}

// exit ends the part of a process.
func exit(p *proc.Proc, t *proc.Thread) {
	tb := Of(p)
	tables.Set(p, nil)
	tb.leave()
}

// CloseRange is close_range(2). EINVAL, ENOMEM.
func CloseRange(t *proc.Thread, first, last uint32, flags int) error {
	if flags&^(abi.CLOSE_RANGE_UNSHARE|abi.CLOSE_RANGE_CLOEXEC) != 0 || first > last {
		return errno.EINVAL
	}
	if flags&abi.CLOSE_RANGE_UNSHARE != 0 {
		if err := Unshare(t); err != nil {
			return err
		}
	}
	if first >= maxFDs {
		return nil
	}
	tb := Of(t.Proc)
	lo, hi := int(first), int(min(last, maxFDs-1))
	// mask returns the descriptors of the range in chunk c.
	mask := func(c int) uint64 {
		m := ^uint64(0)
		if c == lo/chunkSize {
			m &= ^uint64(0) << (lo % chunkSize)
		}
		if c == hi/chunkSize {
			m &= ^uint64(0) >> (chunkSize - 1 - hi%chunkSize)
		}
		return m
	}
	for c := lo / chunkSize; c <= hi/chunkSize && c < tb.chunks(); c++ {
		m := mask(c)
		if flags&abi.CLOSE_RANGE_CLOEXEC == 0 {
			tb.closeWhere(c, c+1, func(ch *chunk) uint64 { return ch.used & m })
			continue
		}
		if ch := tb.chunkAt(c); ch != nil {
			tb.mu.Lock()
			ch.cloexec |= ch.used & m
			tb.mu.Unlock()
		}
	}
	return nil
}
