//go:build tamago

package boot

import (
	"runtime/goos"
	_ "unsafe" // linkname

	"mult/arch/amd64"
)

// The hooks of package runtime/goos, which must be there before any package
// is initialised; the others are set by Start.

// hwinit0 has nothing to do: cpuinit did it, and kernelInit will.
//
//go:linkname hwinit0 runtime/goos.Hwinit0
//go:nosplit
func hwinit0() {}

//go:linkname hwinit1 runtime/goos.Hwinit1
func hwinit1() {
	goos.Exit = exit
	amd64.BeforeFatal = lastWords
	amd64.Start()
}

// printk writes what the runtime says: panics, and print. It polls.
//
//go:linkname printk runtime/goos.Printk
//go:nosplit
func printk(c byte) {
	if c == '\n' && amd64.LogPort == 0 {
		amd64.EarlyPut('\r')
	}
	amd64.EarlyPut(c)
}

//go:linkname initRNG runtime/goos.InitRNG
func initRNG() {}

//go:linkname getRandomData runtime/goos.GetRandomData
func getRandomData(b []byte) { amd64.Random(b) }

// These are not used: memory comes from kernelInit.
//
//go:linkname ramStart runtime/goos.RamStart
var ramStart uint = 1

//go:linkname ramSize runtime/goos.RamSize
var ramSize uint = 1

//go:linkname ramStackOffset runtime/goos.RamStackOffset
var ramStackOffset uint = 1
