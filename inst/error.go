package inst

import (
	"fmt"

	"mult/kern/errno"
)

// An Error is an error number with a sentence for the one who manages instances: what
// was refused, what is in the way, and what can be done.
type Error struct {
	Errno errno.Errno
	Text  string
}

// Errorf makes an Error.
func Errorf(e errno.Errno, format string, args ...any) error {
	return &Error{e, fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Text }

// Unwrap returns the error number.
func (e *Error) Unwrap() error { return e.Errno }
