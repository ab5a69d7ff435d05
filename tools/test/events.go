package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// tally counts the results of go test -json.
type tally struct {
	packages, passed int
	failed, skipped  []string // tests, the skipped ones with the reason
}

// event is a line of go test -json, see go doc test2json.
type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

// top names the top-level test of an event.
type top struct{ pkg, test string }

// line is output of a test, which may be a subtest.
type line struct{ test, text string }

// read turns events into the lines that go test prints without -json: one for
// each package, and before it all output of the tests in it that failed.
func (t *tally) read(events io.Reader, out io.Writer) error {
	logs := make(map[top][]line) // of tests that haven't ended
	dec := json.NewDecoder(events)
	for {
		var e event
		if err := dec.Decode(&e); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("output of go test -json: %w", err)
		}
		name, _, sub := strings.Cut(e.Test, "/")
		id := top{e.Package, name}
		switch {
		case e.Action == "build-output":
			io.WriteString(out, e.Output)
		case e.Action == "output" && e.Test != "":
			if !strings.HasPrefix(e.Output, "=== ") { // news of its progress
				logs[id] = append(logs[id], line{e.Test, e.Output})
			}
		case e.Action == "output":
			if strings.HasPrefix(e.Output, "FAIL\t") {
				showAll(out, logs, e.Package)
			}
			if e.Output != "PASS\n" && e.Output != "FAIL\n" {
				io.WriteString(out, e.Output)
			}
		case e.Test == "":
			if e.Action == "pass" {
				t.packages++
			}
		case e.Action == "pass":
			t.passed++
			logs[id] = slices.DeleteFunc(logs[id], func(l line) bool { return l.test == e.Test })
		case e.Action == "skip":
			t.skipped = append(t.skipped, e.Package+" "+e.Test+": "+reason(logs[id]))
		case e.Action == "fail":
			t.failed = append(t.failed, e.Package+" "+e.Test)
		}
		if !sub && (e.Action == "pass" || e.Action == "skip" || e.Action == "fail") {
			if e.Action == "fail" {
				show(out, logs[id])
			}
			delete(logs, id)
		}
	}
}

func show(out io.Writer, lines []line) {
	for _, l := range lines {
		io.WriteString(out, l.text)
	}
}

// showAll shows the output of those tests of a package that never ended.
func showAll(out io.Writer, logs map[top][]line, pkg string) {
	for id, lines := range logs {
		if id.pkg == pkg {
			show(out, lines)
			delete(logs, id)
		}
	}
}

// reason is what a skipped test said last.
func reason(lines []line) string {
	for _, l := range slices.Backward(lines) {
		if text := strings.TrimSpace(l.text); !strings.HasPrefix(text, "--- ") {
			return text
		}
	}
	return "no reason given"
}

// summary prints what has come of the run and returns whether all is well.
func (r *run) summary(took time.Duration) bool {
	t := &r.tests
	fmt.Fprintf(r.out, "\n==> %d tests passed, %d failed, %d skipped; %d packages ok; %v\n",
		t.passed, len(t.failed), len(t.skipped), t.packages, took.Round(time.Second))
	for _, name := range t.skipped {
		fmt.Fprintln(r.out, "skipped:", name)
	}
	for _, name := range t.failed {
		fmt.Fprintln(r.out, "failed: ", name)
	}
	for _, step := range r.failed {
		fmt.Fprintln(r.out, "failed step:", step)
	}
	if len(r.failed) > 0 {
		fmt.Fprintln(r.out, "FAIL")
		return false
	}
	fmt.Fprintln(r.out, "PASS")
	return true
}
