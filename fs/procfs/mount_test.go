package procfs

import (
	"fmt"
	"testing"

	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/kern/proc"
)

// TestMountOnProcess mounts on the directories of processes, which go away
// with what is mounted there.
func TestMountOnProcess(t *testing.T) {
	w := newWorld(t)
	w.run(func(th *proc.Thread) {
		c := vfs.For(th)
		mount := func(path string) {
			s, err := tmpfs.New(th.Inst(), w.m.Memory(), tmpfs.Options{Mode: 0o755})
			if err == nil {
				err = c.Mount(s, path, 0)
			}
			if err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
		mounts := func() (n int) {
			vfs.TableOf(th.Inst()).Mounts(func(*vfs.Mount, string) { n++ })
			return n
		}
		before := mounts()
		end := make(chan bool)
		pid := w.fork(th, 0, func(*proc.Thread) { <-end })
		dir := fmt.Sprintf("/proc/%d", pid)
		mount(dir + "/task")
		mount(dir)
		if err := c.Mkdir(nil, dir+"/in", 0o755); err != nil {
			t.Error(err)
		}
		mount(dir + "/in")
		if n := mounts(); n != before+3 {
			t.Errorf("%d mounts while the process is there, want %d", n, before+3)
		}
		close(end)
		w.reap(th, pid)
		if n := mounts(); n != before {
			t.Errorf("%d mounts when it is gone, want %d", n, before)
		}
		if err := c.Umount("/proc", 0); err != nil {
			t.Errorf("umount /proc: %v", err)
		}
	})
}
