package pipe

import (
	"testing"

	"mult/inst"
	"mult/kern/file"
	"mult/kern/internal/proctest"
)

func newKernel(tb testing.TB) *proctest.Kernel {
	tb.Helper()
	return proctest.New(tb, nil, []inst.Member{file.Member}, file.Part)
}
