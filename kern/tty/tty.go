package tty

import (
	"sync"

	"mult/inst"
	"mult/kern/abi"
	"mult/kern/errno"
	"mult/kern/file"
	"mult/kern/proc"
)

// A line is what is behind a terminal. Its methods are called with TTY.mu held
// and don't wait.
type line interface {
	// kick says that there is output to take.
	kick()
	// resume says that input is taken again, after some was refused.
	resume()
	// flushed says that a program has thrown away output or input that was
	// on its way, or stopped or started output: bits of packet mode.
	flushed(status byte)
}

// A TTY is a terminal.
type TTY struct {
	Inst *inst.Inst // [const] that pays for it
	name string     // [const] for /proc/pid/fd: its path
	rdev uint64     // [const] device number
	line line       // [const]
	// drains says that output leaves by itself, so that one may wait until
	// it has; the output of a pseudo terminal waits for a reader.
	drains bool // [const]

	mu      sync.Mutex
	d       disc          // [mu]
	q       proc.Queue    // all that wait for the terminal
	size    winsize       // [mu]
	session *proc.Session // [mu] that it controls; nil: none
	group   *proc.Group   // [mu] in the foreground; nil: none
	hangups uint64        // [mu] how often it was hung up
	opens   int           // [mu] open files
	excl    bool          // [mu] TIOCEXCL
	sending bool          // [mu] output that was taken is still on its way
	refused bool          // [mu] input was refused

	// One reader and one writer at a time, as long as their call lasts. Their
	// buffers are used without mu.
	reader, writer gate            // [mu]
	rbuf           [inSize]byte    // of the reader
	wbuf           [writeStep]byte // of the writer
}

// ttyBytes is what a terminal is charged.
const ttyBytes = 24 << 10

// winsize is struct winsize: rows, columns, and both in pixels.
type winsize [4]uint16

// A gate lets one thread through at a time.
type gate struct {
	taken   bool
	waiting int
}

// init sets up y, which is charged already.
func (y *TTY) init(in *inst.Inst, name string, rdev uint64, l line, t Termios) {
	y.Inst, y.name, y.rdev, y.line = in, name, rdev, l
	y.d.init(t)
}

// enterLocked takes the gate g, waiting for its turn.
func (y *TTY) enterLocked(t *proc.Thread, f *file.File, g *gate) error {
	for g.taken {
		if f.Nonblock() {
			return errno.EAGAIN
		}
		g.waiting++
		err := t.Wait(&y.q, &y.mu, proc.Forever)
		g.waiting--
		if err != nil {
			return err
		}
	}
	g.taken = true
	return nil
}

// leaveLocked gives the gate back.
func (y *TTY) leaveLocked(g *gate) {
	g.taken = false
	if g.waiting > 0 {
		y.q.WakeAll()
	}
}

// unlock ends a change of the line discipline: it tells the line, lets go of
// mu, and sends the signals that came up.
func (y *TTY) unlock() {
	sigs, g := y.d.signals, y.group
	y.d.signals = 0
	if y.d.takeable() {
		y.line.kick()
	}
	y.mu.Unlock()
	if g == nil || sigs == 0 {
		return
	}
	for _, s := range signalTable {
		if sigs&s.bit != 0 {
			g.Signal(proc.Info(s.sig, proc.SI_KERNEL))
		}
	}
}

// publish does what unlock does, and takes mu again: before a wait.
func (y *TTY) publish() {
	y.unlock()
	y.mu.Lock()
}

// signalTable has the signals that come from the line discipline.
var signalTable = [...]struct {
	bit signalSet
	sig proc.Signal
}{{sigInt, proc.SIGINT}, {sigQuit, proc.SIGQUIT}, {sigStop, proc.SIGTSTP}}

// Input takes bytes from the line as far as there is room, and returns how
// many. If it doesn't take all, the line's resume follows when there is room.
func (y *TTY) Input(b []byte) int {
	y.mu.Lock()
	n := y.inputLocked(b)
	y.unlock()
	return n
}

// inputLocked is Input; the caller calls unlock.
func (y *TTY) inputLocked(b []byte) int {
	was := y.d.stopped
	n := y.d.receive(b)
	if n < len(b) {
		y.refused = true
	}
	y.throttleLocked()
	y.flowLocked(was)
	y.receivedLocked()
	return n
}

// receivedLocked follows input.
func (y *TTY) receivedLocked() {
	flushed := y.d.signals != 0 && !y.d.t.lflag(noflsh)
	if flushed {
		y.line.flushed(pktFlushRead | pktFlushWrite)
	}
	if flushed || y.d.readable(1) {
		y.q.WakeAll()
	}
}

// flowLocked follows what may have stopped or started output; was is what
// disc.stopped was before.
func (y *TTY) flowLocked(was bool) {
	if y.d.stopped == was {
		return
	}
	if was {
		y.line.flushed(pktStart)
	} else {
		y.line.flushed(pktStop)
	}
	y.q.WakeAll()
}

// Break tells of a break on the line.
func (y *TTY) Break() {
	y.mu.Lock()
	y.d.receiveBreak()
	y.receivedLocked()
	y.tookInputLocked()
	y.unlock()
}

// Damaged takes a byte that came with a parity or framing error.
func (y *TTY) Damaged(c byte) {
	y.mu.Lock()
	y.d.receiveBad(c)
	y.receivedLocked()
	y.unlock()
}

// tookInputLocked follows a read or flush of input: whoever was refused may
// come again.
func (y *TTY) tookInputLocked() {
	y.throttleLocked()
	if y.refused {
		y.refused = false
		y.line.resume()
	}
}

// throttleLocked does what IXOFF asks for. The writer of a pseudo terminal's
// master waits by itself.
func (y *TTY) throttleLocked() {
	if y.drains {
		y.d.throttle()
	}
}

// takeLocked moves output to b, for the line.
func (y *TTY) takeLocked(b []byte) int {
	before := y.d.out.len()
	n := y.d.take(b)
	if after := y.d.out.len(); before >= lowOut && after < lowOut || after == 0 {
		y.q.WakeAll()
	}
	return n
}

// A handle is an open file of a terminal.
type handle struct {
	y       *TTY
	hangups uint64 // [const] TTY.hangups when it was opened
	// system: opened as the system's console, which job control and hang-ups
	// leave alone.
	system bool // [const]
}

// Open opens the terminal. A leader of a session without a terminal gets it as
// the controlling one, unless flags have O_NOCTTY or another session has it.
func (y *TTY) Open(t *proc.Thread, flags int) (file.Impl, error) {
	h, err := y.open(t, false)
	if err != nil {
		return nil, err
	}
	if flags&abi.O_NOCTTY == 0 && flags&abi.O_ACCMODE != abi.O_WRONLY {
		y.claim(t, false)
	}
	return h, nil
}

// OpenSystem opens the terminal as /dev/console: it never becomes the
// controlling terminal by that, and the file survives hang-ups.
func (y *TTY) OpenSystem(t *proc.Thread, flags int) (file.Impl, error) {
	h, err := y.open(t, true)
	if err != nil {
		return nil, err
	}
	return h, nil
}

func (y *TTY) open(t *proc.Thread, system bool) (*handle, error) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if y.excl && !t.Cred().Has(proc.CAP_SYS_ADMIN) {
		return nil, errno.EBUSY
	}
	if p, ok := y.line.(*Pty); ok {
		if err := p.openedLocked(); err != nil {
			return nil, err
		}
	}
	y.opens++
	return &handle{y: y, hangups: y.hangups, system: system}, nil
}

// Release implements file.Impl.
func (h *handle) Release(f *file.File) {
	y := h.y
	y.mu.Lock()
	y.opens--
	last := y.opens == 0
	if last {
		y.excl = false
		y.d.unhalt()
		y.d.start()
	}
	y.q.WakeAll()
	y.unlock()
	if p, ok := y.line.(*Pty); ok && last {
		p.slaveClosed()
	}
}

// Stat implements file.Impl for a terminal that no file system shows.
func (h *handle) Stat(t *proc.Thread) (abi.Stat, error) {
	return abi.Stat{Mode: abi.S_IFCHR | 0o620, Nlink: 1, Rdev: h.y.rdev, Blksize: 1024}, nil
}

// Name implements file.Namer.
func (h *handle) Name() string { return h.y.name }

// LockKey implements file.Locker.
func (h *handle) LockKey() any { return h.y }

// Queue implements file.Poller.
func (h *handle) Queue() *proc.Queue { return &h.y.q }

// Poll implements file.Poller.
func (h *handle) Poll(f *file.File) file.Events {
	y := h.y
	y.mu.Lock()
	defer y.mu.Unlock()
	if h.goneLocked() {
		return abi.POLLIN | abi.POLLOUT | abi.POLLERR | abi.POLLHUP | abi.POLLRDNORM | abi.POLLWRNORM
	}
	var e file.Events
	if y.d.ready() {
		e |= abi.POLLIN | abi.POLLRDNORM
	}
	if y.d.out.len() < lowOut && !y.d.stopped {
		e |= abi.POLLOUT | abi.POLLWRNORM
	}
	return e
}

// goneLocked reports whether the terminal was hung up since it was opened.
func (h *handle) goneLocked() bool { return !h.system && h.hangups != h.y.hangups }

// Rdev returns the device number.
func (y *TTY) Rdev() uint64 { return y.rdev }

// Name returns the path of the terminal.
func (y *TTY) Name() string { return y.name }
