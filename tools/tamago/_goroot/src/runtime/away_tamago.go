//go:build tamago

// How long goroutines are without a processor: asleep, or ready while others run. The
// kernel charges a thread for the time that passes in it, but not for that.

package runtime

// Away returns how long the calling goroutine has had no processor, in ticks of the
// processors' counter (RDTSC). Differences count: it may not begin at 0.
//
//go:nosplit
func Away() int64 { return getg().away }

// leaveCPU is called when gp is about to give up its processor.
//
//go:nosplit
func leaveCPU(gp *g) { gp.left = cputicks() }

// enterCPU is called when gp is about to get one.
//
//go:nosplit
func enterCPU(gp *g) { gp.away += cputicks() - gp.left }
