package kern

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"mult/arch"
	"mult/arch/hosted"
	"mult/inst"
	"mult/kern/errno"
	"mult/kern/internal/proctest"
	"mult/kern/proc"
)

// This file has the victim of adversary_test.go: an instance with something of everything,
// whose threads sleep, and a test that its digest tells of what changes in it.

const callSigtimedwait, callSetsid, callSetpgid, callMemfdCreate, callEventfd, callEpollCreate, callDup2, callLseek, callChdir = 128, 112, 109, 319, 290, 291, 33, 8, 80

// A battle is a world with a victim that sleeps, and where all programs that begin later
// are players.
type battle struct {
	*managed
	victim  *client // process 1
	others  *identities
	ptys    []uint64 // descriptors of the victim
	queues  []uint64
	held    uint64 // descriptor of a locked file
	event   uint64 // of an eventfd
	c       *choices
	clients func(x *arch.Context) // runs those that are no players
	early   sync.Map              // their registers
	attacks atomic.Bool           // who begins from now on is one
	threads atomic.Int64
	players sync.Map // by weak pointers to their registers
}

// newBattle starts a kernel with a victim.
func newBattle(t *testing.T, budget int64) *battle {
	b := &battle{managed: &managed{come: make(chan *client, 10)}, c: &choices{budget: budget}}
	b.world = startWith(t, func(c *Config) {
		m := c.Machine.(*hosted.Machine)
		b.clients = m.User
		m.User = b.run
	}, map[string][]byte{imageFile[1:]: []byte("text of a file"), "dir/waits": make([]byte, 4096)}, clients(b.come))
	b.victim = b.forkInst(b.k.inst0, "victim")
	b.others = &identities{
		users:     []uint64{0, 1000, 1001},
		instances: []string{"victim", "../victim", "inst0/victim", "/victim", "inst0", "hostile", "", "x"},
		ids:       []uint64{b.victim.in.ID, b.k.inst0.ID, b.victim.in.ID + 1},
		addresses: []uint64{textAt, 0x401000, spare},
		files: []string{
			"/", "/tmp", "/dir", imageFile, "/dir/waits", "/init", "/sbin/instinit", "/dev/null", "/dev/ptmx", "/dev/pts/0", "/dev/pts/1", "/dev/tty", "/dev/shm",
			"/tmp/file", "/tmp/link", "/tmp/fifo", "/tmp/node", "/tmp/pty", "/dir/on", "/dir/on/file", "/proc/sys/kernel/hostname", "/proc/sys/kernel/domainname",
			"tmpfs", "proc", "devpts", "devtmpfs", "size=64k", "victim", "/run", "/proc", "/..", "/tmp/../../dir/file", "/proc/1/root/tmp/file", "/proc/1/cwd",
		},
	}
	b.others.small = []uint64{136 << 8, 136<<8 | 1, 1<<8 | 3, b.victim.stat(imageFile, statIno), b.victim.stat("/", statDev)}
	for n := range uint64(24) {
		b.others.small = append(b.others.small, n)
	}
	b.fill()
	for _, p := range proc.TableOf(b.victim.in).Procs() {
		b.others.numbers = append(b.others.numbers, uint64(p.PID))
		for _, name := range []string{"mem", "oom_score_adj", "comm", "fd/3", "fd/4", "cwd", "root/tmp/file", "exe", "maps", "task"} {
			b.others.files = append(b.others.files, fmt.Sprintf("/proc/%d/%s", p.PID, name))
		}
	}
	return b
}

// fill gives the victim something of everything.
func (b *battle) fill() {
	c := b.victim
	must := func(n int64) uint64 {
		b.t.Helper()
		if n < 0 {
			b.t.Fatal(errno.Errno(-n))
		}
		return uint64(n)
	}
	must(c.str(callSethostname, "of the victim", 13))
	must(c.str(callSetdomainname, "its domain", 10))
	// Files, and a mount.
	c.writeTo("/tmp/file", "content in memory")
	c.writeTo(imageFile, "content over the image")
	c.str(callChmod, imageFile, 0o640)
	must(c.call([]byte("/tmp/file\x00/tmp/link\x00"), 88, 0x401000, 0x40100a)) // symlink(2)
	must(c.str(callMknod, "/tmp/fifo", 0o10666, 0))
	must(c.str(callMknod, "/tmp/node", 0o20666, 1<<8|3))
	must(c.str(callMkdir, "/dir/on", 0o755))
	must(c.mount("/dir/on", "size=64k", 0))
	c.writeTo("/dir/on/file", "content of a mount")
	// What it has open.
	fifo := c.open("/tmp/fifo", oRDWR)
	must(c.call([]byte("waits"), nrWrite, fifo, 0x401000, 5))
	must(c.call(nil, callPipe, spare))
	pipe := c.words(1)[0]
	must(c.call([]byte("in a pipe"), nrWrite, pipe>>32, 0x401000, 9))
	b.queues = []uint64{fifo, pipe & 0xffffffff}
	b.event = must(c.call(nil, callEventfd, 3, 0))
	timer := must(c.call(nil, callTimerfdCreate, 1, 0))
	must(c.call(words64(0, 0, 1e6, 0), nrTimerfdSettime, timer, 0, 0x401000, 0))
	epoll := must(c.call(nil, callEpollCreate, 0))
	must(c.call(make([]byte, 12), nrEpollCtl, epoll, 1, timer, 0x401000))
	memfd := must(c.str(callMemfdCreate, "memory", 0))
	must(c.call([]byte("in a memfd"), nrWrite, memfd, 0x401000, 10))
	// A terminal with settings and input, and one that controls a session.
	for i := range 2 {
		master := c.pty()
		side := c.open(fmt.Sprint("/dev/pts/", i), oRDWR|oNOCTTY)
		must(c.call([]byte{24, 0, 80, 0, 0, 0, 0, 0}, nrIoctl, side, tiocSWINSZ, 0x401000))
		must(c.call([]byte("typed\n"), nrWrite, master, 0x401000, 6))
		b.ptys = append(b.ptys, master, side)
	}
	// Maps, locks, limits, timers.
	held := c.open(imageFile, oRDWR)
	b.held = held
	must(c.call(nil, callFlock, held, 2|4))
	must(c.call(lock(), nrFcntl, held, 6, 0x401000))
	words := must(c.call(nil, nrMmap, 0x10000000, 4096, 1, 0x11, c.open("/dir/waits", 0), 0))
	own := must(c.call(nil, nrMmap, 0x10010000, 8192, 3, 0x32, ^uint64(0), 0))
	b.others.addresses = append(b.others.addresses, words, own, words+4, own+4096)
	c.limit(7, 500)
	must(c.call(words64(0, 0, 1e6, 0), nrSetitimer, 0, 0x401000, 0))
	must(c.call(nil, callSetpriority, proc.PRIO_PROCESS, 0, 3))

	// Others, which wait in all ways.
	child := func(setup func(c *client), data []byte, nr uint64, args ...uint64) *client {
		pid := must(c.call(nil, callFork))
		p := b.arrived(c.in)
		p.pid = int(pid)
		if setup != nil {
			setup(p)
		}
		p.calls <- clientCall{data, nr, args}
		b.asleep(p)
		return p
	}
	child(func(c *client) { // of a user, with signals that wait
		c.call(nil, callSetsid)
		must(c.call(nil, nrIoctl, b.ptys[3], tiocSCTTY, 0))
		must(c.call(nil, callSetuid, 1000))
		must(c.sigqueue())
		c.call(nil, nrKill, uint64(c.pid), uint64(proc.SIGUSR2))
	}, nil, nrFutex, words, 0, 0)
	child(func(c *client) { c.call(nil, callSetpgid, 0, 0) }, nil, nrFutex, 0x402000, 0, 0)
	child(nil, lock(), nrFcntl, held, 7, 0x401000) // F_SETLKW
	child(func(c *client) { c.call(nil, callDup2, c.open(imageFile, 0), 60) }, nil, callFlock, 60, 2)
	child(func(c *client) {
		c.call(nil, callPipe, spare)
		c.call(nil, callDup2, c.words(1)[0]&0xffffffff, 61)
	}, nil, nrRead, 61, spare, 1)
	child(func(c *client) {
		must(c.call(nil, callSetpriority, proc.PRIO_PROCESS, 0, 7))
		c.limit(5, 1<<30)
	}, words64(1e6, 0), callNanosleep, 0x401000, 0)
	child(nil, nil, nrEpollWait, epoll, spare, 1, ^uint64(0))
	child(func(c *client) { c.call(nil, callSetpgid, 0, 0) }, nil, nrKill, 0, uint64(proc.SIGSTOP))
	child(nil, nil, callExit, 7)
	b.rest()
}

// wake has process 1 of the victim make calls again.
func (b *battle) wake() {
	proc.TableOf(b.victim.in).Find(1).Signal(proc.Info(proc.SIGUSR1, proc.SI_KERNEL))
	<-b.victim.done
}

// rest has it wait for wake.
func (b *battle) rest() {
	b.victim.call(words64(1<<(proc.SIGUSR1-1)), callSigprocmask, 0, 0x401000, 0, 8)
	b.victim.calls <- clientCall{words64(1 << (proc.SIGUSR1 - 1)), callSigtimedwait, []uint64{0x401000, 0, 0, 8}}
	b.asleep(b.victim)
}

// asleep waits until a process sleeps, or is stopped, or has ended.
func (b *battle) asleep(c *client) {
	p := proc.TableOf(c.in).Find(max(c.pid, 1))
	proctest.Until(func() bool { return p.Stat().State != 'R' })
}

// digest is the state of the victim, which sleeps, with what it sees itself.
func (b *battle) digest() digest {
	d := digestOf(b.victim.in, 0x401000, 0x403000)
	b.wake()
	c := b.victim
	tell := func(what string, n int64) { d.add("seen", "%s: %d, %x", what, n, c.memory(spare, 64)) }
	for _, fd := range b.ptys {
		for _, request := range []uint64{0x5401, tiocGWINSZ, 0x540f, 0x541b, 0x5411} { // TCGETS, TIOCGPGRP, FIONREAD, TIOCOUTQ
			tell(fmt.Sprintf("terminal %d, %#x", fd, request), c.call(make([]byte, 0), nrIoctl, fd, request, spare))
		}
	}
	for _, fd := range b.queues {
		tell(fmt.Sprintf("in the queue %d", fd), c.call(nil, nrIoctl, fd, 0x541b, spare))
	}
	for i := range uint64(3) {
		c.call(nil, callGetitimer, i, spare)
		w := c.words(4)
		d.add("seen", "timer %d: %d, armed %v", i, w[:2], w[2] != 0)
	}
	for _, path := range []string{"mountinfo", "limits", "oom_score_adj", "comm", "environ", "auxv"} {
		d.add("seen", "%s: %q", path, c.content("/proc/self/"+path))
	}
	for i := range 6 {
		d.add("seen", "uname: %s", c.uname(i))
	}
	b.rest()
	return d
}

// over ends the kernel.
func (b *battle) over() {
	b.k.Kill(b.victim.in)
	b.gone(b.victim.in)
	b.world.finish()
}

// TestDigest has the victim change itself: the digest must tell of each change, in the
// component that it belongs to.
func TestDigest(t *testing.T) {
	b := newBattle(t, 1)
	in, c := b.victim.in, b.victim
	child := uint64(proc.TableOf(in).Procs()[1].PID)
	for _, tt := range []struct {
		component, name string
		change          func()
	}{
		{"instance", "host name", func() { c.str(callSethostname, "new", 3) }},
		{"instance", "domain name", func() { c.str(callSetdomainname, "new", 3) }},
		{"limits", "limit", func() { in.SetLimit(inst.Ptys, 2) }},
		{"limits", "refusal", func() { c.str(callOpen, "/dev/ptmx", oRDWR) }},
		{"used", "heap", func() { c.call(nil, callPipe, spare) }},
		{"used", "inodes", func() { c.str(callMkdir, "/tmp/new", 0o755) }},
		{"processes", "a new one", func() {
			pid := c.call(nil, callFork)
			p := b.arrived(in)
			p.pid = int(pid)
			p.calls <- clientCall{nil, nrPause, nil}
			b.asleep(p)
		}},
		{"processes", "priority", func() { c.call(nil, callSetpriority, proc.PRIO_PROCESS, child, 9) }},
		{"processes", "priority of a group", func() { c.call(nil, callSetpriority, proc.PRIO_PGRP, child, 10) }},
		{"processes", "policy", func() { c.call(make([]byte, 4), callSetscheduler, child, proc.SCHED_BATCH, 0x401000) }},
		{"processes", "signal that waits", func() { c.call(nil, nrKill, child, uint64(proc.SIGTERM)) }},
		{"processes", "resource limit", func() { c.call(words64(9, 9), callPrlimit, child, 7, 0x401000, 0) }},
		{"processes", "group", func() { c.call(nil, callSetpgid, child+2, 0) }},
		{"processes", "one that ends", func() {
			c.call(nil, nrKill, child+1, uint64(proc.SIGKILL))
			proctest.Until(func() bool { return proc.TableOf(in).Find(int(child + 1)).Stat().Zombie })
		}},
		{"processes", "one that is reaped", func() { c.call(nil, nrWait4, child+1, 0, 0, 0) }},
		{"memory", "a page", func() {
			c.call(nil, nrRead, c.open("/init", 0), 0x10010000, 4)
		}},
		{"memory", "a map", func() { c.call(nil, nrMunmap, 0x10011000, 4096) }},
		{"memory", "protection", func() { c.call(nil, nrMprotect, 0x10010000, 4096, 1) }},
		{"files", "a new one", func() { c.call(nil, callDup, 0) }},
		{"files", "flags of a descriptor", func() { c.call(nil, nrFcntl, 0, 2, 1) }},
		{"files", "flags of a file", func() { c.call(nil, nrFcntl, b.ptys[0], 4, oNONBLOCK) }},
		{"files", "position", func() { c.call(nil, callLseek, b.held, 1, 0) }},
		{"files", "event", func() { c.call(words64(1), nrWrite, b.event, 0x401000, 8) }},
		{"files", "working directory", func() { c.str(callChdir, "/tmp") }},
		{"files", "mask", func() { c.call(nil, callUmask, 0o77) }},
		{"tree", "content", func() { c.writeTo("/tmp/file", "C") }},
		{"tree", "content over the image", func() { c.writeTo(imageFile, "C") }},
		{"tree", "content of a mount", func() { c.writeTo("/dir/on/file", "C") }},
		{"tree", "permissions", func() { c.str(callChmod, imageFile, 0o600) }},
		{"tree", "owner", func() { c.str(callChown, "/init", 1000, 1000) }},
		{"tree", "time", func() { c.times("/dir/waits", 5, 7) }},
		{"tree", "name", func() { c.str(callUnlink, "/tmp/link") }},
		{"tree", "device", func() { c.str(callChmod, "/dev/null", 0o600) }},
		{"mounts", "flags", func() { c.mount("/dir/on", "", 1<<5|1) }},
		{"mounts", "a new one", func() { c.mount("/run", "", 0) }},
		{"mounts", "one less", func() { c.str(callUmount, "/run", 0) }},
		{"seen", "size of a terminal", func() { c.call([]byte{25, 0, 80, 0, 0, 0, 0, 0}, nrIoctl, b.ptys[0], tiocSWINSZ, 0x401000) }},
		{"seen", "settings of a terminal", func() { c.call(make([]byte, 36), nrIoctl, b.ptys[1], 0x5402, 0x401000) }},
		{"seen", "input of a terminal", func() { c.call([]byte("x\n"), nrWrite, b.ptys[0], 0x401000, 2) }},
		{"seen", "a pipe", func() { c.call(nil, nrRead, b.queues[1], spare, 1) }},
		{"seen", "a FIFO", func() { c.call(nil, nrRead, b.queues[0], spare, 1) }},
		{"seen", "a timer", func() { c.call(words64(0, 0, 0, 0), nrSetitimer, 0, 0x401000, 0) }},
		{"seen", "its name", func() { c.call([]byte("name\x00"), nrPrctl, 15, 0x401000) }},
	} {
		b.digest()
		before := b.digest()
		b.wake()
		tt.change()
		b.rest()
		prefix := tt.component + ": "
		if list := before.differences(b.digest()); !slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(s, prefix) }) {
			t.Errorf("%s, %s: it differs by %q", tt.component, tt.name, list)
		}
	}
	before := digestOf(in, 0, 0)
	in.Become(inst.Suspended)
	if len(before.differences(digestOf(in, 0, 0))) == 0 {
		t.Error("it doesn't differ when it is suspended")
	}
	in.Become(inst.Running)
	b.over()
}
