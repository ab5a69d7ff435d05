//go:build tamago

package amd64

// Instructions that Go has no words for; insn.s.

// In8 reads an I/O port.
func In8(port uint16) uint8

// In16 reads an I/O port.
func In16(port uint16) uint16

// In32 reads an I/O port.
func In32(port uint16) uint32

// Out8 writes an I/O port.
func Out8(port uint16, v uint8)

// Out16 writes an I/O port.
func Out16(port uint16, v uint16)

// Out32 writes an I/O port.
func Out32(port uint16, v uint32)

// RDTSC reads the time stamp counter.
func RDTSC() uint64

// TSC reads it without waiting for what comes before, to count time by.
func TSC() uint64

// CPUID asks the processor about itself, see SDM 2A, CPUID.
func CPUID(leaf, sub uint32) (eax, ebx, ecx, edx uint32)

// ReadMSR reads a model-specific register; #GP if it doesn't exist.
func ReadMSR(index uint32) uint64

// WriteMSR writes a model-specific register; #GP if it doesn't exist.
func WriteMSR(index uint32, v uint64)

// ReadCR returns control registers 0, 2, 3 and 4.
func ReadCR() (cr0, cr2, cr3, cr4 uint64)

func writeCR0(v uint64)
func writeCR3(v uint64)
func writeCR4(v uint64)
func invlpg(va uintptr)

// writeXCR0 sets the parts of the FPU state that XSAVE knows; #GP without OSXSAVE.
func writeXCR0(v uint32)

// rdrand returns a random number, and false if the processor had none.
func rdrand() (uint64, bool)

// stop turns interrupts off and halts for ever.
func stop()

// tripleFault resets the machine by having no way to handle a trap.
func tripleFault()

func enableInterrupts()
func disableInterrupts()
