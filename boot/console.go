//go:build tamago

package boot

import (
	"bytes"
	"io"
	"sync/atomic"

	"mult/arch/amd64"
	"mult/dev/uart"
)

// consoleIRQ is the ISA interrupt of the first serial port.
const (
	consoleIRQ  = 4
	consoleBaud = 115200
)

// console is the machine's console: the first serial port, which is polled
// until its driver runs.
type console struct {
	uart atomic.Pointer[uart.UART]
}

// Write shows text; line ends become those of a terminal.
func (c *console) Write(p []byte) (int, error) {
	u := c.uart.Load()
	if u == nil || amd64.LogPort != 0 {
		putEarly(p)
		return len(p), nil
	}
	if _, err := u.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n"))); err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush waits until what was written is on the line, unless that is stuck.
func (c *console) flush() {
	if u := c.uart.Load(); u != nil {
		u.Flush()
	}
}

// die makes output polled for good, and sends what was queued.
func (c *console) die() {
	if u := c.uart.Load(); u != nil {
		u.Panic()
	}
}

// startConsole makes the console interrupt-driven. Where it can't be, text
// goes on to be polled.
func (m *Machine) startConsole() {
	u := &uart.UART{Ports: ports{}, Base: amd64.EarlyPort, Pause: amd64.Pause}
	if err := u.Init(consoleBaud); err != nil {
		m.Log.Errf("console: %v", err)
		return
	}
	if m.acpi != nil {
		irq := m.ISA(consoleIRQ)
		if err := amd64.HandleIRQ(irq.GSI, irq.Level, irq.ActiveLow, u.Interrupt); err != nil {
			m.Log.Errf("console: %v: polling", err)
		} else {
			u.Start()
		}
	}
	m.console.uart.Store(u)
}

// Console returns the console for programs: what is typed there, and raw
// output. It is nil if the machine has no serial port.
func (m *Machine) Console() io.ReadWriter {
	if u := m.console.uart.Load(); u != nil {
		return u
	}
	return nil
}
