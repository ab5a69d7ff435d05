package kern

import (
	"errors"
	"fmt"
	"io"

	"mult/arch"
	"mult/fs/devfs"
	"mult/fs/erofs"
	"mult/fs/ptyfs"
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/event"
	"mult/kern/klog"
	"mult/kern/linux"
	"mult/kern/linux/vdso"
	"mult/kern/mem"
	"mult/kern/proc"
	"mult/kern/sched"
	"mult/kern/tty"
	"mult/kern/vm"
)

// A Config is what a machine gives to its kernel.
type Config struct {
	Machine  arch.Machine
	Memory   *mem.Memory
	Log      *klog.Log
	Clock    func() int64            // ns, never goes back
	Ticks    func() int64            // a quicker clock, see proc.System; nil: Clock
	TickTime func(ticks int64) int64 // nil: ticks are ns
	Away     func() int64            // ticks that a goroutine had no processor; nil: 0
	Wall     func() int64            // ns since 1970
	SetWall  func(ns int64)
	VDSO     func() vdso.Params // the same for the vDSO
	HWCap    uint64             // AT_HWCAP
	HWCap2   uint64             // AT_HWCAP2

	HeapLimit int64       // bytes of kernel memory that instances may use
	HeapFull  func() bool // whether the kernel's memory is used up all the same; nil: never

	Root   []byte // an EROFS image
	RootPA mem.PA // where it is in RAM

	DebugCalls bool // see linux.Kernel

	Instances int // how many there are at most, inst0 included; 0: as many as there is memory for

	CPU     func() CPU // what /proc/cpuinfo tells; nil: nothing
	Cmdline string     // how the machine was started

	Console io.ReadWriter // the line of the first terminal; nil: there is none
	Raw     bool          // the terminal passes bytes as they are
	Init    []string      // program of process 1, and its arguments

	// Ended is called when process 1 of inst0, and with it all others, has
	// ended.
	Ended func(status proc.Status)
	// Off switches the machine off, or restarts it.
	Off func(restart bool)
}

// A Kernel is a machine's kernel.
type Kernel struct {
	Config
	vm    vm.System
	proc  proc.System
	sched *sched.Sched
	vdso  *vdso.System
	linux linux.Kernel
	image *erofs.Image
	insts *inst.System
	inst0 *inst.Inst
	trees [2]trees // of inst0, of all others

	daemon instDaemon

	console *tty.Console // nil: there is none
}

// Start makes inst0 and runs its init.
func Start(c Config) (*Kernel, error) {
	k := &Kernel{Config: c}
	k.vm = vm.System{Machine: c.Machine, Memory: c.Memory}
	k.sched = sched.New(c.Machine.CPUs())
	k.linux = linux.Kernel{
		Machine: c.Machine, Proc: &k.proc, Log: c.Log,
		Wall: c.Wall, Boot: c.Wall(),
		SetWall: func(ns int64) {
			c.SetWall(ns)
			k.each(func(in *inst.Inst) {
				vdso.Update(in)
				event.ClockWasSet(in)
				proc.TableOf(in).ClockWasSet()
			})
		},
		Release: Release, Version: "mult " + Version,
		DebugCalls: c.DebugCalls, FileSystems: k.fileSystems(),
		HWCap: c.HWCap, HWCap2: c.HWCap2,
		End: func(restart bool) {
			k.flush()
			c.Off(restart)
		},
	}
	k.proc = proc.System{
		VM: &k.vm, Run: k.linux.Thread, Sched: k.sched, Parts: k.parts(),
		InitExited: k.initExited, Clock: c.Clock, Ticks: c.Ticks, TickTime: c.TickTime, Away: c.Away,
		Log: k.logOf,
	}
	k.makeTrees()
	k.vm.OutOfMemory = k.proc.OutOfMemory
	var err error
	if k.vdso, err = vdso.New(&k.vm, c.VDSO); err != nil {
		return nil, err
	}
	if k.image, err = erofs.Open(c.Root); err != nil {
		return nil, fmt.Errorf("root image: %w", err)
	}
	k.image.Place(c.Memory, c.RootPA)
	k.insts = inst.NewSystem(k.members())
	k.insts.Wall, k.insts.Full = c.Wall, c.HeapFull
	k.insts.Reap, k.insts.Changed = k.reap, k.changed
	k.daemon.wake = make(chan struct{}, 1)
	if k.inst0, err = k.insts.New(nil, "inst0"); err != nil {
		return nil, fmt.Errorf("inst0: %w", err)
	}
	k.linux.Inst0, k.linux.Insts = k.inst0, k
	k.inst0.SetLimit(inst.Heap, c.HeapLimit)
	if c.Instances > 0 {
		k.inst0.SetLimit(inst.Instances, int64(c.Instances-1))
	}
	if err := k.mountAll(k.inst0, linux.Settings{}); err != nil {
		return nil, fmt.Errorf("inst0: %w", err)
	}
	proc0, err := vm.New(&k.vm, k.inst0)
	if err != nil {
		return nil, fmt.Errorf("inst0: %w", err)
	}
	t, err := proc.Boot(k.inst0, proc0)
	if err == nil {
		err = k.execInit(t, c.Init, k.consoleStdio)
	}
	if err == nil {
		err = k.inst0.Become(inst.Running)
	}
	if err != nil {
		return nil, fmt.Errorf("inst0: %w", err)
	}
	go k.instdaemon()
	t.Start()
	return k, nil
}

// each calls f for all instances.
func (k *Kernel) each(f func(in *inst.Inst)) {
	for in := k.insts.First(); in != nil; in = in.Next() {
		if in.TryRetain() {
			f(in)
			in.Release()
		}
	}
}

// ClockChanged publishes the clock's new rate; see vdso.Update.
func (k *Kernel) ClockChanged() { k.each(vdso.Update) }

// Numbers of the terminals, Linux's devices.txt.
const (
	majorTTY    = 4
	minorSerial = 64 // ttyS0
	majorAux    = 5
	minorSelf   = 0 // tty: the controlling terminal
	minorSystem = 1 // console
	minorPtmx   = 2
)

// mountAll makes the tree of names of an instance.
func (k *Kernel) mountAll(in *inst.Inst, set linux.Settings) error {
	s, root, err := k.makeRoot(in, &set)
	if err != nil {
		return err
	}
	if err := vfs.MountRoot(s, 0); err != nil {
		s.Unmounted()
		return err
	}
	c, err := caller(in)
	if err != nil {
		return err
	}
	defer c.FS.Release()
	for _, m := range []struct {
		path  string
		flags uint32
		make  func(in *inst.Inst) (*vfs.Super, error)
	}{
		{"/dev", vfs.MS_NOSUID, k.devices},
		{"/dev/pts", vfs.MS_NOSUID | vfs.MS_NOEXEC, ptyfs.New},
		{"/proc", vfs.MS_NOSUID | vfs.MS_NODEV | vfs.MS_NOEXEC, k.processes},
		{"/dev/shm", vfs.MS_NOSUID | vfs.MS_NODEV, k.empty(abi.S_ISVTX | 0o777)},
		{"/run", vfs.MS_NOSUID | vfs.MS_NODEV, k.empty(0o755)},
		{"/tmp", vfs.MS_NODEV, k.empty(abi.S_ISVTX | 0o777)},
	} {
		s, err := m.make(in)
		if err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
		if root.kind != imageRoot { // it may have no place for them
			err = c.Mkdir(nil, m.path, 0o755)
		}
		if err == nil || errors.Is(err, errno.EEXIST) {
			err = c.Mount(s, m.path, m.flags)
		}
		if err != nil {
			s.Unmounted()
			return fmt.Errorf("%s: %w", m.path, err)
		}
	}
	return setRoot(in, root)
}

// empty returns what makes a file system in memory. As on Linux, one alone can
// take half of it.
func (k *Kernel) empty(mode uint32) func(in *inst.Inst) (*vfs.Super, error) {
	return func(in *inst.Inst) (*vfs.Super, error) {
		return tmpfs.New(in, k.Memory, tmpfs.Options{Mode: mode, MaxPages: int64(k.Memory.Stats().Total / 2)})
	}
}

// devices makes the file system of devices, and the terminals.
func (k *Kernel) devices(in *inst.Inst) (*vfs.Super, error) {
	if err := k.terminals(in); err != nil {
		return nil, err
	}
	return devfs.New(in, &k.vm, k.treesOf(in).devices)
}

// caller returns one who may do everything to the files of in.
func caller(in *inst.Inst) (*vfs.Caller, error) {
	s, err := vfs.NewState(in)
	if err != nil {
		return nil, err
	}
	return &vfs.Caller{Inst: in, Cred: proc.RootCred(), FS: s}, nil
}

// hasConsole reports whether the console is in's: it is inst0's.
func (k *Kernel) hasConsole(in *inst.Inst) bool { return k.Console != nil && in.Parent == nil }

// terminals makes the terminals of an instance.
func (k *Kernel) terminals(in *inst.Inst) error {
	if !k.hasConsole(in) {
		return ptyfs.Register(in, nil)
	}
	con, err := tty.NewConsole(in, "/dev/ttyS0", majorTTY, minorSerial, k.Console)
	if err != nil {
		return err
	}
	k.console = con
	if k.Raw {
		con.SetRaw()
	}
	go con.Serve(k.Console)
	return ptyfs.Register(in, &con.TTY)
}

// flush lets the terminal's output out.
func (k *Kernel) flush() {
	if k.console != nil {
		k.console.Flush()
	}
}
