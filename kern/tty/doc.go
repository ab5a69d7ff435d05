// Package tty owns terminals: the line discipline between a line and the
// programs that read and write it, job control, and the terminal's place as
// the controlling terminal of a session. The serial console and pseudo
// terminals are two ways to put a line behind the same code.
//
// A disc (disc.go and the files it names) is the line discipline alone, a
// state machine without locks, sleep or processes. A TTY holds one under its
// lock and serves open files. Input comes from a driver by TTY.Input; output
// is taken from a bounded buffer by a goroutine of a Console, or by the reader
// of a pseudo terminal's master. A full buffer makes the writer wait, never
// the kernel.
//
// Behaviour is that of Linux' N_TTY, which a test compares it with. As there,
// IMAXBEL rings no bell: the last byte of a line that is too long is replaced,
// and input without lines waits where it comes from. Not as there, a terminal
// belongs to a session as a whole: TIOCNOTTY of a process that doesn't lead it
// is EPERM. TIOCGPTPEER is ENOTTY; openpty(3) opens /dev/pts/N instead.
//
// Locks: TTY.mu guards everything of a terminal. Under it a wake-up may be
// sent to the sleepers of proc queues. Locks of kern/proc that guard groups
// and sessions are not taken under it: signals are collected and sent after it
// is let go. Nothing touches a program's memory under it.
package tty
