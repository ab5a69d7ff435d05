package toolchain

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// A tree holds the files in which our GOROOT/src differs from the release's,
// by slash-separated path.
type tree map[string][]byte

// An edit replaces text in a file of the release or in a derived one.
type edit struct {
	file     string
	name     string // what it is good for, or what it touches
	old, new string
	count    int // how often old must occur
}

// A selection changes the build constraint of a file, so that tamago builds
// it or does not. It must make a difference.
type selection struct {
	file  string
	build bool
}

// A derivation makes a file for tamago out of one for another GOOS: a copy
// with another build constraint, which edits may change further.
type derivation struct{ from, to string }

// A likeJS is a directory in which tamago selects the files that js selects.
// Files whose name is a constraint (net/fd_js.go) are left alone.
type likeJS struct {
	dir   string
	count int // how many files must change
}

// tables is the port as data.
type tables struct {
	derivations []derivation
	edits       []edit
	selections  []selection
	likeJS      []likeJS
}

// A source is a tree of new files and where it goes. Files that are not built
// for tamago on amd64, as their name says, are left out.
type source struct {
	fsys  fs.FS
	under string // directory below GOROOT/src
}

// apply runs the tables on the sources of a release and adds the new files.
func (t *tables) apply(release fs.FS, added ...source) (tree, error) {
	p := &patch{release, tree{}}
	for _, src := range added {
		if err := p.add(src); err != nil {
			return nil, err
		}
	}
	for _, d := range t.derivations {
		if err := p.derive(d); err != nil {
			return nil, fmt.Errorf("deriving %s from %s: %w", d.to, d.from, err)
		}
	}
	for _, e := range t.edits {
		if err := p.edit(e); err != nil {
			return nil, fmt.Errorf("%s: edit %q: %w", e.file, e.name, err)
		}
	}
	for _, s := range t.selections {
		if err := p.selectFile(s); err != nil {
			return nil, fmt.Errorf("%s: build constraint: %w", s.file, err)
		}
	}
	for _, d := range t.likeJS {
		if err := p.likeJS(d); err != nil {
			return nil, fmt.Errorf("%s: build constraints like those of js: %w", d.dir, err)
		}
	}
	return p.tree, nil
}

// A patch is a port being applied.
type patch struct {
	release fs.FS
	tree    tree
}

func (p *patch) read(file string) ([]byte, error) {
	if data, ok := p.tree[file]; ok {
		return data, nil
	}
	return fs.ReadFile(p.release, file)
}

// create adds a file, which the release must not have.
func (p *patch) create(file string, data []byte) error {
	if _, err := fs.Stat(p.release, file); err == nil {
		return errors.New("the release has a file of this name")
	}
	if _, ok := p.tree[file]; ok {
		return errors.New("two new files have this name")
	}
	p.tree[file] = data
	return nil
}

func (p *patch) add(src source) error {
	return fs.WalkDir(src.fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !nameSelects(d.Name(), "tamago", "amd64") {
			return err
		}
		data, err := fs.ReadFile(src.fsys, name)
		if err != nil {
			return err
		}
		file := path.Join(src.under, name)
		if err := p.create(file, data); err != nil {
			return fmt.Errorf("new file %s: %w", file, err)
		}
		return nil
	})
}

func (p *patch) derive(d derivation) error {
	data, err := p.read(d.from)
	if err != nil {
		return err
	}
	return p.create(d.to, setConstraint(data, tamagoOnly))
}

func (p *patch) edit(e edit) error {
	data, err := p.read(e.file)
	if err != nil {
		return err
	}
	if n := bytes.Count(data, []byte(e.old)); n != e.count {
		return fmt.Errorf("its text occurs %d times, not %d", n, e.count)
	}
	p.tree[e.file] = bytes.ReplaceAll(data, []byte(e.old), []byte(e.new))
	return nil
}

// tools returns the files that go into the tools.
func (t tree) tools() tree {
	sub := maps.Clone(t)
	maps.DeleteFunc(sub, func(file string, _ []byte) bool {
		return !slices.ContainsFunc(toolDirs, func(dir string) bool {
			return strings.HasPrefix(file, dir+"/")
		})
	})
	return sub
}

// key returns a name for the content of t and of other inputs.
func (t tree) key(inputs ...string) string {
	h := sha256.New()
	for _, in := range inputs {
		hashField(h, in)
	}
	for _, file := range slices.Sorted(maps.Keys(t)) {
		hashField(h, file)
		hashField(h, string(t[file]))
	}
	return fmt.Sprintf("%x", h.Sum(nil)[:8])
}

// hashField adds s to h so that no two sequences of fields are the same.
func hashField(h hash.Hash, s string) {
	fmt.Fprintf(h, "%d %s\n", len(s), s)
}
