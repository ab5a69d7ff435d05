// Package instinit holds the first process of an operating instance: a C program
// of its own, without a C library. docs/man/instinit.8 says what it does.
//
// It is C, where everything else here is Go, because there is one in every
// instance. A Go program has a runtime, with threads and some hundreds of
// kilobytes of memory; Go's linker can't leave it out. Go assembly without the
// linker would do, too, but hundreds of lines of it that nobody reads, and a
// linker to be written. This way it is two pages of text, which all instances
// share, and a page or two of stack.
package instinit

import (
	"embed"

	"mult/userland/cprog"
)

//go:embed *.c *.h
var source embed.FS

// options are gcc's. What they leave out is whatever a C library would bring or
// serve: start-up code, position independence, tables for exceptions, relocation.
// Without SSE nothing but general registers has to be kept for the process. Text
// lies 64 GiB below the end of memory, not at 4 MiB, because the stack is in the
// last 16 of them: so they share a page table, one of seven. The code model is the
// one that knows such addresses.
var options = []string{
	"-static", "-nostdlib", "-ffreestanding", "-fno-pie", "-no-pie", "-Os", "-s", "-Wall", "-Wextra",
	"-mcmodel=large", "-Wl,-Ttext-segment=0x7ff000000000",
	"-mgeneral-regs-only", "-fno-stack-protector", "-fno-asynchronous-unwind-tables", "-fcf-protection=none",
	"-Wl,-z,noseparate-code", "-Wl,-z,norelro", "-Wl,--build-id=none",
}

// Build returns the path of the program. It is made by gcc, the path of a
// compiler, unless the directory cache has it already.
func Build(gcc, cache string) (string, error) {
	return cprog.Build(gcc, cache, source, "instinit", options...)
}
