// Package qemu runs the kernel, or any guest with a PVH entry, under QEMU.
//
// Start starts one guest. Its serial console is read with Expect, which waits
// for a pattern, and written with Send; Reset, PowerButton, Stop, Cont, Running
// and Quit act on the machine; Wait gives the status with which the guest ended
// the run. All methods may be called from any goroutine.
//
// Console and monitor are pipes and a socket inherited by QEMU: no port and no
// file name is taken, so any number of guests run side by side. A guest dies with
// the context it was started with and with the process that started it, even
// if that process is killed.
//
// A test wants package qemutest, which adds logs and ends the test on an error.
package qemu

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// monitorTimeout bounds every exchange with QEMU's monitor. It answers in
// milliseconds unless the host is very busy.
const monitorTimeout = 30 * time.Second

// endTimeout is what QEMU gets for its own clean-up after a guest's end. It
// closes disk images first.
const endTimeout = 5 * time.Second

// VM is one run of a guest.
type VM struct {
	cfg     Config
	cmd     *exec.Cmd
	stderr  bytes.Buffer // QEMU's own messages; read it after done
	monitor *monitor
	console *console           // nil with Config.Terminal
	cancel  context.CancelFunc // kills QEMU
	started time.Time

	done   chan struct{} // closed when QEMU is gone and all of its output read
	status Status        // set before done is closed
	err    error         // likewise
}

// Start starts a guest, which runs until it ends, ctx is done, or it is killed.
func Start(ctx context.Context, cfg Config) (*VM, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	path, err := exec.LookPath(program)
	if err != nil {
		return nil, fmt.Errorf("qemu: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	vm := &VM{cfg: cfg, cancel: cancel, done: make(chan struct{})}
	if err := vm.start(ctx, path); err != nil {
		cancel()
		return nil, fmt.Errorf("qemu: %w", err)
	}
	err = vm.monitor.greet()
	if err == nil {
		err = vm.Cont()
		if errors.Is(err, errMonitorGone) {
			err = nil // a guest may end before the answer; Wait tells how
		}
	}
	if err != nil {
		vm.Kill()
		if msg := vm.messages(); msg != "" {
			err = errors.New(msg)
		}
		return nil, fmt.Errorf("qemu: %s did not start: %w", program, err)
	}
	return vm, nil
}

// start runs the process and the goroutines that serve it.
func (vm *VM) start(ctx context.Context, path string) error {
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	defer theirs.Close()
	vm.monitor = newMonitor(ours)

	cmd := exec.CommandContext(ctx, path, vm.cfg.args()...)
	vm.cmd = cmd
	cmd.Stderr = &vm.stderr
	cmd.ExtraFiles = []*os.File{theirs} // monitorFD
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = 2 * time.Second
	if vm.cfg.Terminal || vm.cfg.Command {
		// QEMU stays in the terminal's foreground process group, and is
		// asked to end, so that it restores the terminal.
		cmd.Stdin, cmd.Stdout = os.Stdin, os.Stdout
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	} else {
		console, stdin, stdout, err := newConsole(vm.cfg.Log)
		if err != nil {
			vm.monitor.close()
			return err
		}
		defer stdin.Close()
		defer stdout.Close()
		vm.console = console
		cmd.Stdin, cmd.Stdout = stdin, stdout
		cmd.SysProcAttr.Setpgid = true
		cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	}

	vm.started = time.Now()
	running := make(chan error)
	go vm.run(running)
	return <-running
}

// run starts QEMU and waits for its end. The kernel sends Pdeathsig when the
// thread that started a process ends, not only when its process does, so this
// goroutine keeps its thread.
func (vm *VM) run(running chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := vm.cmd.Start()
	running <- err
	if err != nil {
		vm.monitor.close()
		if vm.console != nil {
			vm.console.close()
		}
		return
	}
	go vm.hurry()
	vm.cmd.Wait() // what it returns is in ProcessState too
	vm.monitor.wait()
	if vm.console != nil {
		vm.console.wait()
	}

	state := vm.cmd.ProcessState
	switch reason := vm.monitor.shutdownReason(); {
	case state.Exited():
		vm.status, vm.err = decode(state.ExitCode(), reason)
	case reason != "":
		vm.status, vm.err = decode(0, reason) // killed after its orderly end
	default:
		vm.err = ErrKilled
	}
	if msg := vm.messages(); vm.err != nil && msg != "" {
		vm.err = fmt.Errorf("%w: %s", vm.err, msg)
	}
	vm.cancel() // releases the context
	close(vm.done)
}

// hurry kills a QEMU that said why it ends and then doesn't: QEMU 7.2 hangs in
// its clean-up if a monitor command came at that moment.
func (vm *VM) hurry() {
	select {
	case <-vm.monitor.closed:
		return
	case <-vm.monitor.ending:
	}
	select {
	case <-vm.done:
	case <-time.After(endTimeout):
		vm.cancel()
	}
}

// messages is what QEMU had to say itself, on one line. QEMU must be gone.
func (vm *VM) messages() string {
	lines := strings.Split(strings.TrimSpace(vm.stderr.String()), "\n")
	return strings.TrimPrefix(strings.Join(lines, "; "), program+": ")
}

// PID is QEMU's process id.
func (vm *VM) PID() int { return vm.cmd.Process.Pid }

// Started is when QEMU was started.
func (vm *VM) Started() time.Time { return vm.started }

// Done is closed when the run is over.
func (vm *VM) Done() <-chan struct{} { return vm.done }

// Wait waits for the guest to end and returns the status it ended with. The
// error is nil only if the guest ended the run itself: it wraps ErrReset,
// ErrQuit or ErrKilled, says how QEMU failed, or wraps
// [os.ErrDeadlineExceeded] if the guest still runs after timeout.
func (vm *VM) Wait(timeout time.Duration) (Status, error) {
	select {
	case <-vm.done: // counts even if there is no time left
		return vm.status, vm.err
	default:
	}
	select {
	case <-vm.done:
		return vm.status, vm.err
	case <-time.After(timeout):
		return 0, fmt.Errorf("the guest still runs after %v: %w%s", timeout, os.ErrDeadlineExceeded, vm.tail())
	}
}

// Kill ends QEMU at once, if it still runs, and waits until it is gone.
func (vm *VM) Kill() {
	vm.cancel()
	<-vm.done
}

// Expect waits until the console has printed something that matches the
// regular expression pattern, after what earlier calls matched, and returns
// the match and its submatches. Carriage returns are left out of the text that
// is searched. It fails when timeout is over, and at once when the guest ends;
// the error shows the last lines of output.
func (vm *VM) Expect(pattern string, timeout time.Duration) ([]string, error) {
	if vm.console == nil {
		return nil, errTerminal
	}
	match, err := vm.console.expect(pattern, timeout)
	if errors.Is(err, errEnded) {
		<-vm.done
		how := vm.status.String()
		if vm.err != nil {
			how = vm.err.Error()
		}
		err = fmt.Errorf("%w: %s", err, how)
	}
	if err != nil {
		return nil, fmt.Errorf("waiting for %q: %w%s", pattern, err, vm.tail())
	}
	return match, nil
}

// Send types s on the console.
func (vm *VM) Send(s string) error {
	if vm.console == nil {
		return errTerminal
	}
	return vm.console.send(s)
}

// Output returns the last lines the console printed, about 8 KiB.
func (vm *VM) Output() string {
	if vm.console == nil {
		return ""
	}
	return vm.console.output()
}

var errTerminal = errors.New("qemu: the console is on the terminal")

// tail is the end of Output as the end of an error message.
func (vm *VM) tail() string {
	const most = 10
	lines := strings.Split(strings.TrimRight(vm.Output(), "\n"), "\n")
	lines = lines[max(0, len(lines)-most):]
	if len(lines) == 1 && lines[0] == "" {
		return "; the console printed nothing"
	}
	return "; the console's last lines:\n\t" + strings.Join(lines, "\n\t")
}

// socketPair returns two connected stream sockets: one for us, with deadlines,
// and one to hand to QEMU.
func socketPair() (ours net.Conn, theirs *os.File, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	theirs = os.NewFile(uintptr(fds[1]), "QEMU's end")
	end := os.NewFile(uintptr(fds[0]), "our end")
	defer end.Close() // FileConn makes its own descriptor
	ours, err = net.FileConn(end)
	if err != nil {
		theirs.Close()
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	return ours, theirs, nil
}
