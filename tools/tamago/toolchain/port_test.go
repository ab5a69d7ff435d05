package toolchain

import (
	"go/build/constraint"
	"strings"
	"testing"
	"testing/fstest"
)

// release is a Go release of a few files.
func release() fstest.MapFS {
	return fstest.MapFS{
		"runtime/proc.go":  file("package runtime\n\nvar a = 1\nvar b = 1\n"),
		"runtime/unix.go":  file("//go:build unix || js\n\npackage runtime\n"),
		"runtime/free.go":  file("package runtime\n"),
		"os/sys_js.go":     file("// Copyright\n\n//go:build js && wasm\n\npackage os\n"),
		"os/posix.go":      file("//go:build unix || (js && wasm)\n\npackage os\n"),
		"os/other.go":      file("//go:build !unix && !js\n\npackage os\n"),
		"os/wasm.go":       file("//go:build wasm\n\npackage os\n"),
		"os/posix_js.go":   file("//go:build js\n\npackage os\n"),
		"os/posix_test.go": file("//go:build js\n\npackage os\n"),
	}
}

func file(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }

func TestApply(t *testing.T) {
	tab := tables{
		derivations: []derivation{{"os/sys_js.go", "os/sys_tamago.go"}},
		edits: []edit{
			{"runtime/proc.go", "twos", "= 1", "= 2", 2},
			{"runtime/proc.go", "on top of it", "a = 2", "a = 3", 1},
			{"os/sys_tamago.go", "of a derived file", "package os\n", "package os // ours\n", 1},
		},
		selections: []selection{{"runtime/unix.go", true}},
		likeJS:     []likeJS{{"os", 2}},
	}
	added := fstest.MapFS{
		"os/new.go":        file("package os\n"),
		"os/new_arm64.s":   file(""),
		"os/.new.go.swp":   file(""),
		"os/new_amd64.s":   file("TEXT\n"),
		"os/readme.txt":    file("hello\n"),
		"os/new_tamago.go": file("//go:build tamago\n"),
	}
	got, err := tab.apply(release(), source{added, "."}, source{fstest.MapFS{"goos.go": file("package goos\n")}, "runtime/goos"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"runtime/proc.go":      "package runtime\n\nvar a = 3\nvar b = 2\n",
		"runtime/unix.go":      "//go:build unix || js || tamago\n\npackage runtime\n",
		"runtime/goos/goos.go": "package goos\n",
		"os/sys_tamago.go":     "// Copyright\n\n//go:build tamago\n\npackage os // ours\n",
		"os/posix.go":          "//go:build unix || (js && wasm) || tamago\n\npackage os\n",
		"os/other.go":          "//go:build !unix && !js && !tamago\n\npackage os\n",
		"os/new.go":            "package os\n",
		"os/new_amd64.s":       "TEXT\n",
		"os/new_tamago.go":     "//go:build tamago\n",
	}
	for name, content := range want {
		if string(got[name]) != content {
			t.Errorf("%s is\n%s\nnot\n%s", name, got[name], content)
		}
		delete(got, name)
	}
	for name := range got {
		t.Errorf("unexpected change of %s", name)
	}
}

// Whatever does not fit is refused by an error that names it.
func TestMismatch(t *testing.T) {
	tests := []struct {
		name string
		tab  tables
		want []string // parts of the error
	}{
		{"text is gone", tables{edits: []edit{{"runtime/proc.go", "no sysmon", "sysmon", "", 1}}},
			[]string{"runtime/proc.go", "no sysmon", "0 times", "not 1"}},
		{"text is there twice", tables{edits: []edit{{"runtime/proc.go", "start", "= 1", "", 1}}},
			[]string{"runtime/proc.go", "start", "2 times", "not 1"}},
		{"file is gone", tables{edits: []edit{{"runtime/gone.go", "start", "a", "b", 1}}},
			[]string{"runtime/gone.go", "start", "not exist"}},
		{"original is gone", tables{derivations: []derivation{{"os/fs_js.go", "os/fs_tamago.go"}}},
			[]string{"os/fs_js.go", "os/fs_tamago.go", "not exist"}},
		{"derived file is there", tables{derivations: []derivation{{"os/sys_js.go", "os/posix.go"}}},
			[]string{"os/posix.go", "has a file"}},
		{"no constraint", tables{selections: []selection{{"runtime/free.go", false}}},
			[]string{"runtime/free.go", "build constraint", "none"}},
		{"constraint needs no change", tables{selections: []selection{{"runtime/unix.go", false}}},
			[]string{"runtime/unix.go", "unix || js", "no change"}},
		{"more files like those of js", tables{likeJS: []likeJS{{"os", 1}}},
			[]string{"os:", "2 files", "not 1"}},
		{"directory is gone", tables{likeJS: []likeJS{{"oss", 1}}},
			[]string{"oss:", "not exist"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.tab.apply(release())
			if err == nil {
				t.Fatal("no error")
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %q", err, part)
				}
			}
		})
	}

	_, err := new(tables).apply(release(), source{fstest.MapFS{"proc.go": file("")}, "runtime"})
	if err == nil || !strings.Contains(err.Error(), "runtime/proc.go") {
		t.Errorf("new file over one of the release: %v", err)
	}
}

func TestLikeJSChanges(t *testing.T) {
	tests := []struct {
		expr   string
		change bool
	}{
		{"unix || js", true},
		{"unix || (js && wasm) || wasip1", true},
		{"!unix && !js", true},
		{"(netgo && unix) || (unix && !cgo && !darwin) || js", true},
		{"js && go1.20", true},
		{"wasm", false},                  // not about js
		{"js || wasm", false},            // the same
		{"unix", false},                  // neither is one
		{"!windows && !plan9", false},    // both are selected
		{"unix || js || tamago", false},  // done
		{"js && !wasm", false},           // never
		{"js && amd64 && gccgo", false},  // never
		{"!js && amd64 && linux", false}, // neither
	}
	for _, tt := range tests {
		c, err := constraint.Parse("//go:build " + tt.expr)
		if err != nil {
			t.Fatal(err)
		}
		if got := likeJSChanges(c); got != tt.change {
			t.Errorf("likeJSChanges(%s) = %v", tt.expr, got)
		}
		if !tt.change {
			continue
		}
		js := selects(c, "js", "wasm")
		c = withTamago(c, js)
		if likeJSChanges(c) || selects(c, "js", "wasm") != js {
			t.Errorf("%s became %s", tt.expr, c)
		}
	}
}

func TestNameSelects(t *testing.T) {
	tests := []struct {
		name string
		want bool
	}{
		{"proc.go", true}, {"asm.s", true}, {"defs.h", true}, {"os_tamago.go", true},
		{"asm_amd64.s", true}, {"goos_arm64.s", false}, {"os_linux.go", false}, {"os_js_wasm.go", false},
		{"go.mod", false}, {"_old.go", false}, {".#proc.go", false}, {"proc.go~", false},
	}
	for _, tt := range tests {
		if got := nameSelects(tt.name, "tamago", "amd64"); got != tt.want {
			t.Errorf("nameSelects(%q) = %v", tt.name, got)
		}
	}
}

// The keys of cache entries tell inputs apart.
func TestKey(t *testing.T) {
	base := func() tree {
		return tree{
			"runtime/proc.go":           []byte("1"),
			"cmd/link/internal/ld/a.go": []byte("2"),
			"internal/goos/zgoos.go":    []byte("3"),
		}
	}
	tests := []struct {
		name        string
		change      func(tr tree, in *string)
		root, tools bool // which keys change
	}{
		{"nothing", func(tree, *string) {}, false, false},
		{"runtime file", func(tr tree, _ *string) { tr["runtime/proc.go"] = []byte("4") }, true, false},
		{"new runtime file", func(tr tree, _ *string) { tr["runtime/new.go"] = nil }, true, false},
		{"file gone", func(tr tree, _ *string) { delete(tr, "runtime/proc.go") }, true, false},
		{"renamed", func(tr tree, _ *string) { delete(tr, "runtime/proc.go"); tr["runtime/p.go"] = []byte("1") }, true, false},
		{"tool file", func(tr tree, _ *string) { tr["cmd/link/internal/ld/a.go"] = []byte("4") }, true, true},
		{"constants", func(tr tree, _ *string) { tr["internal/goos/zgoos.go"] = []byte("4") }, true, true},
		{"release", func(_ tree, in *string) { *in = "go1.2.3" }, true, true},
		{"similar name", func(tr tree, _ *string) { tr["cmdx/a.go"] = nil }, true, false},
	}
	for _, tt := range tests {
		tr, in := base(), "go1.2.2"
		root, tools := tr.key(in), tr.tools().key(in)
		tt.change(tr, &in)
		if (tr.key(in) != root) != tt.root {
			t.Errorf("%s: key of the GOROOT: %s, %s", tt.name, root, tr.key(in))
		}
		if (tr.tools().key(in) != tools) != tt.tools {
			t.Errorf("%s: key of the tools: %s, %s", tt.name, tools, tr.tools().key(in))
		}
	}
	if (tree{"a": []byte("b\n1 c")}).key() == (tree{"a": []byte("b"), "c": nil}).key() {
		t.Error("fields run together")
	}
}
