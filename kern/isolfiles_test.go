package kern

import (
	"encoding/binary"
	"strings"

	"mult/kern/errno"
	"mult/kern/internal/proctest"
	"mult/kern/proc"
)

// This file has the cases of TestIsolation that are about files.

// vfsCases are about names, attributes, content and mounts.
func vfsCases() []isolationCase {
	return []isolationCase{
		{"vfs", "name of a file",
			func(c *client) { c.str(callMkdir, "/tmp/met", 0o777) },
			func(c, _ *client) bool { return c.str(callAccess, "/tmp/met", 0) == 0 }, false},
		{"vfs", "name that is removed from the image",
			func(c *client) { c.str(callUnlink, imageFile) },
			func(c, _ *client) bool { return c.str(callAccess, imageFile, 0) < 0 }, false},
		{"vfs", "name that is moved in the image",
			func(c *client) { c.call([]byte("/dir\x00/met\x00"), callRename, 0x401000, 0x401005) },
			func(c, _ *client) bool { return c.str(callAccess, "/met/file", 0) == 0 }, false},
		{"vfs", "mount",
			func(c *client) {
				c.str(callMkdir, "/dir/on", 0o777)
				c.mount("/dir/on", "", 0)
				c.str(callMkdir, "/dir/on/met", 0o777)
			},
			func(c, _ *client) bool { return c.str(callAccess, "/dir/on/met", 0) == 0 }, false},
		{"vfs", "list of mounts",
			func(c *client) { c.mount("/dir", "", 0) },
			func(c, _ *client) bool { return strings.Contains(c.content("/proc/self/mounts"), " /dir tmpfs") }, false},
		{"vfs", "mount that is gone",
			func(c *client) { c.str(callUmount, "/dev/shm", 0) },
			func(c, _ *client) bool { return !strings.Contains(c.content("/proc/self/mounts"), " /dev/shm ") }, false},
		{"vfs", "flags of a mount",
			func(c *client) { c.mount("/", "", 1<<5|1) }, // MS_REMOUNT, MS_RDONLY
			func(c, _ *client) bool { return c.str(callMkdir, "/dir/new", 0o777) == -int64(errno.EROFS) }, false},
		differs("vfs", "number of a mount", func(c *client) uint64 {
			c.mount("/dir", "", 0)
			lines := strings.Split(strings.TrimSpace(c.content("/proc/self/mountinfo")), "\n")
			id, _, _ := strings.Cut(lines[len(lines)-1], " ")
			return uint64(len(id))<<32 | uint64(binary.LittleEndian.Uint32([]byte(id+"    ")))
		}),
		differs("vfs", "number of the device of a mount", func(c *client) uint64 {
			c.mount("/dir", "", 0)
			return c.stat("/dir", statDev)
		}),
		{"vfs", "program that runs",
			func(c *client) {
				c.calls <- clientCall{append([]byte("/init"), make([]byte, 11)...), nrExecve, []uint64{0x401000, 0x401008, 0x401008}}
				p := proc.TableOf(c.in).Find(2)
				proctest.Until(func() bool { return p.Comm() == "init" })
			},
			func(c, _ *client) bool { return c.str(callOpen, "/init", oRDWR) == -int64(errno.ETXTBSY) }, false},
		{"vfs", "node of a device",
			func(c *client) { c.str(callUnlink, "/dev/null") },
			func(c, _ *client) bool { return c.str(callAccess, "/dev/null", 0) < 0 }, false},
		{"vfs", "permissions of a device",
			func(c *client) { c.str(callChmod, "/dev/null", 0o600) },
			func(c, _ *client) bool { return c.stat("/dev/null", statMode)&0o777 == 0o600 }, false},
		{"vfs", "mask of permissions",
			func(c *client) { c.call(nil, callUmask, 0o123) },
			func(c, _ *client) bool { return c.call(nil, callUmask, 0) == 0o123 }, true},

		// The same file of the image.
		{"tmpfs", "content that is written",
			func(c *client) { c.writeTo(imageFile, "met") },
			func(c, _ *client) bool { return strings.HasPrefix(c.content(imageFile), "met") }, false},
		{"tmpfs", "content that is mapped",
			func(c *client) {
				c.call(nil, nrMmap, 0x401000, 4096, 3, 0x11, c.open(imageFile, oRDWR), 0) // MAP_SHARED, MAP_FIXED
				c.call([]byte("met"), callGetpid)
			},
			func(c, _ *client) bool { return strings.HasPrefix(c.content(imageFile), "met") }, false},
		{"tmpfs", "content that is mapped, seen in a map",
			func(c *client) {
				c.call(nil, nrMmap, 0x401000, 4096, 3, 0x11, c.open(imageFile, oRDWR), 0)
				c.call([]byte("met"), callGetpid)
			},
			func(c, _ *client) bool {
				at := c.call(nil, nrMmap, 0, 4096, 1, 1|0x8000, c.open(imageFile, 0), 0) // MAP_POPULATE
				return string(c.memory(uint64(at), 3)) == "met"
			}, false},
		{"tmpfs", "size",
			func(c *client) { c.call(nil, callFtruncate, c.open(imageFile, oRDWR), 1) },
			func(c, _ *client) bool { return c.content(imageFile) == "t" }, false},
		{"tmpfs", "permissions",
			func(c *client) { c.str(callChmod, imageFile, 0o600) },
			func(c, _ *client) bool { return c.stat(imageFile, statMode)&0o777 == 0o600 }, false},
		{"tmpfs", "owner",
			func(c *client) { c.str(callChown, imageFile, 1000, 1000) },
			func(c, _ *client) bool { return c.stat(imageFile, statMode)>>32 == 1000 }, false},
		{"tmpfs", "number of names",
			func(c *client) { c.call([]byte("/dir/file\x00/dir/met\x00"), callLink, 0x401000, 0x40100a) },
			func(c, _ *client) bool { return c.stat(imageFile, statNlink) == 2 }, false},
		{"tmpfs", "time of change of content",
			func(c *client) { c.times(imageFile, 5, 7) },
			func(c, _ *client) bool { return c.stat(imageFile, statMtime) == 7 }, false},
		{"tmpfs", "time of access",
			func(c *client) { c.times(imageFile, 5, 7) },
			func(c, _ *client) bool { return c.stat(imageFile, statAtime) == 5 }, false},
		{"tmpfs", "time of access by reading",
			func(c *client) {
				c.times(imageFile, 5, 7) // older than the change, so that it is noted
				c.content(imageFile)
			},
			func(c, _ *client) bool { return c.stat(imageFile, statAtime) > 1e8 }, false},
		{"tmpfs", "mincore of a page of the image",
			func(c *client) { c.call(nil, nrMmap, 0, 4096, 1, 1|0x8000, c.open(imageFile, 0), 0) },
			func(c, _ *client) bool {
				at := uint64(c.call(nil, nrMmap, 0, 4096, 1, 1, c.open(imageFile, 0), 0))
				c.call(nil, callMincore, at, 4096, spare)
				return c.words(1)[0]&1 != 0
			}, true},
		differs("tmpfs", "number of a new file in the image", func(c *client) uint64 {
			return c.fstat(c.open("/dir", oRDWR|oTMPFILE), statIno)
		}),
		differs("tmpfs", "number of a new file in memory", func(c *client) uint64 {
			return c.fstat(c.open("/tmp", oRDWR|oTMPFILE), statIno)
		}),
		differs("tmpfs", "number of a memfd", func(c *client) uint64 {
			return c.fstat(uint64(c.str(callMemfd, "met", 0)), statIno)
		}),
		{"tmpfs", "memfd, by /proc",
			func(c *client) { c.call(nil, callDup, uint64(c.str(callMemfd, "met", 0)), 9) },
			func(c, _ *client) bool {
				for _, fd := range "3456789" {
					if c.str(callOpen, "/proc/2/fd/"+string(fd), oRDWR) >= 0 {
						return true
					}
				}
				return false
			}, false},
		{"tmpfs", "size of a file system",
			func(c *client) {
				c.mount("/tmp", "size=16k", 1<<5)
				fd := c.open("/tmp/f", oRDWR|oCREAT)
				for c.call(nil, nrWrite, fd, textAt, 4096) > 0 {
				}
			},
			func(c, _ *client) bool {
				return c.call(nil, nrWrite, c.open("/tmp/g", oRDWR|oCREAT), textAt, 1) == -int64(errno.ENOSPC)
			}, false},
		{"tmpfs", "size of a file system, by statfs",
			func(c *client) { c.mount("/tmp", "size=16k", 1<<5) },
			func(c, _ *client) bool {
				c.str(callStatfs, "/tmp", spare)
				return c.words(3)[2] == 4
			}, false},
		fifo("/tmp/fifo"),
		fifo("/dir/fifo"),
	}
}

// times is utimensat(2), in seconds.
func (c *client) times(path string, atime, mtime uint64) {
	c.call(append(words64(atime, 0, mtime, 0), append([]byte(path), 0)...), callUtimensat, fdCWD, 0x401020, 0x401000, 0)
}

// fifo is a case for a FIFO, which each has.
func fifo(path string) isolationCase {
	return isolationCase{"tmpfs", "FIFO " + path,
		func(c *client) {
			c.str(callMknod, path, 0o10666, 0)
			c.open(path, oRDWR)
		},
		func(c, _ *client) bool {
			c.str(callMknod, path, 0o10666, 0)
			return c.str(callOpen, path, 1|oNONBLOCK) >= 0
		}, false}
}

// lock is the argument of fcntl(F_SETLK) for all of a file.
func lock() []byte {
	b := make([]byte, 32)
	b[0] = 1 // F_WRLCK
	return b
}

// lockCases are about what threads wait for: locks of files, and words in them. In each
// instance the files have the same names and numbers.
func lockCases() (list []isolationCase) {
	pipe := func(c *client) uint64 {
		c.call(nil, callPipe, spare)
		return c.fstat(c.words(1)[0]&0xffffffff, statIno)
	}
	list = append(list, isolationCase{"file", "number of a pipe", nothing,
		func(c, by *client) bool { // it has had some pipes from above
			n := pipe(by)
			return pipe(c) > n
		}, false})
	for _, path := range []string{imageFile, "/tmp/f", "/dev/null", "/proc/sys/kernel/hostname"} {
		open := func(c *client) uint64 { return c.open(path, oRDWR|oCREAT) }
		list = append(list,
			isolationCase{"file", "flock of " + path,
				func(c *client) { c.call(nil, callFlock, open(c), 2|4) },
				func(c, _ *client) bool { return c.call(nil, callFlock, open(c), 2|4) < 0 }, false},
			isolationCase{"file", "record lock of " + path,
				func(c *client) { c.call(lock(), nrFcntl, open(c), 6, 0x401000) },
				func(c, _ *client) bool { return c.call(lock(), nrFcntl, open(c), 6, 0x401000) < 0 }, false},
			isolationCase{"file", "lock of an open file " + path,
				func(c *client) { c.call(lock(), nrFcntl, open(c), 37, 0x401000) },
				func(c, _ *client) bool { return c.call(lock(), nrFcntl, open(c), 37, 0x401000) < 0 }, false})
	}
	for _, path := range []string{imageFile, "/tmp/f"} {
		mapped := func(c *client) uint64 {
			fd := c.open(path, oRDWR|oCREAT)
			c.call(nil, callFtruncate, fd, 4096)
			return uint64(c.call(nil, nrMmap, 0, 4096, 1, 1|0x8000, fd, 0))
		}
		list = append(list, isolationCase{"futex", "futex in " + path,
			func(c *client) {
				at := mapped(c)
				c.waits(at, uint64(binary.LittleEndian.Uint32(c.memory(at, 4))))
			},
			func(c, _ *client) bool { return c.call(nil, nrFutex, mapped(c), 1, 10) == 1 }, false})
	}
	return append(list,
		isolationCase{"futex", "futex in a page of the image that nobody changes",
			func(c *client) {
				at := uint64(c.call(nil, nrMmap, 0, 4096, 1, 1, c.open(imageFile, 0), 0))
				c.waits(at, uint64(binary.LittleEndian.Uint32([]byte("text"))))
			},
			func(c, _ *client) bool {
				at := uint64(c.call(nil, nrMmap, 0, 4096, 1, 1, c.open(imageFile, 0), 0))
				return c.call(nil, nrFutex, at, 1, 10) == 1
			}, false},
		isolationCase{"futex", "futex at the same address",
			func(c *client) { c.waits(0x402000, 0) },
			func(c, _ *client) bool { return c.call(nil, nrFutex, 0x402000, 1, 10) == 1 }, true})
}
