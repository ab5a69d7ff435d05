package instcall

import (
	"errors"
	"reflect"
	"syscall"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	limit, parent := int64(100), uint64(1)
	text := "id 7\nname web\nparent 1\nstate running\ncreated 1000000000\nreferences 2\nhost \"a\\nid 9\"\ndomain \"(none)\"\nroot \"/srv/\\n\"\nprocesses 3\nthreads 4\n" +
		"forks 5\ncpu.weight 50\ncpu.cap 100\ntime.user 6\ntime.system 7\nused.frames 8\nlimit.frames 100\nrefused.frames 9\nlimit.heap none\nnew thing\nnew.thing 1\n"
	want := Info{
		ID: 7, Name: "web", Parent: &parent, State: "running", Created: time.Unix(1, 0), References: 2, Host: "a\nid 9", Domain: "(none)", Root: "/srv/\n",
		Processes: 3, Threads: 4, Forks: 5, Weight: 50, Cap: &limit, User: 6, System: 7,
		Uses: map[string]Use{"frames": {8, &limit, 9}, "heap": {}},
	}
	got, err := parse(text)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	for _, bad := range []string{"id x\n", "parent\n", "used.frames -\n", "host a\n", "root \"\n", "limit.heap no\n"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}

func TestError(t *testing.T) {
	for _, tt := range []struct {
		err  Error
		want string
	}{
		{Error{syscall.ENOSYS, ""}, "this kernel has no instances"},
		{Error{syscall.ESRCH, "there is no instance 7"}, "there is no instance 7"},
		{Error{syscall.EFAULT, ""}, syscall.EFAULT.Error()},
	} {
		if got := tt.err.Error(); got != tt.want || !errors.Is(&tt.err, tt.err.Errno) {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}
