// Package insttest makes the instances that tests of members work in. Only tests may
// import it.
package insttest

import (
	"testing"

	"mult/inst"
)

// New makes inst0 of a machine of its own, with some members.
func New(tb testing.TB, name string, members ...inst.Member) *inst.Inst {
	tb.Helper()
	in, err := inst.NewSystem(members).New(nil, name)
	if err != nil {
		tb.Fatal(err)
	}
	return in
}

// Child makes an instance below another one.
func Child(tb testing.TB, parent *inst.Inst, name string) *inst.Inst {
	tb.Helper()
	in, err := parent.System().New(parent, name)
	if err != nil {
		tb.Fatal(err)
	}
	return in
}
