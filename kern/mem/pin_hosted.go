//go:build !tamago

package mem

import _ "unsafe" // linkname

// pin turns preemption of the calling goroutine off.
//
//go:nosplit
func pin() { procPin() }

//go:nosplit
func unpin() { procUnpin() }

//go:linkname procPin runtime.procPin
func procPin() int

//go:linkname procUnpin runtime.procUnpin
func procUnpin()
