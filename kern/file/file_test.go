package file

import (
	"math"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/vm"
)

func TestReadWrite(t *testing.T) {
	k := newKernel(t)
	m := &mem{}
	f := open(t, k.in, m, abi.O_RDWR|abi.O_CREAT|abi.O_CLOEXEC)
	if got := f.Flags(); got != abi.O_RDWR {
		t.Errorf("flags %#o", got)
	}
	write := func(f *File, s string) {
		t.Helper()
		if n, err := f.Write(k.t, vm.KernelUio([]byte(s))); n != len(s) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	write(f, "hello")
	write(f, " world")
	if pos, err := f.Seek(k.t, 4, abi.SEEK_SET); pos != 4 || err != nil {
		t.Fatal(pos, err)
	}
	b := make([]byte, 4)
	if n, err := f.Read(k.t, vm.KernelUio(b)); n != 4 || err != nil || string(b) != "o wo" {
		t.Fatalf("%d, %v, %q", n, err, b)
	}
	if n, err := f.Pread(k.t, vm.KernelUio(b), 9); n != 2 || err != nil || string(b[:2]) != "ld" {
		t.Fatalf("%d, %v, %q", n, err, b)
	}
	if f.Pos() != 8 {
		t.Errorf("pread moved the position to %d", f.Pos())
	}
	if n, err := f.Pwrite(k.t, vm.KernelUio([]byte("HE")), 0); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	// O_APPEND: to the end, whatever the position, pwrite too.
	if err := f.SetFlags(k.t, abi.O_APPEND|abi.O_WRONLY|abi.O_CREAT); err != nil {
		t.Fatal(err)
	}
	if got := f.Flags(); got != abi.O_RDWR|abi.O_APPEND {
		t.Errorf("flags %#o", got)
	}
	write(f, "!")
	if f.Pos() != 12 {
		t.Errorf("position after append %d", f.Pos())
	}
	f.Seek(k.t, 1, abi.SEEK_SET)
	if n, err := f.Pwrite(k.t, vm.KernelUio([]byte("?")), 0); n != 1 || err != nil || f.Pos() != 1 {
		t.Fatal(n, err, f.Pos())
	}
	if got := string(m.data); got != "HEllo world!?" {
		t.Errorf("content %q", got)
	}
	f.Release()
	if m.released != 1 {
		t.Errorf("released %d times", m.released)
	}
}

func TestErrors(t *testing.T) {
	k := newKernel(t)
	u := func() *vm.Uio { return vm.KernelUio(make([]byte, 1)) }
	rd := open(t, k.in, &mem{data: make([]byte, 10)}, abi.O_RDONLY)
	wr := open(t, k.in, &mem{}, abi.O_WRONLY)
	none := open(t, k.in, &mem{}, abi.O_ACCMODE)
	path := open(t, k.in, &mem{}, abi.O_PATH|abi.O_RDWR|abi.O_NONBLOCK)
	st := open(t, k.in, &stream{}, abi.O_RDWR)
	err2 := func(_ any, err error) error { return err }
	tests := []struct {
		name      string
		got, want error
	}{
		{"read of O_WRONLY", err2(wr.Read(k.t, u())), errno.EBADF},
		{"write of O_RDONLY", err2(rd.Write(k.t, u())), errno.EBADF},
		{"read of mode 3", err2(none.Read(k.t, u())), errno.EBADF},
		{"write of mode 3", err2(none.Write(k.t, u())), errno.EBADF},
		{"read of O_PATH", err2(path.Read(k.t, u())), errno.EBADF},
		{"write of O_PATH", err2(path.Write(k.t, u())), errno.EBADF},
		{"seek of O_PATH", err2(path.Seek(k.t, 0, 0)), errno.EBADF},
		{"ioctl of O_PATH", err2(path.Ioctl(k.t, 1, 0)), errno.EBADF},
		{"F_SETFL of O_PATH", path.SetFlags(k.t, 0), errno.EBADF},
		{"pread of a stream", err2(st.Pread(k.t, u(), 0)), errno.ESPIPE},
		{"pwrite of a stream", err2(st.Pwrite(k.t, u(), 0)), errno.ESPIPE},
		{"pread below 0", err2(st.Pread(k.t, u(), -1)), errno.EINVAL},
		{"pread at the end of numbers", err2(rd.Pread(k.t, u(), math.MaxInt64)), errno.EINVAL},
		{"pread of O_WRONLY", err2(wr.Pread(k.t, u(), 0)), errno.EBADF},
		{"pwrite of O_RDONLY", err2(rd.Pwrite(k.t, u(), 0)), errno.EBADF},
		{"seek of a stream", err2(st.Seek(k.t, 0, 0)), errno.ESPIPE},
		{"seek whence", err2(rd.Seek(k.t, 0, 5)), errno.EINVAL},
		{"seek whence -1", err2(rd.Seek(k.t, 0, -1)), errno.EINVAL},
		{"seek below 0", err2(rd.Seek(k.t, -11, abi.SEEK_END)), errno.EINVAL},
		{"seek far", err2(rd.Seek(k.t, math.MaxInt64, abi.SEEK_END)), errno.EOVERFLOW},
		{"seek to data", err2(rd.Seek(k.t, 10, abi.SEEK_DATA)), errno.ENXIO},
		{"seek to a hole below 0", err2(rd.Seek(k.t, -1, abi.SEEK_HOLE)), errno.ENXIO},
		{"error of the Impl", err2(st.Write(k.t, u())), errno.EIO},
		{"ioctl", err2(rd.Ioctl(k.t, 1, 0)), errno.ENOTTY},
		{"truncate of what can't", st.Truncate(k.t, 0), errno.EINVAL},
		{"truncate below 0", rd.Truncate(k.t, -1), errno.EINVAL},
		{"fallocate of O_RDONLY", rd.Allocate(k.t, 0, 0, 1), errno.EBADF},
		{"fallocate of a stream", st.Allocate(k.t, 0, 0, 1), errno.ESPIPE},
		{"fallocate of nothing", wr.Allocate(k.t, 0, 0, 0), errno.EINVAL},
		{"fallocate far", wr.Allocate(k.t, 0, math.MaxInt64, 1), errno.EFBIG},
		{"fallocate of what can't", wr.Allocate(k.t, 0, 0, 1), errno.ENODEV},
		{"fsync", st.Sync(k.t, false), errno.EINVAL},
		{"getdents", st.ReadDir(k.t, nil), errno.ENOTDIR},
		{"mmap", err2(rd.Object(k.t, vm.Read, false)), errno.ENODEV},
		{"mmap of O_WRONLY", err2(wr.Object(k.t, vm.Read, false)), errno.EACCES},
		{"mmap shared for writing of O_RDONLY", err2(rd.Object(k.t, vm.Write, true)), errno.EACCES},
		{"mmap of O_PATH", err2(path.Object(k.t, vm.Read, false)), errno.EBADF},
		{"flock", rd.Flock(k.t, 0), errno.EINVAL},
		{"flock of O_PATH", path.Flock(k.t, abi.LOCK_SH), errno.EBADF},
	}
	for _, tt := range tests {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if path.Flags() != abi.O_PATH {
		t.Errorf("flags of O_PATH %#o", path.Flags())
	}
	if st.Poll() != AlwaysReady {
		t.Errorf("poll %#x", st.Poll())
	}
	st.SetNonblock(k.t, true)
	if !st.Nonblock() {
		t.Error("FIONBIO does nothing")
	}
	st.SetNonblock(k.t, false)
	if st.Nonblock() {
		t.Error("FIONBIO is never off")
	}
	if pos, err := rd.Seek(k.t, 3, abi.SEEK_HOLE); pos != 10 || err != nil {
		t.Error(pos, err)
	}
}

func TestFileCharge(t *testing.T) {
	k := newKernel(t)
	used := k.in.Used(inst.Heap)
	f := open(t, k.in, &mem{}, 0)
	if k.in.Used(inst.Heap) == used {
		t.Error("a file costs nothing")
	}
	k.in.SetLimit(inst.Heap, k.in.Used(inst.Heap))
	if _, err := New(k.in, &mem{}, 0); err != errno.ENFILE {
		t.Errorf("beyond the limit: %v", err)
	}
	f.Release()
	if got := k.in.Used(inst.Heap); got != used {
		t.Errorf("heap %d, before %d", got, used)
	}
}

func TestHooks(t *testing.T) {
	k := newKernel(t)
	f := open(t, k.in, &mem{}, 0)
	ran := ""
	a, b, c := &Hook{F: func() { ran += "a" }}, &Hook{F: func() { ran += "b" }}, &Hook{F: func() { ran += "c" }}
	for _, h := range []*Hook{a, b, c} {
		if !f.AddHook(h) {
			t.Fatal("AddHook")
		}
	}
	if !f.RemoveHook(b) || f.RemoveHook(b) {
		t.Error("RemoveHook")
	}
	f.Retain()
	f.Release()
	if ran != "" {
		t.Error("ran too early")
	}
	f.Release()
	if ran != "ca" || f.RemoveHook(a) || f.AddHook(b) || f.TryRetain() {
		t.Error(ran)
	}
}
