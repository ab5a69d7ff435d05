package vfs

import (
	"strings"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// tmpfileBit is the part of O_TMPFILE that isn't O_DIRECTORY.
const tmpfileBit = abi.O_TMPFILE &^ abi.O_DIRECTORY

// openFlags are those that open(2) knows; others are ignored.
const openFlags = abi.O_ACCMODE | abi.O_CREAT | abi.O_EXCL | abi.O_NOCTTY | abi.O_TRUNC | abi.O_APPEND |
	abi.O_NONBLOCK | abi.O_SYNC | abi.O_ASYNC | abi.O_DIRECT | abi.O_LARGEFILE | abi.O_DIRECTORY |
	abi.O_NOFOLLOW | abi.O_NOATIME | abi.O_CLOEXEC | abi.O_PATH | abi.O_TMPFILE

// opening is a call of Open on its way.
type opening struct {
	c     *Caller
	flags int
	mode  uint32 // of a file to make
	want  uint32 // permissions that are needed
	exec  bool   // for exec

	loc  Loc // what was found, retained
	dir  Dir // where, nil if that isn't known
	name string
	made bool
}

// Open is openat(2). The caller of it has the only reference to the file.
func (c *Caller) Open(dir *file.File, path string, flags int, mode uint32) (*file.File, error) {
	o := opening{c: c, flags: flags & openFlags, mode: mode & 0o7777}
	if err := o.check(); err != nil {
		return nil, err
	}
	return o.open(dir, path)
}

// OpenExec opens a file to be executed: the caller may execute it, and nobody
// has it open for writing, nor will before the file and its mappings are gone.
// flags are AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH.
func (c *Caller) OpenExec(dir *file.File, path string, flags int) (*file.File, error) {
	if flags&^(abi.AT_SYMLINK_NOFOLLOW|abi.AT_EMPTY_PATH) != 0 {
		return nil, errno.EINVAL
	}
	o := opening{c: c, want: mayExec, exec: true}
	if flags&abi.AT_SYMLINK_NOFOLLOW != 0 {
		o.flags |= abi.O_NOFOLLOW
	}
	if path == "" && flags&abi.AT_EMPTY_PATH != 0 {
		l, err := c.start(dir, path)
		if err != nil {
			return nil, err
		}
		l.Retain()
		defer l.Release()
		o.loc = l
		if dir != nil {
			if h, ok := dir.Impl.(interface{ base() *handle }); ok {
				o.dir, o.name = h.base().dir, h.base().name
			}
		}
		return o.finish()
	}
	return o.open(dir, path)
}

// check brings the flags in order, as Linux's build_open_flags.
func (o *opening) check() error {
	if o.flags&abi.O_PATH != 0 {
		o.flags &= abi.O_PATH | abi.O_DIRECTORY | abi.O_NOFOLLOW | abi.O_CLOEXEC
		return nil
	}
	o.want = [...]uint32{mayRead, mayWrite, mayRead | mayWrite, mayRead | mayWrite}[o.flags&abi.O_ACCMODE]
	if o.flags&tmpfileBit != 0 {
		if o.flags&abi.O_DIRECTORY == 0 || o.flags&abi.O_CREAT != 0 || o.want&mayWrite == 0 {
			return errno.EINVAL
		}
		return nil
	}
	if o.flags&(abi.O_CREAT|abi.O_DIRECTORY) == abi.O_CREAT|abi.O_DIRECTORY {
		return errno.EINVAL
	}
	if o.flags&abi.O_TRUNC != 0 {
		o.want |= mayWrite
	}
	return nil
}

func (o *opening) open(at *file.File, path string) (*file.File, error) {
	var err error
	if o.flags&tmpfileBit != 0 {
		err = o.tmpfile(at, path)
	} else {
		err = o.find(at, path)
	}
	if err != nil {
		return nil, err
	}
	return o.finish()
}

// find finds or makes the file, following symbolic links.
func (o *opening) find(at *file.File, path string) error {
	c := o.c
	l, err := c.start(at, path)
	if err != nil {
		return err
	}
	for links := 0; ; {
		parent, e, err := c.walk(l, path, wantParent, links)
		if err != nil {
			return err
		}
		if !e.normal() {
			// "/", "." or ".."
			l, _, err := c.walk(parent, "./"+e.last, 0, e.links)
			o.loc = l
			return err
		}
		target, err := o.last(parent, e)
		if err != nil || target == "" {
			parent.Release()
			return err
		}
		links = e.links + 1
		if links > maxLinks {
			parent.Release()
			return errno.ELOOP
		}
		l, path = parent, target
		if e.slash {
			path += "/"
		}
		if target[0] == '/' {
			l.Release()
			l = c.FS.Root()
		}
	}
}

// last opens the last name of a path. If it is a symbolic link to follow, it
// returns where that leads.
func (o *opening) last(l Loc, e end) (target string, err error) {
	dir, ok := l.Node.(Dir)
	if !ok {
		return "", errno.ENOTDIR
	}
	create := o.flags&abi.O_CREAT != 0
	if create && e.slash {
		return "", errno.EISDIR
	}
	if len(e.last) > abi.NAME_MAX {
		return "", tooLong(dir)
	}
	tree := &dir.Super().Tree
	tree.RLock()
	locked := tree.RUnlock
	n, err := dir.Lookup(e.last, false)
	if err == ErrExclusive || err == errno.ENOENT && create {
		tree.RUnlock()
		tree.Lock()
		locked = tree.Unlock
		n, err = dir.Lookup(e.last, true)
	}
	if err == errno.ENOENT && create {
		n, err = o.create(l, dir, e.last)
		locked()
		if err != nil {
			return "", err
		}
		o.found(l, dir, e.last, n)
		return "", nil
	}
	if err != nil {
		locked()
		return "", err
	}
	n.Retain()
	locked()
	return o.existing(l, dir, e, n)
}

// existing goes on with a retained n that was found. No lock is held.
func (o *opening) existing(l Loc, dir Dir, e end, n Node) (string, error) {
	if n.Base().mounts.Load() > 0 {
		l.Mount.refs.Add(1)
		tb := slot.Of(o.c.Inst)
		tb.mu.RLock()
		o.loc = tb.topLocked(Loc{l.Mount, n})
		tb.mu.RUnlock()
		return "", nil
	}
	if typeOf(n) != abi.S_IFLNK {
		if e.slash && !isDir(n) {
			n.Release()
			return "", errno.ENOTDIR
		}
		o.found(l, dir, e.last, n)
		return "", nil
	}
	if o.flags&(abi.O_CREAT|abi.O_EXCL) == abi.O_CREAT|abi.O_EXCL {
		n.Release()
		return "", errno.EEXIST
	}
	if o.flags&abi.O_NOFOLLOW != 0 && !e.slash {
		o.found(l, dir, e.last, n)
		return "", nil
	}
	defer n.Release()
	if j, ok := n.(Jumper); ok {
		return "", o.jump(j)
	}
	k, ok := n.(Link)
	if !ok {
		return "", errno.EINVAL
	}
	target, err := k.Readlink(o.c)
	if err == nil && target == "" {
		err = errno.ENOENT
	}
	return target, err
}

// jump goes where j leads.
func (o *opening) jump(j Jumper) (err error) {
	if fj, ok := j.(FileJumper); ok {
		f, err := fj.JumpFile(o.c)
		if err != nil {
			return err
		}
		defer f.Release()
		if h, ok := f.Impl.(interface{ base() *handle }); ok {
			o.loc, o.dir, o.name = h.base().loc, h.base().dir, h.base().name
			o.loc.Retain()
			return nil
		}
	}
	o.loc, err = j.Jump(o.c)
	return err
}

// found notes a retained n in a directory of the mount of l.
func (o *opening) found(l Loc, dir Dir, name string, n Node) {
	l.Mount.refs.Add(1)
	o.loc, o.dir, o.name = Loc{l.Mount, n}, dir, strings.Clone(name)
}

// create makes a regular file. The Tree lock is held exclusively.
func (o *opening) create(l Loc, dir Dir, name string) (Node, error) {
	if dir.Attr().Nlink == 0 {
		return nil, errno.ENOENT
	}
	if l.Mount.readOnly() {
		return nil, errno.EROFS
	}
	if err := o.c.may(dir, mayWrite|mayExec); err != nil {
		return nil, err
	}
	o.made = true
	return dir.Make(name, o.c.newAttr(dir, o.mode|abi.S_IFREG))
}

// tmpfile makes a file without a name in the file system of a directory.
func (o *opening) tmpfile(at *file.File, path string) error {
	l, err := o.c.Resolve(at, path, 0)
	if err != nil {
		return err
	}
	defer l.Release()
	dir, ok := l.Node.(Dir)
	if !ok {
		return errno.ENOTDIR
	}
	if l.Mount.readOnly() {
		return errno.EROFS
	}
	if err := o.c.may(dir, mayWrite|mayExec); err != nil {
		return err
	}
	tree := &dir.Super().Tree
	tree.Lock()
	n, err := dir.Tmpfile(o.c.newAttr(dir, o.mode|abi.S_IFREG))
	tree.Unlock()
	if err != nil {
		return err
	}
	o.found(l, nil, "#tmpfile", n)
	o.made = true
	return nil
}

// finish makes an open file of loc, whose reference it takes over.
func (o *opening) finish() (*file.File, error) {
	h := &handle{in: o.c.Inst, loc: o.loc, dir: o.dir, name: o.name}
	h.refs.Store(1)
	if err := o.permitted(); err != nil {
		o.loc.Release()
		return nil, err
	}
	if !h.in.Charge(inst.Heap, handleCharge+int64(len(h.name))) {
		o.loc.Release()
		return nil, errno.ENOMEM
	}
	if err := o.count(h); err != nil {
		h.release()
		return nil, err
	}
	impl, err := o.impl(h)
	if err != nil {
		h.release()
		return nil, err
	}
	f, err := file.New(h.in, impl, o.flags&^(abi.O_CREAT|abi.O_EXCL|abi.O_NOCTTY|abi.O_TRUNC|abi.O_CLOEXEC))
	if err != nil {
		impl.Release(nil)
		return nil, err
	}
	return f, nil
}

// permitted checks whether the caller may open what was found.
func (o *opening) permitted() error {
	n, c := o.loc.Node, o.c
	mode, _, _ := n.Access()
	typ := mode & abi.S_IFMT
	if o.flags&abi.O_CREAT != 0 && !o.made {
		if o.flags&abi.O_EXCL != 0 {
			return errno.EEXIST
		}
		if typ == abi.S_IFDIR {
			return errno.EISDIR
		}
		if o.trap(typ) {
			return errno.EACCES
		}
	}
	if o.flags&abi.O_DIRECTORY != 0 && typ != abi.S_IFDIR && o.flags&tmpfileBit == 0 {
		return errno.ENOTDIR
	}
	if o.flags&abi.O_PATH != 0 {
		return nil
	}
	mount := o.loc.Mount.Flags()
	switch typ {
	case abi.S_IFLNK:
		return errno.ELOOP
	case abi.S_IFDIR:
		if o.want&mayWrite != 0 {
			return errno.EISDIR
		}
		if o.exec {
			return errno.EACCES
		}
	case abi.S_IFCHR, abi.S_IFBLK:
		if mount&MS_NODEV != 0 || o.exec {
			return errno.EACCES
		}
		o.flags &^= abi.O_TRUNC
	case abi.S_IFREG:
		if o.exec && mount&MS_NOEXEC != 0 {
			return errno.EACCES
		}
	default:
		if o.exec {
			return errno.EACCES
		}
		o.flags &^= abi.O_TRUNC
	}
	if !o.made {
		if err := c.mayAt(o.loc, o.want); err != nil {
			return err
		}
	}
	if o.flags&abi.O_NOATIME != 0 && !c.owns(n) {
		return errno.EPERM
	}
	if typ == abi.S_IFSOCK {
		return errno.ENXIO
	}
	return nil
}

// trap reports whether O_CREAT met what somebody else has put into a sticky
// directory that all may write. As on Linux with fs.protected_regular and
// fs.protected_fifos at 0, regular files and FIFOs are none.
func (o *opening) trap(typ uint32) bool {
	if o.dir == nil || typ == abi.S_IFREG || typ == abi.S_IFIFO {
		return false
	}
	dmode, duid, _ := o.dir.Access()
	_, uid, _ := o.loc.Node.Access()
	return dmode&(abi.S_ISVTX|0o002) == abi.S_ISVTX|0o002 && uid != duid && uid != o.c.Cred.FSUID
}

// count makes h a writer, or one who executes, and truncates.
func (o *opening) count(h *handle) error {
	b := h.loc.Node.Base()
	if o.flags&abi.O_PATH != 0 || typeOf(h.loc.Node) != abi.S_IFREG {
		return nil
	}
	if o.exec {
		if err := b.denyWrite(); err != nil {
			return err
		}
		h.deny = true
		return nil
	}
	if o.want&mayWrite == 0 {
		return nil
	}
	if err := o.loc.Mount.addWriter(); err != nil {
		return err
	}
	if err := b.getWrite(); err != nil {
		o.loc.Mount.writers.Add(-1)
		return err
	}
	h.write = true
	if o.flags&abi.O_TRUNC != 0 && !o.made {
		return truncate(o.c.Thread, o.c.Cred, h.loc.Node, 0)
	}
	return nil
}

// impl returns what stands behind the open file.
func (o *opening) impl(h *handle) (file.Impl, error) {
	n := h.loc.Node
	if o.flags&abi.O_PATH != 0 {
		return &pathFile{handle: h}, nil
	}
	if op, ok := n.(Opener); ok {
		s, err := op.OpenNode(o.c, o.flags)
		if err != nil {
			return nil, err
		}
		return wrap(h, s), nil
	}
	switch n := n.(type) {
	case Dir:
		return &dirFile{handle: h, dir: n}, nil
	case Regular:
		if typeOf(n) == abi.S_IFREG {
			return &regFile{handle: h, node: n, cred: o.c.Cred, noatime: o.noatime(), object: mapping{h}}, nil
		}
	}
	s, err := o.special(h)
	if err != nil {
		return nil, err
	}
	return wrap(h, s), nil
}

func (o *opening) noatime() bool {
	return o.flags&abi.O_NOATIME != 0 || o.loc.Mount.Flags()&(MS_NOATIME|MS_RDONLY) != 0
}

// checkLimit checks a size or end of a write against RLIMIT_FSIZE.
func checkLimit(t *proc.Thread, size int64) error {
	if t == nil || uint64(size) <= t.Proc.Limit(proc.RLIMIT_FSIZE) {
		return nil
	}
	t.Signal(proc.Siginfo{Signo: proc.SIGXFSZ})
	return errno.EFBIG
}
