package vfs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"mult/arch/hosted"
	"mult/fs/tmpfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/vm"
)

// TestLimits makes things until the instance may not have more; the other
// instance and what comes after are not hurt.
func TestLimits(t *testing.T) {
	a, b := two(t)
	tests := []struct {
		name string
		err  error
		do   func(i int) error
		undo func(i int) error
	}{
		{"directories", errno.ENOMEM,
			func(i int) error { return a.c.Mkdir(nil, fmt.Sprint("d", i), 0o755) },
			func(i int) error { return a.c.Unlink(nil, fmt.Sprint("d", i), abi.AT_REMOVEDIR) }},
		{"links", errno.ENOMEM,
			func(i int) error { return a.c.Symlink(strings.Repeat("x", 4000), nil, fmt.Sprint("l", i)) },
			func(i int) error { return a.c.Unlink(nil, fmt.Sprint("l", i), 0) }},
		{"names", errno.ENOMEM,
			func(i int) error { return a.c.Link(nil, "file", nil, fmt.Sprint("n", i), 0) },
			func(i int) error { return a.c.Unlink(nil, fmt.Sprint("n", i), 0) }},
		{"pages", errno.ENOSPC,
			func(i int) error { return a.put("file", int64(i)*4096) },
			func(i int) error { return a.c.Truncate("file", 0) }},
		{"sparse pages", errno.ENOSPC,
			func(i int) error { return a.put("file", int64(i)<<30) },
			func(i int) error { return a.c.Truncate("file", 0) }},
	}
	a.write("file", "x")
	for range 1000 { // so often that the file system has all it gets for that
		if _, err := a.c.Stat(nil, "file", 0); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range tests {
		heap, frames := a.in.Used(inst.Heap), a.in.Used(inst.Frames)
		a.in.SetLimit(inst.Heap, heap+50000)
		a.in.SetLimit(inst.Frames, frames+40)
		n := 0
		var err error
		for ; n < 100000 && err == nil; n++ {
			err = tt.do(n)
		}
		if !errors.Is(err, tt.err) || n < 5 {
			t.Errorf("%s: %v after %d", tt.name, err, n)
		}
		if err := b.c.Mkdir(nil, tt.name, 0o755); err != nil {
			t.Errorf("%s: the other instance: %v", tt.name, err)
		}
		a.in.SetLimit(inst.Heap, 1<<60)
		a.in.SetLimit(inst.Frames, 1<<60)
		for i := range n - 1 {
			if err := tt.undo(i); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
		}
		a.write("file", "x")
		if h, f := a.in.Used(inst.Heap), a.in.Used(inst.Frames); h != heap || f != frames {
			t.Errorf("%s: %d bytes and %d frames more than before", tt.name, h-heap, f-frames)
		}
	}
	a.done()
	b.done()
}

func (s *system) put(path string, off int64) error {
	f, err := s.c.Open(nil, path, abi.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Release()
	return f.Impl.Write(nil, f, vm.KernelUio([]byte{1}), off)
}

func TestSizeLimit(t *testing.T) {
	m := hosted.New(8 << 20)
	defer m.Close()
	s := newSystem(t, m, tmpfs.Options{MaxPages: 3, MaxNodes: 4})
	s.write("a", "1")
	s.write("b", "2")
	s.write("c", "3")
	_, err := s.c.Open(nil, "d", abi.O_WRONLY|abi.O_CREAT, 0o644)
	s.want("a node too many", err, errno.ENOSPC)
	s.want("a page too many", s.put("a", 5000), errno.ENOSPC)
	st, err := s.c.Statfs(nil, "/")
	if err != nil || st.Blocks != 3 || st.Bfree != 0 || st.Ffree != 0 || st.Type != 0x01021994 {
		t.Errorf("statfs: %+v, %v", st, err)
	}
	s.must(s.c.Unlink(nil, "b", 0))
	s.must(s.put("a", 5000))
	s.done()
}
