package check

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Exports finds the export data of packages outside the module. The go
// command builds it where its cache lacks it.
type Exports struct {
	Dir string // where the go command runs; decides which module versions count

	file map[string]string // import path to file; "" when it has none
	imp  types.Importer
}

// Prepare asks the go command for several packages in one run. A package that
// doesn't build here, such as one made for another system, gets no file.
func (e *Exports) Prepare(paths []string) error {
	if e.file == nil {
		e.file = map[string]string{}
	}
	paths = slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		_, known := e.file[p]
		return known || p == "unsafe" || p == "C"
	})
	if len(paths) == 0 {
		return nil
	}
	cmd := exec.Command("go", append([]string{"list", "-e", "-export",
		"-f", "{{.ImportPath}}\t{{.Export}}", "--"}, paths...)...)
	cmd.Dir = e.Dir
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("%v: %v\n%s", cmd, err, stderr.Bytes())
	}
	for _, p := range paths {
		e.file[p] = ""
	}
	for line := range strings.Lines(string(out)) {
		p, file, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		e.file[p] = file
	}
	return nil
}

// Import implements types.Importer.
func (e *Exports) Import(p string) (*types.Package, error) {
	if e.imp == nil {
		e.imp = importer.ForCompiler(token.NewFileSet(), "gc", func(p string) (io.ReadCloser, error) {
			if e.file[p] == "" {
				return nil, fmt.Errorf("no export data for %s", p)
			}
			return os.Open(e.file[p])
		})
	}
	return e.imp.Import(p)
}

// A buildKind is one choice of files: a system, and the project's own build
// tags either all set or all clear.
type buildKind struct {
	goos string
	tags []string
}

// A world is the module type-checked for one kind of build.
type world struct {
	t    *Tree
	exp  *Exports
	kind buildKind

	files map[string][]*ast.File // by directory
	pkgs  map[string]*types.Package
	info  *types.Info
	errs  []Finding // type errors, in packages that errIn picks
	errIn func(dir string) bool

	parent  map[ast.Node]ast.Node
	uses    map[types.Object][]*ast.Ident
	decls   map[*types.Func]*ast.FuncDecl
	results map[types.Object]bool // named results, which a bare return hands out
}

// selected returns the non-test files of a kind of build.
func selected(t *Tree, kind buildKind) (map[*File]bool, error) {
	byPath := map[string]*File{}
	for _, f := range t.Files {
		byPath[f.Path] = f
	}
	ctxt := build.Default
	ctxt.GOOS, ctxt.GOARCH, ctxt.CgoEnabled, ctxt.BuildTags = kind.goos, "amd64", false, kind.tags
	ctxt.JoinPath = path.Join
	ctxt.OpenFile = func(p string) (io.ReadCloser, error) {
		if f := byPath[p]; f != nil {
			return io.NopCloser(bytes.NewReader(f.Src)), nil
		}
		return nil, os.ErrNotExist
	}
	set := map[*File]bool{}
	for _, f := range t.Files {
		if f.Test {
			continue
		}
		ok, err := ctxt.MatchFile(f.Dir, path.Base(f.Path))
		if err != nil {
			return nil, fmt.Errorf("%s: %v", f.Path, err)
		}
		// To the stock go command _tamago is no system; to ours it is.
		if stem := "_" + strings.TrimSuffix(path.Base(f.Path), ".go") + "_"; kind.goos != "tamago" && strings.Contains(stem, "_tamago_") {
			ok = false
		}
		if ok {
			set[f] = true
		}
	}
	return set, nil
}

// worlds type-checks the module for every kind of build that differs from the
// ones before, and returns the files that are in none.
func worlds(t *Tree, exp *Exports, errIn func(dir string) bool) (ws []*world, unseen []*File, err error) {
	if err := exp.Prepare(outside(t)); err != nil {
		return nil, nil, err
	}
	tags := ownTags(t)
	kinds := []buildKind{{"linux", nil}, {"tamago", nil}}
	if len(tags) > 0 {
		kinds = append(kinds, buildKind{"linux", tags}, buildKind{"tamago", tags})
	}
	seen := map[*File]bool{}
	var sets []map[*File]bool
	for _, kind := range kinds {
		set, err := selected(t, kind)
		if err != nil {
			return nil, nil, err
		}
		if slices.ContainsFunc(sets, func(s map[*File]bool) bool { return sameFiles(s, set) }) {
			continue
		}
		sets = append(sets, set)
		for f := range set {
			seen[f] = true
		}
		ws = append(ws, newWorld(t, exp, kind, set, errIn))
	}
	for _, f := range t.Files {
		if !f.Test && !seen[f] {
			unseen = append(unseen, f)
		}
	}
	return ws, unseen, nil
}

func sameFiles(a, b map[*File]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for f := range a {
		if !b[f] {
			return false
		}
	}
	return true
}

// outside lists what the module's own code imports from elsewhere.
func outside(t *Tree) []string {
	set := map[string]bool{"errors": true, "fmt": true}
	for _, f := range t.Files {
		for _, spec := range f.AST.Imports {
			p, err := strconv.Unquote(spec.Path.Value)
			if _, ours := t.own(p); err == nil && !ours && !f.Test && p != "runtime/goos" {
				set[p] = true
			}
		}
	}
	var list []string
	for p := range set {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

// systemTags are the build tags that kinds of build set by GOOS and GOARCH,
// or that no build of ours sets.
var systemTags = []string{
	"linux", "tamago", "unix", "windows", "darwin", "freebsd", "netbsd", "openbsd", "plan9", "js", "wasip1",
	"amd64", "arm64", "386", "arm", "riscv64", "loong64", "wasm", "gc", "gccgo", "cgo", "ignore",
}

// ownTags collects the build tags that the module invented.
func ownTags(t *Tree) []string {
	var tags []string
	for _, f := range t.Files {
		for _, group := range f.AST.Comments {
			for _, c := range group.List {
				if !constraint.IsGoBuild(c.Text) {
					continue
				}
				expr, err := constraint.Parse(c.Text)
				if err != nil {
					continue // the go command rejects the file
				}
				expr.Eval(func(tag string) bool {
					known := slices.Contains(systemTags, tag) || strings.HasPrefix(tag, "go1.")
					if !known && !slices.Contains(tags, tag) {
						tags = append(tags, tag)
					}
					return true
				})
			}
		}
	}
	slices.Sort(tags)
	return tags
}

func newWorld(t *Tree, exp *Exports, kind buildKind, set map[*File]bool, errIn func(string) bool) *world {
	w := &world{
		t: t, exp: exp, kind: kind, errIn: errIn,
		files:   map[string][]*ast.File{},
		pkgs:    map[string]*types.Package{},
		parent:  map[ast.Node]ast.Node{},
		uses:    map[types.Object][]*ast.Ident{},
		decls:   map[*types.Func]*ast.FuncDecl{},
		results: map[types.Object]bool{},
		info: &types.Info{
			Types:      map[ast.Expr]types.TypeAndValue{},
			Defs:       map[*ast.Ident]types.Object{},
			Uses:       map[*ast.Ident]types.Object{},
			Selections: map[*ast.SelectorExpr]*types.Selection{},
		},
	}
	for _, f := range t.Files {
		if set[f] {
			w.files[f.Dir] = append(w.files[f.Dir], f.AST)
		}
	}
	for _, f := range t.Files {
		if set[f] {
			w.check(f.Dir)
		}
	}
	for _, files := range w.files {
		for _, f := range files {
			w.index(f)
		}
	}
	return w
}

// Import implements types.Importer: the module's own packages are checked
// from source, so that one variable is one object wherever it is used.
func (w *world) Import(p string) (*types.Package, error) {
	if p == "unsafe" {
		return types.Unsafe, nil
	}
	if dir, ours := w.t.own(p); ours {
		if pkg := w.check(dir); pkg != nil {
			return pkg, nil
		}
		return nil, fmt.Errorf("import cycle, or no Go files for GOOS=%s", w.kind.goos)
	}
	return w.exp.Import(p)
}

// portOnly reports whether an error is only that the host's runtime lacks a
// function that the kernel's has. Functions are no state.
func (w *world) portOnly(msg string) bool {
	return w.kind.goos == "tamago" && strings.HasPrefix(msg, "undefined: runtime.")
}

// check type-checks a directory once; nil stands for a cycle or no files.
func (w *world) check(dir string) *types.Package {
	if pkg, done := w.pkgs[dir]; done {
		return pkg
	}
	w.pkgs[dir] = nil
	if len(w.files[dir]) == 0 {
		return nil
	}
	conf := types.Config{
		Importer: w,
		Sizes:    types.SizesFor("gc", "amd64"),
		Error: func(err error) {
			var te types.Error
			if errors.As(err, &te) && w.errIn(dir) && !w.portOnly(te.Msg) {
				w.errs = append(w.errs, Finding{w.t.pos(te.Pos), "does not type-check: " + te.Msg})
			}
		},
	}
	name := w.t.Module
	if dir != "." {
		name += "/" + dir
	}
	pkg, _ := conf.Check(name, w.t.Fset, w.files[dir], w.info) // errors went to conf.Error
	w.pkgs[dir] = pkg
	return pkg
}

// index notes the parent of each node, the uses of each object, the named
// results and the body of each function of a file.
func (w *world) index(f *ast.File) {
	var stack []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			stack = stack[:len(stack)-1]
			return true
		}
		if len(stack) > 0 {
			w.parent[n] = stack[len(stack)-1]
		}
		stack = append(stack, n)
		switch n := n.(type) {
		case *ast.Ident:
			if obj := origin(w.info.Uses[n]); obj != nil {
				w.uses[obj] = append(w.uses[obj], n)
			}
		case *ast.FuncDecl:
			if fn, ok := w.info.Defs[n.Name].(*types.Func); ok {
				w.decls[fn] = n
			}
		case *ast.FuncType:
			if n.Results == nil {
				break
			}
			for _, field := range n.Results.List {
				for _, name := range field.Names {
					w.results[w.info.Defs[name]] = true
				}
			}
		}
		return true
	})
}

// origin maps a part of an instantiated generic to the declared one.
func origin(obj types.Object) types.Object {
	switch o := obj.(type) {
	case *types.Var:
		return o.Origin()
	case *types.Func:
		return o.Origin()
	}
	return obj
}
