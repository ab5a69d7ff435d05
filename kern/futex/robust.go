package futex

import (
	"encoding/binary"

	"mult/kern/abi"
	"mult/kern/proc"
	"mult/kern/vm"
)

// This file ends what a thread has in memory: the robust futexes that it holds,
// set_robust_list(2), and the word that set_tid_address(2) has named.

// Part is this package's row in the table of process parts.
var Part = proc.Part{Name: "futex", ThreadExit: ThreadExit}

// maxRobust is how many entries of a robust list are looked at; it may be a
// ring that doesn't lead back to its head.
const maxRobust = 2048

// ThreadExit is called when a thread ends, and by exec before it gives up the
// old address space. Memory that can't be accessed ends it without a word.
func ThreadExit(t *proc.Thread) {
	if t.Space() == nil {
		return
	}
	if head, n := t.RobustList(); head != 0 && n == abi.RobustListHeadSize {
		walkRobust(t, head)
	}
	t.SetRobustList(0, 0)
	if a := t.TIDAddress(); a != 0 {
		t.SetTIDAddress(0)
		var zero [4]byte
		if t.Space().CopyOut(a, zero[:]) == nil {
			Wake(t, a, 1, abi.FUTEX_BITSET_MATCH_ANY, true)
		}
	}
}

// walkRobust marks the futexes of the list at head that t holds.
func walkRobust(t *proc.Thread, head vm.Addr) {
	sp := t.Space()
	var b [abi.RobustListHeadSize]byte
	if sp.CopyIn(b[:], head) != nil {
		return
	}
	var h abi.RobustListHead
	h.Decode(b[:])
	at := h.List
	for range maxRobust {
		// Bit 0 of a pointer says that the futex is one with priority
		// inheritance, which is not supported: it is only marked.
		entry, pi := vm.Addr(at&^1), at&1 != 0
		if entry == head {
			break
		}
		var next [8]byte
		if sp.CopyIn(next[:], entry) != nil {
			return
		}
		if at&^1 != h.Pending&^1 && !ownerDied(t, entry+vm.Addr(h.Offset), pi, false) {
			return
		}
		at = binary.LittleEndian.Uint64(next[:])
	}
	if h.Pending != 0 {
		ownerDied(t, vm.Addr(h.Pending&^1)+vm.Addr(h.Offset), h.Pending&1 != 0, true)
	}
}

// ownerDied marks the futex at a, if t holds it, and wakes one that waits. It
// reports false if the memory can't be accessed.
func ownerDied(t *proc.Thread, a vm.Addr, pi, pending bool) bool {
	if a%4 != 0 {
		return false
	}
	mine := func(v uint32) bool { return v&abi.FUTEX_TID_MASK == uint32(t.TID)&abi.FUTEX_TID_MASK }
	old, err := t.Space().Update32(a, func(old uint32) uint32 {
		if !mine(old) {
			return old
		}
		return old&abi.FUTEX_WAITERS | abi.FUTEX_OWNER_DIED
	})
	if err != nil {
		return false
	}
	// A pending futex that is free may have been given back just before the
	// wake-up that belongs to it.
	if !pi && (mine(old) && old&abi.FUTEX_WAITERS != 0 || pending && old == 0) {
		Wake(t, a, 1, abi.FUTEX_BITSET_MATCH_ANY, true)
	}
	return true
}
