package kern

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"mult/inst"
	"mult/kern/internal/proctest"
	"mult/kern/proc"
)

// An isolationCase is something by which processes of one instance meet. One does
// something, and the other sees it; if that is in another instance, it must not.
type isolationCase struct {
	member string // whose state it is
	name   string
	do     func(c *client)
	sees   func(c *client) bool
}

// Numbers of system calls.
const (
	callOpen, callAccess, callFlock, callSetuid, callGetsid, callMknod = 2, 21, 73, 105, 124, 133
	callSetrlimit, callMount, callSethostname, callSetdomainname       = 160, 165, 170, 171
	callMkdir                                                          = 83
)

const oRDWR, oCREAT, oNONBLOCK = 2, 0o100, 0o4000

// str makes a call whose first argument is a string.
func (c *client) str(nr uint64, s string, args ...uint64) int64 {
	return c.call(append([]byte(s), 0), nr, append([]uint64{0x401000}, args...)...)
}

// uname returns a field of uname(2).
func (c *client) uname(i int) string {
	c.call(nil, nrUname, spare)
	s, _, _ := strings.Cut(string(c.memory(spare+uint64(65*i), 65)), "\x00")
	return s
}

// lock is the argument of fcntl(F_SETLK) for all of a file.
func lock() []byte {
	b := make([]byte, 32)
	b[0] = 1 // F_WRLCK
	return b
}

// imageFile is a file of the root image.
const imageFile = "/dir/file"

// isolationCases are for the members of an instance. The process that sees something is
// process 1 of its instance or process 2 of the other one's.
var isolationCases = []isolationCase{
	{"host", "host name",
		func(c *client) { c.str(callSethostname, "met", 3) },
		func(c *client) bool { return c.uname(1) == "met" }},
	{"host", "domain name",
		func(c *client) { c.str(callSetdomainname, "met", 3) },
		func(c *client) bool { return c.uname(5) == "met" }},
	{"proc", "process number",
		func(c *client) { c.call(nil, callFork) },
		func(c *client) bool { return c.call(nil, nrKill, 3, 0) == 0 }},
	{"proc", "session",
		func(c *client) {},
		func(c *client) bool { return c.call(nil, callGetsid, 2) == 2 }},
	{"proc", "count of a user's processes",
		func(c *client) { c.call(nil, callSetuid, 1000) },
		func(c *client) bool {
			limit := binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, 2), 2)
			c.call(limit, callSetrlimit, 6, 0x401000)
			c.call(nil, callSetuid, 1000)
			return c.call(nil, callFork) < 0
		}},
	{"vfs", "name of a file",
		func(c *client) { c.str(callMkdir, "/tmp/met", 0o777) },
		func(c *client) bool { return c.str(callAccess, "/tmp/met", 0) == 0 }},
	{"vfs", "mount",
		func(c *client) {
			c.str(callMkdir, "/dir/on", 0o777)
			c.call([]byte("tmpfs\x00/dir/on\x00"), callMount, 0x401000, 0x401006, 0x401000)
			c.str(callMkdir, "/dir/on/met", 0o777)
		},
		func(c *client) bool { return c.str(callAccess, "/dir/on/met", 0) == 0 }},
	{"vfs", "changed file of the image",
		func(c *client) {
			fd := c.str(callOpen, imageFile, oRDWR)
			c.call([]byte("met"), nrWrite, uint64(fd), 0x401000, 3)
		},
		func(c *client) bool {
			fd := c.str(callOpen, imageFile, 0)
			c.call(nil, nrRead, uint64(fd), spare, 3)
			return string(c.memory(spare, 3)) == "met"
		}},
	{"tmpfs", "FIFO",
		func(c *client) {
			c.str(callMknod, "/tmp/fifo", 0o10666, 0)
			c.str(callOpen, "/tmp/fifo", oRDWR)
		},
		func(c *client) bool { return c.str(callOpen, "/tmp/fifo", 1|oNONBLOCK) >= 0 }},
	{"file", "flock of a file of the image",
		func(c *client) { c.call(nil, callFlock, uint64(c.str(callOpen, imageFile, 0)), 2|4) },
		func(c *client) bool { return c.call(nil, callFlock, uint64(c.str(callOpen, imageFile, 0)), 2|4) < 0 }},
	{"file", "record lock of a file of the image",
		func(c *client) { c.call(lock(), nrFcntl, uint64(c.str(callOpen, imageFile, oRDWR)), 6, 0x401000) },
		func(c *client) bool {
			return c.call(lock(), nrFcntl, uint64(c.str(callOpen, imageFile, oRDWR)), 6, 0x401000) < 0
		}},
	{"futex", "futex in a page of the image",
		func(c *client) {
			at := uint64(c.call(nil, nrMmap, 0, 4096, 1, 1, uint64(c.str(callOpen, imageFile, 0)), 0))
			c.calls <- clientCall{nil, nrFutex, []uint64{at, 0, uint64(binary.LittleEndian.Uint32([]byte("text")))}}
			p := proc.TableOf(c.in).Find(max(c.pid, 1))
			proctest.Until(func() bool { return p.Stat().State == 'S' })
		},
		func(c *client) bool {
			at := uint64(c.call(nil, nrMmap, 0, 4096, 1, 1, uint64(c.str(callOpen, imageFile, 0)), 0))
			return c.call(nil, nrFutex, at, 1, 10) == 1
		}},
	{"tty", "pseudo terminal",
		func(c *client) { c.str(callOpen, "/dev/ptmx", oRDWR) },
		func(c *client) bool { return c.str(callAccess, "/dev/pts/0", 0) == 0 }},
}

// metByNothing are the members by which no two processes meet, with the reason.
var metByNothing = map[string]string{
	"sched":   "it says when the instance's threads run; how much others have meanwhile is tested in kern/sched",
	"life":    "only instctl(2) comes there",
	"event":   "it has what a process has opened, which others reach by descriptors alone",
	"vdso":    "it is read only",
	"streams": "only instctl(2) comes there",
}

// TestIsolation has two processes do what lets them meet: in one instance they do, in two
// they don't.
func TestIsolation(t *testing.T) {
	members := make(map[string]bool)
	for _, tt := range isolationCases {
		members[tt.member] = true
		for _, together := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s/%s/%v", tt.member, tt.name, together), func(t *testing.T) {
				m := &managed{come: make(chan *client, 10)}
				m.world = start(t, map[string][]byte{imageFile[1:]: []byte("text of a file")}, clients(m.come))
				m.top = m.forkInst(m.k.inst0, "top")
				a := m.forkInst(m.top.in, "a")
				b := m.forkInst(m.top.in, "b")
				// Process 2 does it: of the same instance, or of the other one.
				with := a
				if !together {
					with = b
				}
				n, _, text := m.top.exec(with.in.Name(), instInit, 0)
				if n != 2 {
					t.Fatal(n, text)
				}
				c := m.arrived(with.in)
				c.pid = 2
				tt.do(c)
				if got := tt.sees(a); got != together {
					t.Errorf("seen: %v", got)
				}
				for _, in := range []*inst.Inst{a.in, b.in, m.top.in} {
					m.k.Kill(in)
				}
				for _, c := range []*client{a, b, m.top} {
					m.gone(c.in)
				}
				m.world.finish()
			})
		}
	}
	w := start(t, nil, sleeps)
	for _, m := range w.k.members() {
		if why := metByNothing[m.Name]; members[m.Name] == (why != "") {
			t.Errorf("member %s has cases: %v; that there can be none: %q", m.Name, members[m.Name], why)
		}
	}
	w.finish()
}
