package vfs_test

import (
	"strings"
	"testing"

	"mult/arch/hosted"
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// TestNameless makes files without names in two instances.
func TestNameless(t *testing.T) {
	m := hosted.New(16 << 20)
	defer m.Close()
	members := []inst.Member{vfs.Member, tmpfs.Member(m.Memory())}
	for range 2 {
		in := insttest.New(t, "test", members...)
		c := &vfs.Caller{Inst: in, Cred: proc.RootCred()}
		before := in.Used(inst.Heap)
		f, err := tmpfs.Nameless(c, "memfd:x", 0o777)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Impl.Write(nil, f, vm.KernelUio([]byte("content")), 0); err != nil {
			t.Error(err)
		}
		if st, err := f.Stat(nil); st.Size != 7 || st.Nlink != 0 || st.Mode != abi.S_IFREG|0o777 || err != nil {
			t.Errorf("%+v, %v", st, err)
		}
		if got := f.Impl.(file.Namer).Name(); got != "/memfd:x (deleted)" {
			t.Errorf("name %q", got)
		}
		if !f.Readable() || !f.Writable() || in.Used(inst.Frames) != 1 {
			t.Errorf("flags %#x, %d frames", f.Flags(), in.Used(inst.Frames))
		}
		f.Release()
		if h, n := in.Used(inst.Heap)-before, in.Used(inst.Frames); h != 0 || n != 0 {
			t.Errorf("%d bytes and %d frames left", h, n)
		}
		in.Release()
		if h := in.Used(inst.Heap); h != 0 {
			t.Errorf("%d bytes left of the instance", h)
		}
	}
}

func TestSync(t *testing.T) {
	a, _ := two(t)
	a.write("/x", "x")
	for _, path := range []string{"/", "/x"} {
		f, err := a.c.Open(nil, path, abi.O_RDONLY, 0)
		a.must(err)
		a.want(path, f.Sync(nil, false), nil)
		f.Release()
	}
}

func TestPathsOfAnyLength(t *testing.T) {
	a, _ := two(t)
	f, err := a.c.Open(nil, strings.Repeat("./", 2047)+".", abi.O_RDONLY, 0)
	a.must(err)
	f.Release()
	_, err = a.c.Open(nil, strings.Repeat("./", 2048), abi.O_RDONLY, 0)
	a.want("4096 bytes", err, errno.ENAMETOOLONG)
	name := strings.Repeat("n", 200)
	for range 21 {
		a.must(a.c.Mkdir(nil, name, 0o755))
		a.must(a.c.Chdir(nil, name))
	}
	_, err = a.c.Getcwd()
	a.want("a deep directory", err, errno.ENAMETOOLONG)
}

// TestDeepPathIsCut looks at the path of a directory far down: it takes no more
// memory than the longest path that there can be.
func TestDeepPathIsCut(t *testing.T) {
	a, _ := two(t)
	name := strings.Repeat("n", abi.NAME_MAX)
	for range 100 {
		a.must(a.c.Mkdir(nil, name, 0o755))
		a.must(a.c.Chdir(nil, name))
	}
	l, err := a.c.Resolve(nil, ".", 0)
	a.must(err)
	if n := len(a.c.FS.Path(l)); n < 4096 || n > 4096+2*len(name) {
		t.Errorf("a path of %d bytes", n)
	}
	l.Release()
	if _, err := a.c.Getcwd(); err != errno.ENAMETOOLONG {
		t.Errorf("getcwd: %v", err)
	}
}
