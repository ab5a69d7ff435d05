// Package image builds what a machine boots: kernels and the root image. The
// results go to build/ in the project's directory; what is up to date there is
// left alone.
package image

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mult/tools/host"
	"mult/tools/progress"
	"mult/tools/tamago/toolchain"
)

// buildDir returns build/, which is made if needed, and the directory it is in.
func buildDir() (build, checkout string, err error) {
	checkout, err = host.Checkout()
	if err != nil {
		return "", "", err
	}
	build = filepath.Join(checkout, "build")
	return build, checkout, os.MkdirAll(build, 0o777)
}

// Kernel builds boot/name and returns the path of build/name.elf. The
// toolchain is built before it if need be; progress goes to out.
func Kernel(ctx context.Context, out io.Writer, name string) (string, error) {
	build, checkout, err := buildDir()
	if err != nil {
		return "", err
	}
	tc, err := toolchain.Ensure(ctx, out)
	if err != nil {
		return "", err
	}
	elf := filepath.Join(build, name+".elf")
	err = progress.Step(out, "kernel build/"+name+".elf", func() error {
		cmd := tc.Command(ctx, "build", "-trimpath", "-o", elf, "./boot/"+name)
		cmd.Dir = checkout
		if text, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("building boot/%s: %w\n%s", name, err, text)
		}
		return nil
	})
	return elf, err
}
