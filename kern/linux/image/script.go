package image

import (
	"bytes"

	"mult/kern/errno"
)

// scriptLine is how many bytes of a file are looked at for the first line of
// a script: BINPRM_BUF_SIZE of Linux.
const scriptLine = 256

// A script is what the first line of a script says.
type script struct {
	interp string // may be empty
	arg    string
	hasArg bool // an empty argument is one
}

// parseScript takes the line `#!interpreter argument` at the start of a file
// apart. It behaves as load_script in Linux's fs/binfmt_script.c: an argument
// is cut off silently, a path that may have been is refused. A NUL, such as
// those that follow a short file in Linux's buffer, ends a word.
func parseScript(file []byte) (script, error) {
	var line [scriptLine]byte
	copy(line[:], file)
	if line[0] != '#' || line[1] != '!' {
		return script{}, errno.ENOEXEC
	}
	// As there, end is the last byte that is looked at, not the one after.
	end := bytes.IndexByte(line[:], '\n')
	if end < 0 {
		const last = scriptLine - 1
		name := skipBlanks(line[:], 2, last)
		if name > last || wordEnd(line[:], name, last) > last {
			return script{}, errno.ENOEXEC
		}
		end = last
	}
	for isBlank(line[end-1]) {
		end--
	}
	name := skipBlanks(line[:], 2, end)
	if name >= end {
		return script{}, errno.ENOEXEC
	}
	sep := min(wordEnd(line[:], name, end), end)
	s := script{interp: cString(line[name:sep])}
	if isBlank(line[sep]) {
		if arg := skipBlanks(line[:], sep, end); arg <= end && arg != end {
			s.arg, s.hasArg = cString(line[arg:end]), true
		}
	}
	return s, nil
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// skipBlanks returns the index from i to last of the first byte that is no
// blank, last+1 if there is none.
func skipBlanks(b []byte, i, last int) int {
	for i <= last && isBlank(b[i]) {
		i++
	}
	return i
}

// wordEnd returns the index from i to last of the first blank or NUL, last+1
// if there is none.
func wordEnd(b []byte, i, last int) int {
	for i <= last && !isBlank(b[i]) && b[i] != 0 {
		i++
	}
	return i
}
