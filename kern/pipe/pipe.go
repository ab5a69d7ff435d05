// Package pipe has pipes and the core of FIFOs: a bounded ring of bytes with
// ends for reading and writing.
//
// kern/linux calls New for pipe2(2). A file system keeps a FIFO in the vnode of
// a FIFO and calls its Open.
//
// No lock is held while bytes are copied from or to a program. A writer
// reserves the free part of the ring by the flag writing, a reader the filled
// part by reading; both copy at the same time, and take the lock again to tell
// how far they got.
//
// Lock order:
//
//	FIFO.mu > Pipe.mu > locks of queues
package pipe

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// Sizes, as on Linux.
const (
	Atomic      = 4096    // PIPE_BUF: writes up to it are not torn
	DefaultSize = 65536   // capacity of a new pipe
	MaxSize     = 1 << 20 // most that F_SETPIPE_SZ gives
)

// What a pipe and an end take of the heap; the ring is charged as it is.
const (
	pipeCost = 768
	endCost  = 64
)

// A Pipe is the ring and who waits for it. head and tail count bytes since the
// beginning; a byte's place in the ring is its number modulo the ring's length.
type Pipe struct {
	in  *inst.Inst // [const] pays for it
	ino uint64     // [const]

	statMu sync.Mutex
	stat   attributes // [statMu] of a pipe without a name

	mu       sync.Mutex
	ring     []byte // [mu] its length is a power of two, or 0; contents see reading, writing
	head     uint64 // [mu] next byte to be read
	tail     uint64 // [mu] next byte to be written
	limit    int    // [mu] capacity, a power of two, Atomic at least
	reading  bool   // [mu] somebody copies from head on
	writing  bool   // [mu] somebody copies to tail, or replaces the ring
	readers  int    // [mu] ends that are open for reading
	writers  int    // [mu]
	readSeq  uint64 // [mu] how often an end was opened for reading
	writeSeq uint64 // [mu]
	ends     int    // [mu] ends that are open, or being opened

	readWait  int        // [mu] threads in readQ
	writeWait int        // [mu] in writeQ
	turnWait  int        // [mu] in turnQ
	openWait  int        // [mu] in openQ
	readQ     proc.Queue // wait for bytes
	writeQ    proc.Queue // for room
	turnQ     proc.Queue // for reading or writing to become false
	openQ     proc.Queue // for the other side to be opened

	polls [3]pollQueue // by kind of end
	own   [2]End       // [const] of pipe2
}

// attributes are what stat(2) tells about a pipe and fchmod(2) and its like
// change. Reading and writing leave the times as they are.
type attributes struct {
	mode, uid, gid      uint32
	atime, mtime, ctime abi.Timespec
}

// pollQueue is what watches the ends of one kind. used is set with its first
// use, so that a pipe that nobody polls wakes nobody.
type pollQueue struct {
	used atomic.Bool
	q    proc.Queue
}

func (w *pollQueue) wake() {
	if w.used.Load() {
		w.q.WakeAll()
	}
}

// kind is how an end was opened.
type kind uint8

const (
	readEnd kind = iota
	writeEnd
	bothEnds
)

// An End is an open end of a pipe: the Impl behind its file. An end of a FIFO
// may be part of an Impl of a file system, which tells Stat itself.
type End struct { // all [const]
	p    *Pipe
	kind kind
	// since is what writeSeq was when a reader opened a FIFO without
	// waiting: until a writer comes, it polls no hang-up.
	since uint64
	fifo  *FIFO // nil for pipe2
	extra bool  // of Reopen: it is charged by itself
}

// New is pipe2(2) but for the descriptors: it makes a pipe and returns files of
// its ends. Flags are O_NONBLOCK and O_CLOEXEC. EINVAL, ENFILE.
func New(t *proc.Thread, flags int) (r, w *file.File, err error) {
	if flags&^(abi.O_NONBLOCK|abi.O_CLOEXEC) != 0 {
		return nil, nil, errno.EINVAL // O_DIRECT, packets, is not supported
	}
	in, cred := t.Proc.Inst, t.Cred()
	p, err := newPipe(in)
	if err != nil {
		return nil, nil, errno.ENFILE
	}
	now := time.Now()
	at := abi.Timespec{Sec: now.Unix(), Nsec: int64(now.Nanosecond())}
	p.stat = attributes{mode: abi.S_IFIFO | 0o600, uid: cred.FSUID, gid: cred.FSGID, atime: at, mtime: at, ctime: at}
	p.own = [2]End{{p: p, kind: readEnd}, {p: p, kind: writeEnd}}
	p.ends, p.readers, p.writers, p.readSeq, p.writeSeq = 2, 1, 1, 1, 1
	if r, err = file.New(in, &p.own[0], abi.O_RDONLY|flags); err != nil {
		p.own[0].Release(nil)
		p.own[1].Release(nil)
		return nil, nil, err
	}
	if w, err = file.New(in, &p.own[1], abi.O_WRONLY|flags); err != nil {
		r.Release()
		p.own[1].Release(nil)
		return nil, nil, err
	}
	return r, w, nil
}

// newPipe makes a pipe without ends. ENOMEM.
func newPipe(in *inst.Inst) (*Pipe, error) {
	if !in.Charge(inst.Heap, pipeCost) {
		return nil, errno.ENOMEM
	}
	return &Pipe{in: in, ino: file.NextIno(in), limit: DefaultSize}, nil
}

// Release is called when the file of e is gone.
func (e *End) Release(*file.File) {
	p, ff := e.p, e.fifo
	if ff != nil {
		ff.mu.Lock()
		defer ff.mu.Unlock()
	}
	if ff != nil || e.extra {
		p.in.Uncharge(inst.Heap, endCost)
	}
	p.mu.Lock()
	last := p.closeLocked(e.kind)
	p.mu.Unlock()
	if last && ff != nil {
		ff.p = nil
	}
}

// closeLocked ends one end and tells the other side. With the last one what is
// left in the pipe goes, and it returns true: p must not be used any more.
func (p *Pipe) closeLocked(k kind) bool {
	if k != writeEnd {
		p.readers--
	}
	if k != readEnd {
		p.writers--
	}
	if p.readers == 0 && p.writeWait > 0 {
		p.writeQ.WakeAll()
	}
	if p.writers == 0 && p.readWait > 0 {
		p.readQ.WakeAll()
	}
	for i := range p.polls {
		p.polls[i].wake()
	}
	return p.leaveLocked()
}

// leaveLocked drops one of p.ends.
func (p *Pipe) leaveLocked() bool {
	p.ends--
	if p.ends > 0 {
		return false
	}
	p.in.Uncharge(inst.Heap, pipeCost+int64(len(p.ring)))
	p.ring = nil
	return true
}

// used returns how many bytes are in the pipe. mu is held.
func (p *Pipe) used() int { return int(p.tail - p.head) }

// parts returns the n bytes of the ring from number at on; the second part is
// empty unless they go round its end. mu is held.
func (p *Pipe) parts(at uint64, n int) (a, b []byte) {
	i := int(at) & (len(p.ring) - 1)
	if i+n <= len(p.ring) {
		return p.ring[i : i+n], nil
	}
	return p.ring[i:], p.ring[:n-(len(p.ring)-i)]
}

// resizeLocked gives the ring n bytes, a power of two that holds what is in it.
// The caller has set writing, or nobody else can: a reader may still copy from
// the old ring, whose bytes stay. ENOMEM.
func (p *Pipe) resizeLocked(n int) error {
	if !p.in.Charge(inst.Heap, int64(n)) {
		return errno.ENOMEM
	}
	ring, old := make([]byte, n), len(p.ring)
	a, b := p.parts(p.head, p.used())
	p.ring = ring
	for at := p.head; len(a) > 0; a, b = b, nil {
		for rest := a; len(rest) > 0; {
			c := copy(ring[at&uint64(n-1):], rest)
			rest, at = rest[c:], at+uint64(c)
		}
	}
	p.in.Uncharge(inst.Heap, int64(old))
	return nil
}

// ceilPow2 returns the first power of two from n on.
func ceilPow2(n int) int { return 1 << bits.Len(uint(n-1)) }
