package kern

import (
	"errors"
	"fmt"

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

// instInit is the program of process 1 of every instance but inst0, in the
// instance's root.
const instInit = "/sbin/instinit"

// Create makes an instance below parent, to which the caller has a reference: its members
// and its tree of names. It has no process, and waits for Start. The caller gets a
// reference. On an error there is no instance when Create returns.
func (k *Kernel) Create(parent *inst.Inst, name string, s linux.Settings) (*inst.Inst, error) {
	in, err := k.create(parent, name, s)
	if err != nil {
		return nil, err
	}
	l := lifeSlot.Of(in)
	l.mu.Lock()
	l.busy = false
	ended := in.State() != inst.Creating
	l.mu.Unlock()
	if ended {
		k.unmake(in, nil)
		return nil, endedMeanwhile(name)
	}
	return in, nil
}

// Start starts an instance that Create has made: its process 1 is made from proc0, as
// Fork1 makes a process from its parent, and gets the program instInit. On an error the
// caller's reference is given back, and if it was Start that failed, the instance is gone
// when it returns.
func (k *Kernel) Start(in *inst.Inst) error {
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
	return k.start(in)
}

// ForkInst1 is Create and Start.
func (k *Kernel) ForkInst1(parent *inst.Inst, name string, s linux.Settings) (*inst.Inst, error) {
	in, err := k.create(parent, name, s)
	if err == nil {
		err = k.start(in)
	}
	if err != nil {
		return nil, err
	}
	return in, nil
}

// create makes an instance that is busy being made.
func (k *Kernel) create(parent *inst.Inst, name string, s linux.Settings) (_ *inst.Inst, err error) {
	in, err := k.insts.New(parent, name)
	if err != nil {
		return nil, err
	}
	// The reference of New stands for its processes, this one for the caller.
	in.Retain()
	made := false
	defer func() {
		if !made { // a panic comes here, too
			k.unmake(in, nil)
		}
	}()
	vdso.Update(in)                // the clock may have changed before in was in the list
	in.SetLimit(inst.Instances, 0) // whoever makes it says whether it may make others
	if err = host.SetName(in, name); err == nil {
		err = s.Apply(in)
	}
	if err == nil {
		err = k.mountAll(in)
	}
	if err != nil {
		return nil, fmt.Errorf("instance %s: %w", name, err)
	}
	made = true
	return in, nil
}

// start is Start of an instance that is busy.
func (k *Kernel) start(in *inst.Inst) (err error) {
	var t *proc.Thread
	started := false
	defer func() {
		if !started { // a panic comes here, too
			k.unmake(in, t)
		}
	}()
	t, err = proc.ForkInst1(in)
	if err == nil {
		err = k.execInit(t, []string{instInit})
	}
	if in.State() == inst.Stopping {
		return endedMeanwhile(in.Name()) // and exec may have failed for that
	}
	if again := proc.Restart(0); errors.As(err, &again) {
		err = errno.ENOMEM // process 1 was ended: it is out of memory
	}
	if err == nil {
		err = in.Become(inst.Running, inst.Creating)
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
// caller's reference back, and when it returns, the instance is gone.
func (k *Kernel) unmake(in *inst.Inst, t *proc.Thread) {
	dead := make(chan struct{})
	in.Watch(func(s inst.State) {
		if s == inst.Dead {
			close(dead)
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
	<-dead
}

// execInit gives process 1 of an instance its program, and descriptors 0 to 2: for
// inst0 the console, for others the null device.
func (k *Kernel) execInit(t *proc.Thread, argv []string) error {
	console := "/dev/null"
	if t.Inst() == k.inst0 {
		console = "/dev/console"
	}
	for fd := range 3 {
		f, err := vfs.For(t).Open(nil, console, abi.O_RDWR|abi.O_NOCTTY, 0)
		if err == nil {
			_, err = file.Of(t.Proc).Alloc(t, f, 0, false)
		}
		if err != nil && t.Inst() != k.inst0 {
			return fmt.Errorf("%s: %w", console, err)
		}
		if err != nil { // as on Linux, init does without
			k.Log.Warnf("inst0: %s as descriptor %d: %v", console, fd, err)
			break
		}
	}
	env := image.Strings("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=linux", "USER=root")
	if err := k.linux.Exec(t, argv[0], image.Strings(argv...), env); err != nil {
		return fmt.Errorf("%s: %w", argv[0], err)
	}
	return nil
}
