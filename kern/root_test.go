package kern

import (
	"encoding/binary"
	"os"
	"strings"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/linux"
	"mult/kern/proc"
)

// TestRootInside makes the calls of docs/isolation.md as root of an instance that isn't
// inst0, and of inst0's child with the same files.
func TestRootInside(t *testing.T) {
	const (
		callSetscheduler, callSettimeofday, callMlock, callIopl, callPtrace = 144, 164, 149, 172, 101
		callSetpriority, callChroot, callClockSettime, callReboot           = 141, 161, 227, nrReboot
	)
	no := func(e errno.Errno) int64 { return -int64(e) }
	two := func(a, b uint64) []byte {
		return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, a), b)
	}
	m := manage(t)
	in, err := m.k.ForkInst1(m.top.in, "a", linux.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	c := m.arrived(in)
	victim := m.forkInst(m.top.in, "victim")
	beside := op(abi.INST_KILL, "")
	beside.Flags, beside.ID = abi.INST_BYID, victim.in.ID
	rows := map[string][]struct {
		got  func() int64
		want int64
	}{
		"set host and domain name": {
			{func() int64 { return c.str(callSethostname, "own", 3) }, 0},
			{func() int64 { return c.str(callSetdomainname, "own", 3) }, 0},
		},
		"set the clock": {
			{func() int64 { return c.call(two(1, 0), callSettimeofday, 0x401000, 0) }, no(errno.EPERM)},
			{func() int64 { return c.call(two(1, 0), callClockSettime, 0, 0x401000) }, no(errno.EPERM)},
		},
		"mount tmpfs, proc, devtmpfs, devpts": {
			{func() int64 { return c.call([]byte("proc\x00/tmp\x00"), callMount, 0x401000, 0x401005, 0x401000) }, 0},
			{func() int64 { return c.call([]byte("tmpfs\x00/tmp\x00"), callMount, 0x401000, 0x401006, 0x401000) }, 0},
		},
		"mount a file system of a device": {
			{func() int64 { return c.call([]byte("ext4\x00/tmp\x00"), callMount, 0x401000, 0x401005, 0x401000) }, no(errno.ENODEV)},
		},
		"make device nodes": {
			{func() int64 { return c.str(callMknod, "/sbin/null", 0o20666, 1<<8|3) }, 0},
			{func() int64 { return min(0, c.str(callOpen, "/sbin/null", oRDWR)) }, 0},
			{func() int64 { return c.str(callMknod, "/sbin/mem", 0o20666, 1<<8|1) }, 0},
			{func() int64 { return c.str(callOpen, "/sbin/mem", oRDWR) }, no(errno.ENXIO)},
			{func() int64 { return c.str(callMknod, "/sbin/disk", 0o60666, 8<<8) }, 0},
			{func() int64 { return c.str(callOpen, "/sbin/disk", oRDWR) }, no(errno.ENXIO)},
		},
		"open the serial console": {
			{func() int64 { return c.str(callMknod, "/sbin/ttyS0", 0o20666, 4<<8|64) }, 0},
			{func() int64 { return c.str(callOpen, "/sbin/ttyS0", oRDWR) }, no(errno.ENXIO)},
			{func() int64 { return c.str(callOpen, "/dev/console", oRDWR) }, no(errno.ENOENT)},
		},
		"chroot": {
			{func() int64 { return c.str(callChroot, "/sbin") }, 0},
			{func() int64 { return c.str(callChroot, "../../../../..") }, 0},
			{func() int64 { return c.str(callAccess, "/sbin/instinit", 0) }, 0},
		},
		"raise a hard resource limit": {
			{func() int64 { return c.call(two(^uint64(0), ^uint64(0)), callSetrlimit, 6, 0x401000) }, 0},
			{func() int64 { in.SetLimit(inst.Processes, 1); return c.call(nil, callFork) }, no(errno.EAGAIN)},
		},
		"schedule in real time": {
			{func() int64 { return c.call([]byte{1, 0, 0, 0}, callSetscheduler, 0, 1, 0x401000) }, no(errno.EPERM)},
		},
		"negative nice values":    {{func() int64 { return c.call(nil, callSetpriority, 0, 0, ^uint64(9)) }, 0}},
		"reach I/O ports":         {{func() int64 { return c.call(nil, callIopl, 3) }, no(errno.ENOSYS)}},
		"read the kernel's log":   {{func() int64 { return c.call(nil, callSyslog, 3, 0x402000, 100) }, 0}},
		"trace a process":         {{func() int64 { return c.call(nil, callPtrace, 16, 1) }, no(errno.ENOSYS)}},
		"lock memory":             {{func() int64 { return c.call(nil, callMlock, 0x401000, 4096) }, no(errno.ENOSYS)}},
		"signal all processes":    {{func() int64 { return c.call(nil, nrKill, ^uint64(0), 9) }, no(errno.ESRCH)}},
		"make instances":          {{func() int64 { return c.ctl(op(abi.INST_CREATE, "below")).n }, no(errno.EAGAIN)}},
		"reboot, halt, power off": nil, // below
		"manage instances above or beside it": {
			{func() int64 { return c.ctl(beside).n }, no(errno.ESRCH)},
			{func() int64 { return c.ctl(op(abi.INST_KILL, "victim")).n }, no(errno.ESRCH)},
		},
	}
	doc, err := os.ReadFile("../docs/isolation.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(doc), "|---|---|---|\n")
	n := 0
	for line := range strings.Lines(table) {
		name := strings.TrimSpace(strings.Split(line, "|")[1])
		row, found := rows[name]
		if !found {
			t.Errorf("%q is not tested", name)
		}
		n++
		for i, call := range row {
			if got := call.got(); got != call.want {
				t.Errorf("%s, call %d: %d, want %d", name, i, got, call.want)
			}
		}
	}
	if n != len(rows) {
		t.Errorf("%d of %d rows are in docs/isolation.md", n, len(rows))
	}
	// The last one doesn't return.
	c.calls <- clientCall{nil, callReboot, []uint64{0xfee1dead, 672274793, 0x01234567}}
	close(c.calls)
	m.gone(c.in)
	if s := proc.Status(c.in.Exit.Load()); s != proc.SignalStatus(proc.SIGHUP) {
		t.Errorf("process 1 of the instance ended with %v", s)
	}
	if victim.in.State() != inst.Running || m.k.inst0.State() != inst.Running {
		t.Error("others have ended, too")
	}
	m.finish(victim)
}
