// Package cprog builds the C programs of userland: static, so that the very
// same binary runs on the host's Linux and in an instance.
package cprog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// compile are gcc's options. The warnings left out are about the bad
// arguments that programs pass on purpose.
var compile = []string{
	"-static", "-O1", "-pthread", "-fno-strict-aliasing", "-Wall", "-Wextra",
	"-Wno-stringop-overflow", "-Wno-stringop-overread", "-Wno-nonnull",
}

// Names returns the names of the programs in source, a directory with a file
// for each and headers that all may include, in alphabetical order.
func Names(source fs.FS) []string {
	files, err := fs.Glob(source, "*.c")
	if err != nil {
		panic(err) // the pattern is constant
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".c")
	}
	return files
}

// Build returns the path of the program called name. It is made by gcc, the
// path of a compiler, unless the directory cache has it from the same source,
// compiler and options. Options, if there are any, take the place of the usual.
func Build(gcc, cache string, source fs.FS, name string, options ...string) (string, error) {
	if len(options) == 0 {
		options = compile
	}
	files, err := fs.Glob(source, "*.h")
	if err != nil {
		panic(err) // the pattern is constant
	}
	version, err := exec.Command(gcc, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", gcc, err)
	}
	sum, texts := sha256.New(), make(map[string][]byte)
	add := func(part []byte) {
		fmt.Fprintf(sum, "%d\n", len(part))
		sum.Write(part)
	}
	add(version)
	add([]byte(strings.Join(options, " ")))
	for _, f := range append(files, name+".c") {
		if texts[f], err = fs.ReadFile(source, f); err != nil {
			return "", fmt.Errorf("C program %s: %w", name, err)
		}
		add(texts[f])
	}
	program := filepath.Join(cache, name+"-"+hex.EncodeToString(sum.Sum(nil)[:8]))
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(cache, 0o777); err != nil {
		return "", err
	}
	// Others may build the same at this moment: compile aside, then rename.
	dir, err := os.MkdirTemp(cache, "tmp-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	for f, text := range texts {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, f), text, 0o666))
	}
	if err != nil {
		return "", err
	}
	cmd := exec.Command(gcc, append(options[:len(options):len(options)], "-o", "program", name+".c")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc %s.c: %w\n%s", name, err, bytes.TrimSpace(out))
	}
	// What older sources gave is of no use any more.
	if old, err := filepath.Glob(filepath.Join(cache, name+"-*")); err == nil {
		for _, f := range old {
			os.Remove(f)
		}
	}
	return program, os.Rename(filepath.Join(dir, "program"), program)
}
