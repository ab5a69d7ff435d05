package event

import (
	"sync/atomic"
	"testing"

	"mult/inst"
	"mult/kern/file"
	"mult/kern/internal/proctest"
)

// kernel is a proctest.Kernel whose clocks the test moves.
type kernel struct {
	*proctest.Kernel
	clock  atomic.Int64 // the monotonic clock, which stands still by itself
	offset atomic.Int64 // of the clock of the wall
}

func newKernel(tb testing.TB) *kernel {
	tb.Helper()
	k := new(kernel)
	k.Kernel = proctest.New(tb, k.clock.Load, []inst.Member{file.Member, Member(k.wall)}, file.Part)
	return k
}

func (k *kernel) wall(*inst.Inst) int64 { return k.clock.Load() + k.offset.Load() }
