// Package limit holds a C program with a case for each kind of object that
// programs can make the kernel keep. A case makes them until the kernel
// refuses, and looks whether the errno is Linux's, the machine lives and
// everything comes back. On the host's Linux it stops at small numbers.
package limit

import (
	"embed"

	"mult/userland/calltest"
)

//go:embed limit.c
var text embed.FS

// Source has the program and what it includes.
var Source = calltest.WithHeader(text)
