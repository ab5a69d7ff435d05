package kern

import (
	"fmt"
	"runtime"
	"testing"

	"mult/inst"
	"mult/kern/internal/proctest"
	"mult/kern/proc"
)

// Idle instances are many, so each must be small. What one may have is what it has today,
// and a little more.
const (
	idleHeap   = 25 << 10 // bytes, without the stack of its goroutine
	idleFrames = 11.5     // a real instinit has 8: this program has a page of data
)

// idles does what process 1 does when it begins, and sleeps then.
func idles(u *user) {
	path := func(s string) uint64 {
		u.data = append([]byte(s), 0)
		return u.at
	}
	const callStat, callLstat, callChdir, callSetsid = 4, 6, 80, 112
	switch u.step {
	case 0:
		u.call(callSetsid)
	case 1:
		u.call(callChdir, path("/dev/pts"))
	case 2:
		u.call(callStat, path(".."), u.at+1024)
	case 3:
		u.call(callChdir, path("/proc"))
	case 4:
		u.call(callChdir, path("/"))
	case 5:
		u.call(callLstat, path("/etc/rc"), u.at+1024)
	default:
		u.call(nrPause)
	}
}

// TestIdle looks at what idle instances take, and at what they are charged for.
func TestIdle(t *testing.T) {
	const n = 200
	w := start(t, nil, idles)
	defer w.finish()
	one := func(name string) *inst.Inst {
		in := w.inst(w.k.inst0, name)
		proctest.Until(func() bool { return proc.TableOf(in).Find(1).Stat().State == 'S' })
		return in
	}
	heap := func() int64 {
		w.users.Clear() // they are the test's
		runtime.GC()
		runtime.GC() // what was in pools is gone now, too
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	list := []*inst.Inst{one("first")}
	used, charged, frames := heap(), w.k.inst0.Used(inst.Heap), w.k.inst0.Used(inst.Frames)
	for i := range n {
		list = append(list, one(fmt.Sprint("i", i)))
	}
	used, charged = (heap()-used)/n, (w.k.inst0.Used(inst.Heap)-charged)/n
	each := float64(w.k.inst0.Used(inst.Frames)-frames) / n // more if a stack is where a table ends
	t.Logf("an idle instance takes %d bytes of heap, is charged %d, and has %.1f frames", used, charged, each)
	if used > idleHeap || each > idleFrames {
		t.Errorf("an idle instance takes %d bytes of heap and %.1f frames, more than %d and %.1f", used, each, idleHeap, idleFrames)
	}
	// Beside the heap it has a stack, of 4 KiB at least.
	if real := used + 4<<10; charged < real || charged > 2*real {
		t.Errorf("an idle instance is charged %d bytes of heap, but takes %d", charged, real)
	}
	for _, in := range list {
		proc.TableOf(in).Kill(proc.SIGKILL)
		w.gone(in)
	}
}
