package inst

import (
	"errors"
	"slices"
	"testing"
)

type part struct{ n int }

var (
	slotA = NewSlot[part]()
	slotB = NewSlot[part]()
)

// TestMembers makes members in order, unmakes them in reverse, and unwinds when
// one fails.
func TestMembers(t *testing.T) {
	var log []string
	member := func(name string, s Slot[part], err error) Member {
		return Member{
			Name: name,
			Alloc: func(in, parent *Inst) error {
				if err != nil {
					return err
				}
				log = append(log, "make "+name)
				p := &part{}
				if parent != nil {
					p.n = s.Of(parent).n + 1
				}
				s.Set(in, p)
				return nil
			},
			Free: func(in *Inst) {
				log = append(log, "free "+name)
				s.Set(in, nil)
			},
		}
	}
	members := []Member{member("a", slotA, nil), member("b", slotB, nil)}
	in, err := New("one", nil, members)
	if err != nil {
		t.Fatal(err)
	}
	kid, err := New("two", in, members)
	if err != nil {
		t.Fatal(err)
	}
	if kid.ID == in.ID || slotA.Of(kid).n != 1 || slotA.Of(in).n != 0 {
		t.Errorf("ids %d, %d; parts %v, %v", in.ID, kid.ID, slotA.Of(in), slotA.Of(kid))
	}
	slotA.Of(kid).n = 7
	if slotA.Of(in).n != 0 || slotB.Of(kid).n != 1 {
		t.Error("parts are shared")
	}
	kid.Free(members)
	in.Free(members)
	if slotA.Of(in) != nil {
		t.Error("a part is left")
	}
	want := []string{"make a", "make b", "make a", "make b", "free b", "free a", "free b", "free a"}
	if !slices.Equal(log, want) {
		t.Errorf("%q, want %q", log, want)
	}

	log = nil
	bad := errors.New("no")
	if _, err := New("three", nil, []Member{members[0], member("b", slotB, bad)}); err != bad {
		t.Errorf("error %v, want %v", err, bad)
	}
	if want := []string{"make a", "free a"}; !slices.Equal(log, want) {
		t.Errorf("%q, want %q", log, want)
	}
}

// TestAccounts charges one instance to its limit; another one doesn't notice.
func TestAccounts(t *testing.T) {
	a, _ := New("a", nil, nil)
	b, _ := New("b", nil, nil)
	a.SetLimit(Heap, 100)
	for _, tt := range []struct {
		charge int64
		ok     bool
		used   int64
	}{{60, true, 60}, {41, false, 60}, {40, true, 100}, {1, false, 100}, {0, true, 100}} {
		if ok := a.Charge(Heap, tt.charge); ok != tt.ok || a.Used(Heap) != tt.used {
			t.Errorf("charging %d: %v, %d used; want %v, %d", tt.charge, ok, a.Used(Heap), tt.ok, tt.used)
		}
	}
	if !a.Charge(Frames, 1000) || !b.Charge(Heap, 1<<40) || b.Used(Frames) != 0 {
		t.Error("accounts are not apart")
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

// TestFull has no memory for the kernel, which children of an instance notice
// as well.
func TestFull(t *testing.T) {
	full := false
	a, _ := New("a", nil, nil)
	a.SetFull(func() bool { return full })
	b, _ := New("b", a, nil)
	for _, full = range []bool{false, true, false} {
		for _, in := range []*Inst{a, b} {
			if in.Charge(Heap, 1) == full || !in.Charge(Frames, 1) {
				t.Errorf("%s: heap is full: %v, but Charge doesn't go by it", in.Name, full)
			}
		}
	}
	if a.Used(Heap) != 2 || b.Used(Heap) != 2 {
		t.Errorf("%d and %d used, want 2", a.Used(Heap), b.Used(Heap))
	}
}

// TestRefusedUnseen charges too much again and again; others that charge little
// meanwhile must not be refused for it.
func TestRefusedUnseen(t *testing.T) {
	a, _ := New("a", nil, nil)
	a.SetLimit(Heap, 1000)
	stop, done := make(chan bool), make(chan bool)
	go func() {
		defer close(done)
		for {
			select {
			case <-stop:
				return
			default:
				if a.Charge(Heap, 1001) {
					panic("more than the limit")
				}
			}
		}
	}()
	for range 100000 {
		if !a.Charge(Heap, 1) {
			t.Error("refused for what another wanted")
			break
		}
		a.Uncharge(Heap, 1)
	}
	close(stop)
	<-done
}
