//go:build tamago

package amd64

import (
	"fmt"
	"runtime"
	"sync/atomic"
)

// An IOAPIC routes interrupt lines to vectors (82093AA data sheet).
type IOAPIC struct {
	Addr    uint64 // physical address of its registers
	GSIBase uint32 // first global system interrupt
	pins    uint32
}

const (
	ioapicVersion = 1
	ioapicRedir   = 0x10 // two registers a pin
	redirMasked   = 1 << 16
	redirLevel    = 1 << 15
	redirLow      = 1 << 13 // active low
)

// pin is one input of an IOAPIC.
type pin struct {
	io  *IOAPIC
	n   uint32
	low uint32 // redirection entry, unmasked
}

var (
	ioapics    []*IOAPIC
	levelPin   [256]*pin // by vector, of level-triggered lines
	nextVector uint32    = vecFirstDevice
	ioapicLock spin
)

//go:nosplit
func (io *IOAPIC) reg(offset uint64) *uint32 { return (*uint32)(Ptr(io.Addr + offset)) }

//go:nosplit
func (io *IOAPIC) write(index, v uint32) {
	*io.reg(0) = index
	*io.reg(0x10) = v
}

func (io *IOAPIC) read(index uint32) uint32 {
	*io.reg(0) = index
	return *io.reg(0x10)
}

// AddIOAPIC maps an IOAPIC and masks all its lines.
func AddIOAPIC(addr uint64, gsiBase uint32) error {
	io := &IOAPIC{Addr: addr, GSIBase: gsiBase}
	if MapDevice(addr, PageSize) == nil {
		return fmt.Errorf("I/O APIC at %#x can't be mapped", addr)
	}
	io.pins = io.read(ioapicVersion)>>16&0xff + 1
	for n := range io.pins {
		io.write(ioapicRedir+2*n, redirMasked)
	}
	ioapics = append(ioapics, io)
	return nil
}

// mask masks or unmasks the pin. The trap handler may do so at any time, so
// interrupts are off and the two accesses stay together.
//
//go:nosplit
func (p *pin) mask(on bool) {
	v := p.low
	if on {
		v |= redirMasked
	}
	flags := saveFlags()
	for !atomic.CompareAndSwapUint32(&ioapicLock.v, 0, 1) {
	}
	p.io.write(ioapicRedir+2*p.n, v)
	atomic.StoreUint32(&ioapicLock.v, 0)
	restoreFlags(flags)
}

// saveFlags turns interrupts off and returns the flags from before.
func saveFlags() uint64
func restoreFlags(flags uint64)

// HandleIRQ routes a global system interrupt to the bootstrap processor and
// calls handler, from a goroutine of its own, after each; several interrupts
// may end in one call.
func HandleIRQ(gsi uint32, level, activeLow bool, handler func()) error {
	for _, io := range ioapics {
		if gsi < io.GSIBase || gsi-io.GSIBase >= io.pins {
			continue
		}
		v := atomic.AddUint32(&nextVector, 1) - 1
		if v > vecLastDevice {
			return fmt.Errorf("interrupt %d: no vector is left", gsi)
		}
		p := &pin{io: io, n: gsi - io.GSIBase, low: v}
		if activeLow {
			p.low |= redirLow
		}
		if level {
			p.low |= redirLevel
			levelPin[v] = p
		}
		go serve(uint8(v), p, handler)
		io.write(ioapicRedir+2*p.n+1, boot.apicID<<24)
		p.mask(false)
		return nil
	}
	return fmt.Errorf("interrupt %d: no I/O APIC has it", gsi)
}

func serve(v uint8, p *pin, handler func()) {
	for {
		runtime.IRQWait(v)
		handler()
		if levelPin[v] != nil {
			p.mask(false)
		}
	}
}

// maskPIC masks the 8259 interrupt controllers, whose vectors would look like
// exceptions.
func maskPIC() {
	for _, w := range [...]struct {
		port uint16
		v    uint8
	}{{0x20, 0x11}, {0xa0, 0x11}, {0x21, 0x20}, {0xa1, 0x28}, {0x21, 4}, {0xa1, 2}, {0x21, 1}, {0xa1, 1}, {0x21, 0xff}, {0xa1, 0xff}} {
		Out8(w.port, w.v)
	}
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
