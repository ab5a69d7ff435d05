package devfs

import (
	"bytes"
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

var members = []inst.Member{vfs.Member}

// instance makes an instance with device nodes in /dev.
func instance(t *testing.T, m *hosted.Machine) (*inst.Inst, *vfs.Caller, *vfs.Super) {
	t.Helper()
	in := insttest.New(t, "dev", members...)
	root, err := tmpfs.New(in, m.Memory(), tmpfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.MountRoot(root, 0); err != nil {
		t.Fatal(err)
	}
	st, err := vfs.NewState(in)
	if err != nil {
		t.Fatal(err)
	}
	c := &vfs.Caller{Inst: in, Cred: proc.RootCred(), FS: st}
	if err := c.Mkdir(nil, "/dev", 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := New(in, &vm.System{Machine: m, Memory: m.Memory()}, NewTree(
		Node{Name: "net", Mode: abi.S_IFDIR | 0o755},
		Node{Name: "net/tun", Mode: abi.S_IFCHR | 0o600, Major: 10, Minor: 200}))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Mount(s, "/dev", 0); err != nil {
		t.Fatal(err)
	}
	return in, c, s
}

func end(t *testing.T, in *inst.Inst, c *vfs.Caller) {
	t.Helper()
	c.FS.Release()
	in.Release()
	if in.Used(inst.Heap) != 0 || in.Used(inst.Frames) != 0 {
		t.Error("something is still charged")
	}
}

func TestDevices(t *testing.T) {
	m := hosted.New(8 << 20)
	defer m.Close()
	in, c, _ := instance(t, m)
	other, c2, _ := instance(t, m)
	read := func(name string, n int) ([]byte, error) {
		f, err := c.Open(nil, "/dev/"+name, abi.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		defer f.Release()
		if st, err := f.Stat(nil); err != nil || st.Mode != abi.S_IFCHR|0o666 {
			t.Errorf("%s: stat %+v, %v", name, st, err)
		}
		b := bytes.Repeat([]byte{0xaa}, n)
		u := vm.KernelUio(b)
		err = f.Impl.Read(nil, f, u, 0)
		w := vm.KernelUio(b)
		werr := f.Impl.Write(nil, f, w, 0)
		if name == "full" && werr != errno.ENOSPC || name != "full" && (werr != nil || w.Done() != n) {
			t.Errorf("%s: write: %v", name, werr)
		}
		if pos, err := f.Impl.(file.Seeker).Seek(nil, 0, 5, 0); pos != 0 || err != nil {
			t.Errorf("%s: seek: %d, %v", name, pos, err)
		}
		return b[:u.Done()], err
	}
	zero := make([]byte, 10000)
	for _, tt := range []struct {
		name string
		ok   func(b []byte) bool
	}{
		{"null", func(b []byte) bool { return len(b) == 0 }},
		{"zero", func(b []byte) bool { return bytes.Equal(b, zero) }},
		{"full", func(b []byte) bool { return bytes.Equal(b, zero) }},
		{"random", func(b []byte) bool { return len(b) == len(zero) && bytes.Count(b, []byte{0}) < 1000 }},
		{"urandom", func(b []byte) bool { return len(b) == len(zero) && bytes.Count(b, []byte{0}) < 1000 }},
	} {
		if b, err := read(tt.name, len(zero)); err != nil || !tt.ok(b) {
			t.Errorf("%s: %d bytes, %v", tt.name, len(b), err)
		}
	}
	if _, err := read("net/tun", 1); err != errno.ENXIO {
		t.Errorf("a node without a device: %v", err)
	}
	if l, err := c.Readlink(nil, "/dev/stdin"); l != "/proc/self/fd/0" || err != nil {
		t.Errorf("%q, %v", l, err)
	}
	if err := c.Unlink(nil, "/dev/net/tun", 0); err != nil {
		t.Error(err)
	}
	if _, err := c.Stat(nil, "/dev/net/tun", 0); err != errno.ENOENT {
		t.Errorf("removed: %v", err)
	}
	if _, err := c2.Stat(nil, "/dev/net/tun", 0); err != nil {
		t.Errorf("the other instance: %v", err)
	}
	end(t, in, c)
	f, err := c2.Open(nil, "/dev/null", abi.O_RDONLY, 0)
	if err != nil {
		t.Fatalf("the other instance: %v", err)
	}
	f.Release()
	end(t, other, c2)
}

func TestNodev(t *testing.T) {
	m := hosted.New(8 << 20)
	defer m.Close()
	in, c, _ := instance(t, m)
	l, err := c.Resolve(nil, "/dev", 0)
	if err != nil {
		t.Fatal(err)
	}
	err = c.Remount(l, vfs.MS_NODEV, false, "")
	l.Release()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Open(nil, "/dev/null", abi.O_RDONLY, 0); err != errno.EACCES {
		t.Errorf("nodev: %v", err)
	}
	end(t, in, c)
}

// TestNoMemory maps devices, and writes to null what nobody has.
func TestNoMemory(t *testing.T) {
	m := hosted.New(8 << 20)
	defer m.Close()
	in, c, _ := instance(t, m)
	for name, want := range map[string]error{"zero": nil, "null": errno.ENODEV, "full": errno.ENODEV, "urandom": errno.ENODEV} {
		f, err := c.Open(nil, "/dev/"+name, abi.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if obj, err := f.Object(nil, vm.Read, true); obj != nil || err != want {
			t.Errorf("%s: %v, %v; want anonymous memory, %v", name, obj, err, want)
		}
		if f.Sync(nil, false) != errno.EINVAL {
			t.Errorf("%s can be synchronized", name)
		}
		f.Release()
	}
	s, err := vm.New(&vm.System{Machine: m, Memory: m.Memory()}, in)
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.Open(nil, "/dev/null", abi.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	u, _ := s.UioAt(1, 10000)
	if err := f.Impl.Write(nil, f, u, 0); err != nil || u.Done() != 10000 {
		t.Errorf("%d bytes from nowhere, %v", u.Done(), err)
	}
	f.Release()
	s.Release()
	end(t, in, c)
}

// TestPositions: devices have a position that lseek answers for and transfers leave
// alone.
func TestPositions(t *testing.T) {
	m := hosted.New(1 << 20)
	defer m.Close()
	in, c, _ := instance(t, m)
	for _, name := range []string{"/dev/null", "/dev/zero"} {
		f, err := c.Open(nil, name, abi.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := f.Impl.(file.Unpositioned); !ok {
			t.Errorf("transfers of %s take turns", name)
		}
		if n, err := f.Write(nil, vm.KernelUio(make([]byte, 10))); n != 10 || err != nil {
			t.Errorf("%s: wrote %d, %v", name, n, err)
		}
		if n, err := f.Pread(nil, vm.KernelUio(make([]byte, 10)), 5); n != 0 && n != 10 || err != nil {
			t.Errorf("%s: read %d at 5, %v", name, n, err)
		}
		if pos, err := f.Seek(nil, 0, abi.SEEK_CUR); pos != 0 || err != nil {
			t.Errorf("%s: at %d, %v", name, pos, err)
		}
		f.Release()
	}
	end(t, in, c)
}

// TestTree looks at the nodes as they come from the tree, and after they have changed.
func TestTree(t *testing.T) {
	m := hosted.New(8 << 20)
	defer m.Close()
	in, c, s := instance(t, m)
	other, c2, _ := instance(t, m)
	list := func() string {
		var names []string
		s.Tree.RLock()
		defer s.Tree.RUnlock()
		for pos, more := int64(0), true; more; { // one name at a time, as by a small buffer
			more = false
			s.Root.(vfs.Dir).ReadDir(pos, false, func(e *abi.Dirent) bool {
				names = append(names, e.Name)
				pos, more = e.Off, true
				return false
			})
		}
		return strings.Join(names, " ")
	}
	const nodes = "null zero full random urandom fd stdin stdout stderr shm net"
	if got := list(); got != nodes {
		t.Errorf("the nodes are %s", got)
	}
	inodes := in.Used(inst.Inodes)
	if st, err := c.Stat(nil, "/dev", 0); err != nil || st.Mode != abi.S_IFDIR|0o755 || st.Nlink != 4 {
		t.Errorf("/dev: %+v, %v", st, err)
	}
	null, err := c.Stat(nil, "/dev/null", 0)
	if err != nil || null.Mode != abi.S_IFCHR|0o666 || null.Rdev != abi.Mkdev(1, 3) || null.Nlink != 1 || null.Mtime.Sec == 0 {
		t.Errorf("null: %+v, %v", null, err)
	}
	if n := in.Used(inst.Inodes); n != inodes+1 {
		t.Errorf("%d nodes are made for one that was used", n-inodes)
	}
	if err := c.Chmod(nil, "/dev/null", 0o600, 0); err != nil {
		t.Error(err)
	}
	if err := c.Mkdir(nil, "/dev/new", 0o700); err != nil {
		t.Error(err)
	}
	if got := list(); got != nodes+" new" {
		t.Errorf("the nodes are %s", got)
	}
	if st, err := c.Stat(nil, "/dev/null", 0); err != nil || st.Mode != abi.S_IFCHR|0o600 || st.Ino != null.Ino {
		t.Errorf("null has changed: %+v, %v", st, err)
	}
	if st, err := c2.Stat(nil, "/dev/null", 0); err != nil || st.Mode != abi.S_IFCHR|0o666 {
		t.Errorf("null of another instance: %+v, %v", st, err)
	}
	end(t, in, c)
	end(t, other, c2)
}
