package check

import (
	"fmt"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// importRule is where the reader of a finding looks the rule up.
const importRule = `ARCHITECTURE.md, "The import rule"`

// Imports reports every import, and every go:linkname that stands in for one,
// which the rooms do not allow. Build constraints are ignored: an import is
// wrong on every system or on none.
func Imports(t *Tree, rooms []Room) []Finding {
	out := slices.Clone(t.Broken)
	homeless := map[string]bool{}
	for _, f := range t.Files {
		room := roomOf(rooms, f.Dir)
		if room == nil {
			if !homeless[f.Dir] {
				homeless[f.Dir] = true
				out = append(out, Finding{f.Path, fmt.Sprintf(
					"package directory %q has no row in the table of rooms; %s", f.Dir, importRule)})
			}
			continue
		}
		report := func(p token.Pos, verb, target, why string) {
			out = append(out, Finding{t.pos(p), fmt.Sprintf("%s %q: %s; %s", verb, target, why, importRule)})
		}
		for _, spec := range f.AST.Imports {
			target, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the parser has accepted it, so this can't happen
			}
			if why := verdict(t, rooms, room, f, target); why != "" {
				report(spec.Pos(), "imports", target, why)
			}
		}
		for _, group := range f.AST.Comments {
			for _, c := range group.List {
				target, ok := linknamed(c.Text)
				if !ok {
					continue
				}
				if why := verdict(t, rooms, room, f, target); why != "" {
					report(c.Pos(), "is linked by go:linkname to", target, why)
				}
			}
		}
	}
	return out
}

// verdict says why f may not import target, or nothing if it may.
func verdict(t *Tree, rooms []Room, room *Room, f *File, target string) string {
	if pkg, ours := t.own(target); ours {
		switch {
		case pkg == f.Dir: // an external test of the package itself
			return ""
		case roomOf(rooms, pkg) == nil:
			return fmt.Sprintf("%q has no row in the table of rooms", pkg)
		case f.Test && matchAny(room.TestsMayNot, pkg):
			return fmt.Sprintf("tests of %s may not import %s", room.Path, strings.Join(room.TestsMayNot, ", "))
		case f.Test || room.allows(pkg):
			return ""
		}
		return fmt.Sprintf("%s may import only %s", room.Path, room.may())
	}
	if f.Test {
		return ""
	}
	if slices.Contains(hostOnly, target) {
		if slices.Contains(room.Std, target) {
			return ""
		}
		return fmt.Sprintf("%s may not use this part of the standard library", room.Path)
	}
	first, _, _ := strings.Cut(target, "/")
	if !strings.Contains(first, ".") {
		return "" // the rest of the standard library
	}
	for _, m := range room.Modules {
		if match(m+"/...", target) {
			return ""
		}
	}
	return fmt.Sprintf("%s may not import this module", room.Path)
}

// linknamed returns the package that a go:linkname comment names, if any:
// the second name, as in "//go:linkname local import/path.name".
func linknamed(comment string) (pkg string, ok bool) {
	rest, ok := strings.CutPrefix(comment, "//go:linkname ")
	if !ok {
		return "", false
	}
	f := strings.Fields(rest)
	if len(f) < 2 {
		return "", false
	}
	dir, last := "", f[1]
	if i := strings.LastIndex(last, "/"); i >= 0 {
		dir, last = last[:i+1], last[i+1:]
	}
	name, _, ok := strings.Cut(last, ".")
	return dir + name, ok
}
