// Package fuzz holds C programs that fuzz a kernel from inside a guest, and
// builds them. README.md says what they do and how to run one.
package fuzz

import (
	"embed"
	"errors"
	"os"
	"path/filepath"

	"mult/userland/cprog"
)

//go:embed *.c *.h
var source embed.FS

// bare are gcc's options for the programs that execfuzz changes, which have no C
// library.
var bare = []string{"-nostdlib", "-O1", "-s", "-fno-stack-protector", "-z", "noseparate-code", "-Wl,--build-id=none"}

// options are those of programs that are not built as usual.
var options = map[string][]string{
	"static":  append([]string{"-static", "-fno-pie", "-no-pie"}, bare...),
	"pie":     append([]string{"-static-pie", "-fPIE"}, bare...),
	"dynamic": append([]string{"-pie", "-fPIE", "-Wl,--dynamic-linker=/interp0"}, bare...),
}

// Build puts the programs into a directory. They are made by gcc, the path of a
// compiler, unless the directory cache has them already. calls is what callfuzz
// reads about system calls; the head of callfuzz.c tells how it looks.
func Build(gcc, cache, dir string, calls []byte) error {
	for _, name := range cprog.Names(source) {
		program, err := cprog.Build(gcc, cache, source, name, options[name]...)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(program)
		if err := errors.Join(err, os.WriteFile(filepath.Join(dir, name), text, 0o755)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(dir, "calls"), calls, 0o644)
}
