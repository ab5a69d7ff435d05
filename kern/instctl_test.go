package kern

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"mult/arch"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/host"
	"mult/kern/linux"
	"mult/kern/sched"
)

const callInstctl = 5001

// A managed world has a client in inst0's place: an instance below it, from which tests
// make instances.
type managed struct {
	*world
	come chan *client
	top  *client
}

func manage(t *testing.T) *managed {
	m := &managed{come: make(chan *client)}
	m.world = start(t, nil, clients(m.come))
	m.top = m.forkInst(m.k.inst0, "top")
	return m
}

// forkInst makes an instance, whose client it returns.
func (m *managed) forkInst(parent *inst.Inst, name string) *client {
	m.t.Helper()
	in := m.inst(parent, name)
	return m.arrived(in)
}

// arrived takes the client of an instance, to which the test has a reference.
func (m *managed) arrived(in *inst.Inst) *client {
	c := <-m.come
	c.in = in
	return c
}

// finish ends everything.
func (m *managed) finish(list ...*client) {
	m.t.Helper()
	for _, c := range append(list, m.top) {
		close(c.calls)
		m.gone(c.in)
	}
	m.world.finish()
}

// A control is a call of instctl(2) and what came back.
type control struct {
	abi.Instctl
	name, data string
	size       uint64 // of data, if there is more behind it
	n          int64
	text       string // of an error
	out        string
	value      uint64
}

// ctl makes a call of instctl(2).
func (c *client) ctl(x control) control {
	const size, nameAt, textAt, dataAt, end = abi.InstctlSize, 0x80, 0x400, 0x600, 0x1f00
	base := uint64(0x401000)
	x.Version = abi.InstctlVersion
	x.Name, x.NameLen = base+nameAt, uint64(len(x.name))
	x.Text, x.TextLen = base+textAt, dataAt-textAt
	x.Data, x.DataLen = base+dataAt, uint64(len(x.data))
	if x.data == "" {
		x.DataLen = end - dataAt
		if x.Op == abi.INST_CREATE || x.Op == abi.INST_SET {
			x.DataLen = 0
		}
	}
	if x.size != 0 {
		x.DataLen = x.size
	}
	b := make([]byte, end)
	x.Encode(b)
	copy(b[nameAt:], x.name)
	copy(b[dataAt:], x.data)
	x.n = c.call(b, callInstctl, base, size)
	back := c.memory(base, end)
	var a abi.Instctl
	a.Decode(back)
	x.value = a.Value
	if x.n < 0 {
		x.text, _, _ = strings.Cut(string(back[textAt:dataAt]), "\x00")
	} else if x.Op == abi.INST_GET || x.Op == abi.INST_DEBUG || x.Op == abi.INST_LIST || x.Op == abi.INST_PROCS {
		x.out = string(back[dataAt : dataAt+x.n])
	}
	return x
}

// field returns a value of what INST_GET tells.
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

func op(op uint32, name string) control {
	return control{Instctl: abi.Instctl{Op: op}, name: name}
}

// TestInstctl has an instance manage others.
func TestInstctl(t *testing.T) {
	m := manage(t)
	c := m.top
	must := func(x control) control {
		t.Helper()
		if x = c.ctl(x); x.n < 0 {
			t.Errorf("operation %d on %q: %d, %s", x.Op, x.name, x.n, x.text)
		}
		return x
	}

	// One that is made, looked at, started.
	x := op(abi.INST_CREATE, "web")
	x.data = "limit.frames 1000\nhost www\n\nlimit.heap none\nlimit.instances none"
	id := must(x).value
	web, err := c.in.Lookup("web")
	if err != nil || web.ID != id || web.State() != inst.Creating || host.Name(web) != "www" || web.OwnLimit(inst.Frames) != 1000 {
		t.Fatalf("%v, %v", web, err)
	}
	x = op(abi.INST_GET, "")
	x.ID, x.Flags = id, abi.INST_BYID
	got := must(x).out
	for name, want := range map[string]string{
		"id": fmt.Sprint(id), "name": "web", "parent": fmt.Sprint(c.in.ID), "state": "creating", "host": `"www"`, "domain": `"(none)"`,
		"processes": "0", "limit.frames": "1000", "limit.heap": "none", "limit.instances": "none", "used.instances": "0",
	} {
		if v := field(got, name); v != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
	must(op(abi.INST_START, "web"))
	w := m.arrived(web)
	if web.State() != inst.Running {
		t.Errorf("it is %v", web.State())
	}
	x = op(abi.INST_SET, "web")
	x.data = "domain example.org\nlimit.frames 2000\ncpu.weight 50\ncpu.cap 150"
	must(x)
	if w, c := sched.WeightOf(web), sched.CapOf(web); w != 50 || c != 150 {
		t.Errorf("it weighs %d, its cap is %d", w, c)
	}
	x.data = "cpu.cap none"
	must(x)
	if c := sched.CapOf(web); c != 0 {
		t.Errorf("its cap is %d", c)
	}
	if host.Domain(web) != "example.org" || host.Name(web) != "www" || web.OwnLimit(inst.Frames) != 2000 {
		t.Errorf("%s, %s, %d", host.Domain(web), host.Name(web), web.OwnLimit(inst.Frames))
	}
	must(op(abi.INST_SUSPEND, "web"))
	if web.State() != inst.Suspended {
		t.Errorf("it is %v", web.State())
	}
	must(op(abi.INST_RESUME, "web"))
	x = op(abi.INST_RENAME, "web")
	x.data = "www"
	must(x)
	if web.Path() != "top/www" {
		t.Errorf("it is %s", web.Path())
	}

	// One below it, made by the one above.
	x = op(abi.INST_SET, "www")
	x.data = "limit.instances 0"
	must(x)
	if x := w.ctl(op(abi.INST_CREATE, "test")); x.n != -int64(errno.EAGAIN) || x.text != "instance test: the limit of instances below www is reached; raise it, or destroy one" {
		t.Errorf("one too many: %d, %s", x.n, x.text)
	}
	x.data = "limit.instances 1"
	must(x)
	x = op(abi.INST_CREATE, "www/test")
	x.Flags = abi.INST_STARTED
	id = must(x).value
	test, err := web.Find(id)
	if err != nil {
		t.Fatal(err)
	}
	tc := m.arrived(test)
	if got := w.ctl(op(abi.INST_GET, "test")); field(got.out, "name") != "test" || field(got.out, "parent") != fmt.Sprint(web.ID) {
		t.Errorf("%d, %s", got.n, got.out)
	}
	// What is above isn't told.
	if got := w.ctl(op(abi.INST_GET, "")); field(got.out, "name") != "www" || strings.Contains(got.out, "parent") {
		t.Errorf("%d, %s", got.n, got.out)
	}
	// Their processes, one each.
	for _, name := range []string{"www", "www/test", ""} {
		x := op(abi.INST_PROCS, name)
		for range 2 {
			x = must(x)
			f := strings.Fields(x.out)
			if len(f) != 12 || f[0] != "1" || f[1] != "0" || f[2] != "0" || f[5] != "1" || f[9] == "0" || f[11] != `"instinit"` {
				t.Errorf("processes of %q: %q", name, x.out)
			}
			if x.value != 2 {
				t.Errorf("the next is %d", x.value)
			}
			x.Value, x.data = 0, ""
		}
		x.Value = 2
		if x = must(x); x.n != 0 {
			t.Errorf("more processes of %q: %q", name, x.out)
		}
	}
	must(op(abi.INST_KILL, "www/test"))
	close(tc.calls)
	m.gone(test)
	m.finish(w)
}

// TestInstctlErrors makes calls that are refused, and looks at number and sentence.
func TestInstctlErrors(t *testing.T) {
	m := manage(t)
	a := m.forkInst(m.top.in, "a")
	b := m.forkInst(m.top.in, "b")
	below := m.forkInst(a.in, "below")
	create := func(name, data string) control {
		x := op(abi.INST_CREATE, name)
		x.data = data
		return x
	}
	set := func(name, data string) control {
		x := op(abi.INST_SET, name)
		x.data = data
		return x
	}
	byID := func(o uint32, in *inst.Inst) control {
		x := op(o, "")
		x.Flags, x.ID = abi.INST_BYID, in.ID
		return x
	}
	rename := op(abi.INST_RENAME, "below")
	rename.data = "a b"
	flags := op(abi.INST_KILL, "below")
	flags.Flags = 1 << 20
	stop := op(abi.INST_STOP, "below")
	stop.Value = 1 << 63
	for _, tt := range []struct {
		x    control
		err  errno.Errno
		text string
	}{
		{op(99, "below"), errno.EINVAL, "there is no operation 99"},
		{op(0, "below"), errno.EINVAL, "there is no operation 0"},
		{flags, errno.EINVAL, "flags 0x100000 mean nothing for operation 4"},
		{stop, errno.EINVAL, "a stop can't take"},
		{create("below", ""), errno.EEXIST, "instance below is there already: it is running; use another name, or destroy it first"},
		{create("", ""), errno.EINVAL, "an instance needs a name"},
		{create("7", ""), errno.EINVAL, `"7" is no name`},
		{create("none/x", ""), errno.ESRCH, `there is no instance "none"`},
		{create(strings.Repeat("x", 600), ""), errno.EINVAL, "the name of the instance is longer"},
		{create("x", "hots y\n"), errno.EINVAL, "line 1: hots: there is no such setting"},
		{create("x", "host y\nlimit.frames -1\n"), errno.EINVAL, `line 2: limit.frames: "-1" is neither`},
		{create("x", "limit.x 1"), errno.EINVAL, "line 1: limit.x: there is no such limit"},
		{create("x", "cpu.weight 0"), errno.EINVAL, `line 1: cpu.weight: "0" is no number`},
		{create("x", "cpu.cap 0"), errno.EINVAL, `line 1: cpu.cap: "0" is neither`},
		{create("x", "host"), errno.EINVAL, "line 1: host: a name of 1 to 64 bytes"},
		{create("x", strings.Repeat("\n", 5000)), errno.EINVAL, "what is set is longer"},
		{create("x", "limit.frames 5"), 0, ""}, // may not be enough, but is made or refused by memory
		{set("below", "limit.frames x"), errno.EINVAL, "line 1: limit.frames"},
		{rename, errno.EINVAL, `"a b" is no name`},
		{op(abi.INST_START, "below"), errno.EBUSY, "instance below is running, and can't be started"},
		{op(abi.INST_RESUME, "below"), errno.EBUSY, "instance below is running, so it can't become running"},
		// Itself, and what isn't below.
		{op(abi.INST_KILL, ""), errno.EPERM, "an instance is managed from above it"},
		{op(abi.INST_SET, ""), errno.EPERM, "an instance is managed from above it"},
		{op(abi.INST_KILL, "b"), errno.ESRCH, `there is no instance "b"`},
		{op(abi.INST_GET, "top"), errno.ESRCH, `there is no instance "top"`},
		{byID(abi.INST_KILL, b.in), errno.ESRCH, fmt.Sprintf("there is no instance %d", b.in.ID)},
		{byID(abi.INST_GET, m.k.inst0), errno.ESRCH, "there is no instance 0"},
		{byID(abi.INST_GET, m.top.in), errno.ESRCH, fmt.Sprintf("there is no instance %d", m.top.in.ID)},
		{byID(abi.INST_WATCH, m.top.in), errno.ESRCH, fmt.Sprintf("there is no instance %d", m.top.in.ID)},
	} {
		x := a.ctl(tt.x)
		if tt.err == 0 {
			if x.n < 0 && errno.Errno(-x.n) != errno.ENOMEM && errno.Errno(-x.n) != errno.ENFILE {
				t.Errorf("operation %d on %q: %d, %s", x.Op, x.name, x.n, x.text)
			}
			continue
		}
		if x.n != -int64(tt.err) || !strings.HasPrefix(x.text, tt.text) {
			t.Errorf("operation %d on %q: %d, %q; want %v, %q", x.Op, x.name, x.n, x.text, tt.err, tt.text)
		}
	}
	// The argument itself.
	for _, tt := range []struct {
		size    uint64
		version byte
		last    byte
		err     errno.Errno
	}{
		{abi.InstctlSize - 1, 1, 0, errno.EINVAL},
		{abi.InstctlSize, 2, 0, errno.EINVAL},
		{abi.InstctlSize + 8, 1, 0, 0},
		{abi.InstctlSize + 8, 1, 1, errno.E2BIG},
		{5000, 1, 0, errno.E2BIG},
	} {
		x := abi.Instctl{Version: uint32(tt.version), Op: abi.INST_GET, Data: 0x402000, DataLen: 4000}
		data := make([]byte, abi.InstctlSize+8)
		x.Encode(data)
		data[abi.InstctlSize] = tt.last
		if n := a.call(data, callInstctl, 0x401000, tt.size); tt.err != 0 && n != -int64(tt.err) || tt.err == 0 && n <= 0 {
			t.Errorf("%d bytes, version %d: %d, want %v", tt.size, tt.version, n, tt.err)
		}
	}
	if n := a.call(nil, callInstctl, 0x10, abi.InstctlSize); n != -int64(errno.EFAULT) {
		t.Errorf("at no memory: %d", n)
	}
	// A user.
	const setuid = 105
	if n := below.call(nil, setuid, 1000); n != 0 {
		t.Fatal(n)
	}
	if x := below.ctl(op(abi.INST_GET, "")); field(x.out, "name") != "below" {
		t.Errorf("a user asks about his own instance: %d, %s", x.n, x.text)
	}
	for _, x := range []control{create("x", ""), op(abi.INST_LIST, ""), op(abi.INST_GET, "x")} {
		if x := below.ctl(x); x.n != -int64(errno.EPERM) && x.n != -int64(errno.ESRCH) {
			t.Errorf("a user makes operation %d: %d", x.Op, x.n)
		}
	}
	// He isn't told which instances there are, either.
	if n := a.call(nil, setuid, 1000); n != 0 {
		t.Fatal(n)
	}
	for _, x := range []control{op(abi.INST_GET, "below"), op(abi.INST_GET, "none"), byID(abi.INST_KILL, below.in), byID(abi.INST_KILL, b.in)} {
		if x := a.ctl(x); x.n != -int64(errno.EPERM) {
			t.Errorf("a user makes operation %d on %q, %d: %d, %s", x.Op, x.name, x.ID, x.n, x.text)
		}
	}
	if x := a.ctl(byID(abi.INST_GET, a.in)); field(x.out, "name") != "a" {
		t.Errorf("a user asks about his own instance by its number: %d, %s", x.n, x.text)
	}
	m.finish(below, a, b)
}

// TestCreateUntold makes an instance with an argument that can't be written: there is none,
// since nobody could be told its number.
func TestCreateUntold(t *testing.T) {
	m := manage(t)
	c := m.top
	const at, name = 0x401000, "x"
	b := make([]byte, abi.InstctlSize, 4096)
	a := abi.Instctl{Version: abi.InstctlVersion, Op: abi.INST_CREATE, Name: at + abi.InstctlSize, NameLen: uint64(len(name))}
	a.Encode(b)
	if n := c.call(append(b, name...), nrMprotect, at, arch.PageSize, 1); n != 0 {
		t.Fatal(n)
	}
	if n := c.call(nil, callInstctl, at, abi.InstctlSize); n != -int64(errno.EFAULT) {
		t.Error(n)
	}
	if in, err := c.in.Lookup(name); err == nil {
		t.Error("there is an instance")
		m.k.Kill(in)
		m.gone(in)
	}
	if n := c.call(nil, nrMprotect, at, arch.PageSize, 3); n != 0 {
		t.Fatal(n)
	}
	m.finish()
}

// TestInstctlList lists many instances, with little room.
func TestInstctlList(t *testing.T) {
	m := manage(t)
	a := m.forkInst(m.top.in, "a")
	b := m.forkInst(m.top.in, "b")
	const n = 30
	for i := range n {
		in, err := m.k.Create(nil, a.in, fmt.Sprintf("i%d", i), linux.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		in.Release()
	}
	list := func(c *client, change bool) (names []string) {
		x := op(abi.INST_LIST, "")
		x.Value = ^uint64(0)
		for calls := 0; ; calls++ {
			x.data = ""
			got := c.ctl(x)
			if got.n < 0 {
				t.Fatal(got.text)
			}
			if got.n == 0 {
				if calls < 2 && len(names) > 5 {
					t.Errorf("all at once, %d", calls)
				}
				return names
			}
			for block := range strings.SplitSeq(strings.TrimSuffix(got.out, "\n\n"), "\n\n") {
				names = append(names, field(block, "name"))
			}
			x.Value = got.value
			if change && calls == 0 { // some go that have been seen, and one that hasn't
				for _, name := range []string{names[0], names[len(names)-1], "i0"} {
					in, err := a.in.Lookup(name)
					if err != nil {
						t.Fatal(err)
					}
					m.k.Kill(in)
					m.gone(in)
				}
			}
		}
	}
	var want []string
	for i := n - 1; i >= 0; i-- {
		want = append(want, fmt.Sprintf("i%d", i))
	}
	if got := list(a, false); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := list(a, true); !slices.Equal(got, want[:n-1]) {
		t.Errorf("%q while some go, want %q", got, want[:n-1])
	}
	if got := list(b, false); len(got) != 0 {
		t.Errorf("another one sees %q", got)
	}
	if got := list(m.top, false); len(got) != n-3+2 || !slices.Contains(got, "b") {
		t.Errorf("the one above sees %q", got)
	}
	m.finish(a, b)
}

// TestInstWatch reads the states of an instance.
func TestInstWatch(t *testing.T) {
	m := manage(t)
	c := m.top
	in, err := m.k.Create(nil, c.in, "a", linux.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	const callPoll, nonblock = 7, 0o4000
	fd := c.ctl(op(abi.INST_WATCH, "a")).n
	if fd < 0 {
		t.Fatal(fd)
	}
	c.call(nil, nrFcntl, uint64(fd), 4, nonblock)
	want := func(state uint32, exit uint32) {
		t.Helper()
		n := c.call(nil, nrRead, uint64(fd), 0x401000, abi.InstStateSize)
		var s abi.InstState
		s.Decode(c.memory(0x401000, abi.InstStateSize))
		if n != abi.InstStateSize || s.ID != in.ID || s.State != state || s.Exit != exit {
			t.Errorf("%d, %+v; want %d, %d", n, s, state, exit)
		}
		if n := c.call(nil, nrRead, uint64(fd), 0x401000, abi.InstStateSize); state != abi.INST_DEAD && n != -int64(errno.EAGAIN) || state == abi.INST_DEAD && n != 0 {
			t.Errorf("there is more: %d", n)
		}
	}
	// wait polls until there is something to read.
	wait := func() {
		t.Helper()
		if n := c.call([]byte{byte(fd), 0, 0, 0, 1, 0, 0, 0}, callPoll, 0x401000, 1, 60000); n != 1 {
			t.Errorf("poll: %d", n)
		}
	}
	want(abi.INST_CREATING, 0)
	if err := m.k.Start(nil, in.Retain(), nil); err != nil {
		t.Fatal(err)
	}
	in.Release() // of Start
	a := m.arrived(in)
	want(abi.INST_RUNNING, 0)
	in.Become(inst.Suspended)
	want(abi.INST_SUSPENDED, 0)
	in.Become(inst.Running)
	if n := c.call(nil, nrRead, uint64(fd), 0x401000, abi.InstStateSize-1); n != -int64(errno.EINVAL) {
		t.Errorf("too little room: %d", n)
	}
	wait()
	want(abi.INST_RUNNING, 0)
	m.k.Kill(in)
	wait()
	close(a.calls)
	m.gone(in)
	want(abi.INST_DEAD, 9)
	// It has kept nothing.
	again, err := m.k.Create(nil, c.in, "a", linux.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	again.Release()
	for s, name := range []string{abi.INST_CREATING: "creating", abi.INST_RUNNING: "running", abi.INST_SUSPENDED: "suspended", abi.INST_STOPPING: "stopping", abi.INST_DEAD: "dead"} {
		if inst.State(s).String() != name {
			t.Errorf("state %d is %v, want %s", s, inst.State(s), name)
		}
	}
	m.finish()
}
