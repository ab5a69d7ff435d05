//go:build !tamago

// What the scheduler's edits call on other systems.

package runtime

func maxProcs(n int) int                  { return n }
func leaveCPU(gp *g)                      {}
func enterCPU(gp *g)                      {}
func irqPoll()                            {}
func handOff(pp *p, spinning bool) bool   { return false }
func handedP(mp *m) *p                    { return nil }
func handedIdle(mp *m) bool               { return false }
func startOldM(pp *p) (id int64, ok bool) { return -1, false }
