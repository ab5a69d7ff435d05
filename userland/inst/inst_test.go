package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mult/userland/instcall"
)

func TestAmount(t *testing.T) {
	for _, tt := range []struct {
		n, unit int64
		want    string
	}{
		{5000, 0, "5000"}, {1023, 1, "1023"}, {1024, 1, "1.0K"}, {1, 4096, "4.0K"}, {3 << 29, 1, "1.5G"}, {300, 4096, "1.2M"},
	} {
		if got := amount(tt.n, tt.unit); got != tt.want {
			t.Errorf("%d of %d: %s, want %s", tt.n, tt.unit, got, tt.want)
		}
	}
}

// TestPlain has names that would make a terminal do something.
func TestPlain(t *testing.T) {
	for s, want := range map[string]string{
		"web.example": "web.example", "größer": "größer", "(sd-pam)": "(sd-pam)",
		"\x1b]0;x\a": `\x1b]0;x\a`, "a\tb\nc\r": `a\tb\nc\r`, "\u009b2J\x9b": `\u009b2J\x9b`, "\u202egpj": `\u202egpj`, `\n`: `\\n`,
	} {
		if got := plain(s); got != want {
			t.Errorf("%q is told as %s", s, got)
		}
	}
	in := []string{"a\x1b\u009b\u202e\x7f\U000e0001\n", "größer"}
	text, err := json.MarshalIndent(in, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	text = plainJSON(text)
	if err := json.Unmarshal(text, &out); err != nil || !slices.Equal(in, out) {
		t.Errorf("%q, %v", out, err)
	}
	for _, r := range string(text) {
		if r != '\n' && !strconv.IsPrint(r) {
			t.Errorf("%q has %q", text, r)
		}
	}
}

func id(n uint64) *uint64 { return &n }

func TestPaths(t *testing.T) {
	got := paths([]instcall.Info{
		{ID: 1, Name: "own"},
		{ID: 3, Name: "web", Parent: id(1)}, {ID: 4, Name: "db", Parent: id(1)}, {ID: 5, Name: "test", Parent: id(3)}, {ID: 6, Name: "deep", Parent: id(5)},
	})
	for n, want := range map[uint64]string{1: "own", 3: "web", 4: "db", 5: "web/test", 6: "web/test/deep"} {
		if got[n] != want {
			t.Errorf("%d is %s, want %s", n, got[n], want)
		}
	}
}

// TestForest has processes of two instances with the same numbers.
func TestForest(t *testing.T) {
	proc := func(inst uint64, pid, parent int) process {
		return process{ID: inst, Proc: instcall.Proc{PID: pid, Parent: parent}}
	}
	var got strings.Builder
	for _, p := range forest([]process{
		proc(1, 1, 0), proc(1, 2, 1), proc(1, 3, 2), proc(1, 4, 1), proc(1, 9, 8), proc(2, 1, 0), proc(2, 2, 1), proc(2, 3, 1),
	}) {
		fmt.Fprintf(&got, "%d.%d %d\n", p.ID, p.PID, p.depth)
	}
	if want := "1.1 0\n1.2 1\n1.3 2\n1.4 1\n1.9 0\n2.1 0\n2.2 1\n2.3 1\n"; got.String() != want {
		t.Errorf("%s\nwant:\n%s", got.String(), want)
	}
}
