//go:build tamago

package amd64

import (
	"sync/atomic"
	_ "unsafe" // linkname
)

// shootGen counts shootdowns; a processor copies it to CPU.shot when it has
// forgotten all translations, so a later one serves all earlier.
var (
	shootGen  uint64
	shootLock spin
)

// shootdown makes all other processors forget the translations of the kernel.
// The caller has flushed its own, can't be moved, and takes interrupts.
func shootdown() {
	n := atomic.LoadUint32(&ncpu)
	if n == 1 {
		return
	}
	self := thisCPU()
	shootLock.lock()
	gen := atomic.AddUint64(&shootGen, 1)
	for _, c := range cpus[:n] {
		if c != self {
			c.sendIPI(vecShoot)
		}
	}
	for _, c := range cpus[:n] {
		for c != self && atomic.LoadUint64(&c.shot) < gen {
			procyield(10)
		}
	}
	shootLock.unlock()
}

// spin is a lock for the system stack, where nothing is preempted. Interrupts
// stay on: a processor that spins still takes part in a shootdown.
type spin struct{ v uint32 }

func (l *spin) lock() {
	for !atomic.CompareAndSwapUint32(&l.v, 0, 1) {
		procyield(10)
	}
}

func (l *spin) unlock() { atomic.StoreUint32(&l.v, 0) }

//go:linkname procyield runtime.procyield
func procyield(cycles uint32)
