package host

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"mult/tools/progress"
)

// Depends returns the packages that a Debian package depends on, by apt's
// lists, which are fetched if they don't know it.
func Depends(ctx context.Context, out io.Writer, name string) ([]string, error) {
	return depends(ctx, out, os.Geteuid() == 0, name)
}

func depends(ctx context.Context, out io.Writer, root bool, name string) ([]string, error) {
	var list []string
	err := withLists(ctx, out, root, func() error {
		text, err := exec.CommandContext(ctx, "apt-cache", "depends", "--important", name).Output()
		if err != nil {
			return fmt.Errorf("apt knows no package %s: %w", name, err)
		}
		for line := range strings.Lines(string(text)) {
			if dep, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: "); ok {
				list = append(list, dep)
			}
		}
		return nil
	})
	return list, err
}

// Download fetches a Debian package and unpacks it in the empty directory dir,
// without installing it.
func Download(ctx context.Context, out io.Writer, name, dir string) error {
	return download(ctx, out, os.Geteuid() == 0, name, dir)
}

func download(ctx context.Context, out io.Writer, root bool, name, dir string) error {
	archives, err := os.MkdirTemp(dir, "archive-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(archives)
	err = withLists(ctx, out, root, func() error {
		return runIn(ctx, archives, "apt-get", "-q", "download", name)
	})
	if err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(archives, "*.deb"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("apt-get download %s left %d archives", name, len(found))
	}
	return runIn(ctx, dir, "dpkg-deb", "-x", found[0], dir)
}

// withLists tries something with apt, and if that fails once more with new
// lists, which only root can fetch.
func withLists(ctx context.Context, out io.Writer, root bool, try func() error) error {
	err := try()
	switch {
	case err == nil || ctx.Err() != nil:
		return err
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("this needs a Debian host: %w", err)
	case !root:
		return fmt.Errorf("%w\nrun this command, then try again:\nsudo apt-get update", err)
	}
	err = progress.Step(out, "apt-get update", func() error { return apt(ctx, "update") })
	if err != nil {
		return err
	}
	return try()
}

// runIn runs a program in dir; what it prints is shown if it fails.
func runIn(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if text, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, bytes.TrimSpace(text))
	}
	return nil
}
