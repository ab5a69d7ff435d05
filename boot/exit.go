//go:build tamago

package boot

import (
	"os"
	"sync/atomic"
	_ "unsafe" // linkname

	"mult/arch/amd64"
)

// Statuses of a run, which end as QEMU's own by its isa-debug-exit device.
const (
	StatusOK     = 0
	StatusFailed = 1 // a test failed; os.Exit(1)
	StatusPanic  = 2 // the kernel panicked
)

// slowPowerOff is how long a machine may take to go off, in ns.
const slowPowerOff = 10e9

// rebooting makes exit reset the machine.
var rebooting atomic.Bool

// PowerOff switches the machine off when all output is out. It doesn't return.
func PowerOff() {
	lastLine("mult: power off")
	os.Exit(StatusOK)
}

// Reboot resets the machine when all output is out. It doesn't return.
func Reboot() {
	lastLine("mult: reboot")
	rebooting.Store(true)
	os.Exit(StatusOK)
}

// lastLine logs what happens and waits until all output is out.
func lastLine(s string) {
	machine.Log.Noticef("%s", s)
	machine.Flush()
}

// Flush waits until what was logged is on the line.
func (m *Machine) Flush() {
	m.Log.Flush()
	m.console.flush()
}

// exit ends the machine: the runtime calls it for os.Exit, and when it
// panics, from any stack and state. So it takes no lock, allocates nothing
// and waits for nobody.
func exit(code int32) {
	m := &machine
	amd64.Silence()
	lastWords()
	switch {
	case rebooting.Load():
		if m.acpi != nil {
			m.acpi.Reset(ports{})
		}
		amd64.Reset()
	case code == StatusOK:
		if m.acpi != nil {
			m.acpi.PowerOff(ports{})
			// QEMU on a busy host takes its time; what comes next would
			// end it with another status.
			for end := nanotime() + slowPowerOff; nanotime() < end; {
			}
		}
	}
	if amd64.ExitPort == 0 {
		putEarly([]byte("mult: halted; the machine may be switched off\r\n"))
	}
	amd64.Halt(code)
}

// dying is set when output is polled and all that was queued is out.
var dying atomic.Bool

// lastWords sends what is queued for the console, then lines of the log that
// it hasn't shown, and makes output polled. The runtime calls it before it
// says why it dies, so it is as careful as exit.
//
//go:linkname lastWords runtime.kernelPrint
func lastWords() {
	if dying.Swap(true) {
		return
	}
	machine.console.die()
	if machine.Log != nil {
		machine.Log.TryTail(putEarly)
	}
}

func putEarly(b []byte) {
	for _, c := range b {
		printk(c)
	}
}
