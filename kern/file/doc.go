// Package file owns open files, the descriptor tables of processes, and the
// locks that programs put on files.
//
// A File is what open(2) makes: flags, a position, and an Impl, which does the
// work. Impls are in fs/..., net/..., kern/pipe, kern/event, kern/tty. An Impl
// has a few methods; what else it can do it says by further small interfaces
// (Seeker, Poller, Ioctler, ...), and for what it can't do, File answers with
// the errno that Linux gives.
//
// A Table maps descriptors to files. It is a part of a process (Part, Of); with
// CLONE_FILES processes share one. Table.Get finds a file without a lock and
// takes a reference, so a file that another thread closes meanwhile stays until
// the call is over.
//
// Member is this package's part of an instance: the locks on files and the
// numbers of files that have no file system.
//
// Lock order:
//
//	File.posMu > locks of Impls
//	Table.mu > File.hookMu
//	locks.mu > proc's locks
//
// File.posMu is the one lock that is held while the memory of a program is
// touched: it makes the calls that move the position of a file follow one
// another (read(2) of two threads through one File). Nothing that a page fault
// does takes it. Impls are never called with one of the other locks held.
package file
