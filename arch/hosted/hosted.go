// Package hosted serves the machine interface on a host system: RAM is an
// anonymous mapping, programs are played by a function that a test supplies.
// It is for tests, and for the kernel as a library.
package hosted

import (
	"crypto/rand"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"mult/arch"
	"mult/kern/mem"
)

// Machine is an arch.Machine in the memory of a host process.
type Machine struct {
	// User plays the program: Run calls it with the registers, and what it
	// leaves in c.Trap is why it came back. Set before the first Run.
	User func(c *arch.Context)

	// Counters of calls.
	Flushes, PageFlushes, Retires, Kicks atomic.Int64

	made   time.Time // [const]
	ram    []byte    // [const]
	pool   mem.Pool
	memory *mem.Memory // [const]

	mu      sync.Mutex                      // leaf
	running map[*arch.Context]chan struct{} // [mu] the Runs that are going on

	// translations is held, shared, by every access of a simulated processor,
	// so that Flush returns when none uses an older translation.
	translations sync.RWMutex
	flushed      map[uint64]uint64 // [translations] by root: how often
	flushedPage  map[page]uint64   // [translations]
}

// New returns a machine with that much RAM, none of it in use.
func New(ramBytes int) *Machine {
	size := (ramBytes + arch.PageSize - 1) &^ (arch.PageSize - 1)
	ram, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE|syscall.MAP_NORESERVE)
	if err != nil {
		panic("hosted: no memory for RAM: " + err.Error())
	}
	m := &Machine{made: time.Now(), ram: ram, running: make(map[*arch.Context]chan struct{}), flushed: make(map[uint64]uint64), flushedPage: make(map[page]uint64)}
	limit := mem.PA(size)
	m.pool.Init(make([]uint64, mem.MetaBytes(limit)/8), limit)
	m.pool.AddRegion(0, limit)
	m.memory = mem.NewMemory(&m.pool, m.Base(), make([]atomic.Int32, size/arch.PageSize))
	return m
}

// Close gives the RAM back to the host. Nothing may use the machine any more.
func (m *Machine) Close() {
	if err := syscall.Munmap(m.ram); err != nil {
		panic("hosted: munmap: " + err.Error())
	}
}

// Memory returns the RAM as frames with counts.
func (m *Machine) Memory() *mem.Memory { return m.memory }

// Base returns the address of the RAM.
func (m *Machine) Base() unsafe.Pointer { return unsafe.Pointer(&m.ram[0]) }

// CPUs returns 2: tests are to meet what two processors can do.
func (m *Machine) CPUs() int { return 2 }

// CPU returns 0.
func (m *Machine) CPU() int { return 0 }

// InitRoot marks the first entry of the kernel's half, so that a test sees if
// someone changes it.
func (m *Machine) InitRoot(root uint64) {
	m.memory.Table(mem.PA(root))[256] = kernelHalf
}

const kernelHalf = arch.PageSoft1 // not present

// Run lets User play the program with registers c.
func (m *Machine) Run(c *arch.Context) {
	if m.User == nil {
		panic("hosted: Run without a User function")
	}
	kick := make(chan struct{}, 1)
	m.mu.Lock()
	m.running[c] = kick
	m.mu.Unlock()
	c.Entered = m.Ticks()
	m.User(c)
	c.Left = m.Ticks()
	m.mu.Lock()
	delete(m.running, c)
	m.mu.Unlock()
}

// Ticks is the counter of a Context's Entered and Left, in nanoseconds.
func (m *Machine) Ticks() int64 { return int64(time.Since(m.made)) }

// AVX makes tests see the larger state.
func (m *Machine) AVX() bool { return true }

// Settle has nothing to do: there are no registers but those in c.
func (m *Machine) Settle(c *arch.Context) {}

// Kick makes Kicked(c) readable if a Run(c) is going on.
func (m *Machine) Kick(c *arch.Context) {
	m.Kicks.Add(1)
	m.mu.Lock()
	kick := m.running[c]
	m.mu.Unlock()
	select {
	case kick <- struct{}{}:
	default:
	}
}

// Kicked is for User functions: the channel tells that Run(c) should return
// with arch.TrapInterrupt.
func (m *Machine) Kicked(c *arch.Context) <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running[c]
}

// Random fills b from the host's source.
func (m *Machine) Random(b []byte) { rand.Read(b) }
