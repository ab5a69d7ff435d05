package instfile

import (
	"sync"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// A procWatch tells how a process of another instance has ended. A read waits for that.
type procWatch struct {
	anonymous
	pid  int        // [const]
	wait proc.Queue // threads in Read; with mu
	poll proc.Queue // watchers

	mu     sync.Mutex
	ended  bool        // [mu]
	status proc.Status // [mu]
}

var watched = proc.NewSlot[procWatch]()

// Part is this package's row in the table of process parts.
var Part = proc.Part{
	Name: "watch",
	Exit: func(p *proc.Proc, _ *proc.Thread) {
		if w := watched.Of(p); w != nil {
			watched.Set(p, nil)
			w.end(p.Stat().Status)
		}
	},
}

// WatchProc makes a file that tells of the end of p, which has not been started. t is the
// owner's.
func WatchProc(t *proc.Thread, p *proc.Proc) (*file.File, error) {
	w := &procWatch{pid: p.PID}
	f, err := w.open(t, "[process]", w, abi.O_RDONLY)
	if err == nil {
		watched.Set(p, w)
	}
	return f, err
}

func (w *procWatch) end(s proc.Status) {
	w.mu.Lock()
	w.ended, w.status = true, s
	w.wait.WakeAll()
	w.mu.Unlock()
	w.poll.WakeAll()
}

// Release ends the watch. The process may still have w, which costs nobody anything.
func (w *procWatch) Release(*file.File) { w.close() }

// Read waits for the end.
func (w *procWatch) Read(t *proc.Thread, f *file.File, u *vm.Uio, _ int64) error {
	if u.Len() < abi.InstStateSize {
		return errno.EINVAL
	}
	w.mu.Lock()
	for !w.ended {
		err := error(errno.EAGAIN)
		if !f.Nonblock() {
			err = t.Wait(&w.wait, &w.mu, proc.Forever)
		}
		if err != nil {
			w.mu.Unlock()
			return err
		}
	}
	s := abi.InstState{ID: uint64(w.pid), State: abi.INST_DEAD, Exit: uint32(w.status)}
	w.mu.Unlock()
	return readState(u, &s)
}

// Write is not for these.
func (w *procWatch) Write(*proc.Thread, *file.File, *vm.Uio, int64) error { return errno.EBADF }

// Poll tells what poll(2) does.
func (w *procWatch) Poll(*file.File) file.Events {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return abi.POLLIN | abi.POLLRDNORM
	}
	return 0
}

// Queue is woken when Poll may tell more.
func (w *procWatch) Queue() *proc.Queue { return &w.poll }
