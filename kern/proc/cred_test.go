package proc

import (
	"testing"

	"mult/kern/errno"
)

func TestUserIDs(t *testing.T) {
	type ids [4]uint32 // real, effective, saved, file system
	const x = noID
	user := ids{1, 2, 3, 2}
	tests := []struct {
		name string
		from ids
		caps uint64
		call func(t *Thread) error
		want ids
		err  error
	}{
		{"setuid root", ids{}, allCaps, func(t *Thread) error { return t.SetUID(5) }, ids{5, 5, 5, 5}, nil},
		{"setuid real", user, 0, func(t *Thread) error { return t.SetUID(1) }, ids{1, 1, 3, 1}, nil},
		{"setuid saved", user, 0, func(t *Thread) error { return t.SetUID(3) }, ids{1, 3, 3, 3}, nil},
		{"setuid other", user, 0, func(t *Thread) error { return t.SetUID(9) }, user, errno.EPERM},
		{"setuid -1", user, 0, func(t *Thread) error { return t.SetUID(x) }, user, errno.EINVAL},
		{"setreuid swap", user, 0, func(t *Thread) error { return t.SetREUID(2, 1) }, ids{2, 1, 1, 1}, nil},
		{"setreuid effective", user, 0, func(t *Thread) error { return t.SetREUID(x, 3) }, ids{1, 3, 3, 3}, nil},
		{"setreuid keep", user, 0, func(t *Thread) error { return t.SetREUID(x, 1) }, ids{1, 1, 3, 1}, nil},
		{"setreuid real from saved", user, 0, func(t *Thread) error { return t.SetREUID(3, x) }, user, errno.EPERM},
		{"setresuid", user, 0, func(t *Thread) error { return t.SetRESUID(3, 1, 2) }, ids{3, 1, 2, 1}, nil},
		{"setresuid none", user, 0, func(t *Thread) error { return t.SetRESUID(x, x, x) }, user, nil},
		{"setresuid other", user, 0, func(t *Thread) error { return t.SetRESUID(x, x, 9) }, user, errno.EPERM},
		{"setresuid root", ids{}, allCaps, func(t *Thread) error { return t.SetRESUID(7, 8, 9) }, ids{7, 8, 9, 8}, nil},
		{"setfsuid", user, 0, func(t *Thread) error { t.SetFSUID(3); return nil }, ids{1, 2, 3, 3}, nil},
		{"setfsuid other", user, 0, func(t *Thread) error { t.SetFSUID(9); return nil }, user, nil},
	}
	w := newWorld(t)
	w.run(func(t *Thread) {
		for _, tt := range tests {
			c := &Cred{UID: tt.from[0], EUID: tt.from[1], SUID: tt.from[2], FSUID: tt.from[3], Effective: tt.caps, Permitted: tt.caps}
			t.setCred(c)
			err := tt.call(t)
			n := t.Cred()
			if got := (ids{n.UID, n.EUID, n.SUID, n.FSUID}); got != tt.want || err != tt.err {
				w.t.Errorf("%s: %v %v, want %v %v", tt.name, got, err, tt.want, tt.err)
			}
		}
	})
}

func TestGroupIDs(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		check := func(name string, err, want error, ids ...uint32) {
			w.t.Helper()
			c := t.Cred()
			if err != want || c.GID != ids[0] || c.EGID != ids[1] || c.SGID != ids[2] || c.FSGID != ids[3] {
				w.t.Errorf("%s: %v, %+v", name, err, c)
			}
		}
		check("setresgid", t.SetRESGID(1, 2, 3), nil, 1, 2, 3, 2)
		if err := t.SetGroups([]uint32{30, 10, 20}); err != nil {
			w.t.Error(err)
		}
		t.SetUID(1000)
		if c := t.Cred(); !c.InGroup(2) || !c.InGroup(30) || c.InGroup(1) || c.Root() || c.Effective != 0 {
			w.t.Errorf("%+v", c)
		}
		if err := t.SetGroups(nil); err != errno.EPERM {
			w.t.Error(err)
		}
		check("setgid", t.SetGID(9), errno.EPERM, 1, 2, 3, 2)
		check("setgid -1", t.SetGID(noID), errno.EINVAL, 1, 2, 3, 2)
		check("setgid saved", t.SetGID(3), nil, 1, 3, 3, 3)
		check("setregid", t.SetREGID(3, 1), nil, 3, 1, 1, 1)
		check("setresgid other", t.SetRESGID(noID, 9, noID), errno.EPERM, 3, 1, 1, 1)
		if t.SetFSGID(3); t.Cred().FSGID != 3 {
			w.t.Error("setfsgid")
		}
		pid := w.fork(t, func(c *Thread) {
			if !c.Cred().InGroup(20) {
				w.t.Error("fork loses groups")
			}
		})
		w.wait(t, pid, 0)
	})
}

func TestForExec(t *testing.T) {
	root, other := uint32(0), uint32(7)
	user := &Cred{UID: 1, EUID: 1, SUID: 1, FSUID: 1, Bounding: allCaps}
	if c, secure := user.ForExec(&root, nil); !secure || c.UID != 1 || c.EUID != 0 || c.SUID != 0 || c.FSUID != 0 || !c.Has(CAP_KILL) {
		t.Errorf("setuid root: %+v %v", c, secure)
	}
	if c, secure := user.ForExec(nil, &other); !secure || c.EGID != 7 || c.Effective != 0 {
		t.Errorf("setgid: %+v %v", c, secure)
	}
	if c, secure := user.ForExec(nil, nil); secure || c.Effective != 0 {
		t.Errorf("plain: %+v %v", c, secure)
	}
	if c, secure := RootCred().ForExec(nil, nil); secure || c.Effective != allCaps {
		t.Errorf("root: %+v %v", c, secure)
	}
	n := *user
	n.NoNewPrivs = true
	if c, secure := n.ForExec(&root, nil); secure || c.EUID != 1 {
		t.Errorf("no_new_privs: %+v %v", c, secure)
	}
}

func TestLimits(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		if old, err := t.Prlimit(0, RLIMIT_NOFILE, nil); err != nil || old != (Rlimit{1024, 4096}) {
			w.t.Errorf("%+v %v", old, err)
		}
		for _, tt := range []struct {
			pid  int
			r    Resource
			set  *Rlimit
			want error
		}{
			{0, 16, nil, errno.EINVAL}, {0, -1, nil, errno.EINVAL}, {99, 0, nil, errno.ESRCH},
			{0, RLIMIT_FSIZE, &Rlimit{2, 1}, errno.EINVAL}, {0, RLIMIT_NOFILE, &Rlimit{1, MaxFiles + 1}, errno.EPERM},
			{0, RLIMIT_NOFILE, &Rlimit{100, 8000}, nil},
		} {
			if _, err := t.Prlimit(tt.pid, tt.r, tt.set); err != tt.want {
				w.t.Errorf("prlimit(%d, %d, %v) = %v", tt.pid, tt.r, tt.set, err)
			}
		}
		pid := w.fork(t, func(c *Thread) {
			if c.Proc.Limit(RLIMIT_NOFILE) != 100 {
				w.t.Error("limit isn't inherited")
			}
			c.Prlimit(0, RLIMIT_NPROC, &Rlimit{3, 3})
			c.SetUID(1000)
			if _, err := c.Prlimit(0, RLIMIT_NOFILE, &Rlimit{1, 8001}); err != errno.EPERM {
				w.t.Errorf("raising: %v", err)
			}
			if _, err := c.Prlimit(1, RLIMIT_NOFILE, nil); err != errno.EPERM {
				w.t.Errorf("of root: %v", err)
			}
			w.fork(c, sleepForever)
			w.thread(c, sleepForever)
			for _, f := range []uint64{0, threadFlags} {
				if _, err := c.Fork1(CloneArgs{Flags: f}); err != errno.EAGAIN {
					w.t.Errorf("over RLIMIT_NPROC: %v", err)
				}
			}
			c.Kill(-1, SIGKILL)
			w.wait(c, -1, 0)
			if pid := w.fork(c, func(*Thread) {}); pid != 0 {
				w.wait(c, pid, 0)
			}
			c.ExitGroup(0)
		})
		w.wait(t, pid, 0)
	})
}

func TestPriority(t *testing.T) {
	w := newWorld(t)
	w.run(func(t *Thread) {
		child := w.fork(t, sleepForever)
		if err := t.SetPriority(PRIO_PROCESS, child, 100); err != nil {
			w.t.Error(err)
		}
		if n, err := t.GetPriority(PRIO_PROCESS, child); n != 19 || err != nil {
			w.t.Errorf("%d %v", n, err)
		}
		if n, err := t.GetPriority(PRIO_PGRP, 0); n != 0 || err != nil {
			w.t.Errorf("%d %v", n, err)
		}
		if err := t.SetPriority(PRIO_USER, 0, -30); err != nil {
			w.t.Error(err)
		}
		if n, err := t.GetPriority(PRIO_PROCESS, child); n != -20 || err != nil {
			w.t.Errorf("%d %v", n, err)
		}
		if _, err := t.GetPriority(3, 0); err != errno.EINVAL {
			w.t.Error(err)
		}
		if _, err := t.GetPriority(PRIO_PROCESS, 99); err != errno.ESRCH {
			w.t.Error(err)
		}
		t.SetUID(1000)
		if err := t.SetPriority(PRIO_PROCESS, child, 5); err != errno.EPERM {
			w.t.Error(err)
		}
		if err := t.SetPriority(PRIO_PROCESS, 0, 5); err != nil {
			w.t.Error(err)
		}
		if err := t.SetPriority(PRIO_PROCESS, 0, 4); err != errno.EACCES {
			w.t.Error(err)
		}
	})
}
