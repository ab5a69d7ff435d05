package linux

import (
	"flag"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"mult/kern/linux/calls"
)

var update = flag.Bool("update", false, "write docs/syscalls.md")

// TestNames wants the handler of each call to be named after it.
func TestNames(t *testing.T) {
	for n, row := range table {
		if row.handler == nil {
			continue
		}
		want := strings.ReplaceAll(calls.Name(uint64(n)), "_", "")
		name := runtime.FuncForPC(reflect.ValueOf(row.handler).Pointer()).Name()
		if got := strings.ToLower(name[strings.LastIndex(name, ".")+1:]); got != "sys"+want {
			t.Errorf("call %d, %s, has the handler %s", n, calls.Name(uint64(n)), name)
		}
	}
}

// TestDoc holds docs/syscalls.md against the table.
func TestDoc(t *testing.T) {
	const doc = "../../docs/syscalls.md"
	want := calls.Markdown(State)
	if *update {
		if err := os.WriteFile(doc, []byte(want), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(doc)
	if err != nil || string(got) != want {
		t.Errorf("%s is stale (%v): run go test ./kern/linux -run TestDoc -update", doc, err)
	}
}
