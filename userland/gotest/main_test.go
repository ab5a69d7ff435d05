package main

import (
	"context"
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestHost builds the program as it goes into an image and runs it on the
// host's Linux, where all cases must pass.
func TestHost(t *testing.T) {
	program := filepath.Join(t.TempDir(), "gotest")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", program, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program isn't static")
		}
	}
	for _, procs := range []string{"1", "4"} {
		t.Run("GOMAXPROCS="+procs, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
			defer stop()
			dir := t.TempDir()
			cmd := exec.CommandContext(ctx, program)
			cmd.WaitDelay = 10 * time.Second
			cmd.Env = append(os.Environ(), "GOMAXPROCS="+procs, "TMPDIR="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Error(err)
			}
			passed := 0
			for line := range strings.Lines(string(out)) {
				if strings.HasPrefix(line, "ok ") {
					passed++
				} else {
					t.Errorf("%s", strings.TrimSpace(line))
				}
			}
			if want := len(tests()); passed != want {
				t.Errorf("%d cases passed of %d", passed, want)
			}
			if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
				t.Errorf("it left %v behind, %v", left, err)
			}
		})
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range tests() {
		if seen[c.name] || strings.ContainsAny(c.name, " \n@") {
			t.Errorf("the name %q can't be used, or is used twice", c.name)
		}
		seen[c.name] = true
	}
}
