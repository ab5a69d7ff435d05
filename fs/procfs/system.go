package procfs

import (
	"runtime"
	"slices"

	"mult/fs/vfs"
	"mult/inst"
	"mult/kern/mem"
	"mult/kern/proc"
)

// uptime returns the time since the machine started, in nanoseconds.
func (f *fs) uptime() int64 { return f.procs.Up() }

// idleTime returns the processors' time that the instance has not used: for it,
// others' use of the machine is none of its business.
func (f *fs) idleTime(t *proc.Totals) int64 {
	return max(0, f.uptime()*int64(f.cpus())-t.UTime-t.STime)
}

// systemStat gives each processor an equal part of the time: who used which isn't
// kept, and programs count the lines.
func systemStat(b *buffer, x *target) error {
	f := x.fs
	t := f.procs.Totals()
	user, system, idle := t.UTime/nsTick, t.STime/nsTick, f.idleTime(&t)/nsTick
	b.f("cpu  %d 0 %d %d 0 0 0 0 0 0\n", user, system, idle)
	n := int64(f.cpus())
	for i := range n {
		b.f("cpu%d %d 0 %d %d 0 0 0 0 0 0\n", i, user/n, system/n, idle/n)
	}
	b.f("ctxt %d\nbtime %d\n", t.Voluntary+t.Involuntary, (f.src.Wall()-f.uptime())/1e9)
	b.f("processes %d\nprocs_running %d\nprocs_blocked %d\n", f.procs.Counts().Forks, t.Running, t.Blocked)
	return nil
}

func uptime(b *buffer, x *target) error {
	t := x.fs.procs.Totals()
	up, idle := x.fs.uptime()/1e7, x.fs.idleTime(&t)/1e7
	b.f("%d.%02d %d.%02d\n", up/100, up%100, idle/100, idle%100)
	return nil
}

func loadavg(b *buffer, x *target) error {
	for _, n := range x.fs.procs.Load() {
		n += (1 << proc.LoadShift) / 200
		b.f("%d.%02d ", n>>proc.LoadShift, n&(1<<proc.LoadShift-1)*100>>proc.LoadShift)
	}
	t, c := x.fs.procs.Totals(), x.fs.procs.Counts()
	b.f("%d/%d %d\n", t.Running, c.Threads, c.Last)
	return nil
}

// meminfo tells how much memory the instance can have, and what of it is free.
// There is no swap, and nothing that could be given back at once: what is Cached is
// content of files in memory, which is nowhere else. Slab is what the instance is
// charged for the kernel's own memory, Active what it is charged for page frames.
func meminfo(b *buffer, x *target) error {
	in := x.fs.in
	st := x.fs.src.System.VM.Memory.Stats()
	total := min(int64(st.Total), in.Limit(inst.Frames))
	free := min(int64(st.Free), in.Left(inst.Frames))
	heap, content := in.Used(inst.Heap)>>10, in.Used(inst.Content)
	const kib = mem.PageSize >> 10
	for _, v := range []struct {
		name  string
		value int64
	}{
		{"MemTotal", total * kib}, {"MemFree", free * kib}, {"MemAvailable", free * kib},
		{"Buffers", 0}, {"Cached", content * kib}, {"SwapCached", 0}, {"Active", in.Used(inst.Frames) * kib},
		{"SwapTotal", 0}, {"SwapFree", 0}, {"Shmem", content * kib}, {"Slab", heap}, {"SUnreclaim", heap},
	} {
		b.f("%-15s %8d kB\n", v.name+":", v.value)
	}
	return nil
}

func version(b *buffer, x *target) error {
	b.f("Linux version %s (%s) %s\n", x.fs.src.Release, runtime.Version(), x.fs.src.Version)
	return nil
}

func bootCmdline(b *buffer, x *target) error {
	b.text(x.fs.src.Cmdline() + "\n")
	return nil
}

// filesystems has the types that are mounted.
func filesystems(b *buffer, x *target) error {
	var types []string
	vfs.TableOf(x.fs.in).Mounts(func(m *vfs.Mount, _ string) {
		if !slices.Contains(types, m.Super.Type) {
			types = append(types, m.Super.Type)
		}
	})
	for _, t := range types {
		b.f("nodev\t%s\n", t)
	}
	return nil
}

// devices has the major numbers that are served, by the names of Linux.
func devices(b *buffer, x *target) error {
	name := func(major uint32) []string {
		switch major {
		case 1:
			return []string{"mem"}
		case 4:
			return []string{"ttyS"}
		case 5:
			return []string{"/dev/tty", "/dev/console", "/dev/ptmx"}
		case 136:
			return []string{"pts"}
		}
		return nil
	}
	b.text("Character devices:\n")
	for _, m := range vfs.Majors(x.fs.in, false) {
		for _, s := range name(m) {
			b.f("%3d %s\n", m, s)
		}
	}
	b.text("\nBlock devices:\n")
	return nil
}

// cpuinfo has a paragraph for each processor.
func cpuinfo(b *buffer, x *target, at uint64) (uint64, error) {
	b.f("processor\t: %d\n", at)
	if x.fs.src.CPU != nil {
		c := x.fs.src.CPU()
		b.f("vendor_id\t: %s\ncpu family\t: %d\nmodel\t\t: %d\nmodel name\t: %s\nstepping\t: %d\n",
			c.Vendor, c.Family, c.Number, c.Model, c.Stepping)
		if c.KHz != 0 {
			b.f("cpu MHz\t\t: %d.%03d\n", c.KHz/1000, c.KHz%1000)
		}
		b.text("flags\t\t:")
		for _, s := range c.Flags {
			b.text(" " + s)
		}
		if c.PhysBits != 0 {
			b.f("\naddress sizes\t: %d bits physical, %d bits virtual", c.PhysBits, c.VirtBits)
		}
		b.text("\n")
	}
	b.text("\n")
	if at++; at >= uint64(x.fs.cpus()) {
		return end, nil
	}
	return at, nil
}
