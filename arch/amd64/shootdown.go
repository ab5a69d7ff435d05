//go:build tamago

package amd64

import (
	"sync/atomic"
	_ "unsafe" // linkname
)

// shootdown makes all other processors forget the translations of the kernel.
// The caller has flushed its own, can't be moved, and takes interrupts.
func shootdown() {
	if atomic.LoadUint32(&ncpu) > 1 {
		shoot(thisCPU(), func(*CPU) bool { return true })
	}
}

// shootdownRoot does so on those that have the page table at root loaded, or
// are about to load another one.
func shootdownRoot(self *CPU, root uint64) {
	if atomic.LoadUint32(&ncpu) > 1 {
		shoot(self, func(c *CPU) bool { r := atomic.LoadUint64(&c.root); return r == root || r == changing })
	}
}

// changing is CPU.root while CR3 is being loaded.
const changing = ^uint64(0)

// shoot asks the processors that which chooses, and waits for them. Each
// counts requests and, when it flushes, notes how many it has seen; so several
// may ask at once, and one flush may answer several.
func shoot(self *CPU, which func(c *CPU) bool) {
	var want [MaxCPUs]uint64
	n := NumCPU()
	for i, c := range cpus[:n] {
		if c != self && which(c) {
			want[i] = atomic.AddUint64(&c.shootWant, 1)
			c.sendIPI(vecShoot)
		}
	}
	for i, c := range cpus[:n] {
		for atomic.LoadUint64(&c.shootDone) < want[i] {
			procyield(10)
		}
	}
}

//go:linkname procyield runtime.procyield
func procyield(cycles uint32)
