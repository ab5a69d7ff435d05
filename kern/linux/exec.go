package linux

import (
	"fmt"
	"strings"

	"mult/arch"
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/futex"
	"mult/kern/linux/image"
	"mult/kern/linux/sigframe"
	"mult/kern/linux/vdso"
	"mult/kern/proc"
	"mult/kern/vm"
)

// A program is what a process runs: its part that this package keeps.
type program struct {
	exe   *file.File  // [const] what /proc/pid/exe shows; nil for the kernel's own
	image image.Image // [const] its Space is that of the process, without a reference
	prev  *program    // [const] during exec the one before, else nil
}

// programCharge is what a program costs: a page of auxv at most, and itself.
const programCharge = 1024

var programs = proc.NewSlot[program]()

// ProgramPart is this package's row in the table of process parts.
var ProgramPart = proc.Part{Name: "program", Fork: forkProgram, Exit: exitProgram}

func forkProgram(parent *proc.Thread, child *proc.Proc, flags uint64) error {
	if parent == nil {
		return nil // before its first exec
	}
	old := programs.Of(parent.Proc)
	if old == nil {
		return nil
	}
	if !child.Inst.Charge(inst.Heap, programCharge) {
		return errno.ENOMEM
	}
	n := &program{exe: old.exe, image: old.image}
	if n.image.Space = child.Space(); n.image.Space != nil {
		n.image.Space.Release() // child keeps it
	}
	n.exe.Retain()
	programs.Set(child, n)
	return nil
}

func exitProgram(p *proc.Proc, _ *proc.Thread) {
	if old := programs.Of(p); old != nil {
		programs.Set(p, nil)
		old.exe.Release()
		p.Inst.Uncharge(inst.Heap, programCharge)
	}
}

// ProgramOf tells what p runs: the file with a reference for the caller, and the
// image, whose Space has one too. false: p runs nothing, or has ended.
func ProgramOf(p *proc.Proc) (exe *file.File, img image.Image, ok bool) {
	const tries = 4 // an exec may be going on
	for range tries {
		s := p.Space()
		if s == nil {
			break
		}
		for n := programs.Of(p); n != nil; n = n.prev {
			if n.image.Space == s && n.exe.TryRetain() {
				return n.exe, n.image, true
			}
		}
		s.Release()
	}
	return nil, img, false
}

// execFile is an open program, as package image wants it.
type execFile struct {
	t *proc.Thread
	f *file.File
}

func (e execFile) ReadAt(b []byte, off int64) (int, error) {
	return e.f.Pread(e.t, vm.KernelUio(b), off)
}

func (e execFile) Object() (vm.Object, error) { return e.f.Object(e.t, vm.Read|vm.Exec, false) }
func (e execFile) Close()                     { e.f.Release() }

// sysExecve implements execve(2): (path, argv, envp).
func sysExecve(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	path, err := getPath(t, a.Addr(0))
	if err != nil {
		return 0, err
	}
	return 0, k.execUser(t, nil, path, a.Addr(1), a.Addr(2), 0, path)
}

// sysExecveat implements execveat(2): (dir int, path, argv, envp, flags int).
func sysExecveat(k *Kernel, t *proc.Thread, a *Args) (uintptr, error) {
	return 0, atFlags(t, a.Int(0), a.Addr(1), a.Int(4), func(_ *vfs.Caller, dir *file.File, path string) error {
		path = strings.Clone(path) // the process keeps its end
		return k.execUser(t, dir, path, a.Addr(2), a.Addr(3), a.Int(4), execName(a.Int(0), path))
	})
}

// execName is what a program that execveat(2) has found by a descriptor takes
// for its path: a script's interpreter opens it.
func execName(dir int, path string) string {
	switch {
	case dir == abi.AT_FDCWD || path != "" && path[0] == '/':
		return path
	case path == "":
		return fmt.Sprintf("/dev/fd/%d", dir)
	}
	return fmt.Sprintf("/dev/fd/%d/%s", dir, path)
}

func (k *Kernel) execUser(t *proc.Thread, dir *file.File, path string, argv, envp vm.Addr, flags int, name string) error {
	s := t.Space()
	return k.exec(t, dir, path, image.UserStrings(s, argv), image.UserStrings(s, envp), flags, name)
}

// Exec gives the process of t a new program: execve(2). On an error the old one
// is still there; t's registers are those of the new one otherwise.
func (k *Kernel) Exec(t *proc.Thread, path string, argv, envp image.Vector) error {
	return k.exec(t, nil, path, argv, envp, 0, path)
}

// exec is Exec of a file below dir; name is what the program is told of it.
func (k *Kernel) exec(t *proc.Thread, dir *file.File, path string, argv, envp image.Vector, flags int, name string) error {
	c := vfs.For(t)
	f, err := c.OpenExec(dir, path, flags)
	if err != nil {
		return err
	}
	b, err := image.New(k.Proc.VM, &k.pages, t.Inst(), spaceLimits(t.Proc))
	if err != nil {
		f.Release()
		return err
	}
	defer b.Discard()
	b.Space().SetBuilder(t.Space())
	if err := b.Strings(name, argv, envp); err != nil {
		f.Release()
		return err
	}
	err = b.Load(execFile{t, f}, func(path string) (image.File, error) {
		f, err := c.OpenExec(nil, path, 0)
		if err != nil {
			return nil, err
		}
		return execFile{t, f}, nil
	})
	if err != nil {
		return err
	}
	exe := b.Program().(execFile).f
	cred, secure, err := execCred(t, exe)
	if err != nil {
		return err
	}
	ehdr, err := vdso.Map(b.Space(), t.Inst())
	if err != nil {
		return err
	}
	img, err := b.Finish(image.Aux{
		UID: cred.UID, EUID: cred.EUID, GID: cred.GID, EGID: cred.EGID,
		Secure:   secure,
		HWCAP:    k.HWCap,
		HWCAP2:   k.HWCap2,
		VDSO:     ehdr,
		SigFrame: sigframe.MinStack(k.Machine.AVX()),
	})
	if err != nil {
		return err
	}
	return k.become(t, img, exe, cred, baseName(name))
}

// execCred returns the credentials of t after it has executed exe.
func execCred(t *proc.Thread, exe *file.File) (cred *proc.Cred, secure bool, err error) {
	st, err := exe.Stat(t)
	if err != nil {
		return nil, false, err
	}
	if l, ok := vfs.LocOf(exe); ok && l.Mount.Flags()&vfs.MS_NOSUID != 0 {
		st.Mode &^= abi.S_ISUID | abi.S_ISGID
	}
	var uid, gid *uint32
	if st.Mode&abi.S_ISUID != 0 {
		uid = &st.UID
	}
	if st.Mode&abi.S_ISGID != 0 && st.Mode&0o010 != 0 {
		gid = &st.GID
	}
	cred, secure = t.Cred().ForExec(uid, gid)
	return cred, secure, nil
}

// mayRead is a permission of access(2).
const mayRead = 4

// become makes img the program of t's process. There is no way back after
// BeginExec.
func (k *Kernel) become(t *proc.Thread, img *image.Image, exe *file.File, cred *proc.Cred, comm string) error {
	p := t.Proc
	old := programs.Of(p)
	err := file.Unshare(t)
	if err == nil && old == nil && !p.Inst.Charge(inst.Heap, programCharge) {
		err = errno.ENOMEM
	}
	if err == nil {
		err = t.BeginExec()
		if err != nil && old == nil {
			p.Inst.Uncharge(inst.Heap, programCharge)
		}
	}
	if err != nil {
		img.Space.Release()
		exe.Release()
		return err
	}
	img.Space.SetBuilder(nil)
	// Whoever looks from now on finds what fits to the old space or the new one.
	secret := vfs.For(t).Access(exe, "", mayRead, abi.AT_EMPTY_PATH|abi.AT_EACCESS) != nil
	programs.Set(p, &program{exe: exe, image: *img, prev: old})
	futex.ThreadExit(t) // while the old memory is there
	t.Exec(proc.ExecArgs{Space: img.Space, Comm: comm, Cred: cred, Secret: secret})
	programs.Set(p, &program{exe: exe, image: *img})
	if old != nil {
		old.exe.Release()
	}
	c := arch.NewContext()
	c.IP, c.SP, c.Root = uint64(img.IP), uint64(img.SP), img.Space.Root()
	c.Trap = arch.TrapInterrupt
	k.Machine.Settle(t.Ctx)
	*t.Ctx = *c
	return nil
}
