//go:build tamago

package boot

import (
	"fmt"
	"runtime/debug"

	"mult/arch/amd64"
	"mult/boot/option"
	"mult/boot/pvh"
	"mult/dev/acpi"
	"mult/kern/klog"
)

const (
	// logSize is what the kernel's log may take, in bytes.
	logSize = 256 << 10
	// maxStack bounds a goroutine's stack: beyond it the kernel panics
	// instead of eating its memory.
	maxStack = 16 << 20
)

// Machine is what Start has found and set up.
type Machine struct {
	Options option.Options
	Log     *klog.Log
	CPUs    int    // processors online
	Clock   string // what time is measured by
	Memory  uint64 // bytes of RAM that firmware reports
	Initrd  []byte // the root image, nil if there is none
	rootPA  uint64 // where it is

	acpi    *acpi.Tables // nil if firmware has none
	console console
}

// machine is the one there is; the way out needs it from everywhere.
var machine Machine

// Start sets the machine up: options, log, clock, interrupts, processors and
// the console. What is missing or broken is logged, and done without where
// that is safe. It is called once, by main.
func Start() *Machine {
	m := &machine
	m.Log = klog.New(logSize, nanotime, &m.console, klog.Info)
	debug.SetMaxStack(maxStack)
	debug.SetTraceback("all")
	m.readOptions()
	m.readMemory()
	if err := m.readACPI(); err != nil {
		m.Log.Errf("acpi: %v: one CPU, no power-off", err)
	}
	m.startClock()
	m.startInterrupts()
	m.startCPUs()
	m.startConsole()
	return m
}

func (m *Machine) readOptions() {
	var errs []error
	m.Options, errs = option.Parse(string(info.Cmdline()))
	amd64.ExitPort = m.Options.DebugExit
	amd64.LogPort = m.Options.LogPort
	m.Log.SetConsoleLevel(klog.Level(m.Options.LogLevel))
	if info.CmdlineCut {
		m.Log.Warnf("boot: command line is longer than %d bytes: the rest is ignored", pvh.MaxCmdline)
	}
	for _, err := range errs {
		m.Log.Warnf("boot: %v", err)
	}
}

func (m *Machine) readMemory() {
	for _, r := range info.Regions() {
		if r.Type == pvh.RAM {
			m.Memory += r.End - r.Start
		}
		m.Log.Debugf("memory: %#012x-%#012x type %d", r.Start, r.End, r.Type)
	}
	if info.Truncated != 0 {
		m.Log.Warnf("boot: %d entries of the memory map or module list are too many and ignored", info.Truncated)
	}
	if mods := info.Modules(); len(mods) > 0 {
		m.rootPA = mods[0].Start
		m.Initrd = amd64.Bytes(mods[0].Start, int(mods[0].End-mods[0].Start))
	}
}

func (m *Machine) readACPI() error {
	rsdp := info.RSDP
	if rsdp == 0 {
		var ok bool
		if rsdp, ok = acpi.FindRSDP(firmware{}); !ok {
			return fmt.Errorf("no tables")
		}
	}
	t, err := acpi.Parse(firmware{}, rsdp)
	if err != nil {
		return err
	}
	for _, err := range t.Skipped {
		m.Log.Warnf("acpi: %v", err)
	}
	if err := t.Enable(ports{}); err != nil {
		m.Log.Warnf("acpi: %v", err)
	}
	// The way out can't map registers any more.
	for _, r := range []acpi.GAS{t.FADT.Reset, t.FADT.SleepControl, t.FADT.SleepStatus} {
		if r.Addr != 0 && r.Space == acpi.SystemMemory {
			amd64.MapDevice(r.Addr, 8)
		}
	}
	m.acpi = t
	return nil
}

func (m *Machine) startInterrupts() {
	if m.acpi == nil {
		return
	}
	for _, io := range m.acpi.IOAPICs {
		if err := amd64.AddIOAPIC(uint64(io.Addr), io.GSIBase); err != nil {
			m.Log.Errf("interrupts: %v", err)
		}
	}
	irq, err := m.acpi.EnablePowerButton(ports{})
	if err == nil {
		err = amd64.HandleIRQ(irq.GSI, irq.Level, irq.ActiveLow, m.powerButton)
	}
	if err != nil {
		m.Log.Infof("power button: %v", err)
	}
}

func (m *Machine) powerButton() {
	if m.acpi.PowerButtonPressed(ports{}) {
		m.Log.Noticef("power button pressed")
		PowerOff()
	}
}

func (m *Machine) startCPUs() {
	m.CPUs = 1
	if m.acpi == nil {
		return
	}
	var ids []uint32
	for _, c := range m.acpi.CPUs {
		if c.Enabled {
			ids = append(ids, c.APICID)
		}
	}
	for _, err := range amd64.StartCPUs(ids, m.Options.MaxCPUs) {
		m.Log.Errf("cpu: %v", err)
	}
	m.CPUs = amd64.NumCPU()
	m.Log.Infof("cpu: %d of %d online, %s", m.CPUs, len(ids), amd64.Protections())
}

// ISA returns where an ISA interrupt arrives; without ACPI it arrives nowhere.
func (m *Machine) ISA(irq uint8) acpi.IRQ {
	if m.acpi == nil {
		return acpi.IRQ{GSI: 1<<32 - 1}
	}
	return m.acpi.ISA(irq)
}
