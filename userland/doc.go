// Package userland is the room of the programs that run inside instances:
// process 1 of an instance (instinit), the commands that manage instances (inst,
// with instcall), and the programs in calltest, fuzz, limit, load and gotest that
// test the kernel from inside. The kernel never imports them.
package userland
