package kern

import (
	"errors"
	"fmt"
	"sync"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/host"
	"mult/kern/linux"
	"mult/kern/linux/image"
	"mult/kern/linux/vdso"
	"mult/kern/proc"
)

// This file begins instances: forkinst1(9).
//
// What fails is gone when its caller is told. He gives his processor up until then, and his
// death ends that waiting: what is left to do is instdaemon's.

// instInit is the program of process 1 of every instance but inst0, in the
// instance's root.
const instInit = "/sbin/instinit"

// Create makes an instance below parent, to which the caller has a reference: its members
// and its tree of names. It has no process, and waits for Start. The caller gets a
// reference. On an error there is no instance when Create returns. by is the thread on
// which it runs; nil: it is none.
func (k *Kernel) Create(by *proc.Thread, parent *inst.Inst, name string, s linux.Settings) (*inst.Inst, error) {
	in, err := k.create(by, parent, name, s)
	if err != nil {
		return nil, err
	}
	l := lifeSlot.Of(in)
	l.mu.Lock()
	l.busy = false
	ended := in.State() != inst.Creating
	l.mu.Unlock()
	if ended {
		k.unmake(by, in, nil)
		return nil, endedMeanwhile(name)
	}
	return in, nil
}

// Start starts an instance that Create has made: its process 1 is made from proc0, as
// Fork1 makes a process from its parent, and gets the program instInit. stdio gives it
// descriptors 0 to 2; nil: the null device. On an error the caller's reference is given back,
// and if it was Start that failed, the instance is gone when it returns.
func (k *Kernel) Start(by *proc.Thread, in *inst.Inst, stdio linux.Stdio) error {
	l := lifeSlot.Of(in)
	l.mu.Lock()
	state, busy := in.State(), l.busy
	if state == inst.Creating {
		l.busy = true
	}
	l.mu.Unlock()
	if state != inst.Creating || busy {
		defer in.Release()
		return inst.Errorf(errno.EBUSY, "instance %s is %s, and can't be started", in.Name(), state)
	}
	return k.start(by, in, stdio)
}

// ForkInst1 is Create and Start.
func (k *Kernel) ForkInst1(by *proc.Thread, parent *inst.Inst, name string, s linux.Settings, stdio linux.Stdio) (*inst.Inst, error) {
	in, err := k.create(by, parent, name, s)
	if err == nil {
		err = k.start(by, in, stdio)
	}
	if err != nil {
		return nil, err
	}
	return in, nil
}

// create makes an instance that is busy being made.
func (k *Kernel) create(by *proc.Thread, parent *inst.Inst, name string, s linux.Settings) (_ *inst.Inst, err error) {
	in, err := k.insts.New(parent, name)
	if err != nil {
		return nil, err
	}
	// The reference of New stands for its processes, this one for the caller.
	in.Retain()
	made := false
	defer func() {
		if !made { // a panic comes here, too
			k.unmake(by, in, nil)
		}
	}()
	vdso.Update(in)                // the clock may have changed before in was in the list
	in.SetLimit(inst.Instances, 0) // whoever makes it says whether it may make others
	if err = host.SetName(in, name); err == nil {
		err = s.Apply(in)
	}
	if err == nil {
		err = k.mountAll(in, s)
	}
	if err != nil {
		return nil, fmt.Errorf("instance %s: %w", name, err)
	}
	made = true
	return in, nil
}

// start is Start of an instance that is busy.
func (k *Kernel) start(by *proc.Thread, in *inst.Inst, stdio linux.Stdio) (err error) {
	var t *proc.Thread
	started := false
	defer func() {
		if !started { // a panic comes here, too
			k.unmake(by, in, t)
		}
	}()
	t, err = proc.ForkInst1(in)
	if err == nil {
		if stdio == nil {
			stdio = nullStdio
		}
		err = k.execInit(t, []string{instInit}, stdio)
	}
	if in.State() == inst.Stopping {
		return endedMeanwhile(in.Name()) // and exec may have failed for that
	}
	if again := proc.Restart(0); errors.As(err, &again) {
		err = errno.ENOMEM // process 1 was ended: it is out of memory
	}
	if err == nil && in.Become(inst.Running, inst.Creating) != nil {
		return endedMeanwhile(in.Name())
	}
	if err != nil {
		return fmt.Errorf("instance %s: %w", in.Name(), err)
	}
	started = true
	t.Start()
	return nil
}

func endedMeanwhile(name string) error {
	return inst.Errorf(errno.EINTR, "instance %s was ended while it was made", name)
}

// unmake ends a busy instance whose process 1, if there is one, is t. It gives the
// caller's reference back, and when it returns, the instance is gone, or by about to die.
func (k *Kernel) unmake(by *proc.Thread, in *inst.Inst, t *proc.Thread) {
	var (
		mu   sync.Mutex
		q    proc.Queue // with mu
		dead = make(chan struct{})
	)
	in.Watch(func(s inst.State) {
		if s == inst.Dead {
			mu.Lock()
			close(dead)
			q.WakeAll()
			mu.Unlock()
		}
	})
	in.Become(inst.Stopping) // unless it is
	k.killBelow(in)
	if t != nil {
		t.Abandon() // initExited releases
	} else {
		in.Release()
	}
	in.Release()
	if by == nil {
		<-dead
		return
	}
	mu.Lock()
	defer mu.Unlock()
	for {
		select {
		case <-dead:
			return
		default:
		}
		if by.WaitKillable(&q, &mu, proc.Forever) != nil {
			return
		}
	}
}

// nullStdio gives a new process the null device as descriptors 0 to 2.
func nullStdio(t *proc.Thread) error { return openStdio(t, "/dev/null") }

// consoleStdio gives the first process of inst0 the console. As on Linux, it does without if
// there is none.
func (k *Kernel) consoleStdio(t *proc.Thread) error {
	if err := openStdio(t, "/dev/console"); err != nil {
		k.Log.Warnf("inst0: %v", err)
	}
	return nil
}

func openStdio(t *proc.Thread, name string) error {
	for fd := range 3 {
		f, err := vfs.For(t).Open(nil, name, abi.O_RDWR|abi.O_NOCTTY, 0)
		if err == nil {
			if _, err = file.Of(t.Proc).Alloc(t, f, 0, false); err != nil {
				f.Release()
			}
		}
		if err != nil {
			return fmt.Errorf("%s as descriptor %d: %w", name, fd, err)
		}
	}
	return nil
}

// execInit gives process 1 of an instance its descriptors and its program.
func (k *Kernel) execInit(t *proc.Thread, argv []string, stdio linux.Stdio) error {
	if err := stdio(t); err != nil {
		return err
	}
	env := image.Strings("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=linux", "USER=root")
	if err := k.linux.Exec(t, argv[0], image.Strings(argv...), env); err != nil {
		return fmt.Errorf("%s: %w", argv[0], err)
	}
	return nil
}
