// Package fs is the room of the file systems: vnodes, mounts and name lookup
// in fs/vfs, and one package for each file system beside it.
//
// There is nothing here yet. ARCHITECTURE.md, "The way of one system call",
// says where files will stand.
package fs
