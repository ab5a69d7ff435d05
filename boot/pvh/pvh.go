// Package pvh reads the start information of the PVH boot protocol (Xen,
// "x86/HVM direct boot ABI", public/arch-x86/hvm/start_info.h), which QEMU,
// Firecracker and Cloud Hypervisor hand to a kernel in EBX.
//
// It runs before memory can be allocated: results have fixed sizes, and an
// error is a constant string.
package pvh

import "encoding/binary"

const (
	magic    = 0x336ec578
	infoSize = 56 // of version 1, which has the memory map

	// MaxCmdline is the longest command line that is kept, in bytes.
	MaxCmdline = 4096
	maxRegions = 128
	maxModules = 4
)

// RAM is the type of a Region that may be used at once; the other types are
// those of the BIOS call E820.
const RAM = 1

// A Region is one entry of the memory map: [Start, End) in bytes.
type Region struct {
	Start, End uint64
	Type       uint32
}

// Memory gives access to physical memory: n bytes at pa, nil if there are
// none that can be read.
type Memory func(pa uint64, n int) []byte

// Info is what the boot information says.
type Info struct {
	RSDP uint64 // physical address of ACPI's root pointer, 0 if unknown

	regions  [maxRegions]Region
	nregions int
	modules  [maxModules]Region
	nmodules int
	used     [5]Region // memory that holds the information itself
	nused    int
	cmdline  [MaxCmdline]byte
	ncmdline int

	// Truncated is the number of regions and modules beyond what fits here.
	Truncated int
	// CmdlineCut is set if the command line was longer than MaxCmdline.
	CmdlineCut bool
}

// Regions returns the memory map, in the order of the boot information.
func (in *Info) Regions() []Region { return in.regions[:in.nregions] }

// Modules returns the memory of the modules; the first is the initrd.
func (in *Info) Modules() []Region { return in.modules[:in.nmodules] }

// Used returns the memory that the boot information lies in.
func (in *Info) Used() []Region { return in.used[:in.nused] }

// Cmdline returns the kernel's command line.
func (in *Info) Cmdline() []byte { return in.cmdline[:in.ncmdline] }

// Parse reads the start information at physical address pa into in. It
// returns what is wrong, "" if nothing is.
func Parse(in *Info, mem Memory, pa uint64) string {
	b := mem(pa, infoSize)
	if b == nil {
		return "boot information is not in memory"
	}
	u32 := binary.LittleEndian.Uint32
	u64 := binary.LittleEndian.Uint64
	if u32(b) != magic {
		return "boot information has no PVH magic number"
	}
	if u32(b[4:]) < 1 {
		return "PVH boot information has no memory map: version 0"
	}
	in.use(pa, infoSize)
	in.RSDP = u64(b[32:])

	entries, table := int(u32(b[48:])), u64(b[40:])
	if entries > maxRegions {
		in.Truncated += entries - maxRegions
		entries = maxRegions
	}
	in.use(table, uint64(entries)*24)
	for i := range entries {
		e := mem(table+uint64(i)*24, 24)
		if e == nil {
			return "memory map is not in memory"
		}
		r := Region{u64(e), u64(e) + u64(e[8:]), u32(e[16:])}
		if r.End > r.Start { // not empty, and no overflow
			in.regions[in.nregions] = r
			in.nregions++
		}
	}
	if in.nregions == 0 {
		return "memory map is empty"
	}

	modules, list := int(u32(b[12:])), u64(b[16:])
	if modules > maxModules {
		in.Truncated += modules - maxModules
		modules = maxModules
	}
	in.use(list, uint64(modules)*32)
	for i := range modules {
		e := mem(list+uint64(i)*32, 32)
		if e == nil {
			return "list of modules is not in memory"
		}
		r := Region{Start: u64(e), End: u64(e) + u64(e[8:])}
		if r.End > r.Start {
			in.modules[in.nmodules] = r
			in.nmodules++
		}
	}
	return in.parseCmdline(mem, u64(b[24:]))
}

func (in *Info) parseCmdline(mem Memory, pa uint64) string {
	if pa == 0 {
		return ""
	}
	for i := 0; ; i++ {
		c := mem(pa+uint64(i), 1)
		if c == nil {
			return "command line is not in memory"
		}
		if c[0] == 0 {
			break
		}
		if i == MaxCmdline {
			in.CmdlineCut = true
			break
		}
		in.cmdline[i] = c[0]
		in.ncmdline++
	}
	in.use(pa, uint64(in.ncmdline)+1)
	return ""
}

func (in *Info) use(pa, n uint64) {
	if n != 0 && in.nused < len(in.used) {
		in.used[in.nused] = Region{Start: pa, End: pa + n}
		in.nused++
	}
}
