// Package fs is the room of the file systems: vnodes, mounts and name lookup
// in fs/vfs, and one package for each file system beside it.
package fs
