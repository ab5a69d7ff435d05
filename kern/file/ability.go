package file

import (
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/proc"
	"mult/kern/vm"
)

// This file has the calls of File that only some Impls can serve; for the
// others they return what Linux does.

// AlwaysReady is what poll(2) tells about a file that is no Poller.
const AlwaysReady Events = abi.POLLIN | abi.POLLRDNORM | abi.POLLOUT | abi.POLLWRNORM

// Stat is fstat(2).
func (f *File) Stat(t *proc.Thread) (abi.Stat, error) { return f.Impl.Stat(t) }

// Poll returns the events that are true now.
func (f *File) Poll() Events {
	if p, ok := f.Impl.(Poller); ok {
		return p.Poll(f)
	}
	return AlwaysReady
}

// Ioctl is ioctl(2) but for what is the same for all files.
func (f *File) Ioctl(t *proc.Thread, cmd uint32, arg vm.Addr) (uintptr, error) {
	if f.IsPath() {
		return 0, errno.EBADF
	}
	if i, ok := f.Impl.(Ioctler); ok {
		return i.Ioctl(t, f, cmd, arg)
	}
	return 0, errno.ENOTTY
}

// SetNonblock is ioctl(FIONBIO).
func (f *File) SetNonblock(t *proc.Thread, on bool) error {
	flags := f.Flags() &^ abi.O_NONBLOCK
	if on {
		flags |= abi.O_NONBLOCK
	}
	return f.SetFlags(t, flags)
}

// Object returns the content to be mapped by mmap(2), after the checks that
// mmap makes of a file.
func (f *File) Object(t *proc.Thread, prot vm.Prot, shared bool) (vm.Object, error) {
	if f.IsPath() {
		return nil, errno.EBADF
	}
	if !f.Readable() || shared && prot&vm.Write != 0 && !f.Writable() {
		return nil, errno.EACCES
	}
	m, ok := f.Impl.(Mapper)
	if !ok {
		return nil, errno.ENODEV
	}
	return m.Object(t, f, prot, shared)
}

// Truncate is ftruncate(2).
func (f *File) Truncate(t *proc.Thread, size int64) error {
	if size < 0 {
		return errno.EINVAL
	}
	if f.IsPath() {
		return errno.EBADF
	}
	tr, ok := f.Impl.(Truncater)
	if !ok || !f.Writable() {
		return errno.EINVAL
	}
	return tr.Truncate(t, f, size)
}

// Allocate is fallocate(2). off and n have been given by the program.
func (f *File) Allocate(t *proc.Thread, mode uint32, off, n int64) error {
	if f.IsPath() {
		return errno.EBADF
	}
	if off < 0 || n <= 0 {
		return errno.EINVAL
	}
	const knownModes = 0x7f
	if mode&^knownModes != 0 {
		return errno.EOPNOTSUPP
	}
	if !f.Writable() {
		return errno.EBADF
	}
	if f.seeker == nil {
		if st, err := f.Stat(t); err == nil && st.Mode&abi.S_IFMT == abi.S_IFIFO {
			return errno.ESPIPE
		}
		return errno.ENODEV
	}
	if off+n < 0 {
		return errno.EFBIG
	}
	a, ok := f.Impl.(Allocater)
	if !ok {
		return errno.ENODEV
	}
	return a.Allocate(t, f, mode, off, n)
}

// Sync is fsync(2), or fdatasync(2) with dataOnly.
func (f *File) Sync(t *proc.Thread, dataOnly bool) error {
	if f.IsPath() {
		return errno.EBADF
	}
	s, ok := f.Impl.(Syncer)
	if !ok {
		return errno.EINVAL
	}
	return s.Sync(t, f, dataOnly)
}

// ReadDir is getdents64(2): it calls emit for entries from the position on
// until it returns false, and moves the position behind those it took.
func (f *File) ReadDir(t *proc.Thread, emit func(d *abi.Dirent) bool) error {
	if f.IsPath() {
		return errno.EBADF
	}
	d, ok := f.Impl.(Dirreader)
	if !ok {
		return errno.ENOTDIR
	}
	f.posMu.Lock()
	defer f.posMu.Unlock()
	pos, err := d.ReadDir(t, f, f.pos.Load(), emit)
	if pos >= 0 {
		f.pos.Store(pos)
	}
	return err
}

// An Owner is who would get SIGIO: fcntl(F_SETOWN_EX).
type Owner struct {
	Type   int // F_OWNER_*
	ID     int
	Signal int // F_SETSIG
}

// Owner returns what SetOwner and SetSignal have set.
func (f *File) Owner() Owner {
	f.ownerMu.Lock()
	defer f.ownerMu.Unlock()
	return f.owner
}

// Living returns the number of the owner, 0 if there is none any more.
func (o Owner) Living(t *proc.Thread) int {
	tab := proc.TableOf(t.Proc.Inst)
	switch {
	case o.ID == 0:
	case o.Type == abi.F_OWNER_TID && tab.FindThread(o.ID) != nil,
		o.Type == abi.F_OWNER_PID && tab.Find(o.ID) != nil,
		o.Type == abi.F_OWNER_PGRP && tab.FindGroup(o.ID) != nil:
		return o.ID
	}
	return 0
}

// SetOwner is fcntl(F_SETOWN_EX): kind is one of F_OWNER_*. ESRCH if there is
// nothing with the number id, which may be 0 for nobody.
func (f *File) SetOwner(t *proc.Thread, kind, id int) error {
	if id != 0 && !proc.TableOf(t.Proc.Inst).Used(id) {
		return errno.ESRCH
	}
	f.ownerMu.Lock()
	defer f.ownerMu.Unlock()
	f.owner.Type, f.owner.ID = kind, id
	return nil
}

// SetSignal is fcntl(F_SETSIG).
func (f *File) SetSignal(sig int) {
	f.ownerMu.Lock()
	defer f.ownerMu.Unlock()
	f.owner.Signal = sig
}

// A Hook is called when the last reference to a file is gone; epoll forgets the
// file then. A Hook is added to one file.
type Hook struct {
	F          func() // [const] runs without locks, before the Impl is released
	next, prev *Hook  // [hookMu of the file]
	on         bool   // [hookMu of the file]
}

// AddHook adds h, or reports false if the last reference is gone.
func (f *File) AddHook(h *Hook) bool {
	f.hookMu.Lock()
	defer f.hookMu.Unlock()
	if f.dead {
		return false
	}
	h.next, h.prev, h.on = f.hooks, nil, true
	if h.next != nil {
		h.next.prev = h
	}
	f.hooks = h
	return true
}

// RemoveHook removes h; it reports false if it isn't there: it has run, is
// running, or will run in a moment.
func (f *File) RemoveHook(h *Hook) bool {
	f.hookMu.Lock()
	defer f.hookMu.Unlock()
	return f.removeHookLocked(h)
}

func (f *File) removeHookLocked(h *Hook) bool {
	if !h.on {
		return false
	}
	if h.prev != nil {
		h.prev.next = h.next
	} else {
		f.hooks = h.next
	}
	if h.next != nil {
		h.next.prev = h.prev
	}
	h.next, h.prev, h.on = nil, nil, false
	return true
}

// runHooks ends the life of f for those who watch it.
func (f *File) runHooks() {
	f.hookMu.Lock()
	f.dead = true
	for f.hooks != nil {
		h := f.hooks
		f.removeHookLocked(h)
		f.hookMu.Unlock()
		h.F()
		f.hookMu.Lock()
	}
	f.hookMu.Unlock()
}
