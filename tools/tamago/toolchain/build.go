package toolchain

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// layout changes when the code in this file makes other things of the same
// files, so that cache entries of older versions are not used.
const layout = "1"

// tools are the programs that must know the new GOOS.
var tools = []string{"go", "compile", "asm", "link"}

// builder is one toolchain to be made.
type builder struct {
	src   *sources
	store *store
	tree  tree // the whole port, applied
}

func newBuilder(src *sources, s *store) (*builder, error) {
	t, err := port.apply(os.DirFS(filepath.Join(src.stock, "src")),
		source{os.DirFS(src.added), "."},
		source{os.DirFS(src.goos), "runtime/goos"},
	)
	if err != nil {
		return nil, fmt.Errorf("Go release %s: %w", src.release, err)
	}
	return &builder{src, s, t}, nil
}

func (b *builder) toolsName() string {
	return "tools-" + b.tree.tools().key(layout, b.src.version, runtime.GOOS, runtime.GOARCH)
}

func (b *builder) gorootName() string {
	return "tamago-" + b.tree.key(b.toolsName())
}

// buildTools compiles the tools into dir/bin. The stock toolchain does it, in
// a GOROOT in which only the tools are edited.
func (b *builder) buildTools(ctx context.Context, dir string) error {
	b.store.logf("building %s of %s, once, for some minutes", strings.Join(tools, ", "), b.src.release)
	start := time.Now()

	work := filepath.Join(dir, "work")
	if err := b.assemble(work, b.tree.tools()); err != nil {
		return err
	}
	bin := filepath.Join(dir, "bin")
	if err := os.Mkdir(bin, 0o777); err != nil {
		return err
	}
	args := []string{"build", "-trimpath", "-o", bin + string(filepath.Separator)}
	for _, tool := range tools {
		args = append(args, "cmd/"+tool)
	}
	cmd := exec.CommandContext(ctx, toolPath(work, "go"), args...)
	cmd.Dir = filepath.Join(work, "src")
	cmd.Env = goEnv("GOROOT="+work, "GOTOOLCHAIN=local", "CGO_ENABLED=0", "GOWORK=off",
		"GOCACHE="+filepath.Join(b.store.dir, "build-cache"))
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, bytes.TrimSpace(out))
	}
	b.store.logf("built them in %v", time.Since(start).Round(time.Second))
	return os.RemoveAll(work)
}

// buildGOROOT puts a GOROOT in dir: the stock release with the whole port and
// the tools of toolsDir.
func (b *builder) buildGOROOT(dir, toolsDir string) error {
	b.store.logf("assembling a GOROOT")
	if err := b.assemble(dir, b.tree); err != nil {
		return err
	}
	for _, tool := range tools {
		to := toolPath(dir, tool)
		if err := os.Remove(to); err != nil {
			return err
		}
		if err := link(filepath.Join(toolsDir, "bin", tool), to); err != nil {
			return err
		}
	}
	return nil
}

// toolPath returns the place of a tool in a GOROOT.
func toolPath(goroot, tool string) string {
	if tool == "go" {
		return filepath.Join(goroot, "bin", tool)
	}
	return filepath.Join(goroot, "pkg", "tool", runtime.GOOS+"_"+runtime.GOARCH, tool)
}

// assemble makes in dir what is needed of the stock GOROOT, with the files of
// t instead of its own.
func (b *builder) assemble(dir string, t tree) error {
	for _, name := range []string{"VERSION", "go.env", filepath.Join("bin", "go")} {
		if err := link(filepath.Join(b.src.stock, name), filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"lib", filepath.Join("pkg", "include"), filepath.Join("pkg", "tool")} {
		if err := linkTree(filepath.Join(b.src.stock, name), filepath.Join(dir, name), nil); err != nil {
			return err
		}
	}
	src := filepath.Join(dir, "src")
	if err := linkTree(filepath.Join(b.src.stock, "src"), src, t); err != nil {
		return err
	}
	for file, data := range t {
		if err := writeFile(filepath.Join(src, filepath.FromSlash(file)), data); err != nil {
			return err
		}
	}
	return nil
}

// linkTree makes to a copy of the directory from, without tests and without
// the files of except, which are named relative to from.
func linkTree(from, to string, except tree) error {
	from, err := filepath.EvalSymlinks(from) // distributions spread a GOROOT
	if err != nil {
		return err
	}
	return filepath.WalkDir(from, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, name)
		if err != nil {
			return err
		}
		_, skip := except[filepath.ToSlash(rel)]
		switch {
		case d.IsDir() && d.Name() == "testdata":
			return filepath.SkipDir
		case d.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o777)
		case skip || strings.HasSuffix(rel, "_test.go"):
			return nil
		}
		return link(name, filepath.Join(to, rel))
	})
}

// link makes the file to the same as from: another name for it, so that it
// takes no room and outlives a removed release, or else a copy.
func link(from, to string) error {
	from, err := filepath.EvalSymlinks(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o777); err != nil {
		return err
	}
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// writeFile makes a new file. It never writes to one that is there, which
// could be a file of the stock release under its other name.
func writeFile(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
