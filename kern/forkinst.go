package kern

import (
	"fmt"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/host"
	"mult/kern/linux/image"
	"mult/kern/linux/vdso"
	"mult/kern/proc"
)

// This file begins instances: forkinst1(9).

// instInit is the program of process 1 of every instance but inst0, in the
// instance's root.
const instInit = "/sbin/instinit"

// A Setup is what the one who makes an instance says about it.
type Setup struct {
	Name   string
	Host   string                  // its host name; "": Name
	Limits map[inst.Resource]int64 // beside those of the instances above
}

// ForkInst1 makes an instance below parent, to which the caller has a reference, and
// starts its process 1: a process made from proc0, as Fork1 makes one from its parent,
// which gets the program instInit. The caller gets a reference. If anything fails, the
// error says what, and when ForkInst1 returns there is no instance.
func (k *Kernel) ForkInst1(parent *inst.Inst, s Setup) (_ *inst.Inst, err error) {
	in, err := k.insts.New(parent, s.Name)
	if err != nil {
		return nil, err
	}
	// The reference of New stands for its processes, this one for the caller.
	in.Retain()
	var t *proc.Thread
	started := false
	defer func() {
		if !started { // a panic comes here, too
			k.unmake(in, t)
		}
	}()
	vdso.Update(in) // the clock may have changed before in was in the list
	for r, n := range s.Limits {
		in.SetLimit(r, n)
	}
	if s.Host == "" {
		s.Host = s.Name
	}
	if err = host.SetName(in, s.Host); err == nil {
		err = k.mountAll(in)
	}
	if err == nil {
		t, err = proc.ForkInst1(in)
	}
	if err == nil {
		err = k.execInit(t, []string{instInit})
	}
	if in.State() == inst.Stopping {
		err = errno.EINTR // somebody has ended it, and exec may have failed for that
	}
	if err == nil {
		err = in.Become(inst.Running, inst.Creating)
	}
	if err != nil {
		return nil, fmt.Errorf("instance %s: %w", s.Name, err)
	}
	started = true
	t.Start()
	return in, nil
}

// unmake ends an instance for ForkInst1 whose process 1, if there is one, is t. When it
// returns, the instance is gone.
func (k *Kernel) unmake(in *inst.Inst, t *proc.Thread) {
	dead := make(chan struct{})
	in.Watch(func(s inst.State) {
		if s == inst.Dead {
			close(dead)
		}
	})
	in.Become(inst.Stopping) // unless it is
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
		if err != nil {
			k.Log.Warnf("%s: %s as descriptor %d: %v", t.Inst().Path(), console, fd, err)
			break
		}
	}
	env := image.Strings("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "TERM=linux", "USER=root")
	if err := k.linux.Exec(t, argv[0], image.Strings(argv...), env); err != nil {
		return fmt.Errorf("%s: %w", argv[0], err)
	}
	return nil
}
