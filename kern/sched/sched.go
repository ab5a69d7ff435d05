// Package sched decides who gets a processor: first which instance, down the tree
// of them, then which of its threads. It hands out grants, one for each processor,
// without which no thread enters user mode; so Go's own scheduler never has more
// runnable threads in user mode than there are processors.
//
// Fairness is by virtual time: the time that somebody has had, divided by his
// weight. The instance that has had least is next, of those below it the one that has had
// least, and so on (group.go); and there the thread that has had least. Instances weigh
// what SetWeight says; threads weigh what their nice value says, or next to nothing with
// SCHED_IDLE.
// Who has slept has an advantage, but not a large one.
//
// kern/proc calls it (proc.Scheduler). While there is a free processor for
// everybody, taking and giving back a grant is one atomic operation on a place
// of the list of grants.
//
// Locks: Sched.mu is a leaf; kern/proc calls with Table.mu and Proc.mu held.
package sched

import (
	"sync"
	"sync/atomic"
	"time"

	"mult/inst"
	"mult/kern/proc"
)

const (
	// bonus is how far behind the others somebody may be who has slept.
	bonus = int64(20 * time.Millisecond)
	// margin is by how much somebody who comes must be behind to get a
	// processor before the slice of another is over.
	margin = int64(time.Millisecond)
	// lead is how far ahead of the others somebody can get, for nice 0: who
	// had a processor to himself for long need not wait as long later. Among
	// a thousand, each millisecond of it is half a second to wait.
	lead = int64(10 * time.Millisecond)

	// Who sleeps earns a part of the time slept, up to bonus: one who works
	// little, such as a shell, never waits for a round of all the others.
	// Those of an instance earn at most a part of its processors' time
	// together, so that the others don't starve, and save at most savings.
	sleepPart    = 8
	instancePart = 4
	savings      = int64(200 * time.Millisecond)
)

// A Sched schedules the threads of a machine. It implements proc.Scheduler.
type Sched struct {
	places  []place      // [const] the grants
	waiting atomic.Int32 // threads in Enter

	mu  sync.Mutex
	top group // above all instances
}

// A place is a grant: who has it; nil: it is free. It has a line of the caches of its
// own, so that a processor with work for itself doesn't wait for another.
type place struct {
	atomic.Pointer[thread]
	_ [56]byte
}

// thread is what sched knows of a thread.
type thread struct {
	t       *proc.Thread // [const]
	g       *group       // [const]
	place   int          // [own; mu while it waits] its grant's place, -1: none
	last    int          // [own] place it had last
	left    int64        // [own] time when it began to sleep; 0: it didn't
	vt      atomic.Int64 // virtual time
	charged int64        // [own] CPU time that is in vt
	weight  atomic.Int64

	at          int         // [mu] place in the group's queue, -1: not in it
	queued      atomic.Bool // [mu to write] it is in the queue
	interrupted atomic.Bool
	ready       chan struct{} // [const] capacity 1: it isn't in the queue any more
}

func (h *thread) before(o *thread) bool { return h.vt.Load() < o.vt.Load() }
func (h *thread) spot() *int            { return &h.at }

// New returns a scheduler for a number of processors.
func New(cpus int) *Sched {
	s := &Sched{places: make([]place, cpus)}
	s.initTop()
	return s
}

var slot = inst.NewSlot[group]()

// Member returns sched's row of the table of members.
func (s *Sched) Member() inst.Member {
	return inst.Member{
		Name: "sched",
		Alloc: func(in, parent *inst.Inst) error {
			var up *group
			if parent != nil {
				up = slot.Of(parent)
			}
			slot.Set(in, s.newGroup(up))
			return nil
		},
		Free: func(in *inst.Inst) {
			slot.Of(in).stop()
			slot.Set(in, nil)
		},
	}
}

// weights of the nice values from -20 on: each step is 1.25 times the next, as
// on Linux; that of 0 is unit.
var weights = [40]int64{
	88761, 71755, 56483, 46273, 36291, 29154, 23254, 18705, 14949, 11916,
	9548, 7620, 6100, 4904, 3906, 3121, 2501, 1991, 1586, 1277,
	1024, 820, 655, 526, 423, 335, 272, 215, 172, 137,
	110, 87, 70, 56, 45, 36, 29, 23, 18, 15,
}

const unit = 1024

func of(t *proc.Thread) *thread { return t.SchedData.(*thread) }

// Start implements proc.Scheduler. A thread starts where the one is that made
// it, so that a fork gives nobody an advantage.
func (s *Sched) Start(t, by *proc.Thread) {
	h := &thread{t: t, g: slot.Of(t.Inst()), place: -1, at: -1, ready: make(chan struct{}, 1)}
	h.charged = t.CPUTime()
	h.vt.Store(h.g.minVT.Load())
	if by != nil && of(by).g == h.g {
		h.vt.Store(of(by).vt.Load())
	}
	t.SchedData = h
	s.Renice(t)
}

// idleWeight is that of SCHED_IDLE.
const idleWeight = 3

// Renice implements proc.Scheduler.
func (s *Sched) Renice(t *proc.Thread) {
	h, ok := t.SchedData.(*thread)
	if !ok {
		return
	}
	w := weights[min(max(t.Nice()+20, 0), 39)]
	if t.Policy()&^proc.SCHED_RESET_ON_FORK == proc.SCHED_IDLE {
		w = idleWeight
	}
	h.weight.Store(w)
	// With little weight it may have got far ahead, further than charge lets it now.
	if limit := h.g.minVT.Load() + lead*unit/w; h.vt.Load() > limit {
		s.mu.Lock()
		lower(&h.vt, limit)
		if h.at >= 0 {
			h.g.queue.fix(h.at)
		}
		s.mu.Unlock()
	}
}

// charge adds the time that h has had since the last charge to virtual times.
func (h *thread) charge() {
	now := h.t.CPUTime()
	d := now - h.charged
	h.charged = now
	g := h.g
	g.spend(d, h.t)
	w := h.weight.Load()
	advance(&h.vt, d*unit/w, g.minVT.Load()+lead*unit/w)
	alone := g.sched.waiting.Load() == 0
	if alone {
		raise(&g.minVT, h.vt.Load())
	}
	g.own.charge(d, alone)
}

// advance adds d to v, but not beyond limit.
func advance(v *atomic.Int64, d, limit int64) {
	for {
		old := v.Load()
		n := max(old, min(old+d, limit))
		if n == old || v.CompareAndSwap(old, n) {
			return
		}
	}
}

// lower makes v at most n.
func lower(v *atomic.Int64, n int64) {
	for {
		old := v.Load()
		if old <= n || v.CompareAndSwap(old, n) {
			return
		}
	}
}

// raise makes v at least n.
func raise(v *atomic.Int64, n int64) {
	for {
		old := v.Load()
		if old >= n || v.CompareAndSwap(old, n) {
			return
		}
	}
}

// Enter implements proc.Scheduler.
func (s *Sched) Enter(t *proc.Thread) bool {
	h := of(t)
	h.charge()
	if h.place < 0 {
		h.catchUp()
		// Who holds the group looks at the grants after he has said so; this
		// looks at what he says after it has a grant.
		if s.waiting.Load() == 0 && s.grab(h) && !h.g.held() {
			return true
		}
	} else if s.waiting.Load() == 0 && !h.g.held() {
		return true // and has another slice
	}
	s.mu.Lock()
	if h.place >= 0 {
		// After sched_yield(2) those of the same instance go first.
		if t.TakeYield() && len(h.g.queue) > 0 {
			raise(&h.vt, h.g.queue[0].vt.Load()+1)
		}
		s.places[h.place].Store(nil)
		h.place = -1
		t.CountPreemption()
	}
	h.catchUp() // the lock may have been long in coming
	s.earnLocked(h)
	s.push(h)
	s.dispatchLocked()
	if h.queued.Load() {
		if h.interrupted.Swap(false) {
			s.pull(h)
			s.mu.Unlock()
			return false
		}
		if !h.g.held() {
			s.preemptLocked(h)
		}
	}
	s.mu.Unlock()
	<-h.ready
	return h.place >= 0
}

// catchUp limits the advantage that h has, because it is new or has slept.
func (h *thread) catchUp() {
	raise(&h.vt, h.g.minVT.Load()-bonus)
	h.g.own.catchUp()
}

// earnLocked gives h what it has earned by its sleep. mu is held.
func (s *Sched) earnLocked(h *thread) {
	if h.left == 0 {
		return
	}
	g, now := h.g, h.t.Now()
	passed := min(now-g.since, savings*instancePart) // what fills it for sure
	g.purse = min(g.purse+passed*int64(len(s.places))/instancePart, savings)
	g.since = now
	floor := g.minVT.Load() - bonus
	if n := min((now-h.left)/sleepPart, g.purse, h.vt.Load()-floor); n > 0 {
		g.purse -= n
		h.vt.Add(-n)
	}
	h.left = 0
}

// grab takes a free grant for h, if there is one.
func (s *Sched) grab(h *thread) bool {
	n := len(s.places)
	for k := range n {
		i := h.last + k
		if i >= n {
			i -= n
		}
		if s.places[i].Load() == nil && s.places[i].CompareAndSwap(nil, h) {
			h.place, h.last, h.left = i, i, 0
			return true
		}
	}
	return false
}

// Leave implements proc.Scheduler.
func (s *Sched) Leave(t *proc.Thread) {
	h := of(t)
	h.charge()
	h.left = t.Now()
	s.leave(h)
}

func (s *Sched) leave(h *thread) {
	if h.place < 0 {
		return
	}
	s.places[h.place].Store(nil)
	h.place = -1
	// Who has begun to wait before this look is seen; who begins after it
	// sees the free place.
	if s.waiting.Load() > 0 {
		s.mu.Lock()
		s.dispatchLocked()
		s.mu.Unlock()
	}
}

// Interrupt implements proc.Scheduler.
func (s *Sched) Interrupt(t *proc.Thread) {
	h, ok := t.SchedData.(*thread)
	if !ok {
		return
	}
	h.interrupted.Store(true)
	if !h.queued.Load() {
		return
	}
	s.mu.Lock()
	if h.queued.Load() {
		h.interrupted.Store(false)
		s.pull(h)
		h.ready <- struct{}{}
	}
	s.mu.Unlock()
}

// Stop implements proc.Scheduler.
func (s *Sched) Stop(t *proc.Thread) { s.Leave(t) }

// push makes h wait. mu is held, as in all that follows.
func (s *Sched) push(h *thread) {
	g := h.g
	g.queue.push(h)
	h.queued.Store(true)
	if g.held() {
		return
	}
	s.waiting.Add(1)
	g.own.enterLocked()
}

// pull ends push.
func (s *Sched) pull(h *thread) {
	g := h.g
	g.queue.remove(h.at)
	h.queued.Store(false)
	if g.held() {
		return
	}
	s.waiting.Add(-1)
	if len(g.queue) == 0 {
		g.own.leaveLocked()
	}
}

// dispatchLocked gives free grants to those that are due.
func (s *Sched) dispatchLocked() {
	for i := range s.places {
		for s.places[i].Load() == nil {
			h := s.nextLocked()
			if h == nil {
				return
			}
			if !s.places[i].CompareAndSwap(nil, h) {
				break
			}
			s.pull(h)
			raise(&h.g.minVT, h.vt.Load())
			h.g.own.chosenLocked()
			h.place, h.last, h.left = i, i, 0
			h.ready <- struct{}{}
		}
	}
}

// preemptLocked takes a grant back for h, which has begun to wait, from the one
// who is furthest ahead of it.
func (s *Sched) preemptLocked(h *thread) {
	var victim *thread
	most := margin
	for i := range s.places {
		o := s.places[i].Load()
		if o == nil {
			continue
		}
		if ahead := o.aheadOf(h); ahead > most && !o.t.Yielding() {
			victim, most = o, ahead
		}
	}
	if victim != nil {
		victim.t.RequestYield()
	}
}
