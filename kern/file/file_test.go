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
	f := open(t, k.In, m, abi.O_RDWR|abi.O_CREAT|abi.O_CLOEXEC)
	if got := f.Flags(); got != abi.O_RDWR {
		t.Errorf("flags %#o", got)
	}
	write := func(f *File, s string) {
		t.Helper()
		if n, err := f.Write(k.T, vm.KernelUio([]byte(s))); n != len(s) || err != nil {
			t.Fatalf("write: %d, %v", n, err)
		}
	}
	write(f, "hello")
	write(f, " world")
	if pos, err := f.Seek(k.T, 4, abi.SEEK_SET); pos != 4 || err != nil {
		t.Fatal(pos, err)
	}
	b := make([]byte, 4)
	if n, err := f.Read(k.T, vm.KernelUio(b)); n != 4 || err != nil || string(b) != "o wo" {
		t.Fatalf("%d, %v, %q", n, err, b)
	}
	if n, err := f.Pread(k.T, vm.KernelUio(b), 9); n != 2 || err != nil || string(b[:2]) != "ld" {
		t.Fatalf("%d, %v, %q", n, err, b)
	}
	if f.Pos() != 8 {
		t.Errorf("pread moved the position to %d", f.Pos())
	}
	if n, err := f.Pwrite(k.T, vm.KernelUio([]byte("HE")), 0); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if err := f.SetFlags(k.T, abi.O_DIRECT); err != errno.EINVAL {
		t.Errorf("O_DIRECT of what can't: %v", err)
	}
	if _, err := New(k.In, &mem{}, abi.O_RDWR|abi.O_DIRECT); err != errno.EINVAL {
		t.Errorf("new file with O_DIRECT: %v", err)
	}
	// O_APPEND: to the end, whatever the position, pwrite too.
	if err := f.SetFlags(k.T, abi.O_APPEND|abi.O_WRONLY|abi.O_CREAT); err != nil {
		t.Fatal(err)
	}
	if got := f.Flags(); got != abi.O_RDWR|abi.O_APPEND {
		t.Errorf("flags %#o", got)
	}
	write(f, "!")
	if f.Pos() != 12 {
		t.Errorf("position after append %d", f.Pos())
	}
	f.Seek(k.T, 1, abi.SEEK_SET)
	if n, err := f.Pwrite(k.T, vm.KernelUio([]byte("?")), 0); n != 1 || err != nil || f.Pos() != 1 {
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
	rd := open(t, k.In, &mem{data: make([]byte, 10)}, abi.O_RDONLY)
	wr := open(t, k.In, &mem{}, abi.O_WRONLY)
	none := open(t, k.In, &mem{}, abi.O_ACCMODE)
	path := open(t, k.In, &mem{}, abi.O_PATH|abi.O_RDWR|abi.O_NONBLOCK)
	st := open(t, k.In, &stream{}, abi.O_RDWR)
	err2 := func(_ any, err error) error { return err }
	tests := []struct {
		name      string
		got, want error
	}{
		{"read of O_WRONLY", err2(wr.Read(k.T, u())), errno.EBADF},
		{"write of O_RDONLY", err2(rd.Write(k.T, u())), errno.EBADF},
		{"read of mode 3", err2(none.Read(k.T, u())), errno.EBADF},
		{"write of mode 3", err2(none.Write(k.T, u())), errno.EBADF},
		{"read of O_PATH", err2(path.Read(k.T, u())), errno.EBADF},
		{"write of O_PATH", err2(path.Write(k.T, u())), errno.EBADF},
		{"seek of O_PATH", err2(path.Seek(k.T, 0, 0)), errno.EBADF},
		{"ioctl of O_PATH", err2(path.Ioctl(k.T, 1, 0)), errno.EBADF},
		{"F_SETFL of O_PATH", path.SetFlags(k.T, 0), errno.EBADF},
		{"pread of a stream", err2(st.Pread(k.T, u(), 0)), errno.ESPIPE},
		{"pwrite of a stream", err2(st.Pwrite(k.T, u(), 0)), errno.ESPIPE},
		{"pread below 0", err2(st.Pread(k.T, u(), -1)), errno.EINVAL},
		{"pread at the end of numbers", err2(rd.Pread(k.T, u(), math.MaxInt64)), errno.EINVAL},
		{"pread of O_WRONLY", err2(wr.Pread(k.T, u(), 0)), errno.EBADF},
		{"pwrite of O_RDONLY", err2(rd.Pwrite(k.T, u(), 0)), errno.EBADF},
		{"seek of a stream", err2(st.Seek(k.T, 0, 0)), errno.ESPIPE},
		{"seek whence", err2(rd.Seek(k.T, 0, 5)), errno.EINVAL},
		{"seek whence -1", err2(rd.Seek(k.T, 0, -1)), errno.EINVAL},
		{"seek below 0", err2(rd.Seek(k.T, -11, abi.SEEK_END)), errno.EINVAL},
		{"seek far", err2(rd.Seek(k.T, math.MaxInt64, abi.SEEK_END)), errno.EOVERFLOW},
		{"seek to data", err2(rd.Seek(k.T, 10, abi.SEEK_DATA)), errno.ENXIO},
		{"seek to a hole below 0", err2(rd.Seek(k.T, -1, abi.SEEK_HOLE)), errno.ENXIO},
		{"error of the Impl", err2(st.Write(k.T, u())), errno.EIO},
		{"ioctl", err2(rd.Ioctl(k.T, 1, 0)), errno.ENOTTY},
		{"truncate of what can't", st.Truncate(k.T, 0), errno.EINVAL},
		{"truncate below 0", rd.Truncate(k.T, -1), errno.EINVAL},
		{"fallocate of O_RDONLY", rd.Allocate(k.T, 0, 0, 1), errno.EBADF},
		{"fallocate of a stream", st.Allocate(k.T, 0, 0, 1), errno.ESPIPE},
		{"fallocate of nothing", wr.Allocate(k.T, 0, 0, 0), errno.EINVAL},
		{"fallocate far", wr.Allocate(k.T, 0, math.MaxInt64, 1), errno.EFBIG},
		{"fallocate of what can't", wr.Allocate(k.T, 0, 0, 1), errno.ENODEV},
		{"fsync", st.Sync(k.T, false), errno.EINVAL},
		{"getdents", st.ReadDir(k.T, nil), errno.ENOTDIR},
		{"mmap", err2(rd.Object(k.T, vm.Read, false)), errno.ENODEV},
		{"mmap of O_WRONLY", err2(wr.Object(k.T, vm.Read, false)), errno.EACCES},
		{"mmap shared for writing of O_RDONLY", err2(rd.Object(k.T, vm.Write, true)), errno.EACCES},
		{"mmap of O_PATH", err2(path.Object(k.T, vm.Read, false)), errno.EBADF},
		{"flock", rd.Flock(k.T, 0), errno.EINVAL},
		{"flock of O_PATH", path.Flock(k.T, abi.LOCK_SH), errno.EBADF},
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
	st.SetNonblock(k.T, true)
	if !st.Nonblock() {
		t.Error("FIONBIO does nothing")
	}
	st.SetNonblock(k.T, false)
	if st.Nonblock() {
		t.Error("FIONBIO is never off")
	}
	if pos, err := rd.Seek(k.T, 3, abi.SEEK_HOLE); pos != 10 || err != nil {
		t.Error(pos, err)
	}
}

func TestFileCharge(t *testing.T) {
	k := newKernel(t)
	used := k.In.Used(inst.Heap)
	f := open(t, k.In, &mem{}, 0)
	if k.In.Used(inst.Heap) == used {
		t.Error("a file costs nothing")
	}
	k.In.SetLimit(inst.Heap, k.In.Used(inst.Heap))
	if _, err := New(k.In, &mem{}, 0); err != errno.ENFILE {
		t.Errorf("beyond the limit: %v", err)
	}
	f.Release()
	if got := k.In.Used(inst.Heap); got != used {
		t.Errorf("heap %d, before %d", got, used)
	}
}

func TestHooks(t *testing.T) {
	k := newKernel(t)
	f := open(t, k.In, &mem{}, 0)
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
