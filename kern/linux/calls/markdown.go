package calls

import (
	"fmt"
	"strings"
)

// Markdown returns the text of docs/syscalls.md. state says how much of a call
// works, and what is missing of one that is Partial.
func Markdown(state func(uint64) (State, string)) string {
	var count [Complete + 1]int
	for n := range All() {
		s, _ := state(uint64(n))
		count[s]++
	}
	var b strings.Builder
	fmt.Fprintf(&b, `# System calls

All system calls of Linux on x86-64, and how much of each works.

*complete*: as on Linux. *partial*: what is missing is told. *absent*: the call
gives ENOSYS, as every number without a call does.

%d are complete, %d partial, %d absent.

This file is made from the tables in `+"`kern/linux/calls`"+`.

| number | call | state | missing |
|---|---|---|---|
`, count[Complete], count[Partial], count[Absent])
	for n, c := range All() {
		s, missing := state(uint64(n))
		fmt.Fprintf(&b, "| %d | `%s` | %s | %s |\n", n, c.Signature(), s, missing)
	}
	return b.String()
}
