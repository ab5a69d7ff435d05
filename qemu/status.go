package qemu

import (
	"errors"
	"fmt"
)

// debugExitPort is where the kernel writes its status, four bytes wide. It
// learns the port from its option debugexit.
const debugExitPort = 0xf4

// Status says how a guest ended itself. It powers off for OK; for any other
// status c, 1 to 127, it writes c to the debug-exit port, and QEMU exits with
// 2c+1.
type Status int

// The statuses with a fixed meaning.
const (
	OK          Status = 0 // power-off
	TestFailure Status = 1 // a test kernel found a fault
	Panic       Status = 2 // the kernel itself failed
)

func (s Status) String() string {
	switch s {
	case OK:
		return "status 0 (power-off)"
	case TestFailure:
		return "status 1 (test failure)"
	case Panic:
		return "status 2 (panic)"
	}
	return fmt.Sprintf("status %d", int(s))
}

// A run that the guest didn't end itself fails with one of these.
var (
	ErrReset  = errors.New("the guest was reset")
	ErrQuit   = errors.New("QEMU was told to quit")
	ErrKilled = errors.New("QEMU was killed")
)

// decode turns QEMU's exit code, and the reason its monitor gave for a
// shutdown, into the guest's status.
func decode(code int, reason string) (Status, error) {
	switch {
	case code >= 3 && code%2 == 1:
		return Status(code / 2), nil
	case code != 0:
		return 0, fmt.Errorf("QEMU failed with exit code %d", code)
	}
	switch reason {
	case "guest-shutdown":
		return OK, nil
	case "guest-reset", "host-qmp-system-reset":
		return 0, ErrReset
	}
	return 0, ErrQuit
}
