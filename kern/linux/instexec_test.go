package linux

import (
	"strings"
	"testing"
	"unsafe"

	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// TestTableChanges gives the caller a table of files of its own while an instance makes a
// process for it, as another of its threads can do: its descriptors are where they were
// reserved.
func TestTableChanges(t *testing.T) {
	for _, install := range []bool{true, false} {
		done := make(chan struct{})
		onThread(t, func(k *Kernel, th *proc.Thread, at vm.Addr) {
			if th.Proc.PID != 1 { // the one that has the table, too
				<-done
				return
			}
			defer close(done)
			if _, err := th.Fork1(proc.CloneArgs{Flags: proc.CLONE_FILES, ExitSignal: proc.SIGCHLD}); err != nil {
				t.Error(err)
				return
			}
			shared := file.Of(th.Proc)
			c := &instCall{k: k, t: th}
			c.a.Data = uint64(at)
			x := &instExec{c: c, tty: true}
			defer x.end()
			for range 2 {
				fd, err := sysOpen(k, th, &Args{put(t, th, at, "/"), 0})
				if err != nil {
					t.Error(err)
					return
				}
				f, err := shared.Get(int(fd))
				if err != nil {
					t.Error(err)
					return
				}
				x.ours = append(x.ours, f)
			}
			if err := x.tell(); err != nil {
				t.Error(err)
			}
			if err := file.Unshare(th); err != nil || file.Of(th.Proc) == shared {
				t.Errorf("the table is the same: %v", err)
			}
			if install {
				x.install()
			}
			x.end()
			for _, fd := range []int{2, 3} {
				f, err := shared.Get(fd)
				if (err == nil) != install {
					t.Errorf("descriptor %d, which was to be installed: %v: %v", fd, install, err)
				}
				if err == nil {
					f.Release()
				}
			}
		})
	}
}

// TestSettingsKeepNoText has settings be no part of the text in which they came, which is
// much longer.
func TestSettingsKeepNoText(t *testing.T) {
	text := "host a\ndomain b\nroot /c\n" + strings.Repeat("\n", 4000)
	s, err := ParseSettings(text)
	if err != nil {
		t.Fatal(err)
	}
	from := uintptr(unsafe.Pointer(unsafe.StringData(text)))
	for _, v := range []string{s.Host, s.Domain, s.Root} {
		if at := uintptr(unsafe.Pointer(unsafe.StringData(v))); at >= from && at < from+uintptr(len(text)) {
			t.Errorf("%q keeps all of it", v)
		}
	}
}
