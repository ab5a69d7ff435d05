package hosttest

import (
	"fmt"
	"testing"
)

// fake is a test that remembers how it was ended.
type fake struct {
	testing.TB
	said string
}

func (f *fake) Helper()                   {}
func (f *fake) Fatalf(s string, a ...any) { f.said = "fatal: " + fmt.Sprintf(s, a...) }
func (f *fake) Skipf(s string, a ...any)  { f.said = "skip: " + fmt.Sprintf(s, a...) }

func TestSkip(t *testing.T) {
	for ci, want := range map[string]string{"": "skip: no x", "true": "fatal: CI may not skip: no x"} {
		t.Setenv("CI", ci)
		f := &fake{TB: t}
		Skip(f, "no %s", "x")
		if f.said != want {
			t.Errorf("CI=%q: %q, want %q", ci, f.said, want)
		}
	}
}
