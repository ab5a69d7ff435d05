package toolchain

// toolDirs are the directories whose edits go into the tools. The packages of
// the standard library among them are compiled into the kernel as well.
var toolDirs = []string{"cmd", "internal/goos", "internal/platform", "internal/syslist"}

// toolDerivations are the files the tools get from those of another GOOS.
var toolDerivations = []derivation{
	{"internal/goos/zgoos_wasip1.go", "internal/goos/zgoos_tamago.go"},
}

// toolEdits make the tools know GOOS=tamago and make the linker write a file
// that a boot loader can start. What they call is in
// _goroot/src/cmd/link/internal/ld/elfpvh.go.
var toolEdits = []edit{
	// The names of the new GOOS.
	{"internal/goos/zgoos_tamago.go", "constant GOOS",
		"const GOOS = `wasip1`\n",
		"const GOOS = `tamago`\n", 1},
	{"internal/goos/zgoos_tamago.go", "constant IsTamago",
		"const IsWasip1 = 1\n",
		"const IsTamago = 1\nconst IsWasip1 = 0\n", 1},
	{"internal/syslist/syslist.go", "file name suffixes",
		"\t\"wasip1\":    true,\n",
		"\t\"tamago\":    true,\n\t\"wasip1\":    true,\n", 1},
	{"internal/platform/zosarch.go", "list of targets",
		"\t{\"wasip1\", \"wasm\"},\n",
		"\t{\"tamago\", \"amd64\"},\n\t{\"wasip1\", \"wasm\"},\n", 1},
	{"internal/platform/zosarch.go", "properties of targets",
		"\t{\"wasip1\", \"wasm\"}:     {},\n",
		"\t{\"tamago\", \"amd64\"}:    {},\n\t{\"wasip1\", \"wasm\"}:     {},\n", 1},
	{"cmd/internal/objabi/head.go", "output is ELF",
		`case "linux", "android":`,
		`case "linux", "android", "tamago":`, 1},

	// The image.
	{"cmd/link/internal/amd64/obj.go", "text address",
		`ld.Rnd(1<<22, *ld.FlagRound) + int64(ld.HEADR)`,
		`ld.TextBase() + int64(ld.HEADR)`, 1},
	{"cmd/link/internal/ld/elf.go", "entry is physical",
		`eh.Entry = uint64(Entryvalue(ctxt))`,
		`eh.Entry = elfPaddr(uint64(Entryvalue(ctxt)))`, 1},
	{"cmd/link/internal/ld/elf.go", "physical address of sections",
		`ph.Paddr = ph.Vaddr`,
		`ph.Paddr = elfPaddr(ph.Vaddr)`, 1},
	{"cmd/link/internal/ld/elf.go", "physical address of segments",
		`ph.Paddr = seg.Vaddr`,
		`ph.Paddr = elfPaddr(seg.Vaddr)`, 2},
	{"cmd/link/internal/ld/elf.go", "physical address of program headers",
		`pph.Paddr = uint64(*FlagTextAddr) - uint64(HEADR) + pph.Off`,
		`pph.Paddr = elfPaddr(pph.Vaddr)`, 1},
	{"cmd/link/internal/ld/elf.go", "room for the PVH note", `
	// Additions to the reserved area must be above this line.
`, `
	if isKernel() {
		resoff -= int64(elfpvh(uint64(startva), uint64(resoff)))
	}

	// Additions to the reserved area must be above this line.
`, 1},
	{"cmd/link/internal/ld/elf.go", "write the PVH note", `
			a += int64(elfwritegobuildid(ctxt.Out))
		}
`, `
			a += int64(elfwritegobuildid(ctxt.Out))
		}
		if isKernel() {
			a += int64(elfwritepvh(ctxt))
		}
`, 1},
}
