// Package calls is the table of Linux's system calls on x86-64, as data: their
// numbers, names and arguments, and how much of each works here. kern/linux
// dispatches, traces and tests with it; docs/syscalls.md is made from it.
//
// table.go has the calls as Linux defines them, state.go how complete they are.
// Neither is ever written by a running kernel.
package calls

import (
	"iter"
	"strings"
)

// Limits of the table.
const (
	NumCalls = 463 // one more than the highest number
	MaxArgs  = 6
)

// A Call is a row of the table.
type Call struct {
	Name string // "" in a row for a number without a call
	Args Args
}

// Args are the arguments of a call; those that it hasn't have no name.
type Args [MaxArgs]Arg

// An Arg is an argument.
type Arg struct {
	Name string
	Kind Kind
}

// Kind is what an argument is.
type Kind uint8

const (
	None    Kind = iota
	Int          // 32 bits with a sign
	Uint         // 32 bits without
	Long         // 64 bits with a sign
	Ulong        // 64 bits without, or what depends on another argument
	FD           // a descriptor
	DirFD        // a descriptor or AT_FDCWD
	Addr         // an address that the call does not read or write at once
	In           // the address of something that the call reads
	Out          // the address of something that the call writes
	InOut        // the address of something that the call may read and write
	Size         // a number of bytes or elements
	Offset       // a position in a file, or a length
	Path         // the address of a path
	String       // the address of another string
	Strings      // the address of addresses of strings
	Flags        // a set of bits
	Mode         // permissions of a file
	PID          // a process, thread or group
	ID           // a user or a group of users
	Signal       // a signal's number
)

// kindNames are the words of a trace and of the documentation.
var kindNames = [...]string{
	"none", "int", "uint", "long", "ulong", "fd", "dirfd", "addr", "in", "out", "inout", "size",
	"offset", "path", "string", "strings", "flags", "mode", "pid", "id", "signal",
}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "?"
}

// Pointer reports whether an argument of the kind is the address of something
// that the call looks at or changes.
func (k Kind) Pointer() bool {
	switch k {
	case In, Out, InOut, Path, String, Strings:
		return true
	}
	return false
}

// Lookup returns the row of a number that a program gave; false if there is
// no such call.
func Lookup(number uint64) (Call, bool) {
	if number >= NumCalls || rows[number].Name == "" {
		return Call{}, false
	}
	return rows[number], true
}

// Name returns the name of a call, or "" if there is none with that number.
func Name(number uint64) string {
	if number >= NumCalls {
		return ""
	}
	return rows[number].Name
}

// All returns the rows of all calls with their numbers, in their order.
func All() iter.Seq2[int, Call] {
	return func(yield func(int, Call) bool) {
		for i, c := range rows {
			if c.Name != "" && !yield(i, c) {
				return
			}
		}
	}
}

// NumArgs returns how many arguments the call has.
func (c *Call) NumArgs() int {
	n := 0
	for n < MaxArgs && c.Args[n].Kind != None {
		n++
	}
	return n
}

// Signature returns the call as it is written in the documentation:
// "read(fd, buf, count)".
func (c *Call) Signature() string {
	var b strings.Builder
	b.WriteString(c.Name + "(")
	for i := range c.NumArgs() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.Args[i].Name)
	}
	b.WriteString(")")
	return b.String()
}
