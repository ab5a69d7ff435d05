// Package lives holds a C program that is both process 1 of instances that don't behave and
// who manages them: four threads create, start, stop, kill, suspend, resume, rename, change
// and watch instances and execute programs in them, in any order and each in the way of the
// others.
package lives

import "embed"

// Source has the program lives.
//
//go:embed lives.c
var Source embed.FS
