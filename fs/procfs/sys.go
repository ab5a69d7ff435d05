package procfs

import (
	"fmt"
	"strconv"
	"strings"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/host"
	"mult/kern/pipe"
	"mult/kern/proc"
	"mult/kern/tty"
	"mult/kern/vm"
)

// sys makes /proc/sys. Only the names can be changed.
func (tr *Tree) sys() *entry {
	src := tr.src
	line := func(name, s string) *entry { return fixed(name, constant(s+"\n")) }
	num := func(name string, n int) *entry { return line(name, strconv.Itoa(n)) }
	// limit is a number that the instance's limit is, or what any instance has at most.
	limit := func(name string, r inst.Resource, most int64) *entry {
		return fixed(name, func(b *buffer, x *target) error {
			b.f("%d\n", min(x.fs.in.Limit(r), most))
			return nil
		})
	}
	return dirEntry("sys",
		dirEntry("kern", tr.instances()),
		dirEntry("kernel",
			nameFile("hostname", host.Name, host.SetName),
			nameFile("domainname", host.Domain, host.SetDomain),
			line("ostype", "Linux"),
			line("osrelease", src.Release),
			line("version", src.Version),
			num("pid_max", proc.MaxPID), // numbers go up to there, however few there may be at once
			limit("threads-max", inst.Threads, proc.MaxPID-1),
			num("ngroups_max", proc.MaxGroups),
			num("cap_last_cap", proc.CAP_LAST),
			dirEntry("random",
				fixed("boot_id", func(b *buffer, x *target) error {
					b.text(uuid(x.fs.procs.BootID()))
					return nil
				}),
				fixed("uuid", func(b *buffer, _ *target) error {
					var random [16]byte
					src.System.VM.Machine.Random(random[:])
					b.text(uuid(random))
					return nil
				}),
				// The generator has all it can have from the start.
				num("entropy_avail", 256),
			),
			dirEntry("pty",
				limit("max", inst.Ptys, tty.MaxPtys),
				fixed("nr", func(b *buffer, x *target) error {
					b.f("%d\n", x.fs.in.Used(inst.Ptys))
					return nil
				}),
			),
		),
		dirEntry("vm",
			num("overcommit_memory", 0), // what surely can't be had is refused
			num("mmap_min_addr", vm.MinAddr),
			num("max_map_count", vm.MaxAreas),
		),
		dirEntry("fs",
			limit("file-max", inst.Files, inst.NoLimit),
			fixed("file-nr", func(b *buffer, x *target) error {
				b.f("%d\t0\t%d\n", x.fs.in.Used(inst.Files), x.fs.in.Limit(inst.Files))
				return nil
			}),
			limit("mount-max", inst.Mounts, inst.NoLimit),
			num("nr_open", proc.MaxFiles),
			num("pipe-max-size", pipe.MaxSize),
		),
	)
}

// nameFile is a file with a name of the host.
func nameFile(name string, get func(in *inst.Inst) string, set func(in *inst.Inst, s string) error) *entry {
	return &entry{
		name: name, mode: abi.S_IFREG | 0o644,
		text: func(b *buffer, x *target) error {
			b.text(get(x.fs.in) + "\n")
			return nil
		},
		// As proc_dostring of Linux: a line, and not more than there is room for.
		write: func(_ *proc.Thread, x *target, data string) error {
			if i := strings.IndexAny(data, "\n\x00"); i >= 0 {
				data = data[:i]
			}
			return set(x.fs.in, strings.Clone(data[:min(len(data), host.MaxName)]))
		},
	}
}

// uuid is a line with random bytes as a UUID, RFC 9562, version 4.
func uuid(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x\n", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
