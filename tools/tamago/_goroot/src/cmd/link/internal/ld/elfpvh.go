package ld

import (
	"debug/elf"
	"internal/buildcfg"
)

// A GOOS=tamago program is a kernel. It is linked in the top 2 GiB of the
// address space and loaded at 1 MiB of physical memory; its entry point runs
// before paging. An ELF note tells the loader the entry's physical address
// (PVH boot protocol, read by QEMU, Firecracker and Cloud Hypervisor).

const (
	kernelBase = 0xffffffff80000000 // virtual address of physical address 0
	kernelPhys = 0x100000           // where the image is loaded

	pvhSection = ".note.xen.pvh"
	pvhName    = "Xen\x00"
	pvhType    = 18 // XEN_ELFNOTE_PHYS32_ENTRY
	pvhDesc    = 8  // size of the note's only value, an address
)

// isKernel reports whether the output is loaded by a boot loader.
func isKernel() bool {
	return buildcfg.GOOS == "tamago" && buildcfg.GOARCH == "amd64"
}

// TextBase returns the default address of the first segment.
func TextBase() int64 {
	if isKernel() {
		// Addresses are signed here: kernelBase - 2^64 is negative.
		return Rnd(kernelBase-1<<64+kernelPhys, *FlagRound)
	}
	return Rnd(1<<22, *FlagRound)
}

// elfPaddr returns the physical address at which va is loaded.
func elfPaddr(va uint64) uint64 {
	if isKernel() && va >= kernelBase {
		return va - kernelBase
	}
	return va
}

// elfpvh reserves room for the PVH note below resoff, gives it a program
// header and returns its size.
func elfpvh(startva, resoff uint64) int {
	sh := elfshname(pvhSection)
	n := elfnote(sh, startva, resoff, len(pvhName)+pvhDesc)
	ph := newElfPhdr()
	ph.Type = elf.PT_NOTE
	ph.Flags = elf.PF_R
	phsh(ph, sh)
	return n
}

// elfwritepvh writes the note elfpvh made room for and returns its size.
func elfwritepvh(ctxt *Link) int {
	sh := elfwritenotehdr(ctxt.Out, pvhSection, uint32(len(pvhName)), pvhDesc, pvhType)
	ctxt.Out.WriteString(pvhName)
	ctxt.Out.Write64(elfPaddr(uint64(Entryvalue(ctxt))))
	return int(sh.Size)
}
