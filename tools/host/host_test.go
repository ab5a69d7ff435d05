package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// script puts an executable shell script into dir.
func script(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o777); err != nil {
		t.Fatal(err)
	}
}

func TestRequire(t *testing.T) {
	here := Need{Program: "here", Packages: []string{"p-here"}, For: "this"}
	gone := Need{Program: "gone", Packages: []string{"p-gone", "p-shared"}, For: "that"}
	lost := Need{Program: "lost", Packages: []string{"p-shared", "p-lost"}, For: "more"}
	install := func(bin string) string { // an apt-get that brings gone and lost
		return fmt.Sprintf(`echo "$*" >>%[1]s/asked
case "$*" in *install*) for p in gone lost; do echo '#!' >%[1]s/$p; /bin/chmod +x %[1]s/$p; done;; esac`, bin)
	}
	useless := func(string) string { return "exit 0" }
	fails := func(string) string { return "echo no network; exit 100" }

	tests := []struct {
		name  string
		root  bool
		needs []Need
		apt   func(bin string) string // nil: there is no apt-get
		asked string                  // of apt-get
		err   string                  // part of the error
	}{
		{"all there", false, []Need{here}, nil, "", ""},
		{"installs", true, []Need{here, gone, lost}, install,
			"-q update\n-q install -y --no-install-recommends p-gone p-lost p-shared\n", ""},
		{"not root", false, []Need{here, gone}, install, "",
			"gone is not installed, needed for that\nrun this command, then try again:\n" +
				"sudo apt-get update && sudo apt-get install -y --no-install-recommends p-gone p-shared"},
		{"not Debian", true, []Need{gone}, nil, "", "p-gone p-shared"},
		{"apt fails", true, []Need{gone}, fails, "", "no network"},
		{"apt doesn't help", true, []Need{gone}, useless, "", "although p-gone p-shared was installed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bin := t.TempDir()
			t.Setenv("PATH", bin)
			script(t, bin, "here", "")
			if tt.apt != nil {
				script(t, bin, "apt-get", tt.apt(bin))
			}
			var out strings.Builder
			err := require(t.Context(), &out, tt.root, tt.needs)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Errorf("error %v, want one with %q", err, tt.err)
			}
			asked, _ := os.ReadFile(filepath.Join(bin, "asked"))
			if string(asked) != tt.asked {
				t.Errorf("apt-get was asked\n%swant\n%s", asked, tt.asked)
			}
			if tt.asked != "" && !strings.Contains(out.String(), "gone is not installed") {
				t.Errorf("installs without saying why: %q", out.String())
			}
		})
	}
}

func TestStatic(t *testing.T) {
	for _, path := range []string{"/bin/sh", "host_test.go"} {
		if static(path) == nil {
			t.Errorf("%s passes for a static program", path)
		}
	}
}

func TestCheckout(t *testing.T) {
	dir, err := Checkout()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "tools", "host", "host.go")); err != nil {
		t.Error(err)
	}
	t.Chdir("/")
	if dir, err := Checkout(); err == nil {
		t.Errorf("found a checkout, %s, above /", dir)
	}
}
