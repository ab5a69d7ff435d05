package kern

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/host"
	"mult/kern/internal/proctest"
	"mult/kern/linux"
	"mult/kern/proc"
)

// echoes reads once, writes what it has read, and exits with 3.
func echoes(u *user) {
	switch u.step {
	case 0:
		u.call(nrRead, 0, u.at, 100)
	case 1:
		u.call(nrWrite, 1, u.at, u.x.AX)
	default:
		u.call(callExit, 3)
	}
}

// says writes, and stays.
func says(u *user) {
	if u.step == 0 {
		u.data = []byte("last words")
		u.call(nrWrite, 1, u.at, uint64(len(u.data)))
		return
	}
	u.call(nrPause)
}

// manageExec is manage with programs to execute.
func manageExec(t *testing.T) *managed {
	m := &managed{come: make(chan *client)}
	m.world = start(t, map[string][]byte{
		"bin/echo": program(entry(1)), "bin/pause": program(entry(2)), "bin/say": program(entry(3)), "bin/text": []byte("text"),
	}, clients(m.come), echoes, sleeps, says)
	m.top = m.forkInst(m.k.inst0, "top")
	return m
}

// Where ctl keeps what goes in and out, and room for more.
const (
	ctlData = 0x401600
	spare   = 0x402800
)

// exec runs a program in an instance, by INST_EXEC or INST_ATTACH.
func (c *client) exec(name, path string, how uint32) (int64, abi.InstExec, string) {
	// The strings lie behind the structure.
	at := uint64(ctlData + abi.InstExecSize)
	argv := at + 64
	what := abi.InstExec{Path: at, Argv: argv, Envp: argv + 16}
	b := make([]byte, abi.InstExecSize+64+32)
	what.Encode(b)
	copy(b[abi.InstExecSize:], path)
	binary.LittleEndian.PutUint64(b[abi.InstExecSize+64:], at)
	binary.LittleEndian.PutUint64(b[abi.InstExecSize+64+16:], 0)
	x := op(how, name)
	x.data = string(b)
	x.size = abi.InstExecSize
	x = c.ctl(x)
	what.Decode(c.memory(ctlData, abi.InstExecSize))
	return x.n, what, x.text
}

// read is read(2) of up to 100 bytes.
func (c *client) read(fd int32) (int64, string) {
	n := c.call(nil, nrRead, uint64(fd), spare, 100)
	if n < 0 {
		return n, ""
	}
	return n, string(c.memory(spare, int(n)))
}

// write is write(2).
func (c *client) write(fd int32, s string) int64 {
	return c.call([]byte(s), nrWrite, uint64(fd), 0x401000, uint64(len(s)))
}

// TestExec runs a program in an instance below, and talks to it.
func TestExec(t *testing.T) {
	m := manageExec(t)
	c := m.top
	a := m.forkInst(c.in, "a")
	fds := func() (list []int) {
		file.Of(proc.TableOf(c.in).Find(1)).EachFrom(0, func(fd int, _ bool, _ *file.File) bool {
			list = append(list, fd)
			return true
		})
		return list
	}
	before := fds()
	pid, x, text := c.exec("a", "/bin/echo", abi.INST_EXEC)
	if pid != 2 {
		t.Fatal(pid, text)
	}
	const setFlags, nonblock = 4, 0o4000
	c.call(nil, nrFcntl, uint64(x.Watch), setFlags, nonblock)
	if n, _ := c.read(x.Watch); n != -int64(errno.EAGAIN) {
		t.Error(n)
	}
	c.call(nil, nrFcntl, uint64(x.Watch), setFlags, 0)
	m.inside(a.in, 2)
	if n := c.write(x.In, "hello"); n != 5 {
		t.Error(n)
	}
	if n, s := c.read(x.Out); s != "hello" {
		t.Errorf("%d, %q", n, s)
	}
	if n, s := c.read(x.Err); n != 0 { // all have closed it
		t.Errorf("%d, %q", n, s)
	}
	var s abi.InstState
	n, text := c.read(x.Watch)
	s.Decode([]byte(text))
	if n != abi.InstStateSize || s.ID != 2 || s.State != abi.INST_DEAD || proc.Status(s.Exit) != proc.ExitStatus(3) {
		t.Errorf("%d, %+v", n, s)
	}
	for _, fd := range []int32{x.In, x.Out, x.Err, x.Watch} {
		if n := c.call(nil, callClose, uint64(fd)); n != 0 {
			t.Error(fd, n)
		}
	}

	// What can't be run leaves nothing.
	for _, tt := range []struct {
		name, path string
		err        errno.Errno
		text       string
	}{
		{"a", "/bin/none", errno.ENOENT, "instance a: /bin/none: "},
		{"a", "/bin/text", errno.ENOEXEC, "instance a: /bin/text: "},
		{"a", "/bin", errno.EACCES, "instance a: /bin: "},
		{"none", "/bin/echo", errno.ESRCH, `there is no instance "none"`},
		{"", "/bin/echo", errno.EPERM, "an instance is managed from above"},
	} {
		for _, how := range []uint32{abi.INST_EXEC, abi.INST_ATTACH} {
			if n, _, text := c.exec(tt.name, tt.path, how); n != -int64(tt.err) || !strings.HasPrefix(text, tt.text) {
				t.Errorf("%s in %q: %d, %s", tt.path, tt.name, n, text)
			}
		}
	}
	if got := fds(); !slices.Equal(got, before) {
		t.Errorf("descriptors %v, before it was %v", got, before)
	}
	b, err := m.k.Create(nil, c.in, "b", linux.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	b.Release()
	if n, _, text := c.exec("b", "/bin/echo", abi.INST_EXEC); n != -int64(errno.EBUSY) || text != "instance b is creating: only one that has been started runs programs" {
		t.Errorf("in one that isn't started: %d, %s", n, text)
	}
	m.finish(a)
}

// inside checks that a process has nothing but of its instance.
func (m *managed) inside(in *inst.Inst, pid int) {
	m.t.Helper()
	p := proc.TableOf(in).Find(pid)
	if p == nil || p.Inst != in || p.Parent() != 1 {
		m.t.Fatalf("process %d is %v", pid, p)
	}
	var fds []int
	file.Of(p).EachFrom(0, func(fd int, _ bool, f *file.File) bool {
		fds = append(fds, fd)
		if f.Inst != in {
			m.t.Errorf("descriptor %d is of %s", fd, f.Inst.Path())
		}
		return true
	})
	if !slices.Equal(fds, []int{0, 1, 2}) {
		m.t.Errorf("it has descriptors %v", fds)
	}
	s := vfs.HoldState(p)
	defer s.Release()
	for what, l := range map[string]vfs.Loc{"root": s.Root(), "cwd": s.Cwd()} {
		if l.Mount.Super.Inst != in || l.Mount.Parent != nil || l.Node != l.Mount.Super.Root {
			m.t.Errorf("its %s isn't the root of its instance", what)
		}
		l.Release()
	}
	exe, img, ok := linux.ProgramOf(p)
	if !ok || exe.Inst != in || img.Space.Inst() != in {
		m.t.Errorf("its program isn't its instance's")
	}
	img.Space.Release()
	exe.Release()
}

// TestExecTerminal runs a program on a terminal, which the owner holds.
func TestExecTerminal(t *testing.T) {
	m := manageExec(t)
	c := m.top
	a := m.forkInst(c.in, "a")
	pid, x, text := c.exec("a", "/bin/echo", abi.INST_ATTACH)
	if pid != 2 || x.Out != -1 || x.Err != -1 {
		t.Fatal(pid, x, text)
	}
	m.inside(a.in, 2)
	p := proc.TableOf(a.in).Find(2)
	if s := p.Session(); s == nil || s.Terminal() == nil || !p.Leader() {
		t.Error("it has no controlling terminal")
	}
	const tiocswinsz, tiocgwinsz = 0x5414, 0x5413
	if n := c.call([]byte{24, 0, 80, 0, 0, 0, 0, 0}, nrIoctl, uint64(x.In), tiocswinsz, 0x401000); n != 0 {
		t.Error("TIOCSWINSZ:", n)
	}
	if n := c.call(nil, nrIoctl, uint64(x.In), tiocgwinsz, spare); n != 0 || c.memory(spare, 4)[2] != 80 {
		t.Error("TIOCGWINSZ:", n)
	}
	c.write(x.In, "hello\n")
	got := ""
	for !strings.Contains(got, "hello\r\nhello\r\n") { // the echo, and what it has written
		n, s := c.read(x.In)
		if n <= 0 {
			t.Fatal(n, got)
		}
		got += s
	}
	for { // the terminal is hung up when it has ended
		if n, _ := c.read(x.In); n <= 0 {
			break
		}
	}
	m.finish(a)
}

// TestExecEnd ends an instance while its owner waits for programs in it, and the owner while
// its programs run.
func TestExecEnd(t *testing.T) {
	for _, how := range []uint32{abi.INST_EXEC, abi.INST_ATTACH} {
		m := manageExec(t)
		c := m.top
		a := m.forkInst(c.in, "a")
		pid, x, text := c.exec("a", "/bin/pause", how)
		if pid != 2 {
			t.Fatal(pid, text)
		}
		read := make(chan string)
		go func() {
			fd := x.Out
			if how == abi.INST_ATTACH {
				fd = x.In
			}
			n, s := c.read(fd)
			read <- fmt.Sprint(n, " ", s)
		}()
		owner := proc.TableOf(c.in).Find(1)
		proctest.Until(func() bool { return owner.Stat().State == 'S' })
		m.k.Kill(a.in)
		close(a.calls)
		m.gone(a.in)
		if got, want := <-read, map[uint32]string{abi.INST_EXEC: "0 ", abi.INST_ATTACH: fmt.Sprint(-int64(errno.EIO), " ")}[how]; got != want {
			t.Errorf("read: %q, want %q", got, want)
		}
		// They lead nowhere.
		c.call(nil, nrSigaction, 13, 0, 0, 8)
		for _, fd := range []int32{x.In, x.Out, x.Err} {
			if fd < 0 {
				continue
			}
			if n, _ := c.read(fd); n != 0 && n != -int64(errno.EBADF) {
				t.Errorf("read of %d: %d", fd, n)
			}
			if n := c.write(fd, "x"); n != -int64(errno.EIO) && n != -int64(errno.EBADF) {
				t.Errorf("write to %d: %d", fd, n)
			}
		}
		// The owner ends, with streams to where there is nobody, and to a program that runs.
		b := m.forkInst(c.in, "b")
		if pid, _, text := c.exec("b", "/bin/pause", how); pid != 2 {
			t.Error(pid, text)
		}
		proctest.Until(func() bool { return proc.TableOf(b.in).Counts().Procs == 2 })
		close(b.calls)
		m.gone(b.in)
		m.finish()
	}
}

// fionread is how many bytes can be read from fd.
func (c *client) fionread(fd int32) int {
	if n := c.call(nil, nrIoctl, uint64(fd), abi.FIONREAD, spare); n != 0 {
		return int(n)
	}
	return int(binary.LittleEndian.Uint32(c.memory(spare, 4)))
}

// TestLastWords reads what a program has written last when its instance is gone.
func TestLastWords(t *testing.T) {
	for _, how := range []uint32{abi.INST_EXEC, abi.INST_ATTACH} {
		m := manageExec(t)
		c := m.top
		free := c.in.Used(inst.Heap)
		for i, tt := range []struct {
			limit bool // the owner has no memory for it
			close bool // nobody reads it
			want  string
		}{{want: "last words"}, {close: true}, {limit: true}} {
			a := m.forkInst(c.in, "a")
			pid, x, text := c.exec("a", "/bin/say", how)
			if pid != 2 {
				t.Fatal(pid, text)
			}
			out := x.Out
			if how == abi.INST_ATTACH {
				out = x.In
			}
			proctest.Until(func() bool { return c.fionread(out) == len("last words") })
			if tt.limit {
				c.in.SetLimit(inst.Heap, 1)
			}
			m.k.Kill(a.in)
			close(a.calls)
			m.gone(a.in)
			c.in.SetLimit(inst.Heap, inst.NoLimit)
			if !tt.close {
				n, got := c.read(out)
				for more := n; more > 0; { // in pieces
					var s string
					more, s = c.read(out)
					got += s
				}
				if got != tt.want {
					t.Errorf("%d: %d, %q, want %q", i, n, got, tt.want)
				}
			}
			for _, fd := range []int32{x.In, x.Out, x.Err, x.Watch} {
				if fd >= 0 {
					c.call(nil, callClose, uint64(fd))
				}
			}
		}
		if n := c.in.Used(inst.Heap); n != free {
			t.Errorf("%d bytes are charged, before it was %d", n, free)
		}
		m.finish()
	}
}

// TestReadFreed reads a stream between the end of an instance and that of its members.
func TestReadFreed(t *testing.T) {
	for _, how := range []uint32{abi.INST_EXEC, abi.INST_ATTACH} {
		m := manageExec(t)
		c := m.top
		ended := make(chan *inst.Inst, 1)
		m.k.insts.Reap = func(in *inst.Inst) { ended <- in }
		a := m.forkInst(c.in, "a")
		pid, x, text := c.exec("a", "/bin/say", how)
		if pid != 2 {
			t.Fatal(pid, text)
		}
		out := x.Out
		if how == abi.INST_ATTACH {
			out = x.In
		}
		proctest.Until(func() bool { return c.fionread(out) == len("last words") })
		m.k.Kill(a.in)
		close(a.calls)
		over := dead(a.in)
		a.in.Release()
		in := <-ended
		m.k.insts.Reap = m.k.reap
		c.call(nil, nrFcntl, uint64(out), 4, 0o4000)
		if n, _ := c.read(out); n != -int64(errno.EAGAIN) {
			t.Errorf("without waiting: %d", n)
		}
		c.call(nil, nrFcntl, uint64(out), 4, 0)
		read := make(chan string)
		go func() {
			_, s := c.read(out)
			read <- s
		}()
		owner := proc.TableOf(c.in).Find(1)
		proctest.Until(func() bool { return owner.Stat().State == 'S' })
		m.k.reap(in)
		if s := <-read; s != "last words" {
			t.Errorf("it reads %q", s)
		}
		<-over
		m.finish()
	}
}

// TestStreamIoctl tries all ioctls of terminals on a stream: only those that are about the
// line reach it, and the owner has no terminal by them.
func TestStreamIoctl(t *testing.T) {
	const (
		tcgets, tcsetsf, tcgeta, tcsetaf, tcgets2, tcsetsf2 = 0x5401, 0x5404, 0x5405, 0x5408, 0x802c542a, 0x402c542d
		winsize, setWinsize, outq                           = 0x5413, 0x5414, 0x5411
	)
	allowed := []uint64{winsize, setWinsize, outq, abi.FIONREAD, tcgets, tcgeta, tcgets2}
	for n := uint64(tcgets + 1); n <= tcsetsf; n++ {
		allowed = append(allowed, n)
	}
	for n := uint64(tcgeta + 1); n <= tcsetaf; n++ {
		allowed = append(allowed, n)
	}
	for n := uint64(tcgets2&0xffff + 1); n <= tcsetsf2&0xffff; n++ {
		allowed = append(allowed, 0x402c0000|n)
	}
	for _, how := range []uint32{abi.INST_EXEC, abi.INST_ATTACH} {
		m := manageExec(t)
		c := m.top
		a := m.forkInst(c.in, "a")
		pid, x, text := c.exec("a", "/bin/pause", how)
		if pid != 2 {
			t.Fatal(pid, text)
		}
		var list []uint64
		for n := range uint64(0x100) {
			for _, kind := range []uint64{0, 0x80040000, 0x40040000, 0x802c0000, 0x402c0000} {
				list = append(list, kind|0x5400|n)
			}
		}
		// Twice: so that each comes also after all the others.
		for _, n := range append(list, list...) {
			switch n {
			case 0x5421, 0x5450, 0x5451, 0x5452: // FIONBIO, FIONCLEX, FIOCLEX, FIOASYNC are the descriptor's
				continue
			}
			want := -int64(errno.ENOTTY)
			if slices.Contains(allowed, n) && (how == abi.INST_ATTACH || n == abi.FIONREAD) {
				want = 0
			}
			// What is set is what was there: a terminal's settings, or zeros.
			if got := c.call(nil, nrIoctl, uint64(x.In), n, spare); got != want {
				t.Errorf("operation %d, ioctl %#x: %d, want %d", how, n, got, want)
			}
		}
		if s := proc.TableOf(c.in).Find(1).Session(); s.Terminal() != nil {
			t.Error("the owner has a terminal of the other instance")
		}
		// It can't be opened once more either.
		if n := c.call([]byte(fmt.Sprintf("/proc/self/fd/%d\x00", x.In)), 2, 0x401000, abi.O_RDWR); n >= 0 {
			t.Errorf("opened again: %d", n)
		}
		m.k.Kill(a.in)
		close(a.calls)
		m.gone(a.in)
		m.finish()
	}
}

// console makes an instance whose process 1 is on pipes or a terminal, at once or in two steps.
func (c *client) console(name, settings string, flags uint64, steps bool) (control, abi.InstExec) {
	data := string(make([]byte, abi.InstExecSize))
	x := op(abi.INST_CREATE, name)
	if steps {
		x.data = settings
		if x = c.ctl(x); x.n < 0 {
			return x, abi.InstExec{}
		}
		x = op(abi.INST_START, name)
		x.data, x.Flags = data, flags
	} else {
		x.data, x.Flags = data+settings, flags|abi.INST_STARTED
	}
	x = c.ctl(x)
	var what abi.InstExec
	what.Decode(c.memory(ctlData, abi.InstExecSize))
	return x, what
}

// TestConsole talks to process 1 of an instance, from its beginning to its end.
func TestConsole(t *testing.T) {
	m := manageExec(t)
	c := m.top
	for i, tt := range []struct {
		flags uint64
		steps bool
		want  string
	}{
		{abi.INST_STREAMS, false, "hello\n"},
		{abi.INST_STREAMS, true, "hello\n"},
		{abi.INST_TTY, false, "hello\r\n"},
		{abi.INST_TTY, true, "hello\r\n"},
	} {
		x, what := c.console("a", "host h", tt.flags, tt.steps)
		if x.n != 0 {
			t.Fatalf("%d: %d, %s", i, x.n, x.text)
		}
		in, err := c.in.Lookup("a")
		if err != nil {
			t.Fatal(err)
		}
		a := m.arrived(in)
		if host.Name(in) != "h" || !tt.steps && x.value != in.ID {
			t.Errorf("%d: host name %q, id %d", i, host.Name(in), x.value)
		}
		out, fds := what.Out, []int32{what.In, what.Out, what.Err, what.Watch}
		if tt.flags == abi.INST_TTY {
			if out, fds = what.In, []int32{what.In, what.Watch}; what.Out != -1 || what.Err != -1 {
				t.Errorf("%d: descriptors %+v", i, what)
			}
			if s := proc.TableOf(in).Init().Session(); s.Terminal() == nil {
				t.Errorf("%d: no controlling terminal", i)
			}
		}
		a.write(1, "hello\n")
		if _, s := c.read(out); s != tt.want {
			t.Errorf("%d: %q, want %q", i, s, tt.want)
		}
		c.write(what.In, "back\n")
		if _, s := a.read(0); s != "back\n" {
			t.Errorf("%d: inside, %q", i, s)
		}
		// A hang-up doesn't end process 1.
		if tt.steps {
			for _, fd := range fds {
				c.call(nil, callClose, uint64(fd))
			}
			if n := a.write(1, "x"); n != -int64(errno.EPIPE) && n != -int64(errno.EIO) {
				t.Errorf("%d: it writes to nobody: %d", i, n)
			}
			fds = nil
		}
		close(a.calls) // exits with 0
		m.gone(in)
		if fds != nil {
			var s abi.InstState
			n, text := c.read(what.Watch)
			s.Decode([]byte(text))
			if n != abi.InstStateSize || s.ID != 1 || s.State != abi.INST_DEAD || s.Exit != 0 {
				t.Errorf("%d: %d, %+v", i, n, s)
			}
		}
		for _, fd := range fds {
			c.call(nil, callClose, uint64(fd))
		}
	}
	m.finish()
}

// TestConsoleFails asks for process 1 on streams in ways that make no sense or can't be.
func TestConsoleFails(t *testing.T) {
	m := manageExec(t)
	c := m.top
	limit := func(files byte) {
		b := make([]byte, 16)
		b[0], b[8] = files, files
		if n := c.call(b, 160, uint64(proc.RLIMIT_NOFILE), 0x401000); n != 0 {
			t.Fatal("setrlimit:", n)
		}
	}
	bare, named := string(make([]byte, abi.InstExecSize)), "\x01"+string(make([]byte, abi.InstExecSize-1))
	const started = abi.INST_STARTED
	for _, tt := range []struct {
		what  string
		flags uint64
		data  string
		files byte
		err   errno.Errno
	}{
		{"both", started | abi.INST_STREAMS | abi.INST_TTY, bare, 20, errno.EINVAL},
		{"not started", abi.INST_STREAMS, bare, 20, errno.EINVAL},
		{"too short", started | abi.INST_STREAMS, bare[1:], 20, errno.EINVAL},
		{"a program", started | abi.INST_TTY, named, 20, errno.EINVAL},
		{"settings", started | abi.INST_STREAMS, bare + "none 1", 20, errno.EINVAL},
		{"no descriptors", started | abi.INST_STREAMS, bare, 5, errno.EMFILE},
		{"no descriptors for a terminal", started | abi.INST_TTY, bare, 4, errno.EMFILE},
		{"no files", started | abi.INST_STREAMS, bare + "limit.files 5", 20, errno.ENFILE},
		{"no pty", started | abi.INST_TTY, bare + "limit.ptys 0", 20, errno.ENOSPC},
		{"no memory", started | abi.INST_TTY, bare + "limit.frames 3", 20, errno.ENOMEM},
	} {
		limit(tt.files)
		heap := c.in.Used(inst.Heap)
		x := op(abi.INST_CREATE, "a")
		x.data, x.Flags = tt.data, tt.flags
		if x = c.ctl(x); x.n != -int64(tt.err) || x.text == "" {
			t.Errorf("%s: %d, %s", tt.what, x.n, x.text)
		}
		limit(20)
		var fds []int
		file.Of(proc.TableOf(c.in).Init()).EachFrom(0, func(fd int, _ bool, _ *file.File) bool {
			fds = append(fds, fd)
			return true
		})
		if !slices.Equal(fds, []int{0, 1, 2}) || m.k.insts.Count() != 2 || c.in.Used(inst.Heap) != heap {
			t.Errorf("%s: descriptors %v, %d instances, %d bytes more", tt.what, fds, m.k.insts.Count(), c.in.Used(inst.Heap)-heap)
		}
		if n := c.call(nil, 32, 0); n != 3 { // dup: none is reserved
			t.Errorf("%s: the next descriptor is %d", tt.what, n)
		}
		c.call(nil, callClose, 3)
	}
	m.finish()
}
