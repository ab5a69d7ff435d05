package inst

import (
	"sync"
	"testing"
)

// tree makes inst0 with two children, the first of which has one of its own.
func tree(t *testing.T, sys *System) (root, a, b, below *Inst) {
	t.Helper()
	list := make([]*Inst, 4)
	for i, name := range []string{"root", "a", "b", "below"} {
		parent := list[0]
		if name == "below" {
			parent = list[1]
		}
		var err error
		if list[i], err = sys.New(parent, name); err != nil {
			t.Fatal(err)
		}
	}
	return list[0], list[1], list[2], list[3]
}

// TestAccounts charges one instance to its limit; another one doesn't notice.
func TestAccounts(t *testing.T) {
	_, b, a, _ := tree(t, NewSystem(nil))
	a.SetLimit(Heap, 100)
	was := b.Used(Heap)
	for _, tt := range []struct {
		charge int64
		ok     bool
		used   int64
	}{{60, true, 60}, {41, false, 60}, {40, true, 100}, {1, false, 100}, {0, true, 100}} {
		if ok := a.Charge(Heap, tt.charge); ok != tt.ok || a.Used(Heap) != tt.used {
			t.Errorf("charging %d: %v, %d used; want %v, %d", tt.charge, ok, a.Used(Heap), tt.ok, tt.used)
		}
	}
	if a.Refused(Heap) != 2 || b.Refused(Heap) != 0 {
		t.Errorf("refused %d and %d times", a.Refused(Heap), b.Refused(Heap))
	}
	if !a.Charge(Frames, 1000) || !b.Charge(Heap, 1<<40) || b.Used(Frames) != 0 {
		t.Error("accounts are not apart")
	}
	b.Uncharge(Heap, 1<<40)
	if b.Used(Heap) != was {
		t.Errorf("%d used, before it was %d", b.Used(Heap), was)
	}
	a.SetLimit(Heap, 50) // what it has stays
	if a.Used(Heap) != 100 || a.Limit(Heap) != 50 || a.Charge(Heap, 1) {
		t.Error("a lower limit takes something away, or gives")
	}
	a.Uncharge(Heap, 100)
	if !a.Charge(Heap, 50) {
		t.Error("what was given back can't be had again")
	}
	defer func() {
		if recover() == nil {
			t.Error("more given back than taken, and no panic")
		}
	}()
	a.Uncharge(Heap, 51)
}

// TestAbove charges instances whose limits stand above them.
func TestAbove(t *testing.T) {
	root, a, b, below := tree(t, NewSystem(nil))
	a.SetLimit(Frames, 100)
	below.SetLimit(Frames, 80)
	root.SetLimit(Frames, 120)
	for i, tt := range []struct {
		in   *Inst
		n    int64
		ok   bool
		want [4]int64 // root, a, b, below
		left int64    // of in
	}{
		{a, 30, true, [4]int64{30, 30, 0, 0}, 70},
		{below, 60, true, [4]int64{90, 90, 0, 60}, 10},
		{below, 11, false, [4]int64{90, 90, 0, 60}, 10}, // a's limit
		{below, 21, false, [4]int64{90, 90, 0, 60}, 10}, // its own
		{b, 31, false, [4]int64{90, 90, 0, 60}, 30},     // root's
		{b, 30, true, [4]int64{120, 90, 30, 60}, 0},
		{below, 1, false, [4]int64{120, 90, 30, 60}, 0},
		{below, -60, true, [4]int64{60, 30, 30, 0}, 60},
	} {
		ok := true
		if tt.n > 0 {
			ok = tt.in.Charge(Frames, tt.n)
		} else {
			tt.in.Uncharge(Frames, -tt.n)
		}
		got := [4]int64{root.Used(Frames), a.Used(Frames), b.Used(Frames), below.Used(Frames)}
		if ok != tt.ok || got != tt.want || tt.in.Left(Frames) != tt.left {
			t.Errorf("%d: %v, used %v, left %d; want %v, %v, %d", i, ok, got, tt.in.Left(Frames), tt.ok, tt.want, tt.left)
		}
	}
	if root.Own(Frames) != 0 || a.Own(Frames) != 30 || below.Limit(Frames) != 80 || b.Limit(Frames) != 120 {
		t.Errorf("own %d and %d, limits %d and %d", root.Own(Frames), a.Own(Frames), below.Limit(Frames), b.Limit(Frames))
	}
	if r := [4]int64{root.Refused(Frames), a.Refused(Frames), b.Refused(Frames), below.Refused(Frames)}; r != [4]int64{2, 1, 0, 1} {
		t.Errorf("refusals %v", r)
	}
}

// TestFull has no memory for the kernel, which all instances notice.
func TestFull(t *testing.T) {
	full := false
	sys := NewSystem(nil)
	sys.Full = func() bool { return full }
	a, b, _, _ := tree(t, sys)
	was := [2]int64{a.Used(Heap), b.Used(Heap)}
	for _, full = range []bool{false, true, false} {
		for _, in := range []*Inst{a, b} {
			if in.Charge(Heap, 1) == full || !in.Charge(Frames, 1) {
				t.Errorf("%s: heap is full: %v, but Charge doesn't go by it", in.Name(), full)
			}
		}
	}
	if a.Used(Heap) != was[0]+4 || b.Used(Heap) != was[1]+2 {
		t.Errorf("%d and %d used", a.Used(Heap)-was[0], b.Used(Heap)-was[1])
	}
}

// TestHog has one of two, with those below it, use up the heap of the one above: the other
// one still gets what it needs.
func TestHog(t *testing.T) {
	root, a, b, below := tree(t, NewSystem(nil))
	root.SetLimit(Heap, root.Used(Heap)+100e3)
	for _, in := range []*Inst{a, below} {
		for in.Charge(Heap, 100) {
		}
	}
	left := root.Left(Heap)
	if root.Refused(Heap) != 2 || a.Refused(Heap)+below.Refused(Heap) != 0 || left < 10e3 || left > 13e3 {
		t.Errorf("%d refusals, %d bytes are left", root.Refused(Heap), left)
	}
	n := 0
	for b.Charge(Heap, 100) {
		n++
	}
	if left = root.Left(Heap); n < 80 || b.Used(Heap) < left*7 || left == 0 {
		t.Errorf("the other one could charge %d times, %d bytes are left", n, left)
	}
	// What the top does by itself isn't bounded.
	if !root.Charge(Heap, left) || root.Charge(Heap, 1) || a.Charge(Heap, 0) {
		t.Error("the top can't have all")
	}
	root.Uncharge(Heap, left)
	a.Uncharge(Heap, 20e3)
	if !a.Charge(Heap, 1e3) {
		t.Error("who has given back is still refused")
	}
}

// TestHogBelow has one of two that hang below a third, which has no limit of its own, use up
// what that one can get: the other one still gets what it needs.
func TestHogBelow(t *testing.T) {
	sys := NewSystem(nil)
	root, a, b, hog := tree(t, sys)
	beside, err := sys.New(a, "beside")
	if err != nil {
		t.Fatal(err)
	}
	root.SetLimit(Heap, root.Used(Heap)+100e3)
	for hog.Charge(Heap, 100) {
	}
	if hog.Used(Heap) < 50e3 {
		t.Errorf("%d bytes are all that one gets", hog.Used(Heap))
	}
	for _, in := range []*Inst{beside, b} {
		n := 0
		for n < 40 && in.Charge(Heap, 100) {
			n++
		}
		if n < 40 {
			t.Errorf("%s could charge %d times", in.Name(), n)
		}
	}
}

// TestRefusedUnseen charges too much again and again; others that charge little
// meanwhile must not be refused for it.
func TestRefusedUnseen(t *testing.T) {
	for _, tt := range []struct {
		name         string
		limit        [3]int64 // of root, a and below, beyond what they have
		big, small   int      // who charges: 0 root, 1 a, 2 below
		much, little int64
	}{
		{"its own limit", [3]int64{1e6, 1000, 1e6}, 1, 1, 1001, 1},
		{"that of one above", [3]int64{1e6, 500, 1000}, 2, 2, 900, 101},
		{"that of the top", [3]int64{500, 1000, 1e6}, 2, 2, 900, 101},
		{"seen from one above", [3]int64{500, 1000, 1e6}, 2, 1, 900, 101},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root, a, _, below := tree(t, NewSystem(nil))
			all := []*Inst{root, a, below}
			for i, in := range all {
				in.SetLimit(Frames, in.Used(Frames)+tt.limit[i])
			}
			big, small := all[tt.big], all[tt.small]
			stop, done := make(chan bool), make(chan bool)
			go func() {
				defer close(done)
				for {
					select {
					case <-stop:
						return
					default:
						if big.Charge(Frames, tt.much) {
							panic("more than the limit")
						}
					}
				}
			}()
			for range 100000 {
				if !small.Charge(Frames, tt.little) {
					t.Error("refused for what another wanted")
					break
				}
				small.Uncharge(Frames, tt.little)
			}
			close(stop)
			<-done
		})
	}
}

// TestChargedTogether charges two instances at the limit of the one above them: never more
// than that, and all comes back.
func TestChargedTogether(t *testing.T) {
	root, a, b, below := tree(t, NewSystem(nil))
	root.SetLimit(Frames, 10)
	var all sync.WaitGroup
	for _, in := range []*Inst{a, b, below} {
		for range 2 {
			all.Go(func() {
				for range 20000 {
					if in.Charge(Frames, 3) {
						if n := root.Used(Frames); n > 10 {
							t.Errorf("%d are used", n)
						}
						in.Uncharge(Frames, 3)
					}
				}
			})
		}
	}
	all.Wait()
	for _, in := range []*Inst{root, a, b, below} {
		if n := in.Used(Frames); n != 0 {
			t.Errorf("%s still has %d", in.Name(), n)
		}
	}
}
