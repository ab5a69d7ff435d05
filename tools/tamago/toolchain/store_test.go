package toolchain

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func testStore(t *testing.T) (*store, *log) {
	l := new(log)
	return &store{t.TempDir(), l}, l
}

// log is a progress writer for several goroutines.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func fill(dir string) error {
	return os.WriteFile(filepath.Join(dir, "file"), []byte("done"), 0o666)
}

// left returns the names in the store's directory but for the lock.
func left(t *testing.T, s *store) string {
	t.Helper()
	dirs, err := os.ReadDir(s.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range dirs {
		if d.Name() != "lock" {
			names = append(names, d.Name())
		}
	}
	return strings.Join(names, " ")
}

// Processes that want the same entry make it once; those that come second
// say that they wait. Each has a lock of its own, as processes do.
func TestEntryConcurrent(t *testing.T) {
	s, l := testStore(t)
	var fills atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			dir, err := s.entry(t.Context(), "tamago-1", func(dir string) error {
				fills.Add(1)
				for !strings.Contains(l.String(), "waiting for another process") {
					time.Sleep(time.Millisecond)
				}
				return fill(dir)
			})
			if err != nil {
				t.Error(err)
			} else if data, err := os.ReadFile(filepath.Join(dir, "file")); string(data) != "done" {
				t.Error("incomplete entry:", err)
			}
		})
	}
	wg.Wait()
	if n := fills.Load(); n != 1 {
		t.Errorf("made %d times", n)
	}
	if got := left(t, s); got != "tamago-1" {
		t.Errorf("store has %s", got)
	}
}

func TestEntryFails(t *testing.T) {
	s, _ := testStore(t)
	broken := errors.New("broken")
	_, err := s.entry(t.Context(), "tamago-1", func(dir string) error {
		return errors.Join(fill(dir), broken)
	})
	if !errors.Is(err, broken) {
		t.Error("error is", err)
	}
	if got := left(t, s); got != "" {
		t.Errorf("store has %s", got)
	}
}

// A process that is killed while it makes an entry leaves none, and the next
// one to make an entry removes what it did leave.
func TestEntryKilled(t *testing.T) {
	if dir := os.Getenv("TEST_STORE"); dir != "" {
		s := &store{dir, os.Stderr}
		s.entry(t.Context(), "tamago-1", func(dir string) error {
			fill(dir)
			os.Stdout.WriteString("filled\n")
			select {}
		})
		return
	}
	s, _ := testStore(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestEntryKilled$")
	cmd.Env = append(os.Environ(), "TEST_STORE="+s.dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	cmd.Process.Kill()
	cmd.Wait()

	if got := left(t, s); !strings.HasPrefix(got, tmpPrefix) || strings.Contains(got, " ") {
		t.Errorf("killed process left %s", got)
	}
	if _, err := s.entry(t.Context(), "tamago-1", fill); err != nil {
		t.Error(err)
	}
	if got := left(t, s); got != "tamago-1" {
		t.Errorf("store has %s", got)
	}
}

func TestLockCanceled(t *testing.T) {
	s, _ := testStore(t)
	unlock, err := s.lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := s.entry(ctx, "tamago-1", fill); !errors.Is(err, context.DeadlineExceeded) {
		t.Error("error is", err)
	}
}

// Using an entry keeps it; making another removes those long unused.
func TestUnused(t *testing.T) {
	s, _ := testStore(t)
	long := time.Now().Add(-48 * time.Hour)
	for _, name := range []string{"tamago-1", "tamago-2", "tools-1", "build-cache"} {
		if _, err := s.entry(t.Context(), name, fill); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"tamago-1", "tamago-2", "tools-1", "build-cache"} {
		if err := os.Chtimes(filepath.Join(s.dir, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"tamago-1", "tamago-3"} {
		if _, err := s.entry(t.Context(), name, fill); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := left(t, s), "build-cache tamago-1 tamago-3 tools-1"; got != want {
		t.Errorf("store has %s, not %s", got, want)
	}
}
