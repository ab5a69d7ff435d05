package main

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

// events writes test2json's lines: "package test action output".
func events(lines ...string) string {
	var b strings.Builder
	for _, l := range lines {
		f := strings.SplitN(l, " ", 4)
		b.WriteString(`{"Package":"` + f[0] + `","Action":"` + f[2] + `"`)
		if f[1] != "-" {
			b.WriteString(`,"Test":"` + f[1] + `"`)
		}
		if len(f) > 3 {
			b.WriteString(`,"Output":"` + f[3] + `\n"`)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

func TestRead(t *testing.T) {
	tests := []struct {
		name string
		in   string
		out  string
		want tally
	}{
		{"pass", events(
			"p TestA run", "p TestA output === RUN TestA", "p TestA output said", "p TestA output --- PASS: TestA",
			"p TestA pass", "p - output PASS", `p - output ok  \tp\t1s`, "p - pass"),
			"ok  \tp\t1s\n",
			tally{packages: 1, passed: 1}},
		{"no tests", events(`p - output ?   \tp\t[no test files]`, "p - skip"),
			"?   \tp\t[no test files]\n",
			tally{}},
		{"skip", events(
			"p TestA output x.go:1: no foo", "p TestA output --- SKIP: TestA", "p TestA skip",
			"p TestB output --- SKIP: TestB", "p TestB skip", `p - output ok  \tp\t1s`, "p - pass"),
			"ok  \tp\t1s\n",
			tally{packages: 1, skipped: []string{"p TestA: x.go:1: no foo", "p TestB: no reason given"}}},
		{"fail", events(
			"p TestA output quiet", "p TestA pass",
			"p TestB/x output quiet", "p TestB/x pass",
			"p TestB/y output loud", "p TestB/y output --- FAIL: TestB/y", "p TestB/y fail",
			"p TestB output --- FAIL: TestB", "p TestB fail",
			"p - output FAIL", `p - output FAIL\tp\t1s`, "p - fail"),
			"loud\n--- FAIL: TestB/y\n--- FAIL: TestB\nFAIL\tp\t1s\n",
			tally{passed: 2, failed: []string{"p TestB/y", "p TestB"}}},
		{"never ends", events("p TestA output panic: boom", `p - output FAIL\tp\t1s`, "p - fail"),
			"panic: boom\nFAIL\tp\t1s\n",
			tally{}},
		{"does not build", events("- - build-output x.go:1: wrong", `p - output FAIL\tp [build failed]`, "p - fail"),
			"x.go:1: wrong\nFAIL\tp [build failed]\n",
			tally{}},
	}
	for _, tt := range tests {
		var got tally
		var out strings.Builder
		if err := got.read(strings.NewReader(tt.in), &out); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if out.String() != tt.out {
			t.Errorf("%s: output %q, want %q", tt.name, out.String(), tt.out)
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	var got tally
	if err := got.read(strings.NewReader("not JSON"), &strings.Builder{}); err == nil {
		t.Error("output that isn't go test's was accepted")
	}
}

func TestParseList(t *testing.T) {
	list := "TestLongA\nFuzzB\nok  \tp/q\t0.1s\n?   \tp/r\t[no test files]\nok  \tp/s\t0.1s\nFuzzC\nok  \tp/t\t(cached)\n"
	want := []longTest{{"p/q", "TestLongA"}, {"p/q", "FuzzB"}, {"p/t", "FuzzC"}}
	if got := parseList(list); !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func TestShares(t *testing.T) {
	for _, tt := range []struct {
		names string
		kind  string // of all
		want  []time.Duration
	}{
		{"p.TestLongA mult/qemu/q.TestLongFuzzy", "stress", []time.Duration{30, 30}},
		{"p.FuzzA p.FuzzB p.TestLongAFuzz mult/qemu/q.TestLongAFuzz", "fuzz", []time.Duration{10, 10, 10, 30}},
		{"p.FuzzA p.FuzzB", "fuzz", []time.Duration{30, 30}},
		{"mult/qemu/q.TestLongAFuzz mult/qemu/q.TestLongBFuzz", "fuzz", []time.Duration{30, 30}},
	} {
		var tests []longTest
		for _, name := range strings.Fields(tt.names) {
			pkg, name, _ := strings.Cut(name, ".")
			l := longTest{pkg, name}
			if l.kind() != tt.kind {
				t.Errorf("%s is a %s test, want %s", name, l.kind(), tt.kind)
			}
			tests = append(tests, l)
		}
		if got := shares(tests, 60); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.names, got, tt.want)
		}
	}
}
