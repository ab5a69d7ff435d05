package host

import (
	"strings"
	"testing"

	"mult/inst"
	"mult/inst/insttest"
	"mult/kern/errno"
)

func TestNames(t *testing.T) {
	members := []inst.Member{Member}
	in := insttest.New(t, "a", members...)
	defer in.Release()
	for _, f := range []struct {
		what, first string
		get         func(*inst.Inst) string
		set         func(*inst.Inst, string) error
	}{{"host", "mult", Name, SetName}, {"domain", "(none)", Domain, SetDomain}} {
		if got := f.get(in); got != f.first {
			t.Errorf("%s: a new instance has %q, want %q", f.what, got, f.first)
		}
		for _, tt := range []struct {
			set, want string
			err       error
		}{
			{"one", "one", nil},
			{"", "", nil},
			{strings.Repeat("x", MaxName), strings.Repeat("x", MaxName), nil},
			{strings.Repeat("x", MaxName+1), strings.Repeat("x", MaxName), errno.EINVAL},
			{"parent", "parent", nil},
		} {
			if err := f.set(in, tt.set); err != tt.err {
				t.Errorf("%s: setting %q: %v, want %v", f.what, tt.set, err, tt.err)
			}
			if got := f.get(in); got != tt.want {
				t.Errorf("%s: %q after setting %q", f.what, got, tt.set)
			}
		}
		kid := insttest.Child(t, in, "b")
		if got := f.get(kid); got != "parent" {
			t.Errorf("%s: a child begins with %q", f.what, got)
		}
		if err := f.set(kid, "kid"); err != nil || f.get(in) != "parent" || f.get(kid) != "kid" {
			t.Errorf("%s: parent %q, child %q, %v", f.what, f.get(in), f.get(kid), err)
		}
		kid.Release()
	}
}
