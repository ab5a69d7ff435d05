package check

import (
	"bytes"
	"fmt"
	"go/build/constraint"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
)

// kernelDirs are the top-level directories that the kernel is made of.
var kernelDirs = []string{"arch", "boot", "dev", "fs", "inst", "kern", "net"}

// PackageDocs reports packages without a package comment. It begins with
// "Package name" so that go doc and readers of the first line find it; that
// of a command may begin as it likes.
func PackageDocs(t *Tree) []Finding {
	type pkg struct{ dir, name string }
	doc, first := map[pkg]string{}, map[pkg]string{}
	for _, f := range t.Files {
		p := pkg{f.Dir, strings.TrimSuffix(f.AST.Name.Name, "_test")}
		if first[p] == "" {
			first[p] = f.Path
		}
		if f.AST.Doc != nil && f.AST.Doc.Text() != "" {
			doc[p] = f.AST.Doc.Text()
		}
	}
	var out []Finding
	for p, file := range first {
		switch {
		case doc[p] == "":
			out = append(out, Finding{file, "package " + p.name + " has no package comment"})
		case p.name != "main" && !strings.HasPrefix(doc[p], "Package "+p.name+" "):
			out = append(out, Finding{file, fmt.Sprintf("the package comment does not begin with %q", "Package "+p.name)})
		}
	}
	slices.SortFunc(out, func(a, b Finding) int { return strings.Compare(a.Pos, b.Pos) })
	return out
}

// Assembly reports assembly files of the kernel without a Go file of the same
// base name beside them: that file declares and documents what is in them. A
// file without code, which only lets the compiler accept functions without a
// body, needs none.
func Assembly(t *Tree) ([]Finding, error) {
	return eachFile(t, func(name string, text []byte) []Finding {
		top, _, _ := strings.Cut(name, "/")
		stem, ok := strings.CutSuffix(name, ".s")
		if !ok || !slices.Contains(kernelDirs, top) || !hasCode(text) {
			return nil
		}
		if _, err := fs.Stat(t.FS, stem+".go"); err != nil {
			return []Finding{{name, "there is no " + path.Base(stem) + ".go beside it"}}
		}
		return nil
	})
}

// hasCode reports whether an assembly file has a line that is no comment.
func hasCode(text []byte) bool {
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			return true
		}
	}
	return false
}

// SystemSuffix reports files named *_tamago* without a build constraint that
// says tamago. Our go command takes the name as one, the stock go command
// doesn't know the system and would compile the file on every host.
func SystemSuffix(t *Tree) ([]Finding, error) {
	return eachFile(t, func(name string, text []byte) []Finding {
		stem, ext := strings.TrimSuffix(path.Base(name), path.Ext(name)), path.Ext(name)
		if strings.Contains(name, "/_") { // the stock go command skips it
			return nil
		}
		if ext != ".go" && ext != ".s" || !strings.Contains(stem+"_", "_tamago_") {
			return nil
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if constraint.IsGoBuild(line) && strings.Contains(line, "tamago") {
				return nil
			}
		}
		return []Finding{{name, "its name says tamago, so it needs a //go:build line that says so too"}}
	})
}

// foreignPath matches directories of somebody's machine. The brackets keep
// the pattern from matching itself.
var foreignPath = regexp.MustCompile(`(^|[^\w./-])/(hom[e]|User[s]|wor[k]|build[s])/[\w.-]+`)

// BuildPaths reports files that name a directory of a machine the project is
// built on: root is where this copy of it lies.
func BuildPaths(t *Tree, root string) ([]Finding, error) {
	here := regexp.MustCompile(`(^|[^\w./-])` + regexp.QuoteMeta(root) + `($|[^\w.-])`)
	short := strings.Count(path.Clean(root), "/") < 2 // "/src" may mean anything
	return eachFile(t, func(name string, text []byte) []Finding {
		var out []Finding
		n := 0
		for line := range bytes.Lines(text) {
			n++
			found := foreignPath.Find(line)
			if found == nil && !short {
				found = here.Find(line)
			}
			if found != nil {
				out = append(out, Finding{fmt.Sprintf("%s:%d", name, n),
					fmt.Sprintf("names a directory of one machine: %q", found)})
			}
		}
		return out
	})
}

var (
	mdLink  = regexp.MustCompile(`\[[^\]\n]*\]\(([^()\s]+)\)|^\[[^\]\n]+\]:\s+(\S+)`)
	mdCode  = regexp.MustCompile("`[^`\n]*`")
	scheme  = regexp.MustCompile(`^[a-z][a-z0-9+.-]*:`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// Links reports relative links in Markdown files whose file, or heading, does
// not exist.
func Links(t *Tree) ([]Finding, error) {
	return eachFile(t, func(name string, text []byte) []Finding {
		if path.Ext(name) != ".md" {
			return nil
		}
		var out []Finding
		for n, line := range proseLines(text) {
			for _, m := range mdLink.FindAllStringSubmatch(mdCode.ReplaceAllString(line, ""), -1) {
				target := m[1] + m[2]
				if scheme.MatchString(target) {
					continue
				}
				if why := deadLink(t, name, target); why != "" {
					out = append(out, Finding{fmt.Sprintf("%s:%d", name, n), why})
				}
			}
		}
		return out
	})
}

func deadLink(t *Tree, from, target string) string {
	file, anchor, _ := strings.Cut(target, "#")
	if strings.HasPrefix(file, "/") {
		return fmt.Sprintf("link %q is not relative", target)
	}
	dst := from
	if file != "" {
		dst = path.Join(path.Dir(from), file)
	}
	if _, err := fs.Stat(t.FS, dst); err != nil {
		return fmt.Sprintf("link %q leads nowhere", target)
	}
	if anchor == "" {
		return ""
	}
	text, err := fs.ReadFile(t.FS, dst)
	if err != nil || !slices.Contains(anchors(text), anchor) {
		return fmt.Sprintf("link %q: no such heading", target)
	}
	return ""
}

// anchors are the names that headings get when Markdown becomes HTML.
func anchors(text []byte) []string {
	var list []string
	for _, line := range proseLines(text) {
		if h := strings.TrimLeft(line, "#"); len(h) < len(line) && strings.HasPrefix(h, " ") {
			h = dropped.ReplaceAllString(strings.ToLower(strings.TrimSpace(h)), "")
			list = append(list, strings.ReplaceAll(h, " ", "-"))
		}
	}
	return list
}

// proseLines are the numbered lines of a Markdown file outside code blocks.
func proseLines(text []byte) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		n, code := 0, false
		for line := range strings.Lines(string(text)) {
			n++
			line = strings.TrimRight(line, "\r\n")
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
				continue
			}
			if !code && !yield(n, line) {
				return
			}
		}
	}
}

// iscTerms is the text of the ISC licence without title and copyright line.
const iscTerms = `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee
is hereby granted, provided that the above copyright notice and this permission notice appear in all copies.
THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE
INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR
ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE,
DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN
CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.`

// License reports a LICENSE that is missing or not the ISC licence.
func License(t *Tree) []Finding {
	text, err := fs.ReadFile(t.FS, "LICENSE")
	if err != nil {
		return []Finding{{"LICENSE", err.Error()}}
	}
	words := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	got, ok := strings.CutSuffix(words(string(text)), words(iscTerms))
	if !ok || !strings.HasPrefix(got, "ISC License Copyright (c) ") {
		return []Finding{{"LICENSE", "is not the ISC licence"}}
	}
	return nil
}

// Dependencies reports modules that go.mod requires directly and
// docs/dependencies.md doesn't mention.
func Dependencies(t *Tree) ([]Finding, error) {
	mod, err := fs.ReadFile(t.FS, "go.mod")
	if err != nil {
		return nil, err
	}
	doc, err := fs.ReadFile(t.FS, "docs/dependencies.md")
	if err != nil {
		return nil, err
	}
	var out []Finding
	for line := range strings.Lines(string(mod)) {
		f := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(f) != 2 || !strings.HasPrefix(f[1], "v") {
			continue // not a requirement, or one with "// indirect" after it
		}
		if !bytes.Contains(doc, []byte("`"+f[0]+"`")) {
			out = append(out, Finding{"go.mod", f[0] + " is not explained in docs/dependencies.md"})
		}
	}
	return out, nil
}

// eachFile runs a check on every text file of the tree. Directories that a
// Go tree skips are looked at too, but for .git and build.
func eachFile(t *Tree, check func(name string, text []byte) []Finding) ([]Finding, error) {
	var out []Finding
	err := fs.WalkDir(t.FS, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case name == ".git" || name == "build":
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		text, err := fs.ReadFile(t.FS, name)
		if os.IsNotExist(err) { // removed meanwhile
			return nil
		}
		if err != nil {
			return err
		}
		if bytes.IndexByte(text, 0) < 0 {
			out = append(out, check(name, text)...)
		}
		return nil
	})
	return out, err
}
