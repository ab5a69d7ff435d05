package proc

import (
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"mult/arch"
	"mult/inst"
	"mult/kern/vm"
)

// A Proc is a process: threads that share an address space, and what belongs to
// them together.
type Proc struct {
	Inst *inst.Inst // [const]
	PID  int        // [const]

	tab *Table  // [const]
	sys *System // [const]

	parts [maxParts]unsafe.Pointer // [atomic] opened by Slots

	parent     *Proc     // [tab.mu] nil for process 1, and after it was reaped
	creator    *Thread   // [tab.mu] the parent's thread that counts as its maker
	children   childList // [tab.mu] those that live
	zombies    childList // [tab.mu] those that wait to be reaped
	next, prev *Proc     // [tab.mu] in one of the parent's lists
	state      procState // [tab.mu]
	childQ     Queue     // wait4 of this process waits here; with tab.mu
	exitSignal Signal    // [tab.mu] what the parent gets; 0 none
	waited     Usage     // [tab.mu] of reaped children

	group        *Group // [tab.mu] nil after it was reaped
	gnext, gprev *Proc  // [tab.mu] in group

	subreaper bool         // [tab.mu] PR_SET_CHILD_SUBREAPER
	executed  bool         // [tab.mu] has called exec since its fork
	quiet     bool         // [tab.mu] its parent isn't told of its end
	left      int          // [tab.mu] threads that are not quite ended
	endQ      Queue        // execer waits for them; with tab.mu
	vforker   *Thread      // [tab.mu] waits until it has a program of its own
	deathSig  atomic.Int32 // PR_SET_PDEATHSIG
	secret    atomic.Bool  // see Dumpable

	oomAdj, oomLeast atomic.Int32 // oom_score_adj, and what it may be lowered to

	mu      sync.Mutex
	threads []*Thread // [mu] those that go on
	leader  *Thread   // [mu, tab.mu to write] the one with the process's number, ended or not
	ending  bool      // [mu] all threads end
	status  Status    // [mu] how it ended, or is ending
	execer  *Thread   // [mu] ends the other threads in order to exec
	space   *vm.Space // [mu] nil after exit
	comm    string    // [mu] name
	times   Usage     // [mu] of ended threads
	sigs    procSigs  // [mu]
	timers  itimers

	limits  [NumLimits]limit
	started int64 // [const] Now() at its fork
}

// procState is how far a process is.
type procState uint8

const (
	procLive   procState = iota
	procZombie           // wait4 can have it
	procGone             // reaped
)

// A Fault is an exception that a thread caused: its number and error code, and
// the address of the last page fault.
type Fault struct{ Trap, Err, Addr uint64 }

// A Thread is what the scheduler runs: a task of Linux.
type Thread struct {
	Proc *Proc         // [const]
	TID  int           // [own] changed by exec only; others use Proc.Tasks
	Ctx  *arch.Context // [own] registers while it isn't in user mode

	// Uio is for the buffers of the call that is being made, so that it
	// needs none of its own.
	Uio vm.Uio // [own]

	// Paths makes those of calls.
	Paths vm.Strings // [own]

	// Fault is the last exception that raised a signal; children inherit
	// it. The frames of all signals show it.
	Fault Fault // [own]

	// SchedData is the scheduler's, Caller that of vfs.
	SchedData any
	Caller    any // [own]

	cred  atomic.Pointer[Cred] // written by its own goroutine
	user  *user                // [tab.mu] whom it is counted for
	work  atomic.Uint32        // written with Proc.mu: bits work*
	yield atomic.Bool          // the scheduler wants the processor back
	state atomic.Int32         // threadRunning and so on
	nice  atomic.Int32
	// policy is one of SCHED_*, with SCHED_RESET_ON_FORK.
	policy atomic.Int32
	kids   int // [tab.mu] children with this creator

	wake      chan struct{} // [const] capacity 1: look again
	waiter    waiter
	timer     *time.Timer // [own] of park
	granted   bool        // [own] has a processor
	sliceEnd  int64       // [own] CPU time at which its slice is over
	sliceOver bool        // [own] it is: EnterUser asks the scheduler
	polite    bool        // [own] has called Yield

	sigs threadSigs

	restart    func(t *Thread) (uintptr, error) // [own]
	clearTID   vm.Addr                          // [own] set_tid_address(2)
	robustHead vm.Addr                          // [own] set_robust_list(2)
	robustLen  uint64                           // [own]
	comm       atomic.Pointer[string]           // nil: as the process

	vforkDone bool  // [tab.mu]
	vforkQ    Queue // with tab.mu

	clock
	exited  bool // [own] Exit has run
	leaving bool // [Proc.mu] it is out of Proc.threads
}

// Table returns the table that p is in.
func (p *Proc) Table() *Table { return p.tab }

// System returns what p's machine has in common.
func (p *Proc) System() *System { return p.sys }

// Space returns the address space of p with a reference for the caller; nil if
// p has ended.
func (p *Proc) Space() *vm.Space {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.space != nil {
		p.space.Retain()
	}
	return p.space
}

// Cred returns the credentials of p's first thread.
func (p *Proc) Cred() *Cred {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.leader.Cred()
}

// Comm returns the name of p.
func (p *Proc) Comm() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.comm
}

// Alive reports whether p has not ended.
func (p *Proc) Alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.threads) > 0
}

// anyThread returns a thread of p that goes on, nil if there is none.
func (p *Proc) anyThread() *Thread {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.threads) == 0 {
		return nil
	}
	return p.threads[0]
}

// NumThreads returns how many threads of p have not ended.
func (p *Proc) NumThreads() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.threads)
}

// Parent returns the number of the parent; 0 if there is none.
func (p *Proc) Parent() int {
	pid := 0
	p.tab.mu.Lock()
	if p.parent != nil {
		pid = p.parent.PID
	}
	p.tab.mu.Unlock()
	return pid
}

// SetSubreaper makes p the parent of orphans below it, or ends that:
// PR_SET_CHILD_SUBREAPER of prctl(2).
func (p *Proc) SetSubreaper(on bool) {
	p.tab.mu.Lock()
	defer p.tab.mu.Unlock()
	p.subreaper = on
}

// Subreaper returns what SetSubreaper set.
func (p *Proc) Subreaper() bool {
	p.tab.mu.Lock()
	defer p.tab.mu.Unlock()
	return p.subreaper
}

// SetDeathSignal sets the signal that p gets when its parent ends:
// PR_SET_PDEATHSIG of prctl(2).
func (p *Proc) SetDeathSignal(s Signal) { p.deathSig.Store(int32(s)) }

// Dumpable reports whether other processes of the same user may look into p:
// prctl(PR_GET_DUMPABLE). They may not after a change of its ids, and while it
// runs a program with other ids than its user's, or one that it may not read.
func (p *Proc) Dumpable() bool { return !p.secret.Load() }

// SetDumpable is prctl(PR_SET_DUMPABLE).
func (p *Proc) SetDumpable(on bool) { p.secret.Store(!on) }

// DeathSignal returns what SetDeathSignal set.
func (p *Proc) DeathSignal() Signal { return Signal(p.deathSig.Load()) }

// Started returns when p was made, on the monotonic clock.
func (p *Proc) Started() int64 { return p.started }

// childList is a list of children.
type childList struct{ head, tail *Proc }

func (l *childList) add(p *Proc) {
	p.prev, p.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = p
	} else {
		l.head = p
	}
	l.tail = p
}

func (l *childList) remove(p *Proc) {
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		l.head = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		l.tail = p.prev
	}
	p.next, p.prev = nil, nil
}

// adoptLocked makes p a child of parent. tab.mu is held.
func (p *Proc) adoptLocked(parent *Proc, creator *Thread) {
	p.parent = parent
	if creator != nil {
		creator.kids++
	}
	p.creator = creator
	if p.state == procZombie {
		parent.zombies.add(p)
	} else {
		parent.children.add(p)
	}
}

// abandonLocked ends adoptLocked.
func (p *Proc) abandonLocked() {
	if p.creator != nil {
		p.creator.kids--
		p.creator = nil
	}
	if p.state == procZombie {
		p.parent.zombies.remove(p)
	} else {
		p.parent.children.remove(p)
	}
	p.parent = nil
}
