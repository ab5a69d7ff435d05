package procfs

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// hostFile reads a file of the host's own /proc, which formats are compared with.
func hostFile(t *testing.T, path string) string {
	b, err := os.ReadFile(strings.Replace(path, "/task/1/", fmt.Sprintf("/task/%d/", os.Getpid()), 1))
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

var mapsLine = regexp.MustCompile(`^[0-9a-f]{8,16}-[0-9a-f]{8,16} [r-][w-][x-][ps] [0-9a-f]{8,16} [0-9a-f]{2,}:[0-9a-f]{2,} [0-9]+ ( *[/\[a].*)?$`)

// TestFormats compares with the host's files.
func TestFormats(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("the host has no /proc of Linux")
	}
	w := newWorld(t)
	w.run(func(th *proc.Thread) {
		w.load(th, "a\x00b c\x00", "X=1\x00")
		get := func(path string) string {
			s, err := read(th, path, 4096)
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
			return s
		}
		for _, path := range []string{"/proc/self/stat", "/proc/self/task/1/stat", "/proc/thread-self/stat", "/proc/self/statm", "/proc/uptime", "/proc/loadavg"} {
			ours, theirs := strings.Fields(get(path)), strings.Fields(hostFile(t, path))
			if len(ours) != len(theirs) {
				t.Errorf("%s: %d fields, the host has %d: %q", path, len(ours), len(theirs), ours)
			}
		}
		// Lines with names: ours are among the host's, in the same order.
		for _, path := range []string{"/proc/self/status", "/proc/meminfo", "/proc/stat", "/proc/self/limits"} {
			key := func(l string) (name string, words int) {
				if path == "/proc/self/limits" {
					return l[:25], len(strings.Fields(l[25:]))
				}
				f := strings.Fields(l)
				return f[0], len(f)
			}
			rest := strings.Split(strings.TrimSpace(hostFile(t, path)), "\n")
			for _, l := range strings.Split(strings.TrimSpace(get(path)), "\n") {
				name, words := key(l)
				i := slices.IndexFunc(rest, func(h string) bool { n, _ := key(h); return n == name })
				if i < 0 {
					if name != "HugetlbPages:" && name != "CoreDumping:" {
						t.Errorf("%s: the host has no %q, or not here", path, name)
					}
					continue
				}
				if _, n := key(rest[i]); n != words && name != "Groups:" {
					t.Errorf("%s: %q, on the host %q", path, l, rest[i])
				}
				rest = rest[i+1:]
			}
		}
		for _, s := range []string{get("/proc/self/maps"), hostFile(t, "/proc/self/maps")} {
			for _, l := range strings.Split(strings.TrimSuffix(s, "\n"), "\n") {
				if !mapsLine.MatchString(l) {
					t.Errorf("maps: %q", l)
				}
			}
		}
		if s := get("/proc/self/maps"); !strings.Contains(s, "/prog\n") || strings.Count(s, "\n") != 2 {
			t.Errorf("maps: %s", s)
		}
		for path, want := range map[string]string{
			"/proc/self/cmdline":                 "a\x00b c\x00",
			"/proc/1/environ":                    "X=1\x00",
			"/proc/self/comm":                    "init\n",
			"/proc/self/auxv":                    strings.Repeat("\x00", 32),
			"/proc/self/oom_score_adj":           "0\n",
			"/proc/partitions":                   "",
			"/proc/filesystems":                  "nodev\ttmpfs\nnodev\tproc\n",
			"/proc/mounts":                       "tmpfs / tmpfs rw,relatime 0 0\nproc /proc proc rw,nosuid,relatime 0 0\n",
			"/proc/sys/kernel/hostname":          "mult\n",
			"/proc/sys/kernel/osrelease":         "6.1.0-test\n",
			"/proc/sys/kernel/pid_max":           "32768\n",
			"/proc/sys/vm/overcommit_memory":     "0\n",
			"/proc/sys/vm/mmap_min_addr":         "65536\n",
			"/proc/sys/kernel/ngroups_max":       "65536\n",
			"/proc/sys/kernel/random/boot_id":    get("/proc/sys/kernel/random/boot_id"),
			"/proc/sys/fs/file-max":              "9223372036854775807\n",
			"/proc/self/task/1/comm":             "init\n",
			"/proc/self/root/proc/self/wchan":    "0",
			"/proc/self/cwd/proc/1/../self/comm": "init\n",
		} {
			if got := get(path); got != want {
				t.Errorf("%s: %q, want %q", path, got, want)
			}
		}
		uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$`)
		if a, b := get("/proc/sys/kernel/random/uuid"), get("/proc/sys/kernel/random/uuid"); !uuid.MatchString(a) || a == b {
			t.Errorf("uuids %q, %q", a, b)
		}
		if s := get("/proc/cpuinfo"); !strings.Contains(s, "flags\t\t: fpu sse\n") || strings.Count(s, "processor\t: ") != w.m.CPUs() {
			t.Errorf("cpuinfo: %s", s)
		}
		info := strings.Split(get("/proc/self/mountinfo"), "\n")
		if len(info) != 3 || !regexp.MustCompile(`^2 1 0:\d+ / /proc rw,nosuid,relatime - proc proc rw$`).MatchString(info[1]) {
			t.Errorf("mountinfo: %q", info)
		}
		// The arguments overwritten: one string, also into the environment.
		w.load(th, "title", " longer\x00more\x00")
		if s := get("/proc/self/cmdline"); s != "title longer\x00" {
			t.Errorf("cmdline: %q", s)
		}
		c := vfs.For(th)
		for path, want := range map[string]string{
			"/proc/self": "1", "/proc/thread-self": "1/task/1", "/proc/mounts": "self/mounts",
			"/proc/self/exe": "/prog", "/proc/self/cwd": "/", "/proc/1/root": "/",
		} {
			if got, err := c.Readlink(nil, path); got != want || err != nil {
				t.Errorf("%s: %q, %v", path, got, err)
			}
		}
		f, err := c.Open(nil, "/proc/self/exe", abi.O_RDONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		if s, _ := c.FS.PathOf(f); s != "/prog" {
			t.Errorf("the name of what /proc/self/exe leads to: %q", s)
		}
		f.Release()
	})
}

// TestPieces reads long files in all ways.
func TestPieces(t *testing.T) {
	w := newWorld(t)
	w.run(func(th *proc.Thread) {
		w.load(th, strings.Repeat("0123456789abcde\x00", 2000), "")
		s := th.Space()
		const areas = 300
		for i := range areas {
			prot := vm.Read
			if i%2 == 0 {
				prot |= vm.Write
			}
			if _, err := s.Map(vm.MapArgs{Addr: vm.Addr(1<<32 + i*4096), Len: 4096, Fixed: true, Prot: prot, MaxProt: 7}); err != nil {
				t.Error(err)
				return
			}
		}
		for _, path := range []string{"/proc/self/maps", "/proc/self/cmdline"} {
			whole, err := read(th, path, 1<<20)
			if err != nil || len(whole) < areas*40 {
				t.Errorf("%s: %d bytes, %v", path, len(whole), err)
			}
			for _, n := range []int{1, 7, 100, 4096, 5000} {
				if got, err := read(th, path, n); got != whole || err != nil {
					t.Errorf("%s by %d: %d bytes, %v", path, n, len(got), err)
				}
			}
			f, err := vfs.For(th).Open(nil, path, abi.O_RDONLY, 0)
			if err != nil {
				t.Error(err)
				return
			}
			// Back and forth.
			b := make([]byte, 50)
			for _, off := range []int{9000, 10, 4090, 8200, 0, len(whole) - 10, len(whole), len(whole) + 5000, 12} {
				n, err := f.Pread(th, vm.KernelUio(b), int64(off))
				want := whole[min(off, len(whole)):]
				want = want[:min(len(b), len(want))]
				if string(b[:n]) != want || err != nil {
					t.Errorf("%s at %d: %q, want %q; %v", path, off, b[:n], want, err)
				}
			}
			if _, err := f.Seek(th, 0, abi.SEEK_END); err != errno.EINVAL {
				t.Errorf("SEEK_END: %v", err)
			}
			f.Release()
		}
		// A read from the beginning is a new one; others go on with the old.
		f, _ := vfs.For(th).Open(nil, "/proc/self/comm", abi.O_RDONLY, 0)
		defer f.Release()
		b := make([]byte, 2)
		f.Read(th, vm.KernelUio(b))
		th.SetComm("other")
		if s, _ := readAll(th, f, 10); s != "it\n" {
			t.Errorf("the rest: %q", s)
		}
		f.Seek(th, 0, abi.SEEK_SET)
		if s, _ := readAll(th, f, 10); s != "other\n" {
			t.Errorf("again: %q", s)
		}
	})
}

// TestLife looks at processes that come and go.
func TestLife(t *testing.T) {
	w := newWorld(t)
	w.run(func(th *proc.Thread) {
		c := vfs.For(th)
		end := make(chan bool)
		var pids []int
		for range 100 {
			pids = append(pids, w.fork(th, 0, func(th *proc.Thread) { <-end }))
		}
		want := append([]int{1}, pids...)
		for _, n := range []int{1, 7, 1000} {
			names, err := list(th, "/proc", n)
			var got []int
			for _, s := range names {
				if pid, err := strconv.Atoi(s); err == nil {
					got = append(got, pid)
				}
			}
			if !slices.Equal(got, want) || err != nil || !slices.Contains(names, "self") {
				t.Errorf("by %d: %v, %v", n, got, err)
			}
		}
		dir := fmt.Sprintf("/proc/%d", pids[0])
		st, err := c.Stat(nil, dir, 0)
		again, _ := c.Stat(nil, dir, 0)
		if err != nil || st.Mode != abi.S_IFDIR|0o555 || st.Ino != again.Ino || st.Ino == 0 {
			t.Errorf("%+v, %v", st, err)
		}
		d, err := c.Open(nil, dir, abi.O_RDONLY|abi.O_DIRECTORY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		f, err := c.Open(d, "stat", abi.O_RDONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		close(end)
		for _, pid := range pids {
			w.reap(th, pid)
		}
		if _, err := f.Read(th, vm.KernelUio(make([]byte, 10))); err != errno.ESRCH {
			t.Errorf("stat of a process that is gone: %v", err)
		}
		if _, err := c.Open(d, "stat", abi.O_RDONLY, 0); err != errno.ENOENT {
			t.Errorf("open in its directory: %v", err)
		}
		if err := d.ReadDir(th, func(*abi.Dirent) bool { return true }); err != errno.ENOENT {
			t.Errorf("its directory: %v", err)
		}
		if _, err := c.Stat(nil, dir, 0); err != errno.ENOENT {
			t.Errorf("its name: %v", err)
		}
		f.Release()
		d.Release()
		// All that was looked at is not kept.
		used := th.Inst().Used(inst.Heap)
		for range 20 {
			pid := w.fork(th, 0, func(th *proc.Thread) {})
			for _, s := range []string{"stat", "status", "fd", "fdinfo", "task", "exe", "maps", "cwd"} {
				c.Stat(nil, fmt.Sprintf("/proc/%d/%s", pid, s), abi.AT_SYMLINK_NOFOLLOW)
			}
			w.reap(th, pid)
		}
		if n := th.Inst().Used(inst.Heap) - used; n > 2*minIdle*nodeCharge {
			t.Errorf("%d bytes more", n)
		}
		// A zombie.
		pid := w.fork(th, 0, func(th *proc.Thread) { th.Exit(proc.ExitStatus(3)) })
		for {
			s, err := read(th, fmt.Sprintf("/proc/%d/stat", pid), 4096)
			if err != nil {
				t.Error(err)
				break
			}
			if f := strings.Fields(s); f[2] == "Z" {
				if f[len(f)-1] != "768" {
					t.Errorf("zombie: %s", s)
				}
				break
			}
		}
		for _, p := range []string{"status", "cmdline", "maps", "limits"} {
			if _, err := read(th, fmt.Sprintf("/proc/%d/%s", pid, p), 4096); err != nil {
				t.Errorf("%s of a zombie: %v", p, err)
			}
		}
		if names, err := list(th, fmt.Sprintf("/proc/%d/task", pid), 10); err != nil || !slices.Contains(names, strconv.Itoa(pid)) {
			t.Errorf("task of a zombie: %v, %v", names, err)
		}
		if _, err := c.Readlink(nil, fmt.Sprintf("/proc/%d/cwd", pid)); err != errno.ENOENT {
			t.Errorf("cwd of a zombie: %v", err)
		}
		w.reap(th, pid)
	})
}

func TestDescriptors(t *testing.T) {
	w := newWorld(t)
	w.run(func(th *proc.Thread) {
		c := vfs.For(th)
		tb := file.Of(th.Proc)
		f, err := c.Open(nil, "/file", abi.O_RDWR|abi.O_CREAT|abi.O_APPEND, 0o644)
		if err != nil {
			t.Error(err)
			return
		}
		fd, _ := tb.Alloc(th, f, 100, true)
		f.Write(th, vm.KernelUio([]byte("content")))
		r, wr := newPipe(th)
		if s, err := c.Readlink(nil, "/proc/self/fd/100"); s != "/file" || err != nil {
			t.Errorf("%q, %v", s, err)
		}
		if s, err := read(th, "/proc/self/fd/100", 100); s != "content" || err != nil {
			t.Errorf("%q, %v", s, err)
		}
		st, _ := f.Stat(th)
		want := fmt.Sprintf("pos:\t7\nflags:\t02002002\nmnt_id:\t1\nino:\t%d\n", st.Ino)
		if s, err := read(th, fmt.Sprintf("/proc/self/fdinfo/%d", fd), 100); s != want || err != nil {
			t.Errorf("fdinfo %q, want %q; %v", s, want, err)
		}
		if s, err := c.Stat(nil, "/proc/self/fd/100", abi.AT_SYMLINK_NOFOLLOW); s.Mode != abi.S_IFLNK|0o700 || err != nil {
			t.Errorf("mode %o, %v", s.Mode, err)
		}
		if s, err := c.Stat(nil, fmt.Sprintf("/proc/self/fd/%d", r), abi.AT_SYMLINK_NOFOLLOW); s.Mode != abi.S_IFLNK|0o500 || err != nil {
			t.Errorf("mode %o, %v", s.Mode, err)
		}
		pipe := regexp.MustCompile(`^pipe:\[\d+\]$`)
		if s, err := c.Readlink(nil, fmt.Sprintf("/proc/self/fd/%d", wr)); !pipe.MatchString(s) || err != nil {
			t.Errorf("%q, %v", s, err)
		}
		names, err := list(th, "/proc/self/fd", 1)
		slices.Sort(names)
		if err != nil || !slices.Equal(names, []string{".", "..", "0", "1", "100"}) {
			t.Errorf("%q, %v", names, err)
		}
		// A file that tells about itself.
		g, err := c.Open(nil, "/proc/self/fdinfo", abi.O_RDONLY, 0)
		if err == nil {
			g.Release()
			tb.Alloc(th, f, 200, false) // so that there is a number to open before
			f.Retain()
			g, err = c.Open(nil, "/proc/self/fdinfo/200", abi.O_RDONLY, 0)
		}
		if err != nil {
			t.Error(err)
			return
		}
		tb.Dup3(th, must(tb.Alloc(th, g, 0, false)), 200, false)
		if s, err := readAll(th, g, 100); !strings.HasPrefix(s, "pos:\t0\n") || err != nil {
			t.Errorf("a fdinfo of itself: %q, %v", s, err)
		}
		// The pipe opened again, and its end.
		p, err := c.Open(nil, fmt.Sprintf("/proc/self/fd/%d", wr), abi.O_WRONLY, 0)
		if err != nil {
			t.Error(err)
			return
		}
		tb.Close(th, wr)
		if _, err := p.Write(th, vm.KernelUio([]byte("again"))); err != nil {
			t.Error(err)
		}
		if s, err := p.Stat(th); s.Mode&abi.S_IFMT != abi.S_IFIFO || err != nil {
			t.Errorf("mode %o, %v", s.Mode, err)
		}
		tb.Alloc(th, p, 50, false)
		if s, err := c.Readlink(nil, "/proc/self/fd/50"); !pipe.MatchString(s) || err != nil {
			t.Errorf("%q, %v", s, err)
		}
		tb.Close(th, 50)
		rf, _ := tb.Get(r)
		if s, err := readAll(th, rf, 100); s != "again" || err != nil {
			t.Errorf("%q, %v: the pipe has no end", s, err)
		}
		rf.Release()
		o, err := c.Open(nil, fmt.Sprintf("/proc/self/fd/%d", r), abi.O_PATH, 0)
		if err != nil {
			t.Error(err)
			return
		}
		o.Release()
	})
}

func must(n int, err error) int {
	if err != nil {
		panic(err)
	}
	return n
}
