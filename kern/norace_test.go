//go:build !race

package kern

// adversaryCalls is how many calls TestAdversary makes.
const adversaryCalls = 1_000_000
