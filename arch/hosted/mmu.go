package hosted

import (
	"sync/atomic"
	"unsafe"

	"mult/arch"
	"mult/kern/mem"
)

// Flush makes all simulated processors forget translations of root.
func (m *Machine) Flush(root uint64) {
	m.Flushes.Add(1)
	m.translations.Lock()
	m.flushed[root]++
	m.translations.Unlock()
}

// FlushPage makes them forget that of one page.
func (m *Machine) FlushPage(root uint64, va uintptr) {
	m.PageFlushes.Add(1)
	m.translations.Lock()
	m.flushedPage[page{root, uint64(va) / arch.PageSize}]++
	m.translations.Unlock()
}

// Retire is Flush: no simulated processor uses root any more.
func (m *Machine) Retire(root uint64) {
	m.Retires.Add(1)
	m.translations.Lock()
	m.flushed[root]++
	m.translations.Unlock()
}

// A CPU is a simulated processor: it reads and writes memory as a program
// does, through page tables, and keeps translations until they are flushed. A
// goroutine has it for itself.
type CPU struct {
	m     *Machine
	cache map[page]translation
}

type page struct{ root, number uint64 }

type translation struct{ entry, epoch uint64 }

// NewCPU returns a processor without translations.
func (m *Machine) NewCPU() *CPU { return &CPU{m, make(map[page]translation)} }

// Load reads the byte at va. If that faults it returns the error code that a
// page fault would have.
func (c *CPU) Load(root, va uint64) (b byte, code uint64, ok bool) {
	code, ok = c.access(root, va, 0, func(p *[arch.PageSize]byte) {
		b = byte(atomic.LoadUint32(word(p, va)) >> (va & 3 * 8))
	})
	return b, code, ok
}

// Store writes the byte at va.
func (c *CPU) Store(root, va uint64, b byte) (code uint64, ok bool) {
	return c.access(root, va, arch.FaultWrite, func(p *[arch.PageSize]byte) {
		for w, shift := word(p, va), va&3*8; ; {
			old := atomic.LoadUint32(w)
			if atomic.CompareAndSwapUint32(w, old, old&^(0xff<<shift)|uint32(b)<<shift) {
				return
			}
		}
	})
}

// Fetch pretends to execute at va.
func (c *CPU) Fetch(root, va uint64) (code uint64, ok bool) {
	return c.access(root, va, arch.FaultExec, func(*[arch.PageSize]byte) {})
}

func word(p *[arch.PageSize]byte, va uint64) *uint32 {
	return (*uint32)(unsafe.Pointer(&p[va%arch.PageSize&^3]))
}

// access calls f with the page at va if its entry permits the access.
func (c *CPU) access(root, va, need uint64, f func(p *[arch.PageSize]byte)) (code uint64, ok bool) {
	m := c.m
	m.translations.RLock()
	defer m.translations.RUnlock()
	key := page{root, va / arch.PageSize}
	epoch := m.flushed[root] + m.flushedPage[key]
	t, cached := c.cache[key]
	if !cached || t.epoch != epoch {
		t = translation{m.walk(root, va), epoch}
	}
	code = arch.FaultUser | need
	if t.entry&arch.PagePresent == 0 {
		return code, false
	}
	c.cache[key] = t
	if t.entry&arch.PageUser == 0 || need == arch.FaultWrite && t.entry&arch.PageWrite == 0 ||
		need == arch.FaultExec && t.entry&arch.PageNoExec != 0 {
		delete(c.cache, key) // as a page fault does
		return code | arch.FaultPresent, false
	}
	f((*[arch.PageSize]byte)(unsafe.Pointer(&m.ram[t.entry&arch.PageAddr])))
	return 0, true
}

// walk returns the last entry for va, with the permissions that all levels
// have in common; 0 if there is none.
func (m *Machine) walk(root, va uint64) uint64 {
	table := root
	all := uint64(arch.PageWrite | arch.PageUser)
	for shift := 39; ; shift -= 9 {
		e := atomic.LoadUint64(&m.memory.Table(mem.PA(table))[va>>shift&511])
		if e&arch.PagePresent == 0 {
			return 0
		}
		all &= e
		if shift == 12 {
			return e&^(arch.PageWrite|arch.PageUser) | all
		}
		table = e & arch.PageAddr
	}
}
