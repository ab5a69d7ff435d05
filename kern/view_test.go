package kern

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/sched"
	"mult/kern/vm"
)

const (
	callClose, callStatfs, callGetrlimit, callGetaffinity = 3, 137, 97, 204
)

// content returns what is in a file, up to the first 2000 bytes.
func (c *client) content(path string) string {
	fd := c.str(callOpen, path, 0)
	if fd < 0 {
		return fmt.Sprint(path, ": ", fd)
	}
	defer c.call(nil, callClose, uint64(fd))
	n := c.call(nil, nrRead, uint64(fd), spare, 2000)
	if n < 0 {
		return fmt.Sprint(path, ": ", n)
	}
	return string(c.memory(spare, int(n)))
}

// line returns the value of the line of a file that begins with a name.
func (c *client) line(path, name string) string {
	for l := range strings.Lines(c.content(path)) {
		if v, ok := strings.CutPrefix(l, name); ok {
			return strings.TrimSpace(v)
		}
	}
	return "none"
}

// statfs returns blocks and files of a file system, and how many of each are free.
func (c *client) statfs(path string) (blocks, free, files, left uint64) {
	c.str(callStatfs, path, spare)
	b := c.memory(spare, 120)
	le := binary.LittleEndian
	return le.Uint64(b[16:]), le.Uint64(b[24:]), le.Uint64(b[40:]), le.Uint64(b[48:])
}

// affinity returns how many processors there are for the client.
func (c *client) affinity() string {
	n := c.call(nil, callGetaffinity, 0, 128, spare)
	count := 0
	mask := c.memory(spare, int(max(n, 0)))
	for _, b := range mask {
		count += bits.OnesCount8(b)
	}
	if n := c.call(mask, callSetaffinity, 0, uint64(len(mask)), 0x401000); n != 0 {
		return fmt.Sprintf("%d that can't be set: %d", count, n)
	}
	return strconv.Itoa(count)
}

// TestViews changes what an instance may have: it sees that, those beside it don't.
func TestViews(t *testing.T) {
	m := manage(t)
	a, b := m.forkInst(m.top.in, "a"), m.forkInst(m.top.in, "b")
	limit := func(r inst.Resource, n int64) func(*inst.Inst) {
		return func(in *inst.Inst) { in.SetLimit(r, n) }
	}
	file := func(path string) func(*client) string {
		return func(c *client) string { return strings.TrimSpace(c.content(path)) }
	}
	line := func(path, name string) func(*client) string {
		return func(c *client) string { return c.line(path, name) }
	}
	cpus := strconv.Itoa(m.m.CPUs())
	memory := fmt.Sprint(m.m.Memory().Stats().Total*vm.PageSize>>10, " kB")
	none := strconv.Itoa(inst.NoLimit)
	for _, tt := range []struct {
		name        string
		set, unset  func(in *inst.Inst)
		see         func(c *client) string
		whole, part string
	}{
		{"MemTotal", limit(inst.Frames, 1000), limit(inst.Frames, inst.NoLimit), line("/proc/meminfo", "MemTotal:"), memory, "4000 kB"},
		{"threads-max", limit(inst.Threads, 77), limit(inst.Threads, inst.NoLimit), file("/proc/sys/kernel/threads-max"), "32767", "77"},
		{"file-max", limit(inst.Files, 78), limit(inst.Files, inst.NoLimit), file("/proc/sys/fs/file-max"), none, "78"},
		{"file-nr", limit(inst.Files, 79), limit(inst.Files, inst.NoLimit),
			func(c *client) string { return strings.Fields(c.content("/proc/sys/fs/file-nr"))[2] }, none, "79"},
		{"mount-max", limit(inst.Mounts, 80), limit(inst.Mounts, inst.NoLimit), file("/proc/sys/fs/mount-max"), none, "80"},
		{"pty/max", limit(inst.Ptys, 5), limit(inst.Ptys, inst.NoLimit), file("/proc/sys/kernel/pty/max"), "1024", "5"},
		{"processors", func(in *inst.Inst) { sched.SetCap(in, 50) }, func(in *inst.Inst) { sched.SetCap(in, 0) }, (*client).affinity, cpus, "1"},
		{"cpuinfo", func(in *inst.Inst) { sched.SetCap(in, 100) }, func(in *inst.Inst) { sched.SetCap(in, 0) },
			func(c *client) string { return strconv.Itoa(strings.Count(c.content("/proc/cpuinfo"), "processor\t:")) }, cpus, "1"},
		{"stat", func(in *inst.Inst) { sched.SetCap(in, 101) }, func(in *inst.Inst) { sched.SetCap(in, 0) },
			func(c *client) string { return strconv.Itoa(strings.Count(c.content("/proc/stat"), "cpu") - 1) }, cpus, "2"},
		{"Cpus_allowed_list", func(in *inst.Inst) { sched.SetCap(in, 100) }, func(in *inst.Inst) { sched.SetCap(in, 0) },
			line("/proc/self/status", "Cpus_allowed:"), fmt.Sprintf("%x", 1<<m.m.CPUs()-1), "1"},
	} {
		for _, set := range []*inst.Inst{a.in, m.top.in} {
			ofB := tt.whole
			if set == m.top.in {
				ofB = tt.part // what holds above holds for both
			}
			tt.set(set)
			if got := tt.see(a); got != tt.part {
				t.Errorf("%s with a limit of %s: %q, want %q", tt.name, set.Name(), got, tt.part)
			}
			if got := tt.see(b); got != ofB {
				t.Errorf("%s of another one with a limit of %s: %q, want %q", tt.name, set.Name(), got, ofB)
			}
			tt.unset(set)
			if got := tt.see(a); got != tt.whole {
				t.Errorf("%s without a limit: %q, want %q", tt.name, got, tt.whole)
			}
		}
	}
	// Ptys that others have are none of one's own.
	a.str(callOpen, "/dev/ptmx", oRDWR)
	if x, y := a.content("/proc/sys/kernel/pty/nr"), b.content("/proc/sys/kernel/pty/nr"); x != "1\n" || y != "0\n" {
		t.Errorf("ptys: %q and %q", x, y)
	}

	// What can be written to a file system, whatever that allows by itself.
	_, _, _, leftB := b.statfs("/tmp")
	a.in.SetLimit(inst.Content, a.in.Used(inst.Content)+10)
	a.in.SetLimit(inst.Inodes, a.in.Used(inst.Inodes)+7)
	if blocks, free, files, left := a.statfs("/tmp"); blocks != 10 || free != 10 || left != 7 || files < 7 || files > 8 {
		t.Errorf("%d of %d blocks, %d of %d files are free", free, blocks, left, files)
	}
	if blocks, _, _, left := b.statfs("/tmp"); blocks < 100 || left < leftB-10 {
		t.Errorf("another one: %d blocks, %d files are left", blocks, left)
	}
	fd := a.str(callOpen, "/tmp/f", oRDWR|oCREAT, 0o666)
	a.call(nil, nrWrite, uint64(fd), textAt, 3*4096)
	if blocks, free, _, left := a.statfs("/tmp"); blocks != 10 || free != 7 || left != 6 {
		t.Errorf("with a file: %d of %d blocks, %d files are left", free, blocks, left)
	}
	if s := a.line("/proc/meminfo", "Shmem:"); s != "12 kB" {
		t.Errorf("content of files: %s", s)
	}
	if s := b.line("/proc/meminfo", "Shmem:"); s != "0 kB" {
		t.Errorf("content of files of another one: %s", s)
	}
	m.finish(a, b)
}

// TestFirstRlimits looks where the limit of a user's processes begins.
func TestFirstRlimits(t *testing.T) {
	m := manage(t)
	x := op(abi.INST_CREATE, "small")
	x.data, x.Flags = "limit.threads 50", abi.INST_STARTED
	if x = m.top.ctl(x); x.n != 0 {
		t.Fatal(x.text)
	}
	in, err := m.top.in.Find(x.value)
	if err != nil {
		t.Fatal(err)
	}
	small, other := m.arrived(in), m.forkInst(m.top.in, "other")
	tasks := func(c *client) uint64 {
		c.call(nil, callGetrlimit, 6, spare)
		return binary.LittleEndian.Uint64(c.memory(spare+8, 8))
	}
	if a, b := tasks(small), tasks(other); a != 50 || b < 1000 {
		t.Errorf("%d and %d", a, b)
	}
	m.finish(small, other)
}
