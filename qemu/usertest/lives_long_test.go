//go:build long

package usertest

import (
	"math/rand/v2"
	"testing"
	"time"

	"mult/tools/host/hosttest"
)

// TestLongLives is TestLives with 10,000 operations, or as many as there is time for.
func TestLongLives(t *testing.T) {
	limit := hosttest.Long(t)
	seed := rand.IntN(1 << 30)
	t.Logf("seed %d", seed)
	manyLives(t, max(10000, int(limit.Seconds())*20), seed, limit+20*time.Minute)
}
