package pipe

import (
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/internal/proctest"
	"mult/kern/proc"
)

func TestFIFO(t *testing.T) {
	k := newKernel(t)
	used := k.In.Used(inst.Heap)
	var ff FIFO
	if _, err := ff.Open(k.T, abi.O_WRONLY|abi.O_NONBLOCK); err != errno.ENXIO {
		t.Errorf("writer without readers: %v", err)
	}
	r, err := ff.Open(k.T, abi.O_RDONLY|abi.O_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	if ev := r.Poll(nil); ev != 0 {
		t.Errorf("reader before the first writer polls %#x", ev)
	}
	w, err := ff.Open(k.T, abi.O_WRONLY)
	if err != nil {
		t.Fatal(err)
	}
	w.Release(nil)
	if ev := r.Poll(nil); ev != abi.POLLHUP {
		t.Errorf("reader after the last writer polls %#x", ev)
	}
	r.Release(nil)
	if ff.p != nil {
		t.Error("the pipe stays")
	}
	// Each side waits for the other.
	for _, flags := range [][2]int{{abi.O_RDONLY, abi.O_WRONLY}, {abi.O_WRONLY, abi.O_RDONLY}} {
		var e *End
		done := k.Spawn(t, proctest.ThreadFlags, func(c *proc.Thread) {
			var err error
			if e, err = ff.Open(c, flags[0]); err != nil {
				t.Error(err)
			}
		})
		proctest.Until(func() bool {
			ff.mu.Lock()
			defer ff.mu.Unlock()
			if ff.p == nil {
				return false
			}
			ff.p.mu.Lock()
			defer ff.p.mu.Unlock()
			return ff.p.openWait == 1
		})
		other, err := ff.Open(k.T, flags[1])
		if err != nil {
			t.Fatal(err)
		}
		other.Release(nil) // the first gets its end nevertheless
		<-done
		e.Release(nil)
	}
	b, err := ff.Open(k.T, abi.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	f, _ := file.New(k.In, b, abi.O_RDWR)
	if n, err := write(k.T, f, 3); n != 3 || err != nil {
		t.Error(n, err)
	}
	if n, err := read(k.T, f, 9); n != 3 || err != nil {
		t.Error(n, err)
	}
	if ev := f.Poll(); ev != abi.POLLOUT|abi.POLLWRNORM {
		t.Errorf("both ends poll %#x", ev)
	}
	f.Release()
	proctest.Until(func() bool { return k.In.Used(inst.Heap) == used }) // the threads end by themselves
	// A signal ends the wait and leaves nothing behind.
	done := k.Spawn(t, 0, func(c *proc.Thread) {
		handle(c, proc.SIGUSR1)
		if _, err := ff.Open(c, abi.O_RDONLY); err != proc.ERestartSys {
			t.Error(err)
		}
	})
	proctest.Until(func() bool { ff.mu.Lock(); defer ff.mu.Unlock(); return ff.p != nil })
	p := ff.p
	p.until(func() bool { return p.openWait == 1 })
	k.T.Kill(-1, proc.SIGUSR1)
	<-done
	if ff.p != nil {
		t.Error("the pipe stays")
	}
}
