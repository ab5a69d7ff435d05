package kern

import (
	"bytes"
	"fmt"
	"testing"
)

// TestLogQuota takes lines as fast as it can, then slowly.
func TestLogQuota(t *testing.T) {
	var q logQuota
	now, logged := int64(1e9), 0
	for range 1000 {
		if ok, _ := q.take(now); ok {
			logged++
		}
	}
	if logged != logBurst {
		t.Errorf("%d lines at once, want %d", logged, logBurst)
	}
	if ok, lost := q.take(now + logPeriod); !ok || lost != 1000-logBurst {
		t.Errorf("a period later: %v, %d lost", ok, lost)
	}
	for i := range int64(1000) {
		if ok, lost := q.take(now + (i+2)*logPeriod); !ok || lost != 0 {
			t.Fatalf("period %d: %v, %d lost", i, ok, lost)
		}
	}
}

// TestLogFlood has an instance and those below it cause many lines of the log: the lines about
// another one are still there.
func TestLogFlood(t *testing.T) {
	m := manage(t)
	below := m.forkInst(m.top.in, "below")
	b := m.forkInst(m.k.inst0, "beside")
	m.k.logOf(b.in, "is here")
	for i := range 100000 {
		m.k.logOf(m.top.in, "line %d", i)
		m.k.logOf(below.in, "line %d", i)
	}
	m.k.logOf(b.in, "is still here")
	var all bytes.Buffer
	m.k.Log.Dump(func(line []byte) { fmt.Fprintf(&all, "%s\n", line) })
	for _, want := range []string{"beside: is here", "beside: is still here"} {
		if !bytes.Contains(all.Bytes(), []byte(want)) {
			t.Errorf("%q is not in the log any more", want)
		}
	}
	if n := bytes.Count(all.Bytes(), []byte(": line ")); n < logBurst || n > 2*logBurst {
		t.Errorf("%d lines about one instance", n)
	}
	m.finish(below, b)
}
