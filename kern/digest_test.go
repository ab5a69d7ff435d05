package kern

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/file"
	"mult/kern/host"
	"mult/kern/proc"
	"mult/kern/sched"
	"mult/kern/vm"
)

// A digest is the state of an instance whose threads all sleep, as text: lines about each
// of its components.
type digest map[string][]string

func (d digest) add(component, format string, args ...any) {
	d[component] = append(d[component], fmt.Sprintf(format, args...))
}

// differences returns the lines that only one of two digests has.
func (d digest) differences(to digest) (list []string) {
	for component := range d {
		for _, line := range d[component] {
			if !slices.Contains(to[component], line) {
				list = append(list, component+": - "+line)
			}
		}
		for _, line := range to[component] {
			if !slices.Contains(d[component], line) {
				list = append(list, component+": + "+line)
			}
		}
	}
	slices.Sort(list)
	return list
}

// digestOf looks at everything that in has, without running any of its threads. Memory of
// process 1 from own on is its own to use, which the digest leaves out.
func digestOf(in *inst.Inst, own, ownEnd uint64) digest {
	d := make(digest)
	d.add("instance", "%d %s %s", in.ID, in.Path(), in.State())
	d.add("instance", "host %q, domain %q", host.Name(in), host.Domain(in))
	d.add("instance", "weight %d, cap %d", sched.WeightOf(in), sched.CapOf(in))
	for r := range inst.NumResources {
		d.add("limits", "%s: limit %d, refused %d", r, in.OwnLimit(r), in.Refused(r))
		d.add("used", "%s: %d", r, in.Used(r))
	}
	tab := proc.TableOf(in)
	d.add("processes", "%+v", tab.Counts())
	for _, p := range tab.Procs() {
		s := p.Stat()
		if p.PID == 1 { // which tells about itself
			s.Usage, s.Task.Usage = proc.Usage{}, proc.Usage{}
		}
		cred := *s.Cred
		s.Cred = nil
		d.add("processes", "%d: %+v; %+v", p.PID, s, cred)
		for _, t := range p.Tasks(0, 100) {
			if t.Cred = nil; p.PID == 1 {
				t.Usage = proc.Usage{}
			}
			d.add("processes", "%d: thread %+v", p.PID, t)
		}
		for r := range proc.Resource(proc.NumLimits) {
			d.add("processes", "%d: limit %d is %d", p.PID, r, p.Limit(r))
		}
		if !p.Alive() {
			continue
		}
		digestMemory(d, p, own, ownEnd)
		file.Of(p).EachFrom(0, func(fd int, cloexec bool, f *file.File) bool {
			d.add("files", "%d: %d is %p, %v, flags %#x at %d, owner %+v", p.PID, fd, f, cloexec, f.Flags(), f.Pos(), f.Owner())
			if i, ok := vfs.Inner(f).(file.Describer); ok {
				for line := range strings.Lines(i.Describe(f)) {
					if !strings.HasPrefix(line, "it_value") { // what is left of a time
						d.add("files", "%d: %d: %s", p.PID, fd, strings.TrimSpace(line))
					}
				}
			}
			return true
		})
		st := vfs.HoldState(p)
		for what, l := range map[string]vfs.Loc{"root": st.Root(), "cwd": st.Cwd()} {
			d.add("files", "%d: %s is %s, umask %#o", p.PID, what, st.Path(l), st.Umask())
			l.Release()
		}
		st.Release()
	}
	digestTree(d, in)
	return d
}

// digestMemory adds what is mapped in a process.
func digestMemory(d digest, p *proc.Proc, own, ownEnd uint64) {
	sp := p.Space()
	defer sp.Release()
	page := make([]byte, vm.PageSize)
	sp.Areas(func(a vm.Area) bool {
		d.add("memory", "%d: %+v", p.PID, a)
		for at := a.Start; at < a.End; at += vm.PageSize {
			if p.PID == 1 && uint64(at) >= own && uint64(at) < ownEnd || sp.CopyIn(page, at) != nil {
				continue
			}
			d.add("memory", "%d: %#x: %x", p.PID, at, sha256.Sum256(page))
		}
		return true
	})
}

// digestTree adds mounts, and the files in them but for those of /proc.
func digestTree(d digest, in *inst.Inst) {
	c, err := caller(in)
	if err != nil {
		panic(err)
	}
	defer c.FS.Release()
	vfs.TableOf(in).Mounts(func(m *vfs.Mount, name string) {
		d.add("mounts", "%d: %s at %s, device %#x, flags %#x", m.ID, m.Super.Type, name, m.Super.Dev, m.Flags())
	})
	todo := []string{"/"}
	for len(todo) > 0 {
		path := todo[0]
		todo = todo[1:]
		l, err := c.Resolve(nil, path, abi.AT_SYMLINK_NOFOLLOW)
		if err != nil {
			panic(fmt.Sprint(path, ": ", err))
		}
		d.add("tree", "%s: device %#x, %+v", path, l.Mount.Super.Dev, l.Node.Attr())
		switch n := l.Node.(type) {
		case vfs.Dir:
			if l.Mount.Super.Type != "proc" {
				todo = append(todo, names(n, strings.TrimSuffix(path, "/"))...)
			}
		case vfs.Regular:
			text := make([]byte, n.Attr().Size)
			if err := n.ReadAt(vm.KernelUio(text), 0); err != nil {
				panic(fmt.Sprint(path, ": ", err))
			}
			d.add("tree", "%s: %x", path, sha256.Sum256(text))
		case vfs.Link:
			to, err := n.Readlink(c)
			d.add("tree", "%s: to %q, %v", path, to, err)
		}
		l.Release()
	}
}

// names returns the paths of what is in a directory.
func names(dir vfs.Dir, path string) (list []string) {
	s := dir.Super()
	s.Tree.Lock()
	defer s.Tree.Unlock()
	if err := dir.ReadDir(2, true, func(e *abi.Dirent) bool {
		list = append(list, path+"/"+string(e.Name))
		return true
	}); err != nil {
		panic(err)
	}
	slices.Sort(list)
	return list
}
