// Package amd64 drives the processors: descriptor tables, traps, page tables,
// local and I/O interrupt controllers, timers, interrupts between processors
// and their start. It is the machine interface of the kernel on x86-64, and
// the only room beside boot that may use privileged instructions.
//
// What it knows of each processor is a CPU, found through GS. The runtime
// binds one M to a processor for ever, but goroutines move: code that uses
// the current CPU runs on the system or signal stack, or in assembly.
//
// The manuals cited are "SDM", Intel 64 and IA-32 Architectures Software
// Developer's Manual, by volume and section.
package amd64
