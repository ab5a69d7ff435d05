package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// goCommand is the stock go command. A program of ours doesn't depend on the
// state of the repository, and without cgo there is no race detector.
func goCommand(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	return cmd
}

// group makes cmd a process group of its own, which is interrupted as a whole
// when its context is done: the go command leaves the programs it runs alone.
func group(cmd *exec.Cmd) *exec.Cmd {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// print runs cmd with its output among ours.
func (r *run) print(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = r.out, r.out
	return group(cmd).Run()
}

// output returns what cmd prints. Its error includes what cmd complained of.
func output(cmd *exec.Cmd) (string, error) {
	out, err := group(cmd).Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, exit.Stderr)
	}
	return string(out), err
}

// goTest runs go test with its usual output and adds to the tally.
func (r *run) goTest(ctx context.Context, args ...string) error {
	cmd := group(goCommand(ctx, append([]string{"test", "-json"}, args...)...))
	var complaints bytes.Buffer // of the go command itself
	cmd.Stderr = &complaints
	events, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	err = errors.Join(r.tests.read(events, r.out), cmd.Wait())
	r.out.Write(complaints.Bytes())
	if n := len(r.tests.skipped); err == nil && r.ci && n > 0 {
		return fmt.Errorf("skipped tests, %d so far, which CI may not", n)
	}
	return err
}
