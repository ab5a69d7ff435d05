//go:build long

package usertest

import (
	"testing"
	"time"

	"mult/qemu"
	"mult/tools/host/hosttest"
)

// TestLongDemo runs the demo as make demo does.
func TestLongDemo(t *testing.T) {
	hosttest.Long(t)
	demo(t, 1000, 4096*qemu.MiB, 30*time.Minute)
}
