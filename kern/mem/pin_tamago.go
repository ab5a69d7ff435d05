//go:build tamago

package mem

import "runtime"

// pin turns preemption off. Unlike procPin it needs no P: the runtime takes
// memory where it has none, and before it has any.
//
//go:nosplit
func pin() { runtime.Pin() }

//go:nosplit
func unpin() { runtime.Unpin() }
