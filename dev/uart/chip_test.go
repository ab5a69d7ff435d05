package uart

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const (
	base     = 0x3f8
	charTime = 4 // accesses that a byte takes on the line
)

// chip is a 16550A after its data sheet. Every access to it takes one unit
// of time; so does every turn of the loop in run.
type chip struct {
	// Faults, set before use.
	absent   bool        // nothing answers
	noFIFO   bool        // a 16450
	deaf     bool        // loopback doesn't work
	stuckTx  atomic.Bool // bytes never leave
	badCause uint8       // what the interrupt identification reads, if not 0
	loseEdge bool        // interrupts don't arrive

	mu       sync.Mutex
	regs     [8]uint8
	divisor  uint16
	fifo     bool
	in       []symbol // receive FIFO
	overrun  bool
	seen     bool   // the status of the first symbol has been read
	tx       []byte // transmit FIFO
	shift    int    // time until the byte in the shift register is out
	out      byte   // which one it is
	line     []byte // what has been sent
	thrEmpty bool   // the interrupt cause
	level    bool   // of the interrupt output
	edges    chan struct{}
}

// symbol is what arrives on the line.
type symbol struct {
	c   byte
	err uint8 // line status
}

func newChip() *chip { return &chip{edges: make(chan struct{}, 1)} }

func (c *chip) depth() int {
	if c.fifo {
		return fifoDepth
	}
	return 1
}

func (c *chip) lsr() (s uint8) {
	if len(c.in) > 0 {
		s |= lsrData
		if !c.seen {
			s |= c.in[0].err
		}
	}
	if c.overrun {
		s |= lsrOverrun
	}
	if len(c.tx) == 0 {
		s |= lsrTxReady
		if c.shift == 0 {
			s |= lsrTxEmpty
		}
	}
	return s
}

// cause returns the interrupt with the highest priority.
func (c *chip) cause() uint8 {
	e := c.regs[ier]
	switch {
	case e&ierLine != 0 && c.lsr()&lsrErrors != 0:
		return iirLine
	case e&ierRx != 0 && len(c.in) >= 8:
		return iirRx
	case e&ierRx != 0 && len(c.in) > 0:
		return iirTimeout
	case e&ierTx != 0 && c.thrEmpty:
		return iirTx
	}
	return iirNone
}

// settle sets the interrupt output.
func (c *chip) settle() {
	was := c.level
	c.level = c.regs[mcr]&mcrOut2 != 0 && c.regs[mcr]&mcrLoop == 0 && c.cause() != iirNone
	if c.level && !was && !c.loseEdge {
		select {
		case c.edges <- struct{}{}:
		default:
		}
	}
}

// step lets time pass.
func (c *chip) step() {
	if c.shift > 0 && !c.stuckTx.Load() {
		c.shift--
		if c.shift == 0 {
			if c.regs[mcr]&mcrLoop == 0 {
				c.line = append(c.line, c.out)
			} else if !c.deaf {
				c.arrive(symbol{c: c.out})
			}
		}
	}
	if c.shift == 0 && len(c.tx) > 0 {
		c.out, c.tx, c.shift = c.tx[0], c.tx[1:], charTime
		if len(c.tx) == 0 {
			c.thrEmpty = true
		}
	}
	c.settle()
}

func (c *chip) arrive(s symbol) {
	if len(c.in) == c.depth() {
		c.overrun = true
		return
	}
	c.in = append(c.in, s)
}

func (c *chip) In8(port uint16) (v uint8) {
	if c.absent {
		return 0xff
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step()
	defer c.settle()
	switch reg := port - base; reg {
	case rbr:
		if c.regs[lcr]&lcrDivisor != 0 {
			return uint8(c.divisor)
		}
		if len(c.in) == 0 {
			return 0
		}
		v, c.in, c.seen = c.in[0].c, c.in[1:], false
		return v
	case iir:
		if c.badCause != 0 {
			return c.badCause
		}
		v = c.cause()
		if v == iirTx {
			c.thrEmpty = false
		}
		if c.fifo {
			v |= iirFIFO
		}
		return v
	case lsr:
		v = c.lsr()
		c.overrun = false
		c.seen = len(c.in) > 0
		return v
	case msr:
		return 0xb0
	default:
		return c.regs[reg]
	}
}

func (c *chip) Out8(port uint16, v uint8) {
	if c.absent {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.step()
	defer c.settle()
	switch reg := port - base; {
	case c.regs[lcr]&lcrDivisor != 0 && reg == dll:
		c.divisor = c.divisor&0xff00 | uint16(v)
	case c.regs[lcr]&lcrDivisor != 0 && reg == dlm:
		c.divisor = c.divisor&0xff | uint16(v)<<8
	case reg == thr:
		c.thrEmpty = false
		if len(c.tx) < c.depth() {
			c.tx = append(c.tx, v)
		}
	case reg == ier:
		if v&ierTx != 0 && c.regs[ier]&ierTx == 0 && len(c.tx) == 0 {
			c.thrEmpty = true
		}
		c.regs[ier] = v & 0xf
	case reg == fcr:
		c.fifo = v&fcrOn != 0 && !c.noFIFO
		if v&2 != 0 {
			c.in, c.seen = nil, false
		}
		if v&4 != 0 {
			c.tx = nil
		}
	default:
		c.regs[reg] = v
	}
}

// sent returns what is on the line.
func (c *chip) sent() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.line)
}

// run lets time pass and interrupts arrive until the test is over.
func (c *chip) run(t testing.TB, u *UART) {
	stop := make(chan struct{})
	var wg sync.WaitGroup
	t.Cleanup(func() { close(stop); wg.Wait() })
	go func() { // not waited for: after Panic, Interrupt may not return
		for {
			select {
			case <-stop:
				return
			case <-c.edges:
				u.Interrupt()
			}
		}
	}()
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			c.mu.Lock()
			for range 64 {
				c.step()
			}
			c.mu.Unlock()
			time.Sleep(10 * time.Microsecond)
		}
	})
}

// feed sends symbols to the chip, waiting for room if asked to.
func (c *chip) feed(wait bool, symbols ...symbol) {
	for _, s := range symbols {
		for {
			c.mu.Lock()
			ok := len(c.in) < c.depth() || !wait
			if ok {
				c.arrive(s)
				c.settle()
			}
			c.mu.Unlock()
			if ok {
				break
			}
			time.Sleep(10 * time.Microsecond)
		}
	}
}

// start returns a running port.
func start(t testing.TB, c *chip) *UART {
	t.Helper()
	u := &UART{Ports: c, Base: base}
	if err := u.Init(115200); err != nil {
		t.Fatal(err)
	}
	u.Start()
	c.run(t, u)
	return u
}
