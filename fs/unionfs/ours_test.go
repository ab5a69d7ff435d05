package unionfs

import (
	"math"
	"sort"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
	"mult/kern/vm"
)

// ours is a file system of this kernel with the calls of host.
type ours struct {
	in   *inst.Inst
	c    *vfs.Caller
	fds  map[int]*file.File
	next int
}

func newOurs(in *inst.Inst) (*ours, error) {
	s, err := vfs.NewState(in)
	if err != nil {
		return nil, err
	}
	return &ours{in: in, c: &vfs.Caller{Inst: in, Cred: proc.RootCred(), FS: s}, fds: make(map[int]*file.File), next: 100}, nil
}

// done closes everything.
func (o *ours) done() {
	for fd := range o.fds {
		o.close(fd)
	}
	o.c.FS.Release()
}

// capFS are the capabilities that go with a file system user ID of 0.
const capFS = 1<<proc.CAP_CHOWN | 1<<proc.CAP_DAC_OVERRIDE | 1<<proc.CAP_DAC_READ_SEARCH | 1<<proc.CAP_FOWNER |
	1<<proc.CAP_FSETID | 1<<proc.CAP_LINUX_IMMUTABLE | 1<<proc.CAP_MKNOD | 1<<proc.CAP_MAC_OVERRIDE

func (o *ours) as(uid, gid uint32) {
	cr := proc.RootCred()
	cr.FSUID, cr.FSGID = uid, gid
	if uid != 0 {
		cr.Effective &^= capFS
	}
	o.c.Cred = cr
}

func (o *ours) dir(fd int) *file.File {
	if fd == abi.AT_FDCWD {
		return nil
	}
	return o.fds[fd]
}

func errnum(err error) int {
	if err == nil {
		return 0
	}
	return int(err.(errno.Errno))
}

func (o *ours) open(dir int, path string, flags int, mode uint32) (int, int) {
	f, err := o.c.Open(o.dir(dir), path, flags, mode)
	if err != nil {
		return -1, errnum(err)
	}
	o.next++
	o.fds[o.next] = f
	return o.next, 0
}
func (o *ours) close(fd int) {
	o.fds[fd].Release()
	delete(o.fds, fd)
}
func (o *ours) pwrite(fd int, b []byte, off int64) (int, int) {
	f := o.fds[fd]
	if !f.Writable() {
		return -1, int(errno.EBADF)
	}
	if f.Flags()&abi.O_APPEND != 0 {
		off = file.Append
	}
	u := vm.KernelUio(b)
	if err := f.Impl.Write(nil, f, u, off); err != nil && u.Done() == 0 {
		return -1, errnum(err)
	}
	return u.Done(), 0
}
func (o *ours) pread(fd int, b []byte, off int64) (int, int) {
	f := o.fds[fd]
	if !f.Readable() {
		return -1, int(errno.EBADF)
	}
	u := vm.KernelUio(b)
	if err := f.Impl.Read(nil, f, u, off); err != nil && u.Done() == 0 {
		return -1, errnum(err)
	}
	return u.Done(), 0
}
func (o *ours) mkdir(dir int, path string, mode uint32) int {
	return errnum(o.c.Mkdir(o.dir(dir), path, mode))
}
func (o *ours) mknod(dir int, path string, mode uint32, dev int) int {
	return errnum(o.c.Mknod(o.dir(dir), path, mode, uint64(dev)))
}
func (o *ours) unlink(dir int, path string, flags int) int {
	return errnum(o.c.Unlink(o.dir(dir), path, flags))
}
func (o *ours) rename(d1 int, old string, d2 int, new string, flags int) int {
	return errnum(o.c.Rename(o.dir(d1), old, o.dir(d2), new, flags))
}
func (o *ours) link(d1 int, old string, d2 int, new string, flags int) int {
	return errnum(o.c.Link(o.dir(d1), old, o.dir(d2), new, flags))
}
func (o *ours) symlink(target string, dir int, path string) int {
	return errnum(o.c.Symlink(target, o.dir(dir), path))
}
func (o *ours) readlink(dir int, path string) (string, int) {
	s, err := o.c.Readlink(o.dir(dir), path)
	return s, errnum(err)
}
func (o *ours) stat(dir int, path string, flags int) (abi.Stat, int) {
	s, err := o.c.Stat(o.dir(dir), path, flags)
	if err != nil {
		return abi.Stat{}, errnum(err)
	}
	return abi.Stat{Ino: s.Ino, Nlink: s.Nlink, Mode: s.Mode, UID: s.UID, GID: s.GID, Rdev: s.Rdev, Size: s.Size}, 0
}
func (o *ours) truncate(path string, size int64) int { return errnum(o.c.Truncate(path, size)) }
func (o *ours) ftruncate(fd int, size int64) int {
	f := o.fds[fd]
	if f.Flags()&abi.O_PATH != 0 {
		return int(errno.EBADF)
	}
	t, ok := f.Impl.(file.Truncater)
	if !ok || !f.Writable() {
		return int(errno.EINVAL)
	}
	return errnum(t.Truncate(nil, f, size))
}
func (o *ours) fallocate(fd int, mode uint32, off, n int64) int {
	f := o.fds[fd]
	a, ok := f.Impl.(file.Allocater)
	if !f.Writable() {
		return int(errno.EBADF)
	}
	if !ok {
		return int(errno.ENODEV)
	}
	return errnum(a.Allocate(nil, f, mode, off, n))
}
func (o *ours) chmod(dir int, path string, mode uint32) int {
	return errnum(o.c.Chmod(o.dir(dir), path, mode, 0))
}
func (o *ours) chown(dir int, path string, uid, gid uint32, flags int) int {
	return errnum(o.c.Chown(o.dir(dir), path, uid, gid, flags))
}
func (o *ours) access(dir int, path string, mode uint32) int {
	return errnum(o.c.Access(o.dir(dir), path, mode, abi.AT_EACCESS))
}
func (o *ours) chdir(path string) int { return errnum(o.c.Chdir(nil, path)) }
func (o *ours) fchdir(fd int) int     { return errnum(o.c.Chdir(o.fds[fd], "")) }
func (o *ours) seek(fd int, off int64, whence int) (int64, int) {
	n, err := o.fds[fd].Impl.(file.Seeker).Seek(nil, 0, off, whence)
	if err != nil {
		return -1, errnum(err)
	}
	return n, 0
}
func (o *ours) getcwd() (string, int) {
	s, err := o.c.Getcwd()
	return s, errnum(err)
}
func (o *ours) names(fd int) ([]string, int) {
	f := o.fds[fd]
	d, ok := f.Impl.(file.Dirreader)
	if !ok {
		return nil, int(errno.ENOTDIR)
	}
	var names []string
	pos, last := int64(0), int64(math.MinInt64)
	for {
		// A few at a time: positions must lead on.
		n := 0
		next, err := d.ReadDir(nil, f, pos, func(e *abi.Dirent) bool {
			if n == 3 {
				return false
			}
			if e.Off <= last {
				panic("positions don't rise")
			}
			last = e.Off
			n++
			if e.Name != "." && e.Name != ".." {
				names = append(names, e.Name)
			}
			return true
		})
		if err != nil {
			return nil, errnum(err)
		}
		if n == 0 {
			break
		}
		pos = next
	}
	sort.Strings(names)
	return names, 0
}
