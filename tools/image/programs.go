package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"mult/tools/host"
	"mult/userland/instinit"
)

// A program of our own is in the root image beside busybox.
type program struct {
	file  string   // where it has been built
	path  string   // where it is in the image
	links []string // symbolic links to it
}

// programs builds our own programs in build/.
func programs(ctx context.Context) ([]program, error) {
	build, checkout, err := buildDir()
	if err != nil {
		return nil, err
	}
	gcc, err := host.GCC.Find()
	if err != nil {
		return nil, err
	}
	// It is built anew only if its source or gcc has changed.
	initFile, err := instinit.Build(gcc, filepath.Join(build, "cprog"))
	if err != nil {
		return nil, err
	}
	// Others may build the same at this moment: build aside, then rename.
	tmp, err := os.MkdirTemp(build, "programs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	instctl := filepath.Join(build, "instctl")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", tmp, "./userland/inst")
	cmd.Dir = checkout
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building userland/inst: %w\n%s", err, text)
	}
	if err := os.Rename(filepath.Join(tmp, "inst"), instctl); err != nil {
		return nil, err
	}
	return []program{
		{instctl, "/sbin/instctl", []string{"/sbin/instinfo", "/bin/instps"}},
		{initFile, "/sbin/instinit", nil},
	}, nil
}

// stage copies p into a directory tree.
func (p program) stage(dir string) error {
	data, err := os.ReadFile(p.file)
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, p.path), data, 0o755); err != nil {
		return err
	}
	for _, link := range p.links {
		link = filepath.Join(dir, link)
		if err := errors.Join(makeDir(filepath.Dir(link)), os.Symlink(p.path, link)); err != nil {
			return err
		}
	}
	return nil
}
