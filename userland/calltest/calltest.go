// Package calltest holds C programs that test system calls, one file for each
// subject, and builds them. README.md says how they are written; they run on
// the host's Linux first and then, the same binaries, in an instance.
package calltest

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed *.c calltest.h
var source embed.FS

// header is what all programs include.
const header = "calltest.h"

// compile are gcc's options. The warnings left out are about the bad
// arguments that the programs pass on purpose.
var compile = []string{
	"-static", "-O1", "-pthread", "-fno-strict-aliasing", "-Wall", "-Wextra",
	"-Wno-stringop-overflow", "-Wno-stringop-overread", "-Wno-nonnull",
}

// Subjects returns the names of the programs, in alphabetical order.
func Subjects() []string {
	files, err := fs.Glob(source, "*.c")
	if err != nil {
		panic(err) // the pattern is constant
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(f, ".c")
	}
	return files
}

// Build returns the path of the static program of a subject. It is made by
// gcc, the path of a compiler, unless the directory cache has it from the same
// source, compiler and options.
func Build(gcc, cache, subject string) (string, error) {
	text, err := source.ReadFile(subject + ".c")
	if err != nil {
		return "", fmt.Errorf("no subject %q", subject)
	}
	head, err := source.ReadFile(header)
	if err != nil {
		return "", err
	}
	version, err := exec.Command(gcc, "--version").Output()
	if err != nil {
		return "", fmt.Errorf("%s --version: %w", gcc, err)
	}
	sum := sha256.New()
	for _, part := range [][]byte{text, head, version, []byte(strings.Join(compile, " "))} {
		fmt.Fprintf(sum, "%d\n", len(part))
		sum.Write(part)
	}
	program := filepath.Join(cache, subject+"-"+hex.EncodeToString(sum.Sum(nil)[:8]))
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
	err = errors.Join(
		os.WriteFile(filepath.Join(dir, subject+".c"), text, 0o666),
		os.WriteFile(filepath.Join(dir, header), head, 0o666))
	if err != nil {
		return "", err
	}
	cmd := exec.Command(gcc, append(compile[:len(compile):len(compile)], "-o", "program", subject+".c")...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("gcc %s.c: %w\n%s", subject, err, bytes.TrimSpace(out))
	}
	// What older sources gave is of no use any more.
	if old, err := filepath.Glob(filepath.Join(cache, subject+"-*")); err == nil {
		for _, f := range old {
			os.Remove(f)
		}
	}
	return program, os.Rename(filepath.Join(dir, "program"), program)
}
