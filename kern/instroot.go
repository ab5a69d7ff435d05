package kern

import (
	"errors"
	"fmt"
	"strconv"

	"mult/fs/tmpfs"
	"mult/fs/unionfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/errno"
	"mult/kern/linux"
	"mult/kern/proc"
)

// This file makes the roots of instances.
//
// An instance begins with the machine's image, or with a copy of a directory that its
// maker names. Below one that has such a copy, who names nothing gets a copy of that one's
// root: else it would get at all of the image by making an instance.

// A root is what an instance has as its root.
type root struct {
	kind rootKind
	name string // of namedRoot: its path
	by   uint64 // and the instance in which that is one
}

type rootKind int

const (
	noRoot     rootKind = iota // it is being made
	imageRoot                  // the image
	namedRoot                  // a copy of a directory
	parentRoot                 // a copy of its parent's
)

// makeRoot makes the root of an instance.
func (k *Kernel) makeRoot(in *inst.Inst, s *linux.Settings) (*vfs.Super, root, error) {
	if s.Root != "" {
		return k.copyNamed(in, s)
	}
	above := imageRoot
	if in.Parent != nil {
		above = rootOf(in.Parent).kind
	}
	switch above {
	case imageRoot:
		super, err := unionfs.New(in, k.Memory, k.image, unionfs.Options{})
		return super, root{kind: imageRoot}, err
	case noRoot:
		return nil, root{}, inst.Errorf(errno.EBUSY, "its parent %s is being made still; try again", in.Parent.Name())
	}
	if c := s.Caller; c != nil && c.Inst == in.Parent && !readsAll(c) {
		return nil, root{}, inst.Errorf(errno.EACCES, "its root is a copy of that of %s, all of which is read, which takes CAP_DAC_READ_SEARCH: become root", in.Parent.Name())
	}
	from := vfs.TableOf(in.Parent).Root()
	defer from.Release()
	super, err := k.copyRoot(in, s, from)
	if err != nil {
		err = fmt.Errorf("the root of %s: %w", in.Parent.Name(), err)
	}
	return super, root{kind: parentRoot}, err
}

// readsAll reports whether c may read whatever there is: in what he makes he is root, and
// can read it.
func readsAll(c *vfs.Caller) bool {
	return c.Cred.Has(proc.CAP_DAC_READ_SEARCH) || c.Cred.Has(proc.CAP_DAC_OVERRIDE)
}

// copyNamed copies the directory that s names, as the caller sees it.
func (k *Kernel) copyNamed(in *inst.Inst, s *linux.Settings) (*vfs.Super, root, error) {
	c := s.Caller
	if !readsAll(c) {
		return nil, root{}, inst.Errorf(errno.EACCES, "root %s: all that is there is read, which takes CAP_DAC_READ_SEARCH: become root", s.Root)
	}
	name := s.Root
	if name[0] != '/' {
		cwd, err := c.Getcwd()
		if err != nil {
			return nil, root{}, fmt.Errorf("root %s: the current directory: %w", s.Root, err)
		}
		name = cwd + "/" + name
	}
	super, err := k.resolveAndCopy(in, s)
	var said *inst.Error
	switch {
	case err == nil:
		return super, root{namedRoot, name, c.Inst.ID}, nil
	case errors.As(err, &said):
		err = fmt.Errorf("root %s: %w", s.Root, err)
	case errors.Is(err, errno.ENOENT):
		err = inst.Errorf(errno.ENOENT, "root %s: there is no such directory; make it, or name another one", s.Root)
	case errors.Is(err, errno.ENOTDIR):
		err = inst.Errorf(errno.ENOTDIR, "root %s: this is no directory; name one", s.Root)
	default:
		err = fmt.Errorf("root %s: %w", s.Root, err)
	}
	return nil, root{}, err
}

func (k *Kernel) resolveAndCopy(in *inst.Inst, s *linux.Settings) (*vfs.Super, error) {
	from, err := s.Caller.Resolve(nil, s.Root, 0)
	if err != nil {
		return nil, err
	}
	defer from.Release()
	if _, ok := from.Node.(vfs.Dir); !ok {
		return nil, errno.ENOTDIR
	}
	return k.copyRoot(in, s, from)
}

// copyRoot copies a directory. It ends when in, or the caller of s, is about to.
func (k *Kernel) copyRoot(in *inst.Inst, s *linux.Settings, from vfs.Loc) (*vfs.Super, error) {
	super, err := tmpfs.Copy(in, k.Memory, from.Node, func() error {
		if in.State() >= inst.Stopping || s.Caller != nil && s.Caller.Thread != nil && s.Caller.Thread.Dying() {
			return endedMeanwhile(in.Name())
		}
		return nil
	})
	if errors.Is(err, errno.EINVAL) {
		err = inst.Errorf(errno.EINVAL, "a file system of type %s can't be copied; name a directory of one in memory", from.Node.Super().Type)
	}
	return super, err
}

// setRoot notes what in has as its root, which others below it go by. ENOMEM.
func setRoot(in *inst.Inst, r root) error {
	if !in.Charge(inst.Heap, int64(len(r.name))) {
		return errno.ENOMEM
	}
	l := lifeSlot.Of(in)
	l.mu.Lock()
	l.root = r
	l.mu.Unlock()
	return nil
}

func rootOf(in *inst.Inst) root {
	l := lifeSlot.Of(in)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.root
}

// Root tells one in viewer what in has as its root: image, parent, or the path of a directory,
// in quotes. A path of another instance is none for viewer: that is other.
func (k *Kernel) Root(in, viewer *inst.Inst) string {
	switch r := rootOf(in); {
	case r.kind == namedRoot && r.by == viewer.ID:
		return strconv.Quote(r.name)
	case r.kind == namedRoot:
		return "other"
	case r.kind == parentRoot:
		return "parent"
	}
	return "image"
}
