package unionfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"mult/arch/hosted"
	"mult/fs/erofs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/mem"
	"mult/kern/vm"
)

// placed makes an image of a tree and puts it into the RAM of a machine.
func placed(t *testing.T, m *hosted.Machine, dir string) *erofs.Image {
	t.Helper()
	data := imageBytes(t, dir, filepath.Join(t.TempDir(), "image"))
	var at mem.PA
	for i := range (len(data) + mem.PageSize - 1) / mem.PageSize {
		pa, ok := m.Memory().Alloc()
		if i == 0 {
			at = pa
		}
		if !ok || pa != at+mem.PA(i*mem.PageSize) {
			t.Fatal("fresh memory is in pieces")
		}
	}
	ram := unsafe.Slice((*byte)(unsafe.Add(m.Base(), at)), len(data))
	copy(ram, data)
	im, err := erofs.Open(ram)
	if err != nil {
		t.Fatal(err)
	}
	im.Place(m.Memory(), at)
	return im
}

func mounted(t *testing.T, m *hosted.Machine, im *erofs.Image, o Options) *ours {
	t.Helper()
	in := insttest.New(t, "union", members...)
	s, err := New(in, m.Memory(), im, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.MountRoot(s, 0); err != nil {
		t.Fatal(err)
	}
	u, err := newOurs(in)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// end frees an instance and checks that nothing is left.
func (o *ours) end(t *testing.T) {
	t.Helper()
	o.done()
	o.in.Release()
	for _, r := range []inst.Resource{inst.Heap, inst.Frames} {
		if n := o.in.Used(r); n != 0 {
			t.Errorf("%d of resource %d left", n, r)
		}
	}
}

func (o *ours) content(t *testing.T, path string) []byte {
	t.Helper()
	fd, e := o.open(abi.AT_FDCWD, path, abi.O_RDONLY, 0)
	if e != 0 {
		t.Fatalf("open(%q) = %d", path, e)
	}
	defer o.close(fd)
	b := make([]byte, 1<<20)
	n, e := o.pread(fd, b, 0)
	if e != 0 {
		t.Fatalf("read(%q) = %d", path, e)
	}
	return b[:n]
}

// TestTwoInstances lets two instances use one image.
func TestTwoInstances(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	big := bytes.Repeat([]byte("0123456789abcdef"), 3000)
	if err := os.WriteFile(filepath.Join(dir, "big"), big, 0o644); err != nil {
		t.Fatal(err)
	}
	m := hosted.New(16 << 20)
	defer m.Close()
	im := placed(t, m, dir)
	a, b := mounted(t, m, im, Options{}), mounted(t, m, im, Options{})
	cwd := abi.AT_FDCWD

	before, _ := b.stat(cwd, "big", 0)
	ino, _ := a.stat(cwd, "big", 0)
	fd, e := a.open(cwd, "big", abi.O_RDWR, 0)
	if e != 0 {
		t.Fatal(e)
	}
	if _, e := a.pwrite(fd, []byte("CHANGED"), 5000); e != 0 {
		t.Fatal(e)
	}
	if n := a.in.Used(inst.Frames); n != 1 {
		t.Errorf("a write to one page costs %d frames", n)
	}
	want := bytes.Clone(big)
	copy(want[5000:], "CHANGED")
	if !bytes.Equal(a.content(t, "big"), want) {
		t.Error("the writer reads something else")
	}
	if !bytes.Equal(b.content(t, "big"), big) {
		t.Error("the other instance sees the change")
	}
	if now, _ := a.stat(cwd, "big", 0); now.Ino != ino.Ino {
		t.Errorf("the inode's number changes from %d to %d", ino.Ino, now.Ino)
	}
	for i, e := range []int{
		a.unlink(cwd, "dir/a", 0),
		a.rename(cwd, "dir", cwd, "moved", 0),
		a.mkdir(cwd, "dir", 0o755),
		a.chmod(cwd, "moved/dir2", 0o711),
		a.ftruncate(fd, 10),
		a.ftruncate(fd, 20000), // what was cut off must not come back
	} {
		if e != 0 {
			t.Errorf("change %d: %v", i, errno.Errno(e))
		}
	}
	if got := a.content(t, "big"); len(got) != 20000 || string(got[:10]) != string(big[:10]) || len(bytes.Trim(got[10:], "\x00")) != 0 {
		t.Errorf("%d bytes: %q...", len(got), got[:20])
	}
	if now, _ := b.stat(cwd, "big", 0); now != before {
		t.Errorf("the other instance sees %+v, had %+v", now, before)
	}
	if s, e := b.stat(cwd, "dir/a", 0); e != 0 {
		t.Errorf("the other instance: %+v, %d", s, e)
	}
	if _, e := b.stat(cwd, "moved", 0); e != int(errno.ENOENT) {
		t.Errorf("the other instance sees a new name: %d", e)
	}
	if b.in.Used(inst.Frames) != 0 {
		t.Error("the other instance pays")
	}
	a.end(t)
	if !bytes.Equal(b.content(t, "big"), big) {
		t.Error("the other instance has changed")
	}
	b.end(t)
}

// TestWhiteouts removes and makes names of the image again.
func TestWhiteouts(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	m := hosted.New(16 << 20)
	defer m.Close()
	im := placed(t, m, dir)
	a, b := mounted(t, m, im, Options{}), mounted(t, m, im, Options{})
	cwd := abi.AT_FDCWD
	ok := func(e int) {
		t.Helper()
		if e != 0 {
			t.Fatal(errno.Errno(e))
		}
	}
	ok(a.unlink(cwd, "dir/dir2/e", abi.AT_REMOVEDIR))
	ok(a.unlink(cwd, "dir/dir2/a", 0))
	ok(a.unlink(cwd, "dir/dir2/b", 0))
	ok(a.unlink(cwd, "dir/dir2", abi.AT_REMOVEDIR))
	ok(a.mkdir(cwd, "dir/dir2", 0o700)) // nothing of the old one shows
	fd, e := a.open(cwd, "dir/dir2", abi.O_RDONLY, 0)
	ok(e)
	if n, _ := a.names(fd); len(n) != 0 {
		t.Errorf("a new directory holds %q", n)
	}
	if _, e := a.stat(cwd, "dir/dir2/a", 0); e != int(errno.ENOENT) {
		t.Errorf("an old name: %d", e)
	}
	s, _ := a.stat(cwd, "dir/b", 0)
	if s.Nlink != 2 {
		t.Errorf("%d links, want 2", s.Nlink)
	}
	ok(a.chmod(cwd, "dir/b", 0o600))
	if s, _ := a.stat(cwd, "dir2/b", 0); s.Mode&0o777 != 0o600 {
		t.Errorf("the other link has mode %o", s.Mode)
	}
	if s, e := b.stat(cwd, "dir/dir2/b", 0); e != 0 || s.Nlink != 3 || s.Mode&0o777 != 0o644 {
		t.Errorf("the other instance: %+v, %d", s, e)
	}
	a.end(t)
	b.end(t)
}

// TestMapping maps files of an image.
func TestMapping(t *testing.T) {
	dir := t.TempDir()
	big := bytes.Repeat([]byte("mapped! "), 2048)
	if err := os.WriteFile(filepath.Join(dir, "big"), big, 0o644); err != nil {
		t.Fatal(err)
	}
	m := hosted.New(16 << 20)
	defer m.Close()
	sys := &vm.System{Machine: m, Memory: m.Memory()}
	im := placed(t, m, dir)
	a, b := mounted(t, m, im, Options{}), mounted(t, m, im, Options{})
	type view struct {
		s  *vm.Space
		at vm.Addr
	}
	show := func(o *ours, flags int, prot vm.Prot, shared bool) view {
		t.Helper()
		fd, e := o.open(abi.AT_FDCWD, "big", flags, 0)
		if e != 0 {
			t.Fatal(e)
		}
		f := o.fds[fd]
		ob, err := f.Impl.(file.Mapper).Object(nil, f, prot, shared)
		if err != nil {
			t.Fatal(err)
		}
		s, err := vm.New(sys, o.in)
		if err != nil {
			t.Fatal(err)
		}
		addr, err := s.Map(vm.MapArgs{Len: uint64(len(big)), Prot: prot, MaxProt: 7, Shared: shared, Object: ob})
		if err != nil {
			t.Fatal(err)
		}
		o.close(fd)
		return view{s, addr}
	}
	read := func(v view, off, n int) string {
		t.Helper()
		p := make([]byte, n)
		if err := v.s.CopyIn(p, v.at+vm.Addr(off)); err != nil {
			t.Fatal(err)
		}
		return string(p)
	}
	va := show(a, abi.O_RDONLY, vm.Read, false)
	vb := show(b, abi.O_RDONLY, vm.Read, false)
	frames := a.in.Used(inst.Frames)
	if read(va, 4096, 8) != "mapped! " || read(vb, 0, 8) != "mapped! " {
		t.Error("content differs")
	}
	pa, err := im.Page(mustInode(t, im, "big"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if refs := m.Memory().Refs(pa); refs < 3 {
		t.Errorf("the frame of the image has %d references: it isn't shown in place", refs)
	}
	m.Memory().Put(pa)
	// Tables aside, showing the image costs nothing.
	if n := a.in.Used(inst.Frames) - frames; n > 4 {
		t.Errorf("%d frames for pages of the image", n)
	}
	// A private change stays in the mapping, a shared one gets to the file.
	vp := show(a, abi.O_RDONLY, vm.Read|vm.Write, false)
	if err := vp.s.CopyOut(vp.at, []byte("private")); err != nil {
		t.Fatal(err)
	}
	if got := string(a.content(t, "big")[:7]); got != "mapped!" {
		t.Errorf("a private change is in the file: %q", got)
	}
	vs := show(a, abi.O_RDWR, vm.Read|vm.Write, true)
	vr := show(a, abi.O_RDONLY, vm.Read, true) // while a writer has it mapped
	if read(vr, 8192, 7) != "mapped!" {
		t.Error("content differs")
	}
	if err := vs.s.CopyOut(vs.at+8192, []byte("shared")); err != nil {
		t.Fatal(err)
	}
	if got := string(a.content(t, "big")[8192:8198]); got != "shared" {
		t.Errorf("the file has %q", got)
	}
	if got := read(vr, 8192, 6); got != "shared" {
		t.Errorf("another mapping shows %q", got)
	}
	if got := string(b.content(t, "big")); got != string(big) {
		t.Error("the other instance sees a change")
	}
	if err := vs.s.CopyOut(vs.at+vm.Addr(len(big)), []byte("x")); err == nil {
		t.Error("a write behind the mapping")
	}
	for _, v := range []view{va, vb, vp, vs, vr} {
		v.s.Release()
	}
	a.end(t)
	b.end(t)
}

func mustInode(t *testing.T, im *erofs.Image, name string) *erofs.Inode {
	t.Helper()
	root, err := im.Inode(im.Root())
	if err != nil {
		t.Fatal(err)
	}
	e, err := im.Lookup(&root, name)
	if err != nil {
		t.Fatal(err)
	}
	i, err := im.Inode(e.ID)
	if err != nil {
		t.Fatal(err)
	}
	return &i
}

// TestForgetting looks at more files than may be kept, with little memory.
func TestForgetting(t *testing.T) {
	dir := t.TempDir()
	for i := range 20 {
		d := filepath.Join(dir, fmt.Sprint("d", i))
		os.Mkdir(d, 0o755)
		for k := range 20 {
			os.WriteFile(filepath.Join(d, fmt.Sprint("f", k)), []byte("x"), 0o644)
		}
	}
	m := hosted.New(16 << 20)
	defer m.Close()
	im := placed(t, m, dir)
	a, b := mounted(t, m, im, Options{MaxClean: 30}), mounted(t, m, im, Options{})
	b.in.SetLimit(inst.Heap, b.in.Used(inst.Heap)+20000)
	for _, o := range []*ours{a, b} {
		inos := map[string]uint64{}
		for round := range 2 {
			for i := range 20 {
				for k := range 20 {
					p := fmt.Sprintf("/d%d/f%d", i, k)
					s, e := o.stat(abi.AT_FDCWD, p, 0)
					if e != 0 {
						t.Fatalf("%s: %d", p, e)
					}
					if round == 1 && s.Ino != inos[p] {
						t.Errorf("%s: inode %d, was %d", p, s.Ino, inos[p])
					}
					inos[p] = s.Ino
				}
			}
		}
		if n := o.in.Used(inst.Heap); n > 60000 {
			t.Errorf("%d bytes of heap in use", n)
		}
		// What has changed is not forgotten.
		o.chmod(abi.AT_FDCWD, "/d3/f3", 0o600)
		for i := range 20 {
			o.stat(abi.AT_FDCWD, fmt.Sprintf("/d%d/f7", i), 0)
		}
		if s, _ := o.stat(abi.AT_FDCWD, "/d3/f3", 0); s.Mode&0o777 != 0o600 {
			t.Error("a change was forgotten")
		}
	}
	a.end(t)
	b.end(t)
}

// TestConcurrent uses one image from many goroutines of two instances.
func TestConcurrent(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir)
	m := hosted.New(16 << 20)
	defer m.Close()
	im := placed(t, m, dir)
	a, b := mounted(t, m, im, Options{MaxClean: 3}), mounted(t, m, im, Options{MaxClean: 3})
	var wg sync.WaitGroup
	for _, o := range []*ours{a, b} {
		for g := range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				c := o.c
				x := uint32(g)
				name := func() string {
					x = x*1664525 + 1013904223
					return []string{"dir/", "dir2/", "e/", "", "dir/dir2/"}[x>>16%5] + modelNames[x>>20%6]
				}
				for i := range 800 {
					c.Stat(nil, name(), 0)
					switch i % 5 {
					case 0:
						c.Rename(nil, name(), nil, name(), 0)
					case 1:
						c.Unlink(nil, name(), 0)
					case 2:
						c.Chmod(nil, name(), 0o755, 0)
					case 3:
						if f, err := c.Open(nil, name(), abi.O_RDWR|abi.O_CREAT, 0o644); err == nil {
							f.Impl.Write(nil, f, vm.KernelUio([]byte(strings.Repeat("y", 5000))), int64(i))
							f.Impl.Read(nil, f, vm.KernelUio(make([]byte, 9000)), 0)
							f.Release()
						}
					case 4:
						if f, err := c.Open(nil, name(), abi.O_RDONLY|abi.O_DIRECTORY, 0); err == nil {
							f.Impl.(file.Dirreader).ReadDir(nil, f, 0, func(*abi.Dirent) bool { return true })
							f.Release()
						}
					}
				}
			}()
		}
	}
	wg.Wait()
	a.end(t)
	b.end(t)
}
