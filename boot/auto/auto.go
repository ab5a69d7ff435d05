//go:build tamago

// Package auto starts the machine when it is imported, before main runs: for
// programs that know nothing of it, such as the tests of the standard library.
package auto

import "mult/boot"

func init() { boot.Start() }
