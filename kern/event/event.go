// Package event lets threads wait for many files at once, poll(2), select(2) and
// epoll(7), and has the files that stand for events: eventfd(2), timerfd(2).
//
// An event source is a file.Poller. Who waits adds a watcher to its queue and
// asks Poll; a wake-up only says that it is worth asking again.
//
// Member is this package's part of an instance: what must be known of epolls
// that watch epolls, and of timers that depend on the clock of the wall.
//
// Lock order:
//
//	member.mu > Epoll.mu > locks of Impls > locks of queues > Epoll.readyMu
//	> lock of the Epoll's own queue
//
// For an epoll that watches another, its locks come before those of the other
// where it asks, and behind them where it is woken; since epolls never watch
// each other in a ring, and Epoll.mu isn't taken by wake-ups, that is an order.
package event

import (
	"strconv"
	"sync"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/file"
	"mult/kern/proc"
)

// member is event's part of an instance.
type member struct {
	wall func(in *inst.Inst) int64 // [const] see Member

	mu     sync.Mutex          // also guards the edges between epolls
	timers map[*Timer]struct{} // [mu] that are armed by the wall clock
}

var slot = inst.NewSlot[member]()

// Member returns this package's row in the table of members. wall returns the
// time of an instance's CLOCK_REALTIME in nanoseconds; who sets that clock
// calls ClockWasSet.
func Member(wall func(in *inst.Inst) int64) inst.Member {
	return inst.Member{
		Name: "event",
		Alloc: func(in, parent *inst.Inst) error {
			slot.Set(in, &member{wall: wall, timers: make(map[*Timer]struct{})})
			return nil
		},
		Free: func(in *inst.Inst) {
			if len(slot.Of(in).timers) != 0 {
				panic("event: timers left in an instance that ends")
			}
			slot.Set(in, nil)
		},
	}
}

// anonymous is what the Impls of this package have in common: files without a
// file system.
type anonymous struct {
	kind     string // [const] such as "[eventfd]"
	ino      uint64 // [const]
	uid, gid uint32 // [const] of who made it
}

func newAnonymous(t *proc.Thread, kind string) anonymous {
	c := t.Cred()
	return anonymous{kind, file.NextIno(t.Proc.Inst), c.FSUID, c.FSGID}
}

// anonDev is the device of such files: no driver, as on Linux.
const anonDev = 15

// Stat tells about the file.
func (a *anonymous) Stat(*proc.Thread) (abi.Stat, error) {
	return abi.Stat{Dev: anonDev, Ino: a.ino, Nlink: 1, Mode: 0o600, UID: a.uid, GID: a.gid, Blksize: 4096}, nil
}

// NoSeek says that lseek(2) does nothing, and succeeds.
func (a *anonymous) NoSeek() {}

// Name is the name in /proc/pid/fd.
func (a *anonymous) Name() string { return "anon_inode:" + a.kind }

func decimal(n uint64) string { return strconv.FormatUint(n, 10) }
