package vm

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"mult/kern/errno"
)

func TestCopyErrors(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	must(t, s, MapArgs{Addr: base, Len: 2 * PageSize, Prot: rw, Fixed: true})
	must(t, s, MapArgs{Addr: base + 2*PageSize, Len: PageSize, Prot: Read, Fixed: true})
	must(t, s, MapArgs{Addr: MaxAddr - PageSize, Len: PageSize, Prot: rw, Fixed: true})
	big := make([]byte, 2*PageSize)
	for _, tt := range []struct {
		name    string
		a       Addr
		n       int
		in, out error
	}{
		{"a word", base, 8, nil, nil},
		{"over pages", base + 100, 2*PageSize - 100, nil, nil},
		{"into read-only", base + PageSize, 2 * PageSize, nil, errno.EFAULT},
		{"into nothing", base + 2*PageSize, 2 * PageSize, errno.EFAULT, errno.EFAULT},
		{"null", 0, 1, errno.EFAULT, errno.EFAULT},
		{"nothing at null", 0, 0, nil, nil},
		{"the end", MaxAddr - 8, 8, nil, nil},
		{"over the end", MaxAddr - 8, 9, errno.EFAULT, errno.EFAULT},
		{"kernel", 0xffff888000000000, 8, errno.EFAULT, errno.EFAULT},
		{"wraps", ^Addr(0) - 3, 8, errno.EFAULT, errno.EFAULT},
	} {
		if err := s.CopyIn(big[:tt.n], tt.a); err != tt.in {
			t.Errorf("%s: CopyIn: %v, want %v", tt.name, err, tt.in)
		}
		if err := s.CopyOut(tt.a, big[:tt.n]); err != tt.out {
			t.Errorf("%s: CopyOut: %v, want %v", tt.name, err, tt.out)
		}
	}
	for _, tt := range []struct {
		a   Addr
		err error
	}{{base, nil}, {base + 2, errno.EINVAL}, {0, errno.EFAULT}, {MaxAddr, errno.EFAULT}, {^Addr(3), errno.EFAULT}} {
		if _, err := s.Load32(tt.a); err != tt.err {
			t.Errorf("Load32(%#x): %v, want %v", uint64(tt.a), err, tt.err)
		}
		if _, err := s.Update32(tt.a, func(uint32) uint32 { return 7 }); err != tt.err {
			t.Errorf("Update32(%#x): %v, want %v", uint64(tt.a), err, tt.err)
		}
	}
	if v, err := s.Load32(base); v != 7 || err != nil {
		t.Errorf("Load32: %d, %v", v, err)
	}
	if v, err := s.Load32(base + 2*PageSize); v != 0 || err != nil {
		t.Errorf("Load32 of a read-only page: %d, %v", v, err)
	}
	if _, err := s.Update32(base+2*PageSize, func(uint32) uint32 { return 7 }); err != errno.EFAULT {
		t.Errorf("Update32 of a read-only page: %v", err)
	}
	if _, err := s.Key(0, true); err != errno.EFAULT {
		t.Errorf("Key of nothing: %v", err)
	}
}

func TestCopyInString(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	must(t, s, MapArgs{Addr: base, Len: 3 * PageSize, Prot: rw, Fixed: true})
	end := base + 3*PageSize
	for _, tt := range []struct {
		at  Addr
		str string
		max int
		err error
	}{
		{base, "", 10, nil},
		{base + 5, "name", 5, nil},
		{base + 5, "name", 4, errno.ENAMETOOLONG},
		{base + 5, "name", 0, errno.ENAMETOOLONG},
		{base + PageSize - 3, "over the end of a page", 4096, nil},
		{base + 50, strings.Repeat("long", 1000), 4096, nil},
		{base + 50, strings.Repeat("long", 1024), 4096, errno.ENAMETOOLONG},
		{base + 50, strings.Repeat("x", 127), 4096, nil},
		{base + 50, strings.Repeat("x", 128), 4096, nil},
		{end - 5, "last", 4096, nil},
	} {
		if err := s.CopyOut(tt.at, append([]byte(tt.str), 0)); err != nil {
			t.Fatal(err)
		}
		got, err := s.CopyInString(tt.at, tt.max)
		if err != tt.err || err == nil && got != tt.str {
			t.Errorf("%.20q, %d: %.20q, %v; want %v", tt.str, tt.max, got, err, tt.err)
		}
	}
	poke(s, end-1, 'x')
	for _, a := range []Addr{0, end - 1, end, MaxAddr, ^Addr(0)} {
		if _, err := s.CopyInString(a, 100); err != errno.EFAULT {
			t.Errorf("at %#x: %v, want EFAULT", uint64(a), err)
		}
	}
}

// TestCopyInShort makes more strings than one piece holds: none changes afterwards.
func TestCopyInShort(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	must(t, s, MapArgs{Addr: base, Len: PageSize, Prot: rw, Fixed: true})
	var p Strings
	var want, got []string
	for i := range 200 {
		str := strings.Repeat(string(rune('a'+i%26)), i)
		if err := s.CopyOut(base, append([]byte(str), 0)); err != nil {
			t.Fatal(err)
		}
		one, err := s.CopyInShort(base, 4096, &p)
		if err != nil {
			t.Fatal(err)
		}
		want, got = append(want, str), append(got, one)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the strings are %.20q", got)
	}
	str := strings.Repeat("s", 30)
	if err := s.CopyOut(base, append([]byte(str), 0)); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(300, func() { s.CopyInShort(base, 4096, &p) }); n != 0 {
		t.Errorf("%v allocations for a short string", n)
	}
}

func TestUio(t *testing.T) {
	w := newWorld(t, 8*mib)
	s := w.space()
	must(t, s, MapArgs{Addr: base, Len: 4 * PageSize, Prot: rw, Fixed: true})
	end := base + 4*PageSize
	u, err := s.Uio([]Iovec{{base, 3}, {0, 0}, {base + PageSize - 2, 5}, {end - 2, 4}})
	if err != nil || u.Len() != 12 {
		t.Fatalf("Uio: %v", err)
	}
	if n, err := u.CopyOut([]byte("abcde")); n != 5 || err != nil {
		t.Errorf("CopyOut: %d, %v", n, err)
	}
	if n, err := u.Zero(2); n != 2 || err != nil {
		t.Errorf("Zero: %d, %v", n, err)
	}
	if n, err := u.CopyOut([]byte("fghij")); n != 3 || err != errno.EFAULT {
		t.Errorf("CopyOut into nothing: %d, %v; want 3, EFAULT", n, err)
	}
	if u.Done() != 10 || u.Len() != 2 {
		t.Errorf("%d done, %d left", u.Done(), u.Len())
	}
	u, _ = s.Uio([]Iovec{{base, 3}, {base + PageSize - 2, 5}, {end - 2, 2}})
	var b [20]byte
	n, err := u.CopyIn(b[:4])
	m, err2 := u.CopyIn(b[4:])
	if n != 4 || m != 6 || err != nil || err2 != nil || string(b[:10]) != "abcde\x00\x00fgh" {
		t.Errorf("CopyIn: %q, %v, %v", b[:n+m], err, err2)
	}
	if n, err := u.CopyIn(b[:]); n != 0 || err != nil {
		t.Errorf("CopyIn at the end: %d, %v", n, err)
	}
	for _, tt := range []struct {
		iov []Iovec
		n   int
		err error
	}{
		{nil, 0, nil},
		{make([]Iovec, MaxIovecs+1), 0, errno.EINVAL},
		{[]Iovec{{base, 1 << 63}}, 0, errno.EINVAL},
		{[]Iovec{{base, 1 << 48}}, 0, errno.EFAULT},
		{[]Iovec{{base, 1 << 48}, {base, 1 << 63}}, 0, errno.EINVAL},
		{[]Iovec{{MaxAddr + 1, 0}}, 0, errno.EFAULT},
		{[]Iovec{{base, 1 << 33}, {base, 1 << 33}}, MaxTransfer, nil},
	} {
		u, err := s.Uio(tt.iov)
		if err != tt.err || err == nil && u.Len() != tt.n {
			t.Errorf("Uio of %d ranges: %v", len(tt.iov), err)
		}
	}
	if u, err := s.UioAt(base, 5); err != nil || u.Len() != 5 {
		t.Errorf("UioAt: %v", err)
	}
	if _, err := s.UioAt(base, ^uint64(0)); err != errno.EFAULT {
		t.Errorf("UioAt of a negative length: %v", err)
	}
}

func TestKernelUio(t *testing.T) {
	b := []byte("0123456789")
	u := KernelUio(b)
	u.CopyOut([]byte("ab"))
	u.Zero(1)
	n, err := u.CopyOut(bytes.Repeat([]byte("x"), 20))
	if n != 7 || err != nil || string(b) != "ab\x00xxxxxxx" || u.Done() != 10 || u.Len() != 0 {
		t.Errorf("%q, %d, %v, %d done", b, n, err, u.Done())
	}
	got := make([]byte, 20)
	if n, err := KernelUio(b).CopyIn(got); n != 10 || err != nil || !bytes.Equal(got[:10], b) {
		t.Errorf("CopyIn: %d, %v", n, err)
	}
}
