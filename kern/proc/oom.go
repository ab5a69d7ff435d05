package proc

import (
	"sync/atomic"
	"time"

	"mult/inst"
	"mult/kern/errno"
	"mult/kern/vm"
)

// When memory is out, a process ends so that the others go on.
//
// Who pays: if the limit of an instance is in the way, one of those that it
// holds for, the instance and all below it; otherwise it is the machine that has
// none left, and one of all. Of these the one pays that is furthest above its
// share, which is an equal part, or its own limit if that is less. In it the process ends that has most memory and page tables, as
// oom_score_adj weighs them (proc(5)); process 1, and with it the instance,
// only when there is nobody else.

// OOMNever is the value of oom_score_adj that spares a process.
const (
	OOMNever = -1000
	oomMax   = 1000
)

const (
	oomWait = time.Second // for the memory of a process that ends
	oomLook = time.Millisecond
)

// oom is the state of an instance that is out of memory.
type oom struct {
	busy   atomic.Bool              // somebody makes room
	victim atomic.Pointer[vm.Space] // whose process was ended last
}

// OutOfMemory makes room when sp can't have a frame: it is the hook of
// vm.System. It returns true when it is worth to try again.
func (s *System) OutOfMemory(sp *vm.Space) bool {
	payer := s.overShare(sp.Inst())
	defer payer.Release()
	tab := TableOf(payer)
	o := &tab.oom
	for end := time.Now().Add(oomWait); !o.busy.CompareAndSwap(false, true); time.Sleep(oomLook) {
		if o.victim.Load() == sp || time.Now().After(end) {
			return false
		}
		if !o.busy.Load() {
			return true // there is room now
		}
	}
	defer o.busy.Store(false)
	if sp.Room() {
		return true
	}
	// Memory of the last victim may be on its way back, and its process not
	// have it any more.
	if v := o.victim.Load(); v != nil && v != sp && waitFreed(v) {
		o.victim.CompareAndSwap(v, nil)
		return true
	}
	victim, space := tab.pickVictim()
	if victim == nil {
		return false
	}
	o.victim.Store(space)
	tab.endUsers(space)
	if space == sp || space == sp.Builder() {
		return false // the process that asks must see that it ends
	}
	waitFreed(space)
	return true
}

// waitFreed waits until all memory of sp is free; false: that takes too long.
func waitFreed(sp *vm.Space) bool {
	for end := time.Now().Add(oomWait); !sp.Freed(); time.Sleep(oomLook) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}

// overShare returns the instance that pays when in gets no memory, with a
// reference.
func (s *System) overShare(in *inst.Inst) *inst.Inst {
	top := in // whose own limit is in the way, or inst0
	for top.Parent != nil && top.Used(inst.Frames) < top.OwnLimit(inst.Frames) {
		top = top.Parent
	}
	n := int64(0)
	for o := in.System().First(); o != nil; o = o.Next() {
		if o == top || o.Below(top) {
			n++
		}
	}
	share := min(int64(s.VM.Memory.Stats().Total), top.Limit(inst.Frames)) / max(n, 1)
	payer := in.Retain()
	most := in.Own(inst.Frames) - min(share, in.Limit(inst.Frames))
	for o := in.System().First(); o != nil; o = o.Next() {
		if o != top && !o.Below(top) {
			continue
		}
		if over := o.Own(inst.Frames) - min(share, o.Limit(inst.Frames)); over > most && o.TryRetain() {
			payer.Release()
			payer, most = o, over
		}
	}
	return payer
}

// pickVictim chooses the process that ends, and says so. One that is ending
// already is chosen again, silently.
func (tab *Table) pickVictim() (*Proc, *vm.Space) {
	var victim *Proc
	var space *vm.Space
	most := int64(0)
	for _, p := range tab.Procs() {
		sp, ending := p.spaceEnding()
		switch {
		case sp == nil:
		case ending:
			return p, sp
		default:
			if score := tab.oomScore(p, sp); score > most || victim != nil && victim.PID == 1 && score > 0 {
				victim, space, most = p, sp, score
			}
		}
	}
	if victim != nil {
		st := space.Stats()
		tab.sys.Logf(tab.in, "out of memory: process %d (%s) of user %d ends: it has %d KiB, the instance %d KiB",
			victim.PID, victim.Comm(), victim.Cred().UID, (st.RSS+st.PageTables)>>10, tab.in.Own(inst.Frames)*vm.PageSize>>10)
	}
	return victim, space
}

// spaceEnding returns p's address space, without a reference, and whether p is
// ending.
func (p *Proc) spaceEnding() (*vm.Space, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.space, p.ending
}

// oomScore is how many frames the end of p would give back, with its
// oom_score_adj in thousandths of what the instance could have.
func (tab *Table) oomScore(p *Proc, sp *vm.Space) int64 {
	adj := int64(p.oomAdj.Load())
	if adj == OOMNever {
		return 0
	}
	st := sp.Stats()
	return max(1, int64(st.RSS+st.PageTables)/vm.PageSize+adj*tab.framesAtMost()/oomMax)
}

// framesAtMost is how many frames the instance could have.
func (tab *Table) framesAtMost() int64 {
	return max(1, min(int64(tab.sys.VM.Memory.Stats().Total), tab.in.Limit(inst.Frames)))
}

// endUsers ends all processes that have an address space.
func (tab *Table) endUsers(space *vm.Space) {
	for _, p := range tab.Procs() {
		if sp, _ := p.spaceEnding(); sp == space {
			p.ExitGroup(SignalStatus(SIGKILL))
		}
	}
}

// OOMScore is what /proc/pid/oom_score shows: from 0, never ended, to 2000.
func (p *Proc) OOMScore() int {
	sp := p.Space()
	if sp == nil {
		return 0
	}
	defer sp.Release()
	return int(p.tab.oomScore(p, sp) * oomMax / p.tab.framesAtMost())
}

// OOMAdj returns oom_score_adj of p.
func (p *Proc) OOMAdj() int { return int(p.oomAdj.Load()) }

// SetOOMAdj sets oom_score_adj of p, for a thread with credentials c: EINVAL
// beyond -1000 and 1000; EACCES if one without CAP_SYS_RESOURCE makes it
// less than one with it did last.
func (p *Proc) SetOOMAdj(c *Cred, adj int) error {
	if adj < OOMNever || adj > oomMax {
		return errno.EINVAL
	}
	if c.Has(CAP_SYS_RESOURCE) {
		p.oomLeast.Store(int32(adj))
	} else if adj < int(p.oomLeast.Load()) {
		return errno.EACCES
	}
	p.oomAdj.Store(int32(adj))
	return nil
}
