// Run builds the kernel and its root image and boots them in QEMU, with the
// serial console on the terminal. It is what make run calls, with the same
// words as flags:
//
//	run [-mem 1G] [-smp 2] [-machine microvm|q35] [-cpu MODEL] [-disk FILE]...
//	    [-root FILE] [-run COMMAND] [-add DIRECTORY] [-append OPTIONS]
//	run -build
//
// The second form only builds. Programs that are missing on a Debian host are
// installed if the user is root. What the console prints is also in
// build/run.log.
//
// With -run the system runs one command and ends: standard output is what the
// command writes there, and the exit status is the command's own, as far as it
// is below 125. Without, the status is that of process 1: 0 after a power-off. It
// is 125 if run itself failed, 126 after a panic of the kernel.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"

	"mult/qemu"
	"mult/tools/host"
	"mult/tools/image"
	"mult/tools/progress"
)

// Exit statuses for what is not the command's failure.
const (
	failed   = 125
	panicked = 126
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	status, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		status = max(status, failed)
	}
	os.Exit(status)
}

func run(ctx context.Context, args []string) (status int, err error) {
	opt, err := parse(args)
	if err != nil {
		return 0, err
	}
	if err := host.Require(ctx, os.Stderr, host.QEMU, host.Busybox, host.EROFS, host.GCC); err != nil {
		return 0, err
	}
	kernel, err := image.Kernel(ctx, os.Stderr, "mult")
	if err != nil {
		return 0, err
	}
	root, err := image.Root(ctx, os.Stderr)
	if err == nil && opt.add != "" {
		root = filepath.Join(filepath.Dir(kernel), "root-add.erofs")
		err = image.RootWith(ctx, os.Stderr, root, opt.add)
	}
	if err != nil || opt.build {
		return 0, err
	}
	opt.guest.Kernel, opt.guest.Initrd = kernel, root
	opt.guest.Log = filepath.Join(filepath.Dir(kernel), "run.log")
	return boot(ctx, opt.guest)
}

// boot runs the guest on the terminal and returns its status.
func boot(ctx context.Context, guest qemu.Config) (status int, err error) {
	progress.Step(os.Stderr, "looking for a working KVM", func() error {
		guest.Accel = qemu.Accelerator()
		return nil
	})
	terminal := openTerminal()
	defer terminal.restore()
	guest.Terminal = !guest.Command
	guest.Reboot = terminal.interactive() && guest.Terminal // else nobody could end a reset loop
	fmt.Fprintf(os.Stderr, "==> booting: %s, %d MiB, %s, accelerator %s\n",
		guest.Machine, guest.Memory/qemu.MiB, processors(guest.CPUs), guest.Accel)
	if terminal.interactive() && guest.Terminal {
		fmt.Fprintln(os.Stderr, "    To leave: press Ctrl-A, let go, then press X.")
	}

	vm, err := qemu.Start(ctx, guest)
	if err != nil {
		return 0, err
	}
	<-vm.Done()
	end, err := vm.Wait(0)
	terminal.restore()
	switch {
	case ctx.Err() != nil:
		return 0, errors.New("interrupted")
	case errors.Is(err, qemu.ErrQuit) && terminal.interactive():
		fmt.Fprintln(os.Stderr, "\n==> left")
		return 0, nil
	case err != nil:
		return 0, err
	}
	if status, ok := initStatus(guest.Log); ok {
		if !guest.Command {
			fmt.Fprintf(os.Stderr, "\n==> process 1 exited with status %d\n", status)
		}
		return status, nil
	}
	if guest.Command {
		return panicked, fmt.Errorf("the kernel ended with %v before the command; see %s", end, guest.Log)
	}
	fmt.Fprintf(os.Stderr, "\n==> the kernel ended with %v\n", end)
	return int(end), nil
}

// initStatus finds in the kernel's log with which status process 1 ended, as a
// shell would show it.
func initStatus(log string) (status int, ok bool) {
	text, err := os.ReadFile(log)
	if err != nil {
		return 0, false
	}
	m := initEnd.FindAllSubmatch(text, -1)
	if m == nil {
		return 0, false
	}
	last := m[len(m)-1]
	status, err = strconv.Atoi(string(last[2]))
	if string(last[1]) == "signal" {
		status += 128
	}
	return status, err == nil
}

var initEnd = regexp.MustCompile(`mult: process 1 ended with (status|signal) (\d+)`)

func processors(n int) string {
	if n == 1 {
		return "1 CPU"
	}
	return fmt.Sprintf("%d CPUs", n)
}
