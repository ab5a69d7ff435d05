package toolchain

import "slices"

// port is the whole port.
var port = tables{
	derivations: slices.Concat(toolDerivations, stdDerivations),
	edits:       slices.Concat(toolEdits, stdEdits, runtimeEdits),
	selections:  runtimeSelections,
	likeJS:      stdLikeJS,
}

// stdDerivations are files for js, or wasm, that do for a machine without an
// operating system: they say that a thing is not supported.
var stdDerivations = []derivation{
	{"crypto/x509/root_wasm.go", "crypto/x509/root_tamago.go"},
	{"internal/poll/fd_poll_js.go", "internal/poll/fd_poll_tamago.go"},
	{"internal/syscall/unix/at_js.go", "internal/syscall/unix/at_tamago.go"},
	{"internal/syscall/unix/fcntl_js.go", "internal/syscall/unix/fcntl_tamago.go"},
	{"internal/syscall/unix/net_js.go", "internal/syscall/unix/net_tamago.go"},
	{"internal/syscall/unix/nonblocking_js.go", "internal/syscall/unix/nonblocking_tamago.go"},
	{"net/fd_js.go", "net/fd_tamago.go"},
	{"net/rlimit_js.go", "net/rlimit_tamago.go"},
	{"os/dirent_js.go", "os/dirent_tamago.go"},
	{"os/exec/lp_wasm.go", "os/exec/lp_tamago.go"},
	{"os/executable_wasm.go", "os/executable_tamago.go"},
	{"os/pipe_wasm.go", "os/pipe_tamago.go"},
	{"os/root_js.go", "os/root_tamago.go"},
	{"os/stat_js.go", "os/stat_tamago.go"},
	{"os/sys_js.go", "os/sys_tamago.go"},
	{"syscall/net_js.go", "syscall/net_tamago.go"},
	{"syscall/syscall_js.go", "syscall/syscall_tamago.go"},
	{"syscall/tables_js.go", "syscall/tables_tamago.go"},
}

// stdLikeJS are the directories whose generic files tamago selects like js.
var stdLikeJS = []likeJS{
	{"crypto/x509", 1},
	{"internal/filepathlite", 1},
	{"internal/poll", 6},
	{"internal/testenv", 1},
	{"mime", 1},
	{"net", 21},
	{"net/internal/socktest", 2},
	{"os", 17},
	{"os/signal", 1},
	{"os/user", 2},
	{"path/filepath", 1},
	{"syscall", 4},
	{"time", 1},
}

// stdEdits change packages above the runtime, and those that look at the CPU.
var stdEdits = []edit{
	// The process, of which there is one.
	{"syscall/syscall_tamago.go", "host name",
		`return "js", nil`,
		`return "tamago", nil`, 1},
	{"syscall/syscall_tamago.go", "Getuid", `return jsProcess.Call("getuid").Int()`, `return 0`, 1},
	{"syscall/syscall_tamago.go", "Getgid", `return jsProcess.Call("getgid").Int()`, `return 0`, 1},
	{"syscall/syscall_tamago.go", "Geteuid", `return jsProcess.Call("geteuid").Int()`, `return 0`, 1},
	{"syscall/syscall_tamago.go", "Getegid", `return jsProcess.Call("getegid").Int()`, `return 0`, 1},
	{"syscall/syscall_tamago.go", "Getpid", `return jsProcess.Get("pid").Int()`, `return 1`, 1},
	{"syscall/syscall_tamago.go", "Getppid", `return jsProcess.Get("ppid").Int()`, `return 0`, 1},
	{"syscall/syscall_tamago.go", "Umask", `return jsProcess.Call("umask", mask).Int()`, `return 0`, 1},
	{"syscall/syscall_tamago.go", "Getgroups", `
	defer recoverErr(&err)
	array := jsProcess.Call("getgroups")
	groups = make([]int, array.Length())
	for i := range groups {
		groups[i] = array.Index(i).Int()
	}
	return groups, nil
`, `
	return []int{0}, nil
`, 1},

	// The library's own tests skip what a system doesn't have.
	{"internal/testenv/exec.go", "no processes",
		`case "wasip1", "js", "ios":`,
		`case "wasip1", "js", "ios", "tamago":`, 1},
	{"internal/testenv/testenv.go", "no sources",
		`	case "ios":` + "\n",
		`	case "ios", "tamago":` + "\n", 1},
	{"internal/testenv/testenv.go", "no CPU profile",
		`	case "plan9":` + "\n",
		`	case "plan9", "tamago":` + "\n", 1},

	// The vector registers beyond XMM are the users': the kernel's own code
	// does not touch them, so a trap does not save them.
	{"internal/cpu/cpu_x86.go", "import of goos", `
package cpu

const CacheLinePadSize`, `
package cpu

import "internal/goos"

const CacheLinePadSize`, 1},
	{"internal/cpu/cpu_x86.go", "no AVX",
		`if X86.HasOSXSAVE {`,
		`if X86.HasOSXSAVE && goos.IsTamago == 0 {`, 1},
	{"vendor/golang.org/x/sys/cpu/cpu_x86.go", "no AVX",
		`if X86.HasOSXSAVE {`,
		`if X86.HasOSXSAVE && runtime.GOOS != "tamago" {`, 1},

	// Nor does it use REP MOVSB and REP STOSB.
	{"internal/cpu/cpu_x86.go", "no ERMS",
		`X86.HasERMS = isSet(ebx7, cpuid_ERMS)`,
		`X86.HasERMS = isSet(ebx7, cpuid_ERMS) && goos.IsTamago == 0`, 1},
	{"internal/cpu/cpu_x86.go", "no FSRM",
		`X86.HasFSRM = isSet(edx7, cpuid_FSRM)`,
		`X86.HasFSRM = isSet(edx7, cpuid_FSRM) && goos.IsTamago == 0`, 1},
}
