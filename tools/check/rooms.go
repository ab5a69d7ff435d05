package check

import (
	"fmt"
	"strings"
)

// A Room is one row of the import rule. Patterns are those of the go command:
// "kern" is the package kern alone, "kern/..." is kern and everything below.
// Where two rows fit a package, the longer path wins, and at equal length the
// row without dots.
type Room struct {
	Path string
	Owns string // one line, shown in ARCHITECTURE.md

	Own    []string // packages of the module it may import
	Except []string // taken out of Own again

	Std     []string // of hostOnly, what it may import
	Modules []string // other modules' packages, with all below them

	// TestsMayNot bounds the test files, which are otherwise free.
	TestsMayNot []string
}

// hostOnly are the packages of the standard library that reach the operating
// system underneath, or the runtime's hooks. The kernel has no system
// underneath: a room that really needs one of these says so.
var hostOnly = []string{
	"C", "os", "os/exec", "os/signal", "os/user", "plugin", "runtime/cgo", "runtime/goos", "syscall",
}

// machine is what no test of a portable room may import: those rooms are
// tested on the host, without a machine.
var machine = []string{"boot/...", "arch/amd64/..."}

// words are packages that only define names and numbers, or collect log lines;
// the table in ARCHITECTURE.md calls them so.
var words = []string{"kern/errno/...", "kern/abi/...", "kern/klog/..."}

// Rooms is the import rule. ARCHITECTURE.md shows the same table, and a test
// compares the two. Rows for packages that do not exist yet are the plan.
var Rooms = []Room{
	{
		Path: "arch",
		Owns: "the machine interface, which amd64 and hosted serve",
	},
	{
		Path:    "arch/amd64/...",
		Owns:    "descriptor tables, traps, page tables, interrupts, timers, CPU start on x86-64",
		Own:     []string{"arch", "arch/amd64/..."},
		Std:     []string{"runtime/goos"},
		Modules: []string{"github.com/usbarmory/tamago", "golang.org/x/arch/x86/x86asm"},
	},
	{
		Path: "arch/hosted/...",
		Owns: "the same machine interface on a host system's threads and memory",
		Own:  []string{"arch", "arch/hosted/...", "kern/mem"},
		Std:  []string{"os", "os/signal", "syscall"},
	},
	{
		Path:        "kern/errno/...",
		Owns:        "Linux error numbers",
		TestsMayNot: machine,
	},
	{
		Path:        "kern/abi/...",
		Owns:        "Linux structure layouts and system call numbers",
		TestsMayNot: machine,
	},
	{
		Path:        "kern/klog/...",
		Owns:        "the kernel log: a bounded ring of lines with level and time",
		Own:         []string{"kern/errno/..."},
		TestsMayNot: machine,
	},
	{
		Path:        "inst/...",
		Owns:        "instances: members, slots, ids, reference counts, limits, the list",
		Own:         []string{"inst/...", "kern/errno/..."},
		TestsMayNot: machine,
	},
	{
		Path:        "kern/mem/...",
		Owns:        "page frames: the one allocator behind everything, the Go heap too",
		Own:         join([]string{"arch", "kern/mem/..."}, words),
		TestsMayNot: machine,
	},
	{
		Path:        "kern/vm/...",
		Owns:        "address spaces, page faults, copy-on-write, copies from and to user memory",
		Own:         join([]string{"arch", "inst/...", "kern/mem/...", "kern/vm/..."}, words),
		TestsMayNot: machine,
	},
	{
		Path:        "kern/proc/...",
		Owns:        "processes, threads, groups, sessions, credentials, signals, wait, sleep and wakeup",
		Own:         join([]string{"arch", "inst/...", "kern/mem/...", "kern/vm/...", "kern/proc/..."}, words),
		TestsMayNot: machine,
	},
	{
		Path:        "kern/sched/...",
		Owns:        "which instance, then which thread, gets a CPU",
		Own:         join([]string{"arch", "inst/...", "kern/proc/...", "kern/sched/..."}, words),
		TestsMayNot: machine,
	},
	{
		Path:        "kern/file/...",
		Owns:        "open files and descriptor tables",
		Own:         join([]string{"inst/...", "kern/mem/...", "kern/vm/...", "kern/proc/...", "kern/file/..."}, words),
		TestsMayNot: machine,
	},
	{
		Path: "kern/...",
		Owns: "one subsystem a package (host, pipe, sysv, futex, ...), each with its member of an instance",
		Own: join([]string{"arch", "inst/...", "kern/mem/...", "kern/vm/...", "kern/proc/...",
			"kern/file/..."}, words),
		TestsMayNot: machine,
	},
	{
		Path: "kern/internal/proctest/...",
		Owns: "a machine with a process, for the tests of subsystems",
		Own:  []string{"arch/hosted/...", "inst/...", "kern/vm/...", "kern/proc/..."},
	},
	{
		Path:        "fs/...",
		Owns:        "vnodes, mounts and name lookup in fs/vfs; a file system a package beside it",
		Own:         []string{"arch", "inst/...", "kern/...", "fs/..."},
		Except:      []string{"kern", "kern/linux/..."},
		TestsMayNot: machine,
	},
	{
		Path:        "net/...",
		Owns:        "a network stack per instance, sockets, bridge, uplink",
		Own:         []string{"arch", "inst/...", "kern/...", "net/..."},
		Except:      []string{"kern", "kern/linux/..."},
		TestsMayNot: machine,
	},
	{
		Path:   "dev/...",
		Owns:   "buses and drivers behind small interfaces",
		Own:    join([]string{"arch", "dev/..."}, words),
		Except: []string{"dev/internal/qtest/..."},
	},
	{
		Path: "dev/internal/qtest/...",
		Owns: "lets the tests of drivers talk to QEMU's devices",
		Std:  []string{"os", "os/exec"},
	},
	{
		Path:        "kern/linux/...",
		Owns:        "the system call table, its handlers, exec, the loop of a thread",
		Own:         []string{"arch", "inst/...", "kern/...", "fs/...", "net/...", "dev/..."},
		Except:      []string{"kern", "kern/internal/..."},
		TestsMayNot: machine,
	},
	{
		Path:        "kern",
		Owns:        "the ordered lists of members and devices, boot order, forkinst1",
		Own:         []string{"arch", "inst/...", "kern/...", "fs/...", "net/...", "dev/..."},
		Except:      []string{"kern/internal/..."},
		TestsMayNot: machine,
	},
	{
		Path: "boot/option/...",
		Owns: "the kernel's command line",
	},
	{
		Path:    "boot/...",
		Owns:    "entry code, boot information, the kernel's main",
		Own:     []string{"boot/...", "arch/...", "dev/...", "inst/...", "kern/..."},
		Std:     []string{"os", "runtime/goos"},
		Modules: []string{"github.com/usbarmory/tamago"},
	},
	{
		Path:    "userland/...",
		Owns:    "programs that run inside instances",
		Own:     []string{"userland/...", "kern/errno/...", "kern/abi/..."},
		Std:     []string{"os", "os/exec", "os/signal", "os/user", "syscall"},
		Modules: []string{"github.com/spf13/cobra"},
	},
	{
		Path:    "tools/...",
		Owns:    "builders and checkers: toolchain, kernel, images, make run",
		Own:     []string{"tools/...", "qemu/...", "userland/...", "kern/errno/...", "kern/abi/...", "boot/option/..."},
		Std:     []string{"os", "os/exec", "os/signal", "os/user", "syscall"},
		Modules: []string{"github.com/usbarmory/tamago"},
	},
	{
		Path: "qemu/...",
		Owns: "starts and watches kernels in QEMU; the boot tests",
		Own:  []string{"qemu/...", "tools/..."},
		Std:  []string{"os", "os/exec", "os/signal", "os/user", "syscall"},
	},
}

func join(a, b []string) []string { return append(append([]string(nil), a...), b...) }

// match reports whether a package path fits a pattern.
func match(pattern, pkg string) bool {
	base, below := strings.CutSuffix(pattern, "/...")
	return pkg == base || below && strings.HasPrefix(pkg, base+"/")
}

func matchAny(patterns []string, pkg string) bool {
	for _, p := range patterns {
		if match(p, pkg) {
			return true
		}
	}
	return false
}

// roomOf returns the row for a package, or nil.
func roomOf(rooms []Room, pkg string) *Room {
	var best *Room
	rank := func(r *Room) int {
		base, below := strings.CutSuffix(r.Path, "/...")
		n := 2 * len(base)
		if !below {
			n++
		}
		return n
	}
	for i := range rooms {
		r := &rooms[i]
		if match(r.Path, pkg) && (best == nil || rank(r) > rank(best)) {
			best = r
		}
	}
	return best
}

func (r *Room) allows(pkg string) bool {
	return matchAny(r.Own, pkg) && !matchAny(r.Except, pkg)
}

// may says in words what a room may import.
func (r *Room) may() string {
	s := codes(r.Own)
	if len(r.Except) > 0 {
		s += " without " + codes(r.Except)
	}
	if ext := join(r.Std, r.Modules); len(ext) > 0 {
		if s != "" {
			s += "; "
		}
		s += "outside: " + codes(ext)
	}
	if s == "" {
		return "nothing of ours"
	}
	return s
}

func codes(paths []string) string {
	var q []string
	for _, p := range paths {
		q = append(q, "`"+p+"`")
	}
	return strings.Join(q, ", ")
}

// RoomTable is the Markdown table that ARCHITECTURE.md shows.
func RoomTable() string {
	var b strings.Builder
	b.WriteString("| package | owns | may import |\n|---|---|---|\n")
	for i := range Rooms {
		r := &Rooms[i]
		may := strings.Replace(r.may(), codes(words), "*words*", 1)
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.Path, r.Owns, may)
	}
	return b.String()
}
