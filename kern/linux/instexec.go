package linux

import (
	"errors"
	"fmt"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/instfile"
	"mult/kern/linux/image"
	"mult/kern/pipe"
	"mult/kern/proc"
	"mult/kern/tty"
	"mult/kern/vm"
)

// This file runs programs in an instance for one above it: INST_EXEC of instctl(2).
//
// No process moves. The new one is made in the instance from proc0, as its process 1 was,
// and is a child of that. It has the instance's root and directory, and nothing of the
// caller but what the program is called with. Its descriptors are pipes, or a terminal,
// that were made in the instance; the caller gets streams to their other sides.

// An instExec is such a program on its way.
type instExec struct {
	c    *instCall
	in   *inst.Inst
	t    *proc.Thread // its thread
	ours []*file.File // for the caller: the streams, then the watch
}

// exec implements INST_EXEC.
func (c *instCall) exec(in *inst.Inst) (_ uintptr, err error) {
	if c.a.DataLen != abi.InstExecSize {
		return 0, inst.Errorf(errno.EINVAL, "what to execute takes %d bytes, not %d", abi.InstExecSize, c.a.DataLen)
	}
	var what abi.InstExec
	b := make([]byte, abi.InstExecSize)
	if err := c.t.Space().CopyIn(b, vm.Addr(c.a.Data)); err != nil {
		return 0, err
	}
	what.Decode(b)
	path, err := getPath(c.t, vm.Addr(what.Path))
	if err != nil {
		return 0, err
	}
	if s := in.State(); s != inst.Running && s != inst.Suspended {
		return 0, inst.Errorf(errno.EBUSY, "instance %s is %s: only one that has been started runs programs", in.Name(), s)
	}
	x := &instExec{c: c, in: in}
	if x.t, err = proc.ForkInto(in); err != nil {
		return 0, fmt.Errorf("instance %s: %w", in.Name(), err)
	}
	started := false
	defer func() {
		if !started { // a panic comes here, too
			x.t.Abandon()
		}
		for _, f := range x.ours {
			f.Release()
		}
	}()
	if c.a.Flags&abi.INST_TTY != 0 {
		err = x.terminal()
	} else {
		err = x.pipes()
	}
	if err == nil {
		var f *file.File
		if f, err = instfile.WatchProc(c.t, x.t.Proc); err == nil {
			x.ours = append(x.ours, f)
		}
	}
	if err == nil {
		s := c.t.Space()
		err = c.k.Exec(x.t, path, image.UserStrings(s, vm.Addr(what.Argv)), image.UserStrings(s, vm.Addr(what.Envp)))
	}
	if again := proc.Restart(0); errors.As(err, &again) {
		err = errno.EINTR // the instance ends
	}
	if err != nil {
		return 0, fmt.Errorf("instance %s: %s: %w", in.Name(), path, err)
	}
	if err := x.tell(&what); err != nil {
		return 0, err
	}
	pid := x.t.Proc.PID // it may be gone when it has started
	started = true
	x.t.Start()
	return uintptr(pid), nil
}

// give makes a file descriptor fd of the new process. It takes over the reference.
func (x *instExec) give(f *file.File, fd int) error {
	_, err := file.Of(x.t.Proc).Alloc(x.t, f, fd, false)
	if err != nil {
		f.Release()
	}
	return err
}

// keep makes a stream to a file of the instance, whose reference it takes over.
func (x *instExec) keep(end *file.File) error {
	f, err := instfile.OpenStream(x.c.t, x.in, end, tty.OfLine)
	if err == nil {
		x.ours = append(x.ours, f)
	}
	return err
}

// pipes gives the new process three pipes.
func (x *instExec) pipes() error {
	for fd := range 3 {
		r, w, err := pipe.New(x.t, 0)
		if err != nil {
			return err
		}
		theirs, ours := w, r
		if fd == 0 {
			theirs, ours = r, w
		}
		if err := x.keep(ours); err != nil {
			theirs.Release()
			return err
		}
		if err := x.give(theirs, fd); err != nil {
			return err
		}
	}
	return nil
}

// terminal gives the new process a terminal, the controlling one of its session.
func (x *instExec) terminal() error {
	impl, pty, err := tty.OpenMaster(x.t)
	if err != nil {
		return err
	}
	master, err := file.New(x.in, impl, abi.O_RDWR)
	if err != nil {
		impl.Release(nil)
		return err
	}
	if err := x.keep(master); err != nil {
		return err
	}
	pty.Unlock()
	for fd := range 3 {
		slave, err := vfs.For(x.t).Open(nil, pty.Name(), abi.O_RDWR, 0)
		if err == nil {
			err = x.give(slave, fd)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", pty.Name(), err)
		}
	}
	return nil
}

// tell gives the caller descriptors of its files, and says which.
func (x *instExec) tell(what *abi.InstExec) (err error) {
	what.In, what.Out, what.Err = -1, -1, -1
	where := []*int32{&what.In, &what.Out, &what.Err, &what.Watch}
	if len(x.ours) == 2 {
		where = []*int32{&what.In, &what.Watch}
	}
	t := x.c.t
	tb := file.Of(t.Proc)
	var fds []int
	for i, f := range x.ours {
		f.Retain()
		fd, e := tb.Alloc(t, f, 0, true)
		if e != nil {
			f.Release()
			err = e
			break
		}
		*where[i] = int32(fd)
		fds = append(fds, fd)
	}
	if err == nil {
		b := make([]byte, abi.InstExecSize)
		what.Encode(b)
		err = t.Space().CopyOut(vm.Addr(x.c.a.Data), b)
	}
	if err != nil {
		for _, fd := range fds {
			tb.Close(t, fd)
		}
	}
	return err
}
