package vm

import "testing"

// TestSkip counts bytes as moved whose addresses are bad.
func TestSkip(t *testing.T) {
	w := newWorld(t, 4*mib)
	s := w.space()
	a := must(t, s, MapArgs{Len: PageSize, Prot: rw})
	poke(s, a+1, 7)
	u, err := s.Uio([]Iovec{{Base: 0, Len: 10}, {Base: 5, Len: 0}, {Base: a, Len: 4}, {Base: 1, Len: 3}})
	if err != nil {
		t.Fatal(err)
	}
	if n := u.Skip(-1); n != 0 {
		t.Errorf("skipped %d of -1", n)
	}
	if n := u.Skip(11); n != 11 || u.Len() != 6 || u.Done() != 11 {
		t.Errorf("%d skipped, %d left, %d done", n, u.Len(), u.Done())
	}
	var b [1]byte
	if n, err := u.CopyIn(b[:]); n != 1 || err != nil || b[0] != 7 {
		t.Errorf("%d, %v, %d", n, err, b[0])
	}
	if n := u.Skip(100); n != 5 || u.Len() != 0 || u.Done() != 17 {
		t.Errorf("%d skipped, %d left, %d done", n, u.Len(), u.Done())
	}
	k := KernelUio([]byte("abc"))
	if n := k.Skip(2); n != 2 || k.Len() != 1 {
		t.Errorf("%d skipped, %d left", n, k.Len())
	}
	if n, _ := k.CopyIn(b[:]); n != 1 || b[0] != 'c' {
		t.Errorf("%d, %q", n, b)
	}
}
