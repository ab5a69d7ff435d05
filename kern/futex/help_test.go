package futex

import (
	"testing"

	"mult/inst"
	"mult/kern/file"
	"mult/kern/internal/proctest"
)

// kernel is a proctest.Kernel with futexes.
type kernel struct{ *proctest.Kernel }

func newKernel(tb testing.TB) *kernel {
	tb.Helper()
	return &kernel{proctest.New(tb, nil, []inst.Member{file.Member, Member}, file.Part, Part)}
}
