package calltest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"mult/tools/host"
	"mult/tools/host/hosttest"
	"mult/userland/cprog"
)

// limit is for one program; a case that hangs is ended before.
const limit = 5 * time.Minute

// cache is where programs that are up to date stay.
func cache(t *testing.T) string {
	t.Helper()
	dir, err := host.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "build", "cprog")
}

// TestHost runs every program on the host's Linux, where all cases must pass
// before mult is held against them.
func TestHost(t *testing.T) {
	gcc := hosttest.Require(t, host.GCC)
	if os.Geteuid() != 0 {
		hosttest.Skip(t, "the programs become other users, which needs root")
	}
	for _, subject := range cprog.Names(Source) {
		t.Run(subject, func(t *testing.T) {
			program, err := cprog.Build(gcc, cache(t), Source, subject)
			if err != nil {
				t.Fatal(err)
			}
			run(t, program)
		})
	}
}

// run runs a program and checks that it says what its status says.
func run(t *testing.T, program string) {
	ctx, stop := context.WithTimeout(t.Context(), limit)
	defer stop()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, program)
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	out, err := cmd.CombinedOutput()
	var passed, failed int
	for line := range strings.Lines(string(out)) {
		switch word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "ok":
			passed++
		case "skip":
			t.Logf("skipped: %s", rest)
		case "FAIL":
			failed++
			t.Error(rest)
		default:
			t.Errorf("a line of another kind: %q", line)
		}
	}
	if exit := (*exec.ExitError)(nil); err != nil && (!errors.As(err, &exit) || failed == 0) {
		t.Errorf("%v after %d cases", err, passed)
	}
	if err == nil && passed == 0 {
		t.Error("no case passed")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind, %v", left, err)
	}
}

// TestReport holds the harness against a program that fails in every way.
func TestReport(t *testing.T) {
	gcc := hosttest.Require(t, host.GCC)
	header, err := Source.ReadFile("calltest.h")
	if err != nil {
		t.Fatal(err)
	}
	program, err := cprog.Build(gcc, t.TempDir(), fstest.MapFS{"calltest.h": {Data: header}, "x.c": {Data: []byte(`#include "calltest.h"
TEST(good) { CHECK(1); IN_CHILD { CHECK(1); } }
TEST(bad) { CHECK(1 == 2); }
TEST(wrong) { CHECKEQ(1 + 1, 3); }
TEST(noerr) { CHECKERR(0, EINVAL); }
TEST(child) { IN_CHILD { CHECK(1 == 2); } }
TEST(crash) { *(volatile int *)8 = 1; }
TEST(leaves) { _exit(3); }
TEST(without) { SKIP("there is none"); }
TEST(last) { }
`)}}, "x")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	out, err := cmd.Output()
	want := `ok good
FAIL bad: x.c:3: 1 == 2 (errno 0, Success)
FAIL wrong: x.c:4: 1 + 1 is 2 (0x2), want 3 (0x3) (errno 0, Success)
FAIL noerr: x.c:5: 0 returned 0, errno 0 (none), want errno 22 (Invalid argument)
FAIL child: x.c:6: 1 == 2 (errno 0, Success)
FAIL crash: killed by signal 11
FAIL leaves: ended with status 0x300
skip without: there is none
ok last
`
	if string(out) != want {
		t.Errorf("it prints\n%s\nwant\n%s", out, want)
	}
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("it ends with %v, want status 1", err)
	}
	if out, err := exec.Command(program, "good", "last").Output(); err != nil || string(out) != "ok good\nok last\n" {
		t.Errorf("with names: %q, %v", out, err)
	}
}
