// Package load holds C programs that load a machine: processes that compute,
// bombs of processes and threads, a memory hog, and one who takes all that there is.
package load

import "embed"

// Source has the programs.
//
//go:embed *.c
var Source embed.FS
