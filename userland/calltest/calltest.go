// Package calltest holds C programs that test system calls, one file for each
// subject. README.md says how they are written; they run on the host's Linux
// first and then, the same binaries, in an instance.
package calltest

import "embed"

// Source has a program for each subject.
//
//go:embed *.c calltest.h
var Source embed.FS
