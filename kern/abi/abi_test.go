package abi

import (
	"bytes"
	"syscall"
	"testing"
	"unsafe"
)

// raw returns the memory of a structure of the host.
func raw[T any](p *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p))
}

func same(t *testing.T, name string, want []byte, encode func(b []byte)) {
	t.Helper()
	got := bytes.Repeat([]byte{0xa5}, len(want)+1)
	encode(got)
	if !bytes.Equal(got[:len(want)], want) {
		t.Errorf("%s:\n%x\n%x", name, got[:len(want)], want)
	}
	if got[len(want)] != 0xa5 {
		t.Errorf("%s: longer than it should be", name)
	}
}

func TestLayouts(t *testing.T) {
	st := Stat{Dev: 1, Ino: 2, Nlink: 3, Mode: 4, UID: 5, GID: 6, Rdev: 7, Size: -8, Blksize: 9, Blocks: 10,
		Atime: Timespec{11, 12}, Mtime: Timespec{13, 14}, Ctime: Timespec{15, 16}}
	same(t, "stat", raw(&syscall.Stat_t{Dev: 1, Ino: 2, Nlink: 3, Mode: 4, Uid: 5, Gid: 6, Rdev: 7, Size: -8, Blksize: 9, Blocks: 10,
		Atim: syscall.Timespec{Sec: 11, Nsec: 12}, Mtim: syscall.Timespec{Sec: 13, Nsec: 14}, Ctim: syscall.Timespec{Sec: 15, Nsec: 16}}), st.Encode)
	sf := Statfs{1, 2, 3, 4, 5, 6, 7, 9<<32 | 8, 10, 11, 12}
	same(t, "statfs", raw(&syscall.Statfs_t{Type: 1, Bsize: 2, Blocks: 3, Bfree: 4, Bavail: 5, Files: 6, Ffree: 7,
		Fsid: syscall.Fsid{X__val: [2]int32{8, 9}}, Namelen: 10, Frsize: 11, Flags: 12}), sf.Encode)
	same(t, "timespec", raw(&syscall.Timespec{Sec: -1, Nsec: 2}), Timespec{-1, 2}.Encode)
	same(t, "timeval", raw(&syscall.Timeval{Sec: -1, Usec: 2}), Timeval{-1, 2}.Encode)
	same(t, "itimerval", raw(&[2]syscall.Timeval{{Sec: 1, Usec: 2}, {Sec: 3, Usec: 4}}), Itimerval{Timeval{1, 2}, Timeval{3, 4}}.Encode)
	same(t, "itimerspec", raw(&[2]syscall.Timespec{{Sec: 1, Nsec: 2}, {Sec: 3, Nsec: 4}}), Itimerspec{Timespec{1, 2}, Timespec{3, 4}}.Encode)
	same(t, "flock", raw(&syscall.Flock_t{Type: 1, Whence: 2, Start: -3, Len: 4, Pid: 5}), (&Flock{1, 2, -3, 4, 5}).Encode)
	same(t, "epoll_event", raw(&syscall.EpollEvent{Events: 1 << 31, Fd: 2, Pad: 3}), (&EpollEvent{1 << 31, 3<<32 | 2}).Encode)
	same(t, "pollfd", []byte{1, 0, 0, 0, 2, 0, 3, 0}, (&PollFd{1, 2, 3}).Encode)
	same(t, "iovec", raw(&[2]uint64{5, 6}), (&Iovec{5, 6}).Encode)
}

func TestDecode(t *testing.T) {
	b := make([]byte, 64)
	fl := Flock{-1, 2, -3, 4, -5}
	fl.Encode(b)
	var fl2 Flock
	if fl2.Decode(b); fl2 != fl {
		t.Errorf("%+v", fl2)
	}
	pf := PollFd{-1, -2, 3}
	pf.Encode(b)
	var pf2 PollFd
	if pf2.Decode(b); pf2 != pf {
		t.Errorf("%+v", pf2)
	}
	ev := EpollEvent{1 << 31, 1<<64 - 1}
	ev.Encode(b)
	var ev2 EpollEvent
	if ev2.Decode(b); ev2 != ev {
		t.Errorf("%+v", ev2)
	}
	it := Itimerspec{Timespec{1, 2}, Timespec{-3, 4}}
	it.Encode(b)
	var it2 Itimerspec
	if it2.Decode(b); it2 != it {
		t.Errorf("%+v", it2)
	}
	iv := Itimerval{Timeval{1, 2}, Timeval{-3, 4}}
	iv.Encode(b)
	var iv2 Itimerval
	if iv2.Decode(b); iv2 != iv {
		t.Errorf("%+v", iv2)
	}
	v := Iovec{1, 2}
	v.Encode(b)
	var v2 Iovec
	if v2.Decode(b); v2 != v {
		t.Errorf("%+v", v2)
	}
}

func TestTimes(t *testing.T) {
	for _, tt := range []struct {
		ns   int64
		want Timespec
	}{{0, Timespec{}}, {1, Timespec{0, 1}}, {1e9, Timespec{1, 0}}, {-1, Timespec{-1, 999999999}}, {maxNs, Timespec{9223372036, 854775807}}} {
		if got := TimespecOf(tt.ns); got != tt.want {
			t.Errorf("%d: %v", tt.ns, got)
		}
		if tt.ns >= 0 && tt.ns < maxNs && tt.want.Ns() != tt.ns {
			t.Errorf("%v: %d", tt.want, tt.want.Ns())
		}
	}
	if (Timespec{1 << 62, 0}).Ns() != maxNs {
		t.Error("a long time is not for ever")
	}
	for _, ts := range []Timespec{{-1, 0}, {0, -1}, {0, 1e9}} {
		if ts.Valid() {
			t.Errorf("%v is valid", ts)
		}
	}
	if (Timeval{0, 1e6}).Valid() || !(Timeval{1, 999999}).Valid() {
		t.Error("timeval")
	}
	if got := TimevalOf(1_500_000_999); got != (Timeval{1, 500000}) {
		t.Error(got)
	}
}

func TestDev(t *testing.T) {
	for _, tt := range []struct {
		major, minor uint32
		dev          uint64
	}{{1, 3, 0x103}, {5, 0, 0x500}, {136, 256, 0x108800}, {0xfff, 0xff, 0xfffff}, {1 << 12, 1 << 8, 1<<44 | 1<<20}} {
		if got := Mkdev(tt.major, tt.minor); got != tt.dev || Major(got) != tt.major || Minor(got) != tt.minor {
			t.Errorf("%d:%d: %#x", tt.major, tt.minor, got)
		}
	}
}

func TestDirent(t *testing.T) {
	d := Dirent{Ino: 7, Off: 8, Type: DT_REG, Name: "abc"}
	b := bytes.Repeat([]byte{1}, 512)
	n := d.Encode64(b)
	h := (*syscall.Dirent)(unsafe.Pointer(&b[0]))
	if n != 24 || h.Ino != 7 || h.Off != 8 || h.Reclen != 24 || h.Type != DT_REG || string(b[19:24]) != "abc\x00\x00" || b[24] != 1 {
		t.Errorf("%d %x", n, b)
	}
	if d.Encode64(b[:23]) != 0 || d.Encode(b[:23]) != 0 {
		t.Error("fits into too little")
	}
	if n := d.Encode(b); n != 24 || string(b[18:24]) != "abc\x00\x00\x08" {
		t.Errorf("%d %x", n, b)
	}
	if DirentType(S_IFDIR|0o755) != DT_DIR || DirentType(S_IFSOCK) != DT_SOCK {
		t.Error("types")
	}
}

func TestStatx(t *testing.T) {
	st := Stat{Dev: Mkdev(8, 1), Ino: 2, Nlink: 3, Mode: S_IFREG | 0o644, UID: 5, GID: 6, Size: 8, Blksize: 9, Blocks: 10,
		Atime: Timespec{11, 12}, Mtime: Timespec{13, 14}, Ctime: Timespec{15, 16}, Btime: Timespec{17, 18}, Mount: 19}
	b := make([]byte, StatxSize)
	st.EncodeStatx(b, STATX_BASIC_STATS|STATX_BTIME)
	if get32(b) != STATX_BASIC_STATS|STATX_BTIME || get32(b[136:]) != 8 || get32(b[140:]) != 1 || get64(b[80:]) != 17 || get64(b[112:]) != 13 || get64(b[144:]) != 0 {
		t.Errorf("%x", b)
	}
}

func TestNumbers(t *testing.T) {
	for _, n := range [][2]int{
		{O_APPEND, syscall.O_APPEND}, {O_NONBLOCK, syscall.O_NONBLOCK}, {O_CLOEXEC, syscall.O_CLOEXEC}, {O_SYNC, syscall.O_SYNC},
		{O_DIRECTORY, syscall.O_DIRECTORY}, {O_NOFOLLOW, syscall.O_NOFOLLOW}, {O_DIRECT, syscall.O_DIRECT}, {O_DSYNC, syscall.O_DSYNC},
		{O_CREAT, syscall.O_CREAT}, {O_EXCL, syscall.O_EXCL}, {O_TRUNC, syscall.O_TRUNC}, {O_NOCTTY, syscall.O_NOCTTY}, {O_ASYNC, syscall.O_ASYNC},
		{F_DUPFD_CLOEXEC, syscall.F_DUPFD_CLOEXEC}, {F_SETLKW, syscall.F_SETLKW}, {F_SETOWN, syscall.F_SETOWN}, {F_GETLEASE, syscall.F_GETLEASE},
		{EPOLLEXCLUSIVE, 1 << 28}, {EPOLLET, 1 << 31}, {EPOLLONESHOT, syscall.EPOLLONESHOT}, {EPOLL_CTL_MOD, syscall.EPOLL_CTL_MOD}, {POLLRDHUP, syscall.EPOLLRDHUP},
		{S_IFIFO, syscall.S_IFIFO}, {S_IFBLK, syscall.S_IFBLK}, {S_IFCHR, syscall.S_IFCHR}, {DT_LNK, syscall.DT_LNK}, {AT_FDCWD, -100}, {LOCK_UN, syscall.LOCK_UN},
	} {
		if n[0] != n[1] {
			t.Errorf("%#o, want %#o", n[0], n[1])
		}
	}
}
