package inst

import (
	"runtime"
	"testing"
)

// TestShrink deletes most of many elements: what is left is right, and the room for
// the others is given back.
func TestShrink(t *testing.T) {
	const most, left = 1 << 17, 10
	heap := func() int64 {
		runtime.GC()
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	before := heap()
	m, had := make(map[int]int), 0
	for i := range most {
		m[i] = i + 1
	}
	full := heap() - before
	copies := 0
	for i := range most - left {
		delete(m, i)
		n := len(m)
		was := had
		if m = Shrink(m, &had); had < was {
			copies++
		}
		if len(m) != n {
			t.Fatalf("%d elements, want %d", len(m), n)
		}
	}
	if used := heap() - before; used > full/100 {
		t.Errorf("%d bytes for %d elements; it had %d for %d", used, left, full, most)
	}
	for i := most - left; i < most; i++ {
		if m[i] != i+1 {
			t.Errorf("element %d is %d", i, m[i])
		}
	}
	if copies > 10 {
		t.Errorf("%d copies on the way", copies)
	}
}

// TestShrinkSmall leaves a small map alone.
func TestShrinkSmall(t *testing.T) {
	m, had := make(map[int]bool), 0
	for i := range least - 1 {
		m[i] = true
	}
	for i := range least - 1 {
		delete(m, i)
		if Shrink(m, &had); had != least-1 {
			t.Fatalf("a copy of a map that had %d elements", had)
		}
	}
}

// TestShrinkRange deletes all elements of a map while it goes through them.
func TestShrinkRange(t *testing.T) {
	m, had, n := make(map[int]bool), 0, 0
	for i := range 1000 {
		m[i] = true
	}
	for i := range m {
		n++
		delete(m, i)
		m = Shrink(m, &had)
	}
	if n != 1000 || len(m) != 0 {
		t.Errorf("%d seen, %d left", n, len(m))
	}
}
