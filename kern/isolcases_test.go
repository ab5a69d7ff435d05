package kern

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/internal/proctest"
	"mult/kern/proc"
)

// This file has the cases of TestIsolation. The process that sees something is process 1
// of its instance; the one that does something is process 2, of the same or of another.

// Numbers of system calls.
const (
	callOpen, callStat, callFstat, callAccess, callMincore, callDup                        = 2, 4, 5, 21, 27, 32
	callGetitimer, callFlock, callFtruncate, callRename, callMkdir, callLink               = 36, 73, 77, 82, 83, 86
	callUnlink, callChmod, callChown, callUmask, callSysinfo, callSetuid                   = 87, 90, 92, 95, 99, 105
	callGetpgid, callGetsid, callSigqueueinfo, callMknod, callGetpriority, callSetpriority = 121, 124, 129, 133, 140, 141
	callGetparam, callSetscheduler, callGetscheduler, callSetrlimit, callMount, callUmount = 143, 144, 145, 160, 165, 166
	callSethostname, callSetdomainname, callTkill, callSetaffinity, callTgkill             = 170, 171, 200, 203, 234
	callWaitid, callUtimensat, callPrlimit, callMemfd                                      = 247, 280, 302, 319
)

const (
	oRDWR, oCREAT, oNOCTTY, oAPPEND, oNONBLOCK, oTMPFILE = 2, 0o100, 0o400, 0o2000, 0o4000, 0o20200000

	fdCWD = ^uint64(99)
)

// str makes a call whose first argument is a string.
func (c *client) str(nr uint64, s string, args ...uint64) int64 {
	return c.call(append([]byte(s), 0), nr, append([]uint64{0x401000}, args...)...)
}

// open is open(2), whose descriptor must be one.
func (c *client) open(path string, flags uint64) uint64 {
	n := c.str(callOpen, path, flags, 0o666)
	if n < 0 {
		panic(fmt.Sprintf("open %s: %v", path, errno.Errno(-n)))
	}
	return uint64(n)
}

// number returns the n-th number in a file, whatever is between them.
func (c *client) number(path string, n int) (v int64) {
	list := strings.FieldsFunc(c.content(path), func(r rune) bool { return r < '0' || r > '9' })
	fmt.Sscan(list[n], &v)
	return v
}

// write writes to a file.
func (c *client) writeTo(path, s string) {
	fd := c.open(path, oRDWR|oCREAT)
	c.call([]byte(s), nrWrite, fd, 0x401000, uint64(len(s)))
	c.call(nil, callClose, fd)
}

// words returns words of memory at spare.
func (c *client) words(n int) []uint64 {
	list := make([]uint64, n)
	binary.Decode(c.memory(spare, 8*n), binary.LittleEndian, list)
	return list
}

// Where stat(2) has what, in words.
const (
	statDev, statIno, statNlink, statMode, statAtime, statMtime = 0, 1, 2, 3, 9, 11
)

// stat returns a word of stat(2).
func (c *client) stat(path string, word int) uint64 {
	c.str(callStat, path, spare)
	return c.words(word + 1)[word]
}

// fstat returns a word of fstat(2).
func (c *client) fstat(fd uint64, word int) uint64 {
	c.call(nil, callFstat, fd, spare)
	return c.words(word + 1)[word]
}

// uname returns a field of uname(2).
func (c *client) uname(i int) string {
	c.call(nil, nrUname, spare)
	s, _, _ := strings.Cut(string(c.memory(spare+uint64(65*i), 65)), "\x00")
	return s
}

// mount mounts a tmpfs.
func (c *client) mount(at, options string, flags uint64) int64 {
	b := fmt.Sprintf("tmpfs\x00%s\x00%s\x00", at, options)
	return c.call([]byte(b), callMount, 0x401000, 0x401006, 0x401000, flags, 0x401006+uint64(len(at))+1)
}

// words64 is the memory of some words.
func words64(list ...uint64) (b []byte) {
	for _, v := range list {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

// limit is setrlimit(2).
func (c *client) limit(resource, n uint64) { c.call(words64(n, n), callSetrlimit, resource, 0x401000) }

// nothing is done by a process that is met because it is there.
func nothing(*client) {}

// differs returns a case in which a number that is given to each is the same for two
// instances, and can't be for two processes of one.
func differs(member, name string, get func(c *client) uint64) isolationCase {
	var first uint64
	return isolationCase{
		member: member, name: name,
		do:   func(c *client) { first = get(c) },
		sees: func(c, _ *client) bool { return get(c) != first },
	}
}

var hostCases = []isolationCase{
	{"host", "host name",
		func(c *client) { c.str(callSethostname, "met", 3) },
		func(c, _ *client) bool { return c.uname(1) == "met" }, false},
	{"host", "domain name",
		func(c *client) { c.str(callSetdomainname, "met", 3) },
		func(c, _ *client) bool { return c.uname(5) == "met" }, false},
	{"host", "host name in /proc/sys",
		func(c *client) { c.writeTo("/proc/sys/kernel/hostname", "met") },
		func(c, _ *client) bool { return c.content("/proc/sys/kernel/hostname") == "met\n" }, false},
	{"host", "domain name in /proc/sys",
		func(c *client) { c.writeTo("/proc/sys/kernel/domainname", "met") },
		func(c, _ *client) bool { return c.content("/proc/sys/kernel/domainname") == "met\n" }, false},
}

// sigqueue queues a real-time signal, which is blocked, for itself.
func (c *client) sigqueue() int64 {
	c.call(words64(^uint64(0)), callSigprocmask, 0, 0x401000, 0, 8)
	info := make([]byte, 128)
	info[8] = 0xff // si_code: -1, SI_QUEUE
	copy(info[9:], "\xff\xff\xff")
	return c.call(info, callSigqueueinfo, uint64(c.call(nil, callGetpid)), 40, 0x401000)
}

// byNumber are calls that name process, thread, group or session 2.
var byNumber = map[string]func(c *client) int64{
	"kill":                     func(c *client) int64 { return c.call(nil, nrKill, 2, 0) },
	"kill of a group":          func(c *client) int64 { return c.call(nil, nrKill, ^uint64(1), 0) },
	"kill of all":              func(c *client) int64 { return c.call(nil, nrKill, ^uint64(0), 0) },
	"tkill":                    func(c *client) int64 { return c.call(nil, callTkill, 2, 0) },
	"tgkill":                   func(c *client) int64 { return c.call(nil, callTgkill, 2, 2, 0) },
	"rt_sigqueueinfo":          func(c *client) int64 { return c.call(words64(0, 0xffffffff), callSigqueueinfo, 2, 40, 0x401000) },
	"getpgid":                  func(c *client) int64 { return c.call(nil, callGetpgid, 2) },
	"getsid":                   func(c *client) int64 { return c.call(nil, callGetsid, 2) },
	"getpriority":              func(c *client) int64 { return c.call(nil, callGetpriority, proc.PRIO_PROCESS, 2) },
	"getpriority of a group":   func(c *client) int64 { return c.call(nil, callGetpriority, proc.PRIO_PGRP, 2) },
	"setpriority":              func(c *client) int64 { return c.call(nil, callSetpriority, proc.PRIO_PROCESS, 2, 1) },
	"sched_getscheduler":       func(c *client) int64 { return c.call(nil, callGetscheduler, 2) },
	"sched_getparam":           func(c *client) int64 { return c.call(nil, callGetparam, 2, spare) },
	"sched_setscheduler":       func(c *client) int64 { return c.call(make([]byte, 4), callSetscheduler, 2, 0, 0x401000) },
	"sched_getaffinity":        func(c *client) int64 { return c.call(nil, callGetaffinity, 2, 8, spare) },
	"sched_setaffinity":        func(c *client) int64 { return c.call(words64(3), callSetaffinity, 2, 8, 0x401000) },
	"prlimit":                  func(c *client) int64 { return c.call(nil, callPrlimit, 2, 7, 0, spare) },
	"wait4":                    func(c *client) int64 { return c.call(nil, nrWait4, 2, 0, 1, 0) },
	"waitid":                   func(c *client) int64 { return c.call(nil, callWaitid, 1, 2, spare, 5, 0) },
	"clock of a process":       func(c *client) int64 { return c.call(nil, callClockGettime, processClock(2), spare) },
	"directory in /proc":       func(c *client) int64 { return c.str(callAccess, "/proc/2", 0) },
	"memory map":               func(c *client) int64 { return min(0, c.str(callOpen, "/proc/2/maps", 0)) },
	"descriptor":               func(c *client) int64 { return min(0, c.str(callOpen, "/proc/2/fd/0", 0)) },
	"thread in /proc":          func(c *client) int64 { return c.str(callAccess, "/proc/2/task/2/stat", 0) },
	"root directory in /proc":  func(c *client) int64 { return c.str(callAccess, "/proc/2/root/dir", 0) },
	"weight for out of memory": func(c *client) int64 { return min(0, c.str(callOpen, "/proc/2/oom_score_adj", oRDWR)) },
}

// processClock is the clock of a process: MAKE_PROCESS_CPUCLOCK of Linux.
func processClock(pid uint64) uint64 { return ^pid<<3 | 2 }

// procCases are about processes, users and times.
func procCases() (list []isolationCase) {
	for name, call := range byNumber {
		list = append(list, isolationCase{"proc", "number, " + name, nothing, func(c, _ *client) bool { return call(c) >= 0 }, false})
	}
	return append(list,
		isolationCase{"proc", "number that comes next",
			func(c *client) { c.call(nil, callFork) },
			func(c, _ *client) bool { return c.call(nil, callFork) == 4 }, false},
		isolationCase{"proc", "processes of a user, counted",
			func(c *client) { c.call(nil, callSetuid, 1000) },
			func(c, _ *client) bool {
				c.limit(6, 2)
				c.call(nil, callSetuid, 1000)
				return c.call(nil, callFork) < 0
			}, false},
		isolationCase{"proc", "signals of a user, counted",
			func(c *client) {
				c.call(nil, callSetuid, 1000)
				c.sigqueue()
			},
			func(c, _ *client) bool {
				c.limit(11, 1)
				c.call(nil, callSetuid, 1000)
				return c.sigqueue() == -int64(errno.EAGAIN)
			}, false},
		isolationCase{"proc", "user, for setpriority",
			func(c *client) { c.call(nil, callSetpriority, proc.PRIO_USER, 0, 7) },
			func(c, _ *client) bool { return c.call(nil, callGetpriority, proc.PRIO_PROCESS, 0) == 20-7 }, false},
		isolationCase{"proc", "user, for getpriority",
			func(c *client) { c.call(nil, callSetuid, 1000) },
			func(c, _ *client) bool { return c.call(nil, callGetpriority, proc.PRIO_USER, 1000) > 0 }, false},
		isolationCase{"proc", "threads, counted by sysinfo",
			func(c *client) { c.call(nil, callFork) },
			func(c, _ *client) bool {
				c.call(nil, callSysinfo, spare)
				return c.words(11)[10] == 3
			}, false},
		isolationCase{"proc", "threads, counted by /proc/loadavg",
			func(c *client) { c.call(nil, callFork) },
			func(c, _ *client) bool { return strings.HasSuffix(c.content("/proc/loadavg"), "/3 3\n") }, false},
		isolationCase{"proc", "time since the start, /proc/uptime", nothing,
			func(c, by *client) bool { return near(c.number("/proc/uptime", 0), by.number("/proc/uptime", 0)) }, false},
		isolationCase{"proc", "time since the start, sysinfo", nothing,
			func(c, by *client) bool {
				c.call(nil, callSysinfo, spare)
				by.call(nil, callSysinfo, spare)
				return near(int64(c.words(1)[0]), int64(by.words(1)[0]))
			}, false},
		isolationCase{"proc", "time of the start, /proc/stat", nothing,
			func(c, by *client) bool { return near(c.btime(), by.btime()) }, false},
		isolationCase{"proc", "clock that begins with the start", nothing,
			func(c, by *client) bool { return near(c.clock(7)/1e9, by.clock(7)/1e9) }, false},
		isolationCase{"vdso", "page with the clocks", nothing,
			func(c, by *client) bool { return bytes.Equal(c.vvar(), by.vvar()) }, false},
		isolationCase{"proc", "name of the start, boot_id", nothing,
			func(c, by *client) bool {
				const id = "/proc/sys/kernel/random/boot_id"
				return c.content(id) == by.content(id)
			}, false},
		isolationCase{"proc", "interval timer",
			func(c *client) { c.call(words64(0, 0, 1000, 0), nrSetitimer, 0, 0x401000, 0) },
			func(c, _ *client) bool {
				c.call(nil, callGetitimer, 0, spare)
				return c.words(3)[2] != 0
			}, true},
		isolationCase{"proc", "resource limit",
			func(c *client) { c.limit(7, 10) },
			func(c, _ *client) bool {
				c.call(nil, callPrlimit, 0, 7, 0, spare)
				return c.words(1)[0] == 10
			}, true},
	)
}

// near reports whether two times in seconds are those of one instance.
func near(a, b int64) bool { return max(a-b, b-a) < 1800 }

// vvar returns the page with the clocks that the kernel gives to programs.
func (c *client) vvar() []byte {
	for line := range strings.Lines(c.content("/proc/self/maps")) {
		if strings.HasSuffix(line, "[vvar]\n") {
			at, _ := strconv.ParseUint(line[:strings.Index(line, "-")], 16, 64)
			return c.memory(at, 4096)
		}
	}
	panic("there is no [vvar]")
}

// btime is when the instance was started.
func (c *client) btime() (v int64) {
	_, s, _ := strings.Cut(c.content("/proc/stat"), "btime ")
	fmt.Sscan(s, &v)
	return v
}

// instCases are about what instances themselves have, by their limits and their names.
func instCases() []isolationCase {
	list := []isolationCase{
		{"life", "name of an instance",
			func(c *client) { c.ctl(op(abi.INST_CREATE, "met")) },
			func(c, _ *client) bool { return c.ctl(op(abi.INST_GET, "met")).n > 0 }, false},
		{"life", "number of an instance",
			func(c *client) { c.ctl(op(abi.INST_CREATE, "met")) },
			func(c, by *client) bool {
				met, err := by.in.Lookup("met")
				if err != nil {
					panic(err)
				}
				met.Release()
				x := op(abi.INST_GET, "")
				x.Flags, x.ID = abi.INST_BYID, met.ID
				return c.ctl(x).n > 0
			}, false},
		{"life", "list of instances",
			func(c *client) { c.ctl(op(abi.INST_CREATE, "met")) },
			func(c, _ *client) bool {
				x := op(abi.INST_LIST, "")
				x.Value = ^uint64(0)
				return strings.Contains(c.ctl(x).out, "name met\n")
			}, false},
	}
	write := func(c *client) int64 {
		fd := c.open("/tmp/f", oRDWR|oCREAT|oAPPEND)
		defer c.call(nil, callClose, fd)
		return c.call(nil, nrWrite, fd, textAt, 4096)
	}
	made := 0
	pty := func(c *client) int64 { return c.str(callOpen, "/dev/ptmx", oRDWR|oNOCTTY) }
	for _, tt := range []struct {
		r    inst.Resource
		room int64
		use  func(c *client) int64
	}{
		{inst.Frames, 40, write},
		{inst.Heap, 200_000, pty},
		{inst.Instances, 1, func(c *client) int64 {
			made++
			return c.ctl(op(abi.INST_CREATE, fmt.Sprint("i", made))).n
		}},
		{inst.Processes, 1, func(c *client) int64 { return c.call(nil, callFork) }},
		{inst.Threads, 1, func(c *client) int64 { return c.call(nil, nrClone, 0x50f00) }},
		{inst.Files, 3, func(c *client) int64 { return c.str(callOpen, "/dev/null", oRDWR) }},
		{inst.Ptys, 1, pty},
		{inst.Mounts, 1, func(c *client) int64 { return c.mount("/tmp", "", 0) }},
		{inst.Content, 1, write},
		{inst.Inodes, 2, func(c *client) int64 { return c.str(callOpen, "/dev/shm", oRDWR|oTMPFILE, 0o600) }},
	} {
		list = append(list, isolationCase{"inst", "limit of " + tt.r.String(),
			func(c *client) {
				c.in.SetLimit(tt.r, c.in.Used(tt.r)+tt.room)
				for tt.use(c) >= 0 {
				}
			},
			func(c, _ *client) bool { return tt.use(c) < 0 }, false})
	}
	return list
}

// TestIsolationLimits sees that there is a case for the limit of each resource.
func TestIsolationLimits(t *testing.T) {
	have := make(map[string]bool)
	for _, tt := range instCases() {
		have[tt.name] = true
	}
	for r := range inst.NumResources {
		if !have["limit of "+r.String()] {
			t.Errorf("there is no case for the limit of %s", r)
		}
	}
}

// Requests of ioctl(2).
const (
	tiocSCTTY, tiocSWINSZ, tiocGWINSZ, tiocGPTN, tiocSPTLCK = 0x540e, 0x5414, 0x5413, 0x80045430, 0x40045431
)

// pty opens the master of a pseudo terminal, and lets its other side be opened.
func (c *client) pty() uint64 {
	fd := c.open("/dev/ptmx", oRDWR|oNOCTTY)
	c.call(make([]byte, 4), nrIoctl, fd, tiocSPTLCK, 0x401000)
	return fd
}

var ttyCases = []isolationCase{
	{"tty", "name of a pseudo terminal",
		func(c *client) { c.pty() },
		func(c, _ *client) bool { return c.str(callAccess, "/dev/pts/0", 0) == 0 }, false},
	differs("tty", "number of a pseudo terminal", func(c *client) uint64 {
		c.call(nil, nrIoctl, c.pty(), tiocGPTN, spare)
		return c.words(1)[0] & 0xffffffff
	}),
	{"tty", "node for a pseudo terminal",
		func(c *client) { c.pty() },
		func(c, _ *client) bool {
			c.str(callMknod, "/dir/pty", 0o20666, 136<<8)
			return c.str(callOpen, "/dir/pty", oRDWR|oNOCTTY) >= 0
		}, false},
	{"tty", "size of pseudo terminal 0",
		func(c *client) { c.call([]byte{24, 0, 80, 0, 0, 0, 0, 0}, nrIoctl, c.pty(), tiocSWINSZ, 0x401000) },
		func(c, _ *client) bool {
			c.pty() // which is number 0 of another instance
			c.call(nil, nrIoctl, c.open("/dev/pts/0", oRDWR|oNOCTTY), tiocGWINSZ, spare)
			return c.words(1)[0] == 80<<16|24
		}, false},
	{"tty", "input of pseudo terminal 0",
		func(c *client) { c.call([]byte("met\n"), nrWrite, c.pty(), 0x401000, 4) },
		func(c, _ *client) bool {
			c.pty()
			return c.call(nil, nrRead, c.open("/dev/pts/0", oRDWR|oNOCTTY|oNONBLOCK), spare, 4) == 4
		}, false},
	{"tty", "pseudo terminal 0 as controlling terminal",
		func(c *client) {
			c.pty()
			c.call(nil, nrIoctl, c.open("/dev/pts/0", oRDWR|oNOCTTY), tiocSCTTY, 0)
		},
		func(c, _ *client) bool {
			c.pty()
			return c.call(nil, nrIoctl, c.open("/dev/pts/0", oRDWR|oNOCTTY), tiocSCTTY, 0) == -int64(errno.EPERM)
		}, false},
	{"tty", "/dev/tty",
		func(c *client) {
			c.pty()
			c.call(nil, nrIoctl, c.open("/dev/pts/0", oRDWR|oNOCTTY), tiocSCTTY, 0)
		},
		func(c, _ *client) bool { return c.str(callOpen, "/dev/tty", oRDWR) >= 0 }, true},
}

// waits has c wait for a futex in a file, whose first word is val.
func (c *client) waits(at, val uint64) {
	c.calls <- clientCall{nil, nrFutex, []uint64{at, 0, val}}
	p := proc.TableOf(c.in).Find(max(c.pid, 1))
	proctest.Until(func() bool { return p.Stat().State == 'S' })
}
