package toolchain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

const (
	module       = "mult"
	tamagoModule = "github.com/usbarmory/tamago"
)

// sources says where the inputs of a build are.
type sources struct {
	release string // the Go release, as in "go1.26.8"
	version string // all of its VERSION file
	stock   string // GOROOT of the stock release
	added   string // our tree of new files, below GOROOT/src
	goos    string // package runtime/goos, in the TamaGo module
}

// locate finds the inputs with the help of the go command on the PATH: it
// runs, and if need be downloads, the release that go.mod asks for.
func locate(ctx context.Context, logf func(format string, args ...any)) (*sources, error) {
	var main struct{ Dir, GoVersion string }
	if err := goJSON(ctx, &main, "list", "-m", "-json", module); err != nil {
		return nil, err
	}
	if main.Dir == "" || main.GoVersion == "" {
		return nil, fmt.Errorf("module %s has no directory or no go line in go.mod", module)
	}
	var tamago struct{ Dir string }
	if err := goJSON(ctx, &tamago, "mod", "download", "-json", tamagoModule); err != nil {
		return nil, err
	}
	src := &sources{
		release: "go" + main.GoVersion,
		added:   filepath.Join(main.Dir, "tools", "tamago", "_goroot", "src"),
		goos:    filepath.Join(tamago.Dir, "goos"),
	}

	if src.release != runtime.Version() {
		logf("looking for Go release %s, downloading it if need be", src.release)
	}
	out, err := runGo(ctx, []string{"GOTOOLCHAIN=" + src.release}, "env", "GOROOT")
	if err != nil {
		return nil, fmt.Errorf("finding Go release %s: %w", src.release, err)
	}
	src.stock = strings.TrimSpace(string(out))
	version, err := os.ReadFile(filepath.Join(src.stock, "VERSION"))
	if err != nil {
		return nil, fmt.Errorf("finding Go release %s: %w", src.release, err)
	}
	src.version = string(version)
	if got, _, _ := strings.Cut(src.version, "\n"); got != src.release {
		return nil, fmt.Errorf("go.mod asks for Go release %s, but %s is %s", src.release, src.stock, got)
	}
	return src, nil
}

// goJSON decodes into v what the go command prints.
func goJSON(ctx context.Context, v any, args ...string) error {
	out, err := runGo(ctx, nil, args...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(out, v); err != nil {
		return fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// runGo returns the standard output of the go command on the PATH. Its error
// includes what the command complained about.
func runGo(ctx context.Context, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = goEnv(env...)
	out, err := cmd.Output()
	if err == nil {
		return out, nil
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%w\n%s", err, bytes.TrimSpace(exit.Stderr))
	}
	return nil, fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
}

// target lists the variables that choose what the go command builds and with
// what. The caller's choice is for its own programs.
var target = []string{
	"GOROOT", "GOOS", "GOARCH", "GOAMD64", "GOEXPERIMENT", "GOFLAGS", "CGO_ENABLED",
}

// goEnv returns the environment of a go command: the caller's without target,
// and with the given settings.
func goEnv(settings ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.Contains(target, name)
	})
	// A program must not depend on the state of the repository around it.
	env = append(env, "GOFLAGS=-buildvcs=false")
	return append(env, settings...)
}
