package proc

import (
	"sync/atomic"

	"mult/inst"
)

// sigCount counts the queued signals of a user.
type sigCount struct{ n atomic.Int64 }

// A pendQueue has signals that wait to be delivered: a bit for each number, and
// a node for each signal that there was room for. It is guarded by Proc.mu.
type pendQueue struct {
	set        Sigset
	head, tail *sigNode
}

// sigNode is one queued signal. It is charged.
type sigNode struct {
	next *sigNode
	user *user
	info Siginfo
}

// room takes what a node costs; nil: there is no room. limit is in signals.
func (u *user) room(in *inst.Inst, limit uint64) *sigNode {
	if n := u.pending.n.Add(1); uint64(n) > limit || !in.Charge(inst.Heap, sigBytes) {
		u.pending.n.Add(-1)
		return nil
	}
	return &sigNode{user: u}
}

// free gives back what a node costs.
func (n *sigNode) free(in *inst.Inst) {
	n.user.pending.n.Add(-1)
	in.Uncharge(inst.Heap, sigBytes)
}

// add puts a signal at the end; n is nil if there was no room for more than
// its bit.
func (q *pendQueue) add(sig Signal, n *sigNode) {
	q.set |= sig.bit()
	if n == nil {
		return
	}
	if q.tail != nil {
		q.tail.next = n
	} else {
		q.head = n
	}
	q.tail = n
}

// take removes the first signal of a number, which is in the set.
func (q *pendQueue) take(in *inst.Inst, sig Signal) Siginfo {
	info, found, more := Siginfo{Signo: sig, Code: SI_USER}, false, false
	var prev *sigNode
	for n := q.head; n != nil; n = n.next {
		if n.info.Signo == sig {
			if found {
				more = true
				break
			}
			found, info = true, n.info
			q.unlink(prev, n)
			n.free(in)
			continue
		}
		prev = n
	}
	if !more {
		q.set &^= sig.bit()
	}
	return info
}

// unlink takes n, which follows prev, out. n.next stays.
func (q *pendQueue) unlink(prev, n *sigNode) {
	if prev != nil {
		prev.next = n.next
	} else {
		q.head = n.next
	}
	if q.tail == n {
		q.tail = prev
	}
}

// drop removes all signals of a set.
func (q *pendQueue) drop(in *inst.Inst, set Sigset) {
	if q.set&set == 0 {
		return
	}
	q.set &^= set
	var prev *sigNode
	for n := q.head; n != nil; n = n.next {
		if set.Has(n.info.Signo) {
			q.unlink(prev, n)
			n.free(in)
			continue
		}
		prev = n
	}
}

// flush removes all.
func (q *pendQueue) flush(in *inst.Inst) { q.drop(in, ^Sigset(0)) }
