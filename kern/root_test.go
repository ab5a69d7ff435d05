package kern

import (
	"io"
	"os"
	"strings"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/linux"
	"mult/kern/proc"
)

// Results of calls that root makes.
const (
	yes   = 0
	eperm = -int64(errno.EPERM)
	nosys = -int64(errno.ENOSYS)
	nxio  = -int64(errno.ENXIO)
	noent = -int64(errno.ENOENT)
	inval = -int64(errno.EINVAL)
	nodev = -int64(errno.ENODEV)
	acces = -int64(errno.EACCES)
	again = -int64(errno.EAGAIN)
	srch  = -int64(errno.ESRCH)
)

// A rootCall is a call that docs/isolation.md is about. Each is made by a process that has
// just been forked.
type rootCall struct {
	call func(c *client) int64
	// Results for root in inst0 and in another instance, and for a user there. What
	// is positive counts as yes.
	inst0, other, user int64
}

// nr is a call with numbers alone.
func nr(nr uint64, args ...uint64) func(c *client) int64 {
	return func(c *client) int64 { return c.call(nil, nr, args...) }
}

// opens is open(2).
func opens(path string) func(c *client) int64 {
	return func(c *client) int64 { return c.str(callOpen, path, oRDWR|oNOCTTY) }
}

// node makes a node, and opens it if it was made.
func node(mode, dev uint64) func(c *client) int64 {
	return func(c *client) int64 {
		if n := c.str(callMknod, "/tmp/node", mode, dev); n != 0 {
			return n
		}
		defer c.str(callUnlink, "/tmp/node")
		return c.str(callOpen, "/tmp/node", oRDWR|oNOCTTY|oNONBLOCK)
	}
}

// mounts mounts a type of file system, and unmounts it.
func mounts(kind string, flags uint64) func(c *client) int64 {
	return func(c *client) int64 {
		b := append([]byte("/dir\x00"+kind), 0)
		n := c.call(b, callMount, 0x401005, 0x401000, 0x401005, flags)
		if n == 0 {
			n = c.str(callUmount, "/dir", 0)
		}
		return n
	}
}

// of are the same results for each who calls.
func of(n int64, calls ...func(c *client) int64) (list []rootCall) {
	for _, f := range calls {
		list = append(list, rootCall{f, n, n, n})
	}
	return list
}

// forRoot are results that a user doesn't get.
func forRoot(inst0, other, user int64, calls ...func(c *client) int64) (list []rootCall) {
	for _, f := range calls {
		list = append(list, rootCall{f, inst0, other, user})
	}
	return list
}

// rootRows are the calls for each row of docs/isolation.md. beside is an instance that is
// neither above nor below.
func rootRows(beside *inst.Inst) map[string][]rootCall {
	const (
		callSettimeofday, callClockSettime, callAdjtimex, callClockAdjtime, callReboot = 164, 227, 159, 305, nrReboot
		callIopl, callIoperm, callSyslog, callPtrace, callVMReadv, callVMWritev        = 172, 173, 103, 101, 310, 311
		callMlock, callMlockall, callMlock2, callChroot, callSchedSetattr              = 149, 151, 325, 161, 314
		callInitModule, callKexec, callBPF, callPerf, callSwapon, callAcct             = 175, 246, 321, 298, 167, 163
		callUnshare, callSetns, callPivotRoot, callOpenHandle, callSetgid, callGroups  = 272, 308, 155, 304, 106, 116
	)
	byID := op(abi.INST_KILL, "")
	byID.Flags, byID.ID = abi.INST_BYID, beside.ID
	limit := func(n uint64) func(c *client) int64 {
		return func(c *client) int64 {
			c.call(words64(100, 100), callSetrlimit, 7, 0x401000)
			return c.call(words64(n, n), callSetrlimit, 7, 0x401000)
		}
	}
	policy := func(policy uint64) func(c *client) int64 {
		return func(c *client) int64 { return c.call([]byte{1, 0, 0, 0}, callSetscheduler, 0, policy, 0x401000) }
	}
	reboot := func(cmd uint64) func(c *client) int64 { return nr(callReboot, 0xfee1dead, 672274793, cmd) }
	concat := func(lists ...[]rootCall) (all []rootCall) {
		for _, l := range lists {
			all = append(all, l...)
		}
		return all
	}
	return map[string][]rootCall{
		"set host and domain name": concat(
			forRoot(yes, yes, eperm,
				func(c *client) int64 { return c.str(callSethostname, "own", 3) },
				func(c *client) int64 { return c.str(callSetdomainname, "own", 3) }),
			forRoot(yes, yes, acces, opens("/proc/sys/kernel/hostname"), opens("/proc/sys/kernel/domainname"))),
		"set the clock": concat(
			forRoot(yes, eperm, eperm,
				func(c *client) int64 { return c.call(words64(2e9, 0), callSettimeofday, 0x401000, 0) },
				func(c *client) int64 { return c.call(words64(2e9, 0), callClockSettime, 0, 0x401000) }),
			of(inval, func(c *client) int64 { return c.call(words64(2e9, 0), callClockSettime, 1, 0x401000) }),
			of(nosys, nr(callAdjtimex, spare), nr(callClockAdjtime, 0, spare))),
		"reboot, halt, power off": concat( // those that do it are below
			forRoot(inval, inval, eperm, reboot(0), reboot(0x89abcdef), reboot(0xd000fce2), reboot(0x45584543)),
			forRoot(inval, inval, eperm, nr(callReboot, 0xfee1dead, 1, 0x01234567), nr(callReboot, 1, 672274793, 0x01234567))),
		"mount tmpfs, proc, devtmpfs, devpts": forRoot(yes, yes, eperm,
			mounts("tmpfs", 0), mounts("proc", 0), mounts("devtmpfs", 0), mounts("devpts", 0)),
		"mount other types": forRoot(nodev, nodev, eperm,
			mounts("ext4", 0), mounts("erofs", 0), mounts("overlay", 0), mounts("sysfs", 0), mounts("cgroup2", 0), mounts("fuse", 0)),
		"bind and move mounts": forRoot(inval, inval, eperm, mounts("tmpfs", 1<<12), mounts("tmpfs", 1<<13), mounts("tmpfs", 1<<20)),
		"unmount, remount": concat(
			forRoot(yes, yes, eperm, func(c *client) int64 { return c.mount("/tmp", "", 1<<5) }),
			forRoot(inval, inval, eperm, func(c *client) int64 { return c.str(callUmount, "/dir", 0) })),
		"make device nodes": concat(
			forRoot(yes, yes, eperm, node(0o20666, 1<<8|3)), // null
			forRoot(nxio, nxio, eperm, node(0o20666, 250<<8), node(0o60666, 8<<8))),
		"make FIFOs, sockets, files": concat(
			of(yes, node(0o10666, 0), node(0o100666, 0)),
			of(nxio, node(0o140666, 0))),
		"open memory, ports, disks": concat(
			forRoot(nxio, nxio, eperm, node(0o20666, 1<<8|1), node(0o20666, 1<<8|2), node(0o20666, 1<<8|4), node(0o60666, 1<<8)),
			of(noent, opens("/dev/mem"), opens("/dev/kmem"), opens("/dev/port"), opens("/dev/sda"), opens("/proc/kcore"))),
		"open the serial console": concat(
			forRoot(yes, nxio, eperm, node(0o20666, 4<<8|64), node(0o20666, 5<<8|1)),
			forRoot(yes, noent, noent, opens("/dev/console"), opens("/dev/ttyS0"))),
		"chroot": forRoot(yes, yes, eperm, func(c *client) int64 {
			if n := c.str(callChroot, "/sbin"); n != 0 {
				return n
			}
			if c.str(callAccess, "/instinit", 0) != 0 || c.str(callAccess, "/sbin/instinit", 0) == 0 {
				return -1000
			}
			// The working directory is outside: the way up leads to the instance's root.
			c.str(callChroot, "../../../../..")
			return c.str(callAccess, "/sbin/instinit", 0)
		}),
		"raise a hard resource limit": concat(
			forRoot(yes, yes, eperm, limit(101)),
			of(yes, limit(99))),
		"schedule in real time": concat(
			of(eperm, policy(1), policy(2)),
			of(inval, policy(6)),
			of(nosys, nr(callSchedSetattr, 0, spare, 0))),
		"negative nice values": forRoot(yes, yes, acces, nr(callSetpriority, proc.PRIO_PROCESS, 0, ^uint64(9))),
		"lock memory":          of(nosys, nr(callMlock, 0x401000, 4096), nr(callMlockall, 1), nr(callMlock2, 0x401000, 4096, 0)),
		"reach I/O ports":      of(nosys, nr(callIopl, 3), nr(callIoperm, 0x80, 1, 1)),
		"read the kernel's log": concat(
			forRoot(yes, yes, eperm, nr(callSyslog, 3, spare, 100), nr(callSyslog, 10, 0, 0)),
			forRoot(inval, inval, eperm, nr(callSyslog, 99, 0, 0)),
			of(noent, opens("/dev/kmsg"), opens("/proc/kmsg")),
			forRoot(nxio, nxio, eperm, node(0o20666, 1<<8|11))),
		"trace a process, write to its memory": concat(
			of(nosys, nr(callPtrace, 16, 1), nr(callVMReadv, 1, spare, 1, spare, 1, 0), nr(callVMWritev, 1, spare, 1, spare, 1, 0)),
			of(noent, opens("/proc/1/mem"))),
		"look into a process": forRoot(yes, yes, acces,
			func(c *client) int64 { return c.str(callOpen, "/proc/1/environ", 0) },
			func(c *client) int64 { return c.str(callAccess, "/proc/1/root/", 0) }),
		"signal processes of others": forRoot(yes, yes, eperm, nr(nrKill, 1, 0)),
		"signal all processes":       of(srch, nr(nrKill, ^uint64(0), 0)),
		"change users and groups": forRoot(yes, yes, eperm,
			nr(callSetuid, 7), nr(callSetgid, 7), nr(callGroups, 0, 0)),
		"change files of others": forRoot(yes, yes, eperm,
			func(c *client) int64 { return c.str(callChown, imageFile, 7, 7) },
			func(c *client) int64 { return c.str(callChmod, "/sbin/instinit", 0o755) }),
		"weigh processes less when memory is out": forRoot(yes, yes, acces, func(c *client) int64 {
			fd := c.str(callOpen, "/proc/self/oom_score_adj", oRDWR)
			if fd < 0 {
				return fd
			}
			return c.call([]byte("-5"), nrWrite, uint64(fd), 0x401000, 2)
		}),
		"timers that wake the machine": forRoot(yes, yes, eperm, nr(callTimerfdCreate, 9, 0)),
		"kernel options": concat(
			forRoot(yes, noent, noent, func(c *client) int64 { return c.str(callOpen, "/proc/cmdline", 0) }),
			of(acces, opens("/proc/sys/kernel/pid_max"), opens("/proc/sys/vm/overcommit_memory"), opens("/proc/sys/fs/file-max"))),
		"modules, other kernels, eBPF, performance counters": of(nosys,
			nr(callInitModule, spare, 1, spare), nr(callKexec, 0, 0, 0, 0), nr(callBPF, 0, spare, 8), nr(callPerf, spare, 0, 0, 0, 0)),
		"swap, accounting of processes": of(nosys, nr(callSwapon, spare, 0), nr(callAcct, 0)),
		"namespaces, open by handle": concat(
			of(nosys, nr(callUnshare, 0x20000), nr(callSetns, 0, 0), nr(callPivotRoot, spare, spare), nr(callOpenHandle, 0, spare, 0)),
			of(inval, nr(nrClone, 0x20000011), nr(nrClone, 0x00020011))),
		"make instances": {{func(c *client) int64 { return c.ctl(op(abi.INST_CREATE, "below")).n }, yes, again, eperm}},
		"manage instances above or beside it": {
			{func(c *client) int64 { return c.ctl(byID).n }, yes, srch, eperm},
			{func(c *client) int64 { return c.ctl(op(abi.INST_KILL, "a")).n }, yes, srch, eperm},
			{func(c *client) int64 { return c.ctl(op(abi.INST_KILL, "")).n }, eperm, eperm, eperm},
		},
	}
}

// TestRootInside makes the calls of docs/isolation.md as root of an instance that isn't
// inst0, as a user there, and as root of inst0.
func TestRootInside(t *testing.T) {
	line, other := io.Pipe()
	m := &managed{come: make(chan *client, 10)}
	m.world = startWith(t, func(c *Config) {
		c.Console = struct {
			io.Reader
			io.Writer
		}{line, io.Discard}
	}, map[string][]byte{"init": program(entry(0)), imageFile[1:]: []byte("text")}, clients(m.come))
	top := m.arrived(m.k.inst0)
	in, err := m.k.ForkInst1(nil, m.k.inst0, "in", linux.Settings{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := m.arrived(in)
	beside, err := m.k.Create(nil, m.k.inst0, "beside", linux.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	rows := rootRows(beside)
	a := m.inst(m.k.inst0, "a")
	m.arrived(a)

	// forked makes a call in a new process.
	forked := func(c *client, uid uint64, call func(c *client) int64) int64 {
		pid := c.call(nil, callFork)
		child := m.arrived(c.in)
		child.pid = int(pid)
		child.call(nil, callSetuid, uid)
		n := call(child)
		close(child.calls)
		if got := c.call(nil, nrWait4, uint64(pid), 0, 0, 0); got != pid {
			t.Errorf("wait4: %d", got)
		}
		return min(n, 0)
	}
	doc, err := os.ReadFile("../docs/isolation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "|---|---|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	n := 0
	for text := range strings.Lines(table) {
		columns := strings.Split(text, "|")
		name, needs := strings.TrimSpace(columns[1]), strings.TrimSpace(columns[2])
		row, found := rows[name]
		if !found {
			t.Errorf("%q is not tested", name)
		}
		n++
		refused := false
		for i, call := range row {
			// Root of inst0 is the last one: it ends those that it manages.
			for _, tt := range []struct {
				who  string
				c    *client
				uid  uint64
				want int64
			}{{"a user", c, 1000, call.user}, {"root", c, 0, call.other}, {"root of inst0", top, 0, call.inst0}} {
				if got := forked(tt.c, tt.uid, call.call); got != tt.want {
					t.Errorf("%s, call %d by %s: %d, want %d", name, i, tt.who, got, tt.want)
				}
			}
			refused = refused || call.user != call.other || call.user == eperm
		}
		if refused != (needs != "") {
			t.Errorf("%s: a user is refused: %v; it needs %q", name, refused, needs)
		}
	}
	if n != len(rows) {
		t.Errorf("%d of %d rows are in docs/isolation.md", n, len(rows))
	}
	// The limits of the instance hold, whatever the processes' are.
	in.SetLimit(inst.Processes, 1)
	if n := c.call(nil, callFork); n != again {
		t.Errorf("a process beyond the limit: %d", n)
	}
	if in.State() != inst.Running {
		t.Errorf("it is %v", in.State())
	}
	m.gone(beside) // inst0 has ended these two
	m.gone(a)
	m.k.Kill(in)
	m.gone(in)
	other.Close()
	const terminal = 24 << 10 // the console's, which stays as long as the machine
	m.k.inst0.Uncharge(inst.Heap, terminal)
	m.world.finish()
}

// TestRebootInside ends instances from inside, and the machine from inst0.
func TestRebootInside(t *testing.T) {
	off := make(chan bool, 10)
	m := &managed{come: make(chan *client, 10)}
	m.world = startWith(t, func(c *Config) { c.Off = func(restart bool) { off <- restart } },
		map[string][]byte{"init": program(entry(0))}, clients(m.come))
	top := m.arrived(m.k.inst0)
	beside := m.inst(m.k.inst0, "beside")
	m.arrived(beside)
	for _, tt := range []struct {
		cmd     uint64
		sig     proc.Signal
		restart bool
	}{
		{0x01234567, proc.SIGHUP, true}, {0xa1b2c3d4, proc.SIGHUP, true}, // RESTART, RESTART2
		{0xcdef0123, proc.SIGINT, false}, {0x4321fedc, proc.SIGINT, false}, // HALT, POWER_OFF
	} {
		c := m.forkInst(m.k.inst0, "a")
		c.calls <- clientCall{nil, nrReboot, []uint64{0xfee1dead, 672274793, tt.cmd}} // it doesn't return
		close(c.calls)
		m.gone(c.in)
		if s := proc.Status(c.in.Exit.Load()); s != proc.SignalStatus(tt.sig) {
			t.Errorf("command %#x: process 1 ended with %v, want %v", tt.cmd, s, tt.sig)
		}
		if beside.State() != inst.Running || m.k.inst0.State() != inst.Running || len(off) != 0 {
			t.Errorf("command %#x: others have ended, too", tt.cmd)
		}
		if n := top.call(nil, nrReboot, 0xfee1dead, 672274793, tt.cmd); n != 0 {
			t.Errorf("command %#x in inst0: %d", tt.cmd, n)
		}
		if restart := <-off; restart != tt.restart {
			t.Errorf("command %#x in inst0: restart is %v", tt.cmd, restart)
		}
	}
	m.k.Kill(beside)
	m.gone(beside)
	m.world.finish()
}
