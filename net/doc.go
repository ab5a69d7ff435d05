// Package net is the room of the network: a stack for each instance, sockets,
// and what connects stacks with each other and with the world outside.
//
// There is nothing here yet. ARCHITECTURE.md, "The import rule", says what the
// room may build on.
package net
