// Package hosttest lets tests say what they need of the host, and tells stress
// tests how long they may take.
package hosttest

import (
	"os"
	"testing"
	"time"

	"mult/tools/host"
)

// Require returns the path of the needed program and skips the test if there
// is none.
func Require(t testing.TB, need host.Need) string {
	t.Helper()
	path, err := need.Find()
	if err != nil {
		Skip(t, "%v; Debian package: %s", err, need.Packages[0])
	}
	return path
}

// Skip skips the test for lack of something. Under CI=true it fails the test
// instead, so that nothing goes untested there.
func Skip(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf("CI may not skip: "+format, args...)
	} else {
		t.Skipf(format, args...)
	}
}

// LongVariable is the environment variable with which make long and make fuzz
// tell each test of theirs its share of the time.
const LongVariable = "MULT_LONG"

// Long returns how long a stress test, a function TestLong... in a file with
// the build tag "long", is to go on: a minute if it wasn't started by
// make long or make fuzz.
func Long(t testing.TB) time.Duration {
	t.Helper()
	s := os.Getenv(LongVariable)
	if s == "" {
		return time.Minute
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatalf("%s: %v", LongVariable, err)
	}
	return d
}
