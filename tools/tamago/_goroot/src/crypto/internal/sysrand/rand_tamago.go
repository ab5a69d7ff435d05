//go:build tamago

package sysrand

import _ "unsafe" // for linkname

// getRandomData is in package runtime, which asks the kernel.
//
//go:linkname getRandomData
func getRandomData(b []byte)

func read(b []byte) error {
	getRandomData(b)
	return nil
}
