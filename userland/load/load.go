// Package load holds a C program that loads a machine: processes that compute,
// bombs of processes and threads, and a memory hog.
package load

import "embed"

// Source has the program load.
//
//go:embed load.c
var Source embed.FS
