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
// operation on it ends at the latest when these have ended.
type stream struct {
	anonymous
	in *inst.Inst // [const] where the other file is

	mu   sync.Mutex
	end  *file.File // [mu] the other file, nil when its instance has been freed
	next *stream    // [streams.mu] in the list of in
	prev *stream    // [streams.mu]
	none proc.Queue // what is polled without end: nothing happens any more
}

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
		s.end.Release()
		s.end = nil
		s.mu.Unlock()
	}
	slot.Set(in, nil)
}

// OpenStream makes a file of t's instance that stands for end, a file of in, whose
// reference it takes over also if it fails. The caller has a reference to in.
func OpenStream(t *proc.Thread, in *inst.Inst, end *file.File) (*file.File, error) {
	s := &stream{in: in, end: end}
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
	if s.in.TryRetain() {
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
		s.mu.Lock()
		end := s.end
		s.end = nil
		s.mu.Unlock()
		end.Release()
		s.in.Release()
	}
	s.close()
}

// Read reads from the other file; the end of the file when its instance is gone.
func (s *stream) Read(t *proc.Thread, f *file.File, u *vm.Uio, off int64) error {
	end := s.hold()
	if end == nil {
		return nil
	}
	defer s.let(end)
	return end.Impl.Read(t, f, u, off)
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

// Ioctl controls the other file.
func (s *stream) Ioctl(t *proc.Thread, f *file.File, cmd uint32, arg vm.Addr) (uintptr, error) {
	end := s.hold()
	if end == nil {
		return 0, errno.EIO
	}
	defer s.let(end)
	if i, ok := end.Impl.(file.Ioctler); ok {
		return i.Ioctl(t, f, cmd, arg)
	}
	return 0, errno.ENOTTY
}

// Poll tells what poll(2) does.
func (s *stream) Poll(f *file.File) file.Events {
	end := s.hold()
	if end == nil {
		return abi.POLLIN | abi.POLLRDNORM | abi.POLLHUP | abi.POLLERR
	}
	defer s.let(end)
	return end.Impl.(file.Poller).Poll(f)
}

// Queue is that of the other file. All it has to tell comes before its instance is gone.
func (s *stream) Queue() *proc.Queue {
	end := s.hold()
	if end == nil {
		return &s.none
	}
	defer s.let(end)
	return end.Impl.(file.Poller).Queue()
}
