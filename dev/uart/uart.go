// Package uart drives a serial port with a 16550A, as QEMU and other virtual
// machines have it: the console of a machine without a screen.
//
// Life of a UART: Init finds it and sets it up. From then on Write works,
// polling. Once the interrupt is routed, Start makes it interrupt-driven,
// and the goroutine that serves the interrupt calls Interrupt each time.
// Panic switches to polling for good. Bytes pass unchanged: line ends are
// the terminal's business.
//
// Interrupts of ISA serial ports are edge triggered: a cause that is still
// pending when Interrupt returns makes no further one. Interrupt therefore
// goes on until the chip says that nothing is pending, and where that takes
// too long it makes a new edge. The interrupt must not be masked meanwhile,
// or an edge is lost. If output gets stuck because interrupts are lost or
// useless all the same, a timer moves it on; it runs only while there is
// output.
//
// Locks: wmu, then mu. WritePolled and Panic take none.
package uart

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Registers and their bits (PC16550D data sheet, table 2).
const (
	rbr = 0 // receiver buffer, read
	thr = 0 // transmitter holding, write
	ier = 1 // interrupt enable
	iir = 2 // interrupt identification, read
	fcr = 2 // FIFO control, write
	lcr = 3 // line control
	mcr = 4 // modem control
	lsr = 5 // line status; reading clears errors
	msr = 6 // modem status
	scr = 7 // scratch
	dll = 0 // divisor, with lcrDivisor
	dlm = 1

	ierRx      = 1 << 0
	ierTx      = 1 << 1
	ierLine    = 1 << 2
	iirNone    = 1 << 0 // nothing is pending
	iirCause   = 0x0f
	iirModem   = 0x00
	iirTx      = 0x02
	iirRx      = 0x04
	iirLine    = 0x06
	iirTimeout = 0x0c
	iirFIFO    = 0xc0
	fcrOn      = 1 << 0
	fcrClear   = 3 << 1
	fcrTrigger = 2 << 6 // interrupt at 8 bytes, or a pause
	lcr8N1     = 3
	lcrDivisor = 1 << 7
	mcrDTR     = 1 << 0
	mcrRTS     = 1 << 1
	mcrOut2    = 1 << 3 // connects the interrupt
	mcrLoop    = 1 << 4
	lsrData    = 1 << 0
	lsrOverrun = 1 << 1
	lsrParity  = 1 << 2
	lsrFraming = 1 << 3
	lsrBreak   = 1 << 4
	lsrTxReady = 1 << 5 // the transmitter takes bytes
	lsrTxEmpty = 1 << 6 // all bytes are on the line
	lsrErrors  = lsrOverrun | lsrParity | lsrFraming | lsrBreak
)

const (
	clock     = 115200 // 1.8432 MHz / 16
	fifoDepth = 16

	// patience is how often the line status is read, with a Pause between,
	// before output is dropped: for about a second. A full FIFO is sent in
	// 1.4 ms, but a virtual port waits for who reads the other end.
	patience = 1 << 19
)

// Errors.
var (
	ErrAbsent  = errors.New("uart: no 16550A here")
	ErrBaud    = errors.New("uart: no such line speed")
	ErrStuck   = errors.New("uart: the transmitter is stuck")
	ErrStopped = errors.New("uart: interrupts are off")
)

// Ports is byte-wide port I/O.
type Ports interface {
	In8(port uint16) uint8
	Out8(port uint16, v uint8)
}

// UART is one serial port. Set the exported fields, then call Init.
type UART struct {
	Ports Ports
	Base  uint16 // first port, 0x3f8 for the first one of a PC
	Pause func() // takes some microseconds between two polls; must not block or allocate

	depth    int           // [const] bytes that fit into the idle transmitter
	dropped  atomic.Uint64 // bytes that WritePolled gave up
	stuck    atomic.Bool   // WritePolled has lost its patience
	panicked atomic.Bool

	wmu sync.Mutex // held by a Write all along, so that its bytes stay together

	mu      sync.Mutex
	running bool        // [mu] Start was called
	polling bool        // [mu] interrupts are useless, the timer does the work
	enabled uint8       // [mu] what ier holds
	errs    uint8       // [mu] errors read with the line status, of the next byte
	rx, tx  ring        // [mu]
	stats   Stats       // [mu]
	useless int         // [mu] causes in a row with nothing to do
	timer   *time.Timer // [mu]
	armed   bool        // [mu] timer runs
	last    uint64      // [mu] stats.Sent at the last tick
	stalled int         // [mu] ticks in a row that found nothing sent
	data    sync.Cond   // rx has got bytes
	room    sync.Cond   // tx has got room, or a tick has passed
}

// Stats counts what has happened.
type Stats struct {
	Sent, Received            uint64 // bytes, interrupt-driven
	Dropped                   uint64 // bytes that polled output gave up
	Overruns, Parity, Framing uint64 // bytes lost or damaged on the line
	Breaks                    uint64
	Spurious                  uint64 // interrupts without a cause
	Rescued                   uint64 // times that the timer found work that interrupts had missed
	Polling                   bool   // interrupts were useless and are off
}

func (u *UART) in(reg uint16) uint8     { return u.Ports.In8(u.Base + reg) }
func (u *UART) out(reg uint16, v uint8) { u.Ports.Out8(u.Base+reg, v) }

// Init looks for the chip and sets it up for 8 data bits, no parity, at the
// given speed, with interrupts off.
func (u *UART) Init(baud int) error {
	if baud <= 0 || baud > clock || clock/baud > 0xffff {
		return ErrBaud
	}
	for _, v := range []uint8{0x55, 0xaa} {
		u.out(scr, v)
		if u.in(scr) != v {
			return ErrAbsent
		}
	}
	u.await(lsrTxEmpty) // what firmware wrote
	u.out(ier, 0)
	divisor := (clock + baud/2) / baud
	u.out(lcr, lcr8N1|lcrDivisor)
	u.out(dll, uint8(divisor))
	u.out(dlm, uint8(divisor>>8))
	u.out(lcr, lcr8N1)
	u.out(fcr, fcrOn|fcrClear|fcrTrigger)
	u.depth = 1
	if u.in(iir)&iirFIFO == iirFIFO {
		u.depth = fifoDepth
	}
	if !u.loops() {
		return ErrAbsent
	}
	u.out(fcr, fcrOn|fcrClear|fcrTrigger)
	u.out(mcr, mcrDTR|mcrRTS)
	u.data.L, u.room.L = &u.mu, &u.mu
	return nil
}

// loops reports whether a byte comes back in loopback mode. The modem lines
// do as well, but not everyone who imitates the chip knows.
func (u *UART) loops() bool {
	const sample = 0xae
	u.out(mcr, mcrLoop|mcrOut2|mcrRTS)
	u.out(thr, sample)
	for range fifoDepth + 1 { // skip what came before
		if !u.await(lsrData) {
			return false
		}
		if u.in(rbr) == sample {
			return true
		}
	}
	return false
}

// await waits for a bit of the line status, but not for ever.
func (u *UART) await(bit uint8) bool {
	for range patience {
		if u.in(lsr)&bit != 0 {
			return true
		}
		u.pause()
	}
	return false
}

func (u *UART) pause() {
	if u.Pause != nil {
		u.Pause()
	}
}

// Start makes the port interrupt-driven. The interrupt must be routed.
func (u *UART) Start() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.running {
		return
	}
	u.running = true
	u.out(mcr, mcrDTR|mcrRTS|mcrOut2)
	u.in(msr)
	u.receive()
	u.enable(u.enabled | ierRx | ierLine)
}

// Stats returns the counts up to now.
func (u *UART) Stats() Stats {
	u.mu.Lock()
	defer u.mu.Unlock()
	s := u.stats
	s.Dropped, s.Polling = u.dropped.Load(), u.polling
	return s
}
