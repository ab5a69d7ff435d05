package main

import (
	"os"
	"syscall"
	"unsafe"
)

// terminal is the standard input. QEMU puts it into raw mode and back, unless
// it is killed.
type terminal struct {
	saved *syscall.Termios // nil: it isn't a terminal
}

func openTerminal() terminal {
	var t syscall.Termios
	if ioctl(syscall.TCGETS, &t) != 0 {
		return terminal{}
	}
	return terminal{&t}
}

func (t terminal) interactive() bool { return t.saved != nil }

// restore puts the terminal back into the mode it was found in.
func (t terminal) restore() {
	if t.saved != nil {
		ioctl(syscall.TCSETS, t.saved)
	}
}

func ioctl(request uintptr, t *syscall.Termios) syscall.Errno {
	_, _, errno := syscall.Syscall(syscall.SYS_IOCTL, os.Stdin.Fd(), request, uintptr(unsafe.Pointer(t)))
	return errno
}
