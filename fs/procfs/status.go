package procfs

import (
	"strconv"
	"strings"

	"mult/fs/vfs"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/sched"
	"mult/kern/tty"
	"mult/kern/vm"
)

const unreadable = "\n\\" // what is escaped in names of programs

// nsTick is a tick of /proc, 1/USER_HZ, in nanoseconds.
const nsTick = 1e9 / proc.TicksPerSecond

// stats returns the sizes of the address space of p; false: it has none.
func stats(p *proc.Proc) (vm.Stats, bool) {
	s := p.Space()
	if s == nil {
		return vm.Stats{}, false
	}
	defer s.Release()
	return s.Stats(), true
}

func procStat(b *buffer, x *target) error { return x.stat(b, true) }
func taskStat(b *buffer, x *target) error { return x.stat(b, false) }

// stat is the line of stat: of all threads of the process, or of one. Its
// fields have no names, so those that aren't known are 0: the flags, wchan
// beyond whether the thread sleeps, and the processor.
func (x *target) stat(b *buffer, whole bool) error {
	p := x.proc()
	if p == nil {
		return errno.ESRCH
	}
	s := p.Stat()
	task, err := x.task(p)
	if err != nil {
		return err
	}
	u := task.Usage
	children := proc.Usage{}
	if whole {
		u, children = s.Usage, s.Children
	}
	term, foreground := uint32(0), -1
	if y, ok := s.Terminal.(*tty.TTY); ok {
		term, foreground = uint32(y.Rdev()), y.Foreground()
	}
	if s.Zombie {
		task.State = 'Z'
	}
	wchan := 0
	if b.look && task.State != 'R' && (!whole || s.Threads < 2) {
		wchan = 1
	}
	sizes, _ := stats(p)
	b.f("%d (", x.tid)
	b.escaped(task.Comm, unreadable)
	b.f(") %c %d %d %d %d %d 0", task.State, s.Parent, s.Group, s.Session, int32(term), foreground)
	b.f(" %d %d %d %d", u.MinFaults, children.MinFaults, u.MajFaults, children.MajFaults)
	b.f(" %d %d %d %d", u.UTime/nsTick, u.STime/nsTick, children.UTime/nsTick, children.STime/nsTick)
	b.f(" %d %d %d 0 %d", 20+task.Nice, task.Nice, max(s.Threads, 1), (p.Started()-x.fs.procs.Boot())/nsTick)
	b.f(" %d %d %d", sizes.VSize, sizes.RSS/vm.PageSize, p.Limit(proc.RLIMIT_RSS))
	var g Program
	if v, ok := x.program(p); ok {
		g = v
		defer v.release()
		if !b.look {
			g = Program{CodeStart: 1, CodeEnd: 1}
		}
	}
	b.f(" %d %d %d 0 0", g.CodeStart, g.CodeEnd, g.Stack)
	const old = 1<<31 - 1 // what fields of an int hold
	b.f(" %d %d %d %d", task.Pending&old, task.Blocked&old, s.Ignored&old, s.Caught&old)
	b.f(" %d 0 0 %d 0 0 %d 0 0 0", wchan, s.ExitSignal, task.Policy)
	b.f(" %d %d %d %d %d %d %d", g.DataStart, g.DataEnd, g.Brk, g.ArgStart, g.ArgEnd, g.EnvStart, g.EnvEnd)
	code := proc.Status(0)
	if b.look && s.Zombie {
		code = s.Status
	}
	b.f(" %d\n", code)
	return nil
}

// statm has sizes in pages. Which resident pages are of files isn't known.
func statm(b *buffer, x *target) error {
	p := x.proc()
	if p == nil {
		return errno.ESRCH
	}
	s, _ := stats(p)
	text := uint64(0)
	if g, ok := x.program(p); ok {
		text = codePages(&g)
		g.release()
	}
	b.f("%d %d 0 %d 0 %d 0\n", s.VSize/vm.PageSize, s.RSS/vm.PageSize, text, (s.Data+s.Stack)/vm.PageSize)
	return nil
}

// codePages returns how many pages the code of the program itself has.
func codePages(g *Program) uint64 {
	const mask = vm.PageSize - 1
	return (uint64(g.CodeEnd)+mask)/vm.PageSize - uint64(g.CodeStart)/vm.PageSize
}

// stateName returns what status calls a state.
func stateName(s byte) string {
	switch s {
	case 'R':
		return "R (running)"
	case 'S':
		return "S (sleeping)"
	case 'D':
		return "D (disk sleep)"
	case 'T':
		return "T (stopped)"
	}
	return "Z (zombie)"
}

func status(b *buffer, x *target) error {
	p := x.proc()
	if p == nil {
		return errno.ESRCH
	}
	s := p.Stat()
	task, err := x.task(p)
	if err != nil {
		return err
	}
	if s.Zombie {
		task.State = 'Z'
	}
	b.text("Name:\t")
	b.escaped(task.Comm, unreadable)
	if f := vfs.HoldState(p); f != nil {
		b.f("\nUmask:\t%#04o", f.Umask())
		f.Release()
	}
	c := task.Cred
	b.f("\nState:\t%s\nTgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0", stateName(task.State), p.PID, x.tid, s.Parent)
	b.f("\nUid:\t%d\t%d\t%d\t%d", c.UID, c.EUID, c.SUID, c.FSUID)
	b.f("\nGid:\t%d\t%d\t%d\t%d", c.GID, c.EGID, c.SGID, c.FSGID)
	size := 0
	if tb := file.Of(p); tb != nil {
		size = tb.Size()
	}
	b.f("\nFDSize:\t%d\nGroups:\t", size)
	for i, g := range c.Groups {
		if i > 0 {
			b.text(" ")
		}
		b.text(strconv.FormatUint(uint64(g), 10))
	}
	b.f(" \nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", p.PID, x.tid, s.Group, s.Session)
	x.sizes(b, p)
	b.f("Threads:\t%d\nSigQ:\t%d/%d\n", max(s.Threads, 1), s.QueuedSignals, p.Limit(proc.RLIMIT_SIGPENDING))
	for _, v := range []struct {
		name string
		set  uint64
	}{
		{"SigPnd", uint64(task.Pending)}, {"ShdPnd", uint64(s.SharedPending)}, {"SigBlk", uint64(task.Blocked)},
		{"SigIgn", uint64(s.Ignored)}, {"SigCgt", uint64(s.Caught)},
		{"CapInh", c.Inheritable}, {"CapPrm", c.Permitted}, {"CapEff", c.Effective},
		{"CapBnd", c.Bounding}, {"CapAmb", c.Ambient},
	} {
		b.f("%s:\t%016x\n", v.name, v.set)
	}
	privs := 0
	if c.NoNewPrivs {
		privs = 1
	}
	cpus := x.fs.cpus()
	b.f("NoNewPrivs:\t%d\nSeccomp:\t0\nCpus_allowed:\t%s\nCpus_allowed_list:\t%s\n", privs, cpuMask(cpus), cpuList(cpus))
	b.f("voluntary_ctxt_switches:\t%d\nnonvoluntary_ctxt_switches:\t%d\n", task.Usage.Voluntary, task.Usage.Involuntary)
	return nil
}

// sizes adds the lines of status about memory; without an address space there
// are none.
func (x *target) sizes(b *buffer, p *proc.Proc) {
	s, ok := stats(p)
	if !ok {
		return
	}
	exe := uint64(0)
	if g, ok := x.program(p); ok {
		exe = min(codePages(&g)*vm.PageSize, s.Text)
		g.release()
	}
	for _, v := range []struct {
		name string
		size uint64
	}{
		{"VmSize", s.VSize}, {"VmPin", 0}, {"VmRSS", s.RSS}, {"VmData", s.Data}, {"VmStk", s.Stack}, {"VmExe", exe},
		{"VmLib", s.Text - exe}, {"VmPTE", s.PageTables}, {"VmSwap", 0}, {"HugetlbPages", 0},
	} {
		b.f("%s:\t%8d kB\n", v.name, v.size>>10)
	}
	b.text("CoreDumping:\t0\n")
}

// cpus returns how many processors the instance has.
func (f *fs) cpus() int { return sched.Processors(f.in, f.src.System.VM.Machine.CPUs()) }

// cpuMask is a set of the first n processors in words of 32 bits.
func cpuMask(n int) string {
	var s []string
	for ; n > 32; n -= 32 {
		s = append(s, "ffffffff")
	}
	first := strconv.FormatUint(1<<n-1, 16)
	return strings.Join(append([]string{first}, s...), ",")
}

func cpuList(n int) string {
	if n == 1 {
		return "0"
	}
	return "0-" + strconv.Itoa(n-1)
}

func comm(b *buffer, x *target) error {
	p := x.proc()
	if p == nil {
		return errno.ESRCH
	}
	task, err := x.task(p)
	if err != nil {
		return err
	}
	b.text(task.Comm + "\n")
	return nil
}

// setComm names a thread of the writer's own process.
func setComm(t *proc.Thread, x *target, data string) error {
	p := x.proc()
	switch {
	case p == nil:
		return errno.ESRCH
	case t == nil || t.Proc != p:
		return errno.EINVAL
	}
	if i := strings.IndexByte(data, 0); i >= 0 {
		data = data[:i]
	}
	// As strncpy of Linux, a line's end stays a part of the name.
	return p.SetComm(x.tid, data)
}

// wchan has no names of kernel functions.
func wchan(b *buffer, x *target) error {
	b.text("0")
	return nil
}

func oomAdj(b *buffer, x *target) error {
	p := x.proc()
	if p == nil {
		return errno.ESRCH
	}
	b.f("%d\n", p.OOMAdj())
	return nil
}

func setOOMAdj(t *proc.Thread, x *target, data string) error {
	n, err := strconv.ParseInt(strings.TrimSpace(data), 0, 32)
	if err != nil {
		return errno.EINVAL
	}
	p := x.proc()
	switch {
	case p == nil:
		return errno.ESRCH
	case t == nil:
		return errno.EINVAL
	}
	return p.SetOOMAdj(t.Cred(), int(n))
}

func oomScore(b *buffer, x *target) error {
	p := x.proc()
	if p == nil {
		return errno.ESRCH
	}
	b.f("%d\n", p.OOMScore())
	return nil
}

func limits(b *buffer, x *target) error {
	p := x.proc()
	if p == nil {
		return errno.ESRCH
	}
	b.f("%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units")
	text := func(n uint64) string {
		if n == proc.RLIM_INFINITY {
			return "unlimited"
		}
		return strconv.FormatUint(n, 10)
	}
	for i, row := range [proc.NumLimits][2]string{
		proc.RLIMIT_CPU:        {"Max cpu time", "seconds"},
		proc.RLIMIT_FSIZE:      {"Max file size", "bytes"},
		proc.RLIMIT_DATA:       {"Max data size", "bytes"},
		proc.RLIMIT_STACK:      {"Max stack size", "bytes"},
		proc.RLIMIT_CORE:       {"Max core file size", "bytes"},
		proc.RLIMIT_RSS:        {"Max resident set", "bytes"},
		proc.RLIMIT_NPROC:      {"Max processes", "processes"},
		proc.RLIMIT_NOFILE:     {"Max open files", "files"},
		proc.RLIMIT_MEMLOCK:    {"Max locked memory", "bytes"},
		proc.RLIMIT_AS:         {"Max address space", "bytes"},
		proc.RLIMIT_LOCKS:      {"Max file locks", "locks"},
		proc.RLIMIT_SIGPENDING: {"Max pending signals", "signals"},
		proc.RLIMIT_MSGQUEUE:   {"Max msgqueue size", "bytes"},
		proc.RLIMIT_NICE:       {"Max nice priority", ""},
		proc.RLIMIT_RTPRIO:     {"Max realtime priority", ""},
		proc.RLIMIT_RTTIME:     {"Max realtime timeout", "us"},
	} {
		r := p.Rlimit(proc.Resource(i))
		b.f("%-25s %-20s %-20s", row[0], text(r.Cur), text(r.Max))
		if row[1] != "" {
			b.f(" %-10s", row[1])
		}
		b.text("\n")
	}
	return nil
}
