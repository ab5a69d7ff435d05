package vfs_test

import (
	"fmt"
	"sort"
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
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

var members = []inst.Member{vfs.Member}

// system is an instance with a tmpfs as its root.
type system struct {
	t  testing.TB
	m  *hosted.Machine
	in *inst.Inst
	c  *vfs.Caller
}

func newSystem(t testing.TB, m *hosted.Machine, o tmpfs.Options) *system {
	t.Helper()
	in := insttest.New(t, "test", members...)
	super, err := tmpfs.New(in, m.Memory(), o)
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.MountRoot(super, 0); err != nil {
		t.Fatal(err)
	}
	st, err := vfs.NewState(in)
	if err != nil {
		t.Fatal(err)
	}
	return &system{t, m, in, &vfs.Caller{Inst: in, Cred: proc.RootCred(), FS: st}}
}

// two returns two instances on one machine.
func two(t *testing.T) (a, b *system) {
	m := hosted.New(32 << 20)
	t.Cleanup(m.Close)
	return newSystem(t, m, tmpfs.Options{}), newSystem(t, m, tmpfs.Options{})
}

// done frees the instance and checks that nothing is left.
func (s *system) done() {
	s.t.Helper()
	s.c.FS.Release()
	s.in.Release()
	for _, r := range []inst.Resource{inst.Heap, inst.Frames} {
		if n := s.in.Used(r); n != 0 {
			s.t.Errorf("%d of resource %d left", n, r)
		}
	}
}

func (s *system) as(uid uint32) *vfs.Caller {
	c := *s.c
	c.Cred = &proc.Cred{UID: uid, EUID: uid, SUID: uid, FSUID: uid, GID: uid, EGID: uid, SGID: uid, FSGID: uid}
	return &c
}

func (s *system) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *system) want(what string, got, want error) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func (s *system) write(path, content string) {
	s.t.Helper()
	f, err := s.c.Open(nil, path, abi.O_WRONLY|abi.O_CREAT|abi.O_TRUNC, 0o644)
	s.must(err)
	defer f.Release()
	s.must(f.Impl.Write(nil, f, vm.KernelUio([]byte(content)), 0))
}

func (s *system) read(path string) string {
	f, err := s.c.Open(nil, path, abi.O_RDONLY, 0)
	if err != nil {
		return err.Error()
	}
	defer f.Release()
	b := make([]byte, 1<<16)
	u := vm.KernelUio(b)
	if err := f.Impl.Read(nil, f, u, 0); err != nil {
		return err.Error()
	}
	return string(b[:u.Done()])
}

func (s *system) list(path string) string {
	f, err := s.c.Open(nil, path, abi.O_RDONLY|abi.O_DIRECTORY, 0)
	if err != nil {
		return err.Error()
	}
	defer f.Release()
	var names []string
	_, err = f.Impl.(file.Dirreader).ReadDir(nil, f, 0, func(d *abi.Dirent) bool {
		names = append(names, d.Name)
		return true
	})
	if err != nil {
		return err.Error()
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

func TestTwoInstances(t *testing.T) {
	a, b := two(t)
	a.write("/x", "of a")
	a.must(a.c.Mkdir(nil, "/d", 0o755))
	if got := b.list("/"); got != ". .." {
		t.Errorf("the other instance sees %q", got)
	}
	b.write("/x", "of b")
	a.must(a.c.Unlink(nil, "/d", abi.AT_REMOVEDIR))
	a.must(a.c.Chdir(nil, "/"))
	if x, y := a.read("/x"), b.read("/x"); x != "of a" || y != "of b" {
		t.Errorf("%q, %q", x, y)
	}
	used := b.in.Used(inst.Heap)
	a.must(a.c.Mkdir(nil, "/more", 0o755))
	if b.in.Used(inst.Heap) != used {
		t.Error("one instance pays for the other")
	}
	a.done()
	if got := b.read("/x"); got != "of b" {
		t.Errorf("after the other's end: %q", got)
	}
	b.done()
}

func TestMountTree(t *testing.T) {
	a, b := two(t)
	defer b.done()
	defer a.done()
	a.must(a.c.Mkdir(nil, "/m", 0o755))
	b.must(b.c.Mkdir(nil, "/m", 0o755))
	a.write("/m/under", "under")
	sub, err := tmpfs.New(a.in, a.m.Memory(), tmpfs.Options{Source: "sub", MaxPages: 2})
	a.must(err)
	a.want("mount by a user", a.as(1).Mount(sub, "/m", 0), errno.EPERM)
	a.want("mount on a file", a.c.Mount(sub, "/m/under", 0), errno.ENOTDIR)
	a.must(a.c.Mount(sub, "/m", 0))
	a.want("mount the same again", a.c.Mount(sub, "/m", 0), errno.EBUSY)
	if got := a.list("/m"); got != ". .." {
		t.Errorf("in the mount: %q", got)
	}
	if got := b.list("/m"); got != ". .." {
		t.Errorf("in the other instance: %q", got)
	}
	a.write("/m/x", "x")
	if got := b.read("/m/x"); got != errno.ENOENT.Error() {
		t.Errorf("the other instance reads %q", got)
	}
	a.want("rename over", a.c.Rename(nil, "/m/x", nil, "/x", 0), errno.EXDEV)
	a.want("link over", a.c.Link(nil, "/m/x", nil, "/x", 0), errno.EXDEV)
	a.want("rmdir", a.c.Unlink(nil, "/m", abi.AT_REMOVEDIR), errno.EBUSY)
	a.want("rename", a.c.Rename(nil, "/m", nil, "/n", 0), errno.EBUSY)
	if got := a.list("/m/.."); got != ". .. m" {
		t.Errorf("above the mount: %q", got)
	}
	s1, _ := a.c.Stat(nil, "/", 0)
	s2, _ := a.c.Stat(nil, "/m", 0)
	if s1.Dev == s2.Dev {
		t.Error("one device for two file systems")
	}
	a.must(a.c.Chdir(nil, "/m"))
	if got, err := a.c.Getcwd(); got != "/m" || err != nil {
		t.Errorf("getcwd = %q, %v", got, err)
	}
	a.want("busy", a.c.Umount("/m", 0), errno.EBUSY)
	a.must(a.c.Chdir(nil, ".."))
	if got, _ := a.c.Getcwd(); got != "/" {
		t.Errorf("getcwd = %q", got)
	}
	l, err := a.c.Resolve(nil, "/m", 0)
	a.must(err)
	busy, err := a.c.Open(nil, "/m/busy", abi.O_WRONLY|abi.O_CREAT, 0o600)
	a.must(err)
	a.want("read-only with a writer", a.c.Remount(l, vfs.MS_RDONLY, false, ""), errno.EBUSY)
	busy.Release()
	a.must(a.c.Unlink(nil, "/m/busy", 0))
	a.must(a.c.Remount(l, vfs.MS_RDONLY|vfs.MS_NOEXEC, false, ""))
	l.Release()
	a.want("mkdir", a.c.Mkdir(nil, "/m/d", 0o755), errno.EROFS)
	a.want("mkdir of one that is there", a.c.Mkdir(nil, "/m/x", 0o755), errno.EEXIST)
	a.want("unlink", a.c.Unlink(nil, "/m/x", 0), errno.EROFS)
	a.want("chmod", a.c.Chmod(nil, "/m/x", 0o600, 0), errno.EROFS)
	a.want("access", a.c.Access(nil, "/m/x", 2, 0), errno.EROFS)
	a.want("truncate", a.c.Truncate("/m/x", 0), errno.EROFS)
	_, err = a.c.Open(nil, "/m/x", abi.O_RDWR, 0)
	a.want("open", err, errno.EROFS)
	_, err = a.c.Open(nil, "/m/new", abi.O_RDWR|abi.O_CREAT, 0)
	a.want("create", err, errno.EROFS)
	_, err = a.c.OpenExec(nil, "/m/x", 0)
	a.want("exec", err, errno.EACCES)
	var lines []string
	vfs.TableOf(a.in).Mounts(func(m *vfs.Mount, name string) { lines = append(lines, name+" "+m.Super.Source) })
	if got := strings.Join(lines, ", "); got != "/ tmpfs, /m sub" {
		t.Errorf("mounts: %q", got)
	}
	a.must(a.c.Umount("/m", 0))
	if got := a.read("/m/under"); got != "under" {
		t.Errorf("under the mount: %q", got)
	}
	a.want("umount of no mount", a.c.Umount("/m", 0), errno.EINVAL)
}

// TestUmountRoot: the root isn't removed, but nobody may write to it any more.
func TestUmountRoot(t *testing.T) {
	a, b := two(t)
	defer b.done()
	defer a.done()
	a.write("/x", "x")
	f, err := a.c.Open(nil, "/x", abi.O_WRONLY, 0)
	a.must(err)
	a.want("by a user", a.as(5).Umount("/", 0), errno.EPERM)
	a.want("expire", a.c.Umount("/", vfs.MNT_EXPIRE), errno.EINVAL)
	a.want("detach", a.c.Umount("/", vfs.MNT_DETACH), errno.EBUSY)
	a.want("with a writer", a.c.Umount("/", 0), errno.EBUSY)
	f.Release()
	a.must(a.c.Umount("/", 0))
	a.must(a.c.Umount("/", 0))
	a.want("mkdir", a.c.Mkdir(nil, "/d", 0o755), errno.EROFS)
	if got := a.read("/x"); got != "x" {
		t.Errorf("file is %q", got)
	}
	b.must(b.c.Mkdir(nil, "/d", 0o755))
}

func TestChroot(t *testing.T) {
	a, b := two(t)
	defer b.done()
	defer a.done()
	a.must(a.c.Mkdir(nil, "/jail", 0o755))
	a.must(a.c.Mkdir(nil, "/jail/in", 0o755))
	a.write("/out", "out")
	a.must(a.c.Symlink("/out", nil, "/jail/abs"))
	a.want("chroot by a user", a.as(5).Chroot("/jail"), errno.EPERM)
	a.must(a.c.Chroot("/jail"))
	if got, _ := a.c.Getcwd(); got != "(unreachable)/" {
		t.Errorf("getcwd outside = %q", got)
	}
	a.must(a.c.Chdir(nil, "/in"))
	if got, _ := a.c.Getcwd(); got != "/in" {
		t.Errorf("getcwd = %q", got)
	}
	for _, p := range []string{"/out", "../../out", "/abs", "/../out"} {
		if _, err := a.c.Stat(nil, p, 0); err != errno.ENOENT {
			t.Errorf("%s: %v", p, err)
		}
	}
	if b.list("/") != ". .." {
		t.Error("the other instance has changed")
	}
}

func TestExecAndWrite(t *testing.T) {
	a, b := two(t)
	defer b.done()
	defer a.done()
	a.write("/prog", "#!")
	_, err := a.c.OpenExec(nil, "/prog", 0)
	a.want("not executable", err, errno.EACCES)
	a.must(a.c.Chmod(nil, "/prog", 0o755, 0))
	_, err = a.c.OpenExec(nil, "/", 0)
	a.want("directory", err, errno.EACCES)
	f, err := a.c.OpenExec(nil, "/prog", 0)
	a.must(err)
	_, err = a.c.Open(nil, "/prog", abi.O_RDWR, 0)
	a.want("write while executed", err, errno.ETXTBSY)
	a.want("truncate while executed", a.c.Truncate("/prog", 0), errno.ETXTBSY)
	o, err := f.Impl.(file.Mapper).Object(nil, f, vm.Read, false)
	a.must(err)
	o.Retain()
	f.Release()
	_, err = a.c.Open(nil, "/prog", abi.O_RDWR, 0)
	a.want("write while mapped", err, errno.ETXTBSY)
	o.Release()
	w, err := a.c.Open(nil, "/prog", abi.O_RDWR, 0)
	a.must(err)
	_, err = a.c.OpenExec(nil, "/prog", 0)
	a.want("exec while written", err, errno.ETXTBSY)
	w.Release()
	f, err = a.c.OpenExec(nil, "/prog", 0)
	a.must(err)
	f.Release()
}

// TestMapTogether maps one open file from two threads.
func TestMapTogether(t *testing.T) {
	a, _ := two(t)
	defer a.done()
	a.write("f", "text")
	f, err := a.c.Open(nil, "f", abi.O_RDONLY, 0)
	a.must(err)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			o, err := f.Impl.(file.Mapper).Object(nil, f, vm.Read, false)
			if err != nil || o.Key() == nil {
				t.Errorf("%v, %v", o, err)
			}
		})
	}
	wg.Wait()
	f.Release()
}

// TestReaddirWhileChanging removes and adds names while a directory is read:
// each name that stays is seen once.
func TestReaddirWhileChanging(t *testing.T) {
	a, b := two(t)
	defer b.done()
	defer a.done()
	for i := range 300 {
		a.write(fmt.Sprintf("/f%03d", i), "")
	}
	f, err := a.c.Open(nil, "/", abi.O_RDONLY, 0)
	a.must(err)
	defer f.Release()
	seen := map[string]int{}
	pos := int64(0)
	for round := 0; ; round++ {
		n := 0
		pos, err = f.Impl.(file.Dirreader).ReadDir(nil, f, pos, func(d *abi.Dirent) bool {
			if n == 10 {
				return false
			}
			n++
			seen[d.Name]++
			return true
		})
		a.must(err)
		if n == 0 {
			break
		}
		for i := range 300 {
			if i%30 == round {
				a.c.Unlink(nil, fmt.Sprintf("/f%03d", i), 0)
			}
		}
		if round < 5 {
			a.write(fmt.Sprintf("/new%d", round), "")
		}
	}
	for i := range 300 {
		name := fmt.Sprintf("f%03d", i)
		_, err := a.c.Stat(nil, "/"+name, 0)
		if seen[name] > 1 || seen[name] == 0 && err == nil {
			t.Errorf("%s seen %d times", name, seen[name])
		}
	}
}

// TestConcurrent lets many goroutines change the same names in two instances.
func TestConcurrent(t *testing.T) {
	a, b := two(t)
	var wg sync.WaitGroup
	for _, s := range []*system{a, b} {
		for _, d := range []string{"/p", "/q", "/p/r"} {
			s.must(s.c.Mkdir(nil, d, 0o777))
		}
		for g := range 6 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				s.hammer(g)
			}()
		}
	}
	wg.Wait()
	a.done()
	b.done()
}

func (s *system) hammer(g int) {
	dirs := []string{"/p/", "/q/", "/p/r/", "/q/s/", "/"}
	x := uint32(g + 1)
	rnd := func(n int) int {
		x = x*1664525 + 1013904223
		return int(x>>16) % n
	}
	name := func() string { return dirs[rnd(len(dirs))] + string(rune('a'+rnd(3))) }
	for range 1500 {
		switch rnd(11) {
		case 0:
			s.c.Rename(nil, name(), nil, name(), rnd(3))
		case 1:
			s.c.Rename(nil, "/p/r", nil, "/q/s", 0)
			s.c.Rename(nil, "/q/s", nil, "/p/r", 0)
		case 2:
			s.c.Unlink(nil, name(), 0)
		case 3:
			s.c.Link(nil, name(), nil, name(), 0)
		case 4:
			s.c.Mkdir(nil, name(), 0o755)
		case 5:
			s.c.Unlink(nil, name(), abi.AT_REMOVEDIR)
		case 6:
			s.c.Symlink("../p/a", nil, name())
		case 7:
			s.c.Stat(nil, name(), 0)
			s.list("/p")
		case 8:
			s.c.Chmod(nil, name(), 0o700, 0)
			s.c.Truncate(name(), int64(rnd(20000)))
		default:
			f, err := s.c.Open(nil, name(), abi.O_RDWR|abi.O_CREAT, 0o644)
			if err != nil {
				continue
			}
			if _, ok := f.Impl.(file.Mapper); ok {
				f.Impl.Write(nil, f, vm.KernelUio(make([]byte, 5000)), int64(rnd(3))*4096)
				f.Impl.Read(nil, f, vm.KernelUio(make([]byte, 5000)), 0)
				o, err := f.Impl.(file.Mapper).Object(nil, f, vm.Read, true)
				if err == nil {
					if pa, err := o.Page(uint64(rnd(3)), rnd(2) == 0); err == nil {
						s.m.Memory().Put(pa)
					}
				}
			}
			f.Release()
		}
	}
}

func TestTimes(t *testing.T) {
	a, b := two(t)
	defer b.done()
	defer a.done()
	a.write("f", "x")
	set := [2]abi.Timespec{{Sec: 5, Nsec: 6}, {Nsec: vfs.UTIME_OMIT}}
	before, _ := a.c.Stat(nil, "f", 0)
	a.must(a.c.Utimes(nil, "f", &set, 0))
	s, _ := a.c.Stat(nil, "f", 0)
	if s.Atime != set[0] || s.Mtime != before.Mtime {
		t.Errorf("%+v", s)
	}
	a.read("f") // relatime: older than the change
	if s, _ = a.c.Stat(nil, "f", 0); s.Atime == set[0] {
		t.Error("a read leaves no time")
	}
	u := a.as(7)
	a.want("of another", u.Utimes(nil, "f", &set, 0), errno.EPERM)
	a.want("touch without permission", u.Utimes(nil, "f", nil, 0), errno.EACCES)
	a.must(a.c.Chmod(nil, "f", 0o666, 0))
	a.must(u.Utimes(nil, "f", nil, 0))
	set[0].Nsec = 1e9
	a.want("bad time", a.c.Utimes(nil, "f", &set, 0), errno.EINVAL)
	a.want("no file, bad time", a.c.Utimes(nil, "not there", &set, 0), errno.ENOENT)
}

func TestAccessRealUser(t *testing.T) {
	a, b := two(t)
	defer b.done()
	defer a.done()
	a.write("f", "x")
	a.must(a.c.Chmod(nil, "f", 0o600, 0))
	c := *a.c
	c.Cred = proc.RootCred()
	c.Cred.UID, c.Cred.GID = 7, 7
	a.want("real user", c.Access(nil, "f", 4, 0), errno.EACCES)
	a.want("effective user", c.Access(nil, "f", 4, abi.AT_EACCESS), nil)
	a.want("exec by root", a.c.Access(nil, "f", 1, 0), errno.EACCES)
	a.want("bad mode", a.c.Access(nil, "f", 8, 0), errno.EINVAL)
}

func TestPaths(t *testing.T) {
	a, b := two(t)
	defer b.done()
	defer a.done()
	long := strings.Repeat("a/", 2047)
	_, err := a.c.Stat(nil, long+"b", 0)
	a.want("long path", err, errno.ENOENT)
	_, err = a.c.Stat(nil, long+"bb", 0)
	a.want("too long path", err, errno.ENAMETOOLONG)
	for i := range 41 {
		a.must(a.c.Symlink(fmt.Sprint("s", i+1), nil, fmt.Sprint("s", i)))
	}
	a.write("s41", "end")
	if got := a.read("s1"); got != "end" {
		t.Errorf("40 links: %q", got)
	}
	_, err = a.c.Stat(nil, "s0", 0)
	a.want("41 links", err, errno.ELOOP)
	_, err = a.c.Open(nil, "s0", abi.O_RDONLY|abi.O_CREAT, 0)
	a.want("41 links, open", err, errno.ELOOP)
	a.must(a.c.Mkdir(nil, "d", 0o755))
	f, err := a.c.Open(nil, "d", abi.O_PATH, 0)
	a.must(err)
	a.must(a.c.Rename(nil, "d", nil, "e", 0))
	if p, ok := a.c.FS.PathOf(f); p != "/e" || !ok {
		t.Errorf("path %q", p)
	}
	a.must(a.c.Chdir(f, ""))
	a.must(a.c.Unlink(nil, "/e", abi.AT_REMOVEDIR))
	if p, _ := a.c.FS.PathOf(f); !strings.HasSuffix(p, " (deleted)") {
		t.Errorf("path %q", p)
	}
	_, err = a.c.Getcwd()
	a.want("getcwd", err, errno.ENOENT)
	a.want("mkdir in a removed directory", a.c.Mkdir(nil, "x", 0o755), errno.ENOENT)
	f.Release()
	a.must(a.c.Chdir(nil, "/"))
}
