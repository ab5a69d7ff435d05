// Package host knows what the project's tools need of the Debian machine they
// run on, and installs what is missing.
package host

import (
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"mult/tools/progress"
)

// Need is a program and the Debian packages that bring it.
type Need struct {
	Program  string
	Packages []string
	For      string                  // completes "needed for ..."
	check    func(path string) error // nil: any program of that name will do
}

// What the tools need. docs/dependencies.md shows the same packages.
var (
	QEMU = Need{
		Program:  "qemu-system-x86_64",
		Packages: []string{"qemu-system-x86"},
		For:      "booting the kernel",
	}
	Busybox = Need{
		Program:  "busybox",
		Packages: []string{"busybox-static"},
		For:      "the programs of the root image",
		check:    static,
	}
	EROFS = Need{
		Program:  "mkfs.erofs",
		Packages: []string{"erofs-utils"},
		For:      "making the root image",
	}
	LZ4 = Need{
		Program:  "lz4",
		Packages: []string{"lz4"},
		For:      "unpacking the Linux kernel that boot times are compared with",
	}
	GCC = Need{
		Program:  "gcc",
		Packages: []string{"gcc", "libc6-dev"},
		For:      "instinit, the race detector and the test programs in C",
		check:    func(string) error { _, err := os.Stat("/usr/include/stdlib.h"); return err },
	}
)

// Find returns the path of the program, or why it can't be used.
func (n Need) Find() (string, error) {
	path, err := exec.LookPath(n.Program)
	if err != nil {
		return "", fmt.Errorf("%s is not installed", n.Program)
	}
	if n.check == nil {
		return path, nil
	}
	if err := n.check(path); err != nil {
		return "", fmt.Errorf("%s can't be used: %w", path, err)
	}
	return path, nil
}

// Require makes sure that all needs are met. What is missing is installed
// with apt-get if this process is root's, which is announced on out. Otherwise
// the error holds the command to run.
func Require(ctx context.Context, out io.Writer, needs ...Need) error {
	return require(ctx, out, os.Geteuid() == 0, needs)
}

func require(ctx context.Context, out io.Writer, root bool, needs []Need) error {
	var packages, why []string
	for _, n := range needs {
		if _, err := n.Find(); err != nil {
			packages = append(packages, n.Packages...)
			why = append(why, fmt.Sprintf("%v, needed for %s", err, n.For))
		}
	}
	if len(packages) == 0 {
		return nil
	}
	slices.Sort(packages)
	packages = slices.Compact(packages)
	missing := strings.Join(why, "\n")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%s\nthere is no apt-get here; Debian's packages are called %s",
			missing, strings.Join(packages, " "))
	}
	if !root {
		return fmt.Errorf("%s\nrun this command, then try again:\n"+
			"sudo apt-get update && sudo apt-get install -y --no-install-recommends %s",
			missing, strings.Join(packages, " "))
	}
	fmt.Fprintln(out, missing)
	err := progress.Step(out, "installing "+strings.Join(packages, " ")+" with apt-get", func() error {
		if err := apt(ctx, "update"); err != nil {
			return err
		}
		return apt(ctx, append([]string{"install", "-y", "--no-install-recommends"}, packages...)...)
	})
	if err != nil {
		return err
	}
	for _, n := range needs {
		if _, err := n.Find(); err != nil {
			return fmt.Errorf("%w, although %s was installed", err, strings.Join(n.Packages, " "))
		}
	}
	return nil
}

// apt runs apt-get without questions. What it prints is shown if it fails.
func apt(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q"}, args...)...)
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// static rejects programs that need shared libraries.
func static(path string) error {
	f, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("it is not linked statically")
		}
	}
	return nil
}

// Checkout returns the project's directory, which holds go.mod and is the
// working directory or above it.
func Checkout() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.mod in or above %s", start)
		}
	}
}
