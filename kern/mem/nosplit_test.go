package mem

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// TestNosplit checks the rule of the package comment: what runs under the
// lock has //go:nosplit, has no closure, defer, append, make or panic in it,
// and no file has a package variable.
func TestNosplit(t *testing.T) {
	locked := map[string]bool{"lock.go": true, "frame.go": true, "run.go": true, "region.go": true}
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.VAR {
				t.Errorf("%s: a package variable", name)
			}
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			if !locked[name] {
				if strings.HasSuffix(fn.Name.Name, "Locked") {
					t.Errorf("%s: %s belongs in a file of code under the lock", name, fn.Name.Name)
				}
				continue
			}
			seen++
			nosplit := false
			if fn.Doc != nil {
				for _, c := range fn.Doc.List {
					nosplit = nosplit || c.Text == "//go:nosplit"
				}
			}
			if !nosplit {
				t.Errorf("%s: %s is not nosplit", name, fn.Name.Name)
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncLit, *ast.DeferStmt, *ast.GoStmt:
					t.Errorf("%s: %s has a closure, defer or go", name, fn.Name.Name)
				case *ast.CallExpr:
					if id, ok := n.Fun.(*ast.Ident); ok {
						switch id.Name {
						case "append", "make", "new", "panic", "print", "println":
							t.Errorf("%s: %s calls %s", name, fn.Name.Name, id.Name)
						}
					}
				}
				return true
			})
		}
	}
	if seen < 20 {
		t.Errorf("only %d functions under the lock were found", seen)
	}
}
