// Package proc owns processes and threads: their table and numbers, fork, exec
// and exit, wait, groups and sessions, credentials, limits, signals, CPU time,
// and the ways in which a thread sleeps and is woken.
//
// Everything hangs from the Table, which is a member of the instance; a process
// of another instance can't be named. kern/linux runs threads (System.Run) and
// calls this package for system calls; the other subsystems keep their state of
// a process in Slots, described by Parts, and sleep by Thread.Wait.
//
// A thread is a goroutine. Methods of Thread are called by its own goroutine,
// unless they say otherwise; methods of Proc, Table, Group and Session may be
// called by any.
//
// Lock order:
//
//	Table.mu > Proc.mu > handlers.mu > Queue.mu
//
// Two Proc.mu are never held at once. Hooks (Part, Terminal, System.Run and
// InitExited) are called without a lock; a Watcher's function and the methods of
// Scheduler are called with some. So a lock of another package may be held while
// a queue is woken or a signal sent, if no watcher's function takes it. No lock
// is held while the memory of a program is touched.
package proc
