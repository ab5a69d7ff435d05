// Package toolchain makes the Go toolchain that compiles the kernel: the
// release that go.mod names, with an added GOOS, tamago, which is the bare
// machine.
//
// The stock release is not changed. Its files are linked or copied into a new
// GOROOT in the user's cache; on the way the tables of this package edit some
// of them (edits_*.go) and the tree _goroot adds others. An edit says how
// often its text must occur, so a release that the tables do not fit is
// refused, with the name of the edit.
//
// The interface between the new runtime and the kernel is package
// runtime/goos. It comes unmodified from the TamaGo module, which go.mod pins.
//
// To move to another release, name it in go.mod and mend the tables until the
// tests of this package pass. Go 1.27 is known to want runtime/libinit.go
// deselected and more linkname directives in the runtime's new files.
//
// A GOROOT is made in two steps with a cache entry each (see store):
//
//   - the four tools that must know the new GOOS (go, compile, asm, link) are
//     built by the stock toolchain, in minutes, keyed by what goes into them;
//   - the GOROOT is put together around them, in a second, keyed by all files
//     that are edited or new.
package toolchain

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
)

// A Toolchain is a finished GOROOT.
type Toolchain struct {
	GOROOT  string // its directory, which never changes
	Release string // the Go release it was made from, as in "go1.26.8"
	Stock   string // GOROOT of that release

	gocache string // of compiled kernel packages
}

// Ensure returns the toolchain for the module of the working directory. It is
// built if the cache does not have it; slow steps are announced on progress.
// Any number of processes may do this at once.
func Ensure(ctx context.Context, progress io.Writer) (*Toolchain, error) {
	s, err := openStore(progress)
	if err != nil {
		return nil, err
	}
	src, err := locate(ctx, s.logf)
	if err != nil {
		return nil, err
	}
	b, err := newBuilder(src, s)
	if err != nil {
		return nil, err
	}
	return b.run(ctx)
}

// Command returns the toolchain's go command with args, set up to build for
// the bare machine.
func (tc *Toolchain) Command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(tc.GOROOT, "bin", "go"), args...)
	cmd.Env = goEnv(
		"GOROOT="+tc.GOROOT,
		"GOTOOLCHAIN=local",
		"GOOS=tamago",
		"GOARCH=amd64",
		"GOAMD64=v1", // later levels use YMM registers, which are the users'
		"CGO_ENABLED=0",
		// The go command takes the tools of a release for known, whatever
		// our edits did to them, so these need a cache of their own.
		"GOCACHE="+tc.gocache,
	)
	return cmd
}

// run makes what is missing.
func (b *builder) run(ctx context.Context) (*Toolchain, error) {
	toolsDir, err := b.store.entry(ctx, b.toolsName(), func(dir string) error {
		return b.buildTools(ctx, dir)
	})
	if err != nil {
		return nil, fmt.Errorf("building the tools of %s: %w", b.src.release, err)
	}
	goroot, err := b.store.entry(ctx, b.gorootName(), func(dir string) error {
		return b.buildGOROOT(dir, toolsDir)
	})
	if err != nil {
		return nil, fmt.Errorf("assembling a GOROOT from %s: %w", b.src.release, err)
	}
	return &Toolchain{
		GOROOT:  goroot,
		Release: b.src.release,
		Stock:   b.src.stock,
		gocache: filepath.Join(toolsDir, "gocache"),
	}, nil
}
