package file

import (
	"sync"
	"testing"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/internal/proctest"
	"mult/kern/proc"
	"mult/kern/vm"
)

func newKernel(tb testing.TB) *proctest.Kernel {
	tb.Helper()
	return proctest.New(tb, nil, []inst.Member{Member}, Part)
}

// mem is an Impl: a file in memory, which counts what happens to it.
type mem struct {
	mu       sync.Mutex
	data     []byte
	released int
}

func (m *mem) Read(_ *proc.Thread, f *File, u *vm.Uio, off int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if off < int64(len(m.data)) {
		_, err := u.CopyOut(m.data[off:])
		return err
	}
	return nil
}

func (m *mem) Write(_ *proc.Thread, f *File, u *vm.Uio, off int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	app := off == Append
	if app {
		off = int64(len(m.data))
	}
	for int64(len(m.data)) < off+int64(u.Len()) {
		m.data = append(m.data, 0)
	}
	n, err := u.CopyIn(m.data[off : off+int64(u.Len())])
	if app {
		f.Appended(off + int64(n))
	}
	return err
}

func (m *mem) Release(*File) {
	m.mu.Lock()
	m.released++
	m.mu.Unlock()
}

func (m *mem) Stat(*proc.Thread) (abi.Stat, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return abi.Stat{Mode: abi.S_IFREG | 0o644, Size: int64(len(m.data))}, nil
}

func (m *mem) Seek(_ *proc.Thread, pos, off int64, whence int) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return SeekTo(pos, off, whence, int64(len(m.data)))
}

func (m *mem) LockKey() any { return m }

// stream is an Impl that can do nothing but move no bytes.
type stream struct{ released int }

func (s *stream) Read(*proc.Thread, *File, *vm.Uio, int64) error { return nil }
func (s *stream) Write(_ *proc.Thread, _ *File, u *vm.Uio, _ int64) error {
	return errno.EIO
}
func (s *stream) Release(*File)                       { s.released++ }
func (s *stream) Stat(*proc.Thread) (abi.Stat, error) { return abi.Stat{Mode: abi.S_IFIFO}, nil }

func open(tb testing.TB, in *inst.Inst, impl Impl, flags int) *File {
	tb.Helper()
	f, err := New(in, impl, flags)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func setLimit(tb testing.TB, t *proc.Thread, n uint64) {
	tb.Helper()
	if _, err := t.Prlimit(0, proc.RLIMIT_NOFILE, &proc.Rlimit{Cur: n, Max: n}); err != nil {
		tb.Fatal(err)
	}
}
