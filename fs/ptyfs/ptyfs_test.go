package ptyfs

import (
	"io"
	"slices"
	"testing"
	"time"

	"mult/arch/hosted"
	"mult/fs/devfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/tty"
	"mult/kern/vm"
)

// boot runs init as process 1 of a new instance with a /dev, and checks that
// nothing is left.
func boot(t *testing.T, init func(th *proc.Thread, c *tty.Console)) {
	m := hosted.New(16 << 20)
	defer m.Close()
	vsys := &vm.System{Machine: m, Memory: m.Memory()}
	done := make(chan struct{})
	program := make(chan func(th *proc.Thread), 1)
	sys := &proc.System{VM: vsys, Parts: []proc.Part{file.Part, vfs.Part}}
	sys.Run = func(th *proc.Thread) {
		defer th.ExitGroup(0)
		(<-program)(th)
	}
	sys.InitExited = func(*inst.Inst, proc.Status) { close(done) }
	members := []inst.Member{proc.Member(sys), file.Member, vfs.Member, tty.Member}
	in := insttest.New(t, "a", members...)
	con, err := tty.NewConsole(in, "/dev/ttyS0", 4, 64, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	chr := uint32(abi.S_IFCHR | 0o666)
	root, err := devfs.New(in, vsys, devfs.NewTree(
		devfs.Node{Name: "pts", Mode: abi.S_IFDIR | 0o755},
		devfs.Node{Name: "ptmx", Mode: chr, Major: 5, Minor: 2},
		devfs.Node{Name: "tty", Mode: chr, Major: 5, Minor: 0},
		devfs.Node{Name: "console", Mode: chr, Major: 5, Minor: 1},
		devfs.Node{Name: "ttyS0", Mode: chr, Major: 4, Minor: 64}))
	must(err)
	must(vfs.MountRoot(root, 0))
	must(Register(in, &con.TTY))
	sp, err := vm.New(vsys, in)
	must(err)
	th, err := proc.Boot(in, sp)
	must(err)
	program <- func(th *proc.Thread) {
		s, err := New(in)
		if err == nil {
			err = vfs.For(th).Mount(s, "/pts", 0)
		}
		if err != nil {
			t.Error(err)
			return
		}
		init(th, con)
	}
	th.Start()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the instance doesn't end")
	}
	con.Close()
	in.Release()
	if n := in.Used(inst.Heap); n != 0 {
		t.Errorf("%d bytes of heap left", n)
	}
	if n := in.Used(inst.Frames); n != 0 {
		t.Errorf("%d frames left", n)
	}
}

func open(t *testing.T, th *proc.Thread, path string, flags int) *file.File {
	t.Helper()
	f, err := vfs.For(th).Open(nil, path, flags, 0)
	if err != nil {
		t.Fatalf("open %s: %v", path, err)
	}
	return f
}

func ioctl(t *testing.T, th *proc.Thread, f *file.File, cmd uint32, v byte) byte {
	t.Helper()
	a, err := th.Space().Map(vm.MapArgs{Len: vm.PageSize, Prot: vm.Read | vm.Write})
	if err != nil {
		t.Fatal(err)
	}
	b := []byte{v}
	th.Space().CopyOut(a, b)
	if _, err := f.Ioctl(th, cmd, a); err != nil {
		t.Errorf("ioctl %#x: %v", cmd, err)
	}
	th.Space().CopyIn(b, a)
	return b[0]
}

func names(t *testing.T, th *proc.Thread) (list []string) {
	d := open(t, th, "/pts", abi.O_RDONLY|abi.O_DIRECTORY)
	defer d.Release()
	for more := true; more; { // one at a time
		more = false
		err := d.ReadDir(th, func(e *abi.Dirent) bool {
			if more {
				return false
			}
			list = append(list, e.Name)
			more = true
			return true
		})
		if err != nil {
			t.Error(err)
		}
	}
	return list
}

const (
	tiocgptn   = 0x80045430
	tiocsptlck = 0x40045431
)

func TestDevPts(t *testing.T) {
	boot(t, func(th *proc.Thread, con *tty.Console) {
		c := vfs.For(th)
		var masters []*file.File
		for n := range 3 {
			m := open(t, th, []string{"/ptmx", "/pts/ptmx"}[n%2], abi.O_RDWR)
			ioctl(t, th, m, tiocsptlck, 0)
			if got := ioctl(t, th, m, tiocgptn, 9); int(got) != n {
				t.Errorf("number %d, want %d", got, n)
			}
			masters = append(masters, m)
		}
		if got, want := names(t, th), []string{".", "..", "ptmx", "0", "1", "2"}; !slices.Equal(got, want) {
			t.Errorf("names %q, want %q", got, want)
		}
		s := open(t, th, "/pts/1", abi.O_RDWR|abi.O_NOCTTY)
		st, err := s.Stat(th)
		if err != nil || st.Mode != abi.S_IFCHR|0o620 || st.Rdev != abi.Mkdev(136, 1) || st.UID != 0 || st.GID != 5 {
			t.Errorf("stat: %+v, %v", st, err)
		}
		s.Write(th, vm.KernelUio([]byte("hi\n")))
		b := make([]byte, 9)
		if n, err := masters[1].Read(th, vm.KernelUio(b)); string(b[:max(n, 0)]) != "hi\r\n" || err != nil {
			t.Errorf("master read %q, %v", b, err)
		}
		// Attributes stay as long as the terminal, not longer.
		if err := c.Chmod(nil, "/pts/1", 0o600, 0); err != nil {
			t.Error(err)
		}
		masters[1].Release()
		if _, err := c.Open(nil, "/pts/1", abi.O_RDWR, 0); err != errno.ENOENT {
			t.Errorf("open of a slave whose master is closed: %v", err)
		}
		s.Release()
		masters[1] = open(t, th, "/ptmx", abi.O_RDWR)
		if st, err := c.Stat(nil, "/pts/1", 0); err != nil || st.Mode != abi.S_IFCHR|0o620 {
			t.Errorf("stat of a new slave: %+v, %v", st, err)
		}
		if _, err := c.Open(nil, "/pts/1", abi.O_RDWR, 0); err != errno.EIO {
			t.Errorf("open of a locked slave: %v", err)
		}
		for _, p := range []string{"/pts/3", "/pts/01", "/pts/-1", "/pts/+1", "/pts/x", "/pts/99999999999999999999"} {
			if _, err := c.Stat(nil, p, 0); err != errno.ENOENT {
				t.Errorf("stat %s: %v", p, err)
			}
		}
		for what, err := range map[string]error{
			"mkdir":  c.Mkdir(nil, "/pts/d", 0o777),
			"unlink": c.Unlink(nil, "/pts/0", 0),
			"rename": c.Rename(nil, "/pts/0", nil, "/pts/9", 0),
		} {
			if err != errno.EPERM {
				t.Errorf("%s: %v", what, err)
			}
		}
		for _, m := range masters {
			m.Release()
		}
	})
}

func TestTerminals(t *testing.T) {
	boot(t, func(th *proc.Thread, con *tty.Console) {
		c := vfs.For(th)
		if _, err := c.Open(nil, "/tty", abi.O_RDWR, 0); err != errno.ENXIO {
			t.Errorf("open of /dev/tty without a terminal: %v", err)
		}
		if _, err := th.Setsid(); err != nil && err != errno.EPERM {
			t.Error(err)
		}
		f := open(t, th, "/console", abi.O_RDWR)
		if tty.Controlling(th.Proc) != nil {
			t.Error("/dev/console became the controlling terminal")
		}
		g := open(t, th, "/ttyS0", abi.O_RDWR)
		if tty.Controlling(th.Proc) != &con.TTY {
			t.Error("/dev/ttyS0 did not become the controlling terminal")
		}
		h := open(t, th, "/tty", abi.O_RDWR)
		con.Feed([]byte("abc\n"))
		b := make([]byte, 9)
		if n, err := h.Read(th, vm.KernelUio(b)); n != 4 || err != nil {
			t.Errorf("/dev/tty: read %d, %v", n, err)
		}
		for _, f := range []*file.File{f, g, h} {
			f.Release()
		}
	})
}
