package toolchain

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// The tables fit the release that go.mod names, and what they make of it is
// still Go. Nothing is compiled.
func TestPinnedRelease(t *testing.T) {
	src, err := locate(t.Context(), t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	b, err := newBuilder(src, &store{t.TempDir(), os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	for file, data := range b.tree {
		if filepath.Ext(file) != ".go" {
			continue
		}
		if _, err := parser.ParseFile(token.NewFileSet(), file, data, parser.SkipObjectResolution); err != nil {
			t.Error(err)
		}
	}
	for _, file := range []string{"runtime/goos/goos.go", "runtime/goos/goos_amd64.s", "internal/goos/zgoos_tamago.go"} {
		if b.tree[file] == nil {
			t.Errorf("there is no %s", file)
		}
	}
}

// A GOROOT is put together from a stock one without touching that.
func TestBuildGOROOT(t *testing.T) {
	stock, elsewhere, toolsDir, dir := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	toolDir := "pkg/tool/" + runtime.GOOS + "_" + runtime.GOARCH + "/"
	stockFiles := map[string]string{
		"VERSION":                   "go1.2.3",
		"go.env":                    "GOPATH=x",
		"bin/go":                    "stock",
		"lib/time/zoneinfo.zip":     "zip",
		"pkg/include/textflag.h":    "#define",
		toolDir + "compile":         "stock",
		toolDir + "asm":             "stock",
		toolDir + "link":            "stock",
		toolDir + "vet":             "stock",
		"src/runtime/proc.go":       "stock",
		"src/runtime/chan.go":       "stock",
		"src/runtime/chan_test.go":  "stock",
		"src/runtime/testdata/a.go": "stock",
	}
	for name, content := range stockFiles {
		if err := writeFile(filepath.Join(stock, name), []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tool := range tools {
		if err := writeFile(filepath.Join(toolsDir, "bin", tool), []byte("ours")); err != nil {
			t.Fatal(err)
		}
	}
	// Some distributions keep the sources elsewhere.
	if err := os.Rename(filepath.Join(stock, "src"), filepath.Join(elsewhere, "src")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(elsewhere, "src"), filepath.Join(stock, "src")); err != nil {
		t.Fatal(err)
	}
	s, _ := testStore(t)
	b := &builder{&sources{stock: stock}, s, tree{"runtime/proc.go": []byte("ours"), "runtime/new.go": []byte("ours")}}
	if err := b.buildGOROOT(dir, toolsDir); err != nil {
		t.Fatal(err)
	}

	want := map[string]string{
		"VERSION":                "go1.2.3",
		"go.env":                 "GOPATH=x",
		"bin/go":                 "ours",
		"lib/time/zoneinfo.zip":  "zip",
		"pkg/include/textflag.h": "#define",
		toolDir + "compile":      "ours",
		toolDir + "asm":          "ours",
		toolDir + "link":         "ours",
		toolDir + "vet":          "stock",
		"src/runtime/proc.go":    "ours",
		"src/runtime/chan.go":    "stock",
		"src/runtime/new.go":     "ours",
	}
	compareFiles(t, dir, want)
	if err := os.Remove(filepath.Join(stock, "src")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(elsewhere, "src"), filepath.Join(stock, "src")); err != nil {
		t.Fatal(err)
	}
	compareFiles(t, stock, stockFiles)
}

func compareFiles(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		rel, err := filepath.Rel(dir, name)
		if err != nil {
			return err
		}
		data, err := os.ReadFile(name)
		if got := string(data); got != want[rel] {
			t.Errorf("%s is %q, not %q", rel, got, want[rel])
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if n != len(want) {
		t.Errorf("there are %d files, not %d", n, len(want))
	}
}

// The environment of the caller does not choose what is built.
func TestCommand(t *testing.T) {
	for name, value := range map[string]string{
		"GOROOT": "/nowhere", "GOOS": "plan9", "GOARCH": "arm", "GOAMD64": "v4",
		"GOFLAGS": "-race", "GOTOOLCHAIN": "go1.2", "GOEXPERIMENT": "x", "CGO_ENABLED": "1",
	} {
		t.Setenv(name, value)
	}
	tc := &Toolchain{GOROOT: "/goroot", gocache: "/cache"}
	cmd := tc.Command(t.Context(), "build", "-v")
	if want := []string{"/goroot/bin/go", "build", "-v"}; !slices.Equal(cmd.Args, want) {
		t.Errorf("arguments are %q, not %q", cmd.Args, want)
	}
	want := map[string]string{
		"GOROOT": "/goroot", "GOOS": "tamago", "GOARCH": "amd64", "GOAMD64": "v1", "CGO_ENABLED": "0",
		"GOFLAGS": "-buildvcs=false", "GOTOOLCHAIN": "local", "GOCACHE": "/cache", "GOEXPERIMENT": "",
	}
	got := make(map[string]string)
	for _, kv := range cmd.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		got[name] = value
	}
	for name, value := range want {
		if got[name] != value {
			t.Errorf("%s is %q, not %q", name, got[name], value)
		}
	}
}
