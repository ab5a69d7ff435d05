// Tamago makes the Go toolchain that compiles the kernel, and runs it.
//
//	tamago goroot          print the toolchain's GOROOT, building it if needed
//	tamago go ARGUMENTS    run its go command
//
// The first use takes minutes, see package toolchain. Afterwards
//
//	go run ./tools/tamago go build -trimpath -o mult.elf ./boot
//
// costs what go build costs.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"mult/tools/tamago/toolchain"
)

var errUsage = errors.New("usage: tamago goroot | tamago go ARGUMENTS")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tamago:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	switch {
	case len(args) == 1 && args[0] == "goroot":
	case len(args) > 1 && args[0] == "go":
	default:
		return errUsage
	}
	tc, err := toolchain.Ensure(ctx, stderr)
	if err != nil {
		return err
	}
	if args[0] == "goroot" {
		_, err := fmt.Fprintln(stdout, tc.GOROOT)
		return err
	}
	// The go command replaces this process, so that its standard streams,
	// its signals and its exit status are the caller's.
	cmd := tc.Command(ctx, args[1:]...)
	return fmt.Errorf("%s: %w", cmd.Path, syscall.Exec(cmd.Path, cmd.Args, cmd.Environ()))
}
