package kern

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"mult/kern/abi"
	"mult/kern/internal/proctest"
	"mult/kern/proc"
)

// An isolationCase is something by which processes of one instance meet. One does
// something, and the other sees it; if that is in another instance, it must not.
type isolationCase struct {
	member string // whose state it is
	name   string
	do     func(c *client)
	sees   func(c, by *client) bool // by has done it
	never  bool                     // not even processes of one instance meet there
}

// imageFile is a file of the root image.
const imageFile = "/dir/file"

// metByNothing are the members by which no two processes meet, with the reason.
var metByNothing = map[string]string{
	"sched":   "it says when the instance's threads run; how much others have meanwhile is tested in kern/sched",
	"event":   "timers and what is waited for are reached by descriptors alone, and no instance sets the clock that they go by",
	"streams": "only instctl(2) comes there",
}

// pair makes two instances below one. The second one is an hour younger. If they are
// rooted, their roots are copies of one directory.
func pair(t *testing.T, rooted bool) (m *managed, a, b *client) {
	m = &managed{come: make(chan *client, 10)}
	m.world = start(t, map[string][]byte{
		imageFile[1:]:     []byte("text of a file"),
		"srv" + imageFile: []byte("text of a file"), "srv/sbin/instinit": program(entry(0)), "srv/init": program(entry(1)),
	}, clients(m.come))
	by, err := caller(m.k.inst0)
	if err != nil {
		t.Fatal(err)
	}
	defer by.FS.Release()
	// Nothing runs while the clock makes its step, which would count as used.
	init := proc.TableOf(m.k.inst0).Find(1)
	proctest.Until(func() bool { return init.Stat().State == 'S' })
	list := [3]*client{}
	parent := m.k.inst0
	for i, name := range []string{"top", "a", "b"} {
		set := mayMake
		if rooted && i > 0 {
			set.Root, set.Caller = "/srv", by
		}
		in, err := m.k.Create(nil, parent, name, set)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			parent = in
		}
		if i == 1 {
			m.ahead.Add(int64(time.Hour))
		}
		list[i] = &client{in: in}
	}
	for i, c := range list {
		if err := m.k.Start(nil, c.in, nil); err != nil {
			t.Fatal(err)
		}
		list[i] = m.arrived(c.in)
	}
	m.top = list[0]
	return m, list[1], list[2]
}

// end ends what pair has made.
func (m *managed) end(a, b *client) {
	for _, c := range []*client{a, b, m.top} {
		m.k.Kill(c.in)
	}
	for _, c := range []*client{a, b, m.top} {
		m.gone(c.in)
	}
	m.world.finish()
}

// TestIsolation has two processes do what lets them meet: in one instance they do, in two
// they don't.
func TestIsolation(t *testing.T) {
	members := make(map[string]bool)
	for _, tt := range slices.Concat(hostCases, procCases(), vfsCases(), lockCases(), ttyCases, instCases()) {
		members[tt.member] = true
		for _, way := range []string{"together", "apart", "apart in one root"} {
			together := way == "together"
			t.Run(fmt.Sprintf("%s/%s/%s", tt.member, tt.name, way), func(t *testing.T) {
				m, a, b := pair(t, way == "apart in one root")
				// Process 2 does it: of the same instance, or of the other one.
				with := a
				if !together {
					with = b
				}
				n, _, text := m.top.exec(with.in.Name(), instInit, abi.INST_EXEC)
				if n != 2 {
					t.Fatal(n, text)
				}
				c := m.arrived(with.in)
				c.pid = 2
				tt.do(c)
				if got := tt.sees(a, c); got != (together && !tt.never) {
					t.Errorf("seen: %v", got)
				}
				m.end(a, b)
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
