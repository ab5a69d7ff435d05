package toolchain

import (
	"errors"
	"fmt"
	"go/build"
	"go/build/constraint"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	constraintLine = regexp.MustCompile(`(?m)^//go:build .*$`)

	tamago     = &constraint.TagExpr{Tag: "tamago"}
	tamagoOnly = constraint.Expr(tamago)
)

// getConstraint returns the build constraint of a file, nil if it has none.
func getConstraint(data []byte) (constraint.Expr, error) {
	line := constraintLine.Find(data)
	if line == nil {
		return nil, nil
	}
	return constraint.Parse(string(line))
}

// setConstraint replaces the build constraint of a file or adds one.
func setConstraint(data []byte, c constraint.Expr) []byte {
	line := []byte("//go:build " + c.String())
	at := constraintLine.FindIndex(data)
	if at == nil {
		return slices.Concat(line, []byte("\n\n"), data)
	}
	return slices.Concat(data[:at[0]], line, data[at[1]:])
}

// withTamago returns c changed in what it says about tamago only.
func withTamago(c constraint.Expr, build bool) constraint.Expr {
	if build {
		return &constraint.OrExpr{X: c, Y: tamago}
	}
	return &constraint.AndExpr{X: c, Y: &constraint.NotExpr{X: tamago}}
}

// likeJSChanges reports whether c singles out js (its processor alone does
// not count) and says something else about tamago.
func likeJSChanges(c constraint.Expr) bool {
	js := selects(c, "js", "wasm")
	return js != selects(c, "", "wasm") && js != selects(c, "tamago", "amd64")
}

// selects evaluates c for a GOOS that is not a Unix, with cgo off.
func selects(c constraint.Expr, goos, goarch string) bool {
	return c.Eval(func(tag string) bool {
		return tag == goos || tag == goarch || tag == "gc" || slices.Contains(build.Default.ReleaseTags, tag)
	})
}

func (p *patch) selectFile(s selection) error {
	data, err := p.read(s.file)
	if err != nil {
		return err
	}
	c, err := getConstraint(data)
	if err != nil {
		return err
	}
	if c == nil {
		return errors.New("there is none")
	}
	if selects(c, "tamago", "amd64") == s.build {
		return fmt.Errorf("%q needs no change", c)
	}
	p.tree[s.file] = setConstraint(data, withTamago(c, s.build))
	return nil
}

func (p *patch) likeJS(l likeJS) error {
	files, err := fs.ReadDir(p.release, l.dir)
	if err != nil {
		return err
	}
	n := 0
	for _, f := range files {
		file := path.Join(l.dir, f.Name())
		if f.IsDir() || strings.HasSuffix(file, "_test.go") || !nameSelects(f.Name(), "none", "none") {
			continue
		}
		data, err := p.read(file)
		if err != nil {
			return err
		}
		c, err := getConstraint(data)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if c == nil || !likeJSChanges(c) {
			continue
		}
		p.tree[file] = setConstraint(data, withTamago(c, selects(c, "js", "wasm")))
		n++
	}
	if n != l.count {
		return fmt.Errorf("%d files to change, not %d", n, l.count)
	}
	return nil
}

// nameSelects reports whether a file of this name is built for goos on goarch,
// unless it has a build constraint that says otherwise. It is the rule of the
// go command, which also leaves out what editors leave behind.
func nameSelects(name, goos, goarch string) bool {
	ctxt := build.Context{
		GOOS: goos, GOARCH: goarch, Compiler: "gc",
		OpenFile: func(string) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader("package p\n")), nil
		},
	}
	ok, err := ctxt.MatchFile("", name)
	return ok && err == nil
}
