//go:build tamago

package boot

// What the entry code leaves.
var (
	startInfo uint64 // physical address of the boot information
	entryTSC  uint64 // time stamp counter at entry
)
