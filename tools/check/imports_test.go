package check

import (
	"strings"
	"testing"
	"testing/fstest"
)

// load makes a tree of the module mult from file names and texts.
func load(t *testing.T, files map[string]string) *Tree {
	t.Helper()
	fsys := fstest.MapFS{"go.mod": {Data: []byte("module mult\n\ngo 1.26\n")}}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	tree, err := Load(fsys)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// expect compares findings with the words that each must contain, in order.
func expect(t *testing.T, got []Finding, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d findings, want %d:\n%v", len(got), len(want), got)
	}
	for i, w := range want {
		if !strings.Contains(got[i].String(), w) {
			t.Errorf("finding %q, want %q in it", got[i], w)
		}
	}
}

func TestImportsRule(t *testing.T) {
	tests := []struct {
		name, file, text string
		want             []string
	}{
		{"downwards", "kern/pipe/pipe.go", `import _ "mult/kern/proc"`, nil},
		{"upwards", "kern/pipe/pipe.go", `import _ "mult/boot"`,
			[]string{`kern/pipe/pipe.go:3: imports "mult/boot": kern/... may import only`}},
		{"the section is named", "inst/inst.go", `import _ "mult/kern/proc"`,
			[]string{`ARCHITECTURE.md, "The import rule"`}},
		{"behind a build tag", "kern/pipe/pipe_tamago.go", `import _ "mult/arch/amd64"`,
			[]string{`imports "mult/arch/amd64"`}},
		{"a sibling subsystem", "kern/pipe/pipe.go", `import _ "mult/kern/futex"`, []string{"kern/futex"}},
		{"below the call layer", "fs/vfs/vfs.go", `import _ "mult/kern/file"`, nil},
		{"the call layer", "fs/vfs/vfs.go", `import _ "mult/kern/linux"`, []string{"kern/linux"}},
		{"the kernel from a file system", "fs/vfs/vfs.go", `import _ "mult/kern"`, []string{`"mult/kern"`}},
		{"tools from the kernel", "boot/main.go", `import _ "mult/tools/run"`, []string{"tools/run"}},
		{"userland from the kernel", "kern/linux/exec.go", `import _ "mult/userland/init"`, []string{"userland/init"}},
		{"qemu from the kernel", "dev/uart/uart.go", `import _ "mult/qemu"`, []string{`"mult/qemu"`}},
		{"unknown package", "kern/pipe/pipe.go", `import _ "mult/misc"`, []string{"no row"}},
		{"unknown room", "misc/misc.go", ``, []string{`package directory "misc" has no row`}},
		{"unknown room at the root", "main.go", ``, []string{`package directory "." has no row`}},
		{"module where allowed", "arch/amd64/cpu.go", `import _ "github.com/usbarmory/tamago/amd64"`, nil},
		{"module elsewhere", "kern/mem/mem.go", `import _ "github.com/usbarmory/tamago/dma"`, []string{"may not import this module"}},
		{"similar module name", "arch/amd64/cpu.go", `import _ "github.com/usbarmory/tamago2"`, []string{"may not import this module"}},
		{"standard library", "kern/pipe/pipe.go", `import _ "sync"`, nil},
		{"host part of it", "kern/pipe/pipe.go", `import _ "os"`, []string{"may not use this part"}},
		{"runtime hooks", "kern/mem/mem.go", `import _ "runtime/goos"`, []string{"may not use this part"}},
		{"link name", "kern/pipe/pipe.go", "//go:linkname f mult/boot.f\nfunc f()", []string{`go:linkname to "mult/boot"`}},
		{"link name of the runtime's hooks", "kern/mem/mem.go", "//go:linkname f runtime/goos.Idle\nfunc f()", []string{"runtime/goos"}},
		{"link name allowed", "kern/mem/mem.go", "//go:linkname f runtime.nanotime\nfunc f()", nil},
		{"tests may reach up", "kern/pipe/pipe_test.go", `import _ "mult/kern/linux"; import _ "os"`, nil},
		{"tests stay on the host", "kern/pipe/pipe_test.go", `import _ "mult/arch/amd64"`, []string{"tests of kern/... may not"}},
		{"tests don't boot", "net/net_test.go", `import _ "mult/boot/option"`, []string{"tests of net/... may not"}},
		{"tests of a machine may", "boot/boot_test.go", `import _ "mult/qemu"`, nil},
		{"goroot is no part", "tools/tamago/_goroot/x/x.go", `import _ "mult/boot"`, nil},
		{"doesn't parse", "kern/pipe/pipe.go", `import`, []string{"kern/pipe/pipe.go"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tree := load(t, map[string]string{tt.file: "//go:build tamago || linux\n" + "package x\n" + tt.text})
			expect(t, Imports(tree, Rooms), tt.want)
		})
	}
}

func TestRoomOf(t *testing.T) {
	for pkg, want := range map[string]string{
		"kern":          "kern",
		"kern/pipe":     "kern/...",
		"kern/mem":      "kern/mem/...",
		"kern/mem/test": "kern/mem/...",
		"kern/memory":   "kern/...",
		"kernel":        "",
		"boot":          "boot/...",
		"boot/option":   "boot/option/...",
	} {
		got := ""
		if r := roomOf(Rooms, pkg); r != nil {
			got = r.Path
		}
		if got != want {
			t.Errorf("room of %s = %q, want %q", pkg, got, want)
		}
	}
}
