package kern

import (
	"mult/fs/ptyfs"
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/event"
	"mult/kern/file"
	"mult/kern/futex"
	"mult/kern/host"
	"mult/kern/instfile"
	"mult/kern/linux"
	"mult/kern/linux/vdso"
	"mult/kern/proc"
	"mult/kern/tty"
)

// members returns the members of an instance, in the order in which they are
// made; they are unmade in reverse.
func (k *Kernel) members() []inst.Member {
	return []inst.Member{
		host.Member,
		k.sched.Member(),
		lifeMember,
		proc.Member(&k.proc),
		file.Member,
		futex.Member,
		event.Member(func(*inst.Inst) int64 { return k.Wall() }),
		vfs.Member,
		tmpfs.Member(k.Memory),
		tty.Member,
		vdso.Member(k.vdso, func(in *inst.Inst) int64 { return proc.TableOf(in).Boot() }),
		instfile.Member,
	}
}

// fileSystems returns what mount(2) knows.
func (k *Kernel) fileSystems() []linux.FileSystem {
	return []linux.FileSystem{
		{Name: "tmpfs", Make: k.makeTmpfs},
		{Name: "devtmpfs", Make: k.makeDevices},
		{Name: "devpts", Make: only(ptyfs.New, "gid=5", "mode=620", "mode=0620", "ptmxmode=666", "ptmxmode=0666")},
		{Name: "proc", Make: only(k.processes, "hidepid=0", "hidepid=off")},
	}
}

// parts returns what processes consist of, in the order in which they are made.
func (k *Kernel) parts() []proc.Part {
	return []proc.Part{
		vfs.Part,
		file.Part,
		futex.Part,
		linux.ProgramPart,
		instfile.Part,
	}
}
