package linux

import (
	"sync"

	"mult/arch"
	"mult/inst"
	"mult/kern/klog"
	"mult/kern/linux/image"
	"mult/kern/proc"
)

// A Kernel is what the system calls of all instances work with.
type Kernel struct {
	Machine arch.Machine
	Proc    *proc.System
	Log     *klog.Log
	Wall    func() int64 // the time of day, ns since 1970
	SetWall func(ns int64)
	Boot    int64  // Wall() when the machine started
	Release string // uname(2)
	Version string
	// DebugCalls permits debug_panic.
	DebugCalls bool
	debugMu    sync.Mutex

	FileSystems []FileSystem // [const] those that mount(2) knows

	pages image.Pages // for exec

	Inst0  *inst.Inst
	Insts  Instances
	End    func(restart bool) // switches the machine off; it doesn't return
	HWCap  uint64             // AT_HWCAP: CPUID.1:EDX
	HWCap2 uint64             // AT_HWCAP2: bit 1 if programs may use WRFSBASE
}
