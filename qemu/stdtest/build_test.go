package stdtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"mult/tools/tamago/toolchain"
)

// An edit changes a test that takes for granted what our port does otherwise.
// Its text must occur once.
type edit struct{ file, old, new string }

var edits = []edit{
	// An address in the heap's window.
	{"runtime/export_test.go", "if goos.IsAix != 0 {", "if goos.IsAix+goos.IsTamago != 0 {"},
	// The state of a goroutine in notetsleepg.
	{"runtime/profbuf_test.go", `case "js":`, `case "js", "tamago":`},
}

// A skip is a line of skip.txt: a test, with or without a subtest, that isn't
// run, or a file of tests that isn't compiled.
type skip struct{ pkg, test, reason string }

// needsCPUs is the reason to skip a test on one CPU only.
const needsCPUs = "needs two CPUs"

func (s *skip) isFile() bool { return strings.HasSuffix(s.test, "_test.go") }

// pattern is for -test.skip: it matches the test and nothing else.
func (s *skip) pattern() string {
	return "^" + strings.ReplaceAll(regexp.QuoteMeta(s.test), "/", "$/^") + "$"
}

// readSkips reads the lines of skip.txt, which must be for known packages.
func readSkips() ([]skip, error) {
	data, err := os.ReadFile("skip.txt")
	if err != nil {
		return nil, err
	}
	var skips []skip
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.SplitN(line, " ", 3)
		if len(f) != 3 || !slices.Contains(packages, f[0]) {
			return nil, fmt.Errorf("skip.txt: %q is not a package of the list, a test and a reason", line)
		}
		skips = append(skips, skip{f[0], f[1], f[2]})
	}
	return skips, nil
}

// A builder makes the kernel that runs the tests of one package.
type builder struct {
	tc    *toolchain.Toolchain
	pkg   string
	skips []skip // of pkg
	dir   string // for files
}

// build compiles the tests, which only the stock release has, as a part of our
// GOROOT, links them with the kernel, and returns the path of the result.
func (b *builder) build(t *testing.T) (string, error) {
	overlay, err := b.overlay()
	if err != nil {
		return "", err
	}
	elf := filepath.Join(b.dir, "test.elf")
	cmd := b.tc.Command(t.Context(), "test", "-c", "-vet=off", "-trimpath",
		"-tags=timetzdata", // for want of a file system
		"-overlay="+overlay, "-o", elf, b.pkg)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the tests of %s: %w\n%s", b.pkg, err, out)
	}
	return elf, nil
}

// overlay writes the file for the flag of this name. It adds to the package's
// directory the tests and the file that starts the machine.
func (b *builder) overlay() (string, error) {
	tests, err := filepath.Glob(filepath.Join(b.tc.Stock, "src", b.pkg, "*_test.go"))
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	under := func(file string) string { return filepath.Join(b.tc.GOROOT, "src", b.pkg, file) }
	var all []byte
	for _, from := range tests {
		text, err := os.ReadFile(from)
		if err != nil {
			return "", err
		}
		name := filepath.Base(from)
		if slices.ContainsFunc(b.skips, func(s skip) bool { return s.test == name }) {
			continue
		}
		all = append(all, text...)
		replace[under(name)] = from
	}
	for _, s := range b.skips {
		name, _, _ := strings.Cut(s.test, "/")
		if s.isFile() && !slices.Contains(tests, filepath.Join(b.tc.Stock, "src", b.pkg, s.test)) ||
			!s.isFile() && !bytes.Contains(all, []byte("\nfunc "+name+"(")) {
			return "", fmt.Errorf("skip.txt: package %s has no %s", b.pkg, s.test)
		}
	}
	for _, e := range edits {
		if path.Dir(e.file) != b.pkg {
			continue
		}
		to := under(path.Base(e.file))
		text, err := os.ReadFile(replace[to])
		if n := bytes.Count(text, []byte(e.old)); err == nil && n != 1 {
			err = fmt.Errorf("%s: %q occurs %d times, not once", e.file, e.old, n)
		}
		if err == nil {
			text = bytes.ReplaceAll(text, []byte(e.old), []byte(e.new))
			replace[to], err = b.write(path.Base(e.file), text)
		}
		if err != nil {
			return "", err
		}
	}
	boot, err := b.bootFile()
	if err != nil {
		return "", err
	}
	replace[under("zz_boot_test.go")] = boot
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	return b.write("overlay.json", text)
}

// bootTemplate is the file that starts the machine and tells package testing
// what to do. Variables are initialised before any init of a package runs, but
// those of an imported package before both.
var bootTemplate = template.Must(template.New("").Parse(`package {{.Name}}_test

import (
	"os"
	"runtime"

	_ "mult/boot/auto"
)

func init() {
	os.Args = append(os.Args, {{range .Args}}{{printf "%q" .}}, {{end}})
	if runtime.NumCPU() == 1 {
		os.Args = append(os.Args, {{printf "%q" .Skip1}})
	} else {
		os.Args = append(os.Args, {{printf "%q" .Skip}})
	}
}
`))

// bootFile fills in the template. Examples aren't run: their output is caught
// with a pipe.
func (b *builder) bootFile() (string, error) {
	skip, skip1 := []string{"^Example"}, []string{"^Example"}
	for _, s := range b.skips {
		switch {
		case s.isFile():
			continue
		case s.reason != needsCPUs:
			skip = append(skip, s.pattern())
		}
		skip1 = append(skip1, s.pattern())
	}
	var text bytes.Buffer
	err := bootTemplate.Execute(&text, map[string]any{
		"Name":  path.Base(b.pkg),
		"Args":  append([]string{"-test.v", "-test.short", "-test.timeout=" + testLimit.String()}, strings.Fields(*guestArgs)...),
		"Skip":  "-test.skip=" + strings.Join(skip, "|"),
		"Skip1": "-test.skip=" + strings.Join(skip1, "|"),
	})
	return b.write("boot_test.go", text.Bytes(), err)
}

// write makes a file and returns its path. It passes on errors of what came
// before.
func (b *builder) write(name string, text []byte, errs ...error) (string, error) {
	file := filepath.Join(b.dir, name)
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	return file, os.WriteFile(file, text, 0o666)
}
