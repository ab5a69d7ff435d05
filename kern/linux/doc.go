// Package linux answers the system calls of programs: it owns the table of
// calls, their handlers, execve, and the loop of a thread between user mode and
// kernel.
//
// A handler decodes its arguments, copies in, calls the subsystem whose work it
// is, and copies out. It holds no lock while it touches the memory of a
// program, and subsystems never see a program's pointers, except in a vm.Uio.
//
// A fault in a handler ends the calling process alone: see Kernel.Thread.
package linux
