package qemutest

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// fake is a test that has failed or not and remembers what was said of it.
type fake struct {
	testing.TB
	failed bool
	said   string
}

func (f *fake) Helper()                 {}
func (f *fake) Name() string            { return "TestFake/a b" }
func (f *fake) Failed() bool            { return f.failed }
func (f *fake) Log(a ...any)            { f.said += fmt.Sprintln(a...) }
func (f *fake) Logf(s string, a ...any) { f.said += fmt.Sprintf(s, a...) }

func TestLog(t *testing.T) {
	for _, failed := range []bool{false, true} {
		f := &fake{TB: t, failed: failed}
		log := newLog(f)
		defer os.Remove(log.final)
		if !strings.Contains(log.final, "build/test-logs/TestFake_a_b") {
			t.Errorf("the log is %s", log.final)
		}
		if err := os.WriteFile(log.temp, []byte("output"), 0o666); err != nil {
			t.Fatal(err)
		}
		log.close(f, "put out")
		if _, err := os.Stat(log.temp); err == nil {
			t.Errorf("%s is left", log.temp)
		}
		if _, err := os.Stat(log.final); (err == nil) != failed {
			t.Errorf("failed %v, but os.Stat of the log says %v", failed, err)
		}
		if strings.Contains(f.said, "put out") != failed {
			t.Errorf("failed %v, but the test said %q", failed, f.said)
		}
	}
}
