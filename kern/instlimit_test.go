package kern

import (
	"encoding/binary"
	"errors"
	"fmt"
	"testing"

	"mult/inst"
	"mult/kern/errno"
	"mult/kern/linux"
	"mult/kern/vm"
)

// A result is how often a call was made, and why it failed then; 0: it didn't.
type result struct {
	n   int
	err errno.Errno
}

// repeats returns a program that makes some calls first, and then one until it fails, or
// often enough.
func repeats(to chan<- result, most int, first []func(u *user), again func(u *user, i int)) prog {
	return func(u *user) {
		i := u.step - len(first)
		switch {
		case i < 0:
			first[u.step](u)
			return
		case i > most:
			u.call(nrPause)
			return
		case i > 0 && int64(u.x.AX) < 0 && int64(u.x.AX) > -4096:
			to <- result{i - 1, errno.Errno(-int64(u.x.AX))}
			u.step += most
		case i == most:
			to <- result{most, 0}
		default:
			again(u, i)
			return
		}
		u.call(nrPause)
	}
}

// TestLimits has one of two instances use up each of its resources: it gets the error that
// it should, and the other one has all it wants.
func TestLimits(t *testing.T) {
	const (
		callMkdir, callMount, callOpenat = 83, 165, 257
		room, enough                     = 5, 20
		fdcwd                            = ^uint64(99)
	)
	path := func(u *user, s string) uint64 {
		u.data = append([]byte(s), 0)
		return u.at
	}
	openTmp := func(u *user) { u.call(callOpenat, fdcwd, path(u, "/tmp/f"), 0o102, 0o666) }
	for _, tt := range []struct {
		r      inst.Resource
		err    errno.Errno
		family bool // it makes others, which sleep
		first  []func(u *user)
		again  func(u *user, i int)
	}{
		{inst.Processes, errno.EAGAIN, true, nil, func(u *user, _ int) { u.call(callFork) }},
		{inst.Threads, errno.EAGAIN, true, nil, func(u *user, _ int) { u.call(nrClone, 0x50f00) }},
		{inst.Threads, errno.EAGAIN, true, nil, func(u *user, _ int) { u.call(callFork) }},
		{inst.Files, errno.ENFILE, false, nil, func(u *user, _ int) { u.call(callOpenat, fdcwd, path(u, "/dev/null"), 2) }},
		{inst.Ptys, errno.ENOSPC, false, nil, func(u *user, _ int) { u.call(callOpenat, fdcwd, path(u, "/dev/ptmx"), 2) }},
		{inst.Mounts, errno.ENOSPC, false, nil, func(u *user, _ int) {
			u.data = []byte("tmpfs\x00/tmp\x00")
			u.call(callMount, u.at, u.at+6, u.at)
		}},
		{inst.Content, errno.ENOSPC, false, []func(*user){openTmp}, func(u *user, _ int) { u.call(nrWrite, 3, textAt, 4096) }},
		{inst.Inodes, errno.ENOSPC, false, nil, func(u *user, i int) { u.call(callMkdir, path(u, fmt.Sprintf("/tmp/d%d", i)), 0o777) }},
		{inst.Inodes, errno.ENOSPC, false, nil, func(u *user, i int) { u.call(callOpenat, fdcwd, path(u, fmt.Sprintf("/tmp/f%d", i)), 0o102, 0o666) }},
	} {
		t.Run(tt.r.String(), func(t *testing.T) {
			results := make(chan result, 1)
			p := repeats(results, enough, tt.first, tt.again)
			if tt.family {
				p = family(p, sleeps)
			}
			w := start(t, nil, p)
			defer w.finish()
			for _, limited := range []bool{true, false, true} {
				in, err := w.k.Create(nil, w.k.inst0, "a", linux.Settings{})
				if err != nil {
					t.Fatal(err)
				}
				used := in.Used(tt.r)
				if limited {
					in.SetLimit(tt.r, used+room)
				}
				in.Retain() // Start may give it back
				if err := w.k.Start(nil, in, nil); err != nil {
					t.Fatal(err)
				}
				got := <-results
				switch {
				case !limited && got != (result{enough, 0}):
					t.Errorf("without a limit: %v", got)
				case limited && (got.err != tt.err || got.n == 0 || got.n > room || in.Refused(tt.r) == 0):
					t.Errorf("%d were made, then %v; %d refusals", got.n, got.err, in.Refused(tt.r))
				case limited && w.k.inst0.Refused(tt.r) != 0:
					t.Error("inst0 was refused something")
				}
				// More are allowed at once.
				in.SetLimit(tt.r, inst.NoLimit)
				if !in.Charge(tt.r, room) {
					t.Error("a limit that was raised doesn't hold")
				}
				in.Uncharge(tt.r, room)
				w.k.Kill(in)
				in.Release()
				w.gone(in)
				if n := w.k.inst0.Used(tt.r); limited && n > used+enough {
					t.Errorf("inst0 has %d still", n)
				}
			}
		})
	}
}

// TestLimitAbove has two instances share the limit of the one above them.
func TestLimitAbove(t *testing.T) {
	const room, enough = 7, 20
	results := make(chan result, 3)
	w := start(t, nil, family(repeats(results, enough, nil, func(u *user, _ int) { u.call(callFork) }), sleeps))
	defer w.finish()
	top, err := w.k.Create(nil, w.k.inst0, "top", linux.Settings{Limits: map[inst.Resource]int64{inst.Processes: room, inst.Instances: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer top.Release() // it has no processes, but others are below it
	total := 0
	for _, name := range []string{"a", "b"} {
		w.inst(top, name).Release()
		got := <-results
		if got.err != errno.EAGAIN && got.err != 0 {
			t.Error(got.err)
		}
		total += got.n + 1
		top.SetLimit(inst.Processes, top.OwnLimit(inst.Processes)+2) // for process 1 of the second
	}
	if total != room+2 || top.Used(inst.Processes) != room+2 {
		t.Errorf("%d processes, %d are charged, want %d", total, top.Used(inst.Processes), room+2)
	}
	// Another one isn't concerned.
	w.inst(w.k.inst0, "other").Release()
	if got := <-results; got != (result{enough, 0}) {
		t.Errorf("another one: %v", got)
	}
}

// TestSysinfo compares what sysinfo(2) tells of memory and time inside with what is true
// of the instance.
func TestSysinfo(t *testing.T) {
	m := manage(t)
	a := m.forkInst(m.top.in, "a")
	const callSysinfo, spare = 99, 0x402800
	read := func() (total, free uint64) {
		t.Helper()
		if n := a.call(nil, callSysinfo, spare); n != 0 {
			t.Fatal(n)
		}
		b := a.memory(spare, 48)
		return binary.LittleEndian.Uint64(b[32:]), binary.LittleEndian.Uint64(b[40:])
	}
	if total, _ := read(); total != m.m.Memory().Stats().Total*vm.PageSize {
		t.Errorf("without a limit %d bytes", total)
	}
	a.in.SetLimit(inst.Frames, 1000)
	if total, free := read(); total != 1000*vm.PageSize || free > 1000*vm.PageSize || free == 0 {
		t.Errorf("with a limit %d bytes, %d are free", total, free)
	}
	m.top.in.SetLimit(inst.Frames, m.top.in.Used(inst.Frames)+10)
	if total, free := read(); total >= 1000*vm.PageSize || free > 10*vm.PageSize {
		t.Errorf("with a limit above %d bytes, %d are free", total, free)
	}
	m.finish(a)
}

// TestNumberOfInstances has a machine that may have three.
func TestNumberOfInstances(t *testing.T) {
	w := start(t, nil, sleeps)
	defer w.finish()
	w.k.inst0.SetLimit(inst.Instances, 2)
	a := w.inst(w.k.inst0, "a")
	w.inst(a, "b").Release()
	for _, parent := range []*inst.Inst{a, w.k.inst0} {
		if _, err := w.k.ForkInst1(nil, parent, "c", mayMake, nil); !errors.Is(err, errno.EAGAIN) {
			t.Errorf("below %s: %v", parent.Name(), err)
		}
	}
	w.k.Kill(a)
	w.gone(a)
	w.inst(w.k.inst0, "c").Release()
}
