//go:build long

package kern

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"mult/tools/host/hosttest"
)

// TestLongCallFuzz plays random programs, each named after its seed.
func TestLongCallFuzz(t *testing.T) {
	image := rootImage(t)
	plays := 0
	for end := time.Now().Add(hosttest.Long(t)); time.Now().Before(end) && !t.Failed(); plays++ {
		seed := rand.Uint64()
		t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, image, random(seed, 400_000)) })
	}
	t.Logf("%d plays", plays)
}

// TestLongAdversary has many fights, one after the other.
func TestLongAdversary(t *testing.T) {
	fights := 0
	for end := time.Now().Add(hosttest.Long(t)); time.Now().Before(end) && !t.Failed(); fights++ {
		fight(t, adversaryCalls)
	}
	t.Logf("%d fights of %d calls", fights, adversaryCalls)
}
