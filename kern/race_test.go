//go:build race

package kern

// adversaryCalls is how many calls TestAdversary makes: the race detector makes each ten
// times as slow.
const adversaryCalls = 50_000
