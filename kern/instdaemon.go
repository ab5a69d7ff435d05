package kern

import (
	"runtime/debug"
	"sync"
	"time"

	"mult/inst"
	"mult/kern/proc"
	"mult/kern/sched"
)

// This file ends instances: instdaemon(9).
//
// An instance ends with its process 1. That takes all other processes along and waits
// for them, on its own thread (kern/proc), then the instances below are killed, and the
// processes' reference is given back. When the last reference is gone, instdaemon, which
// is a goroutine, frees the members: nobody who gives a reference back waits for that,
// or holds a lock meanwhile.

// instDaemon is what instdaemon has to do.
type instDaemon struct {
	mu   sync.Mutex    // leaf
	dead []*inst.Inst  // [mu] without references
	wake chan struct{} // [const] capacity 1: there are some
}

// reap leaves an instance without references to instdaemon.
func (k *Kernel) reap(in *inst.Inst) {
	d := &k.daemon
	d.mu.Lock()
	d.dead = append(d.dead, in) // as many as there are instances at most
	d.mu.Unlock()
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// instdaemon frees instances. inst0 is the last one, and the machine ends then.
func (k *Kernel) instdaemon() {
	d := &k.daemon
	for range d.wake {
		d.mu.Lock()
		dead := d.dead
		d.dead = nil
		d.mu.Unlock()
		for _, in := range dead {
			if in == k.inst0 {
				k.flush()
				k.Ended(proc.Status(in.Exit.Load()))
				return
			}
			k.free(in)
		}
	}
}

// free frees an instance. A fault of the kernel there ends nothing else.
func (k *Kernel) free(in *inst.Inst) {
	defer func() {
		if r := recover(); r != nil {
			k.Log.Errf("kernel fault: the end of instance %d (%s): %v\n%s", in.ID, in.Path(), r, debug.Stack())
		}
	}()
	in.Free()
}

// initExited is called when process 1 of an instance and then all other processes of it
// are gone. What the instance has made ends with it.
func (k *Kernel) initExited(in *inst.Inst, s proc.Status) {
	in.Exit.Store(uint32(s))
	if in.Become(inst.Stopping) == nil && in != k.inst0 { // else somebody wants it to end
		k.endedByItself(in, s)
	}
	k.killBelow(in)
	in.Release()
}

// endedByItself logs the end of an instance that nobody has asked for.
func (k *Kernel) endedByItself(in *inst.Inst, s proc.Status) {
	if sig := s.Signal(); sig != 0 {
		k.proc.Logf(in, "ended by itself: process 1 was killed by signal %d", sig)
	} else {
		k.proc.Logf(in, "ended by itself: process 1 exited with status %d", s.Code())
	}
}

// life is this package's member of an instance.
type life struct {
	mu    sync.Mutex
	busy  bool        // [mu] somebody makes or starts it, or has
	kill  *time.Timer // [mu] ends the grace of a Stop; nil: there was none
	until time.Time   // [mu] when that is
	root  root        // [mu]
	log   logQuota
}

var lifeSlot = inst.NewSlot[life]()

// lifeMember is the row of this package in the table of members.
var lifeMember = inst.Member{
	Name: "life",
	Alloc: func(in, _ *inst.Inst) error {
		lifeSlot.Set(in, &life{busy: true})
		return nil
	},
	Free: func(in *inst.Inst) {
		l := lifeSlot.Of(in)
		if l.kill != nil {
			l.kill.Stop()
		}
		in.Uncharge(inst.Heap, int64(len(l.root.name)))
		lifeSlot.Set(in, nil)
	},
}

// Stop ends an instance and those below it: process 1 of each is asked by SIGTERM, and
// killed when the grace is over. Of several stops the earliest end counts. The caller has
// a reference.
func (k *Kernel) Stop(in *inst.Inst, grace time.Duration) {
	k.end(in) // a suspended one goes on, so that it can do what it is asked
	for _, c := range in.Children() {
		k.Stop(c, grace)
		c.Release()
	}
	l := lifeSlot.Of(in)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch until := time.Now().Add(grace); {
	case l.kill == nil:
		l.until = until
		l.kill = time.AfterFunc(grace, func() {
			if in.TryRetain() {
				k.Kill(in)
				in.Release()
			}
		})
	case until.Before(l.until):
		l.until = until
		l.kill.Reset(grace)
	}
	if p := proc.TableOf(in).Init(); p != nil {
		p.Signal(proc.Info(proc.SIGTERM, proc.SI_KERNEL))
	}
}

// Kill ends an instance and those below it without asking. The caller has a reference.
func (k *Kernel) Kill(in *inst.Inst) {
	k.end(in)
	k.killBelow(in)
	proc.TableOf(in).Kill(proc.SIGKILL)
}

func (k *Kernel) killBelow(in *inst.Inst) {
	for _, c := range in.Children() {
		k.Kill(c)
		c.Release()
	}
}

// end makes in Stopping, unless it is. Who makes it, or another one below it, looks at
// that afterwards; if nobody does, and it has no processes, its end is now.
func (k *Kernel) end(in *inst.Inst) {
	l := lifeSlot.Of(in)
	l.mu.Lock()
	err := in.Become(inst.Stopping)
	idle := err == nil && !l.busy
	l.mu.Unlock()
	if idle {
		in.Release() // what Create has left
	}
}

// changed is told of each transition of an instance, while it happens.
func (k *Kernel) changed(in *inst.Inst, from, to inst.State) {
	if to == inst.Suspended {
		sched.Suspend(in)
	}
	if from == inst.Suspended {
		sched.Resume(in)
	}
}
