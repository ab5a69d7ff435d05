package kern

import (
	"regexp"
	"strings"
	"testing"

	"mult/kern/proc"
)

const callSyslog = 103

// log returns what syslog(2) tells, without the times, which it checks, in up to room bytes.
func (c *client) log(t *testing.T, room uint64) string {
	t.Helper()
	n := c.call(nil, callSyslog, 3, spare, room)
	if n < 0 || uint64(n) > room {
		t.Fatal(n)
	}
	text := string(c.memory(spare, int(n)))
	stamp := regexp.MustCompile(`(?m)^<\d>\[ {4}\d\.\d{6}\] `) // seconds since the instance began
	if a, b := strings.Count(text, "\n"), len(stamp.FindAllString(text, -1)); a != b {
		t.Errorf("%d lines, %d times: %s", a, b, text)
	}
	return stamp.ReplaceAllString(text, "")
}

// TestLog has each instance read what the kernel has logged about it and those below it.
func TestLog(t *testing.T) {
	m := manage(t)
	a, b := m.forkInst(m.top.in, "a"), m.forkInst(m.top.in, "b")
	x := m.forkInst(a.in, "x")
	m.k.proc.Logf(a.in, "of a/b: it\nb: has %d lines", 2)
	m.k.proc.Logf(m.top.in, "of top")
	m.k.Log.Noticef("a: of the machine")
	proc.TableOf(x.in).Kill(proc.SIGKILL)
	m.gone(x.in)
	const ofA, ofX = "of a/b: it b: has 2 lines\n", "ended by itself: process 1 was killed by signal 9\n"
	for _, tt := range []struct {
		c    *client
		want string
	}{
		{a, ofA + "x: " + ofX},
		{b, ""},
		{m.top, "a: " + ofA + "of top\na/x: " + ofX},
	} {
		if got := tt.c.log(t, 1000); got != tt.want {
			t.Errorf("%s reads %q, want %q", tt.c.in.Name(), got, tt.want)
		}
	}
	if s := m.log.String(); !strings.Contains(s, "top/a: "+ofA) || !strings.Contains(s, "a: of the machine\n") {
		t.Errorf("the machine's log: %s", s)
	}
	// As many of the last lines as there is room for.
	unread := a.call(nil, callSyslog, 9)
	if got := a.log(t, uint64(unread)); got != ofA+"x: "+ofX {
		t.Errorf("%d bytes: %q", unread, got)
	}
	if got := a.log(t, uint64(unread-1)); got != "x: "+ofX {
		t.Errorf("%d bytes: %q", unread-1, got)
	}
	if got := a.log(t, 10); got != "" {
		t.Errorf("10 bytes: %q", got)
	}
	if n := a.call(nil, callSyslog, 10); n != int64(m.k.Log.Size()) {
		t.Errorf("size of the log: %d", n)
	}
	const einval, eperm, efault = -22, -1, -14
	for _, typ := range []uint64{2, 4, 5, 6, 7, 8, 11} {
		if n := a.call(nil, callSyslog, typ, spare, 100); n != einval {
			t.Errorf("type %d: %d", typ, n)
		}
	}
	if n := a.call(nil, callSyslog, 3, 0x10, 1000); n != efault {
		t.Errorf("into nothing: %d", n)
	}
	a.call(nil, callSetuid, 1000)
	if n := a.call(nil, callSyslog, 3, spare, 1000); n != eperm {
		t.Errorf("for a user: %d", n)
	}
	m.finish(a, b)
}
