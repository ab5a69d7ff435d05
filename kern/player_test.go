package kern

import (
	"encoding/binary"
	"strings"
	"sync"

	"mult/arch"
	"mult/arch/hosted"
	"mult/kern/abi"
	"mult/kern/linux"
	"mult/kern/linux/calls"
)

// This file has the programs of fuzz_test.go: what they call, with what.

// Memory of the programs.
const (
	// Pages to play with, which end before one that isn't mapped.
	scratch      = 0x20000000
	scratchPages = 32
	scratchEnd   = scratch + scratchPages*arch.PageSize
	// What mapping calls are pointed at.
	arena      = 0x30000000
	arenaPages = 64
)

// A player plays a thread's program.
type player struct {
	machine *hosted.Machine
	c       *choices
	cpu     *hosted.CPU
	writes  []write // to its memory, before the call
	call    [7]uint64
	init    bool // it is process 1, which does nothing but have children
	calls   int
	others  *identities // from which arguments are drawn; nil: there are none
}

type write struct {
	at   uint64
	data []byte
}

// run is hosted.Machine.User: it writes what the next call is about, then makes
// it.
func (p *player) run(x *arch.Context) {
	for len(p.writes) > 0 {
		w := &p.writes[0]
		if len(w.data) == 0 {
			p.writes = p.writes[1:]
			continue
		}
		if code, ok := p.cpu.Store(x.Root, w.at, w.data[0]); !ok {
			x.Trap, x.Addr, x.Err = arch.TrapPage, w.at, code
			return
		}
		w.at++
		w.data = w.data[1:]
	}
	if p.call == [7]uint64{} {
		if !p.init && p.calls > 1 && p.c.below(256) == 255 {
			p.raise(x)
			return
		}
		p.choose()
		if len(p.writes) > 0 {
			p.run(x)
			return
		}
	}
	n := p.call
	p.call = [7]uint64{}
	p.make(x, n[0], n[1:]...)
}

// raise has the program fail, or end a handler.
func (p *player) raise(x *arch.Context) {
	x.Trap, x.Err = exceptions[p.c.below(uint64(len(exceptions)))], 0
	switch p.c.below(4) {
	case 0:
		x.Trap, x.Addr = arch.TrapPage, p.pointer()
		if p.c.oneIn(2) {
			x.Addr = arena + p.c.below(arenaPages*arch.PageSize)
		}
		x.Err = p.c.below(32)&(arch.FaultPresent|arch.FaultWrite|arch.FaultExec) | arch.FaultUser
	case 1:
		x.SP = p.pointer()
		p.make(x, nrSigreturn)
	}
}

// make makes a call.
func (p *player) make(x *arch.Context, number uint64, args ...uint64) {
	p.c.calls.Add(1)
	x.Trap, x.AX = arch.TrapSyscall, number
	for i, r := range []*uint64{&x.DI, &x.SI, &x.DX, &x.R10, &x.R8, &x.R9} {
		*r = 0
		if i < len(args) {
			*r = args[i]
		}
	}
}

// implemented are the numbers of the calls that there are.
var implemented = sync.OnceValue(func() (list []uint64) {
	for n := range calls.All() {
		if s, _ := linux.State(uint64(n)); s != calls.Absent {
			list = append(list, uint64(n))
		}
	}
	return list
})

// Numbers of the calls that are treated in a way of their own.
const (
	nrRead, nrWrite, nrMmap, nrMprotect, nrMunmap, nrSigaction                 = 0, 1, 9, 10, 11, 13
	nrSigreturn, nrIoctl, nrMremap, nrMadvise, nrPause, nrSetitimer            = 15, 16, 25, 28, 34, 38
	nrClone, nrExecve, nrExit, nrWait4, nrKill, nrUname                        = 56, 59, 60, 61, 62, 63
	nrFcntl, nrGetdents, nrSigsuspend, nrPrctl, nrReboot, nrFutex              = 72, 78, 130, 157, 169, 202
	nrGetdents64, nrExitGroup, nrEpollWait, nrEpollCtl, nrRobust, nrEpollPwait = 217, 231, 232, 233, 273, 281
	nrFallocate, nrTimerfdSettime, nrRenameat2, nrExecveat                     = 285, 286, 316, 322
)

// choose chooses the next call.
func (p *player) choose() {
	c := p.c
	p.calls++
	switch {
	case c.over():
		p.call = [7]uint64{nrExitGroup}
		return
	case p.calls == 1: // unless its parent has left it there
		p.call = [7]uint64{nrMmap, scratch, scratchPages * arch.PageSize, 3, 0x100022, ^uint64(0)}
		return
	case p.init && p.calls <= 1+firstFiles:
		p.openFirst(p.calls - 2)
		return
	case p.init && p.calls <= 1+firstFiles+3:
		p.call = [7]uint64{nrClone, 17}
		return
	case p.init:
		p.calls = firstFiles + 3 // another one when one has ended
		p.call = [7]uint64{nrWait4, ^uint64(0), 0, 0, 0x40000000}
		return
	case p.calls == 2: // what waits for ever is ended by SIGALRM
		var b []byte
		for _, v := range []uint64{0, 5000, 0, 5000} {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		p.call = [7]uint64{nrSetitimer, 0, p.put(b)}
		return
	}
	if p.others != nil && c.oneIn(2) {
		p.any()
		return
	}
	if c.oneIn(32) {
		p.instctl()
		return
	}
	list := implemented()
	if c.oneIn(4) {
		list = often
	}
	n := list[c.below(256)%uint64(len(list))]
	switch n {
	case nrExit, nrExitGroup, nrExecve, nrExecveat, nrPause, nrSigsuspend, nrSigreturn:
		if !c.oneIn(8) {
			n = 257
		}
	case nrReboot:
		n = nrUname
	}
	row, _ := calls.Lookup(n)
	p.call = [7]uint64{n}
	for i, a := range row.Args {
		p.call[i+1] = p.argument(a)
	}
	if c.oneIn(16) { // it touches what it may have mapped
		p.writes = append(p.writes, write{arena + c.below(arenaPages)*arch.PageSize, []byte{1}})
	}
	a := p.call[1:]
	switch {
	case n == nrIoctl && c.oneIn(2):
		a[0] = 13 * c.below(2)
		if c.oneIn(4) {
			a[1] = []uint64{0x80045430, 0x40045431, 0x5441, 0x80045432, 0x80045438, 0x40045436, 0x5421, 0x541b}[c.below(8)]
		}
	case n == nrEpollCtl && c.oneIn(2):
		a[0], a[1] = 1, 1+c.below(3)
	case (n == nrEpollWait || n == nrEpollPwait) && c.oneIn(2):
		a[0], a[2] = 1, 1+c.below(100)
	case n == nrTimerfdSettime && c.oneIn(2):
		a[0] = 3
	case n == nrFutex && c.oneIn(2):
		a[0], a[4] = p.scratch(c.below(2)), p.scratch(c.below(2))
		a[1] = c.below(13) | c.below(2)<<7
		a[3] *= c.below(2) // a time or a number, or none
		if c.oneIn(2) {    // a value that is there
			a[2] = 0
			p.writes = append(p.writes, write{p.scratch(0), make([]byte, 4)}, write{p.scratch(1), make([]byte, 4)})
		}
	case n == nrFcntl:
		if a[1] = c.below(17); c.oneIn(4) {
			a[1] += 1024
		}
	case n == nrPrctl && c.oneIn(2):
		a[0] = 1 + c.below(60)
	case n == nrRobust && c.oneIn(2):
		a[1] = 24
	case (n == nrGetdents || n == nrGetdents64) && c.oneIn(2):
		a[0] = 9 + c.below(3)
	case n == nrFallocate && c.oneIn(2):
		a[0], a[1] = 6+c.below(2), c.below(4)
	case n == nrMmap && !c.oneIn(4):
		a[0], a[1], a[2] = arena+c.below(arenaPages)*arch.PageSize, c.below(16)*arch.PageSize, c.below(8)
		a[3] = []uint64{0x22, 0x21, 0x32, 0x31, 0x02, 0x01, 0x12, 0x11, 0x8022, 0x8021, 0x8011, 0x122, 0x132}[c.below(13)]
		a[4], a[5] = 6+c.below(3), c.below(3)*arch.PageSize
	case n == nrMremap && !c.oneIn(4):
		a[0], a[1], a[2], a[3] = arena+c.below(arenaPages)*arch.PageSize, c.below(16)*arch.PageSize, c.below(32)*arch.PageSize, c.below(8)
	case n == nrRenameat2 && c.oneIn(2):
		a[4] = c.below(3)
	case n == nrClone && !c.oneIn(4):
		a[0] = []uint64{17, 0x100, 0x111, 0x4111, 0x50f00, 0x350f00, 0x411, 0x611}[c.below(8)]
	}
}

// instctl chooses a call about instances.
func (p *player) instctl() {
	c := p.c
	pick := func(list ...string) []byte { return []byte(list[c.below(uint64(len(list)))]) }
	a := abi.Instctl{
		Version: abi.InstctlVersion, Op: uint32(c.below(17)), ID: c.below(4), Value: p.number(),
	}
	if c.oneIn(3) {
		a.Op, a.Flags = abi.INST_CREATE, abi.INST_STARTED
	} else if c.oneIn(3) {
		a.Flags = []uint64{abi.INST_BYID, abi.INST_STARTED, abi.INST_TTY, abi.INST_CLOEXEC, abi.INST_STREAMS}[c.below(5)]
	}
	name := pick("a", "a", "a", "b", "b", "a/a", "b/a", "a/a/a", "", "none")
	a.Name, a.NameLen = p.put(name), uint64(len(name))
	var data []byte
	switch a.Op {
	case abi.INST_CREATE, abi.INST_SET:
		data = pick("", "limit.instances none", "limit.instances none", "limit.instances none", "host h\n", "limit.frames 100", "limit.heap 100000\ndomain d", "limit.instances 1", "nothing",
			"root /", "root /\nlimit.instances none", "root /tmp\n", "root .", "root /\nlimit.content 3\nlimit.inodes 30")
		if a.Op == abi.INST_CREATE && c.oneIn(4) { // process 1 on pipes or a terminal
			a.Flags |= []uint64{abi.INST_STREAMS, abi.INST_TTY}[c.below(2)]
			data = append(make([]byte, abi.InstExecSize), data...)
		}
	case abi.INST_RENAME:
		data = pick("a", "b", "c", "7")
	case abi.INST_EXEC, abi.INST_ATTACH:
		data = make([]byte, abi.InstExecSize)
		(&abi.InstExec{Path: p.path(), Argv: p.pointer(), Envp: p.pointer()}).Encode(data)
		if !c.oneIn(4) {
			argv := p.put(make([]byte, 8))
			(&abi.InstExec{Path: p.put([]byte("/init\x00")), Argv: argv, Envp: argv}).Encode(data)
		}
	default:
		data = make([]byte, c.below(4000))
	}
	a.Data, a.DataLen = p.put(data), uint64(len(data))
	a.Text, a.TextLen = p.scratch(c.below(scratchPages)), c.below(200)
	if c.oneIn(16) {
		a.Data, a.Text, a.Name = p.pointer(), p.pointer(), p.pointer()
	}
	b := make([]byte, abi.InstctlSize)
	a.Encode(b)
	if c.oneIn(16) {
		b[c.below(abi.InstctlSize)] = byte(c.below(256))
	}
	p.call = [7]uint64{callInstctl, p.put(b), abi.InstctlSize}
}

// firstFiles is how many calls openFirst knows.
const firstFiles = 14

// openFirst makes the i-th call that opens what all programs begin with.
func (p *player) openFirst(i int) {
	const (
		openat, eventfd2, epollCreate1, timerfdCreate, pipe2, memfd = 257, 290, 291, 283, 293, 319
		rdwr, directory, nonblock                                   = 2, 0o200000, 0o4000
	)
	open := func(path string, flags uint64) [7]uint64 {
		return [7]uint64{openat, 0, p.put(append([]byte(path), 0)), flags | nonblock, 0o666}
	}
	file := "/dir/file"
	if p.others != nil {
		file = "/dir/waits" // where somebody waits
	}
	p.call = [][7]uint64{
		open("/dev/ptmx", rdwr),              // 0
		{epollCreate1},                       // 1
		{eventfd2, 1, nonblock},              // 2
		{timerfdCreate, 1, nonblock},         // 3
		{pipe2, p.scratch(1), nonblock},      // 4, 5
		{memfd, p.put([]byte("memory\x00"))}, // 6
		open("/tmp/a", rdwr|0o100),           // 7
		open(file, rdwr),                     // 8
		open("/proc", directory),             // 9
		open("/tmp", directory),              // 10
		open("/proc/self/fd", directory),     // 11
		open("/proc/self/comm", rdwr),        // 12
		{nrIoctl, 0, 0x40045431, p.put([]byte{0, 0, 0, 0})},
		{nrIoctl, 0, 0x5441, rdwr | nonblock}, // 13, the other end of 0
	}[i]
}

// exceptions are what a program may raise beside page faults.
var exceptions = []uint64{0, 1, 3, 4, 5, 6, 11, 12, 13, 16, 17, 19}

// often are the calls that are made more often than others: those that others
// wait for, and those that change memory.
var often = []uint64{
	nrFutex, nrClone, nrClone, nrMmap, nrMmap, nrMunmap, nrMprotect, nrMremap, nrMadvise, nrIoctl, nrRead, nrWrite, nrEpollCtl, nrEpollWait, nrWait4,
	nrKill, nrSigaction,
}

var numbers = []uint64{
	0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 16, 24, 64, 100, 128, 255, 256, 1000, 4095, 4096, 4097, 8192, 65536, 1 << 20, 1<<31 - 1,
	1 << 31, 1<<32 - 1, 1 << 32, 1 << 40, 1 << 47, 1<<63 - 1, 1 << 63, ^uint64(0), ^uint64(1), ^uint64(99), ^uint64(4095),
	999999999, 1000000000, 1000,
}

func (p *player) number() uint64 {
	if p.c.oneIn(16) {
		return p.c.below(1 << 63)
	}
	return numbers[p.c.below(uint64(len(numbers)))]
}

// scratch returns the address of the i-th of some pages to play with.
func (p *player) scratch(i uint64) uint64 { return scratch + i*arch.PageSize }

func (p *player) pointer() uint64 {
	odd := []uint64{0, 1, 0xfff, 0x10000, arch.UserEnd - 8, arch.UserEnd, 1 << 47, 0xffff800000000000, ^uint64(7)}
	switch p.c.below(16) {
	case 0:
		return odd[p.c.below(uint64(len(odd)))]
	case 1:
		return scratchEnd - p.c.below(64)
	case 2:
		return scratch + p.c.below(scratchPages*arch.PageSize)
	}
	return scratch + p.c.below(256)*64
}

// put has the program write data, and returns where.
func (p *player) put(data []byte) uint64 {
	at := scratch + p.c.below(256)*64
	if p.c.oneIn(8) {
		at = scratchEnd - uint64(len(data))
	}
	p.writes = append(p.writes, write{at, data})
	return at
}

var paths = []string{
	"/", ".", "..", "", "/tmp", "/tmp/a", "/tmp/b", "/tmp/c", "/tmp/d/a", "/tmp/d/..", "/tmp/d", "/tmp/d/e", "/init", "/tmp/fifo", "/dev/null",
	"/dev/zero", "/dev/ptmx", "/dev/tty", "/dev/pts/0", "/dev/pts/1", "/dev/urandom", "/dev/full", "/proc", "/proc/self", "/proc/self/fd", "/proc/self/fd/3",
	"/proc/self/maps", "/proc/self/stat", "/proc/self/status", "/proc/self/exe", "/proc/self/cwd", "/proc/self/root", "/proc/self/task", "/proc/self/mounts",
	"/proc/2/status", "/proc/2", "/proc/3/fd", "/proc/2/task", "/proc/meminfo", "/proc/stat", "/proc/sys/kernel/hostname", "/proc/mounts", "/dir", "/dir/file",
	"/proc/self/fdinfo", "/proc/self/fdinfo/1", "/proc/self/fdinfo/3", "/proc/self/cmdline", "/proc/self/environ", "/proc/self/auxv", "/proc/self/statm",
	"/proc/self/mountinfo", "/proc/self/limits", "/proc/self/oom_score_adj", "/proc/self/oom_score", "/proc/self/wchan", "/proc/self/comm", "/proc/uptime",
	"/proc/loadavg", "/proc/version", "/proc/cmdline", "/proc/filesystems", "/proc/devices", "/proc/cpuinfo", "/proc/thread-self", "/proc/2/task/2/stat",
	"/script", "/dynamic", "/proc/self/fd/0", "/proc/self/fd/4", "/proc/self/fd/6", "/tmp/m/x", "/tmp/m", "size=64k", "/dev/shm/a",
	"/proc/sys/kern/inst/self", "/proc/sys/kern/inst/below", "/proc/sys/kern/inst/below/2", "/dir/new", "/dir/link", "/dir/other", "tmpfs", "proc", "devpts", "devtmpfs", "/proc/1/maps", "/proc/1/exe", "/proc/self/mem", "/proc/self/smaps",
}

func (p *player) path() uint64 {
	s := paths[p.c.below(uint64(len(paths)))]
	if p.others != nil && p.c.oneIn(2) {
		s = p.others.path(p.c)
	}
	if p.c.oneIn(32) {
		s = strings.Repeat("n/", int(p.c.below(2100)))
	}
	return p.put(append([]byte(s), 0))
}

// words has the program write a structure of anything.
func (p *player) words() uint64 {
	var b []byte
	for range 1 + p.c.below(12) {
		var w uint64
		switch p.c.below(8) {
		case 0, 1:
			w = p.pointer()
		case 2:
			w = p.number()
		case 3:
			w = p.c.below(256) | p.c.below(256)<<32
		case 4:
			w = p.c.below(256) << 12 // nanoseconds
		}
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return p.put(b)
}

func (p *player) argument(a calls.Arg) uint64 {
	c := p.c
	if a.Kind == calls.None || c.oneIn(64) {
		return p.number()
	}
	if p.others != nil && c.oneIn(2) {
		if v, ok := p.others.argument(c, a); ok {
			return v
		}
	}
	switch a.Kind {
	case calls.FD, calls.DirFD:
		if a.Kind == calls.DirFD && c.oneIn(2) {
			return ^uint64(99) // AT_FDCWD
		}
		return c.below(16)
	case calls.Path, calls.String:
		return p.path()
	case calls.Strings:
		var b []byte
		for range c.below(4) {
			b = binary.LittleEndian.AppendUint64(b, p.path())
		}
		return p.put(append(b, make([]byte, 8)...))
	case calls.In, calls.InOut:
		if c.oneIn(8) {
			return 0
		}
		return p.words()
	case calls.Out:
		return p.pointer()
	case calls.Addr:
		if c.oneIn(3) {
			return p.pointer()
		}
		return arena + c.below(arenaPages)*arch.PageSize
	case calls.Size:
		switch {
		case c.oneIn(4):
			return p.number()
		case strings.Contains(a.Name, "set"):
			return 8
		}
		return c.below(16) * arch.PageSize >> (c.below(2) * 8)
	case calls.Flags:
		switch c.below(4) {
		case 0:
			return 0
		case 1:
			return 1 << c.below(32)
		case 2:
			return c.below(8)
		}
		return 1<<c.below(24) | 1<<c.below(24)
	case calls.Mode:
		return []uint64{0o777, 0o644, 0o1777, 0o6755, 0, 0o20666, 0o10644, 0o40755}[c.below(8)]
	case calls.PID:
		return []uint64{0, 1, 2, 3, 4, 5, ^uint64(0), ^uint64(1)}[c.below(8)]
	case calls.Signal:
		return []uint64{0, 9, 10, 14, 15, 17, 18, 19, 11, 32, 64, 65, 20, 1, 2, 33}[c.below(16)]
	case calls.Int, calls.Uint:
		if a.Name == "timeout" {
			return c.below(3)
		}
		if c.oneIn(2) {
			return c.below(8)
		}
	case calls.Ulong:
		if c.oneIn(2) {
			return p.words()
		}
	}
	if a.Name == "request" {
		return 0x5400 + c.below(0x60)
	}
	return p.number()
}
