package procfs

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/host"
	"mult/kern/proc"
)

// TestPermissions looks into processes of others.
func TestPermissions(t *testing.T) {
	w := newWorld(t)
	w.run(func(th *proc.Thread) {
		w.load(th, "init\x00", "SECRET=1\x00")
		end, ready := make(chan bool), make(chan bool)
		user := func(uid uint32, then func(th *proc.Thread)) func(th *proc.Thread) {
			return func(th *proc.Thread) {
				if err := th.SetRESGID(uid, uid, uid); err != nil {
					t.Error(err)
				}
				if err := th.SetRESUID(uid, uid, uid); err != nil {
					t.Error(err)
				}
				then(th)
			}
		}
		idle := func(th *proc.Thread) {
			if uid := th.Cred().UID; uid != 0 {
				f, err := vfs.For(th).Open(nil, "/prog", abi.O_RDONLY, 0)
				if err != nil {
					t.Error(err)
				}
				auxv := make([]byte, 48)
				if uid == 1001 {
					auxv[16], auxv[24] = 23, 1 // AT_SECURE
				}
				w.runs(th.Proc, &Program{Exe: f, Auxv: auxv})
			}
			ready <- true
			<-end
		}
		mine := w.fork(th, 0, user(1000, idle))
		<-ready
		other := w.fork(th, 0, user(1002, idle))
		<-ready
		secure := w.fork(th, 0, user(1001, idle))
		<-ready
		looks := func(uid uint32, pid int, want error) {
			child := w.fork(th, 0, user(uid, func(th *proc.Thread) {
				dir := fmt.Sprintf("/proc/%d/", pid)
				for _, s := range []string{"environ", "auxv", "maps"} {
					if _, err := read(th, dir+s, 100); err != want {
						t.Errorf("user %d reads %s%s: %v, want %v", uid, dir, s, err, want)
					}
				}
				for _, s := range []string{"exe", "cwd", "root"} {
					if _, err := vfs.For(th).Readlink(nil, dir+s); err != want {
						t.Errorf("user %d: readlink %s%s: %v, want %v", uid, dir, s, err, want)
					}
				}
				if _, err := list(th, dir+"fd", 10); err != want {
					t.Errorf("user %d lists %sfd: %v, want %v", uid, dir, err, want)
				}
				for _, s := range []string{"stat", "status", "cmdline", "comm", "limits", "statm", "mounts"} {
					if _, err := read(th, dir+s, 100); err != nil {
						t.Errorf("user %d reads %s%s: %v", uid, dir, s, err)
					}
				}
			}))
			w.reap(th, child)
		}
		looks(1000, mine, nil)
		looks(0, mine, nil)
		looks(1000, other, errno.EACCES)
		looks(1000, 1, errno.EACCES)
		looks(1001, secure, errno.EACCES)
		c := vfs.For(th)
		for pid, uid := range map[int]uint32{mine: 1000, secure: 0} {
			if st, err := c.Stat(nil, fmt.Sprintf("/proc/%d/environ", pid), 0); st.UID != uid || err != nil {
				t.Errorf("owner %d, want %d; %v", st.UID, uid, err)
			}
		}
		// An open file doesn't outlive the right to have it.
		child := w.fork(th, 0, user(1000, func(th *proc.Thread) {
			f, err := vfs.For(th).Open(nil, fmt.Sprintf("/proc/%d/environ", mine), abi.O_RDONLY, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Release()
			p := proc.TableOf(th.Inst()).Find(mine)
			g, _ := w.program(p)
			auxv := make([]byte, 48)
			auxv[16], auxv[24] = 23, 1
			w.runs(p, &Program{Exe: g.Exe, Auxv: auxv})
			g.Space.Release()
			if _, err := readAll(th, f, 10); err != errno.EACCES {
				t.Errorf("after the process got rights: %v", err)
			}
		}))
		w.reap(th, child)
		// Writes.
		for _, tt := range []struct {
			path, s string
			want    error
		}{
			{"/proc/self/oom_score_adj", "0\n", nil},
			{"/proc/self/oom_score_adj", "5", nil},
			{"/proc/self/oom_score_adj", "0", nil},
			{"/proc/self/oom_score_adj", "-1001", errno.EINVAL},
			{"/proc/self/oom_score_adj", "x", errno.EINVAL},
			{"/proc/self/comm", "renamed, and too long", nil},
			{fmt.Sprintf("/proc/%d/comm", mine), "x", errno.EINVAL},
			{"/proc/sys/kernel/hostname", strings.Repeat("long", 20) + "\n", nil},
			{"/proc/sys/kernel/ostype", "x", errno.EACCES},
			{"/proc/self/stat", "x", errno.EACCES},
		} {
			if err := write(th, tt.path, tt.s); err != tt.want {
				t.Errorf("%q to %s: %v, want %v", tt.s, tt.path, err, tt.want)
			}
		}
		if s := host.Name(th.Inst()); s != strings.Repeat("long", 16) {
			t.Errorf("host name %q", s)
		}
		if s := th.Proc.Comm(); s != "renamed, and to" {
			t.Errorf("name %q", s)
		}
		for _, s := range []string{"/proc/x", "/proc/01", "/proc/99999999999", "/proc/sys/net", "/proc/self/fd/7"} {
			if _, err := c.Stat(nil, s, abi.AT_SYMLINK_NOFOLLOW); err != errno.ENOENT {
				t.Errorf("%s: %v", s, err)
			}
		}
		if _, err := c.Open(nil, "/proc/new", abi.O_CREAT|abi.O_RDWR, 0o644); err != errno.ENOENT {
			t.Errorf("create: %v", err)
		}
		if err := c.Chmod(nil, "/proc/stat", 0o777, 0); err != errno.EPERM {
			t.Errorf("chmod: %v", err)
		}
		close(end)
		for _, pid := range []int{mine, other, secure} {
			w.reap(th, pid)
		}
	})
}

// TestInstances sees that two instances don't see one another.
func TestInstances(t *testing.T) {
	w := newWorld(t)
	var ready sync.WaitGroup
	ready.Add(2)
	both := func(name string, children int) func(th *proc.Thread) {
		return func(th *proc.Thread) {
			end := make(chan bool)
			var pids []int
			for range children {
				pids = append(pids, w.fork(th, 0, func(th *proc.Thread) { <-end }))
			}
			c := vfs.For(th)
			c.Mkdir(nil, "/only-"+name, 0o755)
			if err := write(th, "/proc/sys/kernel/hostname", name+"\nrest"); err != nil {
				t.Error(err)
			}
			ready.Done()
			ready.Wait()
			if s, _ := read(th, "/proc/sys/kernel/hostname", 100); s != name+"\n" {
				t.Errorf("%s: host %q", name, s)
			}
			names, _ := list(th, "/proc", 100)
			n := 0
			for _, s := range names {
				if _, err := strconv.Atoi(s); err == nil {
					n++
				}
			}
			if n != children+1 {
				t.Errorf("%s: %d processes, want %d", name, n, children+1)
			}
			if _, err := c.Stat(nil, "/proc/6", 0); (err == nil) != (children >= 5) {
				t.Errorf("%s: process 6: %v", name, err)
			}
			if s, _ := read(th, "/proc/stat", 4096); !strings.Contains(s, fmt.Sprintf("processes %d\n", children+1)) {
				t.Errorf("%s: %s", name, s)
			}
			if s, _ := read(th, "/proc/loadavg", 100); !strings.HasSuffix(s, fmt.Sprintf("/%d %d\n", children+1, children+1)) {
				t.Errorf("%s: loadavg %q", name, s)
			}
			// What it can have at most is the memory that it has.
			if name == "a" {
				th.Inst().SetLimit(inst.Frames, 256)
			}
			s, _ := read(th, "/proc/meminfo", 4096)
			if small := strings.Contains(s, "MemTotal:           1024 kB\n"); small != (name == "a") {
				t.Errorf("%s: %s", name, s)
			}
			close(end)
			for _, pid := range pids {
				w.reap(th, pid)
			}
		}
	}
	a, b := w.start("a", both("a", 5)), w.start("b", both("b", 2))
	w.finish(a, b)
}

// TestNoMemory goes through everything with little to spend.
func TestNoMemory(t *testing.T) {
	w := newWorld(t)
	w.run(func(th *proc.Thread) {
		w.load(th, "init\x00", "")
		in := th.Inst()
		used := in.Used(inst.Heap)
		for more := int64(0); more < 6000; more += 200 {
			in.SetLimit(inst.Heap, used+more)
			for _, s := range []string{"stat", "status", "maps", "environ", "mounts", "fd/0", "exe"} {
				if _, err := read(th, "/proc/self/"+s, 100); err != nil && err != errno.ENOMEM && err != errno.ENFILE && err != errno.ENOENT {
					t.Errorf("%s with %d: %v", s, more, err)
				}
			}
			list(th, "/proc/self/task", 10)
		}
		in.SetLimit(inst.Heap, 1<<40)
		if _, err := read(th, "/proc/self/status", 100); err != nil {
			t.Error(err)
		}
	})
}

// TestMany has many threads look at processes that come and go.
func TestMany(t *testing.T) {
	w := newWorld(t)
	w.run(func(th *proc.Thread) {
		var pids []int
		for i := range 4 {
			pids = append(pids, w.fork(th, 0, func(th *proc.Thread) {
				for j := range 30 {
					if i < 2 {
						w.reap(th, w.fork(th, 0, func(th *proc.Thread) { newPipe(th) }))
						continue
					}
					names, err := list(th, "/proc", 50)
					if err != nil {
						t.Error(err)
					}
					for _, n := range names {
						if _, err := strconv.Atoi(n); err != nil {
							continue
						}
						for _, s := range []string{"stat", "status", "fdinfo/0", "maps", "cwd", "fd/1", "task/" + n + "/stat", "cmdline"} {
							_, err := read(th, "/proc/"+n+"/"+s, 500+j)
							switch err {
							case nil, errno.ENOENT, errno.ESRCH, errno.EISDIR, errno.ENXIO:
							default:
								t.Errorf("%s of %s: %v", s, n, err)
							}
						}
						list(th, "/proc/"+n+"/fd", 3)
						list(th, "/proc/"+n+"/task", 3)
					}
				}
			}))
		}
		for _, pid := range pids {
			w.reap(th, pid)
		}
	})
}
