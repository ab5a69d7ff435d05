package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"mult/userland/instcall"
)

func TestSettings(t *testing.T) {
	for _, tt := range []struct {
		arg, want string // "": an error
	}{
		{"limit.frames=100", "limit.frames 100"},
		{"host=", "host "},
		{"host", ""},
		{"root=/srv/a b=c", "root /srv/a b=c"},
		{"ho st=a", ""},
		{"ho\tst=a", ""},
		{"host=a\nlimit.heap=none", ""},
	} {
		got, err := settings([]string{"domain=d", tt.arg})
		if err != nil {
			got = []setting{{}, {}}
		}
		if got[1].text != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%q: %q, %v", tt.arg, got, err)
		}
	}
}

// write makes a file in dir with a text, and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	err := os.MkdirAll(filepath.Dir(file), 0o777)
	if err == nil {
		err = os.WriteFile(file, []byte(text), 0o666)
	}
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestConf(t *testing.T) {
	file := write(t, t.TempDir(), "x", "# a comment\nname web\n\n  count\t2 \nautostart yes\nparent a/b\nhost www\n # another\nnew.field two words\nlimit.frames 7")
	c, err := confOf("", file)
	want := &conf{name: "web", parent: "a/b", count: 2, autostart: true, settings: []setting{
		{file + ":7: ", "host www"}, {file + ":9: ", "new.field two words"}, {file + ":10: ", "limit.frames 7"},
	}}
	if err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("%+v, %v; want %+v", c, err, want)
	}
	if got, want := c.paths(), []string{"a/b/web1", "a/b/web2"}; !reflect.DeepEqual(got, want) {
		t.Errorf("instances %q, want %q", got, want)
	}
	// The name on the command line counts.
	c, err = confOf("c/db", file)
	if err != nil || c.name != "db" || c.parent != "c" || c.count != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	c, err = confOf("db", "")
	if want := (&conf{name: "db"}); err != nil || !reflect.DeepEqual(c, want) {
		t.Errorf("without a file: %+v, %v", c, err)
	}
}

// TestConfErrors has an error for each mistake, which tells where it is.
func TestConfErrors(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"\nhost a\nhost b\n", ":3: host: it is in line 2 already"},
		{"# c\nhost\n", ":2: host: there is no value"},
		{"name 9x\n", `:1: name: "9x" is no name`},
		{"name a/b\n", `:1: name: "a/b" is no name`},
		{"name " + strings.Repeat("a", 65), ":1: name: "},
		{"parent /a\n", `:1: parent: "/a" is no way`},
		{"parent a//b\n", `:1: parent: "a//b" is no way`},
		{"count 0\n", `:1: count: "0" is no number from 1 to`},
		{"count 100001\n", `:1: count: "100001" is no number`},
		{"count many\n", `:1: count: "many" is no number`},
		{"autostart maybe\n", `:1: autostart: "maybe" is neither yes nor no`},
		{"host a\n", ": name: it is missing"},
	} {
		file := write(t, t.TempDir(), "x", tt.text)
		if _, err := confOf("", file); err == nil || !strings.HasPrefix(err.Error(), file+tt.want) {
			t.Errorf("%q: %v, want %s", tt.text, err, tt.want)
		}
	}
	if _, err := confOf("web", filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is named and missing: %v", err)
	}
	if _, err := confOf("web", t.TempDir()); err == nil {
		t.Error("a directory describes nothing")
	}
	if _, err := confOf("", ""); err == nil {
		t.Error("neither name nor file: no error")
	}
}

// TestSay finds the place of a setting that the kernel refuses.
func TestSay(t *testing.T) {
	list := []setting{{"f:3: ", "host a"}, {"f:7: ", "limit.x 1"}, {"", "hots b"}}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&instcall.Error{Errno: syscall.EINVAL, Text: "line 2: limit.x: there is no such limit"}, "f:7: limit.x: there is no such limit"},
		{&instcall.Error{Errno: syscall.EINVAL, Text: "line 3: hots: there is no such setting"}, "hots: there is no such setting"},
		{&instcall.Error{Errno: syscall.EINVAL, Text: "line 4: x: y"}, "line 4: x: y"},
		{&instcall.Error{Errno: syscall.EINVAL, Text: "2: x"}, "2: x"},
		{&instcall.Error{Errno: syscall.EEXIST, Text: "line 1: there"}, "line 1: there"},
	} {
		var said string
		err := say(list, func(text string) error {
			said = text
			return tt.err
		})
		if err == nil || err.Error() != tt.want || !errors.Is(err, tt.err.(*instcall.Error).Errno) {
			t.Errorf("%v: %v, want %s", tt.err, err, tt.want)
		}
		if said != "host a\nlimit.x 1\nhots b\n" {
			t.Errorf("the kernel hears %q", said)
		}
	}
	if err := say(list, func(string) error { return nil }); err != nil {
		t.Error(err)
	}
}

// TestAutostarted finds parents before those below them, and what is right beside what is
// wrong.
func TestAutostarted(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "a.conf", "parent web/deep\nautostart yes\n")
	write(t, dir, "b.conf", "autostart yes\nhost b\n")
	write(t, dir, "bad.conf", "autostart\n")
	write(t, dir, "later.conf", "autostart no\n")
	write(t, dir, "services", "#!/bin/sh\n")
	write(t, dir, "web.conf", "autostart yes\n")
	write(t, dir, "web/deep.conf", "autostart yes\n")
	list, err := autostarted(dir)
	if err == nil || !strings.Contains(err.Error(), "bad.conf:1: autostart: ") {
		t.Errorf("the error is %v", err)
	}
	var got []string
	for _, c := range list {
		got = append(got, c.paths()...)
	}
	if want := []string{"b", "web", "web/deep", "web/deep/a"}; !reflect.DeepEqual(got, want) {
		t.Errorf("it starts %q, want %q", got, want)
	}
	if _, err := autostarted(filepath.Join(dir, "none")); err == nil {
		t.Error("no directory: no error")
	}
}

// FuzzConf has any text as a file: what comes of it can be names, and a line for the kernel for
// each setting, or errors would be told of other lines.
func FuzzConf(f *testing.F) {
	f.Add("# comment\nname web\nparent a/b\ncount 3\nautostart yes\nhost www\r\nlimit.frames\t 5\n")
	f.Add("host\n")
	f.Add("host a\nhost b")
	f.Fuzz(func(t *testing.T, text string) {
		var c conf
		if c.parse("f", text) != nil {
			return
		}
		if c.name != "" && !isName(c.name) || c.count < 0 || c.count > maxCount {
			t.Errorf("%q is %+v", text, c)
		}
		for _, s := range c.settings {
			var line int
			if _, err := fmt.Sscanf(s.at, "f:%d: ", &line); err != nil || line < 1 || line > strings.Count(text, "\n")+1 {
				t.Errorf("%q: %q is at %q", text, s.text, s.at)
			}
			name, value, ok := strings.Cut(s.text, " ")
			if !ok || name == "" || value == "" || strings.Contains(s.text, "\n") || !strings.Contains(strings.Split(text, "\n")[line-1], value) {
				t.Errorf("%q: %q isn't what line %d says", text, s.text, line)
			}
		}
	})
}

// TestLevels has those that are below before those above them.
func TestLevels(t *testing.T) {
	list := []instcall.Info{
		{ID: 3, Name: "web", Parent: id(0)}, {ID: 4, Name: "db", Parent: id(0)}, {ID: 5, Name: "test", Parent: id(3)},
		{ID: 6, Name: "deep", Parent: id(5)}, {ID: 7, Name: "test", Parent: id(4)}, {ID: 8, Name: "web2", Parent: id(0)},
	}
	for _, tt := range []struct {
		names []string
		want  [][]string
	}{
		{[]string{"web"}, [][]string{{"web/test/deep"}, {"web/test"}, {"web"}}},
		{[]string{"db", "gone", "web/test"}, [][]string{{"web/test/deep"}, {"web/test", "db/test"}, {"db", "gone"}}},
		{[]string{"web2"}, [][]string{{"web2"}}},
		{[]string{"web", "web/test", "web"}, [][]string{{"web/test/deep"}, {"web/test"}, {"web"}}},
		{nil, nil},
	} {
		if got := levels(tt.names, list); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %q, want %q", tt.names, got, tt.want)
		}
	}
}

// TestKept has the settings of an instance, but not what is none.
func TestKept(t *testing.T) {
	percent, limit := int64(50), int64(7)
	in := instcall.Info{Host: "www", Domain: "d\nlimit.heap none", Weight: 3, Cap: &percent, Uses: map[string]instcall.Use{"frames": {Limit: &limit}}}
	want := []setting{{"", "host www"}, {"", "cpu.weight 3"}, {"", "cpu.cap 50"}, {"", "limit.frames 7"}}
	if got, _ := kept(in); !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	in = instcall.Info{Host: " ", Weight: 100, Uses: map[string]instcall.Use{"heap": {}}}
	if got, _ := kept(in); !reflect.DeepEqual(got, []setting{{"", "cpu.weight 100"}, {"", "limit.heap none"}}) {
		t.Errorf("%q", got)
	}
	for root, want := range map[string][]setting{
		"":         {{"", "cpu.weight 100"}},
		"image":    {{"", "cpu.weight 100"}},
		"parent":   {{"", "cpu.weight 100"}},
		"/srv/a b": {{"", "root /srv/a b"}, {"", "cpu.weight 100"}},
		"other":    nil,
		"/srv/\n":  nil,
	} {
		got, err := kept(instcall.Info{Root: root, Weight: 100})
		if !reflect.DeepEqual(got, want) || (err != nil) != (want == nil) {
			t.Errorf("root %q: %q, %v", root, got, err)
		}
	}
}
