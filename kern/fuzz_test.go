package kern

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"mult/arch"
	"mult/arch/hosted"
	"mult/inst"
	"mult/kern/klog"
	"mult/kern/linux"
	"mult/kern/linux/calls"
	"mult/kern/linux/vdso"
	"mult/kern/mem"
	"mult/kern/proc"
)

// This file has a kernel on the host whose programs make any system calls: what
// they do is read from a string of bytes, a choice each. userland/fuzz has a
// fuzzer like it for a guest; this one is quicker, finds races, and sees that
// all that was charged comes back.

// choices are the bytes from which programs choose.
type choices struct {
	mu   sync.Mutex
	data []byte // [mu]
	made int    // [mu]

	calls atomic.Int64
}

// below returns a number less than n, 0 after the end of the data.
func (c *choices) below(n uint64) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	var b [8]byte
	size := 1
	if n > 256 {
		size = 8
	}
	used := copy(b[:size], c.data)
	c.data = c.data[used:]
	return binary.LittleEndian.Uint64(b[:]) % n
}

func (c *choices) oneIn(n uint64) bool { return c.below(n) == n-1 }

func (c *choices) over() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.data) == 0
}

// progress changes as long as programs run.
func (c *choices) progress() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made
}

// Memory of the programs: pages to play with, which end before one that isn't
// mapped.
const (
	scratch      = 0x20000000
	scratchPages = 32
	scratchEnd   = scratch + scratchPages*arch.PageSize
)

// A player plays a thread's program.
type player struct {
	machine *hosted.Machine
	c       *choices
	cpu     *hosted.CPU
	writes  []write // to its memory, before the call
	call    [7]uint64
	init    bool // it is process 1, which does nothing but have children
	calls   int
}

type write struct {
	at   uint64
	data []byte
}

// run is hosted.Machine.User: it writes what the next call is about, then makes
// it.
func (p *player) run(x *arch.Context) {
	for len(p.writes) > 0 {
		w := &p.writes[0]
		if len(w.data) == 0 {
			p.writes = p.writes[1:]
			continue
		}
		if code, ok := p.cpu.Store(x.Root, w.at, w.data[0]); !ok {
			x.Trap, x.Addr, x.Err = arch.TrapPage, w.at, code
			return
		}
		w.at++
		w.data = w.data[1:]
	}
	if p.call == [7]uint64{} {
		if !p.init && p.calls > 1 && p.c.below(256) == 255 {
			p.raise(x)
			return
		}
		p.choose()
		if len(p.writes) > 0 {
			p.run(x)
			return
		}
	}
	n := p.call
	p.call = [7]uint64{}
	p.make(x, n[0], n[1:]...)
}

// raise has the program fail, or end a handler.
func (p *player) raise(x *arch.Context) {
	x.Trap, x.Err = exceptions[p.c.below(uint64(len(exceptions)))], 0
	switch p.c.below(4) {
	case 0:
		x.Trap, x.Addr, x.Err = arch.TrapPage, p.pointer(), p.c.below(32)&(arch.FaultPresent|arch.FaultWrite|arch.FaultExec)|arch.FaultUser
	case 1:
		x.SP = p.pointer()
		p.make(x, nrSigreturn)
	}
}

// make makes a call.
func (p *player) make(x *arch.Context, number uint64, args ...uint64) {
	p.c.calls.Add(1)
	x.Trap, x.AX = arch.TrapSyscall, number
	for i, r := range []*uint64{&x.DI, &x.SI, &x.DX, &x.R10, &x.R8, &x.R9} {
		*r = 0
		if i < len(args) {
			*r = args[i]
		}
	}
}

// implemented are the numbers of the calls that there are.
var implemented = sync.OnceValue(func() (list []uint64) {
	for n := range calls.All() {
		if s, _ := linux.State(uint64(n)); s != calls.Absent {
			list = append(list, uint64(n))
		}
	}
	return list
})

const (
	nrMmap, nrExit, nrExecve, nrClone, nrReboot, nrExitGroup, nrClone3 = 9, 60, 59, 56, 169, 231, 435
	nrSigreturn, nrPause, nrSigsuspend, nrExecveat                     = 15, 34, 130, 322
	nrIoctl, nrFcntl, nrPrctl, nrFutex, nrRobust, nrFallocate          = 16, 72, 157, 202, 273, 285
	nrEpollWait, nrEpollCtl, nrEpollPwait, nrTimerfdSettime            = 232, 233, 281, 286
	nrGetdents, nrGetdents64                                           = 78, 217
	nrWait4, nrSetitimer, nrUname                                      = 61, 38, 63
)

// choose chooses the next call.
func (p *player) choose() {
	c := p.c
	p.calls++
	switch {
	case c.over():
		p.call = [7]uint64{nrExitGroup}
		return
	case p.init && p.calls == 1:
		p.call = [7]uint64{nrMmap, scratch, scratchPages * arch.PageSize, 3, 0x32, ^uint64(0)}
		return
	case p.init && p.calls <= 1+firstFiles:
		p.openFirst(p.calls - 2)
		return
	case p.init && p.calls <= 1+firstFiles+3:
		p.call = [7]uint64{nrClone, 17}
		return
	case p.init:
		p.calls = firstFiles + 3 // another one when one has ended
		p.call = [7]uint64{nrWait4, ^uint64(0), 0, 0, 0x40000000}
		return
	case p.calls == 1: // what waits for ever is ended by SIGALRM
		var b []byte
		for _, v := range []uint64{0, 5000, 0, 5000} {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		p.call = [7]uint64{nrSetitimer, 0, p.put(b)}
		return
	}
	list := implemented()
	n := list[c.below(256)%uint64(len(list))]
	switch n {
	case nrExit, nrExitGroup, nrExecve, nrExecveat, nrPause, nrSigsuspend, nrSigreturn:
		if !c.oneIn(8) {
			n = 257
		}
	case nrReboot:
		n = nrUname
	}
	row, _ := calls.Lookup(n)
	p.call = [7]uint64{n}
	for i, a := range row.Args {
		p.call[i+1] = p.argument(a)
	}
	a := p.call[1:]
	switch {
	case n == nrIoctl && c.oneIn(2):
		a[0] = 0
		if c.oneIn(4) {
			a[1] = []uint64{0x80045430, 0x40045431, 0x5441, 0x80045432, 0x80045438, 0x40045436, 0x5421, 0x541b}[c.below(8)]
		}
	case n == nrEpollCtl && c.oneIn(2):
		a[0], a[1] = 1, 1+c.below(3)
	case (n == nrEpollWait || n == nrEpollPwait) && c.oneIn(2):
		a[0], a[2] = 1, 1+c.below(100)
	case n == nrTimerfdSettime && c.oneIn(2):
		a[0] = 3
	case n == nrFutex && c.oneIn(2):
		a[0], a[4] = p.scratch(c.below(2)), p.scratch(c.below(2))
		a[1] = c.below(13) | c.below(2)<<7
		if c.oneIn(2) {
			a[2] = 0
		}
	case n == nrFcntl:
		if a[1] = c.below(17); c.oneIn(4) {
			a[1] += 1024
		}
	case n == nrPrctl && c.oneIn(2):
		a[0] = 1 + c.below(60)
	case n == nrRobust && c.oneIn(2):
		a[1] = 24
	case (n == nrGetdents || n == nrGetdents64) && c.oneIn(2):
		a[0] = 9 + c.below(3)
	case n == nrFallocate && c.oneIn(2):
		a[0], a[1] = 6+c.below(2), c.below(4)
	case n == nrMmap && c.oneIn(2):
		p.call[4] = []uint64{0x22, 0x21, 0x32, 0x31, 0x02, 0x01, 0x12, 0x11}[c.below(8)]
	case n == nrClone && !c.oneIn(4):
		p.call[1] = []uint64{17, 0x100, 0x111, 0x4111, 0x50f00, 0x350f00, 0x411, 0x611}[c.below(8)]
	}
}

// firstFiles is how many files openFirst knows, besides two that come of itself.
const firstFiles = 12

// openFirst opens the i-th file that all programs begin with.
func (p *player) openFirst(i int) {
	const (
		openat, eventfd2, epollCreate1, timerfdCreate, pipe2, memfd = 257, 290, 291, 283, 293, 319
		rdwr, directory, nonblock                                   = 2, 0o200000, 0o4000
	)
	open := func(path string, flags uint64) [7]uint64 {
		return [7]uint64{openat, 0, p.put(append([]byte(path), 0)), flags | nonblock, 0o666}
	}
	p.call = [][7]uint64{
		open("/dev/ptmx", rdwr),              // 0
		{epollCreate1},                       // 1
		{eventfd2, 1, nonblock},              // 2
		{timerfdCreate, 1, nonblock},         // 3
		{pipe2, p.scratch(1), nonblock},      // 4, 5
		{memfd, p.put([]byte("memory\x00"))}, // 6
		open("/tmp/a", rdwr|0o100),           // 7
		open("/dir/file", rdwr),              // 8
		open("/proc", directory),             // 9
		open("/tmp", directory),              // 10
		open("/proc/self/fd", directory),     // 11
		open("/proc/self/comm", rdwr),        // 12
	}[i]
}

// exceptions are what a program may raise beside page faults.
var exceptions = []uint64{0, 1, 3, 4, 5, 6, 11, 12, 13, 16, 17, 19}

var numbers = []uint64{
	0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 16, 24, 64, 100, 128, 255, 256, 1000, 4095, 4096, 4097, 8192, 65536, 1 << 20, 1<<31 - 1,
	1 << 31, 1<<32 - 1, 1 << 32, 1 << 40, 1 << 47, 1<<63 - 1, 1 << 63, ^uint64(0), ^uint64(1), ^uint64(99), ^uint64(4095),
	999999999, 1000000000, 1000,
}

func (p *player) number() uint64 {
	if p.c.oneIn(16) {
		return p.c.below(1 << 63)
	}
	return numbers[p.c.below(uint64(len(numbers)))]
}

// scratch returns the address of the i-th of some pages to play with.
func (p *player) scratch(i uint64) uint64 { return scratch + i*arch.PageSize }

func (p *player) pointer() uint64 {
	odd := []uint64{0, 1, 0xfff, 0x10000, arch.UserEnd - 8, arch.UserEnd, 1 << 47, 0xffff800000000000, ^uint64(7)}
	switch p.c.below(16) {
	case 0:
		return odd[p.c.below(uint64(len(odd)))]
	case 1:
		return scratchEnd - p.c.below(64)
	case 2:
		return scratch + p.c.below(scratchPages*arch.PageSize)
	}
	return scratch + p.c.below(256)*64
}

// put has the program write data, and returns where.
func (p *player) put(data []byte) uint64 {
	at := scratch + p.c.below(256)*64
	if p.c.oneIn(8) {
		at = scratchEnd - uint64(len(data))
	}
	p.writes = append(p.writes, write{at, data})
	return at
}

var paths = []string{
	"/", ".", "..", "", "/tmp", "/tmp/a", "/tmp/b", "/tmp/c", "/tmp/d/a", "/tmp/d/..", "/tmp/d", "/tmp/d/e", "/init", "/tmp/fifo", "/dev/null",
	"/dev/zero", "/dev/ptmx", "/dev/tty", "/dev/pts/0", "/dev/pts/1", "/dev/urandom", "/dev/full", "/proc", "/proc/self", "/proc/self/fd", "/proc/self/fd/3",
	"/proc/self/maps", "/proc/self/stat", "/proc/self/status", "/proc/self/exe", "/proc/self/cwd", "/proc/self/root", "/proc/self/task", "/proc/self/mounts",
	"/proc/2/status", "/proc/2", "/proc/3/fd", "/proc/2/task", "/proc/meminfo", "/proc/stat", "/proc/sys/kernel/hostname", "/proc/mounts", "/dir", "/dir/file",
	"/proc/self/fdinfo", "/proc/self/fdinfo/1", "/proc/self/fdinfo/3", "/proc/self/cmdline", "/proc/self/environ", "/proc/self/auxv", "/proc/self/statm",
	"/proc/self/mountinfo", "/proc/self/limits", "/proc/self/oom_score_adj", "/proc/self/oom_score", "/proc/self/wchan", "/proc/self/comm", "/proc/uptime",
	"/proc/loadavg", "/proc/version", "/proc/cmdline", "/proc/filesystems", "/proc/devices", "/proc/cpuinfo", "/proc/thread-self", "/proc/2/task/2/stat",
	"/script", "/dynamic", "/proc/self/fd/0", "/proc/self/fd/4", "/proc/self/fd/6", "/tmp/m/x", "/tmp/m", "size=64k", "/dev/shm/a",
	"/dir/new", "/dir/link", "/dir/other", "tmpfs", "proc", "devpts", "devtmpfs", "/proc/1/maps", "/proc/1/exe", "/proc/self/mem", "/proc/self/smaps",
}

func (p *player) path() uint64 {
	s := paths[p.c.below(uint64(len(paths)))]
	if p.c.oneIn(32) {
		s = strings.Repeat("n/", int(p.c.below(2100)))
	}
	return p.put(append([]byte(s), 0))
}

// words has the program write a structure of anything.
func (p *player) words() uint64 {
	var b []byte
	for range 1 + p.c.below(12) {
		var w uint64
		switch p.c.below(8) {
		case 0, 1:
			w = p.pointer()
		case 2:
			w = p.number()
		case 3:
			w = p.c.below(256) | p.c.below(256)<<32
		case 4:
			w = p.c.below(256) << 12 // nanoseconds
		}
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return p.put(b)
}

func (p *player) argument(a calls.Arg) uint64 {
	c := p.c
	if a.Kind == calls.None || c.oneIn(64) {
		return p.number()
	}
	switch a.Kind {
	case calls.FD, calls.DirFD:
		if a.Kind == calls.DirFD && c.oneIn(2) {
			return ^uint64(99) // AT_FDCWD
		}
		return c.below(16)
	case calls.Path, calls.String:
		return p.path()
	case calls.Strings:
		var b []byte
		for range c.below(4) {
			b = binary.LittleEndian.AppendUint64(b, p.path())
		}
		return p.put(append(b, make([]byte, 8)...))
	case calls.In, calls.InOut:
		if c.oneIn(8) {
			return 0
		}
		return p.words()
	case calls.Out:
		return p.pointer()
	case calls.Addr:
		if c.oneIn(3) {
			return p.pointer()
		}
		return 0x30000000 + c.below(64)*arch.PageSize
	case calls.Size:
		switch {
		case c.oneIn(4):
			return p.number()
		case strings.Contains(a.Name, "set"):
			return 8
		}
		return c.below(16) * arch.PageSize >> (c.below(2) * 8)
	case calls.Flags:
		switch c.below(4) {
		case 0:
			return 0
		case 1:
			return 1 << c.below(32)
		case 2:
			return c.below(8)
		}
		return 1<<c.below(24) | 1<<c.below(24)
	case calls.Mode:
		return []uint64{0o777, 0o644, 0o1777, 0o6755, 0, 0o20666, 0o10644, 0o40755}[c.below(8)]
	case calls.PID:
		return []uint64{0, 1, 2, 3, 4, 5, ^uint64(0), ^uint64(1)}[c.below(8)]
	case calls.Signal:
		return []uint64{0, 9, 10, 14, 15, 17, 18, 19, 11, 32, 64, 65, 20, 1, 2, 33}[c.below(16)]
	case calls.Int, calls.Uint:
		if a.Name == "timeout" {
			return c.below(3)
		}
		if c.oneIn(2) {
			return c.below(8)
		}
	case calls.Ulong:
		if c.oneIn(2) {
			return p.words()
		}
	}
	if a.Name == "request" {
		return 0x5400 + c.below(0x60)
	}
	return p.number()
}

// program is a small program for the root image: what it contains is not run.
func program() []byte {
	const at = 0x400000
	b := []byte("\x7fELF\x02\x01\x01")
	b = append(b, make([]byte, 9)...)
	le := binary.LittleEndian
	b = le.AppendUint16(b, 2) // executable
	b = le.AppendUint16(b, 62)
	b = le.AppendUint32(b, 1)
	b = le.AppendUint64(b, at+120) // entry
	b = le.AppendUint64(b, 64)     // program headers
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 56, 1, 0, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	b = le.AppendUint32(b, 1) // to be loaded
	b = le.AppendUint32(b, 7)
	for _, v := range []uint64{0, at, at, 128, 3 * arch.PageSize, arch.PageSize} {
		b = le.AppendUint64(b, v)
	}
	return append(b, make([]byte, 8)...)
}

// rootImage makes the image that the kernel starts from.
func rootImage(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{"dev/pts", "dev/shm", "proc", "run", "tmp", "dir"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dynamic := program()
	copy(dynamic[64:], []byte{3})                           // what was to be loaded is the name of an interpreter
	binary.LittleEndian.PutUint64(dynamic[64+8:], 120)      // its offset
	binary.LittleEndian.PutUint64(dynamic[64+32:], 6)       // its length
	dynamic = append(dynamic[:120], []byte("/init\x00")...) // for which there is room
	for name, text := range map[string][]byte{"init": program(), "dynamic": dynamic, "script": []byte("#! /init with arguments\n"), "dir/file": bytes.Repeat([]byte("text "), 2000)} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("file", filepath.Join(dir, "dir/link")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "image")
	if b, err := exec.Command("mkfs.erofs", "--quiet", "--all-root", "-T0", out, dir).CombinedOutput(); err != nil {
		t.Skipf("mkfs.erofs: %v\n%s", err, b)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// place puts an image into the machine's RAM.
func place(t *testing.T, m *hosted.Machine, image []byte) ([]byte, mem.PA) {
	var first mem.PA
	for i := range (len(image) + arch.PageSize - 1) / arch.PageSize {
		pa, ok := m.Memory().Alloc()
		switch {
		case i == 0:
			first = pa
		case !ok || pa != first+mem.PA(i*arch.PageSize):
			t.Fatal("fresh memory is in pieces")
		}
	}
	ram := unsafe.Slice((*byte)(unsafe.Add(m.Base(), first)), len(image))
	copy(ram, image)
	return ram, first
}

// text collects what the log says.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (x *text) Write(b []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.Write(b)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// play starts a kernel whose programs choose from data, ends it, and looks at
// what is left.
func play(t *testing.T, image, data []byte) {
	t.Helper()
	c := &choices{data: data}
	m := hosted.New(2 << 20 << c.below(6))
	defer m.Close()
	heap := int64(200_000) << c.below(6)
	var players sync.Map // of the threads, by their registers
	var count atomic.Int64
	m.User = func(x *arch.Context) {
		p, found := players.Load(x)
		if !found {
			p = &player{machine: m, c: c, cpu: m.NewCPU(), init: count.Add(1) == 1}
			players.Store(x, p)
		}
		p.(*player).run(x)
	}
	var log text
	var wall atomic.Int64
	start := time.Now()
	clock := func() int64 { return int64(time.Since(start)) }
	ended := make(chan proc.Status, 1)
	ram, pa := place(t, m, image)
	free := m.Memory().Stats().Free
	k, err := Start(Config{
		Machine: m, Memory: m.Memory(), Log: klog.New(1<<20, clock, &log, klog.Info),
		Clock: clock, Wall: func() int64 { return 1e18 + wall.Load() + clock() },
		SetWall:   func(ns int64) { wall.Store(ns - clock() - 1e18) },
		VDSO:      func() vdso.Params { return vdso.Params{} },
		HeapLimit: heap, Root: ram, RootPA: pa,
		Init:  []string{"/init"},
		Ended: func(s proc.Status) { ended <- s },
		Off:   func(bool) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Until all have ended, or none goes on.
	for last := -1; ; {
		select {
		case <-ended:
		case <-time.After(100 * time.Millisecond):
			if now := c.progress(); now != last {
				last = now
				continue
			}
			proc.TableOf(k.inst0).Kill(proc.SIGKILL)
			select {
			case <-ended:
			case <-time.After(time.Minute):
				stacks := make([]byte, 1<<20)
				t.Fatalf("process 1 doesn't end\n%s", stacks[:runtime.Stack(stacks, true)])
			}
		}
		break
	}
	k.inst0.Free(k.members())
	for _, r := range []inst.Resource{inst.Heap, inst.Frames} {
		if n := k.inst0.Used(r); n != 0 {
			t.Errorf("%d of resource %d are still charged", n, r)
		}
	}
	t.Logf("%d calls by %d threads in %v", c.calls.Load(), count.Load(), time.Since(start))
	// What stays is the machine's: the code of the vDSO, the page of zeros,
	// and that of /init, which isn't a whole page of the image.
	if n := m.Memory().Stats().Free; n+3 != free {
		t.Errorf("%d frames were free, %d are now", free, n)
	}
	if s := log.String(); strings.Contains(s, "kernel fault") {
		t.Errorf("the log:\n%s", s)
	}
}

// TestAnyCalls plays some random programs.
func TestAnyCalls(t *testing.T) {
	image := rootImage(t)
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, image, random(seed, 100000)) })
	}
}

func random(seed uint64, n int) []byte {
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(seed >> 24)})
	b := make([]byte, n)
	r.Read(b)
	return b
}

// FuzzCalls plays the programs that the fuzzer thinks of.
func FuzzCalls(f *testing.F) {
	image := rootImage(f)
	for seed := range uint64(4) {
		f.Add(random(seed, 500))
	}
	f.Fuzz(func(t *testing.T, data []byte) { play(t, image, slices.Clone(data)) })
}
