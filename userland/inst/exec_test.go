package main

import (
	"io"
	"strings"
	"testing"
	"time"
)

// slow is a Writer that takes nothing until it is closed.
type slow struct {
	ready chan bool
	got   strings.Builder
}

func (s *slow) Write(b []byte) (int, error) {
	<-s.ready
	return s.got.Write(b)
}

// TestCopies has output that takes nothing for longer than others may keep a stream: all comes
// through all the same.
func TestCopies(t *testing.T) {
	const limit = 20 * time.Millisecond
	to := &slow{ready: make(chan bool)}
	text := strings.Repeat("last words ", 10000)
	c := newCopies()
	c.add(to, strings.NewReader(text))
	for c.writing.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	go func() {
		time.Sleep(10 * limit)
		close(to.ready)
	}()
	c.end(limit)
	if to.got.String() != text {
		t.Errorf("%d bytes of %d", to.got.Len(), len(text))
	}
}

// TestCopiesKept has a stream that somebody else keeps.
func TestCopiesKept(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	c := newCopies()
	c.add(io.Discard, r)
	c.add(io.Discard, strings.NewReader("text"))
	c.end(20 * time.Millisecond) // it returns
}

// TestTypeAll has the end of a file where a terminal would take it for that of a line.
func TestTypeAll(t *testing.T) {
	for text, want := range map[string]string{"": "\x04", "exit\n": "exit\n\x04", "a\nexit": "a\nexit\n\x04"} {
		var got strings.Builder
		typeAll(&got, strings.NewReader(text))
		if got.String() != want {
			t.Errorf("%q is typed as %q", text, got.String())
		}
	}
}
