package proc

// A Status is how a process ended, in the form of wait(2): exit code or signal.
type Status uint32

// ExitStatus is that of exit(code).
func ExitStatus(code int) Status { return Status(code&0xff) << 8 }

// SignalStatus is that of death by a signal.
func SignalStatus(s Signal) Status { return Status(s & 0x7f) }

// Code returns the exit code; 0 after a signal.
func (s Status) Code() int { return int(s >> 8 & 0xff) }

// Signal returns the signal that ended the process; 0 if it exited.
func (s Status) Signal() Signal { return Signal(s & 0x7f) }

// Status words of processes that have not ended.
const statusContinued = Status(0xffff)

func stopStatus(s Signal) Status { return Status(s)<<8 | 0x7f }
