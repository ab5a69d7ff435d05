package proc

import (
	"mult/arch"
	"mult/inst"
	"mult/kern/errno"
	"mult/kern/vm"
)

// Flags of clone(2).
const (
	CSIGNAL              = 0xff
	CLONE_VM             = 0x100
	CLONE_FS             = 0x200
	CLONE_FILES          = 0x400
	CLONE_SIGHAND        = 0x800
	CLONE_PIDFD          = 0x1000
	CLONE_PTRACE         = 0x2000
	CLONE_VFORK          = 0x4000
	CLONE_PARENT         = 0x8000
	CLONE_THREAD         = 0x10000
	CLONE_NEWNS          = 0x20000
	CLONE_SYSVSEM        = 0x40000
	CLONE_SETTLS         = 0x80000
	CLONE_PARENT_SETTID  = 0x100000
	CLONE_CHILD_CLEARTID = 0x200000
	CLONE_DETACHED       = 0x400000
	CLONE_UNTRACED       = 0x800000
	CLONE_CHILD_SETTID   = 0x1000000
	CLONE_NEWCGROUP      = 0x2000000
	CLONE_NEWUTS         = 0x4000000
	CLONE_NEWIPC         = 0x8000000
	CLONE_NEWUSER        = 0x10000000
	CLONE_NEWPID         = 0x20000000
	CLONE_NEWNET         = 0x40000000
	CLONE_IO             = 0x80000000
	CLONE_CLEAR_SIGHAND  = 0x100000000
	CLONE_INTO_CGROUP    = 0x200000000

	// unsupported are refused: an instance is what a namespace is elsewhere.
	unsupported = CLONE_PIDFD | CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
		CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_INTO_CGROUP | 1<<7
)

// CloneArgs are the arguments of Fork1: those of clone3(2).
type CloneArgs struct {
	Flags      uint64 // without a signal
	ExitSignal Signal
	Stack      uint64 // stack pointer of the child; 0: as the caller's
	TLS        uint64
	ParentTID  vm.Addr
	ChildTID   vm.Addr

	into    bool   // from proc0, as a child of process 1
	blocked Sigset // beside what the parent has blocked
}

// check reports combinations of flags that make no sense.
func (a *CloneArgs) check(t *Thread) error {
	f := a.Flags
	has := func(bits uint64) bool { return f&bits == bits }
	switch {
	case f&unsupported != 0 || f>>34 != 0,
		has(CLONE_THREAD) && !has(CLONE_SIGHAND),
		has(CLONE_SIGHAND) && !has(CLONE_VM),
		has(CLONE_SIGHAND | CLONE_CLEAR_SIGHAND),
		f&CLONE_PARENT != 0 && t.Proc.PID == 1,
		// Descriptors and directories belong to processes here.
		has(CLONE_THREAD) && !has(CLONE_FILES|CLONE_FS),
		a.ExitSignal < 0 || a.ExitSignal > SIGRTMAX:
		return errno.EINVAL
	case has(CLONE_SETTLS) && a.TLS >= uint64(vm.MaxAddr):
		return errno.EPERM
	}
	return nil
}

// Fork1 makes a new process, or a new thread of this one, as clone(2) does, and
// starts it. It returns the child's number. The child goes on with the
// registers of t.Ctx, in which AX is 0. With CLONE_VFORK it waits until the
// child has a program of its own or has ended.
func (t *Thread) Fork1(a CloneArgs) (int, error) {
	if err := a.check(t); err != nil {
		return 0, err
	}
	if t.work.Load() != 0 {
		return 0, ERestartNoIntr // so that a stop, or the end, reaches all
	}
	var (
		c   *Thread
		err error
	)
	t.settle()
	if a.Flags&CLONE_THREAD != 0 {
		c, err = t.newSibling(&a)
	} else {
		c, err = t.newChild(&a, t.Proc.tab)
	}
	if err != nil {
		return 0, err
	}
	id := c.TID // c may be gone when it has started
	t.tellNumber(c, &a, id)
	vfork := a.Flags&CLONE_VFORK != 0 && a.Flags&CLONE_THREAD == 0
	c.Start()
	if vfork {
		t.waitVfork()
	}
	return id, nil
}

// inherit gives a child what it has from its maker.
func (t *Thread) inherit(c *Thread, a *CloneArgs) {
	c.Ctx.AX = 0
	if a.Stack != 0 {
		c.Ctx.SP = a.Stack
	}
	if a.Flags&CLONE_SETTLS != 0 {
		c.Ctx.FSBase = a.TLS
	}
	if a.Flags&CLONE_CHILD_CLEARTID != 0 {
		c.clearTID = a.ChildTID
	}
	nice, policy := t.nice.Load(), t.policy.Load()
	if policy&SCHED_RESET_ON_FORK != 0 {
		nice, policy = max(nice, 0), policy&^SCHED_RESET_ON_FORK
	}
	c.nice.Store(nice)
	c.policy.Store(policy)
	c.Fault = t.Fault
}

// tellNumber writes the child's number where its program and the parent's want
// it. Faults are ignored, as on Linux.
func (t *Thread) tellNumber(c *Thread, a *CloneArgs, id int) {
	b := []byte{byte(id), byte(id >> 8), byte(id >> 16), byte(id >> 24)}
	if sp := t.Space(); sp != nil && a.Flags&CLONE_PARENT_SETTID != 0 {
		sp.CopyOut(a.ParentTID, b)
	}
	if sp := c.Space(); sp != nil && a.Flags&CLONE_CHILD_SETTID != 0 {
		sp.CopyOut(a.ChildTID, b)
	}
}

// taskLimit returns how many tasks the user of t may have.
func (t *Thread) taskLimit() uint64 {
	if c := t.Cred(); c.UID == 0 || c.Has(CAP_SYS_RESOURCE) || c.Has(CAP_SYS_ADMIN) {
		return RLIM_INFINITY
	}
	return t.Proc.Limit(RLIMIT_NPROC)
}

// chargeThread takes what a thread costs. EAGAIN if there may be no more, ENOMEM.
func (tab *Table) chargeThread() error {
	return full(tab.in.ChargeWith(inst.Threads, inst.Heap, threadBytes))
}

// full returns the error for a resource whose limit is in the way.
func full(r inst.Resource) error {
	switch r {
	case inst.NumResources:
		return nil
	case inst.Heap:
		return errno.ENOMEM
	}
	return errno.EAGAIN
}

// newSibling makes a thread of t's process.
func (t *Thread) newSibling(a *CloneArgs) (*Thread, error) {
	p, tab := t.Proc, t.Proc.tab
	if err := tab.chargeThread(); err != nil {
		return nil, err
	}
	c := newThread(p, t.Ctx.Clone())
	t.inherit(c, a)
	c.schedule(t)
	c.cred.Store(t.Cred().Retain())
	c.comm.Store(t.comm.Load())
	c.sigs.mask = t.sigs.mask
	// The stack for handlers isn't shared.
	c.sigs.alt = AltStack{Flags: SS_DISABLE}

	err := func() error {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		if tab.dying {
			return errno.ENOMEM
		}
		u, err := tab.takeUserLocked(c.Cred().UID, t.taskLimit())
		if err != nil {
			return err
		}
		tid, e, err := tab.takeNumberLocked()
		if err != nil {
			tab.putUserLocked(u)
			return err
		}
		p.mu.Lock()
		if t.work.Load() != 0 {
			p.mu.Unlock()
			tab.putUserLocked(u)
			tab.putNumberLocked(tid)
			return ERestartNoIntr
		}
		c.TID, c.user, e.thread = tid, u, c
		p.threads = append(p.threads, c)
		p.left++
		p.mu.Unlock()
		tab.threads++
		tab.forks++
		return nil
	}()
	if err != nil {
		c.Cred().Release()
		tab.in.UnchargeWith(inst.Threads, inst.Heap, threadBytes)
		return nil, err
	}
	return c, nil
}

// newProc makes a process with one thread that nobody knows yet, and that has
// no number. Its heap is charged. Its registers are those of like, if that isn't
// nil.
func (tab *Table) newProc(cred *Cred, like *arch.Context) (*Proc, *Thread, error) {
	if err := full(tab.in.ChargeWith(inst.Processes, inst.Heap, procBytes)); err != nil {
		return nil, nil, err
	}
	if err := tab.chargeThread(); err != nil {
		tab.in.UnchargeWith(inst.Processes, inst.Heap, procBytes)
		return nil, nil, err
	}
	p := &Proc{Inst: tab.in, tab: tab, sys: tab.sys, started: tab.sys.Now()}
	var ctx *arch.Context
	if like != nil {
		ctx = like.Clone()
	} else {
		ctx = arch.NewContext()
	}
	t := newThread(p, ctx)
	t.cred.Store(cred.Retain())
	p.leader, p.left = t, 1
	p.threads = append(make([]*Thread, 0, 1), t)
	t.sigs.alt = AltStack{Flags: SS_DISABLE}
	return p, t, nil
}

// drop frees a process that has not become known.
func (p *Proc) drop(parts int) {
	for i := parts - 1; i >= 0; i-- {
		if f := p.sys.Parts[i].Exit; f != nil {
			f(p, nil)
		}
	}
	if p.space != nil {
		p.space.Release()
	}
	p.leader.Cred().Release()
	p.tab.in.UnchargeWith(inst.Processes, inst.Heap, procBytes)
	p.tab.in.UnchargeWith(inst.Threads, inst.Heap, threadBytes)
}

// forkParts makes the parts of p.
func (p *Proc) forkParts(parent *Thread, flags uint64) error {
	for i := range p.sys.Parts {
		if f := p.sys.Parts[i].Fork; f != nil {
			if err := f(parent, p, flags); err != nil {
				p.drop(i)
				return err
			}
		}
	}
	return nil
}

// newChild makes a process in a table. From proc0 it is process 1 there, which has no
// parent; else the table is that of t.
func (t *Thread) newChild(a *CloneArgs, tab *Table) (*Thread, error) {
	p, parent := t.Proc, t
	if p.PID == 0 {
		parent = nil
	}
	child, c, err := tab.newProc(t.Cred(), t.Ctx)
	if err != nil {
		return nil, err
	}
	t.inherit(c, a)
	c.schedule(parent)
	c.sigs.mask = t.sigs.mask | a.blocked
	if a.Flags&(CLONE_VM|CLONE_VFORK) != CLONE_VM {
		c.sigs.alt = t.sigs.alt
	}
	child.comm = t.Comm()
	child.secret.Store(t.Proc.secret.Load())
	p.mu.Lock()
	child.sigs.handlers = p.sigs.handlers.fork(a.Flags)
	p.mu.Unlock()
	p.copyLimits(child)
	if parent == nil {
		child.ofInstance()
	}
	child.oomAdj.Store(p.oomAdj.Load())
	child.oomLeast.Store(p.oomLeast.Load())
	if sp := t.Space(); sp != nil {
		if a.Flags&CLONE_VM != 0 {
			sp.Retain()
			child.space = sp
		} else {
			ns, err := sp.Fork(tab.in)
			if err != nil {
				child.drop(0)
				return nil, err
			}
			child.space = ns
			c.Ctx.Root = ns.Root()
		}
	}
	if err := child.forkParts(parent, a.Flags); err != nil {
		return nil, err
	}
	err = tab.insert(child, c, parent, a)
	if err != nil {
		child.drop(len(p.sys.Parts))
		return nil, err
	}
	return c, nil
}

// insert makes a process known. t is the thread that forked, nil if it is made from
// proc0.
func (tab *Table) insert(p *Proc, c, t *Thread, a *CloneArgs) error {
	limit := RLIM_INFINITY
	if t != nil {
		limit = t.taskLimit()
	}
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch {
	case tab.dying,
		t == nil && a.into && tab.init == nil, // process 1 has ended
		t == nil && !a.into && tab.forks != 0: // there is one, or was
		return errno.ENOMEM
	}
	if t != nil && t.work.Load() != 0 {
		return ERestartNoIntr
	}
	u, err := tab.takeUserLocked(c.Cred().UID, limit)
	if err != nil {
		return err
	}
	n, e, err := tab.takeNumberLocked()
	if err != nil {
		tab.putUserLocked(u)
		return err
	}
	if t == nil && !tab.in.Charge(inst.Heap, sessionBytes) {
		tab.putUserLocked(u)
		tab.putNumberLocked(n)
		return errno.ENOMEM
	}
	p.PID, c.TID, c.user = n, n, u
	e.proc, e.thread = p, c
	switch {
	case t == nil && !a.into:
		tab.init = p
		tab.newSessionLocked(p)
	case t == nil:
		p.exitSignal = SIGCHLD
		p.adoptLocked(tab.init, tab.init.anyThread())
		tab.newSessionLocked(p)
	default:
		parent, creator := t.Proc, t
		p.exitSignal = a.ExitSignal
		if a.Flags&CLONE_PARENT != 0 {
			parent, creator = t.Proc.parent, t.Proc.creator
			p.exitSignal = t.Proc.exitSignal
		}
		p.adoptLocked(parent, creator)
		t.Proc.group.join(p)
		if a.Flags&CLONE_VFORK != 0 {
			p.vforker, t.vforkDone = t, false
		}
	}
	tab.procs++
	tab.threads++
	tab.forks++
	return nil
}

// waitVfork waits until the child doesn't use t's memory any more.
func (t *Thread) waitVfork() {
	tab := t.Proc.tab
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for !t.vforkDone {
		if t.WaitKillable(&t.vforkQ, &tab.mu, Forever) != nil {
			return // t ends; the child goes on with the memory
		}
	}
}

// vforkDoneLocked ends the waiting of the one who made p by vfork.
func (p *Proc) vforkDoneLocked() {
	if v := p.vforker; v != nil {
		p.vforker, v.vforkDone = nil, true
		v.vforkQ.WakeAll()
	}
}
