// Package calltest holds C programs that test system calls, one file for each
// subject. README.md says how they are written; they run on the host's Linux
// first and then, the same binaries, in an instance.
package calltest

import (
	"embed"
	"io/fs"
	"path"
)

// Source has a program for each subject.
//
//go:embed *.c calltest.h
var Source embed.FS

// header is what programs of other packages share with these.
const header = "calltest.h"

// WithHeader returns a directory of programs to which calltest.h is added.
func WithHeader(programs fs.FS) fs.GlobFS { return withHeader{programs} }

type withHeader struct{ programs fs.FS }

func (w withHeader) Open(name string) (fs.File, error) {
	if name == header {
		return Source.Open(name)
	}
	return w.programs.Open(name)
}

func (w withHeader) Glob(pattern string) ([]string, error) {
	names, err := fs.Glob(w.programs, pattern)
	if ok, _ := path.Match(pattern, header); ok {
		names = append(names, header)
	}
	return names, err
}
