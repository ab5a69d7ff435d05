package image

import (
	"strings"
	"testing"

	"mult/kern/errno"
	"mult/kern/vm"
)

// TestParseScript has cases that were tried on Linux.
func TestParseScript(t *testing.T) {
	a := func(n int) string { return strings.Repeat("a", n) }
	sp := func(n int) string { return strings.Repeat(" ", n) }
	for _, tt := range []struct {
		file string
		want script
		err  error
	}{
		{"", script{}, errno.ENOEXEC},
		{"#", script{}, errno.ENOEXEC},
		{"!#/bin/sh\n", script{}, errno.ENOEXEC},
		{"#!", script{}, nil},
		{"#!\n", script{}, errno.ENOEXEC},
		{"#!   ", script{}, nil},
		{"#!   \n", script{}, errno.ENOEXEC},
		{"#!\x00\n", script{}, nil},
		{"#! \x00abc\n", script{}, nil},
		{"#!/bin/sh", script{interp: "/bin/sh"}, nil},
		{"#!/bin/sh\necho -x", script{interp: "/bin/sh"}, nil},
		{"#! \t/bin/sh \t \n", script{interp: "/bin/sh"}, nil},
		{"#!/bin/sh -e -u \n", script{"/bin/sh", "-e -u", true}, nil},
		{"#!/bin/sh\x00-e\n", script{interp: "/bin/sh"}, nil},
		{"#!/bin/sh \x00-e\n", script{"/bin/sh", "", true}, nil},
		{"#!/bin/sh -e\x00f\n", script{"/bin/sh", "-e", true}, nil},
		{"#!/bin/sh -e\r\n", script{"/bin/sh", "-e\r", true}, nil},
		{"#!" + sp(300), script{}, errno.ENOEXEC},
		{"#!/" + a(252), script{interp: "/" + a(252)}, nil},
		{"#!/" + a(253), script{}, errno.ENOEXEC},
		{"#!/" + a(253) + "\n", script{}, errno.ENOEXEC},
		{"#!/" + a(252) + "\n", script{interp: "/" + a(252)}, nil},
		{"#!/" + a(252) + " ", script{interp: "/" + a(252)}, nil},
		{"#!/" + a(251) + " b", script{interp: "/" + a(251)}, nil},
		{"#!/" + a(250) + " bc", script{"/" + a(250), "b", true}, nil},
		{"#!/" + a(250) + " bcd", script{"/" + a(250), "b", true}, nil},
		{"#!" + sp(253) + "/", script{}, errno.ENOEXEC},
		{"#!" + sp(252) + "/", script{interp: "/"}, nil},
		{"#!" + sp(252) + "//", script{}, errno.ENOEXEC},
		{"#!" + sp(252) + "/ ", script{interp: "/"}, nil},
		{"#!/bin/sh  " + a(300), script{"/bin/sh", a(255 - 11), true}, nil},
	} {
		got, err := parseScript([]byte(tt.file))
		if got != tt.want || err != tt.err {
			t.Errorf("%q: %+v, %v, want %+v, %v", tt.file, got, err, tt.want, tt.err)
		}
	}
}

func TestScripts(t *testing.T) {
	w := newWorld(t)
	w.add("/bin/prog", program(etExec, 0x400000))
	w.add("s1", []byte("#!/bin/prog -x  y \nrest"))
	for _, s := range []string{"s2 s1", "s3 s2", "s4 s3", "s5 s4", "s6 s5", "empty ", "gone /nowhere", "loop loop"} {
		name, interp, _ := strings.Cut(s, " ")
		w.add(name, []byte("#! "+interp+"\x00\n"))
	}
	for _, tt := range []struct {
		path string
		argv []string
		want string
		err  error
	}{
		{"s1", []string{"zero", "one", "two"}, "/bin/prog,-x  y,s1,one,two", nil},
		{"s1", nil, "/bin/prog,-x  y,s1", nil},
		{"s2", []string{"zero", "one"}, "s1,s2,one", nil},
		{"s5", []string{"zero", "one"}, "s5,one", nil},
		{"s6", []string{"zero"}, "", errno.ELOOP},
		{"loop", []string{"zero"}, "", errno.ELOOP},
		{"gone", []string{"zero"}, "", errno.ENOENT},
		{"empty", []string{"zero"}, "", errno.EACCES},
	} {
		img, err := w.load(call{path: tt.path, argv: tt.argv, envp: []string{"A=1", "B=2"}})
		if err != tt.err {
			t.Errorf("%s: error %v, want %v", tt.path, err, tt.err)
		}
		if err != nil {
			if img != nil {
				t.Errorf("%s: an image and an error", tt.path)
			}
			continue
		}
		s := w.start(img)
		got := strings.Join(s.argv, ",")
		if !strings.HasSuffix(got, tt.want) || tt.path == "s1" && got != tt.want {
			t.Errorf("%s: argv is %s, want %s", tt.path, got, tt.want)
		}
		if strings.Join(s.envp, ",") != "A=1,B=2" {
			t.Errorf("%s: envp is %q", tt.path, s.envp)
		}
		if fn := peekString(t, img.Space, vm.Addr(s.auxv[atExecfn])); fn != tt.path {
			t.Errorf("%s: AT_EXECFN is %q", tt.path, fn)
		}
		if img.Program != File(w.files["/bin/prog"]) {
			t.Errorf("%s: Program is not the interpreter", tt.path)
		}
		drop(img)
	}
	w.checkEmpty()
}
