package usertest

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"testing"
	"time"

	"mult/boot/option"
	"mult/kern/linux"
	"mult/kern/linux/calls"
	"mult/qemu"
)

// silence is how long a fuzzer may take between two lines, on a busy host. It
// prints one every three seconds.
const silence = 3 * time.Minute

// leak is how many KiB of free memory a run of a fuzzer may cost. The Go heap
// takes and gives as it likes.
const leak = 24 << 10

// callList is the list of calls that callfuzz reads.
func callList() []byte {
	var b bytes.Buffer
	for n, c := range calls.All() {
		state, _ := linux.State(uint64(n))
		fmt.Fprintf(&b, "%d %s %s", n, c.Name, state)
		for i := range c.NumArgs() {
			fmt.Fprintf(&b, " %s:%s", c.Args[i].Name, c.Args[i].Kind)
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// TestFuzz runs the fuzzers for some seconds, always with the same seed.
func TestFuzz(t *testing.T) {
	for _, program := range []string{"callfuzz", "execfuzz"} {
		t.Run(program, func(t *testing.T) { fuzzGuest(t, program, 6*time.Second, 1) })
	}
}

// report are the lines that matter: a fuzzer's own, and those of a kernel that
// is at fault.
var report = `(?m)^(?:(fuzz: .*)|.*(kernel fault: .*|panic: .*|fatal error: .*))\r?\n`

var progress = regexp.MustCompile(`^fuzz: seed (\d+): \d+ done, (\d+) without error, .*; free (\d+) kB$`)

// fuzzGuest runs a fuzzer in a guest with two processors. Whatever it does, the
// kernel has no fault, goes on, and has its memory back in the end.
func fuzzGuest(t *testing.T, program string, limit time.Duration, seed uint64) {
	command := fmt.Sprintf(`/fuzz/%s %d %d; ls / | wc -l; free; echo still "$((6*7))"`, program, int(limit.Seconds()), seed)
	g := start(t, qemu.Config{Machine: qemu.Q35, CPUs: 2, Memory: 512 * qemu.MiB}, "run="+option.Encode(command))
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf(format, args...)
		t.Logf("once more, but for chance: %s=%d go test -tags=long -count=1 -run=TestLong.*Fuzz/%s ./qemu/usertest", seedVariable, seed, program)
	}
	g.Expect(`mult: ready\n`, bootLimit)
	var first, last, good uint64
	for rounds := 0; ; rounds++ {
		m, err := g.VM.Expect(report, silence)
		if err != nil {
			fail("after %d rounds: %v\nthe guest's processors:\n%s", rounds, err, g.State())
			return
		}
		if m[2] != "" {
			time.Sleep(2 * time.Second) // for the stack in the log
			fail("%s", m[2])
			return
		}
		if m[1] == "fuzz: done" {
			t.Logf("%d rounds, %d without error", rounds, good)
			break
		}
		p := progress.FindStringSubmatch(m[1])
		if p == nil {
			fail("%s", m[1])
			return
		}
		seed, _ = strconv.ParseUint(p[1], 10, 64)
		n, _ := strconv.ParseUint(p[2], 10, 64)
		last, _ = strconv.ParseUint(p[3], 10, 64)
		good += n
		first = max(first, last)
		seed++ // of the next round, in which the next failure is
	}
	if good == 0 {
		fail("nothing that it tries is right")
	}
	if last+leak < first {
		fail("%d kB of memory were free, %d kB are in the end", first, last)
	}
	if _, err := g.VM.Expect(`\nstill 42\n`, bootLimit); err != nil {
		fail("no shell in the end: %v", err)
		return
	}
	g.ExpectEnd(qemu.OK, bootLimit)
}

// seedVariable is the environment variable that says with which seed the fuzzers
// of make fuzz begin.
const seedVariable = "MULT_FUZZ_SEED"
