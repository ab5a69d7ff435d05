package proc

import (
	"sync/atomic"

	"mult/kern/vm"
)

// A Usage is what threads have used: getrusage(2). Times are in nanoseconds.
type Usage struct {
	UTime, STime           int64
	MinFaults, MajFaults   int64
	Voluntary, Involuntary int64 // context switches
	InBlocks, OutBlocks    int64
	MaxRSS                 int64 // bytes
}

// add adds o to u; of MaxRSS the larger one stays.
func (u *Usage) add(o Usage) {
	u.UTime += o.UTime
	u.STime += o.STime
	u.MinFaults += o.MinFaults
	u.MajFaults += o.MajFaults
	u.Voluntary += o.Voluntary
	u.Involuntary += o.Involuntary
	u.InBlocks += o.InBlocks
	u.OutBlocks += o.OutBlocks
	u.MaxRSS = max(u.MaxRSS, o.MaxRSS)
}

// TicksPerSecond is the unit of times(2) and of /proc: USER_HZ.
const TicksPerSecond = 100

func ticks(ns int64) int64 { return ns / (1e9 / TicksPerSecond) }

// clock counts what a thread uses. Only the thread writes it.
type clock struct {
	since                int64 // [own] when the time that isn't counted yet began, in ticks
	away                 int64 // [own] what of System.Away is none of that time
	utimeNew, stimeNew   int64 // [own] counted, but not published yet, in ticks
	utime, stime         atomic.Int64
	minFaults, majFaults atomic.Int64
	voluntary            atomic.Int64
	involuntary          atomic.Int64
	inBlocks, outBlocks  atomic.Int64
	checked              int64 // [own] when CPU timers were looked at
}

// publishEvery is how many ticks a thread counts before others see them: most
// calls of the kernel are shorter, and need neither a conversion nor an atomic
// operation this way.
const publishEvery = 50_000

// chargeKernel counts the time since the last count as the kernel's, for t, but for that
// without a processor: when many are ready, as when a thousand end, that is nearly all.
func (t *Thread) chargeKernel() {
	away, now := t.Proc.sys.Away(), t.Proc.sys.Ticks()
	t.stimeNew += now - t.since - (away - t.away)
	t.since, t.away = now, away
	if t.utimeNew+t.stimeNew >= publishEvery {
		t.publishCheck()
	}
}

// chargeRun counts a stay in user mode as the program's, and what was before it as
// the kernel's.
func (t *Thread) chargeRun() {
	c := t.Ctx
	t.stimeNew += c.Entered - t.since
	t.utimeNew += c.Left - c.Entered
	t.since = c.Left
	if t.utimeNew+t.stimeNew >= publishEvery {
		t.chargeKernel()
	}
}

// publishCheck is publish, with a look at timers of CPU time.
func (t *Thread) publishCheck() {
	t.publish()
	if t.Proc.timers.armed.Load() {
		t.checkCPU(t.Now())
	}
}

// startCharging makes the time that is counted begin now: t has slept or waited.
func (t *Thread) startCharging() {
	t.since, t.away = t.Proc.sys.Ticks(), t.Proc.sys.Away()
}

// publish lets others see what t has counted. chargeKernel comes before.
func (t *Thread) publish() {
	ns := t.Proc.sys.TickTime
	// Two processors' counters may differ a little.
	t.utime.Store(t.utime.Load() + ns(max(t.utimeNew, 0)))
	t.stime.Store(t.stime.Load() + ns(max(t.stimeNew, 0)))
	// Below 0 is what t was away between two looks at once.
	t.utimeNew, t.stimeNew = 0, min(t.stimeNew, 0)
	if t.CPUTime() >= t.sliceEnd {
		t.sliceOver = true
	}
}

// CPUTime returns how long t has run. Any goroutine may call it; it is a little
// behind while t runs, and exact for the scheduler's calls.
func (t *Thread) CPUTime() int64 { return t.utime.Load() + t.stime.Load() }

// CountFault counts a page fault that was served; major: by reading a device.
func (t *Thread) CountFault(major bool) {
	if major {
		t.majFaults.Add(1)
	} else {
		t.minFaults.Add(1)
	}
}

// CountPreemption counts that the scheduler gave t's processor to another.
func (t *Thread) CountPreemption() { t.involuntary.Add(1) }

// CountBlocks counts transfers of 512 bytes from and to devices.
func (t *Thread) CountBlocks(in, out int64) {
	t.inBlocks.Add(in)
	t.outBlocks.Add(out)
}

// Usage returns what t has used.
func (t *Thread) Usage() Usage {
	t.chargeKernel()
	t.publish()
	return t.usage()
}

// ProcUsage returns what t's process has used, t's own time to the moment.
func (t *Thread) ProcUsage() Usage {
	t.chargeKernel()
	t.publish()
	return t.Proc.Usage()
}

func (t *Thread) usage() Usage {
	return Usage{
		UTime: t.utime.Load(), STime: t.stime.Load(),
		MinFaults: t.minFaults.Load(), MajFaults: t.majFaults.Load(),
		Voluntary: t.voluntary.Load(), Involuntary: t.involuntary.Load(),
		InBlocks: t.inBlocks.Load(), OutBlocks: t.outBlocks.Load(),
	}
}

// Usage returns what the threads of p have used, ended ones included.
func (p *Proc) Usage() Usage {
	u := p.usage()
	if sp := p.Space(); sp != nil {
		u.MaxRSS = max(u.MaxRSS, int64(sp.Stats().RSS))
		sp.Release()
	}
	return u
}

func (p *Proc) usage() Usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.usageLocked()
}

func (p *Proc) usageLocked() Usage {
	u := p.times
	for _, t := range p.threads {
		u.add(t.usage())
	}
	return u
}

// ChildrenUsage returns what reaped children of p have used.
func (p *Proc) ChildrenUsage() Usage {
	p.tab.mu.Lock()
	defer p.tab.mu.Unlock()
	return p.waited
}

// noteRSS keeps the size of an address space that p leaves.
func (p *Proc) noteRSS(sp *vm.Space) {
	rss := int64(sp.Stats().RSS)
	p.mu.Lock()
	p.times.MaxRSS = max(p.times.MaxRSS, rss)
	p.mu.Unlock()
}
