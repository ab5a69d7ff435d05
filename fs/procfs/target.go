package procfs

import (
	"encoding/binary"
	"strconv"

	"mult/fs/vfs"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// proc returns the process that x is about; nil if it, or the thread, is gone.
func (x *target) proc() *proc.Proc {
	p := x.fs.procs.Find(x.pid)
	if p == nil || p.Started() != x.started {
		return nil
	}
	if x.tid != x.pid {
		if t := x.fs.procs.FindThread(x.tid); t == nil || t.Proc != p {
			return nil
		}
	}
	return p
}

// program returns what p runs, to be released.
func (x *target) program(p *proc.Proc) (Program, bool) {
	if x.fs.src.Program == nil {
		return Program{}, false
	}
	return x.fs.src.Program(p)
}

// secure reports whether p runs a program that got rights by being run: its
// user is not to look into it, even when it has dropped them.
func (x *target) secure(p *proc.Proc) bool {
	const atSecure = 23
	g, ok := x.program(p)
	if !ok {
		return false
	}
	defer g.release()
	if g.Private {
		return true
	}
	for v := g.Auxv; len(v) >= 16; v = v[16:] {
		if binary.LittleEndian.Uint64(v) == atSecure {
			return binary.LittleEndian.Uint64(v[8:]) != 0
		}
	}
	return false
}

// owner returns whose a file of a process is, as task_dump_owner of Linux.
func (x *target) owner(mode uint32) (uid, gid uint32) {
	p := x.proc()
	if p == nil || mode != abi.S_IFDIR|0o555 && x.secure(p) {
		return 0, 0
	}
	c := p.Cred()
	return c.EUID, c.EGID
}

// mayLook checks whether one with credentials c, or the thread t, may look into
// the process: ptrace(2), PTRACE_MODE_READ_FSCREDS. ESRCH, EACCES.
func (x *target) mayLook(c *proc.Cred, t *proc.Thread) error {
	p := x.proc()
	if p == nil {
		return errno.ESRCH
	}
	if t != nil && t.Proc == p || c.Has(proc.CAP_SYS_PTRACE) {
		return nil
	}
	o := p.Cred()
	if c.FSUID != o.EUID || c.FSUID != o.SUID || c.FSUID != o.UID ||
		c.FSGID != o.EGID || c.FSGID != o.SGID || c.FSGID != o.GID ||
		o.Permitted&^c.Effective != 0 || x.secure(p) {
		return errno.EACCES
	}
	return nil
}

// processes are the directories of processes. As on Linux the number of any
// thread can be looked up, but only those of processes are listed.
func processes() *numbers {
	return &numbers{
		typ: abi.DT_DIR,
		get: func(x *target, n int) (*entry, target, error) {
			f := x.fs
			p := f.procs.Find(n)
			if p == nil {
				t := f.procs.FindThread(n)
				if t == nil {
					return nil, target{}, errno.ENOENT
				}
				p = t.Proc
			}
			return f.pid, target{fs: f, pid: p.PID, tid: n, started: p.Started()}, nil
		},
		next: func(x *target, n int, emit func(int, uint64) bool) {
			f := x.fs
			for p := f.procs.Next(n); p != nil; p = f.procs.Next(p.PID + 1) {
				x := target{fs: f, pid: p.PID, tid: p.PID}
				if !emit(p.PID, x.ino(f.pid)) {
					return
				}
			}
		},
	}
}

// taskBatch is how many threads are looked at at once.
const taskBatch = 32

// tasks are the threads of a process.
func tasks() *numbers {
	return &numbers{
		typ: abi.DT_DIR,
		get: func(x *target, n int) (*entry, target, error) {
			y := *x
			y.tid, y.thread = n, true
			if y.proc() == nil {
				return nil, y, errno.ENOENT
			}
			return x.fs.task, y, nil
		},
		next: func(x *target, n int, emit func(int, uint64) bool) {
			p := x.proc()
			if p == nil {
				return
			}
			show := func(tid int) bool {
				y := *x
				y.tid, y.thread = tid, true
				return emit(tid, y.ino(x.fs.task))
			}
			// The first thread is shown as long as the process is there.
			first := p.PID
			if n > first {
				first = 0
			}
			for {
				some := p.Tasks(n, taskBatch)
				for _, s := range some {
					if first != 0 && first <= s.TID {
						if first < s.TID && !show(first) {
							return
						}
						first = 0
					}
					if !show(s.TID) {
						return
					}
					n = s.TID + 1
				}
				if len(some) < taskBatch {
					break
				}
			}
			if first != 0 {
				show(first)
			}
		},
	}
}

// task returns the thread that x is about.
func (x *target) task(p *proc.Proc) (proc.Task, error) {
	if some := p.Tasks(x.tid, 1); len(some) == 1 && some[0].TID == x.tid {
		return some[0], nil
	}
	if x.tid == x.pid {
		return p.Stat().Task, nil // it has ended, the process hasn't
	}
	return proc.Task{}, errno.ESRCH
}

// self is where /proc/self leads.
func self(c *vfs.Caller, x *target) (string, error) {
	if c.Thread == nil {
		return "", errno.ENOENT
	}
	return strconv.Itoa(c.Thread.Proc.PID), nil
}

func threadSelf(c *vfs.Caller, x *target) (string, error) {
	if c.Thread == nil {
		return "", errno.ENOENT
	}
	return strconv.Itoa(c.Thread.Proc.PID) + "/task/" + strconv.Itoa(c.Thread.TID), nil
}

// cwdOf and rootOf return places of a process, retained.
func cwdOf(s *vfs.State) vfs.Loc  { return s.Cwd() }
func rootOf(s *vfs.State) vfs.Loc { return s.Root() }

// place returns a place of the process for one who may look into it.
func (x *target) place(c *vfs.Caller, of func(*vfs.State) vfs.Loc) (vfs.Loc, error) {
	if err := x.mayLook(c.Cred, c.Thread); err != nil {
		return vfs.Loc{}, err
	}
	p := x.proc()
	if p == nil {
		return vfs.Loc{}, errno.ENOENT
	}
	s := vfs.HoldState(p)
	if s == nil {
		return vfs.Loc{}, errno.ENOENT
	}
	defer s.Release()
	return of(s), nil
}

func jumpPlace(of func(*vfs.State) vfs.Loc) func(*vfs.Caller, *target) (vfs.Loc, error) {
	return func(c *vfs.Caller, x *target) (vfs.Loc, error) { return x.place(c, of) }
}

func readPlace(of func(*vfs.State) vfs.Loc) func(*vfs.Caller, *target) (string, error) {
	return func(c *vfs.Caller, x *target) (string, error) {
		l, err := x.place(c, of)
		if err != nil {
			return "", err
		}
		defer l.Release()
		s := c.FS.Path(l)
		if l.Node.Attr().Nlink == 0 {
			s += " (deleted)"
		}
		return s, nil
	}
}

// exe returns the program's file for one who may look into the process, with a
// reference. ENOENT if it runs none.
func exe(c *vfs.Caller, x *target) (*file.File, error) {
	if err := x.mayLook(c.Cred, c.Thread); err != nil {
		return nil, err
	}
	p := x.proc()
	if p == nil {
		return nil, errno.ENOENT
	}
	g, ok := x.program(p)
	if !ok {
		return nil, errno.ENOENT
	}
	g.Space.Release()
	return g.Exe, nil
}
