package kern

import (
	"mult/fs/procfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/linux"
	"mult/kern/proc"
)

// CPU describes the processors of a machine.
type CPU = procfs.CPU

// processes makes the file system of /proc.
func (k *Kernel) processes(in *inst.Inst) (*vfs.Super, error) {
	return procfs.New(in, k.treesOf(in).processes)
}

// runs tells what p runs.
func runs(p *proc.Proc) (procfs.Program, bool) {
	exe, img, ok := linux.ProgramOf(p)
	if !ok {
		return procfs.Program{}, false
	}
	return procfs.Program{
		Exe: exe, Space: img.Space,
		ArgStart: img.ArgStart, ArgEnd: img.ArgEnd, EnvStart: img.EnvStart, EnvEnd: img.EnvEnd,
		CodeStart: img.CodeStart, CodeEnd: img.CodeEnd, DataStart: img.DataStart, DataEnd: img.DataEnd,
		Brk: img.Brk, Stack: img.SP, Auxv: img.Auxv,
		Private: !p.Dumpable(),
	}, true
}
