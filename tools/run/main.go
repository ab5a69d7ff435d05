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
// The exit status is the kernel's: 0 after a power-off, 1 after a test failure,
// 2 after a panic. It is 125 if run itself failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"mult/qemu"
	"mult/tools/host"
	"mult/tools/image"
	"mult/tools/progress"
)

// failed is the exit status for failures that aren't the kernel's.
const failed = 125

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	status, err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "run:", err)
		status = failed
	}
	os.Exit(status)
}

func run(ctx context.Context, args []string) (status int, err error) {
	opt, err := parse(args)
	if err != nil {
		return 0, err
	}
	if err := host.Require(ctx, os.Stderr, host.QEMU, host.Busybox, host.EROFS); err != nil {
		return 0, err
	}
	kernel, err := image.Kernel(ctx, os.Stderr, "mult")
	if err != nil {
		return 0, err
	}
	root, err := image.Root(ctx, os.Stderr)
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
	guest.Terminal = true
	guest.Reboot = terminal.interactive() // else nobody could end a reset loop
	fmt.Fprintf(os.Stderr, "==> booting: %s, %d MiB, %s, accelerator %s\n",
		guest.Machine, guest.Memory/qemu.MiB, processors(guest.CPUs), guest.Accel)
	if terminal.interactive() {
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
	fmt.Fprintf(os.Stderr, "\n==> the kernel ended with %v\n", end)
	return int(end), nil
}

func processors(n int) string {
	if n == 1 {
		return "1 CPU"
	}
	return fmt.Sprintf("%d CPUs", n)
}
