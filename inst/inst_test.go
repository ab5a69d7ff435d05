package inst

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mult/kern/errno"
)

type part struct{ n int }

var (
	slotA = NewSlot[part]()
	slotB = NewSlot[part]()
)

// world has members that log what happens to them, and that fail when they are told.
type world struct {
	t    *testing.T
	sys  *System
	log  []string
	fail string // member that can't be allocated
}

var errNo = errors.New("no")

func newWorld(t *testing.T) *world {
	w := &world{t: t}
	var members []Member
	for _, name := range []string{"a", "b", "c"} {
		members = append(members, Member{
			Name: name,
			Alloc: func(in, parent *Inst) error {
				switch w.fail {
				case name:
					return errNo
				case "panic " + name:
					panic("deliberate")
				}
				if !in.Charge(Heap, 100) {
					return errno.ENOMEM
				}
				w.log = append(w.log, "make "+name)
				if name == "c" {
					return nil
				}
				p := &part{}
				if parent != nil {
					p.n = w.slot(name).Of(parent).n + 1
				}
				w.slot(name).Set(in, p)
				return nil
			},
			Free: func(in *Inst) {
				w.log = append(w.log, "free "+name)
				in.Uncharge(Heap, 100)
				if name != "c" {
					w.slot(name).Set(in, nil)
				}
			},
		})
	}
	w.sys = NewSystem(members)
	return w
}

func (w *world) slot(name string) Slot[part] {
	if name == "a" {
		return slotA
	}
	return slotB
}

// inst makes an instance that must be possible.
func (w *world) inst(parent *Inst, name string) *Inst {
	w.t.Helper()
	in, err := w.sys.New(parent, name)
	if err != nil {
		w.t.Fatal(err)
	}
	return in
}

// names are those that a walk meets.
func (w *world) names() (names []string) {
	for in := w.sys.First(); in != nil; in = in.Next() {
		names = append(names, in.Name())
	}
	return names
}

// TestMembers makes members in order and unmakes them in reverse; those of two
// instances have nothing in common.
func TestMembers(t *testing.T) {
	w := newWorld(t)
	in := w.inst(nil, "one")
	kid := w.inst(in, "two")
	if slotA.Of(kid).n != 1 || slotA.Of(in).n != 0 {
		t.Errorf("parts %v, %v", slotA.Of(in), slotA.Of(kid))
	}
	slotA.Of(kid).n = 7
	if slotA.Of(in).n != 0 || slotB.Of(kid).n != 1 {
		t.Error("parts are shared")
	}
	kid.Release()
	in.Release()
	if slotA.Of(in) != nil {
		t.Error("a part is left")
	}
	made := []string{"make a", "make b", "make c"}
	freed := []string{"free c", "free b", "free a"}
	if want := slices.Concat(made, made, freed, freed); !slices.Equal(w.log, want) {
		t.Errorf("%q, want %q", w.log, want)
	}
}

// TestUnwind has every step of the making of an instance fail, and looks for what is
// left.
func TestUnwind(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(w *world, parent *Inst)
		want    error
		log     string
	}{
		{"its name is taken", func(w *world, p *Inst) { w.inst(p, "new"); w.log = nil }, errno.EEXIST, ""},
		{"no name", func(w *world, p *Inst) { w.fail = "name" }, errno.EINVAL, ""},
		{"no memory for it", func(w *world, p *Inst) { p.SetLimit(Heap, p.Used(Heap)+instCharge-1) }, errno.ENOMEM, ""},
		{"too many", func(w *world, p *Inst) { p.SetLimit(Instances, 0) }, errno.EAGAIN, ""},
		{"parent ends", func(w *world, p *Inst) { p.Become(Stopping) }, errno.EBUSY, ""},
		{"parent begins to end", func(w *world, p *Inst) { w.fail = "end parent" }, errno.EBUSY, "make a, make b, make c, free c, free b, free a"},
		{"first member", func(w *world, p *Inst) { w.fail = "a" }, errNo, ""},
		{"second member", func(w *world, p *Inst) { w.fail = "b" }, errNo, "make a, free a"},
		{"third member", func(w *world, p *Inst) { w.fail = "c" }, errNo, "make a, make b, free b, free a"},
		{"a member's charge", func(w *world, p *Inst) { p.SetLimit(Heap, p.Used(Heap)+instCharge+299) }, errno.ENOMEM, "make a, make b, free b, free a"},
		{"a member's panic", func(w *world, p *Inst) { w.fail = "panic c" }, nil, "make a, make b, free b, free a"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			root := w.inst(nil, "root")
			parent := w.inst(root, "parent")
			w.log = nil
			tt.prepare(w, parent)
			walk, heap, insts, refs := w.names(), root.Used(Heap), root.Used(Instances), parent.Refs()
			name := "new"
			switch w.fail {
			case "name":
				name = "7"
			case "end parent":
				alloc := w.sys.members[2].Alloc
				w.sys.members[2].Alloc = func(in, p *Inst) error {
					p.Become(Stopping)
					return alloc(in, p)
				}
			}
			in, err := func() (in *Inst, err error) {
				defer func() {
					if r := recover(); r != nil && tt.want != nil {
						t.Errorf("panic: %v", r)
					}
				}()
				return w.sys.New(parent, name)
			}()
			if in != nil || !errors.Is(err, tt.want) {
				t.Errorf("%v, %v; want %v", in, err, tt.want)
			}
			if got := strings.Join(w.log, ", "); got != tt.log {
				t.Errorf("members: %q, want %q", got, tt.log)
			}
			if got := w.names(); !slices.Equal(got, walk) || w.sys.Count() != len(walk) {
				t.Errorf("a walk meets %q, before it was %q", got, walk)
			}
			if root.Used(Heap) != heap || root.Used(Instances) != insts || parent.Refs() != refs {
				t.Errorf("%d bytes, %d instances, %d references; before it was %d, %d, %d",
					root.Used(Heap), root.Used(Instances), parent.Refs(), heap, insts, refs)
			}
			// It can be made when nothing is in the way.
			if tt.want == errno.EEXIST || tt.want == errno.EBUSY {
				return
			}
			w.fail = ""
			parent.SetLimit(Heap, NoLimit)
			parent.SetLimit(Instances, NoLimit)
			w.inst(parent, "new").Release()
		})
	}
}

// TestFaults has members that aren't empty when they are freed: that is told, and all
// the rest happens nevertheless.
func TestFaults(t *testing.T) {
	for _, bad := range [][]string{{"a"}, {"c"}, {"a", "b", "c"}, nil} {
		w := newWorld(t)
		root := w.inst(nil, "root")
		for i := range w.sys.members {
			m := &w.sys.members[i]
			if free := m.Free; slices.Contains(bad, m.Name) {
				m.Free = func(in *Inst) {
					free(in)
					panic("not empty: " + m.Name)
				}
			}
		}
		in := w.inst(root, "bad")
		if bad == nil {
			in.Charge(Frames, 1)
		}
		w.log = nil
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%v: no panic", bad)
				}
			}()
			in.Release()
		}()
		if want := []string{"free c", "free b", "free a"}; !slices.Equal(w.log, want) || in.State() != Dead || w.sys.Count() != 1 || root.Refs() != 1 {
			t.Errorf("%v: %q, want %q; it is %v, %d instances, %d references", bad, w.log, want, in.State(), w.sys.Count(), root.Refs())
		}
		if _, err := root.Lookup("bad"); !errors.Is(err, errno.ESRCH) {
			t.Errorf("%v: %v", bad, err)
		}
	}
}

// TestStates tries all transitions, with one who watches.
func TestStates(t *testing.T) {
	ways := map[State][]State{
		Creating:  nil,
		Running:   {Running},
		Suspended: {Running, Suspended},
		Stopping:  {Stopping},
		Dead:      {Stopping, Dead},
	}
	may := map[State][]State{
		Creating:  {Running, Stopping},
		Running:   {Suspended, Stopping},
		Suspended: {Running, Stopping},
		Stopping:  {Dead},
	}
	for from, way := range ways {
		for to := Creating; to <= Dead; to++ {
			w := newWorld(t)
			var told []string
			w.sys.Changed = func(in *Inst, from, to State) { told = append(told, fmt.Sprint(from, " ", to)) }
			in := w.inst(nil, "one")
			for _, s := range way {
				if err := in.Become(s); err != nil {
					t.Fatal(err)
				}
			}
			told = nil
			var seen []State
			watch, was := in.Watch(func(s State) { seen = append(seen, s) })
			if was != from {
				t.Errorf("%v before the first transition, want %v", was, from)
			}
			err := in.Become(to)
			if slices.Contains(may[from], to) {
				if err != nil || in.State() != to || !slices.Equal(seen, []State{to}) || len(told) != 1 || told[0] != fmt.Sprint(from, " ", to) {
					t.Errorf("%v to %v: %v; now %v, seen %v, told %v", from, to, err, in.State(), seen, told)
				}
			} else if !errors.Is(err, errno.EBUSY) || in.State() != from || seen != nil || told != nil {
				t.Errorf("%v to %v: %v; now %v, seen %v, told %v", from, to, err, in.State(), seen, told)
			}
			in.Unwatch(watch)
			seen = nil
			if from == Creating && to == Running {
				if err := in.Become(Stopping, Suspended, Creating); !errors.Is(err, errno.EBUSY) || in.State() != Running {
					t.Errorf("Running to Stopping, but only from others: %v", err)
				}
				if err := in.Become(Suspended, Suspended, Running); err != nil || in.State() != Suspended {
					t.Errorf("from one of those that are allowed: %v", err)
				}
			}
			for s := Creating; s <= Dead; s++ {
				in.Become(s)
			}
			if seen != nil {
				t.Errorf("seen after Unwatch: %v", seen)
			}
		}
	}
}

// TestFind looks for instances from each of them: who is not below isn't there.
func TestFind(t *testing.T) {
	w := newWorld(t)
	all := map[string]*Inst{}
	all["root"] = w.inst(nil, "root")
	all["web"] = w.inst(all["root"], "web")
	all["db"] = w.inst(all["root"], "db")
	all["test"] = w.inst(all["web"], "test")
	for _, tt := range []struct {
		viewer string
		ids    []string
		paths  map[string]string
	}{
		{"root", []string{"root", "web", "db", "test"}, map[string]string{"web": "web", "db": "db", "web/test": "test", "test": "", "": "", "web/": "", "/web": "", "root": ""}},
		{"web", []string{"web", "test"}, map[string]string{"test": "test", "web": "", "db": "", "..": ""}},
		{"db", []string{"db"}, map[string]string{"test": "", "web/test": ""}},
		{"test", []string{"test"}, nil},
	} {
		viewer := all[tt.viewer]
		if path := map[string]string{"test": "web/test"}[tt.viewer]; path != "" && viewer.Path() != path || path == "" && viewer.Path() != tt.viewer {
			t.Errorf("the path of %s is %s", tt.viewer, viewer.Path())
		}
		for name, in := range all {
			got, err := viewer.Find(in.ID)
			if slices.Contains(tt.ids, name) {
				if got != in || err != nil {
					t.Fatalf("%s finds %v for %s: %v", tt.viewer, got, name, err)
				}
				got.Release()
			} else if none := errText(viewer.Find(in.ID + 1000)); got != nil || !errors.Is(err, errno.ESRCH) ||
				err.Error() != strings.ReplaceAll(none, fmt.Sprint(in.ID+1000), fmt.Sprint(in.ID)) {
				t.Errorf("%s, for %s: %v, %v; for one that there isn't: %s", tt.viewer, name, got, err, none)
			}
		}
		for path, name := range tt.paths {
			got, err := viewer.Lookup(path)
			if got != all[name] || (name == "") != errors.Is(err, errno.ESRCH) {
				t.Errorf("%s finds %v at %q: %v", tt.viewer, got, path, err)
			}
			if got != nil {
				got.Release()
			}
		}
	}
	// A name may be used again, an id may not.
	id := all["db"].ID
	all["db"].Release()
	if _, err := all["root"].Lookup("db"); !errors.Is(err, errno.ESRCH) {
		t.Errorf("one that has ended: %v", err)
	}
	if again := w.inst(all["root"], "db"); again.ID <= id {
		t.Errorf("id %d after %d", again.ID, id)
	}
	if _, err := all["root"].Find(id); !errors.Is(err, errno.ESRCH) {
		t.Errorf("one that has ended, by id: %v", err)
	}
}

// TestRename gives instances other names.
func TestRename(t *testing.T) {
	w := newWorld(t)
	root := w.inst(nil, "root")
	a, b := w.inst(root, "a"), w.inst(root, "b")
	w.inst(a, "b")
	for _, tt := range []struct {
		in   *Inst
		name string
		err  error
		want string
	}{
		{a, "b", errno.EEXIST, "a"},
		{a, "a", nil, "a"},
		{a, "1", errno.EINVAL, "a"},
		{a, "c", nil, "c"},
		{b, "a", nil, "a"},
		{root, "other", errno.EBUSY, "root"},
	} {
		if err := tt.in.Rename(tt.name); !errors.Is(err, tt.err) || tt.in.Name() != tt.want {
			t.Errorf("%s: %v; it is %s, want %v, %s", tt.name, err, tt.in.Name(), tt.err, tt.want)
		}
	}
	for path, in := range map[string]*Inst{"c": a, "a": b, "b": nil, "a/b": nil} {
		got, err := root.Lookup(path)
		if got != in {
			t.Errorf("%s: %v, %v", path, got, err)
		}
		if got != nil {
			got.Release()
		}
	}
	a.Children()[0].Release() // of Children
	b.Release()
	w.inst(root, "a").Release()
}

func errText(_ *Inst, err error) string { return err.Error() }

func TestNames(t *testing.T) {
	w := newWorld(t)
	root := w.inst(nil, "root")
	for _, name := range []string{"a", "_", "Web-1.example_x", strings.Repeat("x", MaxName)} {
		if in, err := w.sys.New(root, name); err != nil || in.Name() != name {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"", "1a", "-a", ".a", "a/b", "a b", "ä", "a\x00", strings.Repeat("x", MaxName+1)} {
		if in, err := w.sys.New(root, name); in != nil || !errors.Is(err, errno.EINVAL) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for depth, in := 1, root; depth <= MaxDepth+1; depth++ {
		kid, err := w.sys.New(in, "kid")
		if (depth > MaxDepth) != errors.Is(err, errno.EAGAIN) {
			t.Errorf("depth %d: %v", depth, err)
		}
		in = kid
	}
	if _, err := w.sys.New(nil, "other"); !errors.Is(err, errno.EEXIST) {
		t.Errorf("a second inst0: %v", err)
	}
}

// TestWalk removes instances while walks stand at them.
func TestWalk(t *testing.T) {
	w := newWorld(t)
	root := w.inst(nil, "root")
	var list []*Inst
	for i := range 6 {
		list = append(list, w.inst(root, fmt.Sprintf("i%d", i)))
	}
	if got, want := w.names(), []string{"i5", "i4", "i3", "i2", "i1", "i0", "root"}; !slices.Equal(got, want) {
		t.Fatalf("%q, want %q", got, want)
	}
	at := w.sys.First().Next().Next() // i3
	list[3].Release()
	list[2].Release()
	list[4].Release()
	w.inst(root, "new")
	var rest []string
	for in := at.Next(); in != nil; in = in.Next() {
		if in.State() != Dead {
			rest = append(rest, in.Name())
		}
	}
	if want := []string{"i1", "i0", "root"}; !slices.Equal(rest, want) {
		t.Errorf("the walk goes on with %q, want %q", rest, want)
	}
	if got, want := w.names(), []string{"new", "i5", "i1", "i0", "root"}; !slices.Equal(got, want) {
		t.Errorf("a new walk: %q, want %q", got, want)
	}
	n := 0
	if a := testing.AllocsPerRun(100, func() {
		for in := w.sys.First(); in != nil; in = in.Next() {
			n++
		}
	}); a != 0 {
		t.Errorf("a walk allocates %v times", a)
	}
	// It takes no lock: here somebody has them.
	w.sys.mu.Lock()
	defer w.sys.mu.Unlock()
	if len(w.names()) != 5 {
		t.Error("a walk under the lock")
	}
}

// TestGoneKeepsNothing keeps an instance that has ended, as one does who watches it: an older
// one that ends later isn't kept by that.
func TestGoneKeepsNothing(t *testing.T) {
	w := newWorld(t)
	root := w.inst(nil, "root")
	collected := make(chan struct{})
	younger := func() *Inst {
		older := w.inst(root, "older")
		runtime.SetFinalizer(older, func(*Inst) { close(collected) })
		younger := w.inst(root, "younger")
		younger.Release()
		older.Release()
		return younger
	}()
	for range 100 {
		runtime.GC()
		select {
		case <-collected:
			if younger.Next() != root {
				t.Error("a walk that stands there doesn't go on with those that are left")
			}
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	t.Error("it is kept")
	runtime.KeepAlive(younger)
}

// TestConcurrent makes and ends instances on many goroutines, while others walk and
// look for them.
func TestConcurrent(t *testing.T) {
	sys := NewSystem([]Member{{
		Name:  "part",
		Alloc: func(in, _ *Inst) error { slotA.Set(in, &part{1}); return nil },
		Free: func(in *Inst) {
			if slotA.Of(in).n != 1 {
				panic("freed twice")
			}
			slotA.Set(in, nil)
		},
	}})
	root, err := sys.New(nil, "root")
	if err != nil {
		t.Fatal(err)
	}
	reaped := make(chan *Inst, 3000) // more than are made: who frees one may end its parent
	reaping := make(chan bool)
	sys.Reap = func(in *Inst) { reaped <- in }
	go func() {
		defer close(reaping)
		for in := range reaped {
			in.Free()
		}
	}()
	var makers, lookers sync.WaitGroup
	var stop atomic.Bool
	for g := range 4 {
		makers.Go(func() {
			for i := range 300 {
				in, err := sys.New(root, fmt.Sprintf("g%d_%d", g, i%50))
				if errors.Is(err, errno.EEXIST) {
					continue // its last one isn't freed yet
				}
				if err != nil {
					t.Error(err)
					return
				}
				kid, err := sys.New(in, "kid")
				if err != nil {
					t.Error(err)
				}
				in.Release()
				kid.Release()
			}
		})
	}
	for range 2 {
		lookers.Go(func() {
			for !stop.Load() {
				n := 0
				for in := sys.First(); in != nil; in = in.Next() {
					if in.TryRetain() {
						n += slotA.Of(in).n
						in.Release()
					}
				}
				if n == 0 {
					t.Error("a walk that didn't meet inst0")
					return
				}
				if in, err := root.Lookup("g1_7/kid"); err == nil {
					if slotA.Of(in).n != 1 {
						t.Error("one without its part")
					}
					in.Release()
				}
			}
		})
	}
	makers.Wait()
	stop.Store(true)
	lookers.Wait()
	for sys.Count() > 1 {
		runtime.Gosched()
	}
	close(reaped)
	<-reaping
	if sys.Count() != 1 || root.Refs() != 1 || root.Used(Instances) != 0 || root.Used(Heap) != 0 {
		t.Errorf("%d instances, %d references, %d below, %d bytes", sys.Count(), root.Refs(), root.Used(Instances), root.Used(Heap))
	}
}
