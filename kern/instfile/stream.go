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

// A stream is a file of the owner behind which is an open file of another instance: the
// end of a pipe or the master of a terminal, whose other side processes there have. An
// operation on it ends at the latest when these have ended. What they have written last
// can be read when their instance has been freed, too: it is the owner's then.
type stream struct {
	anonymous
	in      *inst.Inst            // [const] where the other file is
	allowed func(cmd uint32) bool // [const] ioctls that reach it

	mu     sync.Mutex
	end    *file.File // [mu] the other file, nil when its instance has been freed
	left   [][]byte   // [mu] what nobody had read from it by then, each charged as leftPiece
	closed bool       // [mu] the owner's file is gone
	next   *stream    // [streams.mu] in the list of in
	prev   *stream    // [streams.mu]
	freed  proc.Queue // woken when end becomes nil; with mu
}

// What is left is kept in pieces, and so much of it at most: what a pipe holds unless it was
// enlarged.
const (
	leftPiece = 4096
	leftMost  = 65536
)

// streams is this package's member of an instance: the streams into it.
type streams struct {
	mu   sync.Mutex
	list *stream // [mu]
}

var slot = inst.NewSlot[streams]()

// Member is this package's row in the table of members. It comes after those that files
// belong to.
var Member = inst.Member{Name: "streams", Alloc: alloc, Free: free}

func alloc(in, _ *inst.Inst) error {
	slot.Set(in, &streams{})
	return nil
}

// free takes the other side from the streams that are left. Nobody uses it: who does has
// a reference to in.
func free(in *inst.Inst) {
	l := slot.Of(in)
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := l.list; s != nil; s = s.next {
		s.mu.Lock()
		end := s.end
		if !s.closed {
			s.keepLocked()
		}
		s.end = nil
		s.freed.WakeAll()
		s.mu.Unlock()
		end.Impl.(file.Poller).Queue().WakeAll() // who polls looks again
		end.Release()
	}
	slot.Set(in, nil)
}

// keepLocked moves what is left behind s.end, which nobody writes to any more, to s.left, as
// far as the owner has memory for it.
func (s *stream) keepLocked() {
	if !s.end.Readable() || s.end.SetNonblock(nil, true) != nil {
		return
	}
	for len(s.left) < leftMost/leftPiece && s.own.Charge(inst.Heap, leftPiece) {
		b := make([]byte, leftPiece)
		n, _ := s.end.Read(nil, vm.KernelUio(b)) // no thread, since it doesn't wait
		if n == 0 {
			s.own.Uncharge(inst.Heap, leftPiece)
			return
		}
		s.left = append(s.left, b[:n])
	}
}

// OpenStream makes a file of t's instance that stands for end, a file of in, whose
// reference it takes over also if it fails. allowed says which ioctls reach that: none whose
// meaning depends on who makes them. The caller has a reference to in.
func OpenStream(t *proc.Thread, in *inst.Inst, end *file.File, allowed func(cmd uint32) bool) (*file.File, error) {
	s := &stream{in: in, end: end, allowed: allowed}
	mode := abi.O_RDWR
	switch {
	case !end.Writable():
		mode = abi.O_RDONLY
	case !end.Readable():
		mode = abi.O_WRONLY
	}
	f, err := s.open(t, "[stream]", s, mode)
	if err != nil {
		end.Release()
		return nil, err
	}
	l := slot.Of(in)
	l.mu.Lock()
	if s.next = l.list; s.next != nil {
		s.next.prev = s
	}
	l.list = s
	l.mu.Unlock()
	return f, nil
}

// hold returns the other file with a reference, and one to its instance; nil if there is
// none any more. let gives both back.
func (s *stream) hold() *file.File {
	if !s.in.TryRetain() {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end == nil {
		s.in.Release()
		return nil
	}
	s.end.Retain()
	return s.end
}

func (s *stream) let(end *file.File) {
	end.Release()
	s.in.Release()
}

// Release is called when the owner's file is gone.
func (s *stream) Release(*file.File) {
	listed := s.in.TryRetain() // else free comes to s, or has been there
	if listed {
		l := slot.Of(s.in)
		l.mu.Lock()
		if s.next != nil {
			s.next.prev = s.prev
		}
		if s.prev != nil {
			s.prev.next = s.next
		} else {
			l.list = s.next
		}
		l.mu.Unlock()
	}
	s.mu.Lock()
	s.closed = true
	s.own.Uncharge(inst.Heap, int64(len(s.left))*leftPiece)
	s.left = nil
	end := s.end
	if listed {
		s.end = nil
	}
	s.mu.Unlock()
	if listed {
		s.let(end)
	}
	s.close()
}

// Read reads from the other file. When its instance is gone, it reads what was left, and then
// the end of the file.
func (s *stream) Read(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	if end := s.hold(); end != nil {
		defer s.let(end)
		return end.Impl.Read(t, f, u, off)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.end != nil { // it is being freed
		if f.Nonblock() {
			return errno.EAGAIN
		}
		if err := t.Wait(&s.freed, &s.mu, proc.Forever); err != nil {
			return err
		}
	}
	for u.Len() > 0 && len(s.left) > 0 {
		n := min(u.Len(), len(s.left[0]))
		b := s.left[0][:n]
		if s.left[0] = s.left[0][n:]; len(s.left[0]) == 0 {
			s.left = s.left[1:]
			s.own.Uncharge(inst.Heap, leftPiece)
		}
		if err := s.copyOut(u, b); err != nil {
			return err
		}
	}
	return nil
}

// copyOut moves b to the program, without mu.
func (s *stream) copyOut(u *vm.Uio, b []byte) error {
	s.mu.Unlock()
	defer s.mu.Lock()
	_, err := u.CopyOut(b)
	return err
}

// Write writes to the other file; EIO when its instance is gone.
func (s *stream) Write(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	end := s.hold()
	if end == nil {
		return errno.EIO
	}
	defer s.let(end)
	return end.Impl.Write(t, f, u, off)
}

// Ioctl controls the other file as far as that is allowed: no session has a terminal of
// another instance, and nothing is opened by way of it.
func (s *stream) Ioctl(t *proc.Thread, f *file.File, cmd uint32, arg vm.Addr) (uintptr, error) {
	if !s.allowed(cmd) {
		return 0, errno.ENOTTY
	}
	end := s.hold()
	if end == nil {
		return 0, errno.EIO
	}
	defer s.let(end)
	return end.Impl.(file.Ioctler).Ioctl(t, f, cmd, arg)
}

// Poll tells what poll(2) does.
func (s *stream) Poll(f *file.File) file.Events {
	if end := s.hold(); end != nil {
		defer s.let(end)
		return end.Impl.(file.Poller).Poll(f)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end != nil { // it is being freed, and wakes who waits
		return 0
	}
	return abi.POLLIN | abi.POLLRDNORM | abi.POLLHUP | abi.POLLERR
}

// Queue is that of the other file, whose last wake-up comes when its instance is gone.
func (s *stream) Queue() *proc.Queue {
	end := s.hold()
	if end == nil {
		return &s.freed
	}
	defer s.let(end)
	return end.Impl.(file.Poller).Queue()
}
