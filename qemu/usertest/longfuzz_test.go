//go:build long

package usertest

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"mult/tools/host/hosttest"
)

// TestLongCallFuzz makes random system calls.
func TestLongCallFuzz(t *testing.T) { longFuzz(t, "callfuzz") }

// TestLongExecFuzz executes changed programs.
func TestLongExecFuzz(t *testing.T) { longFuzz(t, "execfuzz") }

func longFuzz(t *testing.T, program string) {
	seed := uint64(rand.Uint32())
	if s := os.Getenv(seedVariable); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	t.Logf("seed %d", seed)
	t.Run(program, func(t *testing.T) { fuzzGuest(t, program, hosttest.Long(t), seed) })
}
