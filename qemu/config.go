package qemu

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The machines the kernel runs on.
const (
	MicroVM = "microvm"
	Q35     = "q35"
)

// The accelerators.
const (
	TCG = "tcg" // QEMU's own code generator; works everywhere
	KVM = "kvm" // the host's virtualisation
)

// Sizes for Config.Memory.
const (
	MiB int64 = 1 << 20
	GiB int64 = 1 << 30
)

// MaxCPUs is what both machines offer without interrupt remapping.
const MaxCPUs = 255

// program is the emulator's name; it is looked up in $PATH.
const program = "qemu-system-x86_64"

// Config describes a guest. A field left at its zero value has the default its
// comment names.
type Config struct {
	Kernel  string   // ELF file with a PVH note; there is no default
	Initrd  string   // file handed to the kernel beside it; none
	Append  string   // kernel options; debugexit=0xf4 is put before them
	Machine string   // MicroVM or Q35, with QEMU's options after a comma; MicroVM
	Memory  int64    // bytes, a whole number of MiB; 1 GiB
	CPUs    int      // 1
	CPU     string   // model; DefaultCPU of the accelerator
	Accel   string   // TCG or KVM; Accelerator()
	Args    []string // more arguments for QEMU, put last
	Log     string   // file that takes all console output; none

	// Reboot lets a reset of the guest restart it. By default a reset ends
	// the run, so that a triple fault is not an endless loop.
	Reboot bool

	// Terminal puts the console on this process's terminal, where Ctrl-a x
	// leaves, instead of at the disposal of Expect and Send.
	Terminal bool

	// Command is Terminal for a guest that runs a command: standard input
	// and output are the console, byte for byte. The kernel's messages go to
	// Log, which must be set.
	Command bool
}

// DefaultCPU is the CPU model a guest gets under accel. ERMS makes programs
// copy with rep movsb, which TCG runs a byte at a time, so it isn't announced.
func DefaultCPU(accel string) string {
	if accel == KVM {
		return "host"
	}
	return "max,-erms"
}

// complete checks c and fills in the defaults.
func (c *Config) complete() error {
	if c.Kernel == "" {
		return errors.New("qemu: no kernel given")
	}
	if c.Machine == "" {
		c.Machine = MicroVM
	}
	if m, _, _ := strings.Cut(c.Machine, ","); m != MicroVM && m != Q35 {
		return fmt.Errorf("qemu: machine %q is neither %s nor %s", m, MicroVM, Q35)
	}
	if c.Memory == 0 {
		c.Memory = GiB
	}
	if c.Memory < MiB || c.Memory%MiB != 0 {
		return fmt.Errorf("qemu: memory of %d bytes is not a whole number of MiB", c.Memory)
	}
	if c.CPUs == 0 {
		c.CPUs = 1
	}
	if c.CPUs < 0 || c.CPUs > MaxCPUs {
		return fmt.Errorf("qemu: %d CPUs, not 1 to %d", c.CPUs, MaxCPUs)
	}
	if c.Accel == "" {
		c.Accel = Accelerator()
	}
	if c.Command && c.Log == "" {
		return errors.New("qemu: a guest that runs a command needs a log")
	}
	if c.Accel != TCG && c.Accel != KVM {
		return fmt.Errorf("qemu: accelerator %q is neither %s nor %s", c.Accel, TCG, KVM)
	}
	if c.CPU == "" {
		c.CPU = DefaultCPU(c.Accel)
	}
	return nil
}

// logPort is where the kernel's messages go with Command.
const logPort = 0xe9

// options are the kernel's options that come from c.
func (c *Config) options() string {
	s := fmt.Sprintf("debugexit=%#x", debugExitPort)
	if c.Command {
		s += fmt.Sprintf(" logport=%#x", logPort)
	}
	return s
}

// monitorFD is the socket that QEMU inherits. The console is its standard
// input and output.
const monitorFD = 3

// args is QEMU's command line for a complete c. The guest starts stopped, so
// that it can't end before the monitor connection reports how.
func (c *Config) args() []string {
	machine := c.Machine
	if m, opts, _ := strings.Cut(machine, ","); m == MicroVM && !strings.Contains(opts, "rtc=") {
		machine += ",rtc=on" // by default it has one only without KVM
	}
	args := []string{
		"-no-user-config", "-nodefaults", "-display", "none", "-S",
		"-machine", machine,
		"-accel", c.Accel,
		"-cpu", c.CPU,
		"-m", strconv.FormatInt(c.Memory/MiB, 10) + "M",
		"-smp", strconv.Itoa(c.CPUs),
		"-kernel", c.Kernel,
		"-append", strings.TrimSpace(c.options() + " " + c.Append),
		"-device", fmt.Sprintf("isa-debug-exit,iobase=%#x,iosize=4", debugExitPort),
		"-chardev", fmt.Sprintf("socket,id=qmp,fd=%d", monitorFD),
		"-mon", "chardev=qmp,mode=control",
		"-serial", "chardev:console",
	}
	switch console := "stdio,id=console,signal=off"; {
	case c.Command:
		// Nothing but the guest's bytes: no monitor on the line.
		args = append(args, "-chardev", console, "-chardev", "file,id=log,path="+strings.ReplaceAll(c.Log, ",", ",,"),
			"-device", fmt.Sprintf("isa-debugcon,iobase=%#x,chardev=log", logPort))
	case c.Terminal:
		console += ",mux=on"
		if c.Log != "" {
			console += ",logfile=" + strings.ReplaceAll(c.Log, ",", ",,")
		}
		args = append(args, "-chardev", console, "-mon", "chardev=console,mode=readline")
	default:
		args = append(args, "-chardev", console)
	}
	if !c.Reboot {
		args = append(args, "-no-reboot")
	}
	if c.Initrd != "" {
		args = append(args, "-initrd", c.Initrd)
	}
	return append(args, c.Args...)
}
