//go:build !tamago

package goos

// IsTamago is 1 in programs that are built for the bare machine.
const IsTamago = 0
