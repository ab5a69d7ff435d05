package procfs

import (
	"math"
	"slices"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
)

// This file has /proc/sys/kern/inst, inst(4): what instctl(2) tells of the reader's
// instance and of those below it. Others have no files there.

// instances makes the directory. Each instance below has a file, whose name is its
// number, as long as that is less than 2^31.
func (tr *Tree) instances() *entry {
	tr.below = &entry{mode: abi.S_IFREG | 0o400, admin: true, text: below}
	return dirEntry("inst",
		fixed("self", func(b *buffer, x *target) error {
			b.Write(tr.src.Describe(nil, x.fs.in, x.fs.in))
			return nil
		}),
		fixed("count", func(b *buffer, x *target) error {
			b.f("%d\n", x.fs.in.Used(inst.Instances))
			return nil
		}),
		fixed("max", func(b *buffer, x *target) error {
			b.f("%d\n", x.fs.in.Limit(inst.Instances))
			return nil
		}),
		fixed("depth", func(b *buffer, x *target) error {
			b.f("%d\n", inst.MaxDepth-x.fs.in.Depth)
			return nil
		}),
		&entry{name: "below", mode: abi.S_IFDIR | 0o500, numbers: &numbers{
			typ: abi.DT_REG,
			get: func(x *target, n int) (*entry, target, error) {
				in, err := x.findBelow(n)
				if err != nil {
					return nil, target{}, errno.ENOENT
				}
				in.Release()
				return tr.below, target{fs: x.fs, fd: n}, nil
			},
			next: eachBelow,
		}},
	)
}

// findBelow returns an instance below the reader's by its number, with a reference.
func (x *target) findBelow(n int) (*inst.Inst, error) {
	if uint64(n) == x.fs.in.ID {
		return nil, errno.ESRCH
	}
	return x.fs.in.Find(uint64(n))
}

// below is the file of an instance below.
func below(b *buffer, x *target) error {
	in, err := x.findBelow(x.fd)
	if err != nil {
		return errno.ESRCH
	}
	defer in.Release()
	b.Write(x.fs.src.Describe(nil, in, x.fs.in))
	return nil
}

// eachBelow calls emit for the instances below, by number. The list of all is walked from
// the youngest to the oldest, so each walk finds the last ones that are at least n.
func eachBelow(x *target, n int, emit func(int, uint64) bool) {
	in := x.fs.in
	for {
		var found []int
		for o := in.System().First(); o != nil && o.ID >= uint64(n); o = o.Next() {
			if o.ID < math.MaxInt32 && o.Below(in) {
				if len(found) == taskBatch {
					found = found[1:]
				}
				found = append(found, int(o.ID))
			}
		}
		for _, id := range slices.Backward(found) {
			y := target{fs: x.fs, fd: id}
			if !emit(id, y.ino(x.fs.below)) {
				return
			}
			n = id + 1
		}
		if len(found) < taskBatch {
			return
		}
	}
}
