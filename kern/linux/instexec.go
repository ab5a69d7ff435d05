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

// This file gives processes of an instance to one above it: those of INST_EXEC and INST_ATTACH
// of instctl(2), and process 1 if its console is asked for.
//
// No process moves. The new one is made in the instance from proc0, as its process 1 was,
// and is a child of that. It has the instance's root and directory, and nothing of the
// caller but what the program is called with. Its descriptors are pipes, or a terminal,
// that were made in the instance; the caller gets streams to their other sides.

// An instExec is such a process on its way.
type instExec struct {
	c    *instCall
	what abi.InstExec
	tty  bool
	t    *proc.Thread // its thread
	ours []*file.File // for the caller: the streams, then the watch
	fds  []int        // [per file of ours] reserved for it
	tab  *file.Table  // where they are: the caller may have another table by the end of the call
}

// newExec reads what is to be executed, which is at the beginning of Data.
func (c *instCall) newExec(tty bool) (*instExec, error) {
	if c.a.DataLen < abi.InstExecSize {
		return nil, inst.Errorf(errno.EINVAL, "what to execute takes %d bytes, not %d", abi.InstExecSize, c.a.DataLen)
	}
	x := &instExec{c: c, tty: tty}
	b := make([]byte, abi.InstExecSize)
	if err := c.t.Space().CopyIn(b, vm.Addr(c.a.Data)); err != nil {
		return nil, err
	}
	x.what.Decode(b)
	return x, nil
}

// console returns what gives process 1 the descriptors that the flags ask for; nil: none. What
// is behind it in Data is left there.
func (c *instCall) console() (*instExec, error) {
	flags := c.a.Flags & (abi.INST_STREAMS | abi.INST_TTY)
	switch flags {
	case 0:
		return nil, nil
	case abi.INST_STREAMS | abi.INST_TTY:
		return nil, inst.Errorf(errno.EINVAL, "process 1 has either pipes or a terminal")
	}
	x, err := c.newExec(flags == abi.INST_TTY)
	if err != nil {
		return nil, err
	}
	if w := &x.what; w.Path != 0 || w.Argv != 0 || w.Envp != 0 {
		return nil, inst.Errorf(errno.EINVAL, "process 1 has a program: it can't be named")
	}
	return x, nil
}

// stdio returns what x does as a Stdio; none if there is no x.
func (x *instExec) stdio() Stdio {
	if x == nil {
		return nil
	}
	return x.connect
}

// exec implements INST_EXEC.
func (c *instCall) exec(in *inst.Inst) (uintptr, error) { return c.execute(in, false) }

// attach implements INST_ATTACH.
func (c *instCall) attach(in *inst.Inst) (uintptr, error) { return c.execute(in, true) }

func (c *instCall) execute(in *inst.Inst, tty bool) (_ uintptr, err error) {
	x, err := c.newExec(tty)
	if err != nil {
		return 0, err
	}
	path, err := getPath(c.t, vm.Addr(x.what.Path))
	if err != nil {
		return 0, err
	}
	if s := in.State(); s != inst.Running && s != inst.Suspended {
		return 0, inst.Errorf(errno.EBUSY, "instance %s is %s: only one that has been started runs programs", in.Name(), s)
	}
	t, err := proc.ForkInto(in)
	if err != nil {
		return 0, notMade(in, err)
	}
	started := false
	defer func() {
		if !started { // a panic comes here, too
			t.Abandon()
		}
		x.end()
	}()
	if err = x.connect(t); err == nil {
		s := c.t.Space()
		err = c.k.Exec(t, path, image.UserStrings(s, vm.Addr(x.what.Argv)), image.UserStrings(s, vm.Addr(x.what.Envp)))
	}
	if again := proc.Restart(0); errors.As(err, &again) {
		err = errno.EINTR // the instance ends
	}
	if err != nil {
		return 0, fmt.Errorf("instance %s: %s: %w", in.Name(), path, err)
	}
	pid := t.Proc.PID // it may be gone when it has started
	started = true
	x.install()
	t.Start()
	return uintptr(pid), nil
}

// notMade explains why there is no new process in an instance.
func notMade(in *inst.Inst, err error) error {
	switch {
	case in.State() >= inst.Stopping:
		return inst.Errorf(errno.EBUSY, "instance %s is about to end, and runs no more programs", in.Name())
	case errors.Is(err, errno.EAGAIN):
		return inst.Errorf(errno.EAGAIN, "instance %s: a limit of processes or threads, its own or one above, is reached; raise it, or end some", in.Name())
	case errors.Is(err, errno.ENOMEM):
		return inst.Errorf(errno.ENOMEM, "instance %s: there is no memory for a process in it; raise limit.heap or limit.frames, or end some", in.Name())
	}
	return fmt.Errorf("instance %s: %w", in.Name(), err)
}

// connect gives a process that has been made its descriptors 0 to 2, and tells the caller
// which will be its.
func (x *instExec) connect(t *proc.Thread) (err error) {
	x.t = t
	if x.tty {
		err = x.terminal()
	} else {
		err = x.pipes()
	}
	if err != nil {
		return err
	}
	f, err := instfile.WatchProc(x.c.t, t.Proc)
	if err != nil {
		return err
	}
	x.ours = append(x.ours, f)
	return x.tell()
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
	f, err := instfile.OpenStream(x.c.t, x.t.Inst(), end, tty.OfLine)
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
	master, err := file.New(x.t.Inst(), impl, abi.O_RDWR)
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

// tell reserves descriptors of the caller for its files, and says which.
func (x *instExec) tell() error {
	w := &x.what
	w.In, w.Out, w.Err = -1, -1, -1
	where := []*int32{&w.In, &w.Out, &w.Err, &w.Watch}
	if x.tty {
		where = []*int32{&w.In, &w.Watch}
	}
	t := x.c.t
	x.tab = file.Of(t.Proc)
	for i := range x.ours {
		fd, err := x.tab.Reserve(t, 0, true)
		if err != nil {
			return err
		}
		*where[i] = int32(fd)
		x.fds = append(x.fds, fd)
	}
	b := make([]byte, abi.InstExecSize)
	w.Encode(b)
	return t.Space().CopyOut(vm.Addr(x.c.a.Data), b)
}

// install gives the caller its descriptors.
func (x *instExec) install() {
	if x == nil {
		return
	}
	for i, f := range x.ours {
		x.tab.Install(x.fds[i], f)
	}
	x.ours, x.fds = nil, nil
}

// end drops what install has not given to the caller.
func (x *instExec) end() {
	if x == nil {
		return
	}
	for _, fd := range x.fds {
		x.tab.Cancel(fd)
	}
	for _, f := range x.ours {
		f.Release()
	}
	x.ours, x.fds = nil, nil
}
