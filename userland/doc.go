// Package userland is the room of the programs that run inside instances:
// init, and the commands that manage instances. The kernel never imports them.
//
// There is nothing here yet, since the kernel can't run programs yet.
package userland
