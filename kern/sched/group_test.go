package sched

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/proc"
)

// A node is an instance of a tree: with some threads that compute, and those below it.
type node struct {
	weight int // 0: as it is at first
	hogs   int
	long   int // pieces that a hog works at once; 0: one
	below  []*node

	in *inst.Inst
	id int // of its counter
}

// A tree is a world in which time is measured by phases.
type tree struct {
	*world
	root  *node
	nodes []*node // those above before those below
	phase atomic.Pointer[phase]
	each  atomic.Pointer[func()] // if set, a hog calls it after each piece
}

// A phase counts pieces of a millisecond, by node, until there are enough.
type phase struct {
	total atomic.Int64
	limit int64
	n     []atomic.Int64
}

func newTree(t *testing.T, cpus int, root *node) *tree {
	tr := &tree{world: newWorld(t, cpus), root: root}
	pause := func(th *proc.Thread, n *node) {
		for range n.hogs {
			tr.fork(th, func(c *proc.Thread) { tr.hog(c, n) })
		}
		for th.NextSignal().Kind != proc.DeliverExit {
			th.Pause()
		}
	}
	root.in = tr.start("root", func(th *proc.Thread) { pause(th, root) })
	Suspend(root.in) // until all are there
	var add func(n *node)
	add = func(n *node) {
		n.id = len(tr.nodes)
		tr.nodes = append(tr.nodes, n)
		for i, c := range n.below {
			c.in = insttest.Child(t, n.in, fmt.Sprintf("n%d", i))
			if c.weight != 0 {
				SetWeight(c.in, c.weight)
			}
			th, err := proc.ForkInst1(c.in)
			if err != nil {
				t.Fatal(err)
			}
			th.Ctx.BX = tr.program(func(th *proc.Thread) { pause(th, c) })
			tr.alive.Add(1)
			th.Start()
			add(c)
		}
	}
	add(root)
	hogs := 0 // those that ran already come back
	for _, n := range tr.nodes {
		hogs += n.hogs
	}
	for waiting := 0; waiting < hogs; time.Sleep(time.Millisecond) {
		waiting = 0
		tr.s.mu.Lock()
		for _, n := range tr.nodes {
			waiting += len(slot.Of(n.in).queue)
		}
		tr.s.mu.Unlock()
	}
	Resume(root.in)
	return tr
}

func (tr *tree) hog(c *proc.Thread, n *node) {
	long := max(n.long, 1)
	for tr.user(c, time.Duration(long)*time.Millisecond) {
		if p := tr.phase.Load(); p != nil {
			for range long {
				if i := p.total.Add(1); i > 0 && i <= p.limit {
					p.n[n.id].Add(1)
				}
			}
		}
		if f := tr.each.Load(); f != nil {
			(*f)()
		}
	}
}

// measure counts pieces, after some that don't count; it returns what each node had, with
// those below it.
func (tr *tree) measure(before, pieces int64) map[*node]int64 {
	p := &phase{limit: pieces, n: make([]atomic.Int64, len(tr.nodes))}
	p.total.Store(-before)
	tr.phase.Store(p)
	return tr.counts(p)
}

func (tr *tree) counts(p *phase) map[*node]int64 {
	for sum := int64(0); sum < p.limit; time.Sleep(time.Millisecond) {
		sum = 0
		for i := range p.n {
			sum += p.n[i].Load()
		}
	}
	got := make(map[*node]int64)
	var add func(n *node) int64
	add = func(n *node) int64 {
		sum := p.n[n.id].Load()
		for _, c := range n.below {
			sum += add(c)
		}
		got[n] = sum
		return sum
	}
	add(tr.root)
	return got
}

// end ends all instances, those below before those above.
func (tr *tree) end() {
	for i := len(tr.nodes) - 1; i >= 0; i-- {
		proc.TableOf(tr.nodes[i].in).Kill(proc.SIGKILL)
		tr.finish(1)
	}
}

// leaves makes n nodes with a hog each.
func leaves(n, weight int) (list []*node) {
	for range n {
		list = append(list, &node{weight: weight, hogs: 1})
	}
	return list
}

// TestTree has trees of instances; each node has its part of what the one above has.
func TestTree(t *testing.T) {
	chain := &node{hogs: 1}
	for range 7 {
		chain = &node{below: []*node{chain}}
	}
	parent := &node{hogs: 1, below: leaves(50, MaxWeight)}
	inner := &node{weight: 300, hogs: 2, below: []*node{
		{weight: 50, hogs: 1},
		{weight: 250, below: []*node{{hogs: 1}, {weight: 300, hogs: 3}}},
	}}
	for _, tt := range []struct {
		name  string
		below []*node
		hogs  int // of the root
		want  []int64
		of    []*node // whose; nil: the root's
	}{
		{name: "weights", below: []*node{{hogs: 1}, {weight: 200, hogs: 3}, {weight: 400, hogs: 1}}, want: []int64{700, 1400, 2800}},
		{name: "root", hogs: 2, below: []*node{{hogs: 1}, {weight: 200, hogs: 1}}, want: []int64{1000, 2000}},
		{name: "parent", below: []*node{parent, {hogs: 1}}, want: []int64{2000, 2000}},
		{name: "long calls", below: []*node{{hogs: 1, long: 50}, {hogs: 1}}, want: []int64{2000, 2000}},
		{name: "chain", below: []*node{chain, {hogs: 1}}, want: []int64{2000, 2000}},
		{name: "nested", below: []*node{{hogs: 1}, inner}, want: []int64{1500, 4500}},
		// Its own two threads weigh 100 of 400.
		{name: "inner", below: []*node{{hogs: 1}, inner}, of: inner.below, want: []int64{562, 2812}},
		{name: "innermost", below: []*node{{hogs: 1}, inner}, of: inner.below[1].below, want: []int64{703, 2109}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tr := newTree(t, 1, &node{hogs: tt.hogs, below: tt.below})
			pieces := int64(tt.hogs) * 500 // the root's own part
			if tt.of == nil {
				tt.of = tt.below
				for _, n := range tt.want {
					pieces += n
				}
			} else {
				pieces = 6000
			}
			got := tr.measure(500, pieces)
			for i, n := range tt.of {
				if !near(got[n], tt.want[i], 0.1) {
					t.Errorf("%d: it had %d of %d, not %d", i, got[n], pieces, tt.want[i])
				}
			}
			tr.end()
		})
	}
}

// TestThousand has a thread that computes in each of a thousand instances.
func TestThousand(t *testing.T) {
	const instances, each = 1000, 40
	tr := newTree(t, 1, &node{below: leaves(instances, 0)})
	got := tr.measure(20*instances, each*instances)
	for _, n := range tr.root.below {
		if !near(got[n], each, 0.25) {
			t.Errorf("one had %d, not %d", got[n], each)
		}
	}
	tr.end()
}

// TestTreeSuspended suspends one of two below another, then both: who stays has what the
// tree gives him, and when they go on, all have their shares again.
func TestTreeSuspended(t *testing.T) {
	upper := &node{below: []*node{{hogs: 2}, {hogs: 1}}}
	other := &node{hogs: 1}
	tr := newTree(t, 1, &node{below: []*node{upper, other}})
	check := func(what string, want ...int64) {
		t.Helper()
		got := tr.measure(50, 2000)
		for i, n := range []*node{upper.below[0], upper.below[1], other} {
			if got[n] != want[i] && !near(got[n], want[i], 0.1) {
				t.Errorf("%s: %d had %d, not %d", what, i, got[n], want[i])
			}
		}
	}
	for range 2 {
		check("all", 500, 500, 1000)
		Suspend(upper.below[0].in)
		check("one suspended", 0, 1000, 1000)
		Suspend(upper.in)
		check("two suspended", 0, 0, 2000)
		Resume(upper.below[0].in)
		check("the one above suspended", 0, 0, 2000)
		Resume(upper.in)
	}
	tr.end()
}

// TestLiveWeights changes weights while all compute, of one below another, too.
func TestLiveWeights(t *testing.T) {
	upper := &node{below: []*node{{hogs: 1}, {hogs: 1}}}
	other := &node{hogs: 1}
	tr := newTree(t, 1, &node{below: []*node{upper, other}})
	for _, tt := range []struct{ upper, first, second, other int }{
		{100, 100, 100, 100},
		{300, 100, 100, 100},
		{300, 200, 600, 100},
		{1000, 100, 300, 3000},
		{100, 100, 100, 100},
	} {
		SetWeight(upper.in, tt.upper)
		SetWeight(upper.below[0].in, tt.first)
		SetWeight(upper.below[1].in, tt.second)
		SetWeight(other.in, tt.other)
		got := tr.measure(500, 4000)
		both := 4000 * tt.upper / (tt.upper + tt.other)
		first := both * tt.first / (tt.first + tt.second)
		for n, want := range map[*node]int{upper: both, upper.below[0]: first, other: 4000 - both} {
			if !near(got[n], int64(want), 0.1) {
				t.Errorf("%+v: %d had %d, not %d", tt, n.id, got[n], want)
			}
		}
	}
	tr.end()
}

// TestHeavier gives more weight to one who has just had a turn with little: it doesn't wait
// until the others have had as much for theirs.
func TestHeavier(t *testing.T) {
	light, other := &node{weight: 1, hogs: 1}, &node{hogs: 1}
	tr := newTree(t, 1, &node{below: []*node{light, other}})
	r := &slot.Of(light.in).all
	p := &phase{limit: 200, n: make([]atomic.Int64, len(tr.nodes))}
	change := func() {
		if tr.phase.Load() == nil && r.vt.Load() > r.among.rivalVT.Load()+int64(250*time.Millisecond) {
			SetWeight(light.in, Weight)
			tr.phase.Store(p)
		}
	}
	tr.each.Store(&change)
	for tr.phase.Load() == nil {
		time.Sleep(time.Millisecond)
	}
	if n := tr.counts(p)[light]; !near(n, 100, 0.2) {
		t.Errorf("it had %d of 200", n)
	}
	tr.end()
}

// TestSiblings frees instances wherever they are among those of their parent: who suspends
// that reaches those that are left.
func TestSiblings(t *testing.T) {
	root := insttest.New(t, "root", New(1).Member())
	var list [6]*inst.Inst
	for i := range list {
		list[i] = insttest.Child(t, root, fmt.Sprintf("n%d", i))
	}
	for _, n := range []int{2, 5, 0, 3, 1, 4} {
		list[n].Release()
		list[n] = nil
		Suspend(root)
		for i, in := range list {
			if in != nil && !slot.Of(in).held() {
				t.Errorf("n%d is not suspended", i)
			}
		}
		Resume(root)
		for i, in := range list {
			if in != nil && slot.Of(in).held() {
				t.Errorf("n%d is still suspended", i)
			}
		}
	}
	if slot.Of(root).below != nil {
		t.Error("somebody is left")
	}
	root.Release()
}
