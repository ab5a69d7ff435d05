// Package escape holds a C program that tries, as root of an instance, whatever might lead out
// of it. It runs there as process of instctl exec, by pipes and on a terminal, while
// outside, in the instance above, there are things that it must not reach:
//
//	escape @stay &	a process named "outside", and a file /outside
//
// Each case is one kind of attempt: it is refused, or leads to where the program is already.
package escape

import (
	"embed"

	"mult/userland/calltest"
)

//go:embed escape.c
var text embed.FS

// Source has the program and what it includes.
var Source = calltest.WithHeader(text)
