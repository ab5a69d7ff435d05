//go:build tamago

package amd64

import (
	"sync/atomic"

	"mult/arch"
)

const (
	msrAPICBase   = 0x1b
	msrSysenterCS = 0x174
	msrEFER       = 0xc0000080
	msrSTAR       = 0xc0000081
	msrLSTAR      = 0xc0000082
	msrSFMASK     = 0xc0000084
	msrFSBase     = 0xc0000100

	cr0WP = 1 << 16

	cr4UMIP     = 1 << 11
	cr4FSGSBase = 1 << 16
	cr4OSXSAVE  = 1 << 18
	cr4SMEP     = 1 << 20
	cr4SMAP     = 1 << 21

	xcr0 = arch.PartX87 | arch.PartSSE | arch.PartAVX

	eferSCE = 1 << 0
	eferNXE = 1 << 11
)

// features turns on, on the current processor, the protections it has: no
// execution of data, read-only pages also for the kernel, no execution of or
// access to user pages by accident, no leak of descriptor tables to ring 3. Programs
// may use AVX; the kernel doesn't, see internal/cpu in tools/tamago/toolchain.
func features() {
	cr0, _, _, cr4 := ReadCR()
	writeCR0(cr0 | cr0WP)
	WriteMSR(msrEFER, ReadMSR(msrEFER)|eferNXE|eferSCE)
	var b, c uint32
	if maxLeaf, _, _, _ := CPUID(0, 0); maxLeaf >= 7 {
		_, b, c, _ = CPUID(7, 0)
	}
	fsgsbase = b&1 != 0
	if fsgsbase {
		cr4 |= cr4FSGSBase
	}
	if b>>7&1 != 0 {
		cr4 |= cr4SMEP
	}
	if b>>20&1 != 0 {
		cr4 |= cr4SMAP
	}
	if c>>2&1 != 0 {
		cr4 |= cr4UMIP
	}
	if avx = hasAVX(); avx {
		cr4 |= cr4OSXSAVE
	}
	writeCR4(cr4)
	userFeatures()
	bootEFER = ReadMSR(msrEFER)
	bootCR0, _, _, bootCR4 = ReadCR()
}

// hasAVX reports whether the processor has AVX and stores its state as arch.FPU has it.
func hasAVX() bool {
	const xsaveBit, avxBit = 1 << 26, 1 << 28
	maxLeaf, _, _, _ := CPUID(0, 0)
	_, _, c, _ := CPUID(1, 0)
	if maxLeaf < 13 || c&xsaveBit == 0 || c&avxBit == 0 {
		return false
	}
	parts, _, _, _ := CPUID(13, 0)
	size, at, _, _ := CPUID(13, 2)
	return parts&xcr0 == xcr0 && at == arch.FPUYMM && at+size == uint32(len(arch.FPU{}))
}

// Protections names the protections that are on, for the log.
func Protections() string {
	_, _, _, cr4 := ReadCR()
	s := "nx wp"
	for _, p := range []struct {
		bit  uint64
		name string
	}{{cr4SMEP, " smep"}, {cr4SMAP, " smap"}, {cr4UMIP, " umip"}} {
		if cr4&p.bit != 0 {
			s += p.name
		}
	}
	return s
}

// HWCap returns what programs are told of the processor by AT_HWCAP, which is
// EDX of leaf 1 of CPUID, and AT_HWCAP2.
func HWCap() (hwcap, hwcap2 uint64) {
	const fsgsbaseBit = 1 << 1
	_, _, _, d := CPUID(1, 0)
	if fsgsbase {
		hwcap2 = fsgsbaseBit
	}
	return uint64(d), hwcap2
}

// Hypervisor returns the signature of the hypervisor that the machine runs
// on, "" if there is none: "TCGTCGTCGTCG" is QEMU's emulator.
func Hypervisor() string {
	if _, _, c, _ := CPUID(1, 0); c>>31 == 0 {
		return ""
	}
	_, b, c, d := CPUID(0x40000000, 0)
	var s []byte
	for _, r := range []uint32{b, c, d} {
		for i := range 4 {
			if ch := byte(r >> (8 * i)); ch != 0 {
				s = append(s, ch)
			}
		}
	}
	return string(s)
}

// rngState is the state of the generator that is used where the processor
// has none: it only keeps what it gives from being equal.
var rngState uint64

// Random fills b with random bytes, from RDRAND if the processor has it.
func Random(b []byte) {
	if rdrandom(b) {
		return
	}
	for i := range b {
		x := atomic.AddUint64(&rngState, RDTSC()|1)
		x ^= x >> 31
		x *= 0x9e3779b97f4a7c15
		b[i] = byte(x >> 56)
	}
}

func rdrandom(b []byte) bool {
	if _, _, c, _ := CPUID(1, 0); c>>30&1 == 0 {
		return false
	}
	for len(b) > 0 {
		r, ok := rdrand()
		if !ok {
			return false
		}
		for i := 0; i < 8 && i < len(b); i++ {
			b[i] = byte(r >> (8 * i))
		}
		b = b[min(8, len(b)):]
	}
	return true
}
