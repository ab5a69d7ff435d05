package kern

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/linux"
	"mult/kern/proc"
)

// rootFiles are a directory of the image that can be a root, and what is beside it.
var rootFiles = map[string][]byte{
	"secret":                   []byte("secret"),
	"srv/web/sbin/instinit":    program(entry(0)),
	"srv/web/etc/conf":         []byte("text of a file"),
	"srv/web/etc/hidden":       []byte("of the image"),
	"srv/web/dir/file":         []byte("text of a file"),
	"srv/none/file":            []byte("no instinit"),
	"srv/broken/sbin/instinit": []byte("text"),
}

// manageRoots is manage with rootFiles.
func manageRoots(t *testing.T) *managed {
	m := &managed{come: make(chan *client, 10)}
	m.world = start(t, rootFiles, clients(m.come))
	m.top = m.forkInst(m.k.inst0, "top")
	return m
}

// createRoot makes and starts an instance with settings below that of c.
func (m *managed) createRoot(c *client, name, set string) (*client, control) {
	x := op(abi.INST_CREATE, name)
	x.Flags = abi.INST_STARTED
	x.data = set
	x = c.ctl(x)
	if x.n < 0 {
		return nil, x
	}
	in, err := c.in.Find(x.value)
	if err != nil {
		m.t.Fatal(err)
	}
	return m.arrived(in), x
}

// made is createRoot that must be possible.
func (m *managed) made(c *client, name, set string) *client {
	m.t.Helper()
	n, x := m.createRoot(c, name, set)
	if n == nil {
		m.t.Fatalf("%s: %d, %s", name, x.n, x.text)
	}
	return n
}

// text reads the beginning of a file; "" if it isn't there.
func (c *client) text(path string) string {
	fd := c.str(callOpen, path, 0)
	if fd < 0 {
		return ""
	}
	n := c.call(nil, nrRead, uint64(fd), spare, 30)
	c.call(nil, 3, uint64(fd))
	return string(c.memory(spare, int(max(0, n))))
}

// put writes a file anew.
func (c *client) put(path, text string) {
	fd := c.str(callOpen, path, oRDWR|oCREAT|0o1000, 0o644)
	if n := c.call([]byte(text), nrWrite, uint64(fd), 0x401000, uint64(len(text))); n != int64(len(text)) {
		panic(fmt.Sprint(path, ": ", fd, n))
	}
	c.call(nil, 3, uint64(fd))
}

// TestRoots makes instances with roots of their own, and changes them and what they were
// made from.
func TestRoots(t *testing.T) {
	m := manageRoots(t)
	top := m.top
	if n := top.str(callUnlink, "/srv/web/etc/hidden"); n != 0 {
		t.Fatal(n)
	}
	top.put("/srv/web/etc/new", "new")
	a := m.made(top, "a", "root /srv/web\nlimit.instances none")
	b := m.made(top, "b", "limit.instances none\nroot /srv/../srv/web/.")
	sees := func(c *client, path, want string) {
		t.Helper()
		if got := c.text(path); got != want {
			t.Errorf("%s: %s is %q, want %q", c.in.Name(), path, got, want)
		}
	}
	for _, c := range []*client{a, b} {
		sees(c, "/etc/conf", "text of a file")
		sees(c, "/etc/new", "new")
		sees(c, "/etc/hidden", "")
		for _, p := range []string{"/secret", "/../secret", "../../secret", "/srv/web/etc/conf", "/proc/1/root/../secret", "/proc/1/root/../../../secret", "/proc/1/cwd/../../secret"} {
			sees(c, p, "")
		}
		if n := c.str(callAccess, "/dev/null", 0) | c.str(callAccess, "/dev/pts/ptmx", 0) | c.str(callAccess, "/run", 0) | c.str(callAccess, "/tmp", 0); n != 0 {
			t.Errorf("%s: its file systems: %d", c.in.Name(), n)
		}
	}
	// One changes, the others don't.
	a.put("/etc/conf", "of a")
	a.put("/etc/new", "of a")
	a.put("/etc/hidden", "of a")
	a.str(callUnlink, "/dir/file")
	sees(a, "/etc/conf", "of a")
	for c, dir := range map[*client]string{b: "", top: "/srv/web"} {
		sees(c, dir+"/etc/conf", "text of a file")
		sees(c, dir+"/etc/new", "new")
		sees(c, dir+"/etc/hidden", "")
		sees(c, dir+"/dir/file", "text of a file")
	}
	// What they were made from goes.
	for _, f := range []string{"/etc/conf", "/etc/new", "/dir/file"} {
		if n := top.str(callUnlink, "/srv/web"+f); n != 0 {
			t.Errorf("%s: %d", f, n)
		}
	}
	sees(b, "/etc/conf", "text of a file")
	sees(b, "/etc/new", "new")
	sees(a, "/etc/conf", "of a")

	// What is told, and to whom.
	if got := field(top.ctl(op(abi.INST_GET, "b")).out, "root"); got != `"/srv/../srv/web/."` {
		t.Errorf("root %s", got)
	}
	all := op(abi.INST_LIST, "")
	all.Value = ^uint64(0)
	if got := field(top.ctl(all).out, "root"); got != `"/srv/../srv/web/."` {
		t.Errorf("root %s", got)
	}
	if got := m.k.Root(b.in, m.k.inst0); got != "other" {
		t.Errorf("inst0 is told root %s", got)
	}
	if got := a.ctl(op(abi.INST_GET, "")).out; strings.Contains(got, "root") || strings.Contains(got, "web") {
		t.Errorf("it is told where its root is from: %s", got)
	}
	x := op(abi.INST_SET, "a")
	x.data = "host x\nroot /srv/web"
	if x = top.ctl(x); x.n != -int64(errno.EINVAL) || x.text != "root is set when an instance is created: destroy a, and create it again" {
		t.Errorf("%d, %s", x.n, x.text)
	}

	// Below one with a root of its own nobody gets more than that.
	kid := m.made(a, "kid", "limit.instances none")
	grand := m.made(kid, "kid", "")
	other := m.made(top, "b/kid", "")
	for _, c := range []*client{kid, grand} {
		sees(c, "/etc/conf", "of a")
		sees(c, "/dir/file", "")
	}
	sees(other, "/etc/hidden", "")
	sees(other, "/etc/conf", "text of a file")
	for _, c := range []*client{kid, grand, other} {
		sees(c, "/secret", "")
		sees(c, "/../../secret", "")
	}
	if got := field(a.ctl(op(abi.INST_GET, "kid")).out, "root"); got != "parent" {
		t.Errorf("root %s", got)
	}
	// A path is one of who calls, whatever the instance is below.
	named := m.made(a, "named", "root /proc/1/root")
	sees(named, "/etc/conf", "of a")
	if _, x := m.createRoot(a, "no", "root /srv/web"); x.n != -int64(errno.ENOENT) || x.text != "instance no: root /srv/web: there is no such directory; make it, or name another one" {
		t.Errorf("%d, %s", x.n, x.text)
	}
	low := m.made(top, "a/low", "root /srv/web")
	sees(low, "/etc/conf", "")
	plain := m.made(top, "plain", "")
	sees(plain, "/secret", "secret")
	sees(plain, "/srv/web/etc/hidden", "of the image")
	if got := field(top.ctl(op(abi.INST_GET, "plain")).out, "root"); got != "image" {
		t.Errorf("root %s", got)
	}
	list := []*client{plain, low, named, other, grand, kid, b, a}
	for _, c := range list {
		m.k.Kill(c.in)
		m.gone(c.in)
	}
	m.finish()
}

// TestRootErrors names what can't be a root.
func TestRootErrors(t *testing.T) {
	m := manageRoots(t)
	c := m.top
	was, heap := m.k.insts.Count(), c.in.Used(inst.Heap)
	for _, tt := range []struct {
		set  string
		err  errno.Errno
		text string
	}{
		{"root", errno.EINVAL, "line 1: root: a directory is needed"},
		{"root /none", errno.ENOENT, "instance a: root /none: there is no such directory; make it, or name another one"},
		{"root /secret", errno.ENOTDIR, "instance a: root /secret: this is no directory; name one"},
		{"root /secret/x", errno.ENOTDIR, "instance a: root /secret/x: this is no directory; name one"},
		{"root /proc/1", errno.EINVAL, "instance a: root /proc/1: a file system of type proc can't be copied; name a directory of one in memory"},
		{"root /srv/none", errno.ENOENT, "instance a: /sbin/instinit: "},
		{"root /srv/broken", errno.ENOEXEC, "instance a: /sbin/instinit: "},
		{"root /srv/web\nlimit.inodes 5", errno.ENOSPC, "instance a: "},
		{"root /" + strings.Repeat("x", 300), errno.ENAMETOOLONG, "instance a: root /xxx"},
	} {
		for range 2 {
			if _, x := m.createRoot(c, "a", tt.set); x.n != -int64(tt.err) || !strings.HasPrefix(x.text, tt.text) {
				t.Errorf("%s: %d, %s", tt.set, x.n, x.text)
			}
		}
	}
	if n := m.k.insts.Count(); n != was || c.in.Used(inst.Heap) > heap+100000 {
		t.Errorf("%d instances, before it was %d; %d bytes, before it was %d", n, was, c.in.Used(inst.Heap), heap)
	}
	// One that is made still has no root to give.
	half, err := m.k.insts.New(m.k.inst0, "half")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.k.ForkInst1(nil, half, "kid", linux.Settings{}, nil); !errors.Is(err, errno.EBUSY) || err.Error() != "instance kid: its parent half is being made still; try again" {
		t.Error(err)
	}
	m.k.unmake(nil, half.Retain(), nil)
	// Who may not read all there is can't have it copied.
	cr := proc.RootCred()
	cr.Effective &^= 1<<proc.CAP_DAC_READ_SEARCH | 1<<proc.CAP_DAC_OVERRIDE
	by, err := caller(m.k.inst0)
	if err != nil {
		t.Fatal(err)
	}
	by.Cred = cr
	if _, err := m.k.ForkInst1(nil, m.k.inst0, "a", linux.Settings{Root: "/srv/web", Caller: by}, nil); !errors.Is(err, errno.EACCES) {
		t.Error(err)
	}
	by.FS.Release()
	// Nor can he have that of his own instance, by naming nothing.
	if by, err = caller(m.k.inst0); err != nil {
		t.Fatal(err)
	}
	parent, err := m.k.Create(nil, m.k.inst0, "parent", linux.Settings{Root: "/srv/web", Caller: by, Limits: mayMake.Limits})
	by.FS.Release()
	if err != nil {
		t.Fatal(err)
	}
	if by, err = caller(parent); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		cr  *proc.Cred
		err error
	}{{cr, errno.EACCES}, {proc.RootCred(), nil}} {
		by.Cred = tt.cr
		kid, err := m.k.Create(nil, parent, "kid", linux.Settings{Caller: by})
		if !errors.Is(err, tt.err) {
			t.Error(err)
		}
		if err == nil {
			m.k.Kill(kid)
			m.gone(kid)
		}
	}
	by.FS.Release()
	m.k.Kill(parent)
	m.gone(parent)
	m.finish()
}

// TestRootLimits raises limits until an instance with a root that has much of its own can be
// made: it fails at all that is charged on the way, and nothing is left.
func TestRootLimits(t *testing.T) {
	m := manageRoots(t)
	m.top.put("/srv/web/large", strings.Repeat("x", 3000))
	for i := range 20 {
		m.top.put(fmt.Sprint("/srv/web/f", i), "text")
	}
	by, err := caller(m.top.in)
	if err != nil {
		t.Fatal(err)
	}
	k := m.k
	for _, r := range []inst.Resource{inst.Heap, inst.Frames, inst.Content, inst.Inodes, inst.Mounts} {
		was, failed := m.top.in.Used(r), 0
		for limit := int64(0); ; {
			limit += map[inst.Resource]int64{inst.Heap: 2048, inst.Frames: 1, inst.Content: 1, inst.Inodes: 1, inst.Mounts: 1}[r]
			in, err := k.ForkInst1(nil, m.top.in, "a", linux.Settings{Root: "/srv/web", Caller: by, Limits: map[inst.Resource]int64{r: limit}}, nil)
			if err == nil {
				k.Kill(in)
				m.gone(in)
				break
			}
			refused := errors.Is(err, errno.ENOMEM) || errors.Is(err, errno.ENFILE) || errors.Is(err, errno.ENOSPC)
			if failed++; !refused || k.insts.Count() != 2 || m.top.in.Used(r) != was {
				t.Fatalf("%v; %d instances, %d %v, before it was %d", err, k.insts.Count(), m.top.in.Used(r), r, was)
			}
			if r == inst.Content && !strings.Contains(err.Error(), "limit.content") {
				t.Error(err)
			}
		}
		if failed < 5 {
			t.Errorf("%v: it failed %d times", r, failed)
		}
	}
	by.FS.Release()
	m.finish()
}

// TestRootKilled ends instances while their roots are copied, or the one that is copied.
func TestRootKilled(t *testing.T) {
	m := manageRoots(t)
	by, err := caller(m.k.inst0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		parent, err := m.k.Create(nil, m.k.inst0, "parent", linux.Settings{Root: "/srv/web", Caller: by, Limits: mayMake.Limits})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			in, err := m.k.Create(nil, parent, "kid", linux.Settings{})
			if err == nil {
				in.Release()
			} else if !errors.Is(err, errno.EBUSY) && !errors.Is(err, errno.EINTR) {
				t.Error(err)
			}
		})
		wg.Go(func() {
			for range i * 50 {
				parent.State()
			}
			m.k.Kill(parent)
		})
		wg.Wait()
		m.gone(parent)
	}
	by.FS.Release()
	m.finish()
}
