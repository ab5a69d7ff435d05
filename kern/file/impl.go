package file

import (
	"mult/kern/abi"
	"mult/kern/proc"
	"mult/kern/vm"
)

// An Impl is what stands behind an open file. Its methods may run on any
// number of threads at once.
//
// Access modes are checked before: Read is only called if f may be read, and
// so on. f.Nonblock() says whether a call may wait; one that may not answers
// errno.EAGAIN.
type Impl interface {
	// Read moves bytes from the file to u until it is full or there are no
	// more now; nothing moved and no error is the end of the file. off is
	// where to begin; it is 0 for an Impl that is no Seeker. u counts what
	// has moved; an error after that is not seen by the program, unless it
	// is made by Failed.
	Read(t *proc.Thread, f *File, u *vm.Uio, off int64) error
	// Write moves all bytes that are left in u to the file, as Read. off is
	// Append when they go to the end, wherever that is by then; an Impl
	// that has positions tells by f.Appended where they ended.
	Write(t *proc.Thread, f *File, u *vm.Uio, off int64) error
	// Release is called once, when the last reference to f is gone. It
	// doesn't wait.
	Release(f *File)
	// Stat tells about the file.
	Stat(t *proc.Thread) (abi.Stat, error)
}

// Append is the offset of a write to the end of a file.
const Append int64 = -1

// A Seeker is an Impl with positions: regular files, directories, some devices.
type Seeker interface {
	// Seek returns the position that lseek(2) moves to from pos; see SeekTo.
	Seek(t *proc.Thread, pos, off int64, whence int) (int64, error)
}

// An Unpositioned is a Seeker to which positions mean nothing: /dev/null. Reads and
// writes of it don't take turns, and leave the position alone.
type Unpositioned interface {
	Seeker
	NoPosition()
}

// An Unmoved is an Impl without positions for which lseek(2) succeeds all the
// same, and moves nothing: eventfd and its like.
type Unmoved interface {
	NoSeek()
}

// Events is a set of events of poll(2): abi.POLLIN and so on.
type Events uint32

// A Poller is an Impl that isn't always ready. One that is no Poller always is,
// as regular files are, and can't be added to an epoll.
type Poller interface {
	// Poll returns what is true now. POLLERR and POLLHUP belong to it.
	Poll(f *File) Events
	// Queue is woken after each change by which an event may become true.
	Queue() *proc.Queue
}

// An Ioctler answers ioctl(2).
type Ioctler interface {
	Ioctl(t *proc.Thread, f *File, cmd uint32, arg vm.Addr) (uintptr, error)
}

// A Mapper can be mapped by mmap(2).
type Mapper interface {
	// Object returns the content, without a reference. Access modes of f
	// have been checked against prot. nil stands for anonymous memory.
	Object(t *proc.Thread, f *File, prot vm.Prot, shared bool) (vm.Object, error)
}

// A Truncater can be cut or extended by ftruncate(2).
type Truncater interface {
	Truncate(t *proc.Thread, f *File, size int64) error
}

// An Allocater has fallocate(2).
type Allocater interface {
	Allocate(t *proc.Thread, f *File, mode uint32, off, n int64) error
}

// A Syncer has something to write back for fsync(2).
type Syncer interface {
	Sync(t *proc.Thread, f *File, dataOnly bool) error
}

// A Dirreader is a directory.
type Dirreader interface {
	// ReadDir calls emit for the entries from position pos on, until it
	// returns false; that entry was not taken. It returns the position of
	// the first entry that was not taken. Dirent.Off of each is the
	// position behind it. It holds no lock while it calls emit that a page
	// fault may take.
	ReadDir(t *proc.Thread, f *File, pos int64, emit func(d *abi.Dirent) bool) (int64, error)
}

// A Locker can be locked by flock(2) and fcntl(2).
type Locker interface {
	// LockKey returns what tells this file from all others of the instance,
	// however often it has been opened: something comparable, such as a
	// pointer to its vnode.
	LockKey() any
}

// A Resizer is a pipe: F_GETPIPE_SZ and F_SETPIPE_SZ.
type Resizer interface {
	PipeSize() int
	SetPipeSize(t *proc.Thread, n int) (int, error)
}

// A Directer can be read and written with O_DIRECT, which only says that the
// program has no use for a cache. For others O_DIRECT is EINVAL.
type Directer interface {
	Direct()
}

// A Flagger wants to know of, or refuse, new flags by fcntl(F_SETFL).
type Flagger interface {
	SetFlags(t *proc.Thread, f *File, flags int) error
}

// A Namer has a name for /proc/pid/fd, such as a path or "pipe:[12]".
type Namer interface {
	Name() string
}

// A Describer adds lines to /proc/pid/fdinfo.
type Describer interface {
	Describe(f *File) string
}

// A Changer is an Impl without a vnode whose owner, mode and times can be changed
// all the same: a pipe.
type Changer interface {
	// Change calls f with what Stat tells, and keeps what it has changed.
	Change(f func(st *abi.Stat))
}

// A Sealer is a file of memfd_create(2): F_ADD_SEALS and F_GET_SEALS.
type Sealer interface {
	Seals() int
	AddSeals(t *proc.Thread, seals int) error
}
