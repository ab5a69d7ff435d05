package vfs

import (
	"strings"

	"mult/kern/errno"
	"mult/kern/file"
)

// Getcwd is getcwd(2): ENOENT if the directory has been removed.
func (c *Caller) Getcwd() (string, error) {
	l := c.FS.Cwd()
	defer l.Release()
	if l.Node.Attr().Nlink == 0 {
		return "", errno.ENOENT
	}
	s, ok := c.FS.dirPath(l)
	if !ok {
		s = "(unreachable)" + s
	}
	if len(s) >= maxPath {
		return "", errno.ENAMETOOLONG
	}
	return s, nil
}

// dirPath returns the path of a retained directory below the root of s; false
// if it isn't there. Of one that is too long it returns only an end, which is as
// well too long: nobody pays for the memory.
func (s *State) dirPath(l Loc) (string, bool) {
	root := s.borrowRoot()
	var names []string
	size := 0
	reached := false
	for m, dir := l.Mount, l.Node.(Dir); ; {
		tree := &m.Super.Tree
		tree.RLock()
		for {
			if m == root.Mount && Node(dir) == root.Node {
				reached = true
				break
			}
			parent, name := dir.Where()
			if Node(dir) == m.Super.Root || parent == dir || size > maxPath {
				break
			}
			names = append(names, name)
			size += len(name) + 1
			dir = parent
		}
		tree.RUnlock()
		if reached || Node(dir) != m.Super.Root {
			break
		}
		if m.above() == nil {
			reached = m.Parent == nil && root.Mount == nil
			break
		}
		m, dir = m.Parent, m.point
	}
	var b strings.Builder
	for i := len(names) - 1; i >= 0; i-- {
		b.WriteByte('/')
		b.WriteString(names[i])
	}
	if b.Len() == 0 {
		return "/", reached
	}
	return b.String(), reached
}

// PathOf returns the path of an open file as a process with State s sees it,
// for /proc: of other files than directories that under which it was opened.
func (s *State) PathOf(f *file.File) (string, bool) {
	h, ok := f.Impl.(interface{ base() *handle })
	if !ok {
		return "", false
	}
	return s.handlePath(h.base()), true
}

// Path returns the path of a retained directory as a process with State s sees
// it.
func (s *State) Path(l Loc) string {
	if !isDir(l.Node) {
		return "?"
	}
	p, _ := s.dirPath(l)
	return p
}

// MountPath returns where a mount is as a process with State s sees it; false
// if it is outside of the root of s.
func (s *State) MountPath(m *Mount) (string, bool) {
	return s.dirPath(Loc{m, m.Super.Root})
}

func (s *State) handlePath(h *handle) string {
	var path string
	if isDir(h.loc.Node) {
		path, _ = s.dirPath(h.loc)
	} else if h.dir != nil {
		path, _ = s.dirPath(Loc{h.loc.Mount, h.dir})
		path = strings.TrimSuffix(path, "/") + "/" + h.name
	} else {
		path = "/" + h.name
	}
	if h.loc.Node.Attr().Nlink == 0 {
		path += " (deleted)"
	}
	return path
}
