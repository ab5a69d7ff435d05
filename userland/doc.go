// Package userland is the room of the programs that run inside instances:
// init, the commands that manage instances, and the programs in calltest, fuzz,
// limit, load and gotest that test the kernel from inside. The kernel never
// imports them.
package userland
