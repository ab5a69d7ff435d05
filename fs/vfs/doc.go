// Package vfs owns what all file systems have in common: vnodes, mounts, the
// way from a path to a vnode (namei), permissions, and what the calls on paths
// do up to the point where a file system does its part. The system call layer
// calls the methods of Caller; file systems serve Node and Dir.
//
// Each instance has a table of mounts of its own, as a member, and each mount
// belongs to one instance: two instances never share a vnode. What they may
// share is the bytes of an image below, which can't change.
//
// # Locks
//
// The directories of a mounted file system are guarded by one lock of that
// file system, Super.Tree: held shared by those who look names up, exclusively
// by those who change names. It is taken here, so file systems find it held.
// Content and attributes of a file have a lock in the file system.
//
// Lock order:
//
//	State.mu > nothing
//	Super.Tree > Table.mu > nothing
//	Super.Tree > Base.mu, locks of a file system
//
// Tree locks of two file systems are never held together. No lock is held
// while the memory of a program is touched.
//
// # References
//
// A vnode in use is retained: by open files, mappings, current directories,
// mounts, and calls on their way. Without a Tree lock only a retained vnode may
// be used; under it, what a directory has returned may be too. Release needs
// no lock and may be called under any of those above.
package vfs
