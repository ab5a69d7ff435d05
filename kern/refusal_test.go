package kern

import (
	"fmt"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
)

// TestRefusals lowers each limit of an instance while it runs, below what it has: each call
// that needs more is refused from then on and counted once, by the instance whose limit it
// is; and allowed again when the limit is raised.
func TestRefusals(t *testing.T) {
	m := manage(t)
	a, b := m.forkInst(m.top.in, "a"), m.forkInst(m.top.in, "b")
	a.in.SetLimit(inst.Instances, inst.NoLimit)
	n := 0
	fork := func() int64 {
		pid := a.call(nil, callFork)
		if pid > 0 {
			child := m.arrived(a.in)
			child.pid = int(pid)
			close(child.calls)
			a.call(nil, nrWait4, uint64(pid), 0, 0, 0)
		}
		return pid
	}
	opens := func(path string) func() int64 {
		return func() int64 {
			fd := a.str(callOpen, path, oRDWR)
			if fd >= 0 {
				a.call(nil, callClose, uint64(fd))
			}
			return fd
		}
	}
	mkdir := func() int64 {
		n++
		return a.str(callMkdir, fmt.Sprintf("/tmp/%d", n), 0o777)
	}
	fd := uint64(a.str(callOpen, "/tmp/file", oRDWR|oCREAT, 0o666))
	write := func() int64 { return a.call(nil, nrWrite, fd, textAt, 4096) }
	for _, tt := range []struct {
		r    inst.Resource
		call func() int64
		want errno.Errno
	}{
		{inst.Processes, fork, errno.EAGAIN},
		{inst.Threads, fork, errno.EAGAIN},
		{inst.Files, opens("/dev/null"), errno.ENFILE},
		{inst.Ptys, opens("/dev/ptmx"), errno.ENOSPC},
		{inst.Mounts, func() int64 { return a.call([]byte("tmpfs\x00/tmp\x00"), callMount, 0x401000, 0x401006, 0x401000) }, errno.ENOSPC},
		{inst.Heap, func() int64 { return a.call(nil, 290, 0) }, errno.ENOMEM}, // eventfd2
		{inst.Instances, func() int64 {
			n++
			x := a.ctl(op(abi.INST_CREATE, fmt.Sprint("i", n)))
			if x.n == 0 {
				in, err := a.in.Find(x.value)
				if err != nil {
					t.Fatal(err)
				}
				m.k.Kill(in)
				m.gone(in)
			}
			return x.n
		}, errno.EAGAIN},
		{inst.Inodes, mkdir, errno.ENOSPC},
		{inst.Content, write, errno.ENOSPC},
		{inst.Frames, write, errno.ENOSPC},
		{inst.Frames, fork, errno.ENOMEM},
	} {
		for _, in := range []*inst.Inst{a.in, m.top.in} {
			name := fmt.Sprintf("%s, limit of %s", tt.r, in.Name())
			if n := tt.call(); n < 0 {
				t.Errorf("%s: before there is one: %d", name, n)
			}
			others := []*inst.Inst{a.in, m.top.in, b.in, m.k.inst0}
			was := make(map[*inst.Inst]int64)
			for _, o := range others {
				was[o] = o.Refused(tt.r)
			}
			old := in.OwnLimit(tt.r)
			for i, limit := range []int64{in.Used(tt.r), in.Used(tt.r) / 2, 0} {
				in.SetLimit(tt.r, limit)
				if n := tt.call(); n != -int64(tt.want) {
					t.Errorf("%s: with %d: %d, want %d", name, limit, n, -int64(tt.want))
				}
				for _, o := range others {
					want := was[o]
					if o == in {
						want += int64(i + 1)
					}
					if got := o.Refused(tt.r); got != want {
						t.Errorf("%s: with %d: %d refusals of %s, want %d", name, limit, got-was[o], o.Name(), want-was[o])
					}
				}
			}
			in.SetLimit(tt.r, old)
			if n := tt.call(); n < 0 {
				t.Errorf("%s: after it was raised: %d", name, n)
			}
		}
	}
	m.finish(a, b)
}
