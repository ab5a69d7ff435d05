package unionfs

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"mult/arch/hosted"
	"mult/fs/erofs"
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/abi"
)

// fileSystem is what host and ours have in common.
type fileSystem interface {
	as(uid, gid uint32)
	open(dir int, path string, flags int, mode uint32) (int, int)
	close(fd int)
	pwrite(fd int, b []byte, off int64) (int, int)
	pread(fd int, b []byte, off int64) (int, int)
	mkdir(dir int, path string, mode uint32) int
	mknod(dir int, path string, mode uint32, dev int) int
	unlink(dir int, path string, flags int) int
	rename(d1 int, old string, d2 int, new string, flags int) int
	link(d1 int, old string, d2 int, new string, flags int) int
	symlink(target string, dir int, path string) int
	readlink(dir int, path string) (string, int)
	stat(dir int, path string, flags int) (abi.Stat, int)
	truncate(path string, size int64) int
	ftruncate(fd int, size int64) int
	fallocate(fd int, mode uint32, off, n int64) int
	chmod(dir int, path string, mode uint32) int
	chown(dir int, path string, uid, gid uint32, flags int) int
	access(dir int, path string, mode uint32) int
	chdir(path string) int
	fchdir(fd int) int
	seek(fd int, off int64, whence int) (int64, int)
	getcwd() (string, int)
	names(fd int) ([]string, int)
}

// model does the same with both and compares.
type model struct {
	r    *rand.Rand
	a, b fileSystem // host, ours
	fds  [4][2]int  // open files, 0: none
	uids [4]uint32  // who opened them
	uid  uint32
	log  []string
	bad  []string
	step int
}

func (m *model) fail(format string, args ...any) {
	m.bad = append(m.bad, shorter(fmt.Sprintf("step %d: ", m.step)+fmt.Sprintf(format, args...)))
}

var modelNames = []string{"a", "b", "c", "dir", "dir2", "e"}

// shorter makes the long names of a line readable.
func shorter(s string) string { return strings.ReplaceAll(s, strings.Repeat("x", 249), "xx..") }

// path returns a random path.
func (m *model) path() string {
	var b strings.Builder
	if m.r.Intn(8) == 0 {
		b.WriteByte('/')
	}
	for n := 1 + m.r.Intn(3); n > 0; n-- {
		switch m.r.Intn(30) {
		case 0:
			b.WriteString("..")
		case 1:
			b.WriteString(".")
		case 2:
			b.WriteString(strings.Repeat("x", 250+m.r.Intn(10)))
		default:
			b.WriteString(modelNames[m.r.Intn(len(modelNames))])
		}
		if n > 1 {
			b.WriteByte('/')
		}
	}
	switch m.r.Intn(25) {
	case 0:
		b.WriteByte('/')
	case 1:
		b.WriteString("//")
	case 2:
		if m.r.Intn(4) == 0 {
			return ""
		}
	}
	return b.String()
}

// at returns a random directory: the current one or an open file.
func (m *model) at() [2]int {
	if fd := m.fds[m.r.Intn(len(m.fds))]; m.r.Intn(4) == 0 && fd[0] != 0 {
		return fd
	}
	return [2]int{abi.AT_FDCWD, abi.AT_FDCWD}
}

// check compares two results of a call.
func (m *model) check(what string, a, b any) {
	m.log = append(m.log, shorter(fmt.Sprintf("%d %s = %v", m.step, what, a)))
	if !reflect.DeepEqual(a, b) {
		m.fail("%s: host %v, ours %v", what, a, b)
	}
}

var modelFlags = []int{
	abi.O_RDONLY, abi.O_WRONLY, abi.O_RDWR, abi.O_RDWR | abi.O_CREAT, abi.O_RDWR | abi.O_CREAT,
	abi.O_WRONLY | abi.O_CREAT | abi.O_EXCL, abi.O_RDWR | abi.O_CREAT | abi.O_TRUNC, abi.O_RDONLY | abi.O_TRUNC,
	abi.O_RDWR | abi.O_CREAT | abi.O_APPEND, abi.O_RDONLY | abi.O_DIRECTORY, abi.O_RDONLY | abi.O_NOFOLLOW,
	abi.O_RDONLY | abi.O_DIRECTORY, abi.O_PATH, abi.O_PATH | abi.O_NOFOLLOW, abi.O_RDWR | abi.O_TMPFILE,
	abi.O_RDONLY | abi.O_TMPFILE, abi.O_CREAT | abi.O_DIRECTORY, abi.O_CREAT | abi.O_NOFOLLOW, abi.O_RDONLY | abi.O_NOATIME,
}

// isFIFO says that opening p might wait or differ: FIFOs are kern/pipe's.
func (m *model) isFIFO(at [2]int, p string) bool {
	s, e := m.a.stat(at[0], p, 0)
	t := s.Mode & abi.S_IFMT
	return e == 0 && (t == abi.S_IFIFO || t == abi.S_IFCHR)
}

func (m *model) open() {
	at, p := m.at(), m.path()
	flags := modelFlags[m.r.Intn(len(modelFlags))]
	mode := []uint32{0o644, 0o666, 0o777, 0o4755, 0o2775, 0, 0o1600}[m.r.Intn(7)]
	if m.isFIFO(at, p) {
		flags |= abi.O_PATH
	}
	i := m.r.Intn(len(m.fds))
	x, ex := m.a.open(at[0], p, flags, mode)
	y, ey := m.b.open(at[1], p, flags, mode)
	m.check(fmt.Sprintf("open(%v, %q, %#o, %#o) slot %d", at, p, flags, mode, i), ex, ey)
	if old := m.fds[i]; old[0] != 0 {
		m.a.close(old[0])
		m.b.close(old[1])
		m.fds[i] = [2]int{}
	}
	if ex == 0 && ey == 0 {
		m.fds[i], m.uids[i] = [2]int{x, y}, m.uid
	} else if ex == 0 {
		m.a.close(x)
	} else if ey == 0 {
		m.b.close(y)
	}
}

var modelOffsets = []int64{0, 1, 100, 4000, 4095, 4096, 5000, 8191, 8192, 20000, 70000, 300000}

func (m *model) off() int64 { return modelOffsets[m.r.Intn(len(modelOffsets))] }

// onFile does something with an open file.
func (m *model) onFile() {
	i := m.r.Intn(len(m.fds))
	fd := m.fds[i]
	if fd[0] == 0 {
		return
	}
	// Without a thread ours judges by who opened the file.
	op := m.r.Intn(8)
	if op != 7 {
		m.a.as(m.uids[i], m.uids[i])
		defer m.a.as(m.uid, m.uid)
	}
	switch op {
	case 0, 1:
		b := bytes.Repeat([]byte{byte(1 + m.r.Intn(255))}, 1+m.r.Intn(9000))
		off := m.off()
		x, ex := m.a.pwrite(fd[0], b, off)
		y, ey := m.b.pwrite(fd[1], b, off)
		m.check(fmt.Sprintf("pwrite(%v, %d, %d)", fd, len(b), off), [2]int{x, ex}, [2]int{y, ey})
	case 2:
		p, q := make([]byte, 10000), make([]byte, 10000)
		off := m.off()
		x, ex := m.a.pread(fd[0], p, off)
		y, ey := m.b.pread(fd[1], q, off)
		m.check(fmt.Sprintf("pread(%v, %d)", fd, off), [2]int{x, ex}, [2]int{y, ey})
		if !bytes.Equal(p, q) {
			m.fail("pread(%v, %d): content differs", fd, off)
		}
	case 3:
		n := m.off()
		m.check(fmt.Sprintf("ftruncate(%v, %d)", fd, n), m.a.ftruncate(fd[0], n), m.b.ftruncate(fd[1], n))
	case 4:
		m.compareStat(fmt.Sprintf("fstat(%v)", fd), fd, "", abi.AT_EMPTY_PATH)
	case 5:
		x, ex := m.a.names(fd[0])
		y, ey := m.b.names(fd[1])
		if ex != int(9) { // EBADF of O_PATH is kern/file's
			m.check(fmt.Sprintf("readdir(%v)", fd), []any{len(x), ex}, []any{len(y), ey})
			if len(x) > 0 && !reflect.DeepEqual(x, y) {
				m.fail("readdir(%v): %q, %q", fd, x, y)
			}
		}
	case 6:
		mode := []uint32{0, vfs.FALLOC_FL_KEEP_SIZE, vfs.FALLOC_FL_PUNCH_HOLE | vfs.FALLOC_FL_KEEP_SIZE}[m.r.Intn(3)]
		off, n := m.off(), 1+m.off()
		s, _ := m.a.stat(fd[0], "", abi.AT_EMPTY_PATH)
		if s.Mode&abi.S_IFMT == abi.S_IFREG {
			m.check(fmt.Sprintf("fallocate(%v, %d, %d, %d)", fd, mode, off, n), m.a.fallocate(fd[0], mode, off, n), m.b.fallocate(fd[1], mode, off, n))
		}
	case 7:
		m.check(fmt.Sprintf("fchdir(%v)", fd), m.a.fchdir(fd[0]), m.b.fchdir(fd[1]))
	}
}

func (m *model) compareStat(what string, at [2]int, p string, flags int) {
	x, ex := m.a.stat(at[0], p, flags)
	y, ey := m.b.stat(at[1], p, flags)
	if x.Mode&abi.S_IFMT == abi.S_IFDIR {
		x.Size, y.Size = 0, 0
	}
	x.Ino, y.Ino = 0, 0
	m.check(what, []any{x, ex}, []any{y, ey})
}

// change does something with paths.
func (m *model) change() {
	at, to, p, q := m.at(), m.at(), m.path(), m.path()
	mode := []uint32{0o755, 0o777, 0o700, 0o1777, 0o2775, 0o6755, 0, 0o500}[m.r.Intn(8)]
	switch m.r.Intn(16) {
	case 0, 1:
		m.check(fmt.Sprintf("mkdir(%v, %q, %#o)", at, p, mode), m.a.mkdir(at[0], p, mode), m.b.mkdir(at[1], p, mode))
	case 2, 3:
		flags := abi.AT_REMOVEDIR * m.r.Intn(2)
		m.check(fmt.Sprintf("unlink(%v, %q, %#x)", at, p, flags), m.a.unlink(at[0], p, flags), m.b.unlink(at[1], p, flags))
	case 4, 5, 6:
		flags := []int{0, 0, 0, 1, 2, 3}[m.r.Intn(6)]
		m.check(fmt.Sprintf("rename(%v, %q, %v, %q, %d)", at, p, to, q, flags), m.a.rename(at[0], p, to[0], q, flags), m.b.rename(at[1], p, to[1], q, flags))
	case 7:
		flags := abi.AT_SYMLINK_FOLLOW * m.r.Intn(2)
		m.check(fmt.Sprintf("link(%v, %q, %v, %q, %#x)", at, p, to, q, flags), m.a.link(at[0], p, to[0], q, flags), m.b.link(at[1], p, to[1], q, flags))
	case 8:
		m.check(fmt.Sprintf("symlink(%q, %v, %q)", q, at, p), m.a.symlink(q, at[0], p), m.b.symlink(q, at[1], p))
	case 9:
		x, ex := m.a.readlink(at[0], p)
		y, ey := m.b.readlink(at[1], p)
		m.check(fmt.Sprintf("readlink(%v, %q)", at, p), []any{x, ex}, []any{y, ey})
	case 10:
		m.compareStat(fmt.Sprintf("stat(%v, %q)", at, p), at, p, abi.AT_SYMLINK_NOFOLLOW*m.r.Intn(2))
	case 11:
		n := m.off() - 1
		m.check(fmt.Sprintf("truncate(%q, %d)", p, n), m.a.truncate(p, n), m.b.truncate(p, n))
	case 12:
		m.check(fmt.Sprintf("chmod(%v, %q, %#o)", at, p, mode), m.a.chmod(at[0], p, mode), m.b.chmod(at[1], p, mode))
	case 13:
		id := []uint32{0, 1000, 1001, vfs.KeepID}
		u, g, flags := id[m.r.Intn(4)], id[m.r.Intn(4)], abi.AT_SYMLINK_NOFOLLOW*m.r.Intn(2)
		m.check(fmt.Sprintf("chown(%v, %q, %d, %d, %#x)", at, p, u, g, flags), m.a.chown(at[0], p, u, g, flags), m.b.chown(at[1], p, u, g, flags))
	case 14:
		n := uint32(m.r.Intn(8))
		m.check(fmt.Sprintf("access(%v, %q, %d)", at, p, n), m.a.access(at[0], p, n), m.b.access(at[1], p, n))
	case 15:
		switch m.r.Intn(3) {
		case 0:
			typ := []uint32{abi.S_IFIFO, abi.S_IFREG, 0, abi.S_IFDIR, abi.S_IFLNK, abi.S_IFCHR, abi.S_IFSOCK}[m.r.Intn(7)]
			m.check(fmt.Sprintf("mknod(%v, %q, %#o)", at, p, typ|mode), m.a.mknod(at[0], p, typ|mode, 0x103), m.b.mknod(at[1], p, typ|mode, 0x103))
		case 1:
			m.check(fmt.Sprintf("chdir(%q)", p), m.a.chdir(p), m.b.chdir(p))
		case 2:
			x, ex := m.a.getcwd()
			y, ey := m.b.getcwd()
			m.check("getcwd", []any{x, ex}, []any{y, ey})
		}
	}
}

// tree compares all there is.
func (m *model) tree(p string, depth int) {
	if depth > 12 {
		return
	}
	cwd := [2]int{abi.AT_FDCWD, abi.AT_FDCWD}
	m.compareStat(fmt.Sprintf("tree: lstat(%q)", p), cwd, p, abi.AT_SYMLINK_NOFOLLOW)
	s, _ := m.a.stat(cwd[0], p, abi.AT_SYMLINK_NOFOLLOW)
	switch s.Mode & abi.S_IFMT {
	case abi.S_IFREG:
		x, _ := m.a.open(cwd[0], p, abi.O_RDONLY, 0)
		y, ey := m.b.open(cwd[1], p, abi.O_RDONLY, 0)
		if ey != 0 {
			m.fail("tree: open(%q) = %d", p, ey)
			m.a.close(x)
			return
		}
		a, b := make([]byte, s.Size+100), make([]byte, s.Size+100)
		n, _ := m.a.pread(x, a, 0)
		k, _ := m.b.pread(y, b, 0)
		if n != k || !bytes.Equal(a, b) {
			i := 0
			for i < len(a) && a[i] == b[i] {
				i++
			}
			m.fail("tree: content of %q differs at %d, %d and %d bytes", p, i, n, k)
		}
		m.a.close(x)
		m.b.close(y)
	case abi.S_IFLNK:
		x, _ := m.a.readlink(cwd[0], p)
		y, _ := m.b.readlink(cwd[1], p)
		m.check(fmt.Sprintf("tree: readlink(%q)", p), x, y)
	case abi.S_IFDIR:
		x, _ := m.a.open(cwd[0], p, abi.O_RDONLY|abi.O_DIRECTORY, 0)
		y, ey := m.b.open(cwd[1], p, abi.O_RDONLY|abi.O_DIRECTORY, 0)
		if ey != 0 {
			m.fail("tree: open(%q) = %d", p, ey)
			m.a.close(x)
			return
		}
		a, _ := m.a.names(x)
		b, _ := m.b.names(y)
		m.a.close(x)
		m.b.close(y)
		if fmt.Sprint(a) != fmt.Sprint(b) {
			m.fail("tree: names of %q: %q, %q", p, a, b)
			return
		}
		for _, n := range a {
			m.tree(strings.TrimSuffix(p, "/")+"/"+n, depth+1)
		}
	}
}

// run does n random things.
func (m *model) run(n int) {
	for m.step = 1; m.step <= n && len(m.bad) == 0; m.step++ {
		if m.step%3 == 0 {
			uid := uint32([]int{0, 0, 1000, 1001}[m.r.Intn(4)])
			m.uid = uid
			m.a.as(uid, uid)
			m.b.as(uid, uid)
			m.log = append(m.log, fmt.Sprintf("%d as %d", m.step, uid))
		}
		switch k := m.r.Intn(10); {
		case k < 2:
			m.open()
		case k < 5:
			m.onFile()
		default:
			m.change()
		}
		if m.step%200 == 0 || m.step == n {
			m.uid = 0
			m.a.as(0, 0)
			m.b.as(0, 0)
			m.tree("/", 0)
		}
	}
	for _, fd := range m.fds {
		if fd[0] != 0 {
			m.a.close(fd[0])
			m.b.close(fd[1])
		}
	}
}

// scratch returns an empty directory, in a tmpfs if the host has one.
func scratch(t testing.TB) string {
	base := ""
	if _, err := os.Stat("/dev/shm"); err == nil {
		base = "/dev/shm"
	}
	dir, err := os.MkdirTemp(base, "model")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	os.Chmod(dir, 0o777|os.ModeSticky)
	return dir
}

// fill makes the tree that the lower file system begins with.
func fill(t testing.TB, dir string) {
	r := rand.New(rand.NewSource(7))
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []string{"dir", "dir/dir2", "dir2", "dir/dir2/e", "e"} {
		must(os.MkdirAll(filepath.Join(dir, d), 0o755))
	}
	for _, f := range []string{"a", "b", "dir/a", "dir/b", "dir/dir2/a", "dir2/c", "e/b"} {
		b := make([]byte, []int{0, 3, 4096, 5000, 9000, 70000}[r.Intn(6)])
		r.Read(b)
		must(os.WriteFile(filepath.Join(dir, f), b, 0o644))
	}
	must(os.Symlink("dir/a", filepath.Join(dir, "c")))
	must(os.Symlink("../dir", filepath.Join(dir, "e/dir")))
	must(os.Link(filepath.Join(dir, "dir/b"), filepath.Join(dir, "dir2/b")))
	must(os.Link(filepath.Join(dir, "dir/b"), filepath.Join(dir, "dir/dir2/b")))
}

// image makes an image of a directory.
func image(t testing.TB, dir string) *erofs.Image {
	im, err := erofs.Open(imageBytes(t, dir, filepath.Join(t.TempDir(), "image")))
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// imageBytes makes an image in a file and returns its content.
func imageBytes(t testing.TB, dir, out string) []byte {
	t.Helper()
	if b, err := exec.Command("mkfs.erofs", "--quiet", "--all-root", "-T0", out, dir).CombinedOutput(); err != nil {
		t.Skipf("mkfs.erofs: %v\n%s", err, b)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

var members = []inst.Member{vfs.Member}

// TestModel does the same with the host's file system and with ours, random
// things by several users, and compares results and error numbers.
func TestModel(t *testing.T) {
	seeds, steps := 12, 3000
	if testing.Short() {
		seeds = 2
	}
	if s := os.Getenv("MODEL_SEEDS"); s != "" {
		fmt.Sscan(s, &seeds)
	}
	for seed := range seeds {
		for _, union := range []bool{false, true} {
			t.Run(fmt.Sprintf("union=%v/%d", union, seed), func(t *testing.T) { oneModel(t, int64(seed), union, steps) })
		}
	}
}

func oneModel(t *testing.T, seed int64, union bool, steps int) {
	machine := hosted.New(64 << 20)
	defer machine.Close()
	in := insttest.New(t, "model", members...)
	dir := scratch(t)
	var super *vfs.Super
	var err error
	if union {
		fill(t, dir)
		im := image(t, dir)
		super, err = New(in, machine.Memory(), im, Options{MaxClean: 5})
	} else {
		super, err = tmpfs.New(in, machine.Memory(), tmpfs.Options{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := vfs.MountRoot(super, 0); err != nil {
		t.Fatal(err)
	}
	o, err := newOurs(in)
	if err != nil {
		t.Fatal(err)
	}
	m := &model{r: rand.New(rand.NewSource(seed)), b: o}
	onHost(t, dir, func(h host) {
		m.a = h
		if union {
			h.chmod(abi.AT_FDCWD, "/", 0o755)
			o.chmod(abi.AT_FDCWD, "/", 0o755)
		}
		m.run(steps)
	})
	for i := range m.bad {
		t.Error(m.bad[i])
	}
	if len(m.bad) > 0 {
		t.Log(strings.Join(m.log[max(0, len(m.log)-12):], "\n"))
	}
	if len(m.bad) == 0 {
		o.checkCopies(t, machine)
	}
	o.done()
	in.Release()
	for _, r := range []inst.Resource{inst.Heap, inst.Frames} {
		if n := in.Used(r); n != 0 {
			t.Errorf("%d of resource %d left", n, r)
		}
	}
}
