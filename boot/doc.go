// Package boot brings the machine from the PVH entry point to a running Go
// program: entry code, memory map, page tables, the hooks that the runtime
// calls, then clocks, interrupts, processors and the console, and in the end
// power-off.
//
// The order is: cpuinit (entry.s), 32-bit code that maps memory and jumps to
// the upper half; kernelInit (memory.go), called by the runtime before it can
// allocate; hwinit1 (hooks.go), when the runtime can take interrupts; Start
// (start.go), called by the kernel's main as ordinary Go.
//
// boot/mult is the kernel; boot/selftest is a kernel that tests this one's
// lower rooms.
package boot
