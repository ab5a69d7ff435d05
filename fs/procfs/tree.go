package procfs

import (
	"mult/fs/vfs"
	"mult/kern/abi"
)

// A Tree says which files there are and what makes their content. It never changes, and
// has nothing of an instance, so that all can have it in common.
type Tree struct {
	src    Sources // [const]
	root   *entry  // [const]
	pid    *entry  // [const] directory of a process
	task   *entry  // [const] directory of a thread
	fd     *entry  // [const] link to an open file
	fdinfo *entry  // [const]
	below  *entry  // [const] an instance below
}

// NewTree makes a Tree.
func NewTree(src Sources) *Tree {
	tr := &Tree{src: src}
	tr.fd = &entry{mode: abi.S_IFLNK | 0o700, file: openFD}
	tr.fdinfo = &entry{mode: abi.S_IFREG | 0o400, private: true, text: fdinfo}
	tr.task = numbered(&entry{mode: abi.S_IFDIR | 0o555, files: []*entry{
		{name: "stat", mode: abi.S_IFREG | 0o444, text: taskStat},
		{name: "status", mode: abi.S_IFREG | 0o444, text: status},
		{name: "comm", mode: abi.S_IFREG | 0o644, text: comm, write: setComm},
	}})
	tr.pid = numbered(&entry{mode: abi.S_IFDIR | 0o555, files: []*entry{
		{name: "task", mode: abi.S_IFDIR | 0o555, numbers: tasks()},
		{name: "fd", mode: abi.S_IFDIR | 0o500, numbers: descriptors(tr.fd, abi.DT_LNK)},
		{name: "fdinfo", mode: abi.S_IFDIR | 0o555, numbers: descriptors(tr.fdinfo, abi.DT_REG)},
		{name: "environ", mode: abi.S_IFREG | 0o400, private: true, pieces: environ},
		{name: "auxv", mode: abi.S_IFREG | 0o400, private: true, text: auxv},
		{name: "status", mode: abi.S_IFREG | 0o444, text: status},
		{name: "limits", mode: abi.S_IFREG | 0o444, text: limits},
		{name: "comm", mode: abi.S_IFREG | 0o644, text: comm, write: setComm},
		{name: "cmdline", mode: abi.S_IFREG | 0o444, pieces: cmdline},
		{name: "stat", mode: abi.S_IFREG | 0o444, text: procStat},
		{name: "statm", mode: abi.S_IFREG | 0o444, text: statm},
		{name: "maps", mode: abi.S_IFREG | 0o444, private: true, pieces: maps},
		{name: "cwd", mode: abi.S_IFLNK | 0o777, link: readPlace(cwdOf), jump: jumpPlace(cwdOf)},
		{name: "root", mode: abi.S_IFLNK | 0o777, link: readPlace(rootOf), jump: jumpPlace(rootOf)},
		{name: "exe", mode: abi.S_IFLNK | 0o777, file: exe},
		{name: "mounts", mode: abi.S_IFREG | 0o444, pieces: mounts},
		{name: "mountinfo", mode: abi.S_IFREG | 0o444, pieces: mountinfo},
		{name: "wchan", mode: abi.S_IFREG | 0o444, text: wchan},
		{name: "oom_score_adj", mode: abi.S_IFREG | 0o644, text: oomAdj, write: setOOMAdj},
		{name: "oom_score", mode: abi.S_IFREG | 0o444, text: oomScore},
	}})
	files := []*entry{
		{name: "self", mode: abi.S_IFLNK | 0o777, link: self},
		{name: "thread-self", mode: abi.S_IFLNK | 0o777, link: threadSelf},
		{name: "mounts", mode: abi.S_IFLNK | 0o777, link: func(*vfs.Caller, *target) (string, error) { return "self/mounts", nil }},
		{name: "stat", mode: abi.S_IFREG | 0o444, text: systemStat},
		{name: "meminfo", mode: abi.S_IFREG | 0o444, text: meminfo},
		{name: "uptime", mode: abi.S_IFREG | 0o444, text: uptime},
		{name: "loadavg", mode: abi.S_IFREG | 0o444, text: loadavg},
		{name: "version", mode: abi.S_IFREG | 0o444, text: version},
		{name: "cpuinfo", mode: abi.S_IFREG | 0o444, pieces: cpuinfo},
		{name: "filesystems", mode: abi.S_IFREG | 0o444, text: filesystems},
		{name: "devices", mode: abi.S_IFREG | 0o444, text: devices},
		{name: "partitions", mode: abi.S_IFREG | 0o444, text: constant("")},
		{name: "swaps", mode: abi.S_IFREG | 0o444, text: constant("Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n")},
	}
	if tr.src.Cmdline != nil {
		files = append(files, &entry{name: "cmdline", mode: abi.S_IFREG | 0o444, text: bootCmdline})
	}
	files = append(files, tr.sys())
	tr.root = numbered(&entry{mode: abi.S_IFDIR | 0o555, ino: 1, files: files, numbers: processes()})
	return tr
}

// numbered gives inode numbers to a directory of processes or of the instance,
// and to all below but the entries of numbers.
func numbered(e *entry) *entry {
	n := uint64(1)
	e.ino = n
	var below func(e *entry)
	below = func(e *entry) {
		for _, c := range e.files {
			n++
			c.ino = n
			below(c)
		}
	}
	below(e)
	return e
}

// dirEntry is a directory of /proc/sys.
func dirEntry(name string, files ...*entry) *entry {
	return &entry{name: name, mode: abi.S_IFDIR | 0o555, files: files}
}

// fixed is a file that can't be written.
func fixed(name string, text func(b *buffer, x *target) error) *entry {
	return &entry{name: name, mode: abi.S_IFREG | 0o444, text: text}
}

func constant(s string) func(b *buffer, x *target) error {
	return func(b *buffer, _ *target) error {
		b.text(s)
		return nil
	}
}
