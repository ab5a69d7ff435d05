package kern

import (
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/event"
	"mult/kern/file"
	"mult/kern/futex"
	"mult/kern/host"
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
		proc.Member(&k.proc),
		file.Member,
		futex.Member,
		event.Member(func(*inst.Inst) int64 { return k.Wall() }),
		vfs.Member,
		tty.Member,
		vdso.Member(k.vdso),
	}
}

// parts returns what processes consist of, in the order in which they are made.
func (k *Kernel) parts() []proc.Part {
	return []proc.Part{
		vfs.Part,
		file.Part,
		futex.Part,
		linux.ProgramPart,
	}
}
