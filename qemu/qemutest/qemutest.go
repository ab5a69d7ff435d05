// Package qemutest runs guests for tests.
//
// Start boots a guest that lives no longer than its test; the methods of Guest
// end the test when the guest doesn't do what they say. What the guest printed
// is in build/test-logs, one file a guest, named after the test; it is removed
// when the test passes and its last lines are shown when the test fails.
//
// Without QEMU the test is skipped, see package hosttest.
package qemutest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mult/qemu"
	"mult/tools/host"
	"mult/tools/host/hosttest"
)

// Guest is a running guest of one test. Its methods must be called from the
// test's own goroutine; those of the VM inside return errors and may be called
// from any.
type Guest struct {
	*qemu.VM
	t testing.TB
}

// Start boots a guest. It is killed when the test is over or ctx is done; cfg
// must leave Log empty.
func Start(ctx context.Context, t testing.TB, cfg qemu.Config) *Guest {
	t.Helper()
	hosttest.Require(t, host.QEMU)
	log := newLog(t)
	cfg.Log = log.temp
	vm, err := qemu.Start(ctx, cfg)
	if err != nil {
		os.Remove(log.temp) // nothing ran
		t.Fatal(err)
	}
	t.Cleanup(func() {
		vm.Kill()
		log.close(t, vm.Output())
	})
	return &Guest{vm, t}
}

// Expect waits for output that matches pattern, see [qemu.VM.Expect].
func (g *Guest) Expect(pattern string, timeout time.Duration) []string {
	g.t.Helper()
	match, err := g.VM.Expect(pattern, timeout)
	if err != nil {
		g.Fatal(err)
	}
	return match
}

// Fatal ends the test for err. If that is a time-out it says what the guest's
// processors are doing.
func (g *Guest) Fatal(err error) {
	g.t.Helper()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		g.t.Logf("the guest's processors:\n%s", g.State())
	}
	g.t.Fatal(err)
}

// Send types s on the console.
func (g *Guest) Send(s string) {
	g.t.Helper()
	if err := g.VM.Send(s); err != nil {
		g.t.Fatal(err)
	}
}

// ExpectEnd waits until the guest ends itself, which must be with status want.
func (g *Guest) ExpectEnd(want qemu.Status, timeout time.Duration) {
	g.t.Helper()
	got, err := g.Wait(timeout)
	if err != nil {
		g.Fatal(err)
	}
	if got != want {
		g.t.Fatalf("the guest ended with %v, want %v", got, want)
	}
}

// Build returns the path of a file that "make build" puts in build/. The test
// is skipped if it isn't there.
func Build(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(root(t), "build", name)
	if _, err := os.Stat(path); err != nil {
		hosttest.Skip(t, "no build/%s: run make build", name)
	}
	return path
}

// root is the project's directory; go test runs in the package's.
func root(t testing.TB) string {
	t.Helper()
	dir, err := host.Checkout()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// logFile is where a guest's output goes. While the guest runs its name holds
// the process id, so that two runs of one test don't meet.
type logFile struct{ temp, final string }

// guests counts the guests of each test, for the names of their logs.
var guests struct {
	sync.Mutex
	n map[string]int
}

func newLog(t testing.TB) logFile {
	t.Helper()
	dir := filepath.Join(root(t), "build", "test-logs")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	name := strings.NewReplacer("/", "_", " ", "_").Replace(t.Name())
	guests.Lock()
	if guests.n == nil {
		guests.n = make(map[string]int)
	}
	guests.n[name]++
	n := guests.n[name]
	guests.Unlock()
	if n > 1 {
		name = fmt.Sprintf("%s.%d", name, n)
	}
	final := filepath.Join(dir, name+".log")
	return logFile{fmt.Sprintf("%s.%d", final, os.Getpid()), final}
}

// close keeps or removes the log.
func (l logFile) close(t testing.TB, output string) {
	t.Helper()
	if !t.Failed() {
		os.Remove(l.temp)
		return
	}
	if err := os.Rename(l.temp, l.final); err != nil {
		t.Log(err)
	}
	const most = 40
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	lines = lines[max(0, len(lines)-most):]
	t.Logf("the guest's output is in %s; it ends:\n%s", l.final, strings.Join(lines, "\n"))
}
