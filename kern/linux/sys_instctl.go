package linux

import (
	"errors"
	"strings"
	"time"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/instfile"
	"mult/kern/proc"
	"mult/kern/vm"
)

// This file has instctl(2), by which one instance manages those below it. What isn't
// below it doesn't exist for it.

// Instances makes and ends instances for the thread by. Package kern serves it.
type Instances interface {
	Create(by *proc.Thread, parent *inst.Inst, name string, s Settings) (*inst.Inst, error)
	Start(by *proc.Thread, in *inst.Inst, stdio Stdio) error
	ForkInst1(by *proc.Thread, parent *inst.Inst, name string, s Settings, stdio Stdio) (*inst.Inst, error)
	Stop(in *inst.Inst, grace time.Duration)
	Kill(in *inst.Inst)
	// Root tells one in viewer what in has as its root, as INST_GET does.
	Root(in, viewer *inst.Inst) string
}

// Stdio gives a process that has been made in an instance its descriptors 0 to 2.
type Stdio func(t *proc.Thread) error

// maxInstPath is how long the names on the way to an instance can be.
const maxInstPath = inst.MaxDepth * (inst.MaxName + 1)

// An instCall is a call of instctl(2).
type instCall struct {
	k  *Kernel
	t  *proc.Thread
	me *inst.Inst // the caller's
	at vm.Addr    // of a
	a  abi.Instctl
}

// sysInstctl implements instctl(arg *Instctl, size).
func sysInstctl(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	c := &instCall{k: k, t: t, me: t.Inst(), at: a.Addr(0)}
	if err := c.decode(a.Size(1)); err != nil {
		return 0, err
	}
	n, err := c.run()
	if err == nil {
		return n, nil
	}
	var e errno.Errno
	if !errors.As(err, &e) {
		panic(err)
	}
	c.explain(err)
	return 0, e
}

// decode reads the argument, of which the program knows size bytes.
func (c *instCall) decode(size uint64) error {
	switch {
	case size < abi.InstctlSize:
		return errno.EINVAL
	case size > vm.PageSize:
		return errno.E2BIG
	}
	b := make([]byte, size)
	if err := c.t.Space().CopyIn(b, c.at); err != nil {
		return err
	}
	for _, v := range b[abi.InstctlSize:] {
		if v != 0 {
			return errno.E2BIG
		}
	}
	c.a.Decode(b)
	if c.a.Version != abi.InstctlVersion {
		return errno.EINVAL
	}
	return nil
}

// explain gives the program the sentence of an error.
func (c *instCall) explain(err error) {
	if c.a.TextLen == 0 {
		return
	}
	text := err.Error()
	text = text[:min(uint64(len(text)), c.a.TextLen-1)] + "\x00"
	// A program that has no room for it gets the number all the same.
	_ = c.t.Space().CopyOut(vm.Addr(c.a.Text), []byte(text))
}

// putValue sets Value.
func (c *instCall) putValue(v uint64) error { return putUint64(c.t, c.at+abi.InstctlValue, v) }

// bytes reads at most most bytes from the program. what they are is for an error.
func (c *instCall) bytes(at, n uint64, most int, what string) (string, error) {
	if n > uint64(most) {
		return "", inst.Errorf(errno.EINVAL, "%s is longer than %d bytes", what, most)
	}
	b := make([]byte, n)
	if err := c.t.Space().CopyIn(b, vm.Addr(at)); err != nil {
		return "", err
	}
	return string(b), nil
}

// instOps are the operations on an instance that there is.
var instOps = [...]struct {
	do    func(c *instCall, in *inst.Inst) (uintptr, error)
	flags uint64
	own   bool // also on the caller's own instance
	any   bool // by anybody, on the caller's own instance
}{
	abi.INST_START:   {do: (*instCall).start, flags: abi.INST_STREAMS | abi.INST_TTY},
	abi.INST_STOP:    {do: (*instCall).stop},
	abi.INST_KILL:    {do: (*instCall).kill},
	abi.INST_SUSPEND: {do: (*instCall).suspend},
	abi.INST_RESUME:  {do: (*instCall).resume},
	abi.INST_WATCH:   {do: (*instCall).watch, flags: abi.INST_CLOEXEC},
	abi.INST_GET:     {do: (*instCall).get, own: true, any: true},
	abi.INST_SET:     {do: (*instCall).set},
	abi.INST_LIST:    {do: (*instCall).list, own: true},
	abi.INST_RENAME:  {do: (*instCall).rename},
	abi.INST_PROCS:   {do: (*instCall).procs, own: true},
	abi.INST_EXEC:    {do: (*instCall).exec},
	abi.INST_ATTACH:  {do: (*instCall).attach},
	abi.INST_DEBUG:   {do: (*instCall).debug, flags: abi.INST_GC, own: true},
}

// run finds the instance and makes the operation.
func (c *instCall) run() (uintptr, error) {
	a := &c.a
	root := c.t.Cred().Has(proc.CAP_SYS_ADMIN)
	if a.Op == abi.INST_CREATE {
		if !root {
			return 0, notRoot()
		}
		return c.create()
	}
	if a.Op >= uint32(len(instOps)) || instOps[a.Op].do == nil {
		return 0, inst.Errorf(errno.EINVAL, "there is no operation %d", a.Op)
	}
	op := &instOps[a.Op]
	if a.Flags&^(op.flags|abi.INST_BYID) != 0 {
		return 0, inst.Errorf(errno.EINVAL, "flags %#x mean nothing for operation %d", a.Flags, a.Op)
	}
	if !root && !(op.any && c.own()) {
		return 0, notRoot() // whether there is one he isn't told
	}
	in, err := c.find()
	if err != nil {
		return 0, err
	}
	if in == c.me && !op.own {
		in.Release()
		return 0, inst.Errorf(errno.EPERM, "an instance is managed from above it: this one can't do that to itself")
	}
	if a.Op == abi.INST_START {
		return op.do(c, in) // it takes the reference
	}
	defer in.Release()
	return op.do(c, in)
}

func notRoot() error {
	return inst.Errorf(errno.EPERM, "instances are managed by who has CAP_SYS_ADMIN: become root")
}

// own reports whether the call is about the caller's own instance.
func (c *instCall) own() bool {
	if c.a.Flags&abi.INST_BYID != 0 {
		return c.a.ID == c.me.ID
	}
	return c.a.NameLen == 0
}

// find returns the instance that the call is about, with a reference.
func (c *instCall) find() (*inst.Inst, error) {
	a := &c.a
	switch {
	case a.Flags&abi.INST_BYID != 0:
		return c.me.Find(a.ID)
	case a.NameLen == 0:
		return c.me.Retain(), nil
	}
	path, err := c.bytes(a.Name, a.NameLen, maxInstPath, "the name of the instance")
	if err != nil {
		return nil, err
	}
	return c.me.Lookup(path)
}

func (c *instCall) create() (uintptr, error) {
	a := &c.a
	started := a.Flags&abi.INST_STARTED != 0
	if a.Flags&^(abi.INST_STARTED|abi.INST_STREAMS|abi.INST_TTY) != 0 || !started && a.Flags != 0 {
		return 0, inst.Errorf(errno.EINVAL, "flags %#x mean nothing when an instance is created", a.Flags)
	}
	path, err := c.bytes(a.Name, a.NameLen, maxInstPath, "the name of the instance")
	if err != nil {
		return 0, err
	}
	x, err := c.console()
	if err != nil {
		return 0, err
	}
	at, n := a.Data, a.DataLen
	if x != nil {
		at, n = at+abi.InstExecSize, n-abi.InstExecSize
	}
	text, err := c.bytes(at, n, maxSettings, "what is set")
	if err != nil {
		return 0, err
	}
	s, err := ParseSettings(text)
	if err != nil {
		return 0, err
	}
	if err := c.putValue(a.Value); err != nil {
		return 0, err // before there is one, of which nobody would be told
	}
	s.Caller = vfs.For(c.t)
	parent, name := c.me.Retain(), path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		parent.Release()
		name = path[i+1:]
		if parent, err = c.me.Lookup(path[:i]); err != nil {
			return 0, err
		}
	}
	defer parent.Release()
	var in *inst.Inst
	if started {
		defer x.end()
		in, err = c.k.Insts.ForkInst1(c.t, parent, name, s, x.stdio())
	} else {
		in, err = c.k.Insts.Create(c.t, parent, name, s)
	}
	if err != nil {
		return 0, err
	}
	defer in.Release()
	x.install()
	return 0, c.putValue(in.ID)
}

// start implements INST_START. It takes over the reference.
func (c *instCall) start(in *inst.Inst) (uintptr, error) {
	x, err := c.console()
	if err != nil {
		in.Release()
		return 0, err
	}
	defer x.end()
	if err := c.k.Insts.Start(c.t, in, x.stdio()); err != nil {
		return 0, err
	}
	in.Release()
	x.install()
	return 0, nil
}

func (c *instCall) stop(in *inst.Inst) (uintptr, error) {
	grace := time.Duration(c.a.Value)
	if grace < 0 {
		return 0, inst.Errorf(errno.EINVAL, "a stop can't take %d ns", c.a.Value)
	}
	c.k.Insts.Stop(in, grace)
	return 0, nil
}

func (c *instCall) kill(in *inst.Inst) (uintptr, error) {
	c.k.Insts.Kill(in)
	return 0, nil
}

func (c *instCall) suspend(in *inst.Inst) (uintptr, error) {
	return 0, in.Become(inst.Suspended, inst.Running)
}

func (c *instCall) resume(in *inst.Inst) (uintptr, error) {
	return 0, in.Become(inst.Running, inst.Suspended)
}

func (c *instCall) watch(in *inst.Inst) (uintptr, error) {
	f, err := instfile.WatchInst(c.t, in)
	return fdOf(c.t, f, err, c.a.Flags&abi.INST_CLOEXEC != 0)
}

// describeRoom is for what Describe says of one instance.
const describeRoom = 2048

func (c *instCall) get(in *inst.Inst) (uintptr, error) {
	out := output{c: c}
	_, err := out.add(c.k.Describe(make([]byte, 0, describeRoom), in, c.me))
	return uintptr(out.n), err
}

func (c *instCall) set(in *inst.Inst) (uintptr, error) {
	text, err := c.bytes(c.a.Data, c.a.DataLen, maxSettings, "what is set")
	if err != nil {
		return 0, err
	}
	s, err := ParseSettings(text)
	if err != nil {
		return 0, err
	}
	if s.Root != "" {
		return 0, inst.Errorf(errno.EINVAL, "root is set when an instance is created: destroy %s, and create it again", in.Name())
	}
	return 0, s.Apply(in)
}

// list describes instances below in, the youngest first, with an empty line after each, as
// many as there is room for.
func (c *instCall) list(in *inst.Inst) (uintptr, error) {
	b := make([]byte, 0, describeRoom)
	out := output{c: c}
	last := c.a.Value
	for o := in.System().First(); o != nil; o = o.Next() {
		if o.ID >= last || !o.Below(in) || !o.TryRetain() {
			continue
		}
		b = append(c.k.Describe(b[:0], o, c.me), '\n')
		id := o.ID
		o.Release()
		if more, err := out.add(b); err != nil {
			return 0, err
		} else if !more {
			break
		}
		last = id
	}
	return uintptr(out.n), c.putValue(last)
}

// procs lists processes by number, one in each line, as many as there is room for.
func (c *instCall) procs(in *inst.Inst) (uintptr, error) {
	b := make([]byte, 0, describeRoom)
	out := output{c: c}
	next := int(min(c.a.Value, proc.MaxPID))
	tab := proc.TableOf(in)
	for p := tab.Next(next); p != nil; p = tab.Next(next) {
		b = describeProc(b[:0], p)
		if more, err := out.add(b); err != nil {
			return 0, err
		} else if !more {
			break
		}
		next = p.PID + 1
	}
	return uintptr(out.n), c.putValue(uint64(next))
}

// output fills Data.
type output struct {
	c *instCall
	n uint64 // bytes that are there
}

// add adds b as a whole; false: there is no room, and the program asks again. The error is
// ERANGE if there is none for the first one.
func (o *output) add(b []byte) (bool, error) {
	a := &o.c.a
	if uint64(len(b)) > a.DataLen-o.n || o.n > 0 && o.c.t.Interrupted() {
		if o.n == 0 {
			return false, inst.Errorf(errno.ERANGE, "there is no room for %d bytes", len(b))
		}
		return false, nil
	}
	if err := o.c.t.Space().CopyOut(vm.Addr(a.Data+o.n), b); err != nil {
		return false, err
	}
	o.n += uint64(len(b))
	return true, nil
}

func (c *instCall) rename(in *inst.Inst) (uintptr, error) {
	name, err := c.bytes(c.a.Data, c.a.DataLen, inst.MaxName, "the new name")
	if err != nil {
		return 0, err
	}
	return 0, in.Rename(name)
}
