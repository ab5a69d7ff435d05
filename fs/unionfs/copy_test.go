package unionfs

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"mult/arch/hosted"
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/vm"
)

func goOn() error { return nil }

// copyOf copies a directory of o, by path, to a child of its instance.
func (o *ours) copyOf(path string, m *hosted.Machine, in *inst.Inst) (*vfs.Super, error) {
	l, err := o.c.Resolve(nil, path, 0)
	if err != nil {
		return nil, err
	}
	defer l.Release()
	return tmpfs.Copy(in, m.Memory(), l.Node, goOn)
}

// copied is copyOf that must be possible.
func (o *ours) copied(t *testing.T, path string, m *hosted.Machine) *ours {
	t.Helper()
	in := insttest.Child(t, o.in, "copy")
	s, err := o.copyOf(path, m, in)
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.MountRoot(s, 0); err != nil {
		t.Fatal(err)
	}
	c, err := newOurs(in)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// endCopy ends one that copied has made.
func (o *ours) endCopy(t *testing.T) {
	t.Helper()
	o.done()
	o.in.Release()
	for r := range inst.NumResources {
		if n := o.in.Used(r); n != 0 {
			t.Errorf("%d %v left of the copy", n, r)
		}
	}
}

// everything tells all that there is below a directory, a line for each name. Times of
// change are left out, and without links numbers of links.
func (o *ours) everything(t *testing.T, top string, links bool) []string {
	t.Helper()
	cwd := abi.AT_FDCWD
	first := make(map[uint64]string) // name by inode, of files
	var list []string
	todo := []string{""}
	for len(todo) > 0 {
		p := todo[0]
		todo = todo[1:]
		at := strings.TrimSuffix(top, "/") + p
		if p == "" {
			at = top
		}
		s, e := o.stat(cwd, at, abi.AT_SYMLINK_NOFOLLOW)
		if e != 0 {
			t.Fatalf("%s: %v", at, errno.Errno(e))
		}
		line := fmt.Sprintf("%s %#o %d:%d %d %#x %v %d", p, s.Mode, s.UID, s.GID, s.Size, s.Rdev, s.Mtime, s.Blocks)
		if links {
			line += fmt.Sprint(" ", s.Nlink)
		}
		switch s.Mode & abi.S_IFMT {
		case abi.S_IFDIR:
			fd, e := o.open(cwd, at, abi.O_RDONLY|abi.O_DIRECTORY, 0)
			if e != 0 {
				t.Fatalf("%s: %v", at, errno.Errno(e))
			}
			names, _ := o.names(fd)
			o.close(fd)
			slices.Sort(names)
			for _, n := range names {
				todo = append(todo, p+"/"+n)
			}
			list = append(list, line)
			continue
		case abi.S_IFREG:
			fd, e := o.open(cwd, at, abi.O_RDONLY, 0)
			if e != 0 {
				t.Fatalf("%s: %v", at, errno.Errno(e))
			}
			b := make([]byte, s.Size+1)
			n, _ := o.pread(fd, b, 0)
			b = b[:n]
			o.close(fd)
			sum := 0
			for i, c := range b {
				sum += (i + 1) * int(c)
			}
			line += fmt.Sprint(" ", len(b), " ", sum)
		case abi.S_IFLNK:
			to, _ := o.readlink(cwd, at)
			line += " -> " + to
		}
		if first[s.Ino] == "" {
			first[s.Ino] = p
		}
		list = append(list, line+" as "+first[s.Ino])
	}
	return list
}

// same compares what there is below two directories.
func same(t *testing.T, what string, a, b []string) {
	t.Helper()
	if slices.Equal(a, b) {
		return
	}
	for i := range max(len(a), len(b)) {
		var x, y string
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			t.Errorf("%s:\n%s\n%s", what, x, y)
			break
		}
	}
}

// checkCopies copies what a model has made, and looks at the copies.
func (o *ours) checkCopies(t *testing.T, m *hosted.Machine) {
	t.Helper()
	used := o.in.Used(inst.Heap)
	for _, top := range []string{"/", "/dir", "/e"} {
		s, e := o.stat(abi.AT_FDCWD, top, abi.AT_SYMLINK_NOFOLLOW)
		if e != 0 || s.Mode&abi.S_IFMT != abi.S_IFDIR {
			continue
		}
		before := o.everything(t, top, top == "/")
		c := o.copied(t, top, m)
		same(t, "copy of "+top, before, c.everything(t, "/", top == "/"))
		// A copy of the copy is the same again, and to use up one leaves the others alone.
		d := c.copied(t, "/", m)
		budget := 200
		c.disturb("", &budget)
		same(t, "copy of a copy of "+top, before, d.everything(t, "/", top == "/"))
		same(t, top, before, o.everything(t, top, top == "/"))
		d.endCopy(t)
		c.endCopy(t)
	}
	o.evict()
	if n := o.in.Used(inst.Heap); n > used+100000 {
		t.Errorf("%d bytes of heap, before the copies %d", n, used)
	}
}

// evict looks for a name that isn't there: nothing else.
func (o *ours) evict() { o.stat(abi.AT_FDCWD, "/none", 0) }

// changed is a union with changes of all kinds, and a directory of many files.
func changed(t *testing.T, m *hosted.Machine, many int) *ours {
	t.Helper()
	dir := t.TempDir()
	fill(t, dir)
	for i := range many {
		os.WriteFile(filepath.Join(dir, "dir2", fmt.Sprint("n", i)), []byte("x"), 0o644)
	}
	o := mounted(t, m, placed(t, m, dir), Options{MaxClean: 20})
	cwd := abi.AT_FDCWD
	write := func(p string, n int) {
		fd, e := o.open(cwd, p, abi.O_RDWR|abi.O_CREAT, 0o640)
		if e != 0 {
			t.Fatal(p, e)
		}
		o.pwrite(fd, bytes.Repeat([]byte(p+"."), n), 0)
		o.close(fd)
	}
	for i := range many {
		write(fmt.Sprint("/dir2/m", i), 1)
	}
	o.mkdir(cwd, "/new", 0o2755)
	write("/new/big", 300000) // 2.4 MiB
	write("/dir/dir2/a", 2000)
	for i, e := range []int{
		o.unlink(cwd, "/dir2/n7", 0),
		o.rename(cwd, "/dir", cwd, "/new/moved", 0),
		o.rename(cwd, "/dir2/n9", cwd, "/new/n9", 0),
		o.link(cwd, "/new/big", cwd, "/e/hard", 0),
		o.link(cwd, "/e/b", cwd, "/new/b", 0),
		o.symlink("to", cwd, "/new/link"),
		o.mknod(cwd, "/new/fifo", abi.S_IFIFO|0o600, 0),
		o.mknod(cwd, "/new/dev", abi.S_IFCHR|0o600, 0x103),
		o.chown(cwd, "/new/fifo", 1000, 1001, 0),
		o.chmod(cwd, "/e", 0o711),
		o.truncate("/new/moved/a", 2),
		o.mkdir(cwd, "/dir", 0o755), // with nothing of the one that was there
		o.unlink(cwd, "/new/moved/dir2/b", 0),
	} {
		if e != 0 {
			t.Fatalf("change %d: %v", i, errno.Errno(e))
		}
	}
	fd, _ := o.open(cwd, "/new/holes", abi.O_RDWR|abi.O_CREAT, 0o600)
	o.pwrite(fd, []byte("far"), 5<<20)
	o.fallocate(fd, vfs.FALLOC_FL_KEEP_SIZE, 8<<20, 8192)
	o.close(fd)
	return o
}

// TestCopy copies a tree with changes of all kinds.
func TestCopy(t *testing.T) {
	m := hosted.New(64 << 20)
	defer m.Close()
	o := changed(t, m, 400)
	frames := o.in.Own(inst.Frames)
	for _, top := range []string{"/", "/new", "/e", "/dir2", "/new/moved", "/dir"} {
		before := o.everything(t, top, top == "/")
		c := o.copied(t, top, m)
		same(t, top, before, c.everything(t, "/", top == "/"))
		c.endCopy(t)
	}
	if n := o.in.Own(inst.Frames); n != frames {
		t.Errorf("the copies cost the one that was copied %d frames", n-frames)
	}
	// What is below one name alone has as many links as there are names in it.
	c := o.copied(t, "/new", m)
	if s, _ := c.stat(abi.AT_FDCWD, "/big", 0); s.Nlink != 1 {
		t.Errorf("%d links to a file with one name in the copy", s.Nlink)
	}
	// Its pages are given back with that name.
	n := c.in.Used(inst.Frames)
	c.unlink(abi.AT_FDCWD, "/big", 0)
	if now := c.in.Used(inst.Frames); now > n-100 {
		t.Errorf("%d frames, after a large file is gone %d", n, now)
	}
	c.endCopy(t)
	// Where little differs, a copy costs little.
	c = o.copied(t, "/e", m)
	if n := c.in.Used(inst.Inodes); n > 5 {
		t.Errorf("%d inodes for a directory of a few files", n)
	}
	if l, err := o.c.Resolve(nil, "/new/link", abi.AT_SYMLINK_NOFOLLOW); err != nil {
		t.Error(err)
	} else {
		if _, err := tmpfs.Copy(c.in, m.Memory(), l.Node, goOn); err != errno.EINVAL {
			t.Errorf("copy of a link: %v", err)
		}
		l.Release()
	}
	c.endCopy(t)
	o.end(t)
}

// TestCopyUnchanged copies an image in which nothing has changed, but much is known: that
// costs next to nothing.
func TestCopyUnchanged(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	m := hosted.New(16 << 20)
	defer m.Close()
	o := mounted(t, m, placed(t, m, dir), Options{})
	before := o.everything(t, "/dir", false)
	c := o.copied(t, "/dir", m)
	if n := c.in.Used(inst.Inodes); n != 1 {
		t.Errorf("%d inodes", n)
	}
	same(t, "/dir", before, c.everything(t, "/", false))
	// What is above isn't there.
	for _, p := range []string{"/../a", "/dir/a", "../../dir2/c", "/dir2/../../e"} {
		if s, e := c.stat(abi.AT_FDCWD, p, 0); e == 0 && p != "/../a" {
			t.Errorf("%s is inode %d", p, s.Ino)
		}
	}
	a, _ := c.stat(abi.AT_FDCWD, "/../a", 0)
	if b, _ := o.stat(abi.AT_FDCWD, "/dir/a", 0); a.Ino != b.Ino {
		t.Errorf("inode %d, %d in the image", a.Ino, b.Ino)
	}
	c.endCopy(t)
	o.end(t)
}

// TestCopyFails has a copy fail at each step, by limits and by its caller.
func TestCopyFails(t *testing.T) {
	m := hosted.New(64 << 20)
	defer m.Close()
	o := changed(t, m, 30)
	in := insttest.Child(t, o.in, "copy")
	nothing := func() {
		t.Helper()
		for r := range inst.NumResources {
			if n := in.Used(r); n != 0 {
				t.Fatalf("%d %v are left", n, r)
			}
		}
	}
	for _, tt := range []struct {
		r    inst.Resource
		step int64
		err  errno.Errno
		text string
	}{
		{inst.Heap, 499, errno.ENOMEM, "limit.heap"},
		{inst.Inodes, 1, errno.ENOSPC, "limit.inodes"},
		{inst.Content, 1, errno.ENOSPC, "limit.content"},
		{inst.Frames, 3, errno.ENOSPC, "limit.frames"},
	} {
		failed := 0
		for limit := int64(0); ; limit += tt.step {
			in.SetLimit(tt.r, limit)
			s, err := o.copyOf("/", m, in)
			if err == nil {
				s.Unmounted()
				break
			}
			failed++
			if !errors.Is(err, tt.err) || limit > 2500 && !strings.Contains(err.Error(), tt.text) {
				t.Fatalf("limit.%v %d: %v", tt.r, limit, err)
			}
			nothing()
		}
		if failed < 30 {
			t.Errorf("it failed %d times by limit.%v", failed, tt.r)
		}
		in.SetLimit(tt.r, inst.NoLimit)
	}
	stopped := errors.New("stopped")
	l, err := o.c.Resolve(nil, "/", 0)
	if err != nil {
		t.Fatal(err)
	}
	steps := 0
	for ; ; steps++ {
		left := steps
		s, err := tmpfs.Copy(in, m.Memory(), l.Node, func() error {
			if left--; left < 0 {
				return stopped
			}
			return nil
		})
		if err == nil {
			s.Unmounted()
			break
		}
		if err != stopped {
			t.Fatal(err)
		}
		nothing()
	}
	if steps < 30 {
		t.Errorf("%d steps", steps)
	}
	l.Release()
	nothing()
	in.Release()
	o.end(t)
}

// TestCopyDeep copies directories that hang deep below each other, whose names together are
// longer than any path.
func TestCopyDeep(t *testing.T) {
	const depth = 20000
	m := hosted.New(16 << 20)
	defer m.Close()
	in := insttest.New(t, "deep", members...)
	s, err := tmpfs.New(in, m.Memory(), tmpfs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.MountRoot(s, 0); err != nil {
		t.Fatal(err)
	}
	o, err := newOurs(in)
	if err != nil {
		t.Fatal(err)
	}
	for range depth {
		if o.mkdir(abi.AT_FDCWD, "d", 0o755)|o.chdir("d") != 0 {
			t.Fatal("no directory")
		}
	}
	o.chdir("/")
	c := o.copied(t, "/", m)
	for i := range depth {
		if e := c.chdir("d"); e != 0 {
			t.Fatalf("%d deep: %d", i, e)
		}
	}
	if e := c.chdir("d"); e == 0 {
		t.Error("the copy is deeper")
	}
	c.endCopy(t)
	o.end(t)
}

// TestCopyMeanwhile copies while others change everything: each file is one that there was,
// the copy ends, and all of it is given back.
func TestCopyMeanwhile(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	for i := range 600 {
		os.WriteFile(filepath.Join(dir, "e", fmt.Sprint("n", i)), []byte("x"), 0o644)
	}
	m := hosted.New(64 << 20)
	defer m.Close()
	o := mounted(t, m, placed(t, m, dir), Options{MaxClean: 10})
	stop := make(chan bool)
	var wg sync.WaitGroup
	for g := range 3 {
		wg.Go(func() {
			x := uint32(g)
			name := func() string {
				x = x*1664525 + 1013904223
				return []string{"/dir/", "/dir2/", "/e/", "/", "/dir/dir2/"}[x>>16%5] + []string{"a", "b", "dir", "dir2", "n5", "n300", "e", fmt.Sprint("n", x>>9%600)}[x>>20%8]
			}
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				switch i % 5 {
				case 0:
					o.c.Rename(nil, name(), nil, name(), 0)
				case 1: // not for ever: they come to hang below each other
					if i < 300 {
						o.c.Mkdir(nil, name(), 0o755)
					}
				case 2:
					o.c.Chmod(nil, name(), 0o755, 0)
				case 3: // 200 bytes that are the same
					if f, err := o.c.Open(nil, "/whole"+fmt.Sprint(i%7), abi.O_RDWR|abi.O_CREAT, 0o644); err == nil {
						f.Impl.Write(nil, f, vm.KernelUio(bytes.Repeat([]byte{byte(i)}, 5000)), 0)
						f.Release()
					}
				case 4:
					o.c.Unlink(nil, name(), abi.AT_REMOVEDIR*(i/5%2))
				}
			}
		})
	}
	for range 12 {
		c := o.copied(t, "/", m)
		for i := range 7 {
			if s, e := c.stat(abi.AT_FDCWD, fmt.Sprint("/whole", i), 0); e == 0 && s.Size > 0 {
				b := c.content(t, fmt.Sprint("/whole", i))
				if n := len(b); n != 5000 || bytes.Count(b, b[:1]) != n {
					t.Errorf("%d bytes, %d of them the same", n, bytes.Count(b, b[:1]))
				}
			}
		}
		c.everything(t, "/", true)
		budget := 100
		c.disturb("", &budget)
		c.endCopy(t)
	}
	close(stop)
	wg.Wait()
	o.end(t)
}
