package main

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mult/tools/host"
	"mult/tools/host/hosttest"
)

func TestSample(t *testing.T) {
	for _, tt := range []struct {
		s            sample
		median, span string
	}{
		{sample{2}, "2.00", ""},
		{sample{3, 1, 2}, "2.00", "1.00 to 3.00"},
		{sample{4, 1, 2, 3}, "2.50", "1.00 to 4.00"},
	} {
		if median, span := tt.s.show(number); median != tt.median || span != tt.span {
			t.Errorf("%v: %q, %q; want %q, %q", tt.s, median, span, tt.median, tt.span)
		}
	}
	// Both sides slow in the second run: the ratio stays.
	if r := (sample{1, 10, 1}).over(sample{8, 80, 4}); ratio(r.median()) != "1/8.00" {
		t.Errorf("ratios %v", r)
	}
}

func TestNumbers(t *testing.T) {
	for _, tt := range []struct{ got, want string }{
		{ratio(0), "0.00"}, {ratio(0.04), "1/25.0"}, {ratio(1), "1.00"}, {ratio(123.4), "123"},
		{milliseconds(0.0756), "75.6 ms"},
		{goal(1, 1, "one"), "one, met"}, {goal(1.01, 1, "one"), "one, MISSED"},
		{strings.Join(clockRow("m", sample{-400, 100, 2}, sample{1, 3, 2}), "; "),
			"m; +2.0 ppm; -400.0 ppm to +100.0 ppm; 3.0 ppm; 1.33; 300 ppm, MISSED"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

func TestTable(t *testing.T) {
	var tab table
	tab.add("", "x", "name")
	tab.add("a row", "100")
	tab.add("b", "1", "µs")
	var b strings.Builder
	tab.print(&b)
	want := "           x  name\n  a row  100\n  b        1    µs\n"
	if b.String() != want {
		t.Errorf("printed\n%s, want\n%s", b.String(), want)
	}
}

// TestInit runs init here: it is a program for any Linux.
func TestInit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "init")
	if err := os.WriteFile(path, initProgram(), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, len(firstLine))
	if _, err := out.Read(line); err != nil || string(line) != firstLine {
		t.Errorf("it printed %q, %v", line, err)
	}
	cmd.Process.Kill()
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("it ended by itself: %v", err)
	}
}

func TestInitramfs(t *testing.T) {
	busybox, err := host.Busybox.Find()
	if err != nil {
		hosttest.Skip(t, "%v", err)
	}
	cmd := exec.Command(busybox, "cpio", "-it")
	cmd.Stdin = bytes.NewReader(initramfs(initProgram()))
	if list, err := cmd.Output(); err != nil || string(list) != "init\n" {
		t.Errorf("cpio lists %q, %v", list, err)
	}
}

// TestCallsProgram runs a figure of the calls here.
func TestCallsProgram(t *testing.T) {
	gcc := hosttest.Require(t, host.GCC)
	dir := t.TempDir()
	source, program := filepath.Join(dir, "calls.c"), filepath.Join(dir, "calls")
	if err := os.WriteFile(source, callsProgram, 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command(gcc, "-O2", "-static", "-pthread", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	out, err := exec.CommandContext(t.Context(), program, "null_call", "vdso_clock").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(out), "\n")
	if len(lines) != 4 || lines[2] != "bench end" {
		t.Fatalf("it printed %q", out)
	}
	for i, name := range []string{"null_call", "vdso_clock"} {
		if f := figureLine.FindStringSubmatch(lines[i]); f == nil || f[1] != name {
			t.Errorf("it printed %q for %s", lines[i], name)
		}
	}
	for _, f := range figures {
		if f.value == nil && !strings.Contains(string(callsProgram), `{"`+f.name+`", `) {
			t.Errorf("the program has no figure %s", f.name)
		}
	}
}

func TestCallTable(t *testing.T) {
	ours, theirs := measured{}, measured{}
	for range 2 {
		ours.add(map[string]float64{"null_call": 1000, "stat": 3000, "pipe_bandwidth": 1200, "round_trip_1cpu": 3000, "pipe_own": 500})
		theirs.add(map[string]float64{"null_call": 2000, "stat": 2000, "pipe_bandwidth": 1000, "round_trip_1cpu": 3000, "pipe_own": 1000})
	}
	ours.add(map[string]float64{"read_1": 1}) // fails on the other side
	rows := map[string]string{}
	for _, line := range callTable(ours, theirs) {
		rows[line[0]] = strings.Join(line[1:], "; ")
	}
	for name, want := range map[string]string{
		"null call":              "1.00 µs; 2.00 µs; 1/2.00; 1/2.00 to 1/2.00; 1.00, met",
		"stat":                   "3.00 µs; 2.00 µs; 1.50; 1.50 to 1.50; 1.00, MISSED",
		"pipe, a MiB":            "1.20 µs; 1.00 µs; 1.20; 1.20 to 1.20; 1.25, met",
		"context switch":         "1.00 µs; 0.50 µs; 2.00; 2.00 to 2.00; 1.00, MISSED",
		"read 1 byte, /dev/zero": "failed",
	} {
		if rows[name] != want {
			t.Errorf("%s: %q, want %q", name, rows[name], want)
		}
	}
}

// TestInstProgram runs the least init here.
func TestInstProgram(t *testing.T) {
	hosttest.Require(t, host.GCC)
	b := &bench{tmp: t.TempDir()}
	path := filepath.Join(b.tmp, "instinit")
	if _, err := b.compile(t.Context(), instProgram, path); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(out); err != nil || string(text) != "u" {
		t.Errorf("it printed %q, %v", text, err)
	}
	cmd.Process.Kill()
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("it ended by itself: %v", err)
	}
}

func TestInstTable(t *testing.T) {
	ours := map[string]sample{"start_p50": {2000, 3000}, "memory_1000": {71 << 10, 71 << 10}, "churn_p50": {1}}
	theirs := map[string]sample{"start_p50": {8000, 12000}, "memory_1000": {140 << 10, 140 << 10}}
	rows := map[string]string{}
	for _, line := range instTable(ours, theirs) {
		rows[line[0]] = strings.Join(line[1:], "; ")
	}
	for name, want := range map[string]string{
		"start":                   "2.50 µs; 10.0 µs; 1/4.00; 1/4.00 to 1/4.00; 1/4, met",
		"memory of one, of 1,000": "71.0 KiB; 140 KiB; 1/1.97; 1/1.97 to 1/1.97; 1/2, MISSED",
		"start and stop":          "failed",
	} {
		if rows[name] != want {
			t.Errorf("%s: %q, want %q", name, rows[name], want)
		}
	}
}

func TestAloneTable(t *testing.T) {
	rows := aloneTable([3]map[string]float64{
		{"null_call": 1000, "stat": 2000}, {"null_call": 1010, "stat": 2000}, {"null_call": 981, "stat": 2050},
	})
	for i, want := range []string{
		"null call; 1.00; 1.01; +1.0 %; 0.98; -1.9 %; 2 %, met",
		"stat; 2.00; 2.00; +0.0 %; 2.05; +2.5 %; 2 %, MISSED",
	} {
		if got := strings.Join(rows[i+1], "; "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestPayload(t *testing.T) {
	image := func(magic string, edit func([]byte)) []byte {
		b := make([]byte, 2*512+16)
		b[setupSects] = 1
		copy(b[headerMagic:], "HdrS")
		le := binary.LittleEndian
		le.PutUint16(b[headerVersion:], 0x20f)
		le.PutUint32(b[payloadOffset:], 8)
		b = append(b[:2*512+8], magic+"data\x78\x56\x34\x12and more"...)
		le.PutUint32(b[payloadLength:], uint32(len(magic)+8))
		if edit != nil {
			edit(b)
		}
		return b
	}
	const lz4 = "\x02\x21\x4c\x18"
	stream, size, err := payload(image(lz4, nil))
	if string(stream) != lz4+"data" || size != 0x12345678 || err != nil {
		t.Errorf("payload: %q, %#x, %v", stream, size, err)
	}
	for _, tt := range []struct {
		name, err string
		image     []byte
	}{
		{"short", "no header", nil},
		{"no magic", "no header", image(lz4, func(b []byte) { b[headerMagic] = 0 })},
		{"old", "no header", image(lz4, func(b []byte) { b[headerVersion] = 7 })},
		{"cut", "doesn't fit", image(lz4, func(b []byte) { b[payloadLength+1] = 1 })},
		{"empty", "doesn't fit", image(lz4, func(b []byte) { b[payloadLength] = 7 })},
		{"xz", "not compressed with LZ4", image("\xfd7zXZ", nil)},
	} {
		if _, _, err := payload(tt.image); err == nil || !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.err)
		}
	}
}
