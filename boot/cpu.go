//go:build tamago

package boot

import (
	"strings"

	"mult/arch/amd64"
	"mult/kern"
)

// cpu describes the processor that it runs on, and with it all others: CPUID,
// SDM 2A.
func cpu() kern.CPU {
	maxLeaf, b, c, d := amd64.CPUID(0, 0)
	n := kern.CPU{Vendor: registers(b, d, c)}
	sig, _, c1, d1 := amd64.CPUID(1, 0)
	n.Stepping, n.Number, n.Family = sig&15, sig>>4&15, sig>>8&15
	if n.Family == 6 || n.Family == 15 {
		n.Number |= sig >> 16 & 15 << 4
	}
	if n.Family == 15 {
		n.Family += sig >> 20 & 0xff
	}
	words := [...]uint32{edx1: d1, ecx1: c1, ebx7: 0, edxExt: 0, ecxExt: 0}
	if maxLeaf >= 7 {
		_, words[ebx7], _, _ = amd64.CPUID(7, 0)
	}
	if !(*amd64.Machine)(nil).AVX() {
		words[ecx1] &^= 1<<12 | 1<<26 | 1<<28 | 1<<29
		words[ebx7] &^= 1 << 5
	}
	maxExt, _, _, _ := amd64.CPUID(0x80000000, 0)
	if maxExt >= 0x80000001 {
		_, _, words[ecxExt], words[edxExt] = amd64.CPUID(0x80000001, 0)
	}
	if maxExt >= 0x80000004 {
		var s strings.Builder
		for leaf := uint32(0x80000002); leaf <= 0x80000004; leaf++ {
			a, b, c, d := amd64.CPUID(leaf, 0)
			s.WriteString(registers(a, b, c, d))
		}
		n.Model = strings.TrimSpace(s.String())
	}
	if maxExt >= 0x80000008 {
		a, _, _, _ := amd64.CPUID(0x80000008, 0)
		n.PhysBits, n.VirtBits = a&0xff, min(a>>8&0xff, 48) // page tables have four levels
	}
	for _, f := range cpuFlags {
		if words[f.word]>>f.bit&1 != 0 {
			n.Flags = append(n.Flags, f.name)
		}
	}
	return n
}

// registers returns the text in registers.
func registers(regs ...uint32) string {
	var s []byte
	for _, r := range regs {
		for i := range 4 {
			if c := byte(r >> (8 * i)); c != 0 {
				s = append(s, c)
			}
		}
	}
	return string(s)
}

// Words of features, by register and leaf.
const (
	edx1 = iota
	ecx1
	ebx7
	edxExt // leaf 0x80000001
	ecxExt
)

// cpuFlags are the features that programs can use, by their names in Linux's
// cpufeatures.h and in its order. Of what needs XSAVE there is AVX, if its state is saved.
var cpuFlags = [...]struct {
	word int
	bit  uint
	name string
}{
	{edx1, 0, "fpu"}, {edx1, 4, "tsc"}, {edx1, 8, "cx8"}, {edx1, 15, "cmov"}, {edx1, 19, "clflush"},
	{edx1, 23, "mmx"}, {edx1, 24, "fxsr"}, {edx1, 25, "sse"}, {edx1, 26, "sse2"},
	{edxExt, 11, "syscall"}, {edxExt, 20, "nx"}, {edxExt, 29, "lm"},
	{ecx1, 0, "pni"}, {ecx1, 1, "pclmulqdq"}, {ecx1, 9, "ssse3"}, {ecx1, 12, "fma"}, {ecx1, 13, "cx16"},
	{ecx1, 19, "sse4_1"}, {ecx1, 20, "sse4_2"}, {ecx1, 22, "movbe"}, {ecx1, 23, "popcnt"}, {ecx1, 25, "aes"},
	{ecx1, 26, "xsave"}, {ecx1, 28, "avx"}, {ecx1, 29, "f16c"}, {ecx1, 30, "rdrand"}, {ecx1, 31, "hypervisor"},
	{ecxExt, 0, "lahf_lm"}, {ecxExt, 5, "abm"}, {ecxExt, 6, "sse4a"}, {ecxExt, 8, "3dnowprefetch"},
	{ebx7, 0, "fsgsbase"}, {ebx7, 3, "bmi1"}, {ebx7, 5, "avx2"}, {ebx7, 8, "bmi2"}, {ebx7, 9, "erms"},
	{ebx7, 18, "rdseed"}, {ebx7, 19, "adx"}, {ebx7, 23, "clflushopt"}, {ebx7, 24, "clwb"}, {ebx7, 29, "sha_ni"},
}
