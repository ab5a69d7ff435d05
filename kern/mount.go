package kern

import (
	"slices"
	"strings"

	"mult/fs/devfs"
	"mult/fs/tmpfs"
	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/errno"
)

// This file makes the file systems that mount(2) asks for.

func (k *Kernel) makeTmpfs(in *inst.Inst, options string) (*vfs.Super, error) {
	total := k.Memory.Stats().Total
	o := tmpfs.Defaults(total)
	if err := o.Parse(options, total); err != nil {
		return nil, err
	}
	return tmpfs.New(in, k.Memory, o)
}

// makeDevices makes one more file system of devices. Unlike Linux's, each is
// one of its own.
func (k *Kernel) makeDevices(in *inst.Inst, options string) (*vfs.Super, error) {
	total := k.Memory.Stats().Total
	o := tmpfs.Defaults(total)
	o.Mode = 0o755
	if err := o.Parse(options, total); err != nil {
		return nil, err
	}
	return devfs.Another(in, &k.vm, o, k.treesOf(in).devices)
}

// only makes a function that knows no other options than those, which say what
// holds anyway.
func only(make func(in *inst.Inst) (*vfs.Super, error), known ...string) func(*inst.Inst, string) (*vfs.Super, error) {
	return func(in *inst.Inst, options string) (*vfs.Super, error) {
		for o := range strings.SplitSeq(options, ",") {
			if o != "" && !slices.Contains(known, o) {
				return nil, errno.EINVAL
			}
		}
		return make(in)
	}
}
