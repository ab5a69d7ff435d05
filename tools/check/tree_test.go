package check

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// root is the module this package is part of, seen from its directory.
const root = "../.."

var theTree = sync.OnceValues(func() (*Tree, error) { return Load(os.DirFS(root)) })

// mult loads the module once for all tests.
func mult(t *testing.T) *Tree {
	t.Helper()
	tree, err := theTree()
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// exports is shared too: asking the go command takes longer than all checks.
var exports = &Exports{Dir: root}

// report fails the test for each finding.
func report(t *testing.T, list []Finding, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range list {
		t.Error(f)
	}
}

func TestImportDirection(t *testing.T) {
	report(t, Imports(mult(t), Rooms), nil)
}

func TestGlobalState(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Fatal("the go command must be in PATH: ", err)
	}
	text, err := os.ReadFile(root + "/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	reasons, err := Reasons(string(text))
	if err != nil {
		t.Fatal(err)
	}
	list, err := State(mult(t), exports, reasons)
	report(t, list, err)
}

// TestNotBlind adds a bad file to the real tree: the rules must see it there
// too, not only in the small trees of their own tests.
func TestNotBlind(t *testing.T) {
	tree, err := Load(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	tree.add("kern/canary.go", []byte("//go:build tamago\n\npackage kern\n\nimport _ \"mult/boot\"\n\nvar canary int\n"))
	has := func(list []Finding, words string) {
		t.Helper()
		for _, f := range list {
			if strings.Contains(f.String(), words) {
				return
			}
		}
		t.Errorf("no finding with %q in %v", words, list)
	}
	has(Imports(tree, Rooms), `kern/canary.go:5: imports "mult/boot"`)
	list, err := State(tree, exports, nil)
	if err != nil {
		t.Fatal(err)
	}
	has(list, "kern/canary.go:7: kern.canary is mutable package state")
}

// TestRoomTable keeps the table that people read equal to the one that is
// enforced.
func TestRoomTable(t *testing.T) {
	text, err := os.ReadFile(root + "/ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := RoomTable(); !strings.Contains(string(text), want) {
		t.Errorf("ARCHITECTURE.md does not show the table of tools/check/rooms.go, which is now:\n%s", want)
	}
}

func TestPackageDocs(t *testing.T) {
	report(t, PackageDocs(mult(t)), nil)
}

func TestAssembly(t *testing.T) {
	list, err := Assembly(mult(t))
	report(t, list, err)
}

func TestSystemSuffix(t *testing.T) {
	list, err := SystemSuffix(mult(t))
	report(t, list, err)
}

func TestBuildPaths(t *testing.T) {
	abs, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	list, err := BuildPaths(mult(t), filepath.ToSlash(abs))
	report(t, list, err)
}

func TestLinks(t *testing.T) {
	list, err := Links(mult(t))
	report(t, list, err)
}

func TestLicense(t *testing.T) {
	report(t, License(mult(t)), nil)
}

func TestDependencies(t *testing.T) {
	list, err := Dependencies(mult(t))
	report(t, list, err)
}
