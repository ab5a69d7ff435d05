package file

import (
	"math"

	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
)

// This file has dup(2) and fcntl(2), but for record locks, which are in
// record.go.

// Dup makes the lowest free descriptor from min on refer to the file of fd:
// dup(2), fcntl(F_DUPFD). EBADF, EINVAL for min, EMFILE, ENOMEM.
func (tb *Table) Dup(t *proc.Thread, fd, min int, cloexec bool) (int, error) {
	f, err := tb.GetPath(fd)
	if err != nil {
		return -1, err
	}
	if min < 0 || min >= limitOf(t) && min > 0 {
		f.Release()
		return -1, errno.EINVAL
	}
	n, err := tb.Alloc(t, f, min, cloexec)
	if err != nil {
		f.Release()
	}
	return n, err
}

// Dup2 is dup2(2): new refers to the file of old, and what it was is closed.
func (tb *Table) Dup2(t *proc.Thread, old, new int) (int, error) {
	if old != new {
		return tb.Dup3(t, old, new, false)
	}
	f, err := tb.GetPath(old)
	if err != nil {
		return -1, err
	}
	f.Release()
	return new, nil
}

// Dup3 is dup3(2). EINVAL if old and new are the same, EBADF, EBUSY if another
// thread is about to open new, ENOMEM.
func (tb *Table) Dup3(t *proc.Thread, old, new int, cloexec bool) (int, error) {
	if old == new {
		return -1, errno.EINVAL
	}
	limit := limitOf(t)
	if new < 0 || new >= limit {
		return -1, errno.EBADF
	}
	f, err := tb.GetPath(old)
	if err != nil {
		return -1, err
	}
	was, err := tb.replace(new, limit, f, cloexec)
	if err != nil {
		f.Release()
		return -1, err
	}
	if was != nil {
		tb.drop(was)
	}
	return new, nil
}

// replace makes fd refer to f and returns its file before, nil if it was free.
func (tb *Table) replace(fd, limit int, f *File, cloexec bool) (*File, error) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	bit := uint64(1) << (fd % chunkSize)
	ch := tb.chunkAt(fd / chunkSize)
	if ch == nil || ch.used&bit == 0 {
		if err := tb.takeLocked(fd, limit, cloexec); err != nil {
			return nil, err
		}
		tb.chunkAt(fd / chunkSize).files[fd%chunkSize].Store(f)
		return nil, nil
	}
	was := ch.files[fd%chunkSize].Load()
	if was == nil {
		return nil, errno.EBUSY
	}
	ch.files[fd%chunkSize].Store(f)
	ch.cloexec &^= bit
	if cloexec {
		ch.cloexec |= bit
	}
	return was, nil
}

// Fcntl is fcntl(2) for the commands whose argument is a number, an int; EINVAL
// for others. F_GETLK and its like are Table.Lock, F_SETOWN_EX is File.SetOwner.
func (tb *Table) Fcntl(t *proc.Thread, fd, cmd int, arg uint64) (int, error) {
	arg = uint64(uint32(arg))
	switch cmd {
	case abi.F_DUPFD, abi.F_DUPFD_CLOEXEC:
		if arg >= maxFDs {
			if _, err := tb.CloseOnExec(fd); err != nil {
				return 0, err
			}
			return 0, errno.EINVAL
		}
		return tb.Dup(t, fd, int(arg), cmd == abi.F_DUPFD_CLOEXEC)
	case abi.F_GETFD:
		on, err := tb.CloseOnExec(fd)
		if on {
			return abi.FD_CLOEXEC, nil
		}
		return 0, err
	case abi.F_SETFD:
		return 0, tb.SetCloseOnExec(fd, arg&abi.FD_CLOEXEC != 0)
	}
	f, err := tb.GetPath(fd)
	if err != nil {
		return 0, err
	}
	defer f.Release()
	if cmd == abi.F_GETFL {
		return f.Flags(), nil
	}
	if f.IsPath() {
		return 0, errno.EBADF
	}
	return f.fcntl(t, cmd, arg)
}

// fcntl serves the commands that are about the open file.
func (f *File) fcntl(t *proc.Thread, cmd int, arg uint64) (int, error) {
	switch cmd {
	case abi.F_SETFL:
		return 0, f.SetFlags(t, int(arg))
	case abi.F_SETOWN:
		id, kind := int(int32(arg)), abi.F_OWNER_PID
		if id == math.MinInt32 {
			return 0, errno.EINVAL
		}
		if id < 0 {
			id, kind = -id, abi.F_OWNER_PGRP
		}
		return 0, f.SetOwner(t, kind, id)
	case abi.F_GETOWN:
		o := f.Owner()
		if o.Type == abi.F_OWNER_PGRP {
			return -o.Living(t), nil
		}
		return o.Living(t), nil
	case abi.F_SETSIG:
		if arg > uint64(proc.SIGRTMAX) {
			return 0, errno.EINVAL
		}
		f.SetSignal(int(arg))
		return 0, nil
	case abi.F_GETSIG:
		return f.Owner().Signal, nil
	case abi.F_GETLEASE:
		return abi.F_UNLCK, nil
	case abi.F_GETPIPE_SZ, abi.F_SETPIPE_SZ:
		r, ok := f.Impl.(Resizer)
		if !ok {
			return 0, errno.EBADF
		}
		if cmd == abi.F_GETPIPE_SZ {
			return r.PipeSize(), nil
		}
		if arg > 1<<31 {
			return 0, errno.EINVAL
		}
		return r.SetPipeSize(t, int(arg))
	case abi.F_ADD_SEALS, abi.F_GET_SEALS:
		s, ok := f.Impl.(Sealer)
		if !ok {
			return 0, errno.EINVAL
		}
		if cmd == abi.F_GET_SEALS {
			return s.Seals(), nil
		}
		if !f.Writable() {
			return 0, errno.EPERM
		}
		return 0, s.AddSeals(t, int(uint32(arg)))
	}
	return 0, errno.EINVAL
}
