// Package limit holds a C program with a case for each kind of object that
// programs can make the kernel keep. A case makes them until the kernel
// refuses, and looks whether the errno is Linux's, the machine lives and
// everything comes back. On the host's Linux it stops at small numbers.
package limit

import (
	"embed"
	"io/fs"
	"path"

	"mult/userland/calltest"
)

//go:embed limit.c
var text embed.FS

// Source has the program and what it includes.
var Source fs.GlobFS = source{}

// header is what the program shares with the system call tests.
const header = "calltest.h"

type source struct{}

func (source) Open(name string) (fs.File, error) {
	if name == header {
		return calltest.Source.Open(name)
	}
	return text.Open(name)
}

func (source) Glob(pattern string) ([]string, error) {
	names, err := fs.Glob(text, pattern)
	if ok, _ := path.Match(pattern, header); ok {
		names = append(names, header)
	}
	return names, err
}
