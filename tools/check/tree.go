package check

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"strings"
)

// A Finding is one broken rule.
type Finding struct {
	Pos string // file, or file:line, relative to the module
	Msg string
}

func (f Finding) String() string { return f.Pos + ": " + f.Msg }

// A File is one Go source file, whatever its build constraints say.
type File struct {
	Path string // relative to the module, with slashes
	Dir  string // "." for the module's root
	Test bool   // its name ends in _test.go
	Src  []byte
	AST  *ast.File
}

// A Tree is a module's source.
type Tree struct {
	FS     fs.FS
	Module string // the module path go.mod gives
	Fset   *token.FileSet
	Files  []*File   // in the order of a directory walk
	Broken []Finding // Go files that don't parse
}

// Load reads every Go file of the module whose root is fsys. Like the go
// command it leaves out testdata, directories that begin with a dot or an
// underscore, and nested modules; also build, where make puts its output.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{FS: fsys, Fset: token.NewFileSet()}
	mod, err := fs.ReadFile(fsys, "go.mod")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(mod)) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == "module" {
			t.Module = f[1]
		}
	}
	if t.Module == "" {
		return nil, fmt.Errorf("go.mod has no module line")
	}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && t.skipDir(name):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		src, err := fs.ReadFile(fsys, name)
		if err == nil {
			t.add(name, src)
		}
		return err
	})
	return t, err
}

func (t *Tree) skipDir(name string) bool {
	if name == "." {
		return false
	}
	base := path.Base(name)
	if base[0] == '.' || base[0] == '_' || base == "testdata" || name == "build" {
		return true
	}
	_, err := fs.Stat(t.FS, path.Join(name, "go.mod"))
	return err == nil
}

func (t *Tree) add(name string, src []byte) {
	f := &File{Path: name, Dir: path.Dir(name), Test: strings.HasSuffix(name, "_test.go"), Src: src}
	var err error
	f.AST, err = parser.ParseFile(t.Fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Broken = append(t.Broken, Finding{name, err.Error()})
		return
	}
	t.Files = append(t.Files, f)
}

// own reports whether an import path lies in the module, and where.
func (t *Tree) own(importPath string) (dir string, ok bool) {
	if importPath == t.Module {
		return ".", true
	}
	return strings.CutPrefix(importPath, t.Module+"/")
}

func (t *Tree) pos(p token.Pos) string {
	at := t.Fset.Position(p)
	return fmt.Sprintf("%s:%d", at.Filename, at.Line)
}
