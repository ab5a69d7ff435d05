package check

import "testing"

func TestPackageDocsRule(t *testing.T) {
	tree := load(t, map[string]string{
		"kern/a/a.go":  "package a",
		"kern/b/b.go":  "// Something else.\npackage b",
		"kern/c/c.go":  "// Package c is fine.\npackage c",
		"kern/c/d.go":  "package c",
		"tools/d/d.go": "// D is a command.\npackage main",
	})
	expect(t, PackageDocs(tree), []string{"kern/a/a.go: package a has no", "kern/b/b.go: the package comment"})
}

func TestAssemblyRule(t *testing.T) {
	tree := load(t, map[string]string{
		"arch/amd64/trap.go":   "package amd64",
		"arch/amd64/trap.s":    "TEXT x(SB), 4, $0",
		"boot/mult/entry.s":    "// Text.\nTEXT x(SB), 4, $0",
		"kern/mem/empty.s":     "// Lets the compiler accept functions without a body.\n",
		"tools/tamago/x/asm.s": "TEXT x(SB), 4, $0",
	})
	list, err := Assembly(tree)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, list, []string{"boot/mult/entry.s: there is no entry.go"})
}

func TestSystemSuffixRule(t *testing.T) {
	tree := load(t, map[string]string{
		"kern/mem/a_tamago.go":       "package mem",
		"kern/mem/b_tamago_amd64.go": "package mem",
		"kern/mem/c_tamago.go":       "//go:build tamago\n\npackage mem",
		"kern/mem/c_tamago.s":        "//go:build tamago && amd64\n",
		"kern/mem/tamago.go":         "package mem",
		"tools/_goroot/d_tamago.go":  "package runtime",
	})
	list, err := SystemSuffix(tree)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, list, []string{"a_tamago.go", "b_tamago_amd64.go"})
}

func TestBuildPathsRule(t *testing.T) {
	// Put together here, so that this file passes its own test.
	home, work, here := "/ho"+"me/ann/src", "/wo"+"rk/x", "/srv/go/mult"
	tree := load(t, map[string]string{
		"a.md": "fine: " + "https://example.org/ho" + "me/x, ." + home + ", /srv/go/multiple, home/x\n",
		"b.md": "\nin " + home + "\n",
		"c.sh": "cd " + work,
		"d.go": "package d // " + here + "/kern",
	})
	list, err := BuildPaths(tree, here)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, list, []string{"b.md:2", "c.sh:1", "d.go:1"})
}

func TestLinksRule(t *testing.T) {
	tree := load(t, map[string]string{
		"README.md": "# A title, with `code`\n[a](docs/a.md) [b](docs/b.md) [c](https://example.org/x)\n" +
			"[d](docs/a.md#one-two) [e](docs/a.md#three) [f](#a-title-with-code) [g](/docs/a.md)\n" +
			"`[h](nowhere.md)`\n```\n[i](nowhere.md)\n```\n[j]: gone.md\n",
		"docs/a.md": "## One two\n[up](../README.md) [dir](../docs)\n",
	})
	list, err := Links(tree)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, list, []string{
		`README.md:2: link "docs/b.md" leads nowhere`,
		`README.md:3: link "docs/a.md#three": no such heading`,
		`README.md:3: link "/docs/a.md" is not relative`,
		`README.md:8: link "gone.md" leads nowhere`,
	})
}

func TestLicenseRule(t *testing.T) {
	isc := "ISC License\n\nCopyright (c) 2026 The mult authors\n\n" + iscTerms + "\n"
	expect(t, License(load(t, map[string]string{"LICENSE": isc})), nil)
	expect(t, License(load(t, map[string]string{"LICENSE": isc + "but not on Sundays"})), []string{"not the ISC"})
	expect(t, License(load(t, map[string]string{"LICENSE": "MIT License"})), []string{"not the ISC"})
	expect(t, License(load(t, nil)), []string{"LICENSE"})
}

func TestDependenciesRule(t *testing.T) {
	tree := load(t, map[string]string{
		"go.mod":               "module mult\n\nrequire example.org/a v1.0.0\nrequire (\n\texample.org/b v1.0.0\n\texample.org/c v1 // indirect\n)\n",
		"docs/dependencies.md": "`example.org/a` does a",
	})
	list, err := Dependencies(tree)
	if err != nil {
		t.Fatal(err)
	}
	expect(t, list, []string{"example.org/b"})
}
