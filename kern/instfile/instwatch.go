package instfile

import (
	"sync"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// An instWatch tells the states of an instance, INST_WATCH of instctl(2): the first read
// that of now, each further one waits until there has been a transition. After Dead comes
// the end of the file.
type instWatch struct {
	anonymous
	in   *inst.Inst    // [const] whose state it tells
	w    *inst.Watcher // [const]
	wait proc.Queue    // threads in Read; with mu
	poll proc.Queue    // watchers

	mu     sync.Mutex
	state  inst.State // [mu]
	unread bool       // [mu] state has not been read
}

// WatchInst makes a file that tells the states of in, to which the caller has a
// reference.
func WatchInst(t *proc.Thread, in *inst.Inst) (*file.File, error) {
	w := &instWatch{in: in, unread: true}
	f, err := w.open(t, "[instance]", w, abi.O_RDONLY)
	if err != nil {
		return nil, err
	}
	w.mu.Lock() // a transition that comes at once waits
	w.w, w.state = in.Watch(w.changed)
	w.mu.Unlock()
	return f, nil
}

// changed is told of each transition.
func (w *instWatch) changed(s inst.State) {
	w.mu.Lock()
	w.state, w.unread = s, true
	w.wait.WakeAll()
	w.mu.Unlock()
	w.poll.WakeAll()
}

// Release ends the watch.
func (w *instWatch) Release(*file.File) {
	w.in.Unwatch(w.w)
	w.close()
}

// Read waits until there is a state that has not been read.
func (w *instWatch) Read(t *proc.Thread, f *file.File, u *vm.Uio, _ int64) error {
	if u.Len() < abi.InstStateSize {
		return errno.EINVAL
	}
	w.mu.Lock()
	for !w.unread {
		var err error
		switch {
		case w.state == inst.Dead:
			w.mu.Unlock()
			return nil
		case f.Nonblock():
			err = errno.EAGAIN
		default:
			err = t.Wait(&w.wait, &w.mu, proc.Forever)
		}
		if err != nil {
			w.mu.Unlock()
			return err
		}
	}
	w.unread = false
	s := abi.InstState{ID: w.in.ID, State: uint32(w.state), Exit: w.in.Exit.Load()}
	w.mu.Unlock()
	return readState(u, &s)
}

// Write is not for these.
func (w *instWatch) Write(*proc.Thread, *file.File, *vm.Uio, int64) error { return errno.EBADF }

// Poll tells what poll(2) does.
func (w *instWatch) Poll(*file.File) file.Events {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.unread || w.state == inst.Dead {
		return abi.POLLIN | abi.POLLRDNORM
	}
	return 0
}

// Queue is woken when Poll may tell more.
func (w *instWatch) Queue() *proc.Queue { return &w.poll }
