package image

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"mult/tools/host"
)

// A program of our own is in the root image beside busybox.
type program struct {
	file  string   // where it has been built
	path  string   // where it is in the image
	links []string // symbolic links to it
}

// instinitOptions are gcc's for instinit, which has no C library: one segment that nobody
// writes to.
var instinitOptions = []string{
	"-static", "-nostdlib", "-ffreestanding", "-Os", "-fno-stack-protector", "-fno-asynchronous-unwind-tables",
	"-fno-pie", "-no-pie", "-Wall", "-Wextra", "-Werror", "-Wl,-z,noseparate-code,-z,norelro,--build-id=none", "-s",
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
	// Others may build the same at this moment: build aside, then rename.
	tmp, err := os.MkdirTemp(build, "programs-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	instctl := program{filepath.Join(build, "instctl"), "/sbin/instctl", []string{"/sbin/instinfo", "/bin/instps"}}
	instinit := program{filepath.Join(build, "instinit"), "/sbin/instinit", nil}
	for _, c := range []struct {
		p    program
		argv []string
	}{
		{instctl, []string{"go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", tmp + "/instctl", "./userland/inst"}},
		{instinit, append([]string{gcc, "-o", tmp + "/instinit", "userland/instinit/instinit.c"}, instinitOptions...)},
	} {
		cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
		cmd.Dir = checkout
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
		if text, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("building %s: %w\n%s", c.p.path, err, text)
		}
		if err := os.Rename(filepath.Join(tmp, filepath.Base(c.p.file)), c.p.file); err != nil {
			return nil, err
		}
	}
	return []program{instctl, instinit}, nil
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
