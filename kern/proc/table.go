package proc

import (
	"sync"
	"time"

	"mult/inst"
	"mult/kern/errno"
)

// MaxPID is what the numbers of processes and threads stay below:
// kernel.pid_max.
const MaxPID = 32768

// Limits of the numbers of processes and threads.
const (
	maxNumbers   = MaxPID
	reservedPIDs = 300 // given out only the first time around
)

// What is charged for each object, in bytes of inst.Heap: the structures, and
// for a thread its goroutine's stack.
const (
	procBytes   = 4 << 10
	threadBytes = 12 << 10
	numberBytes = 256
	userBytes   = 128
	groupBytes  = 256
	sigBytes    = 128
)

// A Table has the processes of an instance, and all that is named by number.
type Table struct {
	in   *inst.Inst // [const]
	sys  *System    // [const]
	boot int64      // [const] Now() when the instance was made; 0 for inst0

	mu       sync.Mutex
	numbers  map[int]*number  // [mu]
	last     int              // [mu] number given out last
	users    map[uint32]*user // [mu]
	proc0    *Thread          // [mu] of process 0, in inst0
	init     *Proc            // [mu] process 1
	dying    bool             // [mu] process 1 has ended
	procs    int              // [mu] processes that are not reaped
	threads  int              // [mu] threads that have not ended
	forks    uint64           // [mu] processes and threads ever made
	checkSeq uint64           // [mu] of Group.checked
	emptyQ   Queue            // process 1 waits for the others; with mu
	clockQ   Queue            // woken when the clock of the wall is set
	past     Usage            // [mu] of processes that were reaped
	bootID   [16]byte         // [mu] see BootID; 0 until somebody asks
	load     load
	oom      oom
}

// number is what a number names. It is free when nothing is left.
type number struct {
	proc    *Proc
	thread  *Thread
	group   *Group
	session *Session
}

// user counts what belongs to a real user of the instance.
type user struct {
	uid     uint32   // [const]
	tasks   int      // [tab.mu] threads, and zombies
	pending sigCount // queued signals
}

var slot = inst.NewSlot[Table]()

// Member returns proc's row of the table of members of a kernel. sys is
// complete by the time the first instance is made.
func Member(sys *System) inst.Member {
	if sys.base.IsZero() {
		sys.base = time.Now()
	}
	if sys.Ticks == nil {
		sys.Ticks = sys.Now
	}
	if sys.TickTime == nil {
		sys.TickTime = func(ticks int64) int64 { return ticks }
	}
	if sys.Away == nil {
		sys.Away = func() int64 { return 0 }
	}
	return inst.Member{
		Name: "proc",
		Alloc: func(in, parent *inst.Inst) error {
			tab := &Table{in: in, sys: sys, numbers: map[int]*number{}, users: map[uint32]*user{}}
			if parent != nil {
				tab.boot = sys.Now()
			}
			slot.Set(in, tab)
			return nil
		},
		Free: func(in *inst.Inst) {
			tab := slot.Of(in)
			tab.mu.Lock()
			defer tab.mu.Unlock()
			if tab.procs != 0 || tab.threads != 0 || len(tab.numbers) != 0 || len(tab.users) != 0 {
				panic("proc: instance freed with processes in it")
			}
			if tab.proc0 != nil {
				tab.proc0.Proc.drop(0)
			}
			tab.load.stop()
			slot.Set(in, nil)
		},
	}
}

// Boot returns when the instance was made, on the monotonic clock: its own system has
// run since then.
func (tab *Table) Boot() int64 { return tab.boot }

// Up returns for how long the instance has been there, in nanoseconds.
func (tab *Table) Up() int64 { return tab.sys.Now() - tab.boot }

// BootID returns random bytes that tell this run of the instance from all others.
func (tab *Table) BootID() [16]byte {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if tab.bootID == [16]byte{} {
		tab.sys.VM.Machine.Random(tab.bootID[:])
	}
	return tab.bootID
}

// Deadline returns when the instance has been there for up nanoseconds, by the machine's
// clock. Instances have clocks of their own, which begin with them.
func (tab *Table) Deadline(up int64) int64 {
	if up >= Forever-tab.boot {
		return Forever
	}
	return tab.boot + up
}

// TableOf returns the table of in.
func TableOf(in *inst.Inst) *Table { return slot.Of(in) }

// takeNumberLocked reserves a number and charges it.
func (tab *Table) takeNumberLocked() (int, *number, error) {
	if len(tab.numbers) >= maxNumbers-1 {
		return 0, nil, errno.EAGAIN
	}
	n := tab.last + 1
	for {
		if n >= maxNumbers {
			n = reservedPIDs
			if len(tab.numbers) >= maxNumbers-reservedPIDs {
				n = 2 // few are left: take the reserved ones too
			}
		}
		if tab.numbers[n] == nil {
			break
		}
		n++
	}
	if !tab.in.Charge(inst.Heap, numberBytes) {
		return 0, nil, errno.ENOMEM
	}
	e := &number{}
	tab.numbers[n] = e
	tab.last = n
	return n, e, nil
}

// putNumberLocked frees number n if it names nothing any more.
func (tab *Table) putNumberLocked(n int) {
	e := tab.numbers[n]
	if e == nil || e.proc != nil || e.thread != nil || e.group != nil || e.session != nil {
		return
	}
	delete(tab.numbers, n)
	tab.in.Uncharge(inst.Heap, numberBytes)
}

// takeUserLocked counts one more task of a user. limit is that of the new one's
// process; Forever stands for none.
func (tab *Table) takeUserLocked(uid uint32, limit uint64) (*user, error) {
	u := tab.users[uid]
	if u == nil {
		if !tab.in.Charge(inst.Heap, userBytes) {
			return nil, errno.ENOMEM
		}
		u = &user{uid: uid}
		tab.users[uid] = u
	}
	if uint64(u.tasks) >= limit {
		tab.freeUserLocked(u)
		return nil, errno.EAGAIN
	}
	u.tasks++
	return u, nil
}

func (tab *Table) putUserLocked(u *user) {
	u.tasks--
	tab.freeUserLocked(u)
}

func (tab *Table) freeUserLocked(u *user) {
	if u.tasks == 0 {
		delete(tab.users, u.uid)
		tab.in.Uncharge(inst.Heap, userBytes)
	}
}

// Find returns the process with a number, zombies included; nil: none.
func (tab *Table) Find(pid int) *Proc {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return tab.findLocked(pid)
}

func (tab *Table) findLocked(pid int) *Proc {
	if e := tab.numbers[pid]; e != nil {
		return e.proc
	}
	return nil
}

// FindThread returns the thread with a number; nil: none. The first thread of
// a process is found until the process is reaped.
func (tab *Table) FindThread(tid int) *Thread {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return tab.findThreadLocked(tid)
}

func (tab *Table) findThreadLocked(tid int) *Thread {
	if e := tab.numbers[tid]; e != nil {
		return e.thread
	}
	return nil
}

// Used reports whether a process, thread, group or session has a number.
func (tab *Table) Used(id int) bool {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return tab.numbers[id] != nil
}

// FindGroup returns the process group with a number; nil: none.
func (tab *Table) FindGroup(id int) *Group {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if e := tab.numbers[id]; e != nil {
		return e.group
	}
	return nil
}

// FindSession returns the session with a number; nil: none.
func (tab *Table) FindSession(id int) *Session {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if e := tab.numbers[id]; e != nil {
		return e.session
	}
	return nil
}

// Next returns the process with the lowest number that is at least pid; nil:
// there is none. Listing all processes takes no memory this way.
func (tab *Table) Next(pid int) *Proc {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	if tab.procs == 0 {
		return nil
	}
	// Close by, or, when numbers are far apart, among those that there are.
	for end := min(pid+len(tab.numbers), maxNumbers); pid < end; pid++ {
		if p := tab.findLocked(pid); p != nil {
			return p
		}
	}
	var next *Proc
	for n, e := range tab.numbers {
		if e.proc != nil && n >= pid && (next == nil || n < next.PID) {
			next = e.proc
		}
	}
	return next
}

// Procs returns all processes, zombies included, by number.
func (tab *Table) Procs() []*Proc {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	out := make([]*Proc, 0, tab.procs)
	for n := 1; n < maxNumbers && len(out) < tab.procs; n++ {
		if p := tab.findLocked(n); p != nil {
			out = append(out, p)
		}
	}
	return out
}

// Counts says how many processes and threads an instance has, and how many it
// has ever made; Last is the number given out last.
type Counts struct {
	Procs, Threads int
	Forks          uint64
	Last           int
}

// Counts returns the numbers of processes and threads.
func (tab *Table) Counts() Counts {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return Counts{tab.procs, tab.threads, tab.forks, tab.last}
}

// Init returns process 1; nil before it is made and after its end.
func (tab *Table) Init() *Proc {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return tab.init
}

// Kill ends the instance's processes: process 1 dies as by sig, and so all do.
func (tab *Table) Kill(sig Signal) {
	if p := tab.Init(); p != nil {
		p.ExitGroup(SignalStatus(sig))
	}
}
