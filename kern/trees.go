package kern

import (
	"mult/fs/devfs"
	"mult/fs/procfs"
	"mult/inst"
	"mult/kern/abi"
)

// trees say what there is in the file systems that the kernel makes up. They never change,
// so all instances but inst0 have the same.
type trees struct {
	devices   *devfs.Tree
	processes *procfs.Tree
}

// makeTrees makes those of inst0, which has the console and is told how the machine was
// started, and those of the others.
func (k *Kernel) makeTrees() {
	s := procfs.Sources{
		System: &k.proc, Wall: k.Wall,
		Release: k.linux.Release, Version: k.linux.Version,
		Program:  runs,
		Describe: k.linux.Describe,
		CPU:      k.CPU,
	}
	k.trees[1] = trees{devfs.NewTree(nodes(false)...), procfs.NewTree(s)}
	s.Cmdline = func() string { return k.Cmdline }
	k.trees[0] = trees{devfs.NewTree(nodes(k.Console != nil)...), procfs.NewTree(s)}
}

func (k *Kernel) treesOf(in *inst.Inst) *trees {
	if in.Parent == nil {
		return &k.trees[0]
	}
	return &k.trees[1]
}

// nodes returns the device nodes beside those of devfs.
func nodes(console bool) []devfs.Node {
	nodes := []devfs.Node{
		{Name: "tty", Mode: abi.S_IFCHR | 0o666, Major: majorAux, Minor: minorSelf},
		{Name: "ptmx", Mode: abi.S_IFCHR | 0o666, Major: majorAux, Minor: minorPtmx},
		{Name: "pts", Mode: abi.S_IFDIR | 0o755},
	}
	if console {
		nodes = append(nodes,
			devfs.Node{Name: "ttyS0", Mode: abi.S_IFCHR | 0o620, GID: 5, Major: majorTTY, Minor: minorSerial},
			devfs.Node{Name: "console", Mode: abi.S_IFCHR | 0o600, Major: majorAux, Minor: minorSystem})
	}
	return nodes
}
