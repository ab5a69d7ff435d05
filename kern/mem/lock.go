package mem

import _ "unsafe" // linkname

// procyield spins for about that many PAUSE instructions.
//
//go:linkname procyield runtime.procyield
func procyield(cycles uint32)

// lock pins before it takes the lock. Were the holder preempted, the system
// stack that runs next on its CPU could spin for it for ever.
//
//go:nosplit
func (p *Pool) lock() {
	pin()
	for !p.state.CompareAndSwap(0, 1) {
		for p.state.Load() != 0 {
			procyield(20)
		}
	}
}

//go:nosplit
func (p *Pool) unlock() {
	p.state.Store(0)
	unpin()
}
