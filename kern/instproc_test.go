package kern

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
)

// names lists a directory.
func (c *client) names(path string) (names []string) {
	fd := c.str(callOpen, path, 0o200000)
	if fd < 0 {
		return []string{fmt.Sprint(fd)}
	}
	defer c.call(nil, callClose, uint64(fd))
	for {
		const room = 1500
		n := c.call(nil, nrGetdents64, uint64(fd), spare, room)
		if n <= 0 {
			return names
		}
		for b := c.memory(spare, int(n)); len(b) > 0; {
			size := int(b[16]) | int(b[17])<<8
			name, _, _ := strings.Cut(string(b[19:size]), "\x00")
			if name != "." && name != ".." {
				names = append(names, name)
			}
			b = b[size:]
		}
	}
}

// TestProcInst reads of instances in /proc/sys/kern/inst.
func TestProcInst(t *testing.T) {
	m := manage(t)
	a, b := m.forkInst(m.top.in, "a"), m.forkInst(m.top.in, "b")
	x := m.forkInst(a.in, "x")
	const dir = "/proc/sys/kern/inst/"
	id := func(c *client) string { return strconv.FormatUint(c.in.ID, 10) }
	for _, tt := range []struct {
		c           *client
		count, deep string
		below       []string
	}{
		{m.top, "3", "7", []string{id(a), id(b), id(x)}},
		{a, "1", "6", []string{id(x)}},
		{b, "0", "6", nil},
	} {
		if got := tt.c.names(dir + "below"); !slices.Equal(got, tt.below) {
			t.Errorf("below %s are %q, want %q", tt.c.in.Name(), got, tt.below)
		}
		if n, d := tt.c.content(dir+"count"), tt.c.content(dir+"depth"); n != tt.count+"\n" || d != tt.deep+"\n" {
			t.Errorf("%s: count %q, depth %q", tt.c.in.Name(), n, d)
		}
		if s := tt.c.content(dir + "self"); field(s, "name") != tt.c.in.Name() || field(s, "parent") != "" {
			t.Errorf("%s itself: %s", tt.c.in.Name(), s)
		}
		for _, o := range []*client{m.top, a, b, x} {
			s := tt.c.content(dir + "below/" + id(o))
			if got := field(s, "name"); (got == o.in.Name()) != slices.Contains(tt.below, id(o)) {
				t.Errorf("%s reads of %s: %q", tt.c.in.Name(), o.in.Name(), s)
			}
		}
	}
	// What is set is told at once, and is what instctl(2) tells.
	a.in.SetLimit(inst.Instances, 5)
	if s := a.content(dir + "max"); s != "5\n" {
		t.Errorf("max: %q", s)
	}
	a.in.SetLimit(inst.Files, 123)
	s := m.top.content(dir + "below/" + id(a))
	if field(s, "limit.files") != "123" || field(s, "state") != "running" {
		t.Errorf("after a limit was set: %s", s)
	}
	lines := func(s string) (names []string) {
		for l := range strings.Lines(s) {
			names = append(names, strings.Fields(l)[0])
		}
		return names
	}
	if want := m.top.ctl(op(abi.INST_GET, "a")).out; !slices.Equal(lines(s), lines(want)) {
		t.Errorf("instctl(2) tells\n%s\n/proc\n%s", want, s)
	}
	// An open file tells nothing of one that is gone.
	fd := a.str(callOpen, dir+"below/"+id(x), 0)
	m.k.Kill(x.in)
	gone := id(x)
	m.gone(x.in)
	if n := a.call(nil, nrRead, uint64(fd), spare, 100); n != -3 {
		t.Errorf("read of one that is gone: %d", n)
	}
	if n := a.str(callOpen, dir+"below/"+gone, 0); n != -2 {
		t.Errorf("open of one that is gone: %d", n)
	}
	// More than there is room for at once.
	var want []string
	var many []*inst.Inst
	for i := range 100 {
		in, err := m.k.Create(nil, b.in, fmt.Sprint("i", i), mayMake)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, strconv.FormatUint(in.ID, 10))
		many = append(many, in)
	}
	if got := b.names(dir + "below"); !slices.Equal(got, want) {
		t.Errorf("of 100: %q, want %q", got, want)
	}
	for _, in := range many {
		m.k.Kill(in)
		m.gone(in)
	}
	// Of those below, only who may manage them knows.
	m.top.call(nil, callSetuid, 1000)
	if n := m.top.str(callOpen, dir+"below", 0o200000); n != -13 {
		t.Errorf("a user opens the directory: %d", n)
	}
	if s := m.top.content(dir + "below/" + id(a)); field(s, "name") != "" {
		t.Errorf("a user reads %q", s)
	}
	if s := m.top.content(dir + "self"); field(s, "name") != "top" {
		t.Errorf("a user reads of his own: %q", s)
	}
	m.finish(a, b)
}

// TestExecLimited executes programs in an instance that may have no more of something.
func TestExecLimited(t *testing.T) {
	m := manageExec(t)
	c := m.top
	a := m.forkInst(c.in, "a")
	for _, tt := range []struct {
		limit, text string
		err         errno.Errno
	}{
		{"processes", "instance a: a limit of processes or threads, its own or one above, is reached", errno.EAGAIN},
		{"threads", "instance a: a limit of processes or threads, its own or one above, is reached", errno.EAGAIN},
		{"heap", "instance a: there is no memory for a process in it", errno.ENOMEM},
		{"frames", "instance a: there is no memory for a process in it", errno.ENOMEM},
	} {
		set := func(value string) {
			x := op(abi.INST_SET, "a")
			x.data = "limit." + tt.limit + " " + value
			if x = c.ctl(x); x.n != 0 {
				t.Error(x.n, x.text)
			}
		}
		set("1")
		if n, _, text := c.exec("a", "/bin/echo", abi.INST_EXEC); n != -int64(tt.err) || !strings.HasPrefix(text, tt.text) {
			t.Errorf("limit of %s: %d, %s", tt.limit, n, text)
		}
		set("none")
	}
	m.finish(a)
}
